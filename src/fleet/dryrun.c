/* SPDX-License-Identifier: Apache-2.0 */
#include "fleet/dryrun.h"

#include "base/mem.h"
#include "fleet/pins.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAME(id, name) name,

const char *
dvt_dry_verdict_name(enum dvt_dry_verdict v)
{
	static const char *const names[] = {DVT_VERDICTS(NAME)};

	return (size_t)v < DVT_COUNT(names) ? names[v] : "?";
}

static void
say(struct dvt_trust_group *g, enum dvt_dry_verdict v, const char *reason)
{
	g->verdict = v;
	snprintf(g->reason, sizeof(g->reason), "%s", reason);
}

static void
ask(const struct dvt_dry_run *how, struct dvt_trust_group *g,
    const char *const *anchors, size_t n)
{
	char why[DVT_REASON_MAX] = "";

	if (how->accepts(how->ctx, anchors, n, why))
		say(g, DVT_WOULD_ACCEPT, "");
	else
		say(g, DVT_WOULD_REFUSE, why);
}

/* With the root added, as the overlap will have done. */
static void
ask_after(const struct dvt_dry_run *how, struct dvt_trust_group *g)
{
	const char **more = dvt_alloc_array(g->anchors_n + 1, sizeof(*more));

	for (size_t i = 0; i < g->anchors_n; i++)
		more[i] = g->anchors[i];
	more[g->anchors_n] = how->root;
	ask(how, g, more, g->anchors_n + 1);
	free(more);
}

static void
judge(const struct dvt_dry_run *how, struct dvt_trust_group *g)
{
	bool loads = how->after_overlap && g->management == DVT_MANAGED_CHECKIN;

	if (dvt_pins_reason(g->pins)[0] != '\0' && !loads) {
		say(g, DVT_WOULD_REFUSE, dvt_pins_reason(g->pins));
	} else if (g->known && !loads) {
		/* told at every check-in: newer than any handshake */
		ask(how, g, g->anchors, g->anchors_n);
	} else if (g->seen_ok) {
		say(g, DVT_WOULD_ACCEPT, "was seen to accept it");
	} else if (loads) {
		ask_after(how, g);
	} else if (g->seen_bad) {
		say(g, DVT_WOULD_REFUSE, "was seen to refuse it");
	} else if (how->after_overlap) {
		say(g, DVT_WOULD_REFUSE,
		    "does not check in, so it cannot be given the new root; "
		    "no handshake shows that it has it");
	} else {
		say(g, DVT_WOULD_UNKNOWN,
		    "has not told what it trusts, and no handshake shows it");
	}
}

static void
add(struct dvt_count *to, const struct dvt_count *c)
{
	int64_t had = to->n;

	for (size_t i = 0; i < DVT_SAMPLES && had + (int64_t)i < DVT_SAMPLES;
	     i++)
		snprintf(to->sample[had + (int64_t)i], sizeof(to->sample[0]),
		    "%s", c->sample[i]);
	to->n += c->n;
}

void
dvt_dry_run(const struct dvt_dry_run *how, struct dvt_trust_group *groups,
    size_t n, struct dvt_dry_sum *sum)
{
	*sum = (struct dvt_dry_sum){0};
	for (size_t i = 0; i < n; i++) {
		struct dvt_trust_group *g = &groups[i];

		judge(how, g);
		add(g->verdict == DVT_WOULD_ACCEPT   ? &sum->accept
		    : g->verdict == DVT_WOULD_REFUSE ? &sum->refuse
						     : &sum->unknown,
		    &g->devices);
	}
}

bool
dvt_dry_allows(const struct dvt_dry_sum *sum, bool strict)
{
	return sum->refuse.n == 0 && (!strict || sum->unknown.n == 0);
}
