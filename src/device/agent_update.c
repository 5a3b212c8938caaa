/* SPDX-License-Identifier: Apache-2.0 */
/* A renewal up to its trial: key, request, certificate, handshake. */
#include "device/agent_priv.h"

#include "base/mem.h"
#include "device/issued.h"
#include "pki/csr.h"
#include "pki/issue.h"
#include "pki/x509.h"
#include "proto/est.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define TOO_LONG_S    600 /* an update does not stay open so long */
#define REFUSED_TRIES 2   /* of a trial that the edge itself refuses */

void
dvt_agent_update_fini(struct dvt_agent *a)
{
	struct dvt_update *u = &a->update;

	dvt_chain_fini(&u->issued);
	dvt_credential_fini(&u->trial);
	if (u->secret != NULL)
		dvt_cleanse(u->secret, strlen(u->secret));
	free(u->secret);
	free(u->subject);
	memset(u, 0, sizeof(*u));
}

bool
dvt_agent_update_is_early(const struct dvt_agent *a)
{
	return a->update.phase != UP_NONE && a->update.phase < UP_SWITCH;
}

int64_t
dvt_agent_update_due(const struct dvt_agent *a)
{
	const struct dvt_update *u = &a->update;

	if (u->phase == UP_NONE || u->phase == UP_CONFIRM)
		return DVT_NEVER;
	/* the trial name and what values there are come with a check-in, the
	 * secret by command */
	if ((u->phase == UP_TRY || u->phase == UP_RESEAL) && !a->heard)
		return DVT_NEVER;
	if (u->phase == UP_ASK && a->h.old == 0 && u->secret == NULL)
		return DVT_NEVER;
	return u->due_ms;
}

static void
go(struct dvt_agent *a, enum dvt_update_phase phase)
{
	a->update.phase = phase;
	a->update.tries = 0;
	if (phase < UP_BACK)
		a->update.detail[0] = '\0';
	a->update.due_ms = a->now.mono_ms;
}

static void
later(struct dvt_agent *a, int64_t retry_after_s, const char *why)
{
	struct dvt_update *u = &a->update;

	(void)dvt_copy_str(u->detail, sizeof(u->detail), why);
	u->tries++;
	u->due_ms = a->now.mono_ms + dvt_agent_backoff_ms(a, u->tries);
	if (retry_after_s > 0 && retry_after_s <= DVT_CHECKIN_LONGEST)
		u->due_ms = a->now.mono_ms + retry_after_s * 1000;
}

static void
say(struct dvt_agent *a, const char *step, enum dvt_step_outcome outcome,
    const char *detail)
{
	dvt_agent_say(a, a->h.id, step, a->h.generation, outcome, detail);
}

/* The second after the one in @id, when @id is of an update. */
static int64_t
second_after(const char *id)
{
	int64_t at;

	return sscanf(id, "certs-%" SCNd64, &at) == 1 && at < INT64_MAX ? at + 1
									: 0;
}

/*
 * The time, unless an update had it before: ids only grow, so that none is
 * used twice. What the last ones were is in the journal, and of the credential
 * in use in its generation.
 */
static int64_t
free_second(const struct dvt_agent *a, int64_t now_s)
{
	int64_t at = now_s, after;

	if ((after = second_after(a->h.id)) > at)
		at = after;
	if ((after = second_after(a->meta.update)) > at)
		at = after;
	for (size_t i = 0; i < a->h.events_n; i++)
		if ((after = second_after(a->h.events[i].id)) > at)
			at = after;
	return at;
}

void
dvt_agent_update_begin(
    struct dvt_agent *a, const char *instruction, const char *label)
{
	struct dvt_record r = {.kind = DVT_REC_BEGIN,
	    .generation = a->h.highest + 1,
	    .old = a->cred.generation,
	    .at = dvt_agent_now_s(a)};

