/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The lease on the configuration: under the old credential the next public
 * key is announced, and it signs for itself. Both are proven by that, before
 * the new one is used for the first time.
 */
#include "device/agent_priv.h"

#include "pki/key.h"
#include "pki/x509.h"
#include "wire/base64.h"
#include "wire/json.h"

#include <stdio.h>

/* Also in dovetaild/core_config.h and docs/device-api.md. */
#define LOCK_TEXT "dovetail-lock\n%s\n%s\n%s\n"
#define TARGET    "/v1/device/lock"

static enum dvt_code
put_body(struct dvt_agent *a, const char *digest, struct dvt_span sig,
    struct dvt_err *err)
{
	struct dvt_buf text;
	json_t *obj;

	dvt_buf_init(&text, 2048);
	dvt_base64_encode(&text, sig, 0);
	obj = json_pack("{s:s, s:s, s:s}", "update", a->h.id, "key", digest,
	    "proof", dvt_buf_str(&text));
	dvt_buf_reset(&a->body);
	dvt_json_put(&a->body, obj);
	json_decref(obj);
	dvt_buf_fini(&text);
	return dvt_buf_ok(&a->body, "lock", err);
}

static enum dvt_code
make_body(struct dvt_agent *a, struct dvt_err *err)
{
	char uri[DVT_KEY_URI_MAX + 1], digest[DVT_DIGEST_HEX];
	char leaf[DVT_DIGEST_HEX];
	struct dvt_generation_meta meta;
	struct dvt_agent_credential next;
	struct dvt_buf text, sig;
	enum dvt_code rc;

	rc = dvt_generation_load(&a->env, a->h.generation, &next, &meta, err);
	if (rc != DVT_OK)
		return rc;
	dvt_buf_init(&text, 1024);
	dvt_buf_init(&sig, 1024);
	(void)snprintf(uri, sizeof(uri), "%s", meta.key_uri);
	dvt_x509_fingerprint(a->cred.chain.cert[0], leaf);
	rc = dvt_key_digest(next.key, digest, err);
	if (rc == DVT_OK) {
		dvt_buf_printf(&text, LOCK_TEXT, a->h.id, digest, leaf);
		rc = a->env.keys->sign(
		    a->env.keys_ctx, uri, dvt_buf_span(&text), &sig, err);
	}
	if (rc == DVT_OK)
		rc = put_body(a, digest, dvt_buf_span(&sig), err);
	dvt_credential_fini(&next);
	dvt_buf_fini(&text);
	dvt_buf_fini(&sig);
	return rc;
}

enum dvt_did
dvt_agent_run_lock(struct dvt_agent *a)
{
	struct dvt_http_want *w;
	struct dvt_err err;

	if (make_body(a, &err) != DVT_OK) {
		dvt_agent_update_fail(a, err.text);
		return DVT_DID_WORK;
	}
	dvt_buf_reset(&a->target);
	dvt_buf_puts(&a->target, TARGET);
	w = dvt_agent_want_http(a, ASKED_LOCK, "POST", DVT_BODY_MAX);
	w->content_type = "application/json";
	w->body = dvt_buf_span(&a->body);
	w->repeat_safe = true;
	w->keep_open = true;
	return DVT_DID_ASK;
}

/* Of a control plane that does not know it: there is nothing to lock. */
static bool
is_not_offered(const struct dvt_answer *answer)
{
	return answer->outcome == DVT_ANSWER_OK &&
	       (answer->http_status == 404 || answer->http_status == 405 ||
		   answer->http_status == 501);
}

void
dvt_agent_on_lock(struct dvt_agent *a, const struct dvt_answer *answer)
{
	char detail[DVT_STEP_DETAIL] = "";

	if (dvt_answer_is_good(answer) || is_not_offered(answer)) {
		dvt_agent_update_locked(
		    a, is_not_offered(answer) ? "not offered" : "");
		return;
	}
	dvt_agent_blame(a, answer, "lock", detail);
	dvt_agent_update_unlocked(a, answer, detail);
}
