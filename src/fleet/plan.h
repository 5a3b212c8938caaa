/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The plan of a rotation: what an operator decides before it begins, and
 * nothing that is found out on the way. JSON in and out, defaults filled in.
 */
#ifndef DVT_FLEET_PLAN_H
#define DVT_FLEET_PLAN_H

#include "fleet/rows.h"

#define DVT_PLAN_DAY_S       86400
#define DVT_PLAN_OVERLAP_S   (7 * DVT_PLAN_DAY_S)
#define DVT_PLAN_WAVE_S      DVT_PLAN_DAY_S
#define DVT_PLAN_OBSERVE_S   (7 * DVT_PLAN_DAY_S)
#define DVT_PLAN_HOLD_S      (7 * DVT_PLAN_DAY_S)
#define DVT_PLAN_SUCCESS_PPM 990000
#define DVT_PLAN_FAILURE_PPM 10000
#define DVT_PLAN_FAILURE_MIN 2
#define DVT_PLAN_RECONNECTS  50 /* sessions closed per second and edge */

struct dvt_plan_except {
	char device[DVT_DEVICE_ID_MAX + 1];
	char reason[DVT_REASON_MAX];
};

struct dvt_plan {
	enum dvt_rotation_kind kind;
	char from[DVT_NAME_MAX + 1]; /* authorities, by name; "" as allowed */
	char to[DVT_NAME_MAX + 1];
	int64_t overlap_min_s;
	int64_t wave_min_s;
	int64_t observe_min_s;
	int64_t hold_s;   /* superseded certificates are accepted that long */
	int64_t notice_s; /* from planning to the end of preflight, at least */
	int64_t success_ppm;       /* share that must have answered well */
	int64_t failure_limit_ppm; /* share of failures that is too much, */
	int64_t failure_min;       /* when there are at least that many */
	int64_t reconnect_per_s;   /* sessions closed per second and edge */
	char pilot_gateway[DVT_NAME_MAX + 1]; /* "": the first by name */
	char gateway[DVT_NAME_MAX + 1]; /* server-cert: only this one; "" all */
	bool forced; /* server-cert: show the new chain to everyone */
	char (*pilot_devices)[DVT_DEVICE_ID_MAX + 1];
	size_t pilot_devices_n;
	struct dvt_plan_except *except;
	size_t except_n;
};

/**
 * dvt_plan_parse() - JSON as an operator or the database has it
 * @out: out: dvt_plan_fini() it; empty unless DVT_OK
 *
 * Fields: kind, from, to, overlap_min_s, wave_min_s, observe_min_s, hold_s,
 * notice_s, success_ppm, failure_limit_ppm, failure_min, reconnect_per_s,
 * pilot_gateway, pilot_devices (list of ids), gateway, forced, except (list
 * of {device, reason}). All but kind, and from and to where the kind needs
 * them, may be left out.
 * Return: DVT_OK; DVT_E_INPUT, naming the field (unknown, missing, outside of
 *         its bounds, a device twice, a kind this version does not run);
 *         DVT_E_LIMIT.
 */
DVT_MUST_USE enum dvt_code dvt_plan_parse(
    struct dvt_span json, struct dvt_plan *out, struct dvt_err *err);
void dvt_plan_fini(struct dvt_plan *p); /* NULL-safe; empty afterwards */

/* The one canonical text: every field, in order, on one line; appended. */
void dvt_plan_format(const struct dvt_plan *p, struct dvt_buf *out);
/* SHA-256 of that text: what approvals are bound to. */
void dvt_plan_digest(const struct dvt_plan *p, char out[DVT_DIGEST_HEX]);

/* Why the plan excepts @device; NULL: it does not. Borrowed. */
const char *dvt_plan_excepts(const struct dvt_plan *p, const char *device);
bool dvt_plan_pilots(const struct dvt_plan *p, const char *device);

/* Does a rotation of this kind pass through this phase? */
bool dvt_plan_has(enum dvt_rotation_kind kind, enum dvt_phase phase);

/**
 * dvt_plan_last_safe() - last day on which it may begin
 * @ends: notAfter of all that is shown or needed under the old authority
 *
 * First of @ends less the shortest time the rotation takes (overlap, two
 * waves, observe). 0 when there are no ends.
 */
int64_t dvt_plan_last_safe(
    const struct dvt_plan *p, const int64_t *ends, size_t n);

#endif
