/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the rotation engine counts, and what it does to many rows at a time.
 * Same rules as store/rotation.h.
 */
#ifndef DVT_STORE_GATE_H
#define DVT_STORE_GATE_H

#include "store/rows.h"
#include "store/store.h"

/* Devices that a gate asks for: active, and not excepted in the rotation. */
enum dvt_gate {
	DVT_GATE_UNCONFIRMED,  /* assignment not confirmed */
	DVT_GATE_WAVE_FAILED,  /* of waves up to `wave` */
	DVT_GATE_WAVE_OPEN,    /* told, no answer yet */
	DVT_GATE_EDGE_FAILING, /* last handshake under `root` since `since` */
	DVT_GATE_UNPROVEN,  /* no pure chain of `root` at a main name since */
	DVT_GATE_UNSEEN,    /* not at an edge under the new certificate */
	DVT_GATE_UNBUNDLED, /* checks in, has not confirmed `version` */
	DVT_GATE_LIVE_OLD,  /* a certificate of `root` in use */
	DVT_GATE_PARKED,    /* parked, not confirmed */
	DVT_GATE_EXCEPTED,
};
struct dvt_gate_query {
	int64_t rotation_id;
	int64_t wave;
	const char *root; /* fingerprint */
	int64_t since;    /* Unix seconds */
	int64_t version;
};
/* How many, and the first few by name. */
DVT_MUST_USE enum dvt_code dvt_store_gate(struct dvt_tx *tx, enum dvt_gate gate,
    const struct dvt_gate_query *q, struct dvt_count *out, struct dvt_err *err);

/* Ids of devices that a retirement leaves behind: parked and not done, or
 * excepted. */
DVT_MUST_USE enum dvt_code dvt_store_left_behind(struct dvt_tx *tx,
    struct dvt_arena *arena, int64_t rotation_id, const char *after,
    int64_t limit, const char *const **ids, size_t *n, struct dvt_err *err);

/* The denominator; confirmed ones of open waves; devices whose last
 * main-name handshake under `root` since `since` went well. */
DVT_MUST_USE enum dvt_code dvt_store_gate_devices(
    struct dvt_tx *tx, int64_t rotation_id, int64_t *n, struct dvt_err *err);
DVT_MUST_USE enum dvt_code dvt_store_gate_wave_ok(struct dvt_tx *tx,
    int64_t rotation_id, int64_t wave, int64_t *n, struct dvt_err *err);
DVT_MUST_USE enum dvt_code dvt_store_gate_edge_ok(struct dvt_tx *tx,
    const struct dvt_gate_query *q, int64_t *n, struct dvt_err *err);
/* End of the longest hold under this root; 0: nothing is held. */
DVT_MUST_USE enum dvt_code dvt_store_gate_hold(
    struct dvt_tx *tx, const char *root, int64_t *until, struct dvt_err *err);
/* Certificates of edges under this root that they are clients here with. */
DVT_MUST_USE enum dvt_code dvt_store_gate_edge_clients(
    struct dvt_tx *tx, const char *root, int64_t *n, struct dvt_err *err);
/* Median of devices' clocks minus ours, seconds. */
DVT_MUST_USE enum dvt_code dvt_store_gate_clock(
    struct dvt_tx *tx, int64_t *off_s, struct dvt_err *err);
/* Actions of a rotation in this state. */
DVT_MUST_USE enum dvt_code dvt_store_gate_outbox(struct dvt_tx *tx,
    int64_t rotation_id, enum dvt_outbox_state state, int64_t *n,
    struct dvt_err *err);

/* --- distinct trust, for dry runs --- */

/* What would be shown; "" what is not known of it. */
struct dvt_gate_shown {
	const char *root;   /* fingerprint */
	const char *serial; /* of its leaf */
	const char *issuer; /* dvt_x509_issuer_id() */
};

struct dvt_row_trust_group {
	const char *digest;  /* "": unknown */
	const char *anchors; /* JSON list; NULL: unknown */
	enum dvt_management management;
	const char *seen; /* last word on the root: "ok", "bad", "" none */
	enum dvt_pins pins;
	int64_t n;
	const char *first; /* lowest id */
};
DVT_MUST_USE enum dvt_code dvt_store_trust_groups(struct dvt_tx *tx,
    struct dvt_arena *arena, int64_t rotation_id,
    const struct dvt_gate_shown *shown, int64_t limit,
    struct dvt_row_trust_group **rows, size_t *n, struct dvt_err *err);
/* Ids of its devices, in order, after @after. */
DVT_MUST_USE enum dvt_code dvt_store_trust_group_devices(struct dvt_tx *tx,
    struct dvt_arena *arena, int64_t rotation_id,
    const struct dvt_gate_shown *shown, const struct dvt_row_trust_group *group,
    const char *after, int64_t limit, const char *const **ids, size_t *n,
    struct dvt_err *err);

