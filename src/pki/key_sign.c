/* SPDX-License-Identifier: Apache-2.0 */
/* Signatures, comparisons and proof of possession: see key.h. */
#include "pki/key.h"

#include "base/mem.h"
#include "pki/ssl_err.h"
#include "pki/x509.h"
#include "wire/csr.h"
#include "wire/oid.h"

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/rsa.h>
#include <openssl/sha.h>

void
dvt_sha256(struct dvt_span bytes, uint8_t out[32])
{
	if (SHA256(bytes.p, bytes.n, out) == NULL)
		dvt_out_of_memory();
}

void
dvt_sha256_hex(struct dvt_span bytes, char out[DVT_DIGEST_HEX])
{
	uint8_t md[SHA256_DIGEST_LENGTH];

	dvt_sha256(bytes, md);
	dvt_hex(md, sizeof(md), out, DVT_DIGEST_HEX);
}

enum dvt_code
dvt_key_sign(EVP_PKEY *key, struct dvt_span bytes, struct dvt_buf *sig,
    struct dvt_err *err)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	uint8_t out[1024]; /* RSA-8192 */
	size_t n = sizeof(out);
	int ok;

	ok = ctx != NULL &&
	     EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, key) == 1 &&
	     EVP_DigestSign(ctx, out, &n, bytes.p, bytes.n) == 1;
	EVP_MD_CTX_free(ctx);
	if (!ok)
		return dvt_fail_ssl(err, DVT_E_SYSTEM, "cannot sign");
	dvt_buf_put(sig, out, n);
	return dvt_buf_ok(sig, "signature", err);
}

static bool
verifies(
    EVP_PKEY *key, const EVP_MD *md, struct dvt_span bytes, struct dvt_span sig)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	bool ok = ctx != NULL &&
		  EVP_DigestVerifyInit(ctx, NULL, md, NULL, key) == 1 &&
		  EVP_DigestVerify(ctx, sig.p, sig.n, bytes.p, bytes.n) == 1;

	EVP_MD_CTX_free(ctx);
	ERR_clear_error();
	return ok;
}

enum dvt_code
dvt_key_verify(EVP_PKEY *key, struct dvt_span bytes, struct dvt_span sig,
    struct dvt_err *err)
{
	if (!verifies(key, EVP_sha256(), bytes, sig))
		return dvt_fail(
		    err, DVT_E_AUTH, "signature is not made by this key");
	return DVT_OK;
}

bool
dvt_key_same(const EVP_PKEY *a, const EVP_PKEY *b)
{
	bool same = EVP_PKEY_eq(a, b) == 1;

	ERR_clear_error();
	return same;
}

enum dvt_code
dvt_key_matches(const EVP_PKEY *key, X509 *cert, struct dvt_err *err)
{
	EVP_PKEY *of_cert = X509_get0_pubkey(cert);
	char name[DVT_DN_TEXT], held[DVT_DIGEST_HEX], wanted[DVT_DIGEST_HEX];

	if (of_cert != NULL && dvt_key_same(key, of_cert))
		return DVT_OK;
	ERR_clear_error();
	/* Where memory failed once, OpenSSL may take the same keys for
	 * different ones from then on: their bytes have the last word. */
	dvt_x509_key_digest(cert, wanted);
	if (dvt_key_digest(key, held, NULL) != DVT_OK)
		return dvt_fail(err, DVT_E_SYSTEM,
		    "certificate %.128s: its key cannot be compared",
		    dvt_x509_subject(cert, name));
	if (strcmp(held, wanted) == 0)
		return DVT_OK;
	return dvt_fail(err, DVT_E_CONFLICT,
	    "certificate %.128s is for key %.16s..., not for key %.16s...",
	    dvt_x509_subject(cert, name), wanted, held);
}

/* The digest of a request's signature, and the kind of key it is for. */
static const EVP_MD *
csr_digest(const struct dvt_csr *csr, bool *rsa)
{
	static const struct {
		struct dvt_span oid;
		const EVP_MD *(*md)(void);
		bool rsa;
	} known[] = {
	    {DVT_OID_ECDSA_SHA256, EVP_sha256, false},
	    {DVT_OID_ECDSA_SHA384, EVP_sha384, false},
	    {DVT_OID_ECDSA_SHA512, EVP_sha512, false},
	    {DVT_OID_RSA_SHA256,   EVP_sha256, true },
	    {DVT_OID_RSA_SHA384,   EVP_sha384, true },
	    {DVT_OID_RSA_SHA512,   EVP_sha512, true },
	};

	for (size_t i = 0; i < DVT_COUNT(known); i++) {
		if (dvt_span_eq(csr->sig_alg, known[i].oid)) {
			*rsa = known[i].rsa;
			return known[i].md();
		}
	}
	return NULL;
}

enum dvt_code
dvt_key_from_csr(const struct dvt_csr *csr, EVP_PKEY **out, struct dvt_err *err)
{
	const EVP_MD *md;
	EVP_PKEY *key;
	bool rsa = false;
	enum dvt_code rc;

	*out = NULL;
	if ((rc = dvt_key_from_spki(csr->spki.der, &key, err)) != DVT_OK) {
		dvt_err_prefix(err, "request");
		return rc;
	}
	md = csr_digest(csr, &rsa);
	if (md == NULL || rsa != (csr->spki.kind == DVT_KEY_RSA))
		rc = dvt_fail(err, DVT_E_INPUT,
		    "request: signature algorithm is not taken (ECDSA or RSA "
		    "PKCS#1 v1.5 with SHA-256, SHA-384, SHA-512)");
	else if (!verifies(key, md, csr->tbs, csr->signature))
		rc = dvt_fail(err, DVT_E_INPUT,
		    "request: not signed by the key it carries (proof of "
		    "possession, RFC 7030 section 3.4)");
	if (rc != DVT_OK) {
		EVP_PKEY_free(key);
		return rc;
	}
	*out = key;
	return DVT_OK;
}
