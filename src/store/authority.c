/* SPDX-License-Identifier: Apache-2.0 */
/* Authorities and profiles: see authority.h. */
#include "store/authority.h"

#include "store/maps.h"

#include <inttypes.h>

enum dvt_code
dvt_store_authority_add(struct dvt_tx *tx, const struct dvt_row_authority *row,
    int64_t *id, struct dvt_err *err)
{
	return dvt_sql_put_i64(
	    tx, SQL_AUTHORITY_ADD, &dvt_map_authority, row, id, err);
}

/* "none" of a statement is no text for people. */
static enum dvt_code
absent(enum dvt_code rc, struct dvt_err *err, const char *what)
{
	return rc == DVT_E_ABSENT
		   ? dvt_fail(err, rc, "there is no authority %s", what)
		   : rc;
}

enum dvt_code
dvt_store_authority_get(struct dvt_tx *tx, struct dvt_arena *arena, int64_t id,
    struct dvt_row_authority *out, struct dvt_err *err)
{
	enum dvt_code rc;

	rc = dvt_sql_one(tx, SQL_AUTHORITY_GET, &dvt_map_authority, arena, out,
	    err, BI("id", id));
	if (rc == DVT_E_ABSENT)
		rc = dvt_fail(
		    err, rc, "there is no authority number %" PRId64, id);
	return rc;
}

enum dvt_code
dvt_store_authority_by_name(struct dvt_tx *tx, struct dvt_arena *arena,
    const char *name, struct dvt_row_authority *out, struct dvt_err *err)
{
	return absent(dvt_sql_one(tx, SQL_AUTHORITY_BY_NAME, &dvt_map_authority,
			  arena, out, err, BT("name", name)),
	    err, name);
}

enum dvt_code
dvt_store_authority_by_fingerprint(struct dvt_tx *tx, struct dvt_arena *arena,
    const char *fingerprint, struct dvt_row_authority *out, struct dvt_err *err)
{
	return absent(
	    dvt_sql_one(tx, SQL_AUTHORITY_BY_FINGERPRINT, &dvt_map_authority,
		arena, out, err, BT("fingerprint", fingerprint)),
	    err, fingerprint);
}

enum dvt_code
dvt_store_authority_list(struct dvt_tx *tx, struct dvt_arena *arena,
    int64_t after, int64_t limit, struct dvt_row_authority **rows, size_t *n,
    struct dvt_err *err)
{
	return dvt_sql_list(tx, SQL_AUTHORITY_LIST, &dvt_map_authority, arena,
	    rows, n, err, BI("after", after), BI("limit", limit));
}

enum dvt_code
dvt_store_authority_by_key(struct dvt_tx *tx, struct dvt_arena *arena,
    const char *key_digest, int64_t limit, struct dvt_row_authority **rows,
    size_t *n, struct dvt_err *err)
{
	return dvt_sql_list(tx, SQL_AUTHORITY_BY_KEY, &dvt_map_authority, arena,
	    rows, n, err, BT("key_digest", key_digest), BI("limit", limit));
}

enum dvt_code
dvt_store_authority_state_set(struct dvt_tx *tx, int64_t id,
    enum dvt_authority_state was, enum dvt_authority_state state,
    struct dvt_err *err)
{
	int64_t changed = 0;
	enum dvt_code rc;

	rc = dvt_sql_run(tx, SQL_AUTHORITY_STATE_SET, &changed, err,
	    BI("id", id), BT("was", dvt_authority_state_name(was)),
	    BT("state", dvt_authority_state_name(state)));
	return dvt_sql_expect_one(rc, changed, err,
	    "authority number %" PRId64 " is not %s", id,
	    dvt_authority_state_name(was));
}

/* The rest of the changes: one row, or there is no such authority. */
static enum dvt_code
changed_one(enum dvt_code rc, int64_t changed, int64_t id, struct dvt_err *err)
{
	if (rc == DVT_OK && changed != 1)
		rc = dvt_fail(err, DVT_E_ABSENT,
		    "there is no authority number %" PRId64, id);
	return rc;
}

enum dvt_code
dvt_store_authority_key_set(
    struct dvt_tx *tx, int64_t id, struct dvt_span wrapped, struct dvt_err *err)
{
	int64_t changed = 0;
	enum dvt_code rc;

	rc = dvt_sql_run(tx, SQL_AUTHORITY_KEY_SET, &changed, err, BI("id", id),
	    BB("key_wrapped", wrapped));
	return changed_one(rc, changed, id, err);
}

enum dvt_code
dvt_store_authority_cross_set(struct dvt_tx *tx, int64_t id,
    struct dvt_span der, int64_t by, struct dvt_err *err)
{
	int64_t changed = 0;
	enum dvt_code rc;

	rc = dvt_sql_run(tx, SQL_AUTHORITY_CROSS_SET, &changed, err,
	    BI("id", id), BB("cross_der", der), BI("cross_by", by));
	return changed_one(rc, changed, id, err);
}

enum dvt_code
dvt_store_authority_use_set(struct dvt_tx *tx, int64_t id, bool use_server,
    bool use_device, struct dvt_err *err)
{
	int64_t changed = 0;
	enum dvt_code rc;

	rc = dvt_sql_run(tx, SQL_AUTHORITY_USE_SET, &changed, err, BI("id", id),
	    BI("use_server", use_server), BI("use_device", use_device));
	return changed_one(rc, changed, id, err);
}

/* --- profiles --- */

enum dvt_code
dvt_store_profile_set(struct dvt_tx *tx, const struct dvt_row_profile *row,
    int64_t *id, struct dvt_err *err)
{
	return dvt_sql_put_i64(
	    tx, SQL_PROFILE_SET, &dvt_map_profile, row, id, err);
}

enum dvt_code
dvt_store_profile_by_name(struct dvt_tx *tx, struct dvt_arena *arena,
    const char *name, struct dvt_row_profile *out, struct dvt_err *err)
{
	enum dvt_code rc;

	rc = dvt_sql_one(tx, SQL_PROFILE_BY_NAME, &dvt_map_profile, arena, out,
	    err, BT("name", name));
	if (rc == DVT_E_ABSENT)
		rc = dvt_fail(err, rc, "there is no profile %s", name);
	return rc;
}

enum dvt_code
dvt_store_profile_list(struct dvt_tx *tx, struct dvt_arena *arena,
    int64_t after, int64_t limit, struct dvt_row_profile **rows, size_t *n,
    struct dvt_err *err)
{
	return dvt_sql_list(tx, SQL_PROFILE_LIST, &dvt_map_profile, arena, rows,
	    n, err, BI("after", after), BI("limit", limit));
}
