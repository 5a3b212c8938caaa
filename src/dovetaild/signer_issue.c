/* SPDX-License-Identifier: Apache-2.0 */
/* Certificates: leaves by profile, authorities, cross-certificates. */
#include "base/log.h"
#include "dovetaild/signer_priv.h"
#include "pki/key.h"
#include "pki/seal.h"

#include <inttypes.h>
#include <stdio.h>

static const struct sign_profile *
profile_of(const struct signer *s, const char *digest)
{
	for (size_t i = 0; i < s->profile_n; i++) {
		if (strcmp(s->profile[i].digest, digest) == 0)
			return &s->profile[i];
	}
	return NULL;
}

static enum dvt_code
check_dates(const struct sign_profile *p, const struct sign_request *q,
    int64_t now, struct dvt_err *err)
{
	int64_t most = p->validity_s + p->jitter_s + p->backdate_s;

	if (q->not_after - q->not_before > most)
		return dvt_fail(err, DVT_E_DENIED,
		    "profile %s: asked for %" PRId64 " s, at most %" PRId64,
		    p->name, q->not_after - q->not_before, most);
	if (q->not_before > now ||
	    q->not_before < now - p->backdate_s - SIGNER_CLOCK_SLACK_S)
		return dvt_fail(err, DVT_E_DENIED,
		    "profile %s: notBefore is %" PRId64
		    " s from now; back-dating of %" PRId64 " s is allowed",
		    p->name, q->not_before - now, p->backdate_s);
	return DVT_OK;
}

static void
log_signed(const struct sign_request *q)
{
	char serial[DVT_SERIAL_HEX];

	if (!dvt_log_wants(LOG_DEBUG))
		return;
	dvt_serial_hex(q->serial, serial);
	log_event(LOG_DEBUG, "est.signed", LS("serial", serial));
}

enum dvt_code
signer_leaf(struct signer *s, const struct sign_request *q, int64_t now,
    struct signer_out *out, struct dvt_err *err)
{
	const struct sign_profile *p = profile_of(s, q->profile_digest);
	struct signer_authority *a;
	struct dvt_issue want = {
	    .subject = q->subject,
	    .spki = q->spki,
	    .not_before = q->not_before,
	    .not_after = q->not_after,
	    .sans = q->sans,
	    .sans_n = q->sans_n,
	    .san_der = q->san_der,
	    .key_usage = DVT_KU_DIGITAL_SIGNATURE,
	    .pathlen = -1,
	};
	enum dvt_code rc;

	if (p == NULL)
		return dvt_fail(err, DVT_E_DENIED,
		    "signer: no approved profile has digest %s",
		    q->profile_digest);
	if ((rc = check_dates(p, q, now, err)) != DVT_OK ||
	    (rc = signer_issuer(s, q->authority, &a, err)) != DVT_OK)
		return rc;
	memcpy(want.serial, q->serial, sizeof(want.serial));
	want.eku = (p->use_server ? DVT_EKU_SERVER : 0) |
		   (p->use_client ? DVT_EKU_CLIENT : 0);
	if ((rc = dvt_issue(&want, a->cert, a->key, now, &out->der, err)) ==
	    DVT_OK)
		log_signed(q);
	return rc;
}

/* The key as it is stored, bound to the certificate it belongs to. */
static enum dvt_code
wrap_for(struct signer *s, struct dvt_span der, EVP_PKEY *key,
    struct dvt_buf *out, struct dvt_err *err)
{
	char bound[DVT_DIGEST_HEX + 16], fingerprint[DVT_DIGEST_HEX];

	dvt_sha256_hex(der, fingerprint);
	snprintf(bound, sizeof(bound), "authority:%s", fingerprint);
	return signer_wrap_key(s, bound, key, out, err);
}

enum dvt_code
signer_make_authority(struct signer *s, const struct sign_request *q,
    int64_t now, struct signer_out *out, struct dvt_err *err)
{
	struct signer_authority *parent = NULL;
	struct dvt_issue want = {
	    .subject = q->subject,
	    .not_before = q->not_before,
	    .not_after = q->not_after,
	    .key_usage = DVT_KU_KEY_CERT_SIGN | DVT_KU_CRL_SIGN |
			 DVT_KU_DIGITAL_SIGNATURE,
	    .ca = true,
	    .pathlen = q->pathlen,
	};
	EVP_PKEY *key = NULL;
	struct dvt_buf spki;
	enum dvt_code rc;

	if (q->authority != 0 &&
	    (rc = signer_issuer(s, q->authority, &parent, err)) != DVT_OK)
		return rc;
	dvt_buf_init(&spki, SIGN_DER_MAX);
	memcpy(want.serial, q->serial, sizeof(want.serial));
	if ((rc = dvt_key_new(DVT_KEY_P256, 0, &key, err)) != DVT_OK ||
	    (rc = dvt_key_to_spki(key, &spki, err)) != DVT_OK)
		goto out;
	want.spki = dvt_buf_span(&spki);
	rc = dvt_issue(&want, parent == NULL ? NULL : parent->cert,
	    parent == NULL ? key : parent->key, now, &out->der, err);
	if (rc == DVT_OK)
		rc = wrap_for(
		    s, dvt_buf_span(&out->der), key, &out->wrapped, err);
out:
	EVP_PKEY_free(key);
	dvt_buf_fini(&spki);
	return rc;
}

enum dvt_code
signer_cross(struct signer *s, const struct sign_request *q, int64_t now,
    struct signer_out *out, struct dvt_err *err)
{
	struct signer_authority *fresh = signer_authority(s, q->authority2);
	struct signer_authority *old;
	enum dvt_code rc;

	if (fresh == NULL)
		return dvt_fail(err, DVT_E_DENIED,
		    "signer: no authority %" PRId64 " was loaded",
		    q->authority2);
	if ((rc = signer_issuer(s, q->authority, &old, err)) != DVT_OK)
		return rc;
	return dvt_issue_cross(fresh->cert, old->cert, old->key, now,
	    q->not_after, &out->der, err);
}

enum dvt_code
signer_import(struct signer *s, const struct sign_request *q,
    struct signer_out *out, struct dvt_err *err)
{
	struct dvt_secret plain = {NULL, 0};
	EVP_PKEY *key = NULL;
	X509 *cert = NULL;
	enum dvt_code rc;

	if ((rc = dvt_x509_from_der(q->der, &cert, err)) != DVT_OK)
		return rc;
	rc = dvt_unseal(s->import_key, DVT_SPAN_LIT(SIGNER_IMPORT_BOUND),
	    q->wrapped, &plain, err);
	if (rc != DVT_OK) {
		dvt_err_prefix(err, "the key was not sealed to this signer");
		goto out;
	}
	rc = dvt_key_from_pem((struct dvt_span){plain.p, plain.n}, &key, err);
	if (rc != DVT_OK || (rc = dvt_key_matches(key, cert, err)) != DVT_OK)
		goto out;
	rc = wrap_for(s, q->der, key, &out->wrapped, err);
out:
	dvt_secret_free(&plain);
	EVP_PKEY_free(key);
	X509_free(cert);
	return rc;
}
