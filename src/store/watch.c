/* SPDX-License-Identifier: Apache-2.0 */
/* Handshakes, events and alerts: see watch.h. */
#include "store/watch.h"

#include "store/maps.h"

#include <inttypes.h>

#define COUNTS_MAX 10000 /* gateways times confidences times reasons */

enum dvt_code
dvt_store_handshake_add(
    struct dvt_tx *tx, const struct dvt_row_handshake *row, struct dvt_err *err)
{
	return dvt_sql_put(
	    tx, SQL_HANDSHAKE_ADD, &dvt_map_handshake, row, NULL, err);
}

enum dvt_code
dvt_store_handshake_hour_add(struct dvt_tx *tx,
    const struct dvt_row_handshake_hour *row, struct dvt_err *err)
{
	return dvt_sql_put(tx, SQL_HANDSHAKE_HOUR_ADD, &dvt_map_handshake_hour,
	    row, NULL, err);
}

enum dvt_code
dvt_store_handshake_shown_add(struct dvt_tx *tx,
    const struct dvt_row_handshake_shown *row, struct dvt_err *err)
{
	return dvt_sql_put(tx, SQL_HANDSHAKE_SHOWN_ADD,
	    &dvt_map_handshake_shown, row, NULL, err);
}

enum dvt_code
dvt_store_handshake_shown(struct dvt_tx *tx, struct dvt_arena *arena,
    int64_t since, const char *serial, int64_t limit,
    struct dvt_row_handshake_shown **rows, size_t *n, struct dvt_err *err)
{
	return dvt_sql_list(tx, SQL_HANDSHAKE_SHOWN_LIST,
	    &dvt_map_handshake_shown, arena, rows, n, err, BI("since", since),
	    BT("serial", serial == NULL ? "" : serial), BI("limit", limit));
}

enum dvt_code
dvt_store_handshake_list(struct dvt_tx *tx, struct dvt_arena *arena,
    const char *device, const char *outcome, int64_t before, int64_t limit,
    struct dvt_row_handshake **rows, size_t *n, struct dvt_err *err)
{
	const struct dvt_arg from = BI(
	    "before", before > 0 ? before : INT64_MAX);
	const struct dvt_arg what = BT(
	    "outcome", outcome == NULL ? "" : outcome);

	if (device == NULL || device[0] == '\0')
		return dvt_sql_list(tx, SQL_HANDSHAKE_LIST, &dvt_map_handshake,
		    arena, rows, n, err, from, what, BI("limit", limit));
	return dvt_sql_list(tx, SQL_HANDSHAKE_OF_DEVICE, &dvt_map_handshake,
	    arena, rows, n, err, BT("device", device), from, what,
	    BI("limit", limit));
}

enum dvt_code
dvt_store_handshake_count(struct dvt_tx *tx, struct dvt_arena *arena,
    const char *root, int64_t since, struct dvt_row_handshake_count **rows,
    size_t *n, struct dvt_err *err)
{
	return dvt_sql_list(tx, SQL_HANDSHAKE_COUNT, &dvt_map_handshake_count,
	    arena, rows, n, err, BT("root", root), BI("since", since),
	    BI("limit", COUNTS_MAX));
}

enum dvt_code
dvt_store_handshake_trim(struct dvt_tx *tx, int64_t keep, int64_t limit,
    int64_t *gone, struct dvt_err *err)
{
	return dvt_sql_run(tx, SQL_HANDSHAKE_TRIM, gone, err, BI("keep", keep),
	    BI("limit", limit));
}

enum dvt_code
dvt_store_handshake_hours_trim(struct dvt_tx *tx, int64_t before, int64_t limit,
    int64_t *gone, struct dvt_err *err)
{
	int64_t hours = 0, shown = 0;
	enum dvt_code rc = dvt_sql_run(tx, SQL_HANDSHAKE_HOUR_TRIM, &hours, err,
	    BI("before", before), BI("limit", limit));

	if (rc == DVT_OK)
		rc = dvt_sql_run(tx, SQL_HANDSHAKE_SHOWN_TRIM, &shown, err,
		    BI("before", before));
	*gone = hours + shown;
	return rc;
}

enum dvt_code
dvt_store_handshake_hours(struct dvt_tx *tx, struct dvt_arena *arena,
    const char *device, int64_t since, int64_t limit,
    struct dvt_row_handshake_hour **rows, size_t *n, struct dvt_err *err)
{
	return dvt_sql_list(tx, SQL_HANDSHAKE_HOUR_OF_DEVICE,
	    &dvt_map_handshake_hour, arena, rows, n, err, BT("device", device),
	    BI("since", since), BI("limit", limit));
}

/* --- events --- */

enum dvt_code
dvt_store_event_add(struct dvt_tx *tx, const struct dvt_row_event *row,
    int64_t *id, struct dvt_err *err)
{
	int64_t given;
	enum dvt_code rc;

	rc = dvt_sql_put_i64(
	    tx, SQL_EVENT_ADD, &dvt_map_event, row, &given, err);
	if (rc == DVT_OK && id != NULL)
		*id = given;
	return rc;
}

enum dvt_code
dvt_store_event_list(struct dvt_tx *tx, struct dvt_arena *arena, int64_t after,
    int64_t limit, struct dvt_row_event **rows, size_t *n, struct dvt_err *err)
{
	return dvt_sql_list(tx, SQL_EVENT_LIST, &dvt_map_event, arena, rows, n,
	    err, BI("after", after), BI("limit", limit));
}

enum dvt_code
dvt_store_event_last(struct dvt_tx *tx, int64_t *id, struct dvt_err *err)
{
	return dvt_sql_i64(tx, SQL_EVENT_LAST, id, err);
}

/* --- alerts --- */

enum dvt_code
dvt_store_alert_raise(struct dvt_tx *tx, const struct dvt_row_alert *row,
    int64_t *count, struct dvt_err *err)
{
	int64_t times;
	enum dvt_code rc;

	rc = dvt_sql_put_i64(
	    tx, SQL_ALERT_RAISE, &dvt_map_alert, row, &times, err);
	if (rc == DVT_OK && count != NULL)
		*count = times;
	return rc;
}

enum dvt_code
dvt_store_alert_ack(struct dvt_tx *tx, int64_t id, const char *by, int64_t at,
    struct dvt_err *err)
{
	int64_t changed = 0;
	enum dvt_code rc;

	rc = dvt_sql_run(tx, SQL_ALERT_ACK, &changed, err, BI("id", id),
	    BT("acked_by", by), BI("at", at));
	return dvt_sql_expect_one(
	    rc, changed, err, "alert %" PRId64 " is not open", id);
}

enum dvt_code
dvt_store_alert_clear(struct dvt_tx *tx, const char *key, struct dvt_err *err)
{
	return dvt_sql_run(tx, SQL_ALERT_CLEAR, NULL, err, BT("key", key));
}

enum dvt_code
dvt_store_alert_list(struct dvt_tx *tx, struct dvt_arena *arena, bool all,
    int64_t after, int64_t limit, struct dvt_row_alert **rows, size_t *n,
    struct dvt_err *err)
{
	return dvt_sql_list(tx, SQL_ALERT_LIST, &dvt_map_alert, arena, rows, n,
	    err, BI("after", after), BI("all", all), BI("limit", limit));
}
