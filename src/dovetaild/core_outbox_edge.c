/* SPDX-License-Identifier: Apache-2.0 */
/* Actions on edges: orders, which root they show, whom they let in. */
#include "dovetaild/core_gateway.h"
#include "dovetaild/core_rotation_priv.h"

#include "store/authority.h"
#include "store/edge.h"
#include "store/gate.h"

#include <inttypes.h>
#include <stdio.h>

#define EDGES_AGAIN_S 5 /* an edge's own client certificate is renewed */

/* --- roots --- */

static enum dvt_code
set_roots(struct core *c, const struct core_act *a, const char *default_root,
    const char *next_root, bool forced, struct dvt_err *err)
{
	enum dvt_code rc = dvt_store_gateway_roots_set(
	    core_tx(c), a->object, default_root, next_root, forced, err);

	if (rc == DVT_OK)
		rc = core_feed_policy(c, a->object, NULL, err);
	return rc == DVT_OK ? core_rot_position(c, a->r->row.id, err) : rc;
}

static enum dvt_code
get_edge(struct core *c, const struct core_act *a, struct dvt_row_gateway *g,
    struct dvt_err *err)
{
	return dvt_store_gateway_get(
	    core_tx(c), core_arena(c), a->object, g, err);
}

static enum dvt_code
use_one(struct core *c, const struct dvt_row_authority *a, bool server,
    bool device, struct dvt_err *err)
{
	enum dvt_code rc = DVT_OK;

	if (a->state == DVT_AUTHORITY_STAGED)
		rc = dvt_store_authority_state_set(core_tx(c), a->id,
		    DVT_AUTHORITY_STAGED, DVT_AUTHORITY_ACTIVE, err);
	if (rc == DVT_OK)
		rc = dvt_store_authority_use_set(core_tx(c), a->id,
		    a->use_server || server, a->use_device || device, err);
	return rc == DVT_OK ? core_feed_anchor(c, a->id, err) : rc;
}

/* A root comes into use at servers, or for devices, and with it the authority
 * beneath it that will issue. */
static enum dvt_code
bring_into_use(struct core *c, const struct dvt_row_authority *root,
    bool server, struct dvt_err *err)
{
	struct dvt_row_authority issuer;
	enum dvt_code rc = use_one(c, root, server, !server, err);

	if (rc == DVT_OK &&
	    core_rot_issuer(c, root, server, &issuer, NULL) == DVT_OK &&
	    issuer.id != root->id)
		rc = use_one(c, &issuer, server, !server, err);
	core_publish(c);
	return rc;
}

/* --- credentials --- */

enum dvt_code
core_act_order(struct core *c, struct core_act *a, struct dvt_err *err)
{
	struct dvt_row_authority issuer;
	struct dvt_row_gateway g;
	char order[64];
	enum dvt_code rc;

	snprintf(order, sizeof(order), "r%" PRId64 "-next", a->r->row.id);
	if ((rc = core_rot_issuer(c, &a->r->to, true, &issuer, err)) !=
		DVT_OK ||
	    (rc = bring_into_use(c, &a->r->to, true, err)) != DVT_OK ||
	    (rc = get_edge(c, a, &g, err)) != DVT_OK ||
	    (rc = core_gateway_order(c, a->object, order, issuer.id, "next",
		 a->r->row.id, err)) != DVT_OK)
		return rc;
	return set_roots(
	    c, a, g.default_root, a->r->to.fingerprint, g.forced, err);
}

enum dvt_code
core_act_fresh_old(struct core *c, struct core_act *a, struct dvt_err *err)
{
	struct dvt_row_authority issuer;
	char order[64];
	enum dvt_code rc;

	snprintf(order, sizeof(order), "r%" PRId64 "-back", a->r->row.id);
	rc = core_rot_issuer(c, &a->r->from, true, &issuer, err);
	if (rc == DVT_OK)
		rc = core_gateway_order(c, a->object, order, issuer.id,
		    "current", a->r->row.id, err);
	return rc == DVT_OK ? core_rot_position(c, a->r->row.id, err) : rc;
}

