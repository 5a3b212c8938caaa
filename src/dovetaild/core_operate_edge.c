/* SPDX-License-Identifier: Apache-2.0 */
/* What edges show, changed by hand: judged, then a rotation of its own. */
#include "api/trust_check.h"
#include "dovetaild/core_gateway.h"
#include "dovetaild/core_operate_priv.h"
#include "pki/x509.h"
#include "store/authority.h"
#include "store/edge.h"
#include "store/gate.h"
#include "store/rotation.h"
#include "wire/json.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define WATCH_S 3600 /* a change by hand is watched that long */

/* One request to show something else. */
struct change {
	struct dvt_row_gateway *edges; /* that shall change */
	size_t edges_n;
	struct dvt_row_authority issuer; /* of a certificate to be ordered */
	struct dvt_row_authority root;   /* at the top of the new chain */
	struct dvt_row_authority old;    /* shown by default now; id 0: none */
	struct dvt_chain chain;          /* given; n 0: none */
	char key_digest[DVT_DIGEST_HEX]; /* of its leaf */
	const char *chain_pem;
	struct dvt_trust_report report;
	bool strict;
};

/* --- which edges, which chain --- */

static enum dvt_code
pick_edges(struct core_op *op, struct change *x, struct dvt_err *err)
{
	const char *only = core_op_text(op, "gateway", "");
	struct dvt_row_gateway *rows;
	size_t n;
	enum dvt_code rc = dvt_store_gateway_list(core_tx(op->c),
	    core_arena(op->c), "", DVT_LIST_MAX, &rows, &n, err);

	for (size_t i = 0; rc == DVT_OK && i < n; i++)
		if (only[0] == '\0' ? rows[i].kind == DVT_EDGE_GATEWAY
				    : strcmp(rows[i].name, only) == 0)
			rows[x->edges_n++] = rows[i];
	x->edges = rows;
	if (rc == DVT_OK && x->edges_n == 0)
		rc = dvt_fail(err, DVT_E_ABSENT, "there is no gateway %s",
		    only[0] == '\0' ? "at all" : only);
	if (rc == DVT_OK && rows[0].kind != DVT_EDGE_GATEWAY)
		rc = dvt_fail(err, DVT_E_CONFLICT,
		    "%s is a front: \"gateway csr %s --authority A --slot "
		    "current\" gives it a new certificate under the same "
		    "root, a server-ca rotation moves it to another",
		    only, only);
	return rc;
}

static enum dvt_code
root_of(struct core_op *op, const struct dvt_row_authority *a,
    struct dvt_row_authority *out, struct dvt_err *err)
{
	if (a->is_root) {
		*out = *a;
		return DVT_OK;
	}
	return dvt_store_authority_get(
	    core_tx(op->c), core_arena(op->c), a->root_id, out, err);
}

/* The one that issued what the edge shows now. */
static enum dvt_code
present_issuer(struct core_op *op, struct change *x, struct dvt_err *err)
{
	struct dvt_row_gateway_credential *rows;
	size_t n;
	enum dvt_code rc = dvt_store_gateway_credential_list(core_tx(op->c),
	    core_arena(op->c), x->edges[0].name, &rows, &n, err);

	for (size_t i = 0; rc == DVT_OK && i < n; i++)
		if (rows[i].slot == DVT_GWSLOT_CURRENT &&
		    rows[i].authority_id != 0)
			return dvt_store_authority_get(core_tx(op->c),
			    core_arena(op->c), rows[i].authority_id, &x->issuer,
			    err);
	if (rc == DVT_OK && x->old.id != 0)
		return core_rot_issuer(op->c, &x->old, true, &x->issuer, err);
	return rc == DVT_OK ? dvt_fail(err, DVT_E_INPUT,
				  "authority: say which one shall issue")
			    : rc;
}

/* An authority that can issue: itself, or the one beneath it that does. */
static enum dvt_code
pick_issuer(struct core_op *op, struct change *x, struct dvt_err *err)
{
	const char *name = core_op_text(op, "authority", "");
	enum dvt_code rc;

	if (name[0] == '\0')
		rc = present_issuer(op, x, err);
	else
		rc = dvt_store_authority_by_name(
		    core_tx(op->c), core_arena(op->c), name, &x->issuer, err);
	if (rc != DVT_OK)
		return rc;
	if ((rc = root_of(op, &x->issuer, &x->root, err)) != DVT_OK)
		return rc;
	if (x->issuer.is_root)
		rc = core_rot_issuer(op->c, &x->root, true, &x->issuer, err);
	return rc;
}

