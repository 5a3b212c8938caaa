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
DVT_MUST_USE enum dvt_code dvt_store_trust_confirm(struct dvt_tx *tx,
    const char *device_id, int64_t version, const char *digest, int64_t at,
    struct dvt_err *err);
DVT_MUST_USE enum dvt_code dvt_store_trust_failed(struct dvt_tx *tx,
    const char *device_id, const char *why, struct dvt_err *err);

/* The distinct sets of anchors that devices of this state loaded, most
 * common first; digest "" stands for those that told nothing. */
DVT_MUST_USE enum dvt_code dvt_store_trust_distinct(struct dvt_tx *tx,
    struct dvt_arena *arena, enum dvt_device_state state, int64_t limit,
    struct dvt_row_trust_store **rows, size_t *n, struct dvt_err *err);
/* Ids of the devices that loaded one of them. */
DVT_MUST_USE enum dvt_code dvt_store_trust_with_digest(struct dvt_tx *tx,
    struct dvt_arena *arena, enum dvt_device_state state, const char *digest,
    const char *after, int64_t limit, const char *const **ids, size_t *n,
    struct dvt_err *err);

struct dvt_trust_status {
	const char *device_id;
	enum dvt_device_state state;
	int64_t bundle_wanted, bundle_confirmed;
	const char *digest;
	int64_t confirmed_at;
	const char *failed, *key_pin;
};
/* Every device that is not retired, with its trust, by id. */
DVT_MUST_USE enum dvt_code dvt_store_trust_status_list(struct dvt_tx *tx,
    struct dvt_arena *arena, const char *after, int64_t limit,
    struct dvt_trust_status **rows, size_t *n, struct dvt_err *err);

struct dvt_trust_count {
	int64_t confirmed, pending, failed; /* of the active */
	int64_t parked;
};
/* @version: the bundle wanted. */
DVT_MUST_USE enum dvt_code dvt_store_trust_count(struct dvt_tx *tx,
    int64_t version, struct dvt_trust_count *out, struct dvt_err *err);

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

/* --- gates: active devices, not excepted in @rotation_id, that lack --- */

enum dvt_lack {
	DVT_LACK_PROOF,      /* pure-chain handshake under @root since @since */
	DVT_LACK_MAIN_PROOF, /* the same under a main name */
	DVT_LACK_BUNDLE,     /* confirmation of bundle @version or later */
	DVT_LACK_CREDENTIAL, /* a certificate of @authority_id in use and seen
			      */
};
struct dvt_lacking {
	enum dvt_lack what;
	int64_t rotation_id; /* 0: none is excepted */
	const char *root;
	int64_t since; /* Unix seconds */
	int64_t version;
	int64_t authority_id;
};
/* Their ids, in order, after @after. */
DVT_MUST_USE enum dvt_code dvt_store_lacking_list(struct dvt_tx *tx,
    struct dvt_arena *arena, const struct dvt_lacking *q, const char *after,
    int64_t limit, const char *const **ids, size_t *n, struct dvt_err *err);
/* How many, and the first few by name. */
DVT_MUST_USE enum dvt_code dvt_store_lacking_count(struct dvt_tx *tx,
    const struct dvt_lacking *q, struct dvt_count *out, struct dvt_err *err);

#endif
