/* SPDX-License-Identifier: Apache-2.0 */
/* One device in a rotation: facts from the rows, the step, its action. */
#include "dovetaild/core_rotation_priv.h"

#include "base/log.h"
#include "dovetaild/core_owner.h"
#include "store/credential.h"
#include "store/device.h"
#include "store/gate.h"
#include "store/rotation.h"
#include "store/trust.h"
#include "wire/json.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* A device and what its step is judged by. */
struct facts {
	struct dvt_row_device device;
	struct dvt_assignment_facts f;
};

static int64_t
later(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

/* --- facts --- */

static enum dvt_code
trust_facts(struct core *c, const struct core_rot *r, const char *id,
    struct dvt_assignment_facts *f, struct dvt_err *err)
{
	struct dvt_row_chain_seen *seen;
	const char *anchors;
	size_t n;
	enum dvt_code rc = core_trust_of(c, id, &anchors, err);

	if (rc == DVT_OK)
		rc = dvt_store_chain_seen(
		    core_tx(c), core_arena(c), id, &seen, &n, err);
	if (rc != DVT_OK)
		return rc;
	f->bundle_confirmed = core_trust_has(anchors, r->to.fingerprint);
	for (size_t i = 0; i < n; i++)
		if (seen[i].form == DVT_FORM_PURE && seen[i].last_ok_at > 0 &&
		    seen[i].last_ok_at >= seen[i].last_bad_at &&
		    strcmp(seen[i].root, r->to.fingerprint) == 0)
			f->proven = true;
	return DVT_OK;
}

bool
core_asg_is_new(const struct core_rot *r, const struct dvt_assignment *row,
    const struct dvt_row_credential *cred)
{
	if (strcmp(cred->fingerprint, row->fingerprint) == 0)
		return true;
	if (r->row.kind == DVT_ROT_RENEWAL)
		return cred->issued_at > r->row.started_at;
	return r->to.id != 0 && strcmp(cred->root, r->to.fingerprint) == 0;
}

static enum dvt_code
certificate_facts(struct core *c, const struct core_rot *r,
    const struct dvt_assignment *row, const char *certificate,
    struct dvt_assignment_facts *f, struct dvt_err *err)
{
	struct dvt_row_credential cred;
	enum dvt_code rc = DVT_OK;

	if (certificate != NULL && certificate[0] != '\0') {
		rc = dvt_store_credential_by_fingerprint(
		    core_tx(c), core_arena(c), certificate, &cred, err);
		if (rc == DVT_OK)
			f->under_new = core_asg_is_new(r, row, &cred);
	}
	if ((rc == DVT_OK || rc == DVT_E_ABSENT) &&
	    row->fingerprint[0] != '\0') {
		rc = dvt_store_credential_by_fingerprint(
		    core_tx(c), core_arena(c), row->fingerprint, &cred, err);
		if (rc == DVT_OK)
			f->new_sessions = cred.sessions;
		if (rc == DVT_OK)
			rc = dvt_store_credential_old_seen(core_tx(c),
			    DVT_OWNER_DEVICE, row->device_id, row->fingerprint,
			    &f->old_seen_at, err);
	}
	return rc == DVT_E_ABSENT ? DVT_OK : rc;
}

static enum dvt_code
gather(struct core *c, const struct core_rot *r,
    const struct dvt_assignment *row, const struct core_asg_event *e,
    struct facts *x, struct dvt_err *err)
{
	enum dvt_code rc = dvt_store_device_get(
	    core_tx(c), core_arena(c), row->device_id, &x->device, err);

	if (rc != DVT_OK)
		return rc;
	x->f = (struct dvt_assignment_facts){.kind = r->row.kind,
	    .management = x->device.management,
	    .period_s = x->device.period_s,
	    .last_seen_at = later(
		x->device.last_seen_at, x->device.last_checkin_at),
	    .released = row->wave <= r->row.wave,
	    .random = arc4random(),
	    .fingerprint = e->fingerprint,
	    .reason = e->reason};
	if (x->f.period_s <= 0)
		x->f.period_s = dvt_config_int(
		    core_config(c), "checkin.period");
	if (dvt_phase_is_server(r->row.kind))
		return trust_facts(c, r, row->device_id, &x->f, err);
	return certificate_facts(c, r, row, e->certificate, &x->f, err);
}

/* --- actions --- */

/* Every instruction of this rotation out of its mailbox. */
static enum dvt_code
take_mail(
    struct core *c, int64_t rotation, const char *device, struct dvt_err *err)
{
	struct dvt_row_mail *mail;
	size_t n;
	enum dvt_code rc = dvt_store_mail_list(
	    core_tx(c), core_arena(c), device, &mail, &n, err);

	for (size_t i = 0; rc == DVT_OK && i < n; i++)
		if (mail[i].rotation_id == rotation)
			rc = dvt_store_mail_take(
			    core_tx(c), device, mail[i].id, NULL, err);
	return rc;
}

/* One instruction at a time; another try has another id, so that a device
 * which has carried the first one out does not pass it over. */
static enum dvt_code
put_mail(struct core *c, const struct dvt_assignment *row,
    const struct facts *x, enum dvt_mailbox_action action, struct dvt_err *err)
{
	const char *profile = x->device.profile;
	char id[80], body[DVT_NAME_MAX + 32] = "{}";
	struct dvt_row_mail mail = {.device_id = row->device_id,
	    .id = id,
	    .action = action,
	    .body = body,
	    .rotation_id = row->rotation_id,
	    .created_at = core_now(c).wall_s};
	enum dvt_code rc;

	if (x->device.management != DVT_MANAGED_CHECKIN)
		return DVT_OK; /* it does not read it */
	snprintf(id, sizeof(id), "r%" PRId64 "-%s", row->rotation_id,
	    dvt_mailbox_action_name(action));
	if (row->tries > 0)
		snprintf(id + strlen(id), sizeof(id) - strlen(id), "-%" PRId64,
		    row->tries + 1);
	if (action == DVT_MAIL_RENEW) {
		json_t *more = json_pack(
		    "{s:s}", "label", profile[0] == '\0' ? "device" : profile);
		struct dvt_buf b;

		dvt_buf_init(&b, sizeof(body) - 1);
		dvt_json_put(&b, more);
		(void)dvt_copy_str(body, sizeof(body), dvt_buf_str(&b));
		dvt_buf_fini(&b);
		json_decref(more);
	}
	rc = take_mail(c, row->rotation_id, row->device_id, err);
	return rc == DVT_OK ? dvt_store_mail_put(core_tx(c), &mail, err) : rc;
}

/* Promise 1: its successor is in use. What it held before stays accepted
 * until the rotation was observed. */
static enum dvt_code
supersede(struct core *c, const struct core_rot *r,
    const struct dvt_assignment *row, const char *certificate,
    struct dvt_err *err)
{
	const char *fp = certificate != NULL && certificate[0] != '\0'
			     ? certificate
			     : row->fingerprint;
	struct dvt_row_credential cred;
	enum dvt_code rc = dvt_store_credential_by_fingerprint(
	    core_tx(c), core_arena(c), fp, &cred, err);

	if (rc == DVT_E_ABSENT)
		return DVT_OK;
	if (rc != DVT_OK || (rc = core_confirm(c, &cred, err)) != DVT_OK ||
	    (rc = dvt_store_hold_owner(core_tx(c), row->device_id, fp, err)) !=
		DVT_OK ||
	    (rc = take_mail(c, r->row.id, row->device_id, err)) != DVT_OK)
		return rc;
	return core_feed_device(c, row->device_id, err);
}

static enum dvt_code
alert(struct core *c, const struct dvt_assignment *row, const char *severity,
    const char *name, struct dvt_err *err)
{
	char key[DVT_DEVICE_ID_MAX + 64], text[DVT_REASON_MAX + 200];

	snprintf(key, sizeof(key), "r%" PRId64 "/%s/%s", row->rotation_id, name,
	    row->device_id);
	snprintf(text, sizeof(text), "device %s in rotation %" PRId64 ": %s",
	    row->device_id, row->rotation_id, row->reason);
	return core_alert(c, severity, key, name, text, err);
}

static enum dvt_code
act(struct core *c, const struct core_rot *r, const struct dvt_assignment *row,
    const struct facts *x, const struct core_asg_event *e,
    enum dvt_asg_action action, struct dvt_err *err)
{
	enum dvt_code rc;

	switch (action) {
	case DVT_ASG_PUT_PROBE:
		return put_mail(c, row, x, DVT_MAIL_PROBE, err);
	case DVT_ASG_PUT_RENEW:
		return put_mail(c, row, x, DVT_MAIL_RENEW, err);
	case DVT_ASG_TAKE_MAIL:
		return take_mail(c, r->row.id, row->device_id, err);
	case DVT_ASG_SUPERSEDE:
		return supersede(c, r, row, e->certificate, err);
	case DVT_ASG_WAKE:
		return core_event(
		    c, "DEVICE_UNREACHABLE", row->device_id, "", NULL, err);
	case DVT_ASG_ALERT:
		rc = take_mail(c, r->row.id, row->device_id, err);
		return rc == DVT_OK ? alert(c, row, "warn",
					  "rotation.device-failed", err)
				    : rc;
	case DVT_ASG_FIELD_LIST:
		return alert(c, row, "page", "rotation.field-list", err);
	case DVT_ASG_DO_NOTHING:
	case DVT_ASG_DO_N:
		break;
	}
	return DVT_OK;
}

/* --- the step --- */

static enum dvt_code
tell(struct core *c, const struct dvt_assignment *row, struct dvt_err *err)
{
	json_t *body = json_pack("{s:s, s:s}", "state",
	    dvt_assignment_state_name(row->state), "reason", row->reason);
	char id[32];
	enum dvt_code rc;

	snprintf(id, sizeof(id), "r%" PRId64, row->rotation_id);
	rc = core_event(c, "ASSIGNMENT", row->device_id, id, body, err);
	if (rc == DVT_OK)
		rc = core_audit(
		    c, "core", "assignment.step", row->device_id, body, err);
	json_decref(body);
	return rc;
}

enum dvt_code
core_asg_step(struct core *c, const struct core_rot *r,
    const struct dvt_assignment *row, const struct core_asg_event *e,
    struct dvt_err *err)
{
	struct dvt_assignment next;
	enum dvt_asg_action action;
	struct dvt_err why = {0};
	struct facts x;
	enum dvt_code rc;

	if ((rc = gather(c, r, row, e, &x, err)) != DVT_OK)
		return rc;
	rc = dvt_assignment_step(
	    row, e->event, &x.f, core_now(c).wall_s, &next, &action, &why);
	if (rc == DVT_E_CONFLICT) {
		log_event(LOG_DEBUG, "assignment.passed-over", LE(&why));
		return DVT_OK;
	}
	if (rc != DVT_OK)
		return rc;
	if (memcmp(&next, row, sizeof(next)) != 0 &&
	    (rc = dvt_store_assignment_save(
		 core_tx(c), &next, row->state, err)) != DVT_OK)
		return rc;
	if (next.state != row->state) {
		core_rotation_wake(c);
		if ((rc = tell(c, &next, err)) != DVT_OK)
			return rc;
	}
	return act(c, r, &next, &x, e, action, err);
}

/* A device that came after the start is taken in when it is first heard. */
static enum dvt_code
take_in(struct core *c, const struct core_rot *r, const char *device,
    struct dvt_assignment *row, struct dvt_err *err)
{
	static const struct core_asg_event wave = {.event = DVT_EV_WAVE};
	bool added;
	enum dvt_code rc;

	*row = (struct dvt_assignment){.rotation_id = r->row.id,
	    .wave = dvt_phase_last_wave(r->row.kind),
	    .state_since = core_now(c).wall_s};
	(void)dvt_copy_str(row->device_id, sizeof(row->device_id), device);
	rc = dvt_store_assignment_add(core_tx(c), row, &added, err);
	if (rc == DVT_OK && row->wave <= r->row.wave)
		rc = core_asg_step(c, r, row, &wave, err); /* its turn was */
	if (rc == DVT_OK)
		rc = dvt_store_assignment_get(
		    core_tx(c), device, r->row.id, row, err);
	return rc;
}

enum dvt_code
core_asg_event(struct core *c, const char *device,
    const struct core_asg_event *e, struct dvt_err *err)
{
	struct dvt_rotation *open;
	size_t n;
	enum dvt_code rc = dvt_store_rotation_open(
	    core_tx(c), core_arena(c), &open, &n, err);

	for (size_t i = 0; rc == DVT_OK && i < n; i++) {
		struct dvt_assignment row;
		struct core_rot r;

		rc = core_rot_load(c, &open[i], &r, err);
		if (rc == DVT_OK)
			rc = dvt_store_assignment_get(
			    core_tx(c), device, r.row.id, &row, err);
		if (rc == DVT_E_ABSENT && r.row.phase > DVT_PHASE_PREFLIGHT)
			rc = take_in(c, &r, device, &row, err);
		if (rc == DVT_OK)
			rc = core_asg_step(c, &r, &row, e, err);
		if (rc == DVT_E_ABSENT)
			rc = DVT_OK; /* its assignments are being written */
		core_rot_fini(&r);
	}
	return rc;
}
