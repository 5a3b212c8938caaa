/* SPDX-License-Identifier: Apache-2.0 */
/* PEM blocks (RFC 7468), one after the other out of a larger text. */
#ifndef DVT_WIRE_PEM_H
#define DVT_WIRE_PEM_H

#include "base/span.h"

#define DVT_PEM_CERT "CERTIFICATE"
#define DVT_PEM_CSR  "CERTIFICATE REQUEST"
#define DVT_PEM_KEY  "PRIVATE KEY"
#define DVT_PEM_SPKI "PUBLIC KEY"
#define DVT_PEM_CRL  "X509 CRL"

/**
 * dvt_pem_take() - next block with this label
 * @in:    moved past the block; text and blocks of other labels before it
 *         are skipped; untouched on failure
 * @label: such as DVT_PEM_CERT; DVT_PEM_CSR also takes the old "NEW
 *         CERTIFICATE REQUEST"
 * @der:   emptied, then the decoded bytes; its limit bounds a block
 *
 * Return: DVT_OK; DVT_E_ABSENT (no such block left); DVT_E_INPUT (no end
 *         line, other end label, header lines as in encrypted old keys, bad
 *         base64, empty); DVT_E_LIMIT (@der).
 * Source: RFC 7468 sections 2 and 3 (lax white space).
 */
DVT_MUST_USE enum dvt_code dvt_pem_take(struct dvt_span *in, const char *label,
    struct dvt_buf *der, struct dvt_err *err);

void dvt_pem_put(struct dvt_buf *out, const char *label, struct dvt_span der);

#endif
