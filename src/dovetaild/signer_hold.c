/* SPDX-License-Identifier: Apache-2.0 */
/* What the signer holds: authorities, profiles, the online trust key. */
#include "dovetaild/signer_priv.h"
#include "pki/key.h"

#include <inttypes.h>
#include <stdio.h>

struct signer_authority *
signer_authority(struct signer *s, int64_t id)
{
	for (size_t i = 0; i < s->authority_n; i++) {
		if (s->authority[i].id == id)
			return &s->authority[i];
	}
	return NULL;
}

enum dvt_code
signer_issuer(struct signer *s, int64_t id, struct signer_authority **out,
    struct dvt_err *err)
{
	struct signer_authority *a = signer_authority(s, id);

	if (a == NULL)
		return dvt_fail(err, DVT_E_DENIED,
		    "signer: no authority %" PRId64 " was loaded", id);
	if (a->key == NULL)
		return dvt_fail(err, DVT_E_DENIED,
		    "authority %s: its key is not held here", a->name);
	*out = a;
	return DVT_OK;
}

static enum dvt_code
unwrap_key(const struct signer *s, const char *bound, struct dvt_span wrapped,
    EVP_PKEY **out, struct dvt_err *err)
{
	struct dvt_secret der = {NULL, 0};
	enum dvt_code rc;

	rc = dvt_unwrap(s->wrap_key, dvt_span_str(bound), wrapped, &der, err);
	if (rc != DVT_OK) {
		dvt_err_prefix(err, "the unlocking secret does not fit");
		return rc;
	}
	rc = dvt_key_from_pkcs8((struct dvt_span){der.p, der.n}, out, err);
	dvt_secret_free(&der);
	return rc;
}

static enum dvt_code
authority_key(const struct signer *s, const struct sign_request *q, X509 *cert,
    EVP_PKEY **out, struct dvt_err *err)
{
	char bound[DVT_DIGEST_HEX + 16], fingerprint[DVT_DIGEST_HEX];
	enum dvt_code rc;

	if (q->wrapped.n == 0)
		return DVT_OK;
	dvt_x509_fingerprint(cert, fingerprint);
	snprintf(bound, sizeof(bound), "authority:%s", fingerprint);
	if ((rc = unwrap_key(s, bound, q->wrapped, out, err)) != DVT_OK)
		return rc;
	return dvt_key_matches(*out, cert, err);
}

enum dvt_code
signer_load_authority(
    struct signer *s, const struct sign_request *q, struct dvt_err *err)
{
	struct signer_authority *a = signer_authority(s, q->authority);
	EVP_PKEY *key = NULL;
	X509 *cert = NULL;
	enum dvt_code rc;

	if (a == NULL && s->authority_n == SIGNER_AUTHORITIES_MAX)
		return dvt_fail(err, DVT_E_LIMIT, "signer: %d authorities",
		    SIGNER_AUTHORITIES_MAX);
	if ((rc = dvt_x509_from_der(q->der, &cert, err)) != DVT_OK ||
	    (rc = authority_key(s, q, cert, &key, err)) != DVT_OK) {
		dvt_err_prefix(err, "authority %s", q->name);
		X509_free(cert);
		EVP_PKEY_free(key);
		return rc;
	}
	if (a == NULL)
		a = &s->authority[s->authority_n++];
	X509_free(a->cert);
	EVP_PKEY_free(a->key);
	a->id = q->authority;
	a->cert = cert;
	a->key = key;
	snprintf(a->name, sizeof(a->name), "%s", q->name);
	return DVT_OK;
}

enum dvt_code
signer_load_profile(
    struct signer *s, const struct sign_request *q, struct dvt_err *err)
{
	const struct sign_profile *p = &q->profile;
	char digest[DVT_DIGEST_HEX];
	size_t i;

	sign_profile_digest(p, digest);
	if (strcmp(digest, p->digest) != 0)
		return dvt_fail(err, DVT_E_DENIED,
		    "profile %s is not what was approved: digest %s, not %s",
		    p->name, digest, p->digest);
	for (i = 0; i < s->profile_n; i++) {
		if (strcmp(s->profile[i].name, p->name) == 0)
			break;
	}
	if (i == SIGNER_PROFILES_MAX)
		return dvt_fail(err, DVT_E_LIMIT, "signer: %d profiles",
		    SIGNER_PROFILES_MAX);
	s->profile[i] = *p;
	if (i == s->profile_n)
		s->profile_n++;
	return DVT_OK;
}

enum dvt_code
signer_load_trust_key(
    struct signer *s, const struct sign_request *q, struct dvt_err *err)
{
	char bound[DVT_DIGEST_HEX + 16], keyid[DVT_DIGEST_HEX];
	EVP_PKEY *key = NULL;
	enum dvt_code rc;

	snprintf(bound, sizeof(bound), "trust-key:%s", q->name);
	if ((rc = unwrap_key(s, bound, q->wrapped, &key, err)) != DVT_OK ||
	    (rc = dvt_key_digest(key, keyid, err)) != DVT_OK) {
		dvt_err_prefix(err, "trust-signing key");
		EVP_PKEY_free(key);
		return rc;
	}
	EVP_PKEY_free(s->online);
	s->online = key;
	memcpy(s->online_id, keyid, sizeof(keyid));
	return DVT_OK;
}

enum dvt_code
signer_loaded(struct signer *s, const struct sign_request *q,
    struct signer_out *out, struct dvt_err *err)
{
	if (q->not_before > s->last_issue_at)
		s->last_issue_at = q->not_before;
	return dvt_key_to_spki(s->import_key, &out->line, err);
}

EVP_PKEY *
signer_key(struct signer *s, int64_t authority)
{
	struct signer_authority *a = signer_authority(s, authority);

	return a == NULL ? NULL : a->key;
}
