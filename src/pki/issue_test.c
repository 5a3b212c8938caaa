/* SPDX-License-Identifier: Apache-2.0 */
#include "pki/issue.h"

#include "pki/key.h"
#include "pki/testca.h"
#include "pki/verify.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define DAY_S 86400

static enum dvt_code
judge(X509 *anchor, X509 *leaf, X509 *middle, enum dvt_purpose purpose,
    struct dvt_err *err)
{
	struct dvt_chain shown = testca_chain(leaf, middle, NULL);
	struct dvt_verify how = {
	    .purpose = purpose, .now = TESTCA_NOW, .edge = true};
	struct dvt_verdict verdict;
	struct dvt_trust *trust;
	enum dvt_code rc;

	assert_int_equal(dvt_trust_new(&anchor, 1, 0, &trust, err), DVT_OK);
	rc = dvt_trust_verify(trust, &shown, &how, &verdict, err);
	dvt_trust_free(trust);
	dvt_chain_fini(&shown);
	return rc;
}

static void
every_kind_of_key_issues_what_strict_openssl_accepts(void **state)
{
	static const struct {
		enum dvt_key_kind kind;
		unsigned bits;
	} kinds[] = {
	    {DVT_KEY_P256, 0   },
            {DVT_KEY_P384, 0   },
            {DVT_KEY_RSA,  2048}
        };

	(void)state;
	for (size_t i = 0; i < DVT_COUNT(kinds); i++) {
		struct dvt_err err = {0};
		struct testca root = {0}, sub, leaf;

		assert_int_equal(
		    dvt_key_new(kinds[i].kind, kinds[i].bits, &root.key, &err),
		    DVT_OK);
		root.cert = testca_issue(
		    NULL, "CN=Root,O=Example", root.key, testca_ca_fields(1));
		sub = testca_make(&root, "CN=Issuing", 0);
		leaf = testca_leaf(&sub, "CN=pump-7", DVT_EKU_CLIENT);
		if (judge(root.cert, leaf.cert, sub.cert, DVT_FOR_CLIENT,
			&err) != DVT_OK)
			fail_msg("%s: %s", dvt_key_kind_name(kinds[i].kind),
			    err.text);
		testca_fini(&leaf);
		testca_fini(&sub);
		testca_fini(&root);
	}
}

static void
alternative_names_and_addresses_come_back_as_given(void **state)
{
	const struct dvt_san sans[] = {
	    {DVT_SAN_DNS, "edge.example"       },
	    {DVT_SAN_DNS, "*.edge.example"     },
	    {DVT_SAN_IP,  "192.0.2.7"          },
	    {DVT_SAN_IP,  "2001:db8::1"        },
	    {DVT_SAN_URI, "urn:dev:ow:10e2073a"},
	};
	struct dvt_issue f = testca_leaf_fields(DVT_EKU_SERVER);
	struct testca root = testca_make(NULL, "CN=Root", -1);
	struct dvt_san got[DVT_SANS_MAX];
	struct dvt_err err;
	size_t n;
	X509 *leaf;

	(void)state;
	f.sans = sans;
	f.sans_n = DVT_COUNT(sans);
	f.crl_url = "http://crl.example/ca.crl";
	f.ocsp_url = "http://ocsp.example/";
	f.ca_url = "http://ca.example/ca.der";
	leaf = testca_issue(&root, "CN=edge", root.key, f);
	assert_int_equal(dvt_x509_sans(leaf, got, &n, &err), DVT_OK);
	assert_int_equal(n, DVT_COUNT(sans));
	for (size_t i = 0; i < n; i++) {
		assert_int_equal(got[i].kind, sans[i].kind);
		assert_string_equal(got[i].text, sans[i].text);
	}
	assert_int_equal(
	    judge(root.cert, leaf, NULL, DVT_FOR_SERVER, &err), DVT_OK);
	X509_free(leaf);
	testca_fini(&root);
}

static void
fields_survive_the_way_through_der(void **state)
{
	struct dvt_issue f = testca_leaf_fields(DVT_EKU_CLIENT);
	struct testca root = testca_make(NULL, "CN=Root,O=Example,C=DE", 3);
	char text[DVT_DN_TEXT];
	X509 *leaf;

	(void)state;
	f.not_before = TESTCA_NOW - 77;
	f.not_after = TESTCA_NOW + 77;
	leaf = testca_issue(
	    &root, "CN=a\\,b \\C3\\A9,serialNumber=12,O=Example", root.key, f);
	assert_int_equal(dvt_x509_not_before(leaf), TESTCA_NOW - 77);
	assert_int_equal(dvt_x509_not_after(leaf), TESTCA_NOW + 77);
	assert_string_equal(dvt_x509_subject(leaf, text),
	    "CN=a\\,b \xc3\xa9,serialNumber=12,O=Example");
	assert_string_equal(
	    dvt_x509_issuer(leaf, text), "CN=Root,O=Example,C=DE");
	assert_string_equal(dvt_x509_common_name(leaf, text), "a,b \xc3\xa9");
	assert_int_equal(dvt_x509_pathlen(root.cert), 3);
	assert_int_equal(dvt_x509_pathlen(leaf), -1);
	assert_true(dvt_x509_is_self_signed(root.cert));
	assert_false(dvt_x509_is_self_signed(leaf));
	assert_true(dvt_span_eq(dvt_x509_aki(leaf), dvt_x509_ski(root.cert)));
	X509_free(leaf);
	testca_fini(&root);
}

