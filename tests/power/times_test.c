/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How long it takes, by the clock of the steps, which no load can stretch: an
 * agent that comes back after a cut serves at once and goes on within 5 s; one
 * whose new credential is no good serves with the old one again within 30 s,
 * also when its power is cut meanwhile. Time without power is not counted.
 */
#include "lives.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define RESUME_MS 5000
#define BACK_MS   30000

static unsigned step = 3;

/* --- it goes on --- */

static struct {
	char at[DVT_STEP_NAME];
	bool updates;
	unsigned exchanges, checkins;
} before;

static void
remember(const struct testworld *w)
{
	struct dvt_agent_status s;

	dvt_agent_status(w->agent, &s);
	memcpy(before.at, s.update_step, sizeof(before.at));
	before.updates = s.update[0] != '\0';
	before.exchanges = w->exchanges;
	before.checkins = w->checkins;
}

/* An update: its step is over, or it asked for something; a check-in is no
 * part of it. */
static bool
goes_on(const struct testworld *w)
{
	struct dvt_agent_status s;

	dvt_agent_status(w->agent, &s);
	return strcmp(s.update_step, before.at) != 0 ||
	       w->exchanges - before.exchanges > w->checkins - before.checkins;
}

/* @return: ms from being opened after the cut until it went on. */
static int64_t
resume(const struct life *l, const struct testworld *ready, uint64_t k,
    enum dvt_cut mode, bool *updates)
{
	struct testworld w;
	char when[120];
	int64_t took;

	(void)snprintf(when, sizeof(when), "%s: goes on after call %u", l->name,
	    (unsigned)k);
	testworld_copy(&w, ready);
	dvt_memfs_cut(w.disk, k, mode, k);
	life_run(l, &w);
	testworld_off(&w);
	dvt_memfs_power_on(w.disk);
	took = w.now.mono_ms;
	if (!life_turn_on(&w))
		life_failed(when, "does not open");
	life_check_now(l, &w, when); /* it serves at once */
	life_ask(l, &w);
	remember(&w);
	*updates = before.updates;
	if (!before.updates) { /* up to the first that it asks for */
		w.lose_at = w.exchanges + 1;
		w.lose_ends = true;
	}
	if (!testworld_run(&w, HOUR_S, before.updates ? goes_on : NULL) &&
	    w.exchanges != w.lose_at)
		life_failed(when, "it never does");
	took = w.now.mono_ms - took;
	testworld_fini(&w);
	return took;
}

static void
after_a_cut_it_serves_at_once_and_goes_on_within_5_s(void **state)
{
	static const enum dvt_cut modes[] = {
	    DVT_CUT_DROP, DVT_CUT_KEEP, DVT_CUT_MIX};

	(void)state;
	for (size_t i = 0; i < lives_n; i++) {
		const struct life *l = &lives[i];
		struct testworld ready;
		int64_t longest = 0, took;
		unsigned n = 0, in_update = 0;
		uint64_t calls;
		bool updates;

		l->prepare(&ready);
		calls = life_calls(l, &ready);
		for (uint64_t k = i % step; k <= calls; k += step) {
			for (size_t m = 0; m < DVT_COUNT(modes); m++, n++) {
				took = resume(l, &ready, k, modes[m], &updates);
				in_update += updates;
				longest = took > longest ? took : longest;
			}
		}
		print_message("# %s: %u cuts, %u in an update; goes on after "
			      "at most %d ms\n",
		    l->name, n, in_update, (int)longest);
		assert_in_range(longest, 0, RESUME_MS);
		testworld_fini(&ready);
	}
}

/* --- the old identity serves again --- */

static bool
has_hooked(const struct testworld *w)
{
	return w->hooks > 0;
}

/* The first credential is in use, and consumers were told so. */
static bool
serves_first(const struct testworld *w)
{
	struct dvt_agent_status s;

	dvt_agent_status(w->agent, &s);
	return s.generation == 1 && w->hooks > 1;
}

/*
 * Until consumers were asked to take the new one, which fails, and from there
 * until the first one serves; the power may go anywhere.
 * @failed_ms: when they were asked, 0: not yet.
 */
static void
go_back(struct testworld *w, int64_t *failed_ms)
{
	if (*failed_ms == 0 && testworld_run(w, HOUR_S, has_hooked))
		*failed_ms = w->now.mono_ms;
	if (*failed_ms != 0)
		(void)testworld_run(w, HOUR_S, serves_first);
}

static int64_t
back(const struct life *l, const struct testworld *ready, uint64_t k,
    enum dvt_cut mode)
{
	struct testworld w;
	int64_t failed_ms = 0, took;
	char when[120];

	(void)snprintf(
	    when, sizeof(when), "%s: cut before call %u", l->name, (unsigned)k);
	testworld_copy(&w, ready);
	w.hooks = 0;
	dvt_memfs_cut(w.disk, k, mode, k);
	if (life_turn_on(&w))
		go_back(&w, &failed_ms);
	testworld_off(&w);
	dvt_memfs_power_on(w.disk);
	if (!life_turn_on(&w))
		life_failed(when, "does not open");
	go_back(&w, &failed_ms);
	if (failed_ms == 0 || !serves_first(&w))
		life_failed(when, "the first never serves again");
	took = w.now.mono_ms - failed_ms;
	life_finish(l, &w, when);
	testworld_fini(&w);
	return took;
}

static void
the_old_identity_serves_again_within_30_s(void **state)
{
	unsigned lives_back = 0;

	(void)state;
	for (size_t i = 0; i < lives_n; i++) {
		const struct life *l = &lives[i];
		int64_t longest = 0, took;
		struct testworld ready;
		uint64_t calls;
		unsigned n = 0;

		if (strstr(l->name, "goes back") == NULL)
			continue;
		lives_back++;
		l->prepare(&ready);
		calls = life_calls(l, &ready);
		for (uint64_t k = 0; k <= calls; k += step, n++) {
			took = back(l, &ready, k,
			    k % 2 == 0 ? DVT_CUT_DROP : DVT_CUT_MIX);
			longest = took > longest ? took : longest;
		}
		print_message("# %s: %u cuts, the old one serves again after "
			      "at most %d ms\n",
		    l->name, n, (int)longest);
		assert_in_range(longest, 0, BACK_MS);
		testworld_fini(&ready);
	}
	assert_int_equal(lives_back, 2);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(
		after_a_cut_it_serves_at_once_and_goes_on_within_5_s),
	    cmocka_unit_test(the_old_identity_serves_again_within_30_s),
	};
	const char *how = getenv("DOVETAIL_LONG");
	int failed;

	if (how != NULL && strcmp(how, "1") == 0)
		step = 1;
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	testpki_free();
	return failed;
}
