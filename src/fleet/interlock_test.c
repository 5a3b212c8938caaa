/* SPDX-License-Identifier: Apache-2.0 */
#include "fleet/interlock.h"

#include "fleet/dryrun.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void
an_anchor_stays_until_loaded_and_proven_without_it(void **state)
{
	static const struct {
		struct dvt_anchor_user u;
		const char *why; /* NULL: may go */
	} cases[] = {
	    {{"a", DVT_DEVICE_ACTIVE, true, true, true},    NULL           },
	    {{"b", DVT_DEVICE_ACTIVE, true, true, false},   "no handshake" },
	    {{"c", DVT_DEVICE_ACTIVE, false, true, true},   "no other root"},
	    {{"d", DVT_DEVICE_ACTIVE, false, false, true},  "has not told" },
	    {{"e", DVT_DEVICE_PARKED, false, false, false}, NULL           },
	};
	char room[DVT_REASON_MAX];

	for (size_t i = 0; i < DVT_COUNT(cases); i++) {
		const char *why = dvt_interlock_anchor(
		    &cases[i].u, "old", room);

		if (cases[i].why == NULL
			? why != NULL
			: why == NULL || strstr(why, cases[i].why) == NULL)
			fail_msg("%s: %s", cases[i].u.device,
			    why == NULL ? "may go" : why);
	}
}

static void
an_authority_that_is_needed_is_not_retired(void **state)
{
	struct dvt_authority_needs n = {.name = "old"};
	struct dvt_err err = {0};

	assert_int_equal(dvt_interlock_retire(&n, &err), DVT_OK);
	n.live[DVT_OWNER_DEVICE] = 3;
	n.edges_unheard = 1;
	n.in_bundle = true;
	assert_int_equal(dvt_interlock_retire(&n, &err), DVT_E_UNSAFE);
	assert_string_equal(err.text,
	    "old is still needed: 3 live device certificates; 1 edge not heard "
	    "of late; the newest trust bundle lists it");
}

static void
a_second_rotation_over_the_same_authority_is_refused(void **state)
{
	struct dvt_rotation open[] = {
	    {.id = 1, .state = DVT_ROT_DONE,   .from_id = 1, .to_id = 2},
	    {.id = 4, .state = DVT_ROT_PAUSED, .from_id = 5, .to_id = 6},
	};
	struct dvt_err err = {0};

	assert_int_equal(
	    dvt_interlock_second(open, 2, DVT_ROT_DEVICE_CA, 1, 2, &err),
	    DVT_OK);
	assert_int_equal(
	    dvt_interlock_second(open, 2, DVT_ROT_SERVER_CA, 6, 9, &err),
	    DVT_E_CONFLICT);
	assert_non_null(strstr(err.text, "rotation 4"));
	assert_int_equal(
	    dvt_interlock_second(open, 2, DVT_ROT_RENEWAL, 0, 0, &err), DVT_OK);
}

static void
a_root_that_cannot_issue_is_no_place_to_go(void **state)
{
	static const struct {
		struct dvt_plan_authority a;
		const char *why;
	} bad[] = {
	    {{"sub", DVT_AUTHORITY_ACTIVE, false, true, 0, 900}, "no root"   },
	    {{"r", DVT_AUTHORITY_RETIRED, true, true, 0, 900},   "retired"   },
	    {{"r", DVT_AUTHORITY_ACTIVE, true, true, 160, 900},  "in 60 s"   },
	    {{"r", DVT_AUTHORITY_ACTIVE, true, false, 0, 900},   "no key"    },
	    {{"r", DVT_AUTHORITY_ACTIVE, true, true, 0, 100},    "last issue"},
	};
	static const struct dvt_plan_authority good = {
	    "r", DVT_AUTHORITY_STAGED, true, true, 100, 101};

	for (size_t i = 0; i < DVT_COUNT(bad); i++) {
		struct dvt_err err = {0};

		if (dvt_interlock_new_root(&bad[i].a, 100, &err) !=
			DVT_E_CONFLICT ||
		    strstr(err.text, bad[i].why) == NULL)
			fail_msg("%zu: %s", i, err.text);
	}
	assert_int_equal(dvt_interlock_new_root(&good, 100, NULL), DVT_OK);
}

