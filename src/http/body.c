/* SPDX-License-Identifier: Apache-2.0 */
/* Bodies by length, in chunks, or to the end of the connection: see head.h. */
#include "http/head.h"

#include <ctype.h>
#include <stdlib.h>

#define CHUNK_DIGITS  8 /* of a chunk's size, hexadecimal: to 4 GiB */
#define EXTENSION_MAX 256

enum chunk_state {
	CHUNK_SIZE, /* digits */
	CHUNK_EXT,  /* to the end of that line, unread */
	CHUNK_SIZE_LF,
	CHUNK_DATA,
	CHUNK_DATA_CR,
	CHUNK_DATA_LF,
	CHUNK_TRAILER,    /* at the beginning of a line */
	CHUNK_TRAILER_IN, /* within one */
	CHUNK_TRAILER_LF, /* of one that has text */
	CHUNK_LAST_LF,
};

void
dvt_http_body_init(struct dvt_http_body *b, const struct dvt_http_head *head)
{
	*b = (struct dvt_http_body){.framing = head->framing};
	if (head->framing == DVT_HTTP_LENGTH)
		b->left = head->length;
	b->done = head->framing == DVT_HTTP_NO_BODY ||
		  (head->framing == DVT_HTTP_LENGTH && head->length == 0);
}

/* Up to b->left bytes of the input. */
static void
copy(struct dvt_http_body *b, struct dvt_span *in, struct dvt_buf *out)
{
	size_t n = in->n < b->left ? in->n : (size_t)b->left;

	dvt_buf_put(out, in->p, n);
	*in = dvt_span_from(*in, n);
	b->left -= n;
}

static enum dvt_code
bad(const char *why, struct dvt_err *err)
{
	return dvt_fail(err, DVT_E_INPUT, "HTTP: chunk: %s", why);
}

static enum dvt_code
size_end(struct dvt_http_body *b, struct dvt_err *err)
{
	if (b->line_n == 0)
		return bad("no size", err);
	b->line[b->line_n] = '\0';
	b->left = strtoull(b->line, NULL, 16);
	b->line_n = 0;
	b->state = CHUNK_SIZE_LF;
	return DVT_OK;
}

static enum dvt_code
size_char(struct dvt_http_body *b, uint8_t c, struct dvt_err *err)
{
	if (isxdigit(c) && b->line_n < CHUNK_DIGITS) {
		b->line[b->line_n++] = (char)c;
		return DVT_OK;
	}
	if (c == '\r')
		return size_end(b, err);
	if ((c == ';' || c == ' ' || c == '\t') && b->line_n > 0) {
		b->state = CHUNK_EXT;
		return DVT_OK;
	}
	return bad("bad size", err);
}

/* The states that eat one byte each. */
static enum dvt_code
step(struct dvt_http_body *b, uint8_t c, struct dvt_err *err)
{
	switch ((enum chunk_state)b->state) {
	case CHUNK_SIZE:
		return size_char(b, c, err);
	case CHUNK_EXT:
		if (++b->extra > EXTENSION_MAX)
			return bad("extensions too long", err);
		return c == '\r' ? size_end(b, err) : DVT_OK;
	case CHUNK_SIZE_LF:
		b->state = b->left > 0 ? CHUNK_DATA : CHUNK_TRAILER;
		return c == '\n' ? DVT_OK : bad("no line feed", err);
	case CHUNK_DATA:
		return DVT_OK; /* copied, not stepped */
	case CHUNK_DATA_CR:
		b->state = CHUNK_DATA_LF;
		return c == '\r' ? DVT_OK : bad("longer than its size", err);
	case CHUNK_DATA_LF:
		b->state = CHUNK_SIZE;
		return c == '\n' ? DVT_OK : bad("no line feed", err);
	case CHUNK_TRAILER:
	case CHUNK_TRAILER_IN:
		if (++b->extra > DVT_HTTP_TRAILERS_MAX)
			return bad("trailers too long", err);
		if (c != '\r')
			b->state = CHUNK_TRAILER_IN;
		else
			b->state = b->state == CHUNK_TRAILER ? CHUNK_LAST_LF
							     : CHUNK_TRAILER_LF;
		return DVT_OK;
	case CHUNK_TRAILER_LF:
		b->state = CHUNK_TRAILER;
		return c == '\n' ? DVT_OK : bad("no line feed", err);
	case CHUNK_LAST_LF:
		b->done = c == '\n';
		return b->done ? DVT_OK : bad("no line feed", err);
	}
	return bad("state", err);
}

static enum dvt_code
chunks(struct dvt_http_body *b, struct dvt_span *in, struct dvt_buf *out,
    struct dvt_err *err)
{
	while (in->n > 0 && !b->done) {
		enum dvt_code rc;

		if (b->state == CHUNK_DATA) {
			/* before a byte of it is kept */
			if (b->left > out->max - out->n)
				return dvt_fail(err, DVT_E_LIMIT,
				    "HTTP: body over %zu bytes", out->max);
			copy(b, in, out);
			if (b->left == 0)
				b->state = CHUNK_DATA_CR;
			continue;
		}
		if ((rc = step(b, in->p[0], err)) != DVT_OK)
			return rc;
		*in = dvt_span_from(*in, 1);
	}
	return DVT_OK;
}

enum dvt_code
dvt_http_body_feed(struct dvt_http_body *b, struct dvt_span *in,
    struct dvt_buf *out, struct dvt_err *err)
{
	switch (b->framing) {
	case DVT_HTTP_NO_BODY:
		return DVT_OK;
	case DVT_HTTP_CHUNKED:
		return chunks(b, in, out, err);
	case DVT_HTTP_TO_CLOSE:
		b->left = in->n;
		break;
	case DVT_HTTP_LENGTH:
		break;
	}
	if (b->left > out->max - out->n)
		return dvt_fail(
		    err, DVT_E_LIMIT, "HTTP: body over %zu bytes", out->max);
	copy(b, in, out);
	b->done = b->framing == DVT_HTTP_LENGTH && b->left == 0;
	return DVT_OK;
}
