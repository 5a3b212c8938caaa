/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How many handshakes are under way at all workers together. Each worker
 * writes its own number in memory shared by the processes forked after it was
 * made, and says now and then that it is alive: what a killed one had under
 * way counts for some seconds more, or until its successor begins.
 */
#ifndef DVT_GATEWAY_HALF_COUNT_H
#define DVT_GATEWAY_HALF_COUNT_H

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

#define GW_HALF_ALIVE_MS 5000 /* without a word its number stands for none */

struct gw_half_count;

/* @workers: how many write, numbered from 0. Return: DVT_OK; DVT_E_SYSTEM. */
DVT_MUST_USE enum dvt_code gw_half_count_new(
    unsigned workers, struct gw_half_count **out, struct dvt_err *err);
void gw_half_count_free(struct gw_half_count *h); /* NULL-safe */

/* Worker @index has @n under way, and is alive at @now_ms (since boot). */
void gw_half_count_set(
    struct gw_half_count *h, unsigned index, size_t n, int64_t now_ms);
/* All workers that are alive, as far as is known. */
size_t gw_half_count_all(const struct gw_half_count *h, int64_t now_ms);

#endif
