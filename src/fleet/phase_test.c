/* SPDX-License-Identifier: Apache-2.0 */
/* Whole rotations in virtual time, and what goes wrong in them. */
#include "fleet/world_test.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define SERVER "\"kind\":\"server-ca\",\"from\":\"old\",\"to\":\"new\""
#define DEVICE "\"kind\":\"device-ca\",\"from\":\"old\",\"to\":\"new\""
#define AT_ONCE                                                                \
	",\"overlap_min_s\":0,\"wave_min_s\":0,\"observe_min_s\":0,"           \
	"\"hold_s\":0"
#define DAY INT64_C(86400)

static void
begin(struct world *w, const char *plan)
{
	world_init(w, plan);
	w->approve = true;
	assert_int_equal(world_ask(w, DVT_ROT_EV_START, ""), DVT_OK);
}

static void
must_wait_for(const struct world *w, const char *words)
{
	if (strstr(w->row.waits_for, words) == NULL)
		fail_msg("'%s' is not in '%s'", words, w->row.waits_for);
}

static void
must_reach(struct world *w, enum dvt_phase phase, int64_t step_s, int64_t most)
{
	if (!world_until(w, phase, step_s, most))
		fail_msg("stays in %s (%s): %s", dvt_phase_name(w->row.phase),
		    dvt_rotation_state_name(w->row.state), w->row.waits_for);
}

/* Every action once, every phase entered once. */
static void
nothing_was_done_twice(const struct world *w)
{
	for (int p = 0; p < DVT_PHASE_N; p++)
		assert_in_range(w->entered[p], 0, 1);
	for (size_t i = 0; i < w->queued; i++)
		for (size_t k = i + 1; k < w->queued; k++)
			assert_string_not_equal(
			    w->queue[i].key, w->queue[k].key);
}

static void
server_ca_with_default_times_takes_its_weeks(void **state)
{
	struct world w;

	begin(&w, "{" SERVER "}");
	must_reach(&w, DVT_PHASE_DONE, 3600, 60 * DAY);
	assert_int_equal(w.row.state, DVT_ROT_DONE);
	assert_true(
	    w.entered_at[DVT_PHASE_PILOT] - w.entered_at[DVT_PHASE_OVERLAP] >=
	    7 * DAY);
	assert_true(
	    w.entered_at[DVT_PHASE_WAVES] - w.entered_at[DVT_PHASE_PILOT] >=
	    DAY);
	assert_true(
	    w.entered_at[DVT_PHASE_RETIRE] - w.entered_at[DVT_PHASE_OBSERVE] >=
	    7 * DAY);
	assert_int_equal(w.performed[DVT_DO_ORDER], WORLD_EDGES);
	assert_int_equal(w.performed[DVT_DO_SWITCH], WORLD_EDGES);
	assert_int_equal(w.performed[DVT_DO_BUNDLE], 3);
	assert_int_equal(w.performed[DVT_DO_WITHDRAW], WORLD_EDGES);
	nothing_was_done_twice(&w);
	world_fini(&w);
}

static void
server_ca_with_zero_times_is_done_in_seconds(void **state)
{
	struct world w;

	begin(&w, "{" SERVER AT_ONCE "}");
	must_reach(&w, DVT_PHASE_DONE, 1, 60);
	nothing_was_done_twice(&w);
	world_fini(&w);
}

static void
device_ca_with_default_times_opens_one_wave_after_the_other(void **state)
{
	struct world w;

	begin(&w, "{" DEVICE "}");
	must_reach(&w, DVT_PHASE_PILOT, 3600, 30 * DAY);
	assert_false(world_until(&w, DVT_PHASE_WAVES, 3600, DAY - 3600));
	assert_int_equal(w.dev[0].asg.state, DVT_ASG_CONFIRMED);
	assert_int_equal(w.dev[5].asg.state, DVT_ASG_WAITING);
	w.hold_until = w.wall + 20 * DAY;
	must_reach(&w, DVT_PHASE_RETIRE, 3600, 30 * DAY);
	world_tick(&w);
	must_wait_for(&w, "held until");
	assert_int_equal(w.performed[DVT_DO_DENY_OLD], 0);
	must_reach(&w, DVT_PHASE_DONE, 3600, 30 * DAY);
	assert_true(w.wall >= w.hold_until);
	assert_int_equal(w.performed[DVT_DO_ANCHOR_TAKE], 1);
	nothing_was_done_twice(&w);
	world_fini(&w);
}

