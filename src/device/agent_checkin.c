/* SPDX-License-Identifier: Apache-2.0 */
/* The check-in: what it tells, and what its answer sets going. */
#include "device/agent_priv.h"

#include "base/mem.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* bytes of steps in one check-in, of DVT_CHECKIN_MAX; what a step takes
 * beside its texts */
#define STEPS_BYTES_MAX 10240
#define STEP_BYTES      96
#define KEEP_OPEN_S     30 /* connections are kept when checking in faster */

/* The step that this check-in makes true when it is answered. */
static struct dvt_agent_event
completion(const struct dvt_agent *a)
{
	struct dvt_agent_event e = {.at = dvt_agent_now_s(a),
	    .outcome = DVT_STEP_SUCCEED,
	    .seq = a->h.seq + 1};

	(void)snprintf(e.id, sizeof(e.id), "%s", a->h.id);
	(void)snprintf(e.step, sizeof(e.step), "%s", DVT_STEP_COMPLETE);
	(void)snprintf(e.target, sizeof(e.target), "%" PRId64, a->h.generation);
	return e;
}

/* As many of them as one check-in takes; quoted, a text may grow twofold. */
static size_t
steps_that_fit(const struct dvt_agent_event *e, size_t n)
{
	size_t bytes = 0, i;

	for (i = 0; i < n && i < DVT_CHECKIN_STEPS; i++) {
		bytes += STEP_BYTES + strlen(e[i].id) + strlen(e[i].step) +
			 strlen(e[i].target) + 2 * strlen(e[i].detail);
		if (bytes > STEPS_BYTES_MAX)
			break;
	}
	return i;
}

static enum dvt_code
format_body(struct dvt_agent *a, struct dvt_err *err)
{
	struct dvt_history_done done[DVT_HISTORY_DONE + 1];
	struct dvt_agent_event last;
	struct dvt_checkin c = {.time = a->now.wall_s,
	    .version = a->trust->version,
	    .digest = dvt_trust_digest(a->trust->trust),
	    .done = done,
	    .done_n = a->h.done_n};
	size_t fit;

	c.steps = dvt_history_unreported(&a->h, &c.steps_n);
	fit = steps_that_fit(c.steps, c.steps_n);
	a->checkin.left = fit < c.steps_n;
	c.steps_n = fit;
	a->checkin.sent_seq = c.steps_n > 0 ? c.steps[c.steps_n - 1].seq
					    : a->h.acked;
	memcpy(done, a->h.done, a->h.done_n * sizeof(done[0]));
	a->checkin.completes = a->update.phase == UP_CONFIRM;
	if (a->checkin.completes) {
		last = completion(a);
		c.last = &last;
	}
	if (a->checkin.completes && a->h.instruction[0] != '\0') {
		struct dvt_history_done *d = &done[c.done_n++];

		memset(d, 0, sizeof(*d));
		memcpy(
		    d->instruction, a->h.instruction, sizeof(d->instruction));
		d->ok = true;
	}
	a->confval.sent_n = dvt_agent_config_tell(
	    a, a->confval.sent, DVT_CHECKIN_CONFIG);
	c.config = a->confval.sent;
	c.config_n = a->confval.sent_n;
	dvt_buf_reset(&a->body);
	return dvt_checkin_format(&c, &a->body, err);
}

enum dvt_did
dvt_agent_run_checkin(struct dvt_agent *a)
{
	struct dvt_http_want *w;
	struct dvt_err err;

	if (a->cred.key == NULL || a->trust == NULL ||
	    a->now.mono_ms < a->checkin.due_ms)
		return DVT_DID_NOTHING;
	if (format_body(a, &err) != DVT_OK) { /* bounded: cannot happen */
		a->checkin.due_ms = a->now.mono_ms + dvt_agent_backoff_ms(a, 4);
		return DVT_DID_NOTHING;
	}
	dvt_buf_reset(&a->target);
	dvt_buf_puts(&a->target, DVT_CHECKIN_TARGET);
	w = dvt_agent_want_http(a, ASKED_CHECKIN, "POST", DVT_BODY_MAX);
	w->content_type = "application/json";
	w->body = dvt_buf_span(&a->body);
	w->repeat_safe = true;
	w->keep_open = a->checkin.next_s <= KEEP_OPEN_S;
	return DVT_DID_ASK;
}

static void
take_acknowledged(struct dvt_agent *a)
{
	struct dvt_record r = {.kind = DVT_REC_ACK};

	if (a->checkin.sent_seq > a->h.acked) {
		r.event.seq = a->checkin.sent_seq;
		dvt_agent_record(a, &r);
	}
	for (size_t i = 0; i < a->h.done_n; i++) {
		if (a->h.done[i].told)
			continue;
		r = (struct dvt_record){.kind = DVT_REC_TOLD};
		memcpy(r.instruction, a->h.done[i].instruction,
		    sizeof(r.instruction));
		dvt_agent_record(a, &r);
	}
}

