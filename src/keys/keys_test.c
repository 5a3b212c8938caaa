/* SPDX-License-Identifier: Apache-2.0 */
#include "keys/keys.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static void
a_key_lives_from_make_to_wipe(void **state)
{
	const struct dvt_keys *k = &dvt_keys_mem_table;
	struct dvt_keys_mem *m = dvt_keys_mem_new();
	const char *want = "file:generations/7/key.pem";
	char uri[DVT_KEY_URI_MAX + 1];
	struct dvt_buf sig;
	struct dvt_err err;
	EVP_PKEY *key;

	(void)state;
	dvt_buf_init(&sig, 256);
	assert_int_equal(k->open(m, want, &key, &err), DVT_E_ABSENT);
	assert_int_equal(k->make(m, DVT_KEY_P256, want, uri, &err), DVT_OK);
	assert_string_equal(uri, want);
	assert_int_equal(
	    k->make(m, DVT_KEY_P256, want, uri, &err), DVT_E_CONFLICT);
	assert_int_equal(k->open(m, want, &key, &err), DVT_OK);
	assert_int_equal(
	    k->sign(m, want, DVT_SPAN_LIT("text"), &sig, &err), DVT_OK);
	assert_int_equal(
	    dvt_key_verify(key, DVT_SPAN_LIT("text"), dvt_buf_span(&sig), &err),
	    DVT_OK);
	assert_int_equal(k->wipe(m, want, &err), DVT_OK);
	assert_int_equal(k->wipe(m, want, &err), DVT_OK);
	assert_int_equal(dvt_keys_mem_count(m), 0);
	assert_int_equal(
	    k->sign(m, want, DVT_SPAN_LIT("text"), &sig, &err), DVT_E_ABSENT);
	EVP_PKEY_free(key);
	dvt_buf_fini(&sig);
	dvt_keys_mem_free(m);
}

static void
ready_made_keys_are_handed_out_in_their_order(void **state)
{
	const struct dvt_keys *k = &dvt_keys_mem_table;
	struct dvt_keys_mem *m = dvt_keys_mem_new();
	char uri[DVT_KEY_URI_MAX + 1];
	EVP_PKEY *made[2], *got;

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(
		    dvt_key_new(DVT_KEY_P256, 0, &made[i], NULL), DVT_OK);
		dvt_keys_mem_stock(m, made[i]);
	}
	assert_int_equal(k->make(m, DVT_KEY_P384, "mem:x", uri, NULL), DVT_OK);
	for (size_t i = 0; i < 2; i++) {
		const char *want = i == 0 ? "mem:0" : "mem:1";

		assert_int_equal(
		    k->make(m, DVT_KEY_P256, want, uri, NULL), DVT_OK);
		assert_int_equal(k->open(m, want, &got, NULL), DVT_OK);
		assert_true(dvt_key_same(got, made[i]));
		EVP_PKEY_free(got);
		EVP_PKEY_free(made[i]);
	}
	dvt_keys_mem_free(m);
}

static void
uris_are_known_by_their_scheme(void **state)
{
	(void)state;
	assert_string_equal(dvt_keys_path("file:a/b", "file"), "a/b");
	assert_null(dvt_keys_path("file:", "file"));
	assert_null(dvt_keys_path("files:a", "file"));
	assert_false(dvt_keys_is("", "file"));
	assert_true(dvt_keys_is("tpm:0x81000001", "tpm"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_key_lives_from_make_to_wipe),
	    cmocka_unit_test(ready_made_keys_are_handed_out_in_their_order),
	    cmocka_unit_test(uris_are_known_by_their_scheme),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
