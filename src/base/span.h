/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Borrowed bytes (span) and growing bytes with a limit (buf).
 * They take the place of strcpy, sprintf and hand-made length arithmetic.
 */
#ifndef DVT_BASE_SPAN_H
#define DVT_BASE_SPAN_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct dvt_span {
	const uint8_t *p;
	size_t n;
};

#define DVT_SPAN_LIT(s) ((struct dvt_span){(const uint8_t *)(s), sizeof(s) - 1})

static inline struct dvt_span
dvt_span_str(const char *s)
{
	return (struct dvt_span){(const uint8_t *)s, s == NULL ? 0 : strlen(s)};
}

/* What is left of @s after @n bytes; all of it when @n is more than there is */
static inline struct dvt_span
dvt_span_from(struct dvt_span s, size_t n)
{
	if (n > s.n)
		n = s.n;
	return (struct dvt_span){n > 0 ? s.p + n : s.p, s.n - n};
}

static inline bool
dvt_span_eq(struct dvt_span a, struct dvt_span b)
{
	return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

static inline bool
dvt_span_eq_str(struct dvt_span a, const char *s)
{
	return dvt_span_eq(a, dvt_span_str(s));
}

/* Big-endian number of at most 8 bytes. */
uint64_t dvt_be_uint(const uint8_t *p, size_t n);

/*
 * Bytes that grow up to @max. The first failure (over the limit) is kept and
 * every later append does nothing, so a writer asks once, at the end, with
 * dvt_buf_ok(). Out of memory ends the process (base/mem.h).
 */
struct dvt_buf {
	uint8_t *p;
	size_t n;
	size_t cap;
	size_t max;
	bool full;
};

void dvt_buf_init(struct dvt_buf *b, size_t max);
void dvt_buf_fini(struct dvt_buf *b);    /* frees; NULL-safe; reusable after */
void dvt_buf_cleanse(struct dvt_buf *b); /* the same for secrets: wiped first */
void dvt_buf_reset(struct dvt_buf *b);   /* empty, memory kept */
void dvt_buf_put(struct dvt_buf *b, const void *p, size_t n);
void dvt_buf_put_span(struct dvt_buf *b, struct dvt_span s);
void dvt_buf_puts(struct dvt_buf *b, const char *s);
void dvt_buf_putc(struct dvt_buf *b, char c);
void dvt_buf_printf(struct dvt_buf *b, const char *fmt, ...) DVT_PRINTF(2, 3);
void dvt_buf_be(struct dvt_buf *b, uint64_t v, size_t width);
/* Drop the first @n bytes. */
void dvt_buf_drop(struct dvt_buf *b, size_t n);
/* NUL after the last byte (not counted); "" for an empty buffer. Borrowed. */
const char *dvt_buf_str(struct dvt_buf *b);
/* Hand the bytes (NUL-terminated) to the caller, who frees them. */
char *dvt_buf_take_str(struct dvt_buf *b);

static inline struct dvt_span
dvt_buf_span(const struct dvt_buf *b)
{
	return (struct dvt_span){b->p, b->n};
}

/* DVT_OK, or DVT_E_LIMIT when an append went over the limit. */
enum dvt_code dvt_buf_ok(
    const struct dvt_buf *b, const char *what, struct dvt_err *err);

#endif
