/* SPDX-License-Identifier: Apache-2.0 */
/* The first rows of a new database, in one transaction. */
#include "base/log.h"
#include "dovetaild/core_gateway.h"
#include "dovetaild/est_rules.h"
#include "dovetaild/init_priv.h"
#include "dovetaild/policy.h"
#include "pki/key.h"
#include "store/audit.h"
#include "store/authority.h"
#include "store/credential.h"
#include "store/edge.h"
#include "store/people.h"
#include "store/trust.h"
#include "wire/json.h"

#include <openssl/rand.h>

#include <stdio.h>
#include <stdlib.h>

#define EPOCH "1"

/* --- authorities and profiles --- */

static int64_t
last_issue(const struct init *i, const struct init_authority *a)
{
	const struct sign_profile *p = a->use_device ? &i->profile[0]
						     : &i->profile[1];

	return est_last_issue(
	    dvt_x509_not_after(a->cert), p->validity_s, p->jitter_s);
}

static enum dvt_code
add_authority(struct init *i, struct dvt_tx *tx, struct init_authority *a,
    struct dvt_err *err)
{
	char fingerprint[DVT_DIGEST_HEX], key[DVT_DIGEST_HEX];
	char subject[DVT_DN_TEXT];
	struct dvt_row_authority row = {.id = a->id,
	    .name = a->name,
	    .state = DVT_AUTHORITY_ACTIVE,
	    .is_root = a->parent == 0,
	    .use_server = a->use_server,
	    .use_device = a->use_device,
	    .parent_id = a->parent,
	    .root_id = INIT_ROOT_ID,
	    .subject = dvt_x509_subject(a->cert, subject),
	    .fingerprint = fingerprint,
	    .key_digest = key,
	    .der = dvt_buf_span(&a->out.der),
	    .not_before = dvt_x509_not_before(a->cert),
	    .not_after = dvt_x509_not_after(a->cert),
	    .last_issue_at = last_issue(i, a),
	    .created_at = i->now};
	int64_t id;
	enum dvt_code rc;

	if (!a->key_offline)
		row.key_wrapped = dvt_buf_span(&a->out.wrapped);
	dvt_x509_fingerprint(a->cert, fingerprint);
	dvt_x509_key_digest(a->cert, key);
	rc = dvt_store_authority_add(tx, &row, &id, err);
	if (rc == DVT_OK && id != a->id)
		rc = dvt_fail(err, DVT_E_SYSTEM, "authority %s: number %lld",
		    a->name, (long long)id);
	return rc;
}

static enum dvt_code
add_profile(struct init *i, struct dvt_tx *tx, const struct sign_profile *p,
    struct dvt_err *err)
{
	struct dvt_row_profile row = {.name = p->name,
	    .issuer_id = p->issuer_id,
	    .validity_s = p->validity_s,
	    .jitter_s = p->jitter_s,
	    .backdate_s = p->backdate_s,
	    .renew_before_s = p->renew_before_s,
	    .use_server = p->use_server,
	    .use_client = p->use_client,
	    .digest = p->digest,
	    .approved_at = i->now};
	int64_t id;

	return dvt_store_profile_set(tx, &row, &id, err);
}

static enum dvt_code
add_pki(struct init *i, struct dvt_tx *tx, struct dvt_err *err)
{
	enum dvt_code rc = DVT_OK;

	for (int k = 0; rc == DVT_OK && k < INIT_AUTHORITIES; k++)
		rc = add_authority(i, tx, &i->authority[k], err);
	for (int k = 0; rc == DVT_OK && k < 3; k++)
		rc = add_profile(i, tx, &i->profile[k], err);
	return rc;
}

/* --- trust --- */

static enum dvt_code
add_trust_keys(struct init *i, struct dvt_tx *tx, struct dvt_err *err)
{
	enum dvt_code rc = DVT_OK;

	for (size_t k = 0; rc == DVT_OK && k < i->bundle.keys.n; k++) {
		const struct dvt_bundle_key *key = &i->bundle.keys.key[k];
		struct dvt_row_trust_key row = {
		    .keyid = key->keyid,
		    .role = key->role == DVT_ROLE_ONLINE ? DVT_TRUST_KEY_ONLINE
							 : DVT_TRUST_KEY_ROOT,
		    .spki = {key->spki, key->spki_n},
		    .state = DVT_TRUST_KEY_ACTIVE
                };

		if (key->role == DVT_ROLE_ONLINE)
			row.wrapped = dvt_buf_span(&i->online_wrapped);
		rc = dvt_store_trust_key_set(tx, &row, err);
	}
	return rc;
}

