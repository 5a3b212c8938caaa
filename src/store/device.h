/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The inventory.
 *
 * All calls work inside the caller's transaction and decide nothing. Unless
 * said otherwise they return DVT_OK; DVT_E_ABSENT (no such row, only from
 * those that read one); DVT_E_CONFLICT (a constraint, or "is in another
 * state"); DVT_E_SYSTEM. Lists come in pages of at most `limit` rows, from
 * after a key; *rows is an array in the arena.
 */
#ifndef DVT_STORE_DEVICE_H
#define DVT_STORE_DEVICE_H

#include "store/rows.h"
#include "store/store.h"

/* @added: out: false when there is a device of that id; it stays as it is.
 * A park_at of 0 is set to three periods after created_at. */
DVT_MUST_USE enum dvt_code dvt_store_device_add(struct dvt_tx *tx,
    const struct dvt_row_device *row, bool *added, struct dvt_err *err);
DVT_MUST_USE enum dvt_code dvt_store_device_get(struct dvt_tx *tx,
    struct dvt_arena *arena, const char *device_id, struct dvt_row_device *out,
    struct dvt_err *err);
/* What an operator says of it: hw_serial to oob_address. */
DVT_MUST_USE enum dvt_code dvt_store_device_describe(
    struct dvt_tx *tx, const struct dvt_row_device *row, struct dvt_err *err);
/* What its certificates are made out to: subject, subject_der, san_der. */
DVT_MUST_USE enum dvt_code dvt_store_device_names_set(
    struct dvt_tx *tx, const struct dvt_row_device *row, struct dvt_err *err);
/* DVT_E_CONFLICT when it is not in state @was. @blocked_case: "" none. */
DVT_MUST_USE enum dvt_code dvt_store_device_state_set(struct dvt_tx *tx,
    const char *device_id, enum dvt_device_state was,
    enum dvt_device_state state, const char *blocked_case, struct dvt_err *err);
/* Seen at an edge; the grain is a minute. Its park_at moves with it. */
DVT_MUST_USE enum dvt_code dvt_store_device_seen(
    struct dvt_tx *tx, const char *device_id, int64_t at, struct dvt_err *err);
/* Heard by check-in. @clock_off_s: its clock minus ours. */
DVT_MUST_USE enum dvt_code dvt_store_device_checkin(struct dvt_tx *tx,
    const char *device_id, int64_t at, int64_t clock_off_s, const char *agent,
    struct dvt_err *err);
DVT_MUST_USE enum dvt_code dvt_store_device_renewed(
    struct dvt_tx *tx, const char *device_id, int64_t at, struct dvt_err *err);

/* Active devices that were silent for three periods, longest first. */
DVT_MUST_USE enum dvt_code dvt_store_device_silent(struct dvt_tx *tx,
    struct dvt_arena *arena, int64_t now, int64_t limit,
    const char *const **ids, size_t *n, struct dvt_err *err);

/* @n: out: devices in each state. */
DVT_MUST_USE enum dvt_code dvt_store_device_count(
    struct dvt_tx *tx, int64_t n[DVT_DEVICE_N], struct dvt_err *err);
/* Active ones seen at @since or later. */
DVT_MUST_USE enum dvt_code dvt_store_device_count_seen(
    struct dvt_tx *tx, int64_t since, int64_t *n, struct dvt_err *err);

#endif