	(void)snprintf(
	    r.id, sizeof(r.id), "certs-%" PRId64, free_second(a, r.at));
	(void)snprintf(r.instruction, sizeof(r.instruction), "%s", instruction);
	(void)snprintf(
	    r.label, sizeof(r.label), "%s", label != NULL ? label : "");
	dvt_agent_record(a, &r);
	say(a, DVT_STEP_STARTED, DVT_STEP_SUCCEED, "");
	say(a, DVT_STEP_GENERATE, DVT_STEP_START, "");
	dvt_agent_update_fini(a);
	go(a, UP_KEY);
}

void
dvt_agent_update_give(
    struct dvt_agent *a, const char *secret, const char *subject)
{
	struct dvt_update *u = &a->update;

	free(u->secret);
	free(u->subject);
	u->secret = dvt_strdup(secret);
	u->subject = dvt_strdup(subject);
	u->due_ms = a->now.mono_ms;
}

void
dvt_agent_update_fail(struct dvt_agent *a, const char *why)
{
	bool restarted = a->update.restarted;
	int64_t retry_ms = a->update.retry_ms;

	say(a, a->h.step, DVT_STEP_FAIL, why);
	dvt_agent_update_fini(a);
	a->update.retry_ms = retry_ms;
	dvt_agent_text(a->update.detail, sizeof(a->update.detail), why);
	a->update.restarted = restarted;
	go(a, UP_BACK);
}

/* --- after open --- */

static void
issued_want(const struct dvt_agent *a, const EVP_PKEY *key,
    struct dvt_issued_want *want)
{
	*want = (struct dvt_issued_want){.key = key,
	    .former = a->cred.key != NULL ? a->cred.chain.cert[0] : NULL,
	    .issuing = a->trust != NULL ? a->trust->issuing : NULL,
	    .now = dvt_agent_now_s(a)};
}

static bool
is_whole(struct dvt_agent *a, struct dvt_err *err)
{
	struct dvt_generation_meta meta;
	struct dvt_agent_credential cred;
	bool ok;

	ok = dvt_generation_load(&a->env, a->h.generation, &cred, &meta, err) ==
	     DVT_OK;
	dvt_credential_fini(&cred);
	return ok;
}

/* How far the files came while the certificate was being made. */
static enum dvt_update_phase
phase_of_files(struct dvt_agent *a)
{
	struct dvt_chain chain;
	enum dvt_code rc;

	if (is_whole(a, NULL))
		return UP_ISSUED;
	rc = dvt_generation_get_chain(&a->env, a->h.generation, &chain, NULL);
	dvt_chain_fini(&chain);
	return rc == DVT_OK ? UP_META : UP_KEY;
}

static bool
at_step(const struct dvt_agent *a, const char *step)
{
	return strcmp(a->h.step, step) == 0;
}

static void
begin_trial(struct dvt_agent *a)
{
	say(a, DVT_STEP_TRY, DVT_STEP_START, "");
	if (dvt_agent_is_expired(a)) { /* nothing to fall back to either */
		say(a, DVT_STEP_TRY, DVT_STEP_SUCCEED,
		    "not tried: the certificate before it has ended");
		go(a, UP_TRIED);
		return;
	}
	go(a, UP_TRY);
	a->update.due_ms = a->now.mono_ms + a->config.trial_wait_ms;
}

/* Between lock and trial. */
static void
resume_reseal(struct dvt_agent *a)
{
	if (at_step(a, DVT_STEP_RESEAL) && a->h.outcome == DVT_STEP_SUCCEED) {
		begin_trial(a); /* its beginning was torn off */
		return;
	}
	if (at_step(a, DVT_STEP_LOCAL)) /* likewise */
		say(a, DVT_STEP_RESEAL, DVT_STEP_START, "");
	go(a, UP_RESEAL);
}

/* A step after the certificate came. */
static bool
is_past_issue(const struct dvt_agent *a)
{
	static const char *const steps[] = {DVT_STEP_LOCK, DVT_STEP_LOCAL,
	    DVT_STEP_RESEAL, DVT_STEP_TRY, DVT_STEP_SWITCH, DVT_STEP_RESTART,
	    DVT_STEP_COMPLETE};

	for (size_t i = 0; i < DVT_COUNT(steps); i++)
		if (at_step(a, steps[i]))
			return true;
	return false;
}

