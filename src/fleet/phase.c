/* SPDX-License-Identifier: Apache-2.0 */
#include "fleet/phase_priv.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static void
look_init(struct dvt_look *l, const struct dvt_rotation *row,
    struct dvt_arena *arena, struct dvt_phase_out *out)
{
	*out = (struct dvt_phase_out){.row = *row, .arena = arena};
	l->out = out;
	dvt_buf_init(&l->waits, DVT_WAITS_MAX - 1);
}

/* Words into waits_for; what does not fit is cut at the end. */
static void
set_waits(struct dvt_look *l, const char *text)
{
	char cut[DVT_WAITS_MAX];

	snprintf(cut, sizeof(cut), "%s", text);
	if (strcmp(cut, l->out->row.waits_for) == 0)
		return;
	snprintf(
	    l->out->row.waits_for, sizeof(l->out->row.waits_for), "%s", cut);
	l->out->changed = true;
}

/* --- time --- */

static void
count_from_now(struct dvt_look *l)
{
	struct dvt_rotation *r = &l->out->row;

	r->ticked_at = l->now->wall_s;
	r->ticked_mono_ms = l->now->mono_ms;
	snprintf(r->boot_id, sizeof(r->boot_id), "%s", l->now->boot_id);
	l->out->changed = true;
}

/*
 * Adds the boot time since the last count. Over a restart of the host nothing
 * is added: how long it was off only the wall clock says. The count is written
 * once a minute, or whenever the row is written for another reason.
 * Returns by how many seconds the wall clock ran away, 0 when it did not.
 */
static int64_t
count_time(struct dvt_look *l)
{
	struct dvt_rotation *r = &l->out->row;
	bool same_boot = strcmp(r->boot_id, l->now->boot_id) == 0;
	int64_t boot_ms = l->now->mono_ms - r->ticked_mono_ms;
	int64_t jump = l->now->wall_s - r->ticked_at;

	if (same_boot && boot_ms >= 0) {
		jump -= boot_ms / 1000;
		r->phase_elapsed_ms += boot_ms;
	} else if (jump > 0) {
		jump = 0; /* it was off */
		boot_ms = DVT_TICK_KEEP_MS;
	}
	r->ticked_at = l->now->wall_s;
	r->ticked_mono_ms = l->now->mono_ms;
	snprintf(r->boot_id, sizeof(r->boot_id), "%s", l->now->boot_id);
	if (boot_ms >= DVT_TICK_KEEP_MS)
		l->out->changed = true;
	return jump > DVT_CLOCK_JUMP_S || jump < -DVT_CLOCK_JUMP_S ? jump : 0;
}

/* --- phases --- */

static void
put_state(struct dvt_look *l, int state)
{
	struct dvt_rotation *r = &l->out->row;

	if ((int)r->state == state)
		return;
	r->state = (enum dvt_rotation_state)state;
	l->out->changed = true;
	if (dvt_machine_final(&dvt_machine_rotation, state))
		r->finished_at = l->now->wall_s;
}

static void
finish(struct dvt_look *l)
{
	enum dvt_rotation_kind kind = l->out->row.kind;
	const struct dvt_edge *e;

	if (dvt_machine_step(&dvt_machine_rotation, (int)l->out->row.state,
		(int)DVT_ROT_EV_FINISH, &kind, &e, NULL) == DVT_OK)
		put_state(l, e->to);
	set_waits(l, "");
}

static void
enter(struct dvt_look *l, enum dvt_phase phase)
{
	struct dvt_rotation *r = &l->out->row;

	r->phase = phase;
	r->phase_since = l->now->wall_s;
	r->phase_elapsed_ms = 0;
	count_from_now(l);
	l->out->entered = true;
	dvt_look_enter(l);
	if (phase == DVT_PHASE_DONE)
		finish(l);
	else
		set_waits(l, "entered just now");
}

static void
undo(struct dvt_look *l, const char *reason)
{
	struct dvt_buf left;
	char text[DVT_WAITS_MAX];

	dvt_buf_init(&left, DVT_WAITS_MAX);
	dvt_look_undo(l, &left);
	snprintf(text, sizeof(text), "rolled back: %s%s%s", reason,
	    left.n > 0 ? "; not undone" : "",
	    left.n > 0 ? dvt_buf_str(&left) : "");
	set_waits(l, text);
	dvt_buf_fini(&left);
}

static void
do_step(struct dvt_look *l, const struct dvt_edge *e, const char *reason)
{
	char text[DVT_WAITS_MAX];
	bool moved = e->from != e->to;

	put_state(l, e->to);
	switch (e->action) {
	case DVT_ROT_STEP_ENTER:
		l->out->row.started_at = l->now->wall_s;
		enter(l, DVT_PHASE_PREFLIGHT);
		return;
	case DVT_ROT_STEP_UNDO:
		undo(l, reason);
		return;
	case DVT_ROT_STEP_RECALL:
		dvt_look_recall(l);
		break;
	case DVT_ROT_STEP_RETRY:
		dvt_look_do(l, DVT_DO_RETRY, NULL, l->out->row.version);
		break;
	default:
		break;
	}
	if (!moved)
		return;
	if (e->to == DVT_ROT_RUNNING) {
		count_from_now(l); /* a clock that was set stays set */
		set_waits(l, "resumed just now");
		return;
	}
	snprintf(text, sizeof(text), "%s: %s",
	    e->to == DVT_ROT_PAUSED ? "paused" : "stopped where it is", reason);
	set_waits(l, text);
}

