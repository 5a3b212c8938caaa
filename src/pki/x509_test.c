/* SPDX-License-Identifier: Apache-2.0 */
#include "pki/x509.h"

#include "pki/testca.h"
#include "pki/verify.h"

#include <openssl/x509v3.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

/* A certificate with this serial, self-signed; any extension as given. */
static X509 *
with_serial(const char *decimal, const char *sans)
{
	struct testca ca = testca_make(NULL, "CN=odd", -1);
	X509 *cert = X509_dup(ca.cert);
	ASN1_INTEGER *serial = s2i_ASN1_INTEGER(NULL, decimal);

	assert_int_equal(X509_set_serialNumber(cert, serial), 1);
	if (sans != NULL) {
		X509_EXTENSION *e = X509V3_EXT_conf_nid(
		    NULL, NULL, NID_subject_alt_name, sans);

		assert_non_null(e);
		assert_int_equal(X509_add_ext(cert, e, -1), 1);
		X509_EXTENSION_free(e);
	}
	assert_true(X509_sign(cert, ca.key, EVP_sha256()) > 0);
	ASN1_INTEGER_free(serial);
	testca_fini(&ca);
	return cert;
}

static enum dvt_code
read_back(X509 *cert, size_t cut, size_t more, X509 **out)
{
	struct dvt_buf der;
	enum dvt_code rc;

	dvt_buf_init(&der, 65536);
	assert_int_equal(dvt_x509_to_der(cert, &der, NULL), DVT_OK);
	for (size_t i = 0; i < more; i++)
		dvt_buf_putc(&der, 0);
	rc = dvt_x509_from_der(
	    (struct dvt_span){der.p, der.n - cut}, out, NULL);
	dvt_buf_fini(&der);
	return rc;
}

static void
serials_are_written_as_bytes_with_their_sign(void **state)
{
	static const struct {
		const char *serial, *text;
	} cases[] = {
	    {"1",					    "01"  },
	    {"0",					    "00"  },
	    {"-2",					   "-02" },
	    {"4096",					 "1000"},
	    {"0x00ffffffffffffffffffffffffffffffffffffffff",
             "ffffffffffffffffffffffffffffffffffffffff"            },
	};

	(void)state;
	for (size_t i = 0; i < DVT_COUNT(cases); i++) {
		X509 *cert = with_serial(cases[i].serial, NULL), *back;
		char text[DVT_SERIAL_HEX];

		assert_int_equal(read_back(cert, 0, 0, &back), DVT_OK);
		dvt_x509_serial(back, text);
		assert_string_equal(text, cases[i].text);
		X509_free(cert);
		X509_free(back);
	}
}

static void
certificates_are_read_whole_and_within_limits(void **state)
{
	X509 *cert = with_serial("7", NULL), *out;
	X509 *longest = with_serial("0x7f"
				    "00000000000000000000000000000000"
				    "00000000000000000000000000000000",
	    NULL);

	(void)state;
	assert_int_equal(read_back(cert, 1, 0, &out), DVT_E_INPUT);
	assert_int_equal(read_back(cert, 0, 1, &out), DVT_E_INPUT);
	assert_int_equal(
	    read_back(cert, 0, DVT_CERT_DER_MAX, &out), DVT_E_LIMIT);
	assert_int_equal(read_back(longest, 0, 0, &out), DVT_E_LIMIT);
	assert_null(out);
	assert_int_equal(
	    dvt_x509_from_pem(DVT_SPAN_LIT(""), &out, NULL), DVT_E_INPUT);
	X509_free(cert);
	X509_free(longest);
}

static void
alternative_names_that_could_mislead_are_refused(void **state)
{
	static const struct {
		const char *sans;
		enum dvt_code want;
		size_t n;
	} cases[] = {
	    {"DNS:a.example,email:a@example",        DVT_OK,      2},
	    {"otherName:1.2.3;UTF8:x,DNS:a.example", DVT_OK,      1},
	    {"DNS:a b",			      DVT_E_INPUT, 0},
	    {"DNS:a.example,URI:x\ny",               DVT_E_INPUT, 1},
	};
	struct dvt_san got[DVT_SANS_MAX];
	size_t n;

	(void)state;
	for (size_t i = 0; i < DVT_COUNT(cases); i++) {
		X509 *cert = with_serial("1", cases[i].sans);

		if (dvt_x509_sans(cert, got, &n, NULL) != cases[i].want ||
		    n != cases[i].n)
			fail_msg("%s: %zu", cases[i].sans, n);
		X509_free(cert);
	}
}

static void
an_edge_tells_why_it_refuses_a_leaf(void **state)
{
	struct testca root = testca_make(NULL, "CN=Root", -1);
	struct testca client = testca_leaf(&root, "CN=c", DVT_EKU_CLIENT);
	struct testca server = testca_leaf(&root, "CN=s", DVT_EKU_SERVER);
	X509 *zero = with_serial("0", NULL);

	(void)state;
	assert_null(dvt_leaf_refuse(client.cert, DVT_FOR_CLIENT));
	assert_null(dvt_leaf_refuse(server.cert, DVT_FOR_SERVER));
	assert_string_equal(dvt_leaf_refuse(server.cert, DVT_FOR_CLIENT),
	    "leaf is not for client authentication");
	assert_string_equal(
	    dvt_leaf_refuse(root.cert, DVT_FOR_CLIENT), "leaf is a CA");
	assert_non_null(dvt_leaf_refuse(zero, DVT_FOR_CLIENT));
	assert_non_null(dvt_path_refuse(NULL, DVT_FOR_CLIENT));
	X509_free(zero);
	testca_fini(&root);
	testca_fini(&client);
	testca_fini(&server);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(serials_are_written_as_bytes_with_their_sign),
	    cmocka_unit_test(certificates_are_read_whole_and_within_limits),
	    cmocka_unit_test(alternative_names_that_could_mislead_are_refused),
	    cmocka_unit_test(an_edge_tells_why_it_refuses_a_leaf),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
