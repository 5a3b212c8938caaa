/* SPDX-License-Identifier: Apache-2.0 */
#include "store/store_test.h"

#include "store/device.h"
#include "store/rotation.h"

#define NOW INT64_C(1764547200)

static void
add_device(struct test_store *t, const char *id, enum dvt_device_state state,
    enum dvt_environment environment)
{
	const struct dvt_row_device d = {.device_id = id,
	    .state = state,
	    .labels = "{}",
	    .environment = environment};
	bool added;

	assert_done(dvt_store_device_add(t->tx, &d, &added, &err));
}

static void
a_rotation_moves_by_compare_and_set(void **state)
{
	struct test_store *t = *state;
	struct dvt_rotation r = {.kind = DVT_ROT_SERVER_CA,
	    .state = DVT_ROT_PLANNED,
	    .phase = DVT_PHASE_PLANNED,
	    .version = 1,
	    .from_id = 1,
	    .to_id = 2,
	    .plan_digest = "abc",
	    .created_by = "operator"};
	struct dvt_rotation got, *rows;
	const char *plan;
	int64_t id;
	size_t n;

	assert_done(dvt_store_rotation_add(t->tx, &r, "{\"a\":1}", &id, &err));
	assert_int_equal(id, 1);
	assert_done(dvt_store_rotation_get(t->tx, 1, &got, &err));
	assert_int_equal(got.kind, DVT_ROT_SERVER_CA);
	assert_string_equal(got.plan_digest, "abc");
	assert_done(dvt_store_rotation_open(t->tx, &t->arena, &rows, &n, &err));
	assert_int_equal(n, 0);
	got.state = DVT_ROT_RUNNING;
	got.phase = DVT_PHASE_OVERLAP;
	got.version = 2;
	(void)snprintf(got.waits_for, sizeof(got.waits_for), "3 devices");
	assert_done(dvt_store_rotation_save(t->tx, &got, 1, &err));
	assert_code(
	    DVT_E_CONFLICT, dvt_store_rotation_save(t->tx, &got, 1, &err));
	assert_done(dvt_store_rotation_open(t->tx, &t->arena, &rows, &n, &err));
	assert_int_equal(n, 1);
	assert_string_equal(rows[0].waits_for, "3 devices");
	assert_int_equal(rows[0].from_id, 1); /* what never changes */
	assert_done(dvt_store_rotation_plan(t->tx, &t->arena, 1, &plan, &err));
	assert_string_equal(plan, "{\"a\":1}");
	assert_code(DVT_E_ABSENT, dvt_store_rotation_get(t->tx, 9, &got, &err));
}

static void
phases_are_entered_and_left_in_order(void **state)
{
	struct test_store *t = *state;
	struct dvt_row_phase *rows;
	size_t n;

	assert_done(
	    dvt_store_phase_enter(t->tx, 1, DVT_PHASE_PREFLIGHT, NOW, &err));
	assert_done(dvt_store_phase_leave(t->tx, 1, NOW + 1, "ok", &err));
	assert_done(
	    dvt_store_phase_enter(t->tx, 1, DVT_PHASE_OVERLAP, NOW + 1, &err));
	assert_done(dvt_store_phase_list(t->tx, &t->arena, 1, &rows, &n, &err));
	assert_int_equal(n, 2);
	assert_int_equal(rows[0].left_at, NOW + 1);
	assert_string_equal(rows[0].outcome, "ok");
	assert_int_equal(rows[1].seq, 2);
	assert_string_equal(rows[1].name, "overlap");
	assert_int_equal(rows[1].left_at, 0);
}

