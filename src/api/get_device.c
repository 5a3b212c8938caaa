/* SPDX-License-Identifier: Apache-2.0 */
/* Reading devices, their updates, their certificates. */
#include "api/handlers.h"
#include "api/rows.h"
#include "base/hex.h"

/* GET /v1/devices */
enum dvt_code
api_get_devices(struct dvt_app *app, const struct dvt_req *req,
    struct dvt_reply *reply, struct dvt_err *err)
{
	return dvt_rows_reply(app, req, SQL_API_DEVICES,
	    ROW_ARGS(ROW_TEXT("like", dvt_row_like(app, req, "q"))), "device",
	    reply, err);
}

/* A device that never checked in has no row of its trust. */
static enum dvt_code
add_trust(struct dvt_app *app, const struct dvt_req *req, json_t *device,
    struct dvt_err *err)
{
	json_t *trust;
	enum dvt_code rc = dvt_row(
	    app, req, SQL_API_DEVICE_TRUST, NULL, "trust", &trust, err);

	if (rc == DVT_E_ABSENT) {
		rc = dvt_row(app, req, SQL_API_TRUST_NEWEST, NULL, "bundle",
		    &trust, err);
		if (rc == DVT_OK)
			json_object_update_new(trust,
			    json_pack("{s:i, s:s, s:i, s:s, s:s, s:n}",
				"confirmed", 0, "digest", "", "confirmed_at", 0,
				"failed", "", "key_pin", "", "anchors"));
	}
	if (rc == DVT_OK)
		json_object_set_new(device, "trust", trust);
	return rc;
}

/* GET /v1/devices/{device} */
enum dvt_code
api_get_device(struct dvt_app *app, const struct dvt_req *req,
    struct dvt_reply *reply, struct dvt_err *err)
{
	const struct dvt_row_arg owner[] = {ROW_TEXT("owner_kind", "device"),
	    ROW_TEXT("owner", dvt_req_path(req, "device")), {0}};
	json_t *device;
	enum dvt_code rc;

	rc = dvt_row(
	    app, req, SQL_API_DEVICE, NULL, "such device", &device, err);
	if (rc != DVT_OK)
		return rc;
	if ((rc = dvt_rows_into(app, req, SQL_API_CERTIFICATES_OF, owner,
		 device, "credentials", err)) != DVT_OK ||
	    (rc = add_trust(app, req, device, err)) != DVT_OK ||
	    (rc = dvt_rows_into(app, req, SQL_API_DEVICE_SEEN, NULL, device,
		 "seen", err)) != DVT_OK ||
	    (rc = dvt_rows_into(app, req, SQL_API_DEVICE_ASSIGNMENTS, NULL,
		 device, "assignments", err)) != DVT_OK) {
		json_decref(device);
		return rc;
	}
	dvt_reply_json(reply, 200, device);
	return DVT_OK;
}

static enum dvt_code
need_device(struct dvt_app *app, const struct dvt_req *req, struct dvt_err *err)
{
	json_t *device;
	enum dvt_code rc = dvt_row(
	    app, req, SQL_API_DEVICE, NULL, "such device", &device, err);

	if (rc == DVT_OK)
		json_decref(device);
	return rc;
}

/* GET /v1/devices/{device}/updates */
enum dvt_code
api_get_updates(struct dvt_app *app, const struct dvt_req *req,
    struct dvt_reply *reply, struct dvt_err *err)
{
	enum dvt_code rc = need_device(app, req, err);

	return rc != DVT_OK ? rc
			    : dvt_rows_reply(app, req, SQL_API_UPDATES, NULL,
				  NULL, reply, err);
}

/* GET /v1/devices/{device}/updates/{update} */
enum dvt_code
api_get_update(struct dvt_app *app, const struct dvt_req *req,
    struct dvt_reply *reply, struct dvt_err *err)
{
	json_t *update;
	enum dvt_code rc = dvt_row(app, req, SQL_API_UPDATE, NULL,
	    "such update of this device", &update, err);

	if (rc != DVT_OK)
		return rc;
	rc = dvt_rows_into(
	    app, req, SQL_API_UPDATE_STEPS, NULL, update, "steps", err);
	if (rc == DVT_OK)
		dvt_reply_json(reply, 200, update);
	else
		json_decref(update);
	return rc;
}

/* GET /devices/truststore/status */
enum dvt_code
api_get_trust_status(struct dvt_app *app, const struct dvt_req *req,
    struct dvt_reply *reply, struct dvt_err *err)
{
	json_t *sum;
	enum dvt_code rc = dvt_row(
	    app, req, SQL_API_TRUST_SUM, NULL, "bundle", &sum, err);

	if (rc != DVT_OK)
		return rc;
	rc = dvt_rows_reply(
	    app, req, SQL_API_TRUST_STATUS, NULL, "device", reply, err);
	if (rc == DVT_OK)
		json_object_set(reply->json, "sum", sum);
	json_decref(sum);
	return rc;
}

/* GET /v1/certificates */
enum dvt_code
api_get_certificates(struct dvt_app *app, const struct dvt_req *req,
    struct dvt_reply *reply, struct dvt_err *err)
{
	return dvt_rows_reply(
	    app, req, SQL_API_CERTIFICATES, NULL, "fingerprint", reply, err);
}

/* GET /v1/certificates/{fingerprint}: also as people write it (AB:CD...). */
enum dvt_code
api_get_certificate(struct dvt_app *app, const struct dvt_req *req,
    struct dvt_reply *reply, struct dvt_err *err)
{
	char fingerprint[DVT_DIGEST_HEX] = "";
	json_t *certificate;
	enum dvt_code rc;

	if (dvt_hex_normal(dvt_req_path(req, "fingerprint"), fingerprint,
		sizeof(fingerprint)) != 0)
		return dvt_fail(err, DVT_E_INPUT,
		    "%.100s is no SHA-256 fingerprint",
		    dvt_req_path(req, "fingerprint"));
	rc = dvt_row(app, req, SQL_API_CERTIFICATE,
	    ROW_ARGS(ROW_TEXT("fingerprint", fingerprint)), "such certificate",
	    &certificate, err);
	if (rc == DVT_OK)
		dvt_reply_json(reply, 200, certificate);
	return rc;
}
