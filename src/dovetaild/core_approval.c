/* SPDX-License-Identifier: Apache-2.0 */
/* A second person's word: asked for once, used once. */
#include "dovetaild/core_priv.h"
#include "store/people.h"

#include <inttypes.h>

static enum dvt_code
ask_for_one(struct core *c, const char *actor, struct dvt_row_approval *row,
    struct dvt_err *err)
{
	int64_t now = core_now(c).wall_s;
	enum dvt_code rc;

	row->requested_by = actor;
	row->requested_at = now;
	row->expires_at = now +
			  dvt_config_int(core_config(c), "approvals.lifetime");
	rc = dvt_store_approval_add(core_tx(c), row, &row->id, err);
	if (rc == DVT_OK)
		rc = core_audit(
		    c, actor, "approval.request", row->object, NULL, err);
	return rc;
}

enum dvt_code
core_approval(struct core *c, const char *actor, const char *action,
    const char *object, const char *digest, struct dvt_row_approval *row,
    struct dvt_err *err)
{
	int64_t now = core_now(c).wall_s;
	enum dvt_code rc;

	if (dvt_config_int(core_config(c), "approvals.required") < 2)
		return DVT_OK;
	rc = dvt_store_approval_find(
	    core_tx(c), core_arena(c), action, digest, now, row, err);
	if (rc == DVT_OK && row->given_at != 0)
		return dvt_store_approval_use(
		    core_tx(c), row->id, digest, now, err);
	if (rc == DVT_E_ABSENT) {
		*row = (struct dvt_row_approval){
		    .action = action, .object = object, .digest = digest};
		rc = ask_for_one(c, actor, row, err);
	}
	if (rc != DVT_OK)
		return rc;
	return dvt_fail(err, DVT_E_APPROVAL,
	    "%s of %s needs a second person: approval %" PRId64
	    " must be given, then ask again",
	    action, object, row->id);
}
