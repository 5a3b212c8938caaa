/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by feed_record.c and feed_record_scan.c, and their test. */
#ifndef DVT_PROTO_FEED_RECORD_PRIV_H
#define DVT_PROTO_FEED_RECORD_PRIV_H

#include "proto/feed_record.h"

/* The plain texts of a record: one list for both directions. */
struct dvt_record_text {
	const char *key;
	size_t at, size; /* in struct dvt_handshake */
};
#define DVT_RECORD_TEXTS 15
extern const struct dvt_record_text dvt_record_texts[DVT_RECORD_TEXTS];

/*
 * The same result as the JSON reader's, or false: ask that one. Of numbers
 * only those that every record has.
 */
bool dvt_handshake_scan(struct dvt_span line, struct dvt_handshake *out);

#endif
