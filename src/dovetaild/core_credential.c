/* SPDX-License-Identifier: Apache-2.0 */
/* Certificates into the inventory: issued, confirmed, superseded. */
#include "base/log.h"
#include "dovetaild/core_config.h"
#include "dovetaild/core_owner.h"
#include "dovetaild/core_priv.h"
#include "dovetaild/core_rotation.h"
#include "pki/key.h"
#include "proto/feed.h"
#include "store/authority.h"
#include "store/credential.h"
#include "store/device.h"
#include "wire/cert.h"

#include <inttypes.h>
#include <stdio.h>

/* Serial as dvt_x509_serial() writes it: no sign byte, at least one. */
static const char *
serial_text(struct core *c, struct dvt_span serial)
{
	char hex[DVT_SERIAL_HEX];

	while (serial.n > 1 && serial.p[0] == 0)
		serial = dvt_span_from(serial, 1);
	dvt_hex(serial.p, serial.n, hex, sizeof(hex));
	return dvt_arena_strdup(core_arena(c), hex);
}

/*
 * What a certificate that our signer made says of itself, read as spans:
 * OpenSSL's decoders would take longer than all the rest of a request.
 */
static enum dvt_code
describe(struct core *c, struct dvt_span der, struct dvt_row_credential *row,
    struct dvt_err *err)
{
	struct dvt_arena *a = core_arena(c);
	struct dvt_cert *cert = dvt_arena_alloc(a, sizeof(*cert));
	char text[DVT_DN_TEXT], hex[DVT_DIGEST_HEX];
	enum dvt_code rc = dvt_cert_parse(der, cert, err);

	if (rc != DVT_OK)
		return rc;
	if (2 * cert->serial.n >= DVT_SERIAL_HEX)
		return dvt_fail(
		    err, DVT_E_LIMIT, "serial of %zu bytes", cert->serial.n);
	dvt_sha256_hex(der, hex);
	row->fingerprint = dvt_arena_strdup(a, hex);
	dvt_sha256_hex(cert->spki.der, hex);
	row->key_digest = dvt_arena_strdup(a, hex);
	row->serial = serial_text(c, cert->serial);
	row->subject = dvt_arena_strdup(
	    a, dvt_x509_name_text(cert->subject, text));
	row->not_before = cert->not_before;
	row->not_after = cert->not_after;
	row->revoke_reason = -1;
	return DVT_OK;
}

/* Issuer's name, and fingerprint of the root above it, "" when not known. */
static enum dvt_code
describe_issuer(
    struct core *c, struct dvt_row_credential *row, struct dvt_err *err)
{
	struct dvt_row_authority a, root;
	enum dvt_code rc;

	row->root = "";
	rc = dvt_store_authority_get(
	    core_tx(c), core_arena(c), row->authority_id, &a, err);
	if (rc != DVT_OK)
		return rc;
	row->issuer = a.subject;
	if (a.is_root)
		row->root = a.fingerprint;
	if (a.is_root || a.root_id == 0)
		return DVT_OK;
	rc = dvt_store_authority_get(
	    core_tx(c), core_arena(c), a.root_id, &root, err);
	if (rc == DVT_OK)
		row->root = root.fingerprint;
	return rc;
}

static enum dvt_code
tell_issued(struct core *c, const struct core_issue *i,
    const struct dvt_row_credential *row, struct dvt_err *err)
{
	json_t *detail = json_pack("{s:s, s:s, s:s, s:I, s:I}", "fingerprint",
	    row->fingerprint, "serial", row->serial, "issuer", row->issuer,
	    "not_after", (json_int_t)row->not_after, "generation",
	    (json_int_t)row->generation);
	char actor[DVT_DEVICE_ID_MAX + 16];
	enum dvt_code rc;

	snprintf(actor, sizeof(actor), "%s:%s", dvt_owner_kind_name(i->kind),
	    i->owner);
	rc = core_audit(c, actor, "certificate.issue", i->owner, detail, err);
	if (rc == DVT_OK)
		rc = core_event(c, "CERTIFICATE_ISSUED",
		    i->kind == DVT_OWNER_DEVICE ? i->owner : "", "", detail,
		    err);
	json_decref(detail);
	return rc;
}

enum dvt_code
core_issue_record(
    struct core *c, const struct core_issue *i, struct dvt_err *err)
{
	struct dvt_row_credential row = {.owner_kind = i->kind,
	    .owner = i->owner,
	    .state = DVT_CRED_ISSUED,
	    .authority_id = i->authority,
	    .issued_at = core_now(c).wall_s,
	    .source = i->source};
	enum dvt_code rc;

