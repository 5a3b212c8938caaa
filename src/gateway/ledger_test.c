/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/ledger.h"

#include "base/mem.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

static struct gw_ledger *
ledger_new(void)
{
	struct gw_ledger *l;

	assert_int_equal(gw_ledger_new(&l, NULL), DVT_OK);
	return l;
}

static void
nothing_counts_before_it_is_committed(void **state)
{
	struct gw_ledger *l = ledger_new();
	struct gw_ledger_state *s = gw_ledger_begin(l);

	(void)state;
	assert_true(gw_ledger_line(l, dvt_span_str("one")));
	assert_true(gw_ledger_counted(l, '1', dvt_span_str("two")));
	s->taken[3].seq = 7;
	assert_int_equal(gw_ledger_lines(l, 0).n, 0);
	assert_int_equal(gw_ledger_get(l)->taken[3].seq, 0);
	/* killed here: begun again, it is as before */
	s = gw_ledger_begin(l);
	assert_int_equal(s->lines_n + s->counted_n + s->taken[3].seq, 0);
	assert_true(gw_ledger_line(l, dvt_span_str("three")));
	assert_true(gw_ledger_counted(l, '2', dvt_span_str("four")));
	gw_ledger_commit(l);
	assert_true(dvt_span_eq_str(gw_ledger_lines(l, 0), "three\n"));
	assert_true(dvt_span_eq_str(gw_ledger_counts(l), "2four\n"));
	gw_ledger_free(l);
}

static void
lines_begin_anew_when_all_is_put_away(void **state)
{
	struct gw_ledger *l = ledger_new();
	struct gw_ledger_state *s;

	(void)state;
	for (int round = 0; round < 3; round++) {
		(void)gw_ledger_begin(l);
		assert_true(gw_ledger_line(l, dvt_span_str("line")));
		gw_ledger_commit(l);
		assert_int_equal(gw_ledger_get(l)->lines_n, 5);
		s = gw_ledger_begin(l);
		s->file_done = s->lines_n;
		gw_ledger_commit(l);
		/* the spool has not got it yet */
		assert_int_equal(gw_ledger_begin(l)->lines_n, 5);
		gw_ledger_commit(l);
		s = gw_ledger_begin(l);
		s->spool_done = s->lines_n;
		gw_ledger_commit(l);
		assert_int_equal(gw_ledger_begin(l)->lines_n, 0);
	}
	gw_ledger_free(l);
}

static void
what_has_no_room_is_refused(void **state)
{
	static uint8_t bytes[GW_LEDGER_COUNTED];
	struct dvt_span half = {bytes, GW_LEDGER_COUNTED / 2};
	struct gw_ledger *l = ledger_new();
	size_t n = 0;

	(void)state;
	(void)gw_ledger_begin(l);
	assert_true(gw_ledger_counted(l, '1', half));
	assert_false(gw_ledger_counted(l, '1', half));
	while (gw_ledger_line(l, half))
		n++;
	assert_int_equal(n, GW_LEDGER_LINES / (half.n + 1));
	gw_ledger_commit(l);
	assert_int_equal(gw_ledger_get(l)->lines_n, n * (half.n + 1));
	gw_ledger_free(l);
}

/* Message after message, each of two lines, until it is killed. */
static void
take_for_ever(struct gw_ledger *l)
{
	char text[32];

	for (;;) {
		struct gw_ledger_state *s = gw_ledger_begin(l);
		int n = snprintf(text, sizeof(text), "%llu",
		    (unsigned long long)++s->taken[0].seq);

		if (s->lines_n > 100000)
			s->lines_n = 0;
		(void)gw_ledger_line(
		    l, (struct dvt_span){(uint8_t *)text, (size_t)n});
		(void)gw_ledger_line(
		    l, (struct dvt_span){(uint8_t *)text, (size_t)n});
		gw_ledger_commit(l);
	}
}

static void
a_writer_killed_anywhere_leaves_a_whole_state(void **state)
{
	struct gw_ledger *l = ledger_new();
	uint64_t before = 0;

	(void)state;
	for (int round = 0; round < 30; round++) {
		struct timespec pause = {.tv_nsec = 1000000 + round * 37000};
		pid_t child = fork();
		struct dvt_span in;
		char last[40];
		int n;

		if (child == 0)
			take_for_ever(l);
		nanosleep(&pause, NULL);
		kill(child, SIGKILL);
		assert_int_equal(waitpid(child, NULL, 0), child);
		assert_true(gw_ledger_get(l)->taken[0].seq >= before);
		before = gw_ledger_get(l)->taken[0].seq;
		if (before == 0)
			continue;
		/* the lines of the last message are there, both of them */
		in = gw_ledger_lines(l, 0);
		n = snprintf(last, sizeof(last), "%llu\n%llu\n",
		    (unsigned long long)before, (unsigned long long)before);
		assert_true(in.n >= (size_t)n);
		assert_memory_equal(in.p + in.n - n, last, (size_t)n);
	}
	assert_true(before > 0);
	gw_ledger_free(l);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(nothing_counts_before_it_is_committed),
	    cmocka_unit_test(lines_begin_anew_when_all_is_put_away),
	    cmocka_unit_test(what_has_no_room_is_refused),
	    cmocka_unit_test(a_writer_killed_anywhere_leaves_a_whole_state),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
