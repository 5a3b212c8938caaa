/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/rate.h"

#include "base/mem.h"

#include <netinet/in.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>

#define WAYS      8  /* places an address may have */
#define TRIES     64 /* while others change the line; then it goes uncounted */
#define TIME_BITS 40 /* microseconds: 12 days, then around */
#define TIME_MASK ((UINT64_C(1) << TIME_BITS) - 1)
#define US        INT64_C(1000000) /* in a second */
#define SKEW      US /* clocks of two workers are never so far apart */

/* Each place: 24 bits of whose it is, never 0, over the time until which what
 * it took lasts. 0: free. */
struct line {
	_Atomic uint64_t place[WAYS];
};
_Static_assert(sizeof(struct line) == 64, "one cache line each");

struct gw_rate {
	int64_t step_us; /* what one connection uses up; 0: no limit */
	int64_t most_us; /* and what may be used ahead */
	uint64_t salt;   /* nobody outside chooses who shares a place */
	struct line *line;
};

enum dvt_code
gw_rate_new(unsigned rate, struct gw_rate **out, struct dvt_err *err)
{
	struct gw_rate *l = dvt_alloc(sizeof(*l));

	*out = NULL;
	l->step_us = rate == 0 ? 0 : rate > US ? 1 : US / rate;
	l->most_us = l->step_us * rate * GW_BURST - l->step_us;
	l->line = mmap(NULL, GW_RATE_LINES * sizeof(*l->line),
	    PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (l->line == MAP_FAILED) {
		free(l);
		return dvt_fail_errno(err, "address rates");
	}
	if (getrandom(&l->salt, sizeof(l->salt), 0) != sizeof(l->salt))
		abort();
	*out = l;
	return DVT_OK;
}

void
gw_rate_free(struct gw_rate *l)
{
	if (l == NULL)
		return;
	munmap(l->line, GW_RATE_LINES * sizeof(*l->line));
	free(l);
}

static uint64_t
mix(uint64_t h)
{
	h ^= h >> 33;
	h *= 0xff51afd7ed558ccdu;
	h ^= h >> 33;
	h *= 0xc4ceb9fe1a85ec53u;
	return h ^ h >> 33;
}

/* 0 for what has no address. */
static uint64_t
key_of(const struct gw_rate *l, const struct dvt_addr *peer)
{
	uint64_t net = 0;

	if (peer->ss.ss_family == AF_INET) {
		struct sockaddr_in in;

		memcpy(&in, &peer->ss, sizeof(in));
		net = in.sin_addr.s_addr;
	} else if (peer->ss.ss_family == AF_INET6) {
		struct sockaddr_in6 in;

		memcpy(&in, &peer->ss, sizeof(in));
		memcpy(&net, &in.sin6_addr, sizeof(net));
	} else {
		return 0;
	}
	return mix(net ^ l->salt) | UINT64_C(1) << TIME_BITS;
}

/*
 * How far ahead of @now_us what this place took lasts; 0 when that is over.
 * Nobody gets further ahead than @most_us: beyond it the time has gone round.
 */
static int64_t
ahead(const struct gw_rate *l, uint64_t place, uint64_t now_us)
{
	uint64_t by = (place - now_us) & TIME_MASK;

	return place != 0 && by <= (uint64_t)(l->most_us + l->step_us + SKEW)
		   ? (int64_t)by
		   : 0;
}

/* Its place, or of its line's the one that is least ahead. */
static _Atomic uint64_t *
place_of(
    struct gw_rate *l, uint64_t key, uint64_t now_us, uint64_t *was, bool *own)
{
	struct line *line = &l->line[key % GW_RATE_LINES];
	size_t at = 0;
	int64_t least = INT64_MAX;

	*own = true;
	for (size_t i = 0; i < WAYS; i++) {
		uint64_t p = atomic_load_explicit(
		    &line->place[i], memory_order_relaxed);

		if ((p & ~TIME_MASK) == (key & ~TIME_MASK)) {
			*was = p;
			return &line->place[i];
		}
		if (ahead(l, p, now_us) < least) {
			least = ahead(l, p, now_us);
			at = i;
			*was = p;
		}
	}
	*own = false;
	return &line->place[at];
}

static bool
take(struct gw_rate *l, uint64_t key, int64_t now_ms)
{
	uint64_t now_us = (uint64_t)now_ms * 1000, was;
	bool own;

	if (l->step_us == 0 || key == 0)
		return true;
	for (int i = 0; i < TRIES; i++) {
		_Atomic uint64_t *p = place_of(l, key, now_us, &was, &own);
		int64_t used = own ? ahead(l, was, now_us) : 0;
		uint64_t until = now_us + (uint64_t)(used + l->step_us);

		if (used > l->most_us)
			return false;
		if (atomic_compare_exchange_weak_explicit(p, &was,
			(key & ~TIME_MASK) | (until & TIME_MASK),
			memory_order_relaxed, memory_order_relaxed))
			return true;
	}
	return true;
}

bool
gw_rate_take(struct gw_rate *l, const struct dvt_addr *peer, int64_t now_ms)
{
	return take(l, key_of(l, peer), now_ms);
}

bool
gw_rate_take_of(struct gw_rate *l, struct dvt_span what, int64_t now_ms)
{
	uint64_t h = l->salt;

	for (size_t i = 0; i < what.n; i++)
		h = mix(h ^ what.p[i]);
	return take(l, h | UINT64_C(1) << TIME_BITS, now_ms);
}
