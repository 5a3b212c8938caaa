/* SPDX-License-Identifier: Apache-2.0 */
/* Connections over real loopback sockets, both ends in one loop. */
#include "loop/tls_conn.h"

#include "base/mem.h"
#include "loop/tls_client.h"
#include "pki/testca.h"

#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define NAME "edge.example"

static struct testca root, leaf, dev, other;
static struct dvt_loop *loop;
static SSL_CTX *client_ctx, *server_ctx;

/* What the other side does with what it accepts. */
enum deed {
	ECHO,
	CLOSE_AT_ONCE, /* before a byte of TLS */
	CLOSE_OPEN,    /* when the handshake is done */
	RESET_OPEN,
	STAY_MUTE, /* never answers */
	TALK_PLAIN,
	SWALLOW, /* reads and forgets */
};

static struct {
	int fd;
	struct dvt_addr addr;
	struct dvt_watch *watch;
	enum deed deed;
	bool plain;
	struct dvt_tls_conn *conn;
	int raw; /* held without TLS */
	unsigned accepted;
	bool resumed;
	struct dvt_tls_result end;
	bool ended;
	uint8_t exporter[32];
	size_t bytes;
} server;

static struct {
	struct dvt_tls_conn *conn;
	bool opened, ended;
	struct dvt_tls_result end;
	struct dvt_buf in;
	unsigned drained;
	bool free_on_open;
} client;

/* --- the server's side --- */

