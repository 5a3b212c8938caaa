/* SPDX-License-Identifier: Apache-2.0 */
#include "store/store_test.h"

#include "store/authority.h"
#include "store/credential.h"
#include "store/device.h"

#define NOW 1764547200

static void
add_device(struct test_store *t, const char *id, const char *model,
    enum dvt_device_state state)
{
	struct dvt_row_device d = {
	    .device_id = id,
	    .state = state,
	    .model = model,
	    .labels = "{}",
	    .environment = DVT_ENV_PRODUCTION,
	    .period_s = 300,
	    .subject = "CN=x",
	    .subject_der = DVT_SPAN_LIT("\x30\x00"),
	    .created_at = NOW,
	};
	bool added;

	assert_done(dvt_store_device_add(t->tx, &d, &added, &err));
	assert_true(added);
	assert_done(dvt_store_device_add(t->tx, &d, &added, &err));
	assert_false(added);
}

static void
a_device_comes_back_as_it_was_put(void **state)
{
	struct test_store *t = *state;
	struct dvt_row_device d;

	add_device(t, "dev-1", "m1", DVT_DEVICE_ACTIVE);
	assert_done(dvt_store_device_get(t->tx, &t->arena, "dev-1", &d, &err));
	assert_string_equal(d.device_id, "dev-1");
	assert_int_equal(d.state, DVT_DEVICE_ACTIVE);
	assert_string_equal(d.model, "m1");
	assert_string_equal(d.firmware, ""); /* NULL stands for "" */
	assert_int_equal(d.environment, DVT_ENV_PRODUCTION);
	assert_int_equal(d.period_s, 300);
	assert_int_equal(d.subject_der.n, 2);
	assert_memory_equal(d.subject_der.p, "\x30\x00", 2);
	assert_int_equal(d.san_der.n, 0);
	assert_int_equal(d.park_at, NOW + 900);
	assert_code(DVT_E_ABSENT,
	    dvt_store_device_get(t->tx, &t->arena, "dev-2", &d, &err));
	assert_string_equal(err.text, "there is no device dev-2");
}

static void
devices_are_counted_by_state(void **state)
{
	struct test_store *t = *state;
	int64_t count[DVT_DEVICE_N];

	add_device(t, "a-1", "m1", DVT_DEVICE_ACTIVE);
	add_device(t, "a-2", "m2", DVT_DEVICE_ACTIVE);
	add_device(t, "b-3", "m3", DVT_DEVICE_BLOCKED);
	assert_done(dvt_store_device_count(t->tx, count, &err));
	assert_int_equal(count[DVT_DEVICE_ACTIVE], 2);
	assert_int_equal(count[DVT_DEVICE_BLOCKED], 1);
	assert_int_equal(count[DVT_DEVICE_PARKED], 0);
}

static void
silent_devices_are_found_when_three_periods_have_passed(void **state)
{
	struct test_store *t = *state;
	const char *const *ids;
	int64_t seen;
	size_t n;

	add_device(t, "quiet", "m", DVT_DEVICE_ACTIVE);
	add_device(t, "heard", "m", DVT_DEVICE_ACTIVE);
	add_device(t, "seen", "m", DVT_DEVICE_ACTIVE);
	assert_done(dvt_store_device_checkin(
	    t->tx, "heard", NOW + 500, -3, "agent/1", &err));
	assert_done(dvt_store_device_seen(t->tx, "seen", NOW + 600, &err));
	assert_done(dvt_store_device_silent(
	    t->tx, &t->arena, NOW + 900, 9, &ids, &n, &err));
	assert_int_equal(n, 0);
	assert_done(dvt_store_device_silent(
	    t->tx, &t->arena, NOW + 901, 9, &ids, &n, &err));
	assert_int_equal(n, 1);
	assert_string_equal(ids[0], "quiet");
	assert_done(dvt_store_device_state_set(
	    t->tx, "quiet", DVT_DEVICE_ACTIVE, DVT_DEVICE_PARKED, "", &err));
	assert_code(DVT_E_CONFLICT,
	    dvt_store_device_state_set(t->tx, "quiet", DVT_DEVICE_ACTIVE,
		DVT_DEVICE_PARKED, "", &err));
	assert_string_equal(err.text, "device quiet is not active");
	assert_done(dvt_store_device_silent(
	    t->tx, &t->arena, NOW + 9000, 9, &ids, &n, &err));
	assert_int_equal(n, 2);
	assert_string_equal(ids[0], "heard"); /* longest silent first */
	assert_done(dvt_store_device_count_seen(t->tx, NOW + 600, &seen, &err));
	assert_int_equal(seen, 1);
}

