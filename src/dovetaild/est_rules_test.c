/* SPDX-License-Identifier: Apache-2.0 */
#include "dovetaild/est_rules.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define NOW 1790000000 /* Unix seconds */
#define DAY 86400

/* CN=a as UTF8String and as PrintableString, CN=b, and nothing */
#define CN_A                                                                   \
	DVT_SPAN_LIT("\x30\x0c\x31\x0a\x30\x08\x06\x03\x55\x04\x03\x0c\x01"    \
		     "a")
#define CN_A_PRINTABLE                                                         \
	DVT_SPAN_LIT("\x30\x0c\x31\x0a\x30\x08\x06\x03\x55\x04\x03\x13\x01"    \
		     "a")
#define CN_B                                                                   \
	DVT_SPAN_LIT("\x30\x0c\x31\x0a\x30\x08\x06\x03\x55\x04\x03\x0c\x01"    \
		     "b")
#define NAMELESS DVT_SPAN_LIT("\x30\x00")
#define NOTHING  ((struct dvt_span){NULL, 0})
#define SAN_X    DVT_SPAN_LIT("\x30\x03\x82\x01x")
#define SAN_Y    DVT_SPAN_LIT("\x30\x03\x82\x01y")

static void
names_and_wishes_are_checked(void **state)
{
	static const struct {
		const char *why;
		bool reenroll, asks_ca;
		struct dvt_span subject, san, known_san;
		enum dvt_code code;
	} cases[] = {
	    {"the same",                 true,  false, CN_A,           SAN_X,   SAN_X,   DVT_OK     },
	    {"another string kind",      true,  false, CN_A_PRINTABLE, NOTHING, SAN_X,
             DVT_OK										 },
	    {"no alternative name",      true,  false, CN_A,           NOTHING, SAN_X,   DVT_OK     },
	    {"another subject",          true,  false, CN_B,           NOTHING, SAN_X,   DVT_E_INPUT},
	    {"no subject at enrolment",  false, false, NAMELESS,       NOTHING,
             NOTHING,								    DVT_OK     },
	    {"no subject at renewal",    true,  false, NAMELESS,       NOTHING, NOTHING,
             DVT_E_INPUT									    },
	    {"another alternative name", true,  false, CN_A,           SAN_Y,   SAN_X,
             DVT_E_INPUT									    },
	    {"one where none is known",  true,  false, CN_A,           SAN_X,   NOTHING,
             DVT_E_INPUT									    },
	    {"a CA",		     true,  true,  CN_A,           NOTHING, NOTHING, DVT_E_INPUT},
	};

	(void)state;
	for (size_t i = 0; i < DVT_COUNT(cases); i++) {
		struct est_request q = {.reenroll = cases[i].reenroll,
		    .asks_ca = cases[i].asks_ca,
		    .subject = cases[i].subject,
		    .san = cases[i].san};

		if (est_check_request(&q, CN_A, cases[i].known_san, NULL) !=
		    cases[i].code)
			fail_msg("%s", cases[i].why);
	}
}

static void
a_credential_speaks_until_its_hold_and_mending_end(void **state)
{
	static const struct {
		enum dvt_credential_state state;
		int64_t hold_until;
		enum dvt_code code;
	} cases[] = {
	    {DVT_CRED_ISSUED,     0,              DVT_OK      },
	    {DVT_CRED_ACTIVE,     0,              DVT_OK      },
	    {DVT_CRED_SUPERSEDED, NOW + 1,        DVT_OK      },
	    {DVT_CRED_SUPERSEDED, NOW - DAY,      DVT_OK      },
	    {DVT_CRED_SUPERSEDED, NOW - 31 * DAY, DVT_E_DENIED},
	    {DVT_CRED_REVOKED,    NOW + DAY,      DVT_E_DENIED},
	    {DVT_CRED_EXPIRED,    0,              DVT_E_DENIED},
	};

	(void)state;
	for (size_t i = 0; i < DVT_COUNT(cases); i++) {
		struct est_credential c = {.state = cases[i].state,
		    .hold_until = cases[i].hold_until,
		    .not_after = NOW + DAY};

		assert_int_equal(est_check_credential(&c, 30 * DAY, NOW, NULL),
		    cases[i].code);
	}
}

