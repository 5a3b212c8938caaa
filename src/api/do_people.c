/* SPDX-License-Identifier: Apache-2.0 */
/* Tokens, approvals, alerts: who may, who agreed, who has seen it. */
#include "api/do.h"
#include "api/handlers.h"
#include "api/rows.h"
#include "store/people.h"
#include "store/watch.h"
#include "wire/json.h"

#include <inttypes.h>
#include <stdio.h>

#define DAY_S       86400
#define TOKEN_DAYS  3650 /* longest that is asked for in days */
#define TOKEN_START "dvt_"

/* --- tokens --- */

/* Nobody makes a token that may more, or lasts longer, than one's own. */
static enum dvt_code
not_wider(struct dvt_app *app, enum dvt_api_role role, int64_t expires_at,
    struct dvt_err *err)
{
	struct dvt_row_token own;
	enum dvt_code rc;

	if (app->role == DVT_VIEWER || !dvt_api_role_may(app->role, role))
		return dvt_fail(err, DVT_E_DENIED,
		    "token %s has role %s and may not make or revoke one of "
		    "role %s",
		    app->actor, dvt_api_role_name(app->role),
		    dvt_api_role_name(role));
	rc = dvt_store_token_by_name(
	    app->tx, app->arena, app->actor, &own, err);
	if (rc != DVT_OK)
		return rc;
	if (own.expires_at != 0 &&
	    (expires_at == 0 || expires_at > own.expires_at))
		return dvt_fail(err, DVT_E_DENIED,
		    "token %s ends before that; it may not make one that "
		    "lasts longer",
		    app->actor);
	return DVT_OK;
}

static enum dvt_code
answer_token(struct dvt_app *app, const struct dvt_req *req, const char *name,
    const char *secret, struct dvt_reply *reply, struct dvt_err *err)
{
	json_t *token;
	enum dvt_code rc = dvt_row(app, req, SQL_API_TOKEN,
	    ROW_ARGS(ROW_TEXT("name", name)), "such token", &token, err);

	if (rc != DVT_OK)
		return rc;
	if (secret != NULL)
		json_object_set_new(token, "token", json_string(secret));
	dvt_reply_json(reply, secret != NULL ? 201 : 200, token);
	return DVT_OK;
}

static enum dvt_code
new_token(struct dvt_app *app, const struct dvt_req *req,
    struct dvt_row_token *row, struct dvt_err *err)
{
	enum dvt_api_role role = dvt_api_role_from_name(
	    dvt_do_text(req, "role", ""));
	int64_t days;
	enum dvt_code rc;

	row->name = dvt_do_text(req, "name", "");
	row->role = dvt_token_role_from_name(dvt_do_text(req, "role", ""));
	row->created_at = app->now.wall_s;
	row->created_by = app->actor;
	if ((rc = dvt_do_name("token", row->name, err)) != DVT_OK ||
	    (rc = dvt_json_opt_i64(
		 req->json, "days", 1, TOKEN_DAYS, 0, &days, err)) != DVT_OK)
		return rc;
	row->expires_at = days == 0 ? 0 : app->now.wall_s + days * DAY_S;
	return not_wider(app, role, row->expires_at, err);
}

/*
 * POST /v1/tokens - 201 with the token itself, which is not kept; 403 wider
 * than one's own; 409 the name is taken.
 */
enum dvt_code
api_create_token(struct dvt_app *app, const struct dvt_req *req,
    struct dvt_reply *reply, struct dvt_err *err)
{
	char text[DVT_SECRET_TEXT], hash[DVT_DIGEST_HEX];
	struct dvt_row_token row = {.hash = hash}, there;
	enum dvt_code rc;

	if ((rc = new_token(app, req, &row, err)) != DVT_OK)
		return rc;
	rc = dvt_store_token_by_name(
	    app->tx, app->arena, row.name, &there, err);
	if (rc == DVT_OK)
		return dvt_fail(err, DVT_E_CONFLICT,
		    "there is a token %s%s already", row.name,
		    there.revoked_at != 0 ? " (revoked)" : "");
	if (rc != DVT_E_ABSENT ||
	    (rc = dvt_do_secret(TOKEN_START, text, hash, err)) != DVT_OK ||
	    (rc = dvt_store_token_add(app->tx, &row, NULL, err)) != DVT_OK ||
	    (rc = dvt_do_tell(app, "token.create", row.name, NULL, "",
		 json_pack("{s:s, s:I}", "role", dvt_token_role_name(row.role),
		     "expires_at", (json_int_t)row.expires_at),
		 err)) != DVT_OK)
		return rc;
	rc = answer_token(app, req, row.name, text, reply, err);
	dvt_cleanse(text, sizeof(text));
	return rc;
}

/* Whoever holds a token may end it: it may have been seen. */
static enum dvt_code
may_revoke(
    struct dvt_app *app, const struct dvt_row_token *row, struct dvt_err *err)
{
	if (strcmp(row->name, app->actor) == 0)
		return DVT_OK;
	return not_wider(app,
	    dvt_api_role_from_name(dvt_token_role_name(row->role)),
	    app->now.wall_s, err);
}

/*
 * DELETE /v1/tokens/{name} - again is 200; 403 one that may more than one's
 * own, and for a viewer all but its own.
 */
enum dvt_code
api_revoke_token(struct dvt_app *app, const struct dvt_req *req,
    struct dvt_reply *reply, struct dvt_err *err)
{
	const char *name = dvt_req_path(req, "name");
	struct dvt_row_token row;
	enum dvt_code rc;

