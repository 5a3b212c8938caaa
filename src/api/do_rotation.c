/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rotations, what edges show, what devices trust: each call is one thing asked
 * of core (app->core->operate(), dovetaild/core_rotation.h).
 */
#include "api/do.h"
#include "api/get.h"
#include "api/handlers.h"

#include <inttypes.h>

/* The answer, or further fields of the problem, into @reply. */
static enum dvt_code
operate(struct dvt_app *app, const char *what, const json_t *args, json_t **out,
    struct dvt_reply *reply, struct dvt_err *err)
{
	json_t *extra = NULL;
	enum dvt_code rc;

	*out = NULL;
	rc = app->core->operate(app, what, args, out, &extra, err);
	if (extra != NULL) {
		json_decref(reply->extra);
		reply->extra = extra;
	}
	return rc;
}

/* The answer with its words for people. */
static enum dvt_code
pass(struct dvt_app *app, const char *what, const struct dvt_req *req,
    json_t *(*words)(const json_t *out), struct dvt_reply *reply,
    struct dvt_err *err)
{
	json_t *out;
	enum dvt_code rc = operate(app, what, req->json, &out, reply, err);

	if (rc != DVT_OK)
		return rc;
	json_object_set_new(out, "detail", words(out));
	dvt_reply_json(reply, 200, out);
	return DVT_OK;
}

static int64_t
number(const json_t *out, const char *field)
{
	return json_integer_value(json_object_get(out, field));
}

static json_t *
words_of_rotate(const json_t *out)
{
	const json_t *d = json_object_get(out, "devices");
	size_t edges = json_array_size(json_object_get(out, "gateways"));

	return json_sprintf("rotation %" PRId64
			    " moves %zu edge%s to %s: %" PRId64
			    " devices accept it, %" PRId64
			    " refuse it, of %" PRId64 " it is not known%s",
	    number(out, "rotation"), edges, edges == 1 ? "" : "s",
	    json_string_value(json_object_get(out, "root")),
	    number(d, "accepted"), number(d, "refused"), number(d, "unknown"),
	    json_is_true(json_object_get(out, "forced")) ? " (overridden)"
							 : "");
}

static json_t *
words_of_rollback(const json_t *out)
{
	size_t edges = json_array_size(json_object_get(out, "gateways"));
	int64_t id = number(out, "rotation");

	if (id != 0)
		return json_sprintf("rotation %" PRId64
				    " is rolled back: in force when gateway "
				    "list shows BEHIND 0",
		    id);
	return json_sprintf("%zu edge%s back to the chain before: in force "
			    "when gateway list shows BEHIND 0",
	    edges, edges == 1 ? " goes" : "s go");
}

static json_t *
words_of_trust(const json_t *out)
{
	return json_sprintf("trust bundle %" PRId64
			    " goes out to devices at their next check-in "
			    "(trust status)",
	    number(out, "bundle"));
}

static json_t *
words_of_recovery(const json_t *out)
{
	int64_t n = number(out, "devices");

	return json_sprintf("%" PRId64 " device%s told at the next check-in", n,
	    n == 1 ? " is" : "s are");
}

/* One rotation is the answer of all that change one. */
static enum dvt_code
answer_rotation(struct dvt_app *app, const struct dvt_req *req, int64_t id,
    int status, struct dvt_reply *reply, struct dvt_err *err)
{
	json_t *rotation;
	enum dvt_code rc = dvt_api_rotation(app, req, id, &rotation, err);

	if (rc == DVT_OK)
		dvt_reply_json(reply, status, rotation);
	return rc;
}

/* POST /v1/rotations - judged at once; 201 planned; 409 another rotation over
 * the same authority, or devices that would refuse the new chain. */
enum dvt_code
api_plan_rotation(struct dvt_app *app, const struct dvt_req *req,
    struct dvt_reply *reply, struct dvt_err *err)
{
	json_t *out;
	int64_t id;
	enum dvt_code rc = operate(
	    app, "rotation.plan", req->json, &out, reply, err);

