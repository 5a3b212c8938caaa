/* SPDX-License-Identifier: Apache-2.0 */
#include "store/store_test.h"

#include "store/people.h"
#include "store/watch.h"

#define NOW INT64_C(1764547200)

static void
handshakes_are_kept_counted_and_trimmed(void **state)
{
	struct test_store *t = *state;
	struct dvt_row_handshake h = {
	    .gateway = "gw", .body = "{}", .confidence = "certificate", .n = 1};
	struct dvt_row_handshake *rows;
	struct dvt_row_handshake_count *counts;
	struct dvt_row_handshake_hour hour = {.device = "d-1",
	    .hour = NOW / 3600,
	    .gateway = "gw",
	    .outcome = "ok",
	    .reason = "ok",
	    .root = "new",
	    .n = 2};
	struct dvt_row_handshake_hour *hours;
	int64_t gone;
	size_t n;

	for (int i = 0; i < 30; i++) {
		h.at = NOW + i;
		h.device = i % 3 == 0 ? "d-1" : "d-2";
		h.outcome = i % 10 == 0 ? "device-refused" : "ok";
		h.reason = i % 10 == 0 ? "unknown-ca" : "ok";
		h.root = i < 10 ? "old" : "new";
		assert_done(dvt_store_handshake_add(t->tx, &h, &err));
	}
	assert_done(dvt_store_handshake_list(
	    t->tx, &t->arena, NULL, NULL, 0, 5, &rows, &n, &err));
	assert_int_equal(n, 5);
	assert_int_equal(rows[0].id, 30); /* newest first */
	assert_done(dvt_store_handshake_list(
	    t->tx, &t->arena, "d-1", "device-refused", 0, 9, &rows, &n, &err));
	assert_int_equal(n, 1);
	assert_int_equal(rows[0].at, NOW);
	assert_done(dvt_store_handshake_list(
	    t->tx, &t->arena, NULL, "device-refused", 21, 9, &rows, &n, &err));
	assert_int_equal(n, 2);
	assert_done(dvt_store_handshake_count(
	    t->tx, &t->arena, "new", NOW + 15, &counts, &n, &err));
	assert_int_equal(n, 2);
	assert_string_equal(counts[0].outcome, "device-refused");
	assert_int_equal(counts[0].n, 1);
	assert_int_equal(counts[1].n, 14);
	assert_done(dvt_store_handshake_trim(t->tx, 10, 15, &gone, &err));
	assert_int_equal(gone, 15); /* at most so many in one call */
	assert_done(dvt_store_handshake_trim(t->tx, 10, 15, &gone, &err));
	assert_int_equal(gone, 5);
	assert_done(dvt_store_handshake_trim(t->tx, 10, 15, &gone, &err));
	assert_int_equal(gone, 0);
	assert_done(dvt_store_handshake_hour_add(t->tx, &hour, &err));
	assert_done(dvt_store_handshake_hour_add(t->tx, &hour, &err));
	assert_done(dvt_store_handshake_hours(
	    t->tx, &t->arena, "d-1", 0, 9, &hours, &n, &err));
	assert_int_equal(n, 1);
	assert_int_equal(hours[0].n, 4);
	/* counts of old hours go, some devices at a time */
	hour.hour++;
	assert_done(dvt_store_handshake_hour_add(t->tx, &hour, &err));
	hour.device = "d-2";
	hour.hour--;
	assert_done(dvt_store_handshake_hour_add(t->tx, &hour, &err));
	for (int i = 0; i < 4; i++) {
		static const int left[] = {1, 1, 0, 0};

		assert_done(dvt_store_handshake_hours_trim(
		    t->tx, hour.hour + 1, 1, &gone, &err));
		assert_int_equal(gone, i < 2 ? 1 : 0);
		assert_done(dvt_store_handshake_hours(t->tx, &t->arena,
		    i == 0 ? "d-2" : "d-1", 0, 9, &hours, &n, &err));
		assert_int_equal(n, i < 2 ? left[i] : 1);
	}
}

