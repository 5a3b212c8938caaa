/* SPDX-License-Identifier: Apache-2.0 */
#include "pki/chain.h"

#include "pki/testca.h"
#include "pki/verify.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define DAY_S 86400

/* Two hierarchies and a leaf under the newer one. */
struct world {
	struct testca older, newer, sub, leaf;
	X509 *cross; /* newer's key under older */
};

static int
setup(void **state)
{
	static struct world w;

	w.older = testca_make(NULL, "CN=Old root", -1);
	w.newer = testca_make(NULL, "CN=New root", -1);
	w.sub = testca_make(&w.newer, "CN=Issuing", 0);
	w.leaf = testca_leaf(&w.sub, "CN=edge", DVT_EKU_SERVER);
	w.cross = testca_cross(&w.newer, &w.older);
	*state = &w;
	return 0;
}

static int
teardown(void **state)
{
	struct world *w = *state;

	testca_fini(&w->older);
	testca_fini(&w->newer);
	testca_fini(&w->sub);
	testca_fini(&w->leaf);
	X509_free(w->cross);
	return 0;
}

static void
a_chain_goes_through_pem_and_back(void **state)
{
	struct world *w = *state;
	struct dvt_chain a = testca_chain(w->leaf.cert, w->sub.cert, w->cross);
	struct dvt_chain b, c;
	char da[DVT_DIGEST_HEX], db[DVT_DIGEST_HEX];
	struct dvt_buf pem;

	dvt_buf_init(&pem, DVT_CHAIN_PEM_MAX);
	dvt_buf_puts(&pem, "words in front\n");
	assert_int_equal(dvt_chain_to_pem(&a, &pem, NULL), DVT_OK);
	assert_int_equal(
	    dvt_chain_from_pem(dvt_buf_span(&pem), &b, NULL), DVT_OK);
	assert_int_equal(b.n, 3);
	dvt_chain_digest(&a, da);
	dvt_chain_digest(&b, db);
	assert_string_equal(da, db);
	assert_int_equal(dvt_chain_check(&b, NULL), DVT_OK);
	assert_int_equal(dvt_chain_check_time(&b, TESTCA_NOW, NULL), DVT_OK);
	assert_int_equal(
	    dvt_chain_not_after(&b), dvt_x509_not_after(w->leaf.cert));
	assert_int_equal(dvt_chain_copy(&c, &b, NULL), DVT_OK);
	assert_int_equal(dvt_chain_der_len(&c), dvt_chain_der_len(&a));
	dvt_chain_fini(&a);
	dvt_chain_fini(&b);
	dvt_chain_fini(&c);
	dvt_buf_fini(&pem);
}

static void
a_chain_in_disorder_is_told_by_place_and_name(void **state)
{
	struct world *w = *state;
	const struct {
		X509 *a, *b, *c;
		const char *says;
	} bad[] = {
	    {w->leaf.cert, w->newer.cert, NULL,
             "certificate 1 of 2 (CN=edge) is not issued by certificate 2 "
		"(CN=New root)"				 },
	    {w->leaf.cert, w->sub.cert,   w->older.cert,
             "certificate 2 of 3 (CN=Issuing) is not issued by certificate "
		"3 (CN=Old root)"                               },
	    {w->sub.cert,  w->leaf.cert,  NULL,
             "certificate 1 of 2 (CN=Issuing) is a CA"          },
	    {w->leaf.cert, w->leaf.cert,  NULL,
             "certificate 2 of 2 (CN=edge) is no CA"            },
	    {NULL,         NULL,          NULL,          "empty"},
	};

	for (size_t i = 0; i < DVT_COUNT(bad); i++) {
		struct dvt_chain c = testca_chain(bad[i].a, bad[i].b, bad[i].c);
		struct dvt_err err;

		assert_int_equal(dvt_chain_check(&c, &err), DVT_E_INPUT);
		if (strstr(err.text, bad[i].says) == NULL)
			fail_msg("%s", err.text);
		dvt_chain_fini(&c);
	}
}

static void
dates_are_told_with_place_and_seconds(void **state)
{
	struct world *w = *state;
	struct dvt_chain c = testca_chain(w->leaf.cert, w->sub.cert, NULL);
	struct dvt_err err;

	assert_int_equal(dvt_chain_check_time(&c, TESTCA_NOW - DAY_S - 5, &err),
	    DVT_E_INPUT);
	assert_string_equal(err.text,
	    "certificate 1 of 2 (CN=edge): starts in 5 s; check this host's "
	    "clock");
	assert_int_equal(
	    dvt_chain_check_time(&c, TESTCA_NOW + 365 * DAY_S + 9, &err),
	    DVT_E_INPUT);
	assert_non_null(strstr(err.text, "ended 9 s ago"));
	dvt_chain_fini(&c);
}