static void
devices_are_taken_in_by_slices(void **state)
{
	char after[DVT_DEVICE_ID_MAX + 1] = "";
	struct test_store *t = *state;
	struct dvt_row_wave_count *counts;
	struct dvt_assignment *rows, a;
	int64_t taken, total = 0;
	int slices = 0;
	size_t n;

	for (int i = 0; i < 25; i++) {
		char id[16];

		(void)snprintf(id, sizeof(id), "d-%02d", i);
		add_device(t, id,
		    i == 3   ? DVT_DEVICE_PARKED
		    : i == 4 ? DVT_DEVICE_BLOCKED
			     : DVT_DEVICE_ACTIVE,
		    i < 2 ? DVT_ENV_PILOT : DVT_ENV_PRODUCTION);
	}
	do {
		assert_done(dvt_store_assignment_slice(
		    t->tx, 1, NOW, after, 10, &taken, &err));
		total += taken;
		slices++;
	} while (after[0] != '\0');
	assert_int_equal(total, 24);
	assert_int_equal(slices, 4); /* the last one finds no more */
	assert_done(dvt_store_assignment_counts(
	    t->tx, &t->arena, 1, &counts, &n, &err));
	assert_int_equal(n, 3);
	assert_int_equal(counts[0].wave, 1);
	assert_int_equal(counts[0].n, 2);
	assert_int_equal(counts[1].state, DVT_ASG_PARKED);
	assert_int_equal(counts[2].state, DVT_ASG_WAITING);
	assert_int_equal(counts[2].n, 21);
	assert_done(dvt_store_assignment_next(
	    t->tx, &t->arena, 1, 2, 5, &rows, &n, &err));
	assert_int_equal(n, 5);
	assert_string_equal(rows[0].device_id, "d-02");
	assert_true(rows[0].rank < rows[1].rank);
	/* Again from the start: nothing is there twice. */
	assert_done(dvt_store_assignment_slice(
	    t->tx, 1, NOW, after, 1000, &taken, &err));
	assert_int_equal(taken, 0);
	assert_done(dvt_store_assignment_get(t->tx, "d-24", 1, &a, &err));
	assert_int_equal(a.rank, 23);
	assert_code(
	    DVT_E_ABSENT, dvt_store_assignment_get(t->tx, "d-04", 1, &a, &err));
}

static void
an_assignment_steps_once_and_falls_due(void **state)
{
	struct test_store *t = *state;
	struct dvt_assignment a = {
	    .device_id = "d", .rotation_id = 1, .wave = 1};
	struct dvt_assignment *rows;
	bool added;
	size_t n;

	assert_done(dvt_store_assignment_add(t->tx, &a, &added, &err));
	assert_true(added);
	assert_done(dvt_store_assignment_add(t->tx, &a, &added, &err));
	assert_false(added);
	a.state = DVT_ASG_TRIGGERED;
	a.due_at = NOW + 30;
	(void)snprintf(a.reason, sizeof(a.reason), "wave begins");
	assert_done(
	    dvt_store_assignment_save(t->tx, &a, DVT_ASG_WAITING, &err));
	assert_code(DVT_E_CONFLICT,
	    dvt_store_assignment_save(t->tx, &a, DVT_ASG_WAITING, &err));
	assert_string_equal(err.text, "device d is not waiting in rotation 1");
	assert_done(dvt_store_assignment_due(
	    t->tx, &t->arena, NOW + 29, 9, &rows, &n, &err));
	assert_int_equal(n, 0);
	assert_done(dvt_store_assignment_due(
	    t->tx, &t->arena, NOW + 30, 9, &rows, &n, &err));
	assert_int_equal(n, 1);
	assert_string_equal(rows[0].reason, "wave begins");
	assert_done(dvt_store_assignment_unfinished(
	    t->tx, &t->arena, 1, 9, &rows, &n, &err));
	assert_int_equal(n, 1);
	a.state = DVT_ASG_CONFIRMED;
	a.due_at = 0;
	assert_done(
	    dvt_store_assignment_save(t->tx, &a, DVT_ASG_TRIGGERED, &err));
	assert_done(dvt_store_assignment_unfinished(
	    t->tx, &t->arena, 1, 9, &rows, &n, &err));
	assert_int_equal(n, 0);
	assert_done(dvt_store_assignment_list(
	    t->tx, &t->arena, 1, "confirmed", "", 9, &rows, &n, &err));
	assert_int_equal(n, 1);
}

