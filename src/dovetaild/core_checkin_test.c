/* SPDX-License-Identifier: Apache-2.0 */
#include "dovetaild/core_fixture.h"
#include "pki/key.h"

#include "dovetaild/core_owner.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define CHECKIN "/v1/device/checkin"

static void
check_in(struct fixture *f, const char *fingerprint, const char *more)
{
	char *body = dvt_asprintf("{\"agent\": \"t/1\", \"time\": %" PRId64
				  ", \"bundle\": "
				  "{\"version\": 0, \"digest\": \"%064d\"}%s}",
	    dvt_time_now().wall_s + 7, 5, more);

	fixture_call(f, "POST", CHECKIN, "", fingerprint, body);
	free(body);
}

static void
the_first_check_in_under_a_certificate_completes_it(void **state)
{
	struct fixture *f = *state;
	char fp[DVT_DIGEST_HEX];

	fixture_enrol(f, "dev-1", fp);
	check_in(f, fp, "");
	assert_int_equal(f->answer.status, 200);
	assert_non_null(strstr(f->answer.body, "\"device\":\"dev-1\""));
	assert_int_equal(
	    fixture_number(f, "SELECT COUNT(*) FROM credential WHERE state = "
			      "'active' AND owner = 'dev-1'"),
	    1);
	assert_true(fixture_number(f, "SELECT used_at FROM enrol_secret") > 0);
	assert_in_range(
	    fixture_number(f, "SELECT clock_off_s FROM device"), 6, 8);
}

static void
the_successor_in_use_supersedes_and_the_former_is_held(void **state)
{
	struct fixture *f = *state;
	char fp[DVT_DIGEST_HEX], next[DVT_DIGEST_HEX];
	struct fixture_csr c;

	fixture_enrol(f, "dev-1", fp);
	check_in(f, fp, "");
	fixture_sql(f, "INSERT INTO mailbox (device_id, id, action, body, "
		       "rotation_id, created_at, told_at) VALUES ('dev-1', "
		       "'x-renew', 'renew', '{\"label\":\"device\"}', 0, 1, "
		       "0)");
	check_in(f, fp, "");
	assert_non_null(strstr(f->answer.body, "\"action\":\"renew\""));
	assert_non_null(strstr(f->answer.body, "\"label\":\"device\""));
	fixture_csr(&c, "dev-1");
	c.q.reenroll = true;
	memcpy(c.q.fingerprint, fp, sizeof(fp));
	fixture_est(f, &c.q);
	assert_int_equal(f->answer.status, 200);
	dvt_sha256_hex((struct dvt_span){(const uint8_t *)f->answer.body,
			   f->answer.body_n},
	    next);
	/* issued is not in use: the former stays what it is */
	assert_int_equal(
	    fixture_number(f, "SELECT COUNT(*) FROM credential WHERE state = "
			      "'superseded'"),
	    0);
	check_in(f, next,
	    ", \"done\": [{\"id\": \"x-renew\", \"outcome\": "
	    "\"ok\", \"detail\": \"\"}]");
	assert_int_equal(f->answer.status, 200);
	assert_int_equal(
	    fixture_number(f, "SELECT COUNT(*) FROM credential WHERE state = "
			      "'superseded' AND generation = 1 AND "
			      "hold_until > unixepoch() + 600000"),
	    1);
	assert_int_equal(fixture_number(f, "SELECT COUNT(*) FROM mailbox"), 0);
	/* and is still heard during its hold */
	check_in(f, fp, "");
	assert_int_equal(f->answer.status, 200);
	fixture_csr_fini(&c);
}

static void
bad_bodies_are_refused_by_the_field(void **state)
{
	static const struct {
		const char *body, *says;
	} cases[] = {
	    {"{}",							    "time"         },
	    {"{\"time\": 5}",						 "bundle"       },
	    {"{\"time\": \"5\", \"bundle\": {}}",                             "time"         },
	    {"{\"time\": 5, \"bundle\": {\"version\": 1}}",                   "digest"       },
	    {"{\"time\": 5, \"bundle\": {\"version\": 1, \"digest\": \"\"},"
	     " \"device\": \"other\"}",			  "device"       },
	    {"{\"time\": 5, \"bundle\": {\"version\": 0, \"digest\": "
	     "\"abcd\"}}",				       "bundle.digest"},
	    {"{\"time\": 5, \"bundle\": {\"version\": 1, \"digest\": \"\"}}",
             "bundle.digest"								 },
	    {"[]",							    ""             },
	    {"{\"time\": 5",						  ""             },
	    {"{\"time\": 5, \"bundle\": {\"version\": 0, \"digest\": \"\"},"
	     " \"steps\": [{\"id\": \"a\", \"step\": \"b\", \"at\": 1,"
	     " \"outcome\": \"Maybe\"}]}",		       "Maybe"        },
	};
	struct fixture *f = *state;
	char fp[DVT_DIGEST_HEX];

	fixture_enrol(f, "dev-1", fp);
	for (size_t i = 0; i < DVT_COUNT(cases); i++) {
		fixture_call(f, "POST", CHECKIN, "", fp, cases[i].body);
		if (f->answer.status != 400 ||
		    strstr(f->answer.body, cases[i].says) == NULL)
			fail_msg("%s: %d %s", cases[i].body, f->answer.status,
			    f->answer.body);
	}
	assert_int_equal(
	    fixture_number(f, "SELECT last_checkin_at FROM device"), 0);
}

