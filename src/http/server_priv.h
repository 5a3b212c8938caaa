/* SPDX-License-Identifier: Apache-2.0 */
/* What server.c (listeners, tickets), server_conn.c (one connection's life)
 * and server_reply.c (answers) share. */
#ifndef DVT_HTTP_SERVER_PRIV_H
#define DVT_HTTP_SERVER_PRIV_H

#include "http/server.h"
#include "loop/tls_conn.h"

#include <sys/queue.h>

enum conn_state {
	CONN_IDLE, /* no byte of a request yet */
	CONN_HEAD,
	CONN_BODY,
	CONN_PARKED,  /* the handler has it */
	CONN_WRITING, /* the answer is on its way */
	CONN_STREAM,
};

struct http_conn {
	struct dvt_http_listener *listener;
	struct dvt_tls_conn *tc;
	struct dvt_timer *timer;
	int64_t due_ms;   /* of the state now; 0: none */
	int64_t armed_ms; /* when the timer fires; it is moved lazily */
	enum conn_state state;
	enum dvt_edge_how how; /* why we closed, when we did */
	bool we_closed;
	bool first;  /* no request was read yet */
	bool closes; /* after this answer */
	bool mute;   /* answering HEAD */

	struct dvt_buf
	    in;        /* unread: a head, a part of a body, later requests */
	size_t looked; /* of it, while searching the end of the head */
	char *text;    /* of the head; @head borrows from it */
	struct dvt_http_head head;
	enum dvt_http_method method;
	struct dvt_http_body framing;
	struct dvt_buf body;
	uint32_t slot; /* while parked */
	struct dvt_http_stream *stream;

	struct dvt_addr peer;
	bool is_unix;
	uid_t peer_uid;
	TAILQ_ENTRY(http_conn) next;
};
TAILQ_HEAD(http_conns, http_conn);

struct http_slot {
	struct http_conn *conn; /* NULL: free */
	uint64_t generation;
	uint32_t next_free;
};

struct dvt_http_listener {
	struct dvt_http_server *server;
	struct dvt_http_listen l;
	struct dvt_watch *watch;
	struct dvt_timer *again; /* accept after a pause (no descriptors) */
	size_t conns;
	bool paused;
	LIST_ENTRY(dvt_http_listener) next;
};

struct http_ahead;

struct dvt_http_server {
	struct dvt_loop *loop;
	dvt_http_handler *handler;
	void *ctx;
	struct http_slot *slots;
	uint32_t slots_n;
	uint32_t free_slot; /* slots_n: none */
	uint64_t generation;
	struct http_conns conns;
	LIST_HEAD(, dvt_http_listener) listeners;
	LIST_HEAD(, http_ahead) ahead; /* not yet connections */
	struct dvt_http_counts counts;
	bool quiet; /* quiesced */
	int64_t date_s;
	char date[40]; /* Date header of this second */
};

struct dvt_http_stream {
	struct http_conn *conn;
	void (*more)(void *user, struct dvt_http_stream *st);
	void (*ended)(void *user);
	void *user;
	bool plain; /* HTTP/1.0: to the end of the connection, no chunks */
};

/* --- server.c --- */
bool http_slot_take(struct http_conn *c); /* false: none free */
void http_slot_give(struct http_conn *c);
struct http_conn *http_slot_find(
    struct dvt_http_server *s, struct dvt_http_ticket t);
/* A connection is gone: there is room for another. */
void http_listener_room(struct dvt_http_listener *l);

/* --- server_conn.c --- */
void http_conn_new(
    struct dvt_http_listener *l, int fd, const struct dvt_addr *peer);
void http_conn_state(struct http_conn *c, enum conn_state state);
void http_conn_gone(struct http_conn *c, enum dvt_edge_how how); /* frees */

/* --- server_ahead.c: PROXY headers --- */
/* @fd becomes a connection, at once or when its header is read. */
void http_ahead_new(struct dvt_http_listener *l, int fd);
void http_ahead_drop_all(struct dvt_http_server *s);

/* --- server_reply.c --- */
/* An answer of the server's own: a problem document (RFC 9457), then the end
 * of the connection. */
void http_conn_refuse(struct http_conn *c, int status);
void http_conn_reply(struct http_conn *c, const struct dvt_http_reply *r);
void http_conn_drained(struct http_conn *c);

#endif
