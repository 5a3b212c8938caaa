/* SPDX-License-Identifier: Apache-2.0 */
/* What devices pin, learned from the chains they take (fleet/pins.h). */
#ifndef DVT_DOVETAILD_CORE_PINS_H
#define DVT_DOVETAILD_CORE_PINS_H

#include "dovetaild/core.h"
#include "proto/feed_record.h"
#include "store/rows.h"

/**
 * core_pins_learn() - a device proved its certificate under a chain
 * @g: the edge that showed it
 *
 * A device that was seen to build paths to roots is not looked at any more.
 * A change of its class is an event, DEVICE_PINS, and one that pins has its
 * line in the log, device.pins.
 */
DVT_MUST_USE enum dvt_code core_pins_learn(struct core *c,
    const struct dvt_row_gateway *g, const struct dvt_handshake *h,
    struct dvt_err *err);

#endif
