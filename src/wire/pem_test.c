/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/pem.h"

#include "vectors/vector.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define BLOCK(label, body)                                                     \
	"-----BEGIN " label "-----\n" body "\n-----END " label "-----\n"

static void
blocks_come_one_after_the_other_from_within_text(void **state)
{
	struct dvt_span in = DVT_SPAN_LIT("Certificate:\n  Data: x\n" BLOCK(
	    "CERTIFICATE", "Zm9v") BLOCK("PRIVATE KEY",
	    "c2VjcmV0") "-----BEGIN CERTIFICATE-----\r\nYm\r\n\tFy \r\n"
			"-----END CERTIFICATE----- \r\nend");
	struct dvt_buf der;

	(void)state;
	dvt_buf_init(&der, 100);
	assert_int_equal(dvt_pem_take(&in, DVT_PEM_CERT, &der, NULL), DVT_OK);
	assert_string_equal(dvt_buf_str(&der), "foo");
	assert_int_equal(dvt_pem_take(&in, DVT_PEM_CERT, &der, NULL), DVT_OK);
	assert_string_equal(dvt_buf_str(&der), "bar");
	assert_int_equal(
	    dvt_pem_take(&in, DVT_PEM_CERT, &der, NULL), DVT_E_ABSENT);
	assert_true(dvt_span_eq_str(in, "end"));
	dvt_buf_fini(&der);
}

static void
bad_blocks_are_refused_and_nothing_moves(void **state)
{
	static const struct {
		const char *why, *text;
		enum dvt_code rc;
	} cases[] = {
	    {"no end",             "-----BEGIN CERTIFICATE-----\nZm9v\n",         DVT_E_INPUT},
	    {"other end",
             "-----BEGIN CERTIFICATE-----\nZm9v\n-----END X509 CRL-----\n",       DVT_E_INPUT},
	    {"begins twice",
             "-----BEGIN CERTIFICATE-----\nZm9v\n" BLOCK(
		    "CERTIFICATE",						"Zm9v"),
             DVT_E_INPUT},
	    {"empty",                    BLOCK("CERTIFICATE",							   ""),                                DVT_E_INPUT},
	    {"not base64",         BLOCK("CERTIFICATE",						      "Zm9!"),                       DVT_E_INPUT},
	    {"headers",             BLOCK("CERTIFICATE","Proc-Type: 4,ENCRYPTED\n\nZm9v"),
             DVT_E_INPUT},
	    {"too large",BLOCK("CERTIFICATE",        "Zm9vYmFyZm9vYmFy"),
             DVT_E_LIMIT},
	    {"a bad block of another kind before it",
             "-----BEGIN X509 CRL-----\nZm9v\n" BLOCK("CERTIFICATE",                                                "Zm9v"),
             DVT_E_INPUT},
	    {"other label",                    BLOCK("X509 CRL",                           "Zm9v"),                           DVT_E_ABSENT},
	    {"not at the start of a line",          " " BLOCK("CERTIFICATE",                                                       "Zm9v"),
             DVT_E_ABSENT},
	    {"nothing",             "",                    DVT_E_ABSENT    },
	};
	struct dvt_buf der;

	(void)state;
	dvt_buf_init(&der, 10);
	for (size_t i = 0; i < DVT_COUNT(cases); i++) {
		struct dvt_span in = dvt_span_str(cases[i].text);

		if (dvt_pem_take(&in, DVT_PEM_CERT, &der, NULL) != cases[i].rc)
			fail_msg("%s", cases[i].why);
		assert_ptr_equal(in.p, cases[i].text);
	}
	dvt_buf_fini(&der);
}

static void
what_is_put_is_taken(void **state)
{
	struct dvt_buf chain = dvt_test_vector("cert/chain.pem"), der, again;
	struct dvt_span in = dvt_buf_span(&chain);
	int n = 0;

	(void)state;
	dvt_buf_init(&der, 20000);
	dvt_buf_init(&again, 20000);
	while (dvt_pem_take(&in, DVT_PEM_CERT, &der, NULL) == DVT_OK) {
		dvt_pem_put(&again, DVT_PEM_CERT, dvt_buf_span(&der));
		n++;
	}
	assert_int_equal(n, 3);
	assert_true(dvt_span_eq(dvt_buf_span(&chain), dvt_buf_span(&again)));
	dvt_buf_fini(&chain);
	dvt_buf_fini(&der);
	dvt_buf_fini(&again);
}

static void
requests_have_an_older_label_too(void **state)
{
	struct dvt_span in = DVT_SPAN_LIT(
	    BLOCK("NEW CERTIFICATE REQUEST", "Zm9v"));
	struct dvt_buf der;

	(void)state;
	dvt_buf_init(&der, 10);
	assert_int_equal(dvt_pem_take(&in, DVT_PEM_CSR, &der, NULL), DVT_OK);
	dvt_buf_fini(&der);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(blocks_come_one_after_the_other_from_within_text),
	    cmocka_unit_test(bad_blocks_are_refused_and_nothing_moves),
	    cmocka_unit_test(what_is_put_is_taken),
	    cmocka_unit_test(requests_have_an_older_label_too),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