	if (rc != DVT_OK)
		return rc;
	id = json_integer_value(json_object_get(out, "id"));
	json_decref(out);
	return answer_rotation(app, req, id, 201, reply, err);
}

static enum dvt_code
act(struct dvt_app *app, const char *what, const struct dvt_req *req,
    struct dvt_reply *reply, struct dvt_err *err)
{
	json_t *args, *out = NULL;
	int64_t id;
	enum dvt_code rc;

	if ((rc = dvt_req_path_i64(req, "id", &id, err)) != DVT_OK)
		return rc;
	args = json_pack("{s:I}", "id", (json_int_t)id);
	(void)json_object_update_missing(args, (json_t *)(uintptr_t)req->json);
	rc = operate(app, what, args, &out, reply, err);
	json_decref(args);
	json_decref(out);
	return rc != DVT_OK ? rc
			    : answer_rotation(app, req, id, 200, reply, err);
}

/* POST /v1/rotations/{id}/start - begins with the preflight. */
enum dvt_code
api_start_rotation(struct dvt_app *app, const struct dvt_req *req,
    struct dvt_reply *reply, struct dvt_err *err)
{
	return act(app, "rotation.start", req, reply, err);
}

/* POST /v1/rotations/{id}/pause - no new offers; offers out go on. */
enum dvt_code
api_pause_rotation(struct dvt_app *app, const struct dvt_req *req,
    struct dvt_reply *reply, struct dvt_err *err)
{
	return act(app, "rotation.pause", req, reply, err);
}

/* POST /v1/rotations/{id}/resume */
enum dvt_code
api_resume_rotation(struct dvt_app *app, const struct dvt_req *req,
    struct dvt_reply *reply, struct dvt_err *err)
{
	return act(app, "rotation.resume", req, reply, err);
}

/* POST /v1/rotations/{id}/abort - stops where it is. */
enum dvt_code
api_abort_rotation(struct dvt_app *app, const struct dvt_req *req,
    struct dvt_reply *reply, struct dvt_err *err)
{
	return act(app, "rotation.abort", req, reply, err);
}

/* POST /v1/rotations/{id}/rollback - undoes what can be undone. */
enum dvt_code
api_rollback_rotation(struct dvt_app *app, const struct dvt_req *req,
    struct dvt_reply *reply, struct dvt_err *err)
{
	return act(app, "rotation.rollback", req, reply, err);
}

/* POST /gateway/certificates/rotate - 409 interlock with the devices that
 * would refuse; 409 no key is held for `newCertificate`. */
enum dvt_code
api_rotate_gateway(struct dvt_app *app, const struct dvt_req *req,
    struct dvt_reply *reply, struct dvt_err *err)
{
	return pass(app, "gateway.rotate", req, words_of_rotate, reply, err);
}

/* POST /gateway/certificates/rollback */
enum dvt_code
api_rollback_gateway(struct dvt_app *app, const struct dvt_req *req,
    struct dvt_reply *reply, struct dvt_err *err)
{
	return pass(
	    app, "gateway.rollback", req, words_of_rollback, reply, err);
}

/* POST /devices/truststore/update - with a second person; REMOVE is 409
 * interlock while a device needs the anchor. */
enum dvt_code
api_update_trust(struct dvt_app *app, const struct dvt_req *req,
    struct dvt_reply *reply, struct dvt_err *err)
{
	return pass(app, "truststore.update", req, words_of_trust, reply, err);
}

/* POST /devices/recovery/initiate */
enum dvt_code
api_initiate_recovery(struct dvt_app *app, const struct dvt_req *req,
    struct dvt_reply *reply, struct dvt_err *err)
{
	return pass(
	    app, "recovery.initiate", req, words_of_recovery, reply, err);
}
