/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Settings of dovetaild: one table for the parser, `dovetaild -n`, the file
 * that init writes and the man page.
 */
#ifndef DVT_DOVETAILD_SETTINGS_H
#define DVT_DOVETAILD_SETTINGS_H

#include "proc/config.h"

#define DVT_FRONTS_MAX  16
#define DVT_READERS_MAX 8

extern const struct dvt_setting settings_table[];
extern const size_t settings_count;

/* What cannot be used, though each is of its type: addresses, host names,
 * policy.h. DVT_E_INPUT names the setting and why. */
DVT_MUST_USE enum dvt_code settings_check(
    const struct dvt_config *c, struct dvt_err *err);

/* Where things are below the data folder. */
#define DIR_SETTINGS  "dovetail.ini"
#define DIR_DATABASE  "db/dovetail.db"
#define DIR_UNLOCK    "keys/unlock"
#define DIR_SOCKET    "run/api.sock"
#define DIR_PID       "run/dovetaild.pid"
#define DIR_ROOT_PEM  "public/root.pem"
#define DIR_TRUST_PEM "public/trust.pem"

#endif
