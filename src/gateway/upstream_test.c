/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/upstream.h"

#include "ipc/fields.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void
fill(struct gw_upstreams *u, size_t n)
{
	struct dvt_err err;

	memset(u, 0, sizeof(*u));
	for (size_t i = 0; i < n; i++) {
		char text[40];

		snprintf(text, sizeof(text), "mqtt:127.0.0.1:%zu", 2000 + i);
		if (gw_upstreams_add(u, text, NULL, &err) != DVT_OK)
			fail_msg("%s", err.text);
	}
}

static struct gw_upstream *
first(struct gw_upstreams *u, const char *device, int64_t now_ms)
{
	uint32_t tried = 0;

	return gw_upstreams_pick(u, device, &tried, now_ms);
}

static void
items_are_read_and_bad_ones_refused(void **state)
{
	static const char *const good[] = {"tcp:127.0.0.1:1883",
	    "127.0.0.1:1883", "unix:/run/broker", "tcp:[::1]:1"};
	static const char *const bad[] = {
	    "", "tcp:", "tcp:127.0.0.1", "127.0.0.1:99999", "mqtt:"};
	struct gw_upstreams u;
	struct dvt_err err;

	(void)state;
	for (size_t i = 0; i < DVT_COUNT(good); i++) {
		memset(&u, 0, sizeof(u));
		assert_int_equal(
		    gw_upstreams_add(&u, good[i], NULL, &err), DVT_OK);
		assert_false(u.mqtt);
	}
	for (size_t i = 0; i < DVT_COUNT(bad); i++) {
		memset(&u, 0, sizeof(u));
		if (gw_upstreams_add(&u, bad[i], NULL, &err) == DVT_OK)
			fail_msg("taken: \"%s\"", bad[i]);
		assert_int_equal(u.n, 0);
	}
	fill(&u, 2);
	assert_true(u.mqtt);
	assert_int_equal(
	    gw_upstreams_add(&u, "tcp:127.0.0.1:1", NULL, &err), DVT_E_INPUT);
	fill(&u, GW_UPSTREAMS_MAX);
	assert_int_equal(
	    gw_upstreams_add(&u, "mqtt:127.0.0.1:1", NULL, &err), DVT_E_LIMIT);
}

static void
devices_spread_evenly_and_only_those_of_a_lost_one_move(void **state)
{
	struct gw_upstreams u;
	unsigned share[4] = {0}, moved = 0;

	(void)state;
	fill(&u, 4);
	for (unsigned i = 0; i < 4000; i++) {
		char device[24];
		struct gw_upstream *was, *is;

		snprintf(device, sizeof(device), "dev-%05u", i);
		was = first(&u, device, 0);
		share[was - u.one]++;
		u.one[3].rests_until_ms = 100;
		is = first(&u, device, 0);
		assert_ptr_not_equal(is, &u.one[3]);
		if (was != &u.one[3])
			assert_ptr_equal(is, was);
		else
			moved++;
		u.one[3].rests_until_ms = 0;
	}
	for (size_t i = 0; i < 4; i++)
		assert_in_range(share[i], 850, 1150);
	assert_int_equal(moved, share[3]);
}

static void
each_choice_is_another_and_those_at_rest_come_last(void **state)
{
	struct gw_upstreams u;
	struct gw_upstream *seen[3];
	uint32_t tried = 0;

	(void)state;
	fill(&u, 3);
	u.one[1].rests_until_ms = 50;
	for (size_t i = 0; i < 3; i++)
		seen[i] = gw_upstreams_pick(&u, "dev-1", &tried, 10);
	assert_null(gw_upstreams_pick(&u, "dev-1", &tried, 10));
	tried = 0; /* the first fails meanwhile: the next is another still */
	seen[0] = gw_upstreams_pick(&u, "dev-1", &tried, 10);
	seen[0]->rests_until_ms = 1000;
	assert_ptr_equal(gw_upstreams_pick(&u, "dev-1", &tried, 10), seen[1]);
	seen[0]->rests_until_ms = 0;
	assert_ptr_not_equal(seen[0], seen[1]);
	assert_ptr_equal(seen[2], &u.one[1]);
}

static void
rests_grow_up_to_a_limit_and_end_with_success(void **state)
{
	static const int64_t want[] = {
	    1000, 2000, 4000, 8000, 16000, 30000, 30000};
	struct gw_upstream u = {0};
	int64_t now = 0;

	(void)state;
	for (size_t i = 0; i < DVT_COUNT(want); i++) {
		gw_upstream_failed(&u, now);
		gw_upstream_failed(&u, now); /* of the same moment */
		assert_int_equal(u.rests_until_ms, now + want[i]);
		now = u.rests_until_ms;
		assert_false(gw_upstream_rests(&u, now));
	}
	gw_upstream_well(&u);
	gw_upstream_failed(&u, now);
	assert_int_equal(u.rests_until_ms, now + 1000);
}

