/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How many handshake records stay whole. Beyond so many in a minute, and when
 * the spool fills, records that agree become one with a count, so that totals
 * stay exact however many there are and however long the control plane is
 * away. Pure: time is handed in.
 */
#ifndef DVT_GATEWAY_RECORD_SUM_H
#define DVT_GATEWAY_RECORD_SUM_H

#include "proto/feed_record.h"

/* How finely records are told apart; by how full the spool is. */
enum gw_grain {
	GW_WHOLE,   /* each for itself, up to the limit of a minute */
	GW_DEVICE,  /* by device, hour, chain shown, print, outcome, reason */
	GW_TOTAL,   /* the same without device, address and name */
	GW_OUTCOME, /* by hour, outcome and reason alone */
};

struct gw_sums;

/* @emit: a record with its count; borrowed for the call. Never NULL. */
struct gw_sums *gw_sums_new(
    void (*emit)(void *user, const struct dvt_handshake *h), void *user);
void gw_sums_limit(struct gw_sums *s, int64_t whole_max); /* in a minute */
void gw_sums_free(struct gw_sums *s); /* what waits is lost; NULL-safe */

/* May the record that came now stay whole? Else it is to be counted. */
bool gw_sums_admit(struct gw_sums *s, enum gw_grain grain, int64_t now_s);
void gw_sums_count(
    struct gw_sums *s, const struct dvt_handshake *h, enum gw_grain grain);
/* All that waits goes out now. */
void gw_sums_flush(struct gw_sums *s);
size_t gw_sums_waiting(const struct gw_sums *s); /* different records */

#endif
