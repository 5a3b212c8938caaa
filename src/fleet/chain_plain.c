/* SPDX-License-Identifier: Apache-2.0 */
/* One chain for all: see chain_plain.h. */
#include "fleet/chain_plain.h"

#include <string.h>

/* Small is first. */
static const int places[DVT_SLOT_N] = {
    [DVT_SLOT_CURRENT] = 0,
    [DVT_SLOT_RECOVERY] = 1,
    [DVT_SLOT_PREVIOUS] = 2,
    [DVT_SLOT_NEXT] = 3,
};

struct merit {
	bool stands, fits, ec;
	int place;
	int64_t generation;
};

static struct merit
merit_of(const struct dvt_offer *o, int64_t not_after,
    const struct dvt_choice_policy *policy, int64_t now)
{
	return (struct merit){
	    .stands = not_after > now,
	    .fits = policy->default_root != NULL &&
		    strcmp(o->root, policy->default_root) == 0,
	    .ec = !o->rsa,
	    .place = places[o->slot],
	    .generation = o->generation,
	};
}

static bool
is_better(const struct merit *a, const struct merit *b)
{
	if (a->stands != b->stands)
		return a->stands;
	if (a->fits != b->fits)
		return a->fits;
	if (a->place != b->place)
		return a->place < b->place;
	if (a->generation != b->generation)
		return a->generation > b->generation;
	return a->ec && !b->ec;
}

size_t
dvt_chain_plain(const struct dvt_offer *offers, const int64_t *not_after,
    size_t n, const struct dvt_choice_policy *policy, int64_t now)
{
	struct merit top = {0};
	size_t best = n;

	for (size_t i = 0; i < n; i++) {
		struct merit m = merit_of(
		    &offers[i], not_after[i], policy, now);

		if (offers[i].form != DVT_FORM_PURE ||
		    (best < n && !is_better(&m, &top)))
			continue;
		best = i;
		top = m;
	}
	return best;
}
