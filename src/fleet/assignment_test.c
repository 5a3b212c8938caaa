/* SPDX-License-Identifier: Apache-2.0 */
#include "fleet/assignment.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define T0 INT64_C(1000000)

/* One step: event, flags of the facts, state and action that must come. */
struct one {
	enum dvt_asg_event event;
	const char *flags; /* L loaded, P proven, N under new, R released */
	enum dvt_assignment_state to;
	enum dvt_asg_action action;
};

static struct dvt_assignment_facts
facts_of(enum dvt_rotation_kind kind, const char *flags)
{
	return (struct dvt_assignment_facts){
	    .kind = kind,
	    .management = strchr(flags, 'E') ? DVT_MANAGED_EST
					     : DVT_MANAGED_CHECKIN,
	    .period_s = 300,
	    .last_seen_at = strchr(flags, 'S') ? T0 - 100000 : T0,
	    .released = strchr(flags, 'R') != NULL,
	    .bundle_confirmed = strchr(flags, 'L') != NULL,
	    .proven = strchr(flags, 'P') != NULL,
	    .under_new = strchr(flags, 'N') != NULL,
	    .fingerprint = "aa",
	    .reason = "probe refused",
	};
}

static void
walk(enum dvt_rotation_kind kind, const struct one *steps, size_t n)
{
	struct dvt_assignment row = {.device_id = "dev-1", .rotation_id = 1};

	for (size_t i = 0; i < n; i++) {
		struct dvt_assignment_facts f = facts_of(kind, steps[i].flags);
		enum dvt_asg_action action;
		struct dvt_err err = {0};

		if (dvt_assignment_step(&row, steps[i].event, &f, T0, &row,
			&action, &err) != DVT_OK)
			fail_msg("step %zu: %s", i, err.text);
		if (row.state != steps[i].to || action != steps[i].action)
			fail_msg("step %zu: %s, action %d", i,
			    dvt_assignment_state_name(row.state), (int)action);
	}
}
#define WALK(kind, ...)                                                        \
	walk(kind, (const struct one[]){__VA_ARGS__},                          \
	    DVT_COUNT(((const struct one[]){__VA_ARGS__})))
#define EV(x) DVT_EV_##x
#define TO(x) DVT_ASG_##x

static void
server_ca_is_confirmed_when_loaded_and_then_proven(void **state)
{
	WALK(DVT_ROT_SERVER_CA, {EV(WAVE), "R", TO(TRIGGERED), TO(PUT_PROBE)},
	    {EV(CHECKIN), "R", TO(TRIGGERED), TO(DO_NOTHING)},
	    {EV(CHECKIN), "RL", TO(TRIGGERED), TO(DO_NOTHING)},
	    {EV(PROOF), "RLP", TO(CONFIRMED), TO(TAKE_MAIL)},
	    {EV(PROOF), "RLP", TO(CONFIRMED), TO(DO_NOTHING)},
	    {EV(CHECKIN), "RLP", TO(CONFIRMED), TO(DO_NOTHING)});
}

static void
server_ca_is_confirmed_when_proven_and_then_loaded(void **state)
{
	WALK(DVT_ROT_SERVER_CA, {EV(WAVE), "R", TO(TRIGGERED), TO(PUT_PROBE)},
	    {EV(PROOF), "RP", TO(TRIED), TO(DO_NOTHING)},
	    {EV(PROOF), "RP", TO(TRIED), TO(DO_NOTHING)},
	    {EV(CHECKIN), "RP", TO(TRIED), TO(DO_NOTHING)},
	    {EV(CHECKIN), "RLP", TO(CONFIRMED), TO(TAKE_MAIL)});
}

static void
a_device_without_check_in_is_confirmed_by_proof_alone(void **state)
{
	WALK(DVT_ROT_SERVER_CA, {EV(WAVE), "RE", TO(TRIGGERED), TO(PUT_PROBE)},
	    {EV(PROOF), "REP", TO(CONFIRMED), TO(TAKE_MAIL)});
}

