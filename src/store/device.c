/* SPDX-License-Identifier: Apache-2.0 */
/* The inventory: see device.h. */
#include "store/device.h"

#include "store/maps.h"

enum dvt_code
dvt_store_device_add(struct dvt_tx *tx, const struct dvt_row_device *row,
    bool *added, struct dvt_err *err)
{
	struct dvt_row_device copy = *row;
	int64_t changed = 0;
	enum dvt_code rc;

	if (copy.park_at == 0)
		copy.park_at = copy.created_at + 3 * copy.period_s;
	rc = dvt_sql_put(
	    tx, SQL_DEVICE_ADD, &dvt_map_device, &copy, &changed, err);
	*added = changed == 1;
	return rc;
}

static enum dvt_code
absent(enum dvt_code rc, const char *device_id, struct dvt_err *err)
{
	return dvt_fail(err, rc, "there is no device %s", device_id);
}

/* One row, or there is no such device. */
static enum dvt_code
changed_one(enum dvt_code rc, int64_t changed, const char *device_id,
    struct dvt_err *err)
{
	return rc == DVT_OK && changed != 1
		   ? absent(DVT_E_ABSENT, device_id, err)
		   : rc;
}

enum dvt_code
dvt_store_device_get(struct dvt_tx *tx, struct dvt_arena *arena,
    const char *device_id, struct dvt_row_device *out, struct dvt_err *err)
{
	enum dvt_code rc;

	rc = dvt_sql_one(tx, SQL_DEVICE_GET, &dvt_map_device, arena, out, err,
	    BT("device_id", device_id));
	return rc == DVT_E_ABSENT ? absent(rc, device_id, err) : rc;
}

enum dvt_code
dvt_store_device_describe(
    struct dvt_tx *tx, const struct dvt_row_device *row, struct dvt_err *err)
{
	int64_t changed = 0;
	enum dvt_code rc;

	rc = dvt_sql_put(
	    tx, SQL_DEVICE_DESCRIBE, &dvt_map_device, row, &changed, err);
	return changed_one(rc, changed, row->device_id, err);
}

enum dvt_code
dvt_store_device_names_set(
    struct dvt_tx *tx, const struct dvt_row_device *row, struct dvt_err *err)
{
	int64_t changed = 0;
	enum dvt_code rc;

	rc = dvt_sql_put(
	    tx, SQL_DEVICE_NAMES_SET, &dvt_map_device, row, &changed, err);
	return changed_one(rc, changed, row->device_id, err);
}

enum dvt_code
dvt_store_device_state_set(struct dvt_tx *tx, const char *device_id,
    enum dvt_device_state was, enum dvt_device_state state,
    const char *blocked_case, struct dvt_err *err)
{
	int64_t changed = 0;
	enum dvt_code rc;

	rc = dvt_sql_run(tx, SQL_DEVICE_STATE_SET, &changed, err,
	    BT("device_id", device_id), BT("was", dvt_device_state_name(was)),
	    BT("state", dvt_device_state_name(state)),
	    BT("blocked_case", blocked_case));
	return dvt_sql_expect_one(rc, changed, err, "device %s is not %s",
	    device_id, dvt_device_state_name(was));
}

enum dvt_code
dvt_store_device_seen(
    struct dvt_tx *tx, const char *device_id, int64_t at, struct dvt_err *err)
{
	return dvt_sql_run(tx, SQL_DEVICE_SEEN, NULL, err,
	    BT("device_id", device_id), BI("at", at));
}

enum dvt_code
dvt_store_device_checkin(struct dvt_tx *tx, const char *device_id, int64_t at,
    int64_t clock_off_s, const char *agent, struct dvt_err *err)
{
	int64_t changed = 0;
	enum dvt_code rc;

	rc = dvt_sql_run(tx, SQL_DEVICE_CHECKIN, &changed, err,
	    BT("device_id", device_id), BI("at", at),
	    BI("clock_off_s", clock_off_s), BT("agent", agent));
	return changed_one(rc, changed, device_id, err);
}

enum dvt_code
dvt_store_device_renewed(
    struct dvt_tx *tx, const char *device_id, int64_t at, struct dvt_err *err)
{
	int64_t changed = 0;
	enum dvt_code rc;

	rc = dvt_sql_run(tx, SQL_DEVICE_RENEWED, &changed, err,
	    BT("device_id", device_id), BI("at", at));
	return changed_one(rc, changed, device_id, err);
}

enum dvt_code
dvt_store_device_silent(struct dvt_tx *tx, struct dvt_arena *arena, int64_t now,
    int64_t limit, const char *const **ids, size_t *n, struct dvt_err *err)
{
	return dvt_sql_texts(tx, SQL_DEVICE_SILENT, arena, ids, n, err,
	    BI("now", now), BI("limit", limit));
}

enum dvt_code
dvt_store_device_count(
    struct dvt_tx *tx, int64_t n[DVT_DEVICE_N], struct dvt_err *err)
{
	struct dvt_stmt *q;
	enum dvt_code rc;
	bool row;

	memset(n, 0, DVT_DEVICE_N * sizeof(*n));
	if ((rc = dvt_stmt_get(tx, SQL_DEVICE_COUNT_BY_STATE, &q, err)) !=
	    DVT_OK)
		return rc;
	while ((rc = dvt_stmt_next(q, &row, err)) == DVT_OK && row) {
		enum dvt_device_state state = dvt_device_state_from_name(
		    dvt_col_text(q, "state"));

		if (state != DVT_DEVICE_N)
			n[state] = dvt_col_i64(q, "n");
	}
	dvt_stmt_put(q);
	return rc;
}

enum dvt_code
dvt_store_device_count_seen(
    struct dvt_tx *tx, int64_t since, int64_t *n, struct dvt_err *err)
{
	return dvt_sql_i64(
	    tx, SQL_DEVICE_COUNT_SEEN_SINCE, n, err, BI("since", since));
}
