/* SPDX-License-Identifier: Apache-2.0 */
#include "fleet/chain_choice.h"

#include <string.h>
#include <strings.h>

#define NAME_OF(id, name) name,

const char *
dvt_chain_form_name(enum dvt_chain_form form)
{
	static const char *const names[] = {DVT_CHAIN_FORMS(NAME_OF)};

	return (size_t)form < DVT_COUNT(names) ? names[form] : "?";
}

const char *
dvt_slot_name(enum dvt_slot slot)
{
	static const char *const names[] = {DVT_SLOTS(NAME_OF)};

	return (size_t)slot < DVT_COUNT(names) ? names[slot] : "?";
}

const char *
dvt_chain_why_name(enum dvt_chain_why why)
{
	static const char *const names[] = {DVT_CHAIN_WHYS(NAME_OF)};

	return (size_t)why < DVT_COUNT(names) ? names[why] : "?";
}

const char *
dvt_confidence_name(enum dvt_confidence c)
{
	static const char *const names[] = {DVT_CONFIDENCES(NAME_OF)};

	return (size_t)c < DVT_COUNT(names) ? names[c] : "?";
}

/* The place of @name among @n names given by @of; @n when it is none. */
#define FROM_NAME(type, n, of, text)                                           \
	do {                                                                   \
		for (int i = 0; (text) != NULL && i < (int)(n); i++)           \
			if (strcmp(of((type)i), (text)) == 0)                  \
				return (type)i;                                \
		return (n);                                                    \
	} while (0)

enum dvt_chain_form
dvt_chain_form_from_name(const char *name)
{
	FROM_NAME(enum dvt_chain_form, DVT_FORM_N, dvt_chain_form_name, name);
}

enum dvt_slot
dvt_slot_from_name(const char *name)
{
	FROM_NAME(enum dvt_slot, DVT_SLOT_N, dvt_slot_name, name);
}

enum dvt_chain_why
dvt_chain_why_from_name(const char *name)
{
	FROM_NAME(enum dvt_chain_why, DVT_WHY_N, dvt_chain_why_name, name);
}

enum dvt_confidence
dvt_confidence_from_name(const char *name)
{
	FROM_NAME(enum dvt_confidence, DVT_CONF_N, dvt_confidence_name, name);
}

bool
dvt_host_matches(const char *pattern, const char *host)
{
	const char *dot;

	if (strcasecmp(pattern, host) == 0)
		return true;
	if (strncmp(pattern, "*.", 2) != 0)
		return false;
	dot = strchr(host, '.');
	return dot != NULL && dot != host && strcasecmp(pattern + 1, dot) == 0;
}

static bool
has(struct dvt_texts list, const char *text)
{
	for (size_t i = 0; text[0] != '\0' && i < list.n; i++)
		if (strcmp(list.v[i], text) == 0)
			return true;
	return false;
}

static bool
same(const char *a, const char *b)
{
	return a != NULL && b != NULL && b[0] != '\0' && strcmp(a, b) == 0;
}

/* How a client is expected to take a chain; lower is better. */
enum verdict { TAKES, DOUBTFUL, UNKNOWN, REFUSES };

/* What is worked out for each offer before they are put in order. */
struct rung {
	size_t at; /* place among the offers */
	enum verdict verdict;
	int64_t refused_at; /* by memory; 0: not, or accepted since */
	int ladder;         /* place for a client of whom nothing is known */
	int certain;        /* among those it takes; smaller first */
	int slot;
	int64_t generation;
	bool took;     /* by memory, last */
	bool too_long; /* for the fragments the client asked for */
};

struct order {
	struct rung rung[DVT_OFFERS_MAX];
	size_t n;
	bool strict; /* who the client is, is sure enough for promise 3 */
	bool opinion;
	bool some_take; /* a chain it is known to accept is held */
};

static bool
is_forced_out(const struct dvt_choice_in *in, const struct dvt_offer *o)
{
	return in->policy.forced && in->policy.default_root != NULL &&
	       !same(in->policy.default_root, o->root);
}

static bool
names_host(const struct dvt_offer *o, const char *host)
{
	for (size_t i = 0; i < o->names.n; i++)
		if (dvt_host_matches(o->names.v[i], host))
			return true;
	return false;
}

static bool
asks_next(const struct dvt_choice_in *in)
{
	return in->policy.next_name != NULL && in->hello.server_name != NULL &&
	       strcasecmp(in->policy.next_name, in->hello.server_name) == 0;
}

/* Outside of a rotation a late device probes what everybody is shown. */
static const char *
probed_root(const struct dvt_choice_in *in)
{
	return in->policy.next_root != NULL ? in->policy.next_root
					    : in->policy.default_root;
}

/* Of this listener, of a root that may be shown, in a form that may be. */
static bool
may_show(const struct dvt_choice_in *in, const struct dvt_offer *o)
{
	if (strcmp(o->listener, in->listener) != 0)
		return false;
	if (asks_next(in))
		return o->form == DVT_FORM_PURE &&
		       same(probed_root(in), o->root);
	return !is_forced_out(in, o);
}