struct held {
	struct dvt_row_gateway_credential *rows;
	size_t n;
};

static enum dvt_code
get_held(struct core *c, const char *edge, struct held *h, struct dvt_err *err)
{
	return dvt_store_gateway_credential_list(
	    core_tx(c), core_arena(c), edge, &h->rows, &h->n, err);
}

static bool
shows(const struct dvt_row_gateway_credential *row)
{
	return row->chain_pem[0] != '\0' && row->slot != DVT_GWSLOT_ORDERED &&
	       row->slot != DVT_GWSLOT_GONE;
}

/* Newest of the new root; under one root it must be this rotation's own. */
static const struct dvt_row_gateway_credential *
find_new(const struct held *h, const struct core_rot *r)
{
	const struct dvt_row_gateway_credential *best = NULL;

	for (size_t i = 0; i < h->n; i++) {
		const struct dvt_row_gateway_credential *row = &h->rows[i];

		if (shows(row) && strcmp(row->root, r->to.fingerprint) == 0 &&
		    (row->rotation_id == r->row.id || r->from.id != r->to.id) &&
		    (best == NULL || row->generation >= best->generation))
			best = row;
	}
	return best;
}

/* What it showed before: of the old root and not this rotation's. */
static const struct dvt_row_gateway_credential *
find_old(const struct held *h, const struct core_rot *r)
{
	const struct dvt_row_gateway_credential *best = NULL;

	for (size_t i = 0; i < h->n; i++) {
		const struct dvt_row_gateway_credential *row = &h->rows[i];
		bool old = r->from.id == 0
			       ? row->rotation_id != r->row.id
			       : strcmp(row->root, r->from.fingerprint) == 0;

		if (r->from.id == r->to.id)
			old = row->rotation_id != r->row.id;
		if (shows(row) && old &&
		    (best == NULL || row->slot == DVT_GWSLOT_CURRENT ||
			(best->slot != DVT_GWSLOT_CURRENT &&
			    row->not_after > best->not_after)))
			best = row;
	}
	return best;
}

/* @up is shown first from now on, what was stands behind it in @slot. */
static enum dvt_code
put_first(struct core *c, const char *edge, const struct held *h,
    const struct dvt_row_gateway_credential *up, enum dvt_gateway_slot slot,
    struct dvt_err *err)
{
	enum dvt_code rc = DVT_OK;

	for (size_t i = 0; rc == DVT_OK && i < h->n; i++)
		if (&h->rows[i] != up && shows(&h->rows[i]) &&
		    h->rows[i].slot == DVT_GWSLOT_CURRENT)
			rc = core_gateway_slot(
			    c, edge, h->rows[i].id, slot, err);
	if (rc == DVT_OK && up->slot != DVT_GWSLOT_CURRENT)
		rc = core_gateway_slot(
		    c, edge, up->id, DVT_GWSLOT_CURRENT, err);
	return rc;
}

/* Sessions on other chains are closed at the plan's pace. */
static enum dvt_code
reconnect(struct core *c, const struct core_act *a, const char *keep_root,
    struct dvt_err *err)
{
	char id[32];
	json_t *body = NULL;
	enum dvt_code rc;

	snprintf(id, sizeof(id), "r%" PRId64, a->r->row.id);
	if (keep_root != NULL)
		body = json_pack("{s:s, s:s, s:I}", "rotation", id, "keep_root",
		    keep_root, "rate_per_s",
		    (json_int_t)a->r->plan.reconnect_per_s);
	rc = core_feed_set(
	    c, "reconnect", a->object, a->object, body, NULL, err);
	json_decref(body);
	return rc;
}

