/* SPDX-License-Identifier: Apache-2.0 */
#include "loop/edge_conn.h"

#include "base/clock.h"
#include "base/mem.h"
#include "pki/ssl_err.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

/*
 * Short lists: each entry costs memory in every connection. ECDHE with an
 * AEAD, and one CBC suite for the oldest stacks with TLS 1.2.
 */
#define CIPHERS_12                                                             \
	"ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:"         \
	"ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-ECDSA-AES128-CCM:"                \
	"ECDHE-RSA-AES128-GCM-SHA256:ECDHE-RSA-AES256-GCM-SHA384:"             \
	"ECDHE-RSA-CHACHA20-POLY1305:ECDHE-ECDSA-AES128-SHA256"
#define CIPHERS_13                                                             \
	"TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:"                       \
	"TLS_CHACHA20_POLY1305_SHA256"
#define GROUPS "X25519:P-256"
#define SIGNATURES                                                             \
	"ECDSA+SHA256:ECDSA+SHA384:RSA-PSS+SHA256:RSA-PSS+SHA384:"             \
	"RSA-PSS+SHA512:RSA+SHA256:RSA+SHA384:RSA+SHA512:ed25519"
#define VERIFY_DEPTH 8

static int conn_index = -1; /* of the ex_data of each SSL */

int64_t
dvt_edge_wall_s(const struct dvt_edge *e)
{
	return e->clock != NULL ? e->clock(e->user) : dvt_time_now().wall_s;
}

bool
dvt_edge_has_inventory(const struct dvt_edge *e)
{
	return e->feed != NULL && dvt_feed_position(e->feed) > 0;
}

static int64_t
now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static void
conn_free(void *parent, void *ptr, CRYPTO_EX_DATA *ad, int index, long argl,
    void *argp)
{
	struct dvt_edge_conn *c = ptr;

	(void)parent, (void)ad, (void)index, (void)argl, (void)argp;
	if (c == NULL)
		return;
	dvt_edge_conclude(c, DVT_EDGE_CLOSED);
	dvt_edge_set_unref(c->set);
	free(c);
}

struct dvt_edge_conn *
dvt_edge_conn_of(const SSL *ssl)
{
	return conn_index < 0 ? NULL : SSL_get_ex_data(ssl, conn_index);
}

const struct dvt_edge_peer *
dvt_edge_peer(SSL *ssl)
{
	struct dvt_edge_conn *c = dvt_edge_conn_of(ssl);

	return c != NULL ? &c->peer : NULL;
}

/* --- what OpenSSL tells while it works --- */

static void
on_data(struct dvt_edge_conn *c, SSL *ssl)
{
	c->idle_messages = 0;
	dvt_edge_byte(c, ssl);
}

static void
on_message(int out, int version, int type, const void *buf, size_t n, SSL *ssl,
    void *arg)
{
	struct dvt_edge_conn *c = dvt_edge_conn_of(ssl);
	const uint8_t *p = buf;

	(void)version, (void)arg;
	if (c == NULL || out || n == 0)
		return;
	switch (type) {
	case SSL3_RT_HANDSHAKE:
		c->heard = true;
		if (c->peer.done)
			c->idle_messages++;
		if (p[0] == SSL3_MT_CLIENT_HELLO && !c->hello_seen)
			dvt_edge_hello(c, (struct dvt_span){p, n});
		break;
	case SSL3_RT_HEADER: /* TLS 1.3 dresses all as application data */
		if (p[0] == SSL3_RT_APPLICATION_DATA && c->peer.done &&
		    SSL_version(ssl) < TLS1_3_VERSION)
			on_data(c, ssl);
		break;
	case SSL3_RT_INNER_CONTENT_TYPE:
		if (p[0] == SSL3_RT_APPLICATION_DATA && c->peer.done)
			on_data(c, ssl);
		break;
	default:
		break;
	}
}

