/* SPDX-License-Identifier: Apache-2.0 */
/* The turn of an agent: who is due, what is written, what is wanted. */
#include "device/agent_priv.h"

#include "base/mem.h"
#include "pki/x509.h"
#include "wire/json.h"
#include "wire/utf8.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>

#define HTTP_MS   30000 /* for one request */
#define HTTP_LATE 5000  /* after that the driver must have said so */
#define PROBE_MS  20000 /* for one handshake */

static const char *const outcomes[] = {
#define OUTCOME_NAME(id, name) [id] = name,
    DVT_AGENT_OUTCOMES(OUTCOME_NAME)};

const char *
dvt_agent_outcome_name(enum dvt_agent_outcome outcome)
{
	return (size_t)outcome < DVT_COUNT(outcomes) ? outcomes[outcome] : "?";
}

/* --- time --- */

int64_t
dvt_agent_backoff_ms(struct dvt_agent *a, unsigned tries)
{
	static const int64_t times[] = {1, 2, 4, 10};
	size_t i = tries < 1 ? 0 : tries - 1;
	uint8_t dice = 0;

	if (i >= DVT_COUNT(times))
		i = DVT_COUNT(times) - 1;
	a->env.random(a->env.random_ctx, &dice, 1);
	/* 0.8 to 1.2 of it */
	return times[i] * a->config.retry_first_s * (800 + dice * 400 / 255);
}

/* --- words --- */

void
dvt_agent_text(char *out, size_t size, const char *text)
{
	struct dvt_span in = dvt_span_str(text);
	size_t n = 0;

	while (in.n > 0) {
		size_t len = dvt_utf8_len(in, NULL);
		bool plain = len > 0 && in.p[0] >= 0x20 && in.p[0] != 0x7f;

		if (n + (len > 0 ? len : 1) >= size)
			break;
		if (plain)
			memcpy(out + n, in.p, len);
		else
			out[n] = ' ';
		n += plain ? len : 1;
		in = dvt_span_from(in, len > 0 ? len : 1);
	}
	out[n] = '\0';
}

/* The "detail" of a problem document (RFC 9457), or the body's beginning. */
static void
problem_text(struct dvt_span body, char *out, size_t size)
{
	const char *detail = NULL;
	json_t *obj = NULL;

	if (dvt_json_parse(body, DVT_BODY_MAX, &obj, NULL) == DVT_OK &&
	    dvt_json_get_str(obj, "detail", 0, &detail, NULL) == DVT_OK)
		(void)snprintf(out, size, "%s", detail);
	else
		(void)snprintf(out, size, "%.*s",
		    body.n > 100 ? 100 : (int)body.n,
		    body.n > 0 ? (const char *)body.p : "");
	json_decref(obj);
}

void
dvt_agent_blame(struct dvt_agent *a, const struct dvt_answer *answer,
    const char *what, char out[DVT_STEP_DETAIL])
{
	char text[1024], problem[512];

	if (answer->outcome != DVT_ANSWER_OK) {
		(void)snprintf(text, sizeof(text), "%s: %s (%s)", what,
		    dvt_agent_outcome_name(answer->outcome), answer->text);
	} else {
		problem_text(answer->body, problem, sizeof(problem));
		(void)snprintf(text, sizeof(text), "%s: HTTP %d: %s", what,
		    answer->http_status, problem);
	}
	dvt_agent_text(a->last_error, sizeof(a->last_error), text);
	if (out != NULL)
		memcpy(out, a->last_error, sizeof(a->last_error));
}

bool
dvt_answer_is_good(const struct dvt_answer *answer)
{
	return answer->outcome == DVT_ANSWER_OK && answer->http_status >= 200 &&
	       answer->http_status < 300;
}

/* --- the disk --- */

void
dvt_agent_commit(struct dvt_agent *a)
{
	assert(!a->committed);
	a->committed = true;
}

enum dvt_did
dvt_agent_disk_failed(struct dvt_agent *a, const struct dvt_err *err)
{
	a->disk_wait_ms = a->now.mono_ms + dvt_agent_backoff_ms(a, 1);
	a->disk_err = *err;
	dvt_agent_text(a->last_error, sizeof(a->last_error), err->text);
	return DVT_DID_WORK;
}

void
dvt_agent_record(struct dvt_agent *a, const struct dvt_record *r)
{
	dvt_history_apply(&a->h, r);
	dvt_record_format(r, &a->pending);
}

