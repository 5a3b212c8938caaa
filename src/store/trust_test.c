/* SPDX-License-Identifier: Apache-2.0 */
#include "store/store_test.h"

#include "store/device.h"
#include "store/gate.h"
#include "store/rotation.h"
#include "store/trust.h"

#define NOW INT64_C(1764547200)

static void
add_device(struct test_store *t, const char *id, enum dvt_device_state state)
{
	const struct dvt_row_device d = {
	    .device_id = id, .state = state, .labels = "{}", .period_s = 300};
	bool added;

	assert_done(dvt_store_device_add(t->tx, &d, &added, &err));
}

static void
except(struct test_store *t, const char *id, int64_t rotation)
{
	struct dvt_assignment a = {
	    .rotation_id = rotation, .wave = 1, .state = DVT_ASG_EXCEPTED};
	bool added;

	(void)dvt_copy_str(a.device_id, sizeof(a.device_id), id);
	assert_done(dvt_store_assignment_add(t->tx, &a, &added, &err));
	assert_true(added);
}

static void
lacking(struct test_store *t, enum dvt_gate gate,
    const struct dvt_gate_query *q, int64_t n, const char *first)
{
	struct dvt_count count;

	assert_done(dvt_store_gate(t->tx, gate, q, &count, &err));
	assert_int_equal(count.n, n);
	assert_string_equal(count.sample[0], first);
}

static void
a_gate_counts_active_devices_without_pure_proof(void **state)
{
	struct dvt_gate_query q = {.root = "new", .rotation_id = 7};
	struct test_store *t = *state;

	add_device(t, "d1", DVT_DEVICE_ACTIVE);
	add_device(t, "d2", DVT_DEVICE_ACTIVE);
	add_device(t, "d3", DVT_DEVICE_PARKED);
	add_device(t, "d4", DVT_DEVICE_ACTIVE);
	lacking(t, DVT_GATE_UNPROVEN, &q, 3, "d1");
	/* Through a cross-certificate, at another name, or by a refusal it
	 * proves nothing. */
	assert_done(dvt_store_chain_ok(
	    t->tx, "d1", "new", DVT_FORM_CROSS, NOW, true, &err));
	assert_done(
	    dvt_store_chain_bad(t->tx, "d1", "new", DVT_FORM_PURE, NOW, &err));
	assert_done(dvt_store_chain_ok(
	    t->tx, "d1", "new", DVT_FORM_PURE, NOW, false, &err));
	lacking(t, DVT_GATE_UNPROVEN, &q, 3, "d1");
	assert_done(dvt_store_chain_ok(
	    t->tx, "d1", "new", DVT_FORM_PURE, NOW + 5, true, &err));
	lacking(t, DVT_GATE_UNPROVEN, &q, 2, "d2");
	q.since = NOW + 6;
	lacking(t, DVT_GATE_UNPROVEN, &q, 3, "d1");
	q.since = NOW + 5;
	except(t, "d2", 7);
	lacking(t, DVT_GATE_UNPROVEN, &q, 1, "d4");
	q.rotation_id = 8;
	lacking(t, DVT_GATE_UNPROVEN, &q, 2, "d2");
}

static void
a_gate_counts_devices_that_did_not_confirm(void **state)
{
	const struct dvt_gate_query q = {.version = 2, .rotation_id = 7};
	struct test_store *t = *state;
	struct dvt_row_trust_state row;
	const char *anchors;

	add_device(t, "d1", DVT_DEVICE_ACTIVE);
	add_device(t, "d2", DVT_DEVICE_ACTIVE);
	add_device(t, "d3", DVT_DEVICE_PARKED);
	assert_done(dvt_store_trust_confirm(t->tx, "d1", 2, "x", NOW, &err));
	assert_done(dvt_store_trust_confirm(t->tx, "d2", 1, "y", NOW, &err));
	assert_done(dvt_store_trust_failed(t->tx, "d2", "z", "probe", &err));
	lacking(t, DVT_GATE_UNBUNDLED, &q, 1, "d2");
	assert_done(
	    dvt_store_trust_state_get(t->tx, &t->arena, "d2", &row, &err));
	assert_string_equal(row.failed, "probe");
	assert_string_equal(row.digest, "z");
	assert_int_equal(row.bundle_confirmed, 0); /* taken back */
	assert_done(dvt_store_trust_confirm(t->tx, "d2", 2, "x", NOW, &err));
	lacking(t, DVT_GATE_UNBUNDLED, &q, 0, "");
	assert_done(
	    dvt_store_trust_state_get(t->tx, &t->arena, "d2", &row, &err));
	assert_string_equal(row.failed, "");
	assert_done(dvt_store_trust_store_put(t->tx, "x", "[\"old\"]", &err));
	assert_done(dvt_store_trust_store_put(t->tx, "x", "[\"old\"]", &err));
	assert_done(
	    dvt_store_trust_store_get(t->tx, &t->arena, "x", &anchors, &err));
	assert_string_equal(anchors, "[\"old\"]");
	assert_code(DVT_E_ABSENT,
	    dvt_store_trust_store_get(t->tx, &t->arena, "z", &anchors, &err));
}

