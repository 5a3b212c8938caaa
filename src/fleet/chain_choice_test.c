/* SPDX-License-Identifier: Apache-2.0 */
#include "fleet/chain_choice.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* Roots are single letters here: O the old one, N the new one, X foreign. */
#define P DVT_FORM_PURE
#define C DVT_FORM_CROSS
#define L DVT_FORM_LEAF

static const char *const host[] = {"edge.example", "next.edge.example"};
#define HOSTS                                                                  \
	{                                                                      \
		host, 2                                                        \
	}

/* What an edge holds in the middle of a server-ca rotation. */
static const struct dvt_offer held[] = {
    {"old", "O", "",  P, DVT_SLOT_CURRENT, 1, "main", HOSTS, false},
    {"old", "O", "",  L, DVT_SLOT_CURRENT, 1, "main", HOSTS, false},
    {"new", "N", "",  P, DVT_SLOT_NEXT,    2, "main", HOSTS, false},
    {"new", "N", "O", C, DVT_SLOT_NEXT,    2, "main", HOSTS, false},
    {"new", "N", "",  L, DVT_SLOT_NEXT,    2, "main", HOSTS, false},
};

/* "ON" to {"O", "N"}; at most 4 letters. */
struct letters {
	char text[4][2];
	const char *v[4];
};

static struct dvt_texts
texts(const char *letters, struct letters *l)
{
	size_t n = 0;

	for (; letters != NULL && letters[n] != '\0'; n++) {
		l->text[n][0] = letters[n];
		l->text[n][1] = '\0';
		l->v[n] = l->text[n];
	}
	return (struct dvt_texts){l->v, n};
}

struct row {
	const char *what;
	const char *policy; /* default root, next root; "!": forced */
	const char *name;   /* server name */
	const char *authorities;
	enum dvt_confidence conf;
	const char *trust; /* NULL: not known */
	const char *proven;
	const char *refused;
	const char *memory; /* "Nc-" refused N cross, "Op+" took O pure ... */
	const char *want;   /* "Nc Np Op Ol Nl", or "" for none */
	enum dvt_chain_why why;
};

static enum dvt_chain_form
form_of(char c)
{
	return c == 'p' ? P : c == 'c' ? C : L;
}

static size_t
memory_of(const char *text, struct dvt_choice_memory *m, char roots[][2])
{
	size_t n = 0;

	for (; text != NULL && *text != '\0'; n++) {
		roots[n][0] = text[0];
		roots[n][1] = '\0';
		m[n] = (struct dvt_choice_memory){.root = roots[n],
		    .form = form_of(text[1]),
		    .generation = text[0] == 'N' ? 2 : 1,
		    .accepted = text[2] == '+',
		    .at = (int64_t)n + 1};
		text += strcspn(text, " ");
		text += strspn(text, " ");
	}
	return n;
}

static void
run_row(const struct row *r, const struct dvt_offer *offers, size_t n)
{
	struct letters la, lt, lp, lr;
	struct dvt_choice_memory mem[8];
	char roots[8][2], def[2] = {0}, next[2] = {0}, got[128] = "";
	struct dvt_choice out;
	struct dvt_choice_in in = {
	    .offers = offers, .offers_n = n, .listener = "main", .memory = mem};

	if (r->policy[0] != '\0') {
		def[0] = r->policy[0];
		next[0] = r->policy[1] == '!' ? '\0' : r->policy[1];
		in.policy = (struct dvt_choice_policy){.default_root = def,
		    .next_root = next[0] != '\0' ? next : NULL,
		    .next_name = "next.edge.example",
		    .trial_name = "trial.edge.example",
		    .forced = strchr(r->policy, '!') != NULL};
	}
	in.hello.server_name = r->name;
	in.hello.authorities = texts(r->authorities, &la);
	in.device = (struct dvt_choice_device){.confidence = r->conf,
	    .trust_known = r->trust != NULL,
	    .trust = texts(r->trust, &lt),
	    .proven = texts(r->proven, &lp),
	    .refused = texts(r->refused, &lr)};
	in.memory_n = memory_of(r->memory, mem, roots);
	if (dvt_chain_choose(&in, &out, NULL) != DVT_OK)
		out.n = 0;
	for (size_t i = 0; i < out.n; i++) {
		const struct dvt_offer *o = &offers[out.order[i]];

		snprintf(got + strlen(got), sizeof(got) - strlen(got), "%s%s%c",
		    i > 0 ? " " : "", o->root,
		    o->form == P   ? 'p'
		    : o->form == C ? 'c'
				   : 'l');
	}
	if (strcmp(got, r->want) != 0)
		fail_msg("%s: '%s', not '%s'", r->what, got, r->want);
	if (out.n > 0 && out.why != r->why)
		fail_msg(
		    "%s: because of %s", r->what, dvt_chain_why_name(out.why));
}

