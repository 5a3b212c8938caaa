/* SPDX-License-Identifier: Apache-2.0 */
#include "fleet/chain_plain.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define NOW  1000
#define MOST 4

/* Roots are letters: O the old one, N the new one. */
static void
who_is_no_device_is_shown_what_stands_under_the_default_root(void **state)
{
	static const struct {
		const char *why, *policy;
		struct {
			const char *root;
			enum dvt_chain_form form;
			enum dvt_slot slot;
			int64_t generation, not_after;
			bool rsa;
		} held[MOST];
		size_t n, want;
	} cases[] = {
	    {"nothing is held",				      "O",  {{0}}, 0, 0},
	    {"a cross-certificate is for devices",                   "O",
             {{"O", DVT_FORM_CROSS, DVT_SLOT_CURRENT, 1, 2000, false},
		    {"O", DVT_FORM_LEAF, DVT_SLOT_CURRENT, 1, 2000, false}},
             2,								      2},
	    {"the default root",				     "N",
             {{"O", DVT_FORM_PURE, DVT_SLOT_CURRENT, 1, 2000, false},
		    {"N", DVT_FORM_PURE, DVT_SLOT_NEXT, 2, 2000, false}},
             2,								      1},
	    {"recovered while the default root stands",              "N",
             {{"N", DVT_FORM_PURE, DVT_SLOT_CURRENT, 1, 2000, false},
		    {"O", DVT_FORM_PURE, DVT_SLOT_RECOVERY, 2, 9000, false}},
             2,								      0},
	    {"recovered after it has ended",                         "N",
             {{"N", DVT_FORM_PURE, DVT_SLOT_CURRENT, 1, 1000, false},
		    {"O", DVT_FORM_PURE, DVT_SLOT_RECOVERY, 2, 9000, false}},
             2,								      1},
	    {"the current one, not the one before",                  "O",
             {{"O", DVT_FORM_PURE, DVT_SLOT_CURRENT, 2, 2000, false},
		    {"O", DVT_FORM_PURE, DVT_SLOT_PREVIOUS, 1, 2000, false}},
             2,								      0},
	    {"the one before, when the current one has ended",       "O",
             {{"O", DVT_FORM_PURE, DVT_SLOT_CURRENT, 2, 900, false},
		    {"O", DVT_FORM_PURE, DVT_SLOT_PREVIOUS, 1, 2000, false}},
             2,								      1},
	    {"no policy: the current one",                           NULL,
             {{"O", DVT_FORM_PURE, DVT_SLOT_RECOVERY, 3, 2000, false},
		    {"N", DVT_FORM_PURE, DVT_SLOT_CURRENT, 2, 2000, false}},
             2,								      1},
	    {"a default root that is held no more: the current one", "X",
             {{"O", DVT_FORM_PURE, DVT_SLOT_RECOVERY, 3, 2000, false},
		    {"N", DVT_FORM_PURE, DVT_SLOT_CURRENT, 2, 2000, false}},
             2,								      1},
	    {"the newest of a slot",                                 "O",
             {{"O", DVT_FORM_PURE, DVT_SLOT_RECOVERY, 3, 2000, false},
		    {"O", DVT_FORM_PURE, DVT_SLOT_RECOVERY, 4, 2000, false}},
             2,								      1},
	    {"EC before RSA",					"O",
             {{"O", DVT_FORM_PURE, DVT_SLOT_CURRENT, 1, 2000, true},
		    {"O", DVT_FORM_PURE, DVT_SLOT_CURRENT, 1, 2000, false}},
             2,								      1},
	    {"all have ended: still the default root",               "N",
             {{"O", DVT_FORM_PURE, DVT_SLOT_CURRENT, 1, 10, false},
		    {"N", DVT_FORM_PURE, DVT_SLOT_CURRENT, 1, 20, false}},
             2,								      1},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct dvt_choice_policy policy = {
		    .default_root = cases[i].policy};
		struct dvt_offer offers[MOST] = {{0}};
		int64_t not_after[MOST] = {0};

		for (size_t k = 0; k < cases[i].n; k++) {
			offers[k].root = cases[i].held[k].root;
			offers[k].form = cases[i].held[k].form;
			offers[k].slot = cases[i].held[k].slot;
			offers[k].generation = cases[i].held[k].generation;
			offers[k].rsa = cases[i].held[k].rsa;
			not_after[k] = cases[i].held[k].not_after;
		}
		if (dvt_chain_plain(offers, not_after, cases[i].n, &policy,
			NOW) != cases[i].want)
			fail_msg("%s", cases[i].why);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(
		who_is_no_device_is_shown_what_stands_under_the_default_root),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
