/* SPDX-License-Identifier: Apache-2.0 */
/* What is told of updates and probes, by which an operator goes. */
#include "device/agent.h"

#include "device/testworld.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#define HOUR_S 3600
#define IDS    16

struct ids {
	char id[IDS][DVT_STEP_ID];
	size_t n;
};

static bool
is_idle(const struct testworld *w)
{
	struct dvt_agent_status s;

	dvt_agent_status(w->agent, &s);
	return s.update[0] == '\0' && !s.busy;
}

/* One more renewal by command, and its id among those before. */
static void
renew(struct testworld *w, struct ids *ids)
{
	static const struct dvt_command c = {.kind = DVT_COMMAND_RENEW};
	struct dvt_agent_status s;

	assert_int_equal(dvt_agent_command(w->agent, &c, NULL), DVT_OK);
	dvt_agent_status(w->agent, &s);
	assert_int_equal(strncmp(s.update, "certs-", 6), 0);
	for (size_t i = 0; i < ids->n; i++)
		assert_string_not_equal(s.update, ids->id[i]);
	assert_true(ids->n < IDS);
	memcpy(ids->id[ids->n++], s.update, DVT_STEP_ID);
	assert_true(testworld_run(w, HOUR_S, is_idle));
}

static void
an_update_id_is_used_once_within_a_second(void **state)
{
	struct testworld *w = *state;
	struct dvt_time begun;
	struct ids ids = {.n = 0};

	testworld_on(w);
	(void)testworld_run(w, 10, NULL);
	w->fault = FAULT_DENIED;
	w->fault_left = 100;
	begun = w->now;
	for (int i = 0; i < 6; i++) {
		w->now.wall_s = begun.wall_s; /* all of them in one second */
		if (i == 3) {
			testworld_off(w);
			testworld_on(w);
			(void)testworld_run(w, 0, is_idle);
		}
		renew(w, &ids);
	}
	assert_int_equal(ids.n, 6);
}

static void
an_update_id_is_used_once_when_journal_and_clock_are_lost(void **state)
{
	struct testworld *w = *state;
	struct ids ids = {.n = 0};

	testworld_on(w);
	renew(w, &ids);
	testworld_check_works(w, "renewed");
	testworld_off(w);
	assert_int_equal(dvt_memfs.unlink(w->disk, "journal", NULL), DVT_OK);
	w->now.wall_s -= 30;
	testworld_on(w);
	for (int i = 0; i < 3; i++)
		renew(w, &ids);
}

static bool
has_come_right(const struct testworld *w)
{
	return testworld_has_told(w, "Probe next chain(1)->Succeed");
}

/* The edges came by their next chain later than the bundle to the device. */
static void
probe_fails(struct testworld *w)
{
	testworld_on(w);
	w->bundle = 1; /* without the root that the next name shows */
	assert_true(testworld_run(w, 300, testworld_is_trusting));
	assert_true(testworld_has_told(w, "Probe next chain(1)->Fail: "));
	assert_false(has_come_right(w));
	w->next_is_old = true;
}

static void
a_probe_that_failed_is_tried_again_and_told_when_it_stands(void **state)
{
	struct testworld *w = *state;

	probe_fails(w);
	assert_true(testworld_run(w, HOUR_S, has_come_right));
	assert_int_equal(w->probes, 2);
	(void)testworld_run(w, HOUR_S, NULL); /* and that was that */
	assert_int_equal(w->probes, 2);
}

static void
a_probe_that_failed_is_tried_again_at_the_next_start(void **state)
{
	struct testworld *w = *state;

	probe_fails(w);
	testworld_off(w);
	testworld_on(w);
	assert_true(testworld_run(w, 10, has_come_right));
	testworld_off(w);
	testworld_on(w);
	(void)testworld_run(w, HOUR_S, NULL);
	assert_int_equal(w->probes, 2);
}

static void
a_probe_that_never_stands_is_told_once_and_given_up(void **state)
{
	struct testworld *w = *state;
	const char *first, *story;

	probe_fails(w);
	w->next_is_old = false;
	(void)testworld_run(w, 24 * HOUR_S, NULL);
	assert_in_range(w->probes, 8, 14);
	story = dvt_buf_str(&w->story);
	first = strstr(story, "Probe next chain(1)->Fail");
	assert_non_null(first);
	assert_null(strstr(first + 1, "Probe next chain(1)->Fail"));
	testworld_check_works(w, "without a next chain");
}

static bool
has_begun(const struct testworld *w)
{
	return testworld_has_told(w, "Switch(2)->Succeed");
}

/* Handed out late, as to a hook that is busy. */
static void
an_event_names_the_generation_in_use_when_it_was_told(void **state)
{
	static const struct {
		const char *step;
		enum dvt_step_outcome outcome;
		int64_t used;
	} want[] = {
	    {"CertRotationStarted", DVT_STEP_SUCCEED, 1},
	    {"Switch",              DVT_STEP_START,   1},
	    {"Switch",              DVT_STEP_SUCCEED, 2},
	};
	struct testworld *w = *state;
	struct dvt_agent_event e[64];
	size_t n, found = 0;

	testworld_on(w);
	testworld_ask_renew(w, "r2-renew");
	assert_true(testworld_run(w, HOUR_S, has_begun));
	n = dvt_agent_events(w->agent, e, DVT_COUNT(e));
	for (size_t i = 0; i < n; i++)
		for (size_t j = 0; j < DVT_COUNT(want); j++)
			if (strcmp(e[i].step, want[j].step) == 0 &&
			    e[i].outcome == want[j].outcome) {
				assert_int_equal(e[i].used, want[j].used);
				found++;
			}
	assert_int_equal(found, DVT_COUNT(want));
}

#define T(f)                                                                   \
	cmocka_unit_test_setup_teardown(f, testworld_setup, testworld_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    T(an_update_id_is_used_once_within_a_second),
	    T(an_update_id_is_used_once_when_journal_and_clock_are_lost),
	    T(a_probe_that_failed_is_tried_again_and_told_when_it_stands),
	    T(a_probe_that_failed_is_tried_again_at_the_next_start),
	    T(a_probe_that_never_stands_is_told_once_and_given_up),
	    T(an_event_names_the_generation_in_use_when_it_was_told),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);

	testpki_free();
	return failed;
}
