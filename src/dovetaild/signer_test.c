/* SPDX-License-Identifier: Apache-2.0 */
#include "dovetaild/signer.h"

#include "pki/bundle.h"
#include "pki/key.h"
#include "pki/seal.h"
#include "pki/verify.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define NOW  1790000000 /* Unix seconds */
#define DAY  86400
#define YEAR (365 * DAY)

/* A signer with a root (id 1), a device CA (id 2) and a profile. */
struct world {
	struct signer *signer;
	struct signer_out root, ca;
	struct sign_profile profile;
	struct dvt_buf name;
	struct dvt_buf spki;
	EVP_PKEY *device;
};

static struct signer *
a_signer(void)
{
	uint8_t bytes[SIGNER_SECRET_BYTES] = {7};
	struct dvt_secret unlock = {NULL, 0};
	struct signer *s;

	dvt_secret_set(&unlock, bytes, sizeof(bytes));
	assert_int_equal(signer_new(&unlock, &s, NULL), DVT_OK);
	dvt_secret_free(&unlock);
	return s;
}

static void
make(struct world *w, int64_t id, int64_t parent, const char *subject,
    int64_t life, struct signer_out *out)
{
	struct sign_request q = {.kind = SIGN_AUTHORITY,
	    .authority = parent,
	    .not_before = NOW - DAY,
	    .not_after = NOW + life,
	    .pathlen = parent == 0 ? -1 : 0};
	struct dvt_err err = {0};

	signer_out_init(out);
	dvt_buf_reset(&w->name);
	assert_int_equal(dvt_name_from_text(subject, &w->name, NULL), DVT_OK);
	q.subject = dvt_buf_span(&w->name);
	assert_int_equal(dvt_serial_make(q.serial, NULL), DVT_OK);
	if (signer_do(w->signer, &q, NOW, out, &err) != DVT_OK)
		fail_msg("%s", err.text);
	q = (struct sign_request){.kind = SIGN_LOAD_AUTHORITY,
	    .authority = id,
	    .name = subject,
	    .der = dvt_buf_span(&out->der),
	    .wrapped = dvt_buf_span(&out->wrapped)};
	assert_int_equal(signer_do(w->signer, &q, NOW, NULL, &err), DVT_OK);
}

static int
set_up(void **state)
{
	struct world *w = dvt_alloc(sizeof(*w));
	struct sign_request load = {.kind = SIGN_LOAD_PROFILE};

	w->signer = a_signer();
	dvt_buf_init(&w->name, 1024);
	dvt_buf_init(&w->spki, 1024);
	make(w, 1, 0, "CN=Root", 25L * YEAR, &w->root);
	make(w, 2, 1, "CN=Device CA", 10L * YEAR, &w->ca);
	w->profile = (struct sign_profile){.name = "device",
	    .issuer_id = 2,
	    .validity_s = 2L * YEAR,
	    .jitter_s = 30 * DAY,
	    .backdate_s = DAY,
	    .renew_before_s = 30 * DAY,
	    .use_client = true};
	sign_profile_digest(&w->profile, w->profile.digest);
	load.profile = w->profile;
	assert_int_equal(signer_do(w->signer, &load, NOW, NULL, NULL), DVT_OK);
	assert_int_equal(
	    dvt_key_new(DVT_KEY_P256, 0, &w->device, NULL), DVT_OK);
	assert_int_equal(dvt_key_to_spki(w->device, &w->spki, NULL), DVT_OK);
	dvt_buf_reset(&w->name);
	assert_int_equal(
	    dvt_name_from_text("CN=pump-7,O=Works", &w->name, NULL), DVT_OK);
	*state = w;
	return 0;
}

static int
tear_down(void **state)
{
	struct world *w = *state;

	signer_free(w->signer);
	signer_out_fini(&w->root);
	signer_out_fini(&w->ca);
	dvt_buf_fini(&w->name);
	dvt_buf_fini(&w->spki);
	EVP_PKEY_free(w->device);
	free(w);
	return 0;
}

static struct sign_request
leaf(struct world *w)
{
	struct sign_request q = {.kind = SIGN_LEAF,
	    .authority = 2,
	    .profile_digest = w->profile.digest,
	    .subject = dvt_buf_span(&w->name),
	    .spki = dvt_buf_span(&w->spki),
	    .not_before = NOW - DAY + 60,
	    .not_after = NOW + 2L * YEAR};

	assert_int_equal(dvt_serial_make(q.serial, NULL), DVT_OK);
	return q;
}

