/* SPDX-License-Identifier: Apache-2.0 */
#include "pki/fastec.h"

#include "pki/key.h"
#include "pki/testca.h"
#include "pki/verify.h"

#include <openssl/ssl.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

/* Made before the switch: afterwards this process cannot. */
struct world {
	struct testca root, server, client, p384;
	EVP_PKEY *key;
	struct dvt_buf pem, spki, sig;
};

static struct world w;

static void
prepare(void)
{
	w.root = testca_make(NULL, "CN=Root", -1);
	w.server = testca_leaf(&w.root, "CN=edge", DVT_EKU_SERVER);
	w.client = testca_leaf(&w.root, "CN=pump", DVT_EKU_CLIENT);
	assert_int_equal(
	    dvt_key_new(DVT_KEY_P384, 0, &w.p384.key, NULL), DVT_OK);
	w.p384.cert = testca_issue(
	    &w.root, "CN=big", w.p384.key, testca_leaf_fields(DVT_EKU_CLIENT));
	assert_int_equal(dvt_key_new(DVT_KEY_P256, 0, &w.key, NULL), DVT_OK);
	dvt_buf_init(&w.pem, DVT_KEY_PEM_MAX);
	dvt_buf_init(&w.spki, DVT_SPKI_MAX);
	dvt_buf_init(&w.sig, 256);
	assert_int_equal(dvt_key_to_pem(w.key, &w.pem, NULL), DVT_OK);
	assert_int_equal(dvt_key_to_spki(w.key, &w.spki, NULL), DVT_OK);
	assert_int_equal(
	    dvt_key_sign(w.key, DVT_SPAN_LIT("x"), &w.sig, NULL), DVT_OK);
}

static int
setup(void **state)
{
	struct dvt_err err;
	EVP_PKEY *none;

	(void)state;
	prepare();
	assert_false(dvt_fastec_on());
	if (dvt_fastec_enable(&err) != DVT_OK) {
		print_message("# not here: %s\n", err.text);
		return 0;
	}
	assert_true(dvt_fastec_on());
	assert_int_equal(dvt_fastec_enable(&err), DVT_OK);
	assert_int_equal(
	    dvt_key_new(DVT_KEY_P256, 0, &none, &err), DVT_E_SYSTEM);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	testca_fini(&w.root);
	testca_fini(&w.server);
	testca_fini(&w.client);
	testca_fini(&w.p384);
	EVP_PKEY_free(w.key);
	dvt_buf_cleanse(&w.pem);
	dvt_buf_fini(&w.spki);
	dvt_buf_fini(&w.sig);
	dvt_fastec_disable();
	assert_false(dvt_fastec_on());
	return 0;
}

static void
public_keys_verify_as_before(void **state)
{
	EVP_PKEY *key;
	char a[DVT_DIGEST_HEX], b[DVT_DIGEST_HEX];

	(void)state;
	assert_int_equal(
	    dvt_key_from_spki(dvt_buf_span(&w.spki), &key, NULL), DVT_OK);
	assert_int_equal(dvt_key_kind(key), DVT_KEY_P256);
	assert_true(dvt_key_same(key, w.key));
	assert_int_equal(
	    dvt_key_verify(key, DVT_SPAN_LIT("x"), dvt_buf_span(&w.sig), NULL),
	    DVT_OK);
	assert_int_equal(
	    dvt_key_verify(key, DVT_SPAN_LIT("y"), dvt_buf_span(&w.sig), NULL),
	    DVT_E_AUTH);
	assert_int_equal(dvt_key_digest(key, a, NULL), DVT_OK);
	dvt_sha256_hex(dvt_buf_span(&w.spki), b);
	assert_string_equal(a, b);
	EVP_PKEY_free(key);
}

static void
private_keys_load_sign_and_match(void **state)
{
	struct dvt_buf sig;
	EVP_PKEY *key;

	(void)state;
	dvt_buf_init(&sig, 256);
	assert_int_equal(
	    dvt_key_from_pem(dvt_buf_span(&w.pem), &key, NULL), DVT_OK);
	assert_int_equal(
	    dvt_key_sign(key, DVT_SPAN_LIT("z"), &sig, NULL), DVT_OK);
	assert_int_equal(
	    dvt_key_verify(w.key, DVT_SPAN_LIT("z"), dvt_buf_span(&sig), NULL),
	    DVT_OK);
	assert_int_equal(
	    dvt_key_matches(key, w.root.cert, NULL), DVT_E_CONFLICT);
	EVP_PKEY_free(key);
	dvt_buf_fini(&sig);
}