void
dvt_agent_update_resume(struct dvt_agent *a)
{
	bool switched = a->cred.generation == a->h.generation;
	struct dvt_err err;

	a->update.restarted = at_step(a, DVT_STEP_RESTART) ||
			      at_step(a, DVT_STEP_COMPLETE);
	if (a->h.outcome == DVT_STEP_FAIL) {
		go(a, UP_BACK);
	} else if (at_step(a, DVT_STEP_COMPLETE) &&
		   a->h.outcome == DVT_STEP_SUCCEED) {
		dvt_agent_update_confirmed(a); /* its end was torn off */
	} else if (!is_past_issue(a)) {
		if (!at_step(a, DVT_STEP_GENERATE)) /* torn off as well */
			say(a, DVT_STEP_GENERATE, DVT_STEP_START, "");
		go(a, phase_of_files(a));
	} else if (!is_whole(a, &err)) {
		dvt_agent_update_fail(a, err.text);
	} else if (at_step(a, DVT_STEP_LOCK)) {
		go(a, UP_LOCK); /* once more does no harm */
	} else if (at_step(a, DVT_STEP_LOCAL) || at_step(a, DVT_STEP_RESEAL)) {
		resume_reseal(a);
	} else if (at_step(a, DVT_STEP_TRY)) {
		go(a, a->h.outcome == DVT_STEP_SUCCEED ? UP_TRIED : UP_TRY);
	} else if (at_step(a, DVT_STEP_SWITCH)) {
		go(a, switched ? UP_SWITCHED : UP_SWITCH);
	} else if (!switched) {
		dvt_agent_update_fail(a, "the predecessor is in use again");
	} else {
		go(a, at_step(a, DVT_STEP_RESTART) ? UP_HOOK : UP_CONFIRM);
	}
}

/* --- key and request --- */

/* The key of the generation being made; @uri: out: where it is. */
static enum dvt_code
open_key(struct dvt_agent *a, char uri[DVT_KEY_URI_MAX + 1], EVP_PKEY **key,
    struct dvt_err *err)
{
	enum dvt_code rc = dvt_generation_get_key_uri(
	    &a->env, a->h.generation, uri, err);

	*key = NULL;
	return rc != DVT_OK ? rc
			    : a->env.keys->open(a->env.keys_ctx, uri, key, err);
}

static enum dvt_did
run_key(struct dvt_agent *a)
{
	char uri[DVT_KEY_URI_MAX + 1], made[DVT_KEY_URI_MAX + 1] = "";
	enum dvt_key_kind kind = DVT_KEY_P256;
	struct dvt_err err;
	EVP_PKEY *key = NULL;
	enum dvt_code rc;

	rc = open_key(a, uri, &key, &err);
	EVP_PKEY_free(key);
	if (rc == DVT_OK) { /* also of a step that a cut ended */
		/* before anybody certifies it: a secret is good for one key */
		rc = dvt_generation_sync(&a->env, a->h.generation, &err);
		if (rc != DVT_OK)
			return dvt_agent_disk_failed(a, &err);
		go(a, UP_ASK);
		return DVT_DID_WORK;
	}
	dvt_agent_commit(a);
	if (a->cred.key != NULL && dvt_key_kind(a->cred.key) != DVT_KEY_OTHER)
		kind = dvt_key_kind(a->cred.key);
	if (rc == DVT_E_INPUT) /* half a file: another in its place */
		rc = a->env.keys->wipe(a->env.keys_ctx, uri, &err);
	else if (rc == DVT_E_ABSENT)
		rc = a->env.keys->make(a->env.keys_ctx, kind, uri, made, &err);
	/* a store that names keys itself: made now, or before a cut */
	if ((rc == DVT_OK || rc == DVT_E_CONFLICT) && made[0] != '\0' &&
	    strcmp(made, uri) != 0)
		rc = dvt_generation_put_key_uri(
		    &a->env, a->h.generation, made, &err);
	return rc == DVT_OK ? DVT_DID_WORK : dvt_agent_disk_failed(a, &err);
}

static enum dvt_code
names_for(struct dvt_agent *a, struct dvt_csr_want *want,
    struct dvt_buf *subject, struct dvt_err *err)
{
	X509 *leaf;
	enum dvt_code rc;

