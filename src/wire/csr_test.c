/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/csr.h"

#include "vectors/vector.h"
#include "wire/der.h"
#include "wire/name.h"
#include "wire/oid.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

/* Requests as openssl req and strongSwan's pki write them. */
static const struct {
	const char *file;
	enum dvt_key_kind kind;
	unsigned key_bits;
	const char *subject;
	bool ca;
	size_t exts;
	const char *challenge;
} samples[] = {
    {"csr/p256-plain.der",         DVT_KEY_P256,  256,  "CN=device-7",        false, 0, NULL     },
    {"csr/p256-san.der",           DVT_KEY_P256,  256,  "O=Acme,CN=device-7", false, 1,
     NULL											},
    {"csr/p256-ca.der",            DVT_KEY_P256,  256,  "CN=device-7",        true,  1, NULL     },
    {"csr/p256-challenge.der",     DVT_KEY_P256,  256,  "CN=device-7",        false, 0,
     "c2Vzc2lvbi1iaW5kaW5nLTEyMw=="							      },
    {"csr/p256-empty-subject.der", DVT_KEY_P256,  256,  "",                   false, 0, NULL     },
    {"csr/p256-strongswan.der",    DVT_KEY_P256,  256,  "CN=device-7,O=Acme", false,
     1,										 "hunter2"},
    {"csr/p384-plain.der",         DVT_KEY_P384,  384,  "CN=device-8",        false, 0, NULL     },
    {"csr/p521-plain.der",         DVT_KEY_OTHER, 0,    "CN=device-9",        false, 0, NULL     },
    {"csr/rsa-plain.der",          DVT_KEY_RSA,   2048, "CN=device-10",       false, 0, NULL     },
    {"csr/ed25519-plain.der",      DVT_KEY_OTHER, 0,    "CN=device-11",       false, 0, NULL     },
};

static void
requests_of_real_tools_are_read(void **state)
{
	(void)state;
	for (size_t i = 0; i < DVT_COUNT(samples); i++) {
		struct dvt_buf file = dvt_test_vector(samples[i].file), text;
		struct dvt_csr csr;
		struct dvt_err err;

		if (dvt_csr_parse(dvt_buf_span(&file), &csr, &err) != DVT_OK)
			fail_msg("%s: %s", samples[i].file, err.text);
		assert_int_equal(csr.spki.kind, samples[i].kind);
		assert_int_equal(csr.spki.key_bits, samples[i].key_bits);
		assert_int_equal(csr.asks_ca, samples[i].ca);
		assert_int_equal(csr.exts.n, samples[i].exts);
		dvt_buf_init(&text, 200);
		assert_int_equal(
		    dvt_name_format(csr.subject, &text, NULL), DVT_OK);
		assert_string_equal(dvt_buf_str(&text), samples[i].subject);
		assert_int_equal(
		    csr.challenge.p != NULL, samples[i].challenge != NULL);
		if (csr.challenge.p != NULL)
			assert_true(dvt_span_eq_str(
			    dvt_csr_binding(&csr), samples[i].challenge));
		dvt_buf_fini(&text);
		dvt_buf_fini(&file);
	}
}

static void
the_names_asked_for_are_listed(void **state)
{
	struct dvt_buf file = dvt_test_vector("csr/p256-san.der");
	struct dvt_span names, name;
	struct dvt_csr csr;
	uint8_t tag;

	(void)state;
	assert_int_equal(
	    dvt_csr_parse(dvt_buf_span(&file), &csr, NULL), DVT_OK);
	assert_int_equal(dvt_ext_san_open(csr.san, &names, NULL), DVT_OK);
	assert_int_equal(dvt_ext_san_take(&names, &tag, &name, NULL), DVT_OK);
	assert_int_equal(tag, DVT_SAN_DNS);
	assert_true(dvt_span_eq_str(name, "device-7.example"));
	assert_int_equal(dvt_ext_san_take(&names, &tag, &name, NULL), DVT_OK);
	assert_int_equal(tag, DVT_SAN_URI);
	assert_int_equal(dvt_ext_san_take(&names, &tag, &name, NULL), DVT_OK);
	assert_int_equal(tag, DVT_SAN_IP);
	assert_int_equal(name.n, 4);
	assert_int_equal(names.n, 0);
	dvt_buf_fini(&file);
}

