/* SPDX-License-Identifier: Apache-2.0 */
/* Damage of the state directory, and what strangers left in it: the device
 * goes on with what is whole. */
#include "device/agent.h"

#include "device/testworld.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#define HOUR_S 3600

static void
must(enum dvt_code rc, const char *what)
{
	if (rc != DVT_OK)
		fail_msg("%s: %s", what, dvt_code_name(rc));
}

static void
put(struct testworld *w, const char *path, const char *text)
{
	must(dvt_memfs.write_new(w->disk, path, dvt_span_str(text), 0600, NULL),
	    path);
}

static void
make(struct testworld *w, const char *path)
{
	must(dvt_memfs.mkdir(w->disk, path, 0700, NULL), path);
}

static bool
is_there(const struct testworld *w, const char *path)
{
	struct dvt_buf b;
	bool there;

	dvt_buf_init(&b, DVT_FS_FILE_MAX);
	there = dvt_memfs.read(w->disk, path, &b, NULL) == DVT_OK;
	dvt_buf_cleanse(&b);
	dvt_buf_fini(&b);
	return there;
}

/* A file that the disk does not give back. */
static const char *lost_path;

static enum dvt_code
read_but_lost(
    void *ctx, const char *path, struct dvt_buf *out, struct dvt_err *err)
{
	if (strcmp(path, lost_path) == 0)
		return dvt_fail(
		    err, DVT_E_SYSTEM, "read %s: Input/output error", path);
	return dvt_memfs.read(ctx, path, out, err);
}

enum damage { RUBBISH, EMPTIED, FOLDER, LOST };
static const char *const damages[] = {"rubbish", "emptied", "a folder", "lost"};

static void
do_damage(struct testworld *w, enum damage how, const char *path)
{
	static struct dvt_fs lossy;
	char inside[64];

	if (how == LOST) {
		lossy = dvt_memfs;
		lossy.read = read_but_lost;
		lost_path = path;
		w->fs = &lossy;
		return;
	}
	must(dvt_memfs.unlink(w->disk, path, NULL), path);
	if (how != FOLDER) {
		put(w, path, how == RUBBISH ? "x" : "");
		return;
	}
	(void)snprintf(inside, sizeof(inside), "%s/inside", path);
	make(w, path);
	put(w, inside, "x");
}

/* Two generations, two trust sets, a value. */
static int
setup(void **state)
{
	struct testworld *w;

	(void)testworld_setup(state);
	w = *state;
	testworld_on(w);
	w->bundle = 1;
	must(testworld_run(w, 300, testworld_is_trusting) ? DVT_OK : DVT_E_BUSY,
	    "bundle 1");
	testworld_set_value(w, "wifi.psk", "correct horse");
	w->bundle = 2;
	must(testworld_run(w, 300, testworld_is_trusting) ? DVT_OK : DVT_E_BUSY,
	    "bundle 2");
	testworld_ask_renew(w, "r2-renew");
	must(testworld_run(w, HOUR_S, testworld_is_renewed) ? DVT_OK
							    : DVT_E_BUSY,
	    "renewal");
	testworld_off(w);
	return 0;
}

static int64_t
generation(const struct testworld *w)
{
	struct dvt_agent_status s;

	dvt_agent_status(w->agent, &s);
	return s.generation;
}

static void
damage_is_set_aside_and_told(void **state)
{
	static const struct {
		const char *path, *told;
	} cases[] = {
	    {"generations/2/key.pem",   "Set damaged state aside(2)"},
	    {"generations/2/chain.pem", "Set damaged state aside(2)"},
	    {"generations/2/meta.json", "Set damaged state aside(2)"},
	    {"current",                 "Set damaged state aside(0)"},
	    {"journal",                 ""			  },
	    {"config.json",             ""                          },
	    {"trust/2/held.json",       "Set damaged state aside(2)"},
	    {"trust/2/anchor-01.pem",   ""                          },
	    {"trust/2/meta.json",       "Set damaged state aside(2)"},
	};

	for (size_t i = 0; i < 4 * DVT_COUNT(cases); i++) {
		const char *path = cases[i / 4].path, *told = cases[i / 4].told;
		struct testworld w;

		testworld_copy(&w, *state);
		do_damage(&w, (enum damage)(i % 4), path);
		dvt_buf_reset(&w.story);
		testworld_on(&w);
		(void)testworld_run(&w, 200, NULL);
		testworld_check_works(&w, path);
		if (told[0] != '\0' && !testworld_has_told(&w, told))
			fail_msg("%s, %s: told\n%s", path, damages[i % 4],
			    dvt_buf_str(&w.story));
		if (!testworld_run(&w, 300, testworld_is_trusting))
			fail_msg("%s, %s: no trust", path, damages[i % 4]);
		testworld_ask_renew(&w, "r3-renew");
		if (!testworld_run(&w, HOUR_S, testworld_is_renewed))
			fail_msg("%s, %s: no renewal\n%s", path, damages[i % 4],
			    dvt_buf_str(&w.story));
		testworld_fini(&w);
	}
}

