/* SPDX-License-Identifier: Apache-2.0 */
/* Trust bundles: fetch, verify, store, prove at the edge, use. */
#include "device/agent_priv.h"

#include "base/mem.h"

#include <inttypes.h>
#include <stdio.h>

#define BUNDLE_LINES_MAX 1048576 /* bytes of bridging lines in one answer */
#define PROBE_TRIES      12      /* of one that nobody asked for */

static void
begin(struct dvt_agent *a, enum dvt_bundle_phase phase)
{
	a->bundle.phase = phase;
	a->bundle.tries = 0;
	a->bundle.due_ms = a->now.mono_ms;
	(void)snprintf(a->bundle.id, sizeof(a->bundle.id), "trust-%" PRId64,
	    dvt_agent_now_s(a));
}

void
dvt_agent_bundle_wanted(struct dvt_agent *a)
{
	if (a->bundle.phase == TR_NONE)
		begin(a, TR_FETCH);
}

/* Anchors that consumers were not told of: a cut came before the end of the
 * hook, or there was none then. */
void
dvt_agent_bundle_hook_owed(struct dvt_agent *a)
{
	if (a->config.hook_trust && a->cred.key != NULL &&
	    a->trust->version > a->h.hooked)
		begin(a, TR_HOOK);
}

static enum dvt_did
fetch(struct dvt_agent *a)
{
	struct dvt_http_want *w;

	dvt_buf_reset(&a->target);
	dvt_buf_printf(
	    &a->target, "/v1/device/bundle?after=%" PRId64, a->trust->version);
	w = dvt_agent_want_http(a, ASKED_BUNDLE, "GET", BUNDLE_LINES_MAX);
	w->repeat_safe = true;
	w->keep_open = true; /* a check-in follows */
	return DVT_DID_ASK;
}

static void
later(struct dvt_agent *a)
{
	a->bundle.tries++;
	a->bundle.due_ms = a->now.mono_ms +
			   dvt_agent_backoff_ms(a, a->bundle.tries);
}

void
dvt_agent_on_bundle(struct dvt_agent *a, const struct dvt_answer *answer)
{
	char detail[DVT_STEP_DETAIL];
	struct dvt_err err;

	if (!dvt_answer_is_good(answer)) {
		dvt_agent_blame(a, answer, "trust bundle", NULL);
		later(a);
		return;
	}
	dvt_buf_reset(&a->bundle.lines);
	if (dvt_trustset_walk(a->trust, answer->body, &a->bundle.next,
		&a->bundle.lines, &err) != DVT_OK) {
		dvt_agent_text(detail, sizeof(detail), err.text);
		memcpy(a->last_error, detail, sizeof(a->last_error));
		if (a->bundle.tries == 0) /* said once, not at every try */
			dvt_agent_say(a, a->bundle.id, DVT_STEP_TRUST,
			    a->trust->version + 1, DVT_STEP_FAIL, detail);
		later(a);
		return;
	}
	a->bundle.phase = TR_STORE;
}

/* Write it, and go on with what was read back. */
static enum dvt_did
store(struct dvt_agent *a)
{
	struct dvt_bundle_work *b = &a->bundle;
	struct dvt_trustset *back = NULL;
	struct dvt_err err;
	enum dvt_code rc;

	dvt_agent_commit(a);
	rc = dvt_trustset_put(&a->env, b->next, dvt_buf_span(&b->lines),
	    dvt_agent_now_s(a), &err);
	if (rc == DVT_E_CONFLICT) /* of a cut: loaded at open, or damaged */
		rc = dvt_trustset_remove(&a->env, b->next->version, &err);
	else if (rc == DVT_OK)
		rc = dvt_trustset_load(&a->env, b->next->version, &back, &err);
	if (rc != DVT_OK)
		return dvt_agent_disk_failed(a, &err);
	if (back == NULL)
		return DVT_DID_WORK; /* put again */
	dvt_trustset_free(b->next);
	b->next = back;
	a->trust_next = (struct dvt_agent_trust){
	    ++a->serial, back->version, back->trust, back->issuing};
	b->phase = TR_PROBE;
	return DVT_DID_WORK;
}

/* It failed, so it is still owed: some tries more, and one at each start. */
static void
probe_later(struct dvt_agent *a)
{
	struct dvt_probe_work *p = &a->probe;

	if (p->owed || ++p->tries > PROBE_TRIES)
		return;
	p->owed = true;
	p->due_ms = a->now.mono_ms + dvt_agent_backoff_ms(a, p->tries);
}

