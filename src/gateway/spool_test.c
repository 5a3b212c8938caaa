/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/spool.h"

#include "durable/memfs.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct gw_spool *
open_on(struct dvt_memfs *fs)
{
	struct gw_spool *s;

	assert_int_equal(gw_spool_open(&dvt_memfs, fs, &s, NULL), DVT_OK);
	return s;
}

static void
add(struct gw_spool *s, const char *line)
{
	gw_spool_add(s, dvt_span_str(line));
}

static void
batches_come_in_order_until_they_are_acknowledged(void **state)
{
	struct dvt_memfs *fs = dvt_memfs_new();
	struct gw_spool *s = open_on(fs);
	struct dvt_span lines;
	int64_t first, second;

	(void)state;
	add(s, "one");
	add(s, "two");
	gw_spool_flush(s);
	add(s, "three");
	gw_spool_flush(s);
	assert_int_equal(gw_spool_batches(s), 2);
	first = gw_spool_next(s, &lines);
	assert_true(dvt_span_eq_str(lines, "one\ntwo\n"));
	assert_int_equal(gw_spool_next(s, &lines), first); /* again */
	gw_spool_acked(s, first + 100);                    /* somebody else's */
	assert_int_equal(gw_spool_next(s, &lines), first);
	gw_spool_acked(s, first);
	second = gw_spool_next(s, &lines);
	assert_true(second > first);
	assert_true(dvt_span_eq_str(lines, "three\n"));
	gw_spool_acked(s, second);
	assert_true(gw_spool_next(s, &lines) > second);
	assert_int_equal(lines.n, 0);
	gw_spool_close(s);
	dvt_memfs_free(fs);
}

/* Cut at every call: a number is never used for two batches, and what was
 * flushed before the cut is there. */
static void
a_cut_loses_nothing_flushed_and_repeats_no_number(void **state)
{
	(void)state;
	for (uint64_t cut = 0; cut < 40; cut++) {
		struct dvt_memfs *fs = dvt_memfs_new();
		struct gw_spool *s = open_on(fs);
		int64_t used[16], n = 0, number;
		struct dvt_span lines;
		bool kept;

		add(s, "kept");
		gw_spool_flush(s);
		used[n++] = gw_spool_next(s, &lines);
		gw_spool_acked(s, used[0]);
		used[n++] = gw_spool_next(s, &lines); /* a heartbeat */
		add(s, "safe");
		gw_spool_flush(s);
		kept = gw_spool_batches(s) == 1;
		dvt_memfs_cut(fs, cut, DVT_CUT_DROP, 0);
		used[n++] = gw_spool_next(s, &lines);
		add(s, "more");
		gw_spool_flush(s);
		gw_spool_close(s);
		dvt_memfs_power_on(fs);
		s = open_on(fs);
		number = gw_spool_next(s, &lines);
		if (kept && dvt_span_eq_str(lines, "safe\n"))
			assert_int_equal(number, used[2]);
		else
			for (int i = 0; i < n; i++)
				assert_int_not_equal(number, used[i]);
		gw_spool_close(s);
		dvt_memfs_free(fs);
	}
}

static void
what_does_not_fit_is_counted(void **state)
{
	struct dvt_memfs *fs = dvt_memfs_new();
	struct gw_spool *s = open_on(fs);
	struct dvt_span lines;

	(void)state;
	dvt_memfs_fail(fs, 0, UINT64_MAX, 28 /* ENOSPC */);
	add(s, "x");
	add(s, "y");
	gw_spool_flush(s);
	assert_int_equal(gw_spool_batches(s), 0);
	assert_int_equal(gw_spool_lost(s), 2);
	dvt_memfs_fail(fs, 0, 0, 0);
	add(s, "z");
	gw_spool_flush(s);
	assert_int_equal(gw_spool_batches(s), 1);
	assert_true(gw_spool_next(s, &lines) > 0);
	assert_true(dvt_span_eq_str(lines, "z\n"));
	gw_spool_close(s);
	dvt_memfs_free(fs);
}

/* A full disk keeps no gateway from starting; what it sends meanwhile would be
 * taken for what a later life sends, so it sends nothing. */