static enum dvt_code
ask(struct world *w, const struct sign_request *q, int64_t now)
{
	struct signer_out out;
	enum dvt_code rc;

	signer_out_init(&out);
	rc = signer_do(w->signer, q, now, &out, NULL);
	if (rc != DVT_OK)
		assert_int_equal(out.der.n, 0);
	signer_out_fini(&out);
	return rc;
}

static void
a_leaf_within_its_profile_is_signed(void **state)
{
	struct world *w = *state;
	struct sign_request q = leaf(w);
	struct signer_out out;
	struct dvt_err err = {0};
	X509 *cert, *ca;

	signer_out_init(&out);
	if (signer_do(w->signer, &q, NOW, &out, &err) != DVT_OK)
		fail_msg("%s", err.text);
	assert_int_equal(
	    dvt_x509_from_der(dvt_buf_span(&out.der), &cert, NULL), DVT_OK);
	assert_int_equal(
	    dvt_x509_from_der(dvt_buf_span(&w->ca.der), &ca, NULL), DVT_OK);
	assert_true(dvt_x509_is_issued_by(cert, ca));
	assert_null(dvt_leaf_refuse(cert, DVT_FOR_CLIENT));
	assert_non_null(dvt_leaf_refuse(cert, DVT_FOR_SERVER));
	X509_free(cert);
	X509_free(ca);
	signer_out_fini(&out);
}

static void
what_is_outside_the_profile_is_refused_whatever_core_says(void **state)
{
	struct world *w = *state;
	struct sign_request q;

	q = leaf(w);
	q.not_after = NOW + 3L * YEAR;
	assert_int_equal(ask(w, &q, NOW), DVT_E_DENIED);
	q = leaf(w);
	q.not_before = NOW + 1;
	assert_int_equal(ask(w, &q, NOW), DVT_E_DENIED);
	q = leaf(w);
	q.not_before = NOW - 2 * DAY;
	assert_int_equal(ask(w, &q, NOW), DVT_E_DENIED);
	q = leaf(w);
	q.profile_digest = "0000";
	assert_int_equal(ask(w, &q, NOW), DVT_E_DENIED);
	q = leaf(w);
	q.authority = 9;
	assert_int_equal(ask(w, &q, NOW), DVT_E_DENIED);
	q = leaf(w);
	q.subject = (struct dvt_span){NULL, 0};
	assert_int_not_equal(ask(w, &q, NOW), DVT_OK);
	q = leaf(w);
	memset(q.serial, 0, sizeof(q.serial));
	assert_int_not_equal(ask(w, &q, NOW), DVT_OK);
}

static void
a_profile_that_is_not_what_was_approved_is_not_loaded(void **state)
{
	struct world *w = *state;
	struct sign_request load = {
	    .kind = SIGN_LOAD_PROFILE, .profile = w->profile};

	load.profile.validity_s *= 10;
	assert_int_equal(ask(w, &load, NOW), DVT_E_DENIED);
}

static void
a_clock_that_runs_backwards_stops_issuing(void **state)
{
	struct world *w = *state;
	struct sign_request q = leaf(w);

	assert_int_equal(ask(w, &q, NOW), DVT_OK);
	q = leaf(w);
	q.not_before -= 3600;
	q.not_after -= 3600;
	assert_int_equal(ask(w, &q, NOW - 3600), DVT_E_LATER);
	q = leaf(w);
	assert_int_equal(ask(w, &q, DVT_BUILD_DATE - 1), DVT_E_LATER);
	/* what NTP takes back is nothing */
	q = leaf(w);
	assert_int_equal(ask(w, &q, NOW - 5), DVT_OK);
}

