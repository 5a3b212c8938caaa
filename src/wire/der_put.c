/* SPDX-License-Identifier: Apache-2.0 */
/* DER writer: see der.h. */
#include "wire/der.h"

/* Bytes of the length field for a body of @n bytes. */
static size_t
length_width(size_t n)
{
	size_t width = 1;

	if (n < 0x80)
		return 1;
	for (; n > 0; n >>= 8)
		width++;
	return width;
}

static void
put_length(uint8_t *p, size_t n, size_t width)
{
	if (width == 1) {
		p[0] = (uint8_t)n;
		return;
	}
	p[0] = (uint8_t)(0x80 | (width - 1));
	for (size_t i = 1; i < width; i++)
		p[i] = (uint8_t)(n >> 8 * (width - 1 - i));
}

size_t
dvt_der_open(struct dvt_buf *b, uint8_t tag)
{
	dvt_buf_put(b, &tag, 1);
	return b->n;
}

void
dvt_der_close(struct dvt_buf *b, size_t mark)
{
	static const uint8_t room[1 + sizeof(size_t)];
	size_t n, width;

	if (b->full)
		return;
	n = b->n - mark;
	width = length_width(n);
	dvt_buf_put(b, room, width);
	if (b->full)
		return;
	memmove(b->p + mark + width, b->p + mark, n);
	put_length(b->p + mark, n, width);
}

void
dvt_der_put(struct dvt_buf *b, uint8_t tag, struct dvt_span body)
{
	uint8_t head[2 + sizeof(size_t)];
	size_t width = length_width(body.n);

	head[0] = tag;
	put_length(head + 1, body.n, width);
	dvt_buf_put(b, head, 1 + width);
	dvt_buf_put_span(b, body);
}

void
dvt_der_put_str(struct dvt_buf *b, uint8_t tag, const char *s)
{
	dvt_der_put(b, tag, dvt_span_str(s));
}

void
dvt_der_put_bool(struct dvt_buf *b, bool v)
{
	const uint8_t octet = v ? 0xff : 0x00;

	dvt_der_put(b, DVT_DER_BOOL, (struct dvt_span){&octet, 1});
}

void
dvt_der_put_null(struct dvt_buf *b)
{
	dvt_der_put(b, DVT_DER_NULL, (struct dvt_span){NULL, 0});
}

void
dvt_der_put_i64(struct dvt_buf *b, int64_t v)
{
	uint8_t octets[8];
	size_t from = 0;

	for (size_t i = 0; i < 8; i++)
		octets[i] = (uint8_t)((uint64_t)v >> 8 * (7 - i));
	while (
	    from < 7 && ((octets[from] == 0x00 && octets[from + 1] < 0x80) ||
			    (octets[from] == 0xff && octets[from + 1] >= 0x80)))
		from++;
	dvt_der_put(b, DVT_DER_INT, (struct dvt_span){octets + from, 8 - from});
}

void
dvt_der_put_uint(struct dvt_buf *b, struct dvt_span magnitude)
{
	static const uint8_t zero;
	size_t mark;

	while (magnitude.n > 0 && magnitude.p[0] == 0)
		magnitude = dvt_span_from(magnitude, 1);
	mark = dvt_der_open(b, DVT_DER_INT);
	if (magnitude.n == 0 || magnitude.p[0] >= 0x80)
		dvt_buf_put(b, &zero, 1);
	dvt_buf_put_span(b, magnitude);
	dvt_der_close(b, mark);
}

void
dvt_der_put_oid(struct dvt_buf *b, struct dvt_span oid)
{
	dvt_der_put(b, DVT_DER_OID, oid);
}

void
dvt_der_put_bits(struct dvt_buf *b, struct dvt_span bits)
{
	size_t mark = dvt_der_open(b, DVT_DER_BITS);

	dvt_buf_putc(b, 0);
	dvt_buf_put_span(b, bits);
	dvt_der_close(b, mark);
}

void
dvt_der_put_named_bits(struct dvt_buf *b, uint16_t bits)
{
	uint8_t body[3] = {0, (uint8_t)(bits >> 8), (uint8_t)bits};
	size_t n = body[2] != 0 ? 3 : body[1] != 0 ? 2 : 1;

	while (n > 1 && (body[n - 1] & 1 << body[0]) == 0)
		body[0]++;
	dvt_der_put(b, DVT_DER_BITS, (struct dvt_span){body, n});
}
