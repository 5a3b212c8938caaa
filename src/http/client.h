/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Small non-blocking HTTP/1.1 client over loop/tls_conn: TLS, plain TCP, or a
 * Unix socket. One request at a time; header and body leave in one write with
 * Content-Length. Everything that comes back meets a limit.
 */
#ifndef DVT_HTTP_CLIENT_H
#define DVT_HTTP_CLIENT_H

#include "base/span.h"
#include "http/head.h"
#include "loop/tls_conn.h"

struct dvt_http_client;

struct dvt_http_ask {
	const char *method; /* "GET" */
	const char *target; /* "/path?query" (RFC 9112 section 3.2.1) */
	const char *host;   /* Host header */
	const struct dvt_http_header *headers; /* further ones */
	size_t headers_n;
	const char *content_type; /* of the body; NULL: none */
	struct dvt_span body;     /* p NULL: no body; copied */
	int64_t deadline_ms;      /* for all of it, from now on; 0: 30000 */
	size_t max_body;          /* bytes of the answer's; 0: DVT_BODY_MAX */
	/* A connection kept alive that died before the answer is replaced
	 * and the request sent again, once. GET and HEAD always are. */
	bool repeat_safe;
};

/* How it went. A status is an answer, whatever its number. */
enum dvt_http_end {
	DVT_HTTP_ANSWERED,
	DVT_HTTP_CONN,     /* no connection, or it broke: see @conn */
	DVT_HTTP_DEADLINE, /* deadline_ms passed */
	DVT_HTTP_LIMIT,    /* header or body over the limit */
	DVT_HTTP_SYNTAX,   /* not HTTP/1.1 as we read it */
	DVT_HTTP_UNSENT,   /* request not well-formed; nothing was sent */
};

struct dvt_http_answer {
	enum dvt_http_end end;
	int status; /* 100 < status < 600, or 0 unless ANSWERED */
	const struct dvt_http_header *headers; /* as received, trimmed */
	size_t headers_n;
	struct dvt_span body;
	struct dvt_tls_result conn; /* of a connection that ended */
	char text[256];             /* reason, unless ANSWERED */
};

/* First header of that name (any case), or NULL. Borrowed from @a. */
const char *dvt_http_answer_header(
    const struct dvt_http_answer *a, const char *name);

/**
 * dvt_http_client_new() - a client of one peer; connects when first asked
 * @peer: address, SSL_CTX, names, deadline; its callbacks are not used
 */
struct dvt_http_client *dvt_http_client_new(
    struct dvt_loop *loop, const struct dvt_tls_conn_config *peer);
/* A request under way ends without its callback; allowed inside of it. */
void dvt_http_client_free(struct dvt_http_client *c);

/**
 * dvt_http_client_open() - connect without a request
 * @done: NULL result: open; else why not
 *
 * For what must be known before the request is made (channel binding, RFC
 * 7030 section 3.5): afterwards dvt_http_client_conn() is open and the next
 * dvt_http_client_ask() uses it.
 */
void dvt_http_client_open(struct dvt_http_client *c,
    void (*done)(void *user, const struct dvt_tls_result *failed), void *user);

/**
 * dvt_http_client_ask() - one request
 * @done: called once from the loop; the answer is borrowed for that call
 *
 * One at a time: the former must have been answered.
 */
void dvt_http_client_ask(struct dvt_http_client *c,
    const struct dvt_http_ask *ask,
    void (*done)(void *user, const struct dvt_http_answer *a), void *user);

/* The connection as it is now, or NULL. Borrowed. */
struct dvt_tls_conn *dvt_http_client_conn(struct dvt_http_client *c);
/* Close it (the next request opens another): after a change of credentials */
void dvt_http_client_close(struct dvt_http_client *c);
/* Another SSL_CTX for connections opened from now on. Reference taken. */
void dvt_http_client_ctx_set(struct dvt_http_client *c, SSL_CTX *ctx);

/**
 * dvt_http_once() - one request on a loop of its own; blocks
 * @done: called before this returns
 * Return: DVT_OK when an answer came (of any status); DVT_E_LATER (no
 *         connection, deadline); DVT_E_LIMIT; DVT_E_INPUT (not HTTP).
 */
DVT_MUST_USE enum dvt_code dvt_http_once(const struct dvt_tls_conn_config *peer,
    const struct dvt_http_ask *ask,
    void (*done)(void *user, const struct dvt_http_answer *a), void *user,
    struct dvt_err *err);

#endif