static struct dvt_addr
addr(const char *text)
{
	struct dvt_addr a;

	assert_int_equal(dvt_addr_parse(text, &a, NULL), DVT_OK);
	return a;
}

static void
addresses_reach_a_copy_and_other_lists_are_refused(void **state)
{
	struct gw_upstreams a, b, small;
	struct dvt_fields in;
	struct dvt_buf body;

	(void)state;
	fill(&a, 3);
	fill(&b, 3);
	fill(&small, 2);
	assert_false(gw_upstream_is_named(&a.one[0]));
	a.one[1].addr[0] = addr("192.0.2.1:2001");
	a.one[1].addr[1] = addr("[2001:db8::1]:2001");
	a.one[1].addr_n = 2;
	gw_upstream_failed(&b.one[0], 5);
	gw_upstream_failed(&b.one[1], 5);
	dvt_buf_init(&body, 65536);
	gw_upstreams_put(&a, &body);
	in = dvt_fields_of(dvt_buf_span(&body));
	assert_true(gw_upstreams_get(&b, &in));
	assert_int_equal(dvt_fields_end(&in, "names", NULL), DVT_OK);
	assert_int_equal(b.one[1].addr_n, 2);
	assert_memory_equal(
	    b.one[1].addr, a.one[1].addr, 2 * sizeof(a.one[1].addr[0]));
	assert_int_equal(b.one[0].failures, 1); /* the same as before */
	assert_int_equal(b.one[1].failures, 0); /* another now */
	in = dvt_fields_of(dvt_buf_span(&body));
	assert_false(gw_upstreams_get(&small, &in));
	for (size_t n = 0; n < body.n; n++) { /* cut off anywhere */
		fill(&b, 3);
		in = dvt_fields_of((struct dvt_span){body.p, n});
		if (gw_upstreams_get(&b, &in))
			assert_int_not_equal(
			    dvt_fields_end(&in, "names", NULL), DVT_OK);
		for (size_t i = 0; i < 3; i++)
			assert_in_range(b.one[i].addr_n, 1, GW_UPSTREAM_ADDRS);
	}
	dvt_buf_fini(&body);
}

static void
a_name_is_asked_again_and_no_answer_changes_nothing(void **state)
{
	struct gw_upstreams u = {.n = 0}, again = {.n = 0};
	struct gw_upstream before;
	bool changed = true;

	(void)state;
	assert_int_equal(
	    gw_upstreams_add(&u, "tcp:localhost:1883", NULL, NULL), DVT_OK);
	assert_true(gw_upstream_is_named(&u.one[0]));
	assert_int_equal(
	    gw_upstream_resolve(&u.one[0], &changed, NULL), DVT_OK);
	assert_false(changed);
	before = u.one[0];
	u.one[0].addr[0] = addr("192.0.2.1:1883");
	assert_int_equal(
	    gw_upstream_resolve(&u.one[0], &changed, NULL), DVT_OK);
	assert_true(changed);
	assert_memory_equal(u.one[0].addr, before.addr, sizeof(before.addr[0]));
	(void)snprintf(u.one[0].text, sizeof(u.one[0].text),
	    "tcp:no-such-host.invalid:1883");
	assert_int_not_equal(
	    gw_upstream_resolve(&u.one[0], &changed, NULL), DVT_OK);
	assert_false(changed);
	assert_int_equal(u.one[0].addr_n, before.addr_n);
	/* nor does a reload ask for what is known */
	assert_int_equal(
	    gw_upstreams_add(&again, u.one[0].text, &u, NULL), DVT_OK);
	assert_int_equal(again.one[0].addr_n, before.addr_n);
	assert_memory_equal(
	    again.one[0].addr, before.addr, sizeof(before.addr[0]));
	assert_int_not_equal(
	    gw_upstreams_add(&again, "tcp:other-host.invalid:1883", &u, NULL),
	    DVT_OK);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(items_are_read_and_bad_ones_refused),
	    cmocka_unit_test(
		devices_spread_evenly_and_only_those_of_a_lost_one_move),
	    cmocka_unit_test(
		each_choice_is_another_and_those_at_rest_come_last),
	    cmocka_unit_test(
		addresses_reach_a_copy_and_other_lists_are_refused),
	    cmocka_unit_test(
		a_name_is_asked_again_and_no_answer_changes_nothing),
	    cmocka_unit_test(rests_grow_up_to_a_limit_and_end_with_success),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
