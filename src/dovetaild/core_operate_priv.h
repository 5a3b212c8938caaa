/* SPDX-License-Identifier: Apache-2.0 */
/* What the files behind core_operate() share. */
#ifndef DVT_DOVETAILD_CORE_OPERATE_PRIV_H
#define DVT_DOVETAILD_CORE_OPERATE_PRIV_H

#include "dovetaild/core_rotation_priv.h"

/* One thing asked for. */
struct core_op {
	struct core *c;
	const char *actor;
	const char *what;
	const json_t *args;
	json_t *out;   /* the answer */
	json_t *extra; /* more fields of the problem */
};

typedef enum dvt_code core_op_fn(struct core_op *op, struct dvt_err *err);
core_op_fn core_op_plan;
core_op_fn core_op_change; /* rotation.start .. rotation.rollback */
core_op_fn core_op_gateway_rotate;
core_op_fn core_op_gateway_rollback;
core_op_fn core_op_trust_update;
core_op_fn core_op_recovery;

/* A text of the arguments, @dflt when absent; borrowed. */
const char *core_op_text(
    const struct core_op *op, const char *key, const char *dflt);

/**
 * core_op_approval() - has a second person agreed to exactly this?
 * @text: all of what would be done, in words and numbers; hashed
 * Return: DVT_OK (used up now); DVT_E_APPROVAL, and op->extra tells which.
 */
DVT_MUST_USE enum dvt_code core_op_approval(struct core_op *op,
    const char *action, const char *object, const char *text,
    struct dvt_err *err);

/* --- core_plan.c --- */

/**
 * core_rotation_add() - judge a plan and write it down as planned
 * @id: out
 * Return: DVT_OK; DVT_E_INPUT; DVT_E_ABSENT; DVT_E_CONFLICT (authority, second
 *         rotation, last safe day).
 */
DVT_MUST_USE enum dvt_code core_plan_add(struct core *c, const char *actor,
    const struct dvt_plan *plan, int64_t *id, struct dvt_err *err);
/* Asks for an event of a rotation, and writes what comes of it. */
DVT_MUST_USE enum dvt_code core_plan_event(struct core *c, const char *actor,
    int64_t id, enum dvt_rot_event event, const char *reason,
    struct dvt_err *err);

#endif
