/* SPDX-License-Identifier: Apache-2.0 */
#include "fleet/pins.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void
the_narrowest_trust_that_explains_what_was_seen(void **state)
{
	static const struct {
		const char *what;
		struct dvt_pin_seen seen[4];
		enum dvt_pins want;
	} rows[] = {
	    {"nothing was seen",					   {{0}},                    DVT_PINS_UNKNOWN},
	    {"one chain says nothing",                                     {{"1", "A", "O", 90, 0}},
             DVT_PINS_UNKNOWN											},
	    {"nor do two leaves of one issuer",
             {{"1", "A", "O", 9, 0}, {"2", "A", "O", 9, 0}},
             DVT_PINS_UNKNOWN											},
	    {"leaves of two issuers of one root",
             {{"1", "A", "O", 9, 0}, {"2", "B", "O", 1, 0}},                                         DVT_PINS_ROOT   },
	    {"leaves of two roots, by a cross-certificate or two anchors",
             {{"1", "A", "O", 9, 0}, {"2", "C", "N", 1, 0}},                                         DVT_PINS_ROOT   },
	    {"whatever was refused in between",
             {{"1", "A", "O", 9, 7}, {"2", "C", "N", 1, 0}},                                         DVT_PINS_ROOT   },
	    {"one refusal before it may be a stranger's",
             {{"1", "A", "O", 9, 1}},								DVT_PINS_UNKNOWN},
	    {"one leaf, others refused",                                   {{"1", "A", "O", 9, 2}},
             DVT_PINS_LEAF											   },
	    {"one leaf, once whole and once alone",
             {{"1", "A", "O", 5, 1}, {"1", "A", "O", 4, 1}},                                         DVT_PINS_LEAF   },
	    {"two leaves of one issuer, others refused",
             {{"1", "A", "O", 9, 0}, {"2", "A", "O", 9, 2}},
             DVT_PINS_INTERMEDIATE										   },
	    {"it took the next leaf as well: no longer a leaf's pin",
             {{"1", "A", "O", 9, 2}, {"2", "A", "O", 1, 0}},
             DVT_PINS_INTERMEDIATE										   },
	    {"an issuer that is not known proves no second one",
             {{"1", "A", "O", 9, 2}, {"2", "", "O", 1, 0}},                                          DVT_PINS_LEAF   },
	    {"nor does a chain that was never taken",
             {{"1", "A", "O", 9, 2}, {"2", "B", "O", 0, 0}},                                         DVT_PINS_LEAF   },
	};

	(void)state;
	for (size_t i = 0; i < DVT_COUNT(rows); i++) {
		size_t n = 0;
		enum dvt_pins got;

		while (n < 4 && rows[i].seen[n].serial != NULL)
			n++;
		got = dvt_pins_of(rows[i].seen, n);
		if (got != rows[i].want)
			fail_msg("%s: %s", rows[i].what, dvt_pins_name(got));
	}
}

static void
only_pins_have_a_reason(void **state)
{
	(void)state;
	for (int p = 0; p < DVT_PINS_N; p++)
		assert_int_equal(dvt_pins_reason((enum dvt_pins)p)[0] != '\0',
		    p == DVT_PINS_INTERMEDIATE || p == DVT_PINS_LEAF);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_narrowest_trust_that_explains_what_was_seen),
	    cmocka_unit_test(only_pins_have_a_reason),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
