/* SPDX-License-Identifier: Apache-2.0 */
#include "http/head.h"

#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static char buf[32768];

/* Read @text as a request's head; the result borrows from buf. */
static enum dvt_code
request(const char *text, struct dvt_http_head *head)
{
	size_t from = 0, n;

	assert_true(strlen(text) < sizeof(buf));
	n = dvt_http_head_end(dvt_span_str(text), &from);
	assert_true(n > 0);
	memcpy(buf, text, n);
	return dvt_http_head_request(buf, n, head, NULL);
}

static void
requests_are_read(void **state)
{
	struct dvt_http_head h;

	(void)state;
	assert_int_equal(request("POST /a/b?c=d HTTP/1.1\r\n"
				 "host:  x.example \r\n"
				 "Content-Type: application/pkcs10\r\n"
				 "Content-Length: 12\r\n"
				 "X-Empty:\r\n"
				 "\r\n",
			     &h),
	    DVT_OK);
	assert_string_equal(h.method, "POST");
	assert_string_equal(h.target, "/a/b?c=d");
	assert_int_equal(h.framing, DVT_HTTP_LENGTH);
	assert_int_equal(h.length, 12);
	assert_true(h.keep_alive);
	assert_int_equal(h.headers_n, 4);
	assert_string_equal(
	    dvt_http_header_find(h.headers, h.headers_n, "HOST"), "x.example");
	assert_string_equal(
	    dvt_http_header_find(h.headers, h.headers_n, "x-empty"), "");
	assert_null(dvt_http_header_find(h.headers, h.headers_n, "Accept"));

	assert_int_equal(
	    request("GET http://x.example/p HTTP/1.0\r\n\r\n", &h), DVT_OK);
	assert_string_equal(h.target, "/p");
	assert_false(h.keep_alive);
	assert_int_equal(h.framing, DVT_HTTP_NO_BODY);

	assert_int_equal(request("PUT / HTTP/1.1\r\nHost: x\r\n"
				 "Transfer-Encoding: Chunked\r\n"
				 "Connection: foo, Close\r\n"
				 "Expect: 100-Continue\r\n\r\n",
			     &h),
	    DVT_OK);
	assert_int_equal(h.framing, DVT_HTTP_CHUNKED);
	assert_false(h.keep_alive);
	assert_true(h.expects_continue);
}

#define GET "GET / HTTP/1.1\r\nHost: x\r\n"

static void
what_is_ambiguous_is_refused(void **state)
{
	static const struct {
		const char *text;
		int status;
	} bad[] = {
	    {"GET /\r\n\r\n",					       400},
	    {"GET  / HTTP/1.1\r\nHost: x\r\n\r\n",                          400},
	    {"GET / HTTP/2.0\r\n\r\n",                                      505},
	    {"GET / HTTP/1.1x\r\n\r\n",                                     505},
	    {"GET / FOO/1.1\r\n\r\n",				       400},
	    {" / HTTP/1.1\r\n\r\n",					 400},
	    {"G@T / HTTP/1.1\r\n\r\n",                                      400},
	    {"ABCDEFGHIJKLMNOPQ / HTTP/1.1\r\n\r\n",                        400},
	    {"GET * HTTP/1.1\r\nHost: x\r\n\r\n",                           400},
	    {"GET x HTTP/1.1\r\nHost: x\r\n\r\n",                           400},
	    {"GET http://x HTTP/1.1\r\nHost: x\r\n\r\n",                    400},
	    {"GET /a\tb HTTP/1.1\r\nHost: x\r\n\r\n",                       400},
	    {"GET / HTTP/1.1\r\n\r\n",                                      400}, /* no Host */
	    {GET "Host: y\r\n\r\n",					 400},
	    {GET "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
             400							       },
	    {GET "Content-Length: 1\r\nContent-Length: 1\r\n\r\n",          400},
	    {GET "Content-Length: +1\r\n\r\n",                              400},
	    {GET "Content-Length: 0x1\r\n\r\n",                             400},
	    {GET "Content-Length: 1, 1\r\n\r\n",                            400},
	    {GET "Content-Length:\r\n\r\n",                                 400},
	    {GET "Content-Length: 99999999999999999999\r\n\r\n",            400},
	    {GET "Transfer-Encoding: gzip, chunked\r\n\r\n",                501},
	    {GET "Transfer-Encoding: identity\r\n\r\n",                     501},
	    {GET "Transfer-Encoding: chunked\r\n"
		 "Transfer-Encoding: chunked\r\n\r\n",         501},
	    {"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n",       400},
	    {GET "A : b\r\n\r\n",					   400},
	    {GET "A: b\r\n c\r\n\r\n",                                      400}, /* folded */
	    {GET "A\r\n\r\n",					       400},
	    {GET ": b\r\n\r\n",					     400},
	    {GET "A: b\nC: d\r\n\r\n",                                      400}, /* bare line feed */
	    {GET "A: b\rC: d\r\n\r\n",                                      400},
	    {GET "A: \x01\r\n\r\n",					 400},
	    {GET "Expect: magic\r\n\r\n",                                   417},
	};
	struct dvt_http_head h;

	(void)state;
	for (size_t i = 0; i < DVT_COUNT(bad); i++) {
		if (request(bad[i].text, &h) != DVT_E_INPUT ||
		    h.status != bad[i].status)
			fail_msg("%d: %s", h.status, bad[i].text);
	}
}

