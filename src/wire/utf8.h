/* SPDX-License-Identifier: Apache-2.0 */
/* UTF-8 (RFC 3629): shortest form, no surrogates. */
#ifndef DVT_WIRE_UTF8_H
#define DVT_WIRE_UTF8_H

#include "base/span.h"

/* Bytes of the character at the start of @s, its number in @c (may be NULL);
 * 0 when there is none. */
size_t dvt_utf8_len(struct dvt_span s, uint32_t *c);

/* The whole of @s is UTF-8 without control characters (C0, DEL, C1). */
bool dvt_utf8_is_text(struct dvt_span s);

#endif
