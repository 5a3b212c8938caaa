/* SPDX-License-Identifier: Apache-2.0 */
/* Gates: whether a phase may be left, and what is missing in words. */
#include "base/clock.h"
#include "fleet/phase_priv.h"

#include <inttypes.h>
#include <stdio.h>

/* --- preflight --- */

static bool
nobody_is_blocked(struct dvt_look *l)
{
	const struct dvt_tallies *t = l->t;
	char names[DVT_REASON_MAX];

	if (!t->assigned)
		dvt_look_waits(l, "assignments are being written");
	if (t->blocked.n > 0 && !l->plan->forced) {
		dvt_look_waits(l,
		    "%" PRId64 " of %" PRId64
		    " devices could not follow (%s)%s",
		    t->blocked.n, t->devices, t->blocked_why,
		    dvt_count_names(&t->blocked, names));
		return false;
	}
	return t->assigned;
}

static bool
clocks_agree(struct dvt_look *l)
{
	bool ok = true;

	for (size_t i = 0; i < l->edges_n; i++) {
		const struct dvt_gateway_view *e = &l->edges[i];

		if (e->clock_off_s <= DVT_CLOCK_OFF_S &&
		    e->clock_off_s >= -DVT_CLOCK_OFF_S)
			continue;
		dvt_look_waits(l, "the clock of %s is off by %" PRId64 " s",
		    e->name, e->clock_off_s);
		ok = false;
	}
	if (l->t->clock_off_s > DVT_CLOCK_OFF_S ||
	    l->t->clock_off_s < -DVT_CLOCK_OFF_S) {
		dvt_look_waits(l,
		    "half of the devices differ from this clock by %" PRId64
		    " s or more",
		    l->t->clock_off_s);
		ok = false;
	}
	return ok;
}

static bool
there_is_time(struct dvt_look *l)
{
	const struct dvt_rotation *r = &l->out->row;
	int64_t notice = r->created_at + l->plan->notice_s - l->now->wall_s;
	char text[48];

	if (notice > 0)
		dvt_look_waits(l, "the notice is %s too young",
		    dvt_look_span_text(notice, text, sizeof(text)));
	if (r->last_safe_at == 0 || l->now->wall_s <= r->last_safe_at)
		return notice <= 0;
	dvt_look_waits(l, "its last safe day was %s: shorten the plan",
	    dvt_time_format(r->last_safe_at, text, sizeof(text)));
	return false;
}

static bool
gate_preflight(struct dvt_look *l)
{
	bool ok = nobody_is_blocked(l);

	ok = clocks_agree(l) && ok;
	ok = there_is_time(l) && ok;
	if (l->edges_n == 0 && dvt_phase_is_server(l->out->row.kind)) {
		dvt_look_waits(l, "there is no gateway");
		ok = false;
	}
	if (l->out->row.kind == DVT_ROT_SERVER_CERT)
		ok = dvt_look_edges_hold_next(l) && ok;
	ok = dvt_look_edges_applied(l) && ok;
	return dvt_look_actions_are_done(l) && ok;
}

/* --- overlap --- */

static bool
share_confirmed(struct dvt_look *l)
{
	const struct dvt_tallies *t = l->t;
	int64_t need = dvt_look_share_of(t->devices, l->plan->success_ppm);
	char names[DVT_REASON_MAX];

	if (t->devices - t->unconfirmed.n >= need)
		return true;
	dvt_look_waits(l,
	    "%" PRId64 " of %" PRId64
	    " devices %s not confirmed bundle %" PRId64 "%s",
	    t->unconfirmed.n, t->devices, dvt_look_have(t->unconfirmed.n),
	    l->out->row.bundle, dvt_count_names(&t->unconfirmed, names));
	return false;
}

static bool
gate_overlap(struct dvt_look *l)
{
	bool ok = true;

	if (l->out->row.kind == DVT_ROT_SERVER_CA) {
		ok = dvt_look_edges_hold_next(l);
		if (l->out->row.bundle == 0) {
			dvt_look_waits(l, "the bundle with %s is not out yet",
			    l->plan->to);
			ok = false;
		} else {
			ok = share_confirmed(l) && ok;
		}
	} else if (l->out->row.bundle != 0) {
		ok = share_confirmed(l);
	}
	ok = dvt_look_edges_applied(l) && ok;
	ok = dvt_look_actions_are_done(l) && ok;
	return dvt_look_time_has_passed(l, l->plan->overlap_min_s) && ok;
}

/* --- pilot and waves --- */

static int64_t
sessions_of_moved(const struct dvt_look *l)
{
	int64_t n = 0;

	for (size_t i = 0; i < l->edges_n; i++)
		if (dvt_phase_moves(l, &l->edges[i]) && l->edges[i].on_new &&
		    l->edges[i].kind == DVT_EDGE_GATEWAY)
			n += l->edges[i].sessions;
	return n;
}

