/* SPDX-License-Identifier: Apache-2.0 */
#include "pki/key.h"

#include "pki/ssl_err.h"
#include "pki/testca.h"
#include "wire/csr.h"
#include "wire/pem.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static void
every_kind_goes_through_its_files_and_back(void **state)
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
		EVP_PKEY *key, *pem, *pkcs8, *spki, *public;
		struct dvt_buf a, b, c;
		struct dvt_secret s;

		dvt_buf_init(&a, DVT_KEY_PEM_MAX);
		dvt_buf_init(&b, DVT_SPKI_MAX);
		dvt_buf_init(&c, DVT_KEY_PEM_MAX);
		assert_int_equal(
		    dvt_key_new(kinds[i].kind, kinds[i].bits, &key, NULL),
		    DVT_OK);
		assert_int_equal(dvt_key_kind(key), kinds[i].kind);
		assert_int_equal(dvt_key_to_pem(key, &a, NULL), DVT_OK);
		assert_int_equal(
		    dvt_key_from_pem(dvt_buf_span(&a), &pem, NULL), DVT_OK);
		assert_int_equal(dvt_key_to_pkcs8(key, &s, NULL), DVT_OK);
		assert_int_equal(dvt_key_from_pkcs8(
				     (struct dvt_span){s.p, s.n}, &pkcs8, NULL),
		    DVT_OK);
		assert_int_equal(dvt_key_to_spki(key, &b, NULL), DVT_OK);
		assert_int_equal(
		    dvt_key_from_spki(dvt_buf_span(&b), &spki, NULL), DVT_OK);
		assert_int_equal(dvt_key_public_to_pem(key, &c, NULL), DVT_OK);
		assert_int_equal(
		    dvt_key_public_from_pem(dvt_buf_span(&c), &public, NULL),
		    DVT_OK);
		assert_true(dvt_key_same(key, pem));
		assert_true(dvt_key_same(key, pkcs8));
		assert_true(dvt_key_same(key, spki));
		assert_true(dvt_key_same(key, public));
		EVP_PKEY_free(key);
		EVP_PKEY_free(pem);
		EVP_PKEY_free(pkcs8);
		EVP_PKEY_free(spki);
		EVP_PKEY_free(public);
		dvt_secret_free(&s);
		dvt_buf_cleanse(&a);
		dvt_buf_fini(&b);
		dvt_buf_fini(&c);
		assert_int_equal(ERR_peek_error(), 0);
	}
}

static void
the_short_way_makes_the_key_openssl_makes(void **state)
{
	EVP_PKEY *key, *fast, *slow;
	struct dvt_buf spki, sig;
	const uint8_t *p;

	(void)state;
	dvt_buf_init(&spki, DVT_SPKI_MAX);
	dvt_buf_init(&sig, 256);
	assert_int_equal(dvt_key_new(DVT_KEY_P256, 0, &key, NULL), DVT_OK);
	assert_int_equal(dvt_key_to_spki(key, &spki, NULL), DVT_OK);
	assert_int_equal(
	    dvt_key_from_spki(dvt_buf_span(&spki), &fast, NULL), DVT_OK);
	p = spki.p;
	slow = d2i_PUBKEY(NULL, &p, (long)spki.n);
	assert_true(dvt_key_same(fast, slow));
	assert_int_equal(
	    dvt_key_sign(key, DVT_SPAN_LIT("a"), &sig, NULL), DVT_OK);
	assert_int_equal(
	    dvt_key_verify(fast, DVT_SPAN_LIT("a"), dvt_buf_span(&sig), NULL),
	    DVT_OK);
	assert_int_equal(
	    dvt_key_verify(fast, DVT_SPAN_LIT("b"), dvt_buf_span(&sig), NULL),
	    DVT_E_AUTH);
	for (size_t i = 0; i < spki.n; i += 7) { /* no crash, no such key */
		EVP_PKEY *other = NULL;

		spki.p[i] ^= 1;
		if (dvt_key_from_spki(dvt_buf_span(&spki), &other, NULL) ==
		    DVT_OK)
			assert_false(dvt_key_same(other, key));
		EVP_PKEY_free(other);
		spki.p[i] ^= 1;
	}
	assert_int_equal(ERR_peek_error(), 0);
	EVP_PKEY_free(key);
	EVP_PKEY_free(fast);
	EVP_PKEY_free(slow);
	dvt_buf_fini(&spki);
	dvt_buf_fini(&sig);
}