static void
device_ca_with_zero_times_is_done_in_seconds(void **state)
{
	struct world w;

	begin(&w, "{" DEVICE AT_ONCE "}");
	must_reach(&w, DVT_PHASE_DONE, 1, 60);
	nothing_was_done_twice(&w);
	world_fini(&w);
}

static void
devices_hear_of_the_new_root_only_when_every_edge_can_prove_it(void **state)
{
	struct world w;

	begin(&w, "{" SERVER AT_ONCE "}");
	world_tick(&w); /* assignments are written */
	w.outbox_stands = true;
	must_reach(&w, DVT_PHASE_OVERLAP, 1, 60);
	for (int i = 0; i < 5; i++)
		world_tick(&w);
	assert_int_equal(w.performed[DVT_DO_BUNDLE], 0);
	must_wait_for(&w, "gateway gw-1 has no credential under new yet");
	must_wait_for(&w, "4 actions are under way");
	w.outbox_stands = false;
	must_reach(&w, DVT_PHASE_PILOT, 1, 60);
	assert_false(w.edges[1].on_new);
	world_fini(&w);
}

static void
a_silent_device_holds_the_overlap_until_it_is_parked(void **state)
{
	struct world w;

	begin(&w, "{" SERVER AT_ONCE "}");
	w.dev[2].silent = w.dev[10].silent = true;
	assert_false(world_until(&w, DVT_PHASE_PILOT, 1, 100));
	must_wait_for(&w, "2 of 18 devices have not confirmed bundle 4: "
			  "dev-0003, dev-0011");
	w.dev[2].parked = w.dev[10].parked = true;
	w.approve = false;
	must_reach(&w, DVT_PHASE_RETIRE, 1, 100);
	world_tick(&w);
	world_tick(&w);
	must_wait_for(&w, "dovetail approval give 77");
	must_wait_for(
	    &w, "2 parked devices would be left behind: dev-0003, dev-0011");
	world_fini(&w);
}

static void
an_edge_that_is_not_heard_holds_every_gate(void **state)
{
	struct world w;

	begin(&w, "{" SERVER AT_ONCE "}");
	must_reach(&w, DVT_PHASE_PILOT, 1, 60);
	w.deaf_edge = true;
	assert_false(world_until(&w, DVT_PHASE_WAVES, 10, 500));
	must_wait_for(&w, "gateway gw-2 was last heard");
	w.deaf_edge = false;
	must_reach(&w, DVT_PHASE_DONE, 1, 60);
	world_fini(&w);
}

static void
an_edge_heard_that_has_not_applied_holds_the_gate_too(void **state)
{
	struct world w;

	begin(&w, "{" SERVER AT_ONCE "}");
	must_reach(&w, DVT_PHASE_PILOT, 1, 60);
	w.deaf_edge = true;
	w.edges[1].heard_at = w.wall + 1000;
	w.edges[1].applied = 3;
	assert_false(world_until(&w, DVT_PHASE_WAVES, 1, 50));
	must_wait_for(&w, "gateway gw-2 works with position 3 of");
	world_fini(&w);
}

static void
failures_over_the_limit_roll_edges_back_by_themselves(void **state)
{
	struct world w;

	begin(&w, "{" SERVER AT_ONCE "}");
	w.old_key_held = true;
	for (int i = 0; i < 3; i++)
		w.dev[i].broken = true;
	assert_false(world_until(&w, DVT_PHASE_OBSERVE, 1, 60));
	assert_int_equal(w.row.state, DVT_ROT_ROLLED_BACK);
	must_wait_for(&w, "3 of 18 devices fail, over the limit");
	must_wait_for(&w, "not undone; devices trust both old and new");
	for (int i = 0; i < 3; i++)
		world_tick(&w);
	assert_int_equal(w.performed[DVT_DO_SWITCH_BACK], WORLD_EDGES);
	assert_int_equal(w.performed[DVT_DO_FRESH_OLD], WORLD_EDGES);
	assert_false(w.edges[0].on_new);
	assert_true(w.alerts > 0);
	nothing_was_done_twice(&w);
	world_fini(&w);
}

