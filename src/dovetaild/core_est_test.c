/* SPDX-License-Identifier: Apache-2.0 */
#include "dovetaild/core_fixture.h"
#include "pki/key.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static void
a_secret_enrols_once_and_repeats_the_same_certificate(void **state)
{
	struct fixture *f = *state;
	struct fixture_csr c, other;
	char first[DVT_DIGEST_HEX], again[DVT_DIGEST_HEX];

	fixture_device(f, "dev-1");
	fixture_csr(&c, "dev-1");
	fixture_est(f, &c.q);
	assert_int_equal(f->answer.status, 200);
	dvt_sha256_hex((struct dvt_span){(const uint8_t *)f->answer.body,
			   f->answer.body_n},
	    first);
	fixture_est(f, &c.q);
	assert_int_equal(f->answer.status, 200);
	dvt_sha256_hex((struct dvt_span){(const uint8_t *)f->answer.body,
			   f->answer.body_n},
	    again);
	assert_string_equal(first, again);
	assert_int_equal(
	    fixture_number(f, "SELECT COUNT(*) FROM credential WHERE "
			      "owner = 'dev-1'"),
	    1);
	fixture_csr(&other, "dev-1");
	fixture_est(f, &other.q);
	assert_int_equal(f->answer.status, 403);
	assert_int_equal(fixture_number(f, "SELECT COUNT(*) FROM alert"), 1);
	fixture_csr_fini(&c);
	fixture_csr_fini(&other);
}

static void
who_is_not_known_gets_nothing(void **state)
{
	struct fixture *f = *state;
	struct fixture_csr c;

	fixture_device(f, "dev-1");
	fixture_csr(&c, "dev-1");
	c.q.secret_hash[0] ^= 1;
	fixture_est(f, &c.q);
	assert_int_equal(f->answer.status, 401);
	c.q.secret_hash[0] ^= 1;
	snprintf(c.q.user, sizeof(c.q.user), "dev-2");
	fixture_est(f, &c.q);
	assert_int_equal(f->answer.status, 401);
	snprintf(c.q.user, sizeof(c.q.user), "dev-1");
	snprintf(c.q.fingerprint, sizeof(c.q.fingerprint), "%064d", 7);
	fixture_est(f, &c.q);
	assert_int_equal(f->answer.status, 401);
	c.q.fingerprint[0] = '\0';
	fixture_sql(f, "UPDATE enrol_secret SET expires_at = 5");
	fixture_est(f, &c.q);
	assert_int_equal(f->answer.status, 401);
	assert_int_equal(
	    fixture_number(f, "SELECT COUNT(*) FROM credential WHERE "
			      "owner_kind = 'device'"),
	    0);
	fixture_csr_fini(&c);
}

static void
one_key_belongs_to_one_device(void **state)
{
	struct fixture *f = *state;
	struct fixture_csr c, other;

	fixture_device(f, "dev-1");
	fixture_device(f, "dev-2");
	fixture_csr(&c, "dev-1");
	fixture_csr(&other, "dev-2");
	fixture_est(f, &c.q);
	assert_int_equal(f->answer.status, 200);
	other.q.spki = c.q.spki;
	memcpy(other.q.key_digest, c.q.key_digest, sizeof(c.q.key_digest));
	fixture_est(f, &other.q);
	assert_int_equal(f->answer.status, 409);
	fixture_csr_fini(&c);
	fixture_csr_fini(&other);
}

/* Ask to renew under @fingerprint with a fresh key. */
static void
renew(struct fixture *f, const char *id, const char *fingerprint)
{
	struct fixture_csr c;

	fixture_csr(&c, id);
	c.q.reenroll = true;
	c.q.user[0] = c.q.secret_hash[0] = '\0';
	memcpy(c.q.fingerprint, fingerprint, DVT_DIGEST_HEX);
	fixture_est(f, &c.q);
	fixture_csr_fini(&c);
}

