/* SPDX-License-Identifier: Apache-2.0 */
/* One connection, as the files that move it see it; see conn.h. */
#ifndef DVT_GATEWAY_CONN_PRIV_H
#define DVT_GATEWAY_CONN_PRIV_H

#include "gateway/conn.h"

enum gw_stage { GW_HANDSHAKE, GW_HELD, GW_OPEN, GW_LINGER };
enum gw_up_stage { GW_UP_NONE, GW_UP_CONNECTING, GW_UP_OPEN };

/* Bytes that the other side did not take; memory only while there are some. */
struct gw_pending {
	uint8_t *p;
	size_t at, n;
};

struct gw_conn {
	struct gw_worker *w;
	struct gw_conn *prev, *next;
	SSL *ssl;
	int fd, up_fd;
	struct dvt_watch *watch, *up_watch;
	struct dvt_timer *timer;
	struct gw_seat *seat; /* in the worker's index, once it is known */
	enum gw_stage stage;
	enum gw_up_stage up;
	bool client_eof; /* it said close_notify */
	bool up_eof;     /* upstream has ended */
	bool up_shut;    /* we told upstream the end */
	bool read_wants_write, write_wants_read;
	bool more; /* TLS holds bytes of which no descriptor will tell */
	struct dvt_defer *again; /* to read them; NULL until needed */
	bool corked;   /* the kernel holds small writes back for more */
	bool unlisted; /* let in by name while the control plane was away */
	struct gw_pending to_up, to_client;
	int64_t opened_ms;
	size_t lingered;
};

/* conn.c */
void gw_conn_cork(struct gw_conn *c, bool on);
void gw_conn_unlink(struct gw_conn *c);
void gw_conn_on_client(void *conn, unsigned ready);
void gw_conn_on_upstream(void *conn, unsigned ready);

/* conn_end.c */
void gw_conn_upstream_drop(struct gw_conn *c);
void gw_conn_drop_as(struct gw_conn *c, enum dvt_edge_how how);
/*
 * The alert or close_notify is written: end our side and read on for a while,
 * because a close with unread bytes resets the connection under it.
 */
void gw_conn_linger(struct gw_conn *c);
void gw_conn_linger_read(struct gw_conn *c);
/* Why OpenSSL gave up, in words of the edge. */
enum dvt_edge_how gw_conn_how_it_ended(int ssl_error, int sys);

/* conn_upstream.c; both: false when the connection is gone. */
bool gw_conn_upstream(struct gw_conn *c);
/* Connected by now? */
bool gw_conn_upstream_poll(struct gw_conn *c);
void gw_conn_upstream_failed(struct gw_conn *c, int sys);

/* conn_relay.c; each with a result: false when the connection is gone. */
bool gw_conn_flush_up(struct gw_conn *c);
bool gw_conn_flush_client(struct gw_conn *c);
bool gw_conn_relay_in(struct gw_conn *c);
bool gw_conn_relay_out(struct gw_conn *c);
/* What to wait for now; ends what is finished. */
void gw_conn_rearm(struct gw_conn *c);

#endif
