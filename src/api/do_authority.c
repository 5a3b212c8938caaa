/* SPDX-License-Identifier: Apache-2.0 */
/* New, imported, cross-signed and retired authorities. */
#include "api/do.h"
#include "api/handlers.h"
#include "api/rows.h"
#include "fleet/interlock.h"
#include "store/authority.h"
#include "store/credential.h"
#include "wire/base64.h"
#include "wire/json.h"

#include <stdio.h>

#define UNHEARD_S                                                              \
	300 /* an edge that is silent for longer counts as unheard             \
	     */

static bool
flag(const struct dvt_req *req, const char *key)
{
	return json_is_true(json_object_get(req->json, key));
}

static enum dvt_code
some_use(const struct dvt_req *req, struct dvt_err *err)
{
	if (!flag(req, "use_server") && !flag(req, "use_device"))
		return dvt_fail(err, DVT_E_INPUT,
		    "\"use_server\", \"use_device\": at least one is true");
	return DVT_OK;
}

/* GET /v1/authorities/import-key - what a key to be imported is sealed to;
 * 503 while the signer has not told it. */
enum dvt_code
api_get_import_key(struct dvt_app *app, const struct dvt_req *req,
    struct dvt_reply *reply, struct dvt_err *err)
{
	struct dvt_span spki = app->core->import_key(app);
	struct dvt_buf text;

	(void)req;
	if (spki.n == 0)
		return dvt_fail(err, DVT_E_LATER,
		    "the signer is starting; ask again in a moment");
	dvt_buf_init(&text, 2 * DVT_SPKI_MAX);
	dvt_base64_encode(&text, spki, 0);
	dvt_reply_json(
	    reply, 200, json_pack("{s:s}", "spki", dvt_buf_str(&text)));
	dvt_buf_fini(&text);
	return DVT_OK;
}

/* POST /v1/authorities - 201; its key is made in the signer. 409 the name is
 * taken; 404 no such `under`. */
enum dvt_code
api_create_authority(struct dvt_app *app, const struct dvt_req *req,
    struct dvt_reply *reply, struct dvt_err *err)
{
	enum dvt_code rc;

	(void)reply;
	if ((rc = some_use(req, err)) != DVT_OK ||
	    (rc = dvt_do_name(
		 "authority", dvt_do_text(req, "name", ""), err)) != DVT_OK)
		return rc;
	return app->core->authority_create(app, dvt_do_text(req, "name", ""),
	    dvt_do_text(req, "subject", NULL), dvt_do_text(req, "under", NULL),
	    flag(req, "use_server"), flag(req, "use_device"), err);
}

static enum dvt_code
read_sealed(const struct dvt_req *req, struct dvt_buf *out, struct dvt_err *err)
{
	enum dvt_code rc = dvt_base64_decode(
	    dvt_span_str(dvt_do_text(req, "sealed_key", "")), out, err);

	if (rc != DVT_OK)
		dvt_err_prefix(err, "sealed_key");
	return rc;
}

/*
 * POST /v1/authorities/import - with a second person. 201; 400 no CA, not
 * begun, ended, or the key does not match; 409 it is here; 412 until given.
 */
enum dvt_code
api_import_authority(struct dvt_app *app, const struct dvt_req *req,
    struct dvt_reply *reply, struct dvt_err *err)
{
	struct dvt_buf sealed;
	const char *pem;
	enum dvt_code rc;

	(void)reply;
	dvt_buf_init(&sealed, DVT_SEALED_MAX);
	if ((rc = some_use(req, err)) != DVT_OK ||
	    (rc = dvt_do_name(
		 "authority", dvt_do_text(req, "name", ""), err)) != DVT_OK ||
	    (rc = dvt_json_get_str(req->json, "certificate", DVT_CHAIN_PEM_MAX,
		 &pem, err)) != DVT_OK ||
	    (rc = read_sealed(req, &sealed, err)) != DVT_OK)
		goto out;
	rc = app->core->authority_import(app, dvt_do_text(req, "name", ""), pem,
	    dvt_buf_span(&sealed), flag(req, "use_server"),
	    flag(req, "use_device"), err);
out:
	dvt_buf_fini(&sealed);
	return rc;
}

/* POST /v1/authorities/{name}/cross-sign - NewWithOld (RFC 4210 section 4.4).
 * 409 the old key is not held, or pathlen:0 forbids it. */
enum dvt_code
api_cross_sign(struct dvt_app *app, const struct dvt_req *req,
    struct dvt_reply *reply, struct dvt_err *err)
{
	(void)reply;
	return app->core->authority_cross(
	    app, dvt_req_path(req, "name"), dvt_do_text(req, "by", ""), err);
}

