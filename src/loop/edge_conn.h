/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by edge_tls.c, edge_choose.c, edge_verify.c and edge_end.c alone. */
#ifndef DVT_LOOP_EDGE_CONN_H
#define DVT_LOOP_EDGE_CONN_H

#include "loop/edge_path.h"
#include "loop/edge_tls.h"
#include "loop/verdict_cache.h"
#include "proto/hello.h"

struct dvt_edge {
	char *listener;
	unsigned flags;
	struct dvt_edge_ticket *ticket; /* NULL: none are given */
	struct dvt_edge_memory *memory;
	void (*record)(void *user, const struct dvt_handshake *h);
	int64_t (*clock)(void *user);
	void *user;
	SSL_CTX *ctx;
	struct dvt_edge_set *set;
	const struct dvt_feed *feed;
	bool stale;                         /* dvt_edge_stale() */
	struct dvt_verdict_cache *verdicts; /* under set */
	struct dvt_edge_paths *paths;
	uint64_t epoch; /* of set, from 1 on */
};

/* One attempt; hangs on its SSL. */
struct dvt_edge_conn {
	struct dvt_edge *edge;
	struct dvt_edge_set *set; /* the one it began with */
	int64_t begun_us;         /* since boot */
	bool heard;               /* some bytes of TLS came in */
	bool hello_seen;
	struct dvt_hello hello; /* authorities: not kept beyond the choice */
	bool fatal_in;          /* the client sent a fatal alert */
	bool closed_in;         /* it said close_notify */
	bool refused;           /* we refused its certificate */
	bool short_ticket;      /* read and written in our own form */
	unsigned idle_messages; /* of the handshake, since a byte of data */
	char ticket_device[DVT_DEVICE_ID_MAX + 1];
	const struct dvt_edge_chain *shown; /* of set */
	int64_t not_after;                  /* of the client's path */
	uint32_t path;                      /* of edge->paths; 0: not known */
	struct dvt_edge_peer peer;
	struct dvt_handshake rec;
};

struct dvt_edge_conn *dvt_edge_conn_of(const SSL *ssl);
int64_t dvt_edge_wall_s(const struct dvt_edge *e);
/* Devices are known by name; else who verifies may come in. */
bool dvt_edge_has_inventory(const struct dvt_edge *e);

/* edge_choose.c: the ClientHello and what follows from it. */
void dvt_edge_hello(struct dvt_edge_conn *c, struct dvt_span msg);
struct dvt_edge_client dvt_edge_client_of(const struct dvt_edge_conn *c);
int dvt_edge_hello_cb(SSL *ssl, int *alert, void *arg);
int dvt_edge_cert_cb(SSL *ssl, void *arg);

/* edge_ticket.c: at the hello, and once the device is known; the rest is
 * called by OpenSSL. */
void dvt_edge_ticket_hello(struct dvt_edge_conn *c, SSL *ssl);
void dvt_edge_ticket_give(struct dvt_edge_conn *c, SSL *ssl);
int dvt_edge_ticket_make_short(SSL *ssl, unsigned char *id, unsigned int *n);
SSL_SESSION *dvt_edge_ticket_read_short(
    SSL *ssl, const unsigned char *p, int n, int *copy);
int dvt_edge_ticket_make(SSL *ssl, void *arg);
SSL_TICKET_RETURN dvt_edge_ticket_read(SSL *ssl, SSL_SESSION *session,
    const unsigned char *key_name, size_t key_name_n, SSL_TICKET_STATUS status,
    void *arg);

/* edge_staple.c: the OCSP response of the chain shown. */
int dvt_edge_staple_cb(SSL *ssl, void *arg);

/* edge_verify.c: the client's certificate. */
int dvt_edge_verify_cb(X509_STORE_CTX *ctx, void *arg);
int dvt_edge_verify_ok(int ok, X509_STORE_CTX *ctx);

/* edge_end.c: alerts, outcome, record. */
void dvt_edge_done(struct dvt_edge_conn *c, SSL *ssl);
void dvt_edge_alert_in(struct dvt_edge_conn *c, int level, int number);
void dvt_edge_alert_out(struct dvt_edge_conn *c, int level, int number);
void dvt_edge_byte(struct dvt_edge_conn *c, SSL *ssl);
void dvt_edge_conclude(struct dvt_edge_conn *c, enum dvt_edge_how how);

#endif
