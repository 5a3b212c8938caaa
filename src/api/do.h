/* SPDX-License-Identifier: Apache-2.0 */
/* What changing handlers share. They run in core alone. */
#ifndef DVT_API_DO_H
#define DVT_API_DO_H

#include "api/router.h"
#include "base/hex.h"
#include "store/rows.h"

#define DVT_SECRET_TEXT 72 /* bytes of a token or one-time secret, with NUL */

/**
 * dvt_do_name() - a name that an operator gives
 * @what: for the error: "token"
 *
 * Letters, digits, ".", "_", "-"; 1 to DVT_NAME_MAX.
 */
DVT_MUST_USE enum dvt_code dvt_do_name(
    const char *what, const char *name, struct dvt_err *err);
/* A device id: 1 to DVT_DEVICE_ID_MAX bytes of UTF-8, no control characters,
 * no blank at either end. */
DVT_MUST_USE enum dvt_code dvt_do_device_id(
    const char *id, struct dvt_err *err);

/* @prefix and 256 random bits as hex, and SHA-256 of that text. */
DVT_MUST_USE enum dvt_code dvt_do_secret(const char *prefix,
    char text[DVT_SECRET_TEXT], char hash[DVT_DIGEST_HEX], struct dvt_err *err);

/* Audit entry and event of one change; @detail is taken, NULL: {}. @event
 * NULL: none; @device "" when about none. */
DVT_MUST_USE enum dvt_code dvt_do_tell(struct dvt_app *app, const char *action,
    const char *object, const char *event, const char *device, json_t *detail,
    struct dvt_err *err);

/* app->core->approval() for the texts of @about, up to NULL, as what would be
 * done. */
DVT_MUST_USE enum dvt_code dvt_do_approval(struct dvt_app *app,
    const char *action, const char *object, const char *const *about,
    struct dvt_err *err);

/* Edges refuse this certificate, as revoked, from now on. */
DVT_MUST_USE enum dvt_code dvt_do_deny(struct dvt_app *app,
    const struct dvt_row_credential *c, struct dvt_err *err);

/* A field of the body that is a text, or @dflt. */
const char *dvt_do_text(
    const struct dvt_req *req, const char *key, const char *dflt);

/* The first 500 devices of a refusal, and how many there are. */
void dvt_do_refused(struct dvt_reply *reply, json_t *devices, int64_t total);

#endif
