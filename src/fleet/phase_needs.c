/* SPDX-License-Identifier: Apache-2.0 */
/* What several gates need: time, actions, edges; each says what is missing. */
#include "base/clock.h"
#include "fleet/phase_priv.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

void
dvt_look_waits(struct dvt_look *l, const char *fmt, ...)
{
	char text[DVT_WAITS_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (l->waits.n > 0)
		dvt_buf_puts(&l->waits, "; ");
	dvt_buf_puts(&l->waits, text);
}

const char *
dvt_count_names(const struct dvt_count *c, char *out)
{
	struct dvt_buf b;
	int64_t named = 0;

	dvt_buf_init(&b, DVT_REASON_MAX - 1);
	for (size_t i = 0; i < DVT_SAMPLES && named < c->n; i++)
		if (c->sample[i][0] != '\0')
			dvt_buf_printf(&b, "%s%s", named++ == 0 ? ": " : ", ",
			    c->sample[i]);
	if (named > 0 && c->n > named)
		dvt_buf_printf(&b, " and %" PRId64 " more", c->n - named);
	snprintf(out, DVT_REASON_MAX, "%s", dvt_buf_str(&b));
	dvt_buf_fini(&b);
	return out;
}

/* "have" or "has", for a number of devices */
const char *
dvt_look_have(int64_t n)
{
	return n == 1 ? "has" : "have";
}

/* Smallest number of @of that is at least @ppm of it. */
int64_t
dvt_look_share_of(int64_t of, int64_t ppm)
{
	return (int64_t)(((__int128)of * ppm + 999999) / 1000000);
}

bool
dvt_look_over_share(int64_t part, int64_t of, int64_t ppm)
{
	return (__int128)part * 1000000 > (__int128)of * ppm;
}

/* "6 d 3 h", "40 s" */
const char *
dvt_look_span_text(int64_t s, char *out, size_t size)
{
	if (s >= 86400)
		snprintf(out, size, "%" PRId64 " d %" PRId64 " h", s / 86400,
		    s % 86400 / 3600);
	else if (s >= 3600)
		snprintf(out, size, "%" PRId64 " h %" PRId64 " min", s / 3600,
		    s % 3600 / 60);
	else if (s >= 120)
		snprintf(out, size, "%" PRId64 " min", s / 60);
	else
		snprintf(out, size, "%" PRId64 " s", s);
	return out;
}

/* Both clocks must have seen the time pass. */
bool
dvt_look_time_has_passed(struct dvt_look *l, int64_t need_s)
{
	const struct dvt_rotation *r = &l->out->row;
	int64_t wall = l->now->wall_s - r->phase_since;
	int64_t boot = r->phase_elapsed_ms / 1000;
	int64_t seen = wall < boot ? wall : boot;
	char text[48];

	if (seen >= need_s)
		return true;
	dvt_look_waits(l, "%s of the minimum time are left",
	    dvt_look_span_text(
		need_s - (seen < 0 ? 0 : seen), text, sizeof(text)));
	return false;
}

bool
dvt_look_actions_are_done(struct dvt_look *l)
{
	const struct dvt_tallies *t = l->t;

	if (t->actions_queued == 0)
		return true;
	dvt_look_waits(l, "%" PRId64 " action%s under way%s%s",
	    t->actions_queued, t->actions_queued == 1 ? " is" : "s are",
	    t->action_queued[0] == '\0' ? "" : ": ", t->action_queued);
	return false;
}

static bool
edge_is_heard(const struct dvt_look *l, const struct dvt_gateway_view *e)
{
	int64_t s = l->t->heard_s > 0 ? l->t->heard_s : DVT_HEARD_S;

	return e->heard_at + s >= l->now->wall_s;
}

static void
wait_for_unheard(struct dvt_look *l, const struct dvt_gateway_view *e)
{
	char text[48];

	if (e->heard_at == 0)
		dvt_look_waits(l, "%s %s was never heard",
		    dvt_gateway_kind_name(e->kind), e->name);
	else
		dvt_look_waits(l, "%s %s was last heard %s ago",
		    dvt_gateway_kind_name(e->kind), e->name,
		    dvt_look_span_text(
			l->now->wall_s - e->heard_at, text, sizeof(text)));
}

/* Every edge heard, and working with what it was told. */
bool
dvt_look_edges_applied(struct dvt_look *l)
{
	int64_t position = l->out->row.position;
	bool ok = true;

	for (size_t i = 0; i < l->edges_n; i++) {
		const struct dvt_gateway_view *e = &l->edges[i];

		if (!edge_is_heard(l, e)) {
			wait_for_unheard(l, e);
			ok = false;
		} else if (e->applied < position) {
			dvt_look_waits(l,
			    "%s %s works with position %" PRId64 " of %" PRId64,
			    dvt_gateway_kind_name(e->kind), e->name, e->applied,
			    position);
			ok = false;
		}
	}
	return ok;
}

/* Every edge that moves holds its new credential. */
bool
dvt_look_edges_hold_next(struct dvt_look *l)
{
	bool ok = true;

	for (size_t i = 0; i < l->edges_n; i++) {
		const struct dvt_gateway_view *e = &l->edges[i];

		if (!dvt_phase_moves(l, e) || e->has_next || e->on_new)
			continue;
		dvt_look_waits(l, "%s %s has no credential under %s yet",
		    dvt_gateway_kind_name(e->kind), e->name, l->plan->to);
		ok = false;
	}
	return ok;
}

bool
dvt_look_edges_are_on_new(struct dvt_look *l, bool fronts)
{
	bool ok = true;

	for (size_t i = 0; i < l->edges_n; i++) {
		const struct dvt_gateway_view *e = &l->edges[i];

		if (!dvt_phase_moves(l, e) || e->on_new ||
		    (e->kind == DVT_EDGE_FRONT && !fronts))
			continue;
		dvt_look_waits(l, "%s %s does not show %s by default yet",
		    dvt_gateway_kind_name(e->kind), e->name, l->plan->to);
		ok = false;
	}
	return ok;
}
