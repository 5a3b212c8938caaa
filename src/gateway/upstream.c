/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/upstream.h"

#include "base/mem.h"

#include <string.h>

#define REST_FIRST_MS 1000
#define REST_MOST_MS  30000

enum dvt_code
gw_upstreams_add(struct gw_upstreams *u, const char *text, struct dvt_err *err)
{
	struct gw_upstream *one = &u->one[u->n];
	const char *to = text;
	bool mqtt = strncmp(text, "mqtt:", 5) == 0;
	enum dvt_code rc;

	if (u->n == GW_UPSTREAMS_MAX)
		return dvt_fail(
		    err, DVT_E_LIMIT, "over %d of them", GW_UPSTREAMS_MAX);
	if (u->n > 0 && mqtt != u->mqtt)
		return dvt_fail(
		    err, DVT_E_INPUT, "%s: either all are mqtt: or none", text);
	if (mqtt)
		to += 5;
	if (strncmp(to, "tcp:", 4) == 0)
		to += 4;
	else if (strncmp(to, "unix:", 5) == 0)
		to += 5;
	memset(one, 0, sizeof(*one));
	if (dvt_copy_str(one->text, sizeof(one->text), text) != 0)
		return dvt_fail(err, DVT_E_LIMIT, "too long: %.40s", text);
	rc = dvt_addr_resolve(
	    to, one->addr, GW_UPSTREAM_ADDRS, &one->addr_n, err);
	if (rc != DVT_OK) {
		dvt_err_prefix(err, "%s", text);
		return rc;
	}
	u->mqtt = mqtt;
	u->n++;
	return DVT_OK;
}

/* FNV-1a over both names, then mixed: the same in every process and version. */
static uint64_t
weight(const char *device, const char *upstream)
{
	uint64_t h = 0xcbf29ce484222325u;

	for (const char *p = device; *p != '\0'; p++)
		h = (h ^ (uint8_t)*p) * 0x100000001b3u;
	h = (h ^ 0xff) * 0x100000001b3u;
	for (const char *p = upstream; *p != '\0'; p++)
		h = (h ^ (uint8_t)*p) * 0x100000001b3u;
	h ^= h >> 33;
	h *= 0xff51afd7ed558ccdu;
	h ^= h >> 33;
	return h;
}

bool
gw_upstream_rests(const struct gw_upstream *u, int64_t now_ms)
{
	return u->rests_until_ms > now_ms;
}

struct gw_upstream *
gw_upstreams_pick(
    struct gw_upstreams *u, const char *device, uint32_t *tried, int64_t now_ms)
{
	size_t best = u->n;
	uint64_t most = 0;
	bool best_rests = false;

	for (size_t i = 0; i < u->n; i++) {
		bool rests = gw_upstream_rests(&u->one[i], now_ms);
		uint64_t w = u->n == 1 ? 1 : weight(device, u->one[i].text);

		if ((*tried & 1u << i) != 0)
			continue;
		if (best < u->n &&
		    (best_rests < rests || (best_rests == rests && w <= most)))
			continue;
		best = i;
		most = w;
		best_rests = rests;
	}
	if (best == u->n)
		return NULL;
	*tried |= 1u << best;
	return &u->one[best];
}

void
gw_upstream_failed(struct gw_upstream *u, int64_t now_ms)
{
	int64_t rest = REST_FIRST_MS;

	for (unsigned i = 0; i < u->failures && rest < REST_MOST_MS; i++)
		rest *= 2;
	if (rest > REST_MOST_MS)
		rest = REST_MOST_MS;
	/* many fail at once when one goes: they count as one */
	if (gw_upstream_rests(u, now_ms))
		return;
	u->failures++;
	u->rests_until_ms = now_ms + rest;
}

void
gw_upstream_well(struct gw_upstream *u)
{
	u->failures = 0;
	u->rests_until_ms = 0;
}
