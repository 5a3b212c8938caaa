/* SPDX-License-Identifier: Apache-2.0 */
/* Which clock an agent goes by, and that no single one can lead it astray for
 * good: docs/decisions/clock-floor.md. */
#include "device/agent.h"

#include "device/testworld.h"
#include "pki/x509.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#define HOUR_S 3600
#define DAY_S  86400LL
#define C1970  30 /* Unix seconds: clocks that are wrong */
#define C2031  1924992000
#define C2099  4070908800

/* The control plane's chain holds from @from to @until days from the start. */
static void
show(struct testworld *w, int64_t from, int64_t until)
{
	w->server_from_s = TESTCA_NOW + from * DAY_S;
	w->server_until_s = TESTCA_NOW + until * DAY_S;
}

static bool
is_heard(const struct testworld *w)
{
	struct dvt_agent_status s;

	dvt_agent_status(w->agent, &s);
	return s.heard;
}

/* Switched on for a few minutes. Return: a check-in was answered. */
static bool
comes_back(struct testworld *w)
{
	bool heard;

	testworld_sleep(w, 0);
	testworld_on(w);
	heard = testworld_run(w, 300, is_heard);
	(void)testworld_run(w, 10, NULL);
	testworld_off(w);
	return heard;
}

static int64_t
days_off(const struct testworld *w)
{
	return (dvt_agent_wall_s(w->agent, w->now) - testworld_true_s(w)) /
	       DAY_S;
}

static void
clocks_of_1970_and_2099_lose_nothing(void **state)
{
	static const int64_t clocks[] = {C1970, C2099};
	struct testworld *w = *state;

	for (size_t i = 0; i < DVT_COUNT(clocks); i++) {
		struct dvt_time odd = {w->now.mono_ms, clocks[i]};
		struct dvt_agent_status s;

		testworld_on(w);
		(void)testworld_run(w, 10, NULL); /* a signed time is stored */
		testworld_off(w);
		w->device_clock_s = clocks[i];
		testworld_sleep(w, 0);
		testworld_on(w);
		assert_in_range(dvt_agent_wall_s(w->agent, odd),
		    TESTCA_NOW - HOUR_S, TESTCA_NOW + 2 * HOUR_S);
		testworld_ask_renew(w, i == 0 ? "r1" : "r2");
		assert_true(testworld_run(w, HOUR_S, testworld_is_renewed));
		dvt_agent_status(w->agent, &s);
		assert_int_equal(s.generation, 2 + (int64_t)i);
		testworld_off(w);
	}
}

/* Until which no anchor lives: taken, it would end the belief in any server. */
static void
a_time_beyond_all_anchors_is_not_taken_from_a_server(void **state)
{
	struct testworld *w = *state;

	w->server_ahead_s = 60LL * 365 * 86400;
	testworld_on(w);
	(void)testworld_run(w, 200, NULL);
	assert_in_range(dvt_agent_wall_s(w->agent, w->now), TESTCA_NOW - HOUR_S,
	    TESTCA_NOW + 2 * HOUR_S);
	w->server_ahead_s = 0;
	testworld_ask_renew(w, "r1");
	assert_true(testworld_run(w, HOUR_S, testworld_is_renewed));
	testworld_off(w);
}

static void
a_wrong_time_of_one_server_ends_when_it_is_right_again(void **state)
{
	static const struct {
		const char *why;
		int64_t clock; /* the device's; 0: right */
	} cases[] = {
	    {"its own clock is right", 0    },
	    {"it has none",            C1970},
	    {"its own is far ahead",   C2099},
	};
	(void)state;
	for (size_t i = 0; i < DVT_COUNT(cases); i++) {
		struct testworld w;

		testworld_init(&w);
		w.device_clock_s = cases[i].clock;
		show(&w, -30, 90);
		w.server_ahead_s = 60 * DAY_S;
		assert_true(comes_back(&w));
		testworld_on(&w); /* it is what was told */
		if (cases[i].clock != 0)
			assert_in_range(days_off(&w), 59, 60);
		testworld_off(&w);
		/* right again, and with a chain that ends before that time */
		w.server_ahead_s = 0;
		testworld_sleep(&w, 2 * DAY_S);
		show(&w, 1, 8);
		if (!comes_back(&w))
			fail_msg("%s: it is lost", cases[i].why);
		testworld_on(&w);
		if (days_off(&w) != 0)
			fail_msg("%s: still wrong", cases[i].why);
		testworld_off(&w);
		testworld_fini(&w);
	}
}

static void
no_time_is_taken_at_which_the_server_could_not_be_believed(void **state)
{
	static const struct {
		const char *why;
		int64_t ahead;
	} cases[] = {
	    {"after its chain has ended",    91 * DAY_S },
	    {"before its chain begins",      -31 * DAY_S},
	    {"before what the device holds", -20 * DAY_S},
	};
	struct testworld *w = *state;

	show(w, -30, 90);
	for (size_t i = 0; i < DVT_COUNT(cases); i++) {
		w->server_ahead_s = cases[i].ahead;
		testworld_on(w);
		assert_true(testworld_run(w, 200, is_heard));
		if (days_off(w) != 0)
			fail_msg("%s: taken", cases[i].why);
		testworld_off(w);
	}
}

/* Its clock knows nothing of the years; what the server shows was signed by an
 * authority that is trusted, at a time that so has been. */
