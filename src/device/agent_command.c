/* SPDX-License-Identifier: Apache-2.0 */
/* Commands: adopting a credential, first enrolment, and the small ones. */
#include "device/agent_priv.h"

#include "base/mem.h"
#include "pki/x509.h"
#include "proto/est.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

void
dvt_agent_adopt_fini(struct dvt_agent *a)
{
	struct dvt_adopt_work *w = &a->adopt;

	dvt_trustset_free(w->trust);
	dvt_chain_fini(&w->chain);
	dvt_buf_fini(&w->trust_keys);
	dvt_buf_cleanse(&w->key_pem);
	if (w->secret != NULL)
		dvt_cleanse(w->secret, strlen(w->secret));
	free(w->secret);
	w->secret = NULL;
	free(w->subject);
	w->subject = NULL;
	w->trust = NULL;
	w->phase = AD_NONE;
}

/* --- taking a command --- */

static enum dvt_code
take_import(
    struct dvt_agent *a, const struct dvt_command *c, struct dvt_err *err)
{
	struct dvt_adopt_work *w = &a->adopt;
	char name[DVT_DN_TEXT];
	EVP_PKEY *key = NULL;
	enum dvt_code rc;

	if ((rc = dvt_chain_from_pem(c->chain_pem, &w->chain, err)) != DVT_OK ||
	    (rc = dvt_key_from_pem(c->key_pem, &key, err)) != DVT_OK ||
	    (rc = dvt_key_matches(key, w->chain.cert[0], err)) != DVT_OK ||
	    (rc = dvt_key_to_pem(key, &w->key_pem, err)) != DVT_OK)
		goto out;
	if (a->config.device_id == NULL)
		a->config.device_id = dvt_strdup(
		    dvt_x509_common_name(w->chain.cert[0], name));
	rc = dvt_trustset_from_pem(c->anchor_pem, c->trust_key_pem,
	    a->config.device_id, &w->trust, err);
out:
	EVP_PKEY_free(key);
	w->phase = AD_TRUST;
	return rc;
}

static enum dvt_code
take_enroll(
    struct dvt_agent *a, const struct dvt_command *c, struct dvt_err *err)
{
	struct dvt_adopt_work *w = &a->adopt;

	if (a->config.device_id == NULL || c->secret == NULL)
		return dvt_fail(err, DVT_E_INPUT,
		    "enrolment needs a device id and its one-time secret");
	w->secret = dvt_strdup(c->secret);
	w->subject = dvt_strdup(c->subject);
	if (c->anchor_pem.n > 0) {
		w->phase = AD_TRUST;
		return dvt_trustset_from_pem(c->anchor_pem, c->trust_key_pem,
		    a->config.device_id, &w->trust, err);
	}
	if (c->fingerprint == NULL)
		return dvt_fail(err, DVT_E_INPUT,
		    "enrolment needs an anchor or its fingerprint (RFC 7030 "
		    "section 4.1.1)");
	if (dvt_hex_normal(
		c->fingerprint, w->fingerprint, sizeof(w->fingerprint)) != 0 ||
	    strlen(w->fingerprint) != DVT_DIGEST_HEX - 1)
		return dvt_fail(err, DVT_E_INPUT,
		    "fingerprint: 64 hexadecimal digits (SHA-256)");
	dvt_buf_put_span(&w->trust_keys, c->trust_key_pem);
	w->phase = AD_CACERTS;
	return DVT_OK;
}

static enum dvt_code
take_adopt(
    struct dvt_agent *a, const struct dvt_command *c, struct dvt_err *err)
{
	struct dvt_adopt_work *w = &a->adopt;
	enum dvt_code rc;

	if (a->cred.key != NULL)
		return dvt_fail(err, DVT_E_CONFLICT,
		    "there is a credential already (generation %" PRId64 ")",
		    a->cred.generation);
	if (w->phase != AD_NONE)
		return dvt_fail(
		    err, DVT_E_CONFLICT, "an enrolment is under way");
	w->import = c->kind == DVT_COMMAND_IMPORT;
	w->due_ms = a->now.mono_ms;
	w->tries = 0;
	(void)dvt_copy_str(w->label, sizeof(w->label),
	    c->label != NULL          ? c->label
	    : a->config.label != NULL ? a->config.label
				      : "");
	rc = w->import ? take_import(a, c, err) : take_enroll(a, c, err);
	if (rc != DVT_OK)
		dvt_agent_adopt_fini(a);
	return rc;
}