/* The edge that holds the key of the given leaf is the one that changes. */
static enum dvt_code
match_key(struct core_op *op, struct change *x, struct dvt_err *err)
{
	struct dvt_buf keys;
	bool found = false;
	size_t kept = 0;
	enum dvt_code rc = DVT_OK;

	dvt_buf_init(&keys, 400);
	for (size_t e = 0; rc == DVT_OK && e < x->edges_n; e++) {
		struct dvt_row_gateway_credential *rows;
		bool here = false;
		size_t n;

		rc = dvt_store_gateway_credential_list(core_tx(op->c),
		    core_arena(op->c), x->edges[e].name, &rows, &n, err);
		for (size_t i = 0; rc == DVT_OK && i < n; i++) {
			if (rows[i].slot == DVT_GWSLOT_GONE ||
			    rows[i].key_digest[0] == '\0')
				continue;
			here |= strcmp(rows[i].key_digest, x->key_digest) == 0;
			dvt_buf_printf(&keys, "%s%s: %s",
			    keys.n > 0 ? ", " : "", x->edges[e].name,
			    rows[i].key_digest);
		}
		if (here)
			x->edges[kept++] = x->edges[e];
		found |= here;
	}
	x->edges_n = kept;
	if (rc == DVT_OK && !found)
		rc = dvt_fail(err, DVT_E_CONFLICT,
		    "newCertificate: no edge holds its key (%s); held: %s",
		    x->key_digest, keys.n > 0 ? dvt_buf_str(&keys) : "none");
	dvt_buf_fini(&keys);
	return rc;
}

static enum dvt_code
take_chain(struct core_op *op, struct change *x, struct dvt_err *err)
{
	const char *root;
	int64_t id;
	enum dvt_code rc;

	x->chain_pem = core_op_text(op, "newCertificate", "");
	if ((rc = dvt_chain_from_pem(
		 dvt_span_str(x->chain_pem), &x->chain, err)) != DVT_OK ||
	    (rc = dvt_chain_check(&x->chain, err)) != DVT_OK ||
	    (rc = dvt_chain_check_time(
		 &x->chain, core_now(op->c).wall_s, err)) != DVT_OK) {
		dvt_err_prefix(err, "newCertificate");
		return rc;
	}
	rc = dvt_candidate_root(
	    core_tx(op->c), core_arena(op->c), &x->chain, &root, &id, err);
	if (rc != DVT_OK)
		return rc;
	if (id == 0)
		return dvt_fail(err, DVT_E_INPUT,
		    "newCertificate: its chain leads to no authority known "
		    "here; import that first");
	dvt_x509_key_digest(x->chain.cert[0], x->key_digest);
	rc = dvt_store_authority_get(
	    core_tx(op->c), core_arena(op->c), id, &x->root, err);
	return rc == DVT_OK ? match_key(op, x, err) : rc;
}

static enum dvt_code
find_old(struct core_op *op, struct change *x, struct dvt_err *err)
{
	enum dvt_code rc;

	x->old = (struct dvt_row_authority){.name = "", .fingerprint = ""};
	if (x->edges[0].default_root[0] == '\0')
		return DVT_OK;
	rc = dvt_store_authority_by_fingerprint(core_tx(op->c),
	    core_arena(op->c), x->edges[0].default_root, &x->old, err);
	return rc == DVT_E_ABSENT ? DVT_OK : rc;
}

/* --- judging it --- */

