/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The agent on a key store that names its keys itself and keeps them to
 * itself, as a token does: a label asked for, a URI answered.
 */
#include "device/generation.h"
#include "device/testworld.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#define HOUR_S   3600
#define VAULT_N  8
#define DISK_MAX 16384 /* bytes of one file */

/* Files that the imported key lies in go by the ordinary table. */
struct vault {
	struct dvt_keyfile *files;
	struct dvt_keys_mem *mem;
	char label[VAULT_N][DVT_KEY_URI_MAX + 1]; /* [n] is "vault:n" */
	unsigned made, wiped;
	bool full;          /* no room for one more */
	enum dvt_code away; /* what opening comes to; DVT_OK: it is there */
};

static int
slot_of(const struct vault *v, const char *uri)
{
	for (unsigned i = 0; i < v->made; i++)
		if (strcmp(v->label[i], uri) == 0)
			return (int)i;
	return -1;
}

static void
uri_of(unsigned slot, char *uri)
{
	(void)snprintf(uri, DVT_KEY_URI_MAX + 1, "vault:%u", slot);
}

static enum dvt_code
vault_make(void *ctx, enum dvt_key_kind kind, const char *want, char *uri,
    struct dvt_err *err)
{
	struct vault *v = ctx;
	char made[DVT_KEY_URI_MAX + 1];
	int slot = slot_of(v, want);

	uri[0] = '\0';
	if (slot >= 0) {
		uri_of((unsigned)slot, uri);
		return dvt_fail(err, DVT_E_CONFLICT, "vault: label there");
	}
	if (v->full || v->made == VAULT_N)
		return dvt_fail(err, DVT_E_SYSTEM, "vault: no slot is free");
	(void)snprintf(v->label[v->made], sizeof(v->label[0]), "%s", want);
	uri_of(v->made++, uri);
	return dvt_keys_mem_table.make(v->mem, kind, uri, made, err);
}

static enum dvt_code
vault_open(void *ctx, const char *uri, EVP_PKEY **out, struct dvt_err *err)
{
	struct vault *v = ctx;

	if (dvt_keys_is(uri, "vault") && v->away != DVT_OK)
		return dvt_fail(err, v->away, "vault: away");
	if (dvt_keys_is(uri, "vault"))
		return dvt_keys_mem_table.open(v->mem, uri, out, err);
	return dvt_keyfile_table.open(v->files, uri, out, err);
}

static enum dvt_code
vault_sign(void *ctx, const char *uri, struct dvt_span bytes,
    struct dvt_buf *sig, struct dvt_err *err)
{
	struct vault *v = ctx;

	if (dvt_keys_is(uri, "vault"))
		return dvt_keys_mem_table.sign(v->mem, uri, bytes, sig, err);
	return dvt_keyfile_table.sign(v->files, uri, bytes, sig, err);
}

static enum dvt_code
vault_wipe(void *ctx, const char *uri, struct dvt_err *err)
{
	struct vault *v = ctx;
	char named[DVT_KEY_URI_MAX + 1];
	int slot = slot_of(v, uri);

	if (slot >= 0) {
		uri_of((unsigned)slot, named);
		uri = named;
	}
	if (!dvt_keys_is(uri, "vault"))
		return dvt_keyfile_table.wipe(v->files, uri, err);
	v->wiped++;
	return dvt_keys_mem_table.wipe(v->mem, uri, err);
}

static const struct dvt_keys vault_table = {.make = vault_make,
    .open = vault_open,
    .sign = vault_sign,
    .wipe = vault_wipe};

static struct vault vault;

static int
setup(void **state)
{
	static struct testworld w;

	testworld_init(&w);
	vault = (struct vault){.files = &w.keyfile, .mem = dvt_keys_mem_new()};
	for (size_t i = 0; i < TESTWORLD_KEYS; i++)
		dvt_keys_mem_stock(vault.mem, w.pki->stock[i]);
	w.keys = &vault_table;
	w.keys_ctx = &vault;
	*state = &w;
	return 0;
}

static int
teardown(void **state)
{
	testworld_fini(*state);
	dvt_keys_mem_free(vault.mem);
	return 0;
}

static int64_t
generation(const struct testworld *w)
{
	return dvt_agent_credential(w->agent)->generation;
}

static bool
holds(const struct testworld *w, const char *path, const char *text)
{
	struct dvt_buf b;
	bool found = false;

	dvt_buf_init(&b, DISK_MAX);
	if (dvt_memfs.read(w->disk, path, &b, NULL) == DVT_OK)
		found = strstr(dvt_buf_str(&b), text) != NULL;
	dvt_buf_fini(&b);
	return found;
}

static void
a_key_that_never_leaves_its_store_goes_through_a_renewal(void **state)
{
	struct testworld *w = *state;

	testworld_on(w);
	testworld_ask_renew(w, "r2-renew");
	assert_true(testworld_run(w, HOUR_S, testworld_is_renewed));
	assert_int_equal(generation(w), 2);
	assert_int_equal(vault.made, 1);
	assert_int_equal(vault.wiped, 0);
	assert_true(holds(w, "generations/2/key.uri", "vault:0\n"));
	assert_true(holds(w, "generations/2/meta.json", "\"vault:0\""));
	assert_false(holds(w, "generations/2/key.pem", "KEY"));
	testworld_check_works(w, "with a key in a store");
	testworld_off(w);
	testworld_on(w); /* and comes back with it */
	assert_int_equal(generation(w), 2);
	testworld_check_works(w, "after a restart");
}

