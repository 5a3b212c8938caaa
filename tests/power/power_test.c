/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Promise 5: cut the agent's power at any call that changes the disk, with
 * nothing, all, or some of what was not synced lost, and it comes back with
 * one working credential, never a mixed pair, and finishes what it began.
 */
#include "base/mem.h"
#include "device/generation.h"
#include "device/testworld.h"
#include "pki/x509.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define HOUR_S    3600
#define CALLS_MAX 1000 /* a scenario has fewer */

static unsigned points; /* cuts that were tried */
static unsigned seeds = 2, pair_step = 29, refuse_step = 5;

struct scenario {
	const char *name;
	void (*prepare)(struct testworld *w); /* off afterwards */
	/* what is asked of an agent that has no credential (again) */
	void (*command)(struct testworld *w);
	bool (*is_done)(const struct testworld *w);
	/* the first credential must be on the disk all the time */
	bool keeps_first;
};

/* --- scenarios --- */

static void
prepare_renewal(struct testworld *w)
{
	testworld_init(w);
	w->bundle = 1;
	w->lists_issuing = true;
	testworld_on(w);
	assert_true(testworld_run(w, HOUR_S, testworld_is_trusting));
	(void)testworld_run(w, 200, NULL);
	testworld_off(w);
	(void)snprintf(w->renew, sizeof(w->renew), "r2-renew");
	w->config.hook_switch = true;
}

static void
prepare_new_ca(struct testworld *w)
{
	prepare_renewal(w);
	w->new_ca = true;
}

static void
prepare_bad_hook(struct testworld *w)
{
	prepare_renewal(w);
	w->hook_exit = 1;
}

static bool
is_back(const struct testworld *w)
{
	return strstr(w->done, "r2-renew=failed") != NULL;
}

static void
prepare_lost_answers(struct testworld *w)
{
	prepare_renewal(w);
	w->fault = FAULT_SILENT;
	w->fault_left = 1;
	w->checkin_fault = FAULT_SILENT;
	w->checkin_fault_left = 2;
}

static void
prepare_trust(struct testworld *w)
{
	testworld_init(w);
	w->bundle = 1;
	testworld_on(w);
	assert_true(testworld_run(w, HOUR_S, testworld_is_trusting));
	(void)testworld_run(w, 200, NULL);
	testworld_off(w);
	w->bundle = 2;
}

static void
prepare_removal(struct testworld *w)
{
	prepare_trust(w);
	testworld_on(w);
	assert_true(testworld_run(w, HOUR_S, testworld_is_trusting));
	(void)testworld_run(w, 200, NULL);
	testworld_off(w);
	w->edge_new = true;
	w->bundle = 3;
}

static void
prepare_empty(struct testworld *w)
{
	testworld_init_empty(w);
	w->config.device_id = "pump-7";
	(void)snprintf(w->secret, sizeof(w->secret), "only-once");
}

static void
command_enroll(struct testworld *w)
{
	struct dvt_command c = {
	    .kind = DVT_COMMAND_ENROLL, .secret = "only-once"};
	struct dvt_buf anchor;

	dvt_buf_init(&anchor, DVT_CERT_PEM_MAX);
	assert_int_equal(
	    dvt_x509_to_pem(w->pki->old_root.cert, &anchor, NULL), DVT_OK);
	c.anchor_pem = dvt_buf_span(&anchor);
	assert_int_equal(dvt_agent_command(w->agent, &c, NULL), DVT_OK);
	dvt_buf_fini(&anchor);
}

static void
command_import(struct testworld *w)
{
	struct dvt_command c = {.kind = DVT_COMMAND_IMPORT};
	struct dvt_buf anchor, key, chain;

	dvt_buf_init(&anchor, DVT_CERT_PEM_MAX);
	dvt_buf_init(&key, DVT_KEY_PEM_MAX);
	dvt_buf_init(&chain, DVT_CERT_PEM_MAX);
	assert_int_equal(
	    dvt_x509_to_pem(w->pki->old_root.cert, &anchor, NULL), DVT_OK);
	assert_int_equal(
	    dvt_x509_to_pem(w->pki->device.cert, &chain, NULL), DVT_OK);
	assert_int_equal(
	    dvt_key_to_pem(w->pki->device.key, &key, NULL), DVT_OK);
	c.anchor_pem = dvt_buf_span(&anchor);
	c.key_pem = dvt_buf_span(&key);
	c.chain_pem = dvt_buf_span(&chain);
	assert_int_equal(dvt_agent_command(w->agent, &c, NULL), DVT_OK);
	dvt_buf_fini(&anchor);
	dvt_buf_cleanse(&key);
	dvt_buf_fini(&chain);
}

