/* SPDX-License-Identifier: Apache-2.0 */
#include "proc/children.h"

#include "base/log.h"
#include "base/mem.h"
#include "loop/loop.h"
#include "proc/control.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum { ASKER, ECHO };
enum mode { NORMAL, FAILS_AT_START, IGNORES_STOP, WATCHED };

#define WATCH_MS 600

/* What the children do, seen from the test. */
struct seen {
	_Atomic pid_t pid[2][2];
	_Atomic unsigned starts[2][2];
	_Atomic unsigned echoed[2]; /* to each asker */
	_Atomic unsigned peers[2];
	_Atomic unsigned ready;
	_Atomic unsigned reloads;
	_Atomic bool echo_has_secret, asker_has_secret;
	_Atomic unsigned stops; /* order: echo must hear it last */
	_Atomic unsigned echo_stop_after;
	_Atomic unsigned silent, killed, again; /* of askers, as is told */
};

static struct seen *seen;
static enum mode mode;
static int sealed;

struct me {
	struct dvt_loop *loop;
	struct dvt_child *child;
	struct dvt_watch *watch[2];
	int fd[2];
};

static void
on_line(void *ctx, unsigned ready)
{
	struct me *m = ctx;

	(void)ready;
	for (int i = 0; i < 2; i++) {
		char c;

		if (m->watch[i] == NULL ||
		    recv(m->fd[i], &c, 1, MSG_DONTWAIT) != 1) {
			continue;
		} else if (dvt_child_role(m->child) == ECHO) {
			(void)send(m->fd[i], &c, 1, MSG_NOSIGNAL);
		} else {
			seen->echoed[dvt_child_index(m->child)]++;
		}
	}
}

static void
on_peer(void *ctx, int role, unsigned index, int fd)
{
	struct me *m = ctx;

	assert_int_not_equal(role, dvt_child_role(m->child));
	assert_true(index < 2);
	if (m->watch[index] != NULL) {
		dvt_watch_free(m->watch[index]);
		close(m->fd[index]);
	}
	m->fd[index] = fd;
	m->watch[index] = dvt_watch_new(m->loop, fd, DVT_READ, on_line, m);
	if (dvt_child_role(m->child) == ASKER) {
		seen->peers[dvt_child_index(m->child)]++;
		(void)send(fd, "x", 1, MSG_NOSIGNAL);
	}
}

static void
on_reload(void *ctx)
{
	(void)ctx;
	seen->reloads++;
}

static void
on_stop(void *ctx)
{
	struct me *m = ctx;

	if (dvt_child_role(m->child) == ECHO)
		seen->echo_stop_after = seen->stops;
	seen->stops++;
	if (mode != IGNORES_STOP)
		dvt_loop_stop(m->loop);
}

static bool
secret_readable(void)
{
	struct dvt_secret s;
	bool ok = dvt_sealed_read(sealed, &s, NULL) == DVT_OK && s.n == 6 &&
		  memcmp(s.p, "unlock", 6) == 0;

	dvt_secret_free(&s);
	return ok;
}

static int
run(struct dvt_child *child, void *ctx)
{
	struct me m = {.child = child};
	int role = dvt_child_role(child);
	unsigned index = dvt_child_index(child);
	struct dvt_control_config cfg = {
	    .peer = on_peer, .reload = on_reload, .stop = on_stop, .user = &m};
	struct dvt_control *control;

	(void)ctx;
	if (mode == FAILS_AT_START && role == ECHO)
		return 78;
	if (dvt_loop_new(&m.loop, NULL) != DVT_OK)
		return 1;
	if (role == ECHO)
		seen->echo_has_secret = secret_readable();
	else
		seen->asker_has_secret = secret_readable();
	control = dvt_control_new(m.loop, child, &cfg);
	dvt_control_ready(control);
	seen->pid[role][index] = getpid();
	seen->starts[role][index]++;
	dvt_loop_run(m.loop);
	for (int i = 0; i < 2; i++) {
		dvt_watch_free(m.watch[i]);
		if (m.watch[i] != NULL)
			close(m.fd[i]);
	}
	dvt_control_free(control);
	dvt_loop_free(m.loop);
	return 0;
}