static void
one_failure_under_the_minimum_holds_but_does_not_undo(void **state)
{
	struct world w;

	begin(&w, "{" SERVER AT_ONCE "}");
	w.dev[4].broken = true;
	assert_false(world_until(&w, DVT_PHASE_WAVES, 1, 60));
	assert_int_equal(w.row.state, DVT_ROT_RUNNING);
	must_wait_for(&w, "1 of 18 devices fail at the edge: dev-0005");
	world_fini(&w);
}

static void
failing_renewals_pause_and_resume_tries_again(void **state)
{
	struct world w;

	begin(&w, "{" DEVICE AT_ONCE "}");
	w.dev[0].refuses_new = w.dev[1].refuses_new = true;
	assert_false(world_until(&w, DVT_PHASE_WAVES, 60, 10000));
	assert_int_equal(w.row.state, DVT_ROT_PAUSED);
	must_wait_for(&w, "paused: 2 of 2 devices fail, over the limit");
	w.dev[0].refuses_new = w.dev[1].refuses_new = false;
	for (int i = 0; i < 2; i++) {
		w.dev[i].asg.state = DVT_ASG_TRIGGERED; /* EV_RETRY */
		w.dev[i].told = true;
	}
	assert_int_equal(world_ask(&w, DVT_ROT_EV_RESUME, ""), DVT_OK);
	must_reach(&w, DVT_PHASE_DONE, 1, 100);
	world_fini(&w);
}

static void
strangers_pause_but_do_not_undo(void **state)
{
	struct world w;

	begin(&w, "{" SERVER AT_ONCE "}");
	must_reach(&w, DVT_PHASE_PILOT, 1, 60);
	w.strangers = 1000;
	world_tick(&w);
	assert_int_equal(w.row.state, DVT_ROT_PAUSED);
	assert_true(w.edges[0].on_new);
	assert_int_equal(w.performed[DVT_DO_SWITCH_BACK], 0);
	assert_int_equal(world_ask(&w, DVT_ROT_EV_RESUME, ""), DVT_OK);
	must_reach(&w, DVT_PHASE_DONE, 1, 100);
	world_fini(&w);
}

static void
a_forced_certificate_is_taken_back_at_the_first_doubt(void **state)
{
	struct world w;

	begin(&w, "{\"kind\":\"server-cert\",\"from\":\"old\",\"to\":\"new\","
		  "\"gateway\":\"gw-1\",\"forced\":true,\"observe_min_s\":0,"
		  "\"wave_min_s\":100}");
	must_reach(&w, DVT_PHASE_PILOT, 1, 60);
	world_tick(&w);
	assert_true(w.edges[0].on_new);
	assert_false(w.edges[1].on_new);
	w.strangers = 2;
	world_tick(&w);
	assert_int_equal(w.row.state, DVT_ROT_ROLLED_BACK);
	world_tick(&w);
	assert_false(w.edges[0].on_new);
	assert_int_equal(w.performed[DVT_DO_SWITCH_BACK], 1);
	world_fini(&w);
}

static void
a_clock_that_is_set_pauses(void **state)
{
	static const int64_t jumps[] = {400, -400, 40 * DAY};

	for (size_t i = 0; i < DVT_COUNT(jumps); i++) {
		struct world w;

		begin(&w, "{" SERVER "}");
		must_reach(&w, DVT_PHASE_OVERLAP, 60, DAY);
		w.wall += jumps[i];
		world_tick(&w);
		assert_int_equal(w.row.state, DVT_ROT_PAUSED);
		must_wait_for(&w, "the clock of this host was set by");
		assert_int_equal(world_ask(&w, DVT_ROT_EV_RESUME, ""), DVT_OK);
		world_tick(&w);
		assert_int_equal(w.row.state, DVT_ROT_RUNNING);
		world_fini(&w);
	}
}

static void
a_clock_set_ahead_does_not_shorten_the_minimum_time(void **state)
{
	struct world w;

	begin(&w, "{" SERVER "}");
	must_reach(&w, DVT_PHASE_OVERLAP, 60, DAY);
	w.wall += 40 * DAY;
	world_tick(&w);
	assert_int_equal(world_ask(&w, DVT_ROT_EV_RESUME, ""), DVT_OK);
	assert_false(world_until(&w, DVT_PHASE_PILOT, 3600, 6 * DAY));
	must_wait_for(&w, "of the minimum time are left");
	must_reach(&w, DVT_PHASE_PILOT, 3600, 2 * DAY);
	world_fini(&w);
}

