/* SPDX-License-Identifier: Apache-2.0 */
/* Who it is: by certificate, or by a one-time secret. */
#include "dovetaild/core_owner.h"
#include "dovetaild/core_rotation.h"

#include "base/log.h"
#include "dovetaild/est_rules.h"
#include "proc/config.h"
#include "store/agent.h"
#include "store/authority.h"
#include "store/credential.h"
#include "store/device.h"
#include "store/edge.h"
#include "store/rotation.h"
#include "wire/cert.h"
#include "wire/name.h"
#include "wire/oid.h"

#include <openssl/crypto.h>

#include <inttypes.h>
#include <stdio.h>

/* Subject of those whose name alone is known: CN=<name>. */
static enum dvt_code
name_of(
    struct core *c, const char *name, struct dvt_span *out, struct dvt_err *err)
{
	struct dvt_buf b;
	uint8_t *copy;
	enum dvt_code rc;

	dvt_buf_init(&b, 1024);
	if ((rc = dvt_name_from_cn(name, &b, err)) == DVT_OK) {
		copy = dvt_arena_alloc(core_arena(c), b.n);
		memcpy(copy, b.p, b.n);
		*out = (struct dvt_span){copy, b.n};
	}
	dvt_buf_fini(&b);
	return rc;
}

/* Instructions to renew that are out for this device. */
static enum dvt_code
look_at_mail(struct core *c, struct core_owner *o, struct dvt_err *err)
{
	struct dvt_row_mail *mail;
	size_t n;
	enum dvt_code rc = dvt_store_mail_list(
	    core_tx(c), core_arena(c), o->id, &mail, &n, err);

	for (size_t i = 0; rc == DVT_OK && i < n; i++) {
		struct dvt_rotation r;

		if (mail[i].action != DVT_MAIL_RENEW)
			continue;
		o->told_to_renew = true;
		if (mail[i].rotation_id == 0)
			continue;
		rc = dvt_store_rotation_get(
		    core_tx(c), mail[i].rotation_id, &r, err);
		if (rc == DVT_OK && r.kind == DVT_ROT_DEVICE_CA &&
		    (r.state == DVT_ROT_RUNNING || r.state == DVT_ROT_PAUSED))
			rc = core_rotation_issuer(
			    c, r.to_id, &o->rotation_to, err);
	}
	return rc;
}

static enum dvt_code
take_device(
    struct core *c, const char *id, struct core_owner *o, struct dvt_err *err)
{
	enum dvt_code rc;

	rc = dvt_store_device_get(
	    core_tx(c), core_arena(c), id, &o->device, err);
	if (rc == DVT_E_ABSENT)
		return dvt_fail(
		    err, DVT_E_AUTH, "device %s is not in the inventory", id);
	if (rc != DVT_OK ||
	    (rc = est_check_device(id, o->device.state, err)) != DVT_OK)
		return rc;
	o->id = o->device.device_id;
	o->subject_der = o->device.subject_der;
	o->san_der = o->device.san_der;
	if (o->subject_der.n == 0 &&
	    (rc = name_of(c, o->id, &o->subject_der, err)) != DVT_OK)
		return rc;
	return look_at_mail(c, o, err);
}

static enum dvt_code
take_gateway(
    struct core *c, const char *name, struct core_owner *o, struct dvt_err *err)
{
	struct dvt_row_gateway g;
	enum dvt_code rc = dvt_store_gateway_get(
	    core_tx(c), core_arena(c), name, &g, err);

	if (rc == DVT_E_ABSENT)
		return dvt_fail(
		    err, DVT_E_AUTH, "there is no gateway %s", name);
	if (rc != DVT_OK)
		return rc;
	o->id = g.name;
	return name_of(c, o->id, &o->subject_der, err);
}

static enum dvt_code
take_owner(struct core *c, enum dvt_owner_kind kind, const char *id,
    struct core_owner *o, struct dvt_err *err)
{
	o->kind = kind;
	if (kind == DVT_OWNER_DEVICE)
		return take_device(c, id, o, err);
	return take_gateway(c, id, o, err);
}

/* The label is the profile; an owner may ask for its own alone. */
static enum dvt_code
take_profile(struct core *c, const char *label, struct core_owner *o,
    struct dvt_err *err)
{
	const char *own = "gateway";
	enum dvt_code rc;

	if (o->kind == DVT_OWNER_DEVICE)
		own = o->device.profile[0] != '\0' ? o->device.profile
						   : "device";
	if (label[0] != '\0' && strcmp(label, own) != 0)
		return dvt_fail(err, DVT_E_INPUT,
		    "%s enrols at label \"%s\", not \"%s\"", o->id, own, label);
	rc = dvt_store_profile_by_name(
	    core_tx(c), core_arena(c), own, &o->profile, err);
	if (rc == DVT_E_ABSENT)
		rc = dvt_fail(err, DVT_E_INPUT, "there is no profile %s", own);
	return rc;
}

static enum dvt_code
check_credential(struct core *c, struct core_owner *o, bool may_have_ended,
    struct dvt_err *err)
{
	struct est_credential cred = {o->credential.state,
	    o->credential.not_after, o->credential.hold_until};