static void
on_all_ready(void *ctx)
{
	(void)ctx;
	seen->ready++;
}

static void
on_silent(void *ctx, int role, unsigned index, int64_t silent_ms, bool killed)
{
	(void)ctx;
	assert_int_equal(role, ASKER);
	assert_true(index < 2);
	seen->silent++;
	seen->again += silent_ms == 0;
	if (!killed)
		return;
	assert_int_equal(silent_ms, WATCH_MS);
	seen->killed++;
}

static pid_t
parent_start(enum mode how)
{
	pid_t pid;

	mode = how;
	memset(seen, 0, sizeof(*seen));
	pid = fork();
	if (pid == 0) {
		struct dvt_child_kind kinds[] = {
		    {.role = ASKER,
                     .name = "asker",
                     .count = 2,
                     .watched = true,
                     .run = run},
		    { .role = ECHO,
                     .name = "echo",
                     .count = 1,
                     .stop_stage = 1,
                     .fds = &sealed,
                     .fds_n = 1,
                     .run = run},
		};
		const struct dvt_child_pair pairs[] = {
		    {ASKER, ECHO}
                };
		struct dvt_parent_plan plan = {.kinds = kinds,
		    .kinds_n = 2,
		    .pairs = pairs,
		    .pairs_n = 1,
		    .stop_ms = how == IGNORES_STOP ? 200 : 5000,
		    .ready = on_all_ready,
		    .watch_ms = how == WATCHED ? WATCH_MS : 0,
		    .silent = on_silent};

		(void)prctl(PR_SET_PDEATHSIG, SIGTERM); /* a failed test */
		dvt_log_init("t", LOG_CRIT, 0);
		_exit(dvt_parent_run(&plan));
	}
	return pid;
}

/* At most 5 s for what takes milliseconds. */
#define EVENTUALLY(what)                                                       \
	do {                                                                   \
		int left_ = 5000;                                              \
		while (!(what) && left_-- > 0)                                 \
			usleep(1000);                                          \
		assert_true(what);                                             \
	} while (0)

