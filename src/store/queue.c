/* SPDX-License-Identifier: Apache-2.0 */
/* Mailbox, outbox and tallies of rotations: see rotation.h. */
#include "store/rotation.h"

#include "store/maps.h"

#define MAIL_MAX 100 /* instructions that wait for one device */

enum dvt_code
dvt_store_mail_put(
    struct dvt_tx *tx, const struct dvt_row_mail *row, struct dvt_err *err)
{
	return dvt_sql_put(tx, SQL_MAIL_PUT, &dvt_map_mail, row, NULL, err);
}

enum dvt_code
dvt_store_mail_list(struct dvt_tx *tx, struct dvt_arena *arena,
    const char *device_id, struct dvt_row_mail **rows, size_t *n,
    struct dvt_err *err)
{
	return dvt_sql_list(tx, SQL_MAIL_LIST, &dvt_map_mail, arena, rows, n,
	    err, BT("device_id", device_id), BI("limit", MAIL_MAX));
}

enum dvt_code
dvt_store_mail_told(
    struct dvt_tx *tx, const char *device_id, int64_t at, struct dvt_err *err)
{
	return dvt_sql_run(tx, SQL_MAIL_TOLD, NULL, err,
	    BT("device_id", device_id), BI("at", at));
}

enum dvt_code
dvt_store_mail_take(struct dvt_tx *tx, const char *device_id, const char *id,
    bool *taken, struct dvt_err *err)
{
	int64_t changed = 0;
	enum dvt_code rc;

	rc = dvt_sql_run(tx, SQL_MAIL_TAKE, &changed, err,
	    BT("device_id", device_id), BT("id", id));
	if (taken != NULL)
		*taken = changed == 1;
	return rc;
}

/* --- outbox --- */

enum dvt_code
dvt_store_outbox_put(struct dvt_tx *tx, const struct dvt_row_outbox *row,
    bool *queued, struct dvt_err *err)
{
	int64_t changed = 0;
	enum dvt_code rc;

	rc = dvt_sql_put(
	    tx, SQL_OUTBOX_PUT, &dvt_map_outbox, row, &changed, err);
	if (queued != NULL)
		*queued = changed == 1;
	return rc;
}

enum dvt_code
dvt_store_outbox_due(struct dvt_tx *tx, struct dvt_arena *arena, int64_t now,
    int64_t limit, struct dvt_row_outbox **rows, size_t *n, struct dvt_err *err)
{
	return dvt_sql_list(tx, SQL_OUTBOX_DUE, &dvt_map_outbox, arena, rows, n,
	    err, BI("now", now), BI("limit", limit));
}

enum dvt_code
dvt_store_outbox_by_key(struct dvt_tx *tx, struct dvt_arena *arena,
    const char *key, struct dvt_row_outbox *out, struct dvt_err *err)
{
	enum dvt_code rc;

	rc = dvt_sql_one(tx, SQL_OUTBOX_BY_KEY, &dvt_map_outbox, arena, out,
	    err, BT("key", key));
	if (rc == DVT_E_ABSENT)
		rc = dvt_fail(err, rc, "nothing is queued as %s", key);
	return rc;
}

enum dvt_code
dvt_store_outbox_end(struct dvt_tx *tx, int64_t id, enum dvt_outbox_state state,
    const char *result, struct dvt_err *err)
{
	return dvt_sql_run(tx, SQL_OUTBOX_END, NULL, err, BI("id", id),
	    BT("state", dvt_outbox_state_name(state)), BT("result", result));
}

enum dvt_code
dvt_store_outbox_again(struct dvt_tx *tx, int64_t id, int64_t due_at,
    const char *result, struct dvt_err *err)
{
	return dvt_sql_run(tx, SQL_OUTBOX_AGAIN, NULL, err, BI("id", id),
	    BI("due_at", due_at), BT("result", result));
}

enum dvt_code
dvt_store_outbox_of_rotation(struct dvt_tx *tx, struct dvt_arena *arena,
    int64_t rotation_id, enum dvt_outbox_state state, int64_t limit,
    struct dvt_row_outbox **rows, size_t *n, struct dvt_err *err)
{
	return dvt_sql_list(tx, SQL_OUTBOX_OF_ROTATION, &dvt_map_outbox, arena,
	    rows, n, err, BI("rotation_id", rotation_id),
	    BT("state", dvt_outbox_state_name(state)), BI("limit", limit));
}

/* --- tallies --- */

enum dvt_code
dvt_store_tally_add(struct dvt_tx *tx, int64_t rotation_id, int64_t wave,
    const char *what, int64_t shard, int64_t n, struct dvt_err *err)
{
	return dvt_sql_run(tx, SQL_TALLY_ADD, NULL, err,
	    BI("rotation_id", rotation_id), BI("wave", wave), BT("what", what),
	    BI("shard", shard), BI("n", n));
}

enum dvt_code
dvt_store_tally_list(struct dvt_tx *tx, struct dvt_arena *arena,
    int64_t rotation_id, struct dvt_row_tally **rows, size_t *n,
    struct dvt_err *err)
{
	return dvt_sql_list(tx, SQL_TALLY_LIST, &dvt_map_tally, arena, rows, n,
	    err, BI("rotation_id", rotation_id));
}