static enum dvt_code
name_devices(struct core_op *op, struct change *x,
    const struct dvt_candidate *chain, struct dvt_err *err)
{
	json_t *list = json_array();
	int64_t total = x->report.sum.refuse.n +
			(x->strict ? x->report.sum.unknown.n : 0);
	enum dvt_code rc = dvt_trust_check_devices(core_tx(op->c),
	    core_arena(op->c), 0, chain, &x->report, DVT_WOULD_REFUSE,
	    ROTATION_BLOCKED, list, err);

	if (rc == DVT_OK && x->strict)
		rc = dvt_trust_check_devices(core_tx(op->c), core_arena(op->c),
		    0, chain, &x->report, DVT_WOULD_UNKNOWN, ROTATION_BLOCKED,
		    list, err);
	if (rc == DVT_OK)
		op->extra = json_pack(
		    "{s:o, s:I}", "devices", list, "total", (json_int_t)total);
	else
		json_decref(list);
	return rc != DVT_OK ? rc
			    : dvt_fail(err, DVT_E_UNSAFE,
				  "%" PRId64 " of %" PRId64
				  " devices would go dark under %s",
				  total,
				  total + x->report.sum.accept.n +
				      (x->strict ? 0 : x->report.sum.unknown.n),
				  x->root.name);
}

/* In spite of it: with a reason, and a second person. */
static enum dvt_code
override(struct core_op *op, const struct change *x, struct dvt_err *err)
{
	const json_t *o = json_object_get(op->args, "override");
	const char *reason = json_string_value(json_object_get(o, "reason"));
	char digest[DVT_DIGEST_HEX] = "", object[512];
	struct dvt_buf text;
	enum dvt_code rc;

	if (reason == NULL || reason[0] == '\0')
		return dvt_fail(
		    err, DVT_E_INPUT, "override: it needs a reason");
	if (x->chain.n > 0)
		dvt_chain_digest(&x->chain, digest);
	dvt_buf_init(&text, 65536);
	dvt_buf_printf(&text,
	    "gateway.override %s %s refuse %" PRId64 " unknown %" PRId64 " %s",
	    x->root.fingerprint, digest, x->report.sum.refuse.n,
	    x->report.sum.unknown.n, reason);
	for (size_t i = 0; i < x->edges_n; i++)
		dvt_buf_printf(&text, " %s", x->edges[i].name);
	snprintf(object, sizeof(object),
	    "show %s at %s although %" PRId64 " devices refuse it: %.200s",
	    x->root.name, x->edges_n == 1 ? x->edges[0].name : "every edge",
	    x->report.sum.refuse.n, reason);
	rc = core_op_approval(
	    op, "gateway.override", object, dvt_buf_str(&text), err);
	dvt_buf_fini(&text);
	return rc;
}

static enum dvt_code
judge(struct core_op *op, struct change *x, bool *forced, struct dvt_err *err)
{
	struct dvt_candidate chain = {.root = x->root.fingerprint,
	    .chain = x->chain.n > 0 ? &x->chain : NULL,
	    .issuer = x->issuer.der};
	enum dvt_code rc = dvt_trust_check(core_tx(op->c), core_arena(op->c), 0,
	    &chain, false, core_now(op->c).wall_s, &x->report, err);

	*forced = false;
	if (rc != DVT_OK || dvt_dry_allows(&x->report.sum, x->strict))
		return rc;
	if (json_object_get(op->args, "override") == NULL)
		return name_devices(op, x, &chain, err);
	*forced = true;
	return override(op, x, err);
}

/* --- doing it --- */

/* The given chain as the credential of the rotation, at each edge. */
static enum dvt_code
put_chain(struct core_op *op, const struct change *x, int64_t rotation,
    struct dvt_err *err)
{
	char id[64], fingerprint[DVT_DIGEST_HEX];
	struct dvt_row_gateway_credential row = {.id = id,
	    .listener = "main",
	    .slot = DVT_GWSLOT_NEXT,
	    .root = x->root.fingerprint,
	    .key_digest = x->key_digest,
	    .chain_pem = x->chain_pem,
	    .fingerprint = fingerprint,
	    .not_after = dvt_chain_not_after(&x->chain),
	    .rotation_id = rotation,
	    .created_at = core_now(op->c).wall_s};
	enum dvt_code rc = DVT_OK;

	snprintf(id, sizeof(id), "r%" PRId64 "-next", rotation);
	dvt_x509_fingerprint(x->chain.cert[0], fingerprint);
	for (size_t i = 0; rc == DVT_OK && i < x->edges_n; i++) {
		struct dvt_row_gateway_credential *held;
		size_t n;

		row.gateway = x->edges[i].name;
		row.names = x->edges[i].names;
		row.generation = 1;
		rc = dvt_store_gateway_credential_list(core_tx(op->c),
		    core_arena(op->c), row.gateway, &held, &n, err);
		for (size_t k = 0; rc == DVT_OK && k < n; k++)
			if (held[k].generation >= row.generation)
				row.generation = held[k].generation + 1;
		if (rc == DVT_OK)
			rc = dvt_store_gateway_credential_put(
			    core_tx(op->c), &row, err);
		if (rc == DVT_OK)
			rc = core_feed_credential(
			    op->c, row.gateway, id, NULL, err);
	}
	return rc == DVT_OK ? core_rot_position(op->c, rotation, err) : rc;
}

