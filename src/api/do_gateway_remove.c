/* SPDX-License-Identifier: Apache-2.0 */
/* An edge that is no more: no gate waits for it, nothing of it is accepted. */
#include "api/do.h"
#include "api/handlers.h"
#include "store/credential.h"
#include "store/edge.h"

#define CESSATION 5 /* CRLReason cessationOfOperation, RFC 5280 5.3.1 */

/* What it identified itself with is refused from now on. */
static enum dvt_code
revoke_all(struct dvt_app *app, const char *name, struct dvt_err *err)
{
	struct dvt_row_credential *rows;
	size_t n;
	enum dvt_code rc = dvt_store_credential_of_owner(app->tx, app->arena,
	    DVT_OWNER_GATEWAY, name, DVT_LIST_MAX, &rows, &n, err);

	for (size_t i = 0; rc == DVT_OK && i < n; i++) {
		if (rows[i].state == DVT_CRED_REVOKED ||
		    rows[i].state == DVT_CRED_EXPIRED ||
		    rows[i].not_after <= app->now.wall_s)
			continue;
		if ((rc = dvt_store_credential_revoke(app->tx,
			 rows[i].fingerprint, rows[i].state, app->now.wall_s,
			 CESSATION, err)) == DVT_OK &&
		    (rc = dvt_store_credential_denied(app->tx,
			 rows[i].fingerprint, app->now.wall_s, err)) == DVT_OK)
			rc = dvt_do_deny(app, &rows[i], err);
	}
	return rc;
}

/* Positions of the feed only grow: its rows stay as "gone". */
static enum dvt_code
empty_feed(struct dvt_app *app, const char *name, struct dvt_err *err)
{
	struct dvt_row_feed *rows;
	size_t n;
	enum dvt_code rc;

	do {
		rc = dvt_store_feed_of_gateway(app->tx, app->arena, name,
		    DVT_API_LIST_MAX, &rows, &n, err);
		for (size_t i = 0; rc == DVT_OK && i < n; i++)
			rc = app->core->feed_set(app,
			    dvt_feed_row_kind_name(rows[i].kind), rows[i].key,
			    name, NULL, err);
	} while (rc == DVT_OK && n > 0);
	return rc;
}

static enum dvt_code
agreed(
    struct dvt_app *app, const struct dvt_row_gateway *g, struct dvt_err *err)
{
	if (g->kind != DVT_EDGE_GATEWAY)
		return dvt_fail(err, DVT_E_CONFLICT,
		    "%s is a process of this control plane; the setting "
		    "fronts says how many there are",
		    g->name);
	if (g->heard_at == 0)
		return DVT_OK; /* it never came: no gate loses an eye */
	return dvt_do_approval(app, "gateway.remove", g->name,
	    (const char *const[]){g->name, g->names, NULL}, err);
}

/*
 * DELETE /v1/gateways/{name} - its certificates are revoked, rotations no
 * longer wait for it. One that was heard needs a second person: 412 until
 * given. 404; 409 a front.
 */
enum dvt_code
api_remove_gateway(struct dvt_app *app, const struct dvt_req *req,
    struct dvt_reply *reply, struct dvt_err *err)
{
	const char *name = dvt_req_path(req, "name");
	struct dvt_row_gateway g;
	enum dvt_code rc = dvt_store_gateway_get(
	    app->tx, app->arena, name, &g, err);

	if (rc == DVT_E_ABSENT)
		return dvt_fail(err, rc, "there is no gateway %.100s", name);
	if (rc != DVT_OK || (rc = agreed(app, &g, err)) != DVT_OK ||
	    (rc = revoke_all(app, g.name, err)) != DVT_OK ||
	    (rc = empty_feed(app, g.name, err)) != DVT_OK ||
	    (rc = dvt_store_secret_forget(
		 app->tx, DVT_SECRET_GATEWAY, g.name, err)) != DVT_OK ||
	    (rc = dvt_store_gateway_remove(app->tx, g.name, err)) != DVT_OK ||
	    (rc = dvt_do_tell(
		 app, "gateway.remove", g.name, NULL, "", NULL, err)) != DVT_OK)
		return rc;
	dvt_reply_json(reply, 200,
	    json_pack("{s:s, s:s}", "name", g.name, "detail",
		"no rotation waits for it; stop its program, it is refused"));
	return DVT_OK;
}