static int
status_of(pid_t pid)
{
	int status;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void
children_are_paired_and_stop_in_stages(void **state)
{
	pid_t parent = parent_start(NORMAL);

	(void)state;
	EVENTUALLY(seen->echoed[0] == 1 && seen->echoed[1] == 1);
	EVENTUALLY(seen->ready == 1);
	assert_true(seen->echo_has_secret);
	assert_false(seen->asker_has_secret);
	kill(parent, SIGHUP);
	EVENTUALLY(seen->reloads == 3);
	kill(parent, SIGTERM);
	assert_int_equal(status_of(parent), 0);
	assert_int_equal(seen->stops, 3);
	assert_int_equal(seen->echo_stop_after, 2);
	assert_int_equal(kill(seen->pid[ECHO][0], 0), -1);
}

static void
a_dead_child_is_started_and_paired_again(void **state)
{
	pid_t parent = parent_start(NORMAL);

	(void)state;
	EVENTUALLY(seen->echoed[0] == 1 && seen->echoed[1] == 1);
	EVENTUALLY(seen->ready == 1);
	seen->echo_has_secret = false;
	kill(seen->pid[ECHO][0], SIGKILL);
	EVENTUALLY(seen->echoed[0] == 2 && seen->echoed[1] == 2);
	assert_int_equal(seen->starts[ECHO][0], 2);
	assert_true(seen->echo_has_secret); /* handed over again */
	kill(seen->pid[ASKER][1], SIGKILL);
	EVENTUALLY(seen->echoed[1] == 3);
	assert_int_equal(seen->echoed[0], 2);
	assert_int_equal(seen->starts[ASKER][1], 2);
	kill(seen->pid[ECHO][0], SIGKILL); /* the second time after a while */
	EVENTUALLY(seen->echoed[0] == 3 && seen->echoed[1] == 4);
	kill(parent, SIGTERM);
	assert_int_equal(status_of(parent), 0);
	assert_int_equal(seen->ready, 1);
}

static void
a_child_that_cannot_start_ends_all_with_its_status(void **state)
{
	pid_t parent = parent_start(FAILS_AT_START);

	(void)state;
	assert_int_equal(status_of(parent), 78);
}

static void
a_child_that_does_not_stop_is_killed(void **state)
{
	pid_t parent = parent_start(IGNORES_STOP);

	(void)state;
	EVENTUALLY(seen->ready == 1);
	kill(parent, SIGTERM);
	assert_int_equal(status_of(parent), 0);
	assert_int_equal(seen->stops, 3);
	assert_int_equal(kill(seen->pid[ASKER][0], 0), -1);
}

static void
a_child_that_hangs_is_replaced_and_no_other(void **state)
{
	pid_t parent = parent_start(WATCHED), asker, echo;

	(void)state;
	EVENTUALLY(seen->ready == 1);
	asker = seen->pid[ASKER][1];
	echo = seen->pid[ECHO][0];
	/* a moment is no harm */
	kill(asker, SIGSTOP);
	EVENTUALLY(seen->silent > 1);
	kill(asker, SIGCONT);
	EVENTUALLY(seen->again == 1);
	assert_int_equal(seen->killed, 0);
	/* nor that one hangs which is not watched */
	kill(echo, SIGSTOP);
	kill(asker, SIGSTOP);
	EVENTUALLY(seen->killed == 1);
	EVENTUALLY(seen->starts[ASKER][1] == 2);
	assert_int_equal(seen->again, 2);
	kill(echo, SIGCONT);
	EVENTUALLY(seen->echoed[1] == 2);
	/* all were stopped, the parent too: as with a suspended machine */
	kill(parent, SIGSTOP);
	kill(seen->pid[ASKER][0], SIGSTOP);
	usleep(WATCH_MS * 1000);
	kill(parent, SIGCONT);
	usleep(WATCH_MS * 1000 / 2);
	kill(seen->pid[ASKER][0], SIGCONT);
	EVENTUALLY(seen->again == 3);
	assert_int_equal(seen->killed, 1);
	assert_int_equal(seen->starts[ASKER][0], 1);
	assert_int_equal(seen->starts[ECHO][0], 1);
	kill(parent, SIGTERM);
	assert_int_equal(status_of(parent), 0);
}

static void
children_do_not_outlive_their_parent(void **state)
{
	pid_t parent = parent_start(NORMAL);

	(void)state;
	assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
	EVENTUALLY(seen->ready == 1);
	kill(parent, SIGKILL);
	assert_int_equal(status_of(parent), -1);
	(void)status_of(seen->pid[ASKER][0]);
	(void)status_of(seen->pid[ASKER][1]);
	(void)status_of(seen->pid[ECHO][0]);
	assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 0), 0);
}

static void
a_sealed_file_cannot_be_changed_and_others_are_refused(void **state)
{
	struct dvt_secret s;
	uint8_t big[65537] = {0};
	int fd = memfd_create("t", 0);

	(void)state;
	assert_int_equal(pwrite(sealed, "x", 1, 0), -1);
	assert_int_equal(ftruncate(sealed, 0), -1);
	assert_int_equal(dvt_sealed_read(fd, &s, NULL), DVT_E_INPUT);
	close(fd);
	assert_int_equal(
	    dvt_sealed_new(big, sizeof(big), &fd, NULL), DVT_E_LIMIT);
	assert_int_equal(fd, -1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(children_are_paired_and_stop_in_stages),
	    cmocka_unit_test(a_dead_child_is_started_and_paired_again),
	    cmocka_unit_test(
		a_child_that_cannot_start_ends_all_with_its_status),
	    cmocka_unit_test(a_child_that_does_not_stop_is_killed),
	    cmocka_unit_test(a_child_that_hangs_is_replaced_and_no_other),
	    cmocka_unit_test(children_do_not_outlive_their_parent),
	    cmocka_unit_test(
		a_sealed_file_cannot_be_changed_and_others_are_refused),
	};

	seen = mmap(NULL, sizeof(*seen), PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (seen == MAP_FAILED ||
	    dvt_sealed_new("unlock", 6, &sealed, NULL) != DVT_OK)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
