/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Promise 5, its lowest floor: the power is cut at every mutating call of
 * every function here, with each kind of loss, and the result is whole.
 */
#include "durable/atomic.h"
#include "durable/memfs.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define OLD   DVT_SPAN_LIT("the old content")
#define NEW   DVT_SPAN_LIT("the new content, longer")
#define SEEDS 40

static const struct dvt_tree_file pair[] = {
    {"key.pem",   DVT_SPAN_LIT("key"),   0600},
    {"chain.pem", DVT_SPAN_LIT("chain"), 0644},
};

/* "" when absent. */
static void
content(struct dvt_memfs *fs, const char *path, char *out, size_t size)
{
	struct dvt_buf b;

	dvt_buf_init(&b, 1000);
	if (dvt_memfs.read(fs, path, &b, NULL) != DVT_OK)
		dvt_buf_reset(&b);
	(void)snprintf(out, size, "%s", dvt_buf_str(&b));
	dvt_buf_fini(&b);
}

static void
note(void *arg, const char *name, bool is_dir)
{
	dvt_buf_printf(arg, "%s%s ", name, is_dir ? "/" : "");
}

static void
names_in(struct dvt_memfs *fs, const char *dir, char *out, size_t size)
{
	struct dvt_buf b;

	dvt_buf_init(&b, 1000);
	if (dvt_memfs.list(fs, dir, note, &b, NULL) != DVT_OK)
		dvt_buf_puts(&b, "absent");
	(void)snprintf(out, size, "%s", dvt_buf_str(&b));
	dvt_buf_fini(&b);
}

/* One operation, and what may be seen once the power is back. */
struct operation {
	const char *name;
	void (*prepare)(struct dvt_memfs *fs);
	enum dvt_code (*run)(struct dvt_memfs *fs);
	/* done: run() had returned DVT_OK before the cut */
	void (*check)(struct dvt_memfs *fs, bool done);
};

static void
must(enum dvt_code rc)
{
	assert_int_equal(rc, DVT_OK);
}

static void
prepare_file(struct dvt_memfs *fs)
{
	must(dvt_dir_ensure(&dvt_memfs, fs, "d", NULL));
	must(dvt_atomic_replace(&dvt_memfs, fs, "d", "f", OLD, 0600, NULL));
}

static enum dvt_code
run_replace(struct dvt_memfs *fs)
{
	return dvt_atomic_replace(&dvt_memfs, fs, "d", "f", NEW, 0600, NULL);
}

static void
check_replaced(struct dvt_memfs *fs, bool done)
{
	char text[64];

	content(fs, "d/f", text, sizeof(text));
	if (strcmp(text, (const char *)NEW.p) != 0) {
		assert_string_equal(text, (const char *)OLD.p);
		assert_false(done);
	}
	names_in(fs, "d", text, sizeof(text));
	assert_string_equal(text, "f ");
}

static void
prepare_tree(struct dvt_memfs *fs)
{
	must(dvt_dir_ensure(&dvt_memfs, fs, "d", NULL));
}

static enum dvt_code
run_put(struct dvt_memfs *fs)
{
	return dvt_tree_put(
	    &dvt_memfs, fs, "d", "7", pair, DVT_COUNT(pair), NULL);
}

static bool
tree_is_whole(struct dvt_memfs *fs)
{
	char text[64];

	names_in(fs, "d", text, sizeof(text));
	if (text[0] == '\0')
		return false;
	assert_string_equal(text, "7/ ");
	content(fs, "d/7/key.pem", text, sizeof(text));
	assert_string_equal(text, "key");
	content(fs, "d/7/chain.pem", text, sizeof(text));
	assert_string_equal(text, "chain");
	return true;
}

static void
check_put(struct dvt_memfs *fs, bool done)
{
	assert_true(tree_is_whole(fs) || !done);
}

static void
prepare_remove(struct dvt_memfs *fs)
{
	prepare_tree(fs);
	must(run_put(fs));
}

static enum dvt_code
run_remove(struct dvt_memfs *fs)
{
	return dvt_tree_remove(&dvt_memfs, fs, "d", "7", NULL);
}

static void
check_removed(struct dvt_memfs *fs, bool done)
{
	assert_false(tree_is_whole(fs) && done);
}