static void
without_a_number_that_is_sure_nothing_is_sent(void **state)
{
	struct dvt_memfs *fs = dvt_memfs_new();
	struct gw_spool *s = open_on(fs);
	struct dvt_span lines;
	int64_t before = gw_spool_next(s, &lines);

	(void)state;
	gw_spool_close(s);
	dvt_memfs_fail(fs, 2, UINT64_MAX, 28 /* ENOSPC */);
	s = open_on(fs);
	assert_int_equal(gw_spool_next(s, &lines), 0);
	add(s, "x");
	gw_spool_flush(s);
	assert_int_equal(gw_spool_lost(s), 1);
	assert_int_equal(gw_spool_next(s, &lines), 0);
	dvt_memfs_fail(fs, 0, 0, 0);
	assert_true(gw_spool_next(s, &lines) > before);
	gw_spool_close(s);
	dvt_memfs_free(fs);
}

static void
a_batch_is_cut_by_lines_and_by_bytes(void **state)
{
	struct dvt_memfs *fs = dvt_memfs_new();
	struct gw_spool *s = open_on(fs);
	static char big[4096];

	(void)state;
	for (int i = 0; i < GW_BATCH_LINES + 1; i++)
		add(s, "l");
	assert_int_equal(gw_spool_batches(s), 1);
	memset(big, 'b', sizeof(big) - 1);
	for (int i = 0; i < GW_BATCH_BYTES / 4096 + 1; i++)
		add(s, big);
	assert_int_equal(gw_spool_batches(s), 2);
	gw_spool_close(s);
	dvt_memfs_free(fs);
}

/* What somebody who keeps the records meanwhile is told. */
struct seen {
	int64_t number; /* being written; 0: none */
	unsigned written;
};

static void
on_writing(void *user, int64_t number)
{
	struct seen *seen = user;

	assert_int_equal(seen->number, 0);
	seen->number = number;
}

static void
on_written(void *user)
{
	struct seen *seen = user;

	assert_true(seen->number > 0);
	seen->number = 0;
	seen->written++;
}

static void
a_batch_cut_short_is_unwritten_and_made_anew(void **state)
{
	struct dvt_memfs *fs = dvt_memfs_new();
	struct gw_spool *s = open_on(fs);
	struct seen seen = {0};
	const struct gw_spool_watch watch = {on_writing, on_written, &seen};
	struct dvt_span lines;
	int64_t first, second;

	(void)state;
	gw_spool_watch(s, &watch);
	gw_spool_flush(s); /* nothing to tell of */
	assert_int_equal(seen.written, 0);
	add(s, "one");
	gw_spool_flush(s);
	assert_int_equal(seen.written, 1);
	first = gw_spool_next(s, &lines);
	add(s, "two");
	gw_spool_flush(s);
	add(s, "three");
	gw_spool_flush(s);
	assert_int_equal(seen.written, 3);
	gw_spool_close(s);
	/* the successor finds all three, and was told not to trust the second
	 */
	s = open_on(fs);
	second = first + 1;
	assert_int_equal(gw_spool_batches(s), 3);
	gw_spool_unwrite(s, second);
	gw_spool_unwrite(s, second);
	gw_spool_unwrite(s, second + 1000);
	assert_int_equal(gw_spool_batches(s), 2);
	assert_int_equal(gw_spool_next(s, &lines), first);
	gw_spool_acked(s, first);
	assert_true(gw_spool_next(s, &lines) > second);
	assert_true(dvt_span_eq_str(lines, "three\n"));
	gw_spool_close(s);
	s = open_on(fs);
	assert_int_equal(gw_spool_batches(s), 1);
	gw_spool_close(s);
	dvt_memfs_free(fs);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(batches_come_in_order_until_they_are_acknowledged),
	    cmocka_unit_test(a_cut_loses_nothing_flushed_and_repeats_no_number),
	    cmocka_unit_test(without_a_number_that_is_sure_nothing_is_sent),
	    cmocka_unit_test(what_does_not_fit_is_counted),
	    cmocka_unit_test(a_batch_is_cut_by_lines_and_by_bytes),
	    cmocka_unit_test(a_batch_cut_short_is_unwritten_and_made_anew),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
