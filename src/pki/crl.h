/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CRLs written as a stream: entries are appended as bytes and hashed as they
 * come, so a list of a million needs no tree of objects.
 */
#ifndef DVT_PKI_CRL_H
#define DVT_PKI_CRL_H

#include "pki/x509.h"

#include <openssl/evp.h>

/* RFC 5280 section 5.3.1; the value is the code. */
enum dvt_crl_reason {
	DVT_CRL_UNSPECIFIED = 0,
	DVT_CRL_KEY_COMPROMISE = 1,
	DVT_CRL_CA_COMPROMISE = 2,
	DVT_CRL_AFFILIATION_CHANGED = 3,
	DVT_CRL_SUPERSEDED = 4,
	DVT_CRL_CESSATION = 5,
};

struct dvt_crl; /* one list being written */

/**
 * dvt_crl_new() - begin a list
 * @issuer:      CA certificate with cRLSign (or no keyUsage)
 * @number:      cRLNumber, counts up
 * @next_update: Unix seconds, after @this_update
 */
DVT_MUST_USE enum dvt_code dvt_crl_new(X509 *issuer, int64_t number,
    int64_t this_update, int64_t next_update, struct dvt_crl **out,
    struct dvt_err *err);
/* @serial: bytes, big-endian. Failures are kept and told by _finish(). */
void dvt_crl_add(struct dvt_crl *c, struct dvt_span serial, int64_t revoked_at,
    enum dvt_crl_reason reason);
/**
 * dvt_crl_finish() - sign; the whole list is appended to @der
 * @key: the issuer's
 * @der: room for DVT_CRL_DER_MAX; broken bytes in it unless DVT_OK
 * Return: DVT_OK; DVT_E_CONFLICT (not the issuer's key); DVT_E_LIMIT;
 *         DVT_E_INPUT (a kept failure).
 * Source: RFC 5280 section 5.1.
 */
DVT_MUST_USE enum dvt_code dvt_crl_finish(
    struct dvt_crl *c, EVP_PKEY *key, struct dvt_buf *der, struct dvt_err *err);
void dvt_crl_free(struct dvt_crl *c); /* NULL-safe */

#endif
