/* SPDX-License-Identifier: Apache-2.0 */
#include "pki/dsse.h"

#include "pki/key.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#define TYPE "application/vnd.dovetail.trust+json"

static void
the_bytes_signed_are_those_of_the_standard(void **state)
{
	struct dvt_buf pae;

	(void)state;
	dvt_buf_init(&pae, 256);
	dvt_dsse_pae(
	    "http://example.com/HelloWorld", DVT_SPAN_LIT("hello world"), &pae);
	assert_string_equal(dvt_buf_str(&pae),
	    "DSSEv1 29 http://example.com/HelloWorld 11 hello world");
	dvt_buf_fini(&pae);
}

static void
write_file(const char *dir, const char *name, struct dvt_span bytes)
{
	char path[256];
	FILE *f;

	(void)snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "we");
	assert_non_null(f);
	assert_int_equal(fwrite(bytes.p, 1, bytes.n, f), bytes.n);
	assert_int_equal(fclose(f), 0);
}

/* What an outsider does with three files and no code of ours. */
static int
openssl_dgst(const char *dir)
{
	char command[1024];

	(void)snprintf(command, sizeof(command),
	    "cd %s && openssl dgst -sha256 -verify pub -signature sig pae "
	    ">/dev/null 2>&1",
	    dir);
	return system(command);
}

static void
openssl_dgst_accepts_a_signature_over_them(void **state)
{
	char dir[] = "/tmp/dsse-XXXXXX", command[64];
	struct dvt_buf pae, pub;
	struct dvt_dsse d;
	EVP_PKEY *key;

	(void)state;
	assert_non_null(mkdtemp(dir));
	dvt_buf_init(&pae, 1024);
	dvt_buf_init(&pub, 1024);
	assert_int_equal(dvt_key_new(DVT_KEY_P256, 0, &key, NULL), DVT_OK);
	assert_int_equal(
	    dvt_dsse_init(&d, DVT_SPAN_LIT("{\"version\":1}"), NULL), DVT_OK);
	assert_int_equal(dvt_dsse_sign(&d, TYPE, key, NULL), DVT_OK);
	dvt_dsse_pae(TYPE, dvt_buf_span(&d.payload), &pae);
	assert_int_equal(dvt_key_public_to_pem(key, &pub, NULL), DVT_OK);
	write_file(dir, "pub", dvt_buf_span(&pub));
	write_file(dir, "sig", (struct dvt_span){d.sig[0].sig, d.sig[0].sig_n});
	write_file(dir, "pae", dvt_buf_span(&pae));
	assert_int_equal(openssl_dgst(dir), 0);
	write_file(dir, "pae", dvt_buf_span(&d.payload));
	assert_int_not_equal(openssl_dgst(dir), 0);
	(void)snprintf(command, sizeof(command), "rm -r %s", dir);
	assert_int_equal(system(command), 0);
	EVP_PKEY_free(key);
	dvt_dsse_fini(&d);
	dvt_buf_fini(&pae);
	dvt_buf_fini(&pub);
}

static void
an_envelope_goes_through_its_line_and_back(void **state)
{
	struct dvt_dsse d, back;
	struct dvt_buf line, again;
	struct dvt_dsse_key held;
	EVP_PKEY *key;

	(void)state;
	dvt_buf_init(&line, DVT_BUNDLE_MAX);
	dvt_buf_init(&again, DVT_BUNDLE_MAX);
	assert_int_equal(dvt_key_new(DVT_KEY_P256, 0, &key, NULL), DVT_OK);
	assert_int_equal(
	    dvt_dsse_init(&d, DVT_SPAN_LIT("payload"), NULL), DVT_OK);
	assert_int_equal(dvt_dsse_sign(&d, TYPE, key, NULL), DVT_OK);
	assert_int_equal(dvt_dsse_sign(&d, TYPE, key, NULL), DVT_OK);
	assert_int_equal(d.sig_n, 1); /* the second took its place */
	assert_int_equal(dvt_dsse_format(&d, &line, NULL), DVT_OK);
	assert_int_equal(
	    dvt_dsse_parse(dvt_buf_span(&line), &back, NULL), DVT_OK);
	assert_int_equal(dvt_dsse_format(&back, &again, NULL), DVT_OK);
	assert_true(dvt_span_eq(dvt_buf_span(&line), dvt_buf_span(&again)));
	held.key = key;
	assert_int_equal(dvt_key_digest(key, held.keyid, NULL), DVT_OK);
	assert_int_equal(dvt_dsse_count(&back, TYPE, &held, 1), 1);
	assert_int_equal(dvt_dsse_count(&back, "other", &held, 1), 0);
	EVP_PKEY_free(key);
	dvt_dsse_fini(&d);
	dvt_dsse_fini(&back);
	dvt_buf_fini(&line);
	dvt_buf_fini(&again);
}

static void
foreign_signatures_are_left_out(void **state)
{
	static const char line[] = "{\"payload\":\"AA==\",\"signatures\":["
				   "{\"keyid\":\"\\\"\",\"sig\":\"AA==\"},"
				   "{\"keyid\":\"rsa-2027\",\"sig\":\"\"}]}";
	struct dvt_dsse d;

	(void)state;
	assert_int_equal(dvt_dsse_parse(dvt_span_str(line), &d, NULL), DVT_OK);
	assert_int_equal(d.sig_n, 0);
	assert_int_equal(d.payload.n, 1);
	dvt_dsse_fini(&d);
}

static void
broken_envelopes_are_refused(void **state)
{
	static const char *const bad[] = {
	    "",
	    "[]",
	    "{}",
	    "{\"payload\":\"AA==\"}",
	    "{\"payload\":1,\"signatures\":[]}",
	    "{\"payload\":\"A\",\"signatures\":[]}",
	    "{\"payload\":\"AA==\",\"signatures\":[1]}",
	    "{\"payload\":\"AA==\",\"signatures\":[{\"keyid\":\"a\"}]}",
	    "{\"payload\":\"AA==\",\"signatures\":[]}x",
	    "{\"payload\":\"AA==\",\"payload\":\"AA==\",\"signatures\":[]}",
	};
	struct dvt_dsse d;

	(void)state;
	for (size_t i = 0; i < DVT_COUNT(bad); i++) {
		if (dvt_dsse_parse(dvt_span_str(bad[i]), &d, NULL) !=
		    DVT_E_INPUT)
			fail_msg("taken: %s", bad[i]);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_bytes_signed_are_those_of_the_standard),
	    cmocka_unit_test(openssl_dgst_accepts_a_signature_over_them),
	    cmocka_unit_test(an_envelope_goes_through_its_line_and_back),
	    cmocka_unit_test(foreign_signatures_are_left_out),
	    cmocka_unit_test(broken_envelopes_are_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
