/* SPDX-License-Identifier: Apache-2.0 */
/* Private keys at rest: see wrap.h. */
#include "pki/wrap.h"

#include "base/hex.h"
#include "pki/ssl_err.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/rand.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define VERSION     1
#define NONCE_BYTES 12
#define TAG_BYTES   16
#define PLAIN_MAX   65536 /* bytes; a key of RSA-8192 takes 4.7 KiB */

#define SCRYPT_N       65536 /* 64 MiB with r = 8 */
#define SCRYPT_R       8
#define SCRYPT_P       1
#define SCRYPT_MEM_MAX (1024ULL * 1024 * 1024) /* bytes of one derivation */
#define SCRYPT_SLACK   (1024ULL * 1024)        /* what OpenSSL adds */
#define SCRYPT_LANES   16

enum dvt_code
dvt_wrap(const uint8_t key[DVT_WRAP_KEY], struct dvt_span bound,
    struct dvt_span plain, struct dvt_buf *out, struct dvt_err *err)
{
	uint8_t nonce[NONCE_BYTES], tag[TAG_BYTES], *sealed;
	EVP_CIPHER_CTX *ctx;
	int n = 0, end = 0, ok;

	if (plain.n > PLAIN_MAX || bound.n > PLAIN_MAX)
		return dvt_fail(err, DVT_E_LIMIT, "wrap: %zu bytes, at most %d",
		    plain.n, PLAIN_MAX);
	sealed = dvt_alloc(plain.n + 1);
	ctx = EVP_CIPHER_CTX_new();
	ok = ctx != NULL && RAND_bytes(nonce, sizeof(nonce)) == 1 &&
	     EVP_EncryptInit_ex2(ctx, EVP_aes_256_gcm(), key, nonce, NULL) ==
		 1 &&
	     EVP_EncryptUpdate(ctx, NULL, &n, bound.p, (int)bound.n) == 1 &&
	     EVP_EncryptUpdate(ctx, sealed, &n, plain.p, (int)plain.n) == 1 &&
	     EVP_EncryptFinal_ex(ctx, sealed + n, &end) == 1 &&
	     EVP_CIPHER_CTX_ctrl(
		 ctx, EVP_CTRL_AEAD_GET_TAG, sizeof(tag), tag) == 1;
	EVP_CIPHER_CTX_free(ctx);
	if (ok) {
		dvt_buf_putc(out, VERSION);
		dvt_buf_put(out, nonce, sizeof(nonce));
		dvt_buf_put(out, sealed, plain.n);
		dvt_buf_put(out, tag, sizeof(tag));
	}
	free(sealed);
	if (!ok)
		return dvt_fail_ssl(err, DVT_E_SYSTEM, "wrap");
	return dvt_buf_ok(out, "wrapped key", err);
}

/* Plain bytes into @out; its @n is the length of the ciphertext. */
static int
open_blob(const uint8_t key[DVT_WRAP_KEY], struct dvt_span bound,
    struct dvt_span blob, struct dvt_secret *out)
{
	const uint8_t *nonce = blob.p + 1, *body = nonce + NONCE_BYTES;
	uint8_t tag[TAG_BYTES];
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	int n = 0, end = 0, ok;

	memcpy(tag, body + out->n, sizeof(tag));
	ok = ctx != NULL &&
	     EVP_DecryptInit_ex2(ctx, EVP_aes_256_gcm(), key, nonce, NULL) ==
		 1 &&
	     EVP_DecryptUpdate(ctx, NULL, &n, bound.p, (int)bound.n) == 1 &&
	     EVP_DecryptUpdate(ctx, out->p, &n, body, (int)out->n) == 1 &&
	     EVP_CIPHER_CTX_ctrl(
		 ctx, EVP_CTRL_AEAD_SET_TAG, sizeof(tag), tag) == 1 &&
	     EVP_DecryptFinal_ex(ctx, out->p + n, &end) == 1;
	EVP_CIPHER_CTX_free(ctx);
	return ok;
}

enum dvt_code
dvt_unwrap(const uint8_t key[DVT_WRAP_KEY], struct dvt_span bound,
    struct dvt_span blob, struct dvt_secret *out, struct dvt_err *err)
{
	*out = (struct dvt_secret){NULL, 0};
	if (blob.n < DVT_WRAP_OVERHEAD || blob.p[0] != VERSION ||
	    blob.n > PLAIN_MAX + DVT_WRAP_OVERHEAD || bound.n > PLAIN_MAX)
		return dvt_fail(err, DVT_E_AUTH,
		    "unwrap: %zu bytes are no wrapped key", blob.n);
	out->n = blob.n - DVT_WRAP_OVERHEAD;
	out->p = dvt_alloc(out->n + 1);
	if (open_blob(key, bound, blob, out))
		return DVT_OK;
	dvt_secret_free(out);
	*out = (struct dvt_secret){NULL, 0};
	return dvt_fail_ssl(err, DVT_E_AUTH,
	    "unwrap: another unlocking key, another owner, or changed bytes");
}