static EVP_PKEY *
weak_rsa(void)
{
	return EVP_RSA_gen(1024);
}

static EVP_PKEY *
other_curve(void)
{
	return EVP_EC_gen("secp256k1");
}

static EVP_PKEY *
edwards(void)
{
	return EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
}

static void
weak_and_unknown_keys_are_refused_by_name(void **state)
{
	static const struct {
		EVP_PKEY *(*make)(void);
		const char *text;
	} bad[] = {
	    {weak_rsa,    "RSA of 1024 bits"},
	    {other_curve, "EC of 256 bits"  },
	    {edwards,     "ED25519"         },
	};

	(void)state;
	for (size_t i = 0; i < DVT_COUNT(bad); i++) {
		EVP_PKEY *key = bad[i].make(), *out;
		struct dvt_buf spki, pem;
		struct dvt_err err;

		dvt_buf_init(&spki, DVT_SPKI_MAX);
		dvt_buf_init(&pem, DVT_KEY_PEM_MAX);
		assert_int_equal(dvt_key_check(key, &err), DVT_E_INPUT);
		if (strstr(err.text, bad[i].text) == NULL)
			fail_msg("%s", err.text);
		assert_int_equal(dvt_key_to_spki(key, &spki, NULL), DVT_OK);
		assert_int_equal(
		    dvt_key_from_spki(dvt_buf_span(&spki), &out, NULL),
		    DVT_E_INPUT);
		assert_null(out);
		assert_int_equal(dvt_key_to_pem(key, &pem, NULL), DVT_OK);
		assert_int_equal(
		    dvt_key_from_pem(dvt_buf_span(&pem), &out, NULL),
		    DVT_E_INPUT);
		assert_null(out);
		EVP_PKEY_free(key);
		dvt_buf_fini(&spki);
		dvt_buf_fini(&pem);
	}
}

static void
what_is_no_private_key_is_refused(void **state)
{
	static const struct {
		const char *text;
		const char *says;
	} bad[] = {
	    {"",							       "empty"    },
	    {"-----BEGIN PRIVATE KEY-----\nAA==\n-----END PRIVATE KEY-----\n",
             "unreadable"								 },
	    {"-----BEGIN ENCRYPTED PRIVATE KEY-----",                          "encrypted"},
	};
	EVP_PKEY *key;
	struct dvt_err err;

	(void)state;
	for (size_t i = 0; i < DVT_COUNT(bad); i++) {
		assert_int_equal(
		    dvt_key_from_pem(dvt_span_str(bad[i].text), &key, &err),
		    DVT_E_INPUT);
		assert_non_null(strstr(err.text, bad[i].says));
	}
	assert_int_equal(dvt_key_from_pem((struct dvt_span){(const uint8_t *)"",
					      DVT_KEY_PEM_MAX + 1},
			     &key, &err),
	    DVT_E_LIMIT);
}

static void
a_key_is_told_from_the_one_of_a_certificate(void **state)
{
	struct testca ca = testca_make(NULL, "CN=Root", -1);
	struct testca other = testca_make(NULL, "CN=Other", -1);
	char a[DVT_DIGEST_HEX], b[DVT_DIGEST_HEX];
	struct dvt_err err;

	(void)state;
	assert_int_equal(dvt_key_matches(ca.key, ca.cert, &err), DVT_OK);
	assert_int_equal(
	    dvt_key_matches(other.key, ca.cert, &err), DVT_E_CONFLICT);
	assert_non_null(strstr(err.text, "CN=Root"));
	assert_int_equal(dvt_key_digest(ca.key, a, &err), DVT_OK);
	dvt_x509_key_digest(ca.cert, b);
	assert_string_equal(a, b);
	testca_fini(&ca);
	testca_fini(&other);
}

/* A request for @key signed by @by with @md. */
static struct dvt_buf
request(EVP_PKEY *key, EVP_PKEY *by, const EVP_MD *md)
{
	X509_REQ *req = X509_REQ_new();
	struct dvt_buf out;
	uint8_t *der = NULL;
	int n;

	assert_int_equal(X509_REQ_set_pubkey(req, key), 1);
	assert_true(X509_REQ_sign(req, by, md) > 0);
	n = i2d_X509_REQ(req, &der);
	dvt_buf_init(&out, DVT_CSR_DER_MAX);
	dvt_buf_put(&out, der, (size_t)n);
	OPENSSL_free(der);
	X509_REQ_free(req);
	return out;
}

