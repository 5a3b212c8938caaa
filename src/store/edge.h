/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Edges: gateways and fronts, their credentials, and the feed they follow.
 *
 * All calls work inside the caller's transaction and decide nothing. Unless
 * said otherwise they return DVT_OK; DVT_E_ABSENT (no such row, only from
 * those that read one); DVT_E_CONFLICT (a constraint, or "is in another
 * state"); DVT_E_SYSTEM. Lists come in pages of at most `limit` rows, from
 * after a key; *rows is an array in the arena.
 */
#ifndef DVT_STORE_EDGE_H
#define DVT_STORE_EDGE_H

#include "store/rows.h"
#include "store/store.h"

DVT_MUST_USE enum dvt_code dvt_store_gateway_add(
    struct dvt_tx *tx, const struct dvt_row_gateway *row, struct dvt_err *err);
DVT_MUST_USE enum dvt_code dvt_store_gateway_get(struct dvt_tx *tx,
    struct dvt_arena *arena, const char *name, struct dvt_row_gateway *out,
    struct dvt_err *err);
DVT_MUST_USE enum dvt_code dvt_store_gateway_list(struct dvt_tx *tx,
    struct dvt_arena *arena, const char *after, int64_t limit,
    struct dvt_row_gateway **rows, size_t *n, struct dvt_err *err);
/* Site and host names. */
DVT_MUST_USE enum dvt_code dvt_store_gateway_describe(
    struct dvt_tx *tx, const struct dvt_row_gateway *row, struct dvt_err *err);
/* Which root it shows; roots are fingerprints, "" none. */
DVT_MUST_USE enum dvt_code dvt_store_gateway_roots_set(struct dvt_tx *tx,
    const char *name, const char *default_root, const char *next_root,
    bool forced, struct dvt_err *err);
/* A report came: applied, clock_off_s, sessions, version of @row; applied_at
 * moves when applied does. */
DVT_MUST_USE enum dvt_code dvt_store_gateway_heard(struct dvt_tx *tx,
    const struct dvt_row_gateway *row, int64_t at, struct dvt_err *err);
/* *fresh false: this report, or a later one, was counted before. */
DVT_MUST_USE enum dvt_code dvt_store_gateway_batch(struct dvt_tx *tx,
    const char *name, int64_t batch, bool *fresh, struct dvt_err *err);
/* With its credentials; its rows of the feed stay (positions only grow). */
DVT_MUST_USE enum dvt_code dvt_store_gateway_remove(
    struct dvt_tx *tx, const char *name, struct dvt_err *err);
/* All edges as gates of this rotation look at them: has_next, on_new and
 * has_old are about credentials that were ordered for it, under @new_root, and
 * about all others under @old_root. */
DVT_MUST_USE enum dvt_code dvt_store_gateway_views(struct dvt_tx *tx,
    struct dvt_arena *arena, int64_t rotation_id, const char *old_root,
    const char *new_root, struct dvt_gateway_view **rows, size_t *n,
    struct dvt_err *err);

/* --- credentials of edges, as rows of the feed --- */

/* New, or in place of the one of that gateway and id. */
DVT_MUST_USE enum dvt_code dvt_store_gateway_credential_put(struct dvt_tx *tx,
    const struct dvt_row_gateway_credential *row, struct dvt_err *err);
DVT_MUST_USE enum dvt_code dvt_store_gateway_credential_get(struct dvt_tx *tx,
    struct dvt_arena *arena, const char *gateway, const char *id,
    struct dvt_row_gateway_credential *out, struct dvt_err *err);
/* Of one edge, oldest first, those that are gone as well. */
DVT_MUST_USE enum dvt_code dvt_store_gateway_credential_list(struct dvt_tx *tx,
    struct dvt_arena *arena, const char *gateway,
    struct dvt_row_gateway_credential **rows, size_t *n, struct dvt_err *err);
/* Of all edges, by gateway and id, without those that are gone. */
DVT_MUST_USE enum dvt_code dvt_store_gateway_credential_all(struct dvt_tx *tx,
    struct dvt_arena *arena, const char *after_gateway, const char *after_id,
    int64_t limit, struct dvt_row_gateway_credential **rows, size_t *n,
    struct dvt_err *err);
DVT_MUST_USE enum dvt_code dvt_store_gateway_credential_slot(struct dvt_tx *tx,
    const char *gateway, const char *id, enum dvt_gateway_slot slot,
    struct dvt_err *err);
/* The edge sent its request; DVT_E_CONFLICT when it has one or was issued. */
DVT_MUST_USE enum dvt_code dvt_store_gateway_credential_csr(struct dvt_tx *tx,
    const char *gateway, const char *id, struct dvt_span csr,
    const char *key_digest, struct dvt_err *err);
/* Issued: slot, generation, root, chain_pem, fingerprint, not_after of @row;
 * DVT_E_CONFLICT when it is not `ordered`. */
DVT_MUST_USE enum dvt_code dvt_store_gateway_credential_issued(
    struct dvt_tx *tx, const struct dvt_row_gateway_credential *row,
    struct dvt_err *err);

/* --- the feed --- */

/**
 * dvt_store_feed_set() - the newest state of one key
 * @gateway:  "" for every edge
 * @body:     JSON; NULL: gone
 * @position: out: of its last change; may be NULL
 * @changed:  out: false when it was so already; may be NULL
 */
DVT_MUST_USE enum dvt_code dvt_store_feed_set(struct dvt_tx *tx,
    enum dvt_feed_row_kind kind, const char *key, const char *gateway,
    const char *body, int64_t *position, bool *changed, struct dvt_err *err);
DVT_MUST_USE enum dvt_code dvt_store_feed_get(struct dvt_tx *tx,
    struct dvt_arena *arena, enum dvt_feed_row_kind kind, const char *key,
    struct dvt_row_feed *out, struct dvt_err *err);
/* What @gateway has to hear, ascending, after position @after. */
/* Rows for this edge alone that are not gone, oldest first. */
DVT_MUST_USE enum dvt_code dvt_store_feed_of_gateway(struct dvt_tx *tx,
    struct dvt_arena *arena, const char *gateway, int64_t limit,
    struct dvt_row_feed **rows, size_t *n, struct dvt_err *err);
DVT_MUST_USE enum dvt_code dvt_store_feed_list(struct dvt_tx *tx,
    struct dvt_arena *arena, const char *gateway, int64_t after, int64_t limit,
    struct dvt_row_feed **rows, size_t *n, struct dvt_err *err);
/* The highest position given; 0: none. */
DVT_MUST_USE enum dvt_code dvt_store_feed_position(
    struct dvt_tx *tx, int64_t *position, struct dvt_err *err);

#endif