#define NONE DVT_CONF_NONE
#define TICK DVT_CONF_TICKET
#define ADDR DVT_CONF_ADDRESS

static void
an_unknown_client_walks_the_measured_ladder(void **state)
{
	static const struct row rows[] = {
	    {"overlap: the old one, never the newest",                "ON", NULL, NULL, NONE,
             NULL,												 NULL, NULL, NULL,                  "Op Nc Np Ol Nl", DVT_WHY_DEFAULT},
	    {"after the switch: cross first",                         "NN", NULL, NULL, NONE,                NULL,
             NULL,												       NULL, NULL,                  "Nc Np Op Ol Nl", DVT_WHY_DEFAULT},
	    {"it refused the cross form",                             "NN", NULL, NULL, NONE,                NULL, NULL,
             NULL,													     "Nc-",                 "Np Op Ol Nl Nc", DVT_WHY_MEMORY },
	    {"and the pure new one",                                  "NN", NULL, NULL, NONE,                NULL, NULL, NULL,
             "Nc- Np-",															       "Op Ol Nl Nc Np", DVT_WHY_MEMORY },
	    {"a pinned client",				       "NN", NULL, NULL, NONE,                NULL, NULL, NULL,
             "Nc- Np- Op-",															   "Ol Nl Nc Np Op", DVT_WHY_MEMORY },
	    {"all refused: the oldest refusal again",                 "NN", NULL, NULL, NONE,
             NULL,												 NULL, NULL, "Np- Op- Ol- Nl- Nc-", "Np Op Ol Nl Nc",
             DVT_WHY_MEMORY																			    },
	    {"what it took before the switch does not hold it there", "NN",
             NULL,								NULL, NONE,                NULL, NULL, NULL, "Op+",                 "Nc Np Op Ol Nl",
             DVT_WHY_DEFAULT																			   },
	    {"a later success takes the refusal back",                "NN", NULL, NULL, NONE,
             NULL,												 NULL, NULL, "Nc- Nc+",             "Nc Np Op Ol Nl", DVT_WHY_DEFAULT},
	    {"a later refusal counts again",                          "NN", NULL, NULL, NONE,                NULL, NULL,
             NULL,													     "Nc+ Nc-",             "Np Op Ol Nl Nc", DVT_WHY_MEMORY },
	    {"candidates name nobody",                                "NN", NULL, NULL, DVT_CONF_CANDIDATES,
             "O",												  NULL, "N",  NULL,                  "Nc Np Op Ol Nl", DVT_WHY_DEFAULT},
	    {"no policy yet: by slot",                                "",   NULL, NULL, NONE,                NULL, NULL, NULL,
             NULL,																    "Op Nc Np Ol Nl", DVT_WHY_DEFAULT},
	    {"a default root that is not held",                       "XN", NULL, NULL, NONE,                NULL,
             NULL,												       NULL, NULL,                  "Op Nc Np Ol Nl", DVT_WHY_DEFAULT},
	};

	(void)state;
	for (size_t i = 0; i < DVT_COUNT(rows); i++)
		run_row(&rows[i], held, DVT_COUNT(held));
}

