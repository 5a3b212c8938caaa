/* SPDX-License-Identifier: Apache-2.0 */
/*
 * EST (RFC 7030, RFC 8951) as bytes: paths, bodies, certs-only answers and
 * the two HTTP headers it leans on. For both ends; nothing is verified here.
 */
#ifndef DVT_PROTO_EST_H
#define DVT_PROTO_EST_H

#include "base/limits.h"
#include "base/mem.h"
#include "base/span.h"

#define DVT_EST_PREFIX "/.well-known/est"
/* Names the grant under which an ended certificate is renewed. */
#define DVT_GRANT_HEADER   "Dovetail-Grant"
#define DVT_EST_TYPE_CSR   "application/pkcs10"
#define DVT_EST_TYPE_CERTS "application/pkcs7-mime; smime-type=certs-only"
#define DVT_EST_TYPE_ATTRS "application/csrattrs"

/* operation, last part of the path, method (RFC 7030 section 3.2.2) */
#define DVT_EST_OPS(X)                                                         \
	X(DVT_EST_CACERTS, "cacerts", "GET")                                   \
	X(DVT_EST_ENROLL, "simpleenroll", "POST")                              \
	X(DVT_EST_REENROLL, "simplereenroll", "POST")                          \
	X(DVT_EST_CSRATTRS, "csrattrs", "GET")                                 \
	X(DVT_EST_SERVERKEYGEN, "serverkeygen", "POST")                        \
	X(DVT_EST_FULLCMC, "fullcmc", "POST")

#define DVT_EST_OP_ENUM(op, name, method) op,
enum dvt_est_op { DVT_EST_OPS(DVT_EST_OP_ENUM) };

const char *dvt_est_op_name(enum dvt_est_op op);
const char *dvt_est_op_method(enum dvt_est_op op);

struct dvt_est_path {
	enum dvt_est_op op;
	char label[DVT_NAME_MAX + 1]; /* "" when the path has none */
};

/**
 * dvt_est_path_parse() - "/.well-known/est[/label]/operation"
 * @path: without query; not percent-decoded: a label is letters, digits,
 *        ".", "_" and "-"
 * Return: DVT_OK; DVT_E_ABSENT (another path, label or operation).
 */
DVT_MUST_USE enum dvt_code dvt_est_path_parse(
    struct dvt_span path, struct dvt_est_path *out, struct dvt_err *err);
/* The same way back; @label NULL or "": none. */
void dvt_est_path_put(
    struct dvt_buf *out, enum dvt_est_op op, const char *label);

/*
 * How base64 stands in a body. strongSwan wants one line, libest lines of
 * 64: an answer mirrors its request.
 */
enum dvt_est_form { DVT_EST_WRAPPED, DVT_EST_ONE_LINE };

/**
 * dvt_est_body_decode() - base64 in any form to DER
 * @body: at most DVT_EST_BODY_MAX bytes
 * @der:  appended to; unchanged on failure
 * @form: out: how it stood there; may be NULL
 * Return: DVT_OK; DVT_E_INPUT (also: empty); DVT_E_LIMIT.
 * Source: RFC 8951 section 3.1 (base64; the transfer encoding is not read).
 */
DVT_MUST_USE enum dvt_code dvt_est_body_decode(struct dvt_span body,
    struct dvt_buf *der, enum dvt_est_form *form, struct dvt_err *err);
void dvt_est_body_put(
    struct dvt_buf *out, struct dvt_span der, enum dvt_est_form form);

/* Append a certs-only SignedData (RFC 5272 section 4.1) in the given order. */
void dvt_est_certs_put(
    struct dvt_buf *out, const struct dvt_span *certs, size_t n);

/**
 * dvt_est_certs_parse() - certificates of a certs-only SignedData
 * @der:   in DER throughout
 * @certs: out: whole certificates, borrowed from @der, as they stand there
 * @max:   room in @certs
 * @n:     out: how many; at least 1
 * Return: DVT_OK; DVT_E_INPUT; DVT_E_LIMIT (more than @max).
 * Source: RFC 5652 sections 3 and 5.1.
 */
DVT_MUST_USE enum dvt_code dvt_est_certs_parse(struct dvt_span der,
    struct dvt_span *certs, size_t max, size_t *n, struct dvt_err *err);

/**
 * dvt_est_basic_parse() - value of an Authorization header
 * @value:    "Basic dXNlcjpzZWNyZXQ="
 * @user:     out: UTF-8, no control characters, at most @size - 1 bytes
 * @password: out: dvt_secret_free() it; empty on failure
 * Return: DVT_OK; DVT_E_AUTH (another scheme, not readable).
 * Source: RFC 7617 section 2.
 */
DVT_MUST_USE enum dvt_code dvt_est_basic_parse(struct dvt_span value,
    char *user, size_t size, struct dvt_secret *password, struct dvt_err *err);
/* "Basic ..."; @out then holds a secret: dvt_buf_cleanse() it. */
void dvt_est_basic_put(
    struct dvt_buf *out, const char *user, const struct dvt_secret *password);

/**
 * dvt_est_retry_after_parse() - value of a Retry-After header
 * @now_s:   Unix seconds, for a date
 * @delay_s: out: from now, 0 when the date has passed, at most a year
 * Return: DVT_OK; DVT_E_INPUT.
 * Source: RFC 9110 section 10.2.3 (of dates the preferred form only).
 */
DVT_MUST_USE enum dvt_code dvt_est_retry_after_parse(struct dvt_span value,
    int64_t now_s, int64_t *delay_s, struct dvt_err *err);

#endif
