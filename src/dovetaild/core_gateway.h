/* SPDX-License-Identifier: Apache-2.0 */
/* Credentials of edges; core_gateway_order() is in core.h. */
#ifndef DVT_DOVETAILD_CORE_GATEWAY_H
#define DVT_DOVETAILD_CORE_GATEWAY_H

#include "dovetaild/core.h"
#include "store/rows.h"

/* The credential that init gives a front to start with. */
#define GATEWAY_START_ID "init"

/**
 * core_gateway_csr() - an edge answered an order
 * @der: the request; its signature was checked where it came in
 *
 * Nothing happens when the order was answered or withdrawn. The certificate
 * comes in a later turn: row, feed, slot.
 */
DVT_MUST_USE enum dvt_code core_gateway_csr(struct core *c,
    const struct dvt_row_gateway *g, const char *order, struct dvt_span der,
    struct dvt_err *err);

/* A credential into another slot, and its record of the feed. */
DVT_MUST_USE enum dvt_code core_gateway_slot(struct core *c,
    const char *gateway, const char *id, enum dvt_gateway_slot slot,
    struct dvt_err *err);

/* An edge of which no root was known shows this one by default from now on;
 * "" is none. */
DVT_MUST_USE enum dvt_code core_gateway_adopt_root(
    struct core *c, const char *gateway, const char *root, struct dvt_err *err);

#endif
