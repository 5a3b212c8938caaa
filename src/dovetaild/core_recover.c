/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bringing devices back: word in the mailbox for those that still reach us,
 * and for the others a file that a stick or a web server may carry. A grant in
 * it lets a device return whose certificate has ended.
 */
#include "dovetaild/core_operate_priv.h"

#include "base/log.h"
#include "dovetaild/core_outbound.h"
#include "pki/bundle.h"
#include "store/agent.h"
#include "store/authority.h"
#include "store/credential.h"
#include "store/device.h"
#include "store/rotation.h"
#include "store/trust.h"

#include <openssl/rand.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define CREDENTIALS_MAX 16   /* of a device, looked at */
#define DEVICES_MAX     1000 /* in one call */

/* --- the file --- */

struct job {
	char device[DVT_DEVICE_ID_MAX + 1];
	char grant[DVT_GRANT_ID];
};

static enum dvt_code
signed_one(
    struct core *c, void *ctx, const struct sign_reply *r, struct dvt_err *err)
{
	const struct job *j = ctx;
	char *line = dvt_strndup(
	    r->code == DVT_OK ? (const char *)r->line.p : "",
	    r->code == DVT_OK ? r->line.n : 0);
	enum dvt_code rc = dvt_store_recovery_signed(core_tx(c), j->device,
	    j->grant, line, r->code == DVT_OK ? "" : r->why, err);

	if (r->code != DVT_OK)
		log_event(LOG_WARNING, "recovery.unsigned",
		    LS("device", j->device), LS("why", r->why));
	free(line);
	return rc;
}

/* It was in use: ones of our own from their first check-in on, imported ones
 * as far as we know. That it has ended since changes nothing. */
static bool
was_in_use(const struct dvt_row_credential *r)
{
	return r->confirmed_at != 0 || r->state == DVT_CRED_ACTIVE ||
	       strcmp(r->source, "import") == 0;
}

/* The certificate it most likely still has: the newest that was in use. */
static enum dvt_code
certificate_of(struct core *c, const char *device,
    struct dvt_row_credential *out, struct dvt_err *err)
{
	struct dvt_row_credential *rows;
	size_t n;
	enum dvt_code rc = dvt_store_credential_of_owner(core_tx(c),
	    core_arena(c), DVT_OWNER_DEVICE, device, CREDENTIALS_MAX, &rows, &n,
	    err);

	for (size_t i = 0; rc == DVT_OK && i < n; i++)
		if (rows[i].state != DVT_CRED_REVOKED &&
		    (was_in_use(&rows[i]) || i + 1 == n)) {
			*out = rows[i];
			return DVT_OK;
		}
	return rc != DVT_OK ? rc
			    : dvt_fail(err, DVT_E_CONFLICT,
				  "device %s has no certificate; a one-time "
				  "secret lets it enrol",
				  device);
}

/* Nobody takes a certificate beneath a revoked authority, grant or not. */
static enum dvt_code
not_beneath_revoked(struct core *c, const char *device,
    const struct dvt_row_credential *has, struct dvt_err *err)
{
	struct dvt_row_authority a = {.parent_id = has->authority_id};
	enum dvt_code rc;
	size_t n = 0;

	if (has->authority_id == 0 && has->root[0] != '\0') {
		rc = dvt_store_authority_by_fingerprint(
		    core_tx(c), core_arena(c), has->root, &a, err);
		if (rc != DVT_OK)
			return rc == DVT_E_ABSENT ? DVT_OK : rc;
		a.parent_id = a.id;
	}
	while (a.parent_id != 0 && n++ < DVT_CHAIN_MAX) {
		rc = dvt_store_authority_get(
		    core_tx(c), core_arena(c), a.parent_id, &a, err);
		if (rc != DVT_OK)
			return rc == DVT_E_ABSENT ? DVT_OK : rc;
		if (a.state == DVT_AUTHORITY_REVOKED)
			return dvt_fail(err, DVT_E_CONFLICT,
			    "device %s: its certificate is beneath %s, which "
			    "is revoked, and nothing takes it; a one-time "
			    "secret lets it enrol anew with a new key "
			    "(dovetail device secret)",
			    device, a.name);
		if (a.parent_id == a.id)
			break;
	}
	return DVT_OK;
}

