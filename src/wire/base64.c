/* SPDX-License-Identifier: Apache-2.0 */
/* Base64: see base64.h. */
#include "wire/base64.h"

#include <assert.h>

static const char std_digits
    [] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char url_digits
    [] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/* 0-63, or -1. Plain comparisons: also used for what becomes a key. */
static int
value_of(uint8_t c, bool url)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	if (c == (url ? '-' : '+'))
		return 62;
	if (c == (url ? '_' : '/'))
		return 63;
	return -1;
}

static bool
is_blank(uint8_t c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

struct decoder {
	uint32_t bits;
	unsigned digits; /* of the group of four that is open, 0-3 */
	unsigned pads;   /* '=' seen */
	bool url;
};

/* Take one character; false when it cannot stand here. */
static bool
decode_char(struct decoder *d, uint8_t c, struct dvt_buf *out)
{
	int v;

	if (c == '=' && !d->url) {
		d->pads++;
		return d->digits >= 2 && d->digits + d->pads <= 4;
	}
	v = value_of(c, d->url);
	if (v < 0 || d->pads > 0)
		return false;
	d->bits = d->bits << 6 | (uint32_t)v;
	if (++d->digits == 4) {
		dvt_buf_be(out, d->bits & 0xffffff, 3);
		d->digits = 0;
		d->bits = 0;
	}
	return true;
}

/* The last, short group; false when it is cut off or has bits too many. */
static bool
decode_end(struct decoder *d, struct dvt_buf *out)
{
	if (d->digits == 0)
		return d->pads == 0;
	if (!d->url && d->digits + d->pads != 4)
		return false;
	if (d->digits == 2 && (d->bits & 0xf) == 0) {
		dvt_buf_be(out, d->bits >> 4, 1);
		return true;
	}
	if (d->digits == 3 && (d->bits & 0x3) == 0) {
		dvt_buf_be(out, d->bits >> 2, 2);
		return true;
	}
	return false;
}

static enum dvt_code
decode(struct dvt_span text, bool url, struct dvt_buf *out, struct dvt_err *err)
{
	struct decoder d = {.url = url};
	const bool was_full = out->full;
	const size_t before = out->n;
	enum dvt_code rc = DVT_OK;
	size_t i;

	for (i = 0; i < text.n && !out->full; i++) {
		if (!url && is_blank(text.p[i]))
			continue;
		if (!decode_char(&d, text.p[i], out))
			break;
	}
	if (out->full)
		rc = dvt_buf_ok(out, "base64", err);
	else if (i < text.n)
		rc = dvt_fail(err, DVT_E_INPUT, "base64: byte %zu", i);
	else if (!decode_end(&d, out))
		rc = dvt_fail(err, DVT_E_INPUT, "base64: bad last group");
	else
		rc = dvt_buf_ok(out, "base64", err);
	if (rc != DVT_OK) {
		out->n = before;
		out->full = was_full;
	}
	return rc;
}

enum dvt_code
dvt_base64_decode(
    struct dvt_span text, struct dvt_buf *out, struct dvt_err *err)
{
	return decode(text, false, out, err);
}

enum dvt_code
dvt_base64url_decode(
    struct dvt_span text, struct dvt_buf *out, struct dvt_err *err)
{
	return decode(text, true, out, err);
}

/* Up to three bytes as four digits; how many digits are meant. */
static size_t
encode_group(const uint8_t *p, size_t n, const char *alphabet, char four[4])
{
	uint32_t bits = (uint32_t)p[0] << 16;

	if (n > 1)
		bits |= (uint32_t)p[1] << 8;
	if (n > 2)
		bits |= p[2];
	for (unsigned i = 0; i < 4; i++)
		four[i] = alphabet[bits >> (18 - 6 * i) & 0x3f];
	return n > 2 ? 4 : n + 1;
}

void
dvt_base64_encode(struct dvt_buf *out, struct dvt_span bytes, size_t width)
{
	size_t column = 0;
	char four[4];

	assert(width % 4 == 0);
	for (size_t i = 0; i < bytes.n; i += 3) {
		size_t n = bytes.n - i < 3 ? bytes.n - i : 3;
		size_t used = encode_group(bytes.p + i, n, std_digits, four);

		memset(four + used, '=', 4 - used);
		dvt_buf_put(out, four, 4);
		if (width > 0 && (column += 4) == width) {
			dvt_buf_putc(out, '\n');
			column = 0;
		}
	}
	if (column > 0)
		dvt_buf_putc(out, '\n');
}

void
dvt_base64url_encode(struct dvt_buf *out, struct dvt_span bytes)
{
	char four[4];

	for (size_t i = 0; i < bytes.n; i += 3) {
		size_t n = bytes.n - i < 3 ? bytes.n - i : 3;

		dvt_buf_put(
		    out, four, encode_group(bytes.p + i, n, url_digits, four));
	}
}
