/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One rotation: what a look at it at one moment leads to. Pure: the row, the
 * plan, numbers counted over the fleet, the edges and both clocks go in; the
 * new row and actions come out. The same code runs a live fleet, a test with
 * a hand-moved clock and the simulator. Tables: docs/machines/rotation.md,
 * phase.md.
 */
#ifndef DVT_FLEET_PHASE_H
#define DVT_FLEET_PHASE_H

#include "base/mem.h"
#include "fleet/machine.h"
#include "fleet/plan.h"

#define DVT_HEARD_S       120   /* default: an edge silent longer is unheard */
#define DVT_CLOCK_JUMP_S  300   /* wall against boot time: pauses */
#define DVT_CLOCK_OFF_S   300   /* an edge's or the fleet's clock: preflight */
#define DVT_STRANGERS_MIN 20    /* refusals by unproven clients that pause */
#define DVT_TICK_KEEP_MS  60000 /* boot time counted before it is written */

struct dvt_now {
	int64_t wall_s;      /* Unix seconds */
	int64_t mono_ms;     /* boot time, milliseconds */
	const char *boot_id; /* of the kernel */
};

/* What was counted over the fleet. Numbers of devices are of active ones that
 * are not excepted, unless said. */
struct dvt_tallies {
	int64_t devices; /* the denominator */
	bool assigned;   /* every assignment is written */
	struct dvt_count parked;
	struct dvt_count excepted;

	/* preflight */
	struct dvt_count blocked; /* could not follow; reason in the rows */
	char blocked_why[DVT_REASON_MAX]; /* of the first one */
	int64_t clock_off_s; /* median of devices' clocks minus ours */

	/* overlap. server: bundle and pure-chain proof not confirmed; device:
	 * the bundle that names the new issuing CAs not confirmed */
	struct dvt_count unconfirmed;
	/* the open wave (device-ca, renewal) */
	int64_t wave_ok;
	struct dvt_count wave_failed;
	struct dvt_count wave_open; /* told, no answer yet */
	/* main-name handshakes by certificate since the switch, by device */
	int64_t edge_ok;
	struct dvt_count edge_failing; /* their last one failed */
	/* refusals of the new chain since the switch, by whoever it was */
	int64_t strangers;
	/* observe: no proof on a main name since the switch (server), or not
	 * seen at an edge under the new certificate (device) */
	struct dvt_count unproven;
	/* retire: newest bundle not confirmed (server), or live certificates
	 * under the old authority (device) */
	struct dvt_count unheld;
	int64_t hold_until; /* latest hold of a superseded one; 0 none */

	int64_t heard_s; /* an edge silent longer is unheard; 0: DVT_HEARD_S */
	bool
	    old_key_held; /* a fresh certificate under the old CA is possible */
	int64_t approval; /* id of the open approval for retire; 0 none */
	bool approved;    /* it was given, and holds for what is there now */

	int64_t actions_queued;             /* of this rotation, not done yet */
	char action_queued[DVT_REASON_MAX]; /* key of the first, or \"\" */
	int64_t actions_failed;             /* given up */
	char action_failed[DVT_REASON_MAX]; /* key and reason of the first */
};

#define DVT_ROT_ACTIONS(X)                                                     \
	X(DVT_DO_NOTHING, "")                                                  \
	X(DVT_DO_ASSIGN, "assign")   /* write all assignments, in slices */    \
	X(DVT_DO_ORDER, "order")     /* edge: credential under the new root,   \
					shown at its next name */              \
	X(DVT_DO_BUNDLE, "bundle")   /* object: one of DVT_BUNDLE_CHANGES */   \
	X(DVT_DO_RELEASE, "release") /* number: wave; by rank, paced */        \
	X(DVT_DO_SWITCH, "switch")   /* edge: new root is shown; reconnects */ \
	X(DVT_DO_SWITCH_BACK, "switch-back") /* edge: the old root again */    \
	X(DVT_DO_FRESH_OLD, "fresh-old") /* edge: new leaf under the old CA */ \
	X(DVT_DO_WITHDRAW, "withdraw") /* edge: what is under the old root */  \
	X(DVT_DO_ANCHOR_PUT, "anchor-put")   /* object: "new" or "old" */      \
	X(DVT_DO_ANCHOR_TAKE, "anchor-take") /* object: "old" */               \
	X(DVT_DO_DENY_OLD, "deny-old")       /* superseded past their hold */  \
	X(DVT_DO_HOLD_END, "hold-end")       /* holds end as the plan says */  \
	X(DVT_DO_RECALL, "recall")           /* instructions not begun */      \
	X(DVT_DO_HOLD_OPEN, "hold-open") /* superseded ones stay accepted */   \
	X(DVT_DO_AUTHORITIES, "authorities") /* states of old and new */       \
	X(DVT_DO_RETRY, "retry") /* failed actions and devices; at once */     \
	X(DVT_DO_APPROVAL, "approval") /* ask a second person; at once */      \
	X(DVT_DO_ALERT, "alert")       /* object: its name; at once */