/* Nothing tells then that they were whole, but that they belong together. */
static void
a_lost_meta_json_costs_no_key(void **state)
{
	static const char *const also[] = {"", "current", "journal"};
	struct testworld *whole = *state, w;

	for (size_t i = 0; i < DVT_COUNT(also); i++) {
		testworld_copy(&w, whole);
		must(dvt_memfs.unlink(w.disk, "generations/1/key.pem", NULL),
		    "predecessor");
		must(dvt_memfs.unlink(w.disk, "generations/2/meta.json", NULL),
		    "meta.json");
		if (also[i][0] != '\0')
			must(dvt_memfs.unlink(w.disk, also[i], NULL), also[i]);
		dvt_buf_reset(&w.story);
		for (int again = 0; again < 2; again++) {
			testworld_on(&w);
			assert_int_equal(generation(&w), 2);
			testworld_check_works(&w, "without meta.json");
			(void)testworld_run(&w, 200, NULL);
			testworld_off(&w);
		}
		assert_true(testworld_has_told(&w, "made again"));
		assert_true(is_there(&w, "generations/2/meta.json"));
		testworld_fini(&w);
	}
}

/* All others are gone: it is better than none, and has a certificate. */
static void
the_generation_of_an_update_is_used_where_nothing_else_is_left(void **state)
{
	struct testworld *w = *state;
	char found[4096];

	testworld_on(w);
	w->trial_refused = true;
	testworld_ask_renew(w, "r3");
	for (int i = 0; i < 100 && !is_there(w, "generations/3/meta.json"); i++)
		(void)testworld_run(w, 1, NULL);
	testworld_off(w);
	assert_true(is_there(w, "generations/3/meta.json"));
	for (int i = 1; i < 3; i++) {
		(void)snprintf(
		    found, sizeof(found), "generations/%d/key.pem", i);
		must(dvt_memfs.unlink(w->disk, found, NULL), found);
	}
	w->trial_refused = false;
	testworld_on(w);
	assert_int_equal(generation(w), 3);
	assert_true(testworld_run(w, HOUR_S, testworld_is_renewed));
	testworld_check_works(w, "by the update's own");
	testworld_off(w);
}

/* A bad block, a wrong owner: tried again at each start, and not removed. */
static void
a_generation_that_does_not_come_off_the_disk_is_kept(void **state)
{
	struct testworld *w = *state;

	do_damage(w, LOST, "generations/2/key.pem");
	testworld_on(w);
	assert_int_equal(generation(w), 1);
	(void)testworld_run(w, 300, NULL);
	testworld_off(w);
	w->fs = NULL;
	testworld_on(w);
	assert_int_equal(generation(w), 2);
	testworld_check_works(w, "read again");
	testworld_off(w);
}

static void
nothing_is_enrolled_over_generations_that_cannot_be_read(void **state)
{
	struct testworld *w = *state;
	struct dvt_err err;

	must(dvt_memfs.unlink(w->disk, "generations/1/meta.json", NULL), "1");
	do_damage(w, LOST, "generations/2/chain.pem");
	assert_int_equal(testworld_try_on(w, &err), DVT_E_SYSTEM);
	assert_non_null(strstr(err.text, "Input/output error"));
	w->fs = NULL;
	testworld_on(w);
	testworld_check_works(w, "read again");
	testworld_off(w);
}

