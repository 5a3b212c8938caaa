/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rotations, their phases and assignments, and what is queued for them.
 *
 * All calls work inside the caller's transaction and decide nothing. Unless
 * said otherwise they return DVT_OK; DVT_E_ABSENT (no such row, only from
 * those that read one); DVT_E_CONFLICT (a constraint, or "is in another
 * state"); DVT_E_SYSTEM. Lists come in pages of at most `limit` rows, from
 * after a key; *rows is an array in the arena.
 */
#ifndef DVT_STORE_ROTATION_H
#define DVT_STORE_ROTATION_H

#include "store/rows.h"
#include "store/store.h"

/* @plan: JSON as planned. @id: out. */
DVT_MUST_USE enum dvt_code dvt_store_rotation_add(struct dvt_tx *tx,
    const struct dvt_rotation *row, const char *plan, int64_t *id,
    struct dvt_err *err);
DVT_MUST_USE enum dvt_code dvt_store_rotation_get(struct dvt_tx *tx, int64_t id,
    struct dvt_rotation *out, struct dvt_err *err);
DVT_MUST_USE enum dvt_code dvt_store_rotation_plan(struct dvt_tx *tx,
    struct dvt_arena *arena, int64_t id, const char **plan,
    struct dvt_err *err);
/* Running and paused ones. */
DVT_MUST_USE enum dvt_code dvt_store_rotation_open(struct dvt_tx *tx,
    struct dvt_arena *arena, struct dvt_rotation **rows, size_t *n,
    struct dvt_err *err);
/* The whole row but what never changes, when its version is still @was; the
 * caller has set a higher one in @row. DVT_E_CONFLICT else. */
DVT_MUST_USE enum dvt_code dvt_store_rotation_save(struct dvt_tx *tx,
    const struct dvt_rotation *row, int64_t was, struct dvt_err *err);

DVT_MUST_USE enum dvt_code dvt_store_phase_enter(struct dvt_tx *tx,
    int64_t rotation_id, enum dvt_phase phase, int64_t at, struct dvt_err *err);
/* Ends the phase it is in, if any. */
DVT_MUST_USE enum dvt_code dvt_store_phase_leave(struct dvt_tx *tx,
    int64_t rotation_id, int64_t at, const char *outcome, struct dvt_err *err);
DVT_MUST_USE enum dvt_code dvt_store_phase_list(struct dvt_tx *tx,
    struct dvt_arena *arena, int64_t rotation_id, struct dvt_row_phase **rows,
    size_t *n, struct dvt_err *err);

/* --- assignments --- */

/**
 * dvt_store_assignment_slice() - take the next devices into a rotation
 * @after: device id up to which all are in; "" at first. Room of
 *         DVT_DEVICE_ID_MAX + 1; out: moved on, "" when there are no more
 * @limit: devices looked at
 * @taken: out: rows made
 *
 * Wave 1 are devices of environment `pilot`, wave 2 the others; the rank is
 * their place in id order. Active ones wait, parked ones are `parked`, others
 * stay out. A repeat makes no second row.
 */
DVT_MUST_USE enum dvt_code dvt_store_assignment_slice(struct dvt_tx *tx,
    int64_t rotation_id, int64_t now, char *after, int64_t limit,
    int64_t *taken, struct dvt_err *err);
/* One by hand; *added false: it is in. */
DVT_MUST_USE enum dvt_code dvt_store_assignment_add(struct dvt_tx *tx,
    const struct dvt_assignment *row, bool *added, struct dvt_err *err);
DVT_MUST_USE enum dvt_code dvt_store_assignment_get(struct dvt_tx *tx,
    const char *device_id, int64_t rotation_id, struct dvt_assignment *out,
    struct dvt_err *err);
/* Of one device, newest rotation first. */
DVT_MUST_USE enum dvt_code dvt_store_assignment_of_device(struct dvt_tx *tx,
    struct dvt_arena *arena, const char *device_id, int64_t limit,
    struct dvt_assignment **rows, size_t *n, struct dvt_err *err);
/* A step: the row as it shall be, when its state is still @was;
 * DVT_E_CONFLICT else. Wave and rank never change. */
DVT_MUST_USE enum dvt_code dvt_store_assignment_save(struct dvt_tx *tx,
    const struct dvt_assignment *row, enum dvt_assignment_state was,
    struct dvt_err *err);
/* Waiting ones of a wave by rank: whose turn is next. */
DVT_MUST_USE enum dvt_code dvt_store_assignment_next(struct dvt_tx *tx,
    struct dvt_arena *arena, int64_t rotation_id, int64_t wave, int64_t limit,
    struct dvt_assignment **rows, size_t *n, struct dvt_err *err);
/* Those whose timer has run out, of all rotations. */
DVT_MUST_USE enum dvt_code dvt_store_assignment_due(struct dvt_tx *tx,
    struct dvt_arena *arena, int64_t now, int64_t limit,
    struct dvt_assignment **rows, size_t *n, struct dvt_err *err);
DVT_MUST_USE enum dvt_code dvt_store_assignment_counts(struct dvt_tx *tx,
    struct dvt_arena *arena, int64_t rotation_id,
    struct dvt_row_wave_count **rows, size_t *n, struct dvt_err *err);
/* By device id. @state: by name; NULL, "": any. */
DVT_MUST_USE enum dvt_code dvt_store_assignment_list(struct dvt_tx *tx,
    struct dvt_arena *arena, int64_t rotation_id, const char *state,
    const char *after, int64_t limit, struct dvt_assignment **rows, size_t *n,
    struct dvt_err *err);
/* Neither confirmed nor excepted, longest in their state first. */
DVT_MUST_USE enum dvt_code dvt_store_assignment_unfinished(struct dvt_tx *tx,
    struct dvt_arena *arena, int64_t rotation_id, int64_t limit,
    struct dvt_assignment **rows, size_t *n, struct dvt_err *err);

/* --- instructions that wait until a device checks in --- */

/* One that is there stays as it is. */
DVT_MUST_USE enum dvt_code dvt_store_mail_put(
    struct dvt_tx *tx, const struct dvt_row_mail *row, struct dvt_err *err);
DVT_MUST_USE enum dvt_code dvt_store_mail_list(struct dvt_tx *tx,
    struct dvt_arena *arena, const char *device_id, struct dvt_row_mail **rows,
    size_t *n, struct dvt_err *err);
DVT_MUST_USE enum dvt_code dvt_store_mail_told(
    struct dvt_tx *tx, const char *device_id, int64_t at, struct dvt_err *err);
/* *taken false: it is not there. @taken may be NULL. */
DVT_MUST_USE enum dvt_code dvt_store_mail_take(struct dvt_tx *tx,
    const char *device_id, const char *id, bool *taken, struct dvt_err *err);

/* --- actions to be done after commit, exactly once by key --- */

/* key, rotation_id, action, body, due_at, created_at of @row. *queued false:
 * this key was queued before; may be NULL. */
DVT_MUST_USE enum dvt_code dvt_store_outbox_put(struct dvt_tx *tx,
    const struct dvt_row_outbox *row, bool *queued, struct dvt_err *err);
DVT_MUST_USE enum dvt_code dvt_store_outbox_due(struct dvt_tx *tx,
    struct dvt_arena *arena, int64_t now, int64_t limit,
    struct dvt_row_outbox **rows, size_t *n, struct dvt_err *err);
DVT_MUST_USE enum dvt_code dvt_store_outbox_by_key(struct dvt_tx *tx,
    struct dvt_arena *arena, const char *key, struct dvt_row_outbox *out,
    struct dvt_err *err);
/* @state: done or failed. Ending it twice is DVT_OK. */
DVT_MUST_USE enum dvt_code dvt_store_outbox_end(struct dvt_tx *tx, int64_t id,
    enum dvt_outbox_state state, const char *result, struct dvt_err *err);
/* Try it again at @due_at. */
DVT_MUST_USE enum dvt_code dvt_store_outbox_again(struct dvt_tx *tx, int64_t id,
    int64_t due_at, const char *result, struct dvt_err *err);
DVT_MUST_USE enum dvt_code dvt_store_outbox_of_rotation(struct dvt_tx *tx,
    struct dvt_arena *arena, int64_t rotation_id, enum dvt_outbox_state state,
    int64_t limit, struct dvt_row_outbox **rows, size_t *n,
    struct dvt_err *err);

/* --- hot counters, spread over shards --- */

DVT_MUST_USE enum dvt_code dvt_store_tally_add(struct dvt_tx *tx,
    int64_t rotation_id, int64_t wave, const char *what, int64_t shard,
    int64_t n, struct dvt_err *err);
DVT_MUST_USE enum dvt_code dvt_store_tally_list(struct dvt_tx *tx,
    struct dvt_arena *arena, int64_t rotation_id, struct dvt_row_tally **rows,
    size_t *n, struct dvt_err *err);

#endif
