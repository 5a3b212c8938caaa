/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Credentials of edges: an order asks an edge for a key, its report brings the
 * request, the certificate goes back by the feed.
 */
#include "base/log.h"
#include "dovetaild/core_gateway.h"
#include "dovetaild/core_owner.h"
#include "dovetaild/core_priv.h"
#include "dovetaild/core_rotation.h"
#include "dovetaild/est_rules.h"
#include "pki/key.h"
#include "proto/feed.h"
#include "store/authority.h"
#include "store/credential.h"
#include "store/edge.h"
#include "wire/csr.h"
#include "wire/json.h"
#include "wire/pem.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* The slot an order is for is the last word of its id ("r3-next"). */
static enum dvt_gateway_slot
slot_of(const char *order)
{
	const char *dash = strrchr(order, '-');
	enum dvt_gateway_slot slot = dvt_gateway_slot_from_name(
	    dash == NULL ? order : dash + 1);

	return slot == DVT_GWSLOT_ORDERED || slot == DVT_GWSLOT_GONE
		   ? DVT_GWSLOT_N
		   : slot;
}

static enum dvt_code
feed_order(struct core *c, const struct dvt_row_gateway *g,
    const struct dvt_row_authority *a, const char *order, struct dvt_err *err)
{
	char key[2 * DVT_NAME_MAX + 4];
	json_t *names = json_loads(g->names, 0, NULL), *body;
	enum dvt_code rc;

	body = json_pack("{s:s, s:s, s:s, s:o?, s:s}", "gateway", g->name,
	    "order", order, "listener", "main", "names", names, "authority",
	    a->name);
	snprintf(key, sizeof(key), "%s/%s", g->name, order);
	rc = core_feed_set(c, "csr", key, g->name, body, NULL, err);
	json_decref(body);
	return rc;
}

/* Main names, then the names of probe and trial: one certificate for all. */
static enum dvt_code
all_names(struct core *c, const struct dvt_row_gateway *g, const char **out,
    struct dvt_err *err)
{
	json_t *names = json_loads(g->names, 0, NULL);
	const char *more[] = {g->next_name, g->trial_name};
	struct dvt_buf text;

	if (!json_is_array(names)) {
		json_decref(names);
		return dvt_fail(err, DVT_E_CONFLICT,
		    "gateway %s has no list of names", g->name);
	}
	for (size_t i = 0; i < DVT_COUNT(more); i++) {
		if (more[i][0] != '\0')
			(void)json_array_append_new(
			    names, json_string(more[i]));
	}
	dvt_buf_init(&text, 16384);
	dvt_json_put(&text, names);
	*out = dvt_arena_strdup(core_arena(c), dvt_buf_str(&text));
	dvt_buf_fini(&text);
	json_decref(names);
	return DVT_OK;
}

static enum dvt_code
find_both(struct core *c, const char *gateway, int64_t authority,
    struct dvt_row_gateway *g, struct dvt_row_authority *a, struct dvt_err *err)
{
	enum dvt_code rc;

	rc = dvt_store_gateway_get(core_tx(c), core_arena(c), gateway, g, err);
	if (rc == DVT_E_ABSENT)
		return dvt_fail(err, rc, "there is no gateway %s", gateway);
	if (rc != DVT_OK || (rc = dvt_store_authority_get(core_tx(c),
				 core_arena(c), authority, a, err)) != DVT_OK)
		return rc;
	if (a->key_wrapped.p == NULL || a->state == DVT_AUTHORITY_RETIRED ||
	    a->state == DVT_AUTHORITY_REVOKED)
		return dvt_fail(err, DVT_E_CONFLICT,
		    "authority %s can issue nothing here (%s)", a->name,
		    a->key_wrapped.p == NULL
			? "its key is not held"
			: dvt_authority_state_name(a->state));
	return DVT_OK;
}

