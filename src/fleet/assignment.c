/* SPDX-License-Identifier: Apache-2.0 */
#include "fleet/assignment_priv.h"

#include <stdio.h>
#include <string.h>

const struct dvt_machine *
dvt_assignment_machine(enum dvt_rotation_kind kind)
{
	switch (kind) {
	case DVT_ROT_SERVER_CERT:
	case DVT_ROT_SERVER_CA:
	case DVT_ROT_TRUST_KEY:
		return &dvt_machine_assignment_server;
	case DVT_ROT_DEVICE_CA:
	case DVT_ROT_RENEWAL:
	case DVT_ROT_ALGORITHM:
	case DVT_ROT_KIND_N:
		break;
	}
	return &dvt_machine_assignment_device;
}

int64_t
dvt_assignment_retry_s(int64_t tries, uint32_t random)
{
	static const int64_t step_s[] = {30, 60, 120, 300};
	int64_t last = (int64_t)DVT_COUNT(step_s);
	int64_t i = tries < 1 ? 0 : tries > last ? last - 1 : tries - 1;

	return step_s[i] + random % (uint32_t)(step_s[i] / 5 + 1);
}

static int64_t
later(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

/* When a device in the middle of its steps is looked at again. */
static int64_t
patience_ends(const struct dvt_assignment_facts *f, int64_t now)
{
	return later(f->last_seen_at, now) +
	       DVT_ASG_MISSED_PERIODS * later(f->period_s, 1);
}

/* The timer of @row, which has just come to its state. */
static int64_t
due_at(const struct dvt_assignment *row, const struct dvt_assignment_facts *f,
    int64_t now)
{
	switch (row->state) {
	case DVT_ASG_WAITING:
		return row->tries == 0 ? 0
				       : now + dvt_assignment_retry_s(
						   row->tries, f->random);
	case DVT_ASG_TRIGGERED:
	case DVT_ASG_CSR:
	case DVT_ASG_ISSUED:
	case DVT_ASG_TRIED:
		return patience_ends(f, now);
	case DVT_ASG_SWITCHED:
		return f->management == DVT_MANAGED_CHECKIN
			   ? patience_ends(f, now)
			   : now + later(f->period_s, 1);
	case DVT_ASG_UNREACHABLE:
		return now + DVT_ASG_OUT_OF_BAND_S;
	case DVT_ASG_OUT_OF_BAND:
		return now + DVT_ASG_ESCALATE_S;
	case DVT_ASG_CONFIRMED:
	case DVT_ASG_FAILED:
	case DVT_ASG_ESCALATED:
	case DVT_ASG_EXCEPTED:
	case DVT_ASG_PARKED:
	case DVT_ASG_N:
		break;
	}
	return 0;
}

static bool
counts_as_try(enum dvt_asg_event event, enum dvt_assignment_state from)
{
	if (event == DVT_EV_FAILED)
		return from != DVT_ASG_WAITING && from != DVT_ASG_FAILED &&
		       from != DVT_ASG_CONFIRMED;
	return event == DVT_EV_TIMEOUT && from != DVT_ASG_WAITING;
}

static int64_t
tries_after(const struct dvt_assignment *row, enum dvt_asg_event event,
    enum dvt_assignment_state to)
{
	switch (to) {
	case DVT_ASG_CONFIRMED:
	case DVT_ASG_UNREACHABLE:
	case DVT_ASG_OUT_OF_BAND:
	case DVT_ASG_ESCALATED:
	case DVT_ASG_PARKED:
	case DVT_ASG_EXCEPTED:
		return 0;
	case DVT_ASG_WAITING:
	case DVT_ASG_TRIGGERED:
	case DVT_ASG_CSR:
	case DVT_ASG_ISSUED:
	case DVT_ASG_TRIED:
	case DVT_ASG_SWITCHED:
	case DVT_ASG_FAILED:
	case DVT_ASG_N:
		break;
	}
	if (event == DVT_EV_RETRY)
		return 0;
	return row->tries + (counts_as_try(event, row->state) ? 1 : 0);
}

static void
set_reason(struct dvt_assignment *row, enum dvt_asg_event event,
    const struct dvt_assignment_facts *f, const char *why)
{
	const char *text = "";

	if (event == DVT_EV_FAILED || event == DVT_EV_EXCEPT)
		text = f->reason != NULL ? f->reason : why;
	else if (row->state == DVT_ASG_FAILED ||
		 row->state == DVT_ASG_UNREACHABLE ||
		 row->state == DVT_ASG_OUT_OF_BAND ||
		 row->state == DVT_ASG_ESCALATED)
		text = why;
	else if (row->state == DVT_ASG_WAITING && row->tries > 0)
		return; /* the failure it waits after is worth keeping */
	snprintf(row->reason, sizeof(row->reason), "%s", text);
}

/* Does the row change although the edge leads back to its state? */
static bool
moves(const struct dvt_edge *e, enum dvt_asg_event event)
{
	return e->from == DVT_ANY || e->from != e->to ||
	       event == DVT_EV_TIMEOUT;
}

static void
apply(const struct dvt_edge *e, enum dvt_asg_event event,
    const struct dvt_assignment_facts *f, int64_t now,
    struct dvt_assignment *row)
{
	enum dvt_assignment_state to = (enum dvt_assignment_state)e->to;

	if (event == DVT_EV_ISSUED && f->fingerprint != NULL)
		snprintf(row->fingerprint, sizeof(row->fingerprint), "%s",
		    f->fingerprint);
	if (event == DVT_EV_SEEN && row->edge_at == 0)
		row->edge_at = now;
	if (!moves(e, event))
		return;
	row->tries = tries_after(row, event, to);
	if (row->state != to)
		row->state_since = now;
	row->state = to;
	row->due_at = due_at(row, f, now);
	set_reason(row, event, f, e->why);
}

enum dvt_code
dvt_assignment_step(const struct dvt_assignment *row, enum dvt_asg_event event,
    const struct dvt_assignment_facts *facts, int64_t now,
    struct dvt_assignment *out, enum dvt_asg_action *action,
    struct dvt_err *err)
{
	struct dvt_assignment_view view = {row, facts, now};
	const struct dvt_edge *edge;
	enum dvt_code rc;

	*action = DVT_ASG_DO_NOTHING;
	rc = dvt_machine_step(dvt_assignment_machine(facts->kind),
	    (int)row->state, (int)event, &view, &edge, err);
	if (rc != DVT_OK) {
		dvt_err_prefix(err, "%s", row->device_id);
		return rc;
	}
	if (out != row)
		*out = *row;
	apply(edge, event, facts, now, out);
	*action = (enum dvt_asg_action)edge->action;
	return DVT_OK;
}