static void
the_number_and_size_of_parts_is_limited(void **state)
{
	struct dvt_http_head h;
	struct dvt_buf b;

	(void)state;
	dvt_buf_init(&b, 65536);
	dvt_buf_puts(&b, GET);
	for (int i = 0; i < DVT_HTTP_HEADERS; i++)
		dvt_buf_puts(&b, "A: b\r\n");
	dvt_buf_puts(&b, "\r\n");
	assert_int_equal(request(dvt_buf_str(&b), &h), DVT_E_INPUT);
	assert_int_equal(h.status, 431);
	dvt_buf_reset(&b);
	dvt_buf_puts(&b, "GET /");
	for (int i = 0; i < DVT_URI_MAX; i++)
		dvt_buf_putc(&b, 'a');
	dvt_buf_puts(&b, " HTTP/1.1\r\nHost: x\r\n\r\n");
	assert_int_equal(request(dvt_buf_str(&b), &h), DVT_E_INPUT);
	assert_int_equal(h.status, 414);
	dvt_buf_fini(&b);
}

static void
the_end_of_a_head_is_found_however_it_arrives(void **state)
{
	static const char text[] = GET "A: b\r\n\r\nrest";
	const size_t n = sizeof(text) - 1;
	size_t from = 0;

	(void)state;
	for (size_t have = 0; have <= n; have++) {
		size_t end = dvt_http_head_end(
		    (struct dvt_span){(const uint8_t *)text, have}, &from);

		assert_int_equal(end, have >= n - 4 ? n - 4 : 0);
		if (end > 0)
			break;
	}
}

