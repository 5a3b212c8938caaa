/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/half_count.h"

#include "base/mem.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static void
what_each_worker_has_adds_up(void **state)
{
	static const struct {
		unsigned index;
		size_t n;
		int64_t now_ms;
		size_t all;
	} rows[] = {
	    {0, 10, 1000000,                    10},
	    {1, 5,  1000001,                    15},
	    {0, 11, 1000002,                    16},
	    {2, 1,  1000003,                    17},
	    {0, 0,  1000004,                    6 },
 /* who was silent for so long is gone with what it had */
	    {2, 1,  1000001 + GW_HALF_ALIVE_MS, 6 },
	    {2, 2,  1000002 + GW_HALF_ALIVE_MS, 2 },
	    {1, 0,  1000003 + GW_HALF_ALIVE_MS, 2 },
	};
	struct gw_half_count *h;

	(void)state;
	assert_int_equal(gw_half_count_new(3, &h, NULL), DVT_OK);
	assert_int_equal(gw_half_count_all(h, 1), 0);
	for (size_t i = 0; i < DVT_COUNT(rows); i++) {
		gw_half_count_set(h, rows[i].index, rows[i].n, rows[i].now_ms);
		assert_int_equal(
		    gw_half_count_all(h, rows[i].now_ms), rows[i].all);
	}
	gw_half_count_free(h);
}

static void
a_killed_worker_is_seen_by_the_others_and_then_forgotten(void **state)
{
	struct gw_half_count *h;
	pid_t child;

	(void)state;
	assert_int_equal(gw_half_count_new(2, &h, NULL), DVT_OK);
	gw_half_count_set(h, 0, 3, 10000);
	child = fork();
	if (child == 0) {
		gw_half_count_set(h, 1, 100, 10000);
		raise(SIGKILL);
	}
	assert_int_equal(waitpid(child, NULL, 0), child);
	assert_int_equal(gw_half_count_all(h, 10000), 103);
	gw_half_count_set(h, 0, 3, 10001 + GW_HALF_ALIVE_MS);
	assert_int_equal(gw_half_count_all(h, 10001 + GW_HALF_ALIVE_MS), 3);
	/* its successor begins with none, at once */
	gw_half_count_set(h, 1, 100, 20000);
	gw_half_count_set(h, 1, 0, 20000);
	gw_half_count_set(h, 0, 4, 20000);
	assert_int_equal(gw_half_count_all(h, 20000), 4);
	gw_half_count_free(h);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_each_worker_has_adds_up),
	    cmocka_unit_test(
		a_killed_worker_is_seen_by_the_others_and_then_forgotten),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