static enum dvt_code
take_cancel(struct dvt_agent *a, struct dvt_err *err)
{
	if (a->update.phase == UP_NONE)
		return dvt_fail(err, DVT_E_CONFLICT, "no update runs");
	if (!dvt_agent_update_is_early(a))
		return dvt_fail(err, DVT_E_CONFLICT,
		    "the update has switched; it ends with its check-in");
	if (a->asked == ASKED_CERTIFICATE || a->asked == ASKED_LOCK ||
	    a->asked == ASKED_TRIAL)
		a->asked = ASKED_NOTHING;
	dvt_agent_update_fail(a, "cancelled");
	return DVT_OK;
}

enum dvt_code
dvt_agent_command(
    struct dvt_agent *a, const struct dvt_command *command, struct dvt_err *err)
{
	switch (command->kind) {
	case DVT_COMMAND_IMPORT:
	case DVT_COMMAND_ENROLL:
		return take_adopt(a, command, err);
	case DVT_COMMAND_CHECKIN:
		a->checkin.due_ms = a->now.mono_ms;
		break;
	case DVT_COMMAND_RENEW:
		if (a->update.phase != UP_NONE)
			return dvt_fail(
			    err, DVT_E_CONFLICT, "an update runs: %s", a->h.id);
		if (a->cred.key != NULL)
			dvt_agent_update_begin(a, "",
			    command->label != NULL ? command->label
						   : a->config.label);
		break;
	case DVT_COMMAND_CANCEL:
		return take_cancel(a, err);
	case DVT_COMMAND_RECOVER:
		return dvt_agent_take_recovery(a, command, err);
	}
	if (a->cred.key == NULL)
		return dvt_fail(err, DVT_E_ABSENT, "not enrolled yet");
	return DVT_OK;
}

/* --- doing it --- */

static enum dvt_did
ask_cacerts(struct dvt_agent *a)
{
	struct dvt_http_want *w;

	dvt_buf_reset(&a->target);
	dvt_est_path_put(&a->target, DVT_EST_CACERTS, NULL);
	w = dvt_agent_want_http(a, ASKED_CACERTS, "GET", DVT_EST_BODY_MAX);
	w->credential = NULL;
	w->trust = NULL;
	w->repeat_safe = true;
	return DVT_DID_ASK;
}

/* The one CA certificate with that fingerprint, as PEM. */
static enum dvt_code
pick_anchor(struct dvt_span body, const char *fingerprint, struct dvt_buf *pem,
    struct dvt_err *err)
{
	struct dvt_span certs[DVT_EST_CERTS_MAX];
	char digest[DVT_DIGEST_HEX];
	struct dvt_buf der;
	enum dvt_code rc;
	X509 *cert;
	size_t n = 0;

	dvt_buf_init(&der, DVT_EST_BODY_MAX);
	if ((rc = dvt_est_body_decode(body, &der, NULL, err)) == DVT_OK)
		rc = dvt_est_certs_parse(
		    dvt_buf_span(&der), certs, DVT_EST_CERTS_MAX, &n, err);
	for (size_t i = 0; i < n && rc == DVT_OK && pem->n == 0; i++) {
		dvt_sha256_hex(certs[i], digest);
		if (strcmp(digest, fingerprint) != 0)
			continue;
		rc = dvt_x509_from_der(certs[i], &cert, err);
		if (rc == DVT_OK)
			rc = dvt_x509_to_pem(cert, pem, err);
		X509_free(cert);
	}
	dvt_buf_fini(&der);
	if (rc == DVT_OK && pem->n == 0)
		rc = dvt_fail(err, DVT_E_DENIED,
		    "no CA of the server has the fingerprint given");
	return rc;
}

void
dvt_agent_on_cacerts(struct dvt_agent *a, const struct dvt_answer *answer)
{
	struct dvt_adopt_work *w = &a->adopt;
	struct dvt_buf pem;
	struct dvt_err err;
	enum dvt_code rc;

	if (!dvt_answer_is_good(answer)) {
		dvt_agent_blame(a, answer, "cacerts", NULL);
		w->due_ms = a->now.mono_ms +
			    dvt_agent_backoff_ms(a, ++w->tries);
		return;
	}
	dvt_buf_init(&pem, DVT_CERT_PEM_MAX);
	rc = pick_anchor(answer->body, w->fingerprint, &pem, &err);
	if (rc == DVT_OK)
		rc = dvt_trustset_from_pem(dvt_buf_span(&pem),
		    dvt_buf_span(&w->trust_keys), a->config.device_id,
		    &w->trust, &err);
	dvt_buf_fini(&pem);
	if (rc == DVT_OK) {
		w->phase = AD_TRUST;
		return;
	}
	dvt_agent_text(a->last_error, sizeof(a->last_error), err.text);
	w->due_ms = a->now.mono_ms + dvt_agent_backoff_ms(a, ++w->tries);
}