static bool
has_checked_in(const struct testworld *w)
{
	return w->confirmed[0] != '\0';
}

static const struct scenario scenarios[] = {
    {"renewal",			prepare_renewal,      NULL,           testworld_is_renewed,  true },
    {"renewal under a new CA",         prepare_new_ca,       NULL,           testworld_is_renewed,
     true												},
    {"renewal, each answer lost once", prepare_lost_answers, NULL,
     testworld_is_renewed,									  true },
    {"renewal that goes back",         prepare_bad_hook,     NULL,           is_back,               true },
    {"trust bundle",                   prepare_trust,        NULL,           testworld_is_trusting, true },
    {"trust bundle that removes",      prepare_removal,      NULL,           testworld_is_trusting,
     true												},
    {"first enrolment",                prepare_empty,        command_enroll, testworld_is_renewed,
     false											       },
    {"adoption",		       prepare_empty,        command_import, has_checked_in,        false},
};

/* --- one life --- */

/* On again; false when the power went while it opened. */
static bool
turn_on(struct testworld *w)
{
	struct dvt_err err;

	if (testworld_try_on(w, &err) == DVT_OK)
		return true;
	if (!dvt_memfs_is_off(w->disk))
		fail_msg("open: %s", err.text);
	return false;
}

/* From on to done, or until the power goes. */
static void
live(const struct scenario *s, struct testworld *w)
{
	if (!turn_on(w))
		return;
	if (s->command != NULL && dvt_agent_credential(w->agent) == NULL)
		s->command(w);
	(void)testworld_run(w, 6 * HOUR_S, s->is_done);
	/* and what follows the last answer is written down */
	(void)testworld_run(w, 30, NULL);
}

static void
check_first_is_there(struct testworld *w, const char *when)
{
	struct dvt_agent_env env = {.fs = &dvt_memfs,
	    .fs_ctx = w->disk,
	    .keys = &dvt_keyfile_table,
	    .keys_ctx = &w->keyfile};
	struct dvt_agent_credential cred;
	struct dvt_generation_meta meta;
	struct dvt_err err;

	if (dvt_generation_load(&env, 1, &cred, &meta, &err) != DVT_OK)
		fail_msg("%s: the predecessor is gone: %s", when, err.text);
	dvt_credential_fini(&cred);
}

/* The power is back: it works at once, and finishes. */
static void
check_life(const struct scenario *s, struct testworld *w, const char *when)
{
	if (!turn_on(w))
		fail_msg("%s: does not open", when);
	if (s->keeps_first) {
		testworld_check_works(w, when);
		check_first_is_there(w, when);
	}
	if (s->command != NULL && dvt_agent_credential(w->agent) == NULL)
		s->command(w);
	if (!testworld_run(w, 6 * HOUR_S, s->is_done))
		fail_msg(
		    "%s: not done; told\n%s", when, dvt_buf_str(&w->story));
	(void)testworld_run(w, 30, NULL);
	testworld_off(w);
	testworld_on(w); /* and once more from the disk alone */
	testworld_check_works(w, when);
	if (s->keeps_first)
		check_first_is_there(w, when);
	testworld_off(w);
}

/* --- enumeration --- */

/* Calls of the whole scenario without a cut. */
static uint64_t
count_calls(const struct scenario *s, const struct testworld *ready)
{
	struct testworld w;
	uint64_t before, calls;

	testworld_copy(&w, ready);
	before = dvt_memfs_calls(w.disk);
	live(s, &w);
	assert_true(s->is_done(&w));
	calls = dvt_memfs_calls(w.disk) - before;
	testworld_fini(&w);
	assert_in_range(calls, 10, CALLS_MAX);
	return calls;
}

static void
cut_once(const struct scenario *s, const struct testworld *ready, uint64_t k,
    enum dvt_cut mode, uint64_t seed)
{
	struct testworld w;
	char when[120];

	(void)snprintf(when, sizeof(when), "%s: cut before call %u, mode %d/%u",
	    s->name, (unsigned)k, (int)mode, (unsigned)seed);
	testworld_copy(&w, ready);
	dvt_memfs_cut(w.disk, k, mode, seed);
	live(s, &w);
	testworld_off(&w);
	dvt_memfs_power_on(w.disk);
	check_life(s, &w, when);
	testworld_fini(&w);
	points++;
}

