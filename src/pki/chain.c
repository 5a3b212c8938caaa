/* SPDX-License-Identifier: Apache-2.0 */
/* Chains: see chain.h. */
#include "pki/chain.h"

#include "pki/ssl_err.h"
#include "pki/x509.h"
#include "wire/pem.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>

#define NAME_SHOWN 100 /* characters of a name in an error text */

void
dvt_chain_fini(struct dvt_chain *c)
{
	if (c == NULL)
		return;
	for (size_t i = 0; i < c->n; i++)
		X509_free(c->cert[i]);
	*c = (struct dvt_chain){0};
}

enum dvt_code
dvt_chain_add(struct dvt_chain *c, X509 *cert, struct dvt_err *err)
{
	if (c->n == DVT_CHAIN_MAX)
		return dvt_fail(err, DVT_E_LIMIT,
		    "chain: more than %d certificates", DVT_CHAIN_MAX);
	(void)X509_up_ref(cert);
	c->cert[c->n++] = cert;
	return DVT_OK;
}

enum dvt_code
dvt_chain_copy(
    struct dvt_chain *to, const struct dvt_chain *from, struct dvt_err *err)
{
	enum dvt_code rc = DVT_OK;

	*to = (struct dvt_chain){0};
	for (size_t i = 0; i < from->n && rc == DVT_OK; i++)
		rc = dvt_chain_add(to, from->cert[i], err);
	return rc;
}

/* One more certificate of a PEM text; DVT_E_ABSENT at its end. */
static enum dvt_code
take_cert(struct dvt_span *pem, struct dvt_buf *der, struct dvt_chain *c,
    struct dvt_err *err)
{
	X509 *cert;
	enum dvt_code rc;

	rc = dvt_pem_take(pem, DVT_PEM_CERT, der, err);
	if (rc == DVT_OK)
		rc = dvt_x509_from_der(dvt_buf_span(der), &cert, err);
	if (rc != DVT_OK) {
		if (rc != DVT_E_ABSENT)
			dvt_err_prefix(err, "certificate %zu", c->n + 1);
		return rc;
	}
	rc = dvt_chain_add(c, cert, err);
	X509_free(cert);
	return rc;
}

enum dvt_code
dvt_chain_from_pem(
    struct dvt_span pem, struct dvt_chain *out, struct dvt_err *err)
{
	struct dvt_chain c = {0};
	struct dvt_buf der;
	enum dvt_code rc;

	*out = c;
	if (pem.n > DVT_CHAIN_PEM_MAX)
		return dvt_fail(err, DVT_E_LIMIT,
		    "chain: %zu bytes of PEM, at most %d", pem.n,
		    DVT_CHAIN_PEM_MAX);
	if (pem.n > 0 && memmem(pem.p, pem.n, "PRIVATE KEY-----", 16) != NULL)
		return dvt_fail(err, DVT_E_INPUT,
		    "chain: a private key is in it; send certificates only");
	dvt_buf_init(&der, DVT_CERT_DER_MAX);
	while ((rc = take_cert(&pem, &der, &c, err)) == DVT_OK)
		;
	dvt_buf_fini(&der);
	if (rc == DVT_E_ABSENT && c.n > 0) {
		*out = c;
		return DVT_OK;
	}
	if (rc == DVT_E_ABSENT)
		rc = dvt_fail(
		    err, DVT_E_INPUT, "chain: no \"BEGIN CERTIFICATE\" in it");
	dvt_chain_fini(&c);
	return rc;
}

enum dvt_code
dvt_chain_to_pem(
    const struct dvt_chain *c, struct dvt_buf *out, struct dvt_err *err)
{
	enum dvt_code rc = DVT_OK;

	for (size_t i = 0; i < c->n && rc == DVT_OK; i++)
		rc = dvt_x509_to_pem(c->cert[i], out, err);
	return rc;
}

enum dvt_code
dvt_chain_from_stack(X509 *leaf, const STACK_OF(X509) * rest,
    struct dvt_chain *out, struct dvt_err *err)
{
	enum dvt_code rc = DVT_OK;

	*out = (struct dvt_chain){0};
	if (leaf != NULL)
		rc = dvt_chain_add(out, leaf, err);
	for (int i = 0; rc == DVT_OK && i < sk_X509_num(rest); i++) {
		X509 *cert = sk_X509_value(rest, i);

		if (leaf != NULL && X509_cmp(cert, leaf) == 0)
			continue; /* a client's stack has it again */
		rc = dvt_chain_add(out, cert, err);
	}
	if (rc != DVT_OK)
		dvt_chain_fini(out);
	return rc;
}