/* --- dry run --- */

/* A chain under "new": accepted when "new" is among the anchors. */
static bool
accepts_new(void *ctx, const char *const *anchors, size_t n, char *why)
{
	++*(int *)ctx;
	for (size_t i = 0; i < n; i++)
		if (strcmp(anchors[i], "new") == 0)
			return true;
	snprintf(why, DVT_REASON_MAX, "unable to get local issuer certificate");
	return false;
}

static const char *const only_old[] = {"old"};
static const char *const both[] = {"new", "old"};

static void
make_groups(struct dvt_trust_group g[5])
{
	memset(g, 0, 5 * sizeof(*g));
	g[0] = (struct dvt_trust_group){
	    .known = true, .anchors = only_old, .anchors_n = 1};
	g[1] = (struct dvt_trust_group){
	    .known = true, .anchors = both, .anchors_n = 2};
	g[2] = (struct dvt_trust_group){.management = DVT_MANAGED_NONE};
	g[3] = (struct dvt_trust_group){
	    .management = DVT_MANAGED_NONE, .seen_ok = true};
	g[4] = (struct dvt_trust_group){
	    .management = DVT_MANAGED_EST, .seen_bad = true};
	for (int i = 0; i < 5; i++) {
		g[i].devices.n = i + 1;
		snprintf(g[i].devices.sample[0], sizeof(g[i].devices.sample[0]),
		    "dev-%d", i);
	}
}

static void
each_distinct_trust_gets_its_verdict_in_openssls_words(void **state)
{
	static const enum dvt_dry_verdict now[] = {DVT_WOULD_REFUSE,
	    DVT_WOULD_ACCEPT, DVT_WOULD_UNKNOWN, DVT_WOULD_ACCEPT,
	    DVT_WOULD_REFUSE};
	int asked = 0;
	struct dvt_dry_run how = {accepts_new, &asked, "new", false};
	struct dvt_trust_group g[5];
	struct dvt_dry_sum sum;

	make_groups(g);
	dvt_dry_run(&how, g, 5, &sum);
	for (int i = 0; i < 5; i++)
		if (g[i].verdict != now[i])
			fail_msg("group %d: %s (%s)", i,
			    dvt_dry_verdict_name(g[i].verdict), g[i].reason);
	assert_string_equal(
	    g[0].reason, "unable to get local issuer certificate");
	assert_int_equal(asked, 2);
	assert_int_equal(sum.refuse.n, 1 + 5);
	assert_int_equal(sum.accept.n, 2 + 4);
	assert_int_equal(sum.unknown.n, 3);
	assert_string_equal(sum.refuse.sample[0], "dev-0");
	assert_false(dvt_dry_allows(&sum, false));
}

/* It confirmed a bundle without that root after it had accepted it. */
static void
what_a_device_holds_counts_more_than_what_it_was_seen_to_accept(void **state)
{
	int asked = 0;
	struct dvt_dry_run how = {accepts_new, &asked, "new", false};
	struct dvt_trust_group g = {.known = true,
	    .anchors = only_old,
	    .anchors_n = 1,
	    .seen_ok = true,
	    .devices.n = 1};
	struct dvt_dry_sum sum;

	(void)state;
	dvt_dry_run(&how, &g, 1, &sum);
	assert_int_equal(g.verdict, DVT_WOULD_REFUSE);
	how.after_overlap = true; /* where it will be given the root again */
	dvt_dry_run(&how, &g, 1, &sum);
	assert_int_equal(g.verdict, DVT_WOULD_ACCEPT);
}

