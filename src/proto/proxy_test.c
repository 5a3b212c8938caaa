/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/proxy.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define HEAD "\r\n\r\n\0\r\nQUIT\n\x21"

static void
a_header_names_addresses_tls_and_the_certificate(void **state)
{
	static const char want[] = HEAD
	    "\x11\x00\x2b"
	    "\xc0\x00\x02\x07\x7f\x00\x00\x01\x1f\x90\x22\xb3"
	    "\x02\x00\x01"
	    "e"
	    "\x20\x00\x18\x03\x00\x00\x00\x00"
	    "\x21\x00\x07TLSv1.3"
	    "\x22\x00\x06"
	    "dev-07";
	struct sockaddr_in from = {.sin_family = AF_INET,
			       .sin_port = htons(8080)},
			   to = {
			       .sin_family = AF_INET, .sin_port = htons(8883)};
	struct dvt_proxy p = {.from = (struct sockaddr *)&from,
	    .to = (struct sockaddr *)&to,
	    .tls = "TLSv1.3",
	    .certificate = true,
	    .common_name = "dev-07",
	    .authority = "e"};
	struct dvt_buf b;

	(void)state;
	inet_pton(AF_INET, "192.0.2.7", &from.sin_addr);
	inet_pton(AF_INET, "127.0.0.1", &to.sin_addr);
	dvt_buf_init(&b, DVT_PROXY_MAX);
	dvt_proxy_put(&b, &p);
	assert_int_equal(b.n, sizeof(want) - 1);
	assert_memory_equal(b.p, want, b.n);
	dvt_buf_fini(&b);
}

static void
what_is_not_known_is_left_out(void **state)
{
	static const char want[] = HEAD "\x00\x00\x00";
	struct sockaddr_in from = {.sin_family = AF_INET};
	struct sockaddr_in6 to = {.sin6_family = AF_INET6};
	struct dvt_proxy p = {
	    .from = (struct sockaddr *)&from, .to = (struct sockaddr *)&to};
	struct dvt_buf b;

	(void)state;
	dvt_buf_init(&b, DVT_PROXY_MAX);
	dvt_proxy_put(&b, &p);
	assert_int_equal(b.n, sizeof(want) - 1);
	assert_memory_equal(b.p, want, b.n);
	dvt_buf_reset(&b);
	to.sin6_port = htons(1);
	p.from = (struct sockaddr *)&to;
	dvt_proxy_put(&b, &p);
	assert_int_equal(b.n, 16 + 36);
	assert_int_equal(b.p[13], 0x21);
	dvt_buf_fini(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_header_names_addresses_tls_and_the_certificate),
	    cmocka_unit_test(what_is_not_known_is_left_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
