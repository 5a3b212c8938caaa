/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/cert.h"

#include "vectors/vector.h"
#include "wire/name.h"
#include "wire/oid.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void
certificates_of_openssl_are_read(void **state)
{
	static const struct {
		const char *file, *subject;
		int version;
		enum dvt_key_kind kind;
		bool ca;
		int64_t path_len;
		bool self;
	} cases[] = {
	    {"cert/root-p256.der",    "C=DE,O=Acme,CN=Old Root", 3, DVT_KEY_P256,
             true,									-1, true },
	    {"cert/leaf-p384.der",    "O=Acme,CN=device-7",      3, DVT_KEY_P384,  false,
             -1,									      false},
	    {"cert/sub-rsa.der",      "O=Acme,CN=Issuing",       3, DVT_KEY_RSA,   true,  0,
             false										 },
	    {"cert/v1.der",           "CN=old",                  1, DVT_KEY_P256,  false, -1, false},
	    {"cert/root-ed25519.der", "CN=ed",                   3, DVT_KEY_OTHER, true,  -1,
             true										  },
	};

	(void)state;
	for (size_t i = 0; i < DVT_COUNT(cases); i++) {
		struct dvt_buf file = dvt_test_vector(cases[i].file), text;
		struct dvt_cert cert;
		struct dvt_err err;

		if (dvt_cert_parse(dvt_buf_span(&file), &cert, &err) != DVT_OK)
			fail_msg("%s: %s", cases[i].file, err.text);
		assert_int_equal(cert.version, cases[i].version);
		assert_int_equal(cert.spki.kind, cases[i].kind);
		assert_int_equal(cert.ca, cases[i].ca);
		assert_int_equal(cert.path_len, cases[i].path_len);
		assert_int_equal(dvt_cert_self_issued(&cert), cases[i].self);
		dvt_buf_init(&text, 200);
		assert_int_equal(
		    dvt_name_format(cert.subject, &text, NULL), DVT_OK);
		assert_string_equal(dvt_buf_str(&text), cases[i].subject);
		dvt_buf_fini(&text);
		dvt_buf_fini(&file);
	}
}

static void
a_leaf_shows_dates_serial_and_extensions(void **state)
{
	struct dvt_buf file = dvt_test_vector("cert/leaf-p384.der");
	struct dvt_buf issuer = dvt_test_vector("cert/root-p256.der");
	struct dvt_cert cert, root;
	struct dvt_span aki, ski;
	uint16_t usage;
	bool has;

	(void)state;
	assert_int_equal(
	    dvt_cert_parse(dvt_buf_span(&file), &cert, NULL), DVT_OK);
	assert_int_equal(cert.not_before, 1795228026);
	assert_int_equal(cert.not_after, 2110588026);
	assert_true(dvt_span_eq(cert.serial,
	    DVT_SPAN_LIT("\x7f\xd3\xa1\xb2\xc3\xd4\xe5\xf6\x07\x18\x29\x3a\x4b"
			 "\x5c\x6d\x7e\x8f\x90\x12\x34")));
	assert_true(dvt_span_eq(cert.sig_alg, DVT_OID_ECDSA_SHA256));
	assert_non_null(cert.san.p);
	assert_int_equal(dvt_ext_key_usage(
			     dvt_exts_get(&cert.exts, DVT_OID_KEY_USAGE)->value,
			     &usage, NULL),
	    DVT_OK);
	assert_int_equal(usage, DVT_KU_DIGITAL_SIGNATURE);
	assert_int_equal(
	    dvt_ext_eku_has(
		dvt_exts_get(&cert.exts, DVT_OID_EXT_KEY_USAGE)->value,
		DVT_OID_CLIENT_AUTH, &has, NULL),
	    DVT_OK);
	assert_true(has);
	assert_int_equal(
	    dvt_ext_eku_has(
		dvt_exts_get(&cert.exts, DVT_OID_EXT_KEY_USAGE)->value,
		DVT_OID_SERVER_AUTH, &has, NULL),
	    DVT_OK);
	assert_false(has);
	assert_true(dvt_exts_get(&cert.exts, DVT_OID_KEY_USAGE)->critical);
	assert_int_equal(
	    dvt_cert_parse(dvt_buf_span(&issuer), &root, NULL), DVT_OK);
	assert_true(dvt_span_eq(cert.issuer, root.subject));
	assert_int_equal(
	    dvt_ext_authority_key_id(
		dvt_exts_get(&cert.exts, DVT_OID_AUTHORITY_KEY_ID)->value, &aki,
		NULL),
	    DVT_OK);
	assert_int_equal(
	    dvt_ext_subject_key_id(
		dvt_exts_get(&root.exts, DVT_OID_SUBJECT_KEY_ID)->value, &ski,
		NULL),
	    DVT_OK);
	assert_true(dvt_span_eq(aki, ski));
	dvt_buf_fini(&file);
	dvt_buf_fini(&issuer);
}

