/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The parent: see children.h. A poll() loop of its own, no library loop: what
 * is forked must not share an epoll instance with its siblings.
 */
#include "proc/children.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "loop/pair.h"
#include "proc/control.h"
#include "proc/control_wire.h"
#include "proc/pulse.h"
#include "proc/user.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#define STOP_MS      10000
#define BACKOFF_MS   100
#define BACKOFF_MAX  10000
#define SERVED_MAX   500   /* of one that had been ready: it can serve */
#define LIVED_MS     30000 /* after that a death counts as the first */
#define EXIT_CRASHED 70    /* EX_SOFTWARE: a child ended at the start */

struct child {
	const struct dvt_child_kind *kind;
	unsigned index;
	char name[32];
	pid_t pid;   /* 0: not running */
	int control; /* -1: not running */
	bool hung;   /* closed its end; its death is to come */
	bool ready;
	bool was_ready; /* at least once */
	int64_t started_ms;
	int64_t due_ms; /* start again then; 0: not due */
	int64_t delay_ms;
	struct dvt_pulse_child pulse;
};

struct parent {
	const struct dvt_parent_plan *plan;
	struct child *all;
	size_t all_n;
	int signals; /* signalfd */
	sigset_t former;
	bool all_ready;
	int status;
	bool stopping;
	unsigned stage;
	int64_t stage_end_ms;
	struct dvt_pulse pulse;
};

static int64_t
now_ms(void)
{
	return dvt_time_now().mono_ms;
}

/* --- in the child --- */

static int
by_number(const void *a, const void *b)
{
	return *(const int *)a - *(const int *)b;
}

/* All descriptors but the standard ones and what this kind may hold. */
static void
close_others(const struct dvt_child_kind *kind, int control)
{
	size_t n = 0;
	int *keep = dvt_alloc_array(kind->fds_n + 1, sizeof(*keep));
	unsigned from = STDERR_FILENO + 1;

	keep[n++] = control;
	for (size_t i = 0; i < kind->fds_n; i++) {
		if (kind->fds[i] > STDERR_FILENO)
			keep[n++] = kind->fds[i];
	}
	qsort(keep, n, sizeof(*keep), by_number);
	for (size_t i = 0; i < n; i++) {
		unsigned fd = (unsigned)keep[i];

		if (fd > from)
			(void)close_range(from, fd - 1, 0);
		if (fd + 1 > from)
			from = fd + 1;
	}
	(void)close_range(from, UINT_MAX, 0);
	free(keep);
}

static void
become_child(struct parent *p, struct child *c, int control, pid_t parent)
{
	/* the parent decides when a child ends, not the terminal */
	static const int ignored[] = {SIGINT, SIGTERM, SIGHUP};
	const struct dvt_child_kind *kind = c->kind;
	struct dvt_child me = {
	    .role = kind->role, .index = c->index, .control = control};
	struct dvt_err err = {0};
	enum dvt_code rc;

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(EXIT_FAILURE);
	for (size_t i = 0; i < DVT_COUNT(ignored); i++)
		(void)signal(ignored[i], SIG_IGN);
	(void)sigprocmask(SIG_SETMASK, &p->former, NULL);
	(void)snprintf(me.name, sizeof(me.name), "%s", c->name);
	(void)prctl(PR_SET_NAME, me.name);
	close_others(kind, control);
	if ((rc = dvt_user_become(kind->user, &err)) != DVT_OK) {
		log_event(LOG_CRIT, "proc.start-failed", LS("child", me.name),
		    LE(&err));
		exit(dvt_code_exit(rc));
	}
	free(p->all);
	exit(kind->run(&me, p->plan->ctx));
}

/* --- in the parent --- */

static void
tell(struct child *c, const struct dvt_ctl *m, int fd)
{
	if (c->pid == 0 || dvt_ctl_send(c->control, m, fd) == 0)
		return;
	/* its line holds hundreds of messages: it does not listen any more */
	log_event(LOG_ERR, "proc.child-deaf", LS("child", c->name),
	    LI("pid", c->pid), LI("errno", errno));
	(void)kill(c->pid, SIGKILL);
}

