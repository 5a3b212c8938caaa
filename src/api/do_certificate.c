/* SPDX-License-Identifier: Apache-2.0 */
/* Revoking a certificate: refused at once, its device blocked. */
#include "api/do.h"
#include "api/do_device.h"
#include "api/handlers.h"
#include "store/credential.h"
#include "store/device.h"
#include "store/edge.h"

#include <stdio.h>
#include <string.h>

#define DIGITS_LEAST 8 /* of a fingerprint that is cut short */

/* Why, in words, and as CRLReason (RFC 5280 section 5.3.1). */
static const struct {
	const char *name;
	int64_t crl;
} reasons[] = {
    {"theft",          1}, /* its key may be in other hands */
    {"keyCompromise",  1},
    {"decommissioned", 5},
    {"endOfLife",      5},
};

static int64_t
reason_code(const char *name)
{
	for (size_t i = 0; i < DVT_COUNT(reasons); i++) {
		if (strcmp(reasons[i].name, name) == 0)
			return reasons[i].crl;
	}
	return 0; /* unspecified; the shape lets no other word in */
}

/* A device whose certificate was revoked is blocked until its case is closed.
 */
static enum dvt_code
block_owner(struct dvt_app *app, const struct dvt_row_credential *c,
    const char *reason, struct dvt_err *err)
{
	struct dvt_row_device d;
	char why[128];
	enum dvt_code rc;

	if (c->owner_kind != DVT_OWNER_DEVICE)
		return DVT_OK;
	rc = dvt_store_device_get(app->tx, app->arena, c->owner, &d, err);
	if (rc != DVT_OK)
		return rc;
	(void)snprintf(why, sizeof(why), "certificate %.16s... revoked: %s",
	    c->fingerprint, reason);
	if (d.state != DVT_DEVICE_RETIRED &&
	    (rc = dvt_do_block(app, &d, why, err)) != DVT_OK)
		return rc;
	return app->core->feed_device(app, c->owner, err);
}

static enum dvt_code
revoke(struct dvt_app *app, const struct dvt_row_credential *c,
    const char *reason, struct dvt_err *err)
{
	enum dvt_code rc;

	if (c->state == DVT_CRED_EXPIRED || c->not_after <= app->now.wall_s)
		return dvt_fail(err, DVT_E_CONFLICT,
		    "certificate %.16s... has ended; nobody takes it",
		    c->fingerprint);
	if ((rc = dvt_store_credential_revoke(app->tx, c->fingerprint, c->state,
		 app->now.wall_s, reason_code(reason), err)) != DVT_OK ||
	    (rc = dvt_store_credential_denied(
		 app->tx, c->fingerprint, app->now.wall_s, err)) != DVT_OK ||
	    (rc = dvt_do_deny(app, c, err)) != DVT_OK ||
	    (rc = block_owner(app, c, reason, err)) != DVT_OK)
		return rc;
	return dvt_do_tell(app, "certificate.revoke", c->fingerprint,
	    "CERTIFICATE_REVOKED",
	    c->owner_kind == DVT_OWNER_DEVICE ? c->owner : "",
	    json_pack("{s:s, s:s, s:s, s:s}", "fingerprint", c->fingerprint,
		"owner", c->owner, "serial", c->serial, "reason", reason),
	    err);
}

/*
 * POST /v1/certificates/{fingerprint}/revoke - the device is blocked as well.
 * Again is 200; 404 unknown; 409 ended.
 */
enum dvt_code
api_revoke_certificate(struct dvt_app *app, const struct dvt_req *req,
    struct dvt_reply *reply, struct dvt_err *err)
{
	const char *asked = dvt_req_path(req, "fingerprint");
	const char *reason = dvt_do_text(req, "reason", "");
	char digits[DVT_DIGEST_HEX];
	const char *fingerprint = digits;
	struct dvt_row_credential c;
	int64_t position;
	enum dvt_code rc;

	if (dvt_hex_normal(asked, digits, sizeof(digits)) != 0 ||
	    strlen(digits) < DIGITS_LEAST)
		return dvt_fail(err, DVT_E_INPUT,
		    "%.100s is no SHA-256 fingerprint, nor the first %d digits "
		    "of one",
		    asked, DIGITS_LEAST);
	if (strlen(digits) < DVT_DIGEST_HEX - 1 &&
	    (rc = dvt_store_credential_expand(
		 app->tx, app->arena, digits, &fingerprint, err)) != DVT_OK)
		return rc;
	rc = dvt_store_credential_by_fingerprint(
	    app->tx, app->arena, fingerprint, &c, err);
	if (rc == DVT_E_ABSENT)
		return dvt_fail(err, rc, "there is no certificate %s", asked);
	if (rc != DVT_OK ||
	    (c.state != DVT_CRED_REVOKED &&
		(rc = revoke(app, &c, reason, err)) != DVT_OK) ||
	    (rc = dvt_store_feed_position(app->tx, &position, err)) != DVT_OK)
		return rc;
	dvt_reply_json(reply, 200,
	    json_pack("{s:s, s:s, s:s, s:s, s:I, s:s}", "fingerprint",
		fingerprint, "owner_kind", dvt_owner_kind_name(c.owner_kind),
		"owner", c.owner, "state",
		dvt_credential_state_name(DVT_CRED_REVOKED), "position",
		(json_int_t)position, "detail",
		"refused at every edge that has applied the feed (gateway "
		"list: BEHIND 0)"));
	return DVT_OK;
}