static void
renewal_waits_for_its_window_or_an_instruction(void **state)
{
	struct fixture *f = *state;
	char fp[DVT_DIGEST_HEX];

	fixture_enrol(f, "dev-1", fp);
	renew(f, "dev-1", fp);
	assert_int_equal(f->answer.status, 503);
	assert_int_equal(f->answer.retry_after_s, 604800);
	fixture_sql(f, "INSERT INTO mailbox (device_id, id, action, body, "
		       "rotation_id, created_at, told_at) VALUES ('dev-1', "
		       "'x-renew', 'renew', '{}', 0, 1, 0)");
	renew(f, "dev-1", fp);
	assert_int_equal(f->answer.status, 200);
	fixture_sql(f, "DELETE FROM mailbox");
	fixture_sql(f, "UPDATE credential SET not_after = "
		       "unixepoch() + 86400 WHERE generation = 1 AND owner = "
		       "'dev-1'");
	renew(f, "dev-1", fp);
	assert_int_equal(f->answer.status, 200);
}

static void
a_blocked_device_or_revoked_certificate_is_refused(void **state)
{
	struct fixture *f = *state;
	char fp[DVT_DIGEST_HEX];

	fixture_enrol(f, "dev-1", fp);
	fixture_sql(f, "UPDATE device SET state = 'blocked'");
	renew(f, "dev-1", fp);
	assert_int_equal(f->answer.status, 403);
	fixture_sql(f, "UPDATE device SET state = 'active'");
	fixture_sql(f, "UPDATE credential SET state = 'revoked' WHERE owner = "
		       "'dev-1'");
	renew(f, "dev-1", fp);
	assert_int_equal(f->answer.status, 403);
}

static void
a_signer_that_is_away_means_later_and_nothing_is_kept(void **state)
{
	struct fixture *f = *state;
	struct fixture_csr c;

	fixture_device(f, "dev-1");
	fixture_csr(&c, "dev-1");
	f->signer_away = true;
	fixture_est(f, &c.q);
	assert_int_equal(f->answer.status, 503);
	assert_true(f->answer.retry_after_s > 0);
	f->signer_away = false;
	fixture_est(f, &c.q);
	assert_int_equal(f->answer.status, 200);
	assert_int_equal(
	    fixture_number(f, "SELECT COUNT(*) FROM credential WHERE "
			      "owner = 'dev-1'"),
	    1);
	fixture_csr_fini(&c);
}

static void
past_its_last_issue_date_an_authority_issues_nothing(void **state)
{
	struct fixture *f = *state;
	struct fixture_csr c;

	fixture_sql(f, "UPDATE authority SET last_issue_at = 5");
	fixture_device(f, "dev-1");
	fixture_csr(&c, "dev-1");
	fixture_est(f, &c.q);
	assert_int_equal(f->answer.status, 409);
	assert_non_null(strstr(f->answer.body, "issues nothing after"));
	fixture_csr_fini(&c);
}

static void
every_certificate_has_its_audit_entry_and_event(void **state)
{
	struct fixture *f = *state;
	char fp[DVT_DIGEST_HEX];

	fixture_enrol(f, "dev-1", fp);
	assert_int_equal(
	    fixture_number(f, "SELECT COUNT(*) FROM audit WHERE action = "
			      "'certificate.issue' AND object = 'dev-1'"),
	    1);
	assert_int_equal(
	    fixture_number(f, "SELECT COUNT(*) FROM event WHERE name = "
			      "'CERTIFICATE_ISSUED' AND device = 'dev-1'"),
	    1);
	assert_int_equal(
	    fixture_number(f, "SELECT COUNT(*) FROM feed WHERE kind = "
			      "'device' AND key = 'dev-1'"),
	    1);
}

int
main(void)
{
#define T(t)                                                                   \
	cmocka_unit_test_setup_teardown(t, fixture_set_up, fixture_tear_down)
	const struct CMUnitTest tests[] = {
	    T(a_secret_enrols_once_and_repeats_the_same_certificate),
	    T(who_is_not_known_gets_nothing),
	    T(one_key_belongs_to_one_device),
	    T(renewal_waits_for_its_window_or_an_instruction),
	    T(a_blocked_device_or_revoked_certificate_is_refused),
	    T(a_signer_that_is_away_means_later_and_nothing_is_kept),
	    T(past_its_last_issue_date_an_authority_issues_nothing),
	    T(every_certificate_has_its_audit_entry_and_event),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