static const struct operation operations[] = {
    {"replace a file",     prepare_file,   run_replace, check_replaced},
    {"put a directory",    prepare_tree,   run_put,     check_put     },
    {"remove a directory", prepare_remove, run_remove,  check_removed },
};

/*
 * Cut at call @k of the operation. False: it ended before that, so that all
 * cuts have been tried (the last one hits after it).
 */
static bool
cut_at(const struct operation *op, uint64_t k, enum dvt_cut mode, uint64_t seed)
{
	struct dvt_memfs *fs = dvt_memfs_new();
	bool done, was_off;

	op->prepare(fs);
	dvt_memfs_cut(fs, k, mode, seed);
	done = op->run(fs) == DVT_OK;
	was_off = dvt_memfs_is_off(fs);
	dvt_memfs_power_on(fs);
	must(dvt_dir_recover(&dvt_memfs, fs, "d", NULL));
	op->check(fs, done);
	dvt_memfs_free(fs);
	return was_off;
}

static void
promise_5_a_cut_at_any_call_leaves_it_whole(void **state)
{
	(void)state;
	for (size_t i = 0; i < DVT_COUNT(operations); i++) {
		const struct operation *op = &operations[i];
		uint64_t k = 0;

		while (cut_at(op, k, DVT_CUT_DROP, 0)) {
			(void)cut_at(op, k, DVT_CUT_KEEP, 0);
			for (uint64_t seed = 0; seed < SEEDS; seed++)
				(void)cut_at(op, k, DVT_CUT_MIX, seed);
			k++;
		}
		if (k < 4)
			fail_msg("%s: only %u cuts", op->name, (unsigned)k);
	}
}

/* The second cut hits the recovery from the first, or the second try. */
static void
promise_5_two_cuts_leave_it_whole(void **state)
{
	(void)state;
	for (size_t i = 0; i < DVT_COUNT(operations); i++) {
		const struct operation *op = &operations[i];

		for (uint64_t k = 0; k < 100; k++) {
			struct dvt_memfs *fs = dvt_memfs_new();

			op->prepare(fs);
			dvt_memfs_cut(fs, k % 10, DVT_CUT_MIX, k);
			(void)op->run(fs);
			dvt_memfs_power_on(fs);
			dvt_memfs_cut(fs, k / 10, DVT_CUT_MIX, k + 1);
			if (dvt_dir_recover(&dvt_memfs, fs, "d", NULL) ==
			    DVT_OK)
				(void)op->run(fs);
			dvt_memfs_power_on(fs);
			must(dvt_dir_recover(&dvt_memfs, fs, "d", NULL));
			op->check(fs, false);
			dvt_memfs_free(fs);
		}
	}
}

/*
 * A killed process is no power cut, and neither is a call that failed: what
 * goes on reads what was never synced. Then the power is cut.
 */
enum first { KILLED, FAILED, FAILED_AND_RETRIED, FIRSTS };

static unsigned skip; /* sync_dir calls that do nothing, in what follows */

static enum dvt_code
skipped_sync_dir(void *ctx, const char *dir, struct dvt_err *err)
{
	if (skip == 0)
		return dvt_memfs.sync_dir(ctx, dir, err);
	skip--;
	return DVT_OK;
}

static bool
is_half(struct dvt_memfs *fs)
{
	char names[64], key[64], chain[64];

	names_in(fs, "d", names, sizeof(names));
	content(fs, "d/7/key.pem", key, sizeof(key));
	content(fs, "d/7/chain.pem", chain, sizeof(chain));
	return strncmp(names, "7/", 2) == 0 &&
	       (strcmp(key, "key") != 0 || strcmp(chain, "chain") != 0);
}

static struct {
	unsigned points, half, taken_back;
} seen;

