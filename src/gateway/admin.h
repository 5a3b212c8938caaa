/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The admin listener, in the feed process: GET /healthz, GET /metrics, POST
 * /reload. Plain HTTP on a loopback address or a Unix socket; docs/gateway.md.
 */
#ifndef DVT_GATEWAY_ADMIN_H
#define DVT_GATEWAY_ADMIN_H

#include "gateway/feed_priv.h"

/* Does nothing without a listener. */
DVT_MUST_USE enum dvt_code gw_admin_start(
    struct gw_feed *f, struct dvt_err *err);
void gw_admin_end(struct gw_feed *f);
/* A worker has put something in force: a reload may be complete. */
void gw_admin_applied(struct gw_feed *f);

/* --- admin_text.c --- */

enum gw_health {
	GW_HEALTHY,
	GW_DEGRADED, /* serves, but look at it */
	GW_DOWN,     /* takes no device */
};
/* JSON, appended. */
enum gw_health gw_health_format(const struct gw_feed *f, struct dvt_buf *out);
/* The text form of Prometheus, version 0.0.4, appended. */
void gw_metrics_format(const struct gw_feed *f, struct dvt_buf *out);
/* Workers that have all that was told them in force. */
unsigned gw_workers_ready(const struct gw_feed *f);

#endif
