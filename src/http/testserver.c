/* SPDX-License-Identifier: Apache-2.0 */
/* A server to be tested, on loopback and in a folder: see testserver.h. */
#include "http/testserver.h"

#include "base/mem.h"
#include "loop/tls_client.h"
#include "pki/testca.h"

#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

struct testserver_seen seen;
struct dvt_loop *loop;
struct dvt_http_server *server;
struct dvt_addr plain_addr, tls_addr, unix_addr;
SSL_CTX *client_tls;

static struct testca root, leaf, dev;
static SSL_CTX *server_tls;
static char folder[] = "/tmp/dvt-http-XXXXXX";

/* --- the handler --- */

static void
on_more(void *user, struct dvt_http_stream *st)
{
	static uint8_t piece[60000];

	(void)user;
	if (seen.pieces == seen.pieces_max) {
		dvt_http_stream_end(st);
		seen.stream = NULL;
		return;
	}
	seen.pieces++;
	dvt_http_stream_put(st, (struct dvt_span){piece, sizeof(piece)});
}

static void
on_stream_ended(void *user)
{
	(void)user;
	seen.stream = NULL;
	seen.stream_ended++;
}

static void
note(const struct dvt_http_req *r)
{
	const char *value = dvt_http_req_header(r, "x-test");
	X509 *cert = r->ssl != NULL ? SSL_get0_peer_certificate(r->ssl) : NULL;

	seen.count++;
	(void)snprintf(seen.method, sizeof(seen.method), "%s",
	    dvt_http_method_name(r->method));
	(void)snprintf(seen.path, sizeof(seen.path), "%s", r->path);
	(void)snprintf(seen.query, sizeof(seen.query), "%s",
	    r->query != NULL ? r->query : "-");
	(void)snprintf(seen.header, sizeof(seen.header), "%s",
	    value != NULL ? value : "-");
	seen.body_n = r->body.n;
	if (r->body.n > 0 && r->body.n < sizeof(seen.body))
		memcpy(seen.body, r->body.p, r->body.n);
	seen.device[0] = '\0';
	if (cert != NULL)
		(void)X509_NAME_get_text_by_NID(X509_get_subject_name(cert),
		    NID_commonName, seen.device, (int)sizeof(seen.device));
	seen.is_unix = r->is_unix;
	seen.tls = r->ssl != NULL;
	seen.uid = r->peer_uid;
}

static void
handler(void *ctx, const struct dvt_http_req *r)
{
	static const struct dvt_http_header extra[] = {
	    {"X-Answer", "yes\r\nX-Forged: no"}
        };
	struct dvt_http_reply reply = {.status = 200,
	    .content_type = "text/plain",
	    .headers = extra,
	    .headers_n = 1,
	    .body = r->body.n > 0 ? r->body : DVT_SPAN_LIT("hello")};

	assert_ptr_equal(ctx, &seen);
	note(r);
	if (strcmp(r->path, "/park") == 0) {
		seen.parked[seen.parked_n++] = r->ticket;
		return;
	}
	if (strcmp(r->path, "/stream") == 0) {
		seen.stream = dvt_http_stream_begin(server, r->ticket, 200,
		    "application/x-ndjson", on_more, on_stream_ended, NULL);
		return;
	}
	assert_true(dvt_http_reply(server, r->ticket, &reply));
	assert_false(dvt_http_reply(server, r->ticket, &reply)); /* stale */
}

static void
on_prepare(void *user, SSL *ssl, const struct dvt_addr *peer)
{
	assert_ptr_equal(user, &seen);
	assert_non_null(ssl);
	assert_true(dvt_addr_is_loopback(peer));
	seen.prepared++;
}

static void
on_closing(void *user, SSL *ssl, enum dvt_edge_how how)
{
	assert_ptr_equal(user, &seen);
	assert_non_null(ssl);
	seen.closed++;
	seen.how = how;
}

/* --- set up --- */

int
testserver_listen(struct dvt_addr *a)
{
	int fd = socket(
	    a->ss.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&a->ss, a->len), 0);
	assert_int_equal(listen(fd, 64), 0);
	if (a->ss.ss_family != AF_UNIX)
		dvt_addr_of_self(fd, a);
	return fd;
}

