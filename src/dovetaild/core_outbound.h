/* SPDX-License-Identifier: Apache-2.0 */
/*
 * To the world outside, by the courier: events to a webhook, in their order,
 * and messages to a gateway of short messages. Both are kept until answered
 * 2xx, and told again after a restart: at least once.
 */
#ifndef DVT_DOVETAILD_CORE_OUTBOUND_H
#define DVT_DOVETAILD_CORE_OUTBOUND_H

#include "dovetaild/core.h"

struct core_outbound;
struct core_op;
struct dvt_row_device;

/* In the first turn: where the webhook had got to. @c->outbound is set. */
DVT_MUST_USE enum dvt_code core_outbound_open(
    struct core *c, struct dvt_err *err);
void core_outbound_free(struct core_outbound *o); /* NULL-safe */

/* An event of that name was written in this turn. */
void core_outbound_event(struct core *c, const char *name);
/* What is due: by the clock, and after a commit. No turn is open afterwards. */
void core_outbound_pump(struct core *c);
/* OUTBOUND_DONE of the courier; and its death: what was under way counts as
 * not told. */
void core_outbound_done(struct core *c, struct dvt_span body);
void core_outbound_down(struct core *c);

/**
 * core_sms_put() - a message to that device, queued in this turn
 * @action: UPDATE_TRUSTSTORE or RENEW, as the device is to read it
 *
 * Sent after the commit; the event RECOVERY_SMS_SENT tells when the gateway
 * took it.
 * Return: DVT_OK; DVT_E_CONFLICT (no gateway is configured, or the inventory
 *         has no address for the device).
 */
DVT_MUST_USE enum dvt_code core_sms_put(struct core *c,
    const struct dvt_row_device *device, const char *action,
    struct dvt_err *err);
/* Its answer. @key: of the outbox. */
struct outbound_done;
void core_sms_done(struct core *c, const struct outbound_done *d);

#endif