static void
what_is_no_chain_is_refused(void **state)
{
	struct world *w = *state;
	struct dvt_buf pem;
	struct dvt_chain c;
	struct dvt_err err;

	dvt_buf_init(&pem, DVT_CHAIN_PEM_MAX * 2);
	assert_int_equal(
	    dvt_chain_from_pem(DVT_SPAN_LIT("x"), &c, &err), DVT_E_INPUT);
	assert_int_equal(
	    dvt_chain_from_pem(
		DVT_SPAN_LIT("-----BEGIN CERTIFICATE-----\nMAA=\n-----END "
			     "CERTIFICATE-----\n"),
		&c, &err),
	    DVT_E_INPUT);
	assert_non_null(strstr(err.text, "certificate 1"));
	for (int i = 0; i <= DVT_CHAIN_MAX; i++)
		assert_int_equal(
		    dvt_x509_to_pem(w->leaf.cert, &pem, &err), DVT_OK);
	assert_int_equal(
	    dvt_chain_from_pem(dvt_buf_span(&pem), &c, &err), DVT_E_LIMIT);
	assert_int_equal(c.n, 0);
	dvt_buf_reset(&pem);
	assert_int_equal(dvt_key_to_pem(w->leaf.key, &pem, &err), DVT_OK);
	assert_int_equal(
	    dvt_chain_from_pem(dvt_buf_span(&pem), &c, &err), DVT_E_INPUT);
	assert_non_null(strstr(err.text, "private key"));
	assert_int_equal(
	    dvt_chain_from_pem(
		(struct dvt_span){pem.p, DVT_CHAIN_PEM_MAX + 1}, &c, &err),
	    DVT_E_LIMIT);
	dvt_buf_fini(&pem);
}

static void
only_a_flight_without_the_old_anchor_is_pure(void **state)
{
	struct world *w = *state;
	const struct {
		X509 *a, *b, *c;
		bool old_touched, new_touched;
	} cases[] = {
	    {w->leaf.cert, w->sub.cert, NULL,          false, true },
	    {w->leaf.cert, w->sub.cert, w->cross,      true,  true },
	    {w->leaf.cert, w->sub.cert, w->newer.cert, false, true },
	    {w->leaf.cert, w->sub.cert, w->older.cert, true,  true },
	    {w->leaf.cert, NULL,        NULL,          false, false},
	};

	for (size_t i = 0; i < DVT_COUNT(cases); i++) {
		struct dvt_chain c = testca_chain(
		    cases[i].a, cases[i].b, cases[i].c);

		if (dvt_chain_touches(&c, w->older.cert) !=
			cases[i].old_touched ||
		    dvt_chain_touches(&c, w->newer.cert) !=
			cases[i].new_touched)
			fail_msg("case %zu", i);
		dvt_chain_fini(&c);
	}
}

/* Same name, another key: what an attacker or a careless re-key makes. */
static void
a_name_alone_does_not_make_an_issuer(void **state)
{
	struct world *w = *state;
	struct testca twin = testca_make(NULL, "CN=Issuing", -1);

	assert_true(dvt_x509_is_issued_by(w->leaf.cert, w->sub.cert));
	assert_false(dvt_x509_is_issued_by(w->leaf.cert, twin.cert));
	testca_fini(&twin);
}

static enum dvt_code
judge(X509 *anchor, unsigned flags, const struct dvt_chain *shown,
    struct dvt_verify how, struct dvt_verdict *v)
{
	struct dvt_trust *trust;
	enum dvt_code rc;

	assert_int_equal(
	    dvt_trust_new(&anchor, 1, flags, &trust, NULL), DVT_OK);
	rc = dvt_trust_verify(trust, shown, &how, v, NULL);
	dvt_trust_free(trust);
	return rc;
}