static void
a_store_without_room_fails_the_update_and_no_more(void **state)
{
	struct testworld *w = *state;

	vault.full = true;
	testworld_on(w);
	testworld_ask_renew(w, "r2-renew");
	assert_false(testworld_run(w, 120, testworld_is_renewed));
	assert_int_equal(generation(w), 1);
	assert_true(w->checkins > 1);
	testworld_check_works(w, "with a full store");
	vault.full = false;
	assert_true(testworld_run(w, HOUR_S, testworld_is_renewed));
	assert_int_equal(generation(w), 2);
}

/* Cut at each call of the disk, in each way; the store itself keeps all. */
static void
promise_5_no_cut_leaves_a_key_without_its_name(void **state)
{
	static const enum dvt_cut modes[] = {
	    DVT_CUT_DROP, DVT_CUT_KEEP, DVT_CUT_MIX};
	uint64_t points = 0;
	bool ended = false;

	for (uint64_t k = 0; !ended; k++) {
		for (size_t m = 0; m < DVT_COUNT(modes); m++, points++) {
			struct testworld *w = *state;

			(void)teardown(state);
			(void)setup(state);
			testworld_on(w);
			testworld_ask_renew(w, "r2-renew");
			dvt_memfs_cut(w->disk, k, modes[m], k * 3 + m);
			ended = testworld_run(
				    w, HOUR_S, testworld_is_renewed) &&
				!dvt_memfs_is_off(w->disk);
			testworld_off(w);
			dvt_memfs_power_on(w->disk);
			testworld_on(w);
			testworld_check_works(w, "after a cut");
			assert_true(
			    testworld_run(w, HOUR_S, testworld_is_renewed));
			assert_int_equal(generation(w), 2);
			assert_in_range(vault.made, 1, 1);
			testworld_off(w);
			w->agent = NULL;
		}
	}
	assert_in_range(points, 60, 1000);
}

/* A token that is not plugged in, a store that is locked: no damage. */
static void
a_store_that_is_away_costs_no_generation(void **state)
{
	static const enum dvt_code codes[] = {DVT_E_ABSENT, DVT_E_LATER,
	    DVT_E_BUSY, DVT_E_AUTH, DVT_E_DENIED, DVT_E_SYSTEM};
	struct testworld *w = *state;
	struct dvt_err err;

	testworld_on(w);
	testworld_ask_renew(w, "r2-renew");
	assert_true(testworld_run(w, HOUR_S, testworld_is_renewed));
	testworld_off(w);
	for (size_t i = 0; i < 2 * DVT_COUNT(codes); i++) {
		bool alone = i >= DVT_COUNT(codes);

		if (i == DVT_COUNT(codes)) /* the predecessor is gone */
			assert_int_equal(dvt_memfs.unlink(w->disk,
					     "generations/1/key.pem", NULL),
			    DVT_OK);
		vault.away = codes[i % DVT_COUNT(codes)];
		assert_int_equal(
		    testworld_try_on(w, &err), alone ? DVT_E_SYSTEM : DVT_OK);
		if (!alone) {
			assert_int_equal(generation(w), 1);
			(void)testworld_run(w, 200, NULL);
			testworld_off(w);
		}
		vault.away = DVT_OK;
		testworld_on(w);
		assert_int_equal(generation(w), 2);
		testworld_check_works(w, "the store is back");
		(void)testworld_run(w, 100, NULL);
		testworld_off(w);
	}
	assert_int_equal(vault.wiped, 0);
}

static void
a_damaged_name_is_no_key(void **state)
{
	static const char *const bad[] = {
	    "", "\n", "vault:0", "vault\n", "vault:\0x\n"};
	static const size_t len[] = {0, 1, 7, 6, 9};
	struct testworld *w = *state;
	struct dvt_agent_env env = {.fs = &dvt_memfs, .fs_ctx = w->disk};
	char uri[DVT_KEY_URI_MAX + 1];

	assert_int_equal(
	    dvt_generation_get_key_uri(&env, 9, uri, NULL), DVT_OK);
	assert_string_equal(uri, "file:generations/9/key.pem");
	assert_int_equal(
	    dvt_memfs.mkdir(w->disk, "generations/9", 0700, NULL), DVT_OK);
	for (size_t i = 0; i < DVT_COUNT(bad); i++) {
		struct dvt_span text = {(const uint8_t *)bad[i], len[i]};

		assert_int_equal(dvt_memfs.write_new(w->disk,
				     "generations/9/key.uri", text, 0600, NULL),
		    DVT_OK);
		if (dvt_generation_get_key_uri(&env, 9, uri, NULL) !=
		    DVT_E_INPUT)
			fail_msg("taken: case %zu", i);
		assert_int_equal(
		    dvt_memfs.unlink(w->disk, "generations/9/key.uri", NULL),
		    DVT_OK);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(
		a_key_that_never_leaves_its_store_goes_through_a_renewal, setup,
		teardown),
	    cmocka_unit_test_setup_teardown(
		a_store_without_room_fails_the_update_and_no_more, setup,
		teardown),
	    cmocka_unit_test_setup_teardown(
		promise_5_no_cut_leaves_a_key_without_its_name, setup,
		teardown),
	    cmocka_unit_test_setup_teardown(
		a_store_that_is_away_costs_no_generation, setup, teardown),
	    cmocka_unit_test_setup_teardown(
		a_damaged_name_is_no_key, setup, teardown),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);

	testpki_free();
	return failed;
}
