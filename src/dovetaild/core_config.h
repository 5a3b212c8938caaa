/* SPDX-License-Identifier: Apache-2.0 */
/* Configuration values of devices, and the lease of an update on them. */
#ifndef DVT_DOVETAILD_CORE_CONFIG_H
#define DVT_DOVETAILD_CORE_CONFIG_H

#include "dovetaild/core_owner.h"
#include "dovetaild/request.h"

/* What the next key signs: update, digest of the key, fingerprint of the
 * certificate in use. Also in device/agent_lock.c and docs/device-api.md. */
#define DVT_LOCK_TEXT "dovetail-lock\n%s\n%s\n%s\n"

/* "config" of a check-in: what the device has, or could not take. */
DVT_MUST_USE enum dvt_code core_config_told(struct core *c, const char *device,
    const json_t *list, struct dvt_err *err);
/* "config" of the answer; NULL: it has no values. */
DVT_MUST_USE enum dvt_code core_config_wanted(
    struct core *c, const char *device, json_t **out, struct dvt_err *err);

/* GET /v1/device/config?name=N, POST /v1/device/config, POST /v1/device/lock */
DVT_MUST_USE enum dvt_code core_config_fetch(struct core *c,
    const struct core_asker *from, const struct request *q,
    struct dvt_err *err);
DVT_MUST_USE enum dvt_code core_config_give(struct core *c,
    const struct core_asker *from, const struct request *q,
    struct dvt_err *err);
DVT_MUST_USE enum dvt_code core_config_lock(struct core *c,
    const struct core_asker *from, const struct request *q,
    struct dvt_err *err);

/* The lease ends: of @update, NULL: of whichever. Without one: DVT_OK. */
DVT_MUST_USE enum dvt_code core_config_unlock(struct core *c,
    const char *device, const char *update, const char *why,
    struct dvt_err *err);

#endif
