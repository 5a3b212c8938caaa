/* SPDX-License-Identifier: Apache-2.0 */
/* Reading what happened: handshakes, events, alerts; people; the audit log. */
#include "api/handlers.h"
#include "api/rows.h"

#include <stdio.h>
#include <stdlib.h>

#define DAY_S           86400
#define HOUR_S          3600
#define EVENTS_WAIT_MAX 30 /* seconds */

/* A record's fields with the id it has here and the edge it came from. */
static json_t *
flat(json_t *row)
{
	json_t *record = json_object();

	json_object_set(record, "id", json_object_get(row, "id"));
	json_object_set(record, "gateway", json_object_get(row, "gateway"));
	(void)json_object_update_missing(record, json_object_get(row, "body"));
	return record;
}

/* GET /v1/handshakes */
enum dvt_code
api_get_handshakes(struct dvt_app *app, const struct dvt_req *req,
    struct dvt_reply *reply, struct dvt_err *err)
{
	bool one = dvt_req_query(req, "device", NULL) != NULL;
	json_t *items;
	size_t i;
	enum dvt_code rc = dvt_rows_reply(app, req,
	    one ? SQL_API_HANDSHAKES_OF : SQL_API_HANDSHAKES,
	    ROW_ARGS(ROW_TEXT("like", dvt_row_like(app, req, "filter"))), "id",
	    reply, err);

	items = rc == DVT_OK ? json_object_get(reply->json, "items") : NULL;
	for (i = 0; i < json_array_size(items); i++)
		json_array_set_new(items, i, flat(json_array_get(items, i)));
	return rc;
}

/* GET /v1/handshakes/counts */
enum dvt_code
api_get_handshake_counts(struct dvt_app *app, const struct dvt_req *req,
    struct dvt_reply *reply, struct dvt_err *err)
{
	int64_t since;
	json_t *items;
	enum dvt_code rc;

	if ((rc = dvt_req_query_i64(req, "since", 0, INT64_MAX,
		 app->now.wall_s - DAY_S, &since, err)) != DVT_OK ||
	    (rc = dvt_rows(app, req, SQL_API_HANDSHAKE_COUNTS,
		 ROW_ARGS(ROW_NUMBER("since_hour", since / HOUR_S)), &items,
		 err)) != DVT_OK)
		return rc;
	dvt_reply_list(reply, items, NULL);
	return DVT_OK;
}

/* GET /v1/events: with `wait` a reader asks again until there is one. */
enum dvt_code
api_get_events(struct dvt_app *app, const struct dvt_req *req,
    struct dvt_reply *reply, struct dvt_err *err)
{
	int64_t wait;
	enum dvt_code rc;

	if ((rc = dvt_req_query_i64(
		 req, "wait", 0, EVENTS_WAIT_MAX, 0, &wait, err)) != DVT_OK ||
	    (rc = dvt_rows_reply(
		 app, req, SQL_API_EVENTS, NULL, "id", reply, err)) != DVT_OK)
		return rc;
	if (json_array_size(json_object_get(reply->json, "items")) == 0)
		reply->wait_s = wait;
	return DVT_OK;
}

/* GET /v1/alerts */
enum dvt_code
api_get_alerts(struct dvt_app *app, const struct dvt_req *req,
    struct dvt_reply *reply, struct dvt_err *err)
{
	return dvt_rows_reply(app, req, SQL_API_ALERTS, NULL, "id", reply, err);
}

/* GET /v1/approvals */
enum dvt_code
api_get_approvals(struct dvt_app *app, const struct dvt_req *req,
    struct dvt_reply *reply, struct dvt_err *err)
{
	return dvt_rows_reply(
	    app, req, SQL_API_APPROVALS, NULL, "id", reply, err);
}

/* GET /v1/tokens */
enum dvt_code
api_get_tokens(struct dvt_app *app, const struct dvt_req *req,
    struct dvt_reply *reply, struct dvt_err *err)
{
	return dvt_rows_reply(
	    app, req, SQL_API_TOKENS, NULL, "name", reply, err);
}

/* "STREAM:NUMBER": where a page of the audit log goes on. */
static enum dvt_code
audit_cursor(struct dvt_app *app, const struct dvt_req *req,
    const char **stream, int64_t *seq, struct dvt_err *err)
{
	char *text = dvt_arena_strdup(
		 app->arena, dvt_req_query(req, "after", "")),
	     *colon = strrchr(text, ':'), *end;

	*stream = text;
	*seq = 0;
	if (*text == '\0')
		return DVT_OK;
	if (colon == NULL || colon[1] < '0' || colon[1] > '9')
		return dvt_fail(
		    err, DVT_E_INPUT, "after: not STREAM:NUMBER: %.60s", text);
	*colon = '\0';
	*seq = strtoll(colon + 1, &end, 10);
	if (*end != '\0')
		return dvt_fail(
		    err, DVT_E_INPUT, "after: no number in %.60s", colon + 1);
	return DVT_OK;
}

/* GET /v1/audit */
enum dvt_code
api_get_audit(struct dvt_app *app, const struct dvt_req *req,
    struct dvt_reply *reply, struct dvt_err *err)
{
	const char *stream;
	char next[DVT_NAME_MAX + 24];
	json_t *items, *last;
	int64_t seq;
	size_t limit, n;
	enum dvt_code rc;

	if ((rc = dvt_req_limit(req, &limit, err)) != DVT_OK ||
	    (rc = audit_cursor(app, req, &stream, &seq, err)) != DVT_OK ||
	    (rc = dvt_rows(app, req, SQL_API_AUDIT,
		 ROW_ARGS(ROW_TEXT("after_stream", stream),
		     ROW_NUMBER("after_seq", seq)),
		 &items, err)) != DVT_OK)
		return rc;
	n = json_array_size(items);
	last = n > 0 ? json_array_get(items, n - 1) : NULL;
	(void)snprintf(next, sizeof(next), "%s:%" JSON_INTEGER_FORMAT,
	    last == NULL ? ""
			 : json_string_value(json_object_get(last, "stream")),
	    json_integer_value(json_object_get(last, "seq")));
	dvt_reply_list(reply, items, n == limit ? next : NULL);
	return DVT_OK;
}

/* GET /v1/audit/checkpoints */
enum dvt_code
api_get_checkpoints(struct dvt_app *app, const struct dvt_req *req,
    struct dvt_reply *reply, struct dvt_err *err)
{
	return dvt_rows_reply(
	    app, req, SQL_API_CHECKPOINTS, NULL, "id", reply, err);
}
