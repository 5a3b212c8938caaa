/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tokens and approvals.
 *
 * All calls work inside the caller's transaction and decide nothing. Unless
 * said otherwise they return DVT_OK; DVT_E_ABSENT (no such row, only from
 * those that read one); DVT_E_CONFLICT (a constraint, or "is in another
 * state"); DVT_E_SYSTEM. Lists come in pages of at most `limit` rows, from
 * after a key; *rows is an array in the arena.
 */
#ifndef DVT_STORE_PEOPLE_H
#define DVT_STORE_PEOPLE_H

#include "store/rows.h"
#include "store/store.h"

/* name, role, hash, created_at, expires_at of @row. @id: out: may be NULL. */
DVT_MUST_USE enum dvt_code dvt_store_token_add(struct dvt_tx *tx,
    const struct dvt_row_token *row, int64_t *id, struct dvt_err *err);
/* In any state: expired and revoked ones as well. */
DVT_MUST_USE enum dvt_code dvt_store_token_by_hash(struct dvt_tx *tx,
    struct dvt_arena *arena, const char *hash, struct dvt_row_token *out,
    struct dvt_err *err);
DVT_MUST_USE enum dvt_code dvt_store_token_by_name(struct dvt_tx *tx,
    struct dvt_arena *arena, const char *name, struct dvt_row_token *out,
    struct dvt_err *err);
/* DVT_E_CONFLICT: there is none, or it was revoked before. */
DVT_MUST_USE enum dvt_code dvt_store_token_revoke(
    struct dvt_tx *tx, const char *name, int64_t at, struct dvt_err *err);

/* action, object, digest, requested_by, requested_at, expires_at of @row. */
DVT_MUST_USE enum dvt_code dvt_store_approval_add(struct dvt_tx *tx,
    const struct dvt_row_approval *row, int64_t *id, struct dvt_err *err);
DVT_MUST_USE enum dvt_code dvt_store_approval_get(struct dvt_tx *tx,
    struct dvt_arena *arena, int64_t id, struct dvt_row_approval *out,
    struct dvt_err *err);
/* The newest for exactly this, neither used, withdrawn nor expired; given or
 * not. */
DVT_MUST_USE enum dvt_code dvt_store_approval_find(struct dvt_tx *tx,
    struct dvt_arena *arena, const char *action, const char *digest,
    int64_t now, struct dvt_row_approval *out, struct dvt_err *err);
/* DVT_E_CONFLICT: given before, withdrawn, expired, or asked for by @by. */
DVT_MUST_USE enum dvt_code dvt_store_approval_give(struct dvt_tx *tx,
    int64_t id, const char *by, int64_t now, struct dvt_err *err);
/* Once. DVT_E_CONFLICT: not given, expired, used, or for another @digest. */
DVT_MUST_USE enum dvt_code dvt_store_approval_use(struct dvt_tx *tx, int64_t id,
    const char *digest, int64_t now, struct dvt_err *err);
/* What is still open of rotation @rotation_id, and approval @id (0: none), is
 * waited for no more. @n: out: how many. */
DVT_MUST_USE enum dvt_code dvt_store_approval_withdraw(struct dvt_tx *tx,
    int64_t rotation_id, int64_t id, int64_t now, int64_t *n,
    struct dvt_err *err);

#endif
