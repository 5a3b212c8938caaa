/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Devices and their configuration values: what a check-in says of them, the
 * ciphertext a device fetches and gives back under its new key, and the lease
 * an update holds while both keys are about.
 */
#include "dovetaild/core_config.h"

#include "base/log.h"
#include "dovetaild/core_priv.h"
#include "pki/envelope.h"
#include "pki/key.h"
#include "pki/x509.h"
#include "store/agent.h"
#include "store/credential.h"
#include "wire/base64.h"
#include "wire/json.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define LEASE_S       (72 * 3600) /* or three periods, if that is longer */
#define UPDATE_ID_MAX 64
#define DETAIL_MAX    512

/* --- check-in --- */

static enum dvt_code
take_one(
    struct core *c, const char *device, const json_t *item, struct dvt_err *err)
{
	static const char *const fields[] = {"name", "version", "failed"};
	const char *name, *failed;
	int64_t version;
	bool news;
	json_t *body;
	enum dvt_code rc;

	if ((rc = dvt_json_only(item, fields, DVT_COUNT(fields), err)) !=
		DVT_OK ||
	    (rc = dvt_json_get_str(
		 item, "name", DVT_CONFIG_NAME, &name, err)) != DVT_OK ||
	    (rc = dvt_json_get_i64(
		 item, "version", 0, INT64_MAX, &version, err)) != DVT_OK ||
	    (rc = dvt_json_opt_str(
		 item, "failed", DETAIL_MAX, "", &failed, err)) != DVT_OK ||
	    (rc = dvt_store_config_applied(core_tx(c), device, name, version,
		 core_now(c).wall_s, failed, &news, err)) != DVT_OK ||
	    !news)
		return rc;
	body = json_pack("{s:s, s:I, s:s, s:s}", "name", name, "version",
	    (json_int_t)version, "outcome",
	    failed[0] == '\0' ? "Succeed" : "Fail", "detail", failed);
	rc = core_event(c, "DEVICE_CONFIG_APPLIED", device, "", body, err);
	json_decref(body);
	return rc;
}

enum dvt_code
core_config_told(
    struct core *c, const char *device, const json_t *list, struct dvt_err *err)
{
	enum dvt_code rc = DVT_OK;
	const json_t *item;
	size_t i;

	if (json_array_size(list) > DVT_CONFIG_VALUES)
		return dvt_fail(err, DVT_E_LIMIT, "config: at most %d values",
		    DVT_CONFIG_VALUES);
	json_array_foreach(list, i, item)
	{
		if ((rc = take_one(c, device, item, err)) != DVT_OK) {
			dvt_err_prefix(err, "config[%zu]", i);
			break;
		}
	}
	return rc;
}

enum dvt_code
core_config_wanted(
    struct core *c, const char *device, json_t **out, struct dvt_err *err)
{
	struct dvt_row_config_value *rows;
	size_t n;
	enum dvt_code rc = dvt_store_config_list(
	    core_tx(c), core_arena(c), device, &rows, &n, err);

	*out = NULL;
	if (rc != DVT_OK || n == 0)
		return rc;
	*out = json_array();
	for (size_t i = 0; i < n; i++)
		(void)json_array_append_new(
		    *out, json_pack("{s:s, s:I, s:s}", "name", rows[i].name,
			      "version", (json_int_t)rows[i].version,
			      "certificate", rows[i].certificate));
	return DVT_OK;
}

/* --- fetched, and given back --- */

enum dvt_code
core_config_fetch(struct core *c, const struct core_asker *from,
    const struct request *q, struct dvt_err *err)
{
	struct dvt_row_config_value v;
	struct core_owner o;
	struct dvt_buf sealed;
	const char *name = strncmp(q->query, "name=", 5) == 0 ? q->query + 5
							      : "";
	json_t *body;
	enum dvt_code rc;

	if ((rc = core_owner_by_certificate(
		 c, q->fingerprint, DVT_OWNER_DEVICE, &o, err)) != DVT_OK ||
	    (rc = dvt_store_config_get(
		 core_tx(c), core_arena(c), o.id, name, &v, err)) != DVT_OK)
		return rc;
	dvt_buf_init(&sealed, 2 * DVT_CONFIG_SEALED);
	dvt_base64_encode(&sealed, v.sealed, 0);
	body = json_pack("{s:s, s:I, s:s}", "name", v.name, "version",
	    (json_int_t)v.version, "sealed", dvt_buf_str(&sealed));
	core_answer_json(c, from, 200, body);
	json_decref(body);
	dvt_buf_fini(&sealed);
	return DVT_OK;
}

