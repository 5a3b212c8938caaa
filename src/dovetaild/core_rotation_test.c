/* SPDX-License-Identifier: Apache-2.0 */
/* Whole rotations through core, from a plan to their end. */
#include "dovetaild/core_fleet_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static void
server_ca_goes_from_plan_to_done(void **state)
{
	struct fixture *f = *state;
	struct fleet x;

	fleet_set_up(&x, f);
	fleet_must(&x, "rotation.plan",
	    "{\"kind\":\"server-ca\",\"from\":\"old\",\"to\":"
	    "\"new\"," FLEET_AT_ONCE "}");
	fleet_must(&x, "rotation.start", "{\"id\":1}");
	fleet_run(&x, 1, "done", true);
	assert_int_equal(fixture_number(f, "SELECT COUNT(*) FROM bundle"), 4);
	assert_int_equal(
	    fixture_number(f, "SELECT COUNT(*) FROM outbox WHERE state <> "
			      "'done' AND rotation_id = 1"),
	    1); /* authorities, of this very moment */
	fleet_look(&x);
	fleet_look(&x);
	assert_int_equal(
	    fixture_number(
		f, "SELECT COUNT(*) FROM outbox WHERE state <> 'done'"),
	    0);
	assert_int_equal(
	    fixture_number(f, "SELECT COUNT(*) FROM assignment WHERE state = "
			      "'confirmed'"),
	    FLEET_DEVICES);
	assert_int_equal(fixture_number(f, "SELECT COUNT(*) FROM mailbox"), 0);
	assert_int_equal(
	    fixture_number(f, "SELECT COUNT(*) FROM gateway_credential WHERE "
			      "slot = 'current' AND root = (SELECT fingerprint "
			      "FROM authority WHERE name = 'new')"),
	    4);
	assert_int_equal(
	    fixture_number(f, "SELECT COUNT(*) FROM gateway_credential WHERE "
			      "slot <> 'gone' AND root = (SELECT fingerprint "
			      "FROM authority WHERE name = 'old')"),
	    0);
	assert_int_equal(
	    fixture_number(f, "SELECT use_server FROM authority WHERE name = "
			      "'old'"),
	    0);
	assert_int_equal(
	    fixture_number(f, "SELECT COUNT(DISTINCT used_at > 0) FROM "
			      "approval"),
	    1);
	/* phases each once, in order */
	assert_int_equal(fixture_number(f, "SELECT COUNT(*) FROM phase"), 7);
}

static void
device_ca_goes_from_plan_to_done(void **state)
{
	struct fixture *f = *state;
	char late[DVT_DIGEST_HEX];
	struct fleet x;

	fleet_set_up(&x, f);
	fleet_must(&x, "rotation.plan",
	    "{\"kind\":\"device-ca\",\"from\":\"root\",\"to\":"
	    "\"new\"," FLEET_AT_ONCE "}");
	fleet_must(&x, "rotation.start", "{\"id\":1}");
	fleet_run(&x, 1, "done", true);
	assert_int_equal(
	    fixture_number(f, "SELECT COUNT(*) FROM assignment WHERE state = "
			      "'confirmed' AND edge_at > 0"),
	    FLEET_DEVICES);
	assert_int_equal(
	    fixture_number(f, "SELECT COUNT(*) FROM credential WHERE state = "
			      "'active' AND owner_kind = 'device' AND root = "
			      "(SELECT fingerprint FROM authority WHERE name = "
			      "'new')"),
	    FLEET_DEVICES);
	assert_int_equal(
	    fixture_number(f, "SELECT COUNT(*) FROM credential WHERE state = "
			      "'superseded' AND denied_at > 0 AND owner_kind = "
			      "'device'"),
	    FLEET_DEVICES);
	assert_int_equal(
	    fixture_number(f, "SELECT COUNT(*) FROM feed WHERE kind = 'deny' "
			      "AND body IS NOT NULL"),
	    FLEET_DEVICES);
	/* and who enrols now gets a certificate of the new one */
	fleet_look(&x);
	fleet_look(&x);
	fixture_enrol(f, "dev-late", late);
	assert_int_equal(
	    fixture_number(f, "SELECT COUNT(*) FROM credential WHERE owner = "
			      "'dev-late' AND root = (SELECT fingerprint FROM "
			      "authority WHERE name = 'new')"),
	    1);
}

