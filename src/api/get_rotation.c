/* SPDX-License-Identifier: Apache-2.0 */
/* Reading rotations. */
#include "api/get.h"
#include "api/handlers.h"
#include "api/rows.h"

/* GET /v1/rotations */
enum dvt_code
api_get_rotations(struct dvt_app *app, const struct dvt_req *req,
    struct dvt_reply *reply, struct dvt_err *err)
{
	return dvt_rows_reply(
	    app, req, SQL_API_ROTATIONS, NULL, "id", reply, err);
}

/* [{"state", "n"}...] as {state: n}, into @rotation. */
static enum dvt_code
add_counts(struct dvt_app *app, const struct dvt_req *req,
    const struct dvt_row_arg *args, json_t *rotation, struct dvt_err *err)
{
	json_t *rows, *row, *counts = json_object();
	enum dvt_code rc;
	size_t i;

	json_object_set_new(rotation, "counts", counts);
	rc = dvt_rows(app, req, SQL_API_ROTATION_COUNTS, args, &rows, err);
	if (rc != DVT_OK)
		return rc;
	json_array_foreach(rows, i, row)
	{
		const char *state = json_string_value(
		    json_object_get(row, "state"));

		json_object_set(counts, state, json_object_get(row, "n"));
	}
	json_decref(rows);
	return DVT_OK;
}

enum dvt_code
dvt_api_rotation(struct dvt_app *app, const struct dvt_req *req, int64_t id,
    json_t **out, struct dvt_err *err)
{
	const struct dvt_row_arg args[] = {ROW_NUMBER("id", id), {0}};
	json_t *r;
	enum dvt_code rc;

	*out = NULL;
	rc = dvt_row(
	    app, req, SQL_API_ROTATION, args, "such rotation", &r, err);
	if (rc != DVT_OK)
		return rc;
	if ((rc = dvt_rows_into(app, req, SQL_API_ROTATION_PHASES, args, r,
		 "phases", err)) != DVT_OK ||
	    (rc = add_counts(app, req, args, r, err)) != DVT_OK ||
	    (rc = dvt_rows_into(app, req, SQL_API_ROTATION_STRAGGLERS, args, r,
		 "stragglers", err)) != DVT_OK ||
	    (rc = dvt_rows_into(app, req, SQL_API_ROTATION_GATEWAYS, args, r,
		 "gateways", err)) != DVT_OK) {
		json_decref(r);
		return rc;
	}
	*out = r;
	return DVT_OK;
}

/* GET /v1/rotations/{id} */
enum dvt_code
api_get_rotation(struct dvt_app *app, const struct dvt_req *req,
    struct dvt_reply *reply, struct dvt_err *err)
{
	json_t *rotation;
	int64_t id;
	enum dvt_code rc;

	if ((rc = dvt_req_path_i64(req, "id", &id, err)) != DVT_OK ||
	    (rc = dvt_api_rotation(app, req, id, &rotation, err)) != DVT_OK)
		return rc;
	dvt_reply_json(reply, 200, rotation);
	return DVT_OK;
}