static void
names_and_force_narrow_what_may_be_shown(void **state)
{
	static const struct row rows[] = {
	    {"the next name",				     "ON", "next.edge.example", NULL, NONE, NULL, NULL,
             NULL,													 NULL,  "Np",       DVT_WHY_NEXT_NAME},
	    {"in any case of letters",                            "ON", "NEXT.edge.Example", NULL, NONE,
             NULL,											     NULL, NULL, NULL,  "Np",       DVT_WHY_NEXT_NAME},
	    {"even where memory and trust speak against it",      "ON",
             "next.edge.example",							    NULL, TICK, "O",  "O",  "N",  "Np-", "Np",
             DVT_WHY_NEXT_NAME																 },
	    {"no chain of the next root: none, not another",      "OX",
             "next.edge.example",							    NULL, NONE, NULL, NULL, NULL, NULL,  "",
             DVT_WHY_NEXT_NAME																 },
	    {"no rotation: what everybody is shown, pure",        "N",
             "next.edge.example",							    NULL, NONE, NULL, NULL, NULL, NULL,  "Np",
             DVT_WHY_NEXT_NAME																 },
	    {"the trial name is chosen for as usual",             "ON",
             "trial.edge.example",							   NULL, NONE, NULL, NULL, NULL, NULL,
             "Op Nc Np Ol Nl",														DVT_WHY_DEFAULT  },
	    {"forced",					    "N!", NULL,                NULL, NONE, NULL, NULL, NULL, NULL,
             "Nc Np Nl",														      DVT_WHY_FORCED   },
	    {"forced, whatever the device trusts",                "N!", NULL,                NULL, TICK, "O",
             "O",												    "N",  NULL,  "Nc Np Nl", DVT_WHY_FORCED   },
	    {"forced does not show another root for want of one", "X!", NULL,
             NULL,										 NONE, NULL, NULL, NULL, NULL,  "",         DVT_WHY_FORCED   },
	};

	(void)state;
	for (size_t i = 0; i < DVT_COUNT(rows); i++)
		run_row(&rows[i], held, DVT_COUNT(held));
}

static void
what_a_hello_names_is_chosen(void **state)
{
	static const struct row rows[] = {
	    {"the old root",					 "NN", NULL, "O",  NONE, NULL, NULL, NULL, NULL,
             "Op Nc Np Ol Nl",													      DVT_WHY_AUTHORITIES},
	    {"the new root",					 "ON", NULL, "N",  NONE, NULL, NULL, NULL, NULL,
             "Np Nc Op Ol Nl",													      DVT_WHY_AUTHORITIES},
	    {"both: the default root, pure",                         "NN", NULL, "ON", NONE, NULL, NULL,
             NULL,											     NULL,      "Np Op Nc Ol Nl", DVT_WHY_AUTHORITIES},
	    {"both, in the overlap",                                 "ON", NULL, "NO", NONE, NULL, NULL, NULL,
             NULL,													"Op Np Nc Ol Nl", DVT_WHY_AUTHORITIES},
	    {"over an older trust state",                            "NN", NULL, "N",  TICK, "O",  "O",  NULL,
             NULL,													"Np Nc Op Ol Nl", DVT_WHY_AUTHORITIES},
	    {"what the device refused is doubtful",                  "NN", NULL, "ON", TICK,
             NULL,										 NULL, "N",  NULL,      "Op Np Nc Ol Nl", DVT_WHY_AUTHORITIES},
	    {"named and yet refused: the other form, then it again", "ON", NULL,
             "N",								      NONE, NULL, NULL, NULL, "Np- Nc-", "Np Nc Op Ol Nl",
             DVT_WHY_AUTHORITIES															       },
	    {"named, refused by memory: the cross form",             "ON", NULL, "N",  NONE,
             NULL,										 NULL, NULL, "Np-",     "Nc Np Op Ol Nl", DVT_WHY_MEMORY     },
	};

	(void)state;
	for (size_t i = 0; i < DVT_COUNT(rows); i++)
		run_row(&rows[i], held, DVT_COUNT(held));
}

