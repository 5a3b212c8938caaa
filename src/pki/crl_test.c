/* SPDX-License-Identifier: Apache-2.0 */
#include "pki/crl.h"

#include "pki/testca.h"
#include "pki/verify.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define DAY_S 86400

/* The serial's bytes of a certificate. */
static struct dvt_span
serial_of(const X509 *cert)
{
	const ASN1_INTEGER *s = X509_get0_serialNumber(cert);

	return (struct dvt_span){
	    ASN1_STRING_get0_data(s), (size_t)ASN1_STRING_length(s)};
}

/* @ca's list with one entry (NULL: none). */
static struct dvt_buf
list_of(const struct testca *ca, X509 *revoked, int64_t this_update,
    int64_t next_update)
{
	struct dvt_crl *c;
	struct dvt_buf der;
	struct dvt_err err;

	dvt_buf_init(&der, DVT_CRL_DER_MAX);
	assert_int_equal(
	    dvt_crl_new(ca->cert, 7, this_update, next_update, &c, &err),
	    DVT_OK);
	if (revoked != NULL)
		dvt_crl_add(c, serial_of(revoked), TESTCA_NOW - 3 * DAY_S,
		    DVT_CRL_KEY_COMPROMISE);
	if (dvt_crl_finish(c, ca->key, &der, &err) != DVT_OK)
		fail_msg("%s", err.text);
	dvt_crl_free(c);
	return der;
}

/* The same that began two days ago. */
static struct dvt_buf
list(const struct testca *ca, X509 *revoked, int64_t next_update)
{
	return list_of(ca, revoked, TESTCA_NOW - 2 * DAY_S, next_update);
}

static struct dvt_verdict
judge(struct dvt_trust *trust, X509 *leaf)
{
	struct dvt_chain shown = testca_chain(leaf, NULL, NULL);
	struct dvt_verify how = {.purpose = DVT_FOR_CLIENT, .now = TESTCA_NOW};
	struct dvt_verdict v;
	enum dvt_code rc = dvt_trust_verify(trust, &shown, &how, &v, NULL);

	assert_int_equal(rc == DVT_OK, v.error == X509_V_OK);
	dvt_chain_fini(&shown);
	return v;
}

static void
a_listed_certificate_is_refused_and_others_pass(void **state)
{
	struct testca ca = testca_make(NULL, "CN=A", -1);
	struct testca other = testca_make(NULL, "CN=B", -1);
	struct testca bad = testca_leaf(&ca, "CN=bad", DVT_EKU_CLIENT);
	struct testca good = testca_leaf(&ca, "CN=good", DVT_EKU_CLIENT);
	struct testca free_one = testca_leaf(&other, "CN=x", DVT_EKU_CLIENT);
	X509 *anchors[] = {ca.cert, other.cert};
	struct dvt_buf der = list(&ca, bad.cert, TESTCA_NOW + DAY_S);
	struct dvt_trust *trust;

	(void)state;
	assert_int_equal(dvt_trust_new(anchors, 2, 0, &trust, NULL), DVT_OK);
	assert_int_equal(judge(trust, bad.cert).error, X509_V_OK);
	assert_int_equal(
	    dvt_trust_add_crl(trust, dvt_buf_span(&der), NULL), DVT_OK);
	assert_int_equal(judge(trust, bad.cert).error, X509_V_ERR_CERT_REVOKED);
	assert_int_equal(judge(trust, good.cert).error, X509_V_OK);
	assert_false(judge(trust, good.cert).stale_crl);
	assert_int_equal(judge(trust, free_one.cert).error, X509_V_OK);
	dvt_trust_free(trust);
	dvt_buf_fini(&der);
	testca_fini(&ca);
	testca_fini(&other);
	testca_fini(&bad);
	testca_fini(&good);
	testca_fini(&free_one);
}

static void
a_late_list_denies_what_it_names_and_locks_nobody_out(void **state)
{
	struct testca ca = testca_make(NULL, "CN=A", -1);
	struct testca bad = testca_leaf(&ca, "CN=bad", DVT_EKU_CLIENT);
	struct testca good = testca_leaf(&ca, "CN=good", DVT_EKU_CLIENT);
	struct dvt_buf der = list(&ca, bad.cert, TESTCA_NOW - DAY_S);
	struct dvt_trust *trust;

	(void)state;
	assert_int_equal(dvt_trust_new(&ca.cert, 1, 0, &trust, NULL), DVT_OK);
	assert_int_equal(
	    dvt_trust_add_crl(trust, dvt_buf_span(&der), NULL), DVT_OK);
	assert_int_equal(judge(trust, bad.cert).error, X509_V_ERR_CERT_REVOKED);
	assert_int_equal(judge(trust, good.cert).error, X509_V_OK);
	assert_true(judge(trust, good.cert).stale_crl);
	dvt_trust_free(trust);
	dvt_buf_fini(&der);
	testca_fini(&ca);
	testca_fini(&bad);
	testca_fini(&good);
}