static void
pair(struct child *a, struct child *b)
{
	struct dvt_ctl to_a = {DVT_CTL_PEER, b->kind->role, b->index};
	struct dvt_ctl to_b = {DVT_CTL_PEER, a->kind->role, a->index};
	struct dvt_err err;
	int fd[2];

	if (dvt_pair_new(fd, &err) != DVT_OK) {
		log_event(LOG_CRIT, "proc.pair-failed", LS("a", a->name),
		    LS("b", b->name), LE(&err));
		return;
	}
	tell(a, &to_a, fd[0]);
	tell(b, &to_b, fd[1]);
	close(fd[0]);
	close(fd[1]);
}

static void
pair_with_all(struct parent *p, struct child *c)
{
	for (size_t i = 0; i < p->plan->pairs_n; i++) {
		const struct dvt_child_pair *want = &p->plan->pairs[i];
		int other;

		if (want->a == c->kind->role)
			other = want->b;
		else if (want->b == c->kind->role)
			other = want->a;
		else
			continue;
		for (size_t k = 0; k < p->all_n; k++) {
			struct child *o = &p->all[k];

			if (o != c && o->pid != 0 && o->kind->role == other)
				pair(c, o);
		}
	}
}

static void
tell_silent(struct parent *p, const struct child *c, bool killed)
{
	if (p->plan->silent != NULL)
		p->plan->silent(p->plan->ctx, c->kind->role, c->index,
		    c->pulse.silent * p->pulse.beat_ms, killed);
}

static void
answered(struct parent *p, struct child *c)
{
	bool was_silent = c->pulse.silent > 0;

	dvt_pulse_answered(&c->pulse);
	if (was_silent)
		tell_silent(p, c, false);
}

static void
start(struct parent *p, struct child *c)
{
	pid_t self = getpid(), pid;
	struct dvt_err err;
	int fd[2];

	c->due_ms = 0;
	if (dvt_pair_new(fd, &err) != DVT_OK) {
		log_event(LOG_CRIT, "proc.start-failed", LS("child", c->name),
		    LE(&err));
		c->due_ms = now_ms() + BACKOFF_MAX;
		return;
	}
	(void)fflush(NULL); /* else what is buffered is written twice */
	pid = fork();
	if (pid == 0)
		become_child(p, c, fd[1], self);
	close(fd[1]);
	if (pid < 0) {
		log_event(LOG_CRIT, "proc.start-failed", LS("child", c->name),
		    LI("errno", errno));
		close(fd[0]);
		c->due_ms = now_ms() + BACKOFF_MAX;
		return;
	}
	c->pid = pid;
	c->control = fd[0];
	c->ready = c->hung = false;
	answered(p, c); /* whatever was asked */
	c->started_ms = now_ms();
	log_event(LOG_NOTICE, "proc.started", LS("child", c->name),
	    LI("pid", c->pid));
	pair_with_all(p, c);
}

/* The children of this stage hear it; those of later stages serve on. */
static void
stop_stage(struct parent *p)
{
	struct dvt_ctl m = {.type = DVT_CTL_STOP};
	int64_t total = p->plan->stop_ms > 0 ? p->plan->stop_ms : STOP_MS;
	unsigned stages = 1;

	for (size_t i = 0; i < p->all_n; i++) {
		if (p->all[i].kind->stop_stage + 1 > stages)
			stages = p->all[i].kind->stop_stage + 1;
		if (p->all[i].kind->stop_stage == p->stage)
			tell(&p->all[i], &m, -1);
	}
	p->stage_end_ms = now_ms() + total / stages;
}

static void
stop_begin(struct parent *p, int status)
{
	if (p->stopping)
		return;
	log_event(LOG_NOTICE, "proc.stopping", LI("status", status));
	p->stopping = true;
	p->status = status;
	p->stage = 0;
	stop_stage(p);
}

/* Nobody of this stage left: the next. False: nobody left at all. */
static bool
stop_step(struct parent *p)
{
	bool here = false, later = false;

	for (size_t i = 0; i < p->all_n; i++) {
		struct child *c = &p->all[i];

		if (c->pid == 0)
			continue;
		if (c->kind->stop_stage > p->stage) {
			later = true;
			continue;
		}
		here = true;
		if (now_ms() >= p->stage_end_ms) {
			log_event(LOG_ERR, "proc.killed", LS("child", c->name),
			    LI("pid", c->pid));
			(void)kill(c->pid, SIGKILL);
		}
	}
	if (here && now_ms() >= p->stage_end_ms)
		p->stage_end_ms = now_ms() + 1000; /* for the kernel */
	if (!here && later) {
		p->stage++;
		stop_stage(p);
	}
	return here || later;
}

