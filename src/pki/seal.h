/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bytes encrypted to a P-256 key: a CA key on its way into the signer. An
 * ephemeral key, ECDH, HKDF-SHA256 over both public keys, then pki/wrap.h.
 */
#ifndef DVT_PKI_SEAL_H
#define DVT_PKI_SEAL_H

#include "base/mem.h"
#include "base/span.h"

#include <openssl/evp.h>

#define DVT_SEAL_SPKI     91  /* bytes of the ephemeral key: P-256, DER */
#define DVT_SEAL_OVERHEAD 128 /* bytes added, at most */

/**
 * dvt_seal() - encrypt @plain so that only @to's private key opens it
 * @to:    public key, P-256
 * @bound: what it is for; asked for again by dvt_unseal()
 * @out:   gets the ephemeral key and the wrapped bytes appended
 * Return: DVT_OK; DVT_E_INPUT (@to is not P-256); DVT_E_SYSTEM.
 * Source: SEC 1 version 2.0 section 5.1, with RFC 5869 and AES-256-GCM.
 */
DVT_MUST_USE enum dvt_code dvt_seal(EVP_PKEY *to, struct dvt_span bound,
    struct dvt_span plain, struct dvt_buf *out, struct dvt_err *err);

/* DVT_E_INPUT (broken); DVT_E_AUTH (another key, other bytes, another @bound).
 */
DVT_MUST_USE enum dvt_code dvt_unseal(EVP_PKEY *own, struct dvt_span bound,
    struct dvt_span sealed, struct dvt_secret *out, struct dvt_err *err);

#endif
