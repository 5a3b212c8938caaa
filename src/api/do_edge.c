/* SPDX-License-Identifier: Apache-2.0 */
/* What edges log for a time, and authorities that they refuse altogether. */
#include "api/do.h"
#include "api/handlers.h"
#include "store/authority.h"
#include "store/edge.h"
#include "wire/json.h"

#include <stdio.h>
#include <string.h>

#define LOG_MOST_S  (30 * 86400)
#define LOG_S       3600 /* when it is not said */
#define ADDRESS_MAX 63   /* characters; as in feed records */

/* --- what an edge logs --- */

struct log_order {
	const char *gateway, *level, *device, *address;
	int64_t until;
	char key[DVT_FEED_KEY_MAX + 1];
};

static enum dvt_code
read_log_order(struct dvt_app *app, const struct dvt_req *req,
    struct log_order *o, struct dvt_err *err)
{
	int64_t seconds;
	enum dvt_code rc;

	o->gateway = dvt_req_path(req, "name");
	o->level = dvt_do_text(req, "level", "");
	o->device = dvt_do_text(req, "device", "");
	o->address = dvt_do_text(req, "address", "");
	if (o->device[0] != '\0' && o->address[0] != '\0')
		return dvt_fail(
		    err, DVT_E_INPUT, "\"device\" or \"address\", not both");
	if (o->device[0] != '\0' &&
	    (rc = dvt_do_device_id(o->device, err)) != DVT_OK)
		return rc;
	if (strlen(o->address) > ADDRESS_MAX)
		return dvt_fail(err, DVT_E_INPUT, "\"address\": too long");
	rc = dvt_json_opt_i64(
	    req->json, "for_s", 1, LOG_MOST_S, LOG_S, &seconds, err);
	if (rc != DVT_OK)
		return rc;
	o->until = app->now.wall_s + seconds;
	snprintf(o->key, sizeof(o->key), "%s/%s%s", o->gateway,
	    o->device[0] != '\0' ? "device " : "",
	    o->device[0] != '\0'    ? o->device
	    : o->address[0] != '\0' ? o->address
				    : "all");
	return DVT_OK;
}

/*
 * POST /v1/gateways/{name}/log - from now on, for a time; level OFF without
 * device and address: nothing, whatever its settings say. 404 no such edge.
 */
enum dvt_code
api_log_gateway(struct dvt_app *app, const struct dvt_req *req,
    struct dvt_reply *reply, struct dvt_err *err)
{
	struct dvt_row_gateway g;
	struct log_order o;
	json_t *body;
	enum dvt_code rc;

	if ((rc = read_log_order(app, req, &o, err)) != DVT_OK)
		return rc;
	rc = dvt_store_gateway_get(app->tx, app->arena, o.gateway, &g, err);
	if (rc == DVT_E_ABSENT)
		return dvt_fail(err, rc, "there is no gateway %s", o.gateway);
	if (rc != DVT_OK)
		return rc;
	if (g.kind != DVT_EDGE_GATEWAY)
		return dvt_fail(
		    err, DVT_E_CONFLICT, "%s is no gateway", o.gateway);
	body = json_pack("{s:s, s:s, s:s, s:s, s:I}", "gateway", o.gateway,
	    "level", o.level, "device", o.device, "address", o.address, "until",
	    (json_int_t)o.until);
	rc = app->core->feed_set(app, "log", o.key, o.gateway, body, err);
	if (rc == DVT_OK)
		rc = dvt_do_tell(app, "gateway.log", o.gateway, NULL, "",
		    json_incref(body), err);
	if (rc == DVT_OK)
		dvt_reply_json(reply, 200, json_incref(body));
	json_decref(body);
	return rc;
}

/* --- an authority that is refused --- */

static enum dvt_code
revoke_it(struct dvt_app *app, const struct dvt_row_authority *a,
    const char *reason, struct dvt_err *err)
{
	json_t *body;
	enum dvt_code rc = dvt_do_approval(app, "authority.revoke", a->name,
	    (const char *const[]){a->name, a->fingerprint, reason, NULL}, err);

	if (rc != DVT_OK ||
	    (rc = dvt_store_authority_state_set(app->tx, a->id, a->state,
		 DVT_AUTHORITY_REVOKED, err)) != DVT_OK ||
	    (rc = app->core->feed_anchor(app, a->id, err)) != DVT_OK)
		return rc;
	body = json_pack("{s:s, s:I}", "name", a->name, "not_after",
	    (json_int_t)a->not_after);
	rc = app->core->feed_set(app, "deny-key", a->key_digest, "", body, err);
	json_decref(body);
	if (rc != DVT_OK)
		return rc;
	app->core->publish(app);
	return dvt_do_tell(app, "authority.revoke", a->name, "AUTHORITY_CHANGE",
	    "",
	    json_pack("{s:s, s:s, s:s}", "fingerprint", a->fingerprint, "state",
		"revoked", "reason", reason),
	    err);
}

/*
 * POST /v1/authorities/{name}/revoke - with a second person: edges refuse all
 * that was issued with its key, whoever it names. 412 until given.
 */
enum dvt_code
api_revoke_authority(struct dvt_app *app, const struct dvt_req *req,
    struct dvt_reply *reply, struct dvt_err *err)
{
	struct dvt_row_authority a;
	int64_t position;
	enum dvt_code rc;

	rc = dvt_store_authority_by_name(
	    app->tx, app->arena, dvt_req_path(req, "name"), &a, err);
	if (rc != DVT_OK)
		return rc;
	if (a.state != DVT_AUTHORITY_REVOKED &&
	    (rc = revoke_it(app, &a, dvt_do_text(req, "reason", ""), err)) !=
		DVT_OK)
		return rc;
	rc = dvt_store_feed_position(app->tx, &position, err);
	if (rc == DVT_OK)
		dvt_reply_json(reply, 200,
		    json_pack("{s:s, s:s, s:s, s:I, s:s}", "name", a.name,
			"fingerprint", a.fingerprint, "state", "revoked",
			"position", (json_int_t)position, "detail",
			"edges refuse all that was issued with its key; what "
			"devices trust is not changed by this"));
	return rc;
}