static void
a_recognised_device_gets_what_it_takes(void **state)
{
	static const struct row rows[] = {
	    {"it holds the old root only",                            "NN", NULL, NULL, TICK, "O",  NULL,
             NULL,											      NULL,      "Op Nc Np Ol Nl", DVT_WHY_TRUST  },
	    {"it holds the new root only",                            "ON", NULL, NULL, TICK, "N",  NULL,
             NULL,											      NULL,      "Np Nc Op Ol Nl", DVT_WHY_TRUST  },
	    {"both, overlap",					 "ON", NULL, NULL, TICK, "ON", NULL, NULL, NULL,
             "Op Np Nc Ol Nl",													       DVT_WHY_TRUST  },
	    {"both, switched: pure, so that it is a proof",           "NN", NULL, NULL,
             TICK,									    "ON", NULL, NULL, NULL,      "Np Op Nc Ol Nl", DVT_WHY_TRUST  },
	    {"trust not known, seen to take the old one",             "NN", NULL, NULL,
             TICK,									    NULL, "O",  NULL, NULL,      "Nc Op Np Ol Nl", DVT_WHY_TRUST  },
	    {"and it refused the cross form since",                   "NN", NULL, NULL, TICK,
             NULL,										  "O",  NULL, "Nc-",     "Op Np Ol Nl Nc", DVT_WHY_MEMORY },
	    {"trust not known, seen to take both",                    "NN", NULL, NULL, TICK, NULL,
             "ON",											NULL, NULL,      "Np Nc Op Ol Nl", DVT_WHY_TRUST  },
	    {"trust not known, seen to refuse the new one",           "NN", NULL, NULL,
             TICK,									    NULL, NULL, "N",  NULL,      "Op Ol Nc Np Nl", DVT_WHY_TRUST  },
	    {"took and refused the same: doubtful",                   "ON", NULL, NULL, TICK,
             "ON",										  NULL, "O",  NULL,      "Np Nc Op Ol Nl", DVT_WHY_TRUST  },
	    {"memory does not lead to a chain known to fail",         "NN", NULL, NULL,
             TICK,									    "O",  "O",  "N",  "Op-",     "Nc Op Np Ol Nl", DVT_WHY_MEMORY },
	    {"not even when all was refused",                         "NN", NULL, NULL, TICK, "O",  "O",
             "N",											       "Op- Nc-", "Op Nc Np Ol Nl", DVT_WHY_TRUST  },
	    {"nothing it takes is held: the ladder, by memory",       "NN", NULL,
             NULL,								      TICK, "X",  NULL, NULL, "Nc- Np-", "Op Ol Nl Nc Np",
             DVT_WHY_MEMORY																 },
	    {"only device at this address: memory may say otherwise", "NN",
             NULL,								NULL, ADDR, "O",  "O",  NULL, "Op- Nc-", "Np Ol Nl Op Nc",
             DVT_WHY_MEMORY																 },
	    {"nothing known of a recognised device",                  "NN", NULL, NULL, TICK,
             NULL,										  NULL, NULL, NULL,      "Nc Np Op Ol Nl", DVT_WHY_DEFAULT},
	};

	(void)state;
	for (size_t i = 0; i < DVT_COUNT(rows); i++)
		run_row(&rows[i], held, DVT_COUNT(held));
}

