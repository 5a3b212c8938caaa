/* SPDX-License-Identifier: Apache-2.0 */
#include "fleet/deadline.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define DAY  86400
#define CUR  DVT_GWSLOT_CURRENT
#define PREV DVT_GWSLOT_PREVIOUS
#define REC  DVT_GWSLOT_RECOVERY

/* Days on a clock that is moved by hand; the first one is looked at. */
static void
the_last_certificate_of_a_root_is_near_its_end_for_14_days(void **state)
{
	static const struct {
		const char *what;
		struct dvt_shown shown[3]; /* not_after: in days */
		int64_t near_from;         /* day; -1: never */
	} rows[] = {
	    {"alone",				       {{"O", CUR, 100}},                   86 },
	    {"after the switch too",                        {{"O", PREV, 100}, {"N", CUR, 700}}, 86 },
	    {"another of its root lasts longer",
             {{"O", PREV, 100}, {"O", REC, 160}},                                                -1 },
	    {"it lasts longest",                            {{"O", REC, 160}, {"O", PREV, 100}}, 146},
	    {"two end together: once",                      {{"O", CUR, 90}, {"O", REC, 90}},    76 },
	    {"one that is ordered does not help yet",
             {{"O", CUR, 100}, {"O", DVT_GWSLOT_ORDERED, 0}},                                    86 },
	    {"nor one that is only shown at the next name",
             {{"O", CUR, 100}, {"O", DVT_GWSLOT_NEXT, 300}},                                     86 },
	    {"what is gone has no end",                     {{"O", DVT_GWSLOT_GONE, 10}},        -1 },
	    {"nor what is of no known root",                {{"", CUR, 10}},                     -1 },
	};

	(void)state;
	for (size_t i = 0; i < DVT_COUNT(rows); i++) {
		struct dvt_shown s[3];
		int64_t from = -1;
		size_t n = 0;

		for (; n < 3 && rows[i].shown[n].root != NULL; n++) {
			s[n] = rows[i].shown[n];
			s[n].not_after *= DAY;
		}
		for (int64_t day = 0; day < 400 && from < 0; day++)
			if (dvt_deadline_near(s, n, 0, day * DAY))
				from = day;
		if (from != rows[i].near_from)
			fail_msg("%s: from day %d", rows[i].what, (int)from);
	}
}

static void
it_is_renewed_where_the_key_is_held_and_paged_where_not(void **state)
{
	static const struct dvt_shown s = {"O", PREV, 0};

	(void)state;
	assert_int_equal(dvt_deadline_do(true, true), DVT_DEADLINE_RENEW);
	assert_int_equal(dvt_deadline_do(true, false), DVT_DEADLINE_PAGE);
	assert_int_equal(dvt_deadline_do(false, true), DVT_DEADLINE_NONE);
	assert_int_equal(dvt_deadline_do(false, false), DVT_DEADLINE_NONE);
	assert_int_equal(dvt_deadline_slot(&s, "O"), CUR);
	assert_int_equal(dvt_deadline_slot(&s, "N"), REC);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(
		the_last_certificate_of_a_root_is_near_its_end_for_14_days),
	    cmocka_unit_test(
		it_is_renewed_where_the_key_is_held_and_paged_where_not),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
