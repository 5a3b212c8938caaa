/* SPDX-License-Identifier: Apache-2.0 */
/* Reading what is kept for one device: its recovery file, its values. */
#include "api/handlers.h"
#include "api/rows.h"

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