static void
answers_are_framed_by_their_status(void **state)
{
	static const struct {
		const char *text;
		bool to_head;
		int status; /* 0: refused */
		enum dvt_http_framing framing;
		bool keep_alive;
	} cases[] = {
	    {"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n",       false, 200,
             DVT_HTTP_LENGTH,								     true },
	    {"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n",       true,  200,
             DVT_HTTP_NO_BODY,								    true },
	    {"HTTP/1.1 202\r\nTransfer-Encoding: chunked\r\n\r\n", false, 202,
             DVT_HTTP_CHUNKED,								    true },
	    {"HTTP/1.0 200 OK\r\n\r\n",                            false, 200, DVT_HTTP_TO_CLOSE, false},
	    {"HTTP/1.1 204 No Content\r\n\r\n",                    false, 204, DVT_HTTP_NO_BODY,
             true										      },
	    {"HTTP/1.1 304 x\r\nContent-Length: 9\r\n\r\n",        false, 304,
             DVT_HTTP_NO_BODY,								    true },
	    {"HTTP/1.1 503 x\r\nConnection: close\r\n"
	     "Content-Length: 0\r\n\r\n",             false, 503, DVT_HTTP_LENGTH,   false},
	    {"HTTP/1.1 99 x\r\n\r\n",                              false, 0,   DVT_HTTP_NO_BODY,  false},
	    {"HTTP/1.1 2000 x\r\n\r\n",                            false, 0,   DVT_HTTP_NO_BODY,  false},
	    {"HTTP/1.1 700 x\r\n\r\n",                             false, 0,   DVT_HTTP_NO_BODY,  false},
	    {"HTTP/3 200 x\r\n\r\n",                               false, 0,   DVT_HTTP_NO_BODY,  false},
	    {"SSH-2.0-x\r\n\r\n",				  false, 0,   DVT_HTTP_NO_BODY,  false},
	    {"HTTP/1.1 200 x\r\nContent-Length: 1\r\n"
	     "Transfer-Encoding: chunked\r\n\r\n",    false, 0,   DVT_HTTP_NO_BODY,  false},
	};
	struct dvt_http_head h;

	(void)state;
	for (size_t i = 0; i < DVT_COUNT(cases); i++) {
		enum dvt_code rc;

		memcpy(buf, cases[i].text, strlen(cases[i].text) + 1);
		rc = dvt_http_head_answer(
		    buf, strlen(cases[i].text), cases[i].to_head, &h, NULL);
		if ((rc == DVT_OK) != (cases[i].status != 0))
			fail_msg("%s", cases[i].text);
		if (rc != DVT_OK)
			continue;
		assert_int_equal(h.status, cases[i].status);
		assert_int_equal(h.framing, cases[i].framing);
		assert_int_equal(h.keep_alive, cases[i].keep_alive);
	}
}

/* Feed @text in pieces of @step bytes; what is left over is in @rest. */
static enum dvt_code
feed(struct dvt_http_body *b, const char *text, size_t step,
    struct dvt_buf *out, size_t *rest)
{
	size_t n = strlen(text);

	for (size_t at = 0; at < n && !b->done;) {
		size_t len = n - at < step ? n - at : step;
		struct dvt_span in = {(const uint8_t *)text + at, len};
		enum dvt_code rc = dvt_http_body_feed(b, &in, out, NULL);

		if (rc != DVT_OK)
			return rc;
		at += len - in.n;
		*rest = n - at;
	}
	return DVT_OK;
}

static void
chunks_are_joined_however_they_arrive(void **state)
{
	static const char text[] = "5\r\nhello\r\n"
				   "00000001;x=y\r\n \r\n"
				   "A \r\n0123456789\r\n"
				   "0\r\nTrailer: x\r\nB: c\r\n\r\nNEXT";
	struct dvt_http_head head = {.framing = DVT_HTTP_CHUNKED};
	struct dvt_http_body b;
	struct dvt_buf out;
	size_t rest;

	(void)state;
	for (size_t step = 1; step < sizeof(text); step++) {
		dvt_http_body_init(&b, &head);
		dvt_buf_init(&out, 16);
		assert_int_equal(feed(&b, text, step, &out, &rest), DVT_OK);
		assert_true(b.done);
		assert_int_equal(rest, 4);
		assert_string_equal(dvt_buf_str(&out), "hello 0123456789");
		dvt_buf_fini(&out);
	}
}

