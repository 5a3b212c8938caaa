/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Configuration values of devices: taken as ciphertext, never opened. While an
 * update holds its lease none is taken, as it would be encrypted to the
 * certificate that goes.
 */
#include "api/do.h"
#include "api/handlers.h"
#include "pki/envelope.h"
#include "store/agent.h"
#include "store/credential.h"
#include "store/device.h"
#include "wire/base64.h"
#include "wire/json.h"

#include <inttypes.h>
#include <stdio.h>

static enum dvt_code
check_lock(struct dvt_app *app, const char *device, struct dvt_err *err)
{
	struct dvt_row_config_lock lock;
	enum dvt_code rc = dvt_store_config_lock_get(
	    app->tx, app->arena, device, &lock, err);

	if (rc == DVT_E_ABSENT)
		return DVT_OK;
	if (rc != DVT_OK || lock.expires_at <= app->now.wall_s)
		return rc;
	return dvt_fail(err, DVT_E_CONFLICT,
	    "the configuration of %s is locked by its update %s for %" PRId64
	    " s more; dovetail device config unlock breaks that",
	    device, lock.update_id, lock.expires_at - app->now.wall_s);
}

/* One that this device is known to use. */
static enum dvt_code
check_certificate(struct dvt_app *app, const char *device,
    const char *fingerprint, struct dvt_err *err)
{
	struct dvt_row_credential c;
	enum dvt_code rc = dvt_store_credential_by_fingerprint(
	    app->tx, app->arena, fingerprint, &c, err);

	if (rc == DVT_OK && c.owner_kind == DVT_OWNER_DEVICE &&
	    strcmp(c.owner, device) == 0 && c.state == DVT_CRED_ACTIVE)
		return DVT_OK;
	if (rc != DVT_OK && rc != DVT_E_ABSENT)
		return rc;
	return dvt_fail(err, DVT_E_CONFLICT,
	    "certificate: %.16s... is not the one in use by %s", fingerprint,
	    device);
}

static enum dvt_code
take_sealed(const struct dvt_req *req, struct dvt_buf *out, struct dvt_err *err)
{
	const char *text;
	enum dvt_code rc = dvt_json_get_str(
	    req->json, "sealed", 2 * DVT_CONFIG_SEALED, &text, err);

	if (rc == DVT_OK)
		rc = dvt_base64_decode(dvt_span_str(text), out, err);
	if (rc == DVT_OK)
		rc = dvt_envelope_check(dvt_buf_span(out), err);
	if (rc != DVT_OK)
		dvt_err_prefix(err, "sealed");
	return rc;
}

/* The next version, and room for another name. */
static enum dvt_code
number_it(
    struct dvt_app *app, struct dvt_row_config_value *v, struct dvt_err *err)
{
	struct dvt_row_config_value *rows;
	struct dvt_row_config_value was;
	size_t n;
	enum dvt_code rc = dvt_store_config_get(
	    app->tx, app->arena, v->device_id, v->name, &was, err);

	v->version = 1;
	if (rc == DVT_OK) {
		v->version = was.version + 1;
		v->applied_version = was.applied_version;
		v->applied_at = was.applied_at;
		return DVT_OK;
	}
	if (rc != DVT_E_ABSENT ||
	    (rc = dvt_store_config_list(
		 app->tx, app->arena, v->device_id, &rows, &n, err)) != DVT_OK)
		return rc;
	if (n >= DVT_CONFIG_VALUES)
		return dvt_fail(err, DVT_E_LIMIT,
		    "device %s has %zu values, at most %d", v->device_id, n,
		    DVT_CONFIG_VALUES);
	return DVT_OK;
}

static json_t *
value_json(const struct dvt_row_config_value *v)
{
	return json_pack("{s:s, s:I, s:s, s:s, s:I, s:I, s:I, s:s}", "name",
	    v->name, "version", (json_int_t)v->version, "certificate",
	    v->certificate, "set_by", v->set_by, "set_at",
	    (json_int_t)v->set_at, "applied_version",
	    (json_int_t)v->applied_version, "applied_at",
	    (json_int_t)v->applied_at, "failed", v->failed);
}