/* From now on it is what connections are made with. */
static void
use(struct dvt_agent *a, enum dvt_step_outcome proven, const char *detail)
{
	struct dvt_bundle_work *b = &a->bundle;
	struct dvt_record r = {
	    .kind = DVT_REC_PROBED, .version = b->next->version};
	bool first = b->next->pinned && !a->trust->pinned;
	int64_t before = a->trust->version;

	dvt_agent_set_trust(a, b->next);
	b->next = NULL;
	dvt_agent_say(a, b->id, DVT_STEP_TRUST, a->trust->version,
	    DVT_STEP_SUCCEED,
	    first ? "its signing keys are taken over with it (pinned)" : "");
	if (a->edge_next[0] != '\0')
		dvt_agent_say(a, b->id, DVT_STEP_PROBE, a->trust->version,
		    proven, detail);
	dvt_agent_record(a, &r);
	if (proven == DVT_STEP_FAIL)
		probe_later(a);
	/* the one before stays, in case this one is damaged */
	if (a->former_trust >= 0 && a->old_trust_n < DVT_TRUST_LIST)
		a->old_trust[a->old_trust_n++] = a->former_trust;
	a->former_trust = before;
	a->checkin.due_ms = a->now.mono_ms;
	b->phase = TR_HOOK;
}

void
dvt_agent_on_bundle_probe(struct dvt_agent *a, const struct dvt_answer *answer)
{
	char detail[DVT_STEP_DETAIL] = "";

	if (answer->outcome == DVT_ANSWER_OK) {
		use(a, DVT_STEP_SUCCEED, "");
		return;
	}
	dvt_agent_blame(a, answer, a->edge_next, detail);
	use(a, DVT_STEP_FAIL, detail);
}

void
dvt_agent_on_trust_hook(struct dvt_agent *a, const struct dvt_answer *answer)
{
	struct dvt_record r = {
	    .kind = DVT_REC_HOOKED, .version = a->trust->version};
	char detail[DVT_STEP_DETAIL];

	a->bundle.phase = TR_NONE;
	dvt_agent_record(a, &r);
	if (answer->outcome == DVT_ANSWER_OK && answer->hook_exit == 0)
		return;
	dvt_agent_hook_text(answer, "post-trust", detail);
	dvt_agent_say(a, a->bundle.id, DVT_STEP_RESTART, a->trust->version,
	    DVT_STEP_FAIL, detail);
}

enum dvt_did
dvt_agent_run_bundle(struct dvt_agent *a)
{
	struct dvt_bundle_work *b = &a->bundle;

	if (b->phase == TR_NONE || a->now.mono_ms < b->due_ms)
		return DVT_DID_NOTHING;
	switch (b->phase) {
	case TR_NONE:
		break;
	case TR_FETCH:
		return fetch(a);
	case TR_STORE:
		return store(a);
	case TR_PROBE:
		if (a->edge_next[0] != '\0')
			return dvt_agent_want_probe(a, ASKED_BUNDLE_PROBE,
			    a->edge_next, &a->cred, &a->trust_next);
		use(a, DVT_STEP_SUCCEED, "");
		return DVT_DID_WORK;
	case TR_HOOK:
		if (a->config.hook_trust)
			return dvt_agent_want_hook(
			    a, ASKED_TRUST_HOOK, DVT_HOOK_POST_TRUST);
		b->phase = TR_NONE;
		break;
	}
	return DVT_DID_NOTHING;
}

/* --- the probe by instruction, or owed since a cut --- */

enum dvt_did
dvt_agent_run_probe(struct dvt_agent *a)
{
	struct dvt_probe_work *p = &a->probe;

	if (!p->owed || !a->heard || a->edge_next[0] == '\0' ||
	    a->bundle.phase != TR_NONE || a->now.mono_ms < p->due_ms)
		return DVT_DID_NOTHING;
	return dvt_agent_want_probe(
	    a, ASKED_PROBE, a->edge_next, &a->cred, &a->trust_shown);
}

/* What failed before is said to have come right, where that was said. */
static void
make_good(struct dvt_agent *a)
{
	const struct dvt_agent_event *e = dvt_history_probe(
	    &a->h, a->trust->version);
	char id[DVT_STEP_ID];

	if (e == NULL || e->outcome != DVT_STEP_FAIL)
		return;
	memcpy(id, e->id, sizeof(id)); /* saying moves it */
	dvt_agent_say(
	    a, id, DVT_STEP_PROBE, a->trust->version, DVT_STEP_SUCCEED, "");
}

void
dvt_agent_on_probe(struct dvt_agent *a, const struct dvt_answer *answer)
{
	struct dvt_probe_work *p = &a->probe;
	struct dvt_record r = {
	    .kind = DVT_REC_PROBED, .version = a->trust->version};
	char detail[DVT_STEP_DETAIL] = "";
	bool ok = answer->outcome == DVT_ANSWER_OK;

	if (!ok)
		dvt_agent_blame(a, answer, a->edge_next, detail);
	p->owed = false;
	if (ok)
		make_good(a);
	else if (p->instruction[0] == '\0')
		probe_later(a);
	if (a->h.probed < a->trust->version)
		dvt_agent_record(a, &r);
	if (p->instruction[0] != '\0') {
		r = (struct dvt_record){.kind = DVT_REC_DONE, .ok = ok};
		memcpy(r.instruction, p->instruction, sizeof(r.instruction));
		memcpy(r.detail, detail, sizeof(r.detail));
		dvt_agent_record(a, &r);
		p->instruction[0] = '\0';
	}
	a->checkin.due_ms = a->now.mono_ms;
}