static void
server_opened(void *user)
{
	SSL *ssl = dvt_tls_conn_ssl(server.conn);
	struct linger now = {1, 0};

	(void)user;
	if (ssl != NULL) {
		server.resumed = SSL_session_reused(ssl) == 1;
		assert_int_equal(
		    dvt_tls_conn_exporter(server.conn, server.exporter, NULL),
		    DVT_OK);
	}
	if (server.deed == RESET_OPEN)
		(void)setsockopt(
		    SSL_get_fd(ssl), SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	if (server.deed == CLOSE_OPEN || server.deed == RESET_OPEN) {
		dvt_tls_conn_free(server.conn);
		server.conn = NULL;
	}
}

static void
server_read(void *user, struct dvt_span bytes)
{
	(void)user;
	server.bytes += bytes.n;
	if (server.deed == ECHO)
		assert_int_equal(
		    dvt_tls_conn_write(server.conn, bytes, NULL), DVT_OK);
}

static void
server_ended(void *user, const struct dvt_tls_result *r)
{
	(void)user;
	server.end = *r;
	server.ended = true;
	dvt_tls_conn_free(server.conn);
	server.conn = NULL;
}

static void
server_accept(void *user, unsigned ready)
{
	struct dvt_tls_conn_config config = {.opened = server_opened,
	    .read = server_read,
	    .ended = server_ended,
	    .out_max = 8 << 20};
	int fd = accept4(server.fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	SSL *ssl = NULL;

	(void)user;
	(void)ready;
	assert_true(fd >= 0);
	server.accepted++;
	if (server.deed == CLOSE_AT_ONCE) {
		close(fd);
		return;
	}
	if (server.deed == STAY_MUTE || server.deed == TALK_PLAIN) {
		if (server.deed == TALK_PLAIN)
			assert_int_equal(send(fd, "220 hello\r\n", 11, 0), 11);
		if (server.raw >= 0)
			close(server.raw);
		server.raw = fd;
		return;
	}
	if (!server.plain) {
		ssl = SSL_new(server_ctx);
		assert_int_equal(SSL_set_fd(ssl, fd), 1);
	}
	dvt_tls_conn_free(server.conn);
	server.conn = dvt_tls_conn_accept(loop, fd, ssl, &config);
}

static void
server_start(void)
{
	struct sockaddr_in sin = {
	    .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};

	memset(&server, 0, sizeof(server));
	server.raw = -1;
	server.fd = socket(
	    AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	assert_int_equal(
	    bind(server.fd, (struct sockaddr *)&sin, sizeof(sin)), 0);
	assert_int_equal(listen(server.fd, 16), 0);
	dvt_addr_of_self(server.fd, &server.addr);
	server.watch = dvt_watch_new(
	    loop, server.fd, DVT_READ, server_accept, NULL);
}

/* --- the client's side --- */

static void
client_opened(void *user)
{
	(void)user;
	client.opened = true;
	if (client.free_on_open) {
		dvt_tls_conn_free(client.conn);
		client.conn = NULL;
	}
}

static void
client_read(void *user, struct dvt_span bytes)
{
	(void)user;
	dvt_buf_put_span(&client.in, bytes);
}

static void
client_drained(void *user)
{
	(void)user;
	client.drained++;
}

static void
client_ended(void *user, const struct dvt_tls_result *r)
{
	(void)user;
	assert_false(client.ended);
	client.ended = true;
	client.end = *r;
}

static struct dvt_tls_conn_config
config_of(void)
{
	return (struct dvt_tls_conn_config){.addrs = &server.addr,
	    .addrs_n = 1,
	    .ctx = server.plain ? NULL : client_ctx,
	    .server_name = NAME,
	    .verify_at = TESTCA_NOW,
	    .open_ms = 5000,
	    .opened = client_opened,
	    .read = client_read,
	    .drained = client_drained,
	    .ended = client_ended};
}

static void
client_start(const struct dvt_tls_conn_config *config)
{
	dvt_tls_conn_free(client.conn);
	dvt_buf_fini(&client.in);
	memset(&client, 0, sizeof(client));
	dvt_buf_init(&client.in, 16 << 20);
	client.conn = dvt_tls_conn_new(loop, config);
	assert_false(dvt_tls_conn_is_open(client.conn));
}

static void
on_too_late(void *user)
{
	(void)user;
	fail_msg("nothing happened for 5 s");
}

#define UNTIL(what)                                                            \
	do {                                                                   \
		struct dvt_timer *late_ = dvt_timer_new(                       \
		    loop, on_too_late, NULL);                                  \
		dvt_timer_start(late_, 5000);                                  \
		while (!(what))                                                \
			(void)dvt_loop_turn(loop, true);                       \
		dvt_timer_free(late_);                                         \
	} while (0)

static void
say(const char *text)
{
	assert_int_equal(
	    dvt_tls_conn_write(client.conn, dvt_span_str(text), NULL), DVT_OK);
}

static SSL_CTX *
client_ctx_new(const struct testca *id, X509 *anchor)
{
	struct dvt_tls_client c = {.anchors = sk_X509_new_null()};
	SSL_CTX *ctx;

	if (id != NULL) {
		c.key = id->key;
		c.leaf = id->cert;
	}
	assert_true(sk_X509_push(c.anchors, anchor) > 0);
	assert_int_equal(dvt_tls_client_ctx_new(&c, &ctx, NULL), DVT_OK);
	sk_X509_free(c.anchors);
	return ctx;
}

static SSL_CTX *
server_ctx_new(void)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());

	assert_int_equal(
	    SSL_CTX_use_cert_and_key(ctx, leaf.cert, leaf.key, NULL, 1), 1);
	assert_int_equal(
	    X509_STORE_add_cert(SSL_CTX_get_cert_store(ctx), root.cert), 1);
	(void)SSL_CTX_set_mode(ctx, SSL_MODE_NO_AUTO_CHAIN);
	X509_VERIFY_PARAM_set_time(SSL_CTX_get0_param(ctx), TESTCA_NOW);
	SSL_CTX_set_verify(
	    ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
	assert_int_equal(
	    SSL_CTX_set_session_id_context(ctx, (const uint8_t *)"t", 1), 1);
	return ctx;
}

static int
group_setup(void **state)
{
	(void)state;
	root = testca_make(NULL, "CN=Root", -1);
	other = testca_make(NULL, "CN=Other Root", -1);
	leaf = testca_leaf(&root, "CN=" NAME, DVT_EKU_SERVER);
	dev = testca_leaf(&root, "CN=dev-1", DVT_EKU_CLIENT);
	client_ctx = client_ctx_new(&dev, root.cert);
	server_ctx = server_ctx_new();
	return 0;
}

static int
group_teardown(void **state)
{
	(void)state;
	SSL_CTX_free(client_ctx);
	SSL_CTX_free(server_ctx);
	testca_fini(&root);
	testca_fini(&other);
	testca_fini(&leaf);
	testca_fini(&dev);
	return 0;
}

static int
setup(void **state)
{
	(void)state;
	assert_int_equal(dvt_loop_new(&loop, NULL), DVT_OK);
	server_start();
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	dvt_tls_conn_free(client.conn);
	dvt_tls_conn_free(server.conn);
	dvt_buf_fini(&client.in);
	memset(&client, 0, sizeof(client));
	dvt_watch_free(server.watch);
	close(server.fd);
	if (server.raw >= 0)
		close(server.raw);
	dvt_loop_free(loop);
	return 0;
}

static void
both_sides_prove_themselves_and_share_a_binding(void **state)
{
	struct dvt_tls_conn_config config = config_of();
	uint8_t mine[32];

	(void)state;
	client_start(&config);
	UNTIL(client.opened);
	say("hello ");
	say("there");
	UNTIL(client.in.n == 11);
	assert_memory_equal(client.in.p, "hello there", 11);
	assert_int_equal(client.drained, 1); /* both left in one go */
	assert_int_equal(
	    dvt_tls_conn_exporter(client.conn, mine, NULL), DVT_OK);
	assert_memory_equal(mine, server.exporter, 32);
	assert_non_null(
	    SSL_get0_peer_certificate(dvt_tls_conn_ssl(server.conn)));
	assert_int_equal(sk_X509_num(dvt_tls_conn_flight(client.conn)), 1);
	/* and the client named the anchors it holds */
	assert_non_null(SSL_get0_peer_CA_list(dvt_tls_conn_ssl(server.conn)));
	dvt_tls_conn_finish(client.conn);
	UNTIL(client.ended && server.ended);
	assert_int_equal(client.end.end, DVT_TLS_CLOSED);
	assert_int_equal(server.end.end, DVT_TLS_CLOSED);
	assert_int_equal(server.end.in_bytes, 11);
}

static void
a_chain_we_refuse_is_told_in_full(void **state)
{
	static const struct {
		bool foreign;
		const char *name;
		int64_t at;
		int error, alert;
	} bad[] = {
	    {true,  NAME,        TESTCA_NOW,
             X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY,                                   48},
	    {false, "x.example", TESTCA_NOW,                 X509_V_ERR_HOSTNAME_MISMATCH,   42},
	    {false, "127.0.0.1", TESTCA_NOW,                 X509_V_ERR_IP_ADDRESS_MISMATCH,
             42										},
	    {false, NAME,        TESTCA_NOW + 400LL * 86400,
             X509_V_ERR_CERT_HAS_EXPIRED,						    45},
	    {false, NAME,        TESTCA_NOW - 5LL * 86400,
             X509_V_ERR_CERT_NOT_YET_VALID,						  42},
	};
	SSL_CTX *foreign = client_ctx_new(&dev, other.cert);

	(void)state;
	for (size_t i = 0; i < DVT_COUNT(bad); i++) {
		struct dvt_tls_conn_config config = config_of();

		config.verify_name = bad[i].name;
		config.verify_at = bad[i].at;
		if (bad[i].foreign)
			config.ctx = foreign;
		server.ended = false;
		client_start(&config);
		UNTIL(client.ended && server.ended);
		assert_int_equal(client.end.end, DVT_TLS_VERIFY);
		assert_int_equal(client.end.phase, DVT_TLS_HANDSHAKE);
		assert_int_equal(client.end.verify_error, bad[i].error);
		assert_int_equal(client.end.verify_depth, 0);
		assert_int_equal(client.end.alert_sent, bad[i].alert);
		assert_non_null(strstr(client.end.text, "CN=" NAME));
		assert_int_equal(
		    sk_X509_num(dvt_tls_conn_flight(client.conn)), 1);
		/* the alert got through, it was not lost to a reset */
		assert_int_equal(server.end.end, DVT_TLS_ALERT);
		assert_int_equal(server.end.alert, bad[i].alert);
	}
	SSL_CTX_free(foreign);
}

static void
every_other_end_has_its_name(void **state)
{
	static const struct {
		enum deed deed;
		enum dvt_tls_end end;
		enum dvt_tls_phase phase;
	} ends[] = {
	    {CLOSE_AT_ONCE, DVT_TLS_EOF,      DVT_TLS_HANDSHAKE},
	    {CLOSE_OPEN,    DVT_TLS_SILENT,   DVT_TLS_OPEN     },
	    {RESET_OPEN,    DVT_TLS_RESET,    DVT_TLS_OPEN     },
	    {STAY_MUTE,     DVT_TLS_TIMEOUT,  DVT_TLS_HANDSHAKE},
	    {TALK_PLAIN,    DVT_TLS_PROTOCOL, DVT_TLS_HANDSHAKE},
	};

	(void)state;
	for (size_t i = 0; i < DVT_COUNT(ends); i++) {
		struct dvt_tls_conn_config config = config_of();

		server.deed = ends[i].deed;
		if (server.deed == STAY_MUTE)
			config.open_ms = 20;
		client_start(&config);
		UNTIL(client.ended);
		if (client.end.end != ends[i].end)
			fail_msg("%zu: %s", i, client.end.text);
		assert_int_equal(client.end.phase, ends[i].phase);
		assert_string_not_equal(client.end.text, "");
	}
}

static void
an_alert_after_the_handshake_is_told(void **state)
{
	SSL_CTX *nameless = client_ctx_new(NULL, root.cert);
	struct dvt_tls_conn_config config = config_of();

	(void)state;
	config.ctx = nameless; /* the server wants a certificate */
	client_start(&config);
	UNTIL(client.ended);
	assert_int_equal(client.end.end, DVT_TLS_ALERT);
	assert_int_equal(client.end.alert, 116); /* certificate_required */
	assert_int_equal(client.end.phase, DVT_TLS_OPEN); /* TLS 1.3 */
	SSL_CTX_free(nameless);
}

static void
the_next_address_is_tried_when_one_refuses(void **state)
{
	struct dvt_tls_conn_config config = config_of();
	struct dvt_addr addrs[2];
	int dead = dup(server.fd);

	(void)state;
	/* a port that was bound, and is not listened on */
	close(dead);
	dead = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(dvt_addr_parse("127.0.0.1:0", &addrs[0], NULL), 0);
	assert_int_equal(
	    bind(dead, (struct sockaddr *)&addrs[0].ss, addrs[0].len), 0);
	dvt_addr_of_self(dead, &addrs[0]);
	addrs[1] = server.addr;
	config.addrs = addrs;
	config.addrs_n = 1;
	client_start(&config);
	UNTIL(client.ended);
	assert_int_equal(client.end.end, DVT_TLS_REFUSED);
	assert_int_equal(client.end.sys, ECONNREFUSED);
	assert_int_equal(client.end.phase, DVT_TLS_CONNECT);
	config.addrs_n = 2;
	client_start(&config);
	UNTIL(client.opened);
	config.addrs_n = 0;
	client_start(&config);
	UNTIL(client.ended);
	assert_int_equal(client.end.end, DVT_TLS_REFUSED);
	close(dead);
}

static void
a_ticket_is_kept_and_never_resumed(void **state)
{
	struct dvt_tls_conn_config config = config_of();

	(void)state;
	client_start(&config);
	UNTIL(client.opened);
	say("x");
	UNTIL(client.in.n == 1);
	config.ticket = dvt_tls_conn_ticket(client.conn);
	assert_non_null(config.ticket);
	/* this server would resume; we insist on a whole handshake */
	server.accepted = 0;
	client_start(&config);
	UNTIL(client.opened);
	assert_int_equal(server.accepted, 2);
	say("y");
	UNTIL(client.in.n == 1);
	assert_false(server.resumed);
	assert_int_equal(SSL_session_reused(dvt_tls_conn_ssl(client.conn)), 0);
	/* a failed handshake does not use it up */
	config.verify_name = "x.example";
	client_start(&config);
	UNTIL(client.ended);
	assert_int_equal(client.end.end, DVT_TLS_VERIFY);
	assert_true(SSL_SESSION_is_resumable(config.ticket));
	SSL_SESSION_free(config.ticket);
}

static void
output_is_bounded_and_arrives_whole(void **state)
{
	struct dvt_tls_conn_config config = config_of();
	uint8_t *piece = dvt_alloc(100000);
	size_t sent = 0;

	(void)state;
	memset(piece, 0x7e, 100000);
	client_start(&config);
	assert_int_equal(
	    dvt_tls_conn_write(client.conn, (struct dvt_span){piece, 1}, NULL),
	    DVT_E_CONFLICT);
	UNTIL(client.opened);
	while (dvt_tls_conn_write(client.conn, (struct dvt_span){piece, 100000},
		   NULL) == DVT_OK)
		sent += 100000;
	assert_int_equal(sent, 1000000);
	dvt_tls_conn_read_enable(client.conn, false);
	UNTIL(client.drained == 1);
	UNTIL(server.bytes == sent);
	for (int i = 0; i < 20; i++)
		(void)dvt_loop_turn(loop, false);
	assert_int_equal(client.in.n, 0);
	dvt_tls_conn_read_enable(client.conn, true);
	UNTIL(client.in.n == sent);
	assert_int_equal(dvt_tls_conn_unwritten(client.conn), 0);
	free(piece);
}

static void
what_is_queued_leaves_before_the_end(void **state)
{
	struct dvt_tls_conn_config config = config_of();
	uint8_t *piece = dvt_alloc(900000);

	(void)state;
	server.deed = SWALLOW;
	client_start(&config);
	UNTIL(client.opened);
	assert_int_equal(dvt_tls_conn_write(client.conn,
			     (struct dvt_span){piece, 900000}, NULL),
	    DVT_OK);
	dvt_tls_conn_finish(client.conn);
	assert_int_equal(
	    dvt_tls_conn_write(client.conn, (struct dvt_span){piece, 1}, NULL),
	    DVT_E_CONFLICT);
	UNTIL(client.ended && server.ended);
	assert_int_equal(server.bytes, 900000);
	assert_int_equal(server.end.end, DVT_TLS_CLOSED);
	free(piece);
}

static void
plain_connections_work_alike(void **state)
{
	struct dvt_tls_conn_config config;
	uint8_t binding[32];

	(void)state;
	server.plain = true;
	config = config_of();
	client_start(&config);
	UNTIL(client.opened);
	say("plain");
	UNTIL(client.in.n == 5);
	assert_null(dvt_tls_conn_ssl(client.conn));
	assert_int_equal(
	    dvt_tls_conn_exporter(client.conn, binding, NULL), DVT_E_CONFLICT);
	assert_null(dvt_tls_conn_ticket(client.conn));
	dvt_tls_conn_free(server.conn);
	server.conn = NULL;
	UNTIL(client.ended);
	assert_int_equal(client.end.end, DVT_TLS_CLOSED);
	assert_int_equal(client.end.in_bytes, 5);
}

static void
a_connection_may_be_freed_in_its_callback(void **state)
{
	struct dvt_tls_conn_config config = config_of();

	(void)state;
	client_start(&config);
	client.free_on_open = true;
	UNTIL(client.opened && server.ended);
	assert_null(client.conn);
	assert_false(client.ended);
}

static void
an_mtls_context_refuses_a_key_of_another(void **state)
{
	struct dvt_tls_client c = {.key = other.key, .leaf = dev.cert};
	SSL_CTX *ctx;

	(void)state;
	assert_int_equal(dvt_tls_client_ctx_new(&c, &ctx, NULL), DVT_E_INPUT);
	assert_null(ctx);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    T(both_sides_prove_themselves_and_share_a_binding),
	    T(a_chain_we_refuse_is_told_in_full),
	    T(every_other_end_has_its_name),
	    T(an_alert_after_the_handshake_is_told),
	    T(the_next_address_is_tried_when_one_refuses),
	    T(a_ticket_is_kept_and_never_resumed),
	    T(output_is_bounded_and_arrives_whole),
	    T(what_is_queued_leaves_before_the_end),
	    T(plain_connections_work_alike),
	    T(a_connection_may_be_freed_in_its_callback),
	    cmocka_unit_test(an_mtls_context_refuses_a_key_of_another),
	};
	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
