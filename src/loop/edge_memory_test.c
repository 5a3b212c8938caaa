/* SPDX-License-Identifier: Apache-2.0 */
#include "loop/edge_memory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define OLD "aa11bb22aa11bb22aa11bb22aa11bb22aa11bb22aa11bb22aa11bb22aa11bb22"
#define NEW "cc33dd44cc33dd44cc33dd44cc33dd44cc33dd44cc33dd44cc33dd44cc33dd44"

static const struct dvt_offer offers[] = {
    {.root = OLD, .form = DVT_FORM_PURE },
    {.root = NEW, .form = DVT_FORM_PURE },
    {.root = NEW, .form = DVT_FORM_CROSS},
};
static const int64_t now = 1764547200;

static struct dvt_edge_memory *
table(size_t lines)
{
	struct dvt_edge_memory *m;

	assert_int_equal(dvt_edge_memory_new(lines, &m, NULL), DVT_OK);
	return m;
}

static void
what_one_client_did_is_recalled_for_it_alone(void **state)
{
	struct dvt_edge_memory *m = table(1024);
	struct dvt_edge_client a = {"192.0.2.1", "p1", "", false}, b = a, t = a,
			       o = a;
	struct dvt_choice_memory got[DVT_OFFERS_MAX];

	(void)state;
	b.print = "p2";
	t.device = "dev-7";
	o.address = "192.0.2.2";
	dvt_edge_memory_learn(m, &a, NEW, DVT_FORM_CROSS, false, now);
	dvt_edge_memory_learn(m, &a, NEW, DVT_FORM_PURE, false, now);
	dvt_edge_memory_learn(m, &a, NEW, DVT_FORM_CROSS, true, now);
	assert_int_equal(dvt_edge_memory_recall(m, &a, offers, 3, now, got), 2);
	assert_string_equal(got[0].root, NEW);
	assert_int_equal(got[0].form, DVT_FORM_PURE);
	assert_false(got[0].accepted);
	assert_true(got[1].accepted);
	assert_true(got[1].at > got[0].at);
	assert_int_equal(dvt_edge_memory_recall(m, &b, offers, 3, now, got), 0);
	assert_int_equal(dvt_edge_memory_recall(m, &t, offers, 3, now, got), 0);
	assert_int_equal(dvt_edge_memory_recall(m, &o, offers, 3, now, got), 0);
	assert_int_equal(dvt_edge_memory_recall(
			     m, &a, offers, 3, now + DVT_EDGE_MEMORY_S, got),
	    0);
	dvt_edge_memory_free(m);
}

static void
an_address_cannot_push_out_others(void **state)
{
	struct dvt_edge_memory *m = table(8); /* one set for all */
	struct dvt_edge_client quiet = {"192.0.2.1", "p", "", false};
	struct dvt_choice_memory got[DVT_OFFERS_MAX];

	(void)state;
	dvt_edge_memory_learn(m, &quiet, OLD, DVT_FORM_PURE, false, now);
	for (int i = 0; i < 10000; i++) {
		char print[16];
		struct dvt_edge_client loud = {
		    "198.51.100.9", print, "", false};

		snprintf(print, sizeof(print), "p%d", i);
		dvt_edge_memory_learn(
		    m, &loud, OLD, DVT_FORM_PURE, false, now + i / 1000);
	}
	assert_int_equal(
	    dvt_edge_memory_recall(m, &quiet, offers, 3, now + 10, got), 1);
	dvt_edge_memory_free(m);
}

