/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Certificates and who owns them, keys, and enrolment secrets.
 *
 * All calls work inside the caller's transaction and decide nothing. Unless
 * said otherwise they return DVT_OK; DVT_E_ABSENT (no such row, only from
 * those that read one); DVT_E_CONFLICT (a constraint, or "is in another
 * state"); DVT_E_SYSTEM. Lists come in pages of at most `limit` rows, from
 * after a key; *rows is an array in the arena.
 */
#ifndef DVT_STORE_CREDENTIAL_H
#define DVT_STORE_CREDENTIAL_H

#include "store/rows.h"
#include "store/store.h"

/**
 * dvt_store_credential_add() - record a certificate
 * @row:        generation 0: the owner's next
 * @der:        the certificate
 * @chain_pem:  its intermediates, "" none
 * @generation: out: may be NULL
 *
 * Keeps the roll-up of ends (expiry_day) right, as all calls below that move
 * a certificate in or out of `active` do.
 * Return: DVT_OK; DVT_E_CONFLICT (fingerprint, or serial of this issuer, is
 *         there).
 */
DVT_MUST_USE enum dvt_code dvt_store_credential_add(struct dvt_tx *tx,
    const struct dvt_row_credential *row, struct dvt_span der,
    const char *chain_pem, int64_t *generation, struct dvt_err *err);
/* DER and intermediates (PEM); copied into @arena. */
DVT_MUST_USE enum dvt_code dvt_store_certificate_get(struct dvt_tx *tx,
    struct dvt_arena *arena, const char *owner, const char *fingerprint,
    struct dvt_span *der, const char **chain_pem, struct dvt_err *err);
DVT_MUST_USE enum dvt_code dvt_store_credential_by_fingerprint(
    struct dvt_tx *tx, struct dvt_arena *arena, const char *fingerprint,
    struct dvt_row_credential *out, struct dvt_err *err);
/* @issuer: RFC 2253; @serial: hex. */
DVT_MUST_USE enum dvt_code dvt_store_credential_by_serial(struct dvt_tx *tx,
    struct dvt_arena *arena, const char *issuer, const char *serial,
    struct dvt_row_credential *out, struct dvt_err *err);
/* The one fingerprint that begins with @prefix (hex digits); DVT_E_CONFLICT
 * when there are more. */
DVT_MUST_USE enum dvt_code dvt_store_credential_expand(struct dvt_tx *tx,
    struct dvt_arena *arena, const char *prefix, const char **fingerprint,
    struct dvt_err *err);
/* The owner's newest certificate of this key, in any state. */
DVT_MUST_USE enum dvt_code dvt_store_credential_newest_by_key(struct dvt_tx *tx,
    struct dvt_arena *arena, enum dvt_owner_kind kind, const char *owner,
    const char *key_digest, struct dvt_row_credential *out,
    struct dvt_err *err);
/* The owner's active certificate of the highest generation. */
DVT_MUST_USE enum dvt_code dvt_store_credential_current(struct dvt_tx *tx,
    struct dvt_arena *arena, enum dvt_owner_kind kind, const char *owner,
    struct dvt_row_credential *out, struct dvt_err *err);
/* All of one owner, newest first. */
DVT_MUST_USE enum dvt_code dvt_store_credential_of_owner(struct dvt_tx *tx,
    struct dvt_arena *arena, enum dvt_owner_kind kind, const char *owner,
    int64_t limit, struct dvt_row_credential **rows, size_t *n,
    struct dvt_err *err);
/* Issued by one authority, by fingerprint. */
DVT_MUST_USE enum dvt_code dvt_store_credential_of_authority(struct dvt_tx *tx,
    struct dvt_arena *arena, int64_t authority_id,
    enum dvt_credential_state state, const char *after, int64_t limit,
    struct dvt_row_credential **rows, size_t *n, struct dvt_err *err);

/* issued -> active, by the completion check-in. */
DVT_MUST_USE enum dvt_code dvt_store_credential_confirm(struct dvt_tx *tx,
    const char *fingerprint, int64_t at, struct dvt_err *err);
/* active -> superseded, accepted until @hold_until. */
DVT_MUST_USE enum dvt_code dvt_store_credential_supersede(struct dvt_tx *tx,
    const char *fingerprint, int64_t at, int64_t hold_until,
    struct dvt_err *err);
/* superseded -> active. */
DVT_MUST_USE enum dvt_code dvt_store_credential_reinstate(
    struct dvt_tx *tx, const char *fingerprint, struct dvt_err *err);
/* @was -> revoked; @reason: CRLReason (RFC 5280 section 5.3.1). */
DVT_MUST_USE enum dvt_code dvt_store_credential_revoke(struct dvt_tx *tx,
    const char *fingerprint, enum dvt_credential_state was, int64_t at,
    int64_t reason, struct dvt_err *err);
/* @was -> expired. */
DVT_MUST_USE enum dvt_code dvt_store_credential_expire(struct dvt_tx *tx,
    const char *fingerprint, enum dvt_credential_state was,
    struct dvt_err *err);
/* The owner's active certificates other than @fingerprint. */
DVT_MUST_USE enum dvt_code dvt_store_credential_older_active(struct dvt_tx *tx,
    struct dvt_arena *arena, enum dvt_owner_kind kind, const char *owner,
    const char *fingerprint, int64_t limit, struct dvt_row_credential **rows,
    size_t *n, struct dvt_err *err);
/* Live in name, but past their notAfter: to be expired. */
DVT_MUST_USE enum dvt_code dvt_store_credential_ended(struct dvt_tx *tx,
    struct dvt_arena *arena, int64_t now, int64_t limit,
    struct dvt_row_credential **rows, size_t *n, struct dvt_err *err);
/* Superseded, their hold over, and edges not told yet. */
DVT_MUST_USE enum dvt_code dvt_store_credential_hold_ended(struct dvt_tx *tx,
    struct dvt_arena *arena, int64_t now, int64_t limit,
    struct dvt_row_credential **rows, size_t *n, struct dvt_err *err);
/* Edges are told to refuse it from now on. */
DVT_MUST_USE enum dvt_code dvt_store_credential_denied(struct dvt_tx *tx,
    const char *fingerprint, int64_t at, struct dvt_err *err);
/* Proven at an edge; counted one by one up to 10, then once an hour. */
DVT_MUST_USE enum dvt_code dvt_store_credential_seen(struct dvt_tx *tx,
    const char *fingerprint, int64_t at, struct dvt_err *err);
/* When any other certificate of this owner was last seen; 0: never. */
DVT_MUST_USE enum dvt_code dvt_store_credential_old_seen(struct dvt_tx *tx,
    enum dvt_owner_kind kind, const char *owner, const char *fingerprint,
    int64_t *at, struct dvt_err *err);

/* "No live credential needs it": issued, active, or superseded and not
 * denied, of this root, not ended. @n: out: by owner kind. */
DVT_MUST_USE enum dvt_code dvt_store_credential_live_by_root(struct dvt_tx *tx,
    const char *root, int64_t now, int64_t n[DVT_OWNER_N], struct dvt_err *err);
/* The same, named; by fingerprint. */
DVT_MUST_USE enum dvt_code dvt_store_credential_live_of_root(struct dvt_tx *tx,
    struct dvt_arena *arena, const char *root, int64_t now, const char *after,
    int64_t limit, struct dvt_row_credential **rows, size_t *n,
    struct dvt_err *err);
/* For a revocation list: serial, revoked_at, revoke_reason, fingerprint; by
 * fingerprint, not ended. */
DVT_MUST_USE enum dvt_code dvt_store_credential_revoked(struct dvt_tx *tx,
    struct dvt_arena *arena, int64_t authority_id, int64_t now,
    const char *after, int64_t limit, struct dvt_row_credential **rows,
    size_t *n, struct dvt_err *err);

/* --- one public key, one owner --- */

/* DVT_E_CONFLICT: it belongs to someone else; the text does not say whom. */
DVT_MUST_USE enum dvt_code dvt_store_key_claim(struct dvt_tx *tx,
    const char *key_digest, enum dvt_owner_kind kind, const char *owner,
    struct dvt_err *err);
/* *found false: nobody's. */
DVT_MUST_USE enum dvt_code dvt_store_key_owner(struct dvt_tx *tx,
    struct dvt_arena *arena, const char *key_digest, bool *found,
    enum dvt_owner_kind *kind, const char **owner, struct dvt_err *err);

/* The key of an authority, or of what an edge shows: nobody enrols with it. */
DVT_MUST_USE enum dvt_code dvt_store_key_of_infrastructure(
    struct dvt_tx *tx, const char *key_digest, bool *ours, struct dvt_err *err);

/* --- one-time secrets --- */

DVT_MUST_USE enum dvt_code dvt_store_secret_set(
    struct dvt_tx *tx, const struct dvt_row_secret *row, struct dvt_err *err);
DVT_MUST_USE enum dvt_code dvt_store_secret_get(struct dvt_tx *tx,
    struct dvt_arena *arena, enum dvt_secret_owner kind, const char *owner,
    struct dvt_row_secret *out, struct dvt_err *err);
/* As if there had never been one. */
DVT_MUST_USE enum dvt_code dvt_store_secret_forget(struct dvt_tx *tx,
    enum dvt_secret_owner kind, const char *owner, struct dvt_err *err);
/* The first key that used it; DVT_E_CONFLICT for any other. */
DVT_MUST_USE enum dvt_code dvt_store_secret_bind(struct dvt_tx *tx,
    enum dvt_secret_owner kind, const char *owner, const char *key_digest,
    struct dvt_err *err);
/* Used up: its certificate was seen. Twice is DVT_OK. */
DVT_MUST_USE enum dvt_code dvt_store_secret_used(struct dvt_tx *tx,
    enum dvt_secret_owner kind, const char *owner, int64_t at,
    struct dvt_err *err);

/* --- the roll-up of ends --- */

/* Days of Unix time, both inclusive. */
DVT_MUST_USE enum dvt_code dvt_store_expiry_days(struct dvt_tx *tx,
    struct dvt_arena *arena, int64_t first, int64_t last,
    struct dvt_row_expiry_day **rows, size_t *n, struct dvt_err *err);

#endif