static struct dvt_row_credential
credential(const char *owner, const char *fingerprint, const char *key)
{
	return (struct dvt_row_credential){
	    .owner_kind = DVT_OWNER_DEVICE,
	    .owner = owner,
	    .fingerprint = fingerprint,
	    .state = DVT_CRED_ISSUED,
	    .serial = fingerprint,
	    .issuer = "CN=ca",
	    .authority_id = 2,
	    .root = "root-1",
	    .subject = "CN=x",
	    .key_digest = key,
	    .not_before = NOW,
	    .not_after = NOW + 10 * 86400,
	    .issued_at = NOW,
	    .revoke_reason = -1,
	    .source = "est",
	};
}

static int64_t
ends(struct test_store *t)
{
	struct dvt_row_expiry_day *days;
	int64_t sum = 0;
	size_t n;

	assert_done(dvt_store_expiry_days(
	    t->tx, &t->arena, 0, INT64_MAX, &days, &n, &err));
	for (size_t i = 0; i < n; i++)
		sum += days[i].n;
	return sum;
}

static void
a_certificate_walks_its_states_and_the_roll_up_follows(void **state)
{
	struct test_store *t = *state;
	struct dvt_row_credential c = credential("d", "f1", "k1"), got;
	struct dvt_row_credential *rows;
	const char *chain;
	struct dvt_span der;
	int64_t generation, live[DVT_OWNER_N], at;
	size_t n;

	assert_done(dvt_store_credential_add(
	    t->tx, &c, DVT_SPAN_LIT("DER"), "PEM", &generation, &err));
	assert_int_equal(generation, 1);
	assert_int_equal(ends(t), 0);
	assert_done(dvt_store_credential_confirm(t->tx, "f1", NOW + 1, &err));
	assert_int_equal(ends(t), 1);
	assert_code(DVT_E_CONFLICT,
	    dvt_store_credential_confirm(t->tx, "f1", NOW + 1, &err));
	c = credential("d", "f2", "k2");
	assert_done(dvt_store_credential_add(
	    t->tx, &c, DVT_SPAN_LIT("DER2"), "", &generation, &err));
	assert_int_equal(generation, 2);
	assert_code(DVT_E_CONFLICT, dvt_store_credential_add(t->tx, &c,
					DVT_SPAN_LIT("DER2"), "", NULL, &err));
	assert_done(dvt_store_credential_confirm(t->tx, "f2", NOW + 2, &err));
	assert_int_equal(ends(t), 2);
	assert_done(dvt_store_credential_older_active(
	    t->tx, &t->arena, DVT_OWNER_DEVICE, "d", "f2", 9, &rows, &n, &err));
	assert_int_equal(n, 1);
	assert_done(dvt_store_credential_supersede(
	    t->tx, "f1", NOW + 2, NOW + 100, &err));
	assert_int_equal(ends(t), 1);
	assert_done(dvt_store_credential_live_by_root(
	    t->tx, "root-1", NOW + 50, live, &err));
	assert_int_equal(live[DVT_OWNER_DEVICE], 2);
	assert_done(dvt_store_credential_hold_ended(
	    t->tx, &t->arena, NOW + 99, 9, &rows, &n, &err));
	assert_int_equal(n, 0);
	assert_done(dvt_store_credential_hold_ended(
	    t->tx, &t->arena, NOW + 100, 9, &rows, &n, &err));
	assert_int_equal(n, 1);
	assert_done(dvt_store_credential_denied(t->tx, "f1", NOW + 100, &err));
	assert_done(dvt_store_credential_hold_ended(
	    t->tx, &t->arena, NOW + 100, 9, &rows, &n, &err));
	assert_int_equal(n, 0);
	assert_done(dvt_store_credential_live_by_root(
	    t->tx, "root-1", NOW + 50, live, &err));
	assert_int_equal(live[DVT_OWNER_DEVICE], 1);
	assert_done(dvt_store_credential_reinstate(t->tx, "f1", &err));
	assert_int_equal(ends(t), 2);
	assert_done(dvt_store_credential_revoke(
	    t->tx, "f1", DVT_CRED_ACTIVE, NOW + 101, 1, &err));
	assert_int_equal(ends(t), 1);
	assert_done(dvt_store_credential_revoked(
	    t->tx, &t->arena, 2, NOW, "", 9, &rows, &n, &err));
	assert_int_equal(n, 1);
	assert_int_equal(rows[0].revoke_reason, 1);
	assert_done(dvt_store_credential_current(
	    t->tx, &t->arena, DVT_OWNER_DEVICE, "d", &got, &err));
	assert_string_equal(got.fingerprint, "f2");
	assert_done(dvt_store_credential_newest_by_key(
	    t->tx, &t->arena, DVT_OWNER_DEVICE, "d", "k1", &got, &err));
	assert_string_equal(got.fingerprint, "f1");
	assert_done(dvt_store_certificate_get(
	    t->tx, &t->arena, "d", "f1", &der, &chain, &err));
	assert_memory_equal(der.p, "DER", 3);
	assert_string_equal(chain, "PEM");
	for (int i = 0; i < 20; i++)
		assert_done(
		    dvt_store_credential_seen(t->tx, "f1", NOW + i, &err));
	assert_done(dvt_store_credential_by_fingerprint(
	    t->tx, &t->arena, "f1", &got, &err));
	assert_int_equal(got.sessions, 10);
	assert_done(dvt_store_credential_old_seen(
	    t->tx, DVT_OWNER_DEVICE, "d", "f2", &at, &err));
	assert_int_equal(at, NOW + 9);
	assert_done(dvt_store_credential_ended(
	    t->tx, &t->arena, NOW + 10 * 86400 + 1, 9, &rows, &n, &err));
	assert_int_equal(n, 1);
	assert_done(
	    dvt_store_credential_expire(t->tx, "f2", DVT_CRED_ACTIVE, &err));
	assert_int_equal(ends(t), 0);
}