void
dvt_agent_say(struct dvt_agent *a, const char *id, const char *step,
    int64_t target, enum dvt_step_outcome outcome, const char *detail)
{
	struct dvt_record r = {.kind = DVT_REC_STEP};
	struct dvt_agent_event *e = &r.event;

	e->seq = a->h.seq + 1;
	e->at = dvt_agent_now_s(a);
	e->outcome = outcome;
	e->used = a->cred.generation;
	(void)snprintf(e->id, sizeof(e->id), "%s", id);
	(void)snprintf(e->step, sizeof(e->step), "%s", step);
	(void)snprintf(e->target, sizeof(e->target), "%" PRId64, target);
	dvt_agent_text(e->detail, sizeof(e->detail), detail);
	dvt_agent_record(a, &r);
}

/* What was said goes to the disk before anything is asked of the world. */
static enum dvt_did
flush(struct dvt_agent *a)
{
	struct dvt_err err;
	enum dvt_code rc;

	if (a->pending.n == 0 && !a->journal.torn)
		return DVT_DID_NOTHING;
	dvt_agent_commit(a);
	if (a->journal.torn || a->journal.size == 0 || a->pending.full ||
	    a->journal.size + a->pending.n > DVT_JOURNAL_REWRITE) {
		rc = dvt_journal_rewrite(
		    &a->env, &a->h, &a->journal.size, &err);
		a->journal.torn = rc != DVT_OK;
	} else {
		rc = dvt_journal_append(
		    &a->env, dvt_buf_span(&a->pending), &err);
		a->journal.torn = rc != DVT_OK;
		a->journal.size += a->pending.n;
	}
	if (rc != DVT_OK)
		return dvt_agent_disk_failed(a, &err);
	dvt_buf_reset(&a->pending);
	return DVT_DID_WORK;
}

/* Generations nobody needs, holds that are over, older trust sets. */
static enum dvt_did
tidy_generation(struct dvt_agent *a)
{
	int64_t n = a->orphan[a->orphan_n - 1];
	struct dvt_record r = {.kind = DVT_REC_GONE, .generation = n};
	struct dvt_err err;

	dvt_agent_commit(a);
	if (dvt_generation_remove(&a->env, n, &err) != DVT_OK)
		return dvt_agent_disk_failed(a, &err);
	a->orphan_n--;
	dvt_agent_record(a, &r);
	return DVT_DID_WORK;
}

static void
end_holds(struct dvt_agent *a)
{
	/* By a signed time alone, and never while an update may need it. */
	if (a->signed_s == 0 || a->update.phase != UP_NONE)
		return;
	for (size_t i = 0; i < a->h.hold_n; i++) {
		const struct dvt_history_hold *hold = &a->h.hold[i];

		if (hold->generation != a->cred.generation &&
		    dvt_agent_has_passed(a, hold->since, a->config.hold_s))
			dvt_agent_add_orphan(a, hold->generation);
	}
}

static enum dvt_did
tidy(struct dvt_agent *a)
{
	struct dvt_err err;

	end_holds(a);
	if (a->orphan_n > 0)
		return tidy_generation(a);
	if (a->old_trust_n == 0 || a->bundle.phase != TR_NONE)
		return DVT_DID_NOTHING;
	dvt_agent_commit(a);
	if (dvt_trustset_remove(
		&a->env, a->old_trust[a->old_trust_n - 1], &err) != DVT_OK)
		return dvt_agent_disk_failed(a, &err);
	a->old_trust_n--;
	return DVT_DID_WORK;
}

/* --- wants --- */

static void
want_new(struct dvt_agent *a, enum dvt_want_kind kind, enum dvt_asked asked,
    int64_t limit_ms)
{
	memset(&a->want, 0, sizeof(a->want));
	a->want.kind = kind;
	a->want.ticket = ++a->ticket;
	a->want.wake_at_ms = a->now.mono_ms + limit_ms;
	a->want.deadline_ms = a->now.mono_ms + limit_ms;
	a->asked = asked;
	a->doubted = false;
}

struct dvt_http_want *
dvt_agent_want_http(struct dvt_agent *a, enum dvt_asked asked,
    const char *method, size_t max_body)
{
	struct dvt_http_want *w = &a->want.u.http;

	want_new(a, DVT_WANT_HTTP, asked, HTTP_MS + HTTP_LATE);
	w->method = method;
	w->max_body = max_body;
	w->target = dvt_buf_str(&a->target);
	w->credential = a->cred.key != NULL ? &a->cred : NULL;
	w->trust = a->trust != NULL ? &a->trust_shown : NULL;
	w->verify_at = dvt_agent_now_s(a);
	return w;
}

enum dvt_did
dvt_agent_want_probe(struct dvt_agent *a, enum dvt_asked asked,
    const char *name, const struct dvt_agent_credential *cred,
    const struct dvt_agent_trust *trust)
{
	struct dvt_probe_want *w = &a->want.u.probe;

	want_new(a, DVT_WANT_PROBE, asked, PROBE_MS);
	w->server_name = name;
	w->credential = cred;
	w->trust = trust;
	w->verify_at = dvt_agent_now_s(a);
	w->says_bye = name == a->edge_trial || name == a->edge_next;
	return DVT_DID_ASK;
}

