/* SPDX-License-Identifier: Apache-2.0 */
/* Loading rotations, asking the engine, writing what it says. */
#include "dovetaild/core_rotation_priv.h"

#include "base/log.h"
#include "store/authority.h"
#include "store/edge.h"
#include "store/gate.h"
#include "store/people.h"
#include "store/rotation.h"
#include "wire/json.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* --- time --- */

/* Read once, before the sandbox closes /proc. */
static char boot_id[DVT_BOOT_ID] = "unknown";

void
core_rotation_start(void)
{
	FILE *f = fopen("/proc/sys/kernel/random/boot_id", "re");

	if (f == NULL)
		return;
	if (fgets(boot_id, sizeof(boot_id), f) == NULL)
		(void)dvt_copy_str(boot_id, sizeof(boot_id), "unknown");
	boot_id[strcspn(boot_id, "\n")] = '\0';
	fclose(f);
}

struct dvt_now
core_rot_now(struct core *c)
{
	struct dvt_time t = core_now(c);

	return (struct dvt_now){t.wall_s, t.mono_ms, boot_id};
}

void
core_rotation_wake(struct core *c)
{
	c->rotation_awake = true;
}

/* --- loading --- */

static enum dvt_code
load_authority(struct core *c, int64_t id, struct dvt_row_authority *out,
    struct dvt_err *err)
{
	*out = (struct dvt_row_authority){.name = "", .fingerprint = ""};
	if (id == 0)
		return DVT_OK;
	return dvt_store_authority_get(core_tx(c), core_arena(c), id, out, err);
}

enum dvt_code
core_rot_load(struct core *c, const struct dvt_rotation *row,
    struct core_rot *out, struct dvt_err *err)
{
	const char *plan;
	enum dvt_code rc;

	*out = (struct core_rot){.row = *row};
	if ((rc = dvt_store_rotation_plan(
		 core_tx(c), core_arena(c), row->id, &plan, err)) != DVT_OK ||
	    (rc = dvt_plan_parse(dvt_span_str(plan), &out->plan, err)) !=
		DVT_OK ||
	    (rc = load_authority(c, row->from_id, &out->from, err)) != DVT_OK ||
	    (rc = load_authority(c, row->to_id, &out->to, err)) != DVT_OK)
		return rc;
	return dvt_store_gateway_views(core_tx(c), core_arena(c), row->id,
	    out->from.fingerprint, out->to.fingerprint, &out->edges,
	    &out->edges_n, err);
}

enum dvt_code
core_rot_get(
    struct core *c, int64_t id, struct core_rot *out, struct dvt_err *err)
{
	struct dvt_rotation row;
	enum dvt_code rc = dvt_store_rotation_get(core_tx(c), id, &row, err);

	*out = (struct core_rot){0};
	return rc == DVT_OK ? core_rot_load(c, &row, out, err) : rc;
}

void
core_rot_fini(struct core_rot *r)
{
	dvt_plan_fini(&r->plan);
}

/* --- writing --- */

static enum dvt_code
tell(struct core *c, const struct core_rot *r, const char *actor,
    const char *action, const char *event, struct dvt_err *err)
{
	char object[32];
	json_t *detail = json_pack("{s:s, s:s, s:s, s:s}", "kind",
	    dvt_rotation_kind_name(r->row.kind), "state",
	    dvt_rotation_state_name(r->row.state), "phase",
	    dvt_phase_name(r->row.phase), "why", r->row.waits_for);
	enum dvt_code rc;

	snprintf(object, sizeof(object), "r%" PRId64, r->row.id);
	rc = core_audit(c, actor, action, object, detail, err);
	if (rc == DVT_OK)
		rc = core_event(c, event, "", object, detail, err);
	json_decref(detail);
	return rc;
}

static enum dvt_code
write_phase(struct core *c, const struct core_rot *r, const char *actor,
    struct dvt_err *err)
{
	int64_t now = core_now(c).wall_s;
	enum dvt_code rc;

