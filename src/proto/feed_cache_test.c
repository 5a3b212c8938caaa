/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/feed_cache.h"

#include "pki/key.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static EVP_PKEY *key, *other;

static int
keys_make(void **state)
{
	(void)state;
	return dvt_key_new(DVT_KEY_P256, 0, &key, NULL) == DVT_OK &&
		       dvt_key_new(DVT_KEY_P256, 0, &other, NULL) == DVT_OK
		   ? 0
		   : -1;
}

static int
keys_drop(void **state)
{
	(void)state;
	EVP_PKEY_free(key);
	EVP_PKEY_free(other);
	return 0;
}

static struct dvt_feed *
state_of(int denied)
{
	struct dvt_feed *f = dvt_feed_new();

	for (int i = 0; i < denied; i++) {
		char fp[32];
		struct dvt_feed_entry *e;

		snprintf(fp, sizeof(fp), "%d", i);
		e = dvt_feed_entry_new(DVT_FEED_DENY, fp, i + 1);
		e->u.deny.reason = DVT_DENY_BLOCKED;
		dvt_feed_put(f, e);
	}
	dvt_feed_position_set(f, denied, 9);
	return f;
}

static void
file_of(int denied, struct dvt_buf *b)
{
	struct dvt_feed_cache meta = {"gw-1", 12, 1764547200};
	struct dvt_feed *f = state_of(denied);

	dvt_buf_init(b, 1 << 20);
	assert_int_equal(dvt_feed_cache_format(&meta, f, key, b, NULL), DVT_OK);
	dvt_feed_free(f);
}

static void
a_cache_comes_back_as_it_was(void **state)
{
	struct dvt_feed_cache meta;
	struct dvt_feed *f;
	struct dvt_buf b;

	(void)state;
	for (int n = 0; n < 3; n++) {
		file_of(n, &b);
		assert_int_equal(dvt_feed_cache_parse(
				     dvt_buf_span(&b), key, &meta, &f, NULL),
		    DVT_OK);
		assert_string_equal(meta.gateway, "gw-1");
		assert_int_equal(meta.sequence, 12);
		assert_int_equal(meta.heard_at, 1764547200);
		assert_int_equal(dvt_feed_position(f), n);
		assert_int_equal(dvt_feed_epoch(f), 9);
		assert_int_equal(dvt_feed_count(f, DVT_FEED_DENY), (unsigned)n);
		dvt_feed_free(f);
		dvt_buf_fini(&b);
	}
}

static void
no_changed_cut_or_foreign_cache_is_taken(void **state)
{
	struct dvt_feed_cache meta;
	struct dvt_feed *f;
	struct dvt_buf b;

	(void)state;
	file_of(2, &b);
	assert_int_equal(
	    dvt_feed_cache_parse(dvt_buf_span(&b), other, &meta, &f, NULL),
	    DVT_E_AUTH);
	for (size_t n = 0; n < b.n; n++) { /* every length but the whole */
		struct dvt_span cut = {b.p, n};

		assert_int_not_equal(
		    dvt_feed_cache_parse(cut, key, &meta, &f, NULL), DVT_OK);
		assert_null(f);
	}
	for (size_t i = 0; i < b.n; i += 7) {
		if (b.p[i] == '\n')
			continue;
		b.p[i] ^= 1;
		if (dvt_feed_cache_parse(
			dvt_buf_span(&b), key, &meta, &f, NULL) == DVT_OK) {
			/* only the name of the key is not signed */
			dvt_feed_free(f);
			assert_true(
			    memmem(b.p + i, b.n - i, "signature", 9) != NULL);
			assert_null(memmem(b.p + i, b.n - i, "\"deny\"", 6));
		}
		b.p[i] ^= 1;
	}
	dvt_buf_fini(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_cache_comes_back_as_it_was),
	    cmocka_unit_test(no_changed_cut_or_foreign_cache_is_taken),
	};
	return cmocka_run_group_tests(tests, keys_make, keys_drop);
}