enum dvt_code
core_gateway_order(struct core *c, const char *gateway, const char *order,
    int64_t authority, const char *slot, int64_t rotation, struct dvt_err *err)
{
	char id[DVT_NAME_MAX + 1];
	struct dvt_row_gateway g;
	struct dvt_row_authority a;
	struct dvt_row_gateway_credential row = {.gateway = gateway,
	    .id = id,
	    .listener = "main",
	    .slot = DVT_GWSLOT_ORDERED,
	    .authority_id = authority,
	    .rotation_id = rotation,
	    .created_at = core_now(c).wall_s};
	struct dvt_row_gateway_credential there;
	enum dvt_code rc;

	if (slot_of(slot) == DVT_GWSLOT_N)
		return dvt_fail(err, DVT_E_INPUT, "no slot \"%s\"", slot);
	if (slot_of(order) == slot_of(slot))
		(void)dvt_copy_str(id, sizeof(id), order);
	else
		snprintf(id, sizeof(id), "%.100s-%s", order, slot);
	if ((rc = find_both(c, gateway, authority, &g, &a, err)) != DVT_OK)
		return rc;
	rc = dvt_store_gateway_credential_get(
	    core_tx(c), core_arena(c), gateway, id, &there, err);
	if (rc == DVT_OK)
		return DVT_OK; /* ordered before */
	if (rc != DVT_E_ABSENT ||
	    (rc = all_names(c, &g, &row.names, err)) != DVT_OK ||
	    (rc = dvt_store_gateway_credential_put(core_tx(c), &row, err)) !=
		DVT_OK)
		return rc;
	g.names = row.names;
	return feed_order(c, &g, &a, id, err);
}

/* --- the request came --- */

/* One order on its way through the signer. */
struct order_job {
	char gateway[DVT_NAME_MAX + 1];
	char id[DVT_NAME_MAX + 1];
	enum dvt_gateway_kind kind;
	int64_t authority;
};

static size_t
to_sans(const char *names, struct dvt_san *out)
{
	json_t *list = json_loads(names, 0, NULL);
	const json_t *item;
	uint8_t raw[DVT_IP_BYTES];
	size_t i, n = 0;

	json_array_foreach(list, i, item)
	{
		const char *text = json_string_value(item);

		if (text == NULL || n == DVT_SANS_MAX)
			continue;
		out[n].kind = dvt_ip_parse(text, raw) > 0 ? DVT_SAN_IP
							  : DVT_SAN_DNS;
		if (dvt_copy_str(out[n].text, sizeof(out[n].text), text) == 0)
			n++;
	}
	json_decref(list);
	return n;
}

/* Leaf, then the CAs above it without the root (RFC 8446 section 4.4.2). */
static enum dvt_code
chain_pem(struct core *c, int64_t authority, struct dvt_span leaf,
    const char **out, struct dvt_err *err)
{
	struct dvt_row_authority a;
	struct dvt_buf pem;
	enum dvt_code rc = DVT_OK;

	dvt_buf_init(&pem, DVT_CHAIN_PEM_MAX);
	dvt_pem_put(&pem, DVT_PEM_CERT, leaf);
	for (int depth = 0; authority != 0 && depth < DVT_CHAIN_MAX; depth++) {
		rc = dvt_store_authority_get(
		    core_tx(c), core_arena(c), authority, &a, err);
		if (rc != DVT_OK || a.is_root)
			break;
		dvt_pem_put(&pem, DVT_PEM_CERT, a.der);
		authority = a.parent_id;
	}
	if (rc == DVT_OK)
		rc = dvt_buf_ok(&pem, "chain", err);
	*out = dvt_arena_strdup(core_arena(c), dvt_buf_str(&pem));
	dvt_buf_fini(&pem);
	return rc;
}

/* Who held this slot before makes room. */
static enum dvt_code
make_room(struct core *c, const char *gateway, const char *id,
    enum dvt_gateway_slot slot, const char *root, int64_t *generation,
    struct dvt_err *err)
{
	struct dvt_row_gateway_credential *rows;
	size_t n;
	enum dvt_code rc = dvt_store_gateway_credential_list(
	    core_tx(c), core_arena(c), gateway, &rows, &n, err);

	*generation = 1;
	for (size_t i = 0; rc == DVT_OK && i < n; i++) {
		enum dvt_gateway_slot to = DVT_GWSLOT_GONE;

		if (rows[i].generation >= *generation)
			*generation = rows[i].generation + 1;
		if (strcmp(rows[i].id, id) == 0 || rows[i].slot != slot ||
		    (slot == DVT_GWSLOT_RECOVERY &&
			strcmp(rows[i].root, root) != 0))
			continue;
		if (slot == DVT_GWSLOT_CURRENT &&
		    strcmp(rows[i].root, root) != 0)
			to = DVT_GWSLOT_PREVIOUS;
		rc = core_gateway_slot(c, gateway, rows[i].id, to, err);
	}
	return rc;
}

