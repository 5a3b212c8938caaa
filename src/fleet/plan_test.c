/* SPDX-License-Identifier: Apache-2.0 */
#include "fleet/plan.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define CA "\"kind\":\"server-ca\",\"from\":\"old\",\"to\":\"new\""

static void
what_is_left_out_gets_the_defaults(void **state)
{
	struct dvt_plan p;

	assert_int_equal(
	    dvt_plan_parse(dvt_span_str("{" CA "}"), &p, NULL), DVT_OK);
	assert_int_equal(p.kind, DVT_ROT_SERVER_CA);
	assert_int_equal(p.overlap_min_s, 7 * 86400);
	assert_int_equal(p.wave_min_s, 86400);
	assert_int_equal(p.observe_min_s, 7 * 86400);
	assert_int_equal(p.hold_s, 7 * 86400);
	assert_int_equal(p.success_ppm, 990000);
	assert_string_equal(p.pilot_gateway, "");
	dvt_plan_fini(&p);
}

static void
a_plan_reads_back_what_it_writes_and_keeps_its_digest(void **state)
{
	static const char text[] =
	    "{" CA ",\"overlap_min_s\":0,\"pilot_gateway\":\"gw-1\","
	    "\"pilot_devices\":[\"dev-1\",\"dev-2\"],"
	    "\"except\":[{\"device\":\"dev-9\",\"reason\":\"in repair\"}]}";
	char first[DVT_DIGEST_HEX], second[DVT_DIGEST_HEX];
	struct dvt_plan p, q;
	struct dvt_buf b;

	dvt_buf_init(&b, DVT_PLAN_MAX);
	assert_int_equal(dvt_plan_parse(dvt_span_str(text), &p, NULL), DVT_OK);
	dvt_plan_format(&p, &b);
	assert_int_equal(dvt_plan_parse(dvt_buf_span(&b), &q, NULL), DVT_OK);
	dvt_plan_digest(&p, first);
	dvt_plan_digest(&q, second);
	assert_string_equal(first, second);
	assert_true(dvt_plan_pilots(&q, "dev-2"));
	assert_false(dvt_plan_pilots(&q, "dev-9"));
	assert_string_equal(dvt_plan_excepts(&q, "dev-9"), "in repair");
	assert_null(dvt_plan_excepts(&q, "dev-1"));
	q.wave_min_s++;
	dvt_plan_digest(&q, second);
	assert_string_not_equal(first, second);
	dvt_plan_fini(&p);
	dvt_plan_fini(&q);
	dvt_buf_fini(&b);
}

static void
a_bad_plan_is_refused_by_the_name_of_its_field(void **state)
{
	static const struct {
		const char *json, *names;
	} bad[] = {
	    {"{}",						       "kind"            },
	    {"{\"kind\":\"server\"}",                                    "server-ca"       },
	    {"{\"kind\":\"trust-key\",\"to\":\"x\"}",                    "trust-key"       },
	    {"{\"kind\":\"server-ca\",\"from\":\"old\"}",                "to"              },
	    {"{\"kind\":\"server-ca\",\"to\":\"new\"}",                  "from"            },
	    {"{\"kind\":\"device-ca\",\"from\":\"a\",\"to\":\"a\"}",     "both"            },
	    {"{" CA ",\"speed\":1}",				     "speed"           },
	    {"{" CA ",\"overlap_min_s\":-1}",                            "overlap_min_s"   },
	    {"{" CA ",\"overlap_min_s\":\"1\"}",                         "overlap_min_s"   },
	    {"{" CA ",\"success_ppm\":1000001}",                         "success_ppm"     },
	    {"{" CA ",\"success_ppm\":1}",                               "success_ppm"     },
	    {"{" CA ",\"failure_min\":0}",                               "failure_min"     },
	    {"{" CA ",\"forced\":true}",                                 "forced"          },
	    {"{" CA ",\"gateway\":\"gw-1\"}",                            "gateway"         },
	    {"{" CA ",\"pilot_devices\":[1]}",                           "pilot_devices[0]"},
	    {"{" CA ",\"pilot_devices\":[\"a\",\"a\"]}",                 "twice"           },
	    {"{" CA ",\"except\":[{\"device\":\"a\"}]}",                 "except[0]"       },
	    {"{" CA ",\"except\":[{\"device\":\"a\",\"reason\":\"\"}]}",
             "reason"								      },
	    {"{" CA ",\"except\":[{\"device\":\"a\",\"reason\":\"b\","
	     "\"until\":1}]}",			      "until"           },
	    {"{" CA ",\"pilot_devices\":[\"a\"],\"except\":[{\"device\":\"a\","
	     "\"reason\":\"b\"}]}",			 "pilot"           },
	    {"[]",						       "object"          },
	};

	for (size_t i = 0; i < DVT_COUNT(bad); i++) {
		struct dvt_plan p;
		struct dvt_err err = {0};

		if (dvt_plan_parse(dvt_span_str(bad[i].json), &p, &err) !=
			DVT_E_INPUT ||
		    strstr(err.text, bad[i].names) == NULL)
			fail_msg("%s: '%s'", bad[i].json, err.text);
		assert_null(p.except);
	}
}

static void
only_rotations_of_trust_have_overlap_and_retire(void **state)
{
	assert_true(dvt_plan_has(DVT_ROT_SERVER_CA, DVT_PHASE_OVERLAP));
	assert_true(dvt_plan_has(DVT_ROT_DEVICE_CA, DVT_PHASE_RETIRE));
	assert_false(dvt_plan_has(DVT_ROT_SERVER_CERT, DVT_PHASE_OVERLAP));
	assert_false(dvt_plan_has(DVT_ROT_RENEWAL, DVT_PHASE_RETIRE));
	assert_true(dvt_plan_has(DVT_ROT_RENEWAL, DVT_PHASE_WAVES));
}

static void
the_last_safe_day_is_before_the_first_end_by_the_length_of_the_plan(
    void **state)
{
	static const int64_t ends[] = {900000, 0, 500000};
	struct dvt_plan p = {.kind = DVT_ROT_SERVER_CA,
	    .overlap_min_s = 1000,
	    .wave_min_s = 100,
	    .observe_min_s = 10};

	assert_int_equal(dvt_plan_last_safe(&p, ends, 3), 500000 - 1210);
	p.kind = DVT_ROT_RENEWAL;
	assert_int_equal(dvt_plan_last_safe(&p, ends, 3), 500000 - 210);
	assert_int_equal(dvt_plan_last_safe(&p, ends, 0), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_is_left_out_gets_the_defaults),
	    cmocka_unit_test(
		a_plan_reads_back_what_it_writes_and_keeps_its_digest),
	    cmocka_unit_test(a_bad_plan_is_refused_by_the_name_of_its_field),
	    cmocka_unit_test(only_rotations_of_trust_have_overlap_and_retire),
	    cmocka_unit_test(
		the_last_safe_day_is_before_the_first_end_by_the_length_of_the_plan),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
