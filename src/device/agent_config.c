/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Configuration values: fetched as ciphertext, opened with the key in use,
 * else with the one before it, and stored; agent_reseal.c gives them back.
 * Each value stands for itself: one that fails harms no other.
 */
#include "device/agent_priv.h"

#include "base/mem.h"
#include "pki/envelope.h"
#include "pki/x509.h"
#include "wire/base64.h"
#include "wire/json.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define ANSWER_MAX (3 * DVT_CONFIG_SEALED)

void
dvt_agent_config_open(struct dvt_agent *a)
{
	struct dvt_confwork *w = &a->confval;

	dvt_buf_init(&w->plain, DVT_CONFIG_VALUE);
	dvt_confvals_load(&a->env, &w->all);
}

void
dvt_agent_config_fini(struct dvt_agent *a)
{
	dvt_confvals_fini(&a->confval.all);
	dvt_buf_cleanse(&a->confval.plain);
	dvt_buf_fini(&a->confval.plain);
}

/* --- what the server says --- */

void
dvt_agent_config_said(struct dvt_agent *a, const struct dvt_confvals *said)
{
	struct dvt_confwork *w = &a->confval;

	for (size_t i = 0; i < w->all.n; i++)
		w->all.v[i].want = 0;
	for (size_t i = 0; i < said->n; i++) {
		const struct dvt_confval *s = &said->v[i];
		struct dvt_confval *v = dvt_confvals_add(&w->all, s->name);

		if (v == NULL)
			break;
		v->want = s->want;
		memcpy(v->certificate, s->certificate, sizeof(v->certificate));
	}
	if (w->tries == 0)
		w->due_ms = a->now.mono_ms;
}

size_t
dvt_agent_config_tell(struct dvt_agent *a, struct dvt_confval *out, size_t max)
{
	struct dvt_confvals *all = &a->confval.all;
	size_t n = 0;

	for (size_t i = 0; i < all->n && n < max; i++)
		if (!all->v[i].told &&
		    (all->v[i].have == all->v[i].want ||
			all->v[i].failed_version == all->v[i].want) &&
		    all->v[i].want != 0)
			out[n++] = all->v[i];
	return n;
}

void
dvt_agent_config_told(
    struct dvt_agent *a, const struct dvt_confval *what, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct dvt_confval *v = dvt_confvals_get(
		    &a->confval.all, what[i].name);

		if (v != NULL && v->have == what[i].have &&
		    v->failed_version == what[i].failed_version)
			v->told = true;
	}
}

/* --- what is to be done --- */

enum todo { NOTHING, FETCH, RESEAL, REMOVE };

static enum todo
todo_of(const struct dvt_confval *v, const char *leaf)
{
	if (v->want == 0)
		return REMOVE;
	if (v->want != v->have)
		return v->failed_version == v->want ? NOTHING : FETCH;
	if (v->certificate[0] != '\0' && strcmp(v->certificate, leaf) != 0)
		return RESEAL;
	return NOTHING;
}

/* The first that needs something. */
static enum todo
find(const struct dvt_agent *a, struct dvt_confval **out)
{
	const struct dvt_confvals *all = &a->confval.all;
	char leaf[DVT_DIGEST_HEX];

	*out = NULL;
	if (!a->heard || a->cred.key == NULL || all->n == 0)
		return NOTHING;
	dvt_x509_fingerprint(a->cred.chain.cert[0], leaf);
	for (size_t i = 0; i < all->n; i++) {
		enum todo todo = todo_of(&all->v[i], leaf);

		if (todo != NOTHING) {
			*out = &all->v[i];
			return todo;
		}
	}
	return NOTHING;
}

int64_t
dvt_agent_config_due(const struct dvt_agent *a)
{
	struct dvt_confval *v;

	if (a->update.phase != UP_NONE)
		return DVT_NEVER; /* which key it will be is open */
	if (a->confval.phase != CF_IDLE || find(a, &v) != NOTHING)
		return a->confval.due_ms;
	return DVT_NEVER;
}

static void
go(struct dvt_agent *a, enum dvt_config_phase phase)
{
	a->confval.phase = phase;
	a->confval.due_ms = a->now.mono_ms;
}

void
dvt_agent_config_later(struct dvt_agent *a)
{
	struct dvt_confwork *w = &a->confval;

	w->tries++;
	w->due_ms = a->now.mono_ms + dvt_agent_backoff_ms(a, w->tries);
}

