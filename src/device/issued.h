/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What came back from EST, judged before a byte of it is stored: is it for
 * our key, our name, this time, and from whom it may come?
 */
#ifndef DVT_DEVICE_ISSUED_H
#define DVT_DEVICE_ISSUED_H

#include "pki/chain.h"
#include "pki/verify.h"

struct dvt_issued_want {
	const EVP_PKEY *key; /* the certificate must be for it */
	/* its subject and names must be there again; NULL: the first one */
	X509 *former;
	/* CAs it may come from; NULL: any */
	const struct dvt_trust *issuing;
	int64_t now; /* Unix seconds */
};

/**
 * dvt_issued_check() - body of an EST answer to a chain to be shown
 * @body: base64 of a certs-only message, in any form
 * @out:  leaf first, then its issuers in order, without a root; the caller's
 *
 * Certificates that belong to no chain from the leaf are dropped.
 * Return: DVT_OK; DVT_E_INPUT (not EST, dates, chain); DVT_E_CONFLICT
 *         (another key, subject or names); DVT_E_DENIED (another CA);
 *         DVT_E_LIMIT.
 * Source: RFC 7030 section 4.2.3.
 */
DVT_MUST_USE enum dvt_code dvt_issued_check(struct dvt_span body,
    const struct dvt_issued_want *want, struct dvt_chain *out,
    struct dvt_err *err);

/* The same for a chain read back from the disk. */
DVT_MUST_USE enum dvt_code dvt_issued_check_chain(
    const struct dvt_issued_want *want, const struct dvt_chain *chain,
    struct dvt_err *err);

#endif
