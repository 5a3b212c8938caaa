/* SPDX-License-Identifier: Apache-2.0 */
/* Blocking devices, letting them back, and their one-time secrets. */
#include "api/do.h"
#include "api/do_device.h"
#include "api/handlers.h"
#include "proc/config.h"
#include "store/credential.h"
#include "store/device.h"
#include "wire/json.h"

#include <stdio.h>

#define CASE_MAX   500  /* bytes of why a device is blocked, or is no more */
#define LABELS_MAX 4096 /* bytes of a device's labels as JSON */

static enum dvt_code
get_device(struct dvt_app *app, const struct dvt_req *req,
    struct dvt_row_device *out, struct dvt_err *err)
{
	enum dvt_code rc = dvt_store_device_get(
	    app->tx, app->arena, dvt_req_path(req, "device"), out, err);

	if (rc == DVT_E_ABSENT)
		return dvt_fail(err, rc, "there is no device %.128s",
		    dvt_req_path(req, "device"));
	return rc;
}

static enum dvt_code
answer_state(struct dvt_app *app, const struct dvt_req *req,
    struct dvt_reply *reply, struct dvt_err *err)
{
	struct dvt_row_device d;
	enum dvt_code rc = get_device(app, req, &d, err);

	if (rc == DVT_OK)
		dvt_reply_json(reply, 200,
		    json_pack("{s:s, s:s, s:s}", "device", d.device_id, "state",
			dvt_device_state_name(d.state), "blocked_case",
			d.blocked_case));
	return rc;
}

enum dvt_code
dvt_do_block(struct dvt_app *app, const struct dvt_row_device *d,
    const char *why, struct dvt_err *err)
{
	enum dvt_code rc;

	if (d->state == DVT_DEVICE_BLOCKED)
		return DVT_OK;
	if (d->state == DVT_DEVICE_RETIRED)
		return dvt_fail(
		    err, DVT_E_CONFLICT, "device %s is retired", d->device_id);
	if ((rc = dvt_store_device_state_set(app->tx, d->device_id, d->state,
		 DVT_DEVICE_BLOCKED, why, err)) != DVT_OK ||
	    (rc = app->core->feed_device(app, d->device_id, err)) != DVT_OK)
		return rc;
	return dvt_do_tell(app, "device.block", d->device_id, "DEVICE_BLOCKED",
	    d->device_id, json_pack("{s:s}", "reason", why), err);
}

/* POST /v1/devices/{device}/block - in force at edges within seconds. Again is
 * 200; 409 retired. */
enum dvt_code
api_block_device(struct dvt_app *app, const struct dvt_req *req,
    struct dvt_reply *reply, struct dvt_err *err)
{
	struct dvt_row_device d;
	const char *why;
	enum dvt_code rc;

	if ((rc = get_device(app, req, &d, err)) != DVT_OK ||
	    (rc = dvt_json_opt_str(
		 req->json, "reason", CASE_MAX, "", &why, err)) != DVT_OK ||
	    (rc = dvt_do_block(app, &d, why, err)) != DVT_OK)
		return rc;
	return answer_state(app, req, reply, err);
}

/*
 * POST /v1/devices/{device}/unblock - with a second person. Revoked
 * certificates stay refused. 409 not blocked; 412 until the approval is given.
 */
enum dvt_code
api_unblock_device(struct dvt_app *app, const struct dvt_req *req,
    struct dvt_reply *reply, struct dvt_err *err)
{
	struct dvt_row_device d;
	const char *text;
	enum dvt_code rc;

	if ((rc = get_device(app, req, &d, err)) != DVT_OK ||
	    (rc = dvt_json_get_str(req->json, "case", CASE_MAX, &text, err)) !=
		DVT_OK)
		return rc;
	if (*text == '\0')
		return dvt_fail(
		    err, DVT_E_INPUT, "\"case\": say what closed it");
	if (d.state != DVT_DEVICE_BLOCKED)
		return dvt_fail(err, DVT_E_CONFLICT, "device %s is %s",
		    d.device_id, dvt_device_state_name(d.state));
	rc = dvt_do_approval(app, "device.unblock", d.device_id,
	    (const char *const[]){d.device_id, d.blocked_case, text, NULL},
	    err);
	if (rc != DVT_OK ||
	    (rc = dvt_store_device_state_set(app->tx, d.device_id,
		 DVT_DEVICE_BLOCKED, DVT_DEVICE_ACTIVE, "", err)) != DVT_OK ||
	    (rc = app->core->feed_device(app, d.device_id, err)) != DVT_OK ||
	    (rc = dvt_do_tell(app, "device.unblock", d.device_id,
		 "DEVICE_UNBLOCKED", d.device_id,
		 json_pack("{s:s, s:s}", "case", text, "was", d.blocked_case),
		 err)) != DVT_OK)
		return rc;
	return answer_state(app, req, reply, err);
}

/* --- what an operator says of a device --- */

static enum dvt_code
take_text(
    const json_t *from, const char *key, const char **out, struct dvt_err *err)
{
	const char *was = *out == NULL ? "" : *out;

	return dvt_json_opt_str(from, key, DVT_NAME_MAX, was, out, err);
}

static enum dvt_code
take_labels(struct dvt_app *app, const json_t *labels, struct dvt_row_device *d,
    struct dvt_err *err)
{
	struct dvt_buf text;
	enum dvt_code rc;