void
dvt_agent_config_say(struct dvt_agent *a, const char *step,
    const struct dvt_confval *v, enum dvt_step_outcome outcome, const char *why)
{
	char id[DVT_STEP_ID], detail[DVT_STEP_DETAIL];

	(void)snprintf(id, sizeof(id), "config-%" PRId64, dvt_agent_now_s(a));
	(void)snprintf(detail, sizeof(detail), "%s%s%.100s", v->name,
	    why[0] != '\0' ? ": " : "", why);
	dvt_agent_say(a, id, step, v->want, outcome, detail);
}

static void
failed(struct dvt_agent *a, struct dvt_confval *v, const char *why)
{
	v->failed_version = v->want;
	v->told = false;
	dvt_agent_text(v->failed, sizeof(v->failed), why);
	dvt_agent_config_say(a, DVT_STEP_CONFIG, v, DVT_STEP_FAIL, v->failed);
	a->confval.tries = 0;
	a->checkin.due_ms = a->now.mono_ms;
	if (v->noted_version != v->failed_version)
		go(a, CF_NOTE);
}

/* --- fetch --- */

static enum dvt_did
fetch(struct dvt_agent *a, const struct dvt_confval *v)
{
	struct dvt_http_want *w;

	memcpy(a->confval.name, v->name, sizeof(a->confval.name));
	dvt_buf_reset(&a->target);
	dvt_buf_printf(&a->target, DVT_CONFIG_TARGET "?name=%s", v->name);
	w = dvt_agent_want_http(a, ASKED_CONFIG, "GET", ANSWER_MAX);
	w->repeat_safe = true;
	w->keep_open = true;
	return DVT_DID_ASK;
}

/* With the key in use, else with the one before it. */
static enum dvt_code
open_value(struct dvt_agent *a, struct dvt_span sealed, struct dvt_buf *plain,
    struct dvt_err *err)
{
	struct dvt_agent_credential former;
	struct dvt_generation_meta meta;
	enum dvt_code rc = dvt_envelope_open(
	    sealed, a->cred.chain.cert[0], a->cred.key, plain, err);

	if (rc != DVT_E_AUTH || a->meta.predecessor == 0 ||
	    dvt_generation_load(
		&a->env, a->meta.predecessor, &former, &meta, NULL) != DVT_OK)
		return rc;
	rc = dvt_envelope_open(
	    sealed, former.chain.cert[0], former.key, plain, err);
	dvt_credential_fini(&former);
	return rc;
}

static enum dvt_code
read_answer(struct dvt_agent *a, struct dvt_span body, struct dvt_confval *v,
    struct dvt_err *err)
{
	struct dvt_buf sealed;
	json_t *obj = NULL;
	const char *text;
	int64_t version;
	enum dvt_code rc;

	dvt_buf_init(&sealed, DVT_CONFIG_SEALED);
	dvt_buf_cleanse(&a->confval.plain);
	dvt_buf_reset(&a->confval.plain);
	if ((rc = dvt_json_parse(body, ANSWER_MAX, &obj, err)) == DVT_OK &&
	    (rc = dvt_json_get_i64(
		 obj, "version", 1, INT64_MAX, &version, err)) == DVT_OK &&
	    (rc = dvt_json_get_str(
		 obj, "sealed", 2 * DVT_CONFIG_SEALED, &text, err)) == DVT_OK &&
	    (rc = dvt_base64_decode(dvt_span_str(text), &sealed, err)) ==
		DVT_OK) {
		v->want = version; /* may be newer by now */
		rc = open_value(
		    a, dvt_buf_span(&sealed), &a->confval.plain, err);
	}
	json_decref(obj);
	dvt_buf_fini(&sealed);
	return rc;
}

void
dvt_agent_on_config(struct dvt_agent *a, const struct dvt_answer *answer)
{
	struct dvt_confval *v = dvt_confvals_get(
	    &a->confval.all, a->confval.name);
	struct dvt_err err;

	if (v == NULL || v->want == 0)
		return;
	if (answer->outcome == DVT_ANSWER_OK && answer->http_status == 404) {
		v->want = 0; /* taken away meanwhile */
		return;
	}
	if (!dvt_answer_is_good(answer)) {
		dvt_agent_blame(a, answer, "configuration value", NULL);
		dvt_agent_config_later(a);
		return;
	}
	if (read_answer(a, answer->body, v, &err) != DVT_OK) {
		failed(a, v, err.text);
		return;
	}
	go(a, CF_STORE);
}