static void
broken_chunks_are_refused(void **state)
{
	static const struct {
		const char *text;
		enum dvt_code rc;
	} bad[] = {
	    {"\r\n",			DVT_E_INPUT},
	    {"g\r\n",		       DVT_E_INPUT},
	    {"-1\r\n",                      DVT_E_INPUT},
	    {";x\r\n",                      DVT_E_INPUT},
	    {"1\nx\r\n",                    DVT_E_INPUT},
	    {"1\rx",			DVT_E_INPUT},
	    {"1\r\nxy\r\n",                 DVT_E_INPUT},
	    {"1\r\nx\ry",                   DVT_E_INPUT},
	    {"000000001\r\n",               DVT_E_INPUT},
	    {"0\r\n\rx",                    DVT_E_INPUT},
	    {"0\r\nA: b\rx",                DVT_E_INPUT},
	    {"11\r\n0123456789abcdefg\r\n", DVT_E_LIMIT},
	    {"8\r\n01234567\r\n9\r\n0",     DVT_E_LIMIT},
	    {"ffffffff\r\n0",               DVT_E_LIMIT},
	};
	struct dvt_http_head head = {.framing = DVT_HTTP_CHUNKED};
	struct dvt_http_body b;
	struct dvt_buf out;
	size_t rest;

	(void)state;
	for (size_t i = 0; i < DVT_COUNT(bad); i++) {
		dvt_http_body_init(&b, &head);
		dvt_buf_init(&out, 16);
		if (feed(&b, bad[i].text, 3, &out, &rest) != bad[i].rc)
			fail_msg("%s", bad[i].text);
		assert_false(b.done);
		dvt_buf_fini(&out);
	}
}

static void
extensions_and_trailers_are_bounded(void **state)
{
	static const char *const begin[] = {"1;", "0\r\nA:"};
	struct dvt_http_head head = {.framing = DVT_HTTP_CHUNKED};
	struct dvt_http_body b;
	struct dvt_buf out;

	(void)state;
	for (size_t i = 0; i < DVT_COUNT(begin); i++) {
		enum dvt_code rc = DVT_OK;
		size_t rest, n = 0;

		dvt_http_body_init(&b, &head);
		dvt_buf_init(&out, 16);
		assert_int_equal(feed(&b, begin[i], 1, &out, &rest), DVT_OK);
		for (; rc == DVT_OK && n < 10000; n++)
			rc = feed(&b, "x", 1, &out, &rest);
		assert_int_equal(rc, DVT_E_INPUT);
		assert_true(n <= DVT_HTTP_TRAILERS_MAX + 1);
		dvt_buf_fini(&out);
	}
}

static void
a_body_by_length_takes_no_more(void **state)
{
	struct dvt_http_head head = {.framing = DVT_HTTP_LENGTH, .length = 5};
	struct dvt_http_body b;
	struct dvt_buf out;
	size_t rest;

	(void)state;
	for (size_t step = 1; step < 9; step++) {
		dvt_http_body_init(&b, &head);
		dvt_buf_init(&out, 5);
		assert_int_equal(
		    feed(&b, "helloGET", step, &out, &rest), DVT_OK);
		assert_true(b.done);
		assert_int_equal(rest, 3);
		assert_string_equal(dvt_buf_str(&out), "hello");
		dvt_buf_fini(&out);
	}
	dvt_http_body_init(&b, &head);
	dvt_buf_init(&out, 4);
	assert_int_equal(feed(&b, "h", 1, &out, &rest), DVT_E_LIMIT);
	dvt_buf_fini(&out);
	head.length = 0;
	dvt_http_body_init(&b, &head);
	assert_true(b.done);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(requests_are_read),
	    cmocka_unit_test(what_is_ambiguous_is_refused),
	    cmocka_unit_test(the_number_and_size_of_parts_is_limited),
	    cmocka_unit_test(the_end_of_a_head_is_found_however_it_arrives),
	    cmocka_unit_test(answers_are_framed_by_their_status),
	    cmocka_unit_test(chunks_are_joined_however_they_arrive),
	    cmocka_unit_test(broken_chunks_are_refused),
	    cmocka_unit_test(extensions_and_trailers_are_bounded),
	    cmocka_unit_test(a_body_by_length_takes_no_more),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
