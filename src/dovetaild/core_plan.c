/* SPDX-License-Identifier: Apache-2.0 */
/* Plans are judged before they are written down; then rotations begin, pause,
 * go on, stop and are undone. */
#include "api/trust_check.h"
#include "dovetaild/core_operate_priv.h"
#include "fleet/interlock.h"
#include "store/device.h"
#include "store/authority.h"
#include "store/edge.h"
#include "store/gate.h"
#include "store/rotation.h"
#include "wire/json.h"

#include <inttypes.h>
#include <stdio.h>

#define ENDS_MAX 1024

/* --- authorities --- */

static enum dvt_code
by_name(struct core *c, const char *field, const char *name,
    struct dvt_row_authority *out, struct dvt_err *err)
{
	enum dvt_code rc;

	*out = (struct dvt_row_authority){.name = "", .fingerprint = ""};
	if (name[0] == '\0')
		return DVT_OK;
	rc = dvt_store_authority_by_name(
	    core_tx(c), core_arena(c), name, out, err);
	if (rc == DVT_E_ABSENT)
		rc = dvt_fail(
		    err, rc, "%s: there is no authority '%s'", field, name);
	return rc;
}

static enum dvt_code
check_to(struct core *c, const struct dvt_row_authority *to, bool server,
    struct dvt_err *err)
{
	struct dvt_plan_authority a = {.name = to->name,
	    .state = to->state,
	    .is_root = to->is_root,
	    .not_before = to->not_before,
	    .last_issue_at = to->last_issue_at};
	struct dvt_row_authority issuer;

	if (core_rot_issuer(c, to, server, &issuer, NULL) == DVT_OK) {
		a.can_issue = true;
		if (issuer.last_issue_at < a.last_issue_at)
			a.last_issue_at = issuer.last_issue_at;
	}
	return dvt_interlock_new_root(&a, core_now(c).wall_s, err);
}

static enum dvt_code
check_authorities(struct core *c, const struct dvt_plan *p,
    struct dvt_row_authority *from, struct dvt_row_authority *to,
    struct dvt_err *err)
{
	struct dvt_rotation *open;
	size_t n;
	enum dvt_code rc;

	if (p->kind == DVT_ROT_RENEWAL &&
	    (p->from[0] != '\0' || p->to[0] != '\0'))
		return dvt_fail(err, DVT_E_INPUT,
		    "renewal takes no 'from' and no 'to': each device renews "
		    "at the authority that issued its certificate; device-ca "
		    "moves them to another root");
	if ((rc = by_name(c, "from", p->from, from, err)) != DVT_OK ||
	    (rc = by_name(c, "to", p->to, to, err)) != DVT_OK)
		return rc;
	if (from->id != 0 && !from->is_root)
		return dvt_fail(err, DVT_E_CONFLICT,
		    "from: %s is no root; name the root at the top of its "
		    "chain",
		    from->name);
	if (to->id != 0 && p->kind != DVT_ROT_SERVER_CERT &&
	    (rc = check_to(c, to, dvt_phase_is_server(p->kind), err)) != DVT_OK)
		return rc;
	if ((rc = dvt_store_rotation_standing(
		 core_tx(c), core_arena(c), &open, &n, err)) != DVT_OK)
		return rc;
	return dvt_interlock_second(open, n, p->kind, from->id, to->id, err);
}

static enum dvt_code
check_edges(struct core *c, const struct dvt_plan *p, struct dvt_err *err)
{
	const char *named[] = {p->gateway, p->pilot_gateway};
	struct dvt_row_gateway *rows;
	struct dvt_row_gateway one;
	bool any = false;
	size_t n;
	enum dvt_code rc = dvt_store_gateway_list(
	    core_tx(c), core_arena(c), "", DVT_LIST_MAX, &rows, &n, err);

	for (size_t i = 0; rc == DVT_OK && i < n; i++)
		any |= rows[i].kind == DVT_EDGE_GATEWAY;
	if (rc == DVT_OK && !any && dvt_phase_is_server(p->kind))
		return dvt_fail(
		    err, DVT_E_CONFLICT, "there is no gateway that could move");
	for (size_t i = 0; rc == DVT_OK && i < DVT_COUNT(named); i++)
		if (named[i][0] != '\0')
			rc = dvt_store_gateway_get(
			    core_tx(c), core_arena(c), named[i], &one, err);
	return rc;
}

/* --- the last safe day --- */

