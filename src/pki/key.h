/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keys: making, reading and writing them, their digest, signatures.
 * A key is named by its digest: SHA-256 over the DER SubjectPublicKeyInfo.
 */
#ifndef DVT_PKI_KEY_H
#define DVT_PKI_KEY_H

#include "base/hex.h"
#include "base/mem.h"
#include "base/span.h"
#include "wire/spki.h"

#include <openssl/evp.h>
#include <openssl/x509.h>

struct dvt_csr; /* wire/csr.h */

/* DVT_KEY_OTHER when no kind has that name ("ec-p256", "ec-p384", "rsa"). */
enum dvt_key_kind dvt_key_kind_from_name(const char *name);
enum dvt_key_kind dvt_key_kind(const EVP_PKEY *key);

/**
 * dvt_key_new() - a fresh key
 * @bits: RSA: modulus, 2048 to 8192, 0: 3072; EC: not looked at
 * @out:  the caller frees it
 *
 * Not where fast EC decoding is on (pki/fastec.h).
 */
DVT_MUST_USE enum dvt_code dvt_key_new(
    enum dvt_key_kind kind, unsigned bits, EVP_PKEY **out, struct dvt_err *err);

/**
 * dvt_key_from_pem() - read an unencrypted private key (PKCS#8, SEC1, PKCS#1)
 * @pem: at most DVT_KEY_PEM_MAX bytes
 *
 * Return: DVT_OK; DVT_E_LIMIT; DVT_E_INPUT (no key, encrypted, or a kind that
 *         dvt_key_check() refuses).
 */
DVT_MUST_USE enum dvt_code dvt_key_from_pem(
    struct dvt_span pem, EVP_PKEY **out, struct dvt_err *err);
/* As PKCS#8 PEM. @out holds a secret now: dvt_buf_cleanse() it. */
DVT_MUST_USE enum dvt_code dvt_key_to_pem(
    const EVP_PKEY *key, struct dvt_buf *out, struct dvt_err *err);
/* PKCS#8 DER, as the signer stores it wrapped (pki/wrap.h). */
DVT_MUST_USE enum dvt_code dvt_key_from_pkcs8(
    struct dvt_span der, EVP_PKEY **out, struct dvt_err *err);
DVT_MUST_USE enum dvt_code dvt_key_to_pkcs8(
    const EVP_PKEY *key, struct dvt_secret *out, struct dvt_err *err);

/* A public key alone, "-----BEGIN PUBLIC KEY-----". */
DVT_MUST_USE enum dvt_code dvt_key_public_from_pem(
    struct dvt_span pem, EVP_PKEY **out, struct dvt_err *err);
DVT_MUST_USE enum dvt_code dvt_key_public_to_pem(
    const EVP_PKEY *key, struct dvt_buf *out, struct dvt_err *err);

/* P-256, P-384 or RSA of 2048 to 8192 bits; else DVT_E_INPUT. */
DVT_MUST_USE enum dvt_code dvt_key_check(
    const EVP_PKEY *key, struct dvt_err *err);

/* Append the DER SubjectPublicKeyInfo to @out. */
DVT_MUST_USE enum dvt_code dvt_key_to_spki(
    const EVP_PKEY *key, struct dvt_buf *out, struct dvt_err *err);
/**
 * dvt_key_from_spki() - public key from DER SubjectPublicKeyInfo
 *
 * P-256 takes a short way past OpenSSL's decoders (5 us against 172); with
 * fast EC decoding on (pki/fastec.h) the ordinary way is as short.
 * Return: DVT_OK; DVT_E_INPUT (broken, point not on the curve, or a kind that
 *         dvt_key_check() refuses).
 */
DVT_MUST_USE enum dvt_code dvt_key_from_spki(
    struct dvt_span spki, EVP_PKEY **out, struct dvt_err *err);

/* The key's name: lower-case hex of SHA-256 over its SPKI. */
DVT_MUST_USE enum dvt_code dvt_key_digest(
    const EVP_PKEY *key, char out[DVT_DIGEST_HEX], struct dvt_err *err);
/* SHA-256. It takes memory, and ends the process where there is none: a wrong
 * digest would be a wrong name. */
void dvt_sha256(struct dvt_span bytes, uint8_t out[32]);
/* SHA-256 of any bytes in hex; of an SPKI it is the key's name. */
void dvt_sha256_hex(struct dvt_span bytes, char out[DVT_DIGEST_HEX]);

/**
 * dvt_key_sign() - sign bytes with SHA-256: ECDSA, or RSA PKCS#1 v1.5
 * @sig: gets the signature appended (DER for ECDSA)
 */
DVT_MUST_USE enum dvt_code dvt_key_sign(EVP_PKEY *key, struct dvt_span bytes,
    struct dvt_buf *sig, struct dvt_err *err);
/* DVT_OK when @sig is @key's over @bytes; else DVT_E_AUTH. */
DVT_MUST_USE enum dvt_code dvt_key_verify(EVP_PKEY *key, struct dvt_span bytes,
    struct dvt_span sig, struct dvt_err *err);

/* The same public key. */
bool dvt_key_same(const EVP_PKEY *a, const EVP_PKEY *b);
/* DVT_E_CONFLICT, naming the certificate, when @key is not its key;
 * DVT_E_SYSTEM: they cannot be compared. */
DVT_MUST_USE enum dvt_code dvt_key_matches(
    const EVP_PKEY *key, X509 *cert, struct dvt_err *err);

/**
 * dvt_key_from_csr() - the request's public key, its possession proven
 * @out: the key; the caller frees it
 *
 * Return: DVT_OK; DVT_E_INPUT (key refused, or the request's signature is not
 *         made by it).
 * Source: RFC 2986 section 3, RFC 7030 section 3.4.
 */
DVT_MUST_USE enum dvt_code dvt_key_from_csr(
    const struct dvt_csr *csr, EVP_PKEY **out, struct dvt_err *err);

#endif
