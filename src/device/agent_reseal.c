/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Configuration values given back to the server under another key. In an
 * update: to the certificate that was issued, before it is tried, so that what
 * lies there opens from the switch on. Otherwise: to the one in use, where the
 * server has another, because an update went back or held no lease.
 *
 * The value in clear is on our disk meanwhile, so nothing hangs on which of
 * the two the server has at a cut.
 */
#include "device/agent_priv.h"

#include "pki/envelope.h"
#include "pki/x509.h"
#include "wire/base64.h"
#include "wire/json.h"

#include <stdio.h>
#include <string.h>

#define READ_TRIES 10 /* of a value that does not come off the disk */

/* @leaf: to be sealed to, told by name where it is not the one in use. */
static enum dvt_code
seal_to(struct dvt_agent *a, const struct dvt_confval *v, X509 *leaf,
    const char *certificate, struct dvt_err *err)
{
	struct dvt_buf plain, sealed, text;
	json_t *obj;
	enum dvt_code rc;

	dvt_buf_init(&plain, DVT_CONFIG_VALUE);
	dvt_buf_init(&sealed, DVT_CONFIG_SEALED);
	dvt_buf_init(&text, 2 * DVT_CONFIG_SEALED);
	rc = dvt_confval_read(&a->env, v->name, &plain, err);
	if (rc == DVT_OK)
		rc = dvt_envelope_seal(
		    leaf, dvt_buf_span(&plain), &sealed, err);
	if (rc == DVT_OK) {
		dvt_base64_encode(&text, dvt_buf_span(&sealed), 0);
		obj = json_pack("{s:s, s:I, s:s, s:s*}", "name", v->name,
		    "version", (json_int_t)v->have, "sealed",
		    dvt_buf_str(&text), "certificate", certificate);
		dvt_buf_reset(&a->body);
		dvt_json_put(&a->body, obj);
		json_decref(obj);
		rc = dvt_buf_ok(&a->body, "configuration value", err);
	}
	dvt_buf_cleanse(&plain);
	dvt_buf_fini(&plain);
	dvt_buf_fini(&sealed);
	dvt_buf_fini(&text);
	return rc;
}

static enum dvt_did
give(struct dvt_agent *a, const struct dvt_confval *v)
{
	struct dvt_http_want *w;

	memcpy(a->confval.name, v->name, sizeof(a->confval.name));
	dvt_buf_reset(&a->target);
	dvt_buf_puts(&a->target, DVT_CONFIG_TARGET);
	w = dvt_agent_want_http(a, ASKED_RESEAL, "POST", DVT_BODY_MAX);
	w->content_type = "application/json";
	w->body = dvt_buf_span(&a->body);
	w->repeat_safe = true;
	w->keep_open = true;
	return DVT_DID_ASK;
}

/* --- to the one in use --- */

enum dvt_did
dvt_agent_run_give(struct dvt_agent *a, struct dvt_confval *v)
{
	struct dvt_err err;
	enum dvt_code rc;

	rc = seal_to(a, v, a->cred.chain.cert[0], NULL, &err);
	if (rc == DVT_OK)
		return give(a, v);
	if (rc != DVT_E_ABSENT && a->confval.tries < READ_TRIES) {
		/* nobody else may have it under a key that is there still;
		 * want of memory is told in many ways */
		dvt_agent_config_later(a);
		return DVT_DID_WORK;
	}
	v->have = 0; /* lost here: fetched again, by either key */
	return DVT_DID_WORK;
}

static void
given(
    struct dvt_agent *a, struct dvt_confval *v, const struct dvt_answer *answer)
{
	if (dvt_answer_is_good(answer)) {
		dvt_x509_fingerprint(a->cred.chain.cert[0], v->certificate);
		dvt_agent_config_say(
		    a, DVT_STEP_RESEAL, v, DVT_STEP_SUCCEED, "");
		a->confval.tries = 0;
		return;
	}
	dvt_agent_blame(a, answer, "configuration value", NULL);
	if (answer->outcome == DVT_ANSWER_OK && answer->http_status < 500)
		v->certificate[0] = '\0'; /* until a check-in says more */
	else
		dvt_agent_config_later(a);
}

/* --- to the next one --- */

/* The newest value is here, and the server has it under another key. */
static bool
is_left(const struct dvt_confval *v, const char *next)
{
	return v->have > 0 && v->have == v->want && v->certificate[0] != '\0' &&
	       strcmp(v->certificate, next) != 0;
}

static void
end(struct dvt_agent *a, const char *next)
{
	const struct dvt_confvals *all = &a->confval.all;
	char detail[DVT_STEP_DETAIL];
	size_t n = 0, done = 0;

	for (size_t i = 0; i < all->n; i++) {
		n += all->v[i].want > 0;
		done += all->v[i].want > 0 &&
			strcmp(all->v[i].certificate, next) == 0;
	}
	if (done == n)
		(void)snprintf(detail, sizeof(detail), "values: %zu", n);
	else
		(void)snprintf(detail, sizeof(detail),
		    "values: %zu of %zu, the others after the switch", done, n);
	dvt_agent_update_resealed(a, detail);
}

enum dvt_did
dvt_agent_run_reseal(struct dvt_agent *a)
{
	struct dvt_agent_credential *next = &a->update.trial;
	struct dvt_confvals *all = &a->confval.all;
	struct dvt_generation_meta meta;
	char digest[DVT_DIGEST_HEX];
	struct dvt_err err;

	if (next->key == NULL && dvt_generation_load(&a->env, a->h.generation,
				     next, &meta, &err) != DVT_OK) {
		dvt_agent_update_fail(a, err.text);
		return DVT_DID_WORK;
	}
	dvt_x509_fingerprint(next->chain.cert[0], digest);
	for (size_t i = 0; i < all->n; i++) {
		struct dvt_confval *v = &all->v[i];

		if (!is_left(v, digest))
			continue;
		if (seal_to(a, v, next->chain.cert[0], digest, &err) == DVT_OK)
			return give(a, v);
		v->certificate[0] = '\0'; /* lost here: fetched afterwards */
		v->have = 0;
	}
	end(a, digest);
	return DVT_DID_WORK;
}

static void
given_to_next(
    struct dvt_agent *a, struct dvt_confval *v, const struct dvt_answer *answer)
{
	char detail[DVT_STEP_DETAIL];

	if (dvt_answer_is_good(answer)) {
		dvt_x509_fingerprint(
		    a->update.trial.chain.cert[0], v->certificate);
		a->update.tries = 0;
		return;
	}
	dvt_agent_blame(a, answer, "configuration value", detail);
	if (!dvt_agent_update_again(a, answer, detail))
		v->certificate[0] = '\0'; /* until a check-in says more */
}

void
dvt_agent_on_reseal(struct dvt_agent *a, const struct dvt_answer *answer)
{
	struct dvt_confval *v = dvt_confvals_get(
	    &a->confval.all, a->confval.name);

	if (v == NULL)
		return;
	if (a->update.phase == UP_RESEAL && a->update.trial.key != NULL)
		given_to_next(a, v, answer);
	else if (a->update.phase == UP_NONE)
		given(a, v, answer);
}