static void
a_step_told_twice_is_there_once(void **state)
{
	struct test_store *t = *state;
	const struct dvt_row_update u = {.device_id = "d",
	    .id = "certs-1764547000",
	    .version = "1.2",
	    .target = "7",
	    .started_at = NOW};
	struct dvt_row_step s = {.device_id = "d",
	    .id = u.id,
	    .at = NOW,
	    .step = "Switch",
	    .target = "7",
	    .outcome = "Start"};
	struct dvt_row_update got, *updates;
	struct dvt_row_step *rows;
	bool added;
	size_t n;

	assert_done(dvt_store_update_start(t->tx, &u, &err));
	assert_done(dvt_store_update_start(t->tx, &u, &err));
	assert_done(dvt_store_step_add(t->tx, &s, &added, &err));
	assert_true(added);
	assert_done(dvt_store_step_add(t->tx, &s, &added, &err));
	assert_false(added);
	s.outcome = "Succeed";
	assert_done(dvt_store_step_add(t->tx, &s, &added, &err));
	assert_true(added);
	assert_done(
	    dvt_store_step_list(t->tx, &t->arena, "d", u.id, &rows, &n, &err));
	assert_int_equal(n, 2);
	assert_int_equal(rows[1].seq, 2);
	assert_string_equal(rows[1].outcome, "Succeed");
	assert_done(dvt_store_update_finish(
	    t->tx, "d", u.id, NOW + 9, "Succeed", &err));
	assert_done(
	    dvt_store_update_finish(t->tx, "d", u.id, NOW + 10, "Fail", &err));
	assert_done(
	    dvt_store_update_get(t->tx, &t->arena, "d", u.id, &got, &err));
	assert_string_equal(got.outcome, "Succeed");
	assert_done(dvt_store_update_list(
	    t->tx, &t->arena, "d", 9, &updates, &n, &err));
	assert_int_equal(n, 1);
}

static void
events_are_numbered_and_followed(void **state)
{
	struct test_store *t = *state;
	const struct dvt_row_event e = {
	    .at = NOW, .name = "CertRotationStarted", .body = "{}"};
	struct dvt_row_event *rows;
	int64_t id = 0;
	size_t n;

	for (int64_t i = 1; i <= 5; i++) {
		assert_done(dvt_store_event_add(t->tx, &e, &id, &err));
		assert_int_equal(id, i);
	}
	assert_done(
	    dvt_store_event_list(t->tx, &t->arena, 3, 9, &rows, &n, &err));
	assert_int_equal(n, 2);
	assert_int_equal(rows[0].id, 4);
	assert_done(dvt_store_event_last(t->tx, &id, &err));
	assert_int_equal(id, 5);
}

static void
an_alert_of_one_subject_is_counted_up(void **state)
{
	struct test_store *t = *state;
	struct dvt_row_alert a = {.key = "gw/gw-1/silent",
	    .severity = "warn",
	    .name = "gateway.silent",
	    .detail = "3 h",
	    .at = NOW};
	struct dvt_row_alert *rows;
	int64_t times;
	size_t n;

	assert_done(dvt_store_alert_raise(t->tx, &a, &times, &err));
	assert_int_equal(times, 1);
	a.severity = "page";
	assert_done(dvt_store_alert_raise(t->tx, &a, &times, &err));
	assert_int_equal(times, 2);
	assert_done(dvt_store_alert_ack(t->tx, 1, "op", NOW + 1, &err));
	assert_code(
	    DVT_E_CONFLICT, dvt_store_alert_ack(t->tx, 1, "op", NOW + 1, &err));
	assert_done(dvt_store_alert_list(
	    t->tx, &t->arena, false, 0, 9, &rows, &n, &err));
	assert_int_equal(n, 0);
	assert_done(dvt_store_alert_list(
	    t->tx, &t->arena, true, 0, 9, &rows, &n, &err));
	assert_int_equal(n, 1);
	assert_string_equal(rows[0].severity, "page");
	a.at = NOW + 600;
	assert_done(dvt_store_alert_raise(t->tx, &a, &times, &err));
	assert_int_equal(times, 3);
	assert_done(dvt_store_alert_list(
	    t->tx, &t->arena, false, 0, 9, &rows, &n, &err));
	assert_int_equal(n, 0); /* somebody is at it */
	a.at = NOW + 601;
	assert_done(dvt_store_alert_raise(t->tx, &a, &times, &err));
	assert_int_equal(times, 1); /* told again */
	assert_done(dvt_store_alert_list(
	    t->tx, &t->arena, false, 0, 9, &rows, &n, &err));
	assert_int_equal(n, 1);
	assert_string_equal(rows[0].acked_by, "");
	assert_done(dvt_store_alert_clear(t->tx, a.key, &err));
	assert_done(dvt_store_alert_clear(t->tx, a.key, &err));
}