static enum dvt_code
add_bundle(struct init *i, struct dvt_tx *tx, struct dvt_err *err)
{
	char digest[DVT_DIGEST_HEX], anchors[256], loaded[128];
	const char *root = i->bundle.anchor[0].fingerprint;
	struct dvt_row_bundle row = {.version = 1,
	    .keys_version = 1,
	    .digest = digest,
	    .anchors = anchors,
	    .envelope = dvt_buf_str(&i->bundle_line),
	    .issued_at = i->bundle.issued_at,
	    .expires_at = i->bundle.expires_at,
	    .reason = "init"};
	enum dvt_code rc;

	dvt_bundle_anchor_digest(&i->bundle, digest);
	snprintf(anchors, sizeof(anchors),
	    "[{\"fingerprint\":\"%s\",\"priority\":\"primary\"}]", root);
	snprintf(loaded, sizeof(loaded), "[\"%s\"]", root);
	rc = dvt_store_bundle_add(tx, &row, err);
	if (rc == DVT_OK)
		rc = dvt_store_trust_store_put(tx, digest, loaded, err);
	return rc;
}

/* --- fronts --- */

static enum dvt_code
front_credential(struct init *i, struct dvt_tx *tx, const struct init_front *f,
    const char *names, const char *root, struct dvt_err *err)
{
	char fingerprint[DVT_DIGEST_HEX], key[DVT_DIGEST_HEX];
	char serial[DVT_SERIAL_HEX], issuer[DVT_DN_TEXT], subject[DVT_DN_TEXT];
	struct dvt_row_credential row = {.owner_kind = DVT_OWNER_FRONT,
	    .owner = f->name,
	    .fingerprint = fingerprint,
	    .generation = 1,
	    .state = DVT_CRED_ACTIVE,
	    .serial = serial,
	    .authority_id = INIT_SERVER_CA_ID,
	    .root = root,
	    .key_digest = key,
	    .issued_at = i->now,
	    .confirmed_at = i->now,
	    .revoke_reason = -1,
	    .source = "init"};
	struct dvt_row_gateway_credential shown = {.gateway = f->name,
	    .id = GATEWAY_START_ID,
	    .listener = "main",
	    .slot = DVT_GWSLOT_CURRENT,
	    .generation = 1,
	    .names = names,
	    .authority_id = INIT_SERVER_CA_ID,
	    .root = root,
	    .key_digest = key,
	    .fingerprint = fingerprint,
	    .created_at = i->now};
	struct dvt_buf chain;
	X509 *cert;
	enum dvt_code rc;

	if ((rc = dvt_x509_from_der(dvt_buf_span(&f->der), &cert, err)) !=
	    DVT_OK)
		return rc;
	dvt_x509_fingerprint(cert, fingerprint);
	dvt_x509_key_digest(cert, key);
	dvt_x509_serial(cert, serial);
	row.issuer = dvt_x509_issuer(cert, issuer);
	row.subject = dvt_x509_subject(cert, subject);
	row.not_before = dvt_x509_not_before(cert);
	row.not_after = shown.not_after = dvt_x509_not_after(cert);
	X509_free(cert);
	dvt_buf_init(&chain, DVT_CHAIN_PEM_MAX);
	dvt_buf_put_span(&chain, dvt_buf_span(&f->chain_pem));
	shown.chain_pem = dvt_buf_str(&chain);
	rc = dvt_store_credential_add(
	    tx, &row, dvt_buf_span(&f->der), "", NULL, err);
	if (rc == DVT_OK)
		rc = dvt_store_key_claim(
		    tx, key, DVT_OWNER_FRONT, f->name, err);
	if (rc == DVT_OK)
		rc = dvt_store_gateway_credential_put(tx, &shown, err);
	dvt_buf_fini(&chain);
	return rc;
}

static enum dvt_code
add_front(struct init *i, struct dvt_tx *tx, const struct init_front *f,
    const char *names, struct dvt_err *err)
{
	char root[DVT_DIGEST_HEX];
	struct dvt_row_gateway row = {.name = f->name,
	    .kind = DVT_EDGE_FRONT,
	    .names = names,
	    .default_root = root,
	    .created_at = i->now};
	enum dvt_code rc;

	dvt_x509_fingerprint(i->authority[0].cert, root);
	rc = dvt_store_gateway_add(tx, &row, err);
	return rc == DVT_OK ? front_credential(i, tx, f, names, root, err) : rc;
}