	rc = dvt_store_phase_leave(
	    core_tx(c), r->row.id, now, "gate held", err);
	if (rc == DVT_OK)
		rc = dvt_store_phase_enter(
		    core_tx(c), r->row.id, r->row.phase, now, err);
	if (rc == DVT_OK)
		rc = tell(c, r, actor, "rotation.phase", "ROTATION_PHASE", err);
	return rc;
}

/* What nobody has to agree to any more leaves the list; one that was used
 * stays as it is. */
static enum dvt_code
withdraw_approvals(struct core *c, const struct core_rot *r, const char *actor,
    struct dvt_err *err)
{
	char object[64];
	json_t *detail;
	int64_t n;
	enum dvt_code rc = dvt_store_approval_withdraw(core_tx(c), r->row.id,
	    r->row.approval_id, core_now(c).wall_s, &n, err);

	if (rc != DVT_OK || n == 0)
		return rc;
	snprintf(object, sizeof(object), "rotation %" PRId64, r->row.id);
	detail = json_pack("{s:s, s:I}", "state",
	    dvt_rotation_state_name(r->row.state), "approvals", (json_int_t)n);
	rc = core_audit(c, actor, "approval.withdraw", object, detail, err);
	json_decref(detail);
	return rc;
}

static enum dvt_code
write_state(struct core *c, const struct core_rot *r, const char *actor,
    struct dvt_err *err)
{
	bool over = dvt_machine_final(&dvt_machine_rotation, (int)r->row.state);
	enum dvt_code rc = DVT_OK;
	char action[48];

	if (over)
		rc = dvt_store_phase_leave(core_tx(c), r->row.id,
		    core_now(c).wall_s, dvt_rotation_state_name(r->row.state),
		    err);
	if (rc == DVT_OK && over)
		rc = withdraw_approvals(c, r, actor, err);
	snprintf(action, sizeof(action), "rotation.%s",
	    dvt_rotation_state_name(r->row.state));
	log_event(LOG_NOTICE, action, LI("rotation", r->row.id),
	    LS("phase", dvt_phase_name(r->row.phase)),
	    LS("why", r->row.waits_for));
	return rc == DVT_OK ? tell(c, r, actor, action, "ROTATION_STATE", err)
			    : rc;
}

static enum dvt_code
ask_approval(struct core *c, struct core_rot *r, struct dvt_rotation *row,
    bool *changed, struct dvt_err *err)
{
	char object[512];
	struct dvt_row_approval a = {.action = "rotation.retire",
	    .object = object,
	    .digest = r->approval_digest,
	    .requested_by = r->row.created_by,
	    .rotation_id = r->row.id,
	    .requested_at = core_now(c).wall_s,
	    .expires_at = core_now(c).wall_s +
			  dvt_config_int(core_config(c), "approvals.lifetime")};
	int64_t id = r->t.approval;
	enum dvt_code rc = DVT_OK;

	snprintf(object, sizeof(object),
	    "rotation %" PRId64 ": retire %s (%s); %" PRId64
	    " parked and %" PRId64 " excepted devices stay behind",
	    r->row.id, r->plan.from, dvt_rotation_kind_name(r->row.kind),
	    r->t.parked.n, r->t.excepted.n);
	if (id == 0) {
		rc = dvt_store_approval_add(core_tx(c), &a, &id, err);
		if (rc == DVT_OK)
			rc = core_audit(
			    c, "core", "approval.request", object, NULL, err);
	}
	if (rc == DVT_OK && row->approval_id != id) {
		row->approval_id = id;
		*changed = true;
	}
	return rc;
}

/* Failed devices are told again, failed actions queued again. */
static enum dvt_code
retry(struct core *c, struct core_rot *r, struct dvt_err *err)
{
	static const struct core_asg_event again = {.event = DVT_EV_RETRY};
	struct dvt_assignment *rows;
	const char *after = "";
	size_t n;
	enum dvt_code rc = dvt_store_outbox_requeue(
	    core_tx(c), r->row.id, core_now(c).wall_s, err);

	if (rc == DVT_OK && r->t.strangers > 0)
		rc = dvt_store_tally_add(core_tx(c), r->row.id, 0, "strangers",
		    0, -r->t.strangers, err);
	do {
		if (rc == DVT_OK)
			rc = dvt_store_assignment_list(core_tx(c),
			    core_arena(c), r->row.id, "failed", after,
			    DVT_LIST_MAX, &rows, &n, err);
		for (size_t i = 0; rc == DVT_OK && i < n; i++) {
			after = rows[i].device_id;
			rc = core_asg_step(c, r, &rows[i], &again, err);
		}
	} while (rc == DVT_OK && n == DVT_LIST_MAX);
	return rc;
}