static enum dvt_code
make_grant(struct core_op *op, const char *device, struct dvt_bundle_grant *out,
    struct dvt_err *err)
{
	int64_t now = core_now(op->c).wall_s;
	struct dvt_row_credential has;
	uint8_t id[16];
	struct dvt_row_grant row = {
	    .device_id = device, .created_by = op->actor, .created_at = now};
	enum dvt_code rc;

	if (RAND_bytes(id, sizeof(id)) != 1)
		return dvt_fail(err, DVT_E_SYSTEM, "no random numbers");
	dvt_hex(id, sizeof(id), out->id, sizeof(out->id));
	out->expires_at = now + dvt_config_int(core_config(op->c),
				    "recovery.grantLifetime");
	if ((rc = certificate_of(op->c, device, &has, err)) != DVT_OK ||
	    (rc = not_beneath_revoked(op->c, device, &has, err)) != DVT_OK)
		return rc;
	(void)dvt_copy_str(
	    out->certificate, sizeof(out->certificate), has.fingerprint);
	row.id = out->id;
	row.certificate = has.fingerprint;
	row.expires_at = out->expires_at;
	if ((rc = dvt_store_grant_revoke(core_tx(op->c), device, now, err)) !=
	    DVT_OK)
		return rc;
	return dvt_store_grant_add(core_tx(op->c), &row, err);
}

/* The newest bundle again, for one device, with the grant. */
static enum dvt_code
ask_line(struct core_op *op, const char *device,
    const struct dvt_bundle_grant *grant, struct dvt_err *err)
{
	struct dvt_bundle *b = dvt_alloc(sizeof(*b));
	struct sign_request q = {.kind = SIGN_DSSE, .name = DVT_BUNDLE_TYPE};
	struct job *j = dvt_alloc(sizeof(*j));
	struct dvt_row_bundle newest;
	struct dvt_buf payload;
	enum dvt_code rc;

	dvt_buf_init(&payload, SIGN_PAYLOAD_MAX);
	(void)dvt_copy_str(j->device, sizeof(j->device), device);
	memcpy(j->grant, grant->id, sizeof(j->grant));
	if ((rc = core_bundle_newest(op->c, &newest, b, err)) != DVT_OK)
		goto out;
	if (dvt_copy_str(b->audience, sizeof(b->audience), device) != 0) {
		rc = dvt_fail(err, DVT_E_LIMIT, "device id: too long");
		goto out;
	}
	b->grant = *grant;
	if ((rc = dvt_bundle_format(b, &payload, err)) != DVT_OK)
		goto out;
	q.der = dvt_buf_span(&payload);
	rc = core_sign(op->c, &q, signed_one, NULL, j, err);
	if (rc == DVT_OK)
		j = NULL; /* now the signing's */
out:
	dvt_bundle_fini(b);
	free(b);
	free(j);
	dvt_buf_fini(&payload);
	return rc;
}

static enum dvt_code
make_file(
    struct core_op *op, const char *device, bool renew, struct dvt_err *err)
{
	struct dvt_bundle_grant grant = {.id = ""};
	struct dvt_row_bundle newest;
	struct dvt_row_recovery_file row = {.device_id = device,
	    .grant_id = grant.id,
	    .line = "",
	    .failed = "",
	    .created_by = op->actor,
	    .created_at = core_now(op->c).wall_s};
	enum dvt_code rc;

	if ((rc = dvt_store_bundle_newest(
		 core_tx(op->c), core_arena(op->c), &newest, err)) != DVT_OK ||
	    (renew && (rc = make_grant(op, device, &grant, err)) != DVT_OK))
		return rc;
	row.version = newest.version;
	if (!renew) /* what is for all is enough */
		row.line = newest.envelope;
	if ((rc = dvt_store_recovery_set(core_tx(op->c), &row, err)) != DVT_OK)
		return rc;
	return renew ? ask_line(op, device, &grant, err) : DVT_OK;
}

/* --- the word --- */

