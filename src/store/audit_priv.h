/* SPDX-License-Identifier: Apache-2.0 */
/* The hashes of the audit log; for its two sources. */
#ifndef DVT_STORE_AUDIT_PRIV_H
#define DVT_STORE_AUDIT_PRIV_H

#include "store/audit.h"

/* The hash before the first entry of @s. */
void dvt_audit_first(
    const struct dvt_row_audit_stream *s, char out[DVT_DIGEST_HEX]);
/* What the hash of @row is when it follows @before; row->hash is not read. */
void dvt_audit_hash(const char *before, const struct dvt_row_audit *row,
    char out[DVT_DIGEST_HEX]);

#endif