/* This host's clock runs behind the issuer's. */
static void
an_early_list_counts_as_well(void **state)
{
	struct testca ca = testca_make(NULL, "CN=A", -1);
	struct testca bad = testca_leaf(&ca, "CN=bad", DVT_EKU_CLIENT);
	struct testca good = testca_leaf(&ca, "CN=good", DVT_EKU_CLIENT);
	struct dvt_buf der = list_of(
	    &ca, bad.cert, TESTCA_NOW + 60, TESTCA_NOW + DAY_S);
	struct dvt_trust *trust;

	(void)state;
	assert_int_equal(dvt_trust_new(&ca.cert, 1, 0, &trust, NULL), DVT_OK);
	assert_int_equal(
	    dvt_trust_add_crl(trust, dvt_buf_span(&der), NULL), DVT_OK);
	assert_int_equal(judge(trust, bad.cert).error, X509_V_ERR_CERT_REVOKED);
	assert_int_equal(judge(trust, good.cert).error, X509_V_OK);
	assert_true(judge(trust, good.cert).stale_crl);
	dvt_trust_free(trust);
	dvt_buf_fini(&der);
	testca_fini(&ca);
	testca_fini(&bad);
	testca_fini(&good);
}

static void
openssl_reads_back_what_was_written(void **state)
{
	struct testca ca = testca_make(NULL, "CN=A", -1);
	struct dvt_buf der = list(&ca, ca.cert, TESTCA_NOW + DAY_S);
	const uint8_t *p = der.p;
	X509_CRL *crl = d2i_X509_CRL(NULL, &p, (long)der.n);
	X509_REVOKED *entry = NULL;
	struct dvt_buf empty = list(&ca, NULL, TESTCA_NOW + DAY_S);

	(void)state;
	assert_non_null(crl);
	assert_ptr_equal(p, der.p + der.n);
	assert_int_equal(X509_CRL_verify(crl, ca.key), 1);
	assert_int_equal(X509_CRL_get_version(crl), 1);
	assert_int_equal(X509_CRL_get0_by_cert(crl, &entry, ca.cert), 1);
	X509_CRL_free(crl);
	p = empty.p;
	crl = d2i_X509_CRL(NULL, &p, (long)empty.n);
	assert_non_null(crl);
	assert_int_equal(X509_CRL_verify(crl, ca.key), 1);
	assert_int_equal(sk_X509_REVOKED_num(X509_CRL_get_REVOKED(crl)), -1);
	X509_CRL_free(crl);
	dvt_buf_fini(&der);
	dvt_buf_fini(&empty);
	testca_fini(&ca);
}

static void
who_may_not_sign_lists_does_not(void **state)
{
	struct testca ca = testca_make(NULL, "CN=A", -1);
	struct testca leaf = testca_leaf(&ca, "CN=x", DVT_EKU_CLIENT);
	struct dvt_buf der;
	struct dvt_crl *c;
	struct dvt_err err;

	(void)state;
	dvt_buf_init(&der, DVT_CRL_DER_MAX);
	assert_int_equal(
	    dvt_crl_new(leaf.cert, 1, 1, 2, &c, &err), DVT_E_CONFLICT);
	assert_int_equal(dvt_crl_new(ca.cert, 1, 2, 2, &c, &err), DVT_E_INPUT);
	assert_int_equal(dvt_crl_new(ca.cert, 1, 1, 2, &c, &err), DVT_OK);
	assert_int_equal(
	    dvt_crl_finish(c, leaf.key, &der, &err), DVT_E_CONFLICT);
	dvt_crl_add(c, (struct dvt_span){NULL, 0}, 1, DVT_CRL_UNSPECIFIED);
	assert_int_equal(dvt_crl_finish(c, ca.key, &der, &err), DVT_E_INPUT);
	dvt_crl_free(c);
	dvt_buf_fini(&der);
	testca_fini(&ca);
	testca_fini(&leaf);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_listed_certificate_is_refused_and_others_pass),
	    cmocka_unit_test(
		a_late_list_denies_what_it_names_and_locks_nobody_out),
	    cmocka_unit_test(an_early_list_counts_as_well),
	    cmocka_unit_test(openssl_reads_back_what_was_written),
	    cmocka_unit_test(who_may_not_sign_lists_does_not),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
