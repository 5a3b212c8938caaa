/* SPDX-License-Identifier: Apache-2.0 */
/* Updates on devices and their steps: see watch.h. */
#include "store/watch.h"

#include "store/maps.h"

#define STEPS_MAX 1000 /* of one update */

enum dvt_code
dvt_store_update_start(
    struct dvt_tx *tx, const struct dvt_row_update *row, struct dvt_err *err)
{
	return dvt_sql_put(
	    tx, SQL_UPDATE_START, &dvt_map_update, row, NULL, err);
}

enum dvt_code
dvt_store_update_finish(struct dvt_tx *tx, const char *device_id,
    const char *id, int64_t at, const char *outcome, struct dvt_err *err)
{
	return dvt_sql_run(tx, SQL_UPDATE_FINISH, NULL, err,
	    BT("device_id", device_id), BT("id", id), BI("at", at),
	    BT("outcome", outcome));
}

enum dvt_code
dvt_store_update_get(struct dvt_tx *tx, struct dvt_arena *arena,
    const char *device_id, const char *id, struct dvt_row_update *out,
    struct dvt_err *err)
{
	enum dvt_code rc;

	rc = dvt_sql_one(tx, SQL_UPDATE_GET, &dvt_map_update, arena, out, err,
	    BT("device_id", device_id), BT("id", id));
	if (rc == DVT_E_ABSENT)
		rc = dvt_fail(
		    err, rc, "device %s has no update %s", device_id, id);
	return rc;
}

enum dvt_code
dvt_store_update_list(struct dvt_tx *tx, struct dvt_arena *arena,
    const char *device_id, int64_t limit, struct dvt_row_update **rows,
    size_t *n, struct dvt_err *err)
{
	return dvt_sql_list(tx, SQL_UPDATE_LIST, &dvt_map_update, arena, rows,
	    n, err, BT("device_id", device_id), BI("limit", limit));
}

enum dvt_code
dvt_store_step_add(struct dvt_tx *tx, const struct dvt_row_step *row,
    bool *added, struct dvt_err *err)
{
	int64_t changed = 0;
	enum dvt_code rc;

	rc = dvt_sql_put(tx, SQL_STEP_ADD, &dvt_map_step, row, &changed, err);
	if (added != NULL)
		*added = changed == 1;
	return rc;
}

enum dvt_code
dvt_store_step_list(struct dvt_tx *tx, struct dvt_arena *arena,
    const char *device_id, const char *id, struct dvt_row_step **rows,
    size_t *n, struct dvt_err *err)
{
	return dvt_sql_list(tx, SQL_STEP_LIST, &dvt_map_step, arena, rows, n,
	    err, BT("device_id", device_id), BT("id", id),
	    BI("limit", STEPS_MAX));
}