static void
a_serial_of_an_issuer_is_given_once(void **state)
{
	struct test_store *t = *state;
	struct dvt_row_credential c = credential("d", "f1", "k1");

	assert_done(dvt_store_credential_add(
	    t->tx, &c, DVT_SPAN_LIT("x"), "", NULL, &err));
	c.fingerprint = "f2";
	assert_code(DVT_E_CONFLICT, dvt_store_credential_add(t->tx, &c,
					DVT_SPAN_LIT("x"), "", NULL, &err));
	assert_non_null(strstr(err.text, "credential.serial"));
	assert_null(dvt_tx_broken(t->tx));
}

static void
a_key_belongs_to_its_first_owner(void **state)
{
	struct test_store *t = *state;
	enum dvt_owner_kind kind;
	const char *owner;
	bool found;

	assert_done(
	    dvt_store_key_claim(t->tx, "k", DVT_OWNER_DEVICE, "d1", &err));
	assert_done(
	    dvt_store_key_claim(t->tx, "k", DVT_OWNER_DEVICE, "d1", &err));
	assert_code(DVT_E_CONFLICT,
	    dvt_store_key_claim(t->tx, "k", DVT_OWNER_DEVICE, "d2", &err));
	assert_null(strstr(err.text, "d1"));
	assert_code(DVT_E_CONFLICT,
	    dvt_store_key_claim(t->tx, "k", DVT_OWNER_GATEWAY, "d1", &err));
	assert_done(dvt_store_key_owner(
	    t->tx, &t->arena, "k", &found, &kind, &owner, &err));
	assert_true(found);
	assert_string_equal(owner, "d1");
	assert_done(dvt_store_key_owner(
	    t->tx, &t->arena, "other", &found, &kind, &owner, &err));
	assert_false(found);
}

static void
a_secret_is_bound_to_the_first_key(void **state)
{
	struct test_store *t = *state;
	struct dvt_row_secret s = {
	    .owner_kind = DVT_SECRET_GATEWAY,
	    .owner = "gw",
	    .hash = "h",
	    .created_at = NOW,
	    .expires_at = NOW + 3600,
	};

	assert_done(dvt_store_secret_set(t->tx, &s, &err));
	assert_done(
	    dvt_store_secret_bind(t->tx, DVT_SECRET_GATEWAY, "gw", "k1", &err));
	assert_done(
	    dvt_store_secret_bind(t->tx, DVT_SECRET_GATEWAY, "gw", "k1", &err));
	assert_code(DVT_E_CONFLICT,
	    dvt_store_secret_bind(t->tx, DVT_SECRET_GATEWAY, "gw", "k2", &err));
	assert_done(dvt_store_secret_used(
	    t->tx, DVT_SECRET_GATEWAY, "gw", NOW + 1, &err));
	assert_done(dvt_store_secret_used(
	    t->tx, DVT_SECRET_GATEWAY, "gw", NOW + 2, &err));
	assert_done(dvt_store_secret_get(
	    t->tx, &t->arena, DVT_SECRET_GATEWAY, "gw", &s, &err));
	assert_int_equal(s.used_at, NOW + 1);
	assert_string_equal(s.key_digest, "k1");
}

