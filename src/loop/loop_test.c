/* SPDX-License-Identifier: Apache-2.0 */
#include "loop/loop.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static struct dvt_loop *loop;
static char trace[64];

static void
note(char c)
{
	size_t n = strlen(trace);

	assert_true(n + 1 < sizeof(trace));
	trace[n] = c;
	trace[n + 1] = '\0';
}

static int
setup(void **state)
{
	(void)state;
	trace[0] = '\0';
	return dvt_loop_new(&loop, NULL) == DVT_OK ? 0 : -1;
}

static int
teardown(void **state)
{
	(void)state;
	dvt_loop_free(loop);
	return 0;
}

static struct dvt_defer *commit, *again;

static void
on_commit(void *ctx)
{
	(void)ctx;
	note('C');
}

static void
on_pipe(void *ctx, unsigned ready)
{
	int fd = *(int *)ctx;
	char c;

	assert_int_equal(ready, DVT_READ);
	assert_int_equal(read(fd, &c, 1), 1);
	note(c);
	dvt_defer_arm(commit);
}

static void
deferred_calls_run_once_after_all_that_was_ready(void **state)
{
	struct dvt_watch *w[2];
	int a[2], b[2];

	(void)state;
	assert_int_equal(pipe(a) | pipe(b), 0);
	commit = dvt_defer_new(loop, on_commit, NULL);
	w[0] = dvt_watch_new(loop, a[0], DVT_READ, on_pipe, &a[0]);
	w[1] = dvt_watch_new(loop, b[0], DVT_READ, on_pipe, &b[0]);
	assert_int_equal(write(a[1], "x", 1) + write(b[1], "x", 1), 2);
	assert_true(dvt_loop_turn(loop, true));
	assert_string_equal(trace, "xxC");
	dvt_watch_want(w[0], 0);
	assert_int_equal(write(a[1], "y", 1) + write(b[1], "z", 1), 2);
	assert_true(dvt_loop_turn(loop, true));
	assert_string_equal(trace, "xxCzC");
	for (int i = 0; i < 2; i++) {
		dvt_watch_free(w[i]);
		close(a[i]);
		close(b[i]);
	}
	dvt_defer_free(commit);
}

static void
on_again(void *ctx)
{
	static int left;

	if (ctx != NULL)
		left = 3;
	note('a');
	if (--left > 0)
		dvt_defer_arm(again);
	else
		dvt_defer_free(again); /* inside its own call */
}

static void
a_deferred_call_that_arms_itself_takes_a_turn_each_time(void **state)
{
	(void)state;
	again = dvt_defer_new(loop, on_again, NULL);
	commit = dvt_defer_new(loop, on_commit, NULL);
	dvt_defer_arm(again);
	dvt_defer_arm(commit);
	dvt_defer_arm(again); /* armed already */
	dvt_defer_cancel(commit);
	on_again(loop); /* sets the count to 3, arms nothing new */
	assert_true(dvt_loop_turn(loop, true));
	assert_string_equal(trace, "aa");
	dvt_loop_run(loop); /* ends: nothing left to wait for */
	assert_string_equal(trace, "aaa");
	dvt_defer_free(commit);
}

static struct dvt_timer *timers[3];

static void
on_timer(void *ctx)
{
	struct dvt_timer **t = ctx;

	note((char)('0' + (t - timers)));
	if (t == &timers[1] && strlen(trace) >= 4)
		dvt_timer_stop(*t);
	if (t == &timers[2]) {
		dvt_timer_free(*t);
		*t = NULL;
	}
}

static void
timers_run_once_or_until_stopped(void **state)
{
	(void)state;
	for (size_t i = 0; i < DVT_COUNT(timers); i++)
		timers[i] = dvt_timer_new(loop, on_timer, &timers[i]);
	dvt_timer_start(timers[0], 0);
	dvt_timer_start(timers[2], 4);
	dvt_timer_repeat(timers[1], 8);
	assert_true(dvt_timer_running(timers[0]));
	dvt_loop_run(loop);
	assert_string_equal(trace, "0211");
	assert_false(dvt_timer_running(timers[0]));
	dvt_timer_free(timers[0]);
	dvt_timer_free(timers[1]);
	dvt_timer_free(timers[2]);
}

static void
on_signal(void *ctx)
{
	(void)ctx;
	note('S');
	dvt_defer_arm(commit);
	dvt_loop_stop(loop);
}

static void
a_signal_ends_the_run_with_its_turn(void **state)
{
	struct dvt_signal *s = dvt_signal_new(loop, SIGUSR1, on_signal, NULL);

	(void)state;
	commit = dvt_defer_new(loop, on_commit, NULL);
	assert_int_equal(raise(SIGUSR1), 0);
	dvt_loop_run(loop);
	assert_string_equal(trace, "SC");
	dvt_signal_free(s);
	dvt_defer_free(commit);
}

static void
time_stands_still_within_a_turn(void **state)
{
	struct dvt_time t = dvt_loop_time(loop);

	(void)state;
	assert_true(t.mono_ms > 0 && t.wall_s > 1600000000);
	assert_false(dvt_loop_turn(loop, true)); /* nothing to wait for */
}

static int
setup_busy(void **state)
{
	(void)state;
	trace[0] = '\0';
	return dvt_loop_new_busy(&loop, NULL) == DVT_OK ? 0 : -1;
}

static void
on_byte(void *ctx, unsigned ready)
{
	char c;

	assert_int_equal(ready, DVT_READ);
	assert_int_equal(read(*(int *)ctx, &c, 1), 1);
	note(c);
}

/* Watched, closed, opened anew under the same number, within one turn. */
static void
a_number_that_is_used_again_is_watched_in_every_kind_of_loop(void **state)
{
	struct dvt_watch *w;
	int fd[2], first;

	(void)state;
	assert_int_equal(pipe(fd), 0);
	first = fd[0];
	w = dvt_watch_new(loop, fd[0], DVT_READ, on_byte, &fd[0]);
	assert_true(dvt_loop_turn(loop, false));
	for (int i = 0; i < 3; i++) {
		dvt_watch_free(w);
		close(fd[0]);
		close(fd[1]);
		assert_int_equal(pipe(fd), 0);
		assert_int_equal(fd[0], first);
		w = dvt_watch_new(loop, fd[0], DVT_READ, on_byte, &fd[0]);
		dvt_watch_want(w, 0);
		if (i != 1)
			dvt_watch_want(w, DVT_READ);
		assert_int_equal(write(fd[1], "r", 1), 1);
		(void)dvt_loop_turn(loop, false);
		assert_string_equal(trace, i == 2 ? "rr" : "r");
	}
	dvt_watch_free(w);
	close(fd[0]);
	close(fd[1]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(
		deferred_calls_run_once_after_all_that_was_ready, setup,
		teardown),
	    cmocka_unit_test_setup_teardown(
		a_deferred_call_that_arms_itself_takes_a_turn_each_time, setup,
		teardown),
	    cmocka_unit_test_setup_teardown(
		timers_run_once_or_until_stopped, setup, teardown),
	    cmocka_unit_test_setup_teardown(
		a_signal_ends_the_run_with_its_turn, setup, teardown),
	    cmocka_unit_test_setup_teardown(
		time_stands_still_within_a_turn, setup, teardown),
	    cmocka_unit_test_setup_teardown(
		a_number_that_is_used_again_is_watched_in_every_kind_of_loop,
		setup, teardown),
	    cmocka_unit_test_setup_teardown(
		a_number_that_is_used_again_is_watched_in_every_kind_of_loop,
		setup_busy, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
