/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/upstream.h"

#include "base/mem.h"
#include "ipc/fields.h"

#include <string.h>

#define REST_FIRST_MS 1000
#define REST_MOST_MS  30000

/* Without what tells its kind. */
static const char *
target(const char *text)
{
	if (strncmp(text, "mqtt:", 5) == 0)
		text += 5;
	if (strncmp(text, "tcp:", 4) == 0)
		text += 4;
	else if (strncmp(text, "unix:", 5) == 0)
		text += 5;
	return text;
}

static bool
take_known(struct gw_upstream *one, const struct gw_upstreams *known)
{
	for (size_t i = 0; known != NULL && i < known->n; i++) {
		const struct gw_upstream *k = &known->one[i];

		if (strcmp(k->text, one->text) != 0 || k->addr_n == 0)
			continue;
		memcpy(one->addr, k->addr, sizeof(one->addr));
		one->addr_n = k->addr_n;
		return true;
	}
	return false;
}

enum dvt_code
gw_upstreams_add(struct gw_upstreams *u, const char *text,
    const struct gw_upstreams *known, struct dvt_err *err)
{
	struct gw_upstream *one = &u->one[u->n];
	bool mqtt = strncmp(text, "mqtt:", 5) == 0;
	enum dvt_code rc;

	if (u->n == GW_UPSTREAMS_MAX)
		return dvt_fail(
		    err, DVT_E_LIMIT, "over %d of them", GW_UPSTREAMS_MAX);
	if (u->n > 0 && mqtt != u->mqtt)
		return dvt_fail(
		    err, DVT_E_INPUT, "%s: either all are mqtt: or none", text);
	memset(one, 0, sizeof(*one));
	if (dvt_copy_str(one->text, sizeof(one->text), text) != 0)
		return dvt_fail(err, DVT_E_LIMIT, "too long: %.40s", text);
	rc = take_known(one, known) ? DVT_OK
				    : dvt_addr_resolve(target(text), one->addr,
					  GW_UPSTREAM_ADDRS, &one->addr_n, err);
	if (rc != DVT_OK) {
		dvt_err_prefix(err, "%s", text);
		return rc;
	}
	u->mqtt = mqtt;
	u->n++;
	return DVT_OK;
}

/* --- names whose addresses change --- */

bool
gw_upstream_is_named(const struct gw_upstream *u)
{
	struct dvt_addr a;

	return dvt_addr_parse(target(u->text), &a, NULL) != DVT_OK;
}

static bool
has(const struct gw_upstream *u, const struct dvt_addr *a)
{
	for (size_t i = 0; i < u->addr_n; i++)
		if (u->addr[i].len == a->len &&
		    memcmp(&u->addr[i].ss, &a->ss, a->len) == 0)
			return true;
	return false;
}

static bool
is_same(const struct gw_upstream *u, const struct dvt_addr *a, size_t n)
{
	bool same = u->addr_n == n;

	for (size_t i = 0; same && i < n; i++)
		same = has(u, &a[i]);
	return same;
}

static void
use(struct gw_upstream *u, const struct dvt_addr *a, size_t n)
{
	memcpy(u->addr, a, n * sizeof(*a));
	u->addr_n = n;
	gw_upstream_well(u); /* what failed was another */
}

enum dvt_code
gw_upstream_resolve(struct gw_upstream *u, bool *changed, struct dvt_err *err)
{
	struct dvt_addr fresh[GW_UPSTREAM_ADDRS] = {{.len = 0}};
	size_t n = 0;
	enum dvt_code rc;

	*changed = false;
	rc = dvt_addr_resolve(
	    target(u->text), fresh, GW_UPSTREAM_ADDRS, &n, err);
	if (rc != DVT_OK)
		return rc;
	if (!is_same(u, fresh, n)) {
		use(u, fresh, n);
		*changed = true;
	}
	return DVT_OK;
}

void
gw_upstreams_put(const struct gw_upstreams *u, struct dvt_buf *out)
{
	dvt_put_count(out, u->n);
	for (size_t i = 0; i < u->n; i++) {
		dvt_put_count(out, u->one[i].addr_n);
		for (size_t k = 0; k < u->one[i].addr_n; k++)
			dvt_put_bytes(
			    out, (struct dvt_span){
				     (const uint8_t *)&u->one[i].addr[k].ss,
				     u->one[i].addr[k].len});
	}
}

bool
gw_upstreams_get(struct gw_upstreams *u, struct dvt_fields *in)
{
	if (dvt_get_count(in, GW_UPSTREAMS_MAX) != u->n)
		return false;
	for (size_t i = 0; i < u->n; i++) {
		struct dvt_addr a[GW_UPSTREAM_ADDRS] = {{.len = 0}};
		size_t n = dvt_get_count(in, GW_UPSTREAM_ADDRS);
		bool whole = n > 0;

		for (size_t k = 0; k < n; k++) {
			struct dvt_span b = dvt_get_bytes(in, sizeof(a[k].ss));

			if (b.n > 0)
				memcpy(&a[k].ss, b.p, b.n);
			a[k].len = (socklen_t)b.n;
			whole = whole && b.n >= sizeof(sa_family_t);
		}
		if (!whole)
			return false;
		if (!is_same(&u->one[i], a, n))
			use(&u->one[i], a, n);
	}
	return true;
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
