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

static const struct dvt_offer old_pure = {.root = OLD, .form = DVT_FORM_PURE};
static const struct dvt_offer new_pure = {.root = NEW, .form = DVT_FORM_PURE};
static const struct dvt_offer new_cross = {.root = NEW, .form = DVT_FORM_CROSS};
static const struct dvt_offer offers[] = {
    {.root = OLD, .form = DVT_FORM_PURE },
    {.root = NEW, .form = DVT_FORM_PURE },
    {.root = NEW, .form = DVT_FORM_CROSS},
};
static const int64_t now = 1764547200;

static size_t
recall(struct dvt_edge_memory *m, const struct dvt_edge_client *c,
    const struct dvt_offer *of, size_t n, int64_t t,
    struct dvt_choice_memory *out)
{
	bool turn;

	return dvt_edge_memory_recall(m, c, of, n, t, out, &turn);
}

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
	struct dvt_edge_client a = {"192.0.2.1", "p1", "", 0, DVT_WORD_ANY},
			       b = a, t = a, o = a;
	struct dvt_choice_memory got[DVT_OFFERS_MAX];

	(void)state;
	b.print = "p2";
	t.device = "dev-7";
	o.address = "192.0.2.2";
	dvt_edge_memory_learn(m, &a, &new_cross, false, now);
	dvt_edge_memory_learn(m, &a, &new_pure, false, now);
	dvt_edge_memory_learn(m, &a, &new_cross, true, now);
	assert_int_equal(recall(m, &a, offers, 3, now, got), 2);
	assert_string_equal(got[0].root, NEW);
	assert_int_equal(got[0].form, DVT_FORM_PURE);
	assert_false(got[0].accepted);
	assert_true(got[1].accepted);
	assert_true(got[1].at > got[0].at);
	assert_int_equal(recall(m, &b, offers, 3, now, got), 0);
	assert_int_equal(recall(m, &t, offers, 3, now, got), 0);
	assert_int_equal(recall(m, &o, offers, 3, now, got), 0);
	assert_int_equal(
	    recall(m, &a, offers, 3, now + DVT_EDGE_MEMORY_S, got), 0);
	dvt_edge_memory_free(m);
}

static void
an_address_cannot_push_out_others(void **state)
{
	struct dvt_edge_memory *m = table(8); /* one set for all */
	struct dvt_edge_client quiet = {"192.0.2.1", "p", "", 0, DVT_WORD_ANY};
	struct dvt_choice_memory got[DVT_OFFERS_MAX];

	(void)state;
	dvt_edge_memory_learn(m, &quiet, &old_pure, false, now);
	for (int i = 0; i < 10000; i++) {
		char print[16];
		struct dvt_edge_client loud = {
		    "198.51.100.9", print, "", 0, DVT_WORD_ANY};

		snprintf(print, sizeof(print), "p%d", i);
		dvt_edge_memory_learn(
		    m, &loud, &old_pure, false, now + i / 1000);
	}
	assert_int_equal(recall(m, &quiet, offers, 3, now + 10, got), 1);
	dvt_edge_memory_free(m);
}

