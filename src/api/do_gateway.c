/* SPDX-License-Identifier: Apache-2.0 */
/* New edges, and certificates for edges. */
#include "api/do.h"
#include "api/handlers.h"
#include "proc/config.h"
#include "store/authority.h"
#include "store/credential.h"
#include "store/edge.h"
#include "wire/ext.h"
#include "wire/json.h"

#include <inttypes.h>
#include <stdio.h>

#define NAMES_MAX 16 /* host names of one edge */

/* --- a new edge --- */

/* The names of the body, else those of the settings; a list, the caller's. */
static json_t *
names_of(struct dvt_app *app, const struct dvt_req *req)
{
	json_t *names = json_object_get(req->json, "names"), *list;
	const char *one;

	if (json_array_size(names) > 0)
		return json_incref(names);
	list = json_array();
	for (size_t i = 0;
	     (one = dvt_config_item(app->config, "edge.names", i)) != NULL; i++)
		json_array_append_new(list, json_string(one));
	return list;
}

/* One that devices connect to, and a certificate can be made for. */
static enum dvt_code
check_host(const char *name, struct dvt_err *err)
{
	if (*name == '*' || dvt_host_kind(name) == 0)
		return dvt_fail(err, DVT_E_INPUT,
		    "\"%.64s\" is no host name or address", name);
	return DVT_OK;
}

static enum dvt_code
check_names(const json_t *names, struct dvt_err *err)
{
	const json_t *name;
	enum dvt_code rc;
	size_t i;

	if (json_array_size(names) == 0)
		return dvt_fail(err, DVT_E_INPUT,
		    "\"names\": which host names do devices use for it?");
	if (json_array_size(names) > NAMES_MAX)
		return dvt_fail(err, DVT_E_LIMIT,
		    "\"names\": more than %d host names", NAMES_MAX);
	json_array_foreach(names, i, name)
	{
		rc = check_host(json_string_value(name), err);
		if (rc != DVT_OK)
			return rc;
	}
	return DVT_OK;
}

/* A host name of the body, else of the setting @key; "" none. */
static enum dvt_code
host_of(struct dvt_app *app, const struct dvt_req *req, const char *field,
    const char *key, const char **out, struct dvt_err *err)
{
	const char *set = dvt_config_text(app->config, key);

	*out = dvt_do_text(req, field, set == NULL ? "" : set);
	return **out == '\0' ? DVT_OK : check_host(*out, err);
}

static enum dvt_code
read_gateway(struct dvt_app *app, const struct dvt_req *req,
    struct dvt_row_gateway *row, struct dvt_err *err)
{
	json_t *names = names_of(app, req);
	struct dvt_buf text;
	enum dvt_code rc;

	row->name = dvt_do_text(req, "name", "");
	row->kind = DVT_EDGE_GATEWAY;
	row->created_at = app->now.wall_s;
	dvt_buf_init(&text, NAMES_MAX * (DVT_HOST_MAX + 8));
	if ((rc = dvt_do_name("gateway", row->name, err)) != DVT_OK ||
	    (rc = dvt_json_opt_str(req->json, "site", DVT_NAME_MAX, "",
		 &row->site, err)) != DVT_OK ||
	    (rc = host_of(app, req, "next_name", "edge.next", &row->next_name,
		 err)) != DVT_OK ||
	    (rc = host_of(app, req, "trial_name", "edge.trial",
		 &row->trial_name, err)) != DVT_OK ||
	    (rc = check_names(names, err)) != DVT_OK)
		goto out;
	dvt_json_put(&text, names);
	row->names = dvt_arena_strdup(app->arena, dvt_buf_str(&text));
out:
	json_decref(names);
	dvt_buf_fini(&text);
	return rc;
}

/* One that never came may be described anew, and gets another secret. */
static enum dvt_code
put_gateway(
    struct dvt_app *app, const struct dvt_row_gateway *row, struct dvt_err *err)
{
	struct dvt_row_gateway there;
	enum dvt_code rc = dvt_store_gateway_get(
	    app->tx, app->arena, row->name, &there, err);

