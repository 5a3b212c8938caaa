/* SPDX-License-Identifier: Apache-2.0 */
#include "pki/seal.h"

#include "pki/key.h"
#include "pki/ssl_err.h"
#include "pki/wrap.h"

#include <openssl/core_names.h>
#include <openssl/kdf.h>

/* Key agreement: the shared x coordinate. */
static enum dvt_code
agree(EVP_PKEY *own, EVP_PKEY *peer, uint8_t z[32], struct dvt_err *err)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(own, NULL);
	size_t n = 32;
	bool ok = ctx != NULL && EVP_PKEY_derive_init(ctx) > 0 &&
		  EVP_PKEY_derive_set_peer(ctx, peer) > 0 &&
		  EVP_PKEY_derive(ctx, z, &n) > 0 && n == 32;

	EVP_PKEY_CTX_free(ctx);
	if (!ok)
		return dvt_fail_ssl(err, DVT_E_INPUT, "seal: key agreement");
	return DVT_OK;
}

/* HKDF-SHA256: secret @z, salt the recipient's key, info the ephemeral one. */
static enum dvt_code
derive(const uint8_t z[32], struct dvt_span recipient, struct dvt_span fresh,
    uint8_t key[DVT_WRAP_KEY], struct dvt_err *err)
{
	EVP_KDF *kdf = EVP_KDF_fetch(NULL, "HKDF", NULL);
	EVP_KDF_CTX *ctx = kdf == NULL ? NULL : EVP_KDF_CTX_new(kdf);
	OSSL_PARAM p[] = {
	    OSSL_PARAM_construct_utf8_string(
		OSSL_KDF_PARAM_DIGEST, (char *)"SHA256", 0),
	    OSSL_PARAM_construct_octet_string(
		OSSL_KDF_PARAM_KEY, (void *)z, 32),
	    OSSL_PARAM_construct_octet_string(
		OSSL_KDF_PARAM_SALT, (void *)recipient.p, recipient.n),
	    OSSL_PARAM_construct_octet_string(
		OSSL_KDF_PARAM_INFO, (void *)fresh.p, fresh.n),
	    OSSL_PARAM_construct_end(),
	};
	bool ok = ctx != NULL && EVP_KDF_derive(ctx, key, DVT_WRAP_KEY, p) > 0;

	EVP_KDF_CTX_free(ctx);
	EVP_KDF_free(kdf);
	if (!ok)
		return dvt_fail_ssl(err, DVT_E_SYSTEM, "seal: key derivation");
	return DVT_OK;
}

enum dvt_code
dvt_seal(EVP_PKEY *to, struct dvt_span bound, struct dvt_span plain,
    struct dvt_buf *out, struct dvt_err *err)
{
	uint8_t z[32] = {0}, key[DVT_WRAP_KEY] = {0};
	struct dvt_buf own, peer;
	EVP_PKEY *fresh = NULL;
	enum dvt_code rc;

	dvt_buf_init(&own, DVT_SEAL_SPKI);
	dvt_buf_init(&peer, DVT_SEAL_SPKI);
	if ((rc = dvt_key_to_spki(to, &peer, err)) != DVT_OK)
		goto out;
	if (peer.n != DVT_SEAL_SPKI) {
		rc = dvt_fail(err, DVT_E_INPUT, "seal: not a P-256 key");
		goto out;
	}
	if ((rc = dvt_key_new(DVT_KEY_P256, 0, &fresh, err)) != DVT_OK ||
	    (rc = dvt_key_to_spki(fresh, &own, err)) != DVT_OK ||
	    (rc = agree(fresh, to, z, err)) != DVT_OK ||
	    (rc = derive(z, dvt_buf_span(&peer), dvt_buf_span(&own), key,
		 err)) != DVT_OK)
		goto out;
	dvt_buf_put_span(out, dvt_buf_span(&own));
	rc = dvt_wrap(key, bound, plain, out, err);
out:
	dvt_cleanse(z, sizeof(z));
	dvt_cleanse(key, sizeof(key));
	EVP_PKEY_free(fresh);
	dvt_buf_fini(&own);
	dvt_buf_fini(&peer);
	return rc;
}

enum dvt_code
dvt_unseal(EVP_PKEY *own, struct dvt_span bound, struct dvt_span sealed,
    struct dvt_secret *out, struct dvt_err *err)
{
	uint8_t z[32] = {0}, key[DVT_WRAP_KEY] = {0};
	struct dvt_span fresh_spki;
	EVP_PKEY *fresh = NULL;
	struct dvt_buf self;
	enum dvt_code rc;

	*out = (struct dvt_secret){NULL, 0};
	if (sealed.n <= DVT_SEAL_SPKI)
		return dvt_fail(err, DVT_E_INPUT, "seal: %zu bytes", sealed.n);
	fresh_spki = (struct dvt_span){sealed.p, DVT_SEAL_SPKI};
	dvt_buf_init(&self, DVT_SEAL_SPKI);
	if ((rc = dvt_key_from_spki(fresh_spki, &fresh, err)) != DVT_OK ||
	    (rc = dvt_key_to_spki(own, &self, err)) != DVT_OK ||
	    (rc = agree(own, fresh, z, err)) != DVT_OK ||
	    (rc = derive(z, dvt_buf_span(&self), fresh_spki, key, err)) !=
		DVT_OK)
		goto out;
	rc = dvt_unwrap(
	    key, bound, dvt_span_from(sealed, DVT_SEAL_SPKI), out, err);
out:
	dvt_cleanse(z, sizeof(z));
	dvt_cleanse(key, sizeof(key));
	EVP_PKEY_free(fresh);
	dvt_buf_fini(&self);
	return rc;
}
