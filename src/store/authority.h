/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Certification authorities and profiles.
 *
 * All calls work inside the caller's transaction and decide nothing. Unless
 * said otherwise they return DVT_OK; DVT_E_ABSENT (no such row, only from
 * those that read one); DVT_E_CONFLICT (a constraint, or "is in another
 * state"); DVT_E_SYSTEM. Lists come in pages of at most `limit` rows, from
 * after a key; *rows is an array in the arena.
 */
#ifndef DVT_STORE_AUTHORITY_H
#define DVT_STORE_AUTHORITY_H

#include "store/rows.h"
#include "store/store.h"

/* @id: out: its number. */
DVT_MUST_USE enum dvt_code dvt_store_authority_add(struct dvt_tx *tx,
    const struct dvt_row_authority *row, int64_t *id, struct dvt_err *err);
DVT_MUST_USE enum dvt_code dvt_store_authority_get(struct dvt_tx *tx,
    struct dvt_arena *arena, int64_t id, struct dvt_row_authority *out,
    struct dvt_err *err);
DVT_MUST_USE enum dvt_code dvt_store_authority_by_name(struct dvt_tx *tx,
    struct dvt_arena *arena, const char *name, struct dvt_row_authority *out,
    struct dvt_err *err);
DVT_MUST_USE enum dvt_code dvt_store_authority_by_fingerprint(struct dvt_tx *tx,
    struct dvt_arena *arena, const char *fingerprint,
    struct dvt_row_authority *out, struct dvt_err *err);
DVT_MUST_USE enum dvt_code dvt_store_authority_list(struct dvt_tx *tx,
    struct dvt_arena *arena, int64_t after, int64_t limit,
    struct dvt_row_authority **rows, size_t *n, struct dvt_err *err);
/* Certificates over one key: a root and its cross-certificates. */
DVT_MUST_USE enum dvt_code dvt_store_authority_by_key(struct dvt_tx *tx,
    struct dvt_arena *arena, const char *key_digest, int64_t limit,
    struct dvt_row_authority **rows, size_t *n, struct dvt_err *err);
/* DVT_E_CONFLICT when it is not in state @was. */
DVT_MUST_USE enum dvt_code dvt_store_authority_state_set(struct dvt_tx *tx,
    int64_t id, enum dvt_authority_state was, enum dvt_authority_state state,
    struct dvt_err *err);
/* @wrapped: p NULL: the key is no longer held. */
DVT_MUST_USE enum dvt_code dvt_store_authority_key_set(struct dvt_tx *tx,
    int64_t id, struct dvt_span wrapped, struct dvt_err *err);
/* NewWithOld, signed by authority @by; p NULL: none any more. */
DVT_MUST_USE enum dvt_code dvt_store_authority_cross_set(struct dvt_tx *tx,
    int64_t id, struct dvt_span der, int64_t by, struct dvt_err *err);
DVT_MUST_USE enum dvt_code dvt_store_authority_use_set(struct dvt_tx *tx,
    int64_t id, bool use_server, bool use_device, struct dvt_err *err);

/* New, or in place of the one of that name. @id: out. */
DVT_MUST_USE enum dvt_code dvt_store_profile_set(struct dvt_tx *tx,
    const struct dvt_row_profile *row, int64_t *id, struct dvt_err *err);
DVT_MUST_USE enum dvt_code dvt_store_profile_by_name(struct dvt_tx *tx,
    struct dvt_arena *arena, const char *name, struct dvt_row_profile *out,
    struct dvt_err *err);
DVT_MUST_USE enum dvt_code dvt_store_profile_list(struct dvt_tx *tx,
    struct dvt_arena *arena, int64_t after, int64_t limit,
    struct dvt_row_profile **rows, size_t *n, struct dvt_err *err);

#endif