static void
another_process_sees_it(void **state)
{
	struct dvt_edge_memory *m = table(64);
	struct dvt_edge_client a = {"192.0.2.1", "p1", "", 0, DVT_WORD_ANY};
	struct dvt_choice_memory got[DVT_OFFERS_MAX];
	pid_t pid = fork();
	int status;

	(void)state;
	assert_true(pid >= 0);
	if (pid == 0) {
		dvt_edge_memory_learn(m, &a, &old_pure, false, now);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(recall(m, &a, offers, 3, now, got), 1);
	dvt_edge_memory_free(m);
}

static bool
shows_new(struct dvt_edge_memory *m, const struct dvt_edge_client *c, int64_t t)
{
	struct dvt_choice_memory got[DVT_OFFERS_MAX];

	assert_int_equal(recall(m, c, offers, 3, t, got), 1);
	return got[0].accepted;
}

static void
what_one_of_many_took_is_not_taken_from_them(void **state)
{
	struct dvt_edge_memory *m = table(8);
	struct dvt_edge_client c = {"198.51.100.9", "good", "", 0,
				   DVT_WORD_ANY},
			       s = c;
	int moved = 0;

	(void)state;
	s.devices = 5;
	dvt_edge_memory_learn(m, &c, &new_pure, true, now);
	/* alone there, it refuses by now */
	dvt_edge_memory_learn(m, &c, &new_pure, false, now);
	assert_false(shows_new(m, &c, now));
	/* many there: one turn for the one that refused, if it comes soon */
	assert_true(shows_new(m, &s, now));
	dvt_edge_memory_learn(m, &s, &new_pure, false, now);
	assert_false(shows_new(m, &s, now + 1));
	assert_true(shows_new(m, &s, now + 1));
	dvt_edge_memory_learn(m, &s, &new_pure, false, now);
	assert_true(shows_new(m, &s, now + 100));
	/* forged, with every print: the others are moved a few times at most */
	for (int i = 0; i < 10000; i++) {
		char print[16];
		struct dvt_edge_client f = {
		    "198.51.100.9", print, "", 5, DVT_WORD_ANY};

		snprintf(print, sizeof(print), "p%d", i);
		dvt_edge_memory_learn(m, &f, &new_pure, false, now + i / 100);
		dvt_edge_memory_learn(m, &s, &new_pure, false, now + i / 100);
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
	    {"10.0.0.1", "dev-1",				      DVT_CONF_ADDRESS,    "dev-1"                               },
	    {"10.0.0.1", "dev-1",				      DVT_CONF_ADDRESS,    "dev-1"                               },
	    {"10.0.0.2", "dev-2",				      DVT_CONF_ADDRESS,    "dev-2"                               },
	    {"10.0.0.1", "dev-2",				      DVT_CONF_CANDIDATES, ""                                    },
	    {"10.0.0.1", "dev-1",				      DVT_CONF_CANDIDATES, ""                                    },
 /* a UUID fills all of its place */
	    {"10.0.0.4", "6ba7b810-9dad-11d1-80b4-00c04fd430c8",
             DVT_CONF_ADDRESS,							      "6ba7b810-9dad-11d1-80b4-00c04fd430c8"},
	    {"10.0.0.4", "6ba7b810-9dad-11d1-80b4-00c04fd430c8",
             DVT_CONF_ADDRESS,							      "6ba7b810-9dad-11d1-80b4-00c04fd430c8"},
	    {"10.0.0.4", "6ba7b810-9dad-11d1-80b4-00c04fd430c8-2",
             DVT_CONF_CANDIDATES,							   ""                                    },
	    {"10.0.0.3", "an-id-longer-than-what-a-line-can-remember",
             DVT_CONF_CANDIDATES,							   ""                                    },
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
the_chain_of_longest_ago_makes_room(void **state)
{
	struct dvt_edge_memory *m = table(64);
	struct dvt_edge_client a = {"192.0.2.1", "p1", "", 0, DVT_WORD_ANY};
	struct dvt_choice_memory got[DVT_OFFERS_MAX];
	struct dvt_offer other = old_pure;

	(void)state;
	dvt_edge_memory_learn(m, &a, &old_pure, false, now);
	dvt_edge_memory_learn(m, &a, &new_pure, true, now);
	for (other.generation = 1; other.generation < 9; other.generation++)
		dvt_edge_memory_learn(m, &a, &other, false, now);
	/* what let it in is worth more */
	assert_int_equal(recall(m, &a, offers, 3, now, got), 1);
	assert_string_equal(got[0].root, NEW);
	assert_true(got[0].accepted);
	for (int i = 0; i < 70000; i++) { /* past the counter's end */
		dvt_edge_memory_learn(m, &a, &new_pure, false, now);
		dvt_edge_memory_learn(m, &a, &new_cross, true, now);
	}
	assert_int_equal(recall(m, &a, offers, 3, now, got), 2);
	assert_false(got[0].accepted);
	assert_true(got[1].accepted && got[1].at > got[0].at);
	dvt_edge_memory_free(m);
}

static void
generations_of_one_root_are_told_apart_and_pairs_are_not(void **state)
{
	struct dvt_edge_memory *m = table(64);
	struct dvt_edge_client a = {"192.0.2.1", "p1", "", 0, DVT_WORD_ANY};
	static const struct dvt_offer three[] = {
	    {.root = OLD, .generation = 1, .credential = "ec" },
	    {.root = OLD, .generation = 1, .credential = "rsa", .rsa = true},
	    {.root = OLD,           .generation = 2,                .credential = "ec"         },
	};
	struct dvt_choice_memory got[DVT_OFFERS_MAX];

	(void)state;
	dvt_edge_memory_learn(m, &a, &three[0], false, now);
	assert_int_equal(recall(m, &a, three, 3, now, got), 2);
	assert_int_equal(got[0].generation, 1);
	assert_int_equal(got[1].generation, 1);
	dvt_edge_memory_free(m);
}

/* Who never comes in uses up its turns; who does gets them back. */
static void
turns_are_for_those_that_come_in(void **state)
{
	struct dvt_edge_memory *m = table(64);
	struct dvt_edge_client s = {"198.51.100.9", "p", "", 5, DVT_WORD_ANY};
	struct dvt_choice_memory got[DVT_OFFERS_MAX];
	bool turn;
	int lucky = 0;

	(void)state;
	dvt_edge_memory_learn(m, &s, &new_cross, true, now);
	for (int i = 0; i < 50; i++) { /* pinned: refuses one, takes one */
		dvt_edge_memory_learn(m, &s, &new_cross, false, now);
		dvt_edge_memory_recall(m, &s, offers, 3, now, got, &turn);
		assert_true(turn);
		dvt_edge_memory_learn(m, &s, &old_pure, true, now);
		dvt_edge_memory_recall(m, &s, offers, 3, now, got, &turn);
		assert_false(turn);
	}
	for (int i = 0; i < 50; i++) { /* a stranger refuses all */
		dvt_edge_memory_learn(m, &s, &new_cross, false, now);
		dvt_edge_memory_recall(m, &s, offers, 3, now, got, &turn);
		if (i < DVT_EDGE_MEMORY_TURNS)
			assert_true(turn);
		else
			lucky += turn;
	}
	assert_in_range(lucky, 1, 30); /* about a fifth of them */
	/* all are content again, as after a rollback: chance moves nobody */
	dvt_edge_memory_learn(m, &s, &new_cross, true, now);
	dvt_edge_memory_learn(m, &s, &old_pure, true, now);
	for (int i = 0; i < 50; i++) {
		dvt_edge_memory_recall(m, &s, offers, 3, now, got, &turn);
		assert_false(turn);
	}
	dvt_edge_memory_free(m);
}

/* Is @of one that it is not known to refuse? */
static bool
may_show(struct dvt_edge_memory *m, const struct dvt_edge_client *c,
    const struct dvt_offer *of, int64_t t)
{
	struct dvt_choice_memory got[DVT_OFFERS_MAX];
	bool turn;
	size_t n = dvt_edge_memory_recall(m, c, of, 1, t, got, &turn);

	return n == 0 || got[0].accepted;
}

static void
the_only_device_at_an_address_keeps_its_chain_beside_forgers(void **state)
{
	struct dvt_edge_memory *m = table(64);
	struct dvt_edge_client c = {"198.51.100.9", "p", "", 1, DVT_WORD_ANY};
	int moved = 0;

	(void)state;
	dvt_edge_memory_learn(m, &c, &new_pure, true, now);
	for (int i = 0; i < 200; i++) {
		for (int k = 0; k < 5; k++)
			dvt_edge_memory_learn(m, &c, &new_pure, false, now);
		moved += !may_show(m, &c, &new_pure, now);
	}
	assert_in_range(moved, 1, DVT_EDGE_MEMORY_TURNS);
	dvt_edge_memory_free(m);
}

/* It took one chain, and takes another now: believed after three times. */
/* It proved its certificate before it left without a byte. */
static void
the_only_device_at_an_address_is_believed_at_once_when_it_is_proven(
    void **state)
{
	static const struct {
		enum dvt_edge_word word;
		bool then, later; /* shown it at the next attempts */
	} rows[] = {
	    {DVT_WORD_ANY,    true,  true }, /* anybody's */
	    {DVT_WORD_PROVEN, true,  true }, /* another device's */
	    {DVT_WORD_OWN,    false, false},
	};

	(void)state;
	for (size_t i = 0; i < DVT_COUNT(rows); i++) {
		struct dvt_edge_memory *m = table(64);
		struct dvt_edge_client c = {
		    "198.51.100.9", "p", "", 1, DVT_WORD_ANY};

		dvt_edge_memory_learn(m, &c, &new_pure, true, now);
		c.word = rows[i].word;
		dvt_edge_memory_learn(m, &c, &new_pure, false, now);
		assert_int_equal(may_show(m, &c, &new_pure, now), rows[i].then);
		assert_int_equal(
		    may_show(m, &c, &new_pure, now), rows[i].later);
		dvt_edge_memory_free(m);
	}
}

static void
the_only_device_at_an_address_may_change_its_mind(void **state)
{
	struct dvt_edge_memory *m = table(64);
	struct dvt_edge_client c = {"198.51.100.9", "p", "", 1, DVT_WORD_ANY};

	(void)state;
	dvt_edge_memory_learn(m, &c, &new_pure, true, now);
	for (int i = 0; i < 3; i++) {
		for (int k = 0; k < 2; k++) {
			assert_true(may_show(m, &c, &new_pure, now));
			dvt_edge_memory_learn(m, &c, &new_pure, false, now);
		}
		assert_false(may_show(m, &c, &new_pure, now)); /* its turn */
		dvt_edge_memory_learn(m, &c, &old_pure, true, now);
	}
	for (int i = 0; i < 3; i++) {
		assert_false(may_show(m, &c, &new_pure, now));
		dvt_edge_memory_learn(m, &c, &old_pure, true, now);
	}
	dvt_edge_memory_free(m);
}

/* Of several alike most take the new root, one the old alone. */
static void
who_needs_another_chain_gets_in_beside_forgers(void **state)
{
	struct dvt_edge_memory *m = table(64);
	struct dvt_edge_client c = {"198.51.100.9", "p", "", 3, DVT_WORD_ANY};
	int in = 0;

	(void)state;
	dvt_edge_memory_learn(m, &c, &new_pure, true, now);
	dvt_edge_memory_learn(m, &c, &old_pure, true, now);
	for (int i = 0; i < 400; i++) {
		for (int k = 0; k < 5; k++)
			dvt_edge_memory_learn(m, &c, &new_pure, false, now);
		/* both are offered: shown is what it is not known to refuse */
		in += !may_show(m, &c, &new_pure, now);
	}
	assert_in_range(in, 40, 130); /* a fifth: so many of all attempts */
	dvt_edge_memory_free(m);
}

static void
who_was_let_in_is_not_pushed_out_by_who_was_not(void **state)
{
	struct dvt_edge_memory *m = table(1); /* one set for all */
	struct dvt_edge_client c = {"192.0.2.1", "p", "", 1, DVT_WORD_ANY};
	struct dvt_choice_memory got[DVT_OFFERS_MAX];
	char id[DVT_DEVICE_ID_MAX + 1], address[16];

	(void)state;
	dvt_edge_memory_learn(m, &c, &old_pure, true, now);
	dvt_edge_memory_device_seen(m, c.address, "dev-1", now);
	for (int i = 0; i < 10000; i++) {
		struct dvt_edge_client f = {address, "p", "", 0, DVT_WORD_ANY};

		snprintf(
		    address, sizeof(address), "10.0.%d.%d", i / 250, i % 250);
		dvt_edge_memory_learn(m, &f, &old_pure, false, now + i);
	}
	assert_int_equal(recall(m, &c, offers, 3, now + 10000, got), 1);
	assert_true(got[0].accepted);
	assert_int_equal(
	    dvt_edge_memory_device_at(m, c.address, now + 10000, id),
	    DVT_CONF_ADDRESS);
	dvt_edge_memory_free(m);
}

static void
a_crowd_is_not_remembered_but_for_its_tickets(void **state)
{
	struct dvt_edge_memory *m = table(64);
	struct dvt_edge_client c = {"198.51.100.9", "p", "", 0, DVT_WORD_ANY},
			       t = c;
	struct dvt_choice_memory got[DVT_OFFERS_MAX];
	char id[16];

	(void)state;
	t.device = "dev-1";
	t.devices = 1;
	for (int i = 0; i < 100; i++) {
		snprintf(id, sizeof(id), "dev-%d", i);
		assert_in_range(dvt_edge_memory_devices(m, c.address, now),
		    i * 7 / 10, i * 13 / 10);
		dvt_edge_memory_device_seen(m, c.address, id, now);
		dvt_edge_memory_device_seen(m, c.address, id, now);
	}
	c.devices = dvt_edge_memory_devices(m, c.address, now);
	assert_true(c.devices > DVT_EDGE_MEMORY_CROWD);
	dvt_edge_memory_learn(m, &c, &old_pure, false, now);
	assert_int_equal(recall(m, &c, offers, 3, now, got), 0);
	dvt_edge_memory_learn(m, &t, &old_pure, false, now);
	assert_int_equal(recall(m, &t, offers, 3, now, got), 1);
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
	    cmocka_unit_test(the_chain_of_longest_ago_makes_room),
	    cmocka_unit_test(
		generations_of_one_root_are_told_apart_and_pairs_are_not),
	    cmocka_unit_test(turns_are_for_those_that_come_in),
	    cmocka_unit_test(
		the_only_device_at_an_address_keeps_its_chain_beside_forgers),
	    cmocka_unit_test(
		the_only_device_at_an_address_is_believed_at_once_when_it_is_proven),
	    cmocka_unit_test(the_only_device_at_an_address_may_change_its_mind),
	    cmocka_unit_test(who_needs_another_chain_gets_in_beside_forgers),
	    cmocka_unit_test(who_was_let_in_is_not_pushed_out_by_who_was_not),
	    cmocka_unit_test(a_crowd_is_not_remembered_but_for_its_tickets),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