static void
a_renewal_goes_from_plan_to_done_under_the_same_root(void **state)
{
	struct fixture *f = *state;
	struct fleet x;

	fleet_set_up(&x, f);
	fleet_must(
	    &x, "rotation.plan", "{\"kind\":\"renewal\"," FLEET_AT_ONCE "}");
	fleet_must(&x, "rotation.start", "{\"id\":1}");
	fleet_run(&x, 1, "done", false);
	fleet_look(&x);
	fleet_look(&x);
	assert_int_equal(
	    fixture_number(f, "SELECT COUNT(*) FROM credential WHERE state = "
			      "'active' AND owner_kind = 'device' AND "
			      "generation = 2"),
	    FLEET_DEVICES);
	/* its holds have ended */
	assert_int_equal(
	    fixture_number(f, "SELECT COUNT(*) FROM credential WHERE state = "
			      "'superseded' AND owner_kind = 'device' AND "
			      "hold_until > unixepoch()"),
	    0);
}

static void
one_device_that_does_not_load_holds_the_overlap_by_name(void **state)
{
	struct fixture *f = *state;
	struct fleet x;
	char *why;

	fleet_set_up(&x, f);
	x.dev[3].stubborn = true;
	fleet_must(&x, "rotation.plan",
	    "{\"kind\":\"server-ca\",\"from\":\"old\",\"to\":"
	    "\"new\"," FLEET_AT_ONCE "}");
	fleet_must(&x, "rotation.start", "{\"id\":1}");
	fleet_run(&x, 1, "overlap", true);
	for (int i = 0; i < 9; i++) {
		fleet_edges_turn(&x);
		for (size_t d = 0; d < FLEET_DEVICES; d++)
			fleet_device_turn(&x, d);
		fleet_look(&x);
	}
	why = fixture_text(f, "SELECT waits_for FROM rotation");
	if (strstr(why, "1 of 5 devices has not confirmed bundle 2: "
			"dev-0004") == NULL)
		fail_msg("%s", why);
	free(why);
	/* excepting it by name is the operator's way on; here it mends */
	x.dev[3].stubborn = false;
	fleet_run(&x, 1, "done", true);
}

static void
failures_by_certificate_roll_every_edge_back(void **state)
{
	struct fixture *f = *state;
	struct fleet x;
	char *why, root_now[DVT_DIGEST_HEX];

	fleet_set_up(&x, f);
	fleet_must(&x, "rotation.plan",
	    "{\"kind\":\"server-ca\",\"from\":\"old\",\"to\":"
	    "\"new\"," FLEET_AT_ONCE "}");
	fleet_must(&x, "rotation.start", "{\"id\":1}");
	x.dev[0].broken = x.dev[2].broken = true;
	fleet_run(&x, 1, "rolled-back", true);
	for (int i = 0; i < 4; i++) {
		fleet_edges_turn(&x);
		fleet_look(&x);
	}
	why = fixture_text(f, "SELECT waits_for FROM rotation");
	assert_non_null(strstr(why, "rolled back: 2 of"));
	assert_non_null(strstr(why, "devices trust both old and new"));
	free(why);
	for (size_t i = 0; i < FLEET_EDGES; i++) {
		fleet_default_root(&x, fleet_edge[i], root_now);
		assert_string_equal(root_now, x.old_root);
	}
	/* and shows a fresh certificate under the old root */
	assert_int_equal(
	    fixture_number(f, "SELECT COUNT(*) FROM gateway_credential WHERE "
			      "id = 'r1-back-current' AND slot = 'current'"),
	    4);
	assert_int_equal(
	    fixture_number(f, "SELECT COUNT(*) FROM alert WHERE severity = "
			      "'page'"),
	    1);
}

