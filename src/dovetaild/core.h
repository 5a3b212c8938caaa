/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the parts of core share: the turn, its transaction, what is done after
 * its commit, asking the signer, and writing down what happened.
 *
 * A turn: messages that are ready are handled, each in a savepoint of one
 * transaction; one commit; then, and only then, answers, feed and requests to
 * the signer leave. When the commit fails all of it is as if never asked and
 * every asker hears try-later.
 */
#ifndef DVT_DOVETAILD_CORE_H
#define DVT_DOVETAILD_CORE_H

#include "base/clock.h"
#include "base/mem.h"
#include "dovetaild/sign.h"

#include <jansson.h>

struct core;
struct dvt_store;
struct dvt_tx;
struct dvt_config;

/* --- the turn --- */

/* The open transaction; begun by the first call of a turn. Borrowed. */
struct dvt_tx *core_tx(struct core *c);
/* Both clocks as of the start of this turn. */
struct dvt_time core_now(const struct core *c);
/* Memory until the end of this turn. */
struct dvt_arena *core_arena(struct core *c);
const struct dvt_config *core_config(const struct core *c);
struct dvt_loop *core_loop(struct core *c);
const char *core_fleet(const struct core *c); /* name of the fleet */

/**
 * core_after() - do it once this turn is committed
 * @fn:  runs outside of any transaction; committed is false when the commit
 *       failed (then only free what @ctx holds)
 * @ctx: handed to @fn, which owns it
 *
 * Inside a savepoint that is rolled back the call is forgotten as well, with
 * committed false.
 */
void core_after(struct core *c,
    void (*fn)(struct core *c, void *ctx, bool committed), void *ctx);

/* --- writing down what happened; all in the turn's transaction --- */

/**
 * core_audit() - one entry of this core's hash chain
 * @actor:  token name, "device:ID", "gateway:NAME", or "core"
 * @action: "certificate.issue", "rotation.start"
 * @object: what it was done to
 * @detail: borrowed; NULL: {}
 */
DVT_MUST_USE enum dvt_code core_audit(struct core *c, const char *actor,
    const char *action, const char *object, const json_t *detail,
    struct dvt_err *err);

/**
 * core_event() - one line of the event queue (GET /v1/events)
 * @name:        "CertRotationStarted", "DEVICE_PUBKEY_CHANGE"
 * @device:      "" when about none
 * @correlation: id of the update or rotation, "" none
 * @body:        borrowed; NULL: {}
 */
DVT_MUST_USE enum dvt_code core_event(struct core *c, const char *name,
    const char *device, const char *correlation, const json_t *body,
    struct dvt_err *err);

/* Open (or count up) the alert of this key; @severity "page", "warn", "info" */
DVT_MUST_USE enum dvt_code core_alert(struct core *c, const char *severity,
    const char *key, const char *name, const char *detail, struct dvt_err *err);

/**
 * core_feed_set() - the newest state of one key, at a new position
 * @gateway:  "" for every edge
 * @body:     borrowed; NULL: gone
 * @position: out: may be NULL
 *
 * Followers that wait and the fronts hear it after the commit. A body equal
 * to the one there keeps its position.
 */
DVT_MUST_USE enum dvt_code core_feed_set(struct core *c, const char *kind,
    const char *key, const char *gateway, const json_t *body, int64_t *position,
    struct dvt_err *err);

/* The records of one device for every edge, made from its rows as they are. */
DVT_MUST_USE enum dvt_code core_feed_device(
    struct core *c, const char *device_id, struct dvt_err *err);
/* An authority as `anchor` (states active, retiring with use_device), or its
 * withdrawal. */
DVT_MUST_USE enum dvt_code core_feed_anchor(
    struct core *c, int64_t authority_id, struct dvt_err *err);
/* The `policy` record of one edge from its row. */
DVT_MUST_USE enum dvt_code core_feed_policy(struct core *c, const char *gateway,
    int64_t *position, struct dvt_err *err);
/* The `credential` record of one edge from its row (slot `gone`: withdrawn). */
DVT_MUST_USE enum dvt_code core_feed_credential(struct core *c,
    const char *gateway, const char *id, int64_t *position,
    struct dvt_err *err);

/* What fronts answer from memory (cacerts, bundles) is made anew and sent to
 * them after this turn's commit. */
void core_publish(struct core *c);

/* --- the signer --- */

/**
 * core_sign() - ask the signer; the answer comes in a later turn
 * @q:    copied; sent after this turn's commit
 * @done: runs in a savepoint of a later turn, once; @r->code tells how it
 *        went (DVT_E_LATER: the signer is away, or the turn that asked could
 *        not be kept). An error it returns rolls its savepoint back and is
 *        logged. Not called when the asking savepoint itself is taken back
 * @drop: frees @ctx, after @done or instead of it; NULL: free()
 *
 * Return: DVT_OK; DVT_E_LATER (not asked: too much under way); @ctx stays the
 *         caller's then.
 */
DVT_MUST_USE enum dvt_code core_sign(struct core *c,
    const struct sign_request *q,
    enum dvt_code (*done)(struct core *c, void *ctx, const struct sign_reply *r,
	struct dvt_err *err),
    void (*drop)(void *ctx), void *ctx, struct dvt_err *err);

/* --- edges --- */

/**
 * core_gateway_order() - have an edge make a key and get a certificate for it
 * @gateway:   its name; its host names are taken from its row
 * @order:     id of the order, unique per edge ("r3-next"); repeats are DVT_OK
 * @authority: issuing authority with its key held
 * @slot:      where it goes once issued: "next" or "current"
 * @rotation:  0: none
 *
 * Writes the row (slot `ordered`) and the feed record `csr`. When the report
 * brings the request, core has it issued, fills the row, publishes the
 * `credential` record and withdraws the order.
 */
DVT_MUST_USE enum dvt_code core_gateway_order(struct core *c,
    const char *gateway, const char *order, int64_t authority, const char *slot,
    int64_t rotation, struct dvt_err *err);

/* --- answers to operators that need more than one turn --- */

/*
 * Where an answer goes: front and its ticket. A handler that cannot answer in
 * its turn keeps a copy and calls core_answer() later.
 */
struct core_asker {
	unsigned front; /* index from 0 */
	uint64_t life;  /* which life of that front */
	uint32_t slot;
	uint64_t generation;
};

/**
 * core_answer() - after this turn's commit
 * @type: content type; NULL: no body
 * @retry_after_s: 0: no such header
 */
void core_answer(struct core *c, const struct core_asker *to, int status,
    const char *type, struct dvt_span body, int64_t retry_after_s);
/* application/problem+json made of @why (RFC 9457). */
void core_answer_problem(struct core *c, const struct core_asker *to,
    const struct dvt_err *why, int64_t retry_after_s);
void core_answer_json(struct core *c, const struct core_asker *to, int status,
    const json_t *body);

#endif
