/* SPDX-License-Identifier: Apache-2.0 */
/* The ClientHello out of the TLS records that it came in. */
#include "proto/hello.h"

#include <string.h>

#define HANDSHAKE    22 /* RFC 8446 section 5.1, ContentType */
#define CLIENT_HELLO 1
#define RECORD_HEAD  5
#define MESSAGE_HEAD 4
#define RECORD_MAX   16384

/* Bytes of a handshake message with its header; 0: its header is not whole. */
static size_t
message_n(const uint8_t *p, size_t n)
{
	return n < MESSAGE_HEAD ? 0
				: MESSAGE_HEAD + (size_t)dvt_be_uint(p + 1, 3);
}

/* The header of a record: its length, or 0 when there cannot be such a one. */
static size_t
record_n(const uint8_t *p)
{
	size_t n = (size_t)dvt_be_uint(p + 3, 2);

	return p[0] != HANDSHAKE || p[1] != 3 || n > RECORD_MAX ? 0 : n;
}

enum dvt_code
dvt_hello_gather(uint8_t *p, size_t n, struct dvt_span *msg, size_t *need)
{
	size_t at = 0, got = 0, heads = 0, want = 0;

	*msg = (struct dvt_span){0};
	if (n > 0 && p[0] != HANDSHAKE)
		return DVT_E_INPUT;
	while (n - at >= RECORD_HEAD) {
		size_t body = record_n(p + at), here;

		if (body == 0)
			return DVT_E_INPUT;
		at += RECORD_HEAD;
		heads += RECORD_HEAD;
		here = body < n - at ? body : n - at;
		memmove(p + got, p + at, here);
		got += here;
		at += here;
		want = message_n(p, got);
		if (got > 0 && p[0] != CLIENT_HELLO)
			return DVT_E_INPUT;
		if (want > DVT_HELLO_MAX)
			return DVT_E_LIMIT;
		if (want > 0 && got >= want) {
			*msg = (struct dvt_span){p, want};
			return DVT_OK;
		}
		if (here < body)
			break;
	}
	/* headers so far, or of the first, and what is known to be missing */
	if (heads == 0)
		heads = RECORD_HEAD;
	*need = heads + (want > 0 ? want : MESSAGE_HEAD);
	if (*need <= n)
		*need = n + 1;
	return DVT_E_LATER;
}
