/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The resolver process: asks again for the addresses of upstreams that have
 * names, and tells the workers. It blocks while a resolver is slow, so it
 * does nothing else.
 */
#include "base/log.h"
#include "base/mem.h"
#include "gateway/program.h"
#include "ipc/channel.h"
#include "ipc/fields.h"
#include "proc/children.h"
#include "proc/control.h"
#include "proc/sandbox.h"

#include <stdlib.h>
#include <unistd.h>

struct resolver {
	struct gw_program *program;
	struct dvt_loop *loop;
	struct dvt_control *control;
	struct dvt_timer *timer;
	int64_t every_ms; /* 0: when told to */
	struct gw_upstreams upstreams, pass_to;
	bool failed; /* last time, for one of them */
	struct dvt_channel *worker[GW_WORKERS_MAX];
};

static void
tell(struct resolver *r, struct dvt_channel *to)
{
	struct dvt_msg m = {.type = DVT_MSG_EDGE_NAMES, .fd = -1};
	struct dvt_buf body;
	struct dvt_err err;

	if (to == NULL)
		return;
	dvt_buf_init(&body, dvt_msg_max(DVT_MSG_EDGE_NAMES));
	gw_upstreams_put(&r->upstreams, &body);
	gw_upstreams_put(&r->pass_to, &body);
	m.body = dvt_buf_span(&body);
	if (dvt_channel_send(to, &m, &err) != DVT_OK)
		log_event(LOG_ERR, "gateway.worker.untold", LE(&err));
	dvt_buf_fini(&body);
}

/* One of them; whether it has other addresses now. */
static bool
ask(struct resolver *r, struct gw_upstream *u, bool *failed)
{
	char first[DVT_ADDR_TEXT];
	struct dvt_err err;
	bool changed = false;

	if (!gw_upstream_is_named(u))
		return false;
	if (gw_upstream_resolve(u, &changed, &err) != DVT_OK) {
		*failed = true;
		if (!r->failed) /* told once for all that follow */
			log_event(LOG_WARNING, "gateway.upstream.unresolved",
			    LS("upstream", u->text), LE(&err));
	} else if (changed) {
		log_event(LOG_NOTICE, "gateway.upstream.resolved",
		    LS("upstream", u->text),
		    LS("first", dvt_addr_format(&u->addr[0], first)),
		    LI("addresses", u->addr_n));
	}
	return changed;
}

static void
ask_all(void *resolver)
{
	struct resolver *r = resolver;
	bool failed = false, changed = false;

	for (size_t i = 0; i < r->upstreams.n; i++)
		changed |= ask(r, &r->upstreams.one[i], &failed);
	for (size_t i = 0; i < r->pass_to.n; i++)
		changed |= ask(r, &r->pass_to.one[i], &failed);
	r->failed = failed;
	for (size_t i = 0; changed && i < GW_WORKERS_MAX; i++)
		tell(r, r->worker[i]);
	if (r->every_ms > 0)
		dvt_timer_start(r->timer, r->every_ms);
}

static void
on_message(void *user, struct dvt_channel *ch, struct dvt_msg *m)
{
	(void)user, (void)ch, (void)m; /* nothing may be said to it */
}

static void
on_end(void *user, struct dvt_channel *ch, const struct dvt_err *why)
{
	struct resolver *r = user;

	(void)why;
	for (size_t i = 0; i < GW_WORKERS_MAX; i++)
		if (r->worker[i] == ch)
			r->worker[i] = NULL;
	dvt_channel_free(ch);
}

/* A worker, new or again, begins with what was so at the gateway's start. */
static void
on_peer(void *user, int role, unsigned index, int fd)
{
	struct resolver *r = user;
	struct dvt_channel_config config = {
	    .self = DVT_ROLE_EDGE_RESOLVER,
	    .peer = (enum dvt_role)role,
	    .peer_index = index,
	    .received = on_message,
	    .ended = on_end,
	    .user = r,
	};

	if (role != DVT_ROLE_EDGE_WORKER || index >= GW_WORKERS_MAX) {
		close(fd);
		return;
	}
	dvt_channel_free(r->worker[index]);
	r->worker[index] = dvt_channel_new(r->loop, fd, &config);
	tell(r, r->worker[index]);
}

static void
on_stop(void *user)
{
	struct resolver *r = user;

	dvt_loop_stop(r->loop);
}

/* Files there are replaced by others of their name: so the folders. */
static enum dvt_code
sandbox(struct resolver *r, struct dvt_err *err)
{
	static const char *const folders[] = {
	    "/etc", "/run/NetworkManager", "/run/resolvconf"};
	struct dvt_sandbox_path paths[DVT_COUNT(folders)];
	size_t n = 0;

	for (size_t i = 0; i < DVT_COUNT(folders); i++)
		if (access(folders[i], R_OK) == 0)
			paths[n++] = (struct dvt_sandbox_path){
			    .path = folders[i]};
	return gw_sandbox(r->program,
	    DVT_SYS_NET | DVT_SYS_CONNECT | DVT_SYS_FILES_RO | DVT_SYS_MEMFD,
	    paths, n, err);
}

static enum dvt_code
start(struct resolver *r, struct dvt_child *me, struct dvt_err *err)
{
	struct dvt_control_config control = {
	    .peer = on_peer, .reload = ask_all, .stop = on_stop, .user = r};
	enum dvt_code rc;

	r->upstreams = r->program->settings.upstreams;
	r->pass_to = r->program->settings.pass_to;
	r->every_ms = 1000 * dvt_config_int(r->program->config,
				 "gateway.upstream-resolve");
	if ((rc = dvt_loop_new(&r->loop, err)) != DVT_OK ||
	    (rc = sandbox(r, err)) != DVT_OK)
		return rc;
	r->timer = dvt_timer_new(r->loop, ask_all, r);
	ask_all(
	    r); /* the parent's answers may be old when it is started again */
	r->control = dvt_control_new(r->loop, me, &control);
	dvt_control_ready(r->control);
	return DVT_OK;
}

int
gw_resolver_run(struct dvt_child *me, void *program)
{
	struct resolver *r = dvt_alloc(sizeof(*r));
	struct dvt_err err = {0};
	enum dvt_code rc;

	r->program = program;
	gw_log_start(r->program, dvt_child_name(me));
	rc = start(r, me, &err);
	if (rc == DVT_OK)
		dvt_loop_run(r->loop);
	else
		log_event(LOG_CRIT, "gateway.start.failed", LE(&err));
	for (size_t i = 0; i < GW_WORKERS_MAX; i++)
		dvt_channel_free(r->worker[i]);
	dvt_control_free(r->control);
	dvt_timer_free(r->timer);
	dvt_loop_free(r->loop);
	free(r);
	return dvt_code_exit(rc);
}
