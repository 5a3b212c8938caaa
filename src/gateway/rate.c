/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/rate.h"

#include "base/mem.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define WAYS 4 /* places an address may have */

struct line {
	uint64_t key; /* 0: free */
	int64_t at_ms;
	int64_t millis; /* tokens left, in thousandths */
};

struct gw_rate {
	unsigned rate;
	uint64_t salt; /* nobody outside chooses who shares a place */
	struct line line[GW_RATE_LINES];
};

struct gw_rate *
gw_rate_new(unsigned rate)
{
	struct gw_rate *l = dvt_alloc(sizeof(*l));

	l->rate = rate;
	if (getrandom(&l->salt, sizeof(l->salt), 0) != sizeof(l->salt))
		abort();
	return l;
}

void
gw_rate_free(struct gw_rate *l)
{
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
	return mix(net ^ l->salt) | 1;
}

/* Its line, or in its places the one that was quiet longest, made its own. */
static struct line *
line_of(struct gw_rate *l, uint64_t key, int64_t now_ms)
{
	struct line *set = &l->line[(key >> 8) % (GW_RATE_LINES / WAYS) * WAYS];
	struct line *oldest = set;

	for (size_t i = 0; i < WAYS; i++) {
		if (set[i].key == key)
			return &set[i];
		if (set[i].at_ms < oldest->at_ms)
			oldest = &set[i];
	}
	*oldest = (struct line){.key = key,
	    .at_ms = now_ms,
	    .millis = (int64_t)l->rate * GW_BURST * 1000};
	return oldest;
}

bool
gw_rate_take(struct gw_rate *l, const struct dvt_addr *peer, int64_t now_ms)
{
	uint64_t key = key_of(l, peer);
	int64_t most = (int64_t)l->rate * GW_BURST * 1000;
	struct line *e;

	if (l->rate == 0 || key == 0)
		return true;
	e = line_of(l, key, now_ms);
	if (now_ms - e->at_ms >= GW_BURST * 1000)
		e->millis = most;
	else
		e->millis += (now_ms - e->at_ms) * l->rate;
	if (e->millis > most)
		e->millis = most;
	e->at_ms = now_ms;
	if (e->millis < 1000)
		return false;
	e->millis -= 1000;
	return true;
}