	if (a->cred.key != NULL) {
		leaf = a->cred.chain.cert[0];
		want->subject = dvt_x509_subject_der(leaf);
		want->san = dvt_x509_san_der(leaf);
		return DVT_OK;
	}
	if (a->update.subject != NULL)
		rc = dvt_name_from_text(a->update.subject, subject, err);
	else
		rc = dvt_name_from_cn(a->config.device_id, subject, err);
	want->subject = dvt_buf_span(subject);
	return rc;
}

static enum dvt_code
make_request(struct dvt_agent *a, struct dvt_err *err)
{
	char uri[DVT_KEY_URI_MAX + 1];
	struct dvt_csr_want want = {0};
	struct dvt_buf subject, der;
	EVP_PKEY *key = NULL;
	enum dvt_code rc;

	dvt_buf_init(&subject, 1024);
	dvt_buf_init(&der, DVT_CSR_DER_MAX);
	if ((rc = open_key(a, uri, &key, err)) == DVT_OK &&
	    (rc = names_for(a, &want, &subject, err)) == DVT_OK)
		rc = dvt_csr_make(&want, key, &der, err);
	dvt_buf_reset(&a->body);
	if (rc == DVT_OK)
		dvt_est_body_put(&a->body, dvt_buf_span(&der), DVT_EST_WRAPPED);
	EVP_PKEY_free(key);
	dvt_buf_fini(&subject);
	dvt_buf_fini(&der);
	return rc;
}

/* A secret may be spent on the key: that is not given up because it does not
 * come off the disk now. */
static void
key_failed(struct dvt_agent *a, enum dvt_code rc, const struct dvt_err *why)
{
	if (rc == DVT_E_SYSTEM && a->h.old == 0)
		later(a, -1, why->text);
	else
		dvt_agent_update_fail(a, why->text);
}

static enum dvt_did
run_ask(struct dvt_agent *a)
{
	bool first = a->h.old == 0;
	struct dvt_secret secret = {0};
	struct dvt_http_want *w;
	struct dvt_err err;
	enum dvt_code rc;

	if ((rc = make_request(a, &err)) != DVT_OK) {
		key_failed(a, rc, &err);
		return DVT_DID_WORK;
	}
	dvt_buf_reset(&a->target);
	dvt_est_path_put(
	    &a->target, first ? DVT_EST_ENROLL : DVT_EST_REENROLL, a->h.label);
	w = dvt_agent_want_http(a, ASKED_CERTIFICATE, "POST", DVT_EST_BODY_MAX);
	w->content_type = DVT_EST_TYPE_CSR;
	w->body = dvt_buf_span(&a->body);
	w->grant = first ? NULL : dvt_agent_grant(a);
	w->repeat_safe = true; /* the same key gives the same certificate */
	w->keep_open = true;
	if (first) {
		dvt_buf_cleanse(&a->authorization);
		dvt_secret_set(
		    &secret, a->update.secret, strlen(a->update.secret));
		dvt_est_basic_put(
		    &a->authorization, a->config.device_id, &secret);
		dvt_secret_free(&secret);
		w->authorization = dvt_buf_str(&a->authorization);
	}
	return DVT_DID_ASK;
}

/* Is it worth asking again? */
static bool
is_passing(const struct dvt_answer *answer)
{
	if (answer->outcome != DVT_ANSWER_OK)
		return answer->outcome != DVT_ANSWER_GARBLED;
	return answer->http_status == 202 || answer->http_status == 408 ||
	       answer->http_status == 429 || answer->http_status >= 500;
}

/* Nobody but we asked for it, and the server says: outside the window. */
static bool
is_too_early(const struct dvt_agent *a, const struct dvt_answer *answer)
{
	return a->h.instruction[0] == '\0' && a->h.old != 0 &&
	       answer->http_status == 503 && answer->retry_after_s > TOO_LONG_S;
}