/* Even where it was seen to take another leaf of that root. */
static void
who_pins_something_else_refuses_unless_it_loads_anchors(void **state)
{
	static const struct {
		enum dvt_pins pins;
		enum dvt_management management;
		bool after_overlap;
		enum dvt_dry_verdict want;
	} rows[] = {
	    {DVT_PINS_UNKNOWN,      DVT_MANAGED_NONE,    true,  DVT_WOULD_ACCEPT},
	    {DVT_PINS_ROOT,         DVT_MANAGED_NONE,    true,  DVT_WOULD_ACCEPT},
	    {DVT_PINS_INTERMEDIATE, DVT_MANAGED_NONE,    true,  DVT_WOULD_REFUSE},
	    {DVT_PINS_LEAF,         DVT_MANAGED_EST,     false, DVT_WOULD_REFUSE},
	    {DVT_PINS_LEAF,         DVT_MANAGED_CHECKIN, false, DVT_WOULD_REFUSE},
	    {DVT_PINS_LEAF,         DVT_MANAGED_CHECKIN, true,  DVT_WOULD_ACCEPT},
	};

	(void)state;
	for (size_t i = 0; i < DVT_COUNT(rows); i++) {
		int asked = 0;
		struct dvt_dry_run how = {
		    accepts_new, &asked, "new", rows[i].after_overlap};
		struct dvt_trust_group g = {.management = rows[i].management,
		    .seen_ok = true,
		    .pins = rows[i].pins,
		    .devices.n = 1};
		struct dvt_dry_sum sum;

		dvt_dry_run(&how, &g, 1, &sum);
		assert_int_equal(g.verdict, rows[i].want);
		if (g.verdict == DVT_WOULD_REFUSE)
			assert_memory_equal(g.reason, "pins a", 6);
	}
}

static void
preflight_judges_by_what_devices_will_hold(void **state)
{
	static const enum dvt_dry_verdict later[] = {DVT_WOULD_ACCEPT,
	    DVT_WOULD_ACCEPT, DVT_WOULD_REFUSE, DVT_WOULD_ACCEPT,
	    DVT_WOULD_REFUSE};
	int asked = 0;
	struct dvt_dry_run how = {accepts_new, &asked, "new", true};
	struct dvt_trust_group g[5];
	struct dvt_dry_sum sum;

	make_groups(g);
	dvt_dry_run(&how, g, 5, &sum);
	for (int i = 0; i < 5; i++)
		if (g[i].verdict != later[i])
			fail_msg("group %d: %s (%s)", i,
			    dvt_dry_verdict_name(g[i].verdict), g[i].reason);
}

static void
strict_refuses_for_what_is_not_known_and_lenient_does_not(void **state)
{
	struct dvt_dry_sum sum = {.accept.n = 10, .unknown.n = 1};

	assert_false(dvt_dry_allows(&sum, true));
	assert_true(dvt_dry_allows(&sum, false));
	sum.unknown.n = 0;
	assert_true(dvt_dry_allows(&sum, true));
	sum.refuse.n = 1;
	assert_false(dvt_dry_allows(&sum, false));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(
		an_anchor_stays_until_loaded_and_proven_without_it),
	    cmocka_unit_test(an_authority_that_is_needed_is_not_retired),
	    cmocka_unit_test(
		a_second_rotation_over_the_same_authority_is_refused),
	    cmocka_unit_test(a_root_that_cannot_issue_is_no_place_to_go),
	    cmocka_unit_test(
		each_distinct_trust_gets_its_verdict_in_openssls_words),
	    cmocka_unit_test(
		what_a_device_holds_counts_more_than_what_it_was_seen_to_accept),
	    cmocka_unit_test(
		who_pins_something_else_refuses_unless_it_loads_anchors),
	    cmocka_unit_test(preflight_judges_by_what_devices_will_hold),
	    cmocka_unit_test(
		strict_refuses_for_what_is_not_known_and_lenient_does_not),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
