/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Handshakes of a worker on their way to the feed process, which may be slow,
 * or away for a while. So many stay whole; beyond that, records that agree
 * become one with a count, and go when there is room again: totals stay exact,
 * and memory is bounded however many strangers come.
 */
#ifndef DVT_GATEWAY_RECORD_QUEUE_H
#define DVT_GATEWAY_RECORD_QUEUE_H

#include "base/span.h"
#include "proto/feed_record.h"

struct gw_queue;

struct gw_queue *gw_queue_new(void);
void gw_queue_free(struct gw_queue *q);

void gw_queue_add(struct gw_queue *q, const struct dvt_handshake *h);
size_t gw_queue_bytes(const struct gw_queue *q); /* of lines; counts beside */
struct dvt_span gw_queue_left(const struct gw_queue *q); /* all lines */

/**
 * gw_queue_next() - lines for one message
 * @max: bytes at most; more than DVT_RECORD_MAX
 * @number: out: of these lines
 *
 * The same ones, under the same number, until gw_queue_taken(). Nothing: there
 * are none. Borrowed until the queue changes.
 */
struct dvt_span gw_queue_next(struct gw_queue *q, size_t max, uint64_t *number);
bool gw_queue_is_under_way(const struct gw_queue *q); /* not taken yet */
/* They will not be lost any more. false: another number. */
bool gw_queue_taken(struct gw_queue *q, uint64_t number);

/* Before the end: all that is counted becomes lines. Return: handshakes for
 * which there was no room at all, since the start. */
uint64_t gw_queue_finish(struct gw_queue *q);

#endif
