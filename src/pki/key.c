/* SPDX-License-Identifier: Apache-2.0 */
/* Keys: see key.h. Signatures and requests are in key_sign.c. */
#include "pki/key.h"

#include "base/limits.h"
#include "pki/fastec.h"
#include "pki/ssl_err.h"
#include "pki/x509.h"
#include "wire/pem.h"

#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#define RSA_BITS_MIN     2048
#define RSA_BITS_MAX     8192
#define RSA_BITS_DEFAULT 3072

enum dvt_key_kind
dvt_key_kind_from_name(const char *name)
{
	static const enum dvt_key_kind kinds[] = {
	    DVT_KEY_P256, DVT_KEY_P384, DVT_KEY_RSA};

	for (size_t i = 0; i < DVT_COUNT(kinds); i++) {
		if (strcmp(dvt_key_kind_name(kinds[i]), name) == 0)
			return kinds[i];
	}
	return DVT_KEY_OTHER;
}

enum dvt_key_kind
dvt_key_kind(const EVP_PKEY *key)
{
	char group[64];

	if (EVP_PKEY_is_a(key, "RSA"))
		return DVT_KEY_RSA;
	if (!EVP_PKEY_is_a(key, "EC") ||
	    EVP_PKEY_get_group_name(key, group, sizeof(group), NULL) != 1) {
		ERR_clear_error();
		return DVT_KEY_OTHER;
	}
	if (strcmp(group, "prime256v1") == 0 || strcmp(group, "P-256") == 0)
		return DVT_KEY_P256;
	if (strcmp(group, "secp384r1") == 0 || strcmp(group, "P-384") == 0)
		return DVT_KEY_P384;
	return DVT_KEY_OTHER;
}

enum dvt_code
dvt_key_check(const EVP_PKEY *key, struct dvt_err *err)
{
	enum dvt_key_kind kind = dvt_key_kind(key);
	int bits = EVP_PKEY_get_bits(key);
	const char *name = EVP_PKEY_get0_type_name(key);

	if (kind == DVT_KEY_OTHER)
		return dvt_fail(err, DVT_E_INPUT,
		    "key: %s of %d bits is not taken (EC P-256, P-384, RSA)",
		    name == NULL ? "unknown kind" : name, bits);
	if (kind == DVT_KEY_RSA && (bits < RSA_BITS_MIN || bits > RSA_BITS_MAX))
		return dvt_fail(err, DVT_E_INPUT,
		    "key: RSA of %d bits; %d to %d are taken", bits,
		    RSA_BITS_MIN, RSA_BITS_MAX);
	return DVT_OK;
}

enum dvt_code
dvt_key_new(
    enum dvt_key_kind kind, unsigned bits, EVP_PKEY **out, struct dvt_err *err)
{
	*out = NULL;
	if (kind != DVT_KEY_RSA && dvt_fastec_on())
		return dvt_fail(err, DVT_E_SYSTEM,
		    "key: none is made where fast EC decoding is on");
	switch (kind) {
	case DVT_KEY_P256:
		*out = EVP_EC_gen("P-256");
		break;
	case DVT_KEY_P384:
		*out = EVP_EC_gen("P-384");
		break;
	case DVT_KEY_RSA:
		bits = bits == 0 ? RSA_BITS_DEFAULT : bits;
		if (bits < RSA_BITS_MIN || bits > RSA_BITS_MAX)
			return dvt_fail(err, DVT_E_INPUT,
			    "key: RSA of %u bits; %d to %d are made", bits,
			    RSA_BITS_MIN, RSA_BITS_MAX);
		*out = EVP_RSA_gen((size_t)bits);
		break;
	case DVT_KEY_OTHER:
		return dvt_fail(err, DVT_E_INPUT, "key: no such kind");
	}
	if (*out == NULL)
		return dvt_fail_ssl(err, DVT_E_SYSTEM, "key: cannot make %s",
		    dvt_key_kind_name(kind));
	return DVT_OK;
}

