/* SPDX-License-Identifier: Apache-2.0 */
/* Reading what is kept for one device: its recovery file, its values. */
#include "api/handlers.h"
#include "api/rows.h"
#include "store/agent.h"
#include "wire/base64.h"

#define WALK_MAX 200 /* lines of a recovery file; a device takes 256 */

/* All lines the device may need, its own last. */
static enum dvt_code
file_text(struct dvt_app *app, const struct dvt_req *req, const char *own,
    json_t **out, struct dvt_err *err)
{
	struct dvt_buf text;
	json_t *rows, *row;
	enum dvt_code rc;
	size_t i;

	rc = dvt_rows(app, req, SQL_API_BUNDLE_WALK,
	    ROW_ARGS(ROW_NUMBER("limit", WALK_MAX)), &rows, err);
	if (rc != DVT_OK)
		return rc;
	dvt_buf_init(&text, DVT_RECOVERY_MAX);
	json_array_foreach(rows, i, row)
	{
		const char *line = json_string_value(
		    json_object_get(row, "envelope"));

		if (line != NULL && strcmp(line, own) != 0)
			dvt_buf_printf(&text, "%s\n", line);
	}
	dvt_buf_printf(&text, "%s\n", own);
	json_decref(rows);
	rc = dvt_buf_ok(&text, "recovery file", err);
	*out = rc == DVT_OK ? json_string(dvt_buf_str(&text)) : NULL;
	dvt_buf_fini(&text);
	return rc;
}

/*
 * GET /v1/devices/{device}/recovery - the file for a stick or a web server,
 * once it is signed (state `ready`). 404 until one was asked for.
 */
enum dvt_code
api_get_recovery(struct dvt_app *app, const struct dvt_req *req,
    struct dvt_reply *reply, struct dvt_err *err)
{
	json_t *row, *file = NULL;
	const char *line, *failed;
	enum dvt_code rc;

	rc = dvt_row(app, req, SQL_API_RECOVERY, NULL,
	    "recovery of this device", &row, err);
	if (rc != DVT_OK)
		return rc;
	line = json_string_value(json_object_get(row, "line"));
	failed = json_string_value(json_object_get(row, "failed"));
	if (line[0] != '\0' &&
	    (rc = file_text(app, req, line, &file, err)) != DVT_OK) {
		json_decref(row);
		return rc;
	}
	(void)json_object_set_new(row, "state",
	    json_string(line[0] != '\0'     ? "ready"
			: failed[0] != '\0' ? "failed"
					    : "making"));
	(void)json_object_set_new(
	    row, "file", file != NULL ? file : json_null());
	(void)json_object_del(row, "line");
	dvt_reply_json(reply, 200, row);
	return DVT_OK;
}

/* --- configuration values --- */

/* GET /v1/devices/{device}/config */
enum dvt_code
api_get_config_values(struct dvt_app *app, const struct dvt_req *req,
    struct dvt_reply *reply, struct dvt_err *err)
{
	json_t *device;
	enum dvt_code rc = dvt_row(
	    app, req, SQL_API_DEVICE, NULL, "such device", &device, err);

	if (rc != DVT_OK)
		return rc;
	json_decref(device);
	return dvt_rows_reply(
	    app, req, SQL_API_CONFIG_VALUES, NULL, NULL, reply, err);
}

/* GET /v1/devices/{device}/config/{name} - the ciphertext; there is no other
 * form of it here. */
enum dvt_code
api_get_config_value(struct dvt_app *app, const struct dvt_req *req,
    struct dvt_reply *reply, struct dvt_err *err)
{
	struct dvt_row_config_value v;
	struct dvt_buf sealed;
	enum dvt_code rc = dvt_store_config_get(app->tx, app->arena,
	    dvt_req_path(req, "device"), dvt_req_path(req, "name"), &v, err);

	if (rc != DVT_OK)
		return rc;
	dvt_buf_init(&sealed, 2 * DVT_CONFIG_SEALED);
	dvt_base64_encode(&sealed, v.sealed, 0);
	dvt_reply_json(reply, 200,
	    json_pack("{s:s, s:I, s:s, s:s, s:I, s:I, s:I, s:s, s:s}", "name",
		v.name, "version", (json_int_t)v.version, "certificate",
		v.certificate, "set_by", v.set_by, "set_at",
		(json_int_t)v.set_at, "applied_version",
		(json_int_t)v.applied_version, "applied_at",
		(json_int_t)v.applied_at, "failed", v.failed, "sealed",
		dvt_buf_str(&sealed)));
	dvt_buf_fini(&sealed);
	return DVT_OK;
}
