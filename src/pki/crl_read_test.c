/* SPDX-License-Identifier: Apache-2.0 */
#include "pki/crl_read.h"

#include "base/limits.h"
#include "base/mem.h"
#include "pki/crl.h"
#include "pki/testca.h"
#include "wire/pem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define END (TESTCA_NOW + 86400)

static struct testca root, other, leaf, second;

/* @ca's list with @revoked in it, as DER. */
static struct dvt_buf
list(const struct testca *ca, EVP_PKEY *key, X509 *revoked)
{
	const ASN1_INTEGER *serial = X509_get0_serialNumber(revoked);
	struct testca signer = *ca;
	struct dvt_crl *c;
	struct dvt_buf der;
	struct dvt_err err;

	signer.key = key;
	dvt_buf_init(&der, DVT_CRL_DER_MAX);
	assert_int_equal(
	    dvt_crl_new(ca->cert, 7, TESTCA_NOW - 86400, END, &c, &err),
	    DVT_OK);
	dvt_crl_add(c,
	    (struct dvt_span){ASN1_STRING_get0_data(serial),
		(size_t)ASN1_STRING_length(serial)},
	    TESTCA_NOW - 86400, DVT_CRL_KEY_COMPROMISE);
	if (dvt_crl_finish(c, signer.key, &der, &err) != DVT_OK)
		fail_msg("%s", err.text);
	dvt_crl_free(c);
	return der;
}

static void
der_and_pem_are_read_and_asked(void **state)
{
	struct dvt_buf a = list(&root, root.key, leaf.cert);
	struct dvt_buf b = list(&other, other.key, leaf.cert);
	struct dvt_buf pem;
	X509_CRL *crl[4];
	char name[DVT_DN_TEXT];
	size_t n;

	(void)state;
	assert_int_equal(
	    dvt_crls_read(dvt_buf_span(&a), 4, crl, &n, NULL), DVT_OK);
	assert_int_equal(n, 1);
	assert_int_equal(dvt_crl_next_update(crl[0]), END);
	assert_string_equal(dvt_crl_issuer(crl[0], name), "CN=Root");
	assert_int_equal(dvt_crl_count(crl[0]), 1);
	assert_true(dvt_crl_names(crl[0], leaf.cert));
	assert_false(dvt_crl_names(crl[0], second.cert));
	X509_CRL_free(crl[0]);

	dvt_buf_init(&pem, DVT_CRL_DER_MAX);
	dvt_buf_puts(&pem, "words\n");
	dvt_pem_put(&pem, DVT_PEM_CRL, dvt_buf_span(&a));
	dvt_pem_put(&pem, DVT_PEM_CRL, dvt_buf_span(&b));
	assert_int_equal(
	    dvt_crls_read(dvt_buf_span(&pem), 4, crl, &n, NULL), DVT_OK);
	assert_int_equal(n, 2);
	assert_false(dvt_crl_names(crl[1], leaf.cert)); /* of another issuer */
	X509_CRL_free(crl[0]);
	X509_CRL_free(crl[1]);
	assert_int_equal(
	    dvt_crls_read(dvt_buf_span(&pem), 1, crl, &n, NULL), DVT_E_LIMIT);
	assert_int_equal(n, 0);
	dvt_buf_fini(&pem);
	dvt_buf_fini(&a);
	dvt_buf_fini(&b);
}

static void
a_list_is_its_issuers_or_nobodys_we_know(void **state)
{
	struct dvt_buf der = list(&root, root.key, leaf.cert);
	struct dvt_buf foreign = list(&other, other.key, leaf.cert);
	X509_CRL *good, *unknown;
	X509 *anchors[] = {root.cert};
	size_t n;

	(void)state;
	assert_int_equal(
	    dvt_crls_read(dvt_buf_span(&der), 1, &good, &n, NULL), DVT_OK);
	assert_int_equal(
	    dvt_crls_read(dvt_buf_span(&foreign), 1, &unknown, &n, NULL),
	    DVT_OK);
	assert_int_equal(dvt_crl_check(good, anchors, 1, NULL), DVT_OK);
	assert_int_equal(dvt_crl_check(unknown, anchors, 1, NULL), DVT_OK);
	X509_CRL_free(good);
	/* one bit of the signature */
	der.p[der.n - 1] ^= 1;
	assert_int_equal(
	    dvt_crls_read(dvt_buf_span(&der), 1, &good, &n, NULL), DVT_OK);
	assert_int_equal(dvt_crl_check(good, anchors, 1, NULL), DVT_E_CONFLICT);
	X509_CRL_free(good);
	X509_CRL_free(unknown);
	dvt_buf_fini(&der);
	dvt_buf_fini(&foreign);
}

static void
what_is_no_list_is_refused(void **state)
{
	static const char *const hostile[] = {"", "x", "0", "0\x82\xff\xff",
	    "-----BEGIN X509 CRL-----\n",
	    ("-----BEGIN X509 CRL-----\nMAA=\n"
	     "-----END X509 CRL-----\n"),
	    "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n"};
	struct dvt_buf der = list(&root, root.key, leaf.cert);
	X509_CRL *crl[2];
	size_t n = 9;

	(void)state;
	for (size_t i = 0; i < DVT_COUNT(hostile); i++) {
		assert_int_equal(
		    dvt_crls_read(dvt_span_str(hostile[i]), 2, crl, &n, NULL),
		    DVT_E_INPUT);
		assert_int_equal(n, 0);
	}
	for (size_t cut = 0; cut < der.n; cut += 5)
		assert_int_not_equal(
		    dvt_crls_read(
			(struct dvt_span){der.p, cut}, 2, crl, &n, NULL),
		    DVT_OK);
	dvt_buf_putc(&der, 0); /* something behind it */
	assert_int_equal(
	    dvt_crls_read(dvt_buf_span(&der), 2, crl, &n, NULL), DVT_E_INPUT);
	dvt_buf_fini(&der);
}

static int
make(void **state)
{
	(void)state;
	root = testca_make(NULL, "CN=Root", -1);
	other = testca_make(NULL, "CN=Other", -1);
	leaf = testca_leaf(&root, "CN=dev-1", DVT_EKU_CLIENT);
	second = testca_leaf(&root, "CN=dev-2", DVT_EKU_CLIENT);
	return 0;
}

static int
drop(void **state)
{
	(void)state;
	testca_fini(&root);
	testca_fini(&other);
	testca_fini(&leaf);
	testca_fini(&second);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(der_and_pem_are_read_and_asked),
	    cmocka_unit_test(a_list_is_its_issuers_or_nobodys_we_know),
	    cmocka_unit_test(what_is_no_list_is_refused),
	};

	return cmocka_run_group_tests(tests, make, drop);
}
