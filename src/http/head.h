/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Heads and bodies of HTTP/1.1 messages, read from untrusted bytes with a
 * limit on everything. Strict: CRLF only, no folded headers, one framing.
 */
#ifndef DVT_HTTP_HEAD_H
#define DVT_HTTP_HEAD_H

#include "base/limits.h"
#include "base/span.h"

#define DVT_HTTP_TRAILERS_MAX 4096 /* bytes after the last chunk, unread */

struct dvt_http_header {
	const char *name;
	const char *value;
};

enum dvt_http_framing {
	DVT_HTTP_NO_BODY,
	DVT_HTTP_LENGTH,
	DVT_HTTP_CHUNKED,
	DVT_HTTP_TO_CLOSE, /* of answers alone */
};

struct dvt_http_head {
	const char *method; /* request */
	const char *target; /* request, in origin form: begins with "/" */
	int status;         /* answer; of a refused request: to answer with */
	int minor;          /* HTTP/1.x */
	struct dvt_http_header headers[DVT_HTTP_HEADERS];
	size_t headers_n;
	enum dvt_http_framing framing;
	uint64_t length; /* of the body, when framed by LENGTH */
	bool keep_alive;
	bool expects_continue;
};

/* Bytes of the head at the front of @in, blank line included; 0: not whole.
 * @from: what was looked at before, moved on. */
size_t dvt_http_head_end(struct dvt_span in, size_t *from);

/**
 * dvt_http_head_request() - read a request's head
 * @text: the head as dvt_http_head_end() measured it; changed: the head
 *        borrows names and values from it
 *
 * Return: DVT_OK; DVT_E_INPUT, with head->status for the answer (400, 417,
 *         501 or 505).
 * Source: RFC 9112 sections 2, 3, 5 and 6; RFC 9110 section 10.1.1 (Expect).
 */
DVT_MUST_USE enum dvt_code dvt_http_head_request(
    char *text, size_t n, struct dvt_http_head *head, struct dvt_err *err);

/* The same for an answer; @to_head: it answers a HEAD request. */
DVT_MUST_USE enum dvt_code dvt_http_head_answer(char *text, size_t n,
    bool to_head, struct dvt_http_head *head, struct dvt_err *err);

/* First of that name (any case), or NULL. */
const char *dvt_http_header_find(
    const struct dvt_http_header *headers, size_t n, const char *name);

/* A body as it comes in. */
struct dvt_http_body {
	enum dvt_http_framing framing;
	uint64_t left; /* of the body, or of this chunk */
	int state;     /* within chunked framing */
	char line[32]; /* chunk size as digits */
	size_t line_n;
	size_t extra; /* bytes of extensions and trailers so far */
	bool done;
};

/* @head: decides the framing. A body of length 0 is done at once. */
void dvt_http_body_init(
    struct dvt_http_body *b, const struct dvt_http_head *head);

/**
 * dvt_http_body_feed() - take what belongs to the body
 * @in:  moved past what was taken; after b->done the rest is the next message
 * @out: gets the body; its limit is the body's limit
 * Return: DVT_OK (look at b->done); DVT_E_INPUT; DVT_E_LIMIT.
 * Source: RFC 9112 section 7.1.
 */
DVT_MUST_USE enum dvt_code dvt_http_body_feed(struct dvt_http_body *b,
    struct dvt_span *in, struct dvt_buf *out, struct dvt_err *err);

#endif