void
dvt_agent_on_certificate(struct dvt_agent *a, const struct dvt_answer *answer)
{
	char uri[DVT_KEY_URI_MAX + 1], detail[DVT_STEP_DETAIL];
	struct dvt_issued_want want;
	struct dvt_err err;
	EVP_PKEY *key = NULL;
	enum dvt_code rc;

	dvt_buf_cleanse(&a->authorization);
	if (!dvt_answer_is_good(answer) || answer->http_status == 202) {
		dvt_agent_blame(a, answer, "certificate request", detail);
		if (is_passing(answer) && !is_too_early(a, answer)) {
			later(a, answer->retry_after_s, detail);
			return;
		}
		if (answer->retry_after_s > 0)
			a->update.retry_ms = a->now.mono_ms +
					     answer->retry_after_s * 1000;
		dvt_agent_update_fail(a, detail);
		return;
	}
	rc = open_key(a, uri, &key, &err);
	if (rc == DVT_OK) {
		issued_want(a, key, &want);
		rc = dvt_issued_check(
		    answer->body, &want, &a->update.issued, &err);
	}
	EVP_PKEY_free(key);
	if (rc == DVT_OK)
		go(a, UP_CHAIN);
	else
		key_failed(a, rc, &err);
}

/* --- what came is stored, read back, and made whole --- */

static enum dvt_did
run_chain(struct dvt_agent *a)
{
	struct dvt_err err;

	dvt_agent_commit(a);
	if (dvt_generation_put_chain(
		&a->env, a->h.generation, &a->update.issued, &err) != DVT_OK)
		return dvt_agent_disk_failed(a, &err);
	go(a, UP_META);
	return DVT_DID_WORK;
}

static enum dvt_code
read_back(
    struct dvt_agent *a, struct dvt_generation_meta *meta, struct dvt_err *err)
{
	struct dvt_issued_want want;
	struct dvt_chain chain;
	EVP_PKEY *key = NULL;
	enum dvt_code rc;

	rc = dvt_generation_get_chain(&a->env, a->h.generation, &chain, err);
	if (rc == DVT_OK)
		rc = open_key(a, meta->key_uri, &key, err);
	if (rc == DVT_OK) {
		issued_want(a, key, &want);
		rc = dvt_issued_check_chain(&want, &chain, err);
	}
	if (rc == DVT_OK)
		dvt_x509_fingerprint(chain.cert[0], meta->leaf);
	EVP_PKEY_free(key);
	dvt_chain_fini(&chain);
	return rc;
}

static enum dvt_did
run_meta(struct dvt_agent *a)
{
	struct dvt_generation_meta meta = {.number = a->h.generation,
	    .predecessor = a->h.old,
	    .made_at = dvt_agent_now_s(a)};
	struct dvt_err err;
	enum dvt_code rc;

	(void)snprintf(meta.update, sizeof(meta.update), "%s", a->h.id);
	rc = read_back(a, &meta, &err);
	if (rc != DVT_OK && rc != DVT_E_SYSTEM) {
		dvt_agent_update_fail(a, err.text);
		return DVT_DID_WORK;
	}
	dvt_agent_commit(a);
	if (rc == DVT_OK)
		rc = dvt_generation_put_meta(&a->env, &meta, &err);
	if (rc != DVT_OK)
		return dvt_agent_disk_failed(a, &err);
	go(a, UP_ISSUED);
	return DVT_DID_WORK;
}

void
dvt_agent_update_locked(struct dvt_agent *a, const char *detail)
{
	say(a, DVT_STEP_LOCK, DVT_STEP_SUCCEED, detail);
	if (detail[0] != '\0') { /* no lease: values follow the switch */
		begin_trial(a);
		return;
	}
	say(a, DVT_STEP_LOCAL, DVT_STEP_SUCCEED,
	    "values lie in clear, for their users alone");
	say(a, DVT_STEP_RESEAL, DVT_STEP_START, "");
	go(a, UP_RESEAL);
}

void
dvt_agent_update_resealed(struct dvt_agent *a, const char *detail)
{
	say(a, DVT_STEP_RESEAL, DVT_STEP_SUCCEED, detail);
	begin_trial(a);
}

bool
dvt_agent_update_again(
    struct dvt_agent *a, const struct dvt_answer *answer, const char *why)
{
	if (!is_passing(answer) || a->update.tries + 1 >= DVT_TRIAL_TRIES)
		return false;
	later(a, answer->retry_after_s, why);
	return true;
}

