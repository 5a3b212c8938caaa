/* SPDX-License-Identifier: Apache-2.0 */
/* Edges and the feed they follow: see edge.h. */
#include "store/edge.h"

#include "store/maps.h"

#define EDGES_MAX       10000 /* gateways and fronts of one fleet */
#define CREDENTIALS_MAX 1000  /* of one edge, gone ones as well */
#define SLOT(slot)      BT("slot", dvt_gateway_slot_name(slot))

/* One row, or there is no such edge. */
static enum dvt_code
changed_one(
    enum dvt_code rc, int64_t changed, const char *name, struct dvt_err *err)
{
	if (rc == DVT_OK && changed != 1)
		rc = dvt_fail(
		    err, DVT_E_ABSENT, "there is no gateway %s", name);
	return rc;
}

enum dvt_code
dvt_store_gateway_add(
    struct dvt_tx *tx, const struct dvt_row_gateway *row, struct dvt_err *err)
{
	return dvt_sql_put(
	    tx, SQL_GATEWAY_ADD, &dvt_map_gateway, row, NULL, err);
}

enum dvt_code
dvt_store_gateway_get(struct dvt_tx *tx, struct dvt_arena *arena,
    const char *name, struct dvt_row_gateway *out, struct dvt_err *err)
{
	enum dvt_code rc;

	rc = dvt_sql_one(tx, SQL_GATEWAY_GET, &dvt_map_gateway, arena, out, err,
	    BT("name", name));
	if (rc == DVT_E_ABSENT)
		rc = dvt_fail(err, rc, "there is no gateway %s", name);
	return rc;
}

enum dvt_code
dvt_store_gateway_list(struct dvt_tx *tx, struct dvt_arena *arena,
    const char *after, int64_t limit, struct dvt_row_gateway **rows, size_t *n,
    struct dvt_err *err)
{
	return dvt_sql_list(tx, SQL_GATEWAY_LIST, &dvt_map_gateway, arena, rows,
	    n, err, BT("after", after), BI("limit", limit));
}

enum dvt_code
dvt_store_gateway_describe(
    struct dvt_tx *tx, const struct dvt_row_gateway *row, struct dvt_err *err)
{
	int64_t changed = 0;
	enum dvt_code rc;

	rc = dvt_sql_put(
	    tx, SQL_GATEWAY_DESCRIBE, &dvt_map_gateway, row, &changed, err);
	return changed_one(rc, changed, row->name, err);
}

enum dvt_code
dvt_store_gateway_roots_set(struct dvt_tx *tx, const char *name,
    const char *default_root, const char *next_root, bool forced,
    struct dvt_err *err)
{
	int64_t changed = 0;
	enum dvt_code rc;

	rc = dvt_sql_run(tx, SQL_GATEWAY_ROOTS_SET, &changed, err,
	    BT("name", name), BT("default_root", default_root),
	    BT("next_root", next_root), BI("forced", forced));
	return changed_one(rc, changed, name, err);
}

enum dvt_code
dvt_store_gateway_heard(struct dvt_tx *tx, const struct dvt_row_gateway *row,
    int64_t at, struct dvt_err *err)
{
	int64_t changed = 0;
	enum dvt_code rc;

	rc = dvt_sql_put(tx, SQL_GATEWAY_HEARD, &dvt_map_gateway, row, &changed,
	    err, BI("at", at));
	return changed_one(rc, changed, row->name, err);
}

enum dvt_code
dvt_store_gateway_batch(struct dvt_tx *tx, const char *name, int64_t batch,
    bool *fresh, struct dvt_err *err)
{
	int64_t changed = 0;
	enum dvt_code rc;

	rc = dvt_sql_run(tx, SQL_GATEWAY_BATCH, &changed, err, BT("name", name),
	    BI("batch", batch));
	*fresh = changed == 1;
	return rc;
}