static enum dvt_code
add_fronts(struct init *i, struct dvt_tx *tx, struct dvt_err *err)
{
	json_t *names = json_array();
	struct dvt_buf text;
	enum dvt_code rc = DVT_OK;

	dvt_buf_init(&text, 16384);
	for (size_t k = 0; k < i->options.front_n; k++)
		(void)json_array_append_new(
		    names, json_string(i->options.front_name[k]));
	dvt_json_put(&text, names);
	for (int64_t k = 0; rc == DVT_OK && k < i->options.fronts; k++)
		rc = add_front(i, tx, &i->front[k], dvt_buf_str(&text), err);
	json_decref(names);
	dvt_buf_fini(&text);
	return rc;
}

/* --- people --- */

const char *const init_token_names[3] = {"operator", "approver", "admin"};

static enum dvt_code
add_tokens(struct init *i, struct dvt_tx *tx, struct dvt_err *err)
{
	static const enum dvt_token_role roles[] = {
	    DVT_ROLE_OPERATOR, DVT_ROLE_APPROVER, DVT_ROLE_ADMIN};
	enum dvt_code rc = DVT_OK;

	for (int k = 0; rc == DVT_OK && k < 3; k++) {
		uint8_t bytes[32];
		char hash[DVT_DIGEST_HEX], hex[2 * sizeof(bytes) + 1];
		struct dvt_row_token row = {.name = init_token_names[k],
		    .created_by = "",
		    .role = roles[k],
		    .hash = hash,
		    .created_at = i->now};

		if (RAND_bytes(bytes, sizeof(bytes)) != 1)
			return dvt_fail(err, DVT_E_SYSTEM, "no random numbers");
		dvt_hex(bytes, sizeof(bytes), hex, sizeof(hex));
		snprintf(i->token[k], sizeof(i->token[k]), "dvt_%s", hex);
		dvt_sha256_hex(dvt_span_str(i->token[k]), hash);
		rc = dvt_store_token_add(tx, &row, NULL, err);
	}
	return rc;
}

static enum dvt_code
add_meta(struct init *i, struct dvt_tx *tx, struct dvt_err *err)
{
	char stream[DVT_AUDIT_STREAM_SIZE], node[32];
	uint8_t bytes[6];
	struct dvt_row_audit row = {.at = i->now,
	    .actor = "init",
	    .action = "fleet.init",
	    .object = i->options.fleet};
	enum dvt_code rc;

	if (RAND_bytes(bytes, sizeof(bytes)) != 1)
		return dvt_fail(err, DVT_E_SYSTEM, "no random numbers");
	dvt_hex(bytes, sizeof(bytes), node, sizeof(node));
	if ((rc = dvt_store_meta_set(tx, "fleet", i->options.fleet, err)) !=
		DVT_OK ||
	    (rc = dvt_store_meta_set(tx, "epoch", EPOCH, err)) != DVT_OK ||
	    (rc = dvt_store_meta_set(tx, "node", node, err)) != DVT_OK ||
	    (rc = dvt_store_meta_set(tx, POLICY_TRUST_META,
		 dvt_buf_str(&i->trust_list), err)) != DVT_OK ||
	    (rc = dvt_store_audit_open(tx, node, i->now, stream, err)) !=
		DVT_OK)
		return rc;
	row.stream = stream;
	return dvt_store_audit_append(tx, &row, NULL, err);
}

static enum dvt_code
add_all(struct init *i, struct dvt_tx *tx, struct dvt_err *err)
{
	enum dvt_code rc;

	if ((rc = add_meta(i, tx, err)) != DVT_OK ||
	    (rc = add_pki(i, tx, err)) != DVT_OK ||
	    (rc = add_trust_keys(i, tx, err)) != DVT_OK ||
	    (rc = add_bundle(i, tx, err)) != DVT_OK ||
	    (rc = add_fronts(i, tx, err)) != DVT_OK)
		return rc;
	return add_tokens(i, tx, err);
}

enum dvt_code
init_rows(struct init *i, struct dvt_err *err)
{
	struct dvt_store *store = NULL;
	struct dvt_tx *tx = NULL;
	char path[1200];
	enum dvt_code rc;

	snprintf(path, sizeof(path), "%s/%s", i->dir, DIR_DATABASE);
	if ((rc = dvt_store_open(path, DVT_STORE_WRITE, &store, err)) !=
		DVT_OK ||
	    (rc = dvt_store_migrate(store, err)) != DVT_OK ||
	    (rc = dvt_tx_begin(store, &tx, err)) != DVT_OK)
		goto out;
	rc = add_all(i, tx, err);
	if (rc == DVT_OK)
		rc = dvt_tx_commit(tx, err);
	else
		dvt_tx_rollback(tx);
out:
	dvt_store_close(store);
	return rc;
}
