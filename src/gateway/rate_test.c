/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/rate.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static struct dvt_addr
address(const char *text)
{
	struct dvt_addr a;

	assert_int_equal(dvt_addr_parse(text, &a, NULL), DVT_OK);
	return a;
}

static unsigned
taken(struct gw_rate *l, const char *text, unsigned tries, int64_t now_ms)
{
	struct dvt_addr a = address(text);
	unsigned n = 0;

	while (tries-- > 0)
		n += gw_rate_take(l, &a, now_ms);
	return n;
}

static void
a_burst_goes_through_and_then_the_rate(void **state)
{
	struct gw_rate *l = gw_rate_new(10);

	(void)state;
	assert_int_equal(taken(l, "192.0.2.1:1", 100, 1000), 40);
	assert_int_equal(taken(l, "192.0.2.1:2", 100, 1099), 0);
	assert_int_equal(taken(l, "192.0.2.1:3", 100, 1100), 1);
	assert_int_equal(taken(l, "192.0.2.1:3", 100, 2100), 10);
	assert_int_equal(taken(l, "192.0.2.1:3", 100, 99000), 40);
	assert_int_equal(taken(l, "192.0.2.2:1", 100, 99000), 40);
	gw_rate_free(l);
}

static void
a_v6_host_is_its_network_and_no_rate_is_no_limit(void **state)
{
	struct gw_rate *l = gw_rate_new(1);

	(void)state;
	assert_int_equal(taken(l, "[2001:db8::1]:1", 9, 1000), 4);
	assert_int_equal(taken(l, "[2001:db8::2:3]:1", 9, 1000), 0);
	assert_int_equal(taken(l, "[2001:db8:1::1]:1", 9, 1000), 4);
	assert_int_equal(taken(l, "/run/socket", 9, 1000), 9);
	gw_rate_free(l);
	l = gw_rate_new(0);
	assert_int_equal(taken(l, "192.0.2.1:1", 1000, 1000), 1000);
	gw_rate_free(l);
}

static void
many_addresses_push_out_only_who_was_quiet_longest(void **state)
{
	struct gw_rate *l = gw_rate_new(10);
	unsigned refused = 0;

	(void)state;
	for (unsigned i = 0; i < 100000; i++) {
		char text[32];

		snprintf(text, sizeof(text), "10.%u.%u.%u:1", i >> 16,
		    i >> 8 & 255, i & 255);
		refused += 1 - taken(l, text, 1, 1000 + i / 100);
	}
	assert_int_equal(refused, 0);
	gw_rate_free(l);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_burst_goes_through_and_then_the_rate),
	    cmocka_unit_test(a_v6_host_is_its_network_and_no_rate_is_no_limit),
	    cmocka_unit_test(
		many_addresses_push_out_only_who_was_quiet_longest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