/* Promise 3, over every combination of trust, proof, refusal and memory. */
static void
promise_3_no_recognised_device_sees_a_chain_it_is_known_not_to_accept(
    void **state)
{
	static const char *const sets[] = {"", "O", "N", "ON"};
	static const char *const policies[] = {"ON", "NN", "OO", "N", ""};
	static const struct dvt_choice_memory all[] = {
	    {"O", P, 1, false, 1},
	    {"N", P, 2, false, 2},
	    {"N", C, 2, false, 3},
	    {"O", L, 1, false, 4},
	};

	(void)state;
	for (unsigned i = 0; i < 4 * 5 * 5 * 16 * 5; i++) {
		struct letters lt, lp, lr;
		struct dvt_choice_memory mem[4];
		const char *pol = policies[i % 5];
		unsigned t = i / 5 % 5, pr = i / 25 % 4, rf = i / 100 % 5;
		struct dvt_choice_in in = {.offers = held,
		    .offers_n = DVT_COUNT(held),
		    .listener = "main"};
		struct dvt_choice out;
		const struct dvt_offer *o;
		char d[2] = {pol[0], 0}, n[2] = {pol[0] ? pol[1] : 0, 0};
		bool takes_o, takes_n, takes;

		in.policy.default_root = d[0] ? d : NULL;
		in.policy.next_root = n[0] ? n : NULL;
		in.device.confidence = TICK;
		in.device.trust_known = t < 4;
		in.device.trust = texts(t < 4 ? sets[t] : NULL, &lt);
		in.device.proven = texts(sets[pr], &lp);
		in.device.refused = texts(sets[rf % 4], &lr);
		for (unsigned b = 0; b < 4; b++)
			if ((i / 500 & 1u << b) != 0)
				mem[in.memory_n++] = all[b];
		in.memory = mem;
		assert_int_equal(dvt_chain_choose(&in, &out, NULL), DVT_OK);
		assert_int_equal(out.n, DVT_COUNT(held));
		o = &held[out.order[0]];
		takes_o = strchr(sets[pr], 'O') ||
			  (t < 4 && strchr(sets[t], 'O'));
		takes_n = strchr(sets[pr], 'N') ||
			  (t < 4 && strchr(sets[t], 'N'));
		if (!takes_o && !takes_n)
			continue;
		takes = (takes_n && o->root[0] == 'N' && o->form != L) ||
			(takes_o && o->root[0] == 'O' && o->form != L) ||
			(takes_o && o->form == C);
		if (!takes && (t < 4 || strchr(sets[rf % 4], o->root[0])))
			fail_msg("case %u: shown %s %s", i, o->root,
			    dvt_chain_form_name(o->form));
	}
}

static void
host_names_keys_and_listeners_bind_credentials(void **state)
{
	static const char *const a[] = {"a.example"}, *const w[] = {"*.wide"};
	static const struct dvt_offer many[] = {
	    {"1", "A", "", P, DVT_SLOT_CURRENT,  1, "main",  {a, 1},    false},
	    {"2", "B", "", P, DVT_SLOT_CURRENT,  1, "main",  {w, 1},    false},
	    {"3", "C", "", P, DVT_SLOT_CURRENT,  1, "main",  {w, 1},    true },
	    {"4", "D", "", P, DVT_SLOT_CURRENT,  1, "other", {a, 1},    false},
	    {"5", "E", "", P, DVT_SLOT_PREVIOUS, 9, "main",  {NULL, 0}, false},
	};
	static const struct {
		const char *name;
		bool no_ec, no_rsa;
		const char *want;
	} rows[] = {
	    {NULL,          false, false, "1"},
	    {"a.example",   false, false, "1"},
	    {"x.wide",      false, false, "2"},
	    {"x.wide",      true,  false, "3"},
	    {"a.example",   true,  false, "1"},
	    {"y.x.wide",    false, false, "1"},
	    {"nobody.else", false, true,  "1"},
	    {NULL,          true,  false, "3"},
	};

	(void)state;
	for (size_t i = 0; i < DVT_COUNT(rows); i++) {
		struct dvt_choice_in in = {.offers = many,
		    .offers_n = DVT_COUNT(many),
		    .listener = "main",
		    .device = {.confidence = NONE}};
		struct dvt_choice out;

		in.hello.server_name = rows[i].name;
		in.hello.no_ec = rows[i].no_ec;
		in.hello.no_rsa = rows[i].no_rsa;
		assert_int_equal(dvt_chain_choose(&in, &out, NULL), DVT_OK);
		if (strcmp(many[out.order[0]].credential, rows[i].want) != 0)
			fail_msg(
			    "row %zu: %s", i, many[out.order[0]].credential);
	}
}

