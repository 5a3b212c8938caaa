/* SPDX-License-Identifier: Apache-2.0 */
/* What a worker counts, as it tells the feed process once a second. */
#ifndef DVT_GATEWAY_STATS_H
#define DVT_GATEWAY_STATS_H

#include "base/span.h"
#include "proto/feed_record.h"

struct gw_stats {
	uint64_t conns;          /* open now, handshakes included */
	uint64_t sessions;       /* of these relaying */
	uint64_t resident_bytes; /* of the process */
	uint64_t passed;         /* passed through, beyond their opening */
	uint64_t stalled;        /* sessions ended for that; since it started */
	uint64_t failing;        /* bit i: the i-th upstream failed last time */
	uint64_t handshakes[DVT_OUTCOME_N][DVT_HR_N]; /* since it started */
};

/* Fields of a message, and back. */
void gw_stats_put(const struct gw_stats *s, struct dvt_buf *out);
DVT_MUST_USE enum dvt_code gw_stats_get(
    struct dvt_span body, struct gw_stats *out, struct dvt_err *err);
/* The counts of a worker that is gone are kept. */
void gw_stats_fold(struct gw_stats *into, const struct gw_stats *from);

/*
 * Resident memory: a descriptor opened before the sandbox closes, then asked.
 * -1 and 0 when /proc does not say.
 */
int gw_memory_open(void);
uint64_t gw_memory_bytes(int fd);

#endif