enum dvt_did
dvt_agent_want_hook(
    struct dvt_agent *a, enum dvt_asked asked, enum dvt_hook hook)
{
	struct dvt_hook_want *w = &a->want.u.hook;

	want_new(a, DVT_WANT_HOOK, asked, a->config.hook_limit_ms + HTTP_LATE);
	w->hook = hook;
	w->generation = a->cred.generation;
	w->trust_version = a->trust != NULL ? a->trust->version : 0;
	w->config = hook == DVT_HOOK_ON_CONFIG ? a->confval.name : "";
	return DVT_DID_ASK;
}

void
dvt_agent_hook_text(const struct dvt_answer *answer, const char *what,
    char out[DVT_STEP_DETAIL])
{
	if (answer->outcome == DVT_ANSWER_OK)
		(void)snprintf(out, DVT_STEP_DETAIL, "%s hook: exit %d", what,
		    answer->hook_exit);
	else
		(void)snprintf(out, DVT_STEP_DETAIL, "%s hook: %s%s%.100s",
		    what, dvt_agent_outcome_name(answer->outcome),
		    answer->text[0] != '\0' ? ": " : "", answer->text);
}

/* --- the turn --- */

static void
take_answer(struct dvt_agent *a, const struct dvt_answer *answer)
{
	enum dvt_asked asked = a->asked;

	a->asked = ASKED_NOTHING;
	switch (asked) {
	case ASKED_NOTHING:
		break;
	case ASKED_CACERTS:
		dvt_agent_on_cacerts(a, answer);
		break;
	case ASKED_CERTIFICATE:
		dvt_agent_on_certificate(a, answer);
		break;
	case ASKED_TRIAL:
		dvt_agent_on_trial(a, answer);
		break;
	case ASKED_HOOK:
		dvt_agent_on_hook(a, answer);
		break;
	case ASKED_BUNDLE:
		dvt_agent_on_bundle(a, answer);
		break;
	case ASKED_BUNDLE_PROBE:
		dvt_agent_on_bundle_probe(a, answer);
		break;
	case ASKED_TRUST_HOOK:
		dvt_agent_on_trust_hook(a, answer);
		break;
	case ASKED_PROBE:
		dvt_agent_on_probe(a, answer);
		break;
	case ASKED_CHECKIN:
		dvt_agent_on_checkin(a, answer);
		break;
	case ASKED_LOCK:
		dvt_agent_on_lock(a, answer);
		break;
	case ASKED_CONFIG:
		dvt_agent_on_config(a, answer);
		break;
	case ASKED_CONFIG_HOOK:
		dvt_agent_on_config_hook(a, answer);
		break;
	case ASKED_RESEAL:
		dvt_agent_on_reseal(a, answer);
		break;
	}
}

/*
 * The server was refused for its dates, by a clock that may be wrong: the same
 * is asked once more, judged at a time at which they hold.
 */
static bool
ask_in_doubt(struct dvt_agent *a, const struct dvt_answer *answer)
{
	int64_t at;

	if (a->want.kind != DVT_WANT_HTTP || a->doubted ||
	    answer->outcome != DVT_ANSWER_WE_REFUSED)
		return false;
	at = dvt_agent_doubt_s(a, answer->peer_from_s, answer->peer_until_s);
	if (at == 0)
		return false;
	a->doubted = true;
	a->want.u.http.verify_at = at;
	a->want.ticket = ++a->ticket;
	a->want.wake_at_ms = a->now.mono_ms + HTTP_MS + HTTP_LATE;
	a->want.deadline_ms = a->want.wake_at_ms;
	return true;
}

static void
hear_answer(struct dvt_agent *a, const struct dvt_answer *answer)
{
	if (a->doubted && answer->outcome == DVT_ANSWER_OK)
		dvt_agent_set_time(a, a->want.u.http.verify_at);
	take_answer(a, answer);
}

/*
 * Own renewal in the last third of the certificate's time, counted from when it
 * came: by a clock that is ahead, each new one were in its last third at once.
 */
static int64_t
renewal_at_s(const struct dvt_agent *a)
{
	int64_t from = dvt_x509_not_before(a->cred.chain.cert[0]);
	int64_t to = dvt_x509_not_after(a->cred.chain.cert[0]);
	int64_t came = a->meta.made_at;

	if (a->meta.update[0] != '\0' && came > from && came < to &&
	    came <= dvt_agent_now_s(a))
		from = came;
	return to - (to - from) / 3;
}

