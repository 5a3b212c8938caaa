/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Interlocks: steps that are refused because they would cut devices off, with
 * the devices and the reason. Pure judgements over what was looked up.
 */
#ifndef DVT_FLEET_INTERLOCK_H
#define DVT_FLEET_INTERLOCK_H

#include "fleet/rows.h"

/* One device, as far as taking an anchor from it is concerned. */
struct dvt_anchor_user {
	const char *device;
	enum dvt_device_state state;
	bool knows_other;  /* what it loaded holds another root of the fleet */
	bool trust_known;  /* it told what it loaded */
	bool proven_other; /* pure-chain handshake under another root that
			    * edges still show */
};

/**
 * dvt_interlock_anchor() - may the anchor @name be taken from this device?
 * Return: NULL, or the reason in words; borrowed from a buffer in @room of
 *         DVT_REASON_MAX bytes.
 */
const char *dvt_interlock_anchor(
    const struct dvt_anchor_user *u, const char *name, char *room);

/* What stands under an authority, or above it. */
struct dvt_authority_needs {
	const char *name;
	int64_t live[DVT_OWNER_N]; /* certificates, by who holds them */
	int64_t edges_showing;     /* edges whose default root it is */
	int64_t edges_unheard;     /* not heard, or behind the feed */
	bool in_bundle;            /* devices are told to trust it */
	bool in_rotation;          /* an open rotation moves it */
};

/**
 * dvt_interlock_retire() - may the authority be retired?
 * Return: DVT_OK; DVT_E_UNSAFE, its text says what still needs it.
 */
DVT_MUST_USE enum dvt_code dvt_interlock_retire(
    const struct dvt_authority_needs *n, struct dvt_err *err);

/**
 * dvt_interlock_second() - no two open rotations over one authority
 * @open: planned, running and paused rotations; others are passed over
 * Return: DVT_OK; DVT_E_CONFLICT, naming the other one.
 */
DVT_MUST_USE enum dvt_code dvt_interlock_second(const struct dvt_rotation *open,
    size_t n, enum dvt_rotation_kind kind, int64_t from_id, int64_t to_id,
    struct dvt_err *err);

/* A place that an authority takes in a plan. */
struct dvt_plan_authority {
	const char *name;
	enum dvt_authority_state state;
	bool is_root;
	bool can_issue;     /* it, or one beneath it, has its key here */
	int64_t not_before; /* Unix seconds */
	int64_t last_issue_at;
};

/**
 * dvt_interlock_new_root() - may a rotation lead to this authority?
 * Return: DVT_OK; DVT_E_CONFLICT (state, no key, past its last issue, its
 *         notBefore ahead of @now: says by how much; no root).
 */
DVT_MUST_USE enum dvt_code dvt_interlock_new_root(
    const struct dvt_plan_authority *a, int64_t now, struct dvt_err *err);

#endif