/* What an edge shows no more is not needed by anybody. */
static enum dvt_code
let_go(struct core *c, const char *gateway, const char *id, struct dvt_err *err)
{
	int64_t now = core_now(c).wall_s;
	struct dvt_row_gateway_credential row;
	struct dvt_row_credential cred;
	enum dvt_code rc;

	rc = dvt_store_gateway_credential_get(
	    core_tx(c), core_arena(c), gateway, id, &row, err);
	if (rc != DVT_OK || row.fingerprint[0] == '\0')
		return rc;
	rc = dvt_store_credential_by_fingerprint(
	    core_tx(c), core_arena(c), row.fingerprint, &cred, err);
	if (rc == DVT_E_ABSENT ||
	    (rc == DVT_OK && cred.state != DVT_CRED_ACTIVE))
		return DVT_OK;
	return rc == DVT_OK ? dvt_store_credential_supersede(
				  core_tx(c), row.fingerprint, now, now, err)
			    : rc;
}

enum dvt_code
core_gateway_slot(struct core *c, const char *gateway, const char *id,
    enum dvt_gateway_slot slot, struct dvt_err *err)
{
	enum dvt_code rc = dvt_store_gateway_credential_slot(
	    core_tx(c), gateway, id, slot, err);

	if (rc == DVT_OK && slot == DVT_GWSLOT_GONE)
		rc = let_go(c, gateway, id, err);
	return rc == DVT_OK ? core_feed_credential(c, gateway, id, NULL, err)
			    : rc;
}

static enum dvt_code
fill_issued(struct core *c, const struct order_job *j, struct dvt_span der,
    struct dvt_row_gateway_credential *row, struct dvt_err *err)
{
	char hex[DVT_DIGEST_HEX];
	struct dvt_row_credential cred;
	enum dvt_code rc;

	dvt_sha256_hex(der, hex);
	rc = dvt_store_credential_by_fingerprint(
	    core_tx(c), core_arena(c), hex, &cred, err);
	if (rc != DVT_OK)
		return rc;
	row->fingerprint = cred.fingerprint;
	row->root = cred.root;
	row->not_after = cred.not_after;
	row->slot = slot_of(j->id);
	if ((rc = dvt_store_credential_confirm(core_tx(c), cred.fingerprint,
		 core_now(c).wall_s, err)) != DVT_OK ||
	    (rc = chain_pem(c, j->authority, der, &row->chain_pem, err)) !=
		DVT_OK)
		return rc;
	return make_room(
	    c, j->gateway, j->id, row->slot, row->root, &row->generation, err);
}

enum dvt_code
core_gateway_adopt_root(
    struct core *c, const char *gateway, const char *root, struct dvt_err *err)
{
	struct dvt_row_gateway g;
	enum dvt_code rc = dvt_store_gateway_get(
	    core_tx(c), core_arena(c), gateway, &g, err);

	if (rc != DVT_OK || g.default_root[0] != '\0' || root[0] == '\0')
		return rc;
	rc = dvt_store_gateway_roots_set(
	    core_tx(c), gateway, root, g.next_root, g.forced, err);
	return rc == DVT_OK ? core_feed_policy(c, gateway, NULL, err) : rc;
}

struct order_result {
	struct order_job *j;
	struct dvt_span der;
};

static enum dvt_code
record_order(struct core *c, void *ctx, struct dvt_err *err)
{
	struct order_result *r = ctx;
	struct order_job *j = r->j;
	struct core_issue issue = {.kind = j->kind == DVT_EDGE_FRONT
					       ? DVT_OWNER_FRONT
					       : DVT_OWNER_GATEWAY,
	    .owner = j->gateway,
	    .authority = j->authority,
	    .der = r->der,
	    .source = "csr"};
	struct dvt_row_gateway_credential row;
	char key[2 * DVT_NAME_MAX + 4];
	enum dvt_code rc;

	rc = dvt_store_gateway_credential_get(
	    core_tx(c), core_arena(c), j->gateway, j->id, &row, err);
	if (rc != DVT_OK || row.slot != DVT_GWSLOT_ORDERED)
		return rc; /* issued or withdrawn meanwhile */
	snprintf(key, sizeof(key), "%s/%s", j->gateway, j->id);
	if ((rc = core_issue_record(c, &issue, err)) != DVT_OK ||
	    (rc = fill_issued(c, j, r->der, &row, err)) != DVT_OK ||
	    (rc = dvt_store_gateway_credential_issued(core_tx(c), &row, err)) !=
		DVT_OK ||
	    (rc = core_feed_set(c, "csr", key, j->gateway, NULL, NULL, err)) !=
		DVT_OK ||
	    (rc = core_feed_credential(c, j->gateway, j->id, NULL, err)) !=
		DVT_OK)
		return rc;
	if ((rc = core_rotation_ordered(c, j->gateway, j->id, err)) != DVT_OK)
		return rc;
	return core_gateway_adopt_root(c, j->gateway, row.root, err);
}