static bool
edge_answers(struct dvt_look *l)
{
	const struct dvt_tallies *t = l->t;

	if (t->edge_ok > 0 || sessions_of_moved(l) == 0)
		return true;
	dvt_look_waits(l, "no device has accepted the new chain yet");
	return false;
}

static bool
few_failing(struct dvt_look *l)
{
	const struct dvt_tallies *t = l->t;
	int64_t all = t->edge_ok + t->edge_failing.n;
	char names[DVT_REASON_MAX];

	if (!dvt_look_over_share(
		t->edge_failing.n, all, 1000000 - l->plan->success_ppm))
		return true;
	dvt_look_waits(l,
	    "%" PRId64 " of %" PRId64 " devices fail at the edge%s",
	    t->edge_failing.n, all, dvt_count_names(&t->edge_failing, names));
	return false;
}

static bool
gate_wave_server(struct dvt_look *l)
{
	bool all = l->out->row.phase == DVT_PHASE_WAVES;
	bool ok = !all || dvt_look_edges_are_on_new(l, false);

	ok = edge_answers(l) && ok;
	ok = few_failing(l) && ok;
	ok = dvt_look_edges_applied(l) && ok;
	ok = dvt_look_actions_are_done(l) && ok;
	return dvt_look_time_has_passed(l, l->plan->wave_min_s) && ok;
}

/* Devices that do not answer carry over to the next wave after a while. */
static bool
wave_carries_over(const struct dvt_look *l)
{
	int64_t need = 3 * l->plan->wave_min_s;
	int64_t least = DVT_PLAN_DAY_S;

	return l->out->row.phase_elapsed_ms / 1000 >=
	       (need > least ? need : least);
}

static bool
wave_answered(struct dvt_look *l)
{
	const struct dvt_tallies *t = l->t;
	int64_t told = t->wave_ok + t->wave_failed.n + t->wave_open.n;
	char names[DVT_REASON_MAX];

	if (told == 0 || t->wave_open.n == 0 ||
	    (t->wave_ok > 0 && wave_carries_over(l)) ||
	    t->wave_ok + t->wave_failed.n >=
		dvt_look_share_of(told, l->plan->success_ppm))
		return true;
	dvt_look_waits(l,
	    "%" PRId64 " of %" PRId64 " devices of wave %" PRId64
	    " are on their way%s",
	    t->wave_open.n, told, l->out->row.wave,
	    dvt_count_names(&t->wave_open, names));
	return false;
}

static bool
wave_succeeds(struct dvt_look *l)
{
	const struct dvt_tallies *t = l->t;
	int64_t all = t->wave_ok + t->wave_failed.n;
	char names[DVT_REASON_MAX];

	if (!dvt_look_over_share(
		t->wave_failed.n, all, 1000000 - l->plan->success_ppm))
		return true;
	dvt_look_waits(l,
	    "%" PRId64 " of %" PRId64 " devices of wave %" PRId64 " failed%s",
	    t->wave_failed.n, all, l->out->row.wave,
	    dvt_count_names(&t->wave_failed, names));
	return false;
}

static bool
gate_wave_device(struct dvt_look *l)
{
	bool ok = wave_answered(l);

	ok = wave_succeeds(l) && ok;
	ok = dvt_look_edges_applied(l) && ok;
	ok = dvt_look_actions_are_done(l) && ok;
	return dvt_look_time_has_passed(l, l->plan->wave_min_s) && ok;
}

/* --- observe, retire --- */

static bool
all_proven(struct dvt_look *l)
{
	const struct dvt_tallies *t = l->t;
	char names[DVT_REASON_MAX];

	if (t->unproven.n == 0)
		return true;
	if (dvt_phase_is_server(l->out->row.kind))
		dvt_look_waits(l,
		    "%" PRId64 " of %" PRId64
		    " devices %s not proven %s alone since the switch%s",
		    t->unproven.n, t->devices, dvt_look_have(t->unproven.n),
		    l->plan->to, dvt_count_names(&t->unproven, names));
	else
		dvt_look_waits(l,
		    "%" PRId64 " of %" PRId64
		    " devices were not seen at an edge under the new "
		    "certificate%s",
		    t->unproven.n, t->devices,
		    dvt_count_names(&t->unproven, names));
	return false;
}

static bool
gate_observe(struct dvt_look *l)
{
	bool server = dvt_phase_is_server(l->out->row.kind);
	bool ok = all_proven(l);

	if (server)
		ok = dvt_look_edges_are_on_new(l, true) && ok;
	ok = dvt_look_edges_applied(l) && ok;
	ok = dvt_look_actions_are_done(l) && ok;
	return dvt_look_time_has_passed(l, l->plan->observe_min_s) && ok;
}

