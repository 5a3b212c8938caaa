/* SPDX-License-Identifier: Apache-2.0 */
/*
 * power_test [TEST [LIFE]]
 *
 * Promise 5: cut the agent's power at any call that changes the disk, with
 * nothing, all, or some of what was not synced lost, let the disk refuse any
 * call, lose any answer, and it comes back with one working credential, never
 * a mixed pair, and finishes what it began.
 */
#include "lives.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define FOREVER UINT64_MAX

static unsigned points, pairs; /* tried */
static unsigned seeds = 1, pair_step = 101, refuse_step = 29;
static const char *only; /* that life; NULL: all */

static bool
is_wanted(const struct life *l)
{
	return only == NULL || strcmp(l->name, only) == 0;
}

/* --- cuts --- */

static void
cut_once(const struct life *l, const struct testworld *ready, uint64_t k,
    enum dvt_cut mode, uint64_t seed)
{
	life_cut(l, ready, k, mode, seed);
	points++;
}

/* The second cut hits the recovery, or what is done again. */
static bool
cut_twice(const struct life *l, const struct testworld *ready, uint64_t k,
    uint64_t again, uint64_t seed)
{
	struct testworld w;
	char when[120];
	bool hit;

	(void)snprintf(when, sizeof(when),
	    "%s: cuts before calls %u and %u, seed %u", l->name, (unsigned)k,
	    (unsigned)again, (unsigned)seed);
	testworld_copy(&w, ready);
	dvt_memfs_cut(w.disk, k, DVT_CUT_MIX, seed);
	life_run(l, &w);
	testworld_off(&w);
	dvt_memfs_power_on(w.disk);
	dvt_memfs_cut(
	    w.disk, again, seed % 2 == 0 ? DVT_CUT_DROP : DVT_CUT_MIX, seed);
	life_run(l, &w);
	hit = dvt_memfs_is_off(w.disk);
	testworld_off(&w);
	dvt_memfs_power_on(w.disk);
	life_check(l, &w, when);
	testworld_fini(&w);
	points++;
	pairs += hit;
	return hit;
}

static void
cut_everywhere(const struct life *l)
{
	struct testworld ready;
	uint64_t calls;
	unsigned before = points, pairs_before = pairs;

	l->prepare(&ready);
	calls = life_calls(l, &ready);
	for (uint64_t k = 0; k <= calls; k++) {
		cut_once(l, &ready, k, DVT_CUT_DROP, 0);
		cut_once(l, &ready, k, DVT_CUT_KEEP, 0);
		for (uint64_t seed = 1; seed <= seeds; seed++)
			cut_once(l, &ready, k, DVT_CUT_MIX, seed);
		for (uint64_t again = k % pair_step;
		     cut_twice(l, &ready, k, again, k + again);
		     again += pair_step)
			;
	}
	print_message("# %s: %u calls, %u cuts, %u of them pairs\n", l->name,
	    (unsigned)calls, points - before, pairs - pairs_before);
	testworld_fini(&ready);
}

static void
promise_5_any_cut_leaves_one_working_credential(void **state)
{
	(void)state;
	for (size_t i = 0; i < lives_n; i++)
		if (is_wanted(&lives[i]))
			cut_everywhere(&lives[i]);
	print_message("# %u cuts in all, %u of them pairs\n", points, pairs);
}

/* --- a disk that refuses without any cut --- */

static const struct {
	int sys;
	const char *name;
} reasons[] = {
    {ENOSPC, "ENOSPC"},
    {EIO,    "EIO"   },
    {EDQUOT, "EDQUOT"},
    {EROFS,  "EROFS" },
};

/*
 * From call @k on @n calls are refused; while they are, what it has still
 * works and it checks in; when the disk is well again, it finishes.
 */
static void
refuse(const struct life *l, const struct testworld *ready, uint64_t k,
    uint64_t n, size_t reason)
{
	struct testworld w;
	char when[120];
	unsigned heard;

	(void)snprintf(when, sizeof(when), "%s: %s at call %u, %s", l->name,
	    reasons[reason].name, (unsigned)k, n == 1 ? "once" : "for good");
	testworld_copy(&w, ready);
	dvt_memfs_fail(w.disk, k, n, reasons[reason].sys);
	if (!life_turn_on(&w))
		life_failed(when, "does not open");
	life_check_now(l, &w, when);
	life_ask(l, &w);
	heard = w.checkins;
	(void)testworld_run(&w, HOUR_S, NULL);
	life_check_now(l, &w, when);
	if (l->command == NULL && w.checkins < heard + 5)
		life_failed(when, "it checks in no more");
	if (n == FOREVER && l->command == NULL) { /* started on such a disk */
		testworld_off(&w);
		testworld_on(&w);
		heard = w.checkins;
		(void)testworld_run(&w, HOUR_S, NULL);
		life_check_now(l, &w, when);
		if (w.checkins < heard + 5)
			life_failed(when, "it checks in no more");
	}
	dvt_memfs_fail(w.disk, 0, 0, 0);
	life_finish(l, &w, when);
	testworld_fini(&w);
	points++;
}