static enum dvt_code
queue(struct core *c, const struct core_rot *r, const struct dvt_rot_do *d,
    struct dvt_err *err)
{
	json_t *body = json_pack(
	    "{s:s, s:I}", "object", d->object, "number", (json_int_t)d->number);
	enum dvt_code rc = core_outbox_put(
	    c, d->key, r->row.id, dvt_rot_action_name(d->action), body, err);

	json_decref(body);
	return rc;
}

static enum dvt_code
raise_alert(struct core *c, const struct core_rot *r,
    const struct dvt_rot_do *d, struct dvt_err *err)
{
	return core_alert(c,
	    r->row.state == DVT_ROT_ROLLED_BACK ? "page" : "warn", d->key,
	    d->object, d->text, err);
}

/* What is done at once, inside this savepoint; the rest is queued. */
static enum dvt_code
carry_out(struct core *c, struct core_rot *r, struct dvt_phase_out *out,
    struct dvt_err *err)
{
	enum dvt_code rc = DVT_OK;

	for (size_t i = 0; rc == DVT_OK && i < out->dos_n; i++) {
		const struct dvt_rot_do *d = &out->dos[i];

		if (d->action == DVT_DO_ALERT)
			rc = raise_alert(c, r, d, err);
		else if (d->action == DVT_DO_RETRY)
			rc = retry(c, r, err);
		else if (d->action != DVT_DO_APPROVAL)
			rc = queue(c, r, d, err);
	}
	return rc;
}

/* The second person's word is used up by what it was given for. */
static enum dvt_code
use_approval(struct core *c, const struct core_rot *r,
    const struct dvt_phase_out *out, struct dvt_err *err)
{
	int64_t last = dvt_phase_last_wave(r->row.kind);

	if (r->row.wave > last || out->row.wave <= last || r->t.approval == 0)
		return DVT_OK;
	return dvt_store_approval_use(core_tx(c), r->t.approval,
	    r->approval_digest, core_now(c).wall_s, err);
}

static bool
asks_for_approval(const struct dvt_phase_out *out)
{
	for (size_t i = 0; i < out->dos_n; i++)
		if (out->dos[i].action == DVT_DO_APPROVAL)
			return true;
	return false;
}

enum dvt_code
core_rot_write(struct core *c, struct core_rot *r, struct dvt_phase_out *out,
    const char *actor, struct dvt_err *err)
{
	int64_t was = r->row.version;
	bool moved = r->row.state != out->row.state;
	bool more = false;
	enum dvt_code rc = use_approval(c, r, out, err);

	if (rc == DVT_OK && asks_for_approval(out))
		rc = ask_approval(c, r, &out->row, &more, err);
	if (rc != DVT_OK)
		return rc;
	if (more && !out->changed) {
		out->changed = true;
		out->row.version++;
	}
	if (out->changed && (rc = dvt_store_rotation_save(
				 core_tx(c), &out->row, was, err)) != DVT_OK)
		return rc;
	r->row = out->row;
	if (out->entered && (rc = write_phase(c, r, actor, err)) != DVT_OK)
		return rc;
	if (moved && (rc = write_state(c, r, actor, err)) != DVT_OK)
		return rc;
	if (out->entered || moved || out->dos_n > 0)
		core_rotation_wake(c);
	return carry_out(c, r, out, err);
}

/* --- the tick --- */