struct dvt_row_anchor_user {
	const char *device_id;
	const char *digest;
	const char *anchors; /* JSON list; NULL: unknown */
	bool proven; /* took a pure chain of another root that edges show */
};
/* Active devices by id, judged as if the anchor @root were taken from them. */
DVT_MUST_USE enum dvt_code dvt_store_anchor_users(struct dvt_tx *tx,
    struct dvt_arena *arena, const char *root, const char *after, int64_t limit,
    struct dvt_row_anchor_user **rows, size_t *n, struct dvt_err *err);

/* --- many rows at a time; *n: out: rows changed, may be NULL --- */

/* All of a rotation, the first @rank by rank, or one device, into @wave. */
DVT_MUST_USE enum dvt_code dvt_store_wave_all(
    struct dvt_tx *tx, int64_t rotation_id, int64_t wave, struct dvt_err *err);
DVT_MUST_USE enum dvt_code dvt_store_wave_first(struct dvt_tx *tx,
    int64_t rotation_id, int64_t wave, int64_t rank, struct dvt_err *err);
DVT_MUST_USE enum dvt_code dvt_store_wave_device(struct dvt_tx *tx,
    int64_t rotation_id, int64_t wave, const char *device_id, int64_t *n,
    struct dvt_err *err);
DVT_MUST_USE enum dvt_code dvt_store_wave_count(struct dvt_tx *tx,
    int64_t rotation_id, int64_t wave, int64_t *n, struct dvt_err *err);
/* Waiting ones of waves up to @wave that wait for no timer, by rank. */
DVT_MUST_USE enum dvt_code dvt_store_wave_next(struct dvt_tx *tx,
    struct dvt_arena *arena, int64_t rotation_id, int64_t wave, int64_t limit,
    struct dvt_assignment **rows, size_t *n, struct dvt_err *err);
DVT_MUST_USE enum dvt_code dvt_store_assignment_timers_off(
    struct dvt_tx *tx, int64_t rotation_id, struct dvt_err *err);
DVT_MUST_USE enum dvt_code dvt_store_mail_recall(struct dvt_tx *tx,
    int64_t rotation_id, int64_t limit, int64_t *n, struct dvt_err *err);
/* Superseded ones under this root stay accepted until they end. */
DVT_MUST_USE enum dvt_code dvt_store_hold_open(struct dvt_tx *tx,
    const char *root, int64_t limit, int64_t *n, struct dvt_err *err);
/* The hold of those superseded at @since or later ends @hold_s after that.
 * @root: "": any. */
DVT_MUST_USE enum dvt_code dvt_store_hold_end(struct dvt_tx *tx,
    const char *root, int64_t since, int64_t hold_s, int64_t limit, int64_t *n,
    struct dvt_err *err);
/* What this device held before @fingerprint stays accepted for the while. */
DVT_MUST_USE enum dvt_code dvt_store_hold_owner(struct dvt_tx *tx,
    const char *device_id, const char *fingerprint, struct dvt_err *err);
/* Superseded ones of devices under this root, past their hold, not denied. */
DVT_MUST_USE enum dvt_code dvt_store_deny_next(struct dvt_tx *tx,
    struct dvt_arena *arena, const char *root, int64_t now, int64_t limit,
    struct dvt_row_credential **rows, size_t *n, struct dvt_err *err);
/* Ids of the devices that dvt_store_trust_want() goes over. */
DVT_MUST_USE enum dvt_code dvt_store_trust_page(struct dvt_tx *tx,
    struct dvt_arena *arena, const char *after, int64_t limit,
    const char *const **ids, size_t *n, struct dvt_err *err);
/* @limit devices after @after are to confirm @version. */
DVT_MUST_USE enum dvt_code dvt_store_trust_want(struct dvt_tx *tx,
    int64_t version, const char *after, int64_t limit, struct dvt_err *err);
DVT_MUST_USE enum dvt_code dvt_store_outbox_requeue(
    struct dvt_tx *tx, int64_t rotation_id, int64_t now, struct dvt_err *err);

/* --- a rotation's own --- */

/* Raise what edges must have applied, or devices confirmed. */
DVT_MUST_USE enum dvt_code dvt_store_rotation_position(struct dvt_tx *tx,
    int64_t rotation_id, int64_t position, struct dvt_err *err);
DVT_MUST_USE enum dvt_code dvt_store_rotation_bundle(struct dvt_tx *tx,
    int64_t rotation_id, int64_t version, struct dvt_err *err);
/* Planned, running and paused ones. */
DVT_MUST_USE enum dvt_code dvt_store_rotation_standing(struct dvt_tx *tx,
    struct dvt_arena *arena, struct dvt_rotation **rows, size_t *n,
    struct dvt_err *err);
/* Those with their key here under this root; issuing CAs before the root. */
DVT_MUST_USE enum dvt_code dvt_store_authority_issuers(struct dvt_tx *tx,
    struct dvt_arena *arena, int64_t root_id, struct dvt_row_authority **rows,
    size_t *n, struct dvt_err *err);
/* The root itself and all beneath it. */
DVT_MUST_USE enum dvt_code dvt_store_authority_under(struct dvt_tx *tx,
    struct dvt_arena *arena, int64_t root_id, struct dvt_row_authority **rows,
    size_t *n, struct dvt_err *err);

#endif