/* The order of @offers as "1 2", with one refused generation of root A. */
static void
order_of(const struct dvt_choice_in *base, int64_t refused, char *out, size_t n)
{
	struct dvt_choice_memory m = {"A", P, refused, false, 1};
	struct dvt_choice_in in = *base;
	struct dvt_choice c;

	in.memory = &m;
	in.memory_n = refused != 0 ? 1 : 0;
	assert_int_equal(dvt_chain_choose(&in, &c, NULL), DVT_OK);
	out[0] = '\0';
	for (size_t i = 0; i < c.n; i++)
		snprintf(out + strlen(out), n - strlen(out), "%s%s",
		    i > 0 ? " " : "", in.offers[c.order[i]].credential);
}

static void
generation_first_then_its_ec_or_rsa_pair(void **state)
{
	static const struct dvt_offer pairs[] = {
	    {"r1", "A", "", P, DVT_SLOT_PREVIOUS, 1, "main", HOSTS, true,  900},
	    {"e1", "A", "", P, DVT_SLOT_PREVIOUS, 1, "main", HOSTS, false, 500},
	    {"r2", "A", "", P, DVT_SLOT_CURRENT,  2, "main", HOSTS, true,  900},
	    {"e2", "A", "", P, DVT_SLOT_CURRENT,  2, "main", HOSTS, false, 500},
	};
	static const struct {
		bool no_ec, no_rsa;
		int64_t refused; /* generation */
		const char *want;
	} rows[] = {
	    {false, false, 0, "e2 r2 e1 r1"},
	    {true,  false, 0, "r2 r1"      },
	    {false, true,  0, "e2 e1"      },
 /* a refusal is of the generation: its other key is no other rung */
	    {false, false, 2, "e1 r1 e2 r2"},
	    {true,  false, 2, "r1 r2"      },
	};
	char got[64];

	(void)state;
	for (size_t i = 0; i < DVT_COUNT(rows); i++) {
		struct dvt_choice_in in = {
		    .offers = pairs,
		    .offers_n = DVT_COUNT(pairs),
		    .listener = "main",
		    .device = {.confidence = NONE       },
		    .hello = {
			       .no_ec = rows[i].no_ec, .no_rsa = rows[i].no_rsa}
                };

		order_of(&in, rows[i].refused, got, sizeof(got));
		if (strcmp(got, rows[i].want) != 0)
			fail_msg("row %zu: '%s'", i, got);
	}
}

static void
flights_that_fit_the_fragment_come_first(void **state)
{
	static const struct dvt_offer sized[] = {
	    {"a",  "A", "",  P, DVT_SLOT_PREVIOUS, 1, "main", HOSTS, false, 1000},
	    {"b",  "B", "",  P, DVT_SLOT_CURRENT,  2, "main", HOSTS, false, 1010},
	    {"c",  "B", "A", C, DVT_SLOT_CURRENT,  2, "main", HOSTS, false, 1500},
	    {"al", "A", "",  L, DVT_SLOT_PREVIOUS, 1, "main", HOSTS, false, 500 },
	    {"bl", "B", "",  L, DVT_SLOT_CURRENT,  2, "main", HOSTS, false, 520 },
	};
	static const struct {
		size_t max_fragment;
		const char *want;
	} rows[] = {
	    {0,    "c b a al bl"},
            {4096, "c b a al bl"},
            {1024, "b a al bl c"},
	    {512,  "al c b a bl"},
	    {256,  "c b a al bl"}, /* none fits: as if it had not asked */
	};
	char got[64];

	(void)state;
	for (size_t i = 0; i < DVT_COUNT(rows); i++) {
		struct dvt_choice_in in = {.offers = sized,
		    .offers_n = DVT_COUNT(sized),
		    .listener = "main",
		    .policy = {.default_root = "B"},
		    .device = {.confidence = NONE},
		    .hello = {.max_fragment = rows[i].max_fragment}};

		order_of(&in, 0, got, sizeof(got));
		if (strcmp(got, rows[i].want) != 0)
			fail_msg("row %zu: '%s'", i, got);
	}
}