static void
on_info(const SSL *ssl, int where, int value)
{
	struct dvt_edge_conn *c = dvt_edge_conn_of(ssl);

	if (c == NULL)
		return;
	if ((where & SSL_CB_HANDSHAKE_DONE) != 0) {
		c->rec.duration_us = now_us() - c->begun_us;
		dvt_edge_done(c, (SSL *)(uintptr_t)ssl);
	} else if ((where & SSL_CB_ALERT) != 0) {
		int level = value >> 8, number = value & 0xff;

		if ((where & SSL_CB_READ) != 0)
			dvt_edge_alert_in(c, level, number);
		else
			dvt_edge_alert_out(c, level, number);
	}
}

/* --- the context --- */

static enum dvt_code
ctx_lists(SSL_CTX *ctx, struct dvt_err *err)
{
	if (SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) != 1 ||
	    SSL_CTX_set_cipher_list(ctx, CIPHERS_12) != 1 ||
	    SSL_CTX_set_ciphersuites(ctx, CIPHERS_13) != 1 ||
	    SSL_CTX_set1_groups_list(ctx, GROUPS) != 1 ||
	    SSL_CTX_set1_sigalgs_list(ctx, SIGNATURES) != 1)
		return dvt_fail_ssl(err, DVT_E_SYSTEM, "TLS lists of an edge");
	return DVT_OK;
}

static enum dvt_code
ctx_tickets(struct dvt_edge *e, const uint8_t *key, struct dvt_err *err)
{
	static const unsigned char session_context[] = "dovetail-edge";
	SSL_CTX *ctx = e->ctx;
	enum dvt_code rc;

	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_NO_INTERNAL);
	SSL_CTX_set_session_id_context(
	    ctx, session_context, sizeof(session_context) - 1);
	SSL_CTX_set_num_tickets(ctx, 0); /* one, once a device is known */
	/* a name for as long as RFC 8446 section 4.6.1 lets a client keep it */
	(void)SSL_CTX_set_timeout(ctx, 7 * 86400);
	if (key == NULL) {
		SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET);
		return DVT_OK;
	}
	if ((rc = dvt_edge_ticket_new(key, &e->ticket, err)) != DVT_OK)
		return rc;
	if (SSL_CTX_set_generate_session_id(ctx, dvt_edge_ticket_make_short) !=
		1 ||
	    SSL_CTX_set_tlsext_ticket_keys(
		ctx, (void *)(uintptr_t)key, DVT_EDGE_TICKET_KEY) != 1 ||
	    SSL_CTX_set_session_ticket_cb(
		ctx, dvt_edge_ticket_make, dvt_edge_ticket_read, NULL) != 1)
		return dvt_fail_ssl(err, DVT_E_SYSTEM, "ticket key");
	SSL_CTX_sess_set_get_cb(ctx, dvt_edge_ticket_read_short);
	return DVT_OK;
}

static void
ctx_callbacks(struct dvt_edge *e)
{
	int verify = SSL_VERIFY_PEER | SSL_VERIFY_CLIENT_ONCE;

	if ((e->flags & DVT_EDGE_CERT_OPTIONAL) == 0)
		verify |= SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
	SSL_CTX_set_verify(e->ctx, verify, dvt_edge_verify_ok);
	SSL_CTX_set_verify_depth(e->ctx, VERIFY_DEPTH);
	SSL_CTX_set_cert_verify_callback(e->ctx, dvt_edge_verify_cb, e);
	SSL_CTX_set_client_hello_cb(e->ctx, dvt_edge_hello_cb, e);
	SSL_CTX_set_cert_cb(e->ctx, dvt_edge_cert_cb, e);
	SSL_CTX_set_tlsext_status_cb(e->ctx, dvt_edge_staple_cb);
	SSL_CTX_set_msg_callback(e->ctx, on_message);
	SSL_CTX_set_info_callback(e->ctx, on_info);
}

static enum dvt_code
ctx_new(struct dvt_edge *e, const uint8_t *ticket_key, struct dvt_err *err)
{
	enum dvt_code rc;

	e->ctx = SSL_CTX_new(TLS_server_method());
	if (e->ctx == NULL)
		return dvt_fail_ssl(err, DVT_E_SYSTEM, "SSL_CTX of an edge");
	SSL_CTX_set_mode(e->ctx,
	    SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
		SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_NO_AUTO_CHAIN);
	SSL_CTX_set_options(e->ctx, SSL_OP_CIPHER_SERVER_PREFERENCE |
					SSL_OP_NO_RENEGOTIATION |
					SSL_OP_NO_COMPRESSION);
	SSL_CTX_set_read_ahead(e->ctx, 0);
	SSL_CTX_set_max_cert_list(e->ctx, DVT_EDGE_FLIGHT_MAX);
	if ((rc = ctx_lists(e->ctx, err)) != DVT_OK ||
	    (rc = ctx_tickets(e, ticket_key, err)) != DVT_OK)
		return rc;
	ctx_callbacks(e);
	return DVT_OK;
}