/*
 * Encrypted to the certificate of the update under way, before it is in use:
 * it was issued to this device, and the lease names its key.
 */
static enum dvt_code
check_leased(struct core *c, const struct core_owner *o,
    const char *certificate, struct dvt_err *err)
{
	struct dvt_row_credential next;
	struct dvt_row_config_lock lock;
	enum dvt_code rc;

	rc = dvt_store_credential_by_fingerprint(
	    core_tx(c), core_arena(c), certificate, &next, err);
	if (rc == DVT_OK)
		rc = dvt_store_config_lock_get(
		    core_tx(c), core_arena(c), o->id, &lock, err);
	if (rc != DVT_OK && rc != DVT_E_ABSENT)
		return rc;
	if (rc == DVT_OK && next.owner_kind == DVT_OWNER_DEVICE &&
	    strcmp(next.owner, o->id) == 0 && next.state == DVT_CRED_ISSUED &&
	    strcmp(next.key_digest, lock.key_digest) == 0 &&
	    lock.expires_at > core_now(c).wall_s)
		return DVT_OK;
	return dvt_fail(err, DVT_E_CONFLICT,
	    "certificate: no lease of an update names its key");
}

static enum dvt_code
reseal(struct core *c, const struct core_owner *o, const json_t *json,
    const char **certificate, struct dvt_err *err)
{
	static const char *const fields[] = {
	    "name", "version", "sealed", "certificate"};
	const char *name, *text;
	struct dvt_buf sealed;
	int64_t version;
	enum dvt_code rc;

	dvt_buf_init(&sealed, DVT_CONFIG_SEALED);
	if ((rc = dvt_json_only(json, fields, DVT_COUNT(fields), err)) ==
		DVT_OK &&
	    (rc = dvt_json_get_str(
		 json, "name", DVT_CONFIG_NAME, &name, err)) == DVT_OK &&
	    (rc = dvt_json_get_i64(
		 json, "version", 1, INT64_MAX, &version, err)) == DVT_OK &&
	    (rc = dvt_json_get_str(json, "sealed", 2 * DVT_CONFIG_SEALED, &text,
		 err)) == DVT_OK &&
	    (rc = dvt_json_opt_str(json, "certificate", DVT_DIGEST_HEX - 1,
		 o->credential.fingerprint, certificate, err)) == DVT_OK &&
	    (strcmp(*certificate, o->credential.fingerprint) == 0 ||
		(rc = check_leased(c, o, *certificate, err)) == DVT_OK) &&
	    (rc = dvt_base64_decode(dvt_span_str(text), &sealed, err)) ==
		DVT_OK &&
	    (rc = dvt_envelope_check(dvt_buf_span(&sealed), err)) == DVT_OK)
		rc = dvt_store_config_reseal(core_tx(c), o->id, name, version,
		    dvt_buf_span(&sealed), *certificate, err);
	dvt_buf_fini(&sealed);
	return rc;
}

enum dvt_code
core_config_give(struct core *c, const struct core_asker *from,
    const struct request *q, struct dvt_err *err)
{
	struct core_owner o;
	const char *certificate;
	json_t *json = NULL, *body;
	enum dvt_code rc;

	if ((rc = core_owner_by_certificate(
		 c, q->fingerprint, DVT_OWNER_DEVICE, &o, err)) != DVT_OK ||
	    (rc = dvt_json_parse(q->body, DVT_IPC_MSG_MAX, &json, err)) !=
		DVT_OK ||
	    (rc = reseal(c, &o, json, &certificate, err)) != DVT_OK)
		goto out;
	body = json_pack("{s:s}", "certificate", certificate);
	rc = core_audit(c, "core", "config.reseal", o.id, body, err);
	if (rc == DVT_OK)
		core_answer_json(c, from, 200, body);
	json_decref(body);
out:
	json_decref(json);
	return rc;
}

/* --- the lease --- */

/*
 * Proven by both keys: the old one by TLS, the next one by its signature over
 * both names. It was certified for this device, unconfirmed so far.
 */
