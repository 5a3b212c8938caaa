/* SPDX-License-Identifier: Apache-2.0 */
/* Rotations, phases, assignments: see rotation.h. */
#include "store/rotation.h"

#include "store/maps.h"

#include <inttypes.h>

#define OPEN_MAX   100  /* rotations at one time */
#define PHASES_MAX 1000 /* of one rotation, with those entered again */

enum dvt_code
dvt_store_rotation_add(struct dvt_tx *tx, const struct dvt_rotation *row,
    const char *plan, int64_t *id, struct dvt_err *err)
{
	return dvt_sql_put_i64(tx, SQL_ROTATION_ADD, &dvt_map_rotation, row, id,
	    err, BT("plan", plan));
}

static enum dvt_code
absent(enum dvt_code rc, int64_t id, struct dvt_err *err)
{
	return rc == DVT_E_ABSENT
		   ? dvt_fail(err, rc, "there is no rotation %" PRId64, id)
		   : rc;
}

enum dvt_code
dvt_store_rotation_get(struct dvt_tx *tx, int64_t id, struct dvt_rotation *out,
    struct dvt_err *err)
{
	return absent(dvt_sql_one(tx, SQL_ROTATION_GET, &dvt_map_rotation, NULL,
			  out, err, BI("id", id)),
	    id, err);
}

enum dvt_code
dvt_store_rotation_plan(struct dvt_tx *tx, struct dvt_arena *arena, int64_t id,
    const char **plan, struct dvt_err *err)
{
	return absent(dvt_sql_text(tx, SQL_ROTATION_PLAN_GET, arena, plan, err,
			  BI("id", id)),
	    id, err);
}

enum dvt_code
dvt_store_rotation_open(struct dvt_tx *tx, struct dvt_arena *arena,
    struct dvt_rotation **rows, size_t *n, struct dvt_err *err)
{
	return dvt_sql_list(tx, SQL_ROTATION_OPEN, &dvt_map_rotation, arena,
	    rows, n, err, BI("limit", OPEN_MAX));
}

enum dvt_code
dvt_store_rotation_save(struct dvt_tx *tx, const struct dvt_rotation *row,
    int64_t was, struct dvt_err *err)
{
	int64_t changed = 0;
	enum dvt_code rc;

	rc = dvt_sql_put(tx, SQL_ROTATION_SAVE, &dvt_map_rotation, row,
	    &changed, err, BI("was", was));
	return dvt_sql_expect_one(rc, changed, err,
	    "rotation %" PRId64 " has moved on from version %" PRId64, row->id,
	    was);
}

enum dvt_code
dvt_store_phase_enter(struct dvt_tx *tx, int64_t rotation_id,
    enum dvt_phase phase, int64_t at, struct dvt_err *err)
{
	return dvt_sql_run(tx, SQL_PHASE_ENTER, NULL, err,
	    BI("rotation_id", rotation_id), BT("name", dvt_phase_name(phase)),
	    BI("at", at));
}

enum dvt_code
dvt_store_phase_leave(struct dvt_tx *tx, int64_t rotation_id, int64_t at,
    const char *outcome, struct dvt_err *err)
{
	return dvt_sql_run(tx, SQL_PHASE_LEAVE, NULL, err,
	    BI("rotation_id", rotation_id), BI("at", at),
	    BT("outcome", outcome));
}

enum dvt_code
dvt_store_phase_list(struct dvt_tx *tx, struct dvt_arena *arena,
    int64_t rotation_id, struct dvt_row_phase **rows, size_t *n,
    struct dvt_err *err)
{
	return dvt_sql_list(tx, SQL_PHASE_LIST, &dvt_map_phase, arena, rows, n,
	    err, BI("rotation_id", rotation_id), BI("limit", PHASES_MAX));
}

/* --- assignments --- */

enum dvt_code
dvt_store_assignment_slice(struct dvt_tx *tx, int64_t rotation_id, int64_t now,
    char *after, int64_t limit, int64_t *taken, struct dvt_err *err)
{
	struct dvt_arena arena = {0};
	const char *const *last;
	enum dvt_code rc;
	size_t n;

	*taken = 0;
	rc = dvt_sql_texts(tx, SQL_ASSIGNMENT_SLICE_END, &arena, &last, &n, err,
	    BT("after", after), BI("limit", limit));
	if (rc == DVT_OK && n == 1 && last[0] != NULL)
		rc = dvt_sql_run(tx, SQL_ASSIGNMENT_SLICE, taken, err,
		    BI("rotation_id", rotation_id), BI("now", now),
		    BT("after", after), BI("limit", limit));
	if (rc == DVT_OK)
		(void)dvt_copy_str(after, DVT_DEVICE_ID_MAX + 1,
		    n == 1 && last[0] != NULL ? last[0] : "");
	dvt_arena_free(&arena);
	return rc;
}