static enum dvt_code
order_signed(
    struct core *c, void *ctx, const struct sign_reply *r, struct dvt_err *err)
{
	struct order_result result = {.j = ctx, .der = r->der};

	if (r->code != DVT_OK) {
		log_event(LOG_WARNING, "gateway.order.refused",
		    LS("gateway", result.j->gateway), LS("order", result.j->id),
		    LS("why", r->why));
		return core_alert(c, "warn", result.j->gateway,
		    "gateway-certificate", r->why, err);
	}
	return record_order(c, &result, err);
}

static enum dvt_code
sign_order(struct core *c, const struct order_job *j,
    const struct dvt_row_gateway_credential *row, struct dvt_span spki,
    struct dvt_err *err)
{
	struct dvt_san *sans = dvt_arena_alloc(
	    core_arena(c), DVT_SANS_MAX * sizeof(*sans));
	struct dvt_row_profile p;
	struct dvt_row_authority a;
	struct est_dates dates;
	struct dvt_buf name;
	struct sign_request q = {.kind = SIGN_LEAF,
	    .authority = j->authority,
	    .spki = spki,
	    .sans = sans};
	struct order_job *copy;
	enum dvt_code rc;

	dvt_buf_init(&name, 1024);
	q.sans_n = to_sans(row->names, sans);
	rc = dvt_store_profile_by_name(core_tx(c), core_arena(c),
	    j->kind == DVT_EDGE_FRONT ? "front" : "gateway", &p, err);
	if (rc != DVT_OK ||
	    (rc = dvt_store_authority_get(
		 core_tx(c), core_arena(c), j->authority, &a, err)) != DVT_OK ||
	    (rc = est_dates(&(struct sign_profile){.validity_s = p.validity_s,
				.jitter_s = p.jitter_s,
				.backdate_s = p.backdate_s},
		 j->gateway, a.name, a.not_before,
		 a.not_after - p.validity_s - p.jitter_s, core_now(c).wall_s,
		 &dates, err)) != DVT_OK ||
	    (rc = dvt_name_from_cn(j->gateway, &name, err)) != DVT_OK ||
	    (rc = dvt_serial_make(q.serial, err)) != DVT_OK)
		goto out;
	q.profile_digest = p.digest;
	q.subject = dvt_buf_span(&name);
	q.not_before = dates.not_before;
	q.not_after = dates.not_after;
	copy = dvt_alloc(sizeof(*copy));
	*copy = *j;
	rc = core_sign(c, &q, order_signed, NULL, copy, err);
	if (rc != DVT_OK)
		free(copy);
out:
	dvt_buf_fini(&name);
	return rc;
}

enum dvt_code
core_gateway_csr(struct core *c, const struct dvt_row_gateway *g,
    const char *order, struct dvt_span der, struct dvt_err *err)
{
	struct dvt_csr *csr = dvt_arena_alloc(core_arena(c), sizeof(*csr));
	struct dvt_row_gateway_credential row;
	struct order_job j = {.kind = g->kind};
	char digest[DVT_DIGEST_HEX];
	enum dvt_code rc;

	rc = dvt_store_gateway_credential_get(
	    core_tx(c), core_arena(c), g->name, order, &row, err);
	if (rc == DVT_E_ABSENT ||
	    (rc == DVT_OK && row.slot != DVT_GWSLOT_ORDERED))
		return DVT_OK; /* answered, or withdrawn */
	if (rc != DVT_OK || (rc = dvt_csr_parse(der, csr, err)) != DVT_OK)
		return rc;
	(void)dvt_copy_str(j.gateway, sizeof(j.gateway), g->name);
	(void)dvt_copy_str(j.id, sizeof(j.id), order);
	j.authority = row.authority_id;
	dvt_sha256_hex(csr->spki.der, digest);
	if (row.csr.p == NULL &&
	    (rc = dvt_store_gateway_credential_csr(
		 core_tx(c), g->name, order, der, digest, err)) != DVT_OK)
		return rc;
	return sign_order(c, &j, &row, csr->spki.der, err);
}