/* Cut at every length, with every single bit turned: no crash, and a cut
 * request is never taken. */
static void
damaged_requests_are_refused_or_read_within_bounds(void **state)
{
	struct dvt_buf file = dvt_test_vector("csr/p256-strongswan.der");
	struct dvt_csr csr;

	(void)state;
	for (size_t n = 0; n < file.n; n++)
		assert_int_not_equal(
		    dvt_csr_parse((struct dvt_span){file.p, n}, &csr, NULL),
		    DVT_OK);
	for (size_t bit = 0; bit < file.n * 8; bit++) {
		file.p[bit / 8] ^= (uint8_t)(1U << bit % 8);
		if (dvt_csr_parse(dvt_buf_span(&file), &csr, NULL) == DVT_OK)
			assert_true(csr.signature.p + csr.signature.n ==
				    file.p + file.n);
		file.p[bit / 8] ^= (uint8_t)(1U << bit % 8);
	}
	dvt_buf_putc(&file, 0);
	assert_int_equal(
	    dvt_csr_parse(dvt_buf_span(&file), &csr, NULL), DVT_E_INPUT);
	dvt_buf_fini(&file);
}

/* What a request is built of here; NULL parts are the usual ones. */
struct parts {
	const char *why;
	int64_t version;
	void (*put_attributes)(struct dvt_buf *b);
	void (*put_key)(struct dvt_buf *b);
};

static void
put_attribute(struct dvt_buf *b, struct dvt_span type, const char *text)
{
	size_t seq = dvt_der_open(b, DVT_DER_SEQ), set;

	dvt_der_put_oid(b, type);
	set = dvt_der_open(b, DVT_DER_SET);
	dvt_der_put_str(b, DVT_DER_UTF8, text);
	dvt_der_close(b, set);
	dvt_der_close(b, seq);
}

static void
two_passwords(struct dvt_buf *b)
{
	put_attribute(b, DVT_OID_CHALLENGE_PASSWORD, "a");
	put_attribute(b, DVT_OID_CHALLENGE_PASSWORD, "b");
}

static void
text_as_extensions(struct dvt_buf *b)
{
	put_attribute(b, DVT_OID_EXTENSION_REQUEST, "x");
}

static void
one_extension_twice(struct dvt_buf *b)
{
	size_t seq = dvt_der_open(b, DVT_DER_SEQ), set, exts;

	dvt_der_put_oid(b, DVT_OID_EXTENSION_REQUEST);
	set = dvt_der_open(b, DVT_DER_SET);
	exts = dvt_der_open(b, DVT_DER_SEQ);
	dvt_ext_put(b, DVT_OID_KEY_USAGE, false, DVT_SPAN_LIT("\3\2\7\x80"));
	dvt_ext_put(b, DVT_OID_KEY_USAGE, false, DVT_SPAN_LIT("\3\2\7\x80"));
	dvt_der_close(b, exts);
	dvt_der_close(b, set);
	dvt_der_close(b, seq);
}

static void
too_many_extensions(struct dvt_buf *b)
{
	size_t seq = dvt_der_open(b, DVT_DER_SEQ), set, exts;

	dvt_der_put_oid(b, DVT_OID_EXTENSION_REQUEST);
	set = dvt_der_open(b, DVT_DER_SET);
	exts = dvt_der_open(b, DVT_DER_SEQ);
	for (uint8_t i = 0; i <= DVT_EXTS_MAX; i++) {
		uint8_t oid[] = {0x2a, i};

		dvt_ext_put(
		    b, (struct dvt_span){oid, 2}, false, DVT_SPAN_LIT("\5\0"));
	}
	dvt_der_close(b, exts);
	dvt_der_close(b, set);
	dvt_der_close(b, seq);
}

static void
linked_and_password(struct dvt_buf *b)
{
	put_attribute(b, DVT_OID_CHALLENGE_PASSWORD, "password");
	put_attribute(b, DVT_OID_EST_IDENTITY_LINKING, "linking");
	put_attribute(b, DVT_OID_COMMON_NAME, "unknown here");
}