/* @planted: the first sync_dir after the first blow is missing */
static void
strike_twice(const struct operation *op, enum first first, uint64_t k,
    uint64_t again, uint64_t seed, bool planted)
{
	struct dvt_memfs *fs = dvt_memfs_new();
	struct dvt_fs table = dvt_memfs;
	char before[64] = "", after[64];
	enum dvt_code rc;

	table.sync_dir = skipped_sync_dir;
	skip = 0;
	op->prepare(fs);
	if (first == KILLED)
		dvt_memfs_cut(fs, k, DVT_CUT_KILL, 0);
	else
		dvt_memfs_fail(fs, k, 1, EIO);
	(void)op->run(fs);
	dvt_memfs_fail(fs, 0, 0, 0);
	if (first == KILLED)
		dvt_memfs_power_on(fs);
	dvt_memfs_cut(fs, again, DVT_CUT_MIX, seed);
	skip = planted;
	rc = first == FAILED_AND_RETRIED && op->run == run_remove
		 ? dvt_tree_remove(&table, fs, "d", "7", NULL)
	     : first == FAILED_AND_RETRIED
		 ? op->run(fs)
		 : dvt_dir_recover(&table, fs, "d", NULL);
	if (rc == DVT_OK)
		content(fs, "d/f", before, sizeof(before));
	dvt_memfs_power_on(fs);
	skip = 0;
	must(dvt_dir_recover(&dvt_memfs, fs, "d", NULL));
	content(fs, "d/f", after, sizeof(after));
	seen.points++;
	seen.half += is_half(fs);
	seen.taken_back += before[0] != '\0' && strcmp(before, after) != 0;
	if (!planted)
		op->check(fs, false);
	dvt_memfs_free(fs);
}

static void
strike_everywhere(bool planted)
{
	memset(&seen, 0, sizeof(seen));
	for (size_t i = 0; i < DVT_COUNT(operations); i++)
		for (int first = KILLED; first < FIRSTS; first++)
			for (uint64_t at = 0; at < 12 * 12; at++)
				for (uint64_t seed = 0; seed < SEEDS; seed++)
					strike_twice(&operations[i],
					    (enum first)first, at / 12, at % 12,
					    seed, planted);
}

static void
promise_5_killed_or_failed_then_cut_leaves_it_whole(void **state)
{
	(void)state;
	strike_everywhere(false);
	print_message("# %u points: killed, or a call failed, and tried again "
		      "or recovered, then cut\n",
	    seen.points);
	assert_int_equal(seen.half, 0);
	assert_int_equal(seen.taken_back, 0);
}

static void
and_where_the_first_sync_is_missing_that_is_found(void **state)
{
	(void)state;
	strike_everywhere(true);
	print_message("# planted: %u of %u points leave half a directory, %u "
		      "take back what was read\n",
	    seen.half, seen.points, seen.taken_back);
	assert_true(seen.half > 0);
	assert_true(seen.taken_back > 0);
}

/*
 * Killed, or refused, in the middle of a removal; then it is begun again, or
 * the next process recovers, and the power goes at each call of that: never
 * half of it, whatever of it the disk kept.
 */
static void
a_removal_that_is_begun_again_leaves_it_whole_or_gone(void **state)
{
	(void)state;
	for (uint64_t n = 0; n < 6 * 8 * 40 * 2; n++) {
		uint64_t first = n % 6, k = n / 6 % 8, seed = n / 48 % 40;
		struct dvt_memfs *fs = dvt_memfs_new();

		prepare_remove(fs);
		dvt_memfs_fail(fs, first, n % 2 == 0 ? 1 : UINT64_MAX, EIO);
		(void)run_remove(fs);
		dvt_memfs_fail(fs, 0, 0, 0);
		dvt_memfs_cut(fs, k, DVT_CUT_MIX, seed + 1);
		if (n >= 6 * 8 * 40)
			(void)run_remove(fs);
		else
			(void)!dvt_dir_recover(&dvt_memfs, fs, "d", NULL);
		dvt_memfs_power_on(fs);
		must(dvt_dir_recover(&dvt_memfs, fs, "d", NULL));
		(void)tree_is_whole(fs); /* fails where it is half */
		dvt_memfs_free(fs);
	}
}

