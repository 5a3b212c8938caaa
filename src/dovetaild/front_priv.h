/* SPDX-License-Identifier: Apache-2.0 */
/* Inside of a front, for front_*.c only. */
#ifndef DVT_DOVETAILD_FRONT_PRIV_H
#define DVT_DOVETAILD_FRONT_PRIV_H

#include "dovetaild/peers.h"
#include "dovetaild/program.h"
#include "dovetaild/request.h"
#include "http/server.h"
#include "proto/est.h"
#include "proto/feed.h"
#include "proto/feed_report.h"

#include <openssl/ssl.h>

#define FRONT_PARKED_MAX                                                       \
	8192                  /* requests that may wait for core at one time   \
			       */
#define FRONT_STREAMS_MAX 64  /* event streams of one front */
#define FRONT_KEYS_MAX    32  /* own private keys */
#define FRONT_BUNDLES_MAX 256 /* bundles answered from memory */
#define FRONT_RECORDS_MAX 512 /* handshakes kept until the next report */

/* A request that core or a reader is thinking about. */
struct front_pending {
	uint64_t generation; /* of its ticket; 0: none */
	enum dvt_role role;
	unsigned index;
	bool est; /* the answer is a certificate to be wrapped */
	enum dvt_est_form form;
	int64_t due_ms; /* mono_ms: answered by us then */
};

struct front_key {
	char digest[DVT_DIGEST_HEX];
	char order[DVT_NAME_MAX + 1]; /* it was made for; "" the first key */
	EVP_PKEY *key;
	int64_t needed_ms; /* mono_ms: found, made, or last named in a feed */
};

struct front_bundle {
	int64_t version;
	bool bridge; /* it changed the keys: needed to walk past it */
	char *line;
};

struct front_tls;
struct front_stream;

struct front {
	const struct program *program;
	unsigned index;
	char name[16]; /* "front-1": its name as an edge */
	char folder[1200];
	struct dvt_loop *loop;
	struct peers *peers;
	struct dvt_http_server *http;
	struct dvt_http_listener *device, *operators, *socket;
	struct front_tls *tls;
	struct front_pending pending[FRONT_PARKED_MAX];
	struct dvt_timer *late; /* runs while anything is pending */
	int64_t core_silent_ms, reader_silent_ms[PEERS_MAX];
	struct front_stream *stream; /* FRONT_STREAMS_MAX of them */
	size_t stream_n;             /* open ones */
	uint64_t stream_generation;
	struct dvt_timer *stream_tick;

	struct dvt_feed *feed;
	struct dvt_feed *fresh; /* built aside for a core that came back */
	struct front_key key[FRONT_KEYS_MAX];
	size_t key_n;
	struct dvt_buf cacerts; /* certs-only message, DER */
	struct front_bundle bundle[FRONT_BUNDLES_MAX];
	size_t bundle_n;

	struct dvt_timer *report;
	int64_t batch;
	int64_t applied; /* reported */
	struct dvt_handshake *record;
	size_t record_n;
	bool told_ready;
};

/* --- front_http.c --- */
void front_handle(void *front, const struct dvt_http_req *req);
void front_reply_error(struct front *f, struct dvt_http_ticket t,
    const struct dvt_err *why, int64_t retry_after_s, bool basic);
void front_reply(
    struct front *f, struct dvt_http_ticket t, const struct reply *r);
/* One request to core or a reader; answers 503 itself when that is away. */
void front_ask(struct front *f, struct dvt_http_ticket t, enum dvt_role role,
    enum dvt_msg_type type, struct dvt_span body, bool est,
    enum dvt_est_form form);
/* The peer has answered. */
void front_answer(struct front *f, struct dvt_msg *m);
/* That peer is gone: its requests are answered 503. */
void front_peer_down(struct front *f, enum dvt_role role, unsigned index);

/* --- front_late.c: what is left without an answer --- */
void front_late_new(struct front *f);
/* @p has just been asked: 503 after "front.answerTimeout". */
void front_late_watch(struct front *f, struct front_pending *p);
/* A long poll: so much longer as its query allows the peer to wait. */
void front_late_allow(struct front_pending *p, const char *query);
/* Whether what was asked at @asked_ms (mono_ms) is over its time. */
bool front_late_is(const struct front *f, int64_t asked_ms);
/* What a client is told: DVT_E_LATER, which process, what to do. */
void front_late_fail(
    struct front *f, enum dvt_role role, unsigned index, struct dvt_err *err);