/* The engine's own events always have an edge while the rotation runs. */
static void
happen(struct dvt_look *l, enum dvt_rot_event event, const char *reason)
{
	const struct dvt_edge *e;
	enum dvt_rotation_kind kind = l->out->row.kind;
	struct dvt_rot_do *d;

	if (dvt_machine_step(&dvt_machine_rotation, (int)l->out->row.state,
		(int)event, &kind, &e, NULL) != DVT_OK)
		return;
	do_step(l, e, reason);
	d = dvt_look_do(l, DVT_DO_ALERT,
	    event == DVT_ROT_EV_HURT ? "rotation.hurt" : "rotation.doubt",
	    l->out->row.version);
	snprintf(d->text, sizeof(d->text), "%s", reason);
}

/* --- one look --- */

static bool
switched(const struct dvt_look *l)
{
	const struct dvt_rotation *r = &l->out->row;

	if (!dvt_phase_is_server(r->kind))
		return r->phase == DVT_PHASE_PILOT ||
		       r->phase == DVT_PHASE_WAVES;
	return r->switched_at != 0 && r->phase >= DVT_PHASE_PILOT &&
	       r->phase <= DVT_PHASE_OBSERVE;
}

/* True when the look is over: it paused or undid itself. */
static bool
stopped(struct dvt_look *l, int64_t jump)
{
	char why[DVT_WAITS_MAX];

	if (switched(l) && dvt_look_hurts(l, why, sizeof(why))) {
		happen(l, DVT_ROT_EV_HURT, why);
		return true;
	}
	if (switched(l) && dvt_look_doubts(l, why, sizeof(why))) {
		/* an override ends at the first doubt: decisions/0004 */
		happen(l, l->plan->forced ? DVT_ROT_EV_HURT : DVT_ROT_EV_DOUBT,
		    why);
		return true;
	}
	if (jump != 0) {
		snprintf(why, sizeof(why),
		    "the clock of this host was set by %" PRId64 " s", jump);
		happen(l, DVT_ROT_EV_DOUBT, why);
		return true;
	}
	if (l->t->actions_failed > 0) {
		snprintf(why, sizeof(why), "%" PRId64 " action%s failed: %s",
		    l->t->actions_failed, l->t->actions_failed == 1 ? "" : "s",
		    l->t->action_failed);
		happen(l, DVT_ROT_EV_DOUBT, why);
		return true;
	}
	return false;
}

/* Did this look ask for something to be done? Then the counts that the gate
 * saw do not know of it yet. */
static bool
has_begun(const struct dvt_phase_out *out)
{
	for (size_t i = 0; i < out->dos_n; i++)
		if (out->dos[i].action != DVT_DO_APPROVAL)
			return true;
	return false;
}

static void
pass_or_wait(struct dvt_look *l)
{
	const struct dvt_rotation *r = &l->out->row;
	bool open = dvt_look_gate(l);

	if (has_begun(l->out))
		dvt_look_waits(l, "the next steps begin");
	if (open && !has_begun(l->out))
		enter(l, dvt_phase_next(r->kind, r->phase));
	else
		set_waits(l, dvt_buf_str(&l->waits));
}

void
dvt_phase_step(const struct dvt_rotation *row, const struct dvt_plan *plan,
    const struct dvt_tallies *tallies, const struct dvt_gateway_view *edges,
    size_t edges_n, const struct dvt_now *now, struct dvt_arena *arena,
    struct dvt_phase_out *out)
{
	struct dvt_look l = {.plan = plan,
	    .t = tallies,
	    .edges = edges,
	    .edges_n = edges_n,
	    .now = now};
	int64_t jump;
	char why[DVT_WAITS_MAX];

	look_init(&l, row, arena, out);
	if (row->state == DVT_ROT_RUNNING) {
		jump = count_time(&l);
		if (!stopped(&l, jump)) {
			dvt_look_keep(&l);
			pass_or_wait(&l);
		}
	} else if (row->state == DVT_ROT_PAUSED && switched(&l) &&
		   dvt_phase_is_server(row->kind) &&
		   dvt_look_hurts(&l, why, sizeof(why))) {
		happen(&l, DVT_ROT_EV_HURT, why);
	}
	if (out->changed)
		out->row.version++;
	dvt_buf_fini(&l.waits);
}

enum dvt_code
dvt_rotation_event(const struct dvt_rotation *row, enum dvt_rot_event event,
    const char *reason, const struct dvt_plan *plan,
    const struct dvt_tallies *tallies, const struct dvt_gateway_view *edges,
    size_t edges_n, const struct dvt_now *now, struct dvt_arena *arena,
    struct dvt_phase_out *out, struct dvt_err *err)
{
	struct dvt_look l = {.plan = plan,
	    .t = tallies,
	    .edges = edges,
	    .edges_n = edges_n,
	    .now = now};
	const struct dvt_edge *e;
	enum dvt_rotation_kind kind = row->kind;
	enum dvt_code rc;

	look_init(&l, row, arena, out);
	rc = dvt_machine_step(
	    &dvt_machine_rotation, (int)row->state, (int)event, &kind, &e, err);
	if (rc == DVT_OK)
		do_step(&l, e, reason);
	else
		dvt_err_prefix(err, "rotation %" PRId64, row->id);
	if (out->changed)
		out->row.version++;
	dvt_buf_fini(&l.waits);
	return rc;
}
