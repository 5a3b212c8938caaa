/* SPDX-License-Identifier: Apache-2.0 */
/* Devices and denials of a feed as records of a shelf. */
#ifndef DVT_PROTO_FEED_SHELF_H
#define DVT_PROTO_FEED_SHELF_H

#include "proto/feed.h"
#include "proto/shelf.h"

/* Kinds of records. */
enum {
	DVT_SHELF_DENY = DVT_SHELF_RARE,
	DVT_SHELF_DEVICE,
	DVT_SHELF_OWNER,
	DVT_SHELF_KEY,
	DVT_SHELF_REVOKED /* gateway/revoked.h */
};

/* A record as an entry: what dvt_feed_get() lends out. */
struct dvt_feed_view {
	struct dvt_feed_entry e;
	char key[DVT_FEED_KEY_MAX + 2];
	char *texts[4 * DVT_FEED_LIST_MAX];
	char room[4 * DVT_FEED_LIST_MAX * DVT_DIGEST_HEX];
};

/* A key: 32 bytes for a fingerprint, else its text with its NUL (two of them
 * where one would make it 32 bytes). */
struct dvt_shelf_key {
	uint8_t p[DVT_FEED_KEY_MAX + 2];
	size_t n;
};
struct dvt_span dvt_shelf_key_of(const char *text, struct dvt_shelf_key *out);
void dvt_shelf_key_text(struct dvt_span key, char *out, size_t size);

/* The value of an entry of kind device or deny, appended. */
void dvt_feed_pack(const struct dvt_feed_entry *e, struct dvt_buf *out);
/* false: the record is damaged. Kind and key of @v->e are the caller's. */
bool dvt_feed_unpack(struct dvt_span value, struct dvt_feed_view *v);

#endif
