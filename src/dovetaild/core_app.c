/* SPDX-License-Identifier: Apache-2.0 */
/* What handlers may do beyond rows: the hooks of api/app.h. */
#include "api/app.h"
#include "dovetaild/core_authority.h"
#include "dovetaild/core_priv.h"
#include "dovetaild/core_rotation.h"
#include "store/people.h"

#include <inttypes.h>

static struct core *
core_of(const struct dvt_app *app)
{
	return ((const struct core_app_ctx *)app->core_ctx)->core;
}

static const struct core_asker *
asker_of(const struct dvt_app *app)
{
	return &((const struct core_app_ctx *)app->core_ctx)->asker;
}

static enum dvt_code
app_audit(struct dvt_app *app, const char *action, const char *object,
    const json_t *detail, struct dvt_err *err)
{
	return core_audit(
	    core_of(app), app->actor, action, object, detail, err);
}

static enum dvt_code
app_event(struct dvt_app *app, const char *name, const char *device,
    const char *correlation, const json_t *body, struct dvt_err *err)
{
	return core_event(core_of(app), name, device, correlation, body, err);
}

static enum dvt_code
app_feed_device(struct dvt_app *app, const char *device_id, struct dvt_err *err)
{
	return core_feed_device(core_of(app), device_id, err);
}

static enum dvt_code
app_feed_anchor(struct dvt_app *app, int64_t authority_id, struct dvt_err *err)
{
	return core_feed_anchor(core_of(app), authority_id, err);
}

static enum dvt_code
app_feed_policy(struct dvt_app *app, const char *gateway, struct dvt_err *err)
{
	return core_feed_policy(core_of(app), gateway, NULL, err);
}

static enum dvt_code
app_feed_set(struct dvt_app *app, const char *kind, const char *key,
    const char *gateway, const json_t *body, struct dvt_err *err)
{
	return core_feed_set(core_of(app), kind, key, gateway, body, NULL, err);
}

static void
app_publish(struct dvt_app *app)
{
	core_publish(core_of(app));
}

static enum dvt_code
app_gateway_order(struct dvt_app *app, const char *gateway, const char *order,
    int64_t authority, const char *slot, struct dvt_err *err)
{
	return core_gateway_order(
	    core_of(app), gateway, order, authority, slot, 0, err);
}

/* --- a second person --- */

static enum dvt_code
app_approval(struct dvt_app *app, const char *action, const char *object,
    const char *digest, struct dvt_err *err)
{
	struct dvt_row_approval row = {0};
	enum dvt_code rc = core_approval(
	    core_of(app), app->actor, action, object, digest, &row, err);

	if (rc == DVT_E_APPROVAL)
		app->approval = row.id;
	return rc;
}

static enum dvt_code
app_operate(struct dvt_app *app, const char *what, const json_t *args,
    json_t **out, json_t **extra, struct dvt_err *err)
{
	enum dvt_code rc = core_operate(
	    core_of(app), app->actor, what, args, out, extra, err);

	if (rc == DVT_E_APPROVAL)
		app->approval = json_integer_value(
		    json_object_get(*extra, "approval"));
	return rc;
}

/* --- authorities --- */

static enum dvt_code
app_authority_create(struct dvt_app *app, const char *name, const char *subject,
    const char *parent, bool use_server, bool use_device, struct dvt_err *err)
{
	struct core_authority_new want = {.name = name,
	    .subject = subject,
	    .parent = parent,
	    .use_server = use_server,
	    .use_device = use_device};

	app->later = true;
	return core_authority_create(
	    core_of(app), asker_of(app), app->actor, &want, err);
}

static enum dvt_code
app_authority_import(struct dvt_app *app, const char *name,
    const char *certificate_pem, struct dvt_span sealed_key, bool use_server,
    bool use_device, struct dvt_err *err)
{
	struct core_authority_new want = {.name = name,
	    .certificate_pem = certificate_pem,
	    .sealed_key = sealed_key,
	    .use_server = use_server,
	    .use_device = use_device};
	char digest[DVT_DIGEST_HEX];
	enum dvt_code rc;

	if ((rc = core_authority_check(core_of(app), &want, digest, err)) !=
	    DVT_OK)
		return rc;
	/* with a key the signer looks first: it asks for the second person */
	if (sealed_key.n == 0 && (rc = app_approval(app, AUTHORITY_IMPORT, name,
				      digest, err)) != DVT_OK)
		return rc;
	app->later = true;
	return core_authority_import(
	    core_of(app), asker_of(app), app->actor, &want, digest, err);
}

static enum dvt_code
app_authority_cross(
    struct dvt_app *app, const char *name, const char *by, struct dvt_err *err)
{
	app->later = true;
	return core_authority_cross(
	    core_of(app), asker_of(app), app->actor, name, by, err);
}

static struct dvt_span
app_import_key(struct dvt_app *app)
{
	return dvt_buf_span(&core_of(app)->import_key);
}

const struct dvt_app_core core_app = {
    .audit = app_audit,
    .event = app_event,
    .feed_device = app_feed_device,
    .feed_anchor = app_feed_anchor,
    .feed_policy = app_feed_policy,
    .feed_set = app_feed_set,
    .publish = app_publish,
    .gateway_order = app_gateway_order,
    .approval = app_approval,
    .operate = app_operate,
    .authority_create = app_authority_create,
    .authority_import = app_authority_import,
    .authority_cross = app_authority_cross,
    .import_key = app_import_key,
};
