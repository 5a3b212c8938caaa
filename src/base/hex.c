/* SPDX-License-Identifier: Apache-2.0 */
/* Hexadecimal: see hex.h. */
#include "base/hex.h"

#include <assert.h>
#include <ctype.h>
#include <strings.h>

static const char digits[] = "0123456789abcdef";

static int
value(char c)
{
	const char *at;

	if (c == '\0')
		return -1;
	at = strchr(digits, tolower((unsigned char)c));
	return at == NULL ? -1 : (int)(at - digits);
}

void
dvt_hex(const void *p, size_t n, char *out, size_t size)
{
	const uint8_t *b = p;

	assert(size >= 2 * n + 1);
	(void)size;
	for (size_t i = 0; i < n; i++) {
		out[2 * i] = digits[b[i] >> 4];
		out[2 * i + 1] = digits[b[i] & 15];
	}
	out[2 * n] = '\0';
}

enum dvt_code
dvt_unhex(
    const char *hex, uint8_t *out, size_t size, size_t *n, struct dvt_err *err)
{
	size_t len = strlen(hex);

	*n = 0;
	if (len % 2 != 0)
		return dvt_fail(
		    err, DVT_E_INPUT, "hex: %zu digits is odd", len);
	if (len / 2 > size)
		return dvt_fail(err, DVT_E_LIMIT,
		    "hex: %zu of at most %zu bytes", len / 2, size);
	for (size_t i = 0; i < len; i += 2) {
		int hi = value(hex[i]), lo = value(hex[i + 1]);

		if (hi < 0 || lo < 0)
			return dvt_fail(
			    err, DVT_E_INPUT, "hex: no digit at place %zu", i);
		out[i / 2] = (uint8_t)(hi << 4 | lo);
	}
	*n = len / 2;
	return DVT_OK;
}

int
dvt_hex_normal(const char *text, char *out, size_t size)
{
	size_t n = 0;

	if (strncasecmp(text, "sha256:", 7) == 0 ||
	    strncasecmp(text, "sha256=", 7) == 0)
		text += 7;
	for (; *text != '\0'; text++) {
		if (*text == ':' || *text == ' ')
			continue;
		if (value(*text) < 0 || n + 1 >= size) {
			out[0] = '\0';
			return -1;
		}
		out[n++] = (char)tolower((unsigned char)*text);
	}
	out[n] = '\0';
	return n == 0 ? -1 : 0;
}
