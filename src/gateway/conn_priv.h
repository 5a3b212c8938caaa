/* SPDX-License-Identifier: Apache-2.0 */
/* One connection, as the files that move it see it; see conn.h. */
#ifndef DVT_GATEWAY_CONN_PRIV_H
#define DVT_GATEWAY_CONN_PRIV_H

#include "gateway/conn.h"
#include "gateway/upstream.h"
#include "proto/mqtt_gate.h"

enum gw_stage { GW_HANDSHAKE, GW_HELD, GW_OPEN, GW_LINGER };
enum gw_up_stage { GW_UP_NONE, GW_UP_CONNECTING, GW_UP_OPEN };

/* Bytes that the other side did not take; memory only while there are some. */
struct gw_pending {
	uint8_t *p;
	size_t at, n;
};

/* One side that does not take what waits for it. */
struct gw_stall {
	bool waits;
	uint64_t mark; /* what it had taken by then */
	int64_t since_ms;
};

/* What is known of a client of an mqtt: upstream. */
struct gw_mqtt {
	struct dvt_buf opening;     /* its first packet, until it is whole */
	bool let_in;                /* the CONNECT went on */
	bool bye;                   /* DISCONNECT at the next border */
	bool settled;               /* the first of its two timers is over */
	uint8_t version;            /* 4 or 5, once it is known */
	struct dvt_mqtt_border out; /* of what the client is sent */
	struct dvt_mqtt_border
	    in; /* and of what the broker is, after CONNECT */
};

struct gw_conn {
	struct gw_worker *w;
	struct gw_conn *prev, *next;
	struct gw_conn *half_prev, *half_next; /* while it is half-open */
	bool half;
	bool suspect;  /* over its address's rate: it must show a ticket */
	bool look;     /* its ClientHello is read before OpenSSL reads it */
	bool passed;   /* on its way to pass-to as it came; no TLS of ours */
	bool up_spoke; /* upstream has sent something */
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
	bool more;     /* TLS holds bytes of which no descriptor will tell */
	size_t read_n; /* bytes of the client in this turn */
	struct dvt_defer *again; /* to read them; NULL until needed */
	bool unlisted; /* let in by name while the control plane was away */
	struct gw_pending to_up, to_client;
	struct dvt_timer *stall; /* NULL until something waited once */
	struct gw_stall up_stall, client_stall;
	int64_t opened_ms;
	size_t lingered;
	struct gw_upstream *to; /* of the worker's, while there is one */
	uint32_t tried;         /* upstreams, a bit for each */
	struct gw_mqtt *mqtt;   /* NULL: bytes, whatever they are */
};

/* conn.c */
void gw_conn_unlink(struct gw_conn *c);
void gw_conn_on_client(void *conn, unsigned ready);
void gw_conn_on_upstream(void *conn, unsigned ready);

/* conn_half.c: the handshakes under way, oldest last. */
void gw_conn_half_begin(struct gw_conn *c);
void gw_conn_half_end(struct gw_conn *c); /* more than once does no harm */
/*
 * Its ClientHello is looked at, and left in the socket. True: OpenSSL may
 * have it; else more is to come, it is passed through, or is gone.
 */
bool gw_conn_half_look(struct gw_conn *c);

/* conn_pass.c: is it asked for by a name that is passed through? */
bool gw_conn_pass_is_meant(const struct gw_conn *c, struct dvt_span hello);
/* From now on its bytes go to and fro as they are. May free @c. */
void gw_conn_pass(struct gw_conn *c, struct dvt_span hello);
/* Its client went on after upstream's first answer: no mere opening. */
void gw_conn_pass_heard(struct gw_conn *c);

/* conn_stall.c: when bytes wait: end it unless some are taken in time. */
void gw_conn_stall_watch(struct gw_conn *c);

/* conn_end.c */
void gw_conn_upstream_drop(struct gw_conn *c);
/* The same, but what waits for it stays. */
void gw_conn_upstream_hang_up(struct gw_conn *c);
void gw_conn_drop_as(struct gw_conn *c, enum dvt_edge_how how);
/*
 * The alert or close_notify is written: end our side and read on for a while,
 * because a close with unread bytes resets the connection under it.
 */
void gw_conn_linger(struct gw_conn *c);
void gw_conn_linger_read(struct gw_conn *c);
/* Why OpenSSL gave up, in words of the edge. */
enum dvt_edge_how gw_conn_how_it_ended(int ssl_error, int sys);

/* conn_upstream.c; those with a result: false when the connection is gone. */
bool gw_conn_upstream(struct gw_conn *c);
/* Connected by now? */
bool gw_conn_upstream_poll(struct gw_conn *c);
/* It could not be connected: another, or none is left. */
bool gw_conn_upstream_failed(struct gw_conn *c, int sys);
/* The PROXY header, where the settings want one. */
void gw_conn_proxy_put(struct gw_conn *c, struct dvt_buf *out);

/* conn_mqtt.c */
void gw_conn_mqtt_new(struct gw_conn *c);
void gw_conn_mqtt_free(struct gw_conn *c); /* NULL-safe */
/* Bytes of a client that has not been let in; false: the connection is gone. */
bool gw_conn_mqtt_in(struct gw_conn *c, const uint8_t *p, size_t n);
/*
 * Bytes for the client, about to be sent; @p has DVT_MQTT_BYE_MAX more room.
 * Return: how many to send: fewer or more when a goodbye goes with them.
 */
size_t gw_conn_mqtt_out(struct gw_conn *c, uint8_t *p, size_t n);
/*
 * The broker is told DISCONNECT for a device that is asked to come again, so
 * that its will does not go out; between packets alone. Upstream is to be
 * closed then.
 */
void gw_conn_mqtt_leave(struct gw_conn *c);
/* No upstream could be reached: say so, and close. */
void gw_conn_unavailable(struct gw_conn *c);

/* conn_relay.c */
void gw_pending_add(struct gw_pending *q, const uint8_t *p, size_t n);
/* Bytes to the client of our own; they go before anything else. */
bool gw_conn_tell_client(struct gw_conn *c, const uint8_t *p, size_t n);
/* each with a result: false when the connection is gone. */
bool gw_conn_flush_up(struct gw_conn *c);
bool gw_conn_flush_client(struct gw_conn *c);
bool gw_conn_relay_in(struct gw_conn *c);
bool gw_conn_relay_out(struct gw_conn *c);
/* What to wait for now; ends what is finished. */
void gw_conn_rearm(struct gw_conn *c);

#endif