static enum dvt_code
put_mail(struct core_op *op, const struct dvt_row_device *d, bool renew,
    struct dvt_err *err)
{
	int64_t now = core_now(op->c).wall_s;
	char id[64], body[DVT_NAME_MAX + 32] = "{}";
	struct dvt_row_mail mail = {.device_id = d->device_id,
	    .id = id,
	    .action = renew ? DVT_MAIL_RENEW : DVT_MAIL_PROBE,
	    .body = body,
	    .created_at = now};

	snprintf(id, sizeof(id), "recover-%" PRId64 "-%s", now,
	    dvt_mailbox_action_name(mail.action));
	if (renew)
		snprintf(body, sizeof(body), "{\"label\":\"%s\"}",
		    d->profile[0] == '\0' ? "device" : d->profile);
	return dvt_store_mail_put(core_tx(op->c), &mail, err);
}

/*
 * One whose certificate has ended renews by its grant, and once is enough. One
 * that gets its file by another way does what that says: where it is well,
 * nothing; no order waits for it beside.
 */
static enum dvt_code
is_reached(
    struct core_op *op, const char *device, bool *reached, struct dvt_err *err)
{
	struct dvt_row_credential has;
	enum dvt_code rc = certificate_of(op->c, device, &has, err);

	*reached = rc == DVT_OK && has.not_after > core_now(op->c).wall_s &&
		   strcmp(core_op_text(op, "method", ""), "FALLBACK_CHANNEL") !=
		       0;
	return rc == DVT_E_CONFLICT ? DVT_OK : rc;
}

static enum dvt_code
recover_one(
    struct core_op *op, const char *device, bool renew, struct dvt_err *err)
{
	json_t *detail = json_pack("{s:s, s:s}", "method",
	    core_op_text(op, "method", ""), "action",
	    core_op_text(op, "action", ""));
	struct dvt_row_device row;
	bool reached = false;
	enum dvt_code rc = dvt_store_device_get(
	    core_tx(op->c), core_arena(op->c), device, &row, err);

	if (rc == DVT_OK && (row.state == DVT_DEVICE_BLOCKED ||
				row.state == DVT_DEVICE_RETIRED))
		rc = dvt_fail(err, DVT_E_CONFLICT, "device %s is %s", device,
		    dvt_device_state_name(row.state));
	if (rc == DVT_OK)
		rc = is_reached(op, device, &reached, err);
	if (rc == DVT_OK && reached)
		rc = put_mail(op, &row, renew, err);
	if (rc == DVT_OK && strcmp(core_op_text(op, "method", ""), "SMS") == 0)
		rc = core_sms_put(
		    op->c, &row, core_op_text(op, "action", ""), err);
	else if (rc == DVT_OK)
		rc = make_file(op, device, renew, err);
	if (rc == DVT_OK)
		rc = core_audit(
		    op->c, op->actor, "device.recover", device, detail, err);
	json_decref(detail);
	return rc;
}

/* BUNDLE leaves word for those that still check in as well, FALLBACK_CHANNEL
 * only makes the file; how that travels is the operator's: GET
 * /v1/devices/{device}/recovery has it. */
enum dvt_code
core_op_recovery(struct core_op *op, struct dvt_err *err)
{
	const json_t *ids = json_object_get(op->args, "deviceIds");
	bool renew = strcmp(core_op_text(op, "action", ""), "RENEW") == 0;
	const char *method = core_op_text(op, "method", "");
	const json_t *item;
	enum dvt_code rc = DVT_OK;
	size_t i;

	if (json_array_size(ids) == 0 || json_array_size(ids) > DEVICES_MAX)
		return dvt_fail(err, DVT_E_INPUT,
		    "deviceIds: 1 to %d in one call", DEVICES_MAX);
	json_array_foreach(ids, i, item)
	{
		if (!json_is_string(item))
			return dvt_fail(
			    err, DVT_E_INPUT, "deviceIds[%zu]: no text", i);
		rc = recover_one(op, json_string_value(item), renew, err);
		if (rc != DVT_OK)
			return rc;
	}
	op->out = json_pack("{s:I, s:s}", "devices",
	    (json_int_t)json_array_size(ids), "method", method);
	return rc;
}