static void
renewal_has_a_window_and_instructions_open_it(void **state)
{
	struct est_credential c = {
	    .state = DVT_CRED_ACTIVE, .not_after = NOW + 33 * DAY};

	(void)state;
	assert_int_equal(est_window(&c, 30 * DAY, false, NOW), 3 * DAY);
	assert_int_equal(est_window(&c, 30 * DAY, true, NOW), 0);
	assert_int_equal(est_window(&c, 30 * DAY, false, NOW + 3 * DAY), 0);
	assert_int_equal(est_window(&c, 40 * DAY, false, NOW), 0);
	c.not_after = NOW + 700 * DAY;
	assert_int_equal(est_window(&c, 30 * DAY, false, NOW), EST_RETRY_MAX_S);
	c.state = DVT_CRED_SUPERSEDED;
	assert_int_equal(est_window(&c, 30 * DAY, false, NOW), 0);
}

static void
dates_stay_within_the_issuer_and_spread_by_owner(void **state)
{
	struct sign_profile p = {
	    .validity_s = 60 * DAY, .jitter_s = 10 * DAY, .backdate_s = DAY};
	int64_t last = est_last_issue(NOW + 3650L * DAY, 60 * DAY, 10 * DAY);
	struct est_dates a, again, b;

	(void)state;
	assert_int_equal(
	    est_dates(&p, "dev-1", "ca", NOW - 10, last, NOW, &a, NULL),
	    DVT_OK);
	assert_int_equal(a.not_before, NOW - 10);
	assert_in_range(a.not_after, NOW + 60 * DAY, NOW + 70 * DAY);
	assert_int_equal(est_dates(&p, "dev-1", "ca", NOW - 9 * DAY, last, NOW,
			     &again, NULL),
	    DVT_OK);
	assert_int_equal(again.not_before, NOW - DAY);
	assert_int_equal(again.not_after, a.not_after);
	assert_int_equal(
	    est_dates(&p, "dev-2", "ca", NOW - 10, last, NOW, &b, NULL),
	    DVT_OK);
	assert_int_not_equal(a.not_after, b.not_after);
	assert_int_equal(
	    est_dates(&p, "dev-1", "ca", NOW + 1, last, NOW, &a, NULL),
	    DVT_E_CONFLICT);
	assert_int_equal(
	    est_dates(&p, "dev-1", "ca", NOW - DAY, NOW - 1, NOW, &a, NULL),
	    DVT_E_CONFLICT);
}

static void
the_subject_that_is_wanted_is_told_as_a_program_takes_it(void **state)
{
	static const char
	    wanted[] = "serialNumber=7,CN=pump-7,O=Ex\\, Ltd,C=DE";
	struct est_request q = {.reenroll = true};
	struct dvt_buf asked, known, again;
	struct dvt_err err;
	char *end, *text;

	(void)state;
	dvt_buf_init(&asked, 1024);
	dvt_buf_init(&known, 1024);
	dvt_buf_init(&again, 1024);
	assert_int_equal(dvt_name_from_cn("pump-7", &asked, NULL), DVT_OK);
	assert_int_equal(dvt_name_from_text(wanted, &known, NULL), DVT_OK);
	q.subject = dvt_buf_span(&asked);
	assert_int_equal(est_check_request(&q, dvt_buf_span(&known),
			     (struct dvt_span){NULL, 0}, &err),
	    DVT_E_INPUT);
	text = strstr(err.text, "the inventory's \"");
	assert_non_null(text);
	text += strlen("the inventory's \"");
	end = strrchr(text, '"');
	assert_non_null(end);
	*end = '\0';
	assert_string_equal(text, wanted);
	assert_int_equal(dvt_name_from_text(text, &again, NULL), DVT_OK);
	assert_true(dvt_span_eq(dvt_buf_span(&again), dvt_buf_span(&known)));
	dvt_buf_fini(&asked);
	dvt_buf_fini(&known);
	dvt_buf_fini(&again);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(names_and_wishes_are_checked),
	    cmocka_unit_test(
		a_credential_speaks_until_its_hold_and_mending_end),
	    cmocka_unit_test(renewal_has_a_window_and_instructions_open_it),
	    cmocka_unit_test(
		the_subject_that_is_wanted_is_told_as_a_program_takes_it),
	    cmocka_unit_test(dates_stay_within_the_issuer_and_spread_by_owner),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