static void
promise_5_a_disk_that_refuses_any_call_loses_nothing(void **state)
{
	unsigned before = points;

	(void)state;
	for (size_t i = 0; i < lives_n; i++) {
		struct testworld ready;
		uint64_t all;

		if (!is_wanted(&lives[i]))
			continue;
		lives[i].prepare(&ready);
		all = (life_calls(&lives[i], &ready) + 1) * DVT_COUNT(reasons);
		for (uint64_t k = i % refuse_step; k < all; k += refuse_step) {
			refuse(&lives[i], &ready, k / DVT_COUNT(reasons), 1,
			    k % DVT_COUNT(reasons));
			refuse(&lives[i], &ready, k / DVT_COUNT(reasons),
			    FOREVER, k % DVT_COUNT(reasons));
		}
		testworld_fini(&ready);
	}
	print_message("# %u refused calls\n", points - before);
}

/* --- the server did it, the answer is lost --- */

/* How the answer is lost: it does not come, or the power goes before. */
static void
lose(const struct life *l, const struct testworld *ready, unsigned exchange,
    bool cut)
{
	struct testworld w;
	char when[120];

	(void)snprintf(when, sizeof(when), "%s: answer %u lost%s", l->name,
	    exchange, cut ? ", and the power" : "");
	testworld_copy(&w, ready);
	w.exchanges = 0;
	w.lose_at = exchange;
	w.lose_ends = cut;
	life_run(l, &w);
	if (cut) {
		testworld_off(&w);
		dvt_memfs_power_on(w.disk);
		life_check(l, &w, when);
	} else {
		life_finish(l, &w, when);
	}
	testworld_fini(&w);
	points++;
}

static void
promise_5_any_answer_may_be_lost(void **state)
{
	unsigned before = points;

	(void)state;
	for (size_t i = 0; i < lives_n; i++) {
		const struct life *l = &lives[i];
		struct testworld ready, w;

		if (!is_wanted(l))
			continue;
		l->prepare(&ready);
		testworld_copy(&w, &ready);
		w.exchanges = 0;
		if (!life_turn_on(&w))
			life_failed(l->name, "does not open");
		life_ask(l, &w);
		assert_true(testworld_run(&w, HOUR_S, l->is_done));
		assert_true(w.exchanges > 0);
		for (unsigned k = 1; k <= w.exchanges; k++) {
			lose(l, &ready, k, false);
			lose(l, &ready, k, true);
		}
		testworld_fini(&w);
		testworld_fini(&ready);
	}
	print_message("# %u lost answers\n", points - before);
}

/* --- wear of the flash --- */

static unsigned writes;

static enum dvt_code
counted_new(void *ctx, const char *path, struct dvt_span bytes, unsigned mode,
    struct dvt_err *err)
{
	writes++;
	return dvt_memfs.write_new(ctx, path, bytes, mode, err);
}

static enum dvt_code
counted_append(void *ctx, const char *path, struct dvt_span bytes,
    unsigned mode, struct dvt_err *err)
{
	writes++;
	return dvt_memfs.append(ctx, path, bytes, mode, err);
}

static void
an_update_takes_at_most_forty_file_writes(void **state)
{
	struct dvt_fs fs = dvt_memfs;

	(void)state;
	fs.write_new = counted_new;
	fs.append = counted_append;
	for (size_t i = 0; i < lives_n; i++) {
		struct testworld w;

		lives[i].prepare(&w);
		w.fs = &fs;
		writes = 0;
		life_run(&lives[i], &w);
		assert_true(lives[i].is_done(&w));
		print_message("# %s: %u file writes\n", lives[i].name, writes);
		assert_in_range(writes, 1, 40);
		testworld_fini(&w);
	}
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(promise_5_any_cut_leaves_one_working_credential),
	    cmocka_unit_test(
		promise_5_a_disk_that_refuses_any_call_loses_nothing),
	    cmocka_unit_test(promise_5_any_answer_may_be_lost),
	    cmocka_unit_test(an_update_takes_at_most_forty_file_writes),
	};
	const char *how = getenv("DOVETAIL_LONG");
	int failed;

	if (how != NULL && strcmp(how, "1") == 0) {
		seeds = 40;
		pair_step = 1;
		refuse_step = 1;
	}
	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	if (argc > 2)
		only = argv[2];
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	print_message("# %u points in all\n", points);
	testpki_free();
	return failed;
}
