/* SPDX-License-Identifier: Apache-2.0 */
/* The agent on the network: as a daemon, or once. */
#include "agent/program.h"

#include "base/log.h"
#include "proc/service.h"

#include <signal.h>
#include <stdio.h>

#define EVENTS_AT_ONCE 16
#define LOCKED_OUT     2    /* check-ins in a row that fail */
#define LOOK_EVERY     10   /* of agent.retry-first */
#define SETTLE_STEPS   1000 /* adopting takes ten */

bool
agent_is_of_update(const struct dvt_agent_event *e)
{
	return strncmp(e->id, "certs-", 6) == 0;
}

/* What this run comes to: the last failure, unless it was made good. */
static void
note_event(struct program *p, const struct dvt_agent_event *e)
{
	bool whole = strcmp(e->step, DVT_STEP_COMPLETE) == 0 &&
		     e->outcome == DVT_STEP_SUCCEED;

	if (strcmp(e->step, DVT_STEP_STARTED) == 0)
		p->update_begun = true;
	if (e->outcome == DVT_STEP_FAIL) {
		p->failed = *e;
		p->has_failed = true;
	} else if (whole && agent_is_of_update(&p->failed)) {
		p->has_failed = false;
	}
}

static void
tell_events(struct program *p)
{
	struct dvt_agent_event e[EVENTS_AT_ONCE];
	size_t n;

	while ((n = dvt_agent_events(p->agent, e, EVENTS_AT_ONCE)) > 0) {
		for (size_t i = 0; i < n; i++) {
			bool bad = e[i].outcome == DVT_STEP_FAIL;

			log_event(bad ? LOG_WARNING : LOG_NOTICE, "agent.step",
			    LS("id", e[i].id), LS("step", e[i].step),
			    LS("target", e[i].target),
			    LS("outcome", dvt_step_outcome_name(e[i].outcome)),
			    LS("detail", e[i].detail));
			agent_event_hook_tell(p->event_hook, &e[i]);
			note_event(p, &e[i]);
		}
	}
}

/* The check-in before a renewal was answered, or was not: true: the renewal
 * goes on now. What it ordered was that renewal. */
static bool
renew_now(struct program *p)
{
	struct dvt_command c = {.kind = DVT_COMMAND_RENEW, .label = p->o.label};
	struct dvt_err err;

	if (!p->renew_first)
		return false;
	p->renew_first = false;
	if (p->update_begun || dvt_agent_command(p->agent, &c, &err) != DVT_OK)
		return false;
	dvt_agent_io_kick(p->io);
	return true;
}

/* Locked out, it seems: other ways are tried now and then. */
static void
look_elsewhere(struct program *p, const struct dvt_agent_status *s)
{
	int64_t now = dvt_loop_time(p->loop).mono_ms;

	if (s->checkin_failures < LOCKED_OUT || now < p->recover_at_ms)
		return;
	p->recover_at_ms = now +
			   LOOK_EVERY * 1000 *
			       dvt_config_int(p->config, "agent.retry-first");
	dvt_timer_start(p->recover, 0);
}

static void
on_recover(void *user)
{
	struct program *p = user;
	struct dvt_err err = {0};

	if (agent_recover_look(p, NULL, &err) == DVT_OK && p->io != NULL)
		dvt_agent_io_kick(p->io);
}

/* Once: it ends with the first answered check-in that leaves nothing to do, or
 * with a failure that only time can mend. */
static void
after_step(void *user)
{
	struct program *p = user;
	struct dvt_agent_status s;

	tell_events(p);
	dvt_agent_status(p->agent, &s);
	if (s.heard)
		agent_ocsp_look(p->ocsp);
	if (!p->o.once) {
		look_elsewhere(p, &s);
		return;
	}
	if (s.busy)
		return;
	if (s.heard || s.last_error[0] != '\0') {
		if (renew_now(p))
			return;
		p->ended = true;
		if (!agent_event_hook_busy(p->event_hook) &&
		    !agent_ocsp_busy(p->ocsp))
			dvt_loop_stop(p->loop);
	}
}

static void
on_attempt(void *user, const struct dvt_io_attempt *a)
{
	(void)user;
	log_event(a->ok ? LOG_INFO : LOG_WARNING, "agent.connect",
	    LS("to", a->to), LS("name", a->name), LI("ok", a->ok),
	    LS("root", a->root), LS("why", a->text));
}

static void
on_stop(void *user)
{
	struct program *p = user;

	dvt_loop_stop(p->loop);
}

/* SIGUSR1: `dovetail-agent cancel` cannot open a state that is in use. */
static void
on_cancel(void *user)
{
	struct dvt_command c = {.kind = DVT_COMMAND_CANCEL};
	struct program *p = user;
	struct dvt_err err = {0};

	if (dvt_agent_command(p->agent, &c, &err) != DVT_OK)
		log_event(LOG_NOTICE, "agent.cancel.refused", LE(&err));
	else if (p->io != NULL)
		dvt_agent_io_kick(p->io);
}

static void
on_limit(void *user)
{
	struct program *p = user;

	p->out_of_time = true;
	dvt_loop_stop(p->loop);
}

/* --- addresses --- */

static enum dvt_code
resolve_edges(
    struct program *p, struct dvt_addr *out, size_t *n, struct dvt_err *err)
{
	const char *text;
	enum dvt_code rc;
	size_t more;