static void
a_full_disk_changes_nothing(void **state)
{
	(void)state;
	for (size_t i = 0; i < DVT_COUNT(operations); i++) {
		for (uint64_t k = 0; k < 12; k++) {
			struct dvt_memfs *fs = dvt_memfs_new();
			enum dvt_code rc;

			operations[i].prepare(fs);
			dvt_memfs_fail(fs, k, 1, ENOSPC);
			rc = operations[i].run(fs);
			dvt_memfs_fail(fs, 0, 0, 0);
			must(dvt_dir_recover(&dvt_memfs, fs, "d", NULL));
			operations[i].check(fs, rc == DVT_OK);
			dvt_memfs_free(fs);
		}
	}
}

static void
what_exists_is_not_put_twice_and_what_does_not_is_absent(void **state)
{
	struct dvt_memfs *fs = dvt_memfs_new();

	(void)state;
	prepare_remove(fs);
	assert_int_equal(run_put(fs), DVT_E_CONFLICT);
	must(run_remove(fs));
	assert_int_equal(run_remove(fs), DVT_E_ABSENT);
	assert_int_equal(
	    dvt_atomic_replace(&dvt_memfs, fs, "d", "x.new", OLD, 0600, NULL),
	    DVT_E_INPUT);
	assert_int_equal(
	    dvt_atomic_replace(&dvt_memfs, fs, "d", "a/b", OLD, 0600, NULL),
	    DVT_E_INPUT);
	must(dvt_dir_ensure(&dvt_memfs, fs, "d", NULL));
	must(dvt_dir_ensure(&dvt_memfs, fs, "d/e", NULL));
	dvt_memfs_power_on(fs);
	must(dvt_memfs.sync_dir(fs, "d/e", NULL));
	dvt_memfs_free(fs);
}

static void
make(struct dvt_memfs *fs, const char *dir, const char *file)
{
	must(dvt_dir_ensure(&dvt_memfs, fs, dir, NULL));
	if (file != NULL)
		must(dvt_memfs.write_new(fs, file, OLD, 0600, NULL));
}

/* Whatever a stranger lays in the way: recovery and each operation work. */
static void
what_is_not_ours_stays_and_stops_nothing(void **state)
{
	struct dvt_memfs *fs = dvt_memfs_new();
	char text[200];

	(void)state;
	prepare_remove(fs);
	make(fs, "d/7.old", "d/7.old/key.pem");
	make(fs, "d/7.old/sub", "d/7.old/sub/x");
	make(fs, "d/8.new", "d/8.new/x");
	make(fs, "d/backup.old", "d/backup.old/x");
	make(fs, "d/f.new", "d/f.new/x");
	make(fs, "d/f.new/sub", NULL);
	must(dvt_dir_recover(&dvt_memfs, fs, "d", NULL));
	names_in(fs, "d", text, sizeof(text));
	assert_string_equal(text, "7/ 7.old/ backup.old/ f.new/ ");
	names_in(fs, "d/7.old", text, sizeof(text));
	assert_string_equal(text, "sub/ "); /* a key that was ours is gone */
	must(run_replace(fs));
	must(run_remove(fs));
	make(fs, "d/7", NULL);
	make(fs, "d/7/sub", NULL);
	must(run_remove(fs)); /* with something in it */
	must(dvt_dir_recover(&dvt_memfs, fs, "d", NULL));
	names_in(fs, "d", text, sizeof(text));
	assert_string_equal(
	    text, "7.old/ 7.old.bad/ backup.old/ f f.new.bad/ ");
	content(fs, "d/7.old.bad/sub/x", text, sizeof(text));
	assert_string_equal(text, (const char *)OLD.p);
	content(fs, "d/f.new.bad/x", text, sizeof(text));
	assert_string_equal(text, (const char *)OLD.p);
	dvt_memfs_free(fs);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(promise_5_a_cut_at_any_call_leaves_it_whole),
	    cmocka_unit_test(promise_5_two_cuts_leave_it_whole),
	    cmocka_unit_test(
		a_removal_that_is_begun_again_leaves_it_whole_or_gone),
	    cmocka_unit_test(
		promise_5_killed_or_failed_then_cut_leaves_it_whole),
	    cmocka_unit_test(and_where_the_first_sync_is_missing_that_is_found),
	    cmocka_unit_test(what_is_not_ours_stays_and_stops_nothing),
	    cmocka_unit_test(a_full_disk_changes_nothing),
	    cmocka_unit_test(
		what_exists_is_not_put_twice_and_what_does_not_is_absent),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