enum dvt_code
dvt_chain_check(const struct dvt_chain *c, struct dvt_err *err)
{
	char name[DVT_DN_TEXT], next[DVT_DN_TEXT];

	if (c->n == 0)
		return dvt_fail(err, DVT_E_INPUT, "chain: empty");
	if (dvt_x509_is_ca(c->cert[0]))
		return dvt_fail(err, DVT_E_INPUT,
		    "certificate 1 of %zu (%.*s) is a CA; the leaf comes first",
		    c->n, NAME_SHOWN, dvt_x509_subject(c->cert[0], name));
	for (size_t i = 0; i + 1 < c->n; i++) {
		if (!dvt_x509_is_ca(c->cert[i + 1]))
			return dvt_fail(err, DVT_E_INPUT,
			    "certificate %zu of %zu (%.*s) is no CA (RFC 5280 "
			    "section 4.2.1.9)",
			    i + 2, c->n, NAME_SHOWN,
			    dvt_x509_subject(c->cert[i + 1], next));
		if (!dvt_x509_is_issued_by(c->cert[i], c->cert[i + 1]))
			return dvt_fail(err, DVT_E_INPUT,
			    "certificate %zu of %zu (%.*s) is not issued by "
			    "certificate %zu (%.*s)",
			    i + 1, c->n, NAME_SHOWN,
			    dvt_x509_subject(c->cert[i], name), i + 2,
			    NAME_SHOWN, dvt_x509_subject(c->cert[i + 1], next));
	}
	return DVT_OK;
}

enum dvt_code
dvt_chain_check_time(
    const struct dvt_chain *c, int64_t now, struct dvt_err *err)
{
	char name[DVT_DN_TEXT];
	enum dvt_code rc;

	for (size_t i = 0; i < c->n; i++) {
		rc = dvt_x509_check_time(c->cert[i], now, err);
		if (rc != DVT_OK) {
			dvt_err_prefix(err, "certificate %zu of %zu (%.*s)",
			    i + 1, c->n, NAME_SHOWN,
			    dvt_x509_subject(c->cert[i], name));
			return rc;
		}
	}
	return DVT_OK;
}

int64_t
dvt_chain_not_after(const struct dvt_chain *c)
{
	int64_t least = INT64_MAX;

	for (size_t i = 0; i < c->n; i++) {
		int64_t end = dvt_x509_not_after(c->cert[i]);

		least = end < least ? end : least;
	}
	return c->n == 0 ? 0 : least;
}

size_t
dvt_chain_der_len(const struct dvt_chain *c)
{
	size_t sum = 0;

	for (size_t i = 0; i < c->n; i++) {
		int n = i2d_X509(c->cert[i], NULL);

		sum += n > 0 ? (size_t)n : 0;
	}
	return sum;
}

void
dvt_chain_digest(const struct dvt_chain *c, char out[DVT_DIGEST_HEX])
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	uint8_t md[EVP_MAX_MD_SIZE];
	unsigned n = 0;
	int ok = ctx != NULL && EVP_DigestInit_ex(ctx, EVP_sha256(), NULL) == 1;

	for (size_t i = 0; i < c->n && ok; i++) {
		uint8_t *der = NULL;
		int len = i2d_X509(c->cert[i], &der);

		ok = len > 0 && EVP_DigestUpdate(ctx, der, (size_t)len) == 1;
		OPENSSL_free(der);
	}
	if (!ok || EVP_DigestFinal_ex(ctx, md, &n) != 1)
		n = 0;
	EVP_MD_CTX_free(ctx);
	ERR_clear_error();
	dvt_hex(md, n, out, DVT_DIGEST_HEX);
}

bool
dvt_chain_touches(const struct dvt_chain *c, X509 *anchor)
{
	EVP_PKEY *key = X509_get0_pubkey(anchor);
	bool yes = key == NULL; /* unknown: no proof */

	for (size_t i = 0; i < c->n && !yes; i++)
		yes = X509_cmp(c->cert[i], anchor) == 0 ||
		      X509_verify(c->cert[i], key) == 1;
	ERR_clear_error();
	return yes;
}
