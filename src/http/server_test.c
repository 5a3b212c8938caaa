/* SPDX-License-Identifier: Apache-2.0 */
/* The server, asked over real sockets by a client of bare ones. */
#include "http/testserver.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

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

#define T(f) cmocka_unit_test_setup_teardown(f, testserver_up, testserver_down)

#define HASTY(f)                                                               \
	cmocka_unit_test_setup_teardown(f, testserver_up_hasty, testserver_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    T(an_answer_leaves_in_one_piece_and_the_connection_stays),
	    T(bodies_arrive_by_length_and_in_chunks),
	    T(bad_requests_get_their_status_and_the_end),
	    T(a_head_over_its_limit_is_refused_while_it_is_sent),
	    HASTY(a_slow_sender_meets_its_deadline),
	    HASTY(an_idle_connection_is_closed),
	    T(a_parked_request_is_answered_later),
	    HASTY(bytes_while_parked_are_bounded),
	    T(a_client_that_leaves_gives_up_its_request),
	    T(no_more_is_parked_than_there_are_slots),
	    HASTY(an_answer_that_does_not_come_is_a_503),
	    T(more_connections_than_allowed_wait),
	    T(streams_wait_for_a_slow_reader),
	    HASTY(a_stream_ends_when_its_reader_leaves),
	    T(after_quiesce_what_is_open_is_answered_and_closed),
	};
	return cmocka_run_group_tests(tests, testserver_init, testserver_fini);
}