static void
a_device_that_lost_its_trust_is_told_again(void **state)
{
	WALK(DVT_ROT_SERVER_CA, {EV(WAVE), "R", TO(TRIGGERED), TO(PUT_PROBE)},
	    {EV(PROOF), "RLP", TO(CONFIRMED), TO(TAKE_MAIL)},
	    {EV(CHECKIN), "RP", TO(TRIGGERED), TO(PUT_PROBE)});
}

static void
device_ca_supersedes_only_at_the_completion_check_in(void **state)
{
	WALK(DVT_ROT_DEVICE_CA, {EV(WAVE), "R", TO(TRIGGERED), TO(PUT_RENEW)},
	    {EV(CSR), "R", TO(CSR), TO(DO_NOTHING)},
	    {EV(ISSUED), "R", TO(ISSUED), TO(DO_NOTHING)},
	    {EV(CSR), "R", TO(ISSUED), TO(DO_NOTHING)},
	    {EV(ISSUED), "R", TO(ISSUED), TO(DO_NOTHING)},
	    {EV(TRIED), "RN", TO(TRIED), TO(DO_NOTHING)},
	    {EV(CHECKIN), "R", TO(TRIED), TO(DO_NOTHING)},
	    {EV(SEEN), "RN", TO(SWITCHED), TO(DO_NOTHING)},
	    {EV(CHECKIN), "R", TO(SWITCHED), TO(DO_NOTHING)},
	    {EV(CHECKIN), "RN", TO(CONFIRMED), TO(SUPERSEDE)},
	    {EV(CHECKIN), "RN", TO(CONFIRMED), TO(DO_NOTHING)},
	    {EV(SEEN), "RN", TO(CONFIRMED), TO(DO_NOTHING)});
}

static void
a_device_that_goes_back_to_its_old_certificate_renews_again(void **state)
{
	WALK(DVT_ROT_DEVICE_CA, {EV(WAVE), "R", TO(TRIGGERED), TO(PUT_RENEW)},
	    {EV(CHECKIN), "RN", TO(CONFIRMED), TO(SUPERSEDE)},
	    {EV(CHECKIN), "R", TO(TRIGGERED), TO(PUT_RENEW)});
}

static void
the_certificate_and_the_first_edge_are_remembered(void **state)
{
	struct dvt_assignment row = {
	    .device_id = "d", .state = DVT_ASG_TRIGGERED};
	struct dvt_assignment_facts f = facts_of(DVT_ROT_DEVICE_CA, "RN");
	enum dvt_asg_action action;

	assert_int_equal(dvt_assignment_step(
			     &row, DVT_EV_ISSUED, &f, T0, &row, &action, NULL),
	    DVT_OK);
	assert_string_equal(row.fingerprint, "aa");
	assert_int_equal(dvt_assignment_step(&row, DVT_EV_SEEN, &f, T0 + 1,
			     &row, &action, NULL),
	    DVT_OK);
	assert_int_equal(dvt_assignment_step(&row, DVT_EV_SEEN, &f, T0 + 9,
			     &row, &action, NULL),
	    DVT_OK);
	assert_int_equal(row.edge_at, T0 + 1);
}

static void
a_device_that_only_speaks_est_is_done_after_two_quiet_sessions(void **state)
{
	struct dvt_assignment row = {
	    .device_id = "d", .state = DVT_ASG_SWITCHED, .due_at = T0};
	struct dvt_assignment_facts f = facts_of(DVT_ROT_DEVICE_CA, "RNE");
	enum dvt_asg_action action;

	f.new_sessions = 2;
	f.old_seen_at = T0 - 299;
	assert_int_equal(dvt_assignment_step(
			     &row, DVT_EV_TIMEOUT, &f, T0, &row, &action, NULL),
	    DVT_OK);
	assert_int_equal(row.state, DVT_ASG_SWITCHED);
	assert_int_equal(row.due_at, T0 + 300);
	assert_int_equal(dvt_assignment_step(&row, DVT_EV_TIMEOUT, &f, T0 + 300,
			     &row, &action, NULL),
	    DVT_OK);
	assert_int_equal(row.state, DVT_ASG_CONFIRMED);
	assert_int_equal(action, DVT_ASG_SUPERSEDE);
}

