/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which connections of a worker are of one device, or showed one certificate:
 * so that a denial costs as much as there are sessions to cut, not as much as
 * there are open. By hashes: who is found is asked again.
 */
#ifndef DVT_GATEWAY_CONN_INDEX_H
#define DVT_GATEWAY_CONN_INDEX_H

#include <stddef.h>

struct gw_conn;
struct gw_index;
struct gw_seat;

enum gw_index_by { GW_BY_CERTIFICATE, GW_BY_DEVICE, GW_BY_N };

struct gw_index *gw_index_new(void);
void gw_index_free(struct gw_index *ix); /* empty by then; NULL-safe */

/* @device "": not known. The caller's until gw_index_drop(). */
struct gw_seat *gw_index_put(struct gw_index *ix, struct gw_conn *c,
    const char *certificate, const char *device);
void gw_index_drop(struct gw_seat *s); /* NULL-safe */

/* Every connection that may be meant; @each may end the one it is given. */
void gw_index_each(struct gw_index *ix, enum gw_index_by by, const char *text,
    void (*each)(struct gw_conn *c));

#endif