/* Ends of the old root and of all that edges hold under it. */
static enum dvt_code
last_safe(struct core *c, const struct dvt_plan *p,
    const struct dvt_row_authority *from, int64_t *at, struct dvt_err *err)
{
	int64_t *ends = dvt_arena_alloc(
	    core_arena(c), ENDS_MAX * sizeof(*ends));
	struct dvt_row_gateway_credential *rows;
	size_t n = 0, k = 0;
	enum dvt_code rc = DVT_OK;

	if (from->id != 0 && p->kind != DVT_ROT_SERVER_CERT) {
		ends[k++] = from->not_after;
		rc = dvt_store_gateway_credential_all(core_tx(c), core_arena(c),
		    "", "", DVT_LIST_MAX, &rows, &n, err);
	}
	for (size_t i = 0; rc == DVT_OK && i < n && k < ENDS_MAX; i++)
		if (p->kind == DVT_ROT_SERVER_CA &&
		    rows[i].slot == DVT_GWSLOT_CURRENT &&
		    strcmp(rows[i].root, from->fingerprint) == 0)
			ends[k++] = rows[i].not_after;
	*at = dvt_plan_last_safe(p, ends, k);
	return rc;
}

/* --- writing it down --- */

static enum dvt_code
check_device(
    struct core *c, const char *what, const char *device, struct dvt_err *err)
{
	struct dvt_row_device row;
	enum dvt_code rc = dvt_store_device_get(
	    core_tx(c), core_arena(c), device, &row, err);

	if (rc == DVT_E_ABSENT)
		rc = dvt_fail(
		    err, rc, "%s: there is no device %.128s", what, device);
	return rc;
}

/* A slip in a name would leave out nobody, or try it on nobody. */
static enum dvt_code
check_named(struct core *c, const struct dvt_plan *plan, struct dvt_err *err)
{
	enum dvt_code rc = DVT_OK;

	for (size_t i = 0; rc == DVT_OK && i < plan->except_n; i++)
		rc = check_device(c, "except", plan->except[i].device, err);
	for (size_t i = 0; rc == DVT_OK && i < plan->pilot_devices_n; i++)
		rc = check_device(
		    c, "pilot_devices", plan->pilot_devices[i], err);
	return rc;
}

enum dvt_code
core_plan_add(struct core *c, const char *actor, const struct dvt_plan *plan,
    int64_t *id, struct dvt_err *err)
{
	struct dvt_rotation row = {.kind = plan->kind,
	    .state = DVT_ROT_PLANNED,
	    .phase = DVT_PHASE_PLANNED,
	    .version = 1,
	    .created_at = core_now(c).wall_s,
	    .phase_since = core_now(c).wall_s,
	    .ticked_at = core_now(c).wall_s};
	struct dvt_row_authority from, to;
	struct dvt_buf text;
	char object[32];
	enum dvt_code rc;

	if ((rc = check_authorities(c, plan, &from, &to, err)) != DVT_OK ||
	    (rc = check_edges(c, plan, err)) != DVT_OK ||
	    (rc = check_named(c, plan, err)) != DVT_OK ||
	    (rc = last_safe(c, plan, &from, &row.last_safe_at, err)) != DVT_OK)
		return rc;
	if (row.last_safe_at != 0 && row.last_safe_at < row.created_at)
		return dvt_fail(err, DVT_E_CONFLICT,
		    "its last safe day is past by %" PRId64
		    " days: shorten overlap, wave or observe",
		    (row.created_at - row.last_safe_at) / DVT_PLAN_DAY_S + 1);
	row.from_id = from.id;
	row.to_id = to.id;
	dvt_plan_digest(plan, row.plan_digest);
	(void)dvt_copy_str(row.created_by, sizeof(row.created_by), actor);
	(void)dvt_copy_str(
	    row.waits_for, sizeof(row.waits_for), "to be started");
	dvt_buf_init(&text, DVT_PLAN_MAX * 2);
	dvt_plan_format(plan, &text);
	rc = dvt_store_rotation_add(
	    core_tx(c), &row, dvt_buf_str(&text), id, err);
	dvt_buf_fini(&text);
	if (rc != DVT_OK)
		return rc;
	snprintf(object, sizeof(object), "r%" PRId64, *id);
	return core_audit(c, actor, "rotation.plan", object, NULL, err);
}

/* Devices that could not follow, unless the plan excepts them. */
static enum dvt_code
check_devices(struct core_op *op, const struct dvt_plan *plan, int64_t id,
    struct dvt_err *err)
{
	struct dvt_candidate chain = {0};
	struct dvt_trust_report report;
	struct dvt_row_authority issuer;
	struct core_rot r;
	json_t *list, *kept;
	const json_t *item;
	size_t i;
	enum dvt_code rc;

