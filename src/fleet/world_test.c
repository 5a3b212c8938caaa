/* SPDX-License-Identifier: Apache-2.0 */
#include "fleet/world_test.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static bool
is_server(const struct world *w)
{
	return dvt_phase_is_server(w->row.kind);
}

void
world_init(struct world *w, const char *plan_json)
{
	struct dvt_err err = {0};

	*w = (struct world){
	    .wall = 1700000000, .mono = 5000000, .position = 7, .bundle = 3};
	snprintf(w->boot, sizeof(w->boot), "boot-1");
	if (dvt_plan_parse(dvt_span_str(plan_json), &w->plan, &err) != DVT_OK)
		fail_msg("%s", err.text);
	w->row = (struct dvt_rotation){.id = 5,
	    .kind = w->plan.kind,
	    .version = 1,
	    .from_id = 1,
	    .to_id = 2,
	    .created_at = w->wall};
	snprintf(w->row.boot_id, sizeof(w->row.boot_id), "%s", w->boot);
	for (int i = 0; i < WORLD_EDGES; i++) {
		struct dvt_gateway_view *e = &w->edges[i];

		e->kind = i < 2 ? DVT_EDGE_GATEWAY : DVT_EDGE_FRONT;
		snprintf(e->name, sizeof(e->name), "%s-%d",
		    i < 2 ? "gw" : "front", i % 2 + 1);
		e->applied = w->position;
		e->has_old = true;
		e->sessions = 9;
	}
	for (int i = 0; i < WORLD_DEVICES; i++)
		snprintf(w->dev[i].asg.device_id,
		    sizeof(w->dev[i].asg.device_id), "dev-%04d", i + 1);
}

void
world_fini(struct world *w)
{
	dvt_plan_fini(&w->plan);
}

/* --- counting --- */

static void
count(struct dvt_count *c, const struct world_device *d)
{
	if (c->n < DVT_SAMPLES)
		snprintf(c->sample[c->n], sizeof(c->sample[0]), "%s",
		    d->asg.device_id);
	c->n++;
}

static void
tally_device(
    const struct world *w, const struct world_device *d, struct dvt_tallies *t)
{
	bool told = d->asg.wave != 0 && d->asg.wave <= w->row.wave;

	t->devices++;
	if (is_server(w) && d->asg.state != DVT_ASG_CONFIRMED)
		count(&t->unconfirmed, d);
	if (told && d->asg.state == DVT_ASG_CONFIRMED)
		t->wave_ok++;
	else if (told && d->asg.state == DVT_ASG_FAILED)
		count(&t->wave_failed, d);
	else if (told && d->asg.state != DVT_ASG_UNREACHABLE)
		count(&t->wave_open, d);
	if (d->failing)
		count(&t->edge_failing, d);
	else if (d->main_ok)
		t->edge_ok++;
	if (is_server(w) ? !d->main_ok : d->asg.edge_at == 0)
		count(&t->unproven, d);
	if (is_server(w) ? w->dropping && !d->dropped
			 : d->asg.state != DVT_ASG_CONFIRMED)
		count(&t->unheld, d);
}

void
world_tally(const struct world *w, struct dvt_tallies *t)
{
	*t = (struct dvt_tallies){.assigned = w->dev[0].asg.wave != 0,
	    .strangers = w->strangers,
	    .hold_until = w->hold_until,
	    .old_key_held = w->old_key_held,
	    .approval = w->approval,
	    .approved = w->approved};
	for (int i = 0; i < WORLD_DEVICES; i++) {
		const struct world_device *d = &w->dev[i];

		if (d->asg.state == DVT_ASG_EXCEPTED)
			count(&t->excepted, d);
		else if (d->parked)
			count(&t->parked, d);
		else
			tally_device(w, d, t);
	}
	for (size_t i = 0; i < w->queued; i++) {
		t->actions_queued += !w->done[i] && !w->failed[i];
		t->actions_failed += w->failed[i];
		if (w->failed[i])
			snprintf(t->action_failed, sizeof(t->action_failed),
			    "%.200s", w->queue[i].key);
	}
}

/* --- devices --- */

