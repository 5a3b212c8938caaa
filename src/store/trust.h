/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Trust: bundles and their keys, what devices hold, what they were seen to do.
 *
 * All calls work inside the caller's transaction and decide nothing. Unless
 * said otherwise they return DVT_OK; DVT_E_ABSENT (no such row, only from
 * those that read one); DVT_E_CONFLICT (a constraint, or "is in another
 * state"); DVT_E_SYSTEM. Lists come in pages of at most `limit` rows, from
 * after a key; *rows is an array in the arena.
 */
#ifndef DVT_STORE_TRUST_H
#define DVT_STORE_TRUST_H

#include "store/rows.h"
#include "store/store.h"

DVT_MUST_USE enum dvt_code dvt_store_bundle_add(
    struct dvt_tx *tx, const struct dvt_row_bundle *row, struct dvt_err *err);
DVT_MUST_USE enum dvt_code dvt_store_bundle_newest(struct dvt_tx *tx,
    struct dvt_arena *arena, struct dvt_row_bundle *out, struct dvt_err *err);
DVT_MUST_USE enum dvt_code dvt_store_bundle_get(struct dvt_tx *tx,
    struct dvt_arena *arena, int64_t version, struct dvt_row_bundle *out,
    struct dvt_err *err);
/* The newest with these anchors. */
DVT_MUST_USE enum dvt_code dvt_store_bundle_by_digest(struct dvt_tx *tx,
    struct dvt_arena *arena, const char *digest, struct dvt_row_bundle *out,
    struct dvt_err *err);
DVT_MUST_USE enum dvt_code dvt_store_bundle_list(struct dvt_tx *tx,
    struct dvt_arena *arena, int64_t after, int64_t limit,
    struct dvt_row_bundle **rows, size_t *n, struct dvt_err *err);

DVT_MUST_USE enum dvt_code dvt_store_trust_key_set(struct dvt_tx *tx,
    const struct dvt_row_trust_key *row, struct dvt_err *err);
DVT_MUST_USE enum dvt_code dvt_store_trust_key_list(struct dvt_tx *tx,
    struct dvt_arena *arena, struct dvt_row_trust_key **rows, size_t *n,
    struct dvt_err *err);

/* --- what devices hold --- */

/* Remember which anchors a digest stands for. @anchors: JSON list. */
DVT_MUST_USE enum dvt_code dvt_store_trust_store_put(struct dvt_tx *tx,
    const char *digest, const char *anchors, struct dvt_err *err);
DVT_MUST_USE enum dvt_code dvt_store_trust_store_get(struct dvt_tx *tx,
    struct dvt_arena *arena, const char *digest, const char **anchors,
    struct dvt_err *err);
DVT_MUST_USE enum dvt_code dvt_store_trust_state_get(struct dvt_tx *tx,
    struct dvt_arena *arena, const char *device_id,
    struct dvt_row_trust_state *out, struct dvt_err *err);
DVT_MUST_USE enum dvt_code dvt_store_trust_state_set(struct dvt_tx *tx,
    const struct dvt_row_trust_state *row, struct dvt_err *err);
/* By check-in, with the digest of what it loaded; clears `failed`. */
/* Has any device confirmed a bundle at all? */
DVT_MUST_USE enum dvt_code dvt_store_trust_confirmed_any(
    struct dvt_tx *tx, bool *any, struct dvt_err *err);
DVT_MUST_USE enum dvt_code dvt_store_trust_confirm(struct dvt_tx *tx,
    const char *device_id, int64_t version, const char *digest, int64_t at,
    struct dvt_err *err);
/* What it loaded, of which @digest tells, is no bundle: whatever it confirmed
 * before counts no more. */
DVT_MUST_USE enum dvt_code dvt_store_trust_failed(struct dvt_tx *tx,
    const char *device_id, const char *digest, const char *why,
    struct dvt_err *err);

/* --- what they were seen to do; only handshakes by certificate --- */

/* @main: under one of the edge's main names. */
DVT_MUST_USE enum dvt_code dvt_store_chain_ok(struct dvt_tx *tx,
    const char *device_id, const char *root, enum dvt_chain_form form,
    int64_t at, bool main, struct dvt_err *err);
DVT_MUST_USE enum dvt_code dvt_store_chain_bad(struct dvt_tx *tx,
    const char *device_id, const char *root, enum dvt_chain_form form,
    int64_t at, struct dvt_err *err);
DVT_MUST_USE enum dvt_code dvt_store_chain_seen(struct dvt_tx *tx,
    struct dvt_arena *arena, const char *device_id,
    struct dvt_row_chain_seen **rows, size_t *n, struct dvt_err *err);

/* --- what they pin (fleet/pins.h) --- */

/**
 * dvt_store_chain_taken() - count one more handshake with a chain
 * @known: out: false: there is no such row yet; put one
 */
DVT_MUST_USE enum dvt_code dvt_store_chain_taken(struct dvt_tx *tx,
    const char *device_id, const char *serial, enum dvt_chain_form form,
    bool after_refusal, int64_t at, bool *known, struct dvt_err *err);
DVT_MUST_USE enum dvt_code dvt_store_chain_taken_add(struct dvt_tx *tx,
    const struct dvt_row_chain_taken *row, struct dvt_err *err);
/* The newest ones. */
DVT_MUST_USE enum dvt_code dvt_store_chain_taken_list(struct dvt_tx *tx,
    struct dvt_arena *arena, const char *device_id,
    struct dvt_row_chain_taken **rows, size_t *n, struct dvt_err *err);
/* DVT_PINS_UNKNOWN when there is no row. */
DVT_MUST_USE enum dvt_code dvt_store_device_pins(struct dvt_tx *tx,
    struct dvt_arena *arena, const char *device_id, enum dvt_pins *out,
    struct dvt_err *err);
DVT_MUST_USE enum dvt_code dvt_store_device_pins_set(struct dvt_tx *tx,
    const char *device_id, enum dvt_pins pins, int64_t since,
    struct dvt_err *err);

#endif