/*
 * A property that narrows the choice only where something is left: a chain
 * with another name or key type still beats none.
 */
enum narrow { BY_NAME, BY_KEY, BY_NOTHING };

static bool
fits(const struct dvt_choice_in *in, const struct dvt_offer *o, enum narrow by)
{
	switch (by) {
	case BY_NAME:
		return in->hello.server_name != NULL &&
		       names_host(o, in->hello.server_name);
	case BY_KEY:
		return o->rsa ? !in->hello.no_rsa : !in->hello.no_ec;
	case BY_NOTHING:
		break;
	}
	return true;
}

static void
narrow(const struct dvt_choice_in *in, struct order *ord, enum narrow by)
{
	size_t kept = 0;

	for (size_t i = 0; i < ord->n; i++)
		kept += fits(in, &in->offers[ord->rung[i].at], by) ? 1 : 0;
	if (kept == 0 || kept == ord->n)
		return;
	kept = 0;
	for (size_t i = 0; i < ord->n; i++)
		if (fits(in, &in->offers[ord->rung[i].at], by))
			ord->rung[kept++] = ord->rung[i];
	ord->n = kept;
}

/*
 * What holding the roots of @list makes of a chain. A leaf alone builds no
 * path but for one who pins it, so no root speaks for it.
 */
static bool
reaches(struct dvt_texts list, const struct dvt_offer *o)
{
	if (o->form == DVT_FORM_LEAF)
		return false;
	return has(list, o->root) ||
	       (o->form == DVT_FORM_CROSS && has(list, o->cross_root));
}

static enum verdict
by_device(const struct dvt_choice_device *d, const struct dvt_offer *o)
{
	bool takes = reaches(d->trust, o) || reaches(d->proven, o);
	/* the feed does not tell in which form a root was refused */
	bool refused = has(d->refused, o->root);

	if (takes)
		return refused ? DOUBTFUL : TAKES;
	if (refused)
		return REFUSES;
	if (o->form == DVT_FORM_CROSS && o->cross_root[0] == '\0')
		return UNKNOWN;
	return d->trust_known ? REFUSES : UNKNOWN;
}

static enum verdict
judge(const struct dvt_choice_in *in, const struct dvt_offer *o, bool device)
{
	if (in->hello.authorities.n > 0) {
		if (!reaches(in->hello.authorities, o))
			return REFUSES;
		return device && has(in->device.refused, o->root) ? DOUBTFUL
								  : TAKES;
	}
	return device ? by_device(&in->device, o) : UNKNOWN;
}

/* For one of whom nothing is known: smaller first. */
static int
ladder(const struct dvt_choice_in *in, const struct dvt_offer *o)
{
	const char *root = in->policy.default_root;
	bool held = false, first;

	for (size_t i = 0; i < in->offers_n; i++)
		held = held || same(root, in->offers[i].root);
	/* without a chain of the wanted root, those of unknown root stand in */
	first = held ? same(root, o->root) : root != NULL && o->root[0] == '\0';
	switch (o->form) {
	case DVT_FORM_CROSS:
		return first ? 0 : 2 + 2 * (int)o->slot;
	case DVT_FORM_PURE:
		return first ? 1 : 3 + 2 * (int)o->slot;
	case DVT_FORM_LEAF:
	case DVT_FORM_N:
		break;
	}
	return 3 + 2 * DVT_SLOT_N;
}

/*
 * Who takes a root itself is shown it pure: that is a proof, and no stack
 * stumbles over it. Of a device that was only seen to take another root, it is
 * not known whether it holds that root or pins what lies below: the default
 * root's cross-certificate, which every store of that root takes, finds out.
 */
static int
certainty(const struct dvt_choice_in *in, const struct dvt_offer *o)
{
	const struct dvt_choice_device *d = &in->device;
	bool first = same(in->policy.default_root, o->root);

	if (in->hello.authorities.n > 0 || d->trust_known)
		return (int)o->form;
	if (first && has(d->proven, o->root))
		return (int)o->form;
	return first && o->form == DVT_FORM_CROSS ? DVT_FORM_N : DVT_FORM_N + 1;
}

static void
recall(
    const struct dvt_choice_in *in, const struct dvt_offer *o, struct rung *r)
{
	int64_t last = INT64_MIN;

	for (size_t i = 0; i < in->memory_n; i++) {
		const struct dvt_choice_memory *m = &in->memory[i];

		if (m->form != o->form || m->generation != o->generation ||
		    strcmp(m->root, o->root) != 0 || m->at < last)
			continue;
		last = m->at;
		r->took = m->accepted;
		r->refused_at = m->accepted ? 0 : (m->at > 0 ? m->at : 1);
	}
}

static bool
is_too_long(const struct dvt_choice_hello *h, const struct dvt_offer *o)
{
	return h->max_fragment != 0 && o->flight > h->max_fragment;
}