static void
dates_past_2049_are_written_as_rfc_5280_wants(void **state)
{
	struct dvt_issue f = testca_ca_fields(-1);
	struct testca root = {0};
	struct dvt_err err;

	(void)state;
	f.not_after = 2556143999 + 400LL * DAY_S; /* 2052 */
	assert_int_equal(dvt_key_new(DVT_KEY_P256, 0, &root.key, &err), DVT_OK);
	root.cert = testca_issue(NULL, "CN=Long", root.key, f);
	assert_int_equal(dvt_x509_not_after(root.cert), f.not_after);
	assert_int_equal(ASN1_STRING_type(X509_get0_notAfter(root.cert)),
	    V_ASN1_GENERALIZEDTIME);
	testca_fini(&root);
}

/* What each case spoils before dvt_issue() is asked. */
struct spoil {
	const char *why;
	void (*spoil)(struct dvt_issue *f);
	enum dvt_code want;
	const char *text;
};

static void
starts_early(struct dvt_issue *f)
{
	f->not_before = TESTCA_NOW - 11 * DAY_S;
}

static void
outlives(struct dvt_issue *f)
{
	f->not_after = TESTCA_NOW + 3651LL * DAY_S;
}

static void
ends_first(struct dvt_issue *f)
{
	f->not_after = f->not_before;
}

static void
no_serial(struct dvt_issue *f)
{
	memset(f->serial, 0, sizeof(f->serial));
}

static void
long_serial(struct dvt_issue *f)
{
	f->serial[0] = 0x80;
}

static void
ca_under_pathlen(struct dvt_issue *f)
{
	f->ca = true;
	f->key_usage = DVT_KU_KEY_CERT_SIGN;
}

static void
leaf_that_signs(struct dvt_issue *f)
{
	f->key_usage |= DVT_KU_KEY_CERT_SIGN;
}

static void
no_eku(struct dvt_issue *f)
{
	f->eku = 0;
}

static void
no_subject(struct dvt_issue *f)
{
	f->subject = DVT_SPAN_LIT("\x30\x00");
}

static void
broken_subject(struct dvt_issue *f)
{
	f->subject = DVT_SPAN_LIT("\x30\x05\x31\x00");
}

static void
broken_key(struct dvt_issue *f)
{
	f->spki.n--;
}

static void
bad_name(struct dvt_issue *f)
{
	static const struct dvt_san bad = {DVT_SAN_DNS, "a..example"};

	f->sans = &bad;
	f->sans_n = 1;
}

static void
bad_address(struct dvt_issue *f)
{
	static const struct dvt_san bad = {DVT_SAN_IP, "192.0.2.300"};

	f->sans = &bad;
	f->sans_n = 1;
}

static void
bad_url(struct dvt_issue *f)
{
	f->crl_url = "http://a b/";
}

