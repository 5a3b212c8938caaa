/* SPDX-License-Identifier: Apache-2.0 */
/* Actions: on entering a phase, within it, and to undo. */
#include "fleet/phase_priv.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

bool
dvt_phase_is_server(enum dvt_rotation_kind kind)
{
	return kind == DVT_ROT_SERVER_CA || kind == DVT_ROT_SERVER_CERT;
}

int64_t
dvt_phase_last_wave(enum dvt_rotation_kind kind)
{
	(void)kind;
	return 2; /* pilot devices, all others */
}

/* A server-cert rotation moves gateways, or the one its plan names. */
bool
dvt_phase_moves(const struct dvt_look *l, const struct dvt_gateway_view *edge)
{
	if (l->out->row.kind != DVT_ROT_SERVER_CERT)
		return true;
	if (edge->kind != DVT_EDGE_GATEWAY)
		return false;
	return l->plan->gateway[0] == '\0' ||
	       strcmp(l->plan->gateway, edge->name) == 0;
}

const struct dvt_gateway_view *
dvt_phase_pilot(
    const struct dvt_plan *plan, const struct dvt_gateway_view *edges, size_t n)
{
	const char *name = plan->gateway[0] != '\0' ? plan->gateway
						    : plan->pilot_gateway;

	for (size_t i = 0; i < n; i++)
		if (edges[i].kind == DVT_EDGE_GATEWAY &&
		    (name[0] == '\0' || strcmp(edges[i].name, name) == 0))
			return &edges[i];
	return NULL;
}

struct dvt_rot_do *
dvt_look_do(struct dvt_look *l, enum dvt_rot_action action, const char *object,
    int64_t number)
{
	struct dvt_phase_out *out = l->out;
	struct dvt_rot_do *d;

	if (out->dos_n == out->dos_cap) {
		size_t cap = out->dos_cap == 0 ? 8 : out->dos_cap * 2;
		struct dvt_rot_do *grown = dvt_arena_alloc(
		    out->arena, cap * sizeof(*grown));

		if (out->dos_n > 0)
			memcpy(grown, out->dos, out->dos_n * sizeof(*grown));
		out->dos = grown;
		out->dos_cap = cap;
	}
	d = &out->dos[out->dos_n++];
	*d = (struct dvt_rot_do){.action = action, .number = number};
	snprintf(
	    d->object, sizeof(d->object), "%s", object == NULL ? "" : object);
	snprintf(d->key, sizeof(d->key), "r%" PRId64 "/%s/%s/%s/%" PRId64,
	    out->row.id, dvt_phase_name(out->row.phase),
	    dvt_rot_action_name(action), object == NULL ? "-" : object, number);
	return d;
}

/* One action for each edge that moves, of that kind, or of both. */
static void
each_edge(
    struct dvt_look *l, enum dvt_rot_action action, bool gateways, bool fronts)
{
	for (size_t i = 0; i < l->edges_n; i++) {
		const struct dvt_gateway_view *e = &l->edges[i];

		if (!dvt_phase_moves(l, e))
			continue;
		if (e->kind == DVT_EDGE_GATEWAY ? gateways : fronts)
			dvt_look_do(l, action, e->name, 1);
	}
}

static void
order_missing(struct dvt_look *l)
{
	for (size_t i = 0; i < l->edges_n; i++) {
		const struct dvt_gateway_view *e = &l->edges[i];

		if (dvt_phase_moves(l, e) && !e->has_next && !e->on_new)
			dvt_look_do(l, DVT_DO_ORDER, e->name, 1);
	}
}

static void
open_wave(struct dvt_look *l, int64_t wave)
{
	l->out->row.wave = wave;
	l->out->changed = true;
	dvt_look_do(l, DVT_DO_RELEASE, NULL, wave);
}

static void
switch_to_new(struct dvt_look *l, const char *edge)
{
	if (l->out->row.switched_at == 0) {
		l->out->row.switched_at = l->now->wall_s;
		l->out->changed = true;
	}
	dvt_look_do(l, DVT_DO_SWITCH, edge, 1);
}

