/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/rate.h"

#include "base/mem.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

static struct dvt_addr
address(const char *text)
{
	struct dvt_addr a;

	assert_int_equal(dvt_addr_parse(text, &a, NULL), DVT_OK);
	return a;
}

static struct gw_rate *
table(unsigned rate)
{
	struct gw_rate *l;

	assert_int_equal(gw_rate_new(rate, &l, NULL), DVT_OK);
	return l;
}

static unsigned
taken(struct gw_rate *l, const char *text, unsigned tries, int64_t now_ms)
{
	struct dvt_addr a = address(text);
	unsigned n = 0;

	while (tries-- > 0)
		n += gw_rate_take(l, &a, now_ms);
	return n;
}

static void
a_burst_goes_through_and_then_the_rate(void **state)
{
	struct gw_rate *l = table(10);

	(void)state;
	assert_int_equal(taken(l, "192.0.2.1:1", 100, 1000), 40);
	assert_int_equal(taken(l, "192.0.2.1:2", 100, 1099), 0);
	assert_int_equal(taken(l, "192.0.2.1:3", 100, 1100), 1);
	assert_int_equal(taken(l, "192.0.2.1:3", 100, 2100), 10);
	assert_int_equal(taken(l, "192.0.2.1:3", 100, 99000), 40);
	assert_int_equal(taken(l, "192.0.2.2:1", 100, 99000), 40);
	gw_rate_free(l);
}

static void
a_v6_host_is_its_network_and_no_rate_is_no_limit(void **state)
{
	struct gw_rate *l = table(1);

	(void)state;
	assert_int_equal(taken(l, "[2001:db8::1]:1", 9, 1000), 4);
	assert_int_equal(taken(l, "[2001:db8::2:3]:1", 9, 1000), 0);
	assert_int_equal(taken(l, "[2001:db8:1::1]:1", 9, 1000), 4);
	assert_int_equal(taken(l, "/run/socket", 9, 1000), 9);
	gw_rate_free(l);
	l = table(0);
	assert_int_equal(taken(l, "192.0.2.1:1", 1000, 1000), 1000);
	gw_rate_free(l);
}

static void
many_addresses_push_out_only_who_was_quiet_longest(void **state)
{
	struct gw_rate *l = table(10);
	unsigned refused = 0;

	(void)state;
	for (unsigned i = 0; i < 100000; i++) {
		char text[32];

		snprintf(text, sizeof(text), "10.%u.%u.%u:1", i >> 16,
		    i >> 8 & 255, i & 255);
		refused += 1 - taken(l, text, 1, 1000 + i / 100);
	}
	assert_int_equal(refused, 0);
	gw_rate_free(l);
}

/* The time of a place wraps after 12 days; what was is over by then. */
static void
the_time_goes_round_and_nobody_is_held_up(void **state)
{
	static const int64_t later_ms[] = {
	    4001, 86400000, 1000000000, 1200000000, 1 << 30};

	(void)state;
	for (size_t i = 0; i < DVT_COUNT(later_ms); i++)
		for (int64_t at = 0; at < 3; at++) {
			struct gw_rate *l = table(10);
			int64_t now = 1099511627 - 1 + at;

			assert_int_equal(taken(l, "192.0.2.1:1", 99, now), 40);
			assert_int_equal(
			    taken(l, "192.0.2.1:1", 99, now + later_ms[i]), 40);
			gw_rate_free(l);
		}
}

/* Several workers at once: not one more than one alone would let in. */
static void
processes_share_what_an_address_may(void **state)
{
	enum { WORKERS = 3, ADDRESSES = 200 };
	struct gw_rate *l = table(10);
	_Atomic unsigned *sum = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t child[WORKERS];

	(void)state;
	for (size_t i = 0; i < WORKERS; i++) {
		child[i] = fork();
		if (child[i] != 0)
			continue;
		for (unsigned n = 0; n < ADDRESSES * 50; n++) {
			char text[32];

			snprintf(
			    text, sizeof(text), "10.0.0.%u:1", n % ADDRESSES);
			*sum += taken(l, text, 1, 1000);
		}
		_exit(0);
	}
	for (size_t i = 0; i < WORKERS; i++)
		assert_int_equal(waitpid(child[i], NULL, 0), child[i]);
	assert_int_equal(*sum, ADDRESSES * 40);
	munmap((void *)sum, 4096);
	gw_rate_free(l);
}

/* Killed wherever it was: its address is not stuck, nor any other. */
static void
a_killed_writer_leaves_nothing_locked(void **state)
{
	struct gw_rate *l = table(1000000);
	struct timespec pause = {.tv_nsec = 1000000};

	(void)state;
	for (int64_t round = 1; round <= 20; round++) {
		pid_t child = fork();

		if (child == 0)
			for (;;)
				(void)taken(l, "192.0.2.1:1", 1, 0);
		pause.tv_nsec += 100000;
		nanosleep(&pause, NULL);
		kill(child, SIGKILL);
		assert_int_equal(waitpid(child, NULL, 0), child);
		assert_int_equal(
		    taken(l, "192.0.2.1:1", 100, round * 10000), 100);
		assert_int_equal(
		    taken(l, "192.0.2.2:1", 100, round * 10000), 100);
	}
	gw_rate_free(l);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_burst_goes_through_and_then_the_rate),
	    cmocka_unit_test(a_v6_host_is_its_network_and_no_rate_is_no_limit),
	    cmocka_unit_test(
		many_addresses_push_out_only_who_was_quiet_longest),
	    cmocka_unit_test(the_time_goes_round_and_nobody_is_held_up),
	    cmocka_unit_test(processes_share_what_an_address_may),
	    cmocka_unit_test(a_killed_writer_leaves_nothing_locked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