enum dvt_code
dvt_store_assignment_add(struct dvt_tx *tx, const struct dvt_assignment *row,
    bool *added, struct dvt_err *err)
{
	int64_t changed = 0;
	enum dvt_code rc;

	rc = dvt_sql_put(
	    tx, SQL_ASSIGNMENT_ADD, &dvt_map_assignment, row, &changed, err);
	*added = changed == 1;
	return rc;
}

enum dvt_code
dvt_store_assignment_get(struct dvt_tx *tx, const char *device_id,
    int64_t rotation_id, struct dvt_assignment *out, struct dvt_err *err)
{
	enum dvt_code rc;

	rc = dvt_sql_one(tx, SQL_ASSIGNMENT_GET, &dvt_map_assignment, NULL, out,
	    err, BT("device_id", device_id), BI("rotation_id", rotation_id));
	if (rc == DVT_E_ABSENT)
		rc = dvt_fail(err, rc, "device %s is not in rotation %" PRId64,
		    device_id, rotation_id);
	return rc;
}

enum dvt_code
dvt_store_assignment_of_device(struct dvt_tx *tx, struct dvt_arena *arena,
    const char *device_id, int64_t limit, struct dvt_assignment **rows,
    size_t *n, struct dvt_err *err)
{
	return dvt_sql_list(tx, SQL_ASSIGNMENT_OF_DEVICE, &dvt_map_assignment,
	    arena, rows, n, err, BT("device_id", device_id),
	    BI("limit", limit));
}

enum dvt_code
dvt_store_assignment_save(struct dvt_tx *tx, const struct dvt_assignment *row,
    enum dvt_assignment_state was, struct dvt_err *err)
{
	const char *state = dvt_assignment_state_name(was);
	int64_t changed = 0;
	enum dvt_code rc;

	rc = dvt_sql_put(tx, SQL_ASSIGNMENT_SAVE, &dvt_map_assignment, row,
	    &changed, err, BT("was", state));
	return dvt_sql_expect_one(rc, changed, err,
	    "device %s is not %s in rotation %" PRId64, row->device_id, state,
	    row->rotation_id);
}

enum dvt_code
dvt_store_assignment_next(struct dvt_tx *tx, struct dvt_arena *arena,
    int64_t rotation_id, int64_t wave, int64_t limit,
    struct dvt_assignment **rows, size_t *n, struct dvt_err *err)
{
	return dvt_sql_list(tx, SQL_ASSIGNMENT_NEXT, &dvt_map_assignment, arena,
	    rows, n, err, BI("rotation_id", rotation_id), BI("wave", wave),
	    BI("limit", limit));
}

enum dvt_code
dvt_store_assignment_due(struct dvt_tx *tx, struct dvt_arena *arena,
    int64_t now, int64_t limit, struct dvt_assignment **rows, size_t *n,
    struct dvt_err *err)
{
	return dvt_sql_list(tx, SQL_ASSIGNMENT_DUE, &dvt_map_assignment, arena,
	    rows, n, err, BI("now", now), BI("limit", limit));
}

enum dvt_code
dvt_store_assignment_counts(struct dvt_tx *tx, struct dvt_arena *arena,
    int64_t rotation_id, struct dvt_row_wave_count **rows, size_t *n,
    struct dvt_err *err)
{
	return dvt_sql_list(tx, SQL_ASSIGNMENT_COUNTS, &dvt_map_wave_count,
	    arena, rows, n, err, BI("rotation_id", rotation_id));
}

enum dvt_code
dvt_store_assignment_list(struct dvt_tx *tx, struct dvt_arena *arena,
    int64_t rotation_id, const char *state, const char *after, int64_t limit,
    struct dvt_assignment **rows, size_t *n, struct dvt_err *err)
{
	return dvt_sql_list(tx, SQL_ASSIGNMENT_LIST, &dvt_map_assignment, arena,
	    rows, n, err, BI("rotation_id", rotation_id),
	    BT("state", state == NULL ? "" : state), BT("after", after),
	    BI("limit", limit));
}

enum dvt_code
dvt_store_assignment_unfinished(struct dvt_tx *tx, struct dvt_arena *arena,
    int64_t rotation_id, int64_t limit, struct dvt_assignment **rows, size_t *n,
    struct dvt_err *err)
{
	return dvt_sql_list(tx, SQL_ASSIGNMENT_UNFINISHED, &dvt_map_assignment,
	    arena, rows, n, err, BI("rotation_id", rotation_id),
	    BI("limit", limit));
}
