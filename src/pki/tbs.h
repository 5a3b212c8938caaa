/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes of a TBSCertificate, for issue.c and crl.c only. */
#ifndef DVT_PKI_TBS_H
#define DVT_PKI_TBS_H

#include "pki/issue.h"
#include "wire/spki.h"

/* The digest @key signs with: SHA-384 for P-384, else SHA-256. */
const EVP_MD *dvt_tbs_digest(const EVP_PKEY *key);
/* The AlgorithmIdentifier of its signatures (RFC 5758, RFC 4055). */
void dvt_tbs_put_algorithm(struct dvt_buf *b, const EVP_PKEY *key);

/*
 * The whole TBSCertificate. Fields are checked already but for alternative
 * names and URLs (DVT_E_INPUT). @spki is @w->spki taken apart.
 */
DVT_MUST_USE enum dvt_code dvt_tbs_put(struct dvt_buf *b,
    const struct dvt_issue *w, const struct dvt_spki *spki, X509 *issuer,
    EVP_PKEY *key, struct dvt_err *err);

/* One [0] keyIdentifier inside authorityKeyIdentifier, as an Extension. */
void dvt_tbs_put_aki(struct dvt_buf *b, X509 *issuer);

#endif