static void
a_device_that_slept_for_years_without_a_clock_comes_back(void **state)
{
	struct testworld *w = *state;

	w->device_clock_s = C1970;
	show(w, -30, 90);
	assert_true(comes_back(w));
	testworld_sleep(w, 800 * DAY_S);
	show(w, 790, 850);
	assert_true(comes_back(w));
	testworld_on(w);
	assert_int_equal(days_off(w), 0);
	testworld_off(w);
}

static void
a_clock_that_is_years_ahead_locks_nobody_out(void **state)
{
	struct testworld *w = *state;

	w->device_clock_s = C2031;
	show(w, -30, 90);
	assert_true(comes_back(w));
	testworld_sleep(w, 30 * DAY_S);
	assert_true(comes_back(w));
	testworld_on(w);
	assert_true(testworld_run(w, 300, is_heard));
	assert_int_equal(days_off(w), 0);
	testworld_ask_renew(w, "r1");
	assert_true(testworld_run(w, HOUR_S, testworld_is_renewed));
	testworld_off(w);
}

/* Its key may have been stolen since: who has two sources is not misled. */
static void
a_chain_that_has_ended_is_not_taken_when_two_sources_say_so(void **state)
{
	struct testworld *w = *state;

	show(w, -30, 90);
	testworld_sleep(w, 20 * DAY_S);
	assert_true(comes_back(w));
	show(w, -30, 10);
	testworld_sleep(w, DAY_S);
	assert_false(comes_back(w));
	w->device_clock_s = C2031; /* one of them wrong, and still two */
	assert_false(comes_back(w));
	w->device_clock_s = 0;
	show(w, -30, 90);
	assert_true(comes_back(w));
}

static void
a_first_enrolment_needs_no_clock(void **state)
{
	struct testworld *w = *state;
	struct dvt_command c = {
	    .kind = DVT_COMMAND_ENROLL, .secret = "one-time"};
	struct dvt_buf anchor;
	struct dvt_err err;

	dvt_buf_init(&anchor, DVT_CHAIN_PEM_MAX);
	assert_int_equal(
	    dvt_x509_to_pem(w->pki->old_root.cert, &anchor, NULL), DVT_OK);
	c.anchor_pem = dvt_buf_span(&anchor);
	(void)snprintf(w->secret, sizeof(w->secret), "one-time");
	w->config.device_id = "pump-7";
	w->device_clock_s = C1970;
	testworld_sleep(w, 200 * DAY_S);
	show(w, 150, 240);
	testworld_on(w);
	if (dvt_agent_command(w->agent, &c, &err) != DVT_OK)
		fail_msg("%s", err.text);
	assert_true(testworld_run(w, HOUR_S, testworld_is_renewed));
	assert_int_equal(days_off(w), 0);
	testworld_off(w);
	dvt_buf_fini(&anchor);
}

static void
promise_1_a_server_whose_clock_is_ahead_ends_no_hold(void **state)
{
	struct testworld *w = *state;
	struct dvt_agent_status s;

	show(w, -30, 90);
	testworld_on(w);
	testworld_ask_renew(w, "r1");
	assert_true(testworld_run(w, HOUR_S, testworld_is_renewed));
	w->server_ahead_s = 30 * DAY_S;
	(void)testworld_run(w, HOUR_S, NULL);
	assert_int_equal(days_off(w), 30);
	dvt_agent_status(w->agent, &s);
	assert_int_equal(s.held, 1);
	testworld_off(w);
}

/* An authority that goes by the right time: what it issues is in its last third
 * already, by the clock of the control plane. */
static void
a_clock_that_is_ahead_renews_once_and_not_without_end(void **state)
{
	struct testworld *w = *state;
	int64_t whole = dvt_x509_not_after(w->pki->device.cert) -
			dvt_x509_not_before(w->pki->device.cert);

	show(w, -30, 3000);
	w->server_ahead_s = dvt_x509_not_after(w->pki->device.cert) -
			    testworld_true_s(w) - whole / 4;
	testworld_on(w);
	(void)testworld_run(w, HOUR_S, NULL);
	assert_int_equal(w->certificates, 1);
	testworld_off(w);
	testworld_on(w);
	(void)testworld_run(w, HOUR_S, NULL);
	assert_int_equal(w->certificates, 1);
	testworld_off(w);
}

int
main(void)
{
#define T(f)                                                                   \
	cmocka_unit_test_setup_teardown(f, testworld_setup, testworld_teardown)
	const struct CMUnitTest tests[] = {
	    T(clocks_of_1970_and_2099_lose_nothing),
	    T(a_time_beyond_all_anchors_is_not_taken_from_a_server),
	    cmocka_unit_test(
		a_wrong_time_of_one_server_ends_when_it_is_right_again),
	    T(no_time_is_taken_at_which_the_server_could_not_be_believed),
	    T(a_device_that_slept_for_years_without_a_clock_comes_back),
	    T(a_clock_that_is_years_ahead_locks_nobody_out),
	    T(a_chain_that_has_ended_is_not_taken_when_two_sources_say_so),
	    cmocka_unit_test_setup_teardown(a_first_enrolment_needs_no_clock,
		testworld_setup_empty, testworld_teardown),
	    T(promise_1_a_server_whose_clock_is_ahead_ends_no_hold),
	    T(a_clock_that_is_ahead_renews_once_and_not_without_end),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);

	testpki_free();
	return failed;
}
