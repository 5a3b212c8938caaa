/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What devices come back with (grants, recovery files), and the encrypted
 * values kept for them.
 *
 * All calls work inside the caller's transaction and decide nothing. Unless
 * said otherwise they return DVT_OK; DVT_E_ABSENT (no such row, only from
 * those that read one); DVT_E_SYSTEM.
 */
#ifndef DVT_STORE_AGENT_H
#define DVT_STORE_AGENT_H

#include "store/rows.h"
#include "store/store.h"

DVT_MUST_USE enum dvt_code dvt_store_grant_add(
    struct dvt_tx *tx, const struct dvt_row_grant *row, struct dvt_err *err);
DVT_MUST_USE enum dvt_code dvt_store_grant_get(struct dvt_tx *tx,
    struct dvt_arena *arena, const char *id, struct dvt_row_grant *out,
    struct dvt_err *err);
/* The first key that uses it; DVT_E_CONFLICT for any other. */
DVT_MUST_USE enum dvt_code dvt_store_grant_use(struct dvt_tx *tx,
    const char *id, const char *key_digest, int64_t at, struct dvt_err *err);
/* Unused ones of this device end now. */
DVT_MUST_USE enum dvt_code dvt_store_grant_revoke(
    struct dvt_tx *tx, const char *device_id, int64_t now, struct dvt_err *err);

/* In the place of the one before. */
DVT_MUST_USE enum dvt_code dvt_store_recovery_set(struct dvt_tx *tx,
    const struct dvt_row_recovery_file *row, struct dvt_err *err);
DVT_MUST_USE enum dvt_code dvt_store_recovery_get(struct dvt_tx *tx,
    struct dvt_arena *arena, const char *device_id,
    struct dvt_row_recovery_file *out, struct dvt_err *err);
/* @line or @failed; DVT_OK as well when another took its place. */
DVT_MUST_USE enum dvt_code dvt_store_recovery_signed(struct dvt_tx *tx,
    const char *device_id, const char *grant_id, const char *line,
    const char *failed, struct dvt_err *err);

DVT_MUST_USE enum dvt_code dvt_store_config_set(struct dvt_tx *tx,
    const struct dvt_row_config_value *row, struct dvt_err *err);
DVT_MUST_USE enum dvt_code dvt_store_config_get(struct dvt_tx *tx,
    struct dvt_arena *arena, const char *device_id, const char *name,
    struct dvt_row_config_value *out, struct dvt_err *err);
DVT_MUST_USE enum dvt_code dvt_store_config_list(struct dvt_tx *tx,
    struct dvt_arena *arena, const char *device_id,
    struct dvt_row_config_value **rows, size_t *n, struct dvt_err *err);
DVT_MUST_USE enum dvt_code dvt_store_config_remove(struct dvt_tx *tx,
    const char *device_id, const char *name, struct dvt_err *err);
/* The device has it, or could not (@failed). *news: was not known. */
DVT_MUST_USE enum dvt_code dvt_store_config_applied(struct dvt_tx *tx,
    const char *device_id, const char *name, int64_t version, int64_t at,
    const char *failed, bool *news, struct dvt_err *err);
/* The same value under another certificate; DVT_E_CONFLICT when there is
 * another version by now. */
DVT_MUST_USE enum dvt_code dvt_store_config_reseal(struct dvt_tx *tx,
    const char *device_id, const char *name, int64_t version,
    struct dvt_span sealed, const char *certificate, struct dvt_err *err);

DVT_MUST_USE enum dvt_code dvt_store_config_lock_set(struct dvt_tx *tx,
    const struct dvt_row_config_lock *row, struct dvt_err *err);
DVT_MUST_USE enum dvt_code dvt_store_config_lock_get(struct dvt_tx *tx,
    struct dvt_arena *arena, const char *device_id,
    struct dvt_row_config_lock *out, struct dvt_err *err);
/* *was: there was one; may be NULL. */
DVT_MUST_USE enum dvt_code dvt_store_config_lock_end(
    struct dvt_tx *tx, const char *device_id, bool *was, struct dvt_err *err);

#endif