static int
up(int64_t ms)
{
	char path[64];
	struct dvt_http_listen l = {.header_max = 1024,
	    .body_max = 1000,
	    .request_ms = ms,
	    .idle_ms = ms,
	    .answer_ms = ms,
	    .write_ms = ms,
	    .conns_max = 10,
	    .prepare = on_prepare,
	    .closing = on_closing,
	    .user = &seen};

	memset(&seen, 0, sizeof(seen));
	assert_int_equal(dvt_loop_new(&loop, NULL), DVT_OK);
	server = dvt_http_server_new(loop, PARKED, handler, &seen);
	(void)snprintf(path, sizeof(path), "%s/s", folder);
	assert_int_equal(dvt_addr_parse(path, &unix_addr, NULL), 0);
	assert_int_equal(dvt_addr_parse("127.0.0.1:0", &plain_addr, NULL), 0);
	tls_addr = plain_addr;
	l.fd = testserver_listen(&plain_addr);
	assert_int_equal(dvt_http_server_listen(server, &l, NULL, NULL), 0);
	l.fd = testserver_listen(&unix_addr);
	assert_int_equal(dvt_http_server_listen(server, &l, NULL, NULL), 0);
	l.fd = testserver_listen(&tls_addr);
	l.tls = server_tls;
	assert_int_equal(dvt_http_server_listen(server, &l, NULL, NULL), 0);
	return 0;
}

int
testserver_up(void **state)
{
	(void)state;
	return up(4000); /* no deadline of its own strikes a test */
}

int
testserver_up_hasty(void **state)
{
	(void)state;
	return up(300);
}

int
testserver_down(void **state)
{
	char path[64];

	(void)state;
	dvt_http_server_free(server);
	dvt_loop_free(loop);
	(void)snprintf(path, sizeof(path), "%s/s", folder);
	(void)unlink(path);
	return 0;
}

int
testserver_init(void **state)
{
	struct dvt_tls_client c = {.anchors = sk_X509_new_null()};

	(void)state;
	assert_non_null(mkdtemp(folder));
	root = testca_make(NULL, "CN=Root", -1);
	leaf = testca_leaf(&root, "CN=" NAME, DVT_EKU_SERVER);
	dev = testca_leaf(&root, "CN=dev-1", DVT_EKU_CLIENT);
	c.key = dev.key;
	c.leaf = dev.cert;
	assert_true(sk_X509_push(c.anchors, root.cert) > 0);
	assert_int_equal(dvt_tls_client_ctx_new(&c, &client_tls, NULL), 0);
	sk_X509_free(c.anchors);
	server_tls = SSL_CTX_new(TLS_server_method());
	assert_int_equal(
	    SSL_CTX_use_cert_and_key(server_tls, leaf.cert, leaf.key, NULL, 1),
	    1);
	assert_int_equal(
	    X509_STORE_add_cert(SSL_CTX_get_cert_store(server_tls), root.cert),
	    1);
	X509_VERIFY_PARAM_set_time(SSL_CTX_get0_param(server_tls), TESTCA_NOW);
	SSL_CTX_set_verify(server_tls,
	    SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
	return 0;
}

int
testserver_fini(void **state)
{
	(void)state;
	SSL_CTX_free(server_tls);
	SSL_CTX_free(client_tls);
	testca_fini(&root);
	testca_fini(&leaf);
	testca_fini(&dev);
	(void)rmdir(folder);
	return 0;
}

void
testserver_late(void *user)
{
	(void)user;
	fail_msg("nothing happened for 5 s");
}

/* --- a client of bare sockets --- */

int
raw_open(const struct dvt_addr *a)
{
	int fd = socket(
	    a->ss.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	(void)connect(fd, (const struct sockaddr *)&a->ss, a->len);
	return fd;
}

void
raw_say(int fd, const char *text)
{
	assert_int_equal(
	    send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

/* What came so far; @end: the server closed. */
const char *
raw_hear(int fd, bool *end)
{
	static char text[65536];
	struct pollfd ready = {fd, POLLIN, 0};
	size_t n = 0;

	for (int i = 0; i < 2000 && poll(&ready, 1, 1) == 0; i++)
		turns(1);
	*end = false;
	for (;;) {
		ssize_t got = recv(
		    fd, text + n, sizeof(text) - 1 - n, MSG_DONTWAIT);

		if (got <= 0) {
			*end = got == 0;
			break;
		}
		n += (size_t)got;
	}
	text[n] = '\0';
	return text;
}

void
turns(int n)
{
	while (n-- > 0)
		(void)dvt_loop_turn(loop, false);
}
