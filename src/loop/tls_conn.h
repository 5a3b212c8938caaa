/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One connection on our own non-blocking socket, outgoing or accepted: TLS, or
 * plain when no SSL_CTX is given (TCP and Unix). Reports every failure in
 * full, because what a device says about a chain is what rotations are decided
 * on. All callbacks come from the loop, never from inside a call made here.
 */
#ifndef DVT_LOOP_TLS_CONN_H
#define DVT_LOOP_TLS_CONN_H

#include "base/span.h"
#include "loop/addr.h"
#include "loop/loop.h"

#include <openssl/ssl.h>

struct dvt_tls_conn;

/* How a connection ended: name in logs and reports */
#define DVT_TLS_ENDS(X)                                                        \
	X(DVT_TLS_CLOSED, "closed") /* in order: by us, or after bytes */      \
	X(DVT_TLS_REFUSED, "connect-failed") /* errno in sys */                \
	X(DVT_TLS_TIMEOUT, "timeout")        /* of connect or handshake */     \
	X(DVT_TLS_VERIFY, "verify-failed")   /* we refused the peer's chain */ \
	X(DVT_TLS_ALERT, "alert-received")   /* the peer refused; number */    \
	X(DVT_TLS_EOF, "closed-in-handshake")                                  \
	X(DVT_TLS_SILENT, "closed-without-a-byte") /* handshake was done */    \
	X(DVT_TLS_RESET, "reset")                                              \
	X(DVT_TLS_PROTOCOL, "protocol") /* anything else OpenSSL refuses */

#define DVT_TLS_END_ENUM(id, name) id,
enum dvt_tls_end { DVT_TLS_ENDS(DVT_TLS_END_ENUM) };
const char *dvt_tls_end_name(enum dvt_tls_end end);

enum dvt_tls_phase { DVT_TLS_CONNECT, DVT_TLS_HANDSHAKE, DVT_TLS_OPEN };

struct dvt_tls_result {
	enum dvt_tls_end end;
	enum dvt_tls_phase phase; /* in which it ended */
	int verify_error;  /* X509_V_ERR_*; X509_V_OK when we did not refuse */
	int verify_depth;  /* 0 is the leaf; -1 when not refused */
	int alert;         /* received TLS alert (RFC 8446 6), or -1 */
	int alert_sent;    /* or -1 */
	int sys;           /* errno, or 0 */
	uint64_t in_bytes; /* of application data */
	/* The peer's chain holds in [from, until), Unix seconds, when it was
	 * taken or refused for its dates; else 0 */
	int64_t valid_from, valid_until;
	char text[256]; /* for the operator */
};

struct dvt_tls_conn_config {
	/* Tried in this order until one answers; copied. */
	const struct dvt_addr *addrs;
	size_t addrs_n;
	/*
	 * NULL: plain. Holds client certificate, key and the list sent as
	 * certificate_authorities (SSL_CTX_set0_CA_list); a reference is taken.
	 */
	SSL_CTX *ctx;
	/* What the chain must end in; NULL: the store of @ctx. Ref. taken. */
	X509_STORE *trust;
	const char *server_name; /* sent as SNI; NULL: none. Copied. */
	/* DNS name or IP the certificate must carry; NULL: @server_name. */
	const char *verify_name;
	bool any_name; /* the name is not checked (the chain is) */
	/* Nothing is checked: for what is verified by itself, as cacerts by a
	 * fingerprint (RFC 7030 section 4.1.1). */
	bool unverified;
	int64_t verify_at; /* Unix seconds to judge dates at; 0: this host's */
	/* Offered as name-bearer; NULL: none. Reference taken. */
	SSL_SESSION *ticket;
	int64_t open_ms; /* deadline for connect and handshake; 0: 10000 */
	size_t out_max;  /* bytes that may wait for writing; 0: 1 MiB */

	void (*opened)(void *user); /* handshake done; may be NULL */
	/* Bytes of the peer, to be used up now. */
	void (*read)(void *user, struct dvt_span bytes);
	/* All that was written has left our buffer; may be NULL. */
	void (*drained)(void *user);
	/*
	 * The end, told once; not after dvt_tls_conn_free(). The connection
	 * can still be asked (flight, ticket) and must be freed by the user.
	 */
	void (*ended)(void *user, const struct dvt_tls_result *r);
	void *user;
};

/**
 * dvt_tls_conn_new() - begin to connect
 *
 * Cannot fail by itself: every failure is told by ended(), in a later turn.
 * TCP_NODELAY is set. A resumed session is not accepted, because resumption
 * would skip the proof of the chain: when the peer resumes, the connection is
 * made again without the ticket, within the same deadline.
 * Return: the caller's; dvt_tls_conn_free() it, also inside a callback.
 */
struct dvt_tls_conn *dvt_tls_conn_new(
    struct dvt_loop *loop, const struct dvt_tls_conn_config *config);
void dvt_tls_conn_free(struct dvt_tls_conn *c); /* drops what is unwritten */

/**
 * dvt_tls_conn_accept() - the same for a socket that was accepted
 * @fd:     non-blocking; taken
 * @ssl:    on @fd, its callbacks set by the caller; taken; NULL: plain
 * @config: callbacks, open_ms (handshake) and out_max; the rest is not used
 */
struct dvt_tls_conn *dvt_tls_conn_accept(struct dvt_loop *loop, int fd,
    SSL *ssl, const struct dvt_tls_conn_config *config);

/**
 * dvt_tls_conn_write() - queue bytes; they leave at the end of this turn
 * Return: DVT_OK; DVT_E_BUSY (over out_max; nothing was queued);
 *         DVT_E_CONFLICT (not open).
 */
DVT_MUST_USE enum dvt_code dvt_tls_conn_write(
    struct dvt_tls_conn *c, struct dvt_span bytes, struct dvt_err *err);
size_t dvt_tls_conn_unwritten(const struct dvt_tls_conn *c);
/* Stop and resume reading (back-pressure). */
void dvt_tls_conn_read_enable(struct dvt_tls_conn *c, bool on);
/* Write what is queued, say close_notify, close; then ended(CLOSED). */
void dvt_tls_conn_finish(struct dvt_tls_conn *c);

bool dvt_tls_conn_is_open(const struct dvt_tls_conn *c);
/* The peer's chain holds in [from, until): as in struct dvt_tls_result. */
void dvt_tls_conn_dates(
    const struct dvt_tls_conn *c, int64_t *from, int64_t *until);
/* NULL while plain or before the handshake began. Borrowed. */
SSL *dvt_tls_conn_ssl(const struct dvt_tls_conn *c);

/**
 * dvt_tls_conn_exporter() - channel binding of this connection
 * Return: DVT_OK; DVT_E_CONFLICT (plain, or not open).
 * Source: RFC 9266 section 4.1 (EXPORTER-Channel-Binding, 32 bytes).
 */
DVT_MUST_USE enum dvt_code dvt_tls_conn_exporter(
    struct dvt_tls_conn *c, uint8_t out[32], struct dvt_err *err);

/*
 * The certificates the peer sent, leaf first; also after we refused them.
 * Borrowed until the connection is freed; NULL when none were seen.
 */
STACK_OF(X509) * dvt_tls_conn_flight(const struct dvt_tls_conn *c);

/*
 * The newest TLS 1.3 ticket of this connection, to be offered by the next
 * one; the caller frees it by SSL_SESSION_free(). NULL: none came (yet).
 */
SSL_SESSION *dvt_tls_conn_ticket(struct dvt_tls_conn *c);

#endif