static void
failures_wait_30_60_120_300_seconds_and_end(void **state)
{
	static const int64_t least[] = {30, 60, 120, 300, 300, 300, 300};
	struct dvt_assignment row = {.device_id = "d"};
	struct dvt_assignment_facts f = facts_of(DVT_ROT_SERVER_CA, "R");
	enum dvt_asg_action action;
	int64_t now = T0;

	f.random = 12345;
	row.state = DVT_ASG_TRIGGERED;
	for (size_t i = 0; i < DVT_COUNT(least); i++) {
		assert_int_equal(dvt_assignment_step(&row, DVT_EV_FAILED, &f,
				     now, &row, &action, NULL),
		    DVT_OK);
		assert_int_equal(row.state, DVT_ASG_WAITING);
		assert_int_equal(action, DVT_ASG_TAKE_MAIL);
		assert_string_equal(row.reason, "probe refused");
		assert_in_range(
		    row.due_at - now, least[i], least[i] + least[i] / 5);
		now = row.due_at;
		assert_int_equal(dvt_assignment_step(&row, DVT_EV_TIMEOUT, &f,
				     now, &row, &action, NULL),
		    DVT_OK);
		assert_int_equal(row.state, DVT_ASG_TRIGGERED);
	}
	assert_int_equal(dvt_assignment_step(
			     &row, DVT_EV_FAILED, &f, now, &row, &action, NULL),
	    DVT_OK);
	assert_int_equal(row.state, DVT_ASG_FAILED);
	assert_int_equal(action, DVT_ASG_ALERT);
	assert_int_equal(row.due_at, 0);
	assert_int_equal(dvt_assignment_step(
			     &row, DVT_EV_RETRY, &f, now, &row, &action, NULL),
	    DVT_OK);
	assert_int_equal(row.tries, 0);
}

static void
silence_leads_to_the_field_list_and_back(void **state)
{
	WALK(DVT_ROT_SERVER_CA, {EV(WAVE), "RS", TO(TRIGGERED), TO(PUT_PROBE)},
	    {EV(TIMEOUT), "RS", TO(UNREACHABLE), TO(WAKE)},
	    {EV(TIMEOUT), "RS", TO(OUT_OF_BAND), TO(WAKE)},
	    {EV(TIMEOUT), "RS", TO(ESCALATED), TO(FIELD_LIST)},
	    {EV(CHECKIN), "R", TO(TRIGGERED), TO(PUT_PROBE)},
	    {EV(PROOF), "RLP", TO(CONFIRMED), TO(TAKE_MAIL)});
}

static void
a_device_heard_in_time_is_not_unreachable(void **state)
{
	WALK(DVT_ROT_DEVICE_CA, {EV(WAVE), "R", TO(TRIGGERED), TO(PUT_RENEW)},
	    {EV(TIMEOUT), "R", TO(TRIGGERED), TO(PUT_RENEW)});
}

static void
a_parked_device_waits_for_its_turn_or_is_mended_at_once(void **state)
{
	WALK(DVT_ROT_DEVICE_CA, {EV(PARK), "", TO(PARKED), TO(DO_NOTHING)},
	    {EV(WAVE), "", TO(PARKED), TO(DO_NOTHING)},
	    {EV(RETURN), "", TO(WAITING), TO(DO_NOTHING)},
	    {EV(PARK), "", TO(PARKED), TO(DO_NOTHING)},
	    {EV(RETURN), "R", TO(TRIGGERED), TO(PUT_RENEW)});
}