static void
an_instruction_waits_until_it_is_taken(void **state)
{
	struct test_store *t = *state;
	struct dvt_row_mail m = {.device_id = "d",
	    .id = "r1-renew",
	    .action = DVT_MAIL_RENEW,
	    .body = "{}",
	    .rotation_id = 1,
	    .created_at = NOW};
	struct dvt_row_mail *rows;
	bool taken;
	size_t n;

	assert_done(dvt_store_mail_put(t->tx, &m, &err));
	m.created_at = NOW + 5;
	assert_done(dvt_store_mail_put(t->tx, &m, &err));
	assert_done(dvt_store_mail_told(t->tx, "d", NOW + 6, &err));
	assert_done(dvt_store_mail_told(t->tx, "d", NOW + 7, &err));
	assert_done(
	    dvt_store_mail_list(t->tx, &t->arena, "d", &rows, &n, &err));
	assert_int_equal(n, 1);
	assert_int_equal(rows[0].created_at, NOW);
	assert_int_equal(rows[0].told_at, NOW + 6);
	assert_done(dvt_store_mail_take(t->tx, "d", "r1-renew", &taken, &err));
	assert_true(taken);
	assert_done(dvt_store_mail_take(t->tx, "d", "r1-renew", &taken, &err));
	assert_false(taken);
}

static void
an_action_is_queued_and_done_once(void **state)
{
	struct test_store *t = *state;
	const struct dvt_row_outbox o = {.key = "1/overlap/bundle/1",
	    .rotation_id = 1,
	    .action = "bundle",
	    .body = "{}",
	    .due_at = NOW,
	    .created_at = NOW};
	struct dvt_row_outbox *rows, got;
	bool queued;
	size_t n;

	assert_done(dvt_store_outbox_put(t->tx, &o, &queued, &err));
	assert_true(queued);
	assert_done(dvt_store_outbox_put(t->tx, &o, &queued, &err));
	assert_false(queued);
	assert_done(
	    dvt_store_outbox_due(t->tx, &t->arena, NOW, 9, &rows, &n, &err));
	assert_int_equal(n, 1);
	assert_done(dvt_store_outbox_again(
	    t->tx, rows[0].id, NOW + 60, "signer away", &err));
	assert_done(
	    dvt_store_outbox_due(t->tx, &t->arena, NOW, 9, &rows, &n, &err));
	assert_int_equal(n, 0);
	assert_done(
	    dvt_store_outbox_end(t->tx, 1, DVT_OUTBOX_DONE, "version 2", &err));
	assert_done(
	    dvt_store_outbox_end(t->tx, 1, DVT_OUTBOX_FAILED, "later", &err));
	assert_done(dvt_store_outbox_put(t->tx, &o, &queued, &err));
	assert_false(queued); /* done is done */
	assert_done(
	    dvt_store_outbox_by_key(t->tx, &t->arena, o.key, &got, &err));
	assert_int_equal(got.state, DVT_OUTBOX_DONE);
	assert_string_equal(got.result, "version 2");
	assert_int_equal(got.tries, 2);
	assert_done(dvt_store_outbox_of_rotation(
	    t->tx, &t->arena, 1, DVT_OUTBOX_DONE, 9, &rows, &n, &err));
	assert_int_equal(n, 1);
}

static void
tallies_add_up_over_shards(void **state)
{
	struct test_store *t = *state;
	struct dvt_row_tally *rows;
	size_t n;

	for (int64_t shard = 0; shard < 4; shard++) {
		assert_done(
		    dvt_store_tally_add(t->tx, 1, 2, "ok", shard, 10, &err));
		assert_done(
		    dvt_store_tally_add(t->tx, 1, 2, "ok", shard, -3, &err));
	}
	assert_done(dvt_store_tally_add(t->tx, 1, 2, "failed", 0, 1, &err));
	assert_done(dvt_store_tally_list(t->tx, &t->arena, 1, &rows, &n, &err));
	assert_int_equal(n, 2);
	assert_string_equal(rows[1].what, "ok");
	assert_int_equal(rows[1].n, 28);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    test_in_store(a_rotation_moves_by_compare_and_set),
	    test_in_store(phases_are_entered_and_left_in_order),
	    test_in_store(devices_are_taken_in_by_slices),
	    test_in_store(an_assignment_steps_once_and_falls_due),
	    test_in_store(an_instruction_waits_until_it_is_taken),
	    test_in_store(an_action_is_queued_and_done_once),
	    test_in_store(tallies_add_up_over_shards),
	};

	return cmocka_run_group_tests_name("rotation", tests, NULL, NULL);
}