static void
a_verdict_names_error_depth_and_certificate(void **state)
{
	struct world *w = *state;
	struct dvt_chain full = testca_chain(w->leaf.cert, w->sub.cert, NULL);
	struct dvt_chain bare = testca_chain(w->leaf.cert, NULL, NULL);
	struct dvt_verify how = {.now = TESTCA_NOW};
	char root[DVT_DIGEST_HEX];
	struct dvt_verdict v;

	dvt_x509_fingerprint(w->newer.cert, root);
	assert_int_equal(judge(w->newer.cert, 0, &full, how, &v), DVT_OK);
	assert_string_equal(v.anchor, root);
	assert_int_equal(v.not_after, dvt_x509_not_after(w->leaf.cert));
	assert_int_equal(judge(w->newer.cert, 0, &bare, how, &v), DVT_E_DENIED);
	assert_int_equal(v.error, X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY);
	assert_string_equal(v.text,
	    "unable to get local issuer certificate (depth 0, CN=edge)");
	assert_int_equal(judge(w->older.cert, 0, &full, how, &v), DVT_E_DENIED);
	assert_int_equal(v.depth, 1);
	assert_int_equal(judge(w->sub.cert, 0, &full, how, &v), DVT_E_DENIED);
	assert_int_equal(
	    judge(w->sub.cert, DVT_TRUST_PARTIAL, &full, how, &v), DVT_OK);
	how.purpose = DVT_FOR_CLIENT;
	assert_int_equal(judge(w->newer.cert, 0, &full, how, &v), DVT_E_DENIED);
	assert_int_equal(v.error, X509_V_ERR_INVALID_PURPOSE);
	how.purpose = DVT_FOR_SERVER;
	how.now = TESTCA_NOW + 366 * DAY_S;
	assert_int_equal(judge(w->newer.cert, 0, &full, how, &v), DVT_E_DENIED);
	assert_int_equal(v.error, X509_V_ERR_CERT_HAS_EXPIRED);
	dvt_chain_fini(&full);
	assert_int_equal(judge(w->newer.cert, 0, &full, how, &v), DVT_E_DENIED);
	dvt_chain_fini(&bare);
}

static void
host_names_are_checked_when_asked(void **state)
{
	static const struct {
		const char *host;
		enum dvt_code want;
	} cases[] = {
	    {NULL,             DVT_OK      },
	    {"edge.example",   DVT_OK      },
	    {"a.edge.example", DVT_OK      },
	    {"192.0.2.7",      DVT_OK      },
	    {"other.example",  DVT_E_DENIED},
	    {"192.0.2.8",      DVT_E_DENIED},
	};
	const struct dvt_san sans[] = {
	    {DVT_SAN_DNS, "edge.example"  },
	    {DVT_SAN_DNS, "*.edge.example"},
	    {DVT_SAN_IP,  "192.0.2.7"     },
	};
	struct world *w = *state;
	struct dvt_issue f = testca_leaf_fields(DVT_EKU_SERVER);
	struct dvt_chain c;
	X509 *leaf;

	f.sans = sans;
	f.sans_n = DVT_COUNT(sans);
	leaf = testca_issue(&w->newer, "CN=edge", w->leaf.key, f);
	c = testca_chain(leaf, NULL, NULL);
	for (size_t i = 0; i < DVT_COUNT(cases); i++) {
		struct dvt_verify how = {
		    .now = TESTCA_NOW, .host = cases[i].host};
		struct dvt_verdict v;

		if (judge(w->newer.cert, 0, &c, how, &v) != cases[i].want)
			fail_msg("%s: %s", cases[i].host, v.text);
	}
	dvt_chain_fini(&c);
	X509_free(leaf);
}

static void
sets_are_built_once_per_digest_and_flags(void **state)
{
	struct world *w = *state;
	struct dvt_trust_cache *cache = dvt_trust_cache_new();
	X509 *both[] = {w->older.cert, w->newer.cert, w->older.cert};
	X509 *turned[] = {w->newer.cert, w->older.cert};
	struct dvt_trust *a, *b, *c;

	assert_int_equal(dvt_trust_new(both, 3, 0, &a, NULL), DVT_OK);
	assert_int_equal(dvt_trust_new(turned, 2, 0, &b, NULL), DVT_OK);
	assert_int_equal(
	    dvt_trust_new(turned, 2, DVT_TRUST_PARTIAL, &c, NULL), DVT_OK);
	assert_int_equal(dvt_trust_count(a), 2);
	assert_string_equal(dvt_trust_digest(a), dvt_trust_digest(b));
	assert_ptr_equal(dvt_trust_cache_put(cache, a), a);
	assert_ptr_equal(dvt_trust_cache_put(cache, b), a);
	assert_ptr_equal(dvt_trust_cache_put(cache, c), c);
	assert_ptr_equal(dvt_trust_cache_get(cache, dvt_trust_digest(a), 0), a);
	assert_null(dvt_trust_cache_get(cache, "none", 0));
	dvt_trust_cache_free(cache);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    CASE(a_chain_goes_through_pem_and_back),
	    CASE(a_chain_in_disorder_is_told_by_place_and_name),
	    CASE(dates_are_told_with_place_and_seconds),
	    CASE(what_is_no_chain_is_refused),
	    CASE(only_a_flight_without_the_old_anchor_is_pure),
	    CASE(a_name_alone_does_not_make_an_issuer),
	    CASE(a_verdict_names_error_depth_and_certificate),
	    CASE(host_names_are_checked_when_asked),
	    CASE(sets_are_built_once_per_digest_and_flags),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