static void
a_key_wrapped_under_another_secret_is_not_loaded(void **state)
{
	struct world *w = *state;
	uint8_t other[SIGNER_SECRET_BYTES] = {8};
	struct dvt_secret unlock = {NULL, 0};
	struct sign_request q = {.kind = SIGN_LOAD_AUTHORITY,
	    .authority = 1,
	    .name = "root",
	    .der = dvt_buf_span(&w->root.der),
	    .wrapped = dvt_buf_span(&w->root.wrapped)};
	struct signer *s;

	dvt_secret_set(&unlock, other, sizeof(other));
	assert_int_equal(signer_new(&unlock, &s, NULL), DVT_OK);
	assert_int_equal(signer_do(s, &q, NOW, NULL, NULL), DVT_E_AUTH);
	/* and a key belongs to its certificate */
	q.wrapped = dvt_buf_span(&w->ca.wrapped);
	assert_int_equal(signer_do(w->signer, &q, NOW, NULL, NULL), DVT_E_AUTH);
	dvt_secret_free(&unlock);
	signer_free(s);
}

static void
an_import_takes_the_sealed_key_of_its_certificate_alone(void **state)
{
	struct world *w = *state;
	struct sign_request q = {.kind = SIGN_LOADED};
	struct signer_out out;
	struct dvt_buf pem, sealed;
	EVP_PKEY *to, *other;

	signer_out_init(&out);
	assert_int_equal(signer_do(w->signer, &q, NOW, &out, NULL), DVT_OK);
	assert_int_equal(
	    dvt_key_from_spki(dvt_buf_span(&out.line), &to, NULL), DVT_OK);
	assert_int_equal(dvt_key_new(DVT_KEY_P256, 0, &other, NULL), DVT_OK);
	dvt_buf_init(&pem, 8192);
	dvt_buf_init(&sealed, 8192);
	assert_int_equal(dvt_key_to_pem(other, &pem, NULL), DVT_OK);
	assert_int_equal(dvt_seal(to, DVT_SPAN_LIT(SIGNER_IMPORT_BOUND),
			     dvt_buf_span(&pem), &sealed, NULL),
	    DVT_OK);
	q = (struct sign_request){.kind = SIGN_IMPORT,
	    .der = dvt_buf_span(&w->root.der),
	    .wrapped = dvt_buf_span(&sealed)};
	assert_int_equal(ask(w, &q, NOW), DVT_E_CONFLICT);
	q.wrapped = dvt_buf_span(&pem);
	assert_int_not_equal(ask(w, &q, NOW), DVT_OK);
	signer_out_fini(&out);
	dvt_buf_cleanse(&pem);
	dvt_buf_fini(&sealed);
	EVP_PKEY_free(to);
	EVP_PKEY_free(other);
}

static void
requests_and_replies_survive_their_bodies(void **state)
{
	struct world *w = *state;
	struct sign_request q = leaf(w), back;
	struct sign_request_room *room = dvt_alloc(sizeof(*room));
	struct dvt_san san = {.kind = DVT_SAN_DNS, .text = "pump.example"};
	struct sign_reply r = {.code = DVT_E_LATER, .why = "later"}, again;
	struct dvt_buf b;

	q.sans = &san;
	q.sans_n = 1;
	dvt_buf_init(&b, 65536);
	sign_request_put(&b, &q);
	assert_int_equal(
	    sign_request_get(dvt_buf_span(&b), room, &back, NULL), DVT_OK);
	assert_int_equal(back.kind, q.kind);
	assert_int_equal(back.not_after, q.not_after);
	assert_string_equal(back.profile_digest, q.profile_digest);
	assert_string_equal(back.sans[0].text, "pump.example");
	assert_true(dvt_span_eq(back.spki, q.spki));
	for (size_t n = 0; n < b.n; n++)
		assert_int_not_equal(sign_request_get((struct dvt_span){b.p, n},
					 room, &back, NULL),
		    DVT_OK);
	dvt_buf_reset(&b);
	sign_reply_put(&b, &r);
	assert_int_equal(
	    sign_reply_get(dvt_buf_span(&b), &again, NULL), DVT_OK);
	assert_int_equal(again.code, DVT_E_LATER);
	assert_string_equal(again.why, "later");
	dvt_buf_fini(&b);
	free(room);
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
	    T(a_leaf_within_its_profile_is_signed),
	    T(what_is_outside_the_profile_is_refused_whatever_core_says),
	    T(a_profile_that_is_not_what_was_approved_is_not_loaded),
	    T(a_clock_that_runs_backwards_stops_issuing),
	    T(a_key_wrapped_under_another_secret_is_not_loaded),
	    T(an_import_takes_the_sealed_key_of_its_certificate_alone),
	    T(requests_and_replies_survive_their_bodies),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