static int64_t
renewal_due_ms(const struct dvt_agent *a)
{
	int64_t wait_s;

	if (a->cred.key == NULL || a->update.phase != UP_NONE)
		return DVT_NEVER;
	wait_s = renewal_at_s(a) - dvt_agent_now_s(a);
	if (wait_s <= 0)
		return a->renew_due_ms;
	/* looked at again each day: the clock may be put right */
	return a->now.mono_ms + (wait_s > 86400 ? 86400 : wait_s) * 1000;
}

static enum dvt_did
run_renewal(struct dvt_agent *a)
{
	if (renewal_due_ms(a) > a->now.mono_ms)
		return DVT_DID_NOTHING;
	dvt_agent_update_begin(a, "", a->config.label);
	return DVT_DID_WORK;
}

/* What needs the disk, most pressing first. */
static enum dvt_did
run_durable(struct dvt_agent *a)
{
	static enum dvt_did (*const activities[])(struct dvt_agent *) = {
	    dvt_agent_run_mend, flush, dvt_agent_run_adopt,
	    dvt_agent_run_update, dvt_agent_run_bundle, dvt_agent_run_grant,
	    dvt_agent_run_probe, dvt_agent_run_config};

	if (a->now.mono_ms < a->disk_wait_ms)
		return DVT_DID_NOTHING;
	for (size_t i = 0; i < DVT_COUNT(activities); i++) {
		enum dvt_did did = activities[i](a);

		if (did != DVT_DID_NOTHING)
			return did;
	}
	return DVT_DID_NOTHING;
}

static enum dvt_did
run_one(struct dvt_agent *a)
{
	enum dvt_did did = run_durable(a);

	if (did == DVT_DID_NOTHING)
		did = dvt_agent_run_checkin(a);
	if (did == DVT_DID_NOTHING && a->now.mono_ms >= a->disk_wait_ms)
		did = run_renewal(a);
	if (did == DVT_DID_NOTHING && a->now.mono_ms >= a->disk_wait_ms)
		did = tidy(a);
	if (did == DVT_DID_NOTHING && a->now.mono_ms >= a->disk_wait_ms)
		did = dvt_agent_run_tickets(a);
	return did;
}

static int64_t
earlier(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/* When something is due again. */
static int64_t
next_due_ms(const struct dvt_agent *a)
{
	int64_t at = renewal_due_ms(a), checkin = DVT_NEVER;

	if (a->cred.key != NULL && a->trust != NULL)
		checkin = a->checkin.due_ms;
	if (a->adopt.phase != AD_NONE)
		at = earlier(at, a->adopt.due_ms);
	at = earlier(at, dvt_agent_update_due(a));
	at = earlier(at, dvt_agent_config_due(a));
	if (a->bundle.phase != TR_NONE)
		at = earlier(at, a->bundle.due_ms);
	if (a->probe.owed && a->heard && a->edge_next[0] != '\0' &&
	    a->bundle.phase == TR_NONE) /* as dvt_agent_run_probe() has it */
		at = earlier(at, a->probe.due_ms);
	if (a->orphan_n > 0 || a->pending.n > 0 || a->unmended ||
	    (a->grant_new && !a->grant_waits))
		at = earlier(at, a->now.mono_ms);
	if (dvt_agent_tickets_due(a))
		at = earlier(at, a->now.mono_ms);
	if (at < a->disk_wait_ms)
		at = a->disk_wait_ms;
	return earlier(at, checkin);
}

static void
turn(struct dvt_agent *a)
{
	enum dvt_did did;

	do {
		did = a->committed ? DVT_DID_NOTHING : run_one(a);
	} while (did == DVT_DID_WORK);
	if (did == DVT_DID_ASK)
		return;
	memset(&a->want, 0, sizeof(a->want));
	a->want.kind = DVT_WANT_WAIT;
	a->want.wake_at_ms = a->committed ? a->now.mono_ms : next_due_ms(a);
	a->want.deadline_ms = a->want.wake_at_ms;
}

enum dvt_code
dvt_agent_step(struct dvt_agent *a, struct dvt_time now,
    const struct dvt_answer *answer, struct dvt_want *want, struct dvt_err *err)
{
	static const struct dvt_answer late = {
	    .outcome = DVT_ANSWER_LATE, .text = "no answer in time"};

	a->now = now;
	a->committed = false;
	a->disk_err.text[0] = '\0';
	if (a->asked != ASKED_NOTHING && answer != NULL &&
	    answer->ticket == a->want.ticket) {
		if (!ask_in_doubt(a, answer))
			hear_answer(a, answer);
	} else if (a->asked != ASKED_NOTHING &&
		   now.mono_ms >= a->want.deadline_ms) {
		hear_answer(a, &late);
	}
	if (a->asked == ASKED_NOTHING)
		turn(a);
	*want = a->want;
	if (a->disk_err.text[0] == '\0')
		return DVT_OK;
	if (err != NULL)
		*err = a->disk_err;
	return DVT_E_SYSTEM;
}