static void
died(struct parent *p, struct child *c, int status)
{
	int64_t now = now_ms(), most = c->ready ? SERVED_MAX : BACKOFF_MAX;
	bool at_start = WIFEXITED(status) && !c->was_ready && !p->all_ready;

	log_event(p->stopping ? LOG_INFO : LOG_ERR, "proc.ended",
	    LS("child", c->name), LI("pid", c->pid),
	    LI("status", WIFEXITED(status) ? WEXITSTATUS(status) : -1),
	    LI("signal", WIFSIGNALED(status) ? WTERMSIG(status) : 0));
	close(c->control);
	c->control = -1;
	c->pid = 0;
	c->ready = false;
	if (p->stopping)
		return;
	if (at_start) {
		stop_begin(p, WEXITSTATUS(status) != 0 ? WEXITSTATUS(status)
						       : EXIT_CRASHED);
		return;
	}
	if (now - c->started_ms >= LIVED_MS)
		c->delay_ms = 0;
	if (c->delay_ms > most)
		c->delay_ms = most;
	c->due_ms = now + c->delay_ms;
	c->delay_ms = c->delay_ms == 0 ? BACKOFF_MS : c->delay_ms * 2;
}

static void
reap(struct parent *p)
{
	for (size_t i = 0; i < p->all_n; i++) {
		struct child *c = &p->all[i];
		int status;

		if (c->pid != 0 && waitpid(c->pid, &status, WNOHANG) == c->pid)
			died(p, c, status);
	}
}

static void
on_signals(struct parent *p)
{
	struct dvt_ctl reload = {.type = DVT_CTL_RELOAD};
	struct signalfd_siginfo si;

	while (read(p->signals, &si, sizeof(si)) == (ssize_t)sizeof(si)) {
		if (si.ssi_signo == SIGTERM || si.ssi_signo == SIGINT)
			stop_begin(p, 0);
		for (size_t i = 0; si.ssi_signo == SIGHUP && i < p->all_n; i++)
			tell(&p->all[i], &reload, -1);
	}
	reap(p);
}

/* --- those that hang --- */

static void
look_at(struct parent *p, struct child *c)
{
	static const struct dvt_ctl ask = {.type = DVT_CTL_ASK};
	enum dvt_pulse_state state = dvt_pulse_look(&p->pulse, &c->pulse);

	if (state == DVT_PULSE_ASK) {
		tell(c, &ask, -1);
		return;
	}
	tell_silent(p, c, state == DVT_PULSE_HANGS);
	if (state != DVT_PULSE_HANGS)
		return;
	log_event(LOG_ERR, "proc.hangs", LS("child", c->name),
	    LI("pid", c->pid), LI("ms", c->pulse.silent * p->pulse.beat_ms));
	(void)kill(c->pid, SIGKILL);
}

/* Its death is to come, and it is started again as any that died. */
static void
look_at_all(struct parent *p)
{
	if (p->stopping || !dvt_pulse_beat(&p->pulse, now_ms()))
		return;
	for (size_t i = 0; i < p->all_n; i++)
		if (p->all[i].pid != 0 && p->all[i].ready &&
		    p->all[i].kind->watched)
			look_at(p, &p->all[i]);
}

static void
on_child(struct parent *p, struct child *c)
{
	struct dvt_ctl m;
	bool all = true;
	int fd, got = dvt_ctl_receive(c->control, &m, &fd);

	if (got < 0)
		c->hung = true;
	if (got <= 0)
		return;
	if (fd >= 0)
		close(fd);
	if (m.type == DVT_CTL_ANSWER)
		answered(p, c);
	if (m.type == DVT_CTL_BUSY)
		dvt_pulse_busy(&c->pulse);
	if (m.type != DVT_CTL_READY)
		return;
	c->ready = c->was_ready = true;
	for (size_t i = 0; i < p->all_n; i++)
		all = all && p->all[i].ready;
	log_event(LOG_INFO, "proc.ready", LS("child", c->name),
	    LI("ms", now_ms() - c->started_ms));
	if (all && !p->all_ready) {
		p->all_ready = true;
		if (p->plan->ready != NULL)
			p->plan->ready(p->plan->ctx);
	}
}

