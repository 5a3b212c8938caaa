/* SPDX-License-Identifier: Apache-2.0 */
#include "loop/verdict_cache.h"

#include "base/span.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <string.h>

#define NOW 1000000

static const struct dvt_verdict_dates dates = {NOW - 100, NOW + 100};

static const uint8_t *
leaf(unsigned n)
{
	static uint8_t id[DVT_VERDICT_KEY];

	memset(id, 0, sizeof(id));
	memcpy(id, &n, sizeof(n)); /* neighbours lie in neighbour sets */
	return id;
}

static bool
knows(struct dvt_verdict_cache *v, unsigned n, int64_t now)
{
	struct dvt_verdict_dates got = {0};
	bool is = dvt_verdict_cache_get(v, leaf(n), now, &got);

	if (is) {
		assert_int_equal(got.not_before, dates.not_before);
		assert_int_equal(got.not_after, dates.not_after);
	}
	return is;
}

static void
what_was_put_is_found_and_nothing_else(void **state)
{
	struct dvt_verdict_cache *v = dvt_verdict_cache_new(64);
	uint8_t near[DVT_VERDICT_KEY];
	struct dvt_verdict_dates got;

	assert_false(knows(v, 0, NOW)); /* an empty line is not leaf zero */
	dvt_verdict_cache_put(v, leaf(1), &dates);
	assert_true(knows(v, 1, NOW));
	assert_false(knows(v, 2, NOW));
	memcpy(near, leaf(1), sizeof(near));
	near[DVT_VERDICT_KEY - 1] ^= 1; /* the same set, another digest */
	assert_false(dvt_verdict_cache_get(v, near, NOW, &got));
	dvt_verdict_cache_free(v);
}

static void
dates_of_the_path_bound_a_verdict_at_both_ends(void **state)
{
	static const struct {
		int64_t now;
		bool good;
	} cases[] = {
	    {NOW - 101, false},
	    {NOW - 100, true },
	    {NOW + 100, true },
	    {NOW + 101, false},
	    {INT64_MAX, false},
	    {0,         false},
	};
	struct dvt_verdict_cache *v = dvt_verdict_cache_new(8);

	dvt_verdict_cache_put(v, leaf(7), &dates);
	for (size_t i = 0; i < DVT_COUNT(cases); i++)
		assert_int_equal(knows(v, 7, cases[i].now), cases[i].good);
	dvt_verdict_cache_free(v);
}

static void
a_change_of_trust_ends_every_verdict(void **state)
{
	struct dvt_verdict_cache *v = dvt_verdict_cache_new(64);

	for (unsigned n = 0; n < 32; n++)
		dvt_verdict_cache_put(v, leaf(n), &dates);
	dvt_verdict_cache_forget(v);
	for (unsigned n = 0; n < 32; n++)
		assert_false(knows(v, n, NOW));
	dvt_verdict_cache_put(v, leaf(3), &dates);
	assert_true(knows(v, 3, NOW));
	assert_false(knows(v, 4, NOW));
	dvt_verdict_cache_free(v);
}

static void
a_full_set_gives_up_the_one_used_longest_ago(void **state)
{
	struct dvt_verdict_cache *v = dvt_verdict_cache_new(8); /* one set */

	for (unsigned n = 0; n < 8; n++)
		dvt_verdict_cache_put(v, leaf(n), &dates);
	assert_true(knows(v, 0, NOW)); /* now 1 is the oldest */
	dvt_verdict_cache_put(v, leaf(8), &dates);
	assert_false(knows(v, 1, NOW));
	assert_true(knows(v, 0, NOW));
	for (unsigned n = 2; n <= 8; n++)
		assert_true(knows(v, n, NOW));
	dvt_verdict_cache_free(v);
}

static void
putting_again_renews_a_line_and_takes_no_second(void **state)
{
	struct dvt_verdict_cache *v = dvt_verdict_cache_new(8);
	struct dvt_verdict_dates shorter = {NOW, NOW + 1}, got;

	for (unsigned n = 0; n < 8; n++)
		dvt_verdict_cache_put(v, leaf(n), &dates);
	dvt_verdict_cache_put(v, leaf(5), &shorter);
	assert_true(dvt_verdict_cache_get(v, leaf(5), NOW, &got));
	assert_int_equal(got.not_after, NOW + 1);
	for (unsigned n = 0; n < 8; n++)
		if (n != 5)
			assert_true(knows(v, n, NOW));
	dvt_verdict_cache_free(v);
}

static void
a_flood_of_certificates_stays_within_its_lines(void **state)
{
	struct dvt_verdict_cache *v = dvt_verdict_cache_new(64);
	unsigned known = 0;

	for (unsigned n = 0; n < 10000; n++)
		dvt_verdict_cache_put(v, leaf(n), &dates);
	for (unsigned n = 0; n < 10000; n++)
		known += knows(v, n, NOW);
	assert_int_equal(known, 64);
	assert_true(knows(v, 9999, NOW));
	dvt_verdict_cache_free(v);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_was_put_is_found_and_nothing_else),
	    cmocka_unit_test(dates_of_the_path_bound_a_verdict_at_both_ends),
	    cmocka_unit_test(a_change_of_trust_ends_every_verdict),
	    cmocka_unit_test(a_full_set_gives_up_the_one_used_longest_ago),
	    cmocka_unit_test(putting_again_renews_a_line_and_takes_no_second),
	    cmocka_unit_test(a_flood_of_certificates_stays_within_its_lines),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