/* The second cut hits the recovery, or what is done again. */
static bool
cut_twice(const struct scenario *s, const struct testworld *ready, uint64_t k,
    uint64_t again, uint64_t seed)
{
	struct testworld w;
	char when[120];
	bool hit;

	(void)snprintf(when, sizeof(when),
	    "%s: cuts before calls %u and %u, "
	    "seed %u",
	    s->name, (unsigned)k, (unsigned)again, (unsigned)seed);
	testworld_copy(&w, ready);
	dvt_memfs_cut(w.disk, k, DVT_CUT_MIX, seed);
	live(s, &w);
	testworld_off(&w);
	dvt_memfs_power_on(w.disk);
	dvt_memfs_cut(
	    w.disk, again, seed % 2 == 0 ? DVT_CUT_DROP : DVT_CUT_MIX, seed);
	live(s, &w);
	hit = dvt_memfs_is_off(w.disk);
	testworld_off(&w);
	dvt_memfs_power_on(w.disk);
	check_life(s, &w, when);
	testworld_fini(&w);
	points++;
	return hit;
}

static void
cut_everywhere(const struct scenario *s)
{
	struct testworld ready;
	uint64_t calls;
	unsigned before = points;

	s->prepare(&ready);
	calls = count_calls(s, &ready);
	for (uint64_t k = 0; k <= calls; k++) {
		cut_once(s, &ready, k, DVT_CUT_DROP, 0);
		cut_once(s, &ready, k, DVT_CUT_KEEP, 0);
		for (uint64_t seed = 1; seed <= seeds; seed++)
			cut_once(s, &ready, k, DVT_CUT_MIX, seed);
		for (uint64_t again = k % pair_step;
		     cut_twice(s, &ready, k, again, k + again);
		     again += pair_step)
			;
	}
	print_message("# %s: %u calls, %u cuts\n", s->name, (unsigned)calls,
	    points - before);
	testworld_fini(&ready);
}

static void
promise_5_any_cut_leaves_one_working_credential(void **state)
{
	(void)state;
	for (size_t i = 0; i < DVT_COUNT(scenarios); i++)
		cut_everywhere(&scenarios[i]);
	print_message("# %u cuts in all\n", points);
}

/* --- a disk that refuses without any cut --- */

static void
promise_5_a_disk_that_refuses_any_call_loses_nothing(void **state)
{
	static const int reasons[] = {28, 5, 122, 30}; /* ENOSPC EIO EDQUOT
							* EROFS */
	(void)state;
	for (size_t i = 0; i < DVT_COUNT(scenarios); i++) {
		const struct scenario *s = &scenarios[i];
		struct testworld ready;
		uint64_t calls;

		s->prepare(&ready);
		calls = count_calls(s, &ready);
		for (uint64_t k = 0; k <= 2 * calls; k += refuse_step) {
			struct testworld w;
			char when[120];

			(void)snprintf(when, sizeof(when),
			    "%s: call %u refused %s", s->name,
			    (unsigned)(k / 2),
			    k % 2 == 0 ? "once" : "for long");
			testworld_copy(&w, &ready);
			dvt_memfs_fail(w.disk, k / 2, k % 2 == 0 ? 1 : 200,
			    reasons[k % DVT_COUNT(reasons)]);
			while (testworld_try_on(&w, NULL) != DVT_OK)
				;
			if (s->command != NULL &&
			    dvt_agent_credential(w.agent) == NULL)
				s->command(&w);
			if (!testworld_run(&w, 24 * HOUR_S, s->is_done))
				fail_msg("%s: not done; told\n%s", when,
				    dvt_buf_str(&w.story));
			testworld_check_works(&w, when);
			testworld_fini(&w);
			points++;
		}
		testworld_fini(&ready);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(promise_5_any_cut_leaves_one_working_credential),
	    cmocka_unit_test(
		promise_5_a_disk_that_refuses_any_call_loses_nothing),
	};
	const char *how = getenv("DOVETAIL_LONG");
	int failed;

	if (how != NULL && strcmp(how, "1") == 0) {
		seeds = 40;
		pair_step = 1;
		refuse_step = 1;
	}
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	testpki_free();
	return failed;
}