static void
wait_for_approval(struct dvt_look *l)
{
	const struct dvt_tallies *t = l->t;
	char names[DVT_REASON_MAX], also[DVT_REASON_MAX + 64] = "";

	if (t->parked.n > 0)
		snprintf(also, sizeof(also),
		    "; %" PRId64 " parked device%s would be left behind%s",
		    t->parked.n, t->parked.n == 1 ? "" : "s",
		    dvt_count_names(&t->parked, names));
	if (t->approval == 0)
		dvt_look_waits(l, "an approval is being asked for%s", also);
	else
		dvt_look_waits(l,
		    "approval by a second person: dovetail approval give "
		    "%" PRId64 "%s",
		    t->approval, also);
}

static void
wait_for_unheld(struct dvt_look *l)
{
	const struct dvt_tallies *t = l->t;
	char names[DVT_REASON_MAX];

	dvt_count_names(&t->unheld, names);
	if (dvt_phase_is_server(l->out->row.kind))
		dvt_look_waits(l,
		    "%" PRId64 " of %" PRId64
		    " devices %s not confirmed bundle %" PRId64 "%s",
		    t->unheld.n, t->devices, dvt_look_have(t->unheld.n),
		    l->out->row.bundle, names);
	else
		dvt_look_waits(l,
		    "%" PRId64 " devices %s a live certificate under %s%s",
		    t->unheld.n, dvt_look_have(t->unheld.n), l->plan->from,
		    names);
}

static bool
gate_retire(struct dvt_look *l)
{
	char text[48];
	bool begun = l->out->row.wave > dvt_phase_last_wave(l->out->row.kind);
	bool ok = true;

	if (l->t->unheld.n > 0 &&
	    (begun || !dvt_phase_is_server(l->out->row.kind))) {
		wait_for_unheld(l);
		ok = false;
	}
	if (!begun) {
		if (l->t->hold_until > l->now->wall_s)
			dvt_look_waits(l,
			    "superseded certificates are held "
			    "until %s",
			    dvt_time_format(
				l->t->hold_until, text, sizeof(text)));
		if (!l->t->approved)
			wait_for_approval(l);
		return false;
	}
	ok = dvt_look_edges_applied(l) && ok;
	return dvt_look_actions_are_done(l) && ok;
}

bool
dvt_look_gate(struct dvt_look *l)
{
	bool server = dvt_phase_is_server(l->out->row.kind);

	switch (l->out->row.phase) {
	case DVT_PHASE_PREFLIGHT:
		return gate_preflight(l);
	case DVT_PHASE_OVERLAP:
		return gate_overlap(l);
	case DVT_PHASE_PILOT:
	case DVT_PHASE_WAVES:
		return server ? gate_wave_server(l) : gate_wave_device(l);
	case DVT_PHASE_OBSERVE:
		return gate_observe(l);
	case DVT_PHASE_RETIRE:
		return gate_retire(l);
	case DVT_PHASE_PLANNED:
	case DVT_PHASE_DONE:
	case DVT_PHASE_N:
		break;
	}
	return false;
}

/* --- limits --- */

bool
dvt_look_hurts(struct dvt_look *l, char *why, size_t size)
{
	const struct dvt_plan *p = l->plan;
	bool server = dvt_phase_is_server(l->out->row.kind);
	const struct dvt_count *bad = server ? &l->t->edge_failing
					     : &l->t->wave_failed;
	int64_t good = server ? l->t->edge_ok : l->t->wave_ok;
	char names[DVT_REASON_MAX];

	if (bad->n < p->failure_min ||
	    !dvt_look_over_share(bad->n, bad->n + good, p->failure_limit_ppm))
		return false;
	snprintf(why, size,
	    "%" PRId64 " of %" PRId64
	    " devices fail, over the limit of %" PRId64 " ppm%s",
	    bad->n, bad->n + good, p->failure_limit_ppm,
	    dvt_count_names(bad, names));
	return true;
}

bool
dvt_look_doubts(struct dvt_look *l, char *why, size_t size)
{
	const struct dvt_plan *p = l->plan;
	int64_t limit = dvt_look_share_of(l->t->devices, p->failure_limit_ppm);
	int64_t least = p->forced ? p->failure_min : DVT_STRANGERS_MIN;

	if (!dvt_phase_is_server(l->out->row.kind) ||
	    l->t->strangers < (limit > least ? limit : least))
		return false;
	snprintf(why, size,
	    "%" PRId64 " refusals of the new chain by clients that did not "
	    "prove who they are",
	    l->t->strangers);
	return true;
}
