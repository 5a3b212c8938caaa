/* SPDX-License-Identifier: Apache-2.0 */
#include "device/agent.h"

#include "device/testworld.h"
#include "pki/x509.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#define HOUR_S 3600
#define RESEAL "Update device specific configuration on server with new key"

static bool
has_taken_all(const struct testworld *w)
{
	for (size_t i = 0; i < w->value_n; i++)
		if (w->value[i].applied != w->value[i].version)
			return false;
	return w->value_n > 0;
}

/* A device that has two values. */
static int
setup(void **state)
{
	static struct testworld w;

	testworld_init(&w);
	w.bundle = 1;
	w.lists_issuing = true;
	testworld_set_value(&w, "wifi.psk", "correct horse");
	testworld_set_value(&w, "mqtt.conf", "keepalive 60");
	testworld_on(&w);
	if (!testworld_run(&w, HOUR_S, has_taken_all))
		return -1;
	(void)testworld_run(&w, 200, NULL);
	testworld_off(&w);
	*state = &w;
	return 0;
}

static bool
both_open(struct testworld *w)
{
	return testworld_value_opens(w, "wifi.psk", "correct horse") &&
	       testworld_value_opens(w, "mqtt.conf", "keepalive 60");
}

static void
check_local(struct testworld *w)
{
	struct dvt_buf b;
	struct dvt_err err = {0};

	dvt_buf_init(&b, DVT_CONFIG_VALUE);
	if (dvt_memfs.read(w->disk, "config/wifi.psk", &b, &err) != DVT_OK)
		fail_msg("%s", err.text);
	assert_true(dvt_span_eq_str(dvt_buf_span(&b), "correct horse"));
	dvt_buf_fini(&b);
}

static void
values_are_under_the_new_key_before_it_is_tried(void **state)
{
	struct testworld *w = *state;
	char newest[DVT_DIGEST_HEX];
	const char *story, *sealed, *trial;

	testworld_on(w);
	assert_true(both_open(w));
	testworld_ask_renew(w, "r2-renew");
	assert_true(testworld_run(w, HOUR_S, testworld_is_renewed));
	assert_int_equal(w->leases, 1);
	assert_int_equal(w->reseals, 2);
	dvt_x509_fingerprint(w->issued[w->issued_n - 1], newest);
	assert_string_equal(w->value[0].certificate, newest);
	assert_string_equal(w->value[1].certificate, newest);
	assert_true(both_open(w));
	story = dvt_buf_str(&w->story);
	sealed = strstr(story, RESEAL "(2)->Succeed: values: 2\n");
	trial = strstr(story, "Try new credential(2)->Start");
	assert_non_null(sealed);
	assert_non_null(trial);
	assert_true(sealed < trial);
	(void)testworld_run(w, 300, NULL);
	assert_int_equal(w->reseals, 2); /* nothing was left to do */
	check_local(w);
}

static bool
has_failed(const struct testworld *w)
{
	return strstr(w->done, "r2-renew=failed") != NULL;
}

static void
an_update_that_goes_back_takes_the_values_back(void **state)
{
	struct testworld *w = *state;

	w->trial_refused = true;
	testworld_on(w);
	testworld_ask_renew(w, "r2-renew");
	assert_true(testworld_run(w, HOUR_S, has_failed));
	w->renew[0] = '\0';
	(void)testworld_run(w, 300, NULL);
	assert_true(both_open(w)); /* with the old key, which is in use */
	assert_true(testworld_has_told(w, RESEAL "(1)->Succeed: wifi.psk"));
	check_local(w);
	w->trial_refused = false;
	testworld_ask_renew(w, "r2-renew");
	assert_true(testworld_run(w, HOUR_S, testworld_is_renewed));
	assert_true(both_open(w));
}

static void
a_control_plane_without_leases_gets_them_after_the_switch(void **state)
{
	struct testworld *w = *state;

	w->no_lease = true;
	testworld_on(w);
	testworld_ask_renew(w, "r2-renew");
	assert_true(testworld_run(w, HOUR_S, testworld_is_renewed));
	assert_int_equal(w->reseals, 0);
	(void)testworld_run(w, 300, NULL);
	assert_int_equal(w->reseals, 2);
	assert_true(both_open(w));
}

static void
a_value_that_is_lost_here_is_fetched_by_the_old_key(void **state)
{
	struct testworld *w = *state;
	struct dvt_err err;

	testworld_on(w);
	if (dvt_memfs.unlink(w->disk, "config/wifi.psk", &err) != DVT_OK)
		fail_msg("%s", err.text);
	testworld_ask_renew(w, "r2-renew");
	assert_true(testworld_run(w, HOUR_S, testworld_is_renewed));
	assert_true(testworld_has_told(
	    w, RESEAL "(2)->Succeed: values: 1 of 2, the others"));
	(void)testworld_run(w, 300, NULL);
	assert_true(both_open(w));
	check_local(w);
}

/* Ended within the hook; then on until all is quiet. */
static unsigned
hooks_after_a_cut(struct testworld *w, int starts)
{
	struct testworld t;
	unsigned hooks;

	testworld_copy_in_hook(&t, w);
	for (int i = 0; i < starts; i++) {
		testworld_on(&t);
		assert_true(testworld_run(&t, 300, has_taken_all));
		(void)testworld_run(&t, 120, NULL);
		testworld_off(&t);
	}
	hooks = t.hooks;
	testworld_fini(&t);
	return hooks;
}

