/* SPDX-License-Identifier: Apache-2.0 */
/* UTF-8: see utf8.h. */
#include "wire/utf8.h"

/* Bytes that a first byte announces, 0 when it can be none. */
static size_t
announced(uint8_t first)
{
	if (first < 0x80)
		return 1;
	if (first < 0xc2)
		return 0;
	if (first < 0xe0)
		return 2;
	if (first < 0xf0)
		return 3;
	return first < 0xf5 ? 4 : 0;
}

size_t
dvt_utf8_len(struct dvt_span s, uint32_t *c)
{
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	uint32_t v;
	size_t n;

	if (s.n == 0 || (n = announced(s.p[0])) == 0 || n > s.n)
		return 0;
	v = n == 1 ? s.p[0] : s.p[0] & (0x7fU >> n);
	for (size_t i = 1; i < n; i++) {
		if ((s.p[i] & 0xc0) != 0x80)
			return 0;
		v = v << 6 | (s.p[i] & 0x3fU);
	}
	if (v < least[n] || v > 0x10ffff || (v >= 0xd800 && v < 0xe000))
		return 0;
	if (c != NULL)
		*c = v;
	return n;
}

bool
dvt_utf8_is_text(struct dvt_span s)
{
	uint32_t c;
	size_t n;

	for (; s.n > 0; s = dvt_span_from(s, n)) {
		if ((n = dvt_utf8_len(s, &c)) == 0)
			return false;
		if (c < 0x20 || (c >= 0x7f && c < 0xa0))
			return false;
	}
	return true;
}