	*n = 0;
	for (size_t i = 0;
	     (text = dvt_config_item(p->config, "agent.edge", i)) != NULL &&
	     *n < DVT_IO_ADDRS;
	     i++) {
		rc = dvt_addr_resolve(
		    text, out + *n, DVT_IO_ADDRS - *n, &more, err);
		if (rc != DVT_OK)
			return rc;
		*n += more;
	}
	return DVT_OK;
}

static enum dvt_code
begin(struct program *p, struct dvt_err *err)
{
	const char *server = dvt_config_text(p->config, "agent.server");
	const char *name = dvt_config_text(p->config, "agent.server-name");
	struct dvt_addr to[DVT_IO_ADDRS], edge[DVT_IO_ADDRS];
	char host[DVT_HOST_MAX + 1];
	unsigned port;
	struct dvt_agent_io_config c = {.loop = p->loop,
	    .agent = p->agent,
	    .server = to,
	    .edge = edge,
	    .hook = dvt_config_text(p->config, "agent.hook"),
	    .hook_env = agent_state_env(p),
	    .attempt = on_attempt,
	    .after_step = after_step,
	    .user = p};
	enum dvt_code rc;

	if ((rc = dvt_addr_split(server, host, sizeof(host), &port, err)) !=
		DVT_OK ||
	    (rc = dvt_addr_resolve(
		 server, to, DVT_IO_ADDRS, &c.server_n, err)) != DVT_OK ||
	    (rc = resolve_edges(p, edge, &c.edge_n, err)) != DVT_OK)
		return rc;
	c.server_name = name != NULL ? name : host;
	p->io = dvt_agent_io_new(&c);
	return DVT_OK;
}

/* A name that cannot be looked up yet: the network may come later. */
static void
start(void *user)
{
	struct program *p = user;
	struct dvt_err err;

	if (begin(p, &err) == DVT_OK) {
		dvt_service_ready("running");
		return;
	}
	log_event(LOG_WARNING, "agent.resolve", LE(&err));
	dvt_timer_start(
	    p->start, dvt_config_int(p->config, "agent.retry-first") * 1000);
}

/* --- how it ended --- */

static enum dvt_code
outcome(struct program *p, struct dvt_err *err)
{
	struct dvt_agent_status s;
	const char *why;

	dvt_agent_status(p->agent, &s);
	why = s.update_wait[0] != '\0' ? s.update_wait : s.last_error;
	if (p->has_failed)
		return dvt_fail(err, DVT_E_LATER, "%s: %s failed: %s",
		    p->failed.id, p->failed.step, p->failed.detail);
	if (p->out_of_time)
		return dvt_fail(err, DVT_E_LATER, "not done in time%s%s%s%s",
		    s.update_step[0] != '\0' ? "; it is at " : "",
		    s.update_step, why[0] != '\0' ? ": " : "", why);
	if (!s.heard)
		return dvt_fail(err, DVT_E_LATER, "%s",
		    s.last_error[0] != '\0' ? s.last_error
					    : "ended before an answer");
	return DVT_OK;
}

enum dvt_code
agent_drive(struct program *p, struct dvt_err *err)
{
	struct dvt_signal *term, *interrupt, *stop_update;
	enum dvt_code rc;

	if (dvt_config_text(p->config, "agent.server") == NULL)
		return dvt_fail(err, DVT_E_INPUT,
		    "agent.server is not set: name the control plane in "
		    "--config FILE");
	if ((rc = dvt_loop_new(&p->loop, err)) != DVT_OK)
		return rc;
	p->start = dvt_timer_new(p->loop, start, p);
	p->limit = dvt_timer_new(p->loop, on_limit, p);
	p->recover = dvt_timer_new(p->loop, on_recover, p);
	p->event_hook = agent_event_hook_new(p);
	p->ocsp = agent_ocsp_new(p);
	term = dvt_signal_new(p->loop, SIGTERM, on_stop, p);
	interrupt = dvt_signal_new(p->loop, SIGINT, on_stop, p);
	stop_update = dvt_signal_new(p->loop, SIGUSR1, on_cancel, p);
	dvt_timer_start(p->start, 0);
	if (p->o.once)
		dvt_timer_start(p->limit,
		    dvt_config_int(p->config, "agent.once-limit") * 1000);
	dvt_loop_run(p->loop);
	dvt_service_stopping();
	dvt_signal_free(term);
	dvt_signal_free(interrupt);
	dvt_signal_free(stop_update);
	return p->o.once ? outcome(p, err) : DVT_OK;
}

enum dvt_code
agent_settle(struct program *p, struct dvt_err *err)
{
	struct dvt_agent_status s;
	struct dvt_want want;
	enum dvt_code rc;

	for (int i = 0; i < SETTLE_STEPS; i++) {
		rc = dvt_agent_step(p->agent, dvt_time_now(), NULL, &want, err);
		if (rc != DVT_OK)
			return rc;
		dvt_agent_status(p->agent, &s);
		if (!s.adopting && want.kind != DVT_WANT_WAIT)
			break; /* its journal is written: it wants to check in
				*/
	}
	tell_events(p);
	return s.adopting ? dvt_fail(err, DVT_E_SYSTEM, "not adopted: %s",
				s.last_error)
			  : DVT_OK;
}