/* That peer said something. */
void front_late_heard(struct front *f, enum dvt_role role, unsigned index);
/* The reader for this slot: one that answers, if there is one. */
unsigned front_late_reader(struct front *f, uint32_t slot);

/* --- front_events.c: GET /v1/events as a stream --- */
void front_events_new(struct front *f);
void front_events_free(struct front *f); /* after the HTTP server */
/* Whether the client asks for a stream. */
bool front_events_wanted(const struct dvt_http_req *req);
/* Open one; its request is parked until a reader has agreed. DVT_E_INPUT;
 * DVT_E_LATER (as many as may be are open; the reader is away). */
DVT_MUST_USE enum dvt_code front_events(struct front *f,
    const struct dvt_http_req *req, const struct request *q,
    struct dvt_err *err);
/* False: that answer is for no stream. */
bool front_events_answer(
    struct front *f, const struct dvt_msg *m, const struct reply *r);
void front_events_down(struct front *f, enum dvt_role role, unsigned index);

/* --- front_est.c --- */
void front_est(struct front *f, const struct dvt_http_req *req,
    const struct dvt_est_path *path);
/* A certificate of core as the answer's body. */
void front_est_certificate(
    struct dvt_span cert, enum dvt_est_form form, struct dvt_buf *out);

/* The requests for certificates in a gateway's report are whole, and each is
 * signed by the key it is for. */
DVT_MUST_USE enum dvt_code front_check_report(
    struct dvt_span body, struct dvt_err *err);

/* --- front_memory.c: what is answered from memory --- */
void front_publish(struct front *f, const struct publish *p);
/* Lines a device at @after needs to walk to the newest; false: none here. */
bool front_bundles(struct front *f, int64_t after, struct dvt_buf *out);

/* --- front_keys.c --- */
DVT_MUST_USE enum dvt_code front_keys_load(
    struct front *f, struct dvt_err *err);
/* A key for an order, stored before it returns; the same one when repeated. */
DVT_MUST_USE enum dvt_code front_key_make(
    struct front *f, const char *order, EVP_PKEY **out, struct dvt_err *err);
/* By the digest of its public half; NULL: not held. Borrowed. */
EVP_PKEY *front_key_find(void *front, const char *digest);
/* Wipe the keys that no credential and no order has named for
 * "front.keyHold"; called now and then, under a feed that is whole. */
void front_keys_prune(struct front *f);

/* --- front_tls.c: the device listener's TLS --- */
DVT_MUST_USE enum dvt_code front_tls_new(struct front *f, struct dvt_err *err);
void front_tls_free(struct front_tls *t);
/* The feed has changed: what is shown and trusted is built anew. False: there
 * is nothing to show, the former stays. */
bool front_tls_update(struct front *f);
/* The context of new connections; NULL: nothing to show yet. */
SSL_CTX *front_tls_ctx(struct front *f);
/* What is shown and trusted now; NULL: nothing yet. */
struct dvt_edge_set;
const struct dvt_edge_set *front_tls_set(struct front *f);
void front_tls_prepare(void *front, SSL *ssl, const struct dvt_addr *peer);
/* A connection from there may begin with a PROXY header. */
bool front_tls_proxied(void *front, const struct dvt_addr *from);
void front_tls_closing(void *front, SSL *ssl, enum dvt_edge_how how);
/* A whole request came: this client took the chain it was shown. */
void front_tls_served(SSL *ssl);
/**
 * front_tls_peer() - who is at the other end, proven
 * @fingerprint: out: "" when no certificate was shown
 * @der:         out: borrowed from @ssl's certificate by the caller's buffer
 */
void front_tls_peer(
    SSL *ssl, char fingerprint[DVT_DIGEST_HEX], struct dvt_buf *der);

/* --- front_operator.c --- */
DVT_MUST_USE enum dvt_code front_operator_ctx(
    struct front *f, SSL_CTX **out, struct dvt_err *err);

/* --- front_feed.c --- */
void front_feed(struct front *f, struct dvt_span answer);
void front_record(struct front *f, const struct dvt_handshake *h);
void front_report_now(void *front);

#endif