static void
what_must_not_be_issued_is_refused_by_name(void **state)
{
	static const struct spoil cases[] = {
	    {"early",      starts_early,     DVT_E_CONFLICT, "before its issuer" },
	    {"late",       outlives,         DVT_E_CONFLICT, "after its issuer"  },
	    {"backwards",  ends_first,       DVT_E_INPUT,    "before it starts"  },
	    {"serial 0",   no_serial,        DVT_E_INPUT,    "serial"            },
	    {"serial 160", long_serial,      DVT_E_INPUT,    "serial"            },
	    {"CA",         ca_under_pathlen, DVT_E_CONFLICT, "pathlen:0"         },
	    {"signs",      leaf_that_signs,  DVT_E_INPUT,    "keyCertSign"       },
	    {"no EKU",     no_eku,           DVT_E_INPUT,    "extended key usage"},
	    {"no name",    no_subject,       DVT_E_INPUT,    "subject"           },
	    {"bad name",   broken_subject,   DVT_E_INPUT,    ""                  },
	    {"key",        broken_key,       DVT_E_INPUT,    ""                  },
	    {"DNS",        bad_name,         DVT_E_INPUT,    "a..example"        },
	    {"IP",         bad_address,      DVT_E_INPUT,    "192.0.2.300"       },
	    {"URL",        bad_url,          DVT_E_INPUT,    "CRL address"       },
	};
	struct testca ca = testca_make(NULL, "CN=Root", 0);
	struct dvt_buf spki, subject, der;

	(void)state;
	dvt_buf_init(&spki, 256);
	dvt_buf_init(&subject, 256);
	dvt_buf_init(&der, DVT_CERT_DER_MAX);
	assert_int_equal(dvt_key_to_spki(ca.key, &spki, NULL), DVT_OK);
	assert_int_equal(dvt_name_from_cn("x", &subject, NULL), DVT_OK);
	for (size_t i = 0; i < DVT_COUNT(cases); i++) {
		struct dvt_issue f = testca_leaf_fields(DVT_EKU_CLIENT);
		struct dvt_err err = {0};
		enum dvt_code rc;

		f.subject = dvt_buf_span(&subject);
		f.spki = dvt_buf_span(&spki);
		assert_int_equal(dvt_serial_make(f.serial, NULL), DVT_OK);
		cases[i].spoil(&f);
		rc = dvt_issue(&f, ca.cert, ca.key, TESTCA_NOW, &der, &err);
		if (rc != cases[i].want ||
		    strstr(err.text, cases[i].text) == NULL)
			fail_msg("%s: %s: %s", cases[i].why, dvt_code_name(rc),
			    err.text);
		assert_int_equal(der.n, 0);
	}
	dvt_buf_fini(&spki);
	dvt_buf_fini(&subject);
	dvt_buf_fini(&der);
	testca_fini(&ca);
}

static void
an_issuer_that_cannot_issue_is_refused(void **state)
{
	struct testca ca = testca_make(NULL, "CN=Root", -1);
	struct testca leaf = testca_leaf(&ca, "CN=leaf", DVT_EKU_CLIENT);
	struct testca other = testca_make(NULL, "CN=Root", -1);
	struct dvt_issue f = testca_leaf_fields(DVT_EKU_CLIENT);
	int64_t after = TESTCA_NOW + 4000LL * DAY_S;
	struct dvt_buf spki, der;
	struct dvt_err err;

	(void)state;
	dvt_buf_init(&spki, 256);
	dvt_buf_init(&der, DVT_CERT_DER_MAX);
	assert_int_equal(dvt_key_to_spki(ca.key, &spki, NULL), DVT_OK);
	assert_int_equal(dvt_serial_make(f.serial, NULL), DVT_OK);
	f.subject = dvt_x509_subject_der(leaf.cert);
	f.spki = dvt_buf_span(&spki);
	assert_int_equal(
	    dvt_issue(&f, leaf.cert, leaf.key, TESTCA_NOW, &der, &err),
	    DVT_E_CONFLICT);
	assert_non_null(strstr(err.text, "is no CA"));
	assert_int_equal(
	    dvt_issue(&f, ca.cert, other.key, TESTCA_NOW, &der, &err),
	    DVT_E_CONFLICT);
	assert_non_null(strstr(err.text, "not for key"));
	assert_int_equal(
	    dvt_issue(&f, ca.cert, ca.key, after, &der, &err), DVT_E_CONFLICT);
	assert_non_null(strstr(err.text, "ended 30240000 s ago"));
	assert_int_equal(
	    dvt_issue(&f, ca.cert, ca.key, 0, &der, &err), DVT_E_CONFLICT);
	assert_non_null(strstr(err.text, "check this host's clock"));
	assert_int_equal(
	    dvt_issue(&f, NULL, ca.key, TESTCA_NOW, &der, &err), DVT_E_INPUT);
	dvt_buf_fini(&spki);
	dvt_buf_fini(&der);
	testca_fini(&ca);
	testca_fini(&leaf);
	testca_fini(&other);
}

static void
a_cross_certificate_carries_the_new_chain_to_the_old_root(void **state)
{
	struct testca older = testca_make(NULL, "CN=Old", -1);
	struct testca newer = testca_make(NULL, "CN=New", -1);
	struct testca leaf = testca_leaf(&newer, "CN=edge", DVT_EKU_SERVER);
	X509 *cross = testca_cross(&newer, &older);
	struct dvt_err err;

	(void)state;
	assert_int_equal(
	    judge(older.cert, leaf.cert, cross, DVT_FOR_SERVER, &err), DVT_OK);
	assert_int_equal(
	    judge(older.cert, leaf.cert, NULL, DVT_FOR_SERVER, &err),
	    DVT_E_DENIED);
	assert_non_null(
	    strstr(err.text, "unable to get local issuer certificate"));
	assert_int_equal(
	    judge(newer.cert, leaf.cert, NULL, DVT_FOR_SERVER, &err), DVT_OK);
	assert_true(dvt_span_eq(dvt_x509_ski(cross), dvt_x509_ski(newer.cert)));
	X509_free(cross);
	testca_fini(&leaf);
	testca_fini(&newer);
	testca_fini(&older);
}