	if (plan->kind != DVT_ROT_SERVER_CA)
		return DVT_OK;
	if ((rc = core_rot_get(op->c, id, &r, err)) != DVT_OK)
		goto out;
	chain.root = r.to.fingerprint;
	if (core_rot_issuer(op->c, &r.to, true, &issuer, NULL) == DVT_OK)
		chain.issuer = issuer.der;
	list = json_array();
	rc = dvt_trust_check(core_tx(op->c), core_arena(op->c), 0, &chain, true,
	    core_now(op->c).wall_s, &report, err);
	if (rc == DVT_OK)
		rc = dvt_trust_check_devices(core_tx(op->c), core_arena(op->c),
		    0, &chain, &report, DVT_WOULD_REFUSE, ROTATION_BLOCKED,
		    list, err);
	kept = json_array();
	json_array_foreach(list, i,
	    item) if (dvt_plan_excepts(plan,
			  json_string_value(json_object_get(item, "device"))) ==
		      NULL)(void) json_array_append(kept, (json_t *)item);
	if (rc == DVT_OK && json_array_size(kept) > 0) {
		op->extra = json_pack("{s:O, s:I}", "devices", kept, "total",
		    (json_int_t)report.sum.refuse.n -
			(json_int_t)(json_array_size(list) -
				     json_array_size(kept)));
		rc = dvt_fail(err, DVT_E_UNSAFE,
		    "devices could not follow to %s: except them by name with "
		    "a reason, or mend them first",
		    r.to.name);
	}
	json_decref(list);
	json_decref(kept);
out:
	core_rot_fini(&r);
	return rc;
}

enum dvt_code
core_op_plan(struct core_op *op, struct dvt_err *err)
{
	struct dvt_plan plan = {0};
	struct dvt_buf text;
	int64_t id;
	enum dvt_code rc;

	dvt_buf_init(&text, DVT_PLAN_MAX);
	dvt_json_put(&text, op->args);
	rc = dvt_plan_parse(dvt_buf_span(&text), &plan, err);
	dvt_buf_fini(&text);
	if (rc == DVT_OK && plan.kind == DVT_ROT_SERVER_CERT)
		rc = dvt_fail(err, DVT_E_INPUT,
		    "plan: server-cert is planned by rotating a gateway's "
		    "certificate");
	if (rc == DVT_OK)
		rc = core_plan_add(op->c, op->actor, &plan, &id, err);
	if (rc == DVT_OK)
		rc = check_devices(op, &plan, id, err);
	if (rc == DVT_OK)
		op->out = json_pack("{s:I}", "id", (json_int_t)id);
	dvt_plan_fini(&plan);
	return rc;
}

/* --- changing it --- */

/* Nothing else may have begun over its authorities since it was planned. */
static enum dvt_code
check_start(struct core *c, const struct core_rot *r, struct dvt_err *err)
{
	struct dvt_rotation *open;
	size_t n, k = 0;
	enum dvt_code rc = dvt_store_rotation_standing(
	    core_tx(c), core_arena(c), &open, &n, err);

	for (size_t i = 0; rc == DVT_OK && i < n; i++)
		if (open[i].id != r->row.id)
			open[k++] = open[i];
	return rc == DVT_OK ? dvt_interlock_second(open, k, r->row.kind,
				  r->row.from_id, r->row.to_id, err)
			    : rc;
}

enum dvt_code
core_plan_event(struct core *c, const char *actor, int64_t id,
    enum dvt_rot_event event, const char *reason, struct dvt_err *err)
{
	struct dvt_now now = core_rot_now(c);
	struct dvt_phase_out out;
	struct core_rot r;
	enum dvt_code rc;

	if ((rc = core_rot_get(c, id, &r, err)) != DVT_OK ||
	    (rc = core_rot_tally(c, &r, err)) != DVT_OK)
		goto out;
	if (event == DVT_ROT_EV_START && r.row.state == DVT_ROT_PLANNED &&
	    (rc = check_start(c, &r, err)) != DVT_OK)
		goto out;
	rc = dvt_rotation_event(&r.row, event, reason, &r.plan, &r.t, r.edges,
	    r.edges_n, &now, core_arena(c), &out, err);
	if (rc == DVT_OK)
		rc = core_rot_write(c, &r, &out, actor, err);
out:
	core_rot_fini(&r);
	return rc;
}

enum dvt_code
core_op_change(struct core_op *op, struct dvt_err *err)
{
	static const struct {
		const char *what;
		enum dvt_rot_event event;
	} events[] = {
	    {"rotation.start",    DVT_ROT_EV_START   },
	    {"rotation.pause",    DVT_ROT_EV_PAUSE   },
	    {"rotation.resume",   DVT_ROT_EV_RESUME  },
	    {"rotation.abort",    DVT_ROT_EV_ABORT   },
	    {"rotation.rollback", DVT_ROT_EV_ROLLBACK},
	};
	int64_t id = json_integer_value(json_object_get(op->args, "id"));
	char reason[DVT_REASON_MAX];
	enum dvt_code rc = DVT_E_ABSENT;

	snprintf(reason, sizeof(reason), "asked by %s%s%.150s", op->actor,
	    core_op_text(op, "reason", "")[0] == '\0' ? "" : ": ",
	    core_op_text(op, "reason", ""));
	for (size_t i = 0; i < DVT_COUNT(events); i++)
		if (strcmp(events[i].what, op->what) == 0)
			rc = core_plan_event(
			    op->c, op->actor, id, events[i].event, reason, err);
	if (rc == DVT_OK)
		op->out = json_pack("{s:I}", "id", (json_int_t)id);
	return rc;
}
