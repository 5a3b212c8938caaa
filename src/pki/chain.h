/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A chain as it is shown in a handshake or stored in a file: the leaf first,
 * each following certificate the issuer of the one before.
 */
#ifndef DVT_PKI_CHAIN_H
#define DVT_PKI_CHAIN_H

#include "base/hex.h"
#include "base/limits.h"
#include "base/span.h"

#include <openssl/x509.h>

struct dvt_chain {
	X509 *cert[DVT_CHAIN_MAX]; /* owned; [0] is the leaf */
	size_t n;
};

void dvt_chain_fini(struct dvt_chain *c); /* NULL-safe; empty afterwards */
/* Take a reference of @cert; DVT_E_LIMIT when full. */
DVT_MUST_USE enum dvt_code dvt_chain_add(
    struct dvt_chain *c, X509 *cert, struct dvt_err *err);
DVT_MUST_USE enum dvt_code dvt_chain_copy(
    struct dvt_chain *to, const struct dvt_chain *from, struct dvt_err *err);

/**
 * dvt_chain_from_pem() - every certificate of a PEM text, in its order
 * @pem: at most DVT_CHAIN_PEM_MAX bytes; at least one certificate; other
 *       blocks (a private key) are refused, words between blocks are not
 *
 * Nothing is checked across certificates: see dvt_chain_check().
 * Return: DVT_OK; DVT_E_LIMIT; DVT_E_INPUT, naming the certificate's place.
 */
DVT_MUST_USE enum dvt_code dvt_chain_from_pem(
    struct dvt_span pem, struct dvt_chain *out, struct dvt_err *err);
DVT_MUST_USE enum dvt_code dvt_chain_to_pem(
    const struct dvt_chain *c, struct dvt_buf *out, struct dvt_err *err);
/* From what a peer sent: leaf and the rest; either may be NULL. */
DVT_MUST_USE enum dvt_code dvt_chain_from_stack(X509 *leaf,
    const STACK_OF(X509) * rest, struct dvt_chain *out, struct dvt_err *err);

/**
 * dvt_chain_check() - leaf is no CA, each certificate issued by the next
 *
 * The text names the place and both certificates ("certificate 2 of 3
 * (CN=...) is not issued by certificate 3 (CN=...)").
 * Return: DVT_OK; DVT_E_INPUT.
 * Source: RFC 5246 section 7.4.2 (order of a flight).
 */
DVT_MUST_USE enum dvt_code dvt_chain_check(
    const struct dvt_chain *c, struct dvt_err *err);
/* Every certificate valid at @now; else DVT_E_INPUT with place and seconds. */
DVT_MUST_USE enum dvt_code dvt_chain_check_time(
    const struct dvt_chain *c, int64_t now, struct dvt_err *err);

/* Smallest notAfter of the chain, Unix seconds. */
int64_t dvt_chain_not_after(const struct dvt_chain *c);
/* Bytes of DER: what the chain takes in a flight. */
size_t dvt_chain_der_len(const struct dvt_chain *c);
/* What names a shown chain: SHA-256 over the DER of all, in order, as hex. */
void dvt_chain_digest(const struct dvt_chain *c, char out[DVT_DIGEST_HEX]);

/**
 * dvt_chain_touches() - does any certificate of this flight verify directly
 * under the key of @anchor?
 *
 * Names and dates do not count, so it errs to "yes": a device that holds only
 * @anchor could have completed a handshake with this flight. "No" is what
 * makes a handshake a pure-chain proof.
 */
bool dvt_chain_touches(const struct dvt_chain *c, X509 *anchor);

#endif