void
dvt_agent_update_unlocked(
    struct dvt_agent *a, const struct dvt_answer *answer, const char *detail)
{
	if (!dvt_agent_update_again(a, answer, detail))
		dvt_agent_update_fail(a, detail);
}

/* The first one has nothing to fall back to: it is not tried, but used. */
static enum dvt_did
run_issued(struct dvt_agent *a)
{
	say(a, DVT_STEP_GENERATE, DVT_STEP_SUCCEED, "");
	if (a->h.old == 0) {
		say(a, DVT_STEP_SWITCH, DVT_STEP_START, "");
		go(a, UP_SWITCH);
		return DVT_DID_WORK;
	}
	if (!dvt_agent_is_expired(a)) {
		say(a, DVT_STEP_LOCK, DVT_STEP_START, "");
		go(a, UP_LOCK);
		return DVT_DID_WORK;
	}
	begin_trial(a);
	return DVT_DID_WORK;
}

/* --- the trial --- */

static enum dvt_did
run_try(struct dvt_agent *a)
{
	struct dvt_agent_credential *trial = &a->update.trial;
	struct dvt_generation_meta meta;
	const char *name = a->edge_trial;
	struct dvt_err err;

	if (name[0] == '\0')
		name = a->config.edge_name;
	if (name == NULL || name[0] == '\0') {
		say(a, DVT_STEP_TRY, DVT_STEP_SUCCEED,
		    "not tried: no name of an edge is known");
		go(a, UP_TRIED);
		return DVT_DID_WORK;
	}
	dvt_credential_fini(trial);
	if (dvt_generation_load(&a->env, a->h.generation, trial, &meta, &err) !=
	    DVT_OK) {
		dvt_agent_update_fail(a, err.text);
		return DVT_DID_WORK;
	}
	trial->serial = ++a->serial;
	return dvt_agent_want_probe(
	    a, ASKED_TRIAL, name, trial, &a->trust_shown);
}

void
dvt_agent_on_trial(struct dvt_agent *a, const struct dvt_answer *answer)
{
	unsigned most = answer->outcome == DVT_ANSWER_THEY_REFUSED
			    ? REFUSED_TRIES
			    : DVT_TRIAL_TRIES;
	char detail[DVT_STEP_DETAIL];

	if (answer->outcome == DVT_ANSWER_OK) {
		say(a, DVT_STEP_TRY, DVT_STEP_SUCCEED, "");
		go(a, UP_TRIED);
		return;
	}
	dvt_agent_blame(a, answer, "trial", detail);
	if (a->update.tries + 1 < most)
		later(a, -1, detail);
	else
		dvt_agent_update_fail(a, detail);
}

static enum dvt_did
run_tried(struct dvt_agent *a)
{
	say(a, DVT_STEP_SWITCH, DVT_STEP_START, "");
	go(a, UP_SWITCH);
	return DVT_DID_WORK;
}

enum dvt_did
dvt_agent_run_update(struct dvt_agent *a)
{
	if (dvt_agent_update_due(a) > a->now.mono_ms)
		return DVT_DID_NOTHING;
	switch (a->update.phase) {
	case UP_NONE:
	case UP_CONFIRM:
		return DVT_DID_NOTHING;
	case UP_KEY:
		return run_key(a);
	case UP_ASK:
		return run_ask(a);
	case UP_CHAIN:
		return run_chain(a);
	case UP_META:
		return run_meta(a);
	case UP_ISSUED:
		return run_issued(a);
	case UP_LOCK:
		return dvt_agent_run_lock(a);
	case UP_RESEAL:
		return dvt_agent_run_reseal(a);
	case UP_TRY:
		return run_try(a);
	case UP_TRIED:
		return run_tried(a);
	case UP_SWITCH:
	case UP_SWITCHED:
	case UP_HOOK:
	case UP_BACK:
	case UP_BACK_HOOK:
	case UP_REMOVE:
	case UP_END:
		break;
	}
	return dvt_agent_run_update_end(a);
}
