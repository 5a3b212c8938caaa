/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a handler works with: the transaction, the clock, who asks; and, in
 * core alone, what may be done beyond reading and writing rows.
 */
#ifndef DVT_API_APP_H
#define DVT_API_APP_H

#include "base/clock.h"
#include "base/mem.h"
#include "base/span.h"

#include <jansson.h>
#include <stdbool.h>

struct dvt_tx;
struct dvt_config;
struct dvt_app;

/*
 * A viewer reads; an operator also changes; an approver reads and gives
 * approvals, so that who asks and who agrees are two; an admin may do all.
 */
#define DVT_API_ROLES(X)                                                       \
	X(DVT_ANYONE, "anyone")                                                \
	X(DVT_VIEWER, "viewer")                                                \
	X(DVT_OPERATOR, "operator")                                            \
	X(DVT_APPROVER, "approver")                                            \
	X(DVT_ADMIN, "admin")
#define DVT_API_ROLE_ENUM(id, name) id,
enum dvt_api_role { DVT_API_ROLES(DVT_API_ROLE_ENUM) DVT_API_ROLE_N };
const char *dvt_api_role_name(enum dvt_api_role role);
enum dvt_api_role dvt_api_role_from_name(const char *name); /* or _N */
/* May one who has @has do what asks for @needs? */
bool dvt_api_role_may(enum dvt_api_role has, enum dvt_api_role needs);

/*
 * Core's side of a handler; docstrings are with the functions behind them
 * (dovetaild/core*.h). Those marked "later" take over the answer: the handler
 * returns what they return and touches the reply no more.
 */
struct dvt_app_core {
	/* One entry of the audit log, actor and time from @app. */
	enum dvt_code (*audit)(struct dvt_app *app, const char *action,
	    const char *object, const json_t *detail, struct dvt_err *err);
	/* One line of the event queue. */
	enum dvt_code (*event)(struct dvt_app *app, const char *name,
	    const char *device, const char *correlation, const json_t *body,
	    struct dvt_err *err);
	/* What edges hear of a device, an authority, an edge's policy, anew */
	enum dvt_code (*feed_device)(
	    struct dvt_app *app, const char *device_id, struct dvt_err *err);
	enum dvt_code (*feed_anchor)(
	    struct dvt_app *app, int64_t authority_id, struct dvt_err *err);
	enum dvt_code (*feed_policy)(
	    struct dvt_app *app, const char *gateway, struct dvt_err *err);
	/* @body NULL: gone. For `deny` and what has no function of its own. */
	enum dvt_code (*feed_set)(struct dvt_app *app, const char *kind,
	    const char *key, const char *gateway, const json_t *body,
	    struct dvt_err *err);
	/* Answers from memory (cacerts, bundles) are made anew. */
	void (*publish)(struct dvt_app *app);
	/* core_gateway_order() */
	enum dvt_code (*gateway_order)(struct dvt_app *app, const char *gateway,
	    const char *order, int64_t authority, const char *slot,
	    struct dvt_err *err);
	/**
	 * approval - has a second person agreed to exactly this?
	 * @digest: SHA-256 hex over what would be done
	 *
	 * When not, a request for it is written and @app->approval tells
	 * which. Return: DVT_OK (used up now); DVT_E_APPROVAL.
	 */
	enum dvt_code (*approval)(struct dvt_app *app, const char *action,
	    const char *object, const char *digest, struct dvt_err *err);

	/* core_operate(): rotations, what edges show, what devices trust. */
	enum dvt_code (*operate)(struct dvt_app *app, const char *what,
	    const json_t *args, json_t **out, json_t **extra,
	    struct dvt_err *err);

	/* A new authority: its key is made in the signer. Later. */
	enum dvt_code (*authority_create)(struct dvt_app *app, const char *name,
	    const char *subject, const char *parent, bool use_server,
	    bool use_device, struct dvt_err *err);
	/* An authority from outside; @sealed_key empty: certificate alone.
	 * Later. */
	enum dvt_code (*authority_import)(struct dvt_app *app, const char *name,
	    const char *certificate_pem, struct dvt_span sealed_key,
	    bool use_server, bool use_device, struct dvt_err *err);
	/* NewWithOld (RFC 4210 section 4.4). Later. */
	enum dvt_code (*authority_cross)(struct dvt_app *app, const char *name,
	    const char *by, struct dvt_err *err);
	/* SPKI of the key that imported keys are sealed to; "" not known yet */
	struct dvt_span (*import_key)(struct dvt_app *app);
};

struct dvt_app {
	struct dvt_tx *tx;       /* open; ended by the caller */
	struct dvt_arena *arena; /* of this request */
	struct dvt_time now;
	const struct dvt_config *config;
	const char *actor; /* token's name */
	enum dvt_api_role role;
	const struct dvt_app_core *core; /* NULL in a reader */
	void *core_ctx;
	int64_t approval; /* after DVT_E_APPROVAL: which one to give */
	bool later;       /* somebody else answers */
};

#endif
