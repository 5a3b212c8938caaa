/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fast EC decoding: see fastec.h. All ENGINE calls of the project are here.
 *
 * OpenSSL 3.0 asks every decoder about every received key. Where an ENGINE
 * claims a key type it takes the direct way of 1.1.1 instead. Ours claims
 * id-ecPublicKey and hands out a copy of OpenSSL's own method, so that the
 * same code computes the same results.
 */
#define OPENSSL_SUPPRESS_DEPRECATED /* this file is what they are kept for */
#include "pki/fastec.h"

#include "pki/ssl_err.h"

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509.h>

#include <stdbool.h>
#include <string.h>

#if !defined(OPENSSL_NO_ENGINE) && OPENSSL_VERSION_NUMBER < 0x30200000L
#include <openssl/engine.h>
#include <openssl/provider.h>
#define HAVE_FASTEC 1
#endif

#ifdef HAVE_FASTEC

static ENGINE *engine;
static EVP_PKEY_METHOD *method;

static int
methods(ENGINE *e, EVP_PKEY_METHOD **out, const int **nids, int nid)
{
	static const int ec[] = {EVP_PKEY_EC};

	(void)e;
	if (out == NULL) {
		*nids = ec;
		return (int)DVT_COUNT(ec);
	}
	*out = nid == EVP_PKEY_EC ? method : NULL;
	return *out != NULL;
}

/* OpenSSL frees what @methods handed out together with the engine. */
static bool
switch_on(void)
{
	const EVP_PKEY_METHOD *own = EVP_PKEY_meth_find(EVP_PKEY_EC);

	method = EVP_PKEY_meth_new(EVP_PKEY_EC, 0);
	engine = ENGINE_new();
	if (own == NULL || method == NULL || engine == NULL) {
		EVP_PKEY_meth_free(method);
		method = NULL;
		return false;
	}
	EVP_PKEY_meth_copy(method, own);
	return ENGINE_set_id(engine, "dvt-fastec") == 1 &&
	       ENGINE_set_name(engine, "direct decoding of EC keys") == 1 &&
	       ENGINE_set_pkey_meths(engine, methods) == 1 &&
	       ENGINE_register_pkey_meths(engine) == 1;
}

void
dvt_fastec_disable(void)
{
	if (engine != NULL) {
		ENGINE_unregister_pkey_meths(engine);
		(void)ENGINE_free(engine);
	}
	engine = NULL;
	method = NULL;
}

int
dvt_fastec_on(void)
{
	return engine != NULL;
}

/* A key, a signature and bytes made the ordinary way, to test against. */
struct sample {
	uint8_t *spki;
	int spki_n;
	uint8_t sig[80];
	size_t sig_n;
};

static const uint8_t text[] = "one mortise, one tenon";

static bool
sample_make(struct sample *s)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	bool ok;

	s->sig_n = sizeof(s->sig);
	ok = key != NULL && ctx != NULL &&
	     (s->spki_n = i2d_PUBKEY(key, &s->spki)) > 0 &&
	     EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, key) == 1 &&
	     EVP_DigestSign(ctx, s->sig, &s->sig_n, text, sizeof(text)) == 1;
	EVP_MD_CTX_free(ctx);
	EVP_PKEY_free(key);
	return ok;
}

static int
sample_verify(EVP_PKEY *key, const struct sample *s)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	int ok = -1;

	if (ctx != NULL &&
	    EVP_DigestVerifyInit(ctx, NULL, EVP_sha256(), NULL, key) == 1)
		ok = EVP_DigestVerify(
		    ctx, s->sig, s->sig_n, text, sizeof(text));
	EVP_MD_CTX_free(ctx);
	return ok;
}

/* The right signature is taken, another is not, the bytes come back. */
static bool
sample_holds(const struct sample *s)
{
	const uint8_t *p = s->spki;
	struct sample other = *s;
	EVP_PKEY *key = d2i_PUBKEY(NULL, &p, s->spki_n);
	uint8_t *again = NULL;
	bool ok;

	other.sig[other.sig_n - 1] ^= 1;
	ok = key != NULL && sample_verify(key, s) == 1 &&
	     sample_verify(key, &other) != 1 &&
	     i2d_PUBKEY(key, &again) == s->spki_n &&
	     memcmp(again, s->spki, (size_t)s->spki_n) == 0;
	OPENSSL_free(again);
	EVP_PKEY_free(key);
	return ok;
}

enum dvt_code
dvt_fastec_enable(struct dvt_err *err)
{
	struct sample s = {0};
	bool ok;

	if (engine != NULL)
		return DVT_OK;
	if (OpenSSL_version_num() >= 0x30200000L)
		return dvt_fail(err, DVT_E_ABSENT,
		    "fast EC decoding: not needed with this OpenSSL");
	if (EVP_default_properties_is_fips_enabled(NULL) ||
	    OSSL_PROVIDER_available(NULL, "fips"))
		return dvt_fail(
		    err, DVT_E_ABSENT, "fast EC decoding: off under FIPS");
	ok = sample_make(&s) && switch_on() && sample_holds(&s);
	OPENSSL_free(s.spki);
	if (!ok) {
		dvt_fastec_disable();
		return dvt_fail_ssl(
		    err, DVT_E_ABSENT, "fast EC decoding: self-test");
	}
	ERR_clear_error();
	return DVT_OK;
}

#else

enum dvt_code
dvt_fastec_enable(struct dvt_err *err)
{
	return dvt_fail(
	    err, DVT_E_ABSENT, "fast EC decoding: not built with this OpenSSL");
}

void
dvt_fastec_disable(void)
{
}

int
dvt_fastec_on(void)
{
	return 0;
}

#endif
