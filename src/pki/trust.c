/* SPDX-License-Identifier: Apache-2.0 */
/* Sets of anchors: see verify.h. */
#include "pki/trust.h"

#include "base/mem.h"
#include "pki/crl_read.h"
#include "pki/key.h"
#include "pki/ssl_err.h"
#include "pki/x509.h"
#include "wire/pem.h"

#include <openssl/err.h>
#include <openssl/sha.h>
#include <openssl/x509v3.h>

#include <stdlib.h>

#define AUTH_LEVEL     2 /* 112 bits: RSA-2048, P-224, no SHA-1 */
#define AUTH_LEVEL_LAX 1

static int
compare(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

void
dvt_anchor_digest(
    const char *const *fingerprints, size_t n, char out[DVT_DIGEST_HEX])
{
	const char **sorted = dvt_alloc_array(n + 1, sizeof(*sorted));
	uint8_t md[SHA256_DIGEST_LENGTH];
	struct dvt_buf text;

	for (size_t i = 0; i < n; i++)
		sorted[i] = fingerprints[i];
	qsort(sorted, n, sizeof(*sorted), compare);
	dvt_buf_init(&text, n * DVT_DIGEST_HEX + 1);
	for (size_t i = 0; i < n; i++) {
		if (i > 0 && strcmp(sorted[i], sorted[i - 1]) == 0)
			continue;
		if (text.n > 0)
			dvt_buf_putc(&text, '\n');
		dvt_buf_puts(&text, sorted[i]);
	}
	dvt_sha256(dvt_buf_span(&text), md);
	dvt_hex(md, sizeof(md), out, DVT_DIGEST_HEX);
	dvt_buf_fini(&text);
	free(sorted);
}

int
dvt_verdict_index(void)
{
	static int index = -1;

	if (index < 0)
		index = X509_STORE_CTX_get_ex_new_index(
		    0, NULL, NULL, NULL, NULL);
	return index;
}

/*
 * No list of that issuer here: not our business. A list past its date still
 * denies what it names; the verdict, when there is one, says so.
 */
static int
lenient_with_lists(int ok, X509_STORE_CTX *ctx)
{
	struct dvt_verdict *v = X509_STORE_CTX_get_ex_data(
	    ctx, dvt_verdict_index());

	switch (X509_STORE_CTX_get_error(ctx)) {
	case X509_V_ERR_CRL_HAS_EXPIRED:
	case X509_V_ERR_CRL_NOT_YET_VALID:
		if (v != NULL)
			v->stale_crl = true;
		return 1;
	case X509_V_ERR_UNABLE_TO_GET_CRL:
		return 1;
	default:
		return ok;
	}
}

static int
add_all(struct dvt_trust *t, X509 *const *anchors, size_t n)
{
	t->anchor = dvt_alloc_array(n + 1, sizeof(*t->anchor));
	for (size_t i = 0; i < n; i++) {
		if (dvt_trust_has(t, anchors[i]))
			continue;
		if (X509_STORE_add_cert(t->store, anchors[i]) != 1)
			return 0;
		(void)X509_up_ref(anchors[i]);
		t->anchor[t->n++] = anchors[i];
	}
	return 1;
}

static void
set_digest(struct dvt_trust *t)
{
	char(*hex)[DVT_DIGEST_HEX] = dvt_alloc_array(t->n + 1, sizeof(*hex));
	const char **list = dvt_alloc_array(t->n + 1, sizeof(*list));

	for (size_t i = 0; i < t->n; i++) {
		dvt_x509_fingerprint(t->anchor[i], hex[i]);
		list[i] = hex[i];
	}
	dvt_anchor_digest(list, t->n, t->digest);
	(void)snprintf(
	    t->key, sizeof(t->key), "%s-%u", t->digest, t->flags & 15u);
	free(list);
	free(hex);
}

enum dvt_code
dvt_trust_new(X509 *const *anchors, size_t n, unsigned flags,
    struct dvt_trust **out, struct dvt_err *err)
{
	struct dvt_trust *t = dvt_alloc(sizeof(*t));
	bool lax = (flags & DVT_TRUST_LAX) != 0;
	X509_VERIFY_PARAM *param;

	*out = NULL;
	t->flags = flags;
	t->store = X509_STORE_new();
	if (t->store == NULL || add_all(t, anchors, n) != 1) {
		dvt_trust_free(t);
		return dvt_fail_ssl(err, DVT_E_SYSTEM, "anchors");
	}
	param = X509_STORE_get0_param(t->store);
	X509_VERIFY_PARAM_set_auth_level(
	    param, lax ? AUTH_LEVEL_LAX : AUTH_LEVEL);
	(void)X509_VERIFY_PARAM_set_flags(param,
	    (lax ? 0 : X509_V_FLAG_X509_STRICT) |
		((flags & DVT_TRUST_PARTIAL) ? X509_V_FLAG_PARTIAL_CHAIN : 0));
	set_digest(t);
	*out = t;
	return DVT_OK;
}

enum dvt_code
dvt_trust_from_pem(struct dvt_span pem, unsigned flags, struct dvt_trust **out,
    struct dvt_err *err)
{
	X509 **list = NULL;
	size_t n = 0;
	struct dvt_buf der;
	enum dvt_code rc;

	*out = NULL;
	if (pem.n > DVT_TRUST_PEM_MAX)
		return dvt_fail(err, DVT_E_LIMIT,
		    "trust file: %zu bytes, at most %d", pem.n,
		    DVT_TRUST_PEM_MAX);
	dvt_buf_init(&der, DVT_CERT_DER_MAX);
	while ((rc = dvt_pem_take(&pem, DVT_PEM_CERT, &der, err)) == DVT_OK) {
		list = dvt_realloc(list, (n + 1) * sizeof(*list));
		rc = dvt_x509_from_der(dvt_buf_span(&der), &list[n], err);
		if (rc != DVT_OK)
			break;
		n++;
	}
	if (rc == DVT_E_ABSENT)
		rc = dvt_trust_new(list, n, flags, out, err);
	else
		dvt_err_prefix(err, "anchor %zu", n + 1);
	dvt_buf_fini(&der);
	for (size_t i = 0; i < n; i++)
		X509_free(list[i]);
	free(list);
	return rc;
}

void
dvt_trust_free(struct dvt_trust *t)
{
	if (t == NULL)
		return;
	for (size_t i = 0; i < t->n; i++)
		X509_free(t->anchor[i]);
	free(t->anchor);
	X509_STORE_free(t->store);
	free(t);
}

size_t
dvt_trust_count(const struct dvt_trust *t)
{
	return t->n;
}

X509 *
dvt_trust_get(const struct dvt_trust *t, size_t i)
{
	return i < t->n ? t->anchor[i] : NULL;
}

bool
dvt_trust_has(const struct dvt_trust *t, X509 *anchor)
{
	for (size_t i = 0; i < t->n; i++) {
		if (X509_cmp(t->anchor[i], anchor) == 0)
			return true;
	}
	return false;
}

const char *
dvt_trust_digest(const struct dvt_trust *t)
{
	return t->digest;
}

X509_STORE *
dvt_trust_store(const struct dvt_trust *t)
{
	return t->store;
}

enum dvt_code
dvt_trust_use_crl(struct dvt_trust *t, X509_CRL *crl, struct dvt_err *err)
{
	if (X509_STORE_add_crl(t->store, crl) != 1)
		return dvt_fail_ssl(err, DVT_E_SYSTEM, "CRL");
	X509_STORE_set_verify_cb(t->store, lenient_with_lists);
	(void)X509_STORE_set_flags(
	    t->store, X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL);
	return DVT_OK;
}

enum dvt_code
dvt_trust_add_crl(struct dvt_trust *t, struct dvt_span crl, struct dvt_err *err)
{
	X509_CRL *list = NULL;
	size_t n;
	enum dvt_code rc;

	if (crl.n == 0 || crl.p[0] != 0x30)
		return dvt_fail(err, DVT_E_INPUT, "CRL: no DER");
	if ((rc = dvt_crls_read(crl, 1, &list, &n, err)) != DVT_OK)
		return rc;
	rc = dvt_trust_use_crl(t, list, err);
	X509_CRL_free(list);
	return rc;
}

struct dvt_trust_cache {
	struct dvt_trust *sets; /* by digest and flags */
};

struct dvt_trust_cache *
dvt_trust_cache_new(void)
{
	return dvt_alloc(sizeof(struct dvt_trust_cache));
}

void
dvt_trust_cache_free(struct dvt_trust_cache *c)
{
	struct dvt_trust *t, *next;

	if (c == NULL)
		return;
	HASH_ITER(hh, c->sets, t, next)
	{
		HASH_DEL(c->sets, t);
		dvt_trust_free(t);
	}
	free(c);
}

struct dvt_trust *
dvt_trust_cache_get(
    const struct dvt_trust_cache *c, const char *digest, unsigned flags)
{
	char key[DVT_DIGEST_HEX + 4];
	struct dvt_trust *t;

	(void)snprintf(key, sizeof(key), "%.64s-%u", digest, flags & 15u);
	HASH_FIND_STR(c->sets, key, t);
	return t;
}

struct dvt_trust *
dvt_trust_cache_put(struct dvt_trust_cache *c, struct dvt_trust *t)
{
	struct dvt_trust *there = dvt_trust_cache_get(c, t->digest, t->flags);

	if (there == NULL) {
		HASH_ADD_STR(c->sets, key, t);
		return t;
	}
	if (there != t)
		dvt_trust_free(t);
	return there;
}