	if ((rc = describe(c, i->der, &row, err)) != DVT_OK ||
	    (rc = describe_issuer(c, &row, err)) != DVT_OK ||
	    (rc = dvt_store_key_claim(core_tx(c), row.key_digest, i->kind,
		 i->owner, err)) != DVT_OK ||
	    (rc = dvt_store_credential_add(
		 core_tx(c), &row, i->der, "", &row.generation, err)) != DVT_OK)
		return rc;
	if (i->kind == DVT_OWNER_DEVICE &&
	    ((rc = dvt_store_device_renewed(
		  core_tx(c), i->owner, row.issued_at, err)) != DVT_OK ||
		(rc = core_rotation_issued(
		     c, i->owner, row.fingerprint, err)) != DVT_OK ||
		(rc = core_feed_device(c, i->owner, err)) != DVT_OK))
		return rc;
	return tell_issued(c, i, &row, err);
}

/* --- confirmed --- */

static enum dvt_code
supersede_older(
    struct core *c, const struct dvt_row_credential *cred, struct dvt_err *err)
{
	int64_t now = core_now(c).wall_s;
	int64_t hold = now + dvt_config_int(core_config(c), "certificate.hold");
	struct dvt_row_credential *old;
	size_t n;
	enum dvt_code rc = dvt_store_credential_older_active(core_tx(c),
	    core_arena(c), cred->owner_kind, cred->owner, cred->fingerprint,
	    DVT_LIST_MAX, &old, &n, err);

	for (size_t i = 0; rc == DVT_OK && i < n; i++) {
		if (old[i].generation < cred->generation)
			rc = dvt_store_credential_supersede(
			    core_tx(c), old[i].fingerprint, now, hold, err);
	}
	return rc;
}

static enum dvt_code
tell_confirmed(
    struct core *c, const struct dvt_row_credential *cred, struct dvt_err *err)
{
	json_t *detail = json_pack("{s:s, s:s, s:I}", "fingerprint",
	    cred->fingerprint, "key_digest", cred->key_digest, "generation",
	    (json_int_t)cred->generation);
	char actor[DVT_DEVICE_ID_MAX + 16];
	enum dvt_code rc;

	snprintf(actor, sizeof(actor), "%s:%s",
	    dvt_owner_kind_name(cred->owner_kind), cred->owner);
	rc = core_audit(
	    c, actor, "certificate.confirm", cred->owner, detail, err);
	if (rc == DVT_OK && cred->owner_kind == DVT_OWNER_DEVICE)
		rc = core_event(
		    c, "DEVICE_PUBKEY_CHANGE", cred->owner, "", detail, err);
	json_decref(detail);
	return rc;
}

enum dvt_code
core_confirm(
    struct core *c, const struct dvt_row_credential *cred, struct dvt_err *err)
{
	int64_t now = core_now(c).wall_s;
	enum dvt_code rc;

	if (cred->state != DVT_CRED_ISSUED)
		return DVT_OK;
	rc = dvt_store_credential_confirm(
	    core_tx(c), cred->fingerprint, now, err);
	if (rc != DVT_OK || (rc = supersede_older(c, cred, err)) != DVT_OK ||
	    (rc = tell_confirmed(c, cred, err)) != DVT_OK)
		return rc;
	if (cred->owner_kind == DVT_OWNER_FRONT)
		return DVT_OK;
	rc = dvt_store_secret_used(core_tx(c),
	    cred->owner_kind == DVT_OWNER_DEVICE ? DVT_SECRET_DEVICE
						 : DVT_SECRET_GATEWAY,
	    cred->owner, now, err);
	if (rc == DVT_OK && cred->owner_kind == DVT_OWNER_DEVICE)
		rc = core_feed_device(c, cred->owner, err);
	if (rc == DVT_OK && cred->owner_kind == DVT_OWNER_DEVICE)
		rc = core_config_unlock(
		    c, cred->owner, NULL, "the new key is in use", err);
	return rc;
}

enum dvt_code
core_deny_superseded(
    struct core *c, const struct dvt_row_credential *row, struct dvt_err *err)
{
	json_t *body;
	enum dvt_code rc = dvt_store_credential_denied(
	    core_tx(c), row->fingerprint, core_now(c).wall_s, err);

	if (rc == DVT_OK)
		rc = core_audit(
		    c, "core", "certificate.deny", row->owner, NULL, err);
	if (rc != DVT_OK || row->owner_kind != DVT_OWNER_DEVICE)
		return rc;
	body = json_pack("{s:s, s:s, s:I}", "reason",
	    dvt_deny_reason_name(DVT_DENY_SUPERSEDED), "device", row->owner,
	    "not_after", (json_int_t)row->not_after);
	rc = core_feed_set(c, "deny", row->fingerprint, "", body, NULL, err);
	json_decref(body);
	return rc == DVT_OK ? core_feed_device(c, row->owner, err) : rc;
}
