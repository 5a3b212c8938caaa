/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HTTP/1.1 server: TLS, plain TCP and Unix socket listeners on one loop.
 * A handler answers at once or parks the request and answers later by ticket.
 * Every request has limits for header, body, methods and time. A client that
 * leaves, or closes its sending side, gives up what it asked.
 */
#ifndef DVT_HTTP_SERVER_H
#define DVT_HTTP_SERVER_H

#include "base/span.h"
#include "http/head.h"
#include "loop/addr.h"
#include "loop/edge_tls.h"
#include "loop/loop.h"

#include <openssl/ssl.h>
#include <sys/types.h>

struct dvt_http_server;
struct dvt_http_listener;
struct dvt_http_stream;

/* Names one request; stale after its answer or its client's end. */
struct dvt_http_ticket {
	uint32_t slot;
	uint64_t generation; /* never 0 */
};

enum dvt_http_method {
	DVT_HTTP_GET,
	DVT_HTTP_HEAD, /* answered as GET; the body is left out here */
	DVT_HTTP_POST,
	DVT_HTTP_PUT,
	DVT_HTTP_PATCH,
	DVT_HTTP_DELETE,
};
const char *dvt_http_method_name(enum dvt_http_method m);

/* A request, borrowed for the handler's call. */
struct dvt_http_req {
	struct dvt_http_ticket ticket;
	enum dvt_http_method method;
	const char *path;  /* as received, still percent-encoded; begins "/" */
	const char *query; /* after "?"; NULL: none */
	struct dvt_span body;
	struct dvt_addr peer;
	SSL *ssl; /* NULL: plain or Unix */
	bool is_unix;
	uid_t peer_uid; /* of a Unix peer, as the kernel says */
	struct dvt_http_listener *listener;
	const struct dvt_http_head *head; /* for headers */
};

/* First header of that name (any case), or NULL. Borrowed. */
const char *dvt_http_req_header(const struct dvt_http_req *r, const char *name);

typedef void dvt_http_handler(void *ctx, const struct dvt_http_req *req);

struct dvt_http_reply {
	int status;
	const char *content_type; /* NULL: no body */
	const struct dvt_http_header *headers;
	size_t headers_n;
	struct dvt_span body; /* copied */
	bool close;           /* end the connection after it */
};

/**
 * dvt_http_server_new() - a server without listeners
 * @parked_max: requests that may wait for an answer at one time; more are
 *              answered 503 with Retry-After
 */
struct dvt_http_server *dvt_http_server_new(struct dvt_loop *loop,
    size_t parked_max, dvt_http_handler *handler, void *ctx);
/* Connections are closed, requests dropped; later replies do nothing. */
void dvt_http_server_free(struct dvt_http_server *s);

struct dvt_http_listen {
	int fd; /* listening, TCP or Unix; taken (closed with the server) */
	SSL_CTX *tls;      /* NULL: plain. Reference taken */
	size_t conns_max;  /* open connections; 0: 10000. More wait */
	bool pushes;       /* or push out the oldest that has not asked yet */
	size_t header_max; /* bytes; 0: DVT_HEADERS_MAX */
	size_t body_max;   /* bytes; 0: DVT_BODY_MAX */
	/* From the accept, or the first byte of a later request, to its last;
	 * handshake included. 0: 30000. */
	int64_t request_ms;
	int64_t idle_ms;   /* kept alive without a request; 0: 60000 */
	int64_t answer_ms; /* parked to 503; 0: 60000 */
	int64_t write_ms;  /* answer to its last byte taken; 0: 60000 */
	/* May a connection from there begin with a PROXY header, which tells
	 * the peer then? NULL: none may. */
	bool (*proxied)(void *user, const struct dvt_addr *from);
	/* A new SSL on its socket, before its handshake: to hang state on. */
	void (*prepare)(void *user, SSL *ssl, const struct dvt_addr *peer);
	/* The end of a TLS connection, before SSL_free(). Both may be NULL. */
	void (*closing)(void *user, SSL *ssl, enum dvt_edge_how how);
	void *user;
};

/* Return: DVT_OK; DVT_E_SYSTEM. @out may be NULL; lives as the server does. */
DVT_MUST_USE enum dvt_code dvt_http_server_listen(struct dvt_http_server *s,
    const struct dvt_http_listen *l, struct dvt_http_listener **out,
    struct dvt_err *err);
/* Another SSL_CTX for connections accepted from now on. Reference taken. */
void dvt_http_listener_tls_set(struct dvt_http_listener *l, SSL_CTX *tls);
void *dvt_http_listener_user(const struct dvt_http_listener *l);
/* Accept no more; idle connections close, the others after their answer. */
void dvt_http_server_quiesce(struct dvt_http_server *s);

/**
 * dvt_http_reply() - answer a request, now or later
 *
 * Header and body leave in one write with Content-Length, never chunked. A
 * stale ticket (client gone, answered, timed out) is dropped.
 * Return: true when it was sent on its way.
 */
bool dvt_http_reply(struct dvt_http_server *s, struct dvt_http_ticket t,
    const struct dvt_http_reply *r);

/**
 * dvt_http_stream_begin() - an answer in pieces (exports, SSE), chunked
 * @more:  asked for the next piece each time the former one has left us, so
 *         that at most one piece waits here; it calls dvt_http_stream_put()
 *         now or later
 * @ended: the client left or the stream was closed; the stream is gone then
 * Return: NULL: stale ticket, or nothing to send (HEAD); no ended() then.
 */
struct dvt_http_stream *dvt_http_stream_begin(struct dvt_http_server *s,
    struct dvt_http_ticket t, int status, const char *content_type,
    void (*more)(void *user, struct dvt_http_stream *st),
    void (*ended)(void *user), void *user);
void dvt_http_stream_put(struct dvt_http_stream *st, struct dvt_span piece);
void dvt_http_stream_end(struct dvt_http_stream *st); /* in order; no ended() */

struct dvt_http_counts {
	size_t conns;
	size_t parked;
	uint64_t requests;
	uint64_t refused_busy; /* answered 503: no slot free */
	uint64_t timed_out;    /* connections cut at a deadline */
	uint64_t gone;         /* clients that left while parked */
};
struct dvt_http_counts dvt_http_server_counts(const struct dvt_http_server *s);

#endif
