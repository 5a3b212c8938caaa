/* SPDX-License-Identifier: Apache-2.0 */
/* Typed fields of message bodies: see fields.h. */
#include "ipc/fields.h"

#define LEB_MAX 10 /* bytes of a 64 bit number, 7 bits each */

enum tag {
	TAG_U64 = 'u',
	TAG_I64 = 'i',
	TAG_NO = 'f',
	TAG_YES = 't',
	TAG_STR = 's',
	TAG_NULL = 'n',
	TAG_BYTES = 'b',
	TAG_COUNT = 'c',
};

static void
put(struct dvt_buf *b, enum tag tag, uint64_t v)
{
	uint8_t raw[1 + LEB_MAX];
	size_t n = 0;

	raw[n++] = (uint8_t)tag;
	while (v >= 0x80) {
		raw[n++] = (uint8_t)(v | 0x80);
		v >>= 7;
	}
	raw[n++] = (uint8_t)v;
	dvt_buf_put(b, raw, n);
}

void
dvt_put_u64(struct dvt_buf *b, uint64_t v)
{
	put(b, TAG_U64, v);
}

void
dvt_put_i64(struct dvt_buf *b, int64_t v)
{
	/* zigzag: small numbers of both signs stay short */
	put(b, TAG_I64, ((uint64_t)v << 1) ^ (v < 0 ? UINT64_MAX : 0));
}

void
dvt_put_bool(struct dvt_buf *b, bool v)
{
	dvt_buf_putc(b, v ? TAG_YES : TAG_NO);
}

void
dvt_put_str(struct dvt_buf *b, const char *s)
{
	if (s == NULL) {
		dvt_buf_putc(b, TAG_NULL);
		return;
	}
	put(b, TAG_STR, strlen(s));
	dvt_buf_puts(b, s);
}

void
dvt_put_bytes(struct dvt_buf *b, struct dvt_span v)
{
	put(b, TAG_BYTES, v.n);
	dvt_buf_put_span(b, v);
}

void
dvt_put_count(struct dvt_buf *b, size_t n)
{
	put(b, TAG_COUNT, n);
}

struct dvt_fields
dvt_fields_of(struct dvt_span body)
{
	return (struct dvt_fields){.rest = body};
}

static void
spoil(struct dvt_fields *f, const char *why)
{
	if (f->bad == NULL)
		f->bad = why;
	f->rest.n = 0;
}

/* The tag of the next field; 0 after a failure. */
static uint8_t
next_tag(struct dvt_fields *f)
{
	uint8_t tag;

	if (f->bad == NULL && f->rest.n == 0)
		spoil(f, "ends too early");
	if (f->bad != NULL)
		return 0;
	tag = f->rest.p[0];
	f->rest = dvt_span_from(f->rest, 1);
	f->seen++;
	return tag;
}

static uint64_t
number(struct dvt_fields *f)
{
	uint64_t v = 0;

	for (unsigned i = 0; i < LEB_MAX && i < f->rest.n; i++) {
		uint8_t c = f->rest.p[i];

		if (i == LEB_MAX - 1 && c > 1)
			break;
		v |= (uint64_t)(c & 0x7f) << (7 * i);
		if ((c & 0x80) != 0)
			continue;
		if (c == 0 && i > 0)
			break; /* one form for each number */
		f->rest = dvt_span_from(f->rest, i + 1);
		return v;
	}
	spoil(f, "bad number");
	return 0;
}

static uint64_t
get(struct dvt_fields *f, enum tag tag, uint64_t max)
{
	uint8_t is = next_tag(f);
	uint64_t v;

	if (f->bad != NULL)
		return 0;
	if (is != tag) {
		spoil(f, "another type");
		return 0;
	}
	v = number(f);
	if (v > max) {
		spoil(f, "over its limit");
		return 0;
	}
	return v;
}

uint64_t
dvt_get_u64(struct dvt_fields *f, uint64_t max)
{
	return get(f, TAG_U64, max);
}

int64_t
dvt_get_i64(struct dvt_fields *f)
{
	uint64_t v = get(f, TAG_I64, UINT64_MAX);

	return (int64_t)((v >> 1) ^ ((v & 1) != 0 ? UINT64_MAX : 0));
}

bool
dvt_get_bool(struct dvt_fields *f)
{
	uint8_t tag = next_tag(f);

	if (f->bad == NULL && tag != TAG_YES && tag != TAG_NO)
		spoil(f, "another type");
	return f->bad == NULL && tag == TAG_YES;
}

static struct dvt_span
run_of(struct dvt_fields *f, enum tag tag, size_t max)
{
	uint64_t n = get(f, tag, max);
	struct dvt_span s = {NULL, 0};

	if (f->bad == NULL && n > f->rest.n)
		spoil(f, "ends too early");
	if (f->bad != NULL)
		return s;
	s = (struct dvt_span){f->rest.p, (size_t)n};
	f->rest = dvt_span_from(f->rest, (size_t)n);
	return s;
}

struct dvt_span
dvt_get_bytes(struct dvt_fields *f, size_t max)
{
	return run_of(f, TAG_BYTES, max);
}

struct dvt_span
dvt_get_text(struct dvt_fields *f, size_t max)
{
	struct dvt_span s = {NULL, 0};

	if (f->bad == NULL && f->rest.n > 0 && f->rest.p[0] == TAG_NULL) {
		(void)next_tag(f);
		return s;
	}
	s = run_of(f, TAG_STR, max);
	if (s.n > 0 && memchr(s.p, 0, s.n) != NULL) {
		spoil(f, "NUL in a text");
		s = (struct dvt_span){NULL, 0};
	}
	return s;
}

void
dvt_get_str(struct dvt_fields *f, char *out, size_t size)
{
	struct dvt_span s = dvt_get_text(f, size - 1);

	if (s.n > 0)
		memcpy(out, s.p, s.n);
	out[s.n] = '\0';
}

size_t
dvt_get_count(struct dvt_fields *f, size_t max)
{
	size_t n = (size_t)get(f, TAG_COUNT, max);

	/* each has one byte at least: no memory is asked for a lie */
	if (n > f->rest.n) {
		spoil(f, "ends too early");
		return 0;
	}
	return n;
}

bool
dvt_fields_more(const struct dvt_fields *f)
{
	return f->bad == NULL && f->rest.n > 0;
}

enum dvt_code
dvt_fields_end(
    const struct dvt_fields *f, const char *what, struct dvt_err *err)
{
	if (f->bad != NULL)
		return dvt_fail(err, DVT_E_INPUT, "message %s: field %u: %s",
		    what, f->seen, f->bad);
	if (f->rest.n > 0)
		return dvt_fail(err, DVT_E_INPUT,
		    "message %s: %zu bytes after field %u", what, f->rest.n,
		    f->seen);
	return DVT_OK;
}
