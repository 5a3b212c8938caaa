/* SPDX-License-Identifier: Apache-2.0 */
#include "dovetaild/core_fixture.h"

#include "dovetaild/signer.h"
#include "pki/issue.h"
#include "pki/key.h"
#include "pki/seal.h"
#include "wire/base64.h"
#include "wire/json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define DAY  86400
#define YEAR (365 * (int64_t)DAY)

/* A certificate from outside, and its key. */
struct outside {
	EVP_PKEY *key;
	char *pem;
};

/* Self-signed, from @begins to @ends seconds from now. */
static struct outside
outside_ca(const char *name, int64_t begins, int64_t ends, int pathlen)
{
	int64_t now = dvt_time_now().wall_s;
	struct dvt_issue want = {.not_before = now + begins,
	    .not_after = now + ends,
	    .key_usage = DVT_KU_KEY_CERT_SIGN | DVT_KU_CRL_SIGN,
	    .ca = true,
	    .pathlen = pathlen};
	struct dvt_buf subject, spki, der, pem;
	struct outside o;
	X509 *cert;
	struct dvt_err err = {0};

	dvt_buf_init(&subject, 1024);
	dvt_buf_init(&spki, 1024);
	dvt_buf_init(&der, 8192);
	dvt_buf_init(&pem, 16384);
	assert_int_equal(dvt_key_new(DVT_KEY_P256, 0, &o.key, NULL), DVT_OK);
	assert_int_equal(dvt_key_to_spki(o.key, &spki, NULL), DVT_OK);
	assert_int_equal(dvt_name_from_text(name, &subject, NULL), DVT_OK);
	assert_int_equal(dvt_serial_make(want.serial, NULL), DVT_OK);
	want.subject = dvt_buf_span(&subject);
	want.spki = dvt_buf_span(&spki);
	if (dvt_issue(&want, NULL, o.key, now, &der, &err) != DVT_OK)
		fail_msg("%s", err.text);
	assert_int_equal(
	    dvt_x509_from_der(dvt_buf_span(&der), &cert, NULL), DVT_OK);
	assert_int_equal(dvt_x509_to_pem(cert, &pem, NULL), DVT_OK);
	X509_free(cert);
	dvt_buf_fini(&subject);
	dvt_buf_fini(&spki);
	dvt_buf_fini(&der);
	o.pem = dvt_buf_take_str(&pem);
	return o;
}

static void
outside_fini(struct outside *o)
{
	EVP_PKEY_free(o->key);
	free(o->pem);
}

/* The key of @o sealed to the signer of @f, as base64. */
static char *
sealed(struct fixture *f, EVP_PKEY *key)
{
	struct dvt_buf pem, out, text;
	EVP_PKEY *to;

	dvt_buf_init(&pem, 8192);
	dvt_buf_init(&out, 16384);
	dvt_buf_init(&text, 32768);
	assert_int_equal(
	    dvt_key_from_spki(dvt_buf_span(&f->core->import_key), &to, NULL),
	    DVT_OK);
	assert_int_equal(dvt_key_to_pem(key, &pem, NULL), DVT_OK);
	assert_int_equal(dvt_seal(to, DVT_SPAN_LIT(SIGNER_IMPORT_BOUND),
			     dvt_buf_span(&pem), &out, NULL),
	    DVT_OK);
	dvt_base64_encode(&text, dvt_buf_span(&out), 0);
	EVP_PKEY_free(to);
	dvt_buf_cleanse(&pem);
	dvt_buf_fini(&out);
	return dvt_buf_take_str(&text);
}

static void
import(struct fixture *f, const char *name, const char *pem, const char *key)
{
	json_t *body = json_pack("{s:s, s:s, s:b, s:b, s:s*}", "name", name,
	    "certificate", pem, "use_server", 1, "use_device", 1, "sealed_key",
	    key);
	char *text = json_dumps(body, JSON_COMPACT);

	fixture_api(f, "operator", "POST", "/v1/authorities/import", text);
	free(text);
	json_decref(body);
}

/* The approval that was just asked for, by the second person. */
static void
give(struct fixture *f)
{
	char path[64];

	assert_int_equal(f->answer.status, 412);
	snprintf(path, sizeof(path), "/v1/approvals/%d/give",
	    (int)fixture_number(f, "SELECT MAX(id) FROM approval"));
	fixture_api(f, "operator", "POST", path, "{}");
	assert_int_equal(f->answer.status, 403); /* not the one who asked */
	fixture_api(f, "approver", "POST", path, "{}");
	assert_int_equal(f->answer.status, 200);
}

static void
an_import_needs_a_second_person_and_then_issues(void **state)
{
	struct fixture *f = *state;
	struct outside o = outside_ca("CN=Old Root", -DAY, 10 * YEAR, -1);
	char *key = sealed(f, o.key);

	import(f, "old", o.pem, key);
	give(f);
	import(f, "old", o.pem, key);
	if (f->answer.status != 201)
		fail_msg("%d %s", f->answer.status, f->answer.body);
	assert_int_equal(
	    fixture_number(f, "SELECT COUNT(*) FROM authority WHERE name = "
			      "'old' AND state = 'active' AND imported = 1 "
			      "AND key_wrapped IS NOT NULL AND root_id = id"),
	    1);
	assert_int_equal(
	    fixture_number(f, "SELECT COUNT(*) FROM feed WHERE kind = "
			      "'anchor' AND body LIKE '%\"old\"%'"),
	    1);
	/* its approval is used up, and it is there */
	import(f, "old", o.pem, key);
	assert_int_equal(f->answer.status, 409);
	import(f, "old-again", o.pem, key);
	assert_int_equal(f->answer.status, 409);
	free(key);
	outside_fini(&o);
}