static void
authorities_are_numbered_and_found_by_name(void **state)
{
	struct test_store *t = *state;
	struct dvt_row_authority a = {
	    .name = "old-root",
	    .state = DVT_AUTHORITY_ACTIVE,
	    .is_root = true,
	    .use_server = true,
	    .subject = "CN=old",
	    .fingerprint = "f1",
	    .key_digest = "k1",
	    .der = DVT_SPAN_LIT("DER"),
	    .not_after = NOW + 1,
	};
	struct dvt_row_authority got, *rows;
	int64_t id;
	size_t n;

	assert_done(dvt_store_authority_add(t->tx, &a, &id, &err));
	assert_int_equal(id, 1);
	assert_code(
	    DVT_E_CONFLICT, dvt_store_authority_add(t->tx, &a, &id, &err));
	a.name = "new-root";
	a.fingerprint = "f2";
	a.state = DVT_AUTHORITY_STAGED;
	a.key_wrapped = DVT_SPAN_LIT("wrapped");
	assert_done(dvt_store_authority_add(t->tx, &a, &id, &err));
	assert_int_equal(id, 2);
	assert_done(dvt_store_authority_by_name(
	    t->tx, &t->arena, "old-root", &got, &err));
	assert_int_equal(got.id, 1);
	assert_true(got.is_root);
	assert_false(got.use_device);
	assert_null(got.key_wrapped.p); /* not held */
	assert_done(dvt_store_authority_cross_set(
	    t->tx, 2, DVT_SPAN_LIT("cross"), 1, &err));
	assert_done(dvt_store_authority_state_set(
	    t->tx, 2, DVT_AUTHORITY_STAGED, DVT_AUTHORITY_ACTIVE, &err));
	assert_code(DVT_E_CONFLICT,
	    dvt_store_authority_state_set(
		t->tx, 2, DVT_AUTHORITY_STAGED, DVT_AUTHORITY_ACTIVE, &err));
	assert_done(dvt_store_authority_get(t->tx, &t->arena, 2, &got, &err));
	assert_int_equal(got.key_wrapped.n, 7);
	assert_int_equal(got.cross_by, 1);
	assert_int_equal(got.state, DVT_AUTHORITY_ACTIVE);
	assert_done(dvt_store_authority_by_key(
	    t->tx, &t->arena, "k1", 9, &rows, &n, &err));
	assert_int_equal(n, 2);
	assert_code(DVT_E_ABSENT,
	    dvt_store_authority_key_set(t->tx, 3, DVT_SPAN_LIT("x"), &err));
}

static void
a_profile_is_replaced_by_name(void **state)
{
	struct test_store *t = *state;
	struct dvt_row_profile p = {
	    .name = "device",
	    .issuer_id = 1,
	    .validity_s = 100,
	    .use_client = true,
	    .digest = "d1",
	};
	int64_t id;

	assert_done(dvt_store_profile_set(t->tx, &p, &id, &err));
	assert_int_equal(id, 1);
	p.validity_s = 200;
	assert_done(dvt_store_profile_set(t->tx, &p, &id, &err));
	assert_int_equal(id, 1);
	p.name = "gateway";
	assert_done(dvt_store_profile_set(t->tx, &p, &id, &err));
	assert_int_equal(id, 2);
	assert_done(
	    dvt_store_profile_by_name(t->tx, &t->arena, "device", &p, &err));
	assert_int_equal(p.validity_s, 200);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    test_in_store(a_device_comes_back_as_it_was_put),
	    test_in_store(devices_are_counted_by_state),
	    test_in_store(
		silent_devices_are_found_when_three_periods_have_passed),
	    test_in_store(
		a_certificate_walks_its_states_and_the_roll_up_follows),
	    test_in_store(a_serial_of_an_issuer_is_given_once),
	    test_in_store(a_key_belongs_to_its_first_owner),
	    test_in_store(a_secret_is_bound_to_the_first_key),
	    test_in_store(authorities_are_numbered_and_found_by_name),
	    test_in_store(a_profile_is_replaced_by_name),
	};

	return cmocka_run_group_tests_name("inventory", tests, NULL, NULL);
}
