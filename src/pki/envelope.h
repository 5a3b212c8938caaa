/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bytes encrypted to a certificate (CMS, AES-256-GCM): a configuration value
 * on its way to its device. `openssl cms -decrypt -inform DER` opens it too.
 */
#ifndef DVT_PKI_ENVELOPE_H
#define DVT_PKI_ENVELOPE_H

#include "base/limits.h"
#include "base/span.h"

#include <openssl/evp.h>
#include <openssl/x509.h>

/**
 * dvt_envelope_seal() - encrypt so that only @to's private key opens it
 * @plain: at most DVT_CONFIG_VALUE bytes
 * @out:   gets AuthEnvelopedData in DER appended; at most DVT_CONFIG_SEALED
 * Return: DVT_OK; DVT_E_LIMIT; DVT_E_SYSTEM.
 * Source: RFC 5083, RFC 5084, RFC 5753 section 3.1 (ephemeral-static ECDH).
 */
DVT_MUST_USE enum dvt_code dvt_envelope_seal(
    X509 *to, struct dvt_span plain, struct dvt_buf *out, struct dvt_err *err);

/**
 * dvt_envelope_open() - the other way
 * @own:   certificate it may be for
 * @key:   its private key
 * @plain: gets the bytes appended; unchanged on failure. Secret: cleanse it
 * Return: DVT_OK; DVT_E_LIMIT; DVT_E_INPUT (not such a message); DVT_E_AUTH
 *         (for another certificate, or changed).
 */
DVT_MUST_USE enum dvt_code dvt_envelope_open(struct dvt_span der, X509 *own,
    EVP_PKEY *key, struct dvt_buf *plain, struct dvt_err *err);

/* Is it such a message, whoever it is for? What a server may ask. */
DVT_MUST_USE enum dvt_code dvt_envelope_check(
    struct dvt_span der, struct dvt_err *err);

#endif