static enum dvt_code
begin(struct core_op *op, const struct change *x, bool forced, int64_t *id,
    struct dvt_err *err)
{
	struct dvt_plan plan = {.kind = DVT_ROT_SERVER_CERT,
	    .observe_min_s = WATCH_S,
	    .hold_s = DVT_PLAN_HOLD_S,
	    .success_ppm = DVT_PLAN_SUCCESS_PPM,
	    .failure_limit_ppm = DVT_PLAN_FAILURE_PPM,
	    .failure_min = DVT_PLAN_FAILURE_MIN,
	    .reconnect_per_s = DVT_PLAN_RECONNECTS,
	    .forced = forced};
	char reason[DVT_REASON_MAX];
	enum dvt_code rc;

	(void)dvt_copy_str(plan.from, sizeof(plan.from), x->old.name);
	(void)dvt_copy_str(plan.to, sizeof(plan.to), x->root.name);
	if (x->edges_n == 1)
		(void)dvt_copy_str(
		    plan.gateway, sizeof(plan.gateway), x->edges[0].name);
	if ((rc = core_plan_add(op->c, op->actor, &plan, id, err)) != DVT_OK)
		return rc;
	if (x->chain.n > 0 && (rc = put_chain(op, x, *id, err)) != DVT_OK)
		return rc;
	snprintf(reason, sizeof(reason), "asked by %s", op->actor);
	return core_plan_event(
	    op->c, op->actor, *id, DVT_ROT_EV_START, reason, err);
}

static enum dvt_code
answer(struct core_op *op, const struct change *x, bool forced, int64_t id)
{
	json_t *names = json_array();

	for (size_t i = 0; i < x->edges_n; i++)
		(void)json_array_append_new(
		    names, json_string(x->edges[i].name));
	op->out = json_pack("{s:I, s:o, s:s, s:b, s:{s:I, s:I, s:I}}",
	    "rotation", (json_int_t)id, "gateways", names, "root", x->root.name,
	    "forced", forced ? 1 : 0, "devices", "accepted",
	    (json_int_t)x->report.sum.accept.n, "refused",
	    (json_int_t)x->report.sum.refuse.n, "unknown",
	    (json_int_t)x->report.sum.unknown.n);
	return DVT_OK;
}

enum dvt_code
core_op_gateway_rotate(struct core_op *op, struct dvt_err *err)
{
	struct change x = {
	    .strict = strcmp(core_op_text(op, "validationMode", "strict"),
			  "lenient") != 0};
	bool given = core_op_text(op, "newCertificate", "")[0] != '\0';
	bool forced;
	int64_t id;
	enum dvt_code rc;

	if ((rc = pick_edges(op, &x, err)) != DVT_OK ||
	    (rc = find_old(op, &x, err)) != DVT_OK ||
	    (rc = given ? take_chain(op, &x, err) : pick_issuer(op, &x, err)) !=
		DVT_OK ||
	    (rc = judge(op, &x, &forced, err)) != DVT_OK ||
	    (rc = begin(op, &x, forced, &id, err)) != DVT_OK)
		goto out;
	rc = answer(op, &x, forced, id);
out:
	dvt_chain_fini(&x.chain);
	return rc;
}

/* --- back --- */

static enum dvt_code
roll_back_open(
    struct core_op *op, bool devices, int64_t *rotation, struct dvt_err *err)
{
	struct dvt_rotation *open;
	char reason[DVT_REASON_MAX];
	size_t n;
	enum dvt_code rc = dvt_store_rotation_open(
	    core_tx(op->c), core_arena(op->c), &open, &n, err);

