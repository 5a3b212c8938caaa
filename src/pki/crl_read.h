/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CRLs of others, as an edge that stands alone gets them: read from a file,
 * checked against the anchors they belong to, asked about one certificate.
 */
#ifndef DVT_PKI_CRL_READ_H
#define DVT_PKI_CRL_READ_H

#include "pki/x509.h"

/**
 * dvt_crls_each() - the bytes of every CRL of a file
 * @text: as for dvt_crls_read()
 * @each: told each as DER, borrowed; ends it all by anything but DVT_OK, not by
 *        DVT_E_ABSENT
 *
 * Return: DVT_OK (at least one, at most @max); DVT_E_INPUT; DVT_E_LIMIT; what
 *         @each said.
 */
DVT_MUST_USE enum dvt_code dvt_crls_each(struct dvt_span text, size_t max,
    enum dvt_code (*each)(void *arg, struct dvt_span der, struct dvt_err *err),
    void *arg, struct dvt_err *err);

/**
 * dvt_crls_read() - every CRL of a file
 * @text: PEM blocks "X509 CRL" with words between them, or one CRL as DER; at
 *        most DVT_CRL_DER_MAX bytes
 * @out:  room for @max; the caller frees the @n that were read
 *
 * Return: DVT_OK (at least one); DVT_E_INPUT (none, or a broken one, with its
 *         place); DVT_E_LIMIT. @n is 0 then.
 * Source: RFC 5280 section 5.1.
 */
DVT_MUST_USE enum dvt_code dvt_crls_read(struct dvt_span text, size_t max,
    X509_CRL **out, size_t *n, struct dvt_err *err);

/**
 * dvt_crl_check() - is it really its issuer's?
 * @anchors: where the issuer is looked for, by its name
 *
 * Return: DVT_OK (also when its issuer is not among them: who verifies a path
 *         later finds out); DVT_E_CONFLICT (the issuer's key did not sign it).
 */
DVT_MUST_USE enum dvt_code dvt_crl_check(
    X509_CRL *crl, X509 *const *anchors, size_t n, struct dvt_err *err);

/**
 * dvt_crl_unusable() - is this list one that nobody can go by?
 * @anchors: where the issuer is looked for
 *
 * Path validation then refuses every certificate of its issuer (RFC 5280
 * sections 5.2 and 6.3.3 (f)): what an operator must hear before devices do.
 * Return: NULL, or the reason as a fixed phrase.
 */
const char *dvt_crl_unusable(
    const X509_CRL *crl, X509 *const *anchors, size_t n);

/* Unix seconds; INT64_MAX when it names none. */
int64_t dvt_crl_next_update(const X509_CRL *crl);
/* Its issuer as text; returns @out. */
const char *dvt_crl_issuer(const X509_CRL *crl, char out[DVT_DN_TEXT]);
/* How many certificates it names. */
size_t dvt_crl_count(X509_CRL *crl);
/* Is this certificate of its issuer, and named by it (and not taken back)? */
bool dvt_crl_names(X509_CRL *crl, X509 *cert);

#endif