static void
take_renew(struct dvt_agent *a, const struct dvt_do *todo)
{
	const struct dvt_history_done *d = dvt_history_done_get(
	    &a->h, todo->id);
	struct dvt_record again = {.kind = DVT_REC_DONE, .ok = true};

	if (a->update.phase != UP_NONE) {
		bool stuck = a->h.instruction[0] != '\0' || a->update.tries > 0;

		/* one of its own that goes well is not given up for it */
		if (strcmp(a->h.instruction, todo->id) == 0 || !stuck ||
		    !dvt_agent_update_is_early(a))
			return;
		dvt_agent_update_fail(a, "replaced by a new instruction");
		return; /* which the next answer brings again */
	}
	if (d != NULL && d->ok) { /* done: only the word was lost */
		memcpy(again.instruction, todo->id, sizeof(again.instruction));
		dvt_agent_record(a, &again);
		return;
	}
	if (d != NULL && a->now.mono_ms < a->renew_due_ms)
		return; /* failed before; its time comes */
	dvt_agent_update_begin(a, todo->id,
	    todo->label[0] != '\0' ? todo->label : a->config.label);
}

/* Repeated until the server has seen it at an edge: then not at once. */
static void
take_probe(struct dvt_agent *a, const struct dvt_do *todo)
{
	struct dvt_probe_work *p = &a->probe;

	if (p->owed && p->instruction[0] != '\0')
		return;
	p->tries = dvt_history_done_get(&a->h, todo->id) != NULL ? p->tries + 1
								 : 0;
	p->due_ms = a->now.mono_ms;
	if (p->tries > 0)
		p->due_ms += dvt_agent_backoff_ms(a, p->tries);
	p->owed = true;
	memcpy(p->instruction, todo->id, sizeof(p->instruction));
}

static void
take_todo(struct dvt_agent *a, const struct dvt_checkin_answer *answer)
{
	for (size_t i = 0; i < answer->todo_n; i++) {
		const struct dvt_do *todo = &answer->todo[i];

		if (todo->action == DVT_DO_RENEW)
			take_renew(a, todo);
		else
			take_probe(a, todo);
	}
}

/* A tenth more or less, so that a fleet does not march in step. */
static int64_t
spread_ms(struct dvt_agent *a, int64_t next_s)
{
	uint8_t dice = 0;

	a->env.random(a->env.random_ctx, &dice, 1);
	return next_s * (900 + dice * 200 / 255);
}

/*
 * The control plane was reached under the newest set and wants no other: the
 * one before is of no more use, and may hold an anchor that was taken back.
 */
static void
let_former_go(struct dvt_agent *a, const struct dvt_checkin_answer *answer)
{
	if (answer->version != a->trust->version || a->former_trust < 0 ||
	    a->old_trust_n == DVT_TRUST_LIST)
		return;
	a->old_trust[a->old_trust_n++] = a->former_trust;
	a->former_trust = -1;
}

static void
take_good(struct dvt_agent *a, const struct dvt_checkin_answer *answer,
    const struct dvt_answer *from)
{
	a->last_error[0] = '\0';
	a->checkin.tries = 0;
	a->checkin.next_s = answer->next_s;
	a->checkin.due_ms = a->now.mono_ms + spread_ms(a, answer->next_s);
	memcpy(a->edge_next, answer->edge_next, sizeof(a->edge_next));
	memcpy(a->edge_trial, answer->edge_trial, sizeof(a->edge_trial));
	take_acknowledged(a);
	if (a->checkin.completes && a->update.phase == UP_CONFIRM)
		dvt_agent_update_confirmed(a);
	dvt_agent_take_time(a, from, answer->time);
	a->heard = true;
	a->grant_waits = false;
	dvt_agent_config_told(a, a->confval.sent, a->confval.sent_n);
	dvt_agent_config_said(a, &answer->config);
	take_todo(a, answer);
	if (answer->version > a->trust->version)
		dvt_agent_bundle_wanted(a);
	let_former_go(a, answer);
	if (a->checkin.left) /* the rest at once */
		a->checkin.due_ms = a->now.mono_ms;
}

void
dvt_agent_on_checkin(struct dvt_agent *a, const struct dvt_answer *answer)
{
	struct dvt_checkin_answer *said;
	struct dvt_answer garbled;
	struct dvt_err err;

	said = dvt_alloc(sizeof(*said));
	if (dvt_answer_is_good(answer) &&
	    dvt_checkin_parse(answer->body, said, &err) != DVT_OK) {
		garbled = (struct dvt_answer){.outcome = DVT_ANSWER_GARBLED};
		(void)snprintf(
		    garbled.text, sizeof(garbled.text), "%.200s", err.text);
		answer = &garbled;
	}
	if (dvt_answer_is_good(answer)) {
		take_good(a, said, answer);
	} else {
		dvt_agent_blame(a, answer, "check-in", NULL);
		a->checkin.tries++;
		a->checkin.due_ms = a->now.mono_ms +
				    dvt_agent_backoff_ms(a, a->checkin.tries);
		if (answer->retry_after_s > 0 &&
		    answer->retry_after_s < DVT_CHECKIN_LONGEST)
			a->checkin.due_ms = a->now.mono_ms +
					    answer->retry_after_s * 1000;
		if (a->checkin.completes && a->update.phase == UP_CONFIRM)
			dvt_agent_update_unconfirmed(a, answer);
	}
	dvt_confvals_fini(&said->config);
	free(said);
}
