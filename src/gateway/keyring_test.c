/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/keyring.h"

#include "base/clock.h"
#include "durable/memfs.h"
#include "pki/key.h"
#include "pki/testca.h"
#include "wire/csr.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct gw_keyring *
open_on(struct dvt_memfs *fs)
{
	struct gw_keyring *k;

	assert_int_equal(gw_keyring_open(&dvt_memfs, fs, &k, NULL), DVT_OK);
	return k;
}

static void
an_order_keeps_its_key_over_power_cuts(void **state)
{
	(void)state;
	for (uint64_t cut = 0; cut < 12; cut++) {
		struct dvt_memfs *fs = dvt_memfs_new();
		struct gw_keyring *k = open_on(fs);
		char before[DVT_DIGEST_HEX] = "", after[DVT_DIGEST_HEX];
		EVP_PKEY *key;
		bool made, told;

		dvt_memfs_cut(fs, cut, DVT_CUT_DROP, 0);
		told = gw_keyring_order(k, "o-1", &key, &made, NULL) == DVT_OK;
		if (told)
			assert_int_equal(
			    dvt_key_digest(key, before, NULL), DVT_OK);
		gw_keyring_close(k);
		dvt_memfs_power_on(fs);
		k = open_on(fs);
		assert_int_equal(
		    gw_keyring_order(k, "o-1", &key, &made, NULL), DVT_OK);
		assert_int_equal(dvt_key_digest(key, after, NULL), DVT_OK);
		if (told) {
			assert_false(made);
			assert_string_equal(before, after);
		}
		assert_ptr_equal(gw_keyring_find(k, after), key);
		gw_keyring_close(k);
		dvt_memfs_free(fs);
	}
}

static bool
used(void *arg, const char *digest)
{
	return strcmp(arg, digest) == 0;
}

static bool
stands(void *arg, const char *hash)
{
	char want[DVT_DIGEST_HEX];

	(void)arg;
	gw_keyring_order_hash("o-2", want);
	return strcmp(want, hash) == 0;
}

static void
keys_that_nothing_needs_are_wiped_after_a_while(void **state)
{
	struct dvt_memfs *fs = dvt_memfs_new();
	struct gw_keyring *k = open_on(fs);
	int64_t now = dvt_time_now().wall_s;
	char digest[DVT_DIGEST_HEX];
	EVP_PKEY *key;
	bool made;

	(void)state;
	for (int i = 1; i <= 3; i++) {
		char order[8];

		snprintf(order, sizeof(order), "o-%d", i);
		assert_int_equal(
		    gw_keyring_order(k, order, &key, &made, NULL), DVT_OK);
		assert_true(made);
		if (i == 1)
			assert_int_equal(
			    dvt_key_digest(key, digest, NULL), DVT_OK);
	}
	gw_keyring_prune(k, now, 3600, used, stands, digest);
	assert_int_equal(gw_keyring_count(k), 3); /* too young */
	gw_keyring_prune(k, now + 3700, 3600, used, stands, digest);
	assert_int_equal(gw_keyring_count(k), 2);
	gw_keyring_close(k);
	k = open_on(fs);
	assert_int_equal(gw_keyring_count(k), 2);
	assert_non_null(gw_keyring_find(k, digest));
	gw_keyring_close(k);
	dvt_memfs_free(fs);
}

static void
the_identity_is_one_file_with_a_matching_pair(void **state)
{
	struct testca root = testca_make(NULL, "CN=root", -1), leaf;
	struct dvt_memfs *fs = dvt_memfs_new();
	struct gw_keyring *k = open_on(fs);
	struct dvt_chain chain, back = {0};
	struct dvt_issue fields = testca_leaf_fields(DVT_EKU_CLIENT);
	EVP_PKEY *next, *again, *key = NULL;

	(void)state;
	assert_int_equal(gw_identity_load(k, &key, &back, NULL), DVT_E_ABSENT);
	assert_int_equal(gw_identity_next_key(k, &next, NULL), DVT_OK);
	assert_int_equal(gw_identity_next_key(k, &again, NULL), DVT_OK);
	assert_true(dvt_key_same(next, again)); /* a repeat asks for the same */
	EVP_PKEY_free(again);
	leaf = (struct testca){
	    .key = next, .cert = testca_issue(&root, "CN=gw", next, fields)};
	chain = testca_chain(leaf.cert, NULL, NULL);
	assert_int_equal(
	    gw_identity_store(k, root.key, &chain, NULL), DVT_E_CONFLICT);
	assert_int_equal(gw_identity_store(k, next, &chain, NULL), DVT_OK);
	assert_int_equal(gw_identity_load(k, &key, &back, NULL), DVT_OK);
	assert_true(dvt_key_same(key, next));
	assert_int_equal(back.n, 1);
	assert_int_equal(gw_identity_next_key(k, &again, NULL), DVT_OK);
	assert_false(dvt_key_same(next, again)); /* a renewal has its own */
	EVP_PKEY_free(again);
	EVP_PKEY_free(key);
	dvt_chain_fini(&back);
	dvt_chain_fini(&chain);
	testca_fini(&leaf);
	testca_fini(&root);
	gw_keyring_close(k);
	dvt_memfs_free(fs);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(an_order_keeps_its_key_over_power_cuts),
	    cmocka_unit_test(keys_that_nothing_needs_are_wiped_after_a_while),
	    cmocka_unit_test(the_identity_is_one_file_with_a_matching_pair),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