	if (!json_is_object(labels))
		return dvt_fail(
		    err, DVT_E_INPUT, "\"labels\" is not an object");
	dvt_buf_init(&text, LABELS_MAX);
	dvt_json_put(&text, labels);
	rc = dvt_buf_ok(&text, "labels", err);
	if (rc == DVT_OK)
		d->labels = dvt_arena_strdup(app->arena, dvt_buf_str(&text));
	dvt_buf_fini(&text);
	return rc;
}

enum dvt_code
dvt_do_describe(struct dvt_app *app, const json_t *from,
    struct dvt_row_device *d, struct dvt_err *err)
{
	const char *environment = dvt_environment_name(d->environment);
	const char *management = dvt_management_name(d->management);
	const json_t *labels = json_object_get(from, "labels");
	enum dvt_code rc;

	if ((rc = take_text(from, "hw_serial", &d->hw_serial, err)) != DVT_OK ||
	    (rc = take_text(from, "model", &d->model, err)) != DVT_OK ||
	    (rc = take_text(from, "firmware", &d->firmware, err)) != DVT_OK ||
	    (rc = take_text(from, "batch", &d->batch, err)) != DVT_OK ||
	    (rc = take_text(from, "type", &d->type, err)) != DVT_OK ||
	    (rc = take_text(from, "profile", &d->profile, err)) != DVT_OK ||
	    (rc = take_text(from, "oob_address", &d->oob_address, err)) !=
		DVT_OK ||
	    (rc = take_text(from, "environment", &environment, err)) !=
		DVT_OK ||
	    (rc = take_text(from, "management", &management, err)) != DVT_OK ||
	    (rc = dvt_json_opt_i64(from, "period_s", 1, 366 * 86400,
		 d->period_s, &d->period_s, err)) != DVT_OK)
		return rc;
	d->environment = dvt_environment_from_name(environment);
	d->management = dvt_management_from_name(management);
	if (d->environment == DVT_ENV_N || d->management == DVT_MANAGED_N)
		return dvt_fail(err, DVT_E_INPUT,
		    "environment is pilot or production, management is "
		    "checkin, est or none");
	return labels == NULL ? DVT_OK : take_labels(app, labels, d, err);
}

void
dvt_do_device_init(
    struct dvt_app *app, const char *id, struct dvt_row_device *d)
{
	*d = (struct dvt_row_device){.device_id = id,
	    .state = DVT_DEVICE_ACTIVE,
	    .labels = "{}",
	    .profile = "device",
	    .environment = DVT_ENV_PRODUCTION,
	    .management = DVT_MANAGED_CHECKIN,
	    .period_s = dvt_config_int(app->config, "checkin.period"),
	    .created_at = app->now.wall_s};
}

/* --- one-time secrets --- */

static enum dvt_code
create_device(struct dvt_app *app, const struct dvt_req *req,
    struct dvt_row_device *d, struct dvt_err *err)
{
	const char *id = dvt_req_path(req, "device");
	enum dvt_code rc;

	dvt_do_device_init(app, id, d);
	if ((rc = dvt_do_device_id(id, err)) != DVT_OK ||
	    (rc = dvt_do_describe(app, req->json, d, err)) != DVT_OK ||
	    (rc = dvt_store_device_add(app->tx, d, &(bool){false}, err)) !=
		DVT_OK ||
	    (rc = app->core->feed_device(app, id, err)) != DVT_OK)
		return rc;
	return dvt_do_tell(app, "device.create", id, NULL, id,
	    json_pack("{s:s}", "model", d->model == NULL ? "" : d->model), err);
}

/*
 * POST /v1/devices/{device}/secret - 201 with a secret for one first
 * enrolment; the one before is worth nothing any more. 404 without `create`;
 * 409 blocked or retired.
 */
enum dvt_code
api_device_secret(struct dvt_app *app, const struct dvt_req *req,
    struct dvt_reply *reply, struct dvt_err *err)
{
	char text[DVT_SECRET_TEXT], hash[DVT_DIGEST_HEX];
	struct dvt_row_secret secret = {
	    .owner_kind = DVT_SECRET_DEVICE, .hash = hash};
	struct dvt_row_device d;
	bool create;
	enum dvt_code rc;

	if ((rc = dvt_json_opt_bool(
		 req->json, "create", false, &create, err)) != DVT_OK)
		return rc;
	rc = get_device(app, req, &d, err);
	if (rc == DVT_E_ABSENT && create)
		rc = create_device(app, req, &d, err);
	else if (rc == DVT_E_ABSENT)
		rc = dvt_fail(err, rc,
		    "there is no device %.128s yet; \"create\" (--create) "
		    "makes it",
		    dvt_req_path(req, "device"));
	if (rc != DVT_OK)
		return rc;
	if (d.state == DVT_DEVICE_BLOCKED || d.state == DVT_DEVICE_RETIRED)
		return dvt_fail(err, DVT_E_CONFLICT, "device %s is %s",
		    d.device_id, dvt_device_state_name(d.state));
	secret.owner = d.device_id;
	secret.created_at = app->now.wall_s;
	secret.expires_at = app->now.wall_s +
			    dvt_config_int(app->config, "enrol.secretLifetime");
	if ((rc = dvt_do_secret("", text, hash, err)) != DVT_OK ||
	    (rc = dvt_store_secret_set(app->tx, &secret, err)) != DVT_OK ||
	    (rc = dvt_do_tell(app, "device.secret", d.device_id, NULL,
		 d.device_id, NULL, err)) != DVT_OK)
		return rc;
	dvt_reply_json(reply, 201,
	    json_pack("{s:s, s:s, s:I}", "device", d.device_id, "secret", text,
		"expires_at", (json_int_t)secret.expires_at));
	dvt_cleanse(text, sizeof(text));
	return DVT_OK;
}