enum dvt_code
core_act_switch(struct core *c, struct core_act *a, struct dvt_err *err)
{
	const struct dvt_row_gateway_credential *up;
	const char *root = a->r->to.fingerprint;
	struct dvt_row_gateway g;
	struct held h;
	enum dvt_code rc;

	if ((rc = get_edge(c, a, &g, err)) != DVT_OK ||
	    (rc = get_held(c, a->object, &h, err)) != DVT_OK)
		return rc;
	if ((up = find_new(&h, a->r)) == NULL)
		return dvt_fail(err, DVT_E_CONFLICT,
		    "%s holds no certificate under %s", a->object,
		    a->r->to.name);
	if ((rc = put_first(c, a->object, &h, up, DVT_GWSLOT_PREVIOUS, err)) !=
		DVT_OK ||
	    (rc = reconnect(c, a, root, err)) != DVT_OK)
		return rc;
	return set_roots(c, a, root, root, a->r->plan.forced, err);
}

enum dvt_code
core_act_switch_back(struct core *c, struct core_act *a, struct dvt_err *err)
{
	const struct dvt_row_gateway_credential *up;
	struct dvt_row_gateway g;
	struct held h;
	enum dvt_code rc;

	if ((rc = get_edge(c, a, &g, err)) != DVT_OK ||
	    (rc = get_held(c, a->object, &h, err)) != DVT_OK ||
	    (rc = reconnect(c, a, NULL, err)) != DVT_OK)
		return rc;
	up = find_old(&h, a->r);
	if (up != NULL && (rc = put_first(c, a->object, &h, up, DVT_GWSLOT_NEXT,
			       err)) != DVT_OK)
		return rc;
	/* without one it waits for the fresh certificate, if there is any */
	return set_roots(c, a,
	    up != NULL           ? up->root
	    : a->r->from.id != 0 ? a->r->from.fingerprint
				 : g.default_root,
	    g.next_root, false, err);
}

/* Of no use after the rotation: of the old root; and what a front was started
 * with, once another one under the same root is shown. */
static bool
is_spent(const struct dvt_row_gateway_credential *row, const struct core_rot *r)
{
	if (row->slot == DVT_GWSLOT_GONE)
		return false;
	return strcmp(row->root, r->from.fingerprint) == 0 ||
	       (strcmp(row->id, GATEWAY_START_ID) == 0 &&
		   row->slot != DVT_GWSLOT_CURRENT);
}

enum dvt_code
core_act_withdraw(struct core *c, struct core_act *a, struct dvt_err *err)
{
	struct dvt_row_gateway g;
	struct held h;
	enum dvt_code rc;

	if ((rc = get_edge(c, a, &g, err)) != DVT_OK ||
	    (rc = get_held(c, a->object, &h, err)) != DVT_OK ||
	    (rc = reconnect(c, a, NULL, err)) != DVT_OK)
		return rc;
	for (size_t i = 0; rc == DVT_OK && i < h.n; i++)
		if (is_spent(&h.rows[i], a->r))
			rc = core_gateway_slot(
			    c, a->object, h.rows[i].id, DVT_GWSLOT_GONE, err);
	return rc == DVT_OK ? set_roots(c, a, g.default_root, "", false, err)
			    : rc;
}

/* --- whom edges let in --- */

enum dvt_code
core_act_anchor_put(struct core *c, struct core_act *a, struct dvt_err *err)
{
	bool old = strcmp(a->object, "old") == 0;
	enum dvt_code rc = bring_into_use(
	    c, old ? &a->r->from : &a->r->to, false, err);

	return rc == DVT_OK ? core_rot_position(c, a->r->row.id, err) : rc;
}

/* Out of use at servers, or for devices; what is of no use any more retires. */
static enum dvt_code
take_from_use(struct core *c, int64_t root_id, bool server, bool device,
    struct dvt_err *err)
{
	struct dvt_row_authority *rows;
	size_t n;
	enum dvt_code rc = dvt_store_authority_under(
	    core_tx(c), core_arena(c), root_id, &rows, &n, err);