	o->ended = cred.state == DVT_CRED_EXPIRED ||
		   (cred.state != DVT_CRED_REVOKED &&
		       cred.not_after < core_now(c).wall_s);
	if (o->ended && may_have_ended)
		return DVT_OK;
	if (o->ended)
		cred.state = DVT_CRED_EXPIRED;
	return est_check_credential(&cred,
	    dvt_config_int(core_config(c), "certificate.mendLane"),
	    core_now(c).wall_s, err);
}

static enum dvt_code
by_certificate(struct core *c, const char *fingerprint,
    enum dvt_owner_kind kind, bool may_have_ended, struct core_owner *out,
    struct dvt_err *err)
{
	enum dvt_code rc;

	memset(out, 0, sizeof(*out));
	rc = dvt_store_credential_by_fingerprint(
	    core_tx(c), core_arena(c), fingerprint, &out->credential, err);
	if (rc == DVT_E_ABSENT)
		return dvt_fail(err, DVT_E_AUTH,
		    "the inventory does not know this certificate (%.16s...)",
		    fingerprint);
	if (rc != DVT_OK)
		return rc;
	out->has_credential = true;
	if (kind != DVT_OWNER_N && out->credential.owner_kind != kind)
		return dvt_fail(err, DVT_E_DENIED,
		    "this is the certificate of %s %s, not of a %s",
		    dvt_owner_kind_name(out->credential.owner_kind),
		    out->credential.owner, dvt_owner_kind_name(kind));
	if ((rc = check_credential(c, out, may_have_ended, err)) != DVT_OK)
		return rc;
	return take_owner(
	    c, out->credential.owner_kind, out->credential.owner, out, err);
}

enum dvt_code
core_owner_by_certificate(struct core *c, const char *fingerprint,
    enum dvt_owner_kind kind, struct core_owner *out, struct dvt_err *err)
{
	return by_certificate(c, fingerprint, kind, false, out, err);
}

/* --- a certificate that has ended --- */

static enum dvt_code
check_grant(struct core *c, const struct est_request *q, struct core_owner *o,
    struct dvt_err *err)
{
	struct dvt_row_grant g;
	enum dvt_code rc = dvt_store_grant_get(
	    core_tx(c), core_arena(c), q->grant, &g, err);

	if (rc != DVT_OK && rc != DVT_E_ABSENT)
		return rc;
	if (rc == DVT_E_ABSENT || strcmp(g.device_id, o->id) != 0 ||
	    strcmp(g.certificate, o->credential.fingerprint) != 0)
		return dvt_fail(err, DVT_E_DENIED,
		    "this grant is not for this device and certificate");
	if (g.key_digest[0] != '\0' && strcmp(g.key_digest, q->key_digest) != 0)
		return dvt_fail(
		    err, DVT_E_DENIED, "this grant was used with another key");
	if (g.expires_at <= core_now(c).wall_s)
		return dvt_fail(err, DVT_E_DENIED, "this grant has ended");
	o->grant = g.id;
	return DVT_OK;
}

/* By policy: the newest certificate, not for too long. */
static enum dvt_code
check_policy(struct core *c, struct core_owner *o, struct dvt_err *err)
{
	int64_t most = dvt_config_int(core_config(c), "enrol.expiredRenew");
	int64_t ago = core_now(c).wall_s - o->credential.not_after;
	struct dvt_row_credential *rows;
	size_t n;
	enum dvt_code rc = dvt_store_credential_of_owner(
	    core_tx(c), core_arena(c), o->kind, o->id, 1, &rows, &n, err);

	if (rc != DVT_OK)
		return rc;
	if (most > 0 && ago <= most && n == 1 &&
	    strcmp(rows[0].fingerprint, o->credential.fingerprint) == 0)
		return DVT_OK;
	return dvt_fail(err, DVT_E_DENIED,
	    "this certificate ended %" PRId64 " s ago; a grant lets %s return "
	    "(dovetail device recover)",
	    ago, o->id);
}

static enum dvt_code
check_ended(struct core *c, const struct est_request *q, struct core_owner *o,
    struct dvt_err *err)
{
	if (!o->ended)
		return DVT_OK;
	if (o->kind == DVT_OWNER_DEVICE && q->grant[0] != '\0')
		return check_grant(c, q, o, err);
	return check_policy(c, o, err);
}

/* --- a certificate of an imported authority that is not listed yet --- */

static enum dvt_code
issued_by_import(
    struct core *c, const struct dvt_cert *cert, bool *yes, struct dvt_err *err)
{
	struct dvt_row_authority *rows;
	int64_t after = 0;
	size_t n;
	enum dvt_code rc;

	*yes = false;
	do {
		rc = dvt_store_authority_list(core_tx(c), core_arena(c), after,
		    DVT_LIST_MAX, &rows, &n, err);
		for (size_t i = 0; rc == DVT_OK && i < n; i++) {
			struct dvt_span der = rows[i].der;
			struct dvt_cert ca;

			after = rows[i].id;
			if (rows[i].imported && rows[i].use_device &&
			    rows[i].state == DVT_AUTHORITY_ACTIVE &&
			    dvt_cert_parse(der, &ca, NULL) == DVT_OK &&
			    dvt_span_eq(ca.subject, cert->issuer))
				*yes = true;
		}
	} while (rc == DVT_OK && n == DVT_LIST_MAX && !*yes);
	return rc;
}

