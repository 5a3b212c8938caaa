/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Handshake records on their way to the control plane: gathered into numbered
 * batches, each a file until it is acknowledged. Numbers are never used twice,
 * also over a kill; a batch is sent at least once. Bounded: what does not fit
 * is counted.
 */
#ifndef DVT_GATEWAY_SPOOL_H
#define DVT_GATEWAY_SPOOL_H

#include "base/span.h"
#include "durable/fs.h"

#define GW_SPOOL_DIR   "spool"
#define GW_SPOOL_MAX   67108864 /* bytes of all batches */
#define GW_BATCH_BYTES 524288   /* bytes of one batch */
#define GW_BATCH_LINES 2000     /* records of one batch */

struct gw_spool;

/**
 * gw_spool_open() - find what a former life left
 * @fs: with its ctx; borrowed, the state folder
 * Return: DVT_OK; DVT_E_SYSTEM.
 */
DVT_MUST_USE enum dvt_code gw_spool_open(const struct dvt_fs *fs, void *ctx,
    struct gw_spool **out, struct dvt_err *err);
/* What is gathered becomes a batch first. NULL-safe. */
void gw_spool_close(struct gw_spool *s);

/*
 * Told before a batch is written, by its number, and when it is there (or was
 * given up): who keeps the records until then need keep them no more.
 */
struct gw_spool_watch {
	void (*writing)(void *user, int64_t number);
	void (*written)(void *user);
	void *user;
};
void gw_spool_watch(struct gw_spool *s, const struct gw_spool_watch *w);
/* A batch that was being written when somebody was killed: its records come
 * again. Whether it is there or not, it is not any more. */
void gw_spool_unwrite(struct gw_spool *s, int64_t number);

/* One record, without line feed. */
void gw_spool_add(struct gw_spool *s, struct dvt_span line);
/* Make a batch of what is gathered: from now on it survives a kill. */
void gw_spool_flush(struct gw_spool *s);
/* Batches that wait for their acknowledgement. */
size_t gw_spool_batches(const struct gw_spool *s);
/* How full it is, in percent of GW_SPOOL_MAX. */
unsigned gw_spool_fill(const struct gw_spool *s);
uint64_t gw_spool_lost(const struct gw_spool *s); /* records that did not fit */

/**
 * gw_spool_next() - the batch to send now
 * @lines: out: its records; borrowed until the next call; may be none, then
 *         the number is one for a report without records
 *
 * The oldest unacknowledged batch.
 * Return: its number; 0: there is none now, since it could not be made sure
 *         that no later life uses it again (a full disk).
 */
int64_t gw_spool_next(struct gw_spool *s, struct dvt_span *lines);
/* The control plane has it. */
void gw_spool_acked(struct gw_spool *s, int64_t batch);

#endif