static void
event(struct world *w, struct world_device *d, enum dvt_asg_event ev)
{
	struct dvt_assignment_facts f = {.kind = w->row.kind,
	    .management = DVT_MANAGED_CHECKIN,
	    .period_s = 86400,
	    .last_seen_at = d->silent ? 0 : w->wall,
	    .released = d->asg.wave <= w->row.wave,
	    .bundle_confirmed = d->loaded,
	    .proven = d->proven,
	    .under_new = d->under_new,
	    .fingerprint = "aa",
	    .reason = "refused"};
	enum dvt_asg_action act;

	if (dvt_assignment_step(
		&d->asg, ev, &f, w->wall, &d->asg, &act, NULL) != DVT_OK)
		return;
	switch (act) {
	case DVT_ASG_PUT_PROBE:
	case DVT_ASG_PUT_RENEW:
		d->told = true;
		break;
	case DVT_ASG_TAKE_MAIL:
	case DVT_ASG_SUPERSEDE:
		d->told = false;
		break;
	case DVT_ASG_ALERT:
		w->alerts++;
		break;
	case DVT_ASG_DO_NOTHING:
	case DVT_ASG_WAKE:
	case DVT_ASG_FIELD_LIST:
	case DVT_ASG_DO_N:
		break;
	}
}

static void
act_server(struct world *w, struct world_device *d)
{
	if (w->bundle > 3 && !d->loaded)
		d->loaded = true;
	else if (d->told && !d->proven && w->edges[0].has_next) {
		d->proven = true;
		event(w, d, DVT_EV_PROOF);
	}
	if (w->edges[0].on_new || w->edges[1].on_new) {
		d->failing = d->broken;
		d->main_ok = !d->broken;
	} else {
		d->failing = false;
	}
	if (w->dropping)
		d->dropped = true;
	event(w, d, DVT_EV_CHECKIN);
}

static void
act_renewing(struct world *w, struct world_device *d)
{
	if (d->told && d->refuses_new)
		event(w, d, DVT_EV_FAILED);
	else if (d->told && d->asg.state == DVT_ASG_TRIGGERED)
		event(w, d, DVT_EV_CSR);
	else if (d->asg.state == DVT_ASG_CSR)
		event(w, d, DVT_EV_ISSUED);
	else if (d->asg.state == DVT_ASG_ISSUED)
		event(w, d, DVT_EV_TRIED);
	else if (d->asg.state == DVT_ASG_TRIED) {
		d->under_new = true;
		event(w, d, DVT_EV_SEEN);
	} else {
		event(w, d, DVT_EV_CHECKIN);
	}
}

/* --- the outbox --- */

static struct dvt_gateway_view *
edge_of(struct world *w, const char *name)
{
	for (int i = 0; i < WORLD_EDGES; i++)
		if (strcmp(w->edges[i].name, name) == 0)
			return &w->edges[i];
	fail_msg("no edge '%s'", name);
	return NULL;
}

static void
feed(struct world *w)
{
	w->row.position = ++w->position;
}

static void
assign_all(struct world *w)
{
	for (int i = 0; i < WORLD_DEVICES; i++) {
		struct world_device *d = &w->dev[i];

		d->asg.rotation_id = w->row.id;
		d->asg.rank = i;
		d->asg.wave = i < 2 ? 1 : 2;
		if (d->parked)
			event(w, d, DVT_EV_PARK);
	}
}

static void
perform(struct world *w, const struct dvt_rot_do *a)
{
	w->performed[a->action]++;
	if (a->action == DVT_DO_ASSIGN) {
		assign_all(w);
	} else if (a->action == DVT_DO_BUNDLE) {
		w->row.bundle = ++w->bundle;
		w->dropping = strcmp(a->object, DVT_BUNDLE_DROP_OLD) == 0;
	} else if (a->action == DVT_DO_RELEASE) {
		for (int i = 0; i < WORLD_DEVICES; i++)
			if (w->dev[i].asg.wave <= a->number)
				event(w, &w->dev[i], DVT_EV_WAVE);
	} else if (a->action == DVT_DO_RECALL) {
		for (int i = 0; i < WORLD_DEVICES; i++)
			w->dev[i].told = false;
	} else {
		if (a->action == DVT_DO_ORDER)
			edge_of(w, a->object)->has_next = true;
		else if (a->action == DVT_DO_SWITCH)
			edge_of(w, a->object)->on_new = true;
		else if (a->action == DVT_DO_SWITCH_BACK)
			edge_of(w, a->object)->on_new = false;
		feed(w);
	}
}

