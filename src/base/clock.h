/* SPDX-License-Identifier: Apache-2.0 */
/* The two clocks, read together. Decisions get them handed in. */
#ifndef DVT_BASE_CLOCK_H
#define DVT_BASE_CLOCK_H

#include <stddef.h>
#include <stdint.h>

struct dvt_time {
	int64_t mono_ms; /* since boot, suspend included; never runs back */
	int64_t wall_s;  /* Unix seconds, as far as this host knows */
};

struct dvt_time dvt_time_now(void);

/* "2022-11-28T22:29:49+00:00" (RFC 3339, UTC); @size at least 32. */
const char *dvt_time_format(int64_t wall_s, char *out, size_t size);

#endif