static void
damaged_certificates_are_refused_or_read_within_bounds(void **state)
{
	struct dvt_buf file = dvt_test_vector("cert/leaf-p384.der");
	struct dvt_cert cert;
	struct dvt_span in;

	(void)state;
	for (size_t n = 0; n < file.n; n++)
		assert_int_not_equal(
		    dvt_cert_parse((struct dvt_span){file.p, n}, &cert, NULL),
		    DVT_OK);
	for (size_t bit = 0; bit < file.n * 8; bit++) {
		file.p[bit / 8] ^= (uint8_t)(1U << bit % 8);
		if (dvt_cert_parse(dvt_buf_span(&file), &cert, NULL) == DVT_OK)
			assert_true(cert.signature.p + cert.signature.n ==
				    file.p + file.n);
		file.p[bit / 8] ^= (uint8_t)(1U << bit % 8);
	}
	dvt_buf_putc(&file, 0);
	in = dvt_buf_span(&file);
	assert_int_equal(dvt_cert_parse(in, &cert, NULL), DVT_E_INPUT);
	assert_int_equal(dvt_cert_take(&in, &cert, NULL), DVT_OK);
	assert_int_equal(in.n, 1);
	dvt_buf_fini(&file);
}

static void
a_certificate_over_the_limit_is_named_so(void **state)
{
	static uint8_t big[20000] = {0x30, 0x82, 0x4e, 0x1c};
	struct dvt_cert cert;
	struct dvt_err err;

	(void)state;
	assert_int_equal(
	    dvt_cert_parse((struct dvt_span){big, sizeof(big)}, &cert, &err),
	    DVT_E_LIMIT);
	assert_string_equal(
	    err.text, "certificate: 20000 bytes, at most 16384");
}

static void
names_are_printed_so_that_nothing_hides_in_them(void **state)
{
	static const struct {
		struct dvt_span value;
		const char *text;
	} cases[] = {
	    {DVT_SPAN_LIT("plain"),              "CN=plain"             },
	    {DVT_SPAN_LIT("a,CN=b"),             "CN=a\\,CN\\=b"        },
	    {DVT_SPAN_LIT(" both "),             "CN=\\ both\\ "        },
	    {DVT_SPAN_LIT("#x\\\""),             "CN=\\#x\\\\\\\""      },
	    {DVT_SPAN_LIT("a\nb\0c"),            "CN=a\\0Ab\\00c"       },
	    {DVT_SPAN_LIT("Gr\xc3\xb6\xc3\x9f"), "CN=Gr\xc3\xb6\xc3\x9f"},
	    {DVT_SPAN_LIT("\xc3\x28\xff"),       "CN=\\C3(\\FF"         },
	    {DVT_SPAN_LIT("\xed\xa0\x80"),       "CN=\\ED\\A0\\80"      },
	    {DVT_SPAN_LIT("\xc2\x9b"),           "CN=\\C2\\9B"          },
	};
	struct dvt_buf name, text;

	(void)state;
	dvt_buf_init(&name, 200);
	dvt_buf_init(&text, 200);
	for (size_t i = 0; i < DVT_COUNT(cases); i++) {
		const struct dvt_name_part part = {
		    .type = DVT_OID_COMMON_NAME, .value = cases[i].value};
		struct dvt_span value;

		dvt_buf_reset(&name);
		dvt_buf_reset(&text);
		dvt_name_put(&name, &part, 1);
		assert_int_equal(
		    dvt_name_format(dvt_buf_span(&name), &text, NULL), DVT_OK);
		assert_string_equal(dvt_buf_str(&text), cases[i].text);
		assert_int_equal(dvt_name_get(dvt_buf_span(&name),
				     DVT_OID_COMMON_NAME, &value, NULL),
		    DVT_OK);
		assert_true(dvt_span_eq(value, cases[i].value));
		assert_int_equal(dvt_name_get(dvt_buf_span(&name),
				     DVT_OID_ORGANIZATION, &value, NULL),
		    DVT_E_ABSENT);
	}
	dvt_buf_fini(&name);
	dvt_buf_fini(&text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(certificates_of_openssl_are_read),
	    cmocka_unit_test(a_leaf_shows_dates_serial_and_extensions),
	    cmocka_unit_test(
		damaged_certificates_are_refused_or_read_within_bounds),
	    cmocka_unit_test(a_certificate_over_the_limit_is_named_so),
	    cmocka_unit_test(names_are_printed_so_that_nothing_hides_in_them),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
