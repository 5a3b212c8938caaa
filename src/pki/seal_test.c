/* SPDX-License-Identifier: Apache-2.0 */
#include "pki/seal.h"

#include "pki/key.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define BOUND DVT_SPAN_LIT("test")
#define PLAIN DVT_SPAN_LIT("what only the signer may read")

static EVP_PKEY *
fresh(enum dvt_key_kind kind)
{
	EVP_PKEY *key;

	assert_int_equal(dvt_key_new(kind, 0, &key, NULL), DVT_OK);
	return key;
}

static void
sealed_bytes_open_with_the_right_key_alone(void **state)
{
	EVP_PKEY *own = fresh(DVT_KEY_P256), *other = fresh(DVT_KEY_P256);
	struct dvt_secret out = {NULL, 0};
	struct dvt_buf sealed;

	(void)state;
	dvt_buf_init(&sealed, 4096);
	assert_int_equal(dvt_seal(own, BOUND, PLAIN, &sealed, NULL), DVT_OK);
	assert_true(sealed.n <= PLAIN.n + DVT_SEAL_OVERHEAD);
	assert_int_equal(
	    dvt_unseal(own, BOUND, dvt_buf_span(&sealed), &out, NULL), DVT_OK);
	assert_int_equal(out.n, PLAIN.n);
	assert_memory_equal(out.p, PLAIN.p, PLAIN.n);
	dvt_secret_free(&out);
	assert_int_equal(
	    dvt_unseal(other, BOUND, dvt_buf_span(&sealed), &out, NULL),
	    DVT_E_AUTH);
	assert_int_equal(dvt_unseal(own, DVT_SPAN_LIT("else"),
			     dvt_buf_span(&sealed), &out, NULL),
	    DVT_E_AUTH);
	dvt_buf_fini(&sealed);
	EVP_PKEY_free(own);
	EVP_PKEY_free(other);
}

static void
a_changed_or_short_blob_is_refused(void **state)
{
	EVP_PKEY *own = fresh(DVT_KEY_P256);
	struct dvt_secret out = {NULL, 0};
	struct dvt_buf sealed;

	(void)state;
	dvt_buf_init(&sealed, 4096);
	assert_int_equal(dvt_seal(own, BOUND, PLAIN, &sealed, NULL), DVT_OK);
	for (size_t i = 0; i < sealed.n; i++) {
		sealed.p[i] ^= 1;
		assert_int_not_equal(
		    dvt_unseal(own, BOUND, dvt_buf_span(&sealed), &out, NULL),
		    DVT_OK);
		sealed.p[i] ^= 1;
	}
	for (size_t n = 0; n < sealed.n; n += 7) {
		struct dvt_span cut = {sealed.p, n};

		assert_int_not_equal(
		    dvt_unseal(own, BOUND, cut, &out, NULL), DVT_OK);
	}
	dvt_buf_fini(&sealed);
	EVP_PKEY_free(own);
}

static void
only_p256_keys_can_be_sealed_to(void **state)
{
	EVP_PKEY *own = fresh(DVT_KEY_P384);
	struct dvt_buf sealed;

	(void)state;
	dvt_buf_init(&sealed, 4096);
	assert_int_not_equal(
	    dvt_seal(own, BOUND, PLAIN, &sealed, NULL), DVT_OK);
	dvt_buf_fini(&sealed);
	EVP_PKEY_free(own);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(sealed_bytes_open_with_the_right_key_alone),
	    cmocka_unit_test(a_changed_or_short_blob_is_refused),
	    cmocka_unit_test(only_p256_keys_can_be_sealed_to),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
