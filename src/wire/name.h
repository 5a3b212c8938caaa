/* SPDX-License-Identifier: Apache-2.0 */
/* Distinguished names (RFC 5280 section 4.1.2.4): read, print, write. */
#ifndef DVT_WIRE_NAME_H
#define DVT_WIRE_NAME_H

#include "base/span.h"

struct dvt_name_part {
	struct dvt_span type;  /* OID contents octets */
	uint8_t tag;           /* of the string: DVT_DER_UTF8 ... */
	struct dvt_span value; /* its contents */
	bool joined;           /* in the same RDN as the part before it ("+") */
};

/*
 * Walk: open the Name (whole DER) once, then take parts until DVT_E_ABSENT.
 */
struct dvt_name_walk {
	struct dvt_span rdns;
	struct dvt_span set;
	bool fresh;
};
DVT_MUST_USE enum dvt_code dvt_name_open(
    struct dvt_span name, struct dvt_name_walk *walk, struct dvt_err *err);
DVT_MUST_USE enum dvt_code dvt_name_take(struct dvt_name_walk *walk,
    struct dvt_name_part *part, struct dvt_err *err);

/* DVT_OK when the whole Name reads well. */
DVT_MUST_USE enum dvt_code dvt_name_check(
    struct dvt_span name, struct dvt_err *err);

/**
 * dvt_name_get() - the last value of one attribute, such as the common name
 * @type:  OID contents octets (wire/oid.h)
 * @value: out: its bytes, borrowed
 * Return: DVT_OK; DVT_E_ABSENT (not in it); DVT_E_INPUT (no Name).
 */
DVT_MUST_USE enum dvt_code dvt_name_get(struct dvt_span name,
    struct dvt_span type, struct dvt_span *value, struct dvt_err *err);

/*
 * Append "CN=device-7,O=Acme" in the order of the certificate. What RFC 4514
 * section 2.4 escapes is escaped; bytes that are no printable ASCII and no
 * UTF-8 come as \XX.
 */
DVT_MUST_USE enum dvt_code dvt_name_format(
    struct dvt_span name, struct dvt_buf *out, struct dvt_err *err);

/*
 * Write a Name of one RDN per part: UTF8String; country and serialNumber as
 * PrintableString.
 * @parts: type and value; the other fields are not read.
 */
void dvt_name_put(
    struct dvt_buf *b, const struct dvt_name_part *parts, size_t n);

#endif