enum dvt_code
dvt_kdf_make(struct dvt_kdf *out, struct dvt_err *err)
{
	*out = (struct dvt_kdf){.n = SCRYPT_N, .r = SCRYPT_R, .p = SCRYPT_P};
	if (RAND_bytes(out->salt, sizeof(out->salt)) != 1)
		return dvt_fail_ssl(err, DVT_E_SYSTEM, "no random numbers");
	return DVT_OK;
}

const char *
dvt_kdf_format(const struct dvt_kdf *k, char out[DVT_KDF_TEXT])
{
	char salt[2 * sizeof(k->salt) + 1];

	dvt_hex(k->salt, sizeof(k->salt), salt, sizeof(salt));
	(void)snprintf(out, DVT_KDF_TEXT,
	    "scrypt:%" PRIu64 ":%" PRIu32 ":%" PRIu32 ":%s", k->n, k->r, k->p,
	    salt);
	return out;
}

static enum dvt_code
check_cost(const struct dvt_kdf *k, struct dvt_err *err)
{
	if (k->n < 2 || (k->n & (k->n - 1)) != 0 || k->r == 0 || k->p == 0)
		return dvt_fail(
		    err, DVT_E_INPUT, "key derivation: no scrypt parameters");
	if (k->p > SCRYPT_LANES || k->r > 1024 ||
	    k->n > SCRYPT_MEM_MAX / 128 / k->r)
		return dvt_fail(err, DVT_E_LIMIT,
		    "key derivation: asks for over %llu bytes", SCRYPT_MEM_MAX);
	return DVT_OK;
}

enum dvt_code
dvt_kdf_parse(const char *text, struct dvt_kdf *out, struct dvt_err *err)
{
	struct dvt_kdf k = {0};
	char salt[2 * sizeof(k.salt) + 2], rest;
	size_t n;
	enum dvt_code rc;

	if (strlen(text) >= DVT_KDF_TEXT ||
	    sscanf(text,
		"scrypt:%" SCNu64 ":%" SCNu32 ":%" SCNu32 ":%33[0-9a-f]%c",
		&k.n, &k.r, &k.p, salt, &rest) != 4)
		return dvt_fail(err, DVT_E_INPUT,
		    "key derivation: not of the form scrypt:N:r:p:salt");
	rc = dvt_unhex(salt, k.salt, sizeof(k.salt), &n, err);
	if (rc != DVT_OK || n != sizeof(k.salt))
		return dvt_fail(err, DVT_E_INPUT, "key derivation: salt");
	if ((rc = check_cost(&k, err)) == DVT_OK)
		*out = k;
	return rc;
}

enum dvt_code
dvt_kdf_run(const struct dvt_kdf *k, struct dvt_span passphrase,
    uint8_t key[DVT_WRAP_KEY], struct dvt_err *err)
{
	uint64_t n = k->n, r = k->r, p = k->p;
	uint64_t most = 128 * n * r + 128 * r * p + SCRYPT_SLACK;
	OSSL_PARAM params[] = {
	    OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_PASSWORD,
		(void *)(uintptr_t)passphrase.p, passphrase.n),
	    OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SALT,
		(void *)(uintptr_t)k->salt, sizeof(k->salt)),
	    OSSL_PARAM_construct_uint64(OSSL_KDF_PARAM_SCRYPT_N, &n),
	    OSSL_PARAM_construct_uint64(OSSL_KDF_PARAM_SCRYPT_R, &r),
	    OSSL_PARAM_construct_uint64(OSSL_KDF_PARAM_SCRYPT_P, &p),
	    OSSL_PARAM_construct_uint64(OSSL_KDF_PARAM_SCRYPT_MAXMEM, &most),
	    OSSL_PARAM_construct_end(),
	};
	EVP_KDF *kdf;
	EVP_KDF_CTX *ctx;
	enum dvt_code rc;
	int ok;

	if ((rc = check_cost(k, err)) != DVT_OK)
		return rc;
	if (passphrase.n == 0)
		return dvt_fail(err, DVT_E_INPUT, "passphrase is empty");
	kdf = EVP_KDF_fetch(NULL, "SCRYPT", NULL);
	ctx = kdf == NULL ? NULL : EVP_KDF_CTX_new(kdf);
	ok = ctx != NULL && EVP_KDF_derive(ctx, key, DVT_WRAP_KEY, params) == 1;
	EVP_KDF_CTX_free(ctx);
	EVP_KDF_free(kdf);
	if (!ok)
		return dvt_fail_ssl(err, DVT_E_SYSTEM, "key derivation");
	return DVT_OK;
}
