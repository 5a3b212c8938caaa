/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bodies of messages: typed fields in a fixed order. Each is a tag byte and a
 * number (LEB128) or a length with bytes; a reader that expects another type
 * fails. Writers use a dvt_buf (its first failure is kept), readers keep
 * theirs until dvt_fields_end().
 */
#ifndef DVT_IPC_FIELDS_H
#define DVT_IPC_FIELDS_H

#include "base/span.h"

void dvt_put_u64(struct dvt_buf *b, uint64_t v);
void dvt_put_i64(struct dvt_buf *b, int64_t v);
void dvt_put_bool(struct dvt_buf *b, bool v);
void dvt_put_str(struct dvt_buf *b, const char *s); /* NULL stays NULL */
void dvt_put_bytes(struct dvt_buf *b, struct dvt_span v);
/* "Now follow @n groups"; the reader says how many it would take. */
void dvt_put_count(struct dvt_buf *b, size_t n);

struct dvt_fields {
	struct dvt_span rest;
	const char *bad; /* first failure, or NULL */
	unsigned seen;   /* fields read so far */
};

struct dvt_fields dvt_fields_of(struct dvt_span body);
/* After a failure all getters give 0, false, "" or no bytes. */
uint64_t dvt_get_u64(struct dvt_fields *f, uint64_t max);
int64_t dvt_get_i64(struct dvt_fields *f);
bool dvt_get_bool(struct dvt_fields *f);
/* Copied into @out with its NUL; NULL counts as "". No NUL bytes inside. */
void dvt_get_str(struct dvt_fields *f, char *out, size_t size);
/* Borrowed from the body; at most @max bytes. */
struct dvt_span dvt_get_bytes(struct dvt_fields *f, size_t max);
/* The same for text: NUL-free; p NULL for a NULL string. */
struct dvt_span dvt_get_text(struct dvt_fields *f, size_t max);
size_t dvt_get_count(struct dvt_fields *f, size_t max);
bool dvt_fields_more(const struct dvt_fields *f); /* something is left */
/* DVT_OK when all was read without failure and nothing is left. */
DVT_MUST_USE enum dvt_code dvt_fields_end(
    const struct dvt_fields *f, const char *what, struct dvt_err *err);

#endif
