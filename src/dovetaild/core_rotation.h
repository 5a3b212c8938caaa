/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rotations inside core: rows are loaded, the pure engine of src/fleet is
 * asked, and what it says is written. Everything here runs in the turn's
 * transaction (core_tx()), inside a savepoint of the caller's (core_within()).
 */
#ifndef DVT_DOVETAILD_CORE_ROTATION_H
#define DVT_DOVETAILD_CORE_ROTATION_H

#include "dovetaild/core.h"

struct dvt_handshake;

/* --- by the clock --- */

/**
 * core_rotation_tick() - look at every open rotation, timers, holds
 *
 * Once a second, and sooner after core_rotation_wake(). Each rotation, and
 * each slice of work, is a savepoint of its own: one that fails is logged and
 * tried at the next tick. Devices that were silent for three periods are
 * parked; superseded certificates past their hold are denied.
 */
void core_rotation_tick(struct core *c);

/**
 * core_outbox_run() - perform queued actions that are due
 *
 * Each in a savepoint of its own, at most 64 in one call; an action that is
 * done for the second time finds it done. What fails for a reason that may
 * pass is tried again (2, 4, 8 .. 60 s); else it is `failed` and its rotation
 * pauses.
 */
void core_outbox_run(struct core *c);

/* Something happened that gates look at: tick at the end of this turn. */
void core_rotation_wake(struct core *c);
/* True once after core_rotation_wake(). */
bool core_rotation_awake(struct core *c);

/* --- what devices and edges did --- */

struct core_checkin_facts {
	const char *device;      /* id */
	const char *certificate; /* fingerprint it checked in under */
	int64_t version;         /* of the bundle it loaded; 0: none */
	const char *digest;      /* of the anchors it loaded; "": not told */
};

/**
 * core_rotation_checkin() - a device checked in over its own session
 *
 * After dvt_store_device_checkin() and core_confirm(). Records what it
 * loaded (trust_confirm, and which anchors that digest stands for), steps its
 * assignments, brings a parked device back, and makes its feed record anew
 * when any of it changed.
 */
DVT_MUST_USE enum dvt_code core_rotation_checkin(
    struct core *c, const struct core_checkin_facts *f, struct dvt_err *err);

/* An entry of `done`: instruction @id was carried out, or failed. */
DVT_MUST_USE enum dvt_code core_rotation_done(struct core *c,
    const char *device, const char *id, bool ok, const char *detail,
    struct dvt_err *err);

/* It asked for a certificate; and it was recorded (core_issue_record()). */
DVT_MUST_USE enum dvt_code core_rotation_csr(
    struct core *c, const char *device, struct dvt_err *err);
DVT_MUST_USE enum dvt_code core_rotation_issued(struct core *c,
    const char *device, const char *fingerprint, struct dvt_err *err);

/**
 * core_rotation_handshake() - what an edge or a front saw
 * @gateway: name of the edge
 * @h:       the record
 *
 * Of a record with confidence `certificate`: the device was seen
 * (dvt_store_device_seen, credential_seen), chain_seen, its assignments, its
 * feed record when that changed. Of others: refusals of the new chain are
 * counted. The caller has stored the record and counted the hour. The
 * certificate is looked up: a name in the record alone proves nothing.
 */
DVT_MUST_USE enum dvt_code core_rotation_handshake(struct core *c,
    const char *gateway, const struct dvt_handshake *h, struct dvt_err *err);

/**
 * core_rotation_gateway() - an edge was heard: credentials, applied position
 *
 * After dvt_store_gateway_heard(). Fills in its default root from what its
 * own files show, when it has none yet.
 */
DVT_MUST_USE enum dvt_code core_rotation_gateway(
    struct core *c, const char *gateway, struct dvt_err *err);

/* An order was issued (core_gateway_order()): credential @id of @gateway. */
DVT_MUST_USE enum dvt_code core_rotation_ordered(
    struct core *c, const char *gateway, const char *id, struct dvt_err *err);

/* --- what operators ask --- */

/**
 * core_operate() - one thing an operator asks for
 * @actor: token's name
 * @what:  "rotation.plan" (args: the plan), "rotation.start", ".pause",
 *         ".resume", ".abort", ".rollback" (args: id, optional reason);
 *         "gateway.rotate", "gateway.rollback", "gateway.recover",
 *         "truststore.update", "recovery.initiate" (args: bodies of the REST
 *         calls of docs; "gateway.recover": authority, optional gateway)
 * @args:  borrowed
 * @out:   out: the answer, the caller's; NULL unless DVT_OK
 * @extra: out: more fields of the problem document, the caller's, or NULL:
 *         {"devices": [{"device", "reason"}], "total"} after DVT_E_UNSAFE,
 *         {"approval", "digest", "expires_at"} after DVT_E_APPROVAL
 *
 * A request for an approval is kept although the call fails: the caller must
 * not take its savepoint back after DVT_E_APPROVAL.
 * Return: DVT_OK; DVT_E_INPUT; DVT_E_ABSENT; DVT_E_CONFLICT; DVT_E_UNSAFE;
 *         DVT_E_APPROVAL.
 */
DVT_MUST_USE enum dvt_code core_operate(struct core *c, const char *actor,
    const char *what, const json_t *args, json_t **out, json_t **extra,
    struct dvt_err *err);

#endif