/* Hand @key out when it is one we take. */
static enum dvt_code
checked(EVP_PKEY *key, EVP_PKEY **out, const char *what, struct dvt_err *err)
{
	enum dvt_code rc;

	if (key == NULL)
		return dvt_fail_ssl(err, DVT_E_INPUT, "%s: unreadable", what);
	ERR_clear_error(); /* decoders leave what they tried */
	if ((rc = dvt_key_check(key, err)) != DVT_OK) {
		EVP_PKEY_free(key);
		return rc;
	}
	*out = key;
	return DVT_OK;
}

/* Instead of OpenSSL's own, which asks at the terminal. */
static int
no_passphrase(char *buf, int size, int for_writing, void *arg)
{
	(void)buf;
	(void)size;
	(void)for_writing;
	(void)arg;
	return -1;
}

enum dvt_code
dvt_key_from_pem(struct dvt_span pem, EVP_PKEY **out, struct dvt_err *err)
{
	EVP_PKEY *key;
	BIO *bio;

	*out = NULL;
	if (pem.n > DVT_KEY_PEM_MAX)
		return dvt_fail(err, DVT_E_LIMIT,
		    "private key: %zu bytes, at most %d", pem.n,
		    DVT_KEY_PEM_MAX);
	if (pem.n == 0) /* else OpenSSL's word is as if memory had ended */
		return dvt_fail(err, DVT_E_INPUT, "private key: empty");
	if (memmem(pem.p, pem.n, "ENCRYPTED", 9) != NULL)
		return dvt_fail(err, DVT_E_INPUT,
		    "private key: encrypted; decrypt it first (openssl pkey)");
	if ((bio = BIO_new_mem_buf(pem.p, (int)pem.n)) == NULL)
		return dvt_fail_ssl(err, DVT_E_SYSTEM, "private key");
	key = PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL);
	BIO_free(bio);
	return checked(key, out, "private key", err);
}

enum dvt_code
dvt_key_from_pkcs8(struct dvt_span der, EVP_PKEY **out, struct dvt_err *err)
{
	const uint8_t *p = der.p;
	PKCS8_PRIV_KEY_INFO *info;
	EVP_PKEY *key = NULL;

	*out = NULL;
	if (der.n > DVT_KEY_PEM_MAX)
		return dvt_fail(err, DVT_E_LIMIT,
		    "private key: %zu bytes, at most %d", der.n,
		    DVT_KEY_PEM_MAX);
	info = d2i_PKCS8_PRIV_KEY_INFO(NULL, &p, (long)der.n);
	if (info != NULL && p == der.p + der.n)
		key = EVP_PKCS82PKEY(info);
	PKCS8_PRIV_KEY_INFO_free(info);
	return checked(key, out, "private key", err);
}

enum dvt_code
dvt_key_to_pkcs8(
    const EVP_PKEY *key, struct dvt_secret *out, struct dvt_err *err)
{
	PKCS8_PRIV_KEY_INFO *info = EVP_PKEY2PKCS8(key);
	uint8_t *der = NULL;
	int n;

	*out = (struct dvt_secret){NULL, 0};
	if (info == NULL)
		return dvt_fail_ssl(
		    err, DVT_E_SYSTEM, "private key: cannot be exported");
	n = i2d_PKCS8_PRIV_KEY_INFO(info, &der);
	PKCS8_PRIV_KEY_INFO_free(info);
	if (n <= 0)
		return dvt_fail_ssl(err, DVT_E_SYSTEM, "private key: encoding");
	dvt_secret_set(out, der, (size_t)n);
	OPENSSL_clear_free(der, (size_t)n);
	return DVT_OK;
}

enum dvt_code
dvt_key_to_pem(const EVP_PKEY *key, struct dvt_buf *out, struct dvt_err *err)
{
	struct dvt_secret der = {0};
	enum dvt_code rc;

	if ((rc = dvt_key_to_pkcs8(key, &der, err)) != DVT_OK)
		return rc;
	dvt_pem_put(out, DVT_PEM_KEY, (struct dvt_span){der.p, der.n});
	dvt_secret_free(&der);
	return dvt_buf_ok(out, "private key", err);
}

enum dvt_code
dvt_key_public_from_pem(
    struct dvt_span pem, EVP_PKEY **out, struct dvt_err *err)
{
	struct dvt_buf der;
	enum dvt_code rc;

