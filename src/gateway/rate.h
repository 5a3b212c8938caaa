/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How fast one address may open connections at all workers together: for each
 * address the time at which it will have used up what it took, in a table of
 * fixed size that forgets who was quiet. The table is shared by the processes
 * forked after it was made. An address is one word, changed at once: no line
 * is ever seen half written, and a writer that is killed leaves none locked.
 */
#ifndef DVT_GATEWAY_RATE_H
#define DVT_GATEWAY_RATE_H

#include "base/err.h"
#include "base/span.h"
#include "loop/addr.h"

#include <stdbool.h>
#include <stdint.h>

#define GW_RATE_LINES 4096 /* of 64 bytes: eight addresses each */
#define GW_BURST      4    /* seconds of the rate may come at once */

struct gw_rate;

/**
 * gw_rate_new() - a table in which nobody has opened a connection yet
 * @rate: connections per second from one address; 0: no limit
 *
 * Return: DVT_OK; DVT_E_SYSTEM (no memory to share).
 */
DVT_MUST_USE enum dvt_code gw_rate_new(
    unsigned rate, struct gw_rate **out, struct dvt_err *err);
void gw_rate_free(struct gw_rate *l); /* in this process alone; NULL-safe */

/*
 * One more connection from there; false: too many. An IPv6 address counts by
 * its first 64 bits, as a host has all of those below.
 * @now_ms: since boot, the same clock in all processes
 */
bool gw_rate_take(
    struct gw_rate *l, const struct dvt_addr *peer, int64_t now_ms);
/* The same of anything else that has a table of its own, as a ticket. */
bool gw_rate_take_of(struct gw_rate *l, struct dvt_span what, int64_t now_ms);

#endif