	for (size_t i = 0; rc == DVT_OK && i < n; i++) {
		bool s = rows[i].use_server && !server;
		bool d = rows[i].use_device && !device;

		rc = dvt_store_authority_use_set(
		    core_tx(c), rows[i].id, s, d, err);
		if (rc == DVT_OK && !s && !d &&
		    rows[i].state != DVT_AUTHORITY_RETIRED &&
		    rows[i].state != DVT_AUTHORITY_REVOKED)
			rc = dvt_store_authority_state_set(core_tx(c),
			    rows[i].id, rows[i].state, DVT_AUTHORITY_RETIRED,
			    err);
		if (rc == DVT_OK)
			rc = core_feed_anchor(c, rows[i].id, err);
	}
	core_publish(c);
	return rc;
}

enum dvt_code
core_act_anchor_take(struct core *c, struct core_act *a, struct dvt_err *err)
{
	enum dvt_code rc = take_from_use(c, a->r->from.id, false, true, err);

	return rc == DVT_OK ? core_rot_position(c, a->r->row.id, err) : rc;
}

/* --- profiles --- */

static enum dvt_code
profile_loaded(
    struct core *c, void *ctx, const struct sign_reply *r, struct dvt_err *err)
{
	(void)c;
	(void)ctx;
	return r->code == DVT_OK ? DVT_OK
				 : dvt_fail(err, r->code, "%s", r->why);
}

static enum dvt_code
load_profile(struct core *c, const struct sign_profile *p, struct dvt_err *err)
{
	struct sign_request q = {.kind = SIGN_LOAD_PROFILE, .profile = *p};

	return core_sign_now(c, &q, profile_loaded, err);
}

/* First enrolments go to the new CA as well. */
static enum dvt_code
move_profile(struct core *c, const struct core_act *a,
    struct dvt_row_profile *row, bool server, struct dvt_err *err)
{
	struct dvt_row_authority was, issuer;
	struct sign_profile p = {.validity_s = row->validity_s,
	    .jitter_s = row->jitter_s,
	    .backdate_s = row->backdate_s,
	    .renew_before_s = row->renew_before_s,
	    .use_server = row->use_server,
	    .use_client = row->use_client};
	int64_t id;
	enum dvt_code rc = dvt_store_authority_get(
	    core_tx(c), core_arena(c), row->issuer_id, &was, err);

	if (rc != DVT_OK ||
	    (was.is_root ? was.id : was.root_id) != a->r->from.id)
		return rc;
	if ((rc = core_rot_issuer(c, &a->r->to, server, &issuer, err)) !=
	    DVT_OK)
		return rc;
	p.issuer_id = row->issuer_id = issuer.id;
	(void)dvt_copy_str(p.name, sizeof(p.name), row->name);
	sign_profile_digest(&p, p.digest);
	row->digest = p.digest;
	row->approved_at = core_now(c).wall_s;
	if ((rc = dvt_store_profile_set(core_tx(c), row, &id, err)) != DVT_OK ||
	    (rc = core_audit(
		 c, "core", "profile.issuer", row->name, NULL, err)) != DVT_OK)
		return rc;
	return load_profile(c, &p, err);
}

static enum dvt_code
move_profiles(
    struct core *c, const struct core_act *a, bool server, struct dvt_err *err)
{
	struct dvt_row_profile *rows;
	size_t n;
	enum dvt_code rc = dvt_store_profile_list(
	    core_tx(c), core_arena(c), 0, DVT_LIST_MAX, &rows, &n, err);

	for (size_t i = 0; rc == DVT_OK && i < n; i++)
		if (rows[i].use_server == server)
			rc = move_profile(c, a, &rows[i], server, err);
	return rc;
}

/* The rotation is done. */
enum dvt_code
core_act_authorities(struct core *c, struct core_act *a, struct dvt_err *err)
{
	bool server = a->r->row.kind == DVT_ROT_SERVER_CA;
	enum dvt_code rc;

	if (!server && a->r->row.kind != DVT_ROT_DEVICE_CA)
		return DVT_OK;
	rc = move_profiles(c, a, server, err);
	if (rc == DVT_OK && server)
		rc = take_from_use(c, a->r->from.id, true, false, err);
	return rc;
}