enum dvt_code
dvt_edge_new(
    const struct dvt_edge_config *c, struct dvt_edge **out, struct dvt_err *err)
{
	struct dvt_edge *e;
	enum dvt_code rc;

	*out = NULL;
	if (conn_index < 0)
		conn_index = SSL_get_ex_new_index(
		    0, NULL, NULL, NULL, conn_free);
	if (conn_index < 0)
		return dvt_fail_ssl(err, DVT_E_SYSTEM, "ex_data of an edge");
	e = dvt_alloc(sizeof(*e));
	e->listener = dvt_strdup(c->listener);
	e->flags = c->flags;
	e->memory = c->memory;
	e->record = c->record;
	e->clock = c->clock;
	e->user = c->user;
	e->verdicts = dvt_verdict_cache_new(DVT_EDGE_VERDICTS);
	e->paths = dvt_edge_paths_new();
	if ((rc = ctx_new(e, c->ticket_key, err)) != DVT_OK) {
		dvt_edge_free(e);
		return rc;
	}
	*out = e;
	return DVT_OK;
}

bool
dvt_edge_is_idle_talk(SSL *ssl)
{
	struct dvt_edge_conn *c = dvt_edge_conn_of(ssl);

	return c != NULL && c->idle_messages > DVT_EDGE_IDLE_MESSAGES;
}

void
dvt_edge_free(struct dvt_edge *e)
{
	if (e == NULL)
		return;
	SSL_CTX_free(e->ctx);
	dvt_edge_set_unref(e->set);
	dvt_verdict_cache_free(e->verdicts);
	dvt_edge_paths_free(e->paths);
	dvt_edge_ticket_free(e->ticket);
	free(e->listener);
	free(e);
}

void
dvt_edge_use(
    struct dvt_edge *e, struct dvt_edge_set *set, const struct dvt_feed *feed)
{
	dvt_verdict_cache_forget(e->verdicts);
	dvt_edge_set_unref(e->set);
	e->set = set;
	e->epoch++;
	e->feed = feed;
}

void
dvt_edge_stale(struct dvt_edge *e, bool stale)
{
	e->stale = stale;
}

const struct dvt_edge_set *
dvt_edge_set_used(const struct dvt_edge *e)
{
	return e->set;
}

struct dvt_span
dvt_edge_ticket_in(struct dvt_edge *e, struct dvt_span hello)
{
	struct dvt_hello h;

	if (e->ticket != NULL && dvt_hello_parse(hello, &h, NULL) == DVT_OK &&
	    h.first_ticket.n > 0 &&
	    dvt_edge_ticket_is_ours(
		e->ticket, h.first_ticket.p, h.first_ticket.n))
		return h.first_ticket;
	return (struct dvt_span){0};
}

SSL_CTX *
dvt_edge_ctx(struct dvt_edge *e)
{
	return e->ctx;
}

void
dvt_edge_attach(struct dvt_edge *e, SSL *ssl, const struct dvt_addr *peer)
{
	struct dvt_edge_conn *c = dvt_alloc(sizeof(*c));
	char host[DVT_ADDR_TEXT];

	c->edge = e;
	c->set = e->set != NULL ? dvt_edge_set_ref(e->set) : NULL;
	c->begun_us = now_us();
	dvt_handshake_init(&c->rec);
	c->rec.at = dvt_edge_wall_s(e);
	dvt_addr_host(peer, host);
	(void)dvt_copy_str(c->rec.address, sizeof(c->rec.address), host);
	c->peer.confidence = DVT_CONF_NONE;
	c->peer.name = c->hello.server_name;
	c->peer.root = "";
	SSL_set_ex_data(ssl, conn_index, c);
}
