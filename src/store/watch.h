/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What was seen: handshakes, updates on devices, events, alerts.
 *
 * All calls work inside the caller's transaction and decide nothing. Unless
 * said otherwise they return DVT_OK; DVT_E_ABSENT (no such row, only from
 * those that read one); DVT_E_CONFLICT (a constraint, or "is in another
 * state"); DVT_E_SYSTEM. Lists come in pages of at most `limit` rows, from
 * after a key; *rows is an array in the arena.
 */
#ifndef DVT_STORE_WATCH_H
#define DVT_STORE_WATCH_H

#include "store/rows.h"
#include "store/store.h"

/* All of @row but the id; the caller counts it in the hour as well. */
DVT_MUST_USE enum dvt_code dvt_store_handshake_add(struct dvt_tx *tx,
    const struct dvt_row_handshake *row, struct dvt_err *err);
/* @n more of this kind in this hour. */
DVT_MUST_USE enum dvt_code dvt_store_handshake_hour_add(struct dvt_tx *tx,
    const struct dvt_row_handshake_hour *row, struct dvt_err *err);
/* @n more of this kind in this hour, and those since @since (Unix seconds /
 * 3600), newest first; @serial: "" any. */
DVT_MUST_USE enum dvt_code dvt_store_handshake_shown_add(struct dvt_tx *tx,
    const struct dvt_row_handshake_shown *row, struct dvt_err *err);
DVT_MUST_USE enum dvt_code dvt_store_handshake_shown(struct dvt_tx *tx,
    struct dvt_arena *arena, int64_t since, const char *serial, int64_t limit,
    struct dvt_row_handshake_shown **rows, size_t *n, struct dvt_err *err);
/* Newest first, ids below @before (0: from the newest). @device and @outcome:
 * NULL, "": any. */
DVT_MUST_USE enum dvt_code dvt_store_handshake_list(struct dvt_tx *tx,
    struct dvt_arena *arena, const char *device, const char *outcome,
    int64_t before, int64_t limit, struct dvt_row_handshake **rows, size_t *n,
    struct dvt_err *err);
/* Since @since in which a chain of @root was shown, summed up. */
DVT_MUST_USE enum dvt_code dvt_store_handshake_count(struct dvt_tx *tx,
    struct dvt_arena *arena, const char *root, int64_t since,
    struct dvt_row_handshake_count **rows, size_t *n, struct dvt_err *err);
/* Keep the last @keep records; at most @limit go in one call. */
DVT_MUST_USE enum dvt_code dvt_store_handshake_trim(struct dvt_tx *tx,
    int64_t keep, int64_t limit, int64_t *gone, struct dvt_err *err);
/* Counts of the oldest hour, when it is before @before (Unix seconds / 3600),
 * those of at most @limit devices; what was shown in it whole. */
DVT_MUST_USE enum dvt_code dvt_store_handshake_hours_trim(struct dvt_tx *tx,
    int64_t before, int64_t limit, int64_t *gone, struct dvt_err *err);
/* @since: Unix seconds / 3600. */
DVT_MUST_USE enum dvt_code dvt_store_handshake_hours(struct dvt_tx *tx,
    struct dvt_arena *arena, const char *device, int64_t since, int64_t limit,
    struct dvt_row_handshake_hour **rows, size_t *n, struct dvt_err *err);

/* --- updates on devices --- */

/* One that is known stays as it is. */
DVT_MUST_USE enum dvt_code dvt_store_update_start(
    struct dvt_tx *tx, const struct dvt_row_update *row, struct dvt_err *err);
/* Ending it twice is DVT_OK; the first outcome stays. */
DVT_MUST_USE enum dvt_code dvt_store_update_finish(struct dvt_tx *tx,
    const char *device_id, const char *id, int64_t at, const char *outcome,
    struct dvt_err *err);
DVT_MUST_USE enum dvt_code dvt_store_update_get(struct dvt_tx *tx,
    struct dvt_arena *arena, const char *device_id, const char *id,
    struct dvt_row_update *out, struct dvt_err *err);
/* Newest first. */
DVT_MUST_USE enum dvt_code dvt_store_update_list(struct dvt_tx *tx,
    struct dvt_arena *arena, const char *device_id, int64_t limit,
    struct dvt_row_update **rows, size_t *n, struct dvt_err *err);
/* All of @row but seq. *added false: the same step is there (devices report
 * at least once); may be NULL. */
DVT_MUST_USE enum dvt_code dvt_store_step_add(struct dvt_tx *tx,
    const struct dvt_row_step *row, bool *added, struct dvt_err *err);
DVT_MUST_USE enum dvt_code dvt_store_step_list(struct dvt_tx *tx,
    struct dvt_arena *arena, const char *device_id, const char *id,
    struct dvt_row_step **rows, size_t *n, struct dvt_err *err);

/* --- events --- */

/* All of @row but the id. @id: out: may be NULL. */
DVT_MUST_USE enum dvt_code dvt_store_event_add(struct dvt_tx *tx,
    const struct dvt_row_event *row, int64_t *id, struct dvt_err *err);
DVT_MUST_USE enum dvt_code dvt_store_event_list(struct dvt_tx *tx,
    struct dvt_arena *arena, int64_t after, int64_t limit,
    struct dvt_row_event **rows, size_t *n, struct dvt_err *err);
DVT_MUST_USE enum dvt_code dvt_store_event_last(
    struct dvt_tx *tx, int64_t *id, struct dvt_err *err);

/* --- alerts --- */

/* Open the alert of this key, or count it up. One that was acknowledged stays
 * so for ten minutes, then it opens anew with the count 1 (to be told again).
 * key, severity, name, detail, at of @row. @count: out: may be NULL. */
DVT_MUST_USE enum dvt_code dvt_store_alert_raise(struct dvt_tx *tx,
    const struct dvt_row_alert *row, int64_t *count, struct dvt_err *err);
/* DVT_E_CONFLICT: it is not open. */
DVT_MUST_USE enum dvt_code dvt_store_alert_ack(struct dvt_tx *tx, int64_t id,
    const char *by, int64_t at, struct dvt_err *err);
/* What it was about is over. */
DVT_MUST_USE enum dvt_code dvt_store_alert_clear(
    struct dvt_tx *tx, const char *key, struct dvt_err *err);
/* @all: acknowledged ones as well. */
DVT_MUST_USE enum dvt_code dvt_store_alert_list(struct dvt_tx *tx,
    struct dvt_arena *arena, bool all, int64_t after, int64_t limit,
    struct dvt_row_alert **rows, size_t *n, struct dvt_err *err);

#endif
