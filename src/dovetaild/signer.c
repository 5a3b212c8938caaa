/* SPDX-License-Identifier: Apache-2.0 */
#include "dovetaild/signer.h"

#include "dovetaild/signer_priv.h"
#include "pki/key.h"
#include "pki/ssl_err.h"

#include <openssl/hmac.h>

#include <inttypes.h>
#include <stdlib.h>

/* The wrapping key is not the secret itself: that may be a passphrase's. */
static enum dvt_code
derive(const struct dvt_secret *unlock, uint8_t key[DVT_WRAP_KEY],
    struct dvt_err *err)
{
	static const char label[] = "dovetail keys at rest 1";
	unsigned n = DVT_WRAP_KEY;

	if (unlock->n != SIGNER_SECRET_BYTES)
		return dvt_fail(err, DVT_E_INPUT,
		    "unlocking secret: %zu bytes, not %d", unlock->n,
		    SIGNER_SECRET_BYTES);
	if (HMAC(EVP_sha256(), unlock->p, SIGNER_SECRET_BYTES,
		(const uint8_t *)label, sizeof(label) - 1, key, &n) == NULL)
		return dvt_fail_ssl(err, DVT_E_SYSTEM, "unlocking secret");
	return DVT_OK;
}

enum dvt_code
signer_new(
    const struct dvt_secret *unlock, struct signer **out, struct dvt_err *err)
{
	struct signer *s = dvt_alloc(sizeof(*s));
	enum dvt_code rc;

	*out = NULL;
	if ((rc = derive(unlock, s->wrap_key, err)) != DVT_OK ||
	    (rc = dvt_key_new(DVT_KEY_P256, 0, &s->import_key, err)) !=
		DVT_OK) {
		signer_free(s);
		return rc;
	}
	*out = s;
	return DVT_OK;
}

void
signer_free(struct signer *s)
{
	if (s == NULL)
		return;
	for (size_t i = 0; i < s->authority_n; i++) {
		X509_free(s->authority[i].cert);
		EVP_PKEY_free(s->authority[i].key);
	}
	EVP_PKEY_free(s->import_key);
	EVP_PKEY_free(s->online);
	dvt_cleanse(s, sizeof(*s));
	free(s);
}

void
signer_out_init(struct signer_out *o)
{
	dvt_buf_init(&o->der, SIGN_CRL_MAX);
	dvt_buf_init(&o->wrapped, SIGN_WRAPPED_MAX);
	dvt_buf_init(&o->line, SIGN_LINE_MAX);
}

void
signer_out_fini(struct signer_out *o)
{
	dvt_buf_fini(&o->der);
	dvt_buf_fini(&o->wrapped);
	dvt_buf_fini(&o->line);
}

enum dvt_code
signer_wrap_key(const struct signer *s, const char *bound, const EVP_PKEY *key,
    struct dvt_buf *out, struct dvt_err *err)
{
	struct dvt_secret der = {NULL, 0};
	enum dvt_code rc;

	if ((rc = dvt_key_to_pkcs8(key, &der, err)) != DVT_OK)
		return rc;
	rc = dvt_wrap(s->wrap_key, dvt_span_str(bound),
	    (struct dvt_span){der.p, der.n}, out, err);
	dvt_secret_free(&der);
	return rc;
}

/* A clock that is wrong backwards would issue what has ended already. */
static enum dvt_code
check_clock(const struct signer *s, int64_t now, struct dvt_err *err)
{
	if (now < DVT_BUILD_DATE)
		return dvt_fail(err, DVT_E_LATER,
		    "this host's clock is %" PRId64
		    " s before this program was released",
		    (int64_t)DVT_BUILD_DATE - now);
	if (now < s->last_issue_at - SIGNER_CLOCK_SLACK_S)
		return dvt_fail(err, DVT_E_LATER,
		    "this host's clock runs backwards: %" PRId64
		    " s behind the last certificate issued",
		    s->last_issue_at - now);
	return DVT_OK;
}

enum dvt_code
signer_do(struct signer *s, const struct sign_request *q, int64_t now,
    struct signer_out *out, struct dvt_err *err)
{
	enum dvt_code rc;

	switch (q->kind) {
	case SIGN_LOAD_AUTHORITY:
		return signer_load_authority(s, q, err);
	case SIGN_LOAD_PROFILE:
		return signer_load_profile(s, q, err);
	case SIGN_LOAD_TRUST_KEY:
		return signer_load_trust_key(s, q, err);
	case SIGN_LOADED:
		return signer_loaded(s, q, out, err);
	case SIGN_IMPORT:
		return signer_import(s, q, out, err);
	case SIGN_LEAF:
	case SIGN_AUTHORITY:
	case SIGN_CROSS:
	case SIGN_DSSE:
	case SIGN_CRL:
	case SIGN_KIND_N:
		break;
	}
	if ((rc = check_clock(s, now, err)) != DVT_OK)
		return rc;
	if (q->kind == SIGN_LEAF)
		rc = signer_leaf(s, q, now, out, err);
	else if (q->kind == SIGN_AUTHORITY)
		rc = signer_make_authority(s, q, now, out, err);
	else if (q->kind == SIGN_CROSS)
		rc = signer_cross(s, q, now, out, err);
	else if (q->kind == SIGN_DSSE)
		rc = signer_dsse(s, q, out, err);
	else
		rc = signer_crl(s, q, now, out, err);
	if (rc == DVT_OK && now > s->last_issue_at)
		s->last_issue_at = now;
	return rc;
}