/* ms until something is due; -1: nothing is. */
static int
until_due(const struct parent *p)
{
	int64_t at = p->stopping ? p->stage_end_ms : INT64_MAX, now = now_ms();

	for (size_t i = 0; i < p->all_n && !p->stopping; i++) {
		if (p->all[i].due_ms != 0 && p->all[i].due_ms < at)
			at = p->all[i].due_ms;
	}
	if (!p->stopping && dvt_pulse_due(&p->pulse) < at)
		at = dvt_pulse_due(&p->pulse);
	if (at == INT64_MAX)
		return -1;
	return at <= now ? 0 : (int)(at - now);
}

static void
poll_all(struct parent *p, struct pollfd *fds)
{
	for (size_t i = 0; i < p->all_n; i++) {
		struct child *c = &p->all[i];

		fds[i] = (struct pollfd){c->hung ? -1 : c->control, POLLIN, 0};
	}
	fds[p->all_n] = (struct pollfd){p->signals, POLLIN, 0};
	if (poll(fds, p->all_n + 1, until_due(p)) <= 0)
		return;
	for (size_t i = 0; i < p->all_n; i++) {
		if ((fds[i].revents & POLLIN) != 0)
			on_child(p, &p->all[i]);
		else if (fds[i].revents != 0)
			p->all[i].hung = true; /* and must not spin us */
	}
}

static void
serve(struct parent *p)
{
	struct pollfd *fds = dvt_alloc_array(p->all_n + 1, sizeof(*fds));

	while (!p->stopping || stop_step(p)) {
		poll_all(p, fds);
		on_signals(p);
		look_at_all(p);
		for (size_t i = 0; i < p->all_n && !p->stopping; i++) {
			struct child *c = &p->all[i];

			if (c->due_ms != 0 && c->due_ms <= now_ms())
				start(p, c);
		}
	}
	free(fds);
}

static void
children_list(struct parent *p)
{
	const struct dvt_parent_plan *plan = p->plan;
	size_t n = 0;

	for (size_t k = 0; k < plan->kinds_n; k++)
		p->all_n += plan->kinds[k].count;
	p->all = dvt_alloc_array(p->all_n + 1, sizeof(*p->all));
	for (size_t k = 0; k < plan->kinds_n; k++) {
		for (unsigned i = 0; i < plan->kinds[k].count; i++) {
			struct child *c = &p->all[n++];

			c->kind = &plan->kinds[k];
			c->index = i;
			c->control = -1;
			(void)snprintf(c->name, sizeof(c->name),
			    plan->kinds[k].count > 1 ? "%s-%u" : "%s",
			    plan->kinds[k].name, i + 1);
		}
	}
}

int
dvt_parent_run(const struct dvt_parent_plan *plan)
{
	static const int wanted[] = {SIGCHLD, SIGTERM, SIGINT, SIGHUP};
	struct parent p = {.plan = plan};
	sigset_t set;

	(void)sigemptyset(&set);
	for (size_t i = 0; i < DVT_COUNT(wanted); i++)
		(void)sigaddset(&set, wanted[i]);
	(void)sigprocmask(SIG_BLOCK, &set, &p.former);
	p.signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (p.signals < 0) {
		log_event(LOG_CRIT, "proc.no-signalfd", LI("errno", errno));
		return dvt_code_exit(DVT_E_SYSTEM);
	}
	children_list(&p);
	for (size_t i = 0; i < p.all_n && !p.stopping; i++)
		start(&p, &p.all[i]);
	dvt_pulse_init(&p.pulse, plan->watch_ms, now_ms());
	serve(&p);
	log_event(LOG_NOTICE, "proc.stopped", LI("status", p.status));
	close(p.signals);
	(void)sigprocmask(SIG_SETMASK, &p.former, NULL);
	free(p.all);
	return p.status;
}

int
dvt_child_role(const struct dvt_child *me)
{
	return me->role;
}

unsigned
dvt_child_index(const struct dvt_child *me)
{
	return me->index;
}

const char *
dvt_child_name(const struct dvt_child *me)
{
	return me->name;
}

int
dvt_child_control_fd(const struct dvt_child *me)
{
	return me->control;
}