enum dvt_code
dvt_store_gateway_remove(
    struct dvt_tx *tx, const char *name, struct dvt_err *err)
{
	int64_t changed = 0;
	enum dvt_code rc;

	rc = dvt_sql_run(
	    tx, SQL_GATEWAY_CREDENTIAL_FORGET, NULL, err, BT("gateway", name));
	if (rc != DVT_OK)
		return rc;
	rc = dvt_sql_run(
	    tx, SQL_GATEWAY_REMOVE, &changed, err, BT("name", name));
	return changed_one(rc, changed, name, err);
}

enum dvt_code
dvt_store_gateway_views(struct dvt_tx *tx, struct dvt_arena *arena,
    int64_t rotation_id, const char *old_root, const char *new_root,
    struct dvt_gateway_view **rows, size_t *n, struct dvt_err *err)
{
	return dvt_sql_list(tx, SQL_GATEWAY_VIEW, &dvt_map_gateway_view, arena,
	    rows, n, err, BI("rotation_id", rotation_id),
	    BT("old_root", old_root), BT("new_root", new_root),
	    BI("limit", EDGES_MAX));
}

/* --- credentials of edges --- */

enum dvt_code
dvt_store_gateway_credential_put(struct dvt_tx *tx,
    const struct dvt_row_gateway_credential *row, struct dvt_err *err)
{
	return dvt_sql_put(tx, SQL_GATEWAY_CREDENTIAL_PUT,
	    &dvt_map_gateway_credential, row, NULL, err);
}

enum dvt_code
dvt_store_gateway_credential_get(struct dvt_tx *tx, struct dvt_arena *arena,
    const char *gateway, const char *id, struct dvt_row_gateway_credential *out,
    struct dvt_err *err)
{
	enum dvt_code rc;

	rc = dvt_sql_one(tx, SQL_GATEWAY_CREDENTIAL_GET,
	    &dvt_map_gateway_credential, arena, out, err,
	    BT("gateway", gateway), BT("id", id));
	if (rc == DVT_E_ABSENT)
		rc = dvt_fail(
		    err, rc, "gateway %s has no credential %s", gateway, id);
	return rc;
}

enum dvt_code
dvt_store_gateway_credential_list(struct dvt_tx *tx, struct dvt_arena *arena,
    const char *gateway, struct dvt_row_gateway_credential **rows, size_t *n,
    struct dvt_err *err)
{
	return dvt_sql_list(tx, SQL_GATEWAY_CREDENTIAL_LIST,
	    &dvt_map_gateway_credential, arena, rows, n, err,
	    BT("gateway", gateway), BI("limit", CREDENTIALS_MAX));
}

enum dvt_code
dvt_store_gateway_credential_all(struct dvt_tx *tx, struct dvt_arena *arena,
    const char *after_gateway, const char *after_id, int64_t limit,
    struct dvt_row_gateway_credential **rows, size_t *n, struct dvt_err *err)
{
	return dvt_sql_list(tx, SQL_GATEWAY_CREDENTIAL_ALL,
	    &dvt_map_gateway_credential, arena, rows, n, err,
	    BT("after_gateway", after_gateway), BT("after_id", after_id),
	    BI("limit", limit));
}

enum dvt_code
dvt_store_gateway_credential_slot(struct dvt_tx *tx, const char *gateway,
    const char *id, enum dvt_gateway_slot slot, struct dvt_err *err)
{
	int64_t changed = 0;
	enum dvt_code rc;

	rc = dvt_sql_run(tx, SQL_GATEWAY_CREDENTIAL_SLOT, &changed, err,
	    BT("gateway", gateway), BT("id", id), SLOT(slot));
	if (rc == DVT_OK && changed != 1)
		rc = dvt_fail(err, DVT_E_ABSENT,
		    "gateway %s has no credential %s", gateway, id);
	return rc;
}

enum dvt_code
dvt_store_gateway_credential_csr(struct dvt_tx *tx, const char *gateway,
    const char *id, struct dvt_span csr, const char *key_digest,
    struct dvt_err *err)
{
	int64_t changed = 0;
	enum dvt_code rc;

