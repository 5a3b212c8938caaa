/* SPDX-License-Identifier: Apache-2.0 */
/* Server and client over real loopback sockets, in one loop. */
#include "http/client.h"
#include "http/server.h"

#include "base/mem.h"
#include "loop/tls_client.h"
#include "pki/testca.h"

#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#define NAME   "front.example"
#define PARKED 3

static struct testca root, leaf, dev;
static SSL_CTX *server_tls, *client_tls;
static struct dvt_loop *loop;
static struct dvt_http_server *server;
static struct dvt_addr plain_addr, tls_addr, unix_addr;
static char folder[] = "/tmp/dvt-http-XXXXXX";

/* What the handler saw last, and what it parked. */
static struct {
	unsigned count;
	char method[8], path[64], query[64], header[64];
	char body[64];
	size_t body_n;
	char device[64];
	bool is_unix, tls;
	uid_t uid;
	struct dvt_http_ticket parked[8];
	unsigned parked_n;
	unsigned prepared, closed;
	enum dvt_edge_how how;
	struct dvt_http_stream *stream;
	unsigned pieces, pieces_max, stream_ended;
} seen;

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
	static const struct dvt_http_header_out extra[] = {
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
on_prepare(void *user, SSL *ssl)
{
	struct dvt_addr peer;

	assert_ptr_equal(user, &seen);
	dvt_addr_of_peer(SSL_get_fd(ssl), &peer); /* known already */
	assert_true(dvt_addr_is_loopback(&peer));
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

static int
listener(struct dvt_addr *a)
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
setup(void **state)
{
	char path[64];
	struct dvt_http_listen l = {.header_max = 1024,
	    .body_max = 1000,
	    .request_ms = 150,
	    .idle_ms = 300,
	    .answer_ms = 200,
	    .write_ms = 200,
	    .conns_max = 10,
	    .prepare = on_prepare,
	    .closing = on_closing,
	    .user = &seen};

	(void)state;
	memset(&seen, 0, sizeof(seen));
	assert_int_equal(dvt_loop_new(&loop, NULL), DVT_OK);
	server = dvt_http_server_new(loop, PARKED, handler, &seen);
	(void)snprintf(path, sizeof(path), "%s/s", folder);
	assert_int_equal(dvt_addr_parse(path, &unix_addr, NULL), 0);
	assert_int_equal(dvt_addr_parse("127.0.0.1:0", &plain_addr, NULL), 0);
	tls_addr = plain_addr;
	l.fd = listener(&plain_addr);
	assert_int_equal(dvt_http_server_listen(server, &l, NULL, NULL), 0);
	l.fd = listener(&unix_addr);
	assert_int_equal(dvt_http_server_listen(server, &l, NULL, NULL), 0);
	l.fd = listener(&tls_addr);
	l.tls = server_tls;
	assert_int_equal(dvt_http_server_listen(server, &l, NULL, NULL), 0);
	return 0;
}

static int
teardown(void **state)
{
	char path[64];

	(void)state;
	dvt_http_server_free(server);
	dvt_loop_free(loop);
	(void)snprintf(path, sizeof(path), "%s/s", folder);
	(void)unlink(path);
	return 0;
}

static int
group_setup(void **state)
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

static int
group_teardown(void **state)
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

/* --- a client of bare sockets --- */

static int
raw_open(const struct dvt_addr *a)
{
	int fd = socket(
	    a->ss.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	(void)connect(fd, (const struct sockaddr *)&a->ss, a->len);
	return fd;
}

static void
raw_say(int fd, const char *text)
{
	assert_int_equal(
	    send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

/* What came so far; @end: the server closed. */
static const char *
raw_hear(int fd, bool *end)
{
	static char text[65536];
	size_t n = 0;

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

static void
turns(int n)
{
	while (n-- > 0)
		(void)dvt_loop_turn(loop, false);
}

static unsigned
count(const char *text, const char *what)
{
	unsigned n = 0;

	while ((text = strstr(text, what)) != NULL) {
		n++;
		text += strlen(what);
	}
	return n;
}

#define GET(path) "GET " path " HTTP/1.1\r\nHost: x\r\n\r\n"

static void
an_answer_leaves_in_one_piece_and_the_connection_stays(void **state)
{
	int fd = raw_open(&plain_addr);
	const char *text;
	bool end;

	(void)state;
	raw_say(fd, "GET /a%20b?x=1 HTTP/1.1\r\nHost: x\r\nX-Test: v\r\n\r\n");
	UNTIL(seen.count == 1);
	turns(3);
	text = raw_hear(fd, &end);
	assert_memory_equal(text, "HTTP/1.1 200 OK\r\nDate: ", 23);
	assert_non_null(strstr(text, "\r\nContent-Type: text/plain\r\n"));
	assert_non_null(strstr(text, "\r\nX-Answer: yes\r\n"));
	assert_null(strstr(text, "X-Forged"));
	assert_non_null(strstr(text, "\r\nContent-Length: 5\r\n\r\nhello"));
	assert_false(end);
	assert_string_equal(seen.path, "/a%20b");
	assert_string_equal(seen.query, "x=1");
	assert_string_equal(seen.header, "v");
	assert_false(seen.tls);
	raw_say(fd, "HEAD / HTTP/1.1\r\nHost: x\r\n\r\n");
	UNTIL(seen.count == 2);
	turns(3);
	text = raw_hear(fd, &end);
	assert_non_null(strstr(text, "Content-Length: 5\r\n\r\n"));
	assert_null(strstr(text, "hello"));
	raw_say(fd, "GET / HTTP/1.0\r\n\r\n");
	UNTIL(dvt_http_server_counts(server).conns == 1 && seen.count == 3);
	turns(3);
	text = raw_hear(fd, &end);
	assert_non_null(strstr(text, "Connection: close\r\n"));
	assert_true(end);
	close(fd);
	UNTIL(dvt_http_server_counts(server).conns == 0);
}

static void
bodies_arrive_by_length_and_in_chunks(void **state)
{
	int fd = raw_open(&plain_addr);
	bool end;

	(void)state;
	raw_say(
	    fd, "POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 6\r\n\r\nab");
	turns(5);
	assert_int_equal(seen.count, 0);
	raw_say(fd, "cdef");
	UNTIL(seen.count == 1);
	assert_int_equal(seen.body_n, 6);
	assert_memory_equal(seen.body, "abcdef", 6);
	raw_say(fd, "PUT /x HTTP/1.1\r\nHost: x\r\n"
		    "Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n");
	UNTIL(seen.count == 2);
	assert_memory_equal(seen.body, "hi", 2);
	assert_string_equal(seen.method, "PUT");
	raw_say(fd, "POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n"
		    "Expect: 100-continue\r\n\r\n");
	turns(5);
	assert_non_null(
	    strstr(raw_hear(fd, &end), "HTTP/1.1 100 Continue\r\n\r\n"));
	raw_say(fd, "ok");
	UNTIL(seen.count == 3);
	close(fd);
}

static void
bad_requests_get_their_status_and_the_end(void **state)
{
	static const struct {
		const char *text;
		int status;
	} bad[] = {
	    {"nonsense\r\n\r\n",					    400},
	    {"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n"
	     "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",    400},
	    {"BREW / HTTP/1.1\r\nHost: x\r\n\r\n",                          501},
	    {"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1001\r\n\r\nx",
             413							       },
	    {"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
	     "fff\r\nx",				       413},
	    {"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
	     "zz\r\n",					 400},
	    {"GET / HTTP/2.0\r\n\r\n",                                      505},
	};

	(void)state;
	for (size_t i = 0; i < DVT_COUNT(bad); i++) {
		int fd = raw_open(&plain_addr);
		char expect[32];
		const char *text;
		bool end;

		raw_say(fd, bad[i].text);
		UNTIL(dvt_http_server_counts(server).conns == 1);
		turns(8);
		text = raw_hear(fd, &end);
		(void)snprintf(
		    expect, sizeof(expect), "HTTP/1.1 %d ", bad[i].status);
		if (strncmp(text, expect, strlen(expect)) != 0 || !end)
			fail_msg("%s: %s", bad[i].text, text);
		assert_non_null(strstr(text, "application/problem+json"));
		close(fd);
		UNTIL(dvt_http_server_counts(server).conns == 0);
	}
	assert_int_equal(seen.count, 0);
}

static void
a_head_over_its_limit_is_refused_while_it_is_sent(void **state)
{
	int fd = raw_open(&plain_addr);
	char filler[2000];
	bool end;

	(void)state;
	memset(filler, 'a', sizeof(filler));
	filler[sizeof(filler) - 1] = '\0';
	raw_say(fd, "GET / HTTP/1.1\r\nHost: x\r\nX: ");
	raw_say(fd, filler);
	UNTIL(dvt_http_server_counts(server).conns == 1);
	turns(8);
	assert_memory_equal(raw_hear(fd, &end), "HTTP/1.1 431 ", 13);
	assert_true(end);
	close(fd);
}

static void
a_slow_sender_meets_its_deadline(void **state)
{
	int fd = raw_open(&plain_addr), silent = raw_open(&tls_addr);
	const char *text;
	bool end = false;

	(void)state;
	UNTIL(dvt_http_server_counts(server).conns == 2);
	raw_say(fd, "GET / HTTP/1.1\r\n");
	turns(3);
	raw_say(fd, "Host: x\r\n"); /* a byte now and then does not help */
	UNTIL(dvt_http_server_counts(server).timed_out == 2);
	turns(3);
	text = raw_hear(fd, &end);
	assert_memory_equal(text, "HTTP/1.1 408 ", 13);
	assert_true(end);
	close(fd);
	UNTIL(dvt_http_server_counts(server).conns == 0);
	assert_int_equal(seen.prepared, 1);
	assert_int_equal(seen.closed, 1);
	assert_int_equal(seen.how, DVT_EDGE_TIMEOUT);
	close(silent);
}

static void
an_idle_connection_is_closed(void **state)
{
	int fd = raw_open(&plain_addr);
	bool end;

	(void)state;
	raw_say(fd, GET("/"));
	UNTIL(seen.count == 1);
	UNTIL(dvt_http_server_counts(server).conns == 0);
	(void)raw_hear(fd, &end);
	assert_true(end);
	assert_int_equal(dvt_http_server_counts(server).timed_out, 0);
	close(fd);
}

static void
a_parked_request_is_answered_later(void **state)
{
	struct dvt_http_reply reply = {
	    .status = 201, .content_type = "a/b", .body = DVT_SPAN_LIT("late")};
	int fd = raw_open(&plain_addr);
	const char *text;
	bool end;

	(void)state;
	/* the second request comes while the first is parked */
	raw_say(fd, GET("/park") GET("/two"));
	UNTIL(seen.parked_n == 1);
	turns(5);
	assert_int_equal(seen.count, 1);
	assert_int_equal(dvt_http_server_counts(server).parked, 1);
	assert_true(dvt_http_reply(server, seen.parked[0], &reply));
	UNTIL(seen.count == 2);
	turns(3);
	text = raw_hear(fd, &end);
	assert_memory_equal(text, "HTTP/1.1 201 Created\r\n", 22);
	assert_non_null(strstr(text, "\r\n\r\nlateHTTP/1.1 200 OK\r\n"));
	assert_false(dvt_http_reply(server, seen.parked[0], &reply));
	assert_int_equal(dvt_http_server_counts(server).parked, 0);
	close(fd);
}

static void
bytes_while_parked_are_bounded(void **state)
{
	int fd = raw_open(&plain_addr);
	char flood[4096];
	size_t sent = 0;
	bool end;

	(void)state;
	memset(flood, 'x', sizeof(flood));
	raw_say(fd, GET("/park"));
	UNTIL(seen.parked_n == 1);
	for (int i = 0; i < 3000; i++) {
		ssize_t n = send(fd, flood, sizeof(flood), MSG_NOSIGNAL);

		sent += n > 0 ? (size_t)n : 0;
		if (i % 10 == 0)
			turns(1);
	}
	assert_true(sent < 3000 * sizeof(flood)); /* not taken without end */
	UNTIL(dvt_http_server_counts(server).conns == 1 &&
	      dvt_http_server_counts(server).parked == 0); /* answer_ms */
	turns(5);
	assert_int_equal(count(raw_hear(fd, &end), "HTTP/1.1 503 "), 1);
	close(fd);
}

static void
a_client_that_leaves_gives_up_its_request(void **state)
{
	struct dvt_http_reply reply = {.status = 200};
	int fd = raw_open(&plain_addr);

	(void)state;
	raw_say(fd, GET("/park"));
	UNTIL(seen.parked_n == 1);
	close(fd);
	UNTIL(dvt_http_server_counts(server).gone == 1);
	assert_int_equal(dvt_http_server_counts(server).parked, 0);
	assert_false(dvt_http_reply(server, seen.parked[0], &reply));
}

static void
no_more_is_parked_than_there_are_slots(void **state)
{
	struct dvt_http_reply reply = {.status = 204};
	int fd[PARKED + 1];
	const char *text;
	bool end;

	(void)state;
	for (int i = 0; i < PARKED; i++) {
		fd[i] = raw_open(&plain_addr);
		raw_say(fd[i], GET("/park"));
	}
	UNTIL(seen.parked_n == PARKED);
	fd[PARKED] = raw_open(&plain_addr);
	raw_say(fd[PARKED], GET("/park"));
	UNTIL(dvt_http_server_counts(server).refused_busy == 1);
	turns(3);
	text = raw_hear(fd[PARKED], &end);
	assert_memory_equal(text, "HTTP/1.1 503 ", 13);
	assert_non_null(strstr(text, "Retry-After: "));
	assert_false(end);
	assert_true(dvt_http_reply(server, seen.parked[1], &reply));
	raw_say(fd[PARKED], GET("/park")); /* there is room now */
	UNTIL(seen.parked_n == PARKED + 1);
	assert_int_equal(seen.parked[3].slot, seen.parked[1].slot);
	assert_true(seen.parked[3].generation != seen.parked[1].generation);
	assert_false(dvt_http_reply(server, seen.parked[1], &reply));
	turns(3);
	text = raw_hear(fd[1], &end);
	assert_memory_equal(text, "HTTP/1.1 204 No Content\r\n", 25);
	assert_null(strstr(text, "Content-Length"));
	for (int i = 0; i <= PARKED; i++)
		close(fd[i]);
}

static void
an_answer_that_does_not_come_is_a_503(void **state)
{
	int fd = raw_open(&plain_addr);
	bool end;

	(void)state;
	raw_say(fd, GET("/park"));
	UNTIL(dvt_http_server_counts(server).timed_out == 1);
	turns(3);
	assert_memory_equal(raw_hear(fd, &end), "HTTP/1.1 503 ", 13);
	assert_false(end);
	close(fd);
}

static void
more_connections_than_allowed_wait(void **state)
{
	int fd[11];

	(void)state;
	for (int i = 0; i < 11; i++) {
		fd[i] = raw_open(&plain_addr);
		turns(2);
	}
	UNTIL(dvt_http_server_counts(server).conns == 10);
	raw_say(fd[10], GET("/"));
	turns(10);
	assert_int_equal(seen.count, 0);
	close(fd[0]);
	UNTIL(seen.count == 1);
	for (int i = 1; i < 11; i++)
		close(fd[i]);
}

static void
streams_wait_for_a_slow_reader(void **state)
{
	int fd = raw_open(&plain_addr), small = 65536;
	char got[65536];
	size_t n = 0;

	(void)state;
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
	seen.pieces_max = 200;
	raw_say(fd, GET("/stream"));
	UNTIL(seen.pieces > 0);
	turns(100);
	assert_true(seen.pieces < 150); /* 12 MB do not pile up here */
	while (seen.pieces < 200 || seen.stream != NULL || n == 0) {
		assert_int_equal(seen.stream_ended, 0);
		ssize_t r = recv(fd, got, sizeof(got), MSG_DONTWAIT);

		n += r > 0 ? (size_t)r : 0;
		turns(1);
	}
	assert_int_equal(seen.stream_ended, 0);
	raw_say(fd, GET("/"));
	while (seen.count < 2) {
		(void)!recv(fd, got, sizeof(got), MSG_DONTWAIT);
		turns(1);
	}
	close(fd);
}

static void
a_stream_ends_when_its_reader_leaves(void **state)
{
	int fd = raw_open(&plain_addr);

	(void)state;
	seen.pieces_max = 1000000;
	raw_say(fd, GET("/stream"));
	UNTIL(seen.pieces > 0);
	close(fd);
	UNTIL(seen.stream_ended == 1);
	fd = raw_open(&plain_addr);
	raw_say(fd, GET("/stream"));
	UNTIL(seen.stream != NULL);
	UNTIL(seen.stream_ended == 2); /* write_ms: it does not read */
	close(fd);
}

static void
after_quiesce_what_is_open_is_answered_and_closed(void **state)
{
	struct dvt_http_reply reply = {.status = 200};
	int parked = raw_open(&plain_addr), idle = raw_open(&plain_addr), late;
	bool end;

	(void)state;
	raw_say(idle, GET("/"));
	raw_say(parked, GET("/park"));
	UNTIL(seen.count == 2);
	turns(3);
	dvt_http_server_quiesce(server);
	assert_int_equal(dvt_http_server_counts(server).conns, 1);
	late = raw_open(&plain_addr);
	turns(3);
	assert_int_equal(dvt_http_server_counts(server).conns, 1);
	assert_true(dvt_http_reply(server, seen.parked[0], &reply));
	turns(3);
	assert_non_null(strstr(raw_hear(parked, &end), "Connection: close"));
	assert_true(end);
	close(parked);
	close(idle);
	close(late);
	UNTIL(dvt_http_server_counts(server).conns == 0);
}

/* --- our own client --- */

static struct {
	unsigned count, opened;
	struct dvt_http_answer a;
	char body[64];
	bool has_answer_header;
	struct dvt_tls_result failed;
	struct dvt_http_client *free_me;
} heard;

static void
on_answer(void *user, const struct dvt_http_answer *a)
{
	(void)user;
	heard.count++;
	heard.a = *a;
	heard.body[0] = '\0';
	if (a->body.n < sizeof(heard.body) && a->body.n > 0) {
		memcpy(heard.body, a->body.p, a->body.n);
		heard.body[a->body.n] = '\0';
	}
	heard.has_answer_header = dvt_http_answer_header(a, "x-answer") != NULL;
	dvt_http_client_free(heard.free_me);
}

static void
on_open(void *user, const struct dvt_tls_result *failed)
{
	(void)user;
	heard.opened++;
	if (failed != NULL)
		heard.failed = *failed;
}

static struct dvt_http_client *
client_new(const struct dvt_addr *a, bool tls)
{
	struct dvt_tls_conn_config peer = {.addrs = a,
	    .addrs_n = 1,
	    .ctx = tls ? client_tls : NULL,
	    .server_name = NAME,
	    .verify_at = TESTCA_NOW};

	memset(&heard, 0, sizeof(heard));
	return dvt_http_client_new(loop, &peer);
}

static void
mutual_tls_there_and_back(void **state)
{
	struct dvt_http_client *c = client_new(&tls_addr, true);
	const struct dvt_http_header extra = {"X-Test", "7"};
	struct dvt_http_ask ask = {.method = "POST",
	    .target = "/enroll?a=b",
	    .host = NAME,
	    .headers = &extra,
	    .headers_n = 1,
	    .content_type = "application/pkcs10",
	    .body = DVT_SPAN_LIT("some bytes")};
	uint8_t binding[32];

	(void)state;
	dvt_http_client_open(c, on_open, NULL);
	UNTIL(heard.opened == 1);
	assert_int_equal(heard.failed.end, 0);
	assert_int_equal(
	    dvt_tls_conn_exporter(dvt_http_client_conn(c), binding, NULL),
	    DVT_OK);
	for (unsigned i = 1; i <= 3; i++) {
		dvt_http_client_ask(c, &ask, on_answer, NULL);
		UNTIL(heard.count == i);
		assert_int_equal(heard.a.end, DVT_HTTP_ANSWERED);
		assert_int_equal(heard.a.status, 200);
		assert_string_equal(heard.body, "some bytes");
		assert_true(heard.has_answer_header);
		assert_string_equal(seen.device, "dev-1");
		assert_string_equal(seen.header, "7");
		assert_true(seen.tls && !seen.is_unix);
	}
	assert_int_equal(seen.prepared, 1); /* one connection for all */
	ask.method = "HEAD";
	ask.body = (struct dvt_span){NULL, 0};
	dvt_http_client_ask(c, &ask, on_answer, NULL);
	UNTIL(heard.count == 4);
	assert_int_equal(heard.a.body.n, 0);
	dvt_http_client_free(c);
	UNTIL(seen.closed == 1);
	assert_int_equal(seen.how, DVT_EDGE_CLOSED);
}

static void
a_unix_peer_is_known_by_its_user(void **state)
{
	struct dvt_http_client *c = client_new(&unix_addr, false);
	struct dvt_http_ask ask = {
	    .method = "GET", .target = "/", .host = "local"};

	(void)state;
	dvt_http_client_ask(c, &ask, on_answer, NULL);
	UNTIL(heard.count == 1);
	assert_string_equal(heard.body, "hello");
	assert_true(seen.is_unix);
	assert_int_equal(seen.uid, getuid());
	/* closed while idle: a GET is asked again on a new connection */
	UNTIL(dvt_http_server_counts(server).conns == 0);
	dvt_http_client_ask(c, &ask, on_answer, NULL);
	UNTIL(heard.count == 2);
	assert_int_equal(heard.a.end, DVT_HTTP_ANSWERED);
	heard.free_me = c; /* in its own callback */
	dvt_http_client_ask(c, &ask, on_answer, NULL);
	UNTIL(heard.count == 3);
}

static void
the_client_tells_why_there_is_no_answer(void **state)
{
	struct dvt_http_client *c = client_new(&plain_addr, false);
	struct dvt_http_ask ask = {
	    .method = "GET", .target = "/park", .host = "x", .deadline_ms = 20};

	(void)state;
	dvt_http_client_ask(c, &ask, on_answer, NULL);
	UNTIL(heard.count == 1);
	assert_int_equal(heard.a.end, DVT_HTTP_DEADLINE);
	assert_null(dvt_http_client_conn(c));
	ask.target = "/a b";
	dvt_http_client_ask(c, &ask, on_answer, NULL);
	UNTIL(heard.count == 2);
	assert_int_equal(heard.a.end, DVT_HTTP_UNSENT);
	ask.target = "/";
	ask.host = "x\r\nEvil: 1";
	dvt_http_client_ask(c, &ask, on_answer, NULL);
	UNTIL(heard.count == 3);
	assert_int_equal(heard.a.end, DVT_HTTP_UNSENT);
	ask.host = "x";
	ask.max_body = 4;
	ask.deadline_ms = 0;
	dvt_http_client_ask(c, &ask, on_answer, NULL);
	UNTIL(heard.count == 4);
	assert_int_equal(heard.a.end, DVT_HTTP_LIMIT);
	dvt_http_client_free(c);

	c = client_new(&plain_addr, true); /* TLS to a plain port */
	dvt_http_client_ask(c, &ask, on_answer, NULL);
	UNTIL(heard.count == 1);
	assert_int_equal(heard.a.end, DVT_HTTP_CONN);
	assert_int_equal(heard.a.conn.end, DVT_TLS_PROTOCOL);
	dvt_http_client_open(c, on_open, NULL);
	UNTIL(heard.opened == 1);
	assert_int_equal(heard.failed.end, DVT_TLS_PROTOCOL);
	dvt_http_client_free(c);
}

/* A server that says @text and closes; what the client makes of it. */
static struct dvt_http_answer
answered(const char *text)
{
	struct dvt_addr a;
	struct dvt_http_ask ask = {
	    .method = "POST", .target = "/", .host = "x", .max_body = 20};
	struct dvt_http_client *c;
	int fd, conn = -1;

	assert_int_equal(dvt_addr_parse("127.0.0.1:0", &a, NULL), 0);
	fd = listener(&a);
	c = client_new(&a, false);
	dvt_http_client_ask(c, &ask, on_answer, NULL);
	while (conn < 0) {
		turns(1);
		conn = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	}
	while (recv(conn, seen.body, sizeof(seen.body), MSG_DONTWAIT) <= 0)
		turns(1);
	while (recv(conn, seen.body, sizeof(seen.body), MSG_DONTWAIT) > 0)
		continue;
	raw_say(conn, text);
	close(conn);
	UNTIL(heard.count == 1);
	dvt_http_client_free(c);
	close(fd);
	return heard.a;
}

static void
the_client_reads_what_other_servers_say(void **state)
{
	static const struct {
		const char *text;
		enum dvt_http_end end;
		const char *body;
	} cases[] = {
	    {"HTTP/1.1 100 Continue\r\n\r\n"
	     "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", DVT_HTTP_ANSWERED, "hi"},
	    {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
	     "2\r\nhi\r\n0\r\n\r\n",			   DVT_HTTP_ANSWERED, "hi"},
	    {"HTTP/1.0 200 OK\r\n\r\nto the end",                           DVT_HTTP_ANSWERED,
             "to the end"									  },
	    {"HTTP/1.1 204 None\r\n\r\n",                                   DVT_HTTP_ANSWERED, ""  },
	    {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\ncut",             DVT_HTTP_CONN,
             ""										    },
	    {"HTTP/1.1 200 OK\r\nContent-Le",                               DVT_HTTP_CONN,     ""  },
	    {"HTTP/1.1 200 OK\r\nContent-Length: 21\r\n\r\nx",              DVT_HTTP_LIMIT,
             ""										    },
	    {"HTTP/1.0 200 OK\r\n\r\nmore than twenty bytes",               DVT_HTTP_LIMIT,
             ""										    },
	    {"HTTP/1.1 101 Switching\r\n\r\n",                              DVT_HTTP_SYNTAX,   ""  },
	    {"220 mail.example ESMTP\r\n\r\n",                              DVT_HTTP_SYNTAX,   ""  },
	};

	(void)state;
	for (size_t i = 0; i < DVT_COUNT(cases); i++) {
		struct dvt_http_answer a = answered(cases[i].text);

		if (a.end != cases[i].end)
			fail_msg("%d: %s", a.end, cases[i].text);
		assert_string_equal(heard.body, cases[i].body);
	}
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    T(an_answer_leaves_in_one_piece_and_the_connection_stays),
	    T(bodies_arrive_by_length_and_in_chunks),
	    T(bad_requests_get_their_status_and_the_end),
	    T(a_head_over_its_limit_is_refused_while_it_is_sent),
	    T(a_slow_sender_meets_its_deadline),
	    T(an_idle_connection_is_closed),
	    T(a_parked_request_is_answered_later),
	    T(bytes_while_parked_are_bounded),
	    T(a_client_that_leaves_gives_up_its_request),
	    T(no_more_is_parked_than_there_are_slots),
	    T(an_answer_that_does_not_come_is_a_503),
	    T(more_connections_than_allowed_wait),
	    T(streams_wait_for_a_slow_reader),
	    T(a_stream_ends_when_its_reader_leaves),
	    T(after_quiesce_what_is_open_is_answered_and_closed),
	    T(mutual_tls_there_and_back),
	    T(a_unix_peer_is_known_by_its_user),
	    T(the_client_tells_why_there_is_no_answer),
	    T(the_client_reads_what_other_servers_say),
	};
	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