	snprintf(reason, sizeof(reason), "asked by %s", op->actor);
	for (size_t i = 0; rc == DVT_OK && i < n; i++) {
		bool server = dvt_phase_is_server(open[i].kind);

		if (server ? open[i].switched_at == 0 : !devices)
			continue;
		rc = core_plan_event(op->c, op->actor, open[i].id,
		    DVT_ROT_EV_ROLLBACK, reason, err);
		if (server)
			*rotation = open[i].id;
	}
	return rc;
}

static int64_t
shown_generation(const struct dvt_row_gateway_credential *rows, size_t n)
{
	int64_t shown = INT64_MAX;

	for (size_t i = 0; i < n; i++)
		if (rows[i].slot == DVT_GWSLOT_CURRENT)
			shown = rows[i].generation;
	return shown;
}

/* The one of this generation, or the newest that was shown before the one
 * that is shown now: asked for twice, it does not go forward again. */
static const struct dvt_row_gateway_credential *
target_of(
    const struct dvt_row_gateway_credential *rows, size_t n, int64_t generation)
{
	const struct dvt_row_gateway_credential *best = NULL;
	int64_t shown = shown_generation(rows, n);

	for (size_t i = 0; i < n; i++) {
		if (rows[i].chain_pem[0] == '\0' ||
		    rows[i].slot == DVT_GWSLOT_GONE)
			continue;
		if (generation != 0
			? rows[i].generation == generation
			: rows[i].slot == DVT_GWSLOT_PREVIOUS &&
			      rows[i].generation < shown &&
			      (best == NULL ||
				  rows[i].generation > best->generation))
			best = &rows[i];
	}
	return best;
}

static enum dvt_code
show_again(struct core_op *op, const struct dvt_row_gateway *g,
    int64_t generation, struct dvt_err *err)
{
	const struct dvt_row_gateway_credential *up;
	struct dvt_row_gateway_credential *rows;
	size_t n;
	enum dvt_code rc = dvt_store_gateway_credential_list(
	    core_tx(op->c), core_arena(op->c), g->name, &rows, &n, err);

	if (rc != DVT_OK)
		return rc;
	if ((up = target_of(rows, n, generation)) == NULL)
		return dvt_fail(err, DVT_E_CONFLICT,
		    "%s holds nothing older to go back to than what it shows "
		    "(dovetail gateway recover --authority OLD makes one)",
		    g->name);
	for (size_t i = 0; rc == DVT_OK && i < n; i++)
		if (&rows[i] != up && rows[i].slot == DVT_GWSLOT_CURRENT)
			rc = core_gateway_slot(op->c, g->name, rows[i].id,
			    DVT_GWSLOT_PREVIOUS, err);
	if (rc == DVT_OK)
		rc = core_gateway_slot(
		    op->c, g->name, up->id, DVT_GWSLOT_CURRENT, err);
	if (rc == DVT_OK)
		rc = dvt_store_gateway_roots_set(core_tx(op->c), g->name,
		    up->root, g->next_root, false, err);
	if (rc == DVT_OK)
		rc = core_feed_policy(op->c, g->name, NULL, err);
	return rc == DVT_OK ? core_audit(op->c, op->actor, "gateway.rollback",
				  g->name, NULL, err)
			    : rc;
}

enum dvt_code
core_op_gateway_rollback(struct core_op *op, struct dvt_err *err)
{
	const json_t *target = json_object_get(op->args, "targetVersion");
	const json_t *keep = json_object_get(op->args, "preserveDeviceCerts");
	bool all = strcmp(core_op_text(op, "scope", "gateway-only"), "all") ==
		   0;
	int64_t rotation = 0, generation = json_integer_value(target);
	json_t *names = json_array();
	struct change x = {0};
	enum dvt_code rc;

	if ((rc = pick_edges(op, &x, err)) != DVT_OK)
		goto out;
	if (generation == 0)
		rc = roll_back_open(
		    op, all && !json_is_true(keep), &rotation, err);
	for (size_t i = 0; rc == DVT_OK && i < x.edges_n; i++) {
		if (rotation == 0)
			rc = show_again(op, &x.edges[i], generation, err);
		(void)json_array_append_new(
		    names, json_string(x.edges[i].name));
	}
	if (rc == DVT_OK)
		op->out = json_pack("{s:O, s:o}", "gateways", names, "rotation",
		    rotation == 0 ? json_null()
				  : json_integer((json_int_t)rotation));
out:
	json_decref(names);
	return rc;
}