	rc = dvt_sql_run(tx, SQL_GATEWAY_CREDENTIAL_CSR, &changed, err,
	    BT("gateway", gateway), BT("id", id), BB("csr", csr),
	    BT("key_digest", key_digest));
	return dvt_sql_expect_one(rc, changed, err,
	    "gateway %s: order %s does not wait for a request", gateway, id);
}

enum dvt_code
dvt_store_gateway_credential_issued(struct dvt_tx *tx,
    const struct dvt_row_gateway_credential *row, struct dvt_err *err)
{
	int64_t changed = 0;
	enum dvt_code rc;

	rc = dvt_sql_put(tx, SQL_GATEWAY_CREDENTIAL_ISSUED,
	    &dvt_map_gateway_credential, row, &changed, err);
	return dvt_sql_expect_one(rc, changed, err,
	    "gateway %s: %s is not on order", row->gateway, row->id);
}

/* --- the feed --- */

enum dvt_code
dvt_store_feed_get(struct dvt_tx *tx, struct dvt_arena *arena,
    enum dvt_feed_row_kind kind, const char *key, struct dvt_row_feed *out,
    struct dvt_err *err)
{
	return dvt_sql_one(tx, SQL_FEED_GET, &dvt_map_feed, arena, out, err,
	    BT("kind", dvt_feed_row_kind_name(kind)), BT("key", key));
}

static enum dvt_code
position_of(struct dvt_tx *tx, enum dvt_feed_row_kind kind, const char *key,
    int64_t *position, struct dvt_err *err)
{
	struct dvt_arena arena = {0};
	struct dvt_row_feed row;
	enum dvt_code rc;

	rc = dvt_store_feed_get(tx, &arena, kind, key, &row, err);
	*position = row.position;
	dvt_arena_free(&arena);
	return rc;
}

enum dvt_code
dvt_store_feed_set(struct dvt_tx *tx, enum dvt_feed_row_kind kind,
    const char *key, const char *gateway, const char *body, int64_t *position,
    bool *changed, struct dvt_err *err)
{
	enum dvt_code rc;
	int64_t at;
	bool new;

	rc = dvt_sql_i64(tx, SQL_FEED_SET, &at, err,
	    BT("kind", dvt_feed_row_kind_name(kind)), BT("key", key),
	    BT("gateway", gateway), BT("body", body));
	new = rc == DVT_OK;
	if (rc == DVT_E_ABSENT) /* it is so already */
		rc = position == NULL ? DVT_OK
				      : position_of(tx, kind, key, &at, err);
	if (rc != DVT_OK)
		return rc;
	if (position != NULL)
		*position = at;
	if (changed != NULL)
		*changed = new;
	return DVT_OK;
}

enum dvt_code
dvt_store_feed_list(struct dvt_tx *tx, struct dvt_arena *arena,
    const char *gateway, int64_t after, int64_t limit,
    struct dvt_row_feed **rows, size_t *n, struct dvt_err *err)
{
	return dvt_sql_list(tx, SQL_FEED_LIST, &dvt_map_feed, arena, rows, n,
	    err, BI("after", after), BT("gateway", gateway),
	    BI("limit", limit));
}

enum dvt_code
dvt_store_feed_of_gateway(struct dvt_tx *tx, struct dvt_arena *arena,
    const char *gateway, int64_t limit, struct dvt_row_feed **rows, size_t *n,
    struct dvt_err *err)
{
	return dvt_sql_list(tx, SQL_FEED_OF_GATEWAY, &dvt_map_feed, arena, rows,
	    n, err, BT("gateway", gateway), BI("limit", limit));
}

enum dvt_code
dvt_store_feed_position(
    struct dvt_tx *tx, int64_t *position, struct dvt_err *err)
{
	return dvt_sql_i64(tx, SQL_FEED_POSITION, position, err);
}
