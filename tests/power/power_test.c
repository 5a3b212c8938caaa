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
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define FOREVER UINT64_MAX
#define NEVER   UINT64_MAX

static unsigned points;   /* tried */
static unsigned pairs[3]; /* by what came before the cut */
static unsigned seeds = 1, pair_step = 101, refuse_step = 37;
static unsigned read_step = 23, fail_step = 3;
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

/* What comes before the last cut. */
enum blow { CUT, KILLED, FAILED, BLOWS };
static const char *const blow_names[] = {
    "cut", "killed, nothing lost", "EIO, once"};

/*
 * The first blow at call @k, the cut @again calls later: in the recovery, or
 * in what is done again. After a call that failed the same process goes on.
 */
static bool
hit_twice(const struct life *l, const struct testworld *ready, enum blow blow,
    uint64_t k, uint64_t again)
{
	const uint64_t seed = k + again;
	const enum dvt_cut mode = seed % 2 == 0 ? DVT_CUT_DROP : DVT_CUT_MIX;
	struct testworld w;
	char when[160];
	bool hit;

	(void)snprintf(when, sizeof(when),
	    "%s: %s before call %u, cut %u later", l->name, blow_names[blow],
	    (unsigned)k, (unsigned)again);
	testworld_copy(&w, ready);
	if (blow == FAILED) {
		dvt_memfs_fail(w.disk, k, 1, EIO);
		dvt_memfs_cut(w.disk, k + 1 + again, mode, seed);
	} else {
		dvt_memfs_cut(w.disk, k,
		    blow == KILLED ? DVT_CUT_KILL : DVT_CUT_MIX, seed);
		life_run(l, &w);
		testworld_off(&w);
		dvt_memfs_power_on(w.disk);
		dvt_memfs_cut(w.disk, again, mode, seed);
	}
	life_run(l, &w);
	hit = dvt_memfs_is_off(w.disk);
	testworld_off(&w);
	dvt_memfs_fail(w.disk, 0, 0, 0);
	dvt_memfs_power_on(w.disk);
	life_check(l, &w, when);
	testworld_fini(&w);
	points++;
	pairs[blow] += hit;
	return hit;
}

static void
cut_everywhere(const struct life *l)
{
	struct testworld ready;
	uint64_t calls;
	unsigned before = points, was[BLOWS];

	memcpy(was, pairs, sizeof(was));
	l->prepare(&ready);
	calls = life_calls(l, &ready);
	for (uint64_t k = 0; k <= calls; k++) {
		cut_once(l, &ready, k, DVT_CUT_DROP, 0);
		cut_once(l, &ready, k, DVT_CUT_KEEP, 0);
		for (uint64_t seed = 1; seed <= seeds; seed++)
			cut_once(l, &ready, k, DVT_CUT_MIX, seed);
		for (int blow = CUT; blow < BLOWS; blow++) {
			/* a sample takes them in turn */
			if (pair_step > 1 && k % BLOWS != (uint64_t)blow)
				continue;
			for (uint64_t again = k % pair_step;
			     hit_twice(l, &ready, (enum blow)blow, k, again);
			     again += pair_step)
				;
		}
	}
	print_message("# %s: %u calls, %u cuts; before one, %u cuts, %u kills, "
		      "%u failed calls\n",
	    l->name, (unsigned)calls, points - before, pairs[CUT] - was[CUT],
	    pairs[KILLED] - was[KILLED], pairs[FAILED] - was[FAILED]);
	testworld_fini(&ready);
}