static void
a_key_that_does_not_fit_is_refused_and_nothing_is_kept(void **state)
{
	struct fixture *f = *state;
	struct outside o = outside_ca("CN=Old Root", -DAY, 10 * YEAR, -1);
	struct outside other = outside_ca("CN=Other", -DAY, 10 * YEAR, -1);
	char *key = sealed(f, other.key);

	import(f, "old", o.pem, key);
	assert_int_equal(f->answer.status, 409);
	assert_non_null(strstr(f->answer.body, "not for key"));
	/* nobody was asked for a word about it */
	assert_int_equal(fixture_number(f, "SELECT COUNT(*) FROM approval"), 0);
	assert_int_equal(
	    fixture_number(
		f, "SELECT COUNT(*) FROM authority WHERE name = 'old'"),
	    0);
	free(key);
	outside_fini(&o);
	outside_fini(&other);
}

static void
what_cannot_be_an_authority_is_refused_at_once(void **state)
{
	struct fixture *f = *state;
	struct outside early = outside_ca("CN=Early", 7200, YEAR, -1);
	struct outside late = outside_ca("CN=Late", -2 * DAY, -DAY, -1);
	char fp[DVT_DIGEST_HEX];

	import(f, "early", early.pem, NULL);
	assert_int_equal(f->answer.status, 400);
	assert_non_null(strstr(f->answer.body, "720"));
	import(f, "late", late.pem, NULL);
	assert_int_equal(f->answer.status, 400);
	import(f, "no", "no certificate", NULL);
	assert_int_equal(f->answer.status, 400);
	import(f, "bad name!", early.pem, NULL);
	assert_int_equal(f->answer.status, 400);
	fixture_enrol(f, "dev-1", fp);
	assert_int_equal(fixture_number(f, "SELECT COUNT(*) FROM approval"), 0);
	outside_fini(&early);
	outside_fini(&late);
}

static void
new_authorities_are_made_in_the_signer(void **state)
{
	struct fixture *f = *state;

	fixture_api(f, "operator", "POST", "/v1/authorities",
	    "{\"name\": \"device-ca-2\", \"under\": \"root\", \"use_device\": "
	    "true}");
	if (f->answer.status != 201)
		fail_msg("%d %s", f->answer.status, f->answer.body);
	assert_int_equal(
	    fixture_number(f, "SELECT COUNT(*) FROM authority WHERE name = "
			      "'device-ca-2' AND is_root = 0 AND parent_id = 1 "
			      "AND root_id = 1 AND use_device = 1 AND "
			      "key_wrapped IS NOT NULL"),
	    1);
	fixture_api(f, "operator", "POST", "/v1/authorities",
	    "{\"name\": \"device-ca-2\", \"under\": \"root\", \"use_device\": "
	    "true}");
	assert_int_equal(f->answer.status, 409);
	fixture_api(f, "operator", "POST", "/v1/authorities",
	    "{\"name\": \"below\", \"under\": \"device-ca-2\", \"use_device\": "
	    "true}");
	assert_int_equal(f->answer.status, 409); /* pathlen:0 */
	fixture_api(f, "approver", "POST", "/v1/authorities",
	    "{\"name\": \"x\", \"use_device\": true}");
	assert_int_equal(f->answer.status, 403);
}

static void
a_cross_certificate_joins_two_roots(void **state)
{
	struct fixture *f = *state;
	struct outside o = outside_ca("CN=Old Root", -DAY, 10 * YEAR, -1);
	struct outside narrow = outside_ca("CN=Narrow", -DAY, 10 * YEAR, 0);
	char *key = sealed(f, o.key), *narrow_key = sealed(f, narrow.key);

	import(f, "old", o.pem, key);
	give(f);
	import(f, "old", o.pem, key);
	assert_int_equal(f->answer.status, 201);
	import(f, "narrow", narrow.pem, narrow_key);
	give(f);
	import(f, "narrow", narrow.pem, narrow_key);
	assert_int_equal(f->answer.status, 201);
	fixture_api(f, "operator", "POST", "/v1/authorities/root/cross-sign",
	    "{\"by\": \"old\"}");
	if (f->answer.status != 200)
		fail_msg("%d %s", f->answer.status, f->answer.body);
	assert_int_equal(
	    fixture_number(f, "SELECT COUNT(*) FROM authority WHERE name = "
			      "'root' AND cross_der IS NOT NULL"),
	    1);
	assert_int_equal(
	    fixture_number(f, "SELECT COUNT(*) FROM feed WHERE kind = "
			      "'credential' AND body LIKE '%cross_pem%'"),
	    2);
	fixture_api(f, "operator", "POST", "/v1/authorities/root/cross-sign",
	    "{\"by\": \"narrow\"}");
	assert_int_equal(f->answer.status, 409);
	fixture_api(f, "operator", "POST",
	    "/v1/authorities/device-ca/cross-sign", "{\"by\": \"old\"}");
	assert_int_equal(f->answer.status, 400);
	free(key);
	free(narrow_key);
	outside_fini(&o);
	outside_fini(&narrow);
}

int
main(void)
{
#define T(t)                                                                   \
	cmocka_unit_test_setup_teardown(t, fixture_set_up, fixture_tear_down)
	const struct CMUnitTest tests[] = {
	    T(an_import_needs_a_second_person_and_then_issues),
	    T(a_key_that_does_not_fit_is_refused_and_nothing_is_kept),
	    T(what_cannot_be_an_authority_is_refused_at_once),
	    T(new_authorities_are_made_in_the_signer),
	    T(a_cross_certificate_joins_two_roots),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
