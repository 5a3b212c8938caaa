/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Signed lines (DSSE): {"payload": base64, "signatures": [{"keyid", "sig"}]}.
 * The bytes signed are the bytes sent, checked before they are parsed.
 * ECDSA P-256 with SHA-256; `openssl dgst -sha256 -verify` can check it over
 * what dvt_dsse_pae() makes.
 */
#ifndef DVT_PKI_DSSE_H
#define DVT_PKI_DSSE_H

#include "base/hex.h"
#include "base/limits.h"
#include "base/span.h"

#include <openssl/evp.h>

#define DVT_DSSE_SIGNATURES 16 /* on one line */
#define DVT_DSSE_SIG_MAX    80 /* bytes; ECDSA P-256 in DER: 72 */

/* "DSSEv1 SP len SP type SP len SP payload", appended to @out. */
void dvt_dsse_pae(
    const char *type, struct dvt_span payload, struct dvt_buf *out);

struct dvt_dsse_sig {
	char keyid[DVT_DIGEST_HEX];
	uint8_t sig[DVT_DSSE_SIG_MAX];
	size_t sig_n;
};

/* A line taken apart; nothing of it is verified yet. */
struct dvt_dsse {
	struct dvt_buf payload;
	struct dvt_dsse_sig sig[DVT_DSSE_SIGNATURES];
	size_t sig_n;
};

void dvt_dsse_fini(struct dvt_dsse *d);
/**
 * dvt_dsse_parse() - one line, with or without its line feed
 * @line: at most DVT_BUNDLE_MAX bytes
 *
 * Signatures that cannot be of a P-256 key, or whose key id is no digest, are
 * left out, as unknown co-signers are.
 * Return: DVT_OK; DVT_E_LIMIT; DVT_E_INPUT.
 */
DVT_MUST_USE enum dvt_code dvt_dsse_parse(
    struct dvt_span line, struct dvt_dsse *out, struct dvt_err *err);
/* The line, without line feed, appended. */
DVT_MUST_USE enum dvt_code dvt_dsse_format(
    const struct dvt_dsse *d, struct dvt_buf *out, struct dvt_err *err);
/* Start an envelope around @payload (copied), without signatures. */
DVT_MUST_USE enum dvt_code dvt_dsse_init(
    struct dvt_dsse *d, struct dvt_span payload, struct dvt_err *err);
/* Add @key's signature; a second one of the same key replaces the first. */
DVT_MUST_USE enum dvt_code dvt_dsse_sign(
    struct dvt_dsse *d, const char *type, EVP_PKEY *key, struct dvt_err *err);

struct dvt_dsse_key {
	char keyid[DVT_DIGEST_HEX];
	EVP_PKEY *key; /* borrowed */
};

/**
 * dvt_dsse_count() - how many DISTINCT keys of @keys have signed
 *
 * Unknown ids and broken signatures do not count and do not harm; two ids or
 * two signatures of one key count once.
 */
size_t dvt_dsse_count(const struct dvt_dsse *d, const char *type,
    const struct dvt_dsse_key *keys, size_t n);

#endif
