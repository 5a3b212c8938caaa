/* SPDX-License-Identifier: Apache-2.0 */
/* What tls_conn.c (sockets, buffers, time) and tls_conn_ssl.c (TLS and the
 * reasons it gives) share. */
#ifndef DVT_LOOP_TLS_CONN_PRIV_H
#define DVT_LOOP_TLS_CONN_PRIV_H

#include "loop/tls_conn.h"

#define DVT_TLS_CONN_MODES                                                     \
	(SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_RELEASE_BUFFERS |            \
	    SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER)

struct dvt_tls_conn {
	struct dvt_loop *loop;
	struct dvt_tls_conn_config cfg; /* with owned copies */
	struct dvt_addr *addrs;
	size_t addr_next;
	char *server_name;
	char *verify_name;

	int fd; /* -1: none */
	SSL *ssl;
	struct dvt_watch *watch;
	struct dvt_timer *timer; /* opening, or lingering after finish() */
	struct dvt_defer *step;  /* begin, flush, read what TLS buffered */
	struct dvt_buf out;
	enum dvt_tls_phase phase;
	unsigned io_want; /* what TLS needs beyond the plain interest */

	bool accepted;
	bool begun;
	bool read_on;
	bool blocked;     /* the socket took less than we had */
	bool finishing;   /* finish() was called */
	bool said_bye;    /* our side is shut */
	bool no_ticket;   /* the peer resumed once: not again */
	bool over;        /* ended() was or is being told */
	bool busy, freed; /* in a callback; to be freed after it */

	STACK_OF(X509) * refused; /* the flight, when we refused it */
	struct dvt_tls_result r;
};

/* A new SSL on c->fd, ready for its handshake. DVT_OK or DVT_E_SYSTEM. */
enum dvt_code dvt_tls_conn_ssl_start(
    struct dvt_tls_conn *c, struct dvt_err *err);

/* What a failed SSL call means; @ret is its result, @sys errno after it. */
enum dvt_tls_end dvt_tls_conn_ssl_why(struct dvt_tls_conn *c, int ret, int sys);

#endif
