/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/proxy.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

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

struct got {
	enum dvt_code rc;
	size_t need;
	struct sockaddr_storage from;
	socklen_t n;
};

static struct got
parse(const void *p, size_t n)
{
	struct got g = {0};

	g.rc = dvt_proxy_parse(
	    (struct dvt_span){p, n}, &g.need, &g.from, &g.n, NULL);
	return g;
}

static void
what_was_told_is_read_at_any_length(void **state)
{
	struct sockaddr_in6 v6 = {
	    .sin6_family = AF_INET6, .sin6_port = htons(4711)};
	struct sockaddr_in v4 = {
	    .sin_family = AF_INET, .sin_port = htons(4712)};
	struct dvt_proxy p = {.tls = "TLSv1.3", .authority = "edge.example"};
	struct dvt_buf b;

	(void)state;
	inet_pton(AF_INET, "192.0.2.7", &v4.sin_addr);
	inet_pton(AF_INET6, "2001:db8::7", &v6.sin6_addr);
	for (int i = 0; i < 3; i++) {
		const void *of = i == 0 ? (void *)&v4 : (void *)&v6;
		struct got g;

		p.from = p.to = i == 2 ? NULL : of;
		dvt_buf_init(&b, DVT_PROXY_MAX);
		dvt_proxy_put(&b, &p);
		for (size_t n = 0; n < b.n; n++) {
			g = parse(b.p, n);
			assert_int_equal(g.rc, DVT_E_LATER);
			assert_int_equal(g.need, n < 16 ? 16 : b.n);
		}
		g = parse(b.p, b.n);
		assert_int_equal(g.rc, DVT_OK);
		assert_int_equal(g.n, i == 0   ? sizeof(v4)
				      : i == 1 ? sizeof(v6)
					       : 0);
		assert_memory_equal(&g.from, of, g.n);
		dvt_buf_fini(&b);
	}
}

static void
what_is_no_header_is_refused(void **state)
{
	static const char
	    v4[] = "\xc0\x00\x02\x07\x7f\x00\x00\x01\x1f\x90\x22\xb3";
	static const struct {
		const char *what, *p;
		size_t n;
		enum dvt_code rc;
	} rows[] = {
	    {"TLS",			 "\x16\x03\x01",                     3,  DVT_E_INPUT},
	    {"version 1",                   "PROXY TCP4 ",                      11, DVT_E_INPUT},
	    {"a signature that ends wrong", "\r\n\r\n\0\r\nQUIT\r",             12,
             DVT_E_INPUT								       },
	    {"another version",             "\r\n\r\n\0\r\nQUIT\n\x11\x11\0\0", 16,
             DVT_E_INPUT								       },
	    {"another command",             "\r\n\r\n\0\r\nQUIT\n\x22\x11\0\0", 16,
             DVT_E_INPUT								       },
	    {"no room for addresses",       HEAD "\x11\0\0",                    16, DVT_E_INPUT},
	    {"a kind of no TCP",            HEAD "\x12\0\0",                    16, DVT_E_INPUT},
	    {"too long",                    HEAD "\x11\x10\0",                  16, DVT_E_LIMIT},
	    {"LOCAL",		       "\r\n\r\n\0\r\nQUIT\n\x20\x00\0\0", 16, DVT_OK     },
	};
	char more[64] = HEAD "\x11\x00\x0c";

	(void)state;
	for (size_t i = 0; i < DVT_COUNT(rows); i++) {
		struct got g = parse(rows[i].p, rows[i].n);

		if (g.rc != rows[i].rc || g.n != 0)
			fail_msg("%s: %d", rows[i].what, g.rc);
	}
	memcpy(more + 16, v4, sizeof(v4));
	assert_int_equal(parse(more, 28).rc, DVT_OK);
	assert_int_equal(parse(more, 29).rc, DVT_E_INPUT);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_header_names_addresses_tls_and_the_certificate),
	    cmocka_unit_test(what_is_not_known_is_left_out),
	    cmocka_unit_test(what_was_told_is_read_at_any_length),
	    cmocka_unit_test(what_is_no_header_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