static void
promise_5_any_cut_leaves_one_working_credential(void **state)
{
	(void)state;
	for (size_t i = 0; i < lives_n; i++)
		if (is_wanted(&lives[i]))
			cut_everywhere(&lives[i]);
	print_message("# %u cuts in all; %u after a cut, %u after a kill, %u "
		      "after a call that failed\n",
	    points, pairs[CUT], pairs[KILLED], pairs[FAILED]);
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

/*
 * From read @k on @n reads fail, and it may end for that; it goes on from what
 * it can read, and forgets nothing: once the disk is well, all is there.
 */
static void
misread(
    const struct life *l, const struct testworld *ready, uint64_t k, uint64_t n)
{
	struct testworld w;
	char when[120];

	(void)snprintf(when, sizeof(when), "%s: EIO at read %u, %s", l->name,
	    (unsigned)k, n == 1 ? "once" : "for good");
	testworld_copy(&w, ready);
	dvt_memfs_fail_reads(w.disk, k, n, EIO);
	for (int tries = 0; tries < 2 && w.agent == NULL; tries++) {
		if (testworld_try_on(&w, NULL) != DVT_OK)
			testworld_off(&w);
	}
	if (n == 1 && w.agent == NULL)
		life_failed(when, "does not open");
	if (w.agent != NULL) {
		(void)!life_try_ask(l, &w);
		(void)testworld_run(&w, HOUR_S, l->is_done);
		testworld_off(&w);
	}
	dvt_memfs_fail_reads(w.disk, 0, 0, 0);
	life_check(l, &w, when);
	testworld_fini(&w);
	points++;
}

static void
promise_5_a_disk_that_fails_to_read_loses_nothing(void **state)
{
	unsigned before = points;

	(void)state;
	for (size_t i = 0; i < lives_n; i++) {
		const struct life *l = &lives[i];
		struct testworld ready, w;
		uint64_t all;

		if (!is_wanted(l))
			continue;
		l->prepare(&ready);
		testworld_copy(&w, &ready);
		all = dvt_memfs_reads(w.disk);
		life_run(l, &w);
		all = dvt_memfs_reads(w.disk) - all;
		testworld_fini(&w);
		for (uint64_t k = i % read_step; k < all; k += read_step) {
			misread(l, &ready, k, 1);
			misread(l, &ready, k, FOREVER);
		}
		testworld_fini(&ready);
	}
	print_message("# %u failed reads\n", points - before);
}

/* --- the server did it, the answer is lost --- */

/*
 * How the answer is lost: it does not come, or the power goes before. @fail: a
 * call of the disk that failed once meanwhile, or NEVER: what the agent went on
 * with is on the disk before anybody else acts on it.
 */
static void
lose(const struct life *l, const struct testworld *ready, unsigned exchange,
    bool cut, uint64_t fail)
{
	struct testworld w;
	char when[160];

	(void)snprintf(when, sizeof(when),
	    "%s: EIO, once at call %" PRId64 ", answer %u lost%s", l->name,
	    (int64_t)fail, exchange, cut ? ", and the power" : "");
	testworld_copy(&w, ready);
	dvt_memfs_fail(w.disk, fail, 1, EIO);
	w.exchanges = 0;
	w.lose_at = exchange;
	w.lose_ends = cut;
	if (!cut) /* a hook that does not end has failed: told, not mended */
		w.config.hook_config = false;
	life_run(l, &w);
	if (cut) {
		testworld_off(&w);
		dvt_memfs_fail(w.disk, 0, 0, 0);
		dvt_memfs_power_on(w.disk);
		life_check(l, &w, when);
	} else {
		life_finish(l, &w, when);
	}
	testworld_fini(&w);
	points++;
}

/* Enrolment has one secret and no other way, so it is tried more closely. */
static void
lose_after_a_failure(
    const struct life *l, const struct testworld *ready, unsigned exchanges)
{
	const uint64_t step = l->command != NULL ? fail_step : 7 * fail_step;
	const uint64_t calls = life_calls(l, ready);

	for (unsigned n = 1; n <= exchanges; n++)
		for (uint64_t k = n % step; k < calls; k += step)
			lose(l, ready, n, true, k);
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
			lose(l, &ready, k, false, NEVER);
			lose(l, &ready, k, true, NEVER);
		}
		lose_after_a_failure(l, &ready, w.exchanges);
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
	    cmocka_unit_test(promise_5_a_disk_that_fails_to_read_loses_nothing),
	    cmocka_unit_test(promise_5_any_answer_may_be_lost),
	    cmocka_unit_test(an_update_takes_at_most_forty_file_writes),
	};
	const char *how = getenv("DOVETAIL_LONG");
	int failed;

	if (how != NULL && strcmp(how, "1") == 0) {
		seeds = 40;
		pair_step = 1;
		refuse_step = 1;
		read_step = 1;
		fail_step = 1;
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
