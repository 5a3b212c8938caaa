/* SPDX-License-Identifier: Apache-2.0 */
/* Actions on many devices, in slices. */
#include "dovetaild/core_rotation_priv.h"

#include "dovetaild/core_owner.h"
#include "proto/feed.h"
#include "store/credential.h"
#include "store/gate.h"
#include "store/rotation.h"
#include "store/trust.h"

#include <stdio.h>
#include <stdlib.h>

#define SLICE_DEVICES 500
#define PILOT_SHARE   20 /* without named pilots: one of twenty, at least one */

/* --- who takes part, and when --- */

/* The plan's pilots, those of environment `pilot`, or the first few. */
static enum dvt_code
set_pilots(struct core *c, const struct core_rot *r, struct dvt_err *err)
{
	int64_t id = r->row.id, pilots, others, n;
	enum dvt_code rc = DVT_OK;

	if (r->plan.pilot_devices_n > 0)
		rc = dvt_store_wave_all(core_tx(c), id, 2, err);
	for (size_t i = 0; rc == DVT_OK && i < r->plan.pilot_devices_n; i++) {
		rc = dvt_store_wave_device(
		    core_tx(c), id, 1, r->plan.pilot_devices[i], &n, err);
		if (rc == DVT_OK && n == 0)
			rc = dvt_fail(err, DVT_E_CONFLICT,
			    "pilot device %s is not in the fleet",
			    r->plan.pilot_devices[i]);
	}
	if (rc != DVT_OK ||
	    (rc = dvt_store_wave_count(core_tx(c), id, 1, &pilots, err)) !=
		DVT_OK ||
	    pilots > 0 ||
	    (rc = dvt_store_wave_count(core_tx(c), id, 2, &others, err)) !=
		DVT_OK)
		return rc;
	return dvt_store_wave_first(
	    core_tx(c), id, 1, others / PILOT_SHARE + 1, err);
}

static enum dvt_code
set_exceptions(struct core *c, const struct core_rot *r, struct dvt_err *err)
{
	enum dvt_code rc = DVT_OK;

	for (size_t i = 0; rc == DVT_OK && i < r->plan.except_n; i++) {
		const struct dvt_plan_except *x = &r->plan.except[i];
		struct core_asg_event e = {
		    .event = DVT_EV_EXCEPT, .reason = x->reason};
		struct dvt_assignment row;

		rc = dvt_store_assignment_get(
		    core_tx(c), x->device, r->row.id, &row, err);
		if (rc == DVT_OK)
			rc = core_asg_step(c, r, &row, &e, err);
		else if (rc == DVT_E_ABSENT)
			rc = DVT_OK; /* blocked or retired: not in anyway */
	}
	return rc;
}

enum dvt_code
core_act_assign(struct core *c, struct core_act *a, struct dvt_err *err)
{
	char after[DVT_DEVICE_ID_MAX + 1];
	int64_t taken;
	enum dvt_code rc;

	(void)dvt_copy_str(after, sizeof(after), a->cursor);
	rc = dvt_store_assignment_slice(core_tx(c), a->r->row.id,
	    core_now(c).wall_s, after, SLICE_DEVICES, &taken, err);
	if (rc != DVT_OK)
		return rc;
	if (after[0] != '\0') {
		a->again = true;
		a->cursor = dvt_arena_strdup(core_arena(c), after);
		return DVT_OK;
	}
	rc = set_pilots(c, a->r, err);
	return rc == DVT_OK ? set_exceptions(c, a->r, err) : rc;
}

/* Whose turn it is now is told; a slice a second. */
enum dvt_code
core_act_release(struct core *c, struct core_act *a, struct dvt_err *err)
{
	static const struct core_asg_event wave = {.event = DVT_EV_WAVE};
	struct dvt_assignment *rows;
	size_t n;
	enum dvt_code rc;

	if (a->r->row.state == DVT_ROT_PAUSED) {
		a->again = true; /* no new offers */
		a->again_s = 1;
		return DVT_OK;
	}
	if (a->r->row.state != DVT_ROT_RUNNING)
		return DVT_OK;
	rc = dvt_store_wave_next(core_tx(c), core_arena(c), a->r->row.id,
	    a->number, SLICE_DEVICES, &rows, &n, err);
	for (size_t i = 0; rc == DVT_OK && i < n; i++)
		rc = core_asg_step(c, a->r, &rows[i], &wave, err);
	a->again = n == SLICE_DEVICES;
	a->again_s = 1;
	return rc;
}

/* Instructions that were not carried out, and all timers. */
enum dvt_code
core_act_recall(struct core *c, struct core_act *a, struct dvt_err *err)
{
	int64_t n = 0;
	enum dvt_code rc = dvt_store_mail_recall(
	    core_tx(c), a->r->row.id, SLICE_DEVICES, &n, err);

	a->again = n == SLICE_DEVICES;
	if (rc == DVT_OK && !a->again)
		rc = dvt_store_assignment_timers_off(
		    core_tx(c), a->r->row.id, err);
	return rc;
}

/* --- superseded certificates --- */

enum dvt_code
core_act_hold_open(struct core *c, struct core_act *a, struct dvt_err *err)
{
	int64_t n = 0;
	enum dvt_code rc = dvt_store_hold_open(
	    core_tx(c), a->r->from.fingerprint, SLICE_DEVICES, &n, err);

	a->again = n == SLICE_DEVICES;
	return rc;
}

enum dvt_code
core_act_hold_end(struct core *c, struct core_act *a, struct dvt_err *err)
{
	/* a renewal stays under its root: what it superseded itself */
	bool renewal = a->r->row.kind == DVT_ROT_RENEWAL;
	int64_t n = 0;
	enum dvt_code rc = dvt_store_hold_end(core_tx(c),
	    renewal ? "" : a->r->from.fingerprint,
	    renewal ? a->r->row.started_at : 0, a->r->plan.hold_s,
	    SLICE_DEVICES, &n, err);

	a->again = n == SLICE_DEVICES;
	return rc;
}

enum dvt_code
core_act_deny_old(struct core *c, struct core_act *a, struct dvt_err *err)
{
	struct dvt_row_credential *rows;
	size_t n;
	enum dvt_code rc = dvt_store_deny_next(core_tx(c), core_arena(c),
	    a->r->from.fingerprint, core_now(c).wall_s, ROTATION_SLICE, &rows,
	    &n, err);

	for (size_t i = 0; rc == DVT_OK && i < n; i++)
		rc = core_deny_superseded(c, &rows[i], err);
	a->again = n == ROTATION_SLICE;
	return rc == DVT_OK ? core_rot_position(c, a->r->row.id, err) : rc;
}

/* --- trust --- */

/* Devices are wanted to hold bundle `number`. */
enum dvt_code
core_act_want(struct core *c, struct core_act *a, struct dvt_err *err)
{
	char next[DVT_DEVICE_ID_MAX + 1];
	const char *const *ids;
	size_t n;
	enum dvt_code rc = dvt_store_trust_page(
	    core_tx(c), core_arena(c), a->cursor, SLICE_DEVICES, &ids, &n, err);

	if (rc != DVT_OK || n == 0)
		return rc;
	rc = dvt_store_trust_want(
	    core_tx(c), a->number, a->cursor, SLICE_DEVICES, err);
	(void)dvt_copy_str(next, sizeof(next), ids[n - 1]);
	a->again = n == SLICE_DEVICES;
	a->cursor = dvt_arena_strdup(core_arena(c), next);
	return rc;
}
