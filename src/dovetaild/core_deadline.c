/* SPDX-License-Identifier: Apache-2.0 */
#include "dovetaild/core_deadline.h"

#include "base/log.h"
#include "dovetaild/core_priv.h"
#include "dovetaild/core_rotation_priv.h"
#include "fleet/deadline.h"
#include "store/authority.h"
#include "store/edge.h"
#include "store/gate.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define DAY_S 86400
#define TRY_S DAY_S /* an order that nobody answered is repeated */
#define PAGE  500

/* Is there an active device that was not seen to do without this root? */
static enum dvt_code
is_needed(struct core *c, const char *root, bool *yes, struct dvt_err *err)
{
	struct dvt_row_anchor_user *rows;
	const char *after = "";
	size_t n = 0;
	enum dvt_code rc;

	*yes = false;
	do {
		rc = dvt_store_anchor_users(core_tx(c), core_arena(c), root,
		    after, PAGE, &rows, &n, err);
		for (size_t i = 0; rc == DVT_OK && i < n && !*yes; i++) {
			after = rows[i].device_id;
			*yes = !rows[i].proven;
		}
	} while (rc == DVT_OK && !*yes && n == PAGE);
	return rc;
}

/* Who issues for edges below this root; DVT_E_CONFLICT or _ABSENT: nobody. */
static enum dvt_code
issuer_of(struct core *c, const char *root, struct dvt_row_authority *out,
    struct dvt_err *err)
{
	struct dvt_row_authority row;
	enum dvt_code rc = dvt_store_authority_by_fingerprint(
	    core_tx(c), core_arena(c), root, &row, err);

	return rc == DVT_OK ? core_rot_issuer(c, &row, true, out, err) : rc;
}

static enum dvt_code
renew(struct core *c, const struct dvt_row_gateway *g,
    const struct dvt_shown *s, int64_t authority, struct dvt_err *err)
{
	enum dvt_gateway_slot slot = dvt_deadline_slot(s, g->default_root);
	struct dvt_row_gateway_credential there;
	int64_t day = core_now(c).wall_s / TRY_S;
	char order[64], id[80];
	enum dvt_code rc;

	snprintf(order, sizeof(order), "deadline-%.8s-%" PRId64, s->root, day);
	snprintf(id, sizeof(id), "%s-%s", order, dvt_gateway_slot_name(slot));
	rc = dvt_store_gateway_credential_get(
	    core_tx(c), core_arena(c), g->name, id, &there, err);
	if (rc != DVT_E_ABSENT)
		return rc; /* on its way */
	log_event(LOG_NOTICE, "edge.deadline.renew", LS("gateway", g->name),
	    LS("root", s->root), LI("not_after", s->not_after));
	return core_gateway_order(
	    c, g->name, order, authority, dvt_gateway_slot_name(slot), 0, err);
}

static enum dvt_code
page(struct core *c, const struct dvt_row_gateway *g,
    const struct dvt_row_gateway_credential *row, struct dvt_err *err)
{
	int64_t days = (row->not_after - core_now(c).wall_s) / DAY_S;
	char key[2 * DVT_NAME_MAX + 16], text[384];

	snprintf(key, sizeof(key), "%.100s/%.100s/deadline", g->name, row->id);
	snprintf(text, sizeof(text),
	    "gateway %.60s: certificate %.60s ends in %" PRId64
	    " days, devices need its root %.12s, and no key is held that "
	    "issues there: get one signed, or mend the devices",
	    g->name, row->id, days > 0 ? days : 0, row->root);
	return core_alert(c, "page", key, "edge.deadline", text, err);
}

static enum dvt_code
act(struct core *c, const struct dvt_row_gateway *g,
    const struct dvt_row_gateway_credential *row, const struct dvt_shown *s,
    struct dvt_err *err)
{
	struct dvt_row_authority issuer;
	bool needed, held;
	enum dvt_code rc;

	if ((rc = is_needed(c, row->root, &needed, err)) != DVT_OK)
		return rc;
	rc = issuer_of(c, row->root, &issuer, err);
	held = rc == DVT_OK;
	if (rc != DVT_OK && rc != DVT_E_CONFLICT && rc != DVT_E_ABSENT)
		return rc;
	switch (dvt_deadline_do(needed, held)) {
	case DVT_DEADLINE_RENEW:
		return renew(c, g, s, issuer.id, err);
	case DVT_DEADLINE_PAGE:
		return page(c, g, row, err);
	case DVT_DEADLINE_NONE:
	case DVT_DEADLINE_N:
		break;
	}
	return DVT_OK;
}

static enum dvt_code
look_at(struct core *c, const struct dvt_row_gateway *g, struct dvt_err *err)
{
	struct dvt_row_gateway_credential *rows;
	struct dvt_shown *shown;
	size_t n;
	enum dvt_code rc = dvt_store_gateway_credential_list(
	    core_tx(c), core_arena(c), g->name, &rows, &n, err);

	if (rc != DVT_OK)
		return rc;
	shown = dvt_arena_alloc(core_arena(c), (n + 1) * sizeof(*shown));
	for (size_t i = 0; i < n; i++)
		shown[i] = (struct dvt_shown){
		    rows[i].root, rows[i].slot, rows[i].not_after};
	for (size_t i = 0; rc == DVT_OK && i < n; i++)
		if (dvt_deadline_near(shown, n, i, core_now(c).wall_s))
			rc = act(c, g, &rows[i], &shown[i], err);
	return rc;
}

enum dvt_code
core_deadline(struct core *c, void *ctx, struct dvt_err *err)
{
	struct dvt_row_gateway *rows;
	const char *after = "";
	size_t n;
	enum dvt_code rc;

	(void)ctx;
	do {
		rc = dvt_store_gateway_list(core_tx(c), core_arena(c), after,
		    DVT_LIST_MAX, &rows, &n, err);
		for (size_t i = 0; rc == DVT_OK && i < n; i++) {
			after = rows[i].name;
			rc = look_at(c, &rows[i], err);
		}
	} while (rc == DVT_OK && n == DVT_LIST_MAX);
	return rc;
}
