/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One client of a worker: handshake, then bytes both ways to the upstream
 * with bounded buffers, then a close that does not lose the alert.
 */
#ifndef DVT_GATEWAY_CONN_H
#define DVT_GATEWAY_CONN_H

#include "gateway/worker.h"

struct gw_conn;

/* @fd: just accepted; taken. The connection frees itself at its end. */
void gw_conn_new(struct gw_worker *w, int fd, const struct dvt_addr *peer);
/* Too many of all workers are in their handshake: some of this one go, by
 * chance, the older ones first. */
void gw_conn_half_trim(struct gw_worker *w);
/* Say to the others how many are, and that this worker is alive. */
void gw_conn_half_tell(struct gw_worker *w);

/* All of a worker's, in no order that matters. */
struct gw_conn *gw_conn_first(struct gw_worker *w);
struct gw_conn *gw_conn_next(struct gw_conn *c);

/*
 * The inventory or the denials changed: turn away who is denied now, let in
 * who waited and is listed now. May free @c.
 */
void gw_conn_check(struct gw_conn *c);
/* The chain it was shown, "" before there is one. */
const char *gw_conn_root(const struct gw_conn *c);
const char *gw_conn_device(const struct gw_conn *c);
int64_t gw_conn_opened_ms(const struct gw_conn *c); /* since boot; 0: not yet */
/* Say goodbye to an open session: close_notify, then as any close. */
void gw_conn_close(struct gw_conn *c);
/*
 * Ask for it to come again: with MQTT 5 by DISCONNECT 0x98 (Administrative
 * action) where a packet ends, else by closing. May free @c.
 */
void gw_conn_send_away(struct gw_conn *c);
/* At once; frees it. */
void gw_conn_drop(struct gw_conn *c);

#endif