static void
a_restart_of_the_host_keeps_the_time_that_was_counted(void **state)
{
	struct world w;

	begin(&w, "{" SERVER "}");
	must_reach(&w, DVT_PHASE_OVERLAP, 60, DAY);
	assert_false(world_until(&w, DVT_PHASE_PILOT, 3600, 4 * DAY));
	w.wall += 600; /* off for ten minutes */
	w.mono = 1000;
	strcpy(w.boot, "boot-2");
	world_tick(&w);
	assert_int_equal(w.row.state, DVT_ROT_RUNNING);
	assert_in_range(w.row.phase_elapsed_ms / 1000, 4 * DAY - 3600, 4 * DAY);
	must_reach(&w, DVT_PHASE_PILOT, 3600, 4 * DAY);
	world_fini(&w);
}

static void
without_approval_the_old_root_stays(void **state)
{
	struct world w;

	begin(&w, "{" SERVER AT_ONCE "}");
	w.approve = false;
	assert_false(world_until(&w, DVT_PHASE_DONE, 1, 100));
	assert_int_equal(w.row.phase, DVT_PHASE_RETIRE);
	must_wait_for(&w, "approval by a second person");
	assert_int_equal(w.performed[DVT_DO_WITHDRAW], 0);
	assert_int_equal(w.performed[DVT_DO_BUNDLE], 2);
	w.approved = true;
	must_reach(&w, DVT_PHASE_DONE, 1, 100);
	world_fini(&w);
}

static void
a_step_lost_to_a_kill_is_taken_again_with_the_same_keys(void **state)
{
	struct world w;

	begin(&w, "{" SERVER AT_ONCE "}");
	for (int i = 0; i < 100 && w.row.phase != DVT_PHASE_DONE; i++) {
		world_lost_tick(&w);
		world_lost_tick(&w);
		w.wall++;
		w.mono += 1000;
		world_tick(&w);
	}
	assert_int_equal(w.row.phase, DVT_PHASE_DONE);
	assert_int_equal(w.performed[DVT_DO_SWITCH], WORLD_EDGES);
	nothing_was_done_twice(&w);
	world_fini(&w);
}

static void
a_failed_action_pauses_and_resume_tries_it_again(void **state)
{
	struct world w;

	begin(&w, "{" SERVER AT_ONCE "}");
	world_tick(&w);
	w.outbox_stands = true;
	must_reach(&w, DVT_PHASE_OVERLAP, 1, 60);
	w.failed[w.queued - 1] = true;
	world_tick(&w);
	assert_int_equal(w.row.state, DVT_ROT_PAUSED);
	must_wait_for(&w, "1 action failed: r5/overlap/order/");
	w.outbox_stands = false;
	assert_int_equal(world_ask(&w, DVT_ROT_EV_RESUME, ""), DVT_OK);
	must_reach(&w, DVT_PHASE_DONE, 1, 100);
	world_fini(&w);
}

static void
rollback_by_hand_says_what_stays(void **state)
{
	struct world w;

	begin(&w,
	    "{" DEVICE
	    ",\"overlap_min_s\":0,\"wave_min_s\":0,\"observe_min_s\":1000}");
	must_reach(&w, DVT_PHASE_OBSERVE, 1, 100);
	assert_int_equal(
	    world_ask(&w, DVT_ROT_EV_ROLLBACK, "asked by op"), DVT_OK);
	assert_int_equal(w.row.state, DVT_ROT_ROLLED_BACK);
	must_wait_for(&w, "rolled back: asked by op");
	must_wait_for(&w, "18 devices use a certificate under new");
	world_tick(&w);
	assert_int_equal(w.performed[DVT_DO_HOLD_OPEN], 1);
	assert_int_equal(world_ask(&w, DVT_ROT_EV_ROLLBACK, "again"), DVT_OK);
	assert_int_equal(
	    world_ask(&w, DVT_ROT_EV_RESUME, "no"), DVT_E_CONFLICT);
	nothing_was_done_twice(&w);
	world_fini(&w);
}