/* Anchors of an attempt that did not end well make room. */
static enum dvt_did
put_trust(struct dvt_agent *a)
{
	struct dvt_adopt_work *w = &a->adopt;
	struct dvt_trustset *back;
	int64_t v[DVT_TRUST_LIST];
	struct dvt_err err;
	enum dvt_code rc;
	size_t n;

	rc = dvt_trustset_list(&a->env, v, &n, &err);
	dvt_agent_commit(a);
	if (rc == DVT_OK && n > 0) {
		rc = dvt_trustset_remove(&a->env, v[n - 1], &err);
		return rc == DVT_OK ? DVT_DID_WORK
				    : dvt_agent_disk_failed(a, &err);
	}
	if (rc == DVT_OK)
		rc = dvt_trustset_put(&a->env, w->trust, DVT_SPAN_LIT(""),
		    dvt_agent_now_s(a), &err);
	if (rc == DVT_OK)
		rc = dvt_trustset_load(&a->env, w->trust->version, &back, &err);
	if (rc != DVT_OK)
		return dvt_agent_disk_failed(a, &err);
	dvt_agent_set_trust(a, back);
	a->old_trust_n = 0;
	a->former_trust = -1;
	w->phase = w->import ? AD_PUT : AD_BEGIN;
	return DVT_DID_WORK;
}

static enum dvt_did
put_generation(struct dvt_agent *a)
{
	struct dvt_adopt_work *w = &a->adopt;
	struct dvt_generation_meta meta = {
	    .number = a->h.highest + 1, .made_at = dvt_agent_now_s(a)};
	struct dvt_err err;
	enum dvt_code rc;

	dvt_generation_key_uri(meta.number, meta.key_uri);
	dvt_x509_fingerprint(w->chain.cert[0], meta.leaf);
	dvt_agent_commit(a);
	rc = dvt_generation_put(
	    &a->env, &meta, dvt_buf_span(&w->key_pem), &w->chain, &err);
	if (rc == DVT_E_CONFLICT && /* its last sync failed: again */
	    (rc = dvt_generation_remove(&a->env, meta.number, &err)) == DVT_OK)
		return DVT_DID_WORK;
	if (rc != DVT_OK)
		return dvt_agent_disk_failed(a, &err);
	a->h.highest = meta.number;
	w->phase = AD_CURRENT;
	return DVT_DID_WORK;
}

static enum dvt_did
put_current(struct dvt_agent *a)
{
	struct dvt_agent_credential cred;
	struct dvt_generation_meta meta;
	char id[DVT_STEP_ID];
	struct dvt_err err;
	enum dvt_code rc;

	dvt_agent_commit(a);
	rc = dvt_generation_load(&a->env, a->h.highest, &cred, &meta, &err);
	if (rc == DVT_OK)
		rc = dvt_generation_switch(&a->env, a->h.highest, &err);
	if (rc != DVT_OK) {
		dvt_credential_fini(&cred);
		return dvt_agent_disk_failed(a, &err);
	}
	dvt_agent_set_credential(a, &cred, &meta);
	(void)snprintf(id, sizeof(id), "adopt-%" PRId64, dvt_agent_now_s(a));
	dvt_agent_say(
	    a, id, DVT_STEP_ADOPT, a->cred.generation, DVT_STEP_SUCCEED, "");
	dvt_agent_adopt_fini(a);
	a->checkin.due_ms = a->now.mono_ms;
	return DVT_DID_WORK;
}

static enum dvt_did
begin_first(struct dvt_agent *a)
{
	struct dvt_adopt_work *w = &a->adopt;

	if (a->update.phase == UP_NONE)
		dvt_agent_update_begin(a, "", w->label);
	/* else one that a cut ended goes on with its key */
	dvt_agent_update_give(a, w->secret, w->subject);
	dvt_agent_adopt_fini(a);
	return DVT_DID_WORK;
}

enum dvt_did
dvt_agent_run_adopt(struct dvt_agent *a)
{
	struct dvt_adopt_work *w = &a->adopt;

	if (w->phase == AD_NONE || a->now.mono_ms < w->due_ms)
		return DVT_DID_NOTHING;
	switch (w->phase) {
	case AD_NONE:
		break;
	case AD_CACERTS:
		return ask_cacerts(a);
	case AD_TRUST:
		return put_trust(a);
	case AD_PUT:
		return put_generation(a);
	case AD_CURRENT:
		return put_current(a);
	case AD_BEGIN:
		return begin_first(a);
	}
	return DVT_DID_NOTHING;
}