static void
enter_overlap(struct dvt_look *l)
{
	if (dvt_phase_is_server(l->out->row.kind)) {
		order_missing(l);
	} else {
		dvt_look_do(l, DVT_DO_ANCHOR_PUT, "new", 1);
		dvt_look_do(l, DVT_DO_BUNDLE, DVT_BUNDLE_ISSUING, 1);
	}
}

static void
enter_pilot(struct dvt_look *l)
{
	const struct dvt_gateway_view *pilot;

	if (!dvt_phase_is_server(l->out->row.kind)) {
		open_wave(l, 1);
		return;
	}
	pilot = dvt_phase_pilot(l->plan, l->edges, l->edges_n);
	if (pilot != NULL)
		switch_to_new(l, pilot->name);
}

static void
enter_waves(struct dvt_look *l)
{
	if (!dvt_phase_is_server(l->out->row.kind)) {
		open_wave(l, 2);
		return;
	}
	for (size_t i = 0; i < l->edges_n; i++) {
		const struct dvt_gateway_view *e = &l->edges[i];

		if (dvt_phase_moves(l, e) && e->kind == DVT_EDGE_GATEWAY &&
		    !e->on_new)
			switch_to_new(l, e->name);
	}
}

void
dvt_look_enter(struct dvt_look *l)
{
	switch (l->out->row.phase) {
	case DVT_PHASE_PREFLIGHT:
		dvt_look_do(l, DVT_DO_ASSIGN, NULL, 1);
		if (l->out->row.kind == DVT_ROT_SERVER_CERT)
			order_missing(l);
		return;
	case DVT_PHASE_OVERLAP:
		enter_overlap(l);
		return;
	case DVT_PHASE_PILOT:
		enter_pilot(l);
		return;
	case DVT_PHASE_WAVES:
		enter_waves(l);
		return;
	case DVT_PHASE_OBSERVE:
		if (l->out->row.kind == DVT_ROT_SERVER_CA)
			dvt_look_do(l, DVT_DO_BUNDLE, DVT_BUNDLE_PREFER_NEW, 1);
		return;
	case DVT_PHASE_RETIRE:
		if (!dvt_phase_is_server(l->out->row.kind))
			dvt_look_do(l, DVT_DO_HOLD_END, NULL, 1);
		return;
	case DVT_PHASE_DONE:
		if (l->out->row.kind == DVT_ROT_RENEWAL)
			dvt_look_do(l, DVT_DO_HOLD_END, NULL, 1);
		dvt_look_do(l, DVT_DO_AUTHORITIES, NULL, 1);
		return;
	case DVT_PHASE_PLANNED:
	case DVT_PHASE_N:
		return;
	}
}

/* Devices hear of the new root once every edge can prove it to them. */
static void
keep_overlap(struct dvt_look *l)
{
	struct dvt_rotation *r = &l->out->row;

	if (r->kind != DVT_ROT_SERVER_CA)
		return;
	for (size_t i = 0; i < l->edges_n; i++)
		if ((!l->edges[i].has_next && !l->edges[i].on_new) ||
		    l->edges[i].applied < r->position)
			return;
	if (r->bundle == 0)
		dvt_look_do(l, DVT_DO_BUNDLE, DVT_BUNDLE_ADD_NEW, 1);
	else if (r->wave == 0)
		open_wave(l, dvt_phase_last_wave(r->kind));
}

/* Fronts mend what went wrong elsewhere, so they move last. */
static void
keep_observe(struct dvt_look *l)
{
	if (l->out->row.kind != DVT_ROT_SERVER_CA || l->t->unproven.n > 0 ||
	    l->t->actions_queued > 0)
		return;
	for (size_t i = 0; i < l->edges_n; i++)
		if (l->edges[i].kind == DVT_EDGE_FRONT && !l->edges[i].on_new)
			dvt_look_do(l, DVT_DO_SWITCH, l->edges[i].name, 1);
}