static void
a_request_proves_its_key_or_is_refused(void **state)
{
	static const struct {
		int key, by;
		const EVP_MD *(*md)(void);
		enum dvt_code want;
	} cases[] = {
	    {0, 0, EVP_sha256, DVT_OK     },
            {0, 0, EVP_sha512, DVT_OK     },
	    {1, 1, EVP_sha384, DVT_OK     },
            {2, 2, EVP_sha256, DVT_OK     },
	    {0, 3, EVP_sha256, DVT_E_INPUT}, /* another's signature */
	    {0, 2, EVP_sha256, DVT_E_INPUT}, /* of another kind */
	    {0, 0, EVP_sha1,   DVT_E_INPUT},
	    {4, 4, EVP_sha256, DVT_E_INPUT}, /* RSA-1024 */
	};
	EVP_PKEY *keys[5];

	(void)state;
	assert_int_equal(dvt_key_new(DVT_KEY_P256, 0, &keys[0], NULL), DVT_OK);
	assert_int_equal(dvt_key_new(DVT_KEY_P384, 0, &keys[1], NULL), DVT_OK);
	assert_int_equal(
	    dvt_key_new(DVT_KEY_RSA, 2048, &keys[2], NULL), DVT_OK);
	assert_int_equal(dvt_key_new(DVT_KEY_P256, 0, &keys[3], NULL), DVT_OK);
	keys[4] = weak_rsa();
	for (size_t i = 0; i < DVT_COUNT(cases); i++) {
		struct dvt_buf der = request(
		    keys[cases[i].key], keys[cases[i].by], cases[i].md());
		struct dvt_csr csr;
		EVP_PKEY *got;

		assert_int_equal(
		    dvt_csr_parse(dvt_buf_span(&der), &csr, NULL), DVT_OK);
		if (dvt_key_from_csr(&csr, &got, NULL) != cases[i].want)
			fail_msg("case %zu", i);
		if (cases[i].want == DVT_OK)
			assert_true(dvt_key_same(got, keys[cases[i].key]));
		EVP_PKEY_free(got);
		dvt_buf_fini(&der);
	}
	for (size_t i = 0; i < DVT_COUNT(keys); i++)
		EVP_PKEY_free(keys[i]);
}

static void
a_failure_of_openssl_is_told_and_leaves_nothing(void **state)
{
	const uint8_t *p = (const uint8_t *)"\x30\x00";
	struct dvt_err err;

	(void)state;
	assert_null(d2i_X509(NULL, &p, 2));
	assert_int_equal(
	    dvt_fail_ssl(&err, DVT_E_INPUT, "file %d", 7), DVT_E_INPUT);
	assert_true(strncmp(err.text, "file 7: ", 8) == 0);
	assert_int_equal(ERR_peek_error(), 0);
	assert_int_equal(dvt_fail_ssl(&err, DVT_E_INPUT, "none"), DVT_E_INPUT);
	assert_string_equal(err.text, "none");
}

static void
kinds_are_found_by_the_names_profiles_use(void **state)
{
	(void)state;
	assert_int_equal(dvt_key_kind_from_name("ec-p256"), DVT_KEY_P256);
	assert_int_equal(dvt_key_kind_from_name("rsa"), DVT_KEY_RSA);
	assert_int_equal(dvt_key_kind_from_name("other"), DVT_KEY_OTHER);
	assert_int_equal(dvt_key_kind_from_name(""), DVT_KEY_OTHER);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_kind_goes_through_its_files_and_back),
	    cmocka_unit_test(the_short_way_makes_the_key_openssl_makes),
	    cmocka_unit_test(weak_and_unknown_keys_are_refused_by_name),
	    cmocka_unit_test(what_is_no_private_key_is_refused),
	    cmocka_unit_test(a_key_is_told_from_the_one_of_a_certificate),
	    cmocka_unit_test(a_request_proves_its_key_or_is_refused),
	    cmocka_unit_test(a_failure_of_openssl_is_told_and_leaves_nothing),
	    cmocka_unit_test(kinds_are_found_by_the_names_profiles_use),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