static void
another_process_sees_it(void **state)
{
	struct dvt_edge_memory *m = table(64);
	struct dvt_edge_client a = {"192.0.2.1", "p1", "", false};
	struct dvt_choice_memory got[DVT_OFFERS_MAX];
	pid_t pid = fork();
	int status;

	(void)state;
	assert_true(pid >= 0);
	if (pid == 0) {
		dvt_edge_memory_learn(m, &a, OLD, DVT_FORM_PURE, false, now);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(dvt_edge_memory_recall(m, &a, offers, 3, now, got), 1);
	dvt_edge_memory_free(m);
}

static bool
shows_new(struct dvt_edge_memory *m, const struct dvt_edge_client *c, int64_t t)
{
	struct dvt_choice_memory got[DVT_OFFERS_MAX];

	assert_int_equal(dvt_edge_memory_recall(m, c, offers, 3, t, got), 1);
	return got[0].accepted;
}

static void
what_one_of_many_took_is_not_taken_from_them(void **state)
{
	struct dvt_edge_memory *m = table(8);
	struct dvt_edge_client c = {"198.51.100.9", "good", "", false}, s = c;
	int moved = 0;

	(void)state;
	s.shared = true;
	dvt_edge_memory_learn(m, &c, NEW, DVT_FORM_PURE, true, now);
	/* alone there, it refuses by now */
	dvt_edge_memory_learn(m, &c, NEW, DVT_FORM_PURE, false, now);
	assert_false(shows_new(m, &c, now));
	/* many there: one turn for the one that refused, if it comes soon */
	assert_true(shows_new(m, &s, now));
	dvt_edge_memory_learn(m, &s, NEW, DVT_FORM_PURE, false, now);
	assert_false(shows_new(m, &s, now + 1));
	assert_true(shows_new(m, &s, now + 1));
	dvt_edge_memory_learn(m, &s, NEW, DVT_FORM_PURE, false, now);
	assert_true(shows_new(m, &s, now + 100));
	/* forged, with every print: the others are moved a few times at most */
	for (int i = 0; i < 10000; i++) {
		char print[16];
		struct dvt_edge_client f = {"198.51.100.9", print, "", true};

		snprintf(print, sizeof(print), "p%d", i);
		dvt_edge_memory_learn(
		    m, &f, NEW, DVT_FORM_PURE, false, now + i / 100);
		dvt_edge_memory_learn(
		    m, &s, NEW, DVT_FORM_PURE, false, now + i / 100);
		moved += shows_new(m, &s, now + i / 100) ? 0 : 1;
	}
	assert_in_range(moved, 0, DVT_EDGE_MEMORY_TURNS);
	dvt_edge_memory_free(m);
}

static void
the_only_device_at_an_address_is_named(void **state)
{
	static const struct {
		const char *address, *device;
		enum dvt_confidence then;
		const char *named;
	} rows[] = {
	    {"10.0.0.1", "dev-1",				      DVT_CONF_ADDRESS,    "dev-1"},
	    {"10.0.0.1", "dev-1",				      DVT_CONF_ADDRESS,    "dev-1"},
	    {"10.0.0.2", "dev-2",				      DVT_CONF_ADDRESS,    "dev-2"},
	    {"10.0.0.1", "dev-2",				      DVT_CONF_CANDIDATES, ""     },
	    {"10.0.0.1", "dev-1",				      DVT_CONF_CANDIDATES, ""     },
	    {"10.0.0.3", "an-id-longer-than-what-a-line-can-remember",
             DVT_CONF_CANDIDATES,							   ""     },
	};
	struct dvt_edge_memory *m = table(1024);
	char id[DVT_DEVICE_ID_MAX + 1];

	(void)state;
	assert_int_equal(
	    dvt_edge_memory_device_at(m, "10.0.0.1", now, id), DVT_CONF_NONE);
	for (size_t i = 0; i < DVT_COUNT(rows); i++) {
		dvt_edge_memory_device_seen(
		    m, rows[i].address, rows[i].device, now);
		assert_int_equal(
		    dvt_edge_memory_device_at(m, rows[i].address, now, id),
		    rows[i].then);
		assert_string_equal(id, rows[i].named);
	}
	dvt_edge_memory_free(m);
}

static void
the_fifth_chain_takes_the_place_of_the_oldest(void **state)
{
	struct dvt_edge_memory *m = table(64);
	struct dvt_edge_client a = {"192.0.2.1", "p1", "", false};
	struct dvt_choice_memory got[DVT_OFFERS_MAX];
	char root[DVT_DEVICE_ID_MAX];

	(void)state;
	dvt_edge_memory_learn(m, &a, OLD, DVT_FORM_PURE, false, now);
	for (int i = 0; i < 4; i++) {
		snprintf(root, sizeof(root), "%08x", i);
		dvt_edge_memory_learn(m, &a, root, DVT_FORM_PURE, false, now);
	}
	assert_int_equal(dvt_edge_memory_recall(m, &a, offers, 3, now, got), 0);
	for (int i = 0; i < 70000; i++) /* past the counter's end */
		dvt_edge_memory_learn(m, &a, NEW, DVT_FORM_PURE, true, now);
	assert_int_equal(dvt_edge_memory_recall(m, &a, offers, 3, now, got), 1);
	dvt_edge_memory_free(m);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_one_client_did_is_recalled_for_it_alone),
	    cmocka_unit_test(an_address_cannot_push_out_others),
	    cmocka_unit_test(another_process_sees_it),
	    cmocka_unit_test(what_one_of_many_took_is_not_taken_from_them),
	    cmocka_unit_test(the_only_device_at_an_address_is_named),
	    cmocka_unit_test(the_fifth_chain_takes_the_place_of_the_oldest),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
