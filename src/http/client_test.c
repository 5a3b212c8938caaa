/* SPDX-License-Identifier: Apache-2.0 */
/* Our client, against our server and against what other servers say. */
#include "http/testserver.h"
#include "http/client.h"
#include "pki/testca.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

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
	fd = testserver_listen(&a);
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

#define T(f) cmocka_unit_test_setup_teardown(f, testserver_up, testserver_down)

#define HASTY(f)                                                               \
	cmocka_unit_test_setup_teardown(f, testserver_up_hasty, testserver_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    T(mutual_tls_there_and_back),
	    HASTY(a_unix_peer_is_known_by_its_user),
	    T(the_client_tells_why_there_is_no_answer),
	    T(the_client_reads_what_other_servers_say),
	};
	return cmocka_run_group_tests(tests, testserver_init, testserver_fini);
}
