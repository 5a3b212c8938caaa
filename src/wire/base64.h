/* SPDX-License-Identifier: Apache-2.0 */
/* Base64 and base64url (RFC 4648), strict but for white space. */
#ifndef DVT_WIRE_BASE64_H
#define DVT_WIRE_BASE64_H

#include "base/span.h"

/**
 * dvt_base64_decode() - text to bytes, appended to @out
 * @text: blanks, tabs, CR and LF may stand anywhere: real EST clients send
 *        one line, lines of 64 or 76, with LF or CRLF (RFC 8951 section 3.1)
 * @out:  its limit bounds the result; unchanged on failure
 *
 * Return: DVT_OK; DVT_E_INPUT (foreign character, missing or misplaced
 *         padding, non-zero spare bits); DVT_E_LIMIT (@out).
 * Source: RFC 4648 sections 3.2, 3.3 and 3.5.
 */
DVT_MUST_USE enum dvt_code dvt_base64_decode(
    struct dvt_span text, struct dvt_buf *out, struct dvt_err *err);

/* @width 0: one line without an end of line; else lines of @width (a multiple
 * of 4), each ended by LF. 64 for PEM and EST. */
void dvt_base64_encode(
    struct dvt_buf *out, struct dvt_span bytes, size_t width);

/* RFC 4648 section 5, no padding, no white space. */
DVT_MUST_USE enum dvt_code dvt_base64url_decode(
    struct dvt_span text, struct dvt_buf *out, struct dvt_err *err);
void dvt_base64url_encode(struct dvt_buf *out, struct dvt_span bytes);

#endif