/* A file's name on the device: as names are, but not hidden. */
static enum dvt_code
check_name(const char *name, struct dvt_err *err)
{
	enum dvt_code rc = dvt_do_name("configuration value", name, err);

	if (rc == DVT_OK && (name[0] == '.' || strlen(name) > DVT_CONFIG_NAME))
		rc = dvt_fail(err, DVT_E_INPUT,
		    "\"%.64s\": at most %d characters, the first no dot", name,
		    DVT_CONFIG_NAME);
	return rc;
}

/*
 * POST /v1/devices/{device}/config/{name} - 409 while an update holds its
 * lease, or when @certificate is not the one in use.
 */
enum dvt_code
api_set_config_value(struct dvt_app *app, const struct dvt_req *req,
    struct dvt_reply *reply, struct dvt_err *err)
{
	struct dvt_row_config_value v = {
	    .device_id = dvt_req_path(req, "device"),
	    .name = dvt_req_path(req, "name"),
	    .set_by = app->actor,
	    .set_at = app->now.wall_s,
	    .failed = ""};
	struct dvt_row_device d;
	struct dvt_buf sealed;
	enum dvt_code rc;

	dvt_buf_init(&sealed, DVT_CONFIG_SEALED);
	if ((rc = check_name(v.name, err)) != DVT_OK ||
	    (rc = dvt_store_device_get(
		 app->tx, app->arena, v.device_id, &d, err)) != DVT_OK ||
	    (rc = dvt_json_get_str(req->json, "certificate", DVT_DIGEST_HEX - 1,
		 &v.certificate, err)) != DVT_OK ||
	    (rc = take_sealed(req, &sealed, err)) != DVT_OK ||
	    (rc = check_lock(app, v.device_id, err)) != DVT_OK ||
	    (rc = check_certificate(app, v.device_id, v.certificate, err)) !=
		DVT_OK ||
	    (rc = number_it(app, &v, err)) != DVT_OK)
		goto out;
	v.sealed = dvt_buf_span(&sealed);
	if ((rc = dvt_store_config_set(app->tx, &v, err)) != DVT_OK)
		goto out;
	rc = dvt_do_tell(app, "config.set", v.device_id, "DEVICE_CONFIG_SET",
	    v.device_id,
	    json_pack(
		"{s:s, s:I}", "name", v.name, "version", (json_int_t)v.version),
	    err);
	if (rc == DVT_OK)
		dvt_reply_json(reply, 200, value_json(&v));
out:
	dvt_buf_fini(&sealed);
	return rc;
}

/* DELETE /v1/devices/{device}/config/{name} */
enum dvt_code
api_remove_config_value(struct dvt_app *app, const struct dvt_req *req,
    struct dvt_reply *reply, struct dvt_err *err)
{
	const char *device = dvt_req_path(req, "device");
	const char *name = dvt_req_path(req, "name");
	enum dvt_code rc;

	if ((rc = check_lock(app, device, err)) != DVT_OK ||
	    (rc = dvt_store_config_remove(app->tx, device, name, err)) !=
		DVT_OK ||
	    (rc = dvt_do_tell(app, "config.remove", device,
		 "DEVICE_CONFIG_REMOVED", device,
		 json_pack("{s:s}", "name", name), err)) != DVT_OK)
		return rc;
	dvt_reply_json(reply, 200,
	    json_pack("{s:s, s:s}", "device", device, "name", name));
	return DVT_OK;
}

/* DELETE /v1/devices/{device}/lock - 404 there is none. The update goes on:
 * what was encrypted to the old certificate can be opened by both keys. */
enum dvt_code
api_break_lock(struct dvt_app *app, const struct dvt_req *req,
    struct dvt_reply *reply, struct dvt_err *err)
{
	const char *device = dvt_req_path(req, "device");
	struct dvt_row_config_lock lock;
	enum dvt_code rc = dvt_store_config_lock_get(
	    app->tx, app->arena, device, &lock, err);

	if (rc == DVT_E_ABSENT)
		return dvt_fail(err, rc,
		    "no update has locked the configuration of %.128s", device);
	if (rc != DVT_OK ||
	    (rc = dvt_store_config_lock_end(app->tx, device, NULL, err)) !=
		DVT_OK ||
	    (rc = dvt_do_tell(app, "config.lock.break", device,
		 "DEVICE_CONFIG_UNLOCKED", device,
		 json_pack("{s:s}", "update", lock.update_id), err)) != DVT_OK)
		return rc;
	dvt_reply_json(reply, 200,
	    json_pack(
		"{s:s, s:s}", "device", device, "update", lock.update_id));
	return DVT_OK;
}
