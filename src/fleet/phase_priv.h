/* SPDX-License-Identifier: Apache-2.0 */
/* What the parts of the phase engine share. */
#ifndef DVT_FLEET_PHASE_PRIV_H
#define DVT_FLEET_PHASE_PRIV_H

#include "fleet/phase.h"

/* Actions of dvt_machine_rotation. */
enum {
	DVT_ROT_STEP_NONE,
	DVT_ROT_STEP_ENTER,
	DVT_ROT_STEP_UNDO,
	DVT_ROT_STEP_RECALL,
	DVT_ROT_STEP_RETRY
};

/* One look at a rotation; @out->row is being changed. */
struct dvt_look {
	const struct dvt_plan *plan;
	const struct dvt_tallies *t;
	const struct dvt_gateway_view *edges;
	size_t edges_n;
	const struct dvt_now *now;
	struct dvt_phase_out *out;
	struct dvt_buf waits; /* reasons so far, joined by "; " */
};

/* Does the rotation move this edge at all? */
bool dvt_phase_moves(
    const struct dvt_look *l, const struct dvt_gateway_view *edge);

/* phase_do.c */
/* Queue an action under the key of this phase; @object may be NULL. */
struct dvt_rot_do *dvt_look_do(struct dvt_look *l, enum dvt_rot_action action,
    const char *object, int64_t number);
/* What is done on entering the row's phase. */
void dvt_look_enter(struct dvt_look *l);
/* What this phase does as soon as it can, safe to ask for again. */
void dvt_look_keep(struct dvt_look *l);
/* Undo; the words for what cannot be undone are appended to @left. */
void dvt_look_undo(struct dvt_look *l, struct dvt_buf *left);
void dvt_look_recall(struct dvt_look *l);

/* phase_needs.c */
/* "have" or "has", for a number of devices. */
const char *dvt_look_have(int64_t n);
/* Smallest part of @of that is at least @ppm of it. */
int64_t dvt_look_share_of(int64_t of, int64_t ppm);
bool dvt_look_over_share(int64_t part, int64_t of, int64_t ppm);
/* "6 d 3 h", "40 s" */
const char *dvt_look_span_text(int64_t s, char *out, size_t size);
/* Each of these is true, or says what it waits for. */
bool dvt_look_time_has_passed(struct dvt_look *l, int64_t need_s);
bool dvt_look_actions_are_done(struct dvt_look *l);
bool dvt_look_edges_applied(struct dvt_look *l);
bool dvt_look_edges_hold_next(struct dvt_look *l);
bool dvt_look_edges_are_on_new(struct dvt_look *l, bool fronts);

/* phase_gate.c */
/* One more thing it waits for. */
void dvt_look_waits(struct dvt_look *l, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
/* ": dev-1, dev-2 and 4 more", or "" for none; @out of DVT_REASON_MAX. */
const char *dvt_count_names(const struct dvt_count *c, char *out);
/* Does the gate of the row's phase hold? Else l->waits tells why. */
bool dvt_look_gate(struct dvt_look *l);
/* Failures over the plan's limit; @why gets the words. */
bool dvt_look_hurts(struct dvt_look *l, char *why, size_t size);
/* Refusals by unproven clients over their limit. */
bool dvt_look_doubts(struct dvt_look *l, char *why, size_t size);

#endif