#define DVT_ROT_ACTION_ENUM(id, name) id,
enum dvt_rot_action { DVT_ROT_ACTIONS(DVT_ROT_ACTION_ENUM) DVT_DO_N };
const char *dvt_rot_action_name(enum dvt_rot_action a);
enum dvt_rot_action dvt_rot_action_from_name(const char *name); /* or _N */

/* How a bundle differs from the one before. */
#define DVT_BUNDLE_ADD_NEW    "add-new"    /* old primary, new secondary */
#define DVT_BUNDLE_PREFER_NEW "prefer-new" /* new primary, old secondary */
#define DVT_BUNDLE_DROP_OLD   "drop-old"   /* without the old one */
#define DVT_BUNDLE_PREFER_OLD "prefer-old" /* the old one primary again */
#define DVT_BUNDLE_ISSUING    "issuing"    /* names the new issuing CAs */

#define DVT_ROT_KEY_MAX 256

struct dvt_rot_do {
	enum dvt_rot_action action;
	char object[DVT_NAME_MAX + 1]; /* edge, change or word; "" none */
	int64_t number;
	char key[DVT_ROT_KEY_MAX]; /* rotation/phase/action/object/attempt */
	char text[DVT_REASON_MAX]; /* for people */
};

struct dvt_phase_out {
	struct dvt_rotation row;
	struct dvt_rot_do *dos; /* in the arena */
	size_t dos_n, dos_cap;
	bool changed; /* the row is to be written */
	bool entered; /* another phase; its history is to be written */
	struct dvt_arena *arena;
};

/**
 * dvt_phase_step() - look at a rotation once
 * @edges: all edges of the fleet, by name
 * @arena: actions are made in it
 * @out:   out: new row and actions, also when nothing changed
 *
 * Calling it again with the same input gives the same actions under the same
 * keys, so that whoever queues them under a unique key does nothing twice.
 * The row's waits_for says what is missing, with numbers and names.
 */
void dvt_phase_step(const struct dvt_rotation *row, const struct dvt_plan *plan,
    const struct dvt_tallies *tallies, const struct dvt_gateway_view *edges,
    size_t edges_n, const struct dvt_now *now, struct dvt_arena *arena,
    struct dvt_phase_out *out);

#define DVT_ROT_EVENTS(X)                                                      \
	X(DVT_ROT_EV_START, "start")                                           \
	X(DVT_ROT_EV_PAUSE, "pause")       /* no new offers */                 \
	X(DVT_ROT_EV_RESUME, "resume")     /* goes on */                       \
	X(DVT_ROT_EV_ABORT, "abort")       /* stop where it is */              \
	X(DVT_ROT_EV_ROLLBACK, "rollback") /* undo what can be */              \
	X(DVT_ROT_EV_HURT, "hurt")         /* failures over the limit */       \
	X(DVT_ROT_EV_DOUBT, "doubt")   /* clock, failed action, strangers */   \
	X(DVT_ROT_EV_FINISH, "finish") /* the last gate held */
#define DVT_ROT_EVENT_ENUM(id, name) id,
enum dvt_rot_event { DVT_ROT_EVENTS(DVT_ROT_EVENT_ENUM) DVT_ROT_EV_N };

/**
 * dvt_rotation_event() - what an operator, or the engine, asks of it
 * @event:  start, pause, resume, abort, rollback, hurt, doubt
 * @reason: in words; goes into waits_for
 *
 * Asking twice gives the same row and no action. What a rollback cannot undo
 * stands in waits_for.
 * Return: DVT_OK; DVT_E_CONFLICT (its state does not take that).
 */
DVT_MUST_USE enum dvt_code dvt_rotation_event(const struct dvt_rotation *row,
    enum dvt_rot_event event, const char *reason, const struct dvt_plan *plan,
    const struct dvt_tallies *tallies, const struct dvt_gateway_view *edges,
    size_t edges_n, const struct dvt_now *now, struct dvt_arena *arena,
    struct dvt_phase_out *out, struct dvt_err *err);

/* Edges show chains; else it is devices that get certificates. */
bool dvt_phase_is_server(enum dvt_rotation_kind kind);
/* Number of the wave in which everything moves (the last one). */
int64_t dvt_phase_last_wave(enum dvt_rotation_kind kind);
/* The edge that moves first: the plan's, else the first gateway. NULL: there
 * is no gateway. */
const struct dvt_gateway_view *dvt_phase_pilot(const struct dvt_plan *plan,
    const struct dvt_gateway_view *edges, size_t n);
/* The phase after @phase for this kind. */
enum dvt_phase dvt_phase_next(
    enum dvt_rotation_kind kind, enum dvt_phase phase);

extern const struct dvt_machine dvt_machine_rotation;
extern const struct dvt_machine dvt_machine_phase;

#endif
