/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/pulse.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static void
what_the_parent_sees_is_told_for_a_while(void **state)
{
	struct gw_pulse *p;
	char text[GW_PULSE_TEXT];

	(void)state;
	assert_int_equal(gw_pulse_new(&p, NULL), DVT_OK);
	assert_null(gw_pulse_doubt(p, 2, 0, 5000, text));
	gw_pulse_silent(p, GW_PROCESS_WORKER, 1, GW_PULSE_SILENT_MS - 1);
	assert_false(gw_pulse_is_silent(p, 1));
	assert_null(gw_pulse_doubt(p, 2, 0, 5000, text));
	if (fork() == 0) { /* it is another process that asks */
		gw_pulse_silent(p, GW_PROCESS_WORKER, 1, 7000);
		gw_pulse_replaced(p, GW_PROCESS_FEED, 0, 4990);
		_exit(0);
	}
	(void)wait(NULL);
	assert_true(gw_pulse_is_silent(p, 1));
	assert_false(gw_pulse_is_silent(p, 0));
	assert_string_equal(gw_pulse_doubt(p, 2, 0, 5000, text),
	    "feed did not answer and was replaced 10 s ago");
	assert_string_equal(gw_pulse_doubt(p, 2, 1, 5000, text),
	    "worker-2 does not answer for 7 s");
	assert_null(gw_pulse_doubt(p, 2, 2, 5000, text));
	gw_pulse_replaced(p, GW_PROCESS_WORKER, 1, 5001);
	gw_pulse_silent(p, GW_PROCESS_WORKER, 1, 0);
	assert_string_equal(
	    gw_pulse_doubt(p, 2, 0, 4990 + GW_PULSE_TOLD_S + 1, text),
	    "worker-2 did not answer and was replaced 590 s ago");
	assert_null(gw_pulse_doubt(p, 2, 0, 5001 + GW_PULSE_TOLD_S + 1, text));
	assert_int_equal(gw_pulse_count(p, GW_PROCESS_FEED), 1);
	assert_int_equal(gw_pulse_count(p, GW_PROCESS_WORKER), 1);
	gw_pulse_free(p);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_the_parent_sees_is_told_for_a_while),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
