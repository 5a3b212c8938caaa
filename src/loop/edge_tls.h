/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The server side of TLS at an edge: which chain a client is shown, who it
 * is, whether it may come in, and one record of each attempt. Works on any
 * SSL of dvt_edge_ctx(), whoever moves its bytes: gateway workers on their
 * own sockets, dovetaild's fronts through http/server.h.
 *
 *   edge = dvt_edge_new(); dvt_edge_use(edge, set, feed)
 *   ssl = SSL_new(dvt_edge_ctx(edge)); dvt_edge_attach(edge, ssl, &peer)
 *   ... SSL_accept, SSL_read, SSL_write ...
 *   dvt_edge_end(ssl, how); SSL_free(ssl)
 */
#ifndef DVT_LOOP_EDGE_TLS_H
#define DVT_LOOP_EDGE_TLS_H

#include "loop/addr.h"
#include "loop/edge_memory.h"
#include "loop/edge_set.h"
#include "loop/edge_ticket.h"
#include "proto/feed_record.h"

#include <openssl/ssl.h>

#define DVT_EDGE_VERDICTS 196608 /* client certificates known as good */

enum dvt_edge_flag {
	/* a client without a certificate may come in (fronts: EST by secret) */
	DVT_EDGE_CERT_OPTIONAL = 1,
	/* superseded and ended certificates may come in (fronts: the mend
	 * lane); core decides what for */
	DVT_EDGE_MEND = 2,
};

struct dvt_edge;

struct dvt_edge_config {
	const char *listener; /* "main" */
	unsigned flags;       /* of enum dvt_edge_flag */
	/* The same in all processes of this edge; NULL: no identity tickets */
	const uint8_t *ticket_key;
	struct dvt_edge_memory *memory; /* borrowed; NULL: none */
	/*
	 * One attempt and how it went, exactly once; may be called from inside
	 * an OpenSSL callback or SSL_free(). A connection that never said a
	 * word of TLS has no record.
	 */
	void (*record)(void *user, const struct dvt_handshake *h);
	/* Unix seconds to judge by; NULL: this host's clock */
	int64_t (*clock)(void *user);
	void *user;
};

/**
 * dvt_edge_new() - the SSL_CTX with all its settings
 * @c:   copied
 * @out: the caller's; dvt_edge_free() after the last SSL of it
 * Return: DVT_OK; DVT_E_SYSTEM.
 */
DVT_MUST_USE enum dvt_code dvt_edge_new(const struct dvt_edge_config *c,
    struct dvt_edge **out, struct dvt_err *err);
void dvt_edge_free(struct dvt_edge *e); /* NULL-safe */

/**
 * dvt_edge_use() - exchange what new connections are served with
 * @set:  sealed; taken (its reference)
 * @feed: devices and denials; borrowed, must be the live one until the next
 *        call. NULL, or at position 0: no inventory, who verifies may come in,
 *        named by the common name of its certificate
 */
void dvt_edge_use(
    struct dvt_edge *e, struct dvt_edge_set *set, const struct dvt_feed *feed);
/* What it knows is too old to let anybody in: every client counts as not
 * listed from now on, until it is said otherwise. */
void dvt_edge_stale(struct dvt_edge *e, bool stale);
const struct dvt_edge_set *dvt_edge_set_used(const struct dvt_edge *e);
SSL_CTX *dvt_edge_ctx(struct dvt_edge *e); /* borrowed */

/**
 * dvt_edge_attach() - before the first byte of a connection
 * @ssl: of dvt_edge_ctx(); the state hangs on it and goes with it
 */
void dvt_edge_attach(struct dvt_edge *e, SSL *ssl, const struct dvt_addr *peer);

/*
 * The identity ticket of ours that this ClientHello (without its record's
 * header) shows, in either form; empty: none. Borrowed from @hello. It travels
 * in clear: good for limits, not for more.
 */
struct dvt_span dvt_edge_ticket_in(struct dvt_edge *e, struct dvt_span hello);

/**
 * dvt_edge_pass() - this client is for another server, which ends its TLS
 * @hello: its ClientHello, without record headers
 *
 * Its record tells so; nothing else of this SSL is used from then on.
 */
void dvt_edge_pass(SSL *ssl, struct dvt_span hello);

/* What became known of a client. */
struct dvt_edge_peer {
	bool shown;   /* a chain is chosen: our flight is out */
	bool done;    /* handshake complete: the certificate is proven */
	bool settled; /* its record is out */
	bool probe;   /* asked for the next or the trial name */
	char device[DVT_DEVICE_ID_MAX + 1]; /* or "" */
	enum dvt_confidence confidence;
	char certificate[DVT_DIGEST_HEX]; /* "" none shown */
	/*
	 * It verifies, but the inventory does not list it (yet): the caller
	 * decides and says dvt_edge_admit(). Until then no record is made.
	 */
	bool unlisted;
	char common_name[DVT_DEVICE_ID_MAX + 1]; /* of its certificate, or "" */
	const char *name; /* server name asked for, or "" */
	const char *root; /* of the chain shown, or "": none, or not known */
	enum dvt_chain_form form;
};
/* Borrowed until the next call on this SSL; NULL when not attached. */
const struct dvt_edge_peer *dvt_edge_peer(SSL *ssl);

/**
 * dvt_edge_check() - may this client (still) be served, by the feed as it is?
 *
 * For a client of which the inventory hears later, and for open sessions
 * after a change of denials.
 * Return: DVT_HR_OK (also without inventory or certificate);
 *         DVT_HR_DENIED_...; DVT_HR_UNKNOWN_DEVICE.
 */
enum dvt_hs_reason dvt_edge_check(SSL *ssl);
/* An unlisted client comes in: as @device (its listing, or its name), or is
 * turned away (NULL). */
void dvt_edge_admit(SSL *ssl, const char *device);
/* It shook hands, but dvt_edge_check() says @reason: its record tells so,
 * unless it told a success already. */
void dvt_edge_refuse(SSL *ssl, enum dvt_hs_reason reason);
/* Open for a while without a byte: count it as well. */
void dvt_edge_settle(SSL *ssl);

/*
 * Does it do nothing but handshake on? Messages behind the handshake
 * (KeyUpdate, RFC 8446 section 4.6.3; renegotiation, RFC 5246 section 7.4.1.1)
 * without a byte of data among DVT_EDGE_IDLE_MESSAGES of them.
 */
#define DVT_EDGE_IDLE_MESSAGES 64
bool dvt_edge_is_idle_talk(SSL *ssl);

/* How a connection came to its end, as far as its owner saw it. */
enum dvt_edge_how {
	DVT_EDGE_CLOSED,  /* end of file */
	DVT_EDGE_RESET,   /* by the peer */
	DVT_EDGE_TIMEOUT, /* of ours */
	DVT_EDGE_LOCAL,   /* we closed for reasons of our own */
	DVT_EDGE_ERROR,   /* the TLS library gave up */
};
/* Told once, before SSL_free(); without it an end counts as CLOSED. */
void dvt_edge_end(SSL *ssl, enum dvt_edge_how how);

#endif