static void
a_cross_certificate_is_refused_where_it_cannot_hold(void **state)
{
	struct testca newer = testca_make(NULL, "CN=New", -1);
	struct testca tight = testca_make(NULL, "CN=Old", 0);
	struct testca leaf = testca_leaf(&newer, "CN=leaf", DVT_EKU_SERVER);
	int64_t year = TESTCA_NOW + 365 * DAY_S;
	struct dvt_buf der;
	struct dvt_err err;

	(void)state;
	dvt_buf_init(&der, DVT_CERT_DER_MAX);
	assert_int_equal(dvt_issue_cross(newer.cert, tight.cert, tight.key,
			     TESTCA_NOW, year, &der, &err),
	    DVT_E_CONFLICT);
	assert_non_null(strstr(err.text, "pathlen:0"));
	assert_int_equal(dvt_issue_cross(newer.cert, leaf.cert, leaf.key,
			     TESTCA_NOW, year, &der, &err),
	    DVT_E_CONFLICT);
	assert_int_equal(dvt_issue_cross(leaf.cert, newer.cert, newer.key,
			     TESTCA_NOW, year, &der, &err),
	    DVT_E_INPUT);
	assert_int_equal(dvt_issue_cross(newer.cert, newer.cert, newer.key,
			     TESTCA_NOW, year * 2, &der, &err),
	    DVT_E_CONFLICT);
	assert_int_equal(der.n, 0);
	dvt_buf_fini(&der);
	testca_fini(&newer);
	testca_fini(&tight);
	testca_fini(&leaf);
}

static void
serials_are_positive_of_159_bits_and_never_the_same(void **state)
{
	uint8_t a[DVT_SERIAL_BYTES], b[DVT_SERIAL_BYTES];
	char text[DVT_SERIAL_HEX];

	(void)state;
	for (int i = 0; i < 1000; i++) {
		assert_int_equal(dvt_serial_make(a, NULL), DVT_OK);
		assert_in_range(a[0], 0, 0x7f);
		assert_int_equal(dvt_serial_make(b, NULL), DVT_OK);
		assert_memory_not_equal(a, b, sizeof(a));
	}
	memset(a, 0, sizeof(a));
	a[19] = 0x0b;
	dvt_serial_hex(a, text);
	assert_string_equal(text, "0b");
}

static void
names_are_read_from_text_and_refused_with_the_part(void **state)
{
	static const struct {
		const char *text;
		enum dvt_code want;
	} cases[] = {
	    {"CN=a",         DVT_OK     },
	    {"CN=a, O=b",    DVT_OK     },
	    {"cn=a\\,b,O=b", DVT_OK     },
	    {"CN=\\C3\\BC",  DVT_OK     },
	    {"",             DVT_E_INPUT},
	    {"CN=",          DVT_E_INPUT},
	    {"CN=a,",        DVT_E_INPUT},
	    {"a",            DVT_E_INPUT},
	    {"X=a",          DVT_E_INPUT},
	    {"CN=a\\",       DVT_E_INPUT},
	    {"CN=a\\0",      DVT_E_INPUT},
	    {"CN=\\C3\\A",   DVT_E_INPUT},
	    {"CN=a\\00",     DVT_E_INPUT},
	};

	(void)state;
	for (size_t i = 0; i < DVT_COUNT(cases); i++) {
		struct dvt_buf der;

		dvt_buf_init(&der, 1024);
		if (dvt_name_from_text(cases[i].text, &der, NULL) !=
		    cases[i].want)
			fail_msg("\"%s\"", cases[i].text);
		dvt_buf_fini(&der);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(
		every_kind_of_key_issues_what_strict_openssl_accepts),
	    cmocka_unit_test(
		alternative_names_and_addresses_come_back_as_given),
	    cmocka_unit_test(fields_survive_the_way_through_der),
	    cmocka_unit_test(dates_past_2049_are_written_as_rfc_5280_wants),
	    cmocka_unit_test(what_must_not_be_issued_is_refused_by_name),
	    cmocka_unit_test(an_issuer_that_cannot_issue_is_refused),
	    cmocka_unit_test(
		a_cross_certificate_carries_the_new_chain_to_the_old_root),
	    cmocka_unit_test(
		a_cross_certificate_is_refused_where_it_cannot_hold),
	    cmocka_unit_test(
		serials_are_positive_of_159_bits_and_never_the_same),
	    cmocka_unit_test(
		names_are_read_from_text_and_refused_with_the_part),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
