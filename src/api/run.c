/* SPDX-License-Identifier: Apache-2.0 */
/* One request: route, who asks, what is sent, the handler, the answer. */
#include "api/fields.h"
#include "pki/key.h"
#include "store/people.h"
#include "wire/json.h"

#include <inttypes.h>
#include <stdlib.h>

static enum dvt_code
unknown_token(struct dvt_err *err)
{
	return dvt_fail(
	    err, DVT_E_AUTH, "this token is not known, over or revoked");
}

/* The token's row into actor and role; its hash alone is ever stored. */
static enum dvt_code
authenticate(struct dvt_app *app, const char *token, struct dvt_err *err)
{
	char hash[DVT_DIGEST_HEX];
	struct dvt_row_token row;
	enum dvt_code rc;

	app->actor = "nobody";
	app->role = DVT_ANYONE;
	if (token == NULL || token[0] == '\0')
		return DVT_OK;
	dvt_sha256_hex(dvt_span_str(token), hash);
	rc = dvt_store_token_by_hash(app->tx, app->arena, hash, &row, err);
	if (rc == DVT_E_ABSENT)
		return unknown_token(err);
	if (rc != DVT_OK)
		return rc;
	if (row.revoked_at != 0 ||
	    (row.expires_at != 0 && row.expires_at <= app->now.wall_s))
		return unknown_token(err);
	app->actor = row.name;
	app->role = dvt_api_role_from_name(dvt_token_role_name(row.role));
	return DVT_OK;
}

static enum dvt_code
authorise(const struct dvt_app *app, const struct dvt_route *route,
    struct dvt_err *err)
{
	if (dvt_api_role_may(app->role, route->role))
		return DVT_OK;
	if (app->role == DVT_ANYONE)
		return dvt_fail(err, DVT_E_AUTH,
		    "send a token: \"Authorization: Bearer TOKEN\"");
	return dvt_fail(err, DVT_E_DENIED,
	    "%s %s is for role %s; token %s has role %s", route->method,
	    route->path, dvt_api_role_name(route->role), app->actor,
	    dvt_api_role_name(app->role));
}

static enum dvt_code
take_body(const struct dvt_route *route, const struct dvt_call *call,
    struct dvt_req *req, json_t **json, struct dvt_err *err)
{
	enum dvt_code rc;

	req->body = call->body;
	if ((route->flags & DVT_ROUTE_RAW) || call->body.n == 0)
		return DVT_OK;
	rc = dvt_json_parse(call->body, DVT_BODY_MAX, json, err);
	req->json = *json;
	return rc;
}

static enum dvt_code
run(struct dvt_app *app, const struct dvt_call *call, struct dvt_reply *reply,
    json_t **json, struct dvt_err *err)
{
	const struct dvt_route *route;
	struct dvt_req req = {.method = call->method,
	    .path = call->path,
	    .accept = call->accept == NULL ? "" : call->accept};
	enum dvt_code rc;

	if ((rc = dvt_route_find(call->method, call->path, app->arena, &route,
		 &req, err)) != DVT_OK ||
	    (rc = authenticate(app, call->token, err)) != DVT_OK ||
	    (rc = authorise(app, route, err)) != DVT_OK ||
	    (rc = dvt_req_take_query(call->query == NULL ? "" : call->query,
		 app->arena, &req, err)) != DVT_OK ||
	    (rc = take_body(route, call, &req, json, err)) != DVT_OK ||
	    (rc = dvt_route_check(route, &req, err)) != DVT_OK)
		return rc;
	return route->handler(app, &req, reply, err);
}

/* Which approval is to be given, for exactly what, until when. */
static void
add_approval(struct dvt_app *app, struct dvt_reply *reply)
{
	struct dvt_row_approval a;
	struct dvt_err quiet;

	if (reply->extra == NULL)
		reply->extra = json_object();
	(void)json_object_set_new(
	    reply->extra, "approval", json_integer(app->approval));
	if (dvt_store_approval_get(
		app->tx, app->arena, app->approval, &a, &quiet) != DVT_OK)
		return;
	(void)json_object_set_new(
	    reply->extra, "digest", json_string(a.digest));
	(void)json_object_set_new(
	    reply->extra, "expires_at", json_integer(a.expires_at));
}

enum dvt_code
dvt_api_run(
    struct dvt_app *app, const struct dvt_call *call, struct dvt_reply *reply)
{
	struct dvt_err err = {0};
	json_t *json = NULL;
	enum dvt_code rc = run(app, call, reply, &json, &err);

	json_decref(json);
	if (rc == DVT_OK)
		return rc;
	if (rc == DVT_E_APPROVAL && app->approval != 0)
		add_approval(app, reply);
	app->later = false;
	dvt_reply_problem(reply, &err);
	return rc;
}