static enum dvt_code
check_next(struct core *c, const struct core_owner *o, const char *update,
    const char *key_digest, const char *proof, struct dvt_err *err)
{
	struct dvt_row_credential next;
	struct dvt_buf text, sig;
	struct dvt_span der;
	const char *chain;
	X509 *cert = NULL;
	enum dvt_code rc;

	dvt_buf_init(&text, 1024);
	dvt_buf_init(&sig, 1024);
	dvt_buf_printf(&text, DVT_LOCK_TEXT, update, key_digest,
	    o->credential.fingerprint);
	rc = dvt_store_credential_newest_by_key(core_tx(c), core_arena(c),
	    DVT_OWNER_DEVICE, o->id, key_digest, &next, err);
	if (rc == DVT_E_ABSENT ||
	    (rc == DVT_OK && next.state != DVT_CRED_ISSUED))
		rc = dvt_fail(err, DVT_E_CONFLICT,
		    "key: no certificate waits to be used with it");
	if (rc == DVT_OK &&
	    (rc = dvt_store_certificate_get(core_tx(c), core_arena(c), o->id,
		 next.fingerprint, &der, &chain, err)) == DVT_OK &&
	    (rc = dvt_x509_from_der(der, &cert, err)) == DVT_OK &&
	    (rc = dvt_base64_decode(dvt_span_str(proof), &sig, err)) == DVT_OK)
		rc = dvt_key_verify(X509_get0_pubkey(cert), dvt_buf_span(&text),
		    dvt_buf_span(&sig), err);
	X509_free(cert);
	dvt_buf_fini(&text);
	dvt_buf_fini(&sig);
	return rc;
}

static enum dvt_code
lock(struct core *c, const struct core_owner *o, const json_t *json,
    struct dvt_row_config_lock *row, struct dvt_err *err)
{
	static const char *const fields[] = {"update", "key", "proof"};
	int64_t lease = 3 * o->device.period_s;
	const char *proof;
	json_t *detail;
	enum dvt_code rc;

	*row = (struct dvt_row_config_lock){
	    .device_id = o->id, .locked_at = core_now(c).wall_s};
	row->expires_at = row->locked_at + (lease > LEASE_S ? lease : LEASE_S);
	if ((rc = dvt_json_only(json, fields, DVT_COUNT(fields), err)) !=
		DVT_OK ||
	    (rc = dvt_json_get_str(json, "update", UPDATE_ID_MAX,
		 &row->update_id, err)) != DVT_OK ||
	    (rc = dvt_json_get_str(json, "key", DVT_DIGEST_HEX - 1,
		 &row->key_digest, err)) != DVT_OK ||
	    (rc = dvt_json_get_str(json, "proof", 2048, &proof, err)) !=
		DVT_OK ||
	    (rc = check_next(c, o, row->update_id, row->key_digest, proof,
		 err)) != DVT_OK ||
	    (rc = dvt_store_config_lock_set(core_tx(c), row, err)) != DVT_OK)
		return rc;
	detail = json_pack("{s:s, s:s, s:I}", "update", row->update_id, "key",
	    row->key_digest, "expires_at", (json_int_t)row->expires_at);
	rc = core_audit(c, "core", "config.lock", o->id, detail, err);
	json_decref(detail);
	return rc;
}

enum dvt_code
core_config_lock(struct core *c, const struct core_asker *from,
    const struct request *q, struct dvt_err *err)
{
	struct dvt_row_config_lock row;
	struct core_owner o;
	json_t *json = NULL, *body;
	enum dvt_code rc;

	if ((rc = core_owner_by_certificate(
		 c, q->fingerprint, DVT_OWNER_DEVICE, &o, err)) == DVT_OK &&
	    (rc = dvt_json_parse(q->body, DVT_CHECKIN_MAX, &json, err)) ==
		DVT_OK &&
	    (rc = lock(c, &o, json, &row, err)) == DVT_OK) {
		body = json_pack(
		    "{s:I}", "expires_at", (json_int_t)row.expires_at);
		core_answer_json(c, from, 200, body);
		json_decref(body);
	}
	json_decref(json);
	return rc;
}

enum dvt_code
core_config_unlock(struct core *c, const char *device, const char *update,
    const char *why, struct dvt_err *err)
{
	struct dvt_row_config_lock row;
	json_t *detail;
	enum dvt_code rc = dvt_store_config_lock_get(
	    core_tx(c), core_arena(c), device, &row, err);

	if (rc == DVT_E_ABSENT || (rc == DVT_OK && update != NULL &&
				      strcmp(update, row.update_id) != 0))
		return DVT_OK;
	if (rc != DVT_OK || (rc = dvt_store_config_lock_end(
				 core_tx(c), device, NULL, err)) != DVT_OK)
		return rc;
	detail = json_pack(
	    "{s:s, s:s}", "update", row.update_id, "reason", why);
	rc = core_audit(c, "core", "config.unlock", device, detail, err);
	json_decref(detail);
	return rc;
}
