/* SPDX-License-Identifier: Apache-2.0 */
/*
 * OCSP responses to be stapled: is this one good for the certificate that it
 * would be shown with?
 */
#ifndef DVT_PKI_STAPLE_H
#define DVT_PKI_STAPLE_H

#include "base/span.h"

#include <openssl/x509.h>

/**
 * dvt_staple_check() - may it be shown beside @leaf?
 * @der:    OCSPResponse as DER; at most DVT_STAPLE_MAX bytes
 * @issuer: of @leaf
 * @now:    Unix seconds
 * @until:  out: nextUpdate, Unix seconds
 *
 * Its signature is the issuer's, or one of a responder that the issuer made
 * one; it says "good" of this certificate; it has begun and is not over.
 * Return: DVT_OK; DVT_E_INPUT (broken, not for this certificate, dates);
 *         DVT_E_DENIED (it says revoked or unknown); DVT_E_CONFLICT (its
 *         signature); DVT_E_LIMIT.
 * Source: RFC 6066 section 8, RFC 6960 section 3.2.
 */
DVT_MUST_USE enum dvt_code dvt_staple_check(struct dvt_span der, X509 *leaf,
    X509 *issuer, int64_t now, int64_t *until, struct dvt_err *err);

#endif