	*out = NULL;
	dvt_buf_init(&der, DVT_SPKI_MAX);
	rc = dvt_pem_take(&pem, DVT_PEM_SPKI, &der, err);
	if (rc == DVT_OK)
		rc = dvt_key_from_spki(dvt_buf_span(&der), out, err);
	else if (rc == DVT_E_ABSENT)
		rc = dvt_fail(
		    err, DVT_E_INPUT, "public key: no \"BEGIN PUBLIC KEY\"");
	dvt_buf_fini(&der);
	return rc;
}

enum dvt_code
dvt_key_public_to_pem(
    const EVP_PKEY *key, struct dvt_buf *out, struct dvt_err *err)
{
	struct dvt_buf der;
	enum dvt_code rc;

	dvt_buf_init(&der, DVT_SPKI_MAX);
	if ((rc = dvt_key_to_spki(key, &der, err)) == DVT_OK) {
		dvt_pem_put(out, DVT_PEM_SPKI, dvt_buf_span(&der));
		rc = dvt_buf_ok(out, "public key", err);
	}
	dvt_buf_fini(&der);
	return rc;
}

enum dvt_code
dvt_key_to_spki(const EVP_PKEY *key, struct dvt_buf *out, struct dvt_err *err)
{
	uint8_t *der = NULL;
	int n = i2d_PUBKEY(key, &der);

	if (n <= 0)
		return dvt_fail_ssl(
		    err, DVT_E_SYSTEM, "key: cannot write its public half");
	dvt_buf_put(out, der, (size_t)n);
	OPENSSL_free(der);
	return dvt_buf_ok(out, "public key", err);
}

/* A key with the parameters of P-256 and no point; NULL where it is refused. */
static EVP_PKEY *
p256_parameters(void)
{
	static EVP_PKEY *template; /* for the life of the process */

	if (template == NULL)
		template = EVP_EC_gen("P-256");
	return template;
}

/* Past the decoders: they cost thirty times as much as the point itself. */
static EVP_PKEY *
p256_from_point(struct dvt_span point)
{
	EVP_PKEY *like = p256_parameters(), *key;

	if (like == NULL || (key = EVP_PKEY_new()) == NULL)
		return NULL;
	if (EVP_PKEY_copy_parameters(key, like) == 1 &&
	    EVP_PKEY_set1_encoded_public_key(key, point.p, point.n) == 1)
		return key;
	EVP_PKEY_free(key);
	return NULL;
}

enum dvt_code
dvt_key_from_spki(struct dvt_span spki, EVP_PKEY **out, struct dvt_err *err)
{
	struct dvt_span in = spki;
	struct dvt_spki s;
	const uint8_t *p = spki.p;
	enum dvt_code rc;

	*out = NULL;
	if (spki.n > DVT_SPKI_MAX)
		return dvt_fail(err, DVT_E_LIMIT,
		    "public key: %zu bytes, at most %d", spki.n, DVT_SPKI_MAX);
	if ((rc = dvt_spki_take(&in, &s, err)) != DVT_OK)
		return rc;
	if (in.n != 0)
		return dvt_fail(
		    err, DVT_E_INPUT, "public key: bytes behind it");
	if (s.kind == DVT_KEY_OTHER)
		return dvt_fail(err, DVT_E_INPUT,
		    "public key: kind is not taken (EC P-256, P-384, RSA)");
	if (s.kind == DVT_KEY_P256 && !dvt_fastec_on())
		return checked(
		    p256_from_point(s.point), out, "public key", err);
	return checked(
	    d2i_PUBKEY(NULL, &p, (long)spki.n), out, "public key", err);
}

enum dvt_code
dvt_key_digest(
    const EVP_PKEY *key, char out[DVT_DIGEST_HEX], struct dvt_err *err)
{
	struct dvt_buf der;
	enum dvt_code rc;

	out[0] = '\0';
	dvt_buf_init(&der, DVT_SPKI_MAX);
	if ((rc = dvt_key_to_spki(key, &der, err)) == DVT_OK)
		dvt_sha256_hex(dvt_buf_span(&der), out);
	dvt_buf_fini(&der);
	return rc;
}