static void
too_many_or_no_chains_are_refused(void **state)
{
	struct dvt_choice_in in = {.listener = "main"};
	struct dvt_choice out;
	struct dvt_err err;

	(void)state;
	assert_int_equal(dvt_chain_choose(&in, &out, &err), DVT_E_ABSENT);
	in.offers_n = DVT_OFFERS_MAX + 1;
	assert_int_equal(dvt_chain_choose(&in, &out, &err), DVT_E_LIMIT);
}

static void
host_patterns_take_one_label(void **state)
{
	static const struct {
		const char *pattern, *host;
		bool yes;
	} rows[] = {
	    {"a.b",  "A.B",   true },
	    {"*.b",  "a.b",   true },
	    {"*.b",  "c.a.b", false},
	    {"*.b",  "b",     false},
	    {"*.b",  ".b",    false},
	    {"a*.b", "aa.b",  false},
	    {"*",    "a",     false},
	    {"",     "a",     false},
	};

	(void)state;
	for (size_t i = 0; i < DVT_COUNT(rows); i++)
		if (dvt_host_matches(rows[i].pattern, rows[i].host) !=
		    rows[i].yes)
			fail_msg("%s and %s", rows[i].pattern, rows[i].host);
}

static void
words_go_both_ways(void **state)
{
	(void)state;
	for (int i = 0; i < DVT_FORM_N; i++)
		assert_int_equal(dvt_chain_form_from_name(dvt_chain_form_name(
				     (enum dvt_chain_form)i)),
		    i);
	for (int i = 0; i < DVT_SLOT_N; i++)
		assert_int_equal(
		    dvt_slot_from_name(dvt_slot_name((enum dvt_slot)i)), i);
	for (int i = 0; i < DVT_WHY_N; i++)
		assert_int_equal(dvt_chain_why_from_name(
				     dvt_chain_why_name((enum dvt_chain_why)i)),
		    i);
	for (int i = 0; i < DVT_CONF_N; i++)
		assert_int_equal(dvt_confidence_from_name(dvt_confidence_name(
				     (enum dvt_confidence)i)),
		    i);
	assert_int_equal(dvt_slot_from_name("later"), DVT_SLOT_N);
	assert_int_equal(dvt_chain_form_from_name(NULL), DVT_FORM_N);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(an_unknown_client_walks_the_measured_ladder),
	    cmocka_unit_test(names_and_force_narrow_what_may_be_shown),
	    cmocka_unit_test(what_a_hello_names_is_chosen),
	    cmocka_unit_test(a_recognised_device_gets_what_it_takes),
	    cmocka_unit_test(
		promise_3_no_recognised_device_sees_a_chain_it_is_known_not_to_accept),
	    cmocka_unit_test(host_names_keys_and_listeners_bind_credentials),
	    cmocka_unit_test(generation_first_then_its_ec_or_rsa_pair),
	    cmocka_unit_test(flights_that_fit_the_fragment_come_first),
	    cmocka_unit_test(too_many_or_no_chains_are_refused),
	    cmocka_unit_test(host_patterns_take_one_label),
	    cmocka_unit_test(words_go_both_ways),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