	if (rc == DVT_E_ABSENT)
		return dvt_store_gateway_add(app->tx, row, err);
	if (rc != DVT_OK)
		return rc;
	if (there.heard_at != 0 || there.kind != DVT_EDGE_GATEWAY)
		return dvt_fail(err, DVT_E_CONFLICT, "there is a %s %s already",
		    dvt_gateway_kind_name(there.kind), row->name);
	return dvt_store_gateway_describe(app->tx, row, err);
}

/* POST /v1/gateways - 201 with the one-time secret of its first enrolment; 409
 * it is there and was heard. */
enum dvt_code
api_add_gateway(struct dvt_app *app, const struct dvt_req *req,
    struct dvt_reply *reply, struct dvt_err *err)
{
	char text[DVT_SECRET_TEXT], hash[DVT_DIGEST_HEX];
	struct dvt_row_gateway row = {0};
	struct dvt_row_secret secret = {
	    .owner_kind = DVT_SECRET_GATEWAY, .hash = hash};
	enum dvt_code rc;

	if ((rc = read_gateway(app, req, &row, err)) != DVT_OK ||
	    (rc = put_gateway(app, &row, err)) != DVT_OK)
		return rc;
	secret.owner = row.name;
	secret.created_at = app->now.wall_s;
	secret.expires_at = app->now.wall_s +
			    dvt_config_int(app->config, "enrol.secretLifetime");
	if ((rc = dvt_do_secret("", text, hash, err)) != DVT_OK ||
	    (rc = dvt_store_secret_set(app->tx, &secret, err)) != DVT_OK ||
	    (rc = app->core->feed_policy(app, row.name, err)) != DVT_OK ||
	    (rc = dvt_do_tell(app, "gateway.add", row.name, NULL, "",
		 json_pack("{s:s}", "names", row.names), err)) != DVT_OK)
		return rc;
	dvt_reply_json(reply, 201,
	    json_pack("{s:s, s:s, s:I}", "name", row.name, "secret", text,
		"expires_at", (json_int_t)secret.expires_at));
	dvt_cleanse(text, sizeof(text));
	return DVT_OK;
}

/* --- a certificate for an edge --- */

/*
 * POST /v1/gateways/{name}/credentials - the edge makes a key; the certificate
 * is issued when its request comes. 200 with the order; 404; 409 the
 * authority can issue nothing here.
 */
enum dvt_code
api_order_credential(struct dvt_app *app, const struct dvt_req *req,
    struct dvt_reply *reply, struct dvt_err *err)
{
	const char *name = dvt_req_path(req, "name"), *order;
	const char *slot = dvt_do_text(req, "slot", "next");
	struct dvt_row_authority a;
	enum dvt_code rc;

	rc = dvt_store_authority_by_name(
	    app->tx, app->arena, dvt_do_text(req, "authority", ""), &a, err);
	if (rc == DVT_E_ABSENT)
		return dvt_fail(err, rc, "there is no authority %s",
		    dvt_do_text(req, "authority", ""));
	if (rc != DVT_OK)
		return rc;
	order = dvt_arena_printf(app->arena, "o%" PRId64 "a%" PRId64 "-%s",
	    app->now.wall_s, a.id, slot);
	if ((rc = app->core->gateway_order(
		 app, name, order, a.id, slot, err)) != DVT_OK ||
	    (rc = dvt_do_tell(app, "gateway.order", name, NULL, "",
		 json_pack("{s:s, s:s, s:s}", "order", order, "authority",
		     a.name, "slot", slot),
		 err)) != DVT_OK)
		return rc;
	dvt_reply_json(reply, 200,
	    json_pack("{s:s, s:s, s:s, s:s, s:o}", "gateway", name, "order",
		order, "authority", a.name, "slot", slot, "detail",
		json_sprintf("gateway %s makes a key; its certificate under %s "
			     "becomes \"%s\" with its next report",
		    name, a.name, slot)));
	return DVT_OK;
}
