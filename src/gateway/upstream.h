/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where a worker's connections go: one or several upstreams, chosen by the
 * device's name so that it stays with one while that is well.
 */
#ifndef DVT_GATEWAY_UPSTREAM_H
#define DVT_GATEWAY_UPSTREAM_H

#include "base/err.h"
#include "base/span.h"
#include "loop/addr.h"

#include <stdbool.h>
#include <stdint.h>

#define GW_UPSTREAMS_MAX  16
#define GW_UPSTREAM_ADDRS 4 /* of one host name */

struct gw_upstream {
	char text[300]; /* "mqtt:broker-2:1883" */
	struct dvt_addr addr[GW_UPSTREAM_ADDRS];
	size_t addr_n;
	/* health, of this process alone */
	unsigned failures; /* in a row */
	int64_t rests_until_ms;
};

struct gw_upstreams {
	bool mqtt;
	struct gw_upstream one[GW_UPSTREAMS_MAX];
	size_t n;
};

/**
 * gw_upstreams_add() - one item of gateway.upstream or gateway.pass-to
 * @text: "tcp:HOST:PORT", "mqtt:HOST:PORT", "unix:PATH", "mqtt:unix:PATH", or
 *        HOST:PORT alone
 * @known: those of which the addresses are taken over, by their text; or NULL
 *
 * Other names are resolved here. Return: DVT_OK; DVT_E_INPUT (no address, or
 * mqtt: beside others); DVT_E_LIMIT; DVT_E_SYSTEM (no such host).
 */
DVT_MUST_USE enum dvt_code gw_upstreams_add(struct gw_upstreams *u,
    const char *text, const struct gw_upstreams *known, struct dvt_err *err);

/* Is it told by a name, whose addresses may change? */
bool gw_upstream_is_named(const struct gw_upstream *u);

/**
 * gw_upstream_resolve() - ask again; blocks
 * @changed: out: it has other addresses than before
 *
 * Another order of the same addresses is no change. Return: DVT_OK;
 * DVT_E_SYSTEM or DVT_E_INPUT (no answer: what was known stays).
 */
DVT_MUST_USE enum dvt_code gw_upstream_resolve(
    struct gw_upstream *u, bool *changed, struct dvt_err *err);

/* Addresses alone as fields of a message, and back into the same list. */
void gw_upstreams_put(const struct gw_upstreams *u, struct dvt_buf *out);
struct dvt_fields;
/*
 * False: they are of another list, or cut off; @u may be changed in part then,
 * so it should be a copy. One with other addresses begins as well.
 */
bool gw_upstreams_get(struct gw_upstreams *u, struct dvt_fields *in);

/**
 * gw_upstreams_pick() - the best for a device of those not tried yet
 * @tried: bit i: the i-th was; the chosen one's is set
 *
 * By rendezvous hashing: when one of n goes, only its devices move. Those that
 * rest after failures come after those that are well, in the same order.
 * Return: NULL when all were tried.
 */
struct gw_upstream *gw_upstreams_pick(struct gw_upstreams *u,
    const char *device, uint32_t *tried, int64_t now_ms);

/* A connection failed: it rests, longer each time (1 s to 30 s). */
void gw_upstream_failed(struct gw_upstream *u, int64_t now_ms);
void gw_upstream_well(struct gw_upstream *u);
bool gw_upstream_rests(const struct gw_upstream *u, int64_t now_ms);

#endif
