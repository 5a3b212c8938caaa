/* SPDX-License-Identifier: Apache-2.0 */
#include "loop/addr.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void
addresses_come_back_as_they_were_written(void **state)
{
	static const struct {
		const char *text, *host;
		unsigned port;
		bool loopback;
	} good[] = {
	    {"127.0.0.1:8883",  "127.0.0.1",   8883,  true },
	    {"192.0.2.1:0",     "192.0.2.1",   0,     false},
	    {"[::1]:443",       "::1",         443,   true },
	    {"[2001:db8::1]:1", "2001:db8::1", 1,     false},
	    {"0.0.0.0:65535",   "0.0.0.0",     65535, false},
	    {"/run/x.sock",     "/run/x.sock", 0,     true },
	};
	char text[DVT_ADDR_TEXT];
	struct dvt_addr a, b;
	size_t n;

	(void)state;
	for (size_t i = 0; i < DVT_COUNT(good); i++) {
		assert_int_equal(dvt_addr_parse(good[i].text, &a, NULL), 0);
		assert_string_equal(dvt_addr_format(&a, text), good[i].text);
		assert_string_equal(dvt_addr_host(&a, text), good[i].host);
		assert_int_equal(dvt_addr_port(&a), good[i].port);
		assert_int_equal(dvt_addr_is_loopback(&a), good[i].loopback);
		assert_int_equal(
		    dvt_addr_resolve(good[i].text, &b, 1, &n, NULL), 0);
		assert_int_equal(n, 1);
		assert_memory_equal(&a.ss, &b.ss, a.len);
	}
}

static void
what_is_no_address_is_refused(void **state)
{
	static const char *const bad[] = {"", ":", ":80", "127.0.0.1",
	    "127.0.0.1:", "127.0.0.1:x", "127.0.0.1:70000", "127.0.0.1:-1",
	    "127.0.0.1: 1", "::1:443", "[::1]443", "[]:1", "[::1:1",
	    "host.example:1", "*:1", "[*]:1", "256.0.0.1:1",
	    "1.2.3.4:99999999999999999999"};
	char longest[200];
	struct dvt_addr a;

	(void)state;
	for (size_t i = 0; i < DVT_COUNT(bad); i++) {
		if (dvt_addr_parse(bad[i], &a, NULL) != DVT_E_INPUT)
			fail_msg("taken: \"%s\"", bad[i]);
		assert_int_equal(a.len, 0);
	}
	memset(longest, 'a', sizeof(longest));
	longest[0] = '/';
	longest[sizeof(longest) - 1] = '\0';
	assert_int_equal(dvt_addr_parse(longest, &a, NULL), DVT_E_INPUT);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(addresses_come_back_as_they_were_written),
	    cmocka_unit_test(what_is_no_address_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
