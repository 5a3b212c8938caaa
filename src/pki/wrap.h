/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Private keys at rest: AES-256-GCM under an unlocking key, bound to what
 * they are for; the unlocking key from a passphrase.
 */
#ifndef DVT_PKI_WRAP_H
#define DVT_PKI_WRAP_H

#include "base/mem.h"
#include "base/span.h"

#define DVT_WRAP_KEY      32 /* bytes of an unlocking key */
#define DVT_WRAP_OVERHEAD 29 /* bytes added: version 1, nonce 12, tag 16 */
#define DVT_KDF_TEXT      128

/**
 * dvt_wrap() - encrypt and bind
 * @bound: what the key belongs to ("authority:<fingerprint>"); not stored,
 *         the same bytes are asked for again by dvt_unwrap()
 * @out:   gets version, nonce, ciphertext and tag appended
 * Source: NIST SP 800-38D.
 */
DVT_MUST_USE enum dvt_code dvt_wrap(const uint8_t key[DVT_WRAP_KEY],
    struct dvt_span bound, struct dvt_span plain, struct dvt_buf *out,
    struct dvt_err *err);
/* DVT_E_AUTH when key, binding or blob are not the ones of dvt_wrap(). */
DVT_MUST_USE enum dvt_code dvt_unwrap(const uint8_t key[DVT_WRAP_KEY],
    struct dvt_span bound, struct dvt_span blob, struct dvt_secret *out,
    struct dvt_err *err);

/* How an unlocking key is made from a passphrase; stored beside the blobs. */
struct dvt_kdf {
	uint8_t salt[16];
	uint64_t n;    /* scrypt: cost, a power of two */
	uint32_t r, p; /* scrypt: block size, lanes */
};

/* Fresh salt, today's cost (64 MiB, about 0.2 s). */
DVT_MUST_USE enum dvt_code dvt_kdf_make(
    struct dvt_kdf *out, struct dvt_err *err);
/* "scrypt:65536:8:1:<salt in hex>" */
const char *dvt_kdf_format(const struct dvt_kdf *k, char out[DVT_KDF_TEXT]);
/* DVT_E_INPUT; DVT_E_LIMIT when it would ask for over 1 GiB. */
DVT_MUST_USE enum dvt_code dvt_kdf_parse(
    const char *text, struct dvt_kdf *out, struct dvt_err *err);
/* Source: RFC 7914. */
DVT_MUST_USE enum dvt_code dvt_kdf_run(const struct dvt_kdf *k,
    struct dvt_span passphrase, uint8_t key[DVT_WRAP_KEY], struct dvt_err *err);

#endif