static void
collect(const struct dvt_choice_in *in, struct order *ord)
{
	enum dvt_confidence c = in->device.confidence;
	bool device = c <= DVT_CONF_ADDRESS;

	for (size_t i = 0; i < in->offers_n; i++)
		if (may_show(in, &in->offers[i]))
			ord->rung[ord->n++] = (struct rung){.at = i};
	narrow(in, ord, BY_NAME);
	narrow(in, ord, BY_KEY);
	ord->strict = in->hello.authorities.n > 0 || c <= DVT_CONF_TICKET;
	for (size_t i = 0; i < ord->n; i++) {
		struct rung *r = &ord->rung[i];
		const struct dvt_offer *o = &in->offers[r->at];

		r->verdict = judge(in, o, device);
		r->ladder = ladder(in, o);
		r->certain = certainty(in, o);
		r->slot = (int)o->slot;
		r->generation = o->generation;
		r->too_long = is_too_long(&in->hello, o);
		recall(in, o, r);
		if (r->verdict <= DOUBTFUL)
			ord->some_take = true;
		if (r->verdict != UNKNOWN)
			ord->opinion = true;
	}
}

/*
 * The great classes, best first:
 *   0  not known to fail either way
 *   1  refused before by this client, though it should take it
 *   2  should be refused, and was not tried
 *   3  the rest
 * With a sure client and a chain it takes in hand, what it refuses is last.
 */
static int
rank(const struct order *ord, const struct rung *r, bool memory)
{
	bool refused = memory && r->refused_at != 0;

	if (r->verdict == REFUSES && ord->strict && ord->some_take)
		return 3;
	if (r->verdict == REFUSES)
		return refused ? 3 : 2;
	if (!refused)
		return 0;
	return ord->strict && ord->some_take && r->verdict <= DOUBTFUL ? 1 : 3;
}

static int
cmp(int64_t a, int64_t b)
{
	return (a > b) - (a < b);
}

static int
compare(const struct order *ord, const struct rung *a, const struct rung *b,
    const struct dvt_choice_in *in, bool memory)
{
	enum dvt_chain_form fa = in->offers[a->at].form;
	int d;

	if ((d = cmp(rank(ord, a, memory), rank(ord, b, memory))) != 0)
		return d;
	if (memory && (d = cmp(a->refused_at, b->refused_at)) != 0)
		return d;
	if ((d = cmp(a->too_long, b->too_long)) != 0)
		return d;
	/* one of several like it: what others took harms the fewest of them */
	if (memory && in->turn && (d = cmp(b->took, a->took)) != 0)
		return d;
	if ((d = cmp(a->verdict, b->verdict)) != 0)
		return d;
	if (a->verdict <= DOUBTFUL && (d = cmp(a->certain, b->certain)) != 0)
		return d;
	if ((d = cmp(a->ladder, b->ladder)) != 0)
		return d;
	if (fa == DVT_FORM_LEAF) /* pinned leaves are old ones */
		d = cmp(a->generation, b->generation);
	else if ((d = cmp(a->slot, b->slot)) == 0)
		d = cmp(b->generation, a->generation);
	return d != 0 ? d : cmp(in->offers[a->at].rsa, in->offers[b->at].rsa);
}

/* Insertion: stable, and there are few. */
static void
sort(struct order *ord, const struct dvt_choice_in *in, bool memory)
{
	for (size_t i = 1; i < ord->n; i++) {
		struct rung r = ord->rung[i];
		size_t j = i;

		for (; j > 0 &&
		       compare(ord, &r, &ord->rung[j - 1], in, memory) < 0;
		     j--)
			ord->rung[j] = ord->rung[j - 1];
		ord->rung[j] = r;
	}
}

static enum dvt_chain_why
reason(const struct dvt_choice_in *in, const struct order *ord, size_t without)
{
	if (asks_next(in))
		return DVT_WHY_NEXT_NAME;
	if (in->policy.forced && in->policy.default_root != NULL)
		return DVT_WHY_FORCED;
	if (ord->rung[0].at != without)
		return in->turn ? DVT_WHY_TURN : DVT_WHY_MEMORY;
	if (in->hello.authorities.n > 0)
		return DVT_WHY_AUTHORITIES;
	return ord->opinion ? DVT_WHY_TRUST : DVT_WHY_DEFAULT;
}

enum dvt_code
dvt_chain_choose(
    const struct dvt_choice_in *in, struct dvt_choice *out, struct dvt_err *err)
{
	struct order ord = {0};
	size_t without;

	*out = (struct dvt_choice){0};
	if (in->offers_n > DVT_OFFERS_MAX)
		return dvt_fail(
		    err, DVT_E_LIMIT, "chain choice: %zu chains", in->offers_n);
	collect(in, &ord);
	if (ord.n == 0)
		return dvt_fail(err, DVT_E_ABSENT,
		    asks_next(in) ? "no chain of the next root is held"
				  : "no chain may be shown here");
	sort(&ord, in, false);
	without = ord.rung[0].at;
	sort(&ord, in, true);
	for (size_t i = 0; i < ord.n; i++)
		out->order[i] = ord.rung[i].at;
	out->n = ord.n;
	out->why = reason(in, &ord, without);
	return DVT_OK;
}
