/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How fast one address may open connections, in one worker: a bucket of tokens
 * for each address, in a table of fixed size that forgets who was quiet.
 */
#ifndef DVT_GATEWAY_RATE_H
#define DVT_GATEWAY_RATE_H

#include "loop/addr.h"

#include <stdbool.h>
#include <stdint.h>

#define GW_RATE_LINES 8192 /* addresses; 24 bytes each */
#define GW_BURST      4    /* seconds of the rate may come at once */

struct gw_rate;

/* @rate: connections per second from one address; 0: no limit */
struct gw_rate *gw_rate_new(unsigned rate);
void gw_rate_free(struct gw_rate *l); /* NULL-safe */

/*
 * One more connection from there; false: too many. An IPv6 address counts by
 * its first 64 bits, as a host has all of those below.
 */
bool gw_rate_take(
    struct gw_rate *l, const struct dvt_addr *peer, int64_t now_ms);

#endif
