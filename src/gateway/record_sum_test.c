/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/record_sum.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct out {
	struct dvt_handshake v[10000];
	size_t n;
	int64_t total;
};

static void
emit(void *user, const struct dvt_handshake *h)
{
	struct out *o = user;

	assert_true(o->n < 10000);
	o->v[o->n++] = *h;
	o->total += h->n;
}

static struct dvt_handshake
one(unsigned device, enum dvt_outcome outcome, int64_t at)
{
	struct dvt_handshake h;

	dvt_handshake_init(&h);
	h.at = at;
	h.outcome = outcome;
	h.duration_us = at;
	snprintf(h.device, sizeof(h.device), "dev-%u", device);
	snprintf(
	    h.address, sizeof(h.address), "192.0.2.%u", (unsigned)at % 200);
	strcpy(h.confidence, "certificate");
	strcpy(h.serial, "0a");
	return h;
}

static struct gw_sums *
sums(int64_t whole_max, struct out *o)
{
	struct gw_sums *s = gw_sums_new(emit, o);

	gw_sums_limit(s, whole_max);
	return s;
}

/* As the feed process does. */
static void
take(struct gw_sums *s, struct out *o, const struct dvt_handshake *h,
    enum gw_grain grain, int64_t now)
{
	if (gw_sums_admit(s, grain, now))
		emit(o, h);
	else
		gw_sums_count(s, h, grain);
}

static void
so_many_a_minute_stay_whole_and_the_rest_is_counted(void **state)
{
	static struct out o;
	struct gw_sums *s = sums(100, &o);

	(void)state;
	for (unsigned i = 0; i < 1000; i++) {
		struct dvt_handshake h = one(i % 4,
		    i % 10 == 0 ? DVT_HS_DEVICE_REFUSED : DVT_HS_OK, 3600 * 5);

		take(s, &o, &h, GW_WHOLE, 3600 * 5);
	}
	assert_int_equal(o.n, 100);
	/* devices 0 and 2 have both outcomes, 1 and 3 one */
	assert_int_equal(gw_sums_waiting(s), 6);
	gw_sums_flush(s);
	assert_int_equal(o.n, 106);
	assert_int_equal(o.total, 1000);
	assert_string_equal(o.v[105].confidence, "certificate");
	assert_string_equal(o.v[105].address, "");
	/* a new minute */
	for (int i = 0; i < 50; i++) {
		struct dvt_handshake h = one(1, DVT_HS_OK, 3600 * 5 + 60);

		take(s, &o, &h, GW_WHOLE, 3600 * 5 + 60);
	}
	assert_int_equal(o.n, 156);
	gw_sums_free(s);
}

static void
hours_are_kept_apart_and_the_last_time_is_told(void **state)
{
	static struct out o;
	struct gw_sums *s = sums(0, &o);

	(void)state;
	for (int64_t at = 3600; at < 3 * 3600; at += 10) {
		struct dvt_handshake h = one(1, DVT_HS_OK, at);

		take(s, &o, &h, GW_WHOLE, at);
	}
	gw_sums_flush(s);
	assert_int_equal(o.n, 2);
	assert_int_equal(o.v[0].n, 360);
	assert_int_equal(o.v[1].n, 360);
	assert_int_equal(o.v[0].at + o.v[1].at, 7190 + 10790);
	gw_sums_free(s);
}

static void
without_names_what_remains_is_no_evidence(void **state)
{
	static struct out o;
	struct gw_sums *s = sums(1000, &o);

	(void)state;
	for (unsigned i = 0; i < 5000; i++) {
		struct dvt_handshake h = one(i, DVT_HS_OK, 3600);

		take(s, &o, &h, GW_TOTAL, 3600);
	}
	gw_sums_flush(s);
	assert_int_equal(o.n, 1);
	assert_int_equal(o.v[0].n, 5000);
	assert_string_equal(o.v[0].device, "");
	assert_string_equal(o.v[0].confidence, "none");
	assert_string_equal(o.v[0].serial, "0a");
	gw_sums_free(s);
}

static void
too_many_different_ones_go_out_early_and_none_is_lost(void **state)
{
	static struct out o;
	struct gw_sums *s = sums(0, &o);

	(void)state;
	for (unsigned i = 0; i < 9000; i++) {
		struct dvt_handshake h = one(i, DVT_HS_OK, 3600);

		take(s, &o, &h, GW_DEVICE, 3600);
		assert_true(gw_sums_waiting(s) <= 4096);
	}
	gw_sums_flush(s);
	assert_int_equal(o.total, 9000);
	gw_sums_free(s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(
		so_many_a_minute_stay_whole_and_the_rest_is_counted),
	    cmocka_unit_test(hours_are_kept_apart_and_the_last_time_is_told),
	    cmocka_unit_test(without_names_what_remains_is_no_evidence),
	    cmocka_unit_test(
		too_many_different_ones_go_out_early_and_none_is_lost),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