static void
a_chain_remembers_first_last_and_worst(void **state)
{
	struct test_store *t = *state;
	struct dvt_row_chain_seen *rows;
	size_t n;

	assert_done(
	    dvt_store_chain_bad(t->tx, "d", "r", DVT_FORM_PURE, NOW, &err));
	assert_done(dvt_store_chain_ok(
	    t->tx, "d", "r", DVT_FORM_PURE, NOW + 1, true, &err));
	assert_done(dvt_store_chain_ok(
	    t->tx, "d", "r", DVT_FORM_PURE, NOW + 9, false, &err));
	assert_done(dvt_store_chain_ok(/* a report that came late */
	    t->tx, "d", "r", DVT_FORM_PURE, NOW + 3, false, &err));
	assert_done(dvt_store_chain_ok(
	    t->tx, "d", "r", DVT_FORM_LEAF, NOW + 3, false, &err));
	assert_done(
	    dvt_store_chain_seen(t->tx, &t->arena, "d", &rows, &n, &err));
	assert_int_equal(n, 2);
	assert_int_equal(rows[1].form, DVT_FORM_PURE);
	assert_int_equal(rows[1].accepted, 3);
	assert_int_equal(rows[1].refused, 1);
	assert_int_equal(rows[1].first_ok_at, NOW + 1);
	assert_int_equal(rows[1].last_ok_at, NOW + 9);
	assert_int_equal(rows[1].last_main_at, NOW + 1);
	assert_int_equal(rows[1].last_bad_at, NOW);
}

static void
bundles_are_walked_from_version_to_version(void **state)
{
	struct test_store *t = *state;
	struct dvt_row_bundle b = {
	    .anchors = "[]", .envelope = "{}", .reason = "init"};
	struct dvt_row_bundle got, *rows;
	size_t n;

	assert_code(DVT_E_ABSENT,
	    dvt_store_bundle_newest(t->tx, &t->arena, &got, &err));
	for (b.version = 1; b.version <= 4; b.version++) {
		b.previous = b.version - 1;
		b.digest = b.version % 2 != 0 ? "odd" : "even";
		assert_done(dvt_store_bundle_add(t->tx, &b, &err));
	}
	b.version = 2;
	assert_code(DVT_E_CONFLICT, dvt_store_bundle_add(t->tx, &b, &err));
	assert_done(dvt_store_bundle_newest(t->tx, &t->arena, &got, &err));
	assert_int_equal(got.version, 4);
	assert_done(
	    dvt_store_bundle_by_digest(t->tx, &t->arena, "odd", &got, &err));
	assert_int_equal(got.version, 3);
	assert_done(
	    dvt_store_bundle_list(t->tx, &t->arena, 1, 2, &rows, &n, &err));
	assert_int_equal(n, 2);
	assert_int_equal(rows[0].version, 2);
}

static void
a_trust_key_is_kept_with_or_without_its_private_half(void **state)
{
	struct test_store *t = *state;
	struct dvt_row_trust_key k = {.keyid = "k1",
	    .role = DVT_TRUST_KEY_ONLINE,
	    .spki = DVT_SPAN_LIT("spki"),
	    .wrapped = DVT_SPAN_LIT("secret")};
	struct dvt_row_trust_key *rows;
	size_t n;

	assert_done(dvt_store_trust_key_set(t->tx, &k, &err));
	k = (struct dvt_row_trust_key){.keyid = "k2",
	    .role = DVT_TRUST_KEY_ROOT,
	    .spki = DVT_SPAN_LIT("spki")};
	assert_done(dvt_store_trust_key_set(t->tx, &k, &err));
	k.state = DVT_TRUST_KEY_RETIRED;
	assert_done(dvt_store_trust_key_set(t->tx, &k, &err));
	assert_done(
	    dvt_store_trust_key_list(t->tx, &t->arena, &rows, &n, &err));
	assert_int_equal(n, 2);
	assert_int_equal(rows[0].wrapped.n, 6);
	assert_null(rows[1].wrapped.p);
	assert_int_equal(rows[1].state, DVT_TRUST_KEY_RETIRED);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    test_in_store(a_gate_counts_active_devices_without_pure_proof),
	    test_in_store(a_gate_counts_devices_that_did_not_confirm),
	    test_in_store(a_chain_remembers_first_last_and_worst),
	    test_in_store(bundles_are_walked_from_version_to_version),
	    test_in_store(a_trust_key_is_kept_with_or_without_its_private_half),
	};

	return cmocka_run_group_tests_name("trust", tests, NULL, NULL);
}