static void
queue(struct world *w, const struct dvt_rot_do *a)
{
	if (a->action == DVT_DO_ALERT) {
		w->alerts++;
		return;
	}
	if (a->action == DVT_DO_RETRY) {
		memset(w->failed, 0, sizeof(w->failed));
		w->strangers = 0;
		return;
	}
	if (a->action == DVT_DO_APPROVAL) {
		if (w->approval == 0)
			w->approval = 77;
		return;
	}
	for (size_t i = 0; i < w->queued; i++)
		if (strcmp(w->queue[i].key, a->key) == 0)
			return;
	assert_true(w->queued < WORLD_ACTIONS);
	w->fresh++;
	w->queue[w->queued++] = *a;
}

static void
work(struct world *w)
{
	/* what was queued just now is performed at the next tick */
	size_t n = w->queued - w->fresh;

	w->fresh = 0;
	if (w->outbox_stands)
		return;
	for (size_t i = 0; i < n; i++)
		if (!w->done[i] && !w->failed[i]) {
			w->done[i] = true;
			perform(w, &w->queue[i]);
		}
}

/* --- time --- */

static void
look(struct world *w, bool written)
{
	struct dvt_now now = {w->wall, w->mono, w->boot};
	struct dvt_tallies t;
	struct dvt_arena arena = {0};
	struct dvt_phase_out out;

	world_tally(w, &t);
	dvt_phase_step(
	    &w->row, &w->plan, &t, w->edges, WORLD_EDGES, &now, &arena, &out);
	if (written) {
		if (out.entered && out.row.phase == DVT_PHASE_DONE)
			for (size_t i = 0; i < w->queued; i++)
				if (!w->done[i])
					fail_msg("done, but not %s",
					    w->queue[i].key);
		if (out.entered) {
			w->entered[out.row.phase]++;
			w->entered_at[out.row.phase] = w->wall;
		}
		if (out.changed)
			w->row = out.row;
		for (size_t i = 0; i < out.dos_n; i++)
			queue(w, &out.dos[i]);
	}
	dvt_arena_free(&arena);
}

void
world_lost_tick(struct world *w)
{
	look(w, false);
}

void
world_tick(struct world *w)
{
	for (int i = 0; i < WORLD_EDGES; i++)
		if (!w->deaf_edge || i != 1) {
			w->edges[i].heard_at = w->wall;
			w->edges[i].applied = w->position;
		}
	for (int i = 0; i < WORLD_DEVICES; i++) {
		struct world_device *d = &w->dev[i];

		if (d->asg.due_at != 0 && d->asg.due_at <= w->wall)
			event(w, d, DVT_EV_TIMEOUT);
		if (d->silent || d->parked || d->asg.wave == 0)
			continue;
		if (is_server(w))
			act_server(w, d);
		else
			act_renewing(w, d);
	}
	if (w->approve && w->approval != 0)
		w->approved = true;
	look(w, true);
	work(w);
}

bool
world_until(
    struct world *w, enum dvt_phase phase, int64_t step_s, int64_t most_s)
{
	int64_t end = w->wall + most_s;

	while (w->row.phase != phase && w->row.state == DVT_ROT_RUNNING &&
	       w->wall < end) {
		w->wall += step_s;
		w->mono += step_s * 1000;
		world_tick(w);
	}
	return w->row.phase == phase;
}

enum dvt_code
world_ask(struct world *w, enum dvt_rot_event ev, const char *reason)
{
	struct dvt_now now = {w->wall, w->mono, w->boot};
	struct dvt_tallies t;
	struct dvt_arena arena = {0};
	struct dvt_phase_out out;
	enum dvt_code rc;

	world_tally(w, &t);
	rc = dvt_rotation_event(&w->row, ev, reason, &w->plan, &t, w->edges,
	    WORLD_EDGES, &now, &arena, &out, NULL);
	if (rc == DVT_OK) {
		w->row = out.row;
		if (out.entered)
			w->entered[out.row.phase]++;
		for (size_t i = 0; i < out.dos_n; i++)
			queue(w, &out.dos[i]);
		w->fresh = 0;
	}
	dvt_arena_free(&arena);
	return rc;
}
