/* SPDX-License-Identifier: Apache-2.0 */
/* DER reader: see der.h. */
#include "wire/der.h"

#include "base/limits.h"

#include <stdio.h>

/* Octets of an object identifier: the largest of X.509 has 11. */
#define OID_MAX 39

/*
 * The header at the start of @s: moves @s to the contents and gives their
 * length, which is within what is left.
 */
static enum dvt_code
take_header(struct dvt_span *s, size_t *len, struct dvt_err *err)
{
	size_t n, width;

	*len = 0;
	if (s->n < 2)
		return dvt_fail(err, DVT_E_INPUT, "DER: ends in a header");
	if ((s->p[0] & 0x1f) == 0x1f)
		return dvt_fail(err, DVT_E_INPUT, "DER: long tag");
	n = s->p[1];
	*s = dvt_span_from(*s, 2);
	if (n >= 0x80) { /* long form, X.690 section 10.1: shortest only */
		width = n & 0x7f;
		if (width < 1 || width > 4 || width > s->n)
			return dvt_fail(err, DVT_E_INPUT, "DER: length form");
		n = (size_t)dvt_be_uint(s->p, width);
		if (n < 0x80 || s->p[0] == 0)
			return dvt_fail(err, DVT_E_INPUT, "DER: length padded");
		*s = dvt_span_from(*s, width);
	}
	if (n > s->n)
		return dvt_fail(
		    err, DVT_E_INPUT, "DER: %zu of %zu bytes", s->n, n);
	*len = n;
	return DVT_OK;
}

enum dvt_code
dvt_der_take_any(struct dvt_span *in, uint8_t *tag, struct dvt_span *whole,
    struct dvt_span *body, struct dvt_err *err)
{
	struct dvt_span s = *in;
	enum dvt_code rc;
	size_t len;

	if ((rc = take_header(&s, &len, err)) != DVT_OK)
		return rc;
	*tag = in->p[0];
	if (body != NULL)
		*body = (struct dvt_span){s.p, len};
	s = dvt_span_from(s, len);
	if (whole != NULL)
		*whole = (struct dvt_span){in->p, in->n - s.n};
	*in = s;
	return DVT_OK;
}

enum dvt_code
dvt_der_take_whole(struct dvt_span *in, uint8_t tag, struct dvt_span *whole,
    struct dvt_span *body, struct dvt_err *err)
{
	uint8_t found;

	if (in->n == 0)
		return dvt_fail(err, DVT_E_INPUT,
		    "DER: nothing where tag 0x%02x is due", tag);
	if (in->p[0] != tag)
		return dvt_fail(err, DVT_E_INPUT,
		    "DER: tag 0x%02x where 0x%02x is due", in->p[0], tag);
	return dvt_der_take_any(in, &found, whole, body, err);
}

enum dvt_code
dvt_der_take(struct dvt_span *in, uint8_t tag, struct dvt_span *body,
    struct dvt_err *err)
{
	return dvt_der_take_whole(in, tag, NULL, body, err);
}

int
dvt_der_peek_tag(struct dvt_span in)
{
	return in.n == 0 ? -1 : in.p[0];
}

enum dvt_code
dvt_der_take_opt(struct dvt_span *in, uint8_t tag, struct dvt_span *body,
    struct dvt_err *err)
{
	if (dvt_der_peek_tag(*in) == tag)
		return dvt_der_take(in, tag, body, err);
	*body = (struct dvt_span){NULL, 0};
	return DVT_OK;
}

enum dvt_code
dvt_der_done(struct dvt_span in, const char *what, struct dvt_err *err)
{
	if (in.n != 0)
		return dvt_fail(
		    err, DVT_E_INPUT, "%s: %zu bytes too many", what, in.n);
	return DVT_OK;
}

enum dvt_code
dvt_der_take_bool(struct dvt_span *in, bool *out, struct dvt_err *err)
{
	struct dvt_span s = *in, body;
	enum dvt_code rc;

	if ((rc = dvt_der_take(&s, DVT_DER_BOOL, &body, err)) != DVT_OK)
		return rc;
	if (body.n != 1 || (body.p[0] != 0 && body.p[0] != 0xff))
		return dvt_fail(err, DVT_E_INPUT, "DER: boolean");
	*out = body.p[0] != 0;
	*in = s;
	return DVT_OK;
}

enum dvt_code
dvt_der_take_int(
    struct dvt_span *in, struct dvt_span *body, struct dvt_err *err)
{
	struct dvt_span s = *in, b;
	enum dvt_code rc;

	if ((rc = dvt_der_take(&s, DVT_DER_INT, &b, err)) != DVT_OK)
		return rc;
	if (b.n == 0)
		return dvt_fail(err, DVT_E_INPUT, "DER: empty integer");
	if (b.n > 1 && ((b.p[0] == 0x00 && b.p[1] < 0x80) ||
			   (b.p[0] == 0xff && b.p[1] >= 0x80)))
		return dvt_fail(err, DVT_E_INPUT, "DER: integer padded");
	*body = b;
	*in = s;
	return DVT_OK;
}

enum dvt_code
dvt_der_take_u63(struct dvt_span *in, int64_t *out, struct dvt_err *err)
{
	struct dvt_span s = *in, body;
	enum dvt_code rc;

	if ((rc = dvt_der_take_int(&s, &body, err)) != DVT_OK)
		return rc;
	if (body.p[0] >= 0x80)
		return dvt_fail(err, DVT_E_INPUT, "DER: negative integer");
	if (body.n > 8)
		return dvt_fail(err, DVT_E_INPUT, "DER: integer too large");
	*out = (int64_t)dvt_be_uint(body.p, body.n);
	*in = s;
	return DVT_OK;
}