/* First the hook, then the note of the version: a cut before the hook's end has
 * the value fetched, or removed, again. */
static void
tell_consumers(struct dvt_agent *a)
{
	go(a, a->config.hook_config ? CF_HOOK : CF_STATE);
}

static enum dvt_did
store(struct dvt_agent *a)
{
	struct dvt_confwork *w = &a->confval;
	struct dvt_confval *v = dvt_confvals_get(&w->all, w->name);
	struct dvt_err err;

	dvt_agent_commit(a);
	if (dvt_confval_put(&a->env, w->name, dvt_buf_span(&w->plain), &err) !=
	    DVT_OK)
		return dvt_agent_disk_failed(a, &err);
	dvt_buf_cleanse(&w->plain);
	dvt_buf_reset(&w->plain);
	if (v != NULL) {
		v->have = v->want;
		v->failed[0] = '\0';
		v->failed_version = 0;
		v->noted_version = 0;
		v->told = false;
	}
	tell_consumers(a);
	return DVT_DID_WORK;
}

static enum dvt_did
save(struct dvt_agent *a)
{
	struct dvt_confwork *w = &a->confval;
	struct dvt_confval *v = dvt_confvals_get(&w->all, w->name);
	struct dvt_err err;

	dvt_agent_commit(a);
	if (dvt_confvals_save(&a->env, &w->all, &err) != DVT_OK)
		return dvt_agent_disk_failed(a, &err);
	if (v != NULL)
		dvt_agent_config_say(
		    a, DVT_STEP_CONFIG, v, DVT_STEP_SUCCEED, "");
	w->tries = 0;
	a->checkin.due_ms = a->now.mono_ms;
	go(a, CF_IDLE);
	return DVT_DID_WORK;
}

/* For people; the disk refusing is no reason to try again and again. */
static enum dvt_did
note(struct dvt_agent *a)
{
	struct dvt_confvals *all = &a->confval.all;
	struct dvt_err err;

	dvt_agent_commit(a);
	go(a, CF_IDLE);
	for (size_t i = 0; i < all->n; i++)
		if (all->v[i].failed_version > 0)
			all->v[i].noted_version = all->v[i].failed_version;
	if (dvt_confvals_save(&a->env, all, &err) != DVT_OK)
		return dvt_agent_disk_failed(a, &err);
	return DVT_DID_WORK;
}

void
dvt_agent_on_config_hook(struct dvt_agent *a, const struct dvt_answer *answer)
{
	struct dvt_confval *v = dvt_confvals_get(
	    &a->confval.all, a->confval.name);
	char why[DVT_STEP_DETAIL];

	go(a, CF_STATE);
	if (v == NULL ||
	    (answer->outcome == DVT_ANSWER_OK && answer->hook_exit == 0))
		return;
	dvt_agent_hook_text(answer, "on-config", why);
	failed(a, v, why); /* the value stays, and is told so */
}

static enum dvt_did
remove_value(struct dvt_agent *a, struct dvt_confval *v)
{
	struct dvt_err err;

	memcpy(a->confval.name, v->name, sizeof(a->confval.name));
	if (v->have > 0) {
		dvt_agent_commit(a);
		if (dvt_confval_remove(&a->env, v->name, &err) != DVT_OK)
			return dvt_agent_disk_failed(a, &err);
	}
	if (v->have > 0 || v->noted_version > 0)
		tell_consumers(a);
	dvt_confvals_drop(&a->confval.all, v);
	return DVT_DID_WORK;
}

enum dvt_did
dvt_agent_run_config(struct dvt_agent *a)
{
	struct dvt_confval *v;

	if (dvt_agent_config_due(a) > a->now.mono_ms)
		return DVT_DID_NOTHING;
	switch (a->confval.phase) {
	case CF_STORE:
		return store(a);
	case CF_STATE:
		return save(a);
	case CF_NOTE:
		return note(a);
	case CF_HOOK:
		return dvt_agent_want_hook(
		    a, ASKED_CONFIG_HOOK, DVT_HOOK_ON_CONFIG);
	case CF_IDLE:
		break;
	}
	switch (find(a, &v)) {
	case FETCH:
		return fetch(a, v);
	case RESEAL:
		return dvt_agent_run_give(a, v);
	case REMOVE:
		return remove_value(a, v);
	case NOTHING:
		break;
	}
	return DVT_DID_NOTHING;
}
