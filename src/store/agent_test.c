/* SPDX-License-Identifier: Apache-2.0 */
#include "store/store_test.h"

#include "store/agent.h"

#define NOW INT64_C(1764547200)
#define ID  "0123456789abcdef0123456789abcdef"

static void
a_grant_is_used_by_one_key_alone(void **state)
{
	struct test_store *t = *state;
	struct dvt_row_grant g = {.id = ID,
	    .device_id = "d1",
	    .certificate = "c1",
	    .created_by = "op",
	    .created_at = NOW,
	    .expires_at = NOW + 60};

	assert_done(dvt_store_grant_add(t->tx, &g, &err));
	assert_done(dvt_store_grant_use(t->tx, ID, "k1", NOW + 1, &err));
	assert_done(dvt_store_grant_use(t->tx, ID, "k1", NOW + 2, &err));
	assert_code(DVT_E_CONFLICT,
	    dvt_store_grant_use(t->tx, ID, "k2", NOW + 3, &err));
	assert_code(DVT_E_CONFLICT,
	    dvt_store_grant_use(t->tx, "another", "k1", NOW + 3, &err));
	assert_done(dvt_store_grant_get(t->tx, &t->arena, ID, &g, &err));
	assert_string_equal(g.key_digest, "k1");
	/* one that was used is no longer open: it keeps its end */
	assert_done(dvt_store_grant_revoke(t->tx, "d1", NOW + 5, &err));
	assert_done(dvt_store_grant_get(t->tx, &t->arena, ID, &g, &err));
	assert_int_equal(g.expires_at, NOW + 60);
	g.id = "2";
	g.key_digest = "";
	g.used_at = 0;
	assert_done(dvt_store_grant_add(t->tx, &g, &err));
	assert_done(dvt_store_grant_revoke(t->tx, "d1", NOW + 5, &err));
	assert_done(dvt_store_grant_get(t->tx, &t->arena, "2", &g, &err));
	assert_int_equal(g.expires_at, NOW + 5);
}

static void
a_signed_line_fills_the_file_it_was_made_for(void **state)
{
	struct test_store *t = *state;
	struct dvt_row_recovery_file f = {.device_id = "d1",
	    .grant_id = "g1",
	    .version = 3,
	    .created_by = "op",
	    .created_at = NOW};

	assert_code(DVT_E_ABSENT,
	    dvt_store_recovery_get(t->tx, &t->arena, "d1", &f, &err));
	f = (struct dvt_row_recovery_file){
	    .device_id = "d1", .grant_id = "g1", .version = 3};
	assert_done(dvt_store_recovery_set(t->tx, &f, &err));
	f.grant_id = "g2"; /* asked for again before the signer was done */
	assert_done(dvt_store_recovery_set(t->tx, &f, &err));
	assert_done(
	    dvt_store_recovery_signed(t->tx, "d1", "g1", "late", "", &err));
	assert_done(dvt_store_recovery_get(t->tx, &t->arena, "d1", &f, &err));
	assert_string_equal(f.line, "");
	assert_done(
	    dvt_store_recovery_signed(t->tx, "d1", "g2", "right", "", &err));
	assert_done(dvt_store_recovery_get(t->tx, &t->arena, "d1", &f, &err));
	assert_string_equal(f.line, "right");
}

static void
a_value_is_told_once_and_sealed_again_by_version(void **state)
{
	struct test_store *t = *state;
	struct dvt_row_config_value v = {.device_id = "d1",
	    .name = "wifi",
	    .sealed = DVT_SPAN_LIT("one"),
	    .certificate = "c1",
	    .version = 2,
	    .set_by = "op",
	    .set_at = NOW};
	bool news;

	assert_done(dvt_store_config_set(t->tx, &v, &err));
	assert_done(dvt_store_config_applied(
	    t->tx, "d1", "wifi", 1, NOW, "", &news, &err));
	assert_false(news); /* of a version that is gone */
	assert_done(dvt_store_config_applied(
	    t->tx, "d1", "wifi", 2, NOW, "no key", &news, &err));
	assert_true(news);
	assert_done(dvt_store_config_applied(
	    t->tx, "d1", "wifi", 2, NOW, "no key", &news, &err));
	assert_false(news);
	assert_done(dvt_store_config_applied(
	    t->tx, "d1", "wifi", 2, NOW, "", &news, &err));
	assert_true(news);
	assert_done(dvt_store_config_applied(
	    t->tx, "d1", "wifi", 2, NOW, "", &news, &err));
	assert_false(news);
	assert_code(DVT_E_CONFLICT, dvt_store_config_reseal(t->tx, "d1", "wifi",
					1, DVT_SPAN_LIT("two"), "c2", &err));
	assert_done(dvt_store_config_reseal(
	    t->tx, "d1", "wifi", 2, DVT_SPAN_LIT("two"), "c2", &err));
	assert_done(
	    dvt_store_config_get(t->tx, &t->arena, "d1", "wifi", &v, &err));
	assert_string_equal(v.certificate, "c2");
	assert_int_equal(v.applied_version, 2);
	assert_done(dvt_store_config_remove(t->tx, "d1", "wifi", &err));
	assert_code(
	    DVT_E_ABSENT, dvt_store_config_remove(t->tx, "d1", "wifi", &err));
}

static void
a_lease_is_one_for_each_device(void **state)
{
	struct test_store *t = *state;
	struct dvt_row_config_lock l = {.device_id = "d1",
	    .update_id = "certs-1",
	    .key_digest = "k",
	    .locked_at = NOW,
	    .expires_at = NOW + 9};
	bool was;

	assert_done(dvt_store_config_lock_set(t->tx, &l, &err));
	l.update_id = "certs-2";
	assert_done(dvt_store_config_lock_set(t->tx, &l, &err));
	assert_done(
	    dvt_store_config_lock_get(t->tx, &t->arena, "d1", &l, &err));
	assert_string_equal(l.update_id, "certs-2");
	assert_done(dvt_store_config_lock_end(t->tx, "d1", &was, &err));
	assert_true(was);
	assert_done(dvt_store_config_lock_end(t->tx, "d1", &was, &err));
	assert_false(was);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    test_in_store(a_grant_is_used_by_one_key_alone),
	    test_in_store(a_signed_line_fills_the_file_it_was_made_for),
	    test_in_store(a_value_is_told_once_and_sealed_again_by_version),
	    test_in_store(a_lease_is_one_for_each_device),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