enum dvt_code
dvt_der_take_positive(
    struct dvt_span *in, struct dvt_span *magnitude, struct dvt_err *err)
{
	struct dvt_span s = *in, body;
	enum dvt_code rc;

	if ((rc = dvt_der_take_int(&s, &body, err)) != DVT_OK)
		return rc;
	if (body.p[0] >= 0x80)
		return dvt_fail(err, DVT_E_INPUT, "DER: negative integer");
	if (body.p[0] == 0)
		body = dvt_span_from(body, 1);
	if (body.n == 0)
		return dvt_fail(err, DVT_E_INPUT, "DER: integer zero");
	*magnitude = body;
	*in = s;
	return DVT_OK;
}

enum dvt_code
dvt_der_take_oid(
    struct dvt_span *in, struct dvt_span *body, struct dvt_err *err)
{
	struct dvt_span s = *in, b;
	enum dvt_code rc;
	bool first = true;

	if ((rc = dvt_der_take(&s, DVT_DER_OID, &b, err)) != DVT_OK)
		return rc;
	if (b.n == 0 || b.n > OID_MAX || b.p[b.n - 1] >= 0x80)
		return dvt_fail(err, DVT_E_INPUT, "DER: object identifier");
	for (size_t i = 0; i < b.n; i++) {
		if (first && b.p[i] == 0x80) /* X.690 section 8.19.2 */
			return dvt_fail(
			    err, DVT_E_INPUT, "DER: object identifier padded");
		first = b.p[i] < 0x80;
	}
	*body = b;
	*in = s;
	return DVT_OK;
}

/* One arc: moves @oid; false when it is cut off or over 63 bits. */
static bool
take_arc(struct dvt_span *oid, uint64_t *arc)
{
	*arc = 0;
	for (size_t i = 0; i < oid->n && i < 9; i++) {
		*arc = *arc << 7 | (oid->p[i] & 0x7f);
		if (oid->p[i] < 0x80) {
			*oid = dvt_span_from(*oid, i + 1);
			return true;
		}
	}
	return false;
}

const char *
dvt_der_oid_text(struct dvt_span oid, char *out, size_t size)
{
	size_t at = 0;
	bool first = true;

	while (oid.n > 0 || first) {
		uint64_t arc, top = 0;
		int n;

		if (!take_arc(&oid, &arc))
			goto odd;
		if (first) {
			top = arc < 40 ? 0 : arc < 80 ? 1 : 2;
			n = snprintf(out, size, "%u.%llu", (unsigned)top,
			    (unsigned long long)(arc - 40 * top));
		} else {
			n = snprintf(out + at, size - at, ".%llu",
			    (unsigned long long)arc);
		}
		if (n < 0 || (size_t)n >= size - at)
			goto odd;
		at += (size_t)n;
		first = false;
	}
	return out;
odd:
	(void)snprintf(out, size, "?");
	return out;
}

enum dvt_code
dvt_der_take_bits(struct dvt_span *in, struct dvt_span *bits, unsigned *unused,
    struct dvt_err *err)
{
	struct dvt_span s = *in, body;
	enum dvt_code rc;
	unsigned n;

	if ((rc = dvt_der_take(&s, DVT_DER_BITS, &body, err)) != DVT_OK)
		return rc;
	if (body.n == 0 || body.p[0] > 7 || (body.n == 1 && body.p[0] != 0))
		return dvt_fail(err, DVT_E_INPUT, "DER: bit string");
	n = body.p[0];
	if ((body.p[body.n - 1] & ((1U << n) - 1)) != 0 && body.n > 1)
		return dvt_fail(
		    err, DVT_E_INPUT, "DER: unused bits are not zero");
	*bits = dvt_span_from(body, 1);
	*unused = n;
	*in = s;
	return DVT_OK;
}

/*
 * Walks without recursion: @end[i] is where the i-th enclosing value ends.
 */
enum dvt_code
dvt_der_check(struct dvt_span whole, unsigned depth, struct dvt_err *err)
{
	const uint8_t *end[DVT_DER_DEPTH_MAX + 1];
	struct dvt_span in = whole, body;
	enum dvt_code rc;
	unsigned level = 0;
	uint8_t tag;

	if (depth > DVT_DER_DEPTH_MAX)
		depth = DVT_DER_DEPTH_MAX;
	rc = dvt_der_take_any(&in, &tag, NULL, &body, err);
	if (rc != DVT_OK)
		return rc;
	if ((rc = dvt_der_done(in, "DER", err)) != DVT_OK)
		return rc;
	end[0] = whole.p + whole.n;
	in = whole;
	while (in.p < end[0]) {
		while (level > 0 && in.p == end[level])
			level--;
		in.n = (size_t)(end[level] - in.p);
		rc = dvt_der_take_any(&in, &tag, NULL, &body, err);
		if (rc != DVT_OK)
			return rc;
		if ((tag & 0x20) == 0 || body.n == 0)
			continue;
		if (++level > depth)
			return dvt_fail(err, DVT_E_LIMIT,
			    "DER: nested deeper than %u", depth);
		end[level] = body.p + body.n;
		in.p = body.p;
	}
	return DVT_OK;
}