static void
abort_stops_where_it_is(void **state)
{
	struct world w;

	begin(&w, "{" SERVER AT_ONCE ",\"pilot_gateway\":\"gw-2\"}");
	must_reach(&w, DVT_PHASE_WAVES, 1, 60);
	assert_int_equal(world_ask(&w, DVT_ROT_EV_ABORT, "enough"), DVT_OK);
	world_tick(&w);
	assert_int_equal(w.row.state, DVT_ROT_ABORTED);
	assert_int_equal(w.performed[DVT_DO_RECALL], 1);
	assert_int_equal(w.performed[DVT_DO_SWITCH_BACK], 0);
	assert_true(w.edges[1].on_new);
	world_fini(&w);
}

static void
pause_and_resume_twice_are_as_once(void **state)
{
	struct world w;
	int64_t version;

	begin(&w, "{" SERVER AT_ONCE "}");
	assert_int_equal(world_ask(&w, DVT_ROT_EV_PAUSE, "lunch"), DVT_OK);
	version = w.row.version;
	assert_int_equal(world_ask(&w, DVT_ROT_EV_PAUSE, "again"), DVT_OK);
	assert_int_equal(w.row.version, version);
	must_wait_for(&w, "paused: lunch");
	world_tick(&w);
	assert_int_equal(w.row.phase, DVT_PHASE_PREFLIGHT);
	assert_int_equal(world_ask(&w, DVT_ROT_EV_RESUME, ""), DVT_OK);
	assert_int_equal(world_ask(&w, DVT_ROT_EV_RESUME, ""), DVT_OK);
	must_reach(&w, DVT_PHASE_DONE, 1, 100);
	world_fini(&w);
}

static void
a_plan_past_its_last_safe_day_does_not_leave_preflight(void **state)
{
	struct world w;

	begin(&w, "{" SERVER "}");
	w.row.last_safe_at = w.wall - 1;
	assert_false(world_until(&w, DVT_PHASE_OVERLAP, 60, DAY));
	must_wait_for(&w, "its last safe day was");
	world_fini(&w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(server_ca_with_default_times_takes_its_weeks),
	    cmocka_unit_test(server_ca_with_zero_times_is_done_in_seconds),
	    cmocka_unit_test(
		device_ca_with_default_times_opens_one_wave_after_the_other),
	    cmocka_unit_test(device_ca_with_zero_times_is_done_in_seconds),
	    cmocka_unit_test(
		devices_hear_of_the_new_root_only_when_every_edge_can_prove_it),
	    cmocka_unit_test(
		a_silent_device_holds_the_overlap_until_it_is_parked),
	    cmocka_unit_test(an_edge_that_is_not_heard_holds_every_gate),
	    cmocka_unit_test(
		an_edge_heard_that_has_not_applied_holds_the_gate_too),
	    cmocka_unit_test(
		failures_over_the_limit_roll_edges_back_by_themselves),
	    cmocka_unit_test(
		one_failure_under_the_minimum_holds_but_does_not_undo),
	    cmocka_unit_test(failing_renewals_pause_and_resume_tries_again),
	    cmocka_unit_test(strangers_pause_but_do_not_undo),
	    cmocka_unit_test(
		a_forced_certificate_is_taken_back_at_the_first_doubt),
	    cmocka_unit_test(a_clock_that_is_set_pauses),
	    cmocka_unit_test(
		a_clock_set_ahead_does_not_shorten_the_minimum_time),
	    cmocka_unit_test(
		a_restart_of_the_host_keeps_the_time_that_was_counted),
	    cmocka_unit_test(without_approval_the_old_root_stays),
	    cmocka_unit_test(
		a_step_lost_to_a_kill_is_taken_again_with_the_same_keys),
	    cmocka_unit_test(a_failed_action_pauses_and_resume_tries_it_again),
	    cmocka_unit_test(rollback_by_hand_says_what_stays),
	    cmocka_unit_test(abort_stops_where_it_is),
	    cmocka_unit_test(pause_and_resume_twice_are_as_once),
	    cmocka_unit_test(
		a_plan_past_its_last_safe_day_does_not_leave_preflight),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