/* Said once: what devices still need may end before the rotation does. */
static enum dvt_code
watch_deadline(struct core *c, const struct core_rot *r, struct dvt_err *err)
{
	char key[48], text[160];

	if (r->row.last_safe_at == 0 ||
	    core_now(c).wall_s <= r->row.last_safe_at ||
	    r->row.phase >= DVT_PHASE_OBSERVE)
		return DVT_OK;
	snprintf(key, sizeof(key), "r%" PRId64 "/deadline", r->row.id);
	snprintf(text, sizeof(text),
	    "rotation %" PRId64 " is in %s past its last safe day: what is "
	    "under %.60s ends before it is through",
	    r->row.id, dvt_phase_name(r->row.phase), r->plan.from);
	return core_alert(c, "page", key, "rotation.deadline", text, err);
}

static enum dvt_code
look_at(struct core *c, void *ctx, struct dvt_err *err)
{
	const struct dvt_rotation *row = ctx;
	struct dvt_now now = core_rot_now(c);
	struct dvt_phase_out out;
	struct core_rot r;
	enum dvt_code rc;

	if ((rc = core_rot_load(c, row, &r, err)) == DVT_OK &&
	    (rc = core_rot_tally(c, &r, err)) == DVT_OK) {
		dvt_phase_step(&r.row, &r.plan, &r.t, r.edges, r.edges_n, &now,
		    core_arena(c), &out);
		rc = core_rot_write(c, &r, &out, "core", err);
		if (rc == DVT_OK && out.changed)
			rc = watch_deadline(c, &r, err);
	}
	core_rot_fini(&r);
	return rc;
}

struct open_list {
	struct dvt_rotation *rows;
	size_t n;
};

static enum dvt_code
list_open(struct core *c, void *ctx, struct dvt_err *err)
{
	struct open_list *l = ctx;

	return dvt_store_rotation_open(
	    core_tx(c), core_arena(c), &l->rows, &l->n, err);
}

static enum dvt_code
timers(struct core *c, void *ctx, struct dvt_err *err)
{
	static const struct core_asg_event due = {.event = DVT_EV_TIMEOUT};
	struct dvt_assignment *rows;
	size_t n;
	enum dvt_code rc = dvt_store_assignment_due(core_tx(c), core_arena(c),
	    core_now(c).wall_s, ROTATION_SLICE, &rows, &n, err);

	(void)ctx;
	for (size_t i = 0; rc == DVT_OK && i < n; i++) {
		struct core_rot r;

		rc = core_rot_get(c, rows[i].rotation_id, &r, err);
		if (rc == DVT_OK && r.row.state == DVT_ROT_RUNNING) {
			rc = core_asg_step(c, &r, &rows[i], &due, err);
		} else if (rc == DVT_OK && r.row.state != DVT_ROT_PAUSED) {
			rc = dvt_store_assignment_timers_off(
			    core_tx(c), r.row.id, err);
		}
		core_rot_fini(&r);
	}
	return rc;
}

static void
try_within(struct core *c, const char *what,
    enum dvt_code (*fn)(struct core *c, void *ctx, struct dvt_err *err),
    void *ctx)
{
	struct dvt_err err = {0};

	if (core_within(c, fn, ctx, &err) != DVT_OK)
		log_event(LOG_WARNING, "rotation.tick.failed", LS("what", what),
		    LE(&err));
}

void
core_rotation_tick(struct core *c)
{
	struct dvt_time before = dvt_time_now(), after;
	struct open_list open = {0};
	int64_t spent;

	if (!c->rotation_awake && before.mono_ms < c->rotation_due_ms)
		return;
	if (before.mono_ms < c->rotation_least_ms)
		return; /* counting was costly: not before its time */
	c->rotation_awake = false;
	try_within(c, "timers", timers, NULL);
	try_within(c, "list", list_open, &open);
	for (size_t i = 0; i < open.n; i++)
		try_within(c, "look", look_at, &open.rows[i]);
	after = dvt_time_now();
	spent = after.mono_ms - before.mono_ms;
	c->rotation_least_ms = after.mono_ms + ROTATION_SHARE * spent;
	c->rotation_due_ms = after.mono_ms + ROTATION_EVERY_MS;
	if (c->rotation_due_ms < c->rotation_least_ms)
		c->rotation_due_ms = c->rotation_least_ms;
}