static void
an_approval_leaves_the_list_when_its_rotation_is_undone(void **state)
{
	struct fixture *f = *state;
	struct fleet x;
	char *detail;

	fleet_set_up(&x, f);
	fleet_must(&x, "rotation.plan",
	    "{\"kind\":\"server-ca\",\"from\":\"old\",\"to\":"
	    "\"new\"," FLEET_AT_ONCE "}");
	fleet_must(&x, "rotation.start", "{\"id\":1}");
	fleet_run(&x, 1, "retire", false);
	fleet_look(&x);
	assert_int_equal(
	    fixture_number(f, "SELECT COUNT(*) FROM approval WHERE "
			      "withdrawn_at = 0 AND used_at = 0 AND "
			      "rotation_id = 1"),
	    1);
	fleet_must(&x, "rotation.rollback", "{\"id\":1}");
	fleet_look(&x);
	assert_int_equal(
	    fixture_number(
		f, "SELECT COUNT(*) FROM approval WHERE withdrawn_at = 0"),
	    0);
	detail = fixture_text(f, "SELECT detail FROM audit WHERE action = "
				 "'approval.withdraw' AND object = 'rotation "
				 "1' AND actor = 'op'");
	assert_string_equal(
	    detail, "{\"state\":\"rolled-back\",\"approvals\":1}");
	free(detail);
	/* nor does it come back to be given */
	fixture_api(f, "approver", "POST", "/v1/approvals/1/give", NULL);
	assert_int_equal(f->answer.status, 409);
}

static void
a_plan_is_refused_for_its_reason(void **state)
{
	static const struct {
		const char *plan, *why;
		enum dvt_code code;
	} bad[] = {
	    {"{\"kind\":\"server-ca\",\"from\":\"old\",\"to\":\"gone\"}",
             "no authority 'gone'",							   DVT_E_ABSENT  },
	    {"{\"kind\":\"server-ca\",\"from\":\"old\",\"to\":\"device-ca\"}",
             "no root",								       DVT_E_CONFLICT},
	    {"{\"kind\":\"server-ca\",\"from\":\"old\",\"to\":\"new\","
	     "\"pilot_gateway\":\"gw-9\"}",		       "gw-9",        DVT_E_ABSENT  },
	    {"{\"kind\":\"renewal\",\"to\":\"new\"}",                          "no 'to'",     DVT_E_INPUT   },
	    {"{\"kind\":\"server-cert\",\"to\":\"new\"}",                      "server-cert",
             DVT_E_INPUT										    },
	};
	struct fixture *f = *state;
	struct fleet x;
	struct fleet_asked a;

	fleet_set_up(&x, f);
	for (size_t i = 0; i < DVT_COUNT(bad); i++) {
		a = fleet_ask(&x, "rotation.plan", bad[i].plan);
		if (a.code != bad[i].code || strstr(a.why, bad[i].why) == NULL)
			fail_msg("%s: %s %s", bad[i].plan,
			    dvt_code_name(a.code), a.why);
	}
	assert_int_equal(fixture_number(f, "SELECT COUNT(*) FROM rotation"), 0);
	fleet_must(&x, "rotation.plan",
	    "{\"kind\":\"server-ca\",\"from\":\"old\",\"to\":\"new\"}");
	a = fleet_ask(&x, "rotation.plan",
	    "{\"kind\":\"device-ca\",\"from\":\"root\",\"to\":\"new\"}");
	assert_int_equal(a.code, DVT_E_CONFLICT);
	assert_non_null(strstr(a.why, "rotation 1"));
}

#define test(fn)                                                               \
	cmocka_unit_test_setup_teardown(fn, fixture_set_up, fixture_tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    test(server_ca_goes_from_plan_to_done),
	    test(device_ca_goes_from_plan_to_done),
	    test(a_renewal_goes_from_plan_to_done_under_the_same_root),
	    test(one_device_that_does_not_load_holds_the_overlap_by_name),
	    test(failures_by_certificate_roll_every_edge_back),
	    test(an_approval_leaves_the_list_when_its_rotation_is_undone),
	    test(a_plan_is_refused_for_its_reason),
	};

	return cmocka_run_group_tests_name("core_rotation", tests, NULL, NULL);
}