static void
consumers_hear_of_a_value_though_the_hook_was_cut(void **state)
{
	struct testworld *w = *state;

	w->config.hook_config = true;
	testworld_set_value(w, "wifi.psk", "battery staple");
	assert_int_equal(hooks_after_a_cut(w, 1), 2);
	assert_int_equal(hooks_after_a_cut(w, 3), 2);
	w->value_n--; /* and one is taken away */
	assert_int_equal(hooks_after_a_cut(w, 3), 2 + 1);
}

static void
a_value_whose_hook_fails_is_told_as_that_alone(void **state)
{
	struct testworld *w = *state;

	w->config.hook_config = true;
	w->hook_exit = 3;
	testworld_set_value(w, "wifi.psk", "battery staple");
	dvt_buf_reset(&w->story);
	testworld_on(w);
	(void)testworld_run(w, 300, NULL);
	assert_true(
	    testworld_has_told(w, "Update local configuration(2)->Fail: "
				  "wifi.psk: on-config hook: exit 3"));
	assert_false(
	    testworld_has_told(w, "Update local configuration(2)->Succeed"));
	testworld_off(w); /* it is there all the same, and not fetched again */
	w->hooks = 0;
	testworld_on(w);
	(void)testworld_run(w, 300, NULL);
	assert_int_equal(w->hooks, 0);
}

static void
a_server_that_is_away_is_asked_again_and_then_left(void **state)
{
	static const struct {
		unsigned away;
		bool fails;
	} cases[] = {
	    {2, false},
            {4, true }, /* the lease itself is not to be had */
	};
	struct testworld w;

	for (size_t i = 0; i < DVT_COUNT(cases); i++) {
		testworld_copy(&w, *state);
		testworld_on(&w);
		w.config_fault_left = cases[i].away;
		testworld_ask_renew(&w, "r2-renew");
		assert_true(testworld_run(&w, HOUR_S, testworld_is_renewed));
		assert_int_equal(
		    strstr(w.done, "r2-renew=failed") != NULL, cases[i].fails);
		(void)testworld_run(&w, 300, NULL);
		assert_true(both_open(&w));
		testworld_fini(&w);
	}
}

/* Power gone at each call of the update in turn, and on again. */
static void
promise_5_a_cut_at_each_step_loses_no_value(void **state)
{
	static const enum dvt_cut modes[] = {
	    DVT_CUT_DROP, DVT_CUT_KEEP, DVT_CUT_MIX};
	struct testworld w;
	unsigned points = 0;
	bool cut = true;

	for (uint64_t k = 0; cut; k++) {
		for (size_t m = 0; m < DVT_COUNT(modes); m++) {
			testworld_copy(&w, *state);
			dvt_memfs_cut(w.disk, k, modes[m], k);
			testworld_ask_renew(&w, "r2-renew");
			if (testworld_try_on(&w, NULL) == DVT_OK)
				(void)testworld_run(
				    &w, HOUR_S, testworld_is_renewed);
			cut = dvt_memfs_is_off(w.disk);
			testworld_off(&w);
			dvt_memfs_power_on(w.disk);
			testworld_on(&w);
			if (!testworld_run(&w, HOUR_S, testworld_is_renewed))
				fail_msg("cut %d: not renewed", (int)k);
			(void)testworld_run(&w, 300, NULL);
			testworld_check_works(&w, "after a cut");
			if (!both_open(&w))
				fail_msg("cut %d: a value is closed", (int)k);
			check_local(&w);
			testworld_fini(&w);
			points += cut;
		}
	}
	print_message("# %u points\n", points);
	assert_true(points > 60);
}

/* Each answer lost in turn, the server having done what it was asked. */
static void
a_lost_answer_at_each_step_loses_no_value(void **state)
{
	struct testworld w;
	unsigned n = 1;
	bool lost = true;

	for (; lost; n++) {
		testworld_copy(&w, *state);
		testworld_on(&w);
		w.lose_at = w.exchanges + n;
		w.lose_ends = true;
		testworld_ask_renew(&w, "r2-renew");
		(void)testworld_run(&w, HOUR_S, testworld_is_renewed);
		lost = w.exchanges >= w.lose_at;
		testworld_off(&w); /* and the power with it */
		w.lose_at = 0;
		testworld_on(&w);
		assert_true(testworld_run(&w, HOUR_S, testworld_is_renewed));
		(void)testworld_run(&w, 300, NULL);
		if (!both_open(&w))
			fail_msg("answer %u: a value is closed", n);
		check_local(&w);
		testworld_fini(&w);
		if (n > 40)
			fail_msg("never ends");
	}
	assert_true(n > 6);
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, testworld_teardown)
	const struct CMUnitTest tests[] = {
	    T(values_are_under_the_new_key_before_it_is_tried),
	    T(an_update_that_goes_back_takes_the_values_back),
	    T(a_control_plane_without_leases_gets_them_after_the_switch),
	    T(a_value_that_is_lost_here_is_fetched_by_the_old_key),
	    T(consumers_hear_of_a_value_though_the_hook_was_cut),
	    T(a_value_whose_hook_fails_is_told_as_that_alone),
	    T(a_server_that_is_away_is_asked_again_and_then_left),
	    T(promise_5_a_cut_at_each_step_loses_no_value),
	    T(a_lost_answer_at_each_step_loses_no_value),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);

	testpki_free();
	return failed;
}