static void
keep_retire(struct dvt_look *l)
{
	struct dvt_rotation *r = &l->out->row;
	bool server = dvt_phase_is_server(r->kind);

	if (r->wave > dvt_phase_last_wave(r->kind))
		return;
	if (!l->t->approved) {
		dvt_look_do(l, DVT_DO_APPROVAL, "retire", 1);
		return;
	}
	if (!server && (l->t->actions_queued > 0 || l->t->unheld.n > 0 ||
			   l->t->hold_until > l->now->wall_s))
		return;
	r->wave = dvt_phase_last_wave(r->kind) + 1;
	l->out->changed = true;
	if (server) {
		dvt_look_do(l, DVT_DO_BUNDLE, DVT_BUNDLE_DROP_OLD, 1);
		each_edge(l, DVT_DO_WITHDRAW, true, true);
	} else {
		dvt_look_do(l, DVT_DO_DENY_OLD, NULL, 1);
		dvt_look_do(l, DVT_DO_ANCHOR_TAKE, "old", 1);
	}
}

void
dvt_look_keep(struct dvt_look *l)
{
	switch (l->out->row.phase) {
	case DVT_PHASE_OVERLAP:
		keep_overlap(l);
		return;
	case DVT_PHASE_OBSERVE:
		keep_observe(l);
		return;
	case DVT_PHASE_RETIRE:
		keep_retire(l);
		return;
	case DVT_PHASE_PLANNED:
	case DVT_PHASE_PREFLIGHT:
	case DVT_PHASE_PILOT:
	case DVT_PHASE_WAVES:
	case DVT_PHASE_DONE:
	case DVT_PHASE_N:
		return;
	}
}

void
dvt_look_recall(struct dvt_look *l)
{
	dvt_look_do(l, DVT_DO_RECALL, NULL, 1);
}

/* Edges first: what devices see is mended before anything else. */
static void
undo_server(struct dvt_look *l, struct dvt_buf *left)
{
	const struct dvt_rotation *r = &l->out->row;
	bool retiring = r->wave > dvt_phase_last_wave(r->kind);

	if (r->switched_at != 0)
		for (size_t i = 0; i < l->edges_n; i++) {
			const struct dvt_gateway_view *e = &l->edges[i];

			if (!dvt_phase_moves(l, e))
				continue;
			dvt_look_do(l, DVT_DO_SWITCH_BACK, e->name, 1);
			if (l->t->old_key_held)
				dvt_look_do(l, DVT_DO_FRESH_OLD, e->name, 1);
			else if (!e->has_old)
				dvt_buf_printf(left,
				    "; %s holds nothing under %s any more",
				    e->name, l->plan->from);
		}
	dvt_look_recall(l);
	if (retiring) {
		dvt_look_do(l, DVT_DO_BUNDLE, DVT_BUNDLE_PREFER_OLD, 1);
		dvt_buf_printf(left,
		    "; devices that dropped %s trust %s alone until they load "
		    "the next bundle",
		    l->plan->from, l->plan->to);
	} else if (r->bundle != 0) {
		dvt_buf_printf(left, "; devices trust both %s and %s",
		    l->plan->from, l->plan->to);
	}
}

static void
undo_device(struct dvt_look *l, struct dvt_buf *left)
{
	const struct dvt_rotation *r = &l->out->row;

	dvt_look_recall(l);
	if (r->wave > 0)
		dvt_look_do(l, DVT_DO_HOLD_OPEN, NULL, 1);
	if (r->wave > dvt_phase_last_wave(r->kind))
		dvt_look_do(l, DVT_DO_ANCHOR_PUT, "old", 1);
	if (l->t->wave_ok > 0)
		dvt_buf_printf(left,
		    "; %" PRId64
		    " device%s a certificate under %s, which stays "
		    "accepted",
		    l->t->wave_ok, l->t->wave_ok == 1 ? " uses" : "s use",
		    l->plan->to);
}

void
dvt_look_undo(struct dvt_look *l, struct dvt_buf *left)
{
	if (dvt_phase_is_server(l->out->row.kind))
		undo_server(l, left);
	else
		undo_device(l, left);
}
