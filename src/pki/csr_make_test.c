/* SPDX-License-Identifier: Apache-2.0 */
#include "pki/csr.h"

#include "base/limits.h"
#include "pki/issue.h"
#include "pki/key.h"
#include "wire/csr.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void
a_request_reads_back_with_its_key_proven(void **state)
{
	static const enum dvt_key_kind kinds[] = {
	    DVT_KEY_P256, DVT_KEY_P384, DVT_KEY_RSA};
	static const char *const names[] = {
	    "dev-1.example", "192.0.2.7", "2001:db8::1"};
	struct dvt_buf subject, san, der;

	(void)state;
	dvt_buf_init(&subject, 256);
	dvt_buf_init(&san, 256);
	dvt_buf_init(&der, DVT_CSR_DER_MAX);
	assert_int_equal(
	    dvt_name_from_text("CN=dev-1,O=Works", &subject, NULL), DVT_OK);
	assert_int_equal(
	    dvt_csr_san_put(names, DVT_COUNT(names), &san, NULL), DVT_OK);
	for (size_t i = 0; i < DVT_COUNT(kinds); i++) {
		struct dvt_csr_want want = {.subject = dvt_buf_span(&subject),
		    .san = dvt_buf_span(&san),
		    .binding = DVT_SPAN_LIT("dGllZA==")};
		EVP_PKEY *key, *proven;
		struct dvt_csr csr;
		struct dvt_err err;

		assert_int_equal(
		    dvt_key_new(kinds[i], 2048, &key, NULL), DVT_OK);
		dvt_buf_reset(&der);
		assert_int_equal(dvt_csr_make(&want, key, &der, &err), DVT_OK);
		if (dvt_csr_parse(dvt_buf_span(&der), &csr, &err) != DVT_OK)
			fail_msg("%s", err.text);
		assert_true(dvt_span_eq(csr.subject, want.subject));
		assert_true(dvt_span_eq(csr.san, want.san));
		assert_true(dvt_span_eq(dvt_csr_binding(&csr), want.binding));
		assert_int_equal(dvt_key_from_csr(&csr, &proven, &err), DVT_OK);
		assert_true(dvt_key_same(proven, key));
		EVP_PKEY_free(proven);
		EVP_PKEY_free(key);
	}
	dvt_buf_fini(&subject);
	dvt_buf_fini(&san);
	dvt_buf_fini(&der);
}

static void
names_that_are_none_are_refused(void **state)
{
	static const char *const names[] = {"good.example", ""};
	struct dvt_buf san;

	(void)state;
	dvt_buf_init(&san, 256);
	assert_int_equal(dvt_csr_san_put(names, 2, &san, NULL), DVT_E_INPUT);
	dvt_buf_fini(&san);
}

static void
requests_carry_name_and_names(void **state)
{
	static const char *const names[] = {"edge.example", "next.example"};
	struct dvt_csr csr;
	struct dvt_buf der;
	EVP_PKEY *key;

	(void)state;
	assert_int_equal(dvt_key_new(DVT_KEY_P256, 0, &key, NULL), DVT_OK);
	for (size_t n = 0; n <= 2; n += 2) {
		dvt_buf_init(&der, DVT_CSR_DER_MAX);
		assert_int_equal(
		    dvt_csr_make_named(key, "gw-1", names, n, &der, NULL),
		    DVT_OK);
		assert_int_equal(
		    dvt_csr_parse(dvt_buf_span(&der), &csr, NULL), DVT_OK);
		assert_true((csr.san.n > 0) == (n > 0));
		dvt_buf_fini(&der);
	}
	EVP_PKEY_free(key);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_request_reads_back_with_its_key_proven),
	    cmocka_unit_test(names_that_are_none_are_refused),
	    cmocka_unit_test(requests_carry_name_and_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
