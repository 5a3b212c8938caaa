/* SPDX-License-Identifier: Apache-2.0 */
/*
 * DER (X.690 section 10), bounded: a reader that moves its span only on
 * success, and a writer that fills in lengths by itself.
 */
#ifndef DVT_WIRE_DER_H
#define DVT_WIRE_DER_H

#include "base/span.h"

#define DVT_DER_BOOL        0x01
#define DVT_DER_INT         0x02
#define DVT_DER_BITS        0x03
#define DVT_DER_OCTETS      0x04
#define DVT_DER_NULL        0x05
#define DVT_DER_OID         0x06
#define DVT_DER_ENUM        0x0a
#define DVT_DER_UTF8        0x0c
#define DVT_DER_PRINTABLE   0x13
#define DVT_DER_T61         0x14
#define DVT_DER_IA5         0x16
#define DVT_DER_UTC         0x17
#define DVT_DER_GENERALIZED 0x18
#define DVT_DER_UNIVERSAL   0x1c
#define DVT_DER_BMP         0x1e
#define DVT_DER_SEQ         0x30
#define DVT_DER_SET         0x31
/* Context tags: [n] primitive (implicit) and [n] constructed. */
#define DVT_DER_CTX(n)  ((uint8_t)(0x80 | (n)))
#define DVT_DER_CTXC(n) ((uint8_t)(0xa0 | (n)))

/**
 * dvt_der_take() - one value with the given tag
 * @in:   moved past the value on success, untouched otherwise
 * @tag:  identifier octet; tag numbers over 30 do not exist here
 * @body: out: contents, borrowed from @in
 *
 * Return: DVT_OK; DVT_E_INPUT (other tag, indefinite or padded length,
 *         longer than @in).
 * Source: X.690 sections 8.1 and 10.1.
 */
DVT_MUST_USE enum dvt_code dvt_der_take(struct dvt_span *in, uint8_t tag,
    struct dvt_span *body, struct dvt_err *err);

/* The same, with the value's own bytes (tag and length included) in @whole. */
DVT_MUST_USE enum dvt_code dvt_der_take_whole(struct dvt_span *in, uint8_t tag,
    struct dvt_span *whole, struct dvt_span *body, struct dvt_err *err);

/* One value of any tag; @whole and @body may be NULL. */
DVT_MUST_USE enum dvt_code dvt_der_take_any(struct dvt_span *in, uint8_t *tag,
    struct dvt_span *whole, struct dvt_span *body, struct dvt_err *err);

/* Tag of the next value, or -1 when nothing is left. */
int dvt_der_peek_tag(struct dvt_span in);

/*
 * A value that may be missing: when the next tag is another one, @body is
 * {NULL, 0} and the result DVT_OK.
 */
DVT_MUST_USE enum dvt_code dvt_der_take_opt(struct dvt_span *in, uint8_t tag,
    struct dvt_span *body, struct dvt_err *err);

/* DVT_OK when nothing is left, else DVT_E_INPUT naming @what. */
DVT_MUST_USE enum dvt_code dvt_der_done(
    struct dvt_span in, const char *what, struct dvt_err *err);

/* BOOLEAN: 0x00 or 0xff only (X.690 section 11.1). */
DVT_MUST_USE enum dvt_code dvt_der_take_bool(
    struct dvt_span *in, bool *out, struct dvt_err *err);

/* INTEGER, shortest form (X.690 section 8.3.2); two's complement bytes. */
DVT_MUST_USE enum dvt_code dvt_der_take_int(
    struct dvt_span *in, struct dvt_span *body, struct dvt_err *err);

/* INTEGER from 0 to 2^63 - 1; DVT_E_INPUT when negative or larger. */
DVT_MUST_USE enum dvt_code dvt_der_take_u63(
    struct dvt_span *in, int64_t *out, struct dvt_err *err);

/* INTEGER above zero, without its leading zero octet (RSA numbers). */
DVT_MUST_USE enum dvt_code dvt_der_take_positive(
    struct dvt_span *in, struct dvt_span *magnitude, struct dvt_err *err);

/* OBJECT IDENTIFIER as its contents octets; well formed, at most 39 bytes. */
DVT_MUST_USE enum dvt_code dvt_der_take_oid(
    struct dvt_span *in, struct dvt_span *body, struct dvt_err *err);

/* "1.2.840.113549.1.9.7" from contents octets; "?" when it does not fit. */
const char *dvt_der_oid_text(struct dvt_span oid, char *out, size_t size);

/* BIT STRING; unused bits (0-7) must be zero (X.690 section 11.2). */
DVT_MUST_USE enum dvt_code dvt_der_take_bits(struct dvt_span *in,
    struct dvt_span *bits, unsigned *unused, struct dvt_err *err);

/**
 * dvt_der_take_time() - UTCTime or GeneralizedTime
 * @out: Unix seconds
 *
 * Seconds are there, the zone is Z, no fraction; two-digit years below 50
 * are 20xx. Source: RFC 5280 section 4.1.2.5.
 */
DVT_MUST_USE enum dvt_code dvt_der_take_time(
    struct dvt_span *in, int64_t *out, struct dvt_err *err);

/**
 * dvt_der_check() - one whole value, well formed down to its leaves
 * @depth: constructed values inside each other, at most DVT_DER_DEPTH_MAX
 * Return: DVT_OK; DVT_E_INPUT; DVT_E_LIMIT (deeper than @depth).
 */
DVT_MUST_USE enum dvt_code dvt_der_check(
    struct dvt_span whole, unsigned depth, struct dvt_err *err);

/*
 * Writer. Like the buffer beneath it keeps its first failure: ask once, at
 * the end, with dvt_buf_ok().
 *
 *	size_t seq = dvt_der_open(&b, DVT_DER_SEQ);
 *	dvt_der_put_i64(&b, 2);
 *	dvt_der_close(&b, seq);
 */
size_t dvt_der_open(struct dvt_buf *b, uint8_t tag);
/* Fill in the length of the value that dvt_der_open() gave @mark for. */
void dvt_der_close(struct dvt_buf *b, size_t mark);

void dvt_der_put(struct dvt_buf *b, uint8_t tag, struct dvt_span body);
void dvt_der_put_str(struct dvt_buf *b, uint8_t tag, const char *s);
void dvt_der_put_bool(struct dvt_buf *b, bool v);
void dvt_der_put_null(struct dvt_buf *b);
void dvt_der_put_i64(struct dvt_buf *b, int64_t v);
/* A number above or equal zero from big-endian bytes (serial, modulus). */
void dvt_der_put_uint(struct dvt_buf *b, struct dvt_span magnitude);
/* From contents octets (wire/oid.h). */
void dvt_der_put_oid(struct dvt_buf *b, struct dvt_span oid);
/* BIT STRING of whole octets. */
void dvt_der_put_bits(struct dvt_buf *b, struct dvt_span bits);
/*
 * Named bits, bit 0 the highest of the first octet; trailing zero bits are
 * not written (X.690 section 11.2.2). For keyUsage.
 */
void dvt_der_put_named_bits(struct dvt_buf *b, uint16_t bits);
/* UTCTime until 2049, GeneralizedTime after (RFC 5280 section 4.1.2.5). */
void dvt_der_put_time(struct dvt_buf *b, int64_t at_s);
void dvt_der_put_generalized(struct dvt_buf *b, int64_t at_s);

#endif