	if ((rc = dvt_store_token_by_name(
		 app->tx, app->arena, name, &row, err)) != DVT_OK ||
	    (rc = may_revoke(app, &row, err)) != DVT_OK)
		return rc;
	if (row.revoked_at == 0 &&
	    ((rc = dvt_store_token_revoke(
		  app->tx, name, app->now.wall_s, err)) != DVT_OK ||
		(rc = dvt_do_tell(app, "token.revoke", name, NULL, "", NULL,
		     err)) != DVT_OK))
		return rc;
	return answer_token(app, req, name, NULL, reply, err);
}

/* --- approvals --- */

/* One who makes a token holds it, whatever name it has. */
static enum dvt_code
not_made_by(struct dvt_app *app, const char *maker, const char *made,
    const struct dvt_row_approval *a, struct dvt_err *err)
{
	struct dvt_row_token t;
	enum dvt_code rc = dvt_store_token_by_name(
	    app->tx, app->arena, made, &t, err);

	if (rc == DVT_E_ABSENT || (rc == DVT_OK && t.created_by[0] == '\0'))
		return DVT_OK;
	if (rc == DVT_OK && strcmp(t.created_by, maker) == 0)
		rc = dvt_fail(err, DVT_E_DENIED,
		    "token %s was made by %s: for approval %" PRId64
		    " that is no second person; a token that neither of them "
		    "made has to give it",
		    made, maker, a->id);
	return rc;
}

static enum dvt_code
may_give(struct dvt_app *app, const struct dvt_row_approval *a,
    const char *digest, struct dvt_err *err)
{
	enum dvt_code rc;

	if (strcmp(a->requested_by, app->actor) == 0)
		return dvt_fail(err, DVT_E_DENIED,
		    "approval %" PRId64 " was asked for by %s; another "
		    "person has to give it",
		    a->id, app->actor);
	if ((rc = not_made_by(app, a->requested_by, app->actor, a, err)) !=
		DVT_OK ||
	    (rc = not_made_by(app, app->actor, a->requested_by, a, err)) !=
		DVT_OK)
		return rc;
	if (a->withdrawn_at != 0)
		return dvt_fail(err, DVT_E_CONFLICT,
		    "approval %" PRId64 " was withdrawn: its rotation ended "
		    "without it, nothing waits for it",
		    a->id);
	if (a->used_at != 0 || a->expires_at <= app->now.wall_s)
		return dvt_fail(err, DVT_E_CONFLICT,
		    "approval %" PRId64 " %s; let it be asked for anew", a->id,
		    a->used_at != 0 ? "was used" : "has expired");
	if (digest != NULL && strcmp(digest, a->digest) != 0)
		return dvt_fail(err, DVT_E_CONFLICT,
		    "approval %" PRId64 " is about %.16s..., not %.16s...: "
		    "what would be done has changed",
		    a->id, a->digest, digest);
	return DVT_OK;
}

/*
 * POST /v1/approvals/{id}/give - 200 and the approval, again as well; 403
 * one's own request; 409 used, withdrawn, expired, or another digest than was
 * read.
 */
enum dvt_code
api_give_approval(struct dvt_app *app, const struct dvt_req *req,
    struct dvt_reply *reply, struct dvt_err *err)
{
	struct dvt_row_approval a;
	json_t *approval;
	int64_t id;
	enum dvt_code rc;

	if ((rc = dvt_req_path_i64(req, "id", &id, err)) != DVT_OK ||
	    (rc = dvt_store_approval_get(app->tx, app->arena, id, &a, err)) !=
		DVT_OK ||
	    (rc = may_give(app, &a, dvt_do_text(req, "digest", NULL), err)) !=
		DVT_OK)
		return rc;
	if (a.given_at == 0 &&
	    ((rc = dvt_store_approval_give(
		  app->tx, id, app->actor, app->now.wall_s, err)) != DVT_OK ||
		(rc = dvt_do_tell(app, "approval.give", a.object,
		     "APPROVAL_GIVEN", "",
		     json_pack("{s:I, s:s, s:s, s:s}", "id", (json_int_t)id,
			 "action", a.action, "digest", a.digest, "requested_by",
			 a.requested_by),
		     err)) != DVT_OK))
		return rc;
	rc = dvt_row(
	    app, req, SQL_API_APPROVAL, NULL, "such approval", &approval, err);
	if (rc == DVT_OK)
		dvt_reply_json(reply, 200, approval);
	return rc;
}

/* --- alerts --- */

/* POST /v1/alerts/{id}/ack - again is 200, and keeps who was first. */
enum dvt_code
api_ack_alert(struct dvt_app *app, const struct dvt_req *req,
    struct dvt_reply *reply, struct dvt_err *err)
{
	json_t *alert;
	int64_t id;
	enum dvt_code rc;

	if ((rc = dvt_req_path_i64(req, "id", &id, err)) != DVT_OK ||
	    (rc = dvt_row(app, req, SQL_API_ALERT, NULL, "such alert", &alert,
		 err)) != DVT_OK)
		return rc;
	if (json_integer_value(json_object_get(alert, "acked_at")) == 0) {
		const char *key = json_string_value(
		    json_object_get(alert, "key"));

		rc = dvt_store_alert_ack(
		    app->tx, id, app->actor, app->now.wall_s, err);
		if (rc == DVT_OK)
			rc = dvt_do_tell(
			    app, "alert.ack", key, NULL, "", NULL, err);
		json_decref(alert);
		alert = NULL;
		if (rc != DVT_OK || (rc = dvt_row(app, req, SQL_API_ALERT, NULL,
					 "such alert", &alert, err)) != DVT_OK)
			return rc;
	}
	dvt_reply_json(reply, 200, alert);
	return DVT_OK;
}