/* --- retire --- */

static enum dvt_code
look_at_needs(struct dvt_app *app, const struct dvt_req *req,
    const struct dvt_row_authority *a, struct dvt_authority_needs *out,
    struct dvt_err *err)
{
	const struct dvt_row_arg args[] = {ROW_NUMBER("authority_id", a->id),
	    ROW_TEXT("fingerprint", a->fingerprint),
	    ROW_NUMBER("unheard", app->now.wall_s - UNHEARD_S), {0}};
	json_t *row;
	enum dvt_code rc = dvt_row(
	    app, req, SQL_API_RETIRE_NEEDS, args, "authority", &row, err);

	if (rc != DVT_OK)
		return rc;
#define NUMBER(field) json_integer_value(json_object_get(row, field))
	*out = (struct dvt_authority_needs){
	    .name = a->name,
	    .live = {[DVT_OWNER_DEVICE] = NUMBER("devices"),
		     [DVT_OWNER_GATEWAY] = NUMBER("gateways"),
		     [DVT_OWNER_FRONT] = NUMBER("fronts")},
	    .edges_showing = NUMBER("edges_showing"),
	    .edges_unheard = NUMBER("edges_unheard"),
	    .in_bundle = NUMBER("in_bundle") > 0,
	    .in_rotation = NUMBER("in_rotation") > 0
        };
#undef NUMBER
	json_decref(row);
	return DVT_OK;
}

/* Devices that hold a live certificate beneath it, into the problem. */
static enum dvt_code
name_devices(struct dvt_app *app, const struct dvt_req *req,
    const struct dvt_row_authority *a, const struct dvt_authority_needs *needs,
    struct dvt_reply *reply, struct dvt_err *err)
{
	json_t *devices;
	struct dvt_err quiet;
	enum dvt_code rc = dvt_rows(app, req, SQL_API_RETIRE_DEVICES,
	    ROW_ARGS(ROW_NUMBER("authority_id", a->id),
		ROW_TEXT("fingerprint", a->fingerprint),
		ROW_NUMBER("limit", DVT_API_LIST_MAX)),
	    &devices, &quiet);

	if (rc == DVT_OK)
		dvt_do_refused(reply, devices, needs->live[DVT_OWNER_DEVICE]);
	return DVT_E_UNSAFE;
	(void)err;
}

static enum dvt_code
retire(
    struct dvt_app *app, const struct dvt_row_authority *a, struct dvt_err *err)
{
	enum dvt_code rc = dvt_do_approval(app, "authority.retire", a->name,
	    (const char *const[]){a->name, a->fingerprint, NULL}, err);

	if (rc != DVT_OK ||
	    (rc = dvt_store_authority_state_set(app->tx, a->id, a->state,
		 DVT_AUTHORITY_RETIRED, err)) != DVT_OK ||
	    (rc = app->core->feed_anchor(app, a->id, err)) != DVT_OK)
		return rc;
	app->core->publish(app);
	return dvt_do_tell(app, "authority.retire", a->name, "AUTHORITY_CHANGE",
	    "",
	    json_pack("{s:s, s:s}", "fingerprint", a->fingerprint, "state",
		"retired"),
	    err);
}

/*
 * POST /v1/authorities/{name}/retire - with a second person. 409 while
 * anything needs it, with the devices that do; 412 until given.
 */
enum dvt_code
api_retire_authority(struct dvt_app *app, const struct dvt_req *req,
    struct dvt_reply *reply, struct dvt_err *err)
{
	struct dvt_row_authority a;
	struct dvt_authority_needs needs;
	json_t *after;
	enum dvt_code rc;

	if ((rc = dvt_store_authority_by_name(app->tx, app->arena,
		 dvt_req_path(req, "name"), &a, err)) != DVT_OK)
		return rc;
	if (a.state == DVT_AUTHORITY_REVOKED)
		return dvt_fail(
		    err, DVT_E_CONFLICT, "authority %s is revoked", a.name);
	if (a.state != DVT_AUTHORITY_RETIRED) {
		if ((rc = look_at_needs(app, req, &a, &needs, err)) != DVT_OK)
			return rc;
		if (dvt_interlock_retire(&needs, err) != DVT_OK)
			return name_devices(app, req, &a, &needs, reply, err);
		if ((rc = retire(app, &a, err)) != DVT_OK)
			return rc;
	}
	rc = dvt_row(
	    app, req, SQL_API_AUTHORITY, NULL, "such authority", &after, err);
	if (rc == DVT_OK)
		dvt_reply_json(reply, 200, after);
	return rc;
}