static void
what_is_excepted_stays_out(void **state)
{
	struct dvt_assignment row = {.device_id = "dev-7"}, before;
	struct dvt_assignment_facts f = facts_of(DVT_ROT_DEVICE_CA, "R");
	enum dvt_asg_action action;
	struct dvt_err err = {0};

	f.reason = "in repair";
	assert_int_equal(dvt_assignment_step(
			     &row, DVT_EV_EXCEPT, &f, T0, &row, &action, NULL),
	    DVT_OK);
	assert_int_equal(row.state, DVT_ASG_EXCEPTED);
	assert_string_equal(row.reason, "in repair");
	before = row;
	assert_int_equal(
	    dvt_assignment_step(&row, DVT_EV_WAVE, &f, T0, &row, &action, &err),
	    DVT_E_CONFLICT);
	assert_non_null(strstr(err.text, "dev-7"));
	assert_memory_equal(&row, &before, sizeof(row));
}

/* Whatever comes twice: the second one moves nothing and asks for nothing. */
static void
an_event_that_comes_again_does_nothing(void **state)
{
	static const enum dvt_asg_event events[] = {DVT_EV_WAVE, DVT_EV_PROOF,
	    DVT_EV_CSR, DVT_EV_ISSUED, DVT_EV_TRIED, DVT_EV_SEEN,
	    DVT_EV_CHECKIN, DVT_EV_PARK};
	static const char *const flags[] = {"R", "RL", "RP", "RLP", "RN"};

	for (int kind = 0; kind < 2; kind++)
		for (int s = 0; s < DVT_ASG_N; s++)
			for (size_t e = 0; e < DVT_COUNT(events); e++)
				for (size_t g = 0; g < DVT_COUNT(flags); g++) {
					struct dvt_assignment
					    a = {.device_id = "d",
						.state =
						    (enum dvt_assignment_state)
							s},
					    b;
					struct dvt_assignment_facts
					    f = facts_of(
						kind == 0 ? DVT_ROT_SERVER_CA
							  : DVT_ROT_DEVICE_CA,
						flags[g]);
					enum dvt_asg_action act;

					if (dvt_assignment_step(&a, events[e],
						&f, T0, &a, &act,
						NULL) != DVT_OK)
						continue;
					if (dvt_assignment_step(&a, events[e],
						&f, T0 + 5, &b, &act,
						NULL) != DVT_OK)
						continue;
					/* one step further is allowed, a
					 * second action is not */
					if (a.state == b.state &&
					    act != DVT_ASG_DO_NOTHING)
						fail_msg("%s takes event %d "
							 "again: action %d",
						    dvt_assignment_state_name(
							a.state),
						    (int)events[e], (int)act);
				}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(
		server_ca_is_confirmed_when_loaded_and_then_proven),
	    cmocka_unit_test(
		server_ca_is_confirmed_when_proven_and_then_loaded),
	    cmocka_unit_test(
		a_device_without_check_in_is_confirmed_by_proof_alone),
	    cmocka_unit_test(a_device_that_lost_its_trust_is_told_again),
	    cmocka_unit_test(
		device_ca_supersedes_only_at_the_completion_check_in),
	    cmocka_unit_test(
		a_device_that_goes_back_to_its_old_certificate_renews_again),
	    cmocka_unit_test(the_certificate_and_the_first_edge_are_remembered),
	    cmocka_unit_test(
		a_device_that_only_speaks_est_is_done_after_two_quiet_sessions),
	    cmocka_unit_test(failures_wait_30_60_120_300_seconds_and_end),
	    cmocka_unit_test(silence_leads_to_the_field_list_and_back),
	    cmocka_unit_test(a_device_heard_in_time_is_not_unreachable),
	    cmocka_unit_test(
		a_parked_device_waits_for_its_turn_or_is_mended_at_once),
	    cmocka_unit_test(what_is_excepted_stays_out),
	    cmocka_unit_test(an_event_that_comes_again_does_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
