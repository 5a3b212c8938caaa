/* SPDX-License-Identifier: Apache-2.0 */
/* Tokens and approvals: see people.h. */
#include "store/people.h"

#include "store/maps.h"

#include <inttypes.h>

enum dvt_code
dvt_store_token_add(struct dvt_tx *tx, const struct dvt_row_token *row,
    int64_t *id, struct dvt_err *err)
{
	int64_t given;
	enum dvt_code rc;

	rc = dvt_sql_put_i64(
	    tx, SQL_TOKEN_ADD, &dvt_map_token, row, &given, err);
	if (rc == DVT_OK && id != NULL)
		*id = given;
	return rc;
}

enum dvt_code
dvt_store_token_by_hash(struct dvt_tx *tx, struct dvt_arena *arena,
    const char *hash, struct dvt_row_token *out, struct dvt_err *err)
{
	enum dvt_code rc;

	rc = dvt_sql_one(tx, SQL_TOKEN_BY_HASH, &dvt_map_token, arena, out, err,
	    BT("hash", hash));
	if (rc == DVT_E_ABSENT)
		rc = dvt_fail(err, rc, "this token is not known");
	return rc;
}

enum dvt_code
dvt_store_token_by_name(struct dvt_tx *tx, struct dvt_arena *arena,
    const char *name, struct dvt_row_token *out, struct dvt_err *err)
{
	enum dvt_code rc;

	rc = dvt_sql_one(tx, SQL_TOKEN_BY_NAME, &dvt_map_token, arena, out, err,
	    BT("name", name));
	if (rc == DVT_E_ABSENT)
		rc = dvt_fail(err, rc, "there is no token %s", name);
	return rc;
}

enum dvt_code
dvt_store_token_revoke(
    struct dvt_tx *tx, const char *name, int64_t at, struct dvt_err *err)
{
	int64_t changed = 0;
	enum dvt_code rc;

	rc = dvt_sql_run(tx, SQL_TOKEN_REVOKE, &changed, err, BT("name", name),
	    BI("at", at));
	return dvt_sql_expect_one(rc, changed, err,
	    "token %s: there is none, or it was revoked before", name);
}

/* --- approvals --- */

enum dvt_code
dvt_store_approval_add(struct dvt_tx *tx, const struct dvt_row_approval *row,
    int64_t *id, struct dvt_err *err)
{
	return dvt_sql_put_i64(
	    tx, SQL_APPROVAL_ADD, &dvt_map_approval, row, id, err);
}

enum dvt_code
dvt_store_approval_get(struct dvt_tx *tx, struct dvt_arena *arena, int64_t id,
    struct dvt_row_approval *out, struct dvt_err *err)
{
	enum dvt_code rc;

	rc = dvt_sql_one(tx, SQL_APPROVAL_GET, &dvt_map_approval, arena, out,
	    err, BI("id", id));
	if (rc == DVT_E_ABSENT)
		rc = dvt_fail(err, rc, "there is no approval %" PRId64, id);
	return rc;
}

enum dvt_code
dvt_store_approval_find(struct dvt_tx *tx, struct dvt_arena *arena,
    const char *action, const char *digest, int64_t now,
    struct dvt_row_approval *out, struct dvt_err *err)
{
	enum dvt_code rc;

	rc = dvt_sql_one(tx, SQL_APPROVAL_OPEN, &dvt_map_approval, arena, out,
	    err, BT("action", action), BT("digest", digest), BI("now", now));
	if (rc == DVT_E_ABSENT)
		rc = dvt_fail(err, rc, "no approval of %s is open", action);
	return rc;
}

enum dvt_code
dvt_store_approval_give(struct dvt_tx *tx, int64_t id, const char *by,
    int64_t now, struct dvt_err *err)
{
	int64_t changed = 0;
	enum dvt_code rc;

	rc = dvt_sql_run(tx, SQL_APPROVAL_GIVE, &changed, err, BI("id", id),
	    BT("given_by", by), BI("now", now));
	return dvt_sql_expect_one(rc, changed, err,
	    "approval %" PRId64
	    ": given before, withdrawn, expired, or asked for by %s",
	    id, by);
}

enum dvt_code
dvt_store_approval_use(struct dvt_tx *tx, int64_t id, const char *digest,
    int64_t now, struct dvt_err *err)
{
	int64_t changed = 0;
	enum dvt_code rc;

	rc = dvt_sql_run(tx, SQL_APPROVAL_USE, &changed, err, BI("id", id),
	    BT("digest", digest), BI("now", now));
	return dvt_sql_expect_one(rc, changed, err,
	    "approval %" PRId64
	    ": not given, expired, withdrawn, used before, or for "
	    "something else",
	    id);
}

enum dvt_code
dvt_store_approval_withdraw(struct dvt_tx *tx, int64_t rotation_id, int64_t id,
    int64_t now, int64_t *n, struct dvt_err *err)
{
	*n = 0;
	return dvt_sql_run(tx, SQL_APPROVAL_WITHDRAW, n, err,
	    BI("rotation_id", rotation_id), BI("id", id), BI("now", now));
}