/* A copy that was decoded with the switch on. */
static X509 *
fresh(X509 *cert)
{
	struct dvt_buf der;
	X509 *out;

	dvt_buf_init(&der, DVT_CERT_DER_MAX);
	assert_int_equal(dvt_x509_to_der(cert, &der, NULL), DVT_OK);
	assert_int_equal(
	    dvt_x509_from_der(dvt_buf_span(&der), &out, NULL), DVT_OK);
	dvt_buf_fini(&der);
	return out;
}

static void
chains_are_judged_as_before(void **state)
{
	X509 *root = fresh(w.root.cert);
	X509 *leaves[] = {fresh(w.client.cert), fresh(w.p384.cert)};
	struct dvt_verify how = {
	    .purpose = DVT_FOR_CLIENT, .now = TESTCA_NOW, .edge = true};
	struct dvt_verdict v;
	struct dvt_trust *trust, *none;

	(void)state;
	assert_int_equal(dvt_trust_new(&root, 1, 0, &trust, NULL), DVT_OK);
	assert_int_equal(dvt_trust_new(NULL, 0, 0, &none, NULL), DVT_OK);
	for (size_t i = 0; i < DVT_COUNT(leaves); i++) {
		struct dvt_chain c = testca_chain(leaves[i], NULL, NULL);

		if (dvt_trust_verify(trust, &c, &how, &v, NULL) != DVT_OK)
			fail_msg("%s", v.text);
		assert_int_equal(
		    dvt_trust_verify(none, &c, &how, &v, NULL), DVT_E_DENIED);
		assert_true(dvt_chain_touches(&c, root));
		dvt_chain_fini(&c);
		X509_free(leaves[i]);
	}
	dvt_trust_free(trust);
	dvt_trust_free(none);
	X509_free(root);
}

static SSL_CTX *
context(const SSL_METHOD *method, const struct testca *own, int version,
    const char *group)
{
	SSL_CTX *ctx = SSL_CTX_new(method);
	X509 *cert = fresh(own->cert);

	assert_int_equal(SSL_CTX_use_certificate(ctx, cert), 1);
	assert_int_equal(SSL_CTX_use_PrivateKey(ctx, own->key), 1);
	assert_int_equal(
	    X509_STORE_add_cert(SSL_CTX_get_cert_store(ctx), w.root.cert), 1);
	X509_VERIFY_PARAM_set_time(SSL_CTX_get0_param(ctx), TESTCA_NOW);
	SSL_CTX_set_verify(
	    ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
	assert_int_equal(SSL_CTX_set_min_proto_version(ctx, version), 1);
	assert_int_equal(SSL_CTX_set_max_proto_version(ctx, version), 1);
	assert_int_equal(SSL_CTX_set1_groups_list(ctx, group), 1);
	X509_free(cert);
	return ctx;
}

/* Mutual TLS through memory; true when both ends finish. */
static bool
handshake(int version, const char *group, const struct testca *client)
{
	SSL_CTX *sc = context(TLS_server_method(), &w.server, version, group);
	SSL_CTX *cc = context(TLS_client_method(), client, version, group);
	SSL *s = SSL_new(sc), *c = SSL_new(cc);
	BIO *a, *b;
	bool done;

	assert_int_equal(BIO_new_bio_pair(&a, 65536, &b, 65536), 1);
	SSL_set_bio(s, a, a);
	SSL_set_bio(c, b, b);
	for (int i = 0; i < 8; i++) {
		(void)SSL_connect(c);
		(void)SSL_accept(s);
	}
	done = SSL_is_init_finished(s) && SSL_is_init_finished(c) &&
	       SSL_get_verify_result(s) == X509_V_OK;
	SSL_free(s);
	SSL_free(c);
	SSL_CTX_free(sc);
	SSL_CTX_free(cc);
	return done;
}

static void
mutual_tls_works_in_both_versions_and_groups(void **state)
{
	static const struct {
		int version;
		const char *group;
	} cases[] = {
	    {TLS1_3_VERSION, "X25519"      },
	    {TLS1_3_VERSION, "P-256"       },
	    {TLS1_2_VERSION, "X25519:P-256"},
	    {TLS1_2_VERSION, "P-256"       },
	};

	(void)state;
	for (size_t i = 0; i < DVT_COUNT(cases); i++) {
		if (!handshake(cases[i].version, cases[i].group, &w.client))
			fail_msg(
			    "version %x, %s", cases[i].version, cases[i].group);
	}
	assert_true(handshake(TLS1_3_VERSION, "P-256", &w.p384));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(public_keys_verify_as_before),
	    cmocka_unit_test(private_keys_load_sign_and_match),
	    cmocka_unit_test(chains_are_judged_as_before),
	    cmocka_unit_test(mutual_tls_works_in_both_versions_and_groups),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
