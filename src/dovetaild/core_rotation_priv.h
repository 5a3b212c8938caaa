/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of rotations inside core share. */
#ifndef DVT_DOVETAILD_CORE_ROTATION_PRIV_H
#define DVT_DOVETAILD_CORE_ROTATION_PRIV_H

#include "dovetaild/core_priv.h"
#include "dovetaild/core_rotation.h"
#include "fleet/assignment.h"
#include "fleet/phase.h"
#include "store/rows.h"

#define ROTATION_SLICE      200 /* rows of one kind in one savepoint */
#define ROTATION_BLOCKED    500 /* devices named in a refusal */
#define ROTATION_CLOCK_S    2   /* an edge's clock may be behind by that */
#define ROTATION_EVERY_MS   1000
#define ROTATION_SHARE      20   /* counting takes at most 1/20 of the time */
#define ROTATION_GROUPS_MAX 1000 /* distinct trust in one dry run */

/* --- core_rotation.c --- */

/* A rotation with all that belongs to it; memory: the turn's arena but for the
 * plan. */
struct core_rot {
	struct dvt_rotation row;
	struct dvt_plan plan;
	struct dvt_row_authority from, to; /* id 0: none */
	struct dvt_gateway_view *edges;
	size_t edges_n;
	struct dvt_tallies t;
	char approval_digest[DVT_DIGEST_HEX]; /* of retiring as it is now */
};

/* @row: borrowed. Always core_rot_fini() it. */
DVT_MUST_USE enum dvt_code core_rot_load(struct core *c,
    const struct dvt_rotation *row, struct core_rot *out, struct dvt_err *err);
DVT_MUST_USE enum dvt_code core_rot_get(
    struct core *c, int64_t id, struct core_rot *out, struct dvt_err *err);
void core_rot_fini(struct core_rot *r);
struct dvt_now core_rot_now(struct core *c);

/**
 * core_rot_write() - what the engine said: row, history, audit, actions
 * @r:     as loaded; its row becomes the new one
 * @actor: who caused it: token's name, or "core"
 */
DVT_MUST_USE enum dvt_code core_rot_write(struct core *c, struct core_rot *r,
    struct dvt_phase_out *out, const char *actor, struct dvt_err *err);

/* --- core_rotation_tally.c --- */
DVT_MUST_USE enum dvt_code core_rot_tally(
    struct core *c, struct core_rot *r, struct dvt_err *err);
/* The authority under @root, with its key here, that issues edges' (@server)
 * or devices' certificates; DVT_E_CONFLICT: none. */
DVT_MUST_USE enum dvt_code core_rot_issuer(struct core *c,
    const struct dvt_row_authority *root, bool server,
    struct dvt_row_authority *out, struct dvt_err *err);

/* --- core_rotation_device.c --- */

/* What the event adds to what the rows say. */
struct core_asg_event {
	enum dvt_asg_event event;
	const char *certificate; /* it came under this one; "" not known */
	const char *fingerprint; /* DVT_EV_ISSUED */
	const char *reason;      /* DVT_EV_FAILED, DVT_EV_EXCEPT */
};
/**
 * core_asg_step() - one event for one device in one rotation
 * @plan: of @r
 * Events its state does not take are passed over. Return: DVT_OK; others are
 * of the database.
 */
DVT_MUST_USE enum dvt_code core_asg_step(struct core *c,
    const struct core_rot *r, const struct dvt_assignment *row,
    const struct core_asg_event *e, struct dvt_err *err);
/* Is this the certificate issued to it for the rotation, or a later one like
 * it? */
bool core_asg_is_new(const struct core_rot *r, const struct dvt_assignment *row,
    const struct dvt_row_credential *cred);
/* The same for every open rotation the device is in. */
DVT_MUST_USE enum dvt_code core_asg_event(struct core *c, const char *device,
    const struct core_asg_event *e, struct dvt_err *err);

/* --- core_outbox.c --- */
/* Queue an action that belongs to no rotation, or to none any more. */
DVT_MUST_USE enum dvt_code core_outbox_put(struct core *c, const char *key,
    int64_t rotation, const char *action, const json_t *body,
    struct dvt_err *err);

/* One action being performed. */
struct core_act {
	struct dvt_row_outbox *row;
	json_t *body;
	struct core_rot *r; /* loaded; NULL: no rotation */
	const char *object; /* of the body, "" none */
	int64_t number;     /* of the body */
	bool again;         /* out: not done yet: the next slice */
	int64_t again_s;    /* out: seconds until then */
	const char *cursor; /* out: kept for the next slice; in: of the last */
};

/* --- core_outbox_edge.c, core_outbox_fleet.c, core_bundle.c --- */
typedef enum dvt_code core_act_fn(
    struct core *c, struct core_act *a, struct dvt_err *err);
core_act_fn core_act_order;
core_act_fn core_act_switch;
core_act_fn core_act_switch_back;
core_act_fn core_act_fresh_old;
core_act_fn core_act_withdraw;
core_act_fn core_act_anchor_put;
core_act_fn core_act_anchor_take;
core_act_fn core_act_authorities;
core_act_fn core_act_assign;
core_act_fn core_act_release;
core_act_fn core_act_deny_old;
core_act_fn core_act_recall;
core_act_fn core_act_hold_open;
core_act_fn core_act_hold_end;
core_act_fn core_act_want;
core_act_fn core_act_sms;
core_act_fn core_act_bundle;
struct dvt_row_bundle;
struct dvt_bundle;
/* The newest bundle, its row and its content (dvt_bundle_fini() it). */
DVT_MUST_USE enum dvt_code core_bundle_newest(struct core *c,
    struct dvt_row_bundle *row, struct dvt_bundle *b, struct dvt_err *err);

/* Edges must have applied all that the feed says now. */
DVT_MUST_USE enum dvt_code core_rot_position(
    struct core *c, int64_t rotation, struct dvt_err *err);

/* --- core_trust.c --- */

/* Which anchors a digest stands for, as far as they are known here; *anchors
 * NULL: unknown. JSON list in the turn's arena. */
DVT_MUST_USE enum dvt_code core_trust_resolve(struct core *c,
    const char *digest, const char **anchors, struct dvt_err *err);
/* The same of what a device has told last; it may have told nothing. */
DVT_MUST_USE enum dvt_code core_trust_of(struct core *c, const char *device,
    const char **anchors, struct dvt_err *err);
/* Is this fingerprint in a JSON list of them? */
bool core_trust_has(const char *anchors, const char *fingerprint);

#endif
