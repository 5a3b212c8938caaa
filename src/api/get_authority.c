/* SPDX-License-Identifier: Apache-2.0 */
/* Reading authorities, profiles, edges. */
#include "api/handlers.h"
#include "api/rows.h"

/* GET /v1/authorities */
enum dvt_code
api_get_authorities(struct dvt_app *app, const struct dvt_req *req,
    struct dvt_reply *reply, struct dvt_err *err)
{
	return dvt_rows_reply(
	    app, req, SQL_API_AUTHORITIES, NULL, "name", reply, err);
}

/* GET /v1/authorities/{name} */
enum dvt_code
api_get_authority(struct dvt_app *app, const struct dvt_req *req,
    struct dvt_reply *reply, struct dvt_err *err)
{
	json_t *authority;
	enum dvt_code rc = dvt_row(app, req, SQL_API_AUTHORITY, NULL,
	    "such authority", &authority, err);

	if (rc == DVT_OK)
		dvt_reply_json(reply, 200, authority);
	return rc;
}

/* GET /v1/authorities/{name}/dependents - devices and gateways of which no
 * certificate is taken any more once it is revoked. */
enum dvt_code
api_get_dependents(struct dvt_app *app, const struct dvt_req *req,
    struct dvt_reply *reply, struct dvt_err *err)
{
	json_t *authority, *items, *item, *total;
	size_t i;
	enum dvt_code rc = dvt_row(app, req, SQL_API_AUTHORITY, NULL,
	    "such authority", &authority, err);

	if (rc != DVT_OK)
		return rc;
	rc = dvt_rows(
	    app, req, SQL_API_AUTHORITY_DEPENDENTS, NULL, &items, err);
	if (rc == DVT_OK) {
		total = json_object_get(json_array_get(items, 0), "total");
		total = total != NULL ? json_incref(total) : json_integer(0);
		json_array_foreach(items, i, item)
		    json_object_del(item, "total");
		dvt_reply_json(reply, 200,
		    json_pack("{s:O, s:o, s:o}", "name",
			json_object_get(authority, "name"), "total", total,
			"items", items));
	}
	json_decref(authority);
	return rc;
}

/* GET /v1/profiles */
enum dvt_code
api_get_profiles(struct dvt_app *app, const struct dvt_req *req,
    struct dvt_reply *reply, struct dvt_err *err)
{
	return dvt_rows_reply(
	    app, req, SQL_API_PROFILES, NULL, "name", reply, err);
}

/* GET /v1/gateways */
enum dvt_code
api_get_gateways(struct dvt_app *app, const struct dvt_req *req,
    struct dvt_reply *reply, struct dvt_err *err)
{
	return dvt_rows_reply(
	    app, req, SQL_API_GATEWAYS, NULL, "name", reply, err);
}

/* GET /v1/gateways/{name} */
enum dvt_code
api_get_gateway(struct dvt_app *app, const struct dvt_req *req,
    struct dvt_reply *reply, struct dvt_err *err)
{
	json_t *gateway;
	enum dvt_code rc = dvt_row(
	    app, req, SQL_API_GATEWAY, NULL, "such gateway", &gateway, err);

	if (rc != DVT_OK)
		return rc;
	rc = dvt_rows_into(app, req, SQL_API_GATEWAY_CREDENTIALS, NULL, gateway,
	    "credentials", err);
	if (rc == DVT_OK)
		dvt_reply_json(reply, 200, gateway);
	else
		json_decref(gateway);
	return rc;
}