static void
what_is_not_ours_in_the_state_directory_hurts_nothing(void **state)
{
	struct testworld *w = *state;

	make(w, "generations.old"); /* somebody's copy */
	make(w, "generations.old/1");
	put(w, "generations.old/1/key.pem", "x");
	put(w, "agent.ini.old", "x");
	make(w, "generations/9.old"); /* and of one */
	make(w, "generations/9.old/sub");
	put(w, "generations/9.old/sub/file", "x");
	make(w, "trust/7.new");
	make(w, "trust/7.new/sub");
	make(w, "generations/999999999999999");
	make(w, "journal.bad");
	put(w, "journal.bad/file", "x");
	must(dvt_memfs.unlink(w->disk, "journal", NULL), "journal");
	make(w, "journal");
	put(w, "journal/file", "x");
	for (int64_t i = 0; i < 2; i++) {
		testworld_on(w);
		testworld_check_works(w, "beside strangers");
		(void)testworld_run(w, 200, NULL);
		assert_true(w->checkins > 0);
		testworld_ask_renew(w, i == 0 ? "r3" : "r4");
		assert_true(testworld_run(w, HOUR_S, testworld_is_renewed));
		testworld_off(w);
	}
	assert_true(is_there(w, "generations.old/1/key.pem"));
	assert_true(is_there(w, "agent.ini.old"));
	assert_true(is_there(w, "generations/9.old/sub/file"));
}

static void
a_number_at_the_end_of_all_numbers_is_not_counted_on(void **state)
{
	struct testworld *w = *state;

	make(w, "generations/999999999999999");
	for (int64_t i = 0; i < 2; i++) {
		testworld_on(w);
		testworld_ask_renew(w, i == 0 ? "r3" : "r4");
		assert_true(testworld_run(w, HOUR_S, testworld_is_renewed));
		assert_int_equal(generation(w), 3 + i);
		testworld_off(w);
	}
}

/* Its values are fetched again; a disk that can be written goes on. */
static void
a_file_in_place_of_the_values_stops_no_update(void **state)
{
	struct testworld *w = *state;

	must(dvt_memfs.unlink(w->disk, "config/wifi.psk", NULL), "value");
	must(dvt_memfs.rmdir(w->disk, "config", NULL), "config");
	put(w, "config", "x");
	testworld_on(w);
	testworld_ask_renew(w, "r3");
	assert_true(testworld_run(w, HOUR_S, testworld_is_renewed));
	testworld_off(w);
}

/* The set given at enrolment has no bundle: its anchor is enough. */
static void
a_damaged_first_trust_set_keeps_its_anchor(void **state)
{
	static const char *const files[] = {
	    "trust/0/held.json", "trust/0/meta.json"};
	struct testworld *whole = *state;

	for (size_t i = 0; i < DVT_COUNT(files); i++) {
		struct testworld w;

		testworld_copy(&w, whole);
		assert_int_equal(
		    dvt_memfs.unlink(w.disk, files[i], NULL), DVT_OK);
		testworld_on(&w);
		testworld_check_works(&w, files[i]);
		w.bundle = 2;
		assert_true(testworld_run(&w, 300, testworld_is_trusting));
		assert_true(
		    testworld_has_told(&w, "Set damaged state aside(0)"));
		testworld_fini(&w);
	}
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, testworld_teardown)
	const struct CMUnitTest tests[] = {
	    T(damage_is_set_aside_and_told),
	    T(a_lost_meta_json_costs_no_key),
	    T(the_generation_of_an_update_is_used_where_nothing_else_is_left),
	    T(a_generation_that_does_not_come_off_the_disk_is_kept),
	    T(nothing_is_enrolled_over_generations_that_cannot_be_read),
	    T(what_is_not_ours_in_the_state_directory_hurts_nothing),
	    T(a_number_at_the_end_of_all_numbers_is_not_counted_on),
	    T(a_file_in_place_of_the_values_stops_no_update),
	    cmocka_unit_test_setup_teardown(
		a_damaged_first_trust_set_keeps_its_anchor, testworld_setup,
		testworld_teardown),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);

	testpki_free();
	return failed;
}