static void
a_gateway_is_no_device_and_a_stranger_is_nobody(void **state)
{
	struct fixture *f = *state;
	char stranger[DVT_DIGEST_HEX];

	snprintf(stranger, sizeof(stranger), "%064d", 3);
	check_in(f, stranger, "");
	assert_int_equal(f->answer.status, 401);
	fixture_sql(f, "UPDATE credential SET fingerprint = "
		       "'0000000000000000000000000000000000000000000000000000"
		       "000000000003' WHERE owner = 'front-1'");
	check_in(f, stranger, "");
	assert_int_equal(f->answer.status, 403);
}

static void
steps_are_kept_once_and_told_as_events(void **state)
{
	static const char steps
	    [] = ", \"steps\": [{\"id\": \"certs-17\", \"step\": "
		 "\"CertRotationStarted\", \"target\": \"\", \"outcome\": "
		 "\"Start\", \"at\": 17}, {\"id\": \"certs-17\", \"step\": "
		 "\"CertRotationCompleted\", \"target\": \"2\", \"outcome\": "
		 "\"Succeed\", \"at\": 20}]";
	struct fixture *f = *state;
	char fp[DVT_DIGEST_HEX];

	fixture_enrol(f, "dev-1", fp);
	check_in(f, fp, steps);
	assert_int_equal(f->answer.status, 200);
	check_in(f, fp, steps);
	assert_int_equal(
	    fixture_number(f, "SELECT COUNT(*) FROM update_step"), 2);
	assert_int_equal(
	    fixture_number(f, "SELECT COUNT(*) FROM device_update WHERE "
			      "outcome = 'Succeed' AND finished_at = 20"),
	    1);
	assert_int_equal(
	    fixture_number(f, "SELECT COUNT(*) FROM event WHERE name LIKE "
			      "'CertRotation%'"),
	    2);
}

/* One step of an update, in a check-in. */
static void
tell_step(struct fixture *f, const char *fp, const char *id, const char *step,
    const char *outcome, size_t at)
{
	char text[256];

	snprintf(text, sizeof(text),
	    ", \"steps\": [{\"id\": \"%s\", \"step\": \"%s\", "
	    "\"outcome\": \"%s\", \"at\": %zu}]",
	    id, step, outcome, at);
	check_in(f, fp, text);
	assert_int_equal(f->answer.status, 200);
}

static void
an_event_says_completed_only_when_it_is(void **state)
{
	static const struct {
		const char *id, *step, *outcome, *name;
	} lines[] = {
	    {"certs-1",  "CertRotationStarted",      "Succeed",
             "CertRotationStarted"						  },
	    {"certs-1",  "Generate new certificate", "Start",   "UPDATE_STEP"       },
	    {"certs-1",  "CertRotationCompleted",    "Start",   "UPDATE_STEP"       },
	    {"certs-1",  "CertRotationCompleted",    "Succeed",
             "CertRotationCompleted"						},
	    {"certs-2",  "Try new credential",       "Fail",    "CertRotationFailed"},
	    {"certs-3",  "CertRotationCompleted",    "Fail",    "CertRotationFailed"},
	    {"bundle-4", "Load trust",               "Fail",    "UPDATE_STEP"       },
	};
	struct fixture *f = *state;
	char fp[DVT_DIGEST_HEX], text[256];

	fixture_enrol(f, "dev-1", fp);
	for (size_t i = 0; i < DVT_COUNT(lines); i++) {
		tell_step(
		    f, fp, lines[i].id, lines[i].step, lines[i].outcome, i + 1);
		snprintf(text, sizeof(text),
		    "SELECT COUNT(*) FROM event WHERE name = '%s' AND "
		    "correlation = '%s' AND body LIKE '%%%s%%%s%%' AND id = "
		    "(SELECT MAX(id) FROM event)",
		    lines[i].name, lines[i].id, lines[i].step,
		    lines[i].outcome);
		assert_int_equal(fixture_number(f, text), 1);
	}
}

/* A renewal has ended when it has; of trust the last word holds. */
static void
an_outcome_of_trust_is_the_last_that_was_told(void **state)
{
	static const struct {
		const char *id, *step, *told, *outcome;
	} lines[] = {
	    {"trust-1", "Load trust bundle",     "Succeed", "Succeed"},
	    {"trust-1", "Probe next chain",      "Fail",    "Fail"   },
	    {"trust-1", "Probe next chain",      "Succeed", "Succeed"},
	    {"certs-2", "Try new credential",    "Fail",    "Fail"   },
	    {"certs-2", "CertRotationCompleted", "Succeed", "Fail"   },
	};
	struct fixture *f = *state;
	char fp[DVT_DIGEST_HEX], text[256];

	fixture_enrol(f, "dev-1", fp);
	for (size_t i = 0; i < DVT_COUNT(lines); i++) {
		tell_step(
		    f, fp, lines[i].id, lines[i].step, lines[i].told, i + 1);
		snprintf(text, sizeof(text),
		    "SELECT COUNT(*) FROM device_update WHERE id = '%s' AND "
		    "outcome = '%s'",
		    lines[i].id, lines[i].outcome);
		assert_int_equal(fixture_number(f, text), 1);
	}
}

int
main(void)
{
#define T(t)                                                                   \
	cmocka_unit_test_setup_teardown(t, fixture_set_up, fixture_tear_down)
	const struct CMUnitTest tests[] = {
	    T(the_first_check_in_under_a_certificate_completes_it),
	    T(the_successor_in_use_supersedes_and_the_former_is_held),
	    T(bad_bodies_are_refused_by_the_field),
	    T(a_gateway_is_no_device_and_a_stranger_is_nobody),
	    T(steps_are_kept_once_and_told_as_events),
	    T(an_event_says_completed_only_when_it_is),
	    T(an_outcome_of_trust_is_the_last_that_was_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
