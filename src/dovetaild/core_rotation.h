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
/* Once, before the sandbox: reads the kernel's boot id. */
void core_rotation_start(void);

/* --- what devices and edges did --- */

/*
 * All of these come after the caller has recorded the thing itself (trust,
 * chain_seen, device seen, report), and only step rotations.
 */

/**
 * core_rotation_checkin() - a device checked in over its own session
 * @certificate: fingerprint it checked in under
 *
 * After trust was confirmed and core_confirm(). Finds out which anchors a
 * digest never heard before stands for; core_feed_device() comes after it.
 */
DVT_MUST_USE enum dvt_code core_rotation_checkin(struct core *c,
    const char *device, const char *certificate, struct dvt_err *err);

/* An entry of `done`: instruction @id was carried out, or failed. Before the
 * instruction is taken from the mailbox. */
DVT_MUST_USE enum dvt_code core_rotation_done(struct core *c,
    const char *device, const char *id, bool ok, const char *detail,
    struct dvt_err *err);

/* It asks for a certificate as it was told to; and that was recorded. */
DVT_MUST_USE enum dvt_code core_rotation_csr(
    struct core *c, const char *device, struct dvt_err *err);
DVT_MUST_USE enum dvt_code core_rotation_issued(struct core *c,
    const char *device, const char *fingerprint, struct dvt_err *err);

/* The authority that issues for a rotation to the root @root_id. @issuer: out:
 * its id. DVT_E_CONFLICT: no key is held that does. */
DVT_MUST_USE enum dvt_code core_rotation_issuer(
    struct core *c, int64_t root_id, int64_t *issuer, struct dvt_err *err);

/* Its state became parked, or active again. */
DVT_MUST_USE enum dvt_code core_rotation_parked(
    struct core *c, const char *device, struct dvt_err *err);
DVT_MUST_USE enum dvt_code core_rotation_returned(
    struct core *c, const char *device, struct dvt_err *err);

/**
 * core_rotation_handshake() - what an edge or a front saw
 * @main: under one of the edge's main names
 *
 * Of a record with confidence `certificate` its assignments are stepped, when
 * that certificate is really the device's. Of others, refusals of a rotation's
 * new chain under a main name are counted.
 */
DVT_MUST_USE enum dvt_code core_rotation_handshake(struct core *c,
    const struct dvt_handshake *h, bool main, struct dvt_err *err);

/* An order was issued (core_gateway_order()): credential @id of @gateway; its
 * feed record is written. */
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
