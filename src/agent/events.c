/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The hook on-event: told each step, one after the other, and never waited for
 * by the agent itself. It may be late, and is left out when too many wait.
 */
#include "agent/program.h"

#include "base/log.h"
#include "device/hook.h"

#include <stdio.h>
#include <stdlib.h>

#define WAITING_MAX 256 /* events that wait for the hook */

struct event_hook {
	struct program *p;
	const char *path;
	struct dvt_hook_run *run;
	struct dvt_timer *limit;
	struct dvt_agent_event waiting[WAITING_MAX];
	size_t first, n;
};

static void start_next(struct event_hook *h);

static void
hook_done(void *user, int status)
{
	struct event_hook *h = user;

	if (status != 0)
		log_event(
		    LOG_NOTICE, "agent.on-event.failed", LI("status", status));
	dvt_timer_stop(h->limit);
	dvt_hook_free(h->run);
	h->run = NULL;
	start_next(h);
}

static void
hook_late(void *user)
{
	struct event_hook *h = user;

	log_event(LOG_NOTICE, "agent.on-event.failed", LS("why", "too late"));
	dvt_hook_free(h->run);
	h->run = NULL;
	start_next(h);
}

static void
start_next(struct event_hook *h)
{
	char text[5][DVT_STEP_DETAIL + 32];
	const char *more[] = {text[0], text[1], text[2], text[3], text[4],
	    agent_state_env(h->p), NULL};
	const struct dvt_agent_event *e = &h->waiting[h->first];
	const struct dvt_agent_trust *t = dvt_agent_trust(h->p->agent);
	const struct dvt_agent_credential *c = dvt_agent_credential(
	    h->p->agent);
	int64_t used = e->used != 0 || c == NULL ? e->used : c->generation;
	struct dvt_err err;

	if (h->n == 0) {
		if (h->p->ended && !agent_ocsp_busy(h->p->ocsp))
			dvt_loop_stop(h->p->loop);
		return;
	}
	(void)snprintf(text[0], sizeof(text[0]), "DOVETAIL_EVENT_ID=%s", e->id);
	(void)snprintf(
	    text[1], sizeof(text[1]), "DOVETAIL_EVENT_STEP=%s", e->step);
	(void)snprintf(
	    text[2], sizeof(text[2]), "DOVETAIL_EVENT_TARGET=%s", e->target);
	(void)snprintf(text[3], sizeof(text[3]), "DOVETAIL_EVENT_OUTCOME=%s",
	    dvt_step_outcome_name(e->outcome));
	(void)snprintf(
	    text[4], sizeof(text[4]), "DOVETAIL_EVENT_DETAIL=%s", e->detail);
	h->first = (h->first + 1) % WAITING_MAX;
	h->n--;
	if (dvt_hook_start(h->p->loop, h->path, "on-event", used,
		t != NULL ? t->version : 0, more, hook_done, h, &h->run,
		&err) == DVT_OK)
		dvt_timer_start(
		    h->limit, dvt_config_int(h->p->config, "agent.hook-limit"));
	else
		log_event(LOG_NOTICE, "agent.on-event.failed", LE(&err));
}

struct event_hook *
agent_event_hook_new(struct program *p)
{
	const char *path = dvt_config_text(p->config, "agent.hook");
	struct event_hook *h;

	if (path == NULL)
		return NULL;
	h = dvt_alloc(sizeof(*h));
	h->p = p;
	h->path = path;
	h->limit = dvt_timer_new(p->loop, hook_late, h);
	return h;
}

void
agent_event_hook_free(struct event_hook *h)
{
	if (h == NULL)
		return;
	dvt_hook_free(h->run);
	dvt_timer_free(h->limit);
	free(h);
}

void
agent_event_hook_tell(struct event_hook *h, const struct dvt_agent_event *e)
{
	if (h == NULL)
		return;
	if (h->n == WAITING_MAX) {
		log_event(LOG_NOTICE, "agent.on-event.failed",
		    LS("why", "too many events wait for it"));
		return;
	}
	h->waiting[(h->first + h->n++) % WAITING_MAX] = *e;
	if (h->run == NULL)
		start_next(h);
}

bool
agent_event_hook_busy(const struct event_hook *h)
{
	return h != NULL && h->run != NULL;
}
