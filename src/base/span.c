/* SPDX-License-Identifier: Apache-2.0 */
/* Spans and buffers: see span.h. */
#include "base/span.h"

#include "base/mem.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

uint64_t
dvt_be_uint(const uint8_t *p, size_t n)
{
	uint64_t v = 0;

	for (size_t i = 0; i < n; i++)
		v = v << 8 | p[i];
	return v;
}

void
dvt_buf_init(struct dvt_buf *b, size_t max)
{
	*b = (struct dvt_buf){.max = max};
}

void
dvt_buf_fini(struct dvt_buf *b)
{
	if (b == NULL)
		return;
	free(b->p);
	*b = (struct dvt_buf){.max = b->max};
}

void
dvt_buf_cleanse(struct dvt_buf *b)
{
	if (b != NULL && b->p != NULL)
		dvt_cleanse(b->p, b->cap);
	dvt_buf_fini(b);
}

void
dvt_buf_reset(struct dvt_buf *b)
{
	b->n = 0;
	b->full = false;
}

/* Room for @n more bytes and a NUL; false when over the limit. */
static bool
room(struct dvt_buf *b, size_t n)
{
	size_t cap = b->cap == 0 ? 256 : b->cap;
	uint8_t *p;

	if (b->full || n > b->max - b->n) {
		b->full = true;
		return false;
	}
	if (b->n + n < b->cap)
		return true;
	while (cap <= b->n + n)
		cap *= 2;
	p = dvt_alloc(cap);
	if (b->n > 0)
		memcpy(p, b->p, b->n);
	if (b->p != NULL)
		dvt_cleanse(b->p, b->cap); /* it may have held a secret */
	free(b->p);
	b->p = p;
	b->cap = cap;
	return true;
}

void
dvt_buf_put(struct dvt_buf *b, const void *p, size_t n)
{
	if (n == 0 || !room(b, n))
		return;
	memcpy(b->p + b->n, p, n);
	b->n += n;
}

void
dvt_buf_put_span(struct dvt_buf *b, struct dvt_span s)
{
	dvt_buf_put(b, s.p, s.n);
}

void
dvt_buf_puts(struct dvt_buf *b, const char *s)
{
	dvt_buf_put(b, s, strlen(s));
}

void
dvt_buf_putc(struct dvt_buf *b, char c)
{
	dvt_buf_put(b, &c, 1);
}

void
dvt_buf_printf(struct dvt_buf *b, const char *fmt, ...)
{
	va_list ap, again;
	int n;

	va_start(ap, fmt);
	va_copy(again, ap);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (n > 0 && room(b, (size_t)n)) {
		(void)vsnprintf((char *)b->p + b->n, (size_t)n + 1, fmt, again);
		b->n += (size_t)n;
	}
	va_end(again);
}

void
dvt_buf_be(struct dvt_buf *b, uint64_t v, size_t width)
{
	uint8_t bytes[8];

	for (size_t i = 0; i < width; i++)
		bytes[i] = (uint8_t)(v >> 8 * (width - 1 - i));
	dvt_buf_put(b, bytes, width);
}

void
dvt_buf_drop(struct dvt_buf *b, size_t n)
{
	if (n > b->n)
		n = b->n;
	if (n == 0)
		return;
	memmove(b->p, b->p + n, b->n - n);
	b->n -= n;
}

const char *
dvt_buf_str(struct dvt_buf *b)
{
	if (b->p == NULL)
		return "";
	b->p[b->n] = '\0'; /* room() keeps a byte for it */
	return (const char *)b->p;
}

char *
dvt_buf_take_str(struct dvt_buf *b)
{
	char *s;

	if (b->p == NULL)
		return dvt_strdup("");
	b->p[b->n] = '\0';
	s = (char *)b->p;
	*b = (struct dvt_buf){.max = b->max};
	return s;
}

enum dvt_code
dvt_buf_ok(const struct dvt_buf *b, const char *what, struct dvt_err *err)
{
	if (b->full)
		return dvt_fail(
		    err, DVT_E_LIMIT, "%s: over %zu bytes", what, b->max);
	return DVT_OK;
}
