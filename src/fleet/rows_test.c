/* SPDX-License-Identifier: Apache-2.0 */
#include "fleet/rows.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void
names_go_there_and_back(void **state)
{
	for (int i = 0; i < DVT_ASG_N; i++) {
		enum dvt_assignment_state s = (enum dvt_assignment_state)i;

		assert_int_equal(dvt_assignment_state_from_name(
				     dvt_assignment_state_name(s)),
		    s);
	}
	assert_int_equal(dvt_phase_from_name("observe"), DVT_PHASE_OBSERVE);
	assert_string_equal(dvt_phase_name(DVT_PHASE_RETIRE), "retire");
}

static void
a_name_that_is_none_is_told(void **state)
{
	assert_int_equal(dvt_phase_from_name("Observe"), DVT_PHASE_N);
	assert_int_equal(dvt_phase_from_name(NULL), DVT_PHASE_N);
	assert_string_equal(dvt_phase_name(DVT_PHASE_N), "?");
}

static void
stored_lists_have_no_name_twice(void **state)
{
	for (size_t i = 0; i < dvt_stored_n; i++) {
		const struct dvt_stored *s = &dvt_stored[i];

		for (size_t a = 0; a < s->n; a++)
			for (size_t b = a + 1; b < s->n; b++)
				if (strcmp(s->names[a], s->names[b]) == 0)
					fail_msg("%s.%s: %s twice", s->table,
					    s->column, s->names[a]);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(names_go_there_and_back),
	    cmocka_unit_test(a_name_that_is_none_is_told),
	    cmocka_unit_test(stored_lists_have_no_name_twice),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
