/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Certificates that verified lately, so that a device that comes back costs no
 * second walk of its path: SHA-256 of the leaf, with the time its whole path
 * is good for. Only acceptance is kept, and only for as long as nothing moved
 * that it rests on: anchors, issuing CAs and CRLs (dvt_verdict_cache_forget()).
 * Denials, devices and our clock are asked each time by the caller; possession
 * of the key is proven by TLS in every handshake.
 *
 * One process, one thread. Full sets of eight lines give up the line used
 * longest ago.
 */
#ifndef DVT_LOOP_VERDICT_CACHE_H
#define DVT_LOOP_VERDICT_CACHE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DVT_VERDICT_KEY  32 /* bytes: SHA-256 of the leaf's DER */
#define DVT_VERDICT_LINE 64 /* bytes of memory that one costs */

struct dvt_verdict_cache;

/* Room for about @lines; memory is used as it fills. Never NULL. */
struct dvt_verdict_cache *dvt_verdict_cache_new(size_t lines);
void dvt_verdict_cache_free(struct dvt_verdict_cache *v); /* NULL-safe */

/* When a path is good: from the latest notBefore to the first notAfter. */
struct dvt_verdict_dates {
	int64_t not_before, not_after; /* Unix seconds, both included */
	uint32_t path;                 /* of the caller, handed back */
};

/**
 * dvt_verdict_cache_get() - did it verify, and does it still at @now?
 * @dates: of its path; filled when true
 */
bool dvt_verdict_cache_get(struct dvt_verdict_cache *v,
    const uint8_t leaf[DVT_VERDICT_KEY], int64_t now,
    struct dvt_verdict_dates *dates);
/* It verified under what is trusted now. */
void dvt_verdict_cache_put(struct dvt_verdict_cache *v,
    const uint8_t leaf[DVT_VERDICT_KEY], const struct dvt_verdict_dates *dates);
/* What is trusted has changed: nothing is known any more. */
void dvt_verdict_cache_forget(struct dvt_verdict_cache *v);

#endif
