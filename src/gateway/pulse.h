/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which of our processes do not answer, and which had to be replaced for it:
 * written by the parent, which asks them, read by the feed process, which
 * tells it. In memory that both share.
 */
#ifndef DVT_GATEWAY_PULSE_H
#define DVT_GATEWAY_PULSE_H

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

#define GW_PULSE_SILENT_MS 3000 /* from then on a worker does not serve */
#define GW_PULSE_TOLD_S    600  /* a replaced process is told so long */

enum gw_process { GW_PROCESS_FEED, GW_PROCESS_WORKER, GW_PROCESS_N };

struct gw_pulse;

DVT_MUST_USE enum dvt_code gw_pulse_new(
    struct gw_pulse **out, struct dvt_err *err);
void gw_pulse_free(struct gw_pulse *p); /* here alone; NULL-safe */

/* --- the parent --- */
void gw_pulse_silent(struct gw_pulse *p, enum gw_process which, unsigned index,
    int64_t silent_ms);
void gw_pulse_replaced(
    struct gw_pulse *p, enum gw_process which, unsigned index, int64_t now_s);

/* --- the feed process --- */
bool gw_pulse_is_silent(const struct gw_pulse *p, unsigned worker);
uint64_t gw_pulse_count(const struct gw_pulse *p, enum gw_process which);

#define GW_PULSE_TEXT 80
/**
 * gw_pulse_doubt() - what an operator should hear
 * @i: from 0 on, until NULL is returned
 */
const char *gw_pulse_doubt(const struct gw_pulse *p, unsigned workers,
    unsigned i, int64_t now_s, char text[GW_PULSE_TEXT]);

#endif
