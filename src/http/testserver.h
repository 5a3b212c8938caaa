/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A server to be tested: plain, TLS and Unix listeners with short limits, a
 * handler that echoes, parks ("/park") or streams ("/stream"), and a client of
 * bare sockets. Linked by tests only; everything runs in one loop.
 */
#ifndef DVT_HTTP_TESTSERVER_H
#define DVT_HTTP_TESTSERVER_H

#include "http/server.h"

#define NAME   "front.example"
#define PARKED 3

/* What the handler saw last, and what it parked. */
struct testserver_seen {
	unsigned count;
	char method[8], path[64], query[64], header[64];
	char body[64];
	size_t body_n;
	char device[64];
	bool is_unix, tls;
	uid_t uid;
	struct dvt_http_ticket parked[8];
	unsigned parked_n;
	unsigned prepared, closed;
	enum dvt_edge_how how;
	struct dvt_http_stream *stream;
	unsigned pieces, pieces_max, stream_ended;
};

extern struct testserver_seen seen;
extern struct dvt_loop *loop;
extern struct dvt_http_server *server;
extern struct dvt_addr plain_addr, tls_addr, unix_addr;
extern SSL_CTX *client_tls; /* trusts the server, is "dev-1" */

/* cmocka's set up and tear down, of a group and of each test. */
int testserver_init(void **state);
int testserver_fini(void **state);
int testserver_up(void **state);
int testserver_up_hasty(void **state); /* deadlines of 300 ms */
int testserver_down(void **state);

/* A listening socket; @a gets its port. */
int testserver_listen(struct dvt_addr *a);
void testserver_late(void *user);

#define UNTIL(what)                                                            \
	do {                                                                   \
		struct dvt_timer *late_ = dvt_timer_new(                       \
		    loop, testserver_late, NULL);                              \
		dvt_timer_start(late_, 5000);                                  \
		while (!(what))                                                \
			(void)dvt_loop_turn(loop, true);                       \
		dvt_timer_free(late_);                                         \
	} while (0)

int raw_open(const struct dvt_addr *a); /* connecting, non-blocking */
void raw_say(int fd, const char *text);
/* What came so far; @end: the server closed. Borrowed until the next call. */
const char *raw_hear(int fd, bool *end);
void turns(int n); /* of the loop, without waiting */

#endif