static void
short_point(struct dvt_buf *b)
{
	size_t seq = dvt_der_open(b, DVT_DER_SEQ);
	size_t alg = dvt_der_open(b, DVT_DER_SEQ);

	dvt_der_put_oid(b, DVT_OID_EC_KEY);
	dvt_der_put_oid(b, DVT_OID_P256);
	dvt_der_close(b, alg);
	dvt_der_put_bits(b, DVT_SPAN_LIT("\x04short"));
	dvt_der_close(b, seq);
}

static void
good_point(struct dvt_buf *b)
{
	size_t seq = dvt_der_open(b, DVT_DER_SEQ);
	size_t alg = dvt_der_open(b, DVT_DER_SEQ);
	uint8_t point[65] = {4};

	dvt_der_put_oid(b, DVT_OID_EC_KEY);
	dvt_der_put_oid(b, DVT_OID_P256);
	dvt_der_close(b, alg);
	dvt_der_put_bits(b, (struct dvt_span){point, sizeof(point)});
	dvt_der_close(b, seq);
}

static void
build(struct dvt_buf *b, const struct parts *parts)
{
	const struct dvt_name_part cn = {
	    .type = DVT_OID_COMMON_NAME, .value = DVT_SPAN_LIT("d")};
	size_t csr = dvt_der_open(b, DVT_DER_SEQ), info, attrs, alg;

	info = dvt_der_open(b, DVT_DER_SEQ);
	dvt_der_put_i64(b, parts->version);
	dvt_name_put(b, &cn, 1);
	(parts->put_key == NULL ? good_point : parts->put_key)(b);
	if (parts->put_attributes != NULL) {
		attrs = dvt_der_open(b, DVT_DER_CTXC(0));
		parts->put_attributes(b);
		dvt_der_close(b, attrs);
	}
	dvt_der_close(b, info);
	alg = dvt_der_open(b, DVT_DER_SEQ);
	dvt_der_put_oid(b, DVT_OID_ECDSA_SHA256);
	dvt_der_close(b, alg);
	dvt_der_put_bits(b, DVT_SPAN_LIT("signature"));
	dvt_der_close(b, csr);
}

static enum dvt_code
parse(const struct parts *parts, struct dvt_csr *csr, struct dvt_buf *b)
{
	dvt_buf_reset(b);
	build(b, parts);
	assert_int_equal(dvt_buf_ok(b, "b", NULL), DVT_OK);
	return dvt_csr_parse(dvt_buf_span(b), csr, NULL);
}

static void
hostile_requests_are_refused(void **state)
{
	static const struct parts bad[] = {
	    {"version 2",             1, NULL,                NULL       },
	    {"two passwords",         0, two_passwords,       NULL       },
	    {"text as extensions",    0, text_as_extensions,  NULL       },
	    {"one extension twice",   0, one_extension_twice, NULL       },
	    {"33 extensions",         0, too_many_extensions, NULL       },
	    {"point of another size", 0, NULL,                short_point},
	};
	static const struct parts good = {"good", 0, linked_and_password, NULL};
	static const uint8_t zeros[9000];
	struct dvt_csr csr;
	struct dvt_buf b;

	(void)state;
	dvt_buf_init(&b, 8000);
	for (size_t i = 0; i < DVT_COUNT(bad); i++) {
		if (parse(&bad[i], &csr, &b) == DVT_OK)
			fail_msg("%s", bad[i].why);
	}
	assert_int_equal(parse(&good, &csr, &b), DVT_OK);
	assert_true(dvt_span_eq_str(dvt_csr_binding(&csr), "linking"));
	assert_int_equal(csr.other_attributes, 1);
	assert_int_equal(
	    dvt_csr_parse((struct dvt_span){zeros, sizeof(zeros)}, &csr, NULL),
	    DVT_E_LIMIT);
	dvt_buf_fini(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(requests_of_real_tools_are_read),
	    cmocka_unit_test(the_names_asked_for_are_listed),
	    cmocka_unit_test(
		damaged_requests_are_refused_or_read_within_bounds),
	    cmocka_unit_test(hostile_requests_are_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