static void
a_token_is_found_by_hash_revoked_or_not(void **state)
{
	struct test_store *t = *state;
	const struct dvt_row_token k = {.created_by = "a",
	    .name = "op",
	    .role = DVT_ROLE_OPERATOR,
	    .hash = "h1"};
	struct dvt_row_token got;
	int64_t id;

	assert_done(dvt_store_token_add(t->tx, &k, &id, &err));
	assert_int_equal(id, 1);
	assert_code(DVT_E_CONFLICT, dvt_store_token_add(t->tx, &k, &id, &err));
	assert_done(
	    dvt_store_token_by_hash(t->tx, &t->arena, "h1", &got, &err));
	assert_int_equal(got.role, DVT_ROLE_OPERATOR);
	assert_code(DVT_E_ABSENT,
	    dvt_store_token_by_hash(t->tx, &t->arena, "h2", &got, &err));
	assert_done(dvt_store_token_revoke(t->tx, "op", NOW, &err));
	assert_code(
	    DVT_E_CONFLICT, dvt_store_token_revoke(t->tx, "op", NOW, &err));
	assert_done(
	    dvt_store_token_by_hash(t->tx, &t->arena, "h1", &got, &err));
	assert_int_equal(got.revoked_at, NOW);
}

static void
an_approval_is_given_by_another_and_used_once(void **state)
{
	struct test_store *t = *state;
	const struct dvt_row_approval a = {.action = "rotation.retire",
	    .object = "rotation 1",
	    .digest = "d1",
	    .requested_by = "op",
	    .requested_at = NOW,
	    .expires_at = NOW + 86400};
	struct dvt_row_approval got;
	int64_t id;

	assert_done(dvt_store_approval_add(t->tx, &a, &id, &err));
	assert_code(
	    DVT_E_CONFLICT, dvt_store_approval_use(t->tx, id, "d1", NOW, &err));
	assert_code(DVT_E_CONFLICT, /* one's own */
	    dvt_store_approval_give(t->tx, id, "op", NOW, &err));
	assert_code(DVT_E_CONFLICT, /* too late */
	    dvt_store_approval_give(t->tx, id, "second", NOW + 86400, &err));
	assert_done(dvt_store_approval_give(t->tx, id, "second", NOW, &err));
	assert_code(DVT_E_CONFLICT, /* what it was about has changed */
	    dvt_store_approval_use(t->tx, id, "d2", NOW, &err));
	assert_done(dvt_store_approval_find(
	    t->tx, &t->arena, a.action, "d1", NOW, &got, &err));
	assert_string_equal(got.given_by, "second");
	assert_done(dvt_store_approval_use(t->tx, id, "d1", NOW, &err));
	assert_code(
	    DVT_E_CONFLICT, dvt_store_approval_use(t->tx, id, "d1", NOW, &err));
	assert_code(DVT_E_ABSENT, dvt_store_approval_find(t->tx, &t->arena,
				      a.action, "d1", NOW, &got, &err));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    test_in_store(handshakes_are_kept_counted_and_trimmed),
	    test_in_store(a_step_told_twice_is_there_once),
	    test_in_store(events_are_numbered_and_followed),
	    test_in_store(an_alert_of_one_subject_is_counted_up),
	    test_in_store(a_token_is_found_by_hash_revoked_or_not),
	    test_in_store(an_approval_is_given_by_another_and_used_once),
	};

	return cmocka_run_group_tests_name("watch", tests, NULL, NULL);
}