/*
 * First enrolment by a factory certificate: TLS has verified it under a
 * device anchor; it names, by its common name, a device of the inventory that
 * has no certificate yet.
 */
static enum dvt_code
by_factory_certificate(struct core *c, const struct est_request *q,
    struct core_owner *out, struct dvt_err *err)
{
	struct dvt_row_credential *rows;
	struct dvt_span cn;
	struct dvt_cert cert;
	char id[DVT_DEVICE_ID_MAX + 1];
	size_t n;
	bool ours;
	enum dvt_code rc;

	if (q->reenroll || q->client.n == 0 ||
	    dvt_cert_parse(q->client, &cert, NULL) != DVT_OK ||
	    dvt_name_get(cert.subject, DVT_OID_COMMON_NAME, &cn, NULL) !=
		DVT_OK ||
	    cn.n >= sizeof(id))
		return DVT_E_AUTH; /* the text is there already */
	if (cert.not_after < core_now(c).wall_s)
		return dvt_fail(err, DVT_E_DENIED,
		    "this certificate ended %" PRId64 " s ago",
		    core_now(c).wall_s - cert.not_after);
	if ((rc = issued_by_import(c, &cert, &ours, err)) != DVT_OK)
		return rc;
	snprintf(id, sizeof(id), "%.*s", (int)cn.n, (const char *)cn.p);
	rc = dvt_store_credential_of_owner(
	    core_tx(c), core_arena(c), DVT_OWNER_DEVICE, id, 1, &rows, &n, err);
	if (rc != DVT_OK)
		return rc;
	if (!ours || n > 0)
		return dvt_fail(err, DVT_E_AUTH,
		    "the inventory does not list this certificate%s",
		    n > 0 ? ", and its device has others" : "");
	memset(out, 0, sizeof(*out));
	return take_owner(c, DVT_OWNER_DEVICE, id, out, err);
}

/* --- by secret --- */

static enum dvt_code
wrong_secret(struct core *c, const struct est_request *q, struct dvt_err *err)
{
	(void)c;
	log_event(LOG_WARNING, "est.secret.wrong", LS("owner", q->user),
	    LS("address", q->address));
	return dvt_fail(err, DVT_E_AUTH,
	    "the one-time secret of %s is wrong, spent or over", q->user);
}

static enum dvt_code
check_secret(struct core *c, const struct est_request *q,
    enum dvt_secret_owner kind, struct dvt_err *err)
{
	struct dvt_row_secret row;
	enum dvt_code rc = dvt_store_secret_get(
	    core_tx(c), core_arena(c), kind, q->user, &row, err);

	if (rc == DVT_E_ABSENT)
		return wrong_secret(c, q, err);
	if (rc != DVT_OK)
		return rc;
	if (strlen(row.hash) != DVT_DIGEST_HEX - 1 ||
	    CRYPTO_memcmp(row.hash, q->secret_hash, DVT_DIGEST_HEX - 1) != 0 ||
	    row.expires_at <= core_now(c).wall_s || row.used_at != 0)
		return wrong_secret(c, q, err);
	if (row.key_digest[0] != '\0' &&
	    strcmp(row.key_digest, q->key_digest) != 0)
		return dvt_fail(err, DVT_E_DENIED,
		    "the one-time secret of %s was used with another key",
		    q->user);
	return DVT_OK;
}

static enum dvt_code
by_secret(struct core *c, const struct est_request *q, struct core_owner *out,
    struct dvt_err *err)
{
	bool gateway = strcmp(q->label, "gateway") == 0;
	enum dvt_code rc;

	memset(out, 0, sizeof(*out));
	if (q->reenroll)
		return dvt_fail(err, DVT_E_AUTH,
		    "simplereenroll is asked with the current certificate");
	rc = check_secret(
	    c, q, gateway ? DVT_SECRET_GATEWAY : DVT_SECRET_DEVICE, err);
	if (rc != DVT_OK)
		return rc;
	out->by_secret = true;
	return take_owner(c, gateway ? DVT_OWNER_GATEWAY : DVT_OWNER_DEVICE,
	    q->user, out, err);
}

enum dvt_code
core_owner_find(struct core *c, const struct est_request *q,
    struct core_owner *out, struct dvt_err *err)
{
	enum dvt_code rc;

	if (q->fingerprint[0] == '\0') {
		rc = by_secret(c, q, out, err);
	} else {
		rc = by_certificate(
		    c, q->fingerprint, DVT_OWNER_N, q->reenroll, out, err);
		if (rc == DVT_OK)
			rc = check_ended(c, q, out, err);
		else if (rc == DVT_E_AUTH)
			rc = by_factory_certificate(c, q, out, err);
	}
	return rc == DVT_OK ? take_profile(c, q->label, out, err) : rc;
}
