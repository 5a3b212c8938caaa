/* SPDX-License-Identifier: Apache-2.0 */
/* Clocks: see clock.h. */
#include "base/clock.h"

#include <stdio.h>
#include <time.h>

struct dvt_time
dvt_time_now(void)
{
	struct timespec mono, wall;

	(void)clock_gettime(CLOCK_BOOTTIME, &mono);
	(void)clock_gettime(CLOCK_REALTIME, &wall);
	return (struct dvt_time){
	    .mono_ms = (int64_t)mono.tv_sec * 1000 + mono.tv_nsec / 1000000,
	    .wall_s = (int64_t)wall.tv_sec,
	};
}

const char *
dvt_time_format(int64_t wall_s, char *out, size_t size)
{
	time_t t = (time_t)wall_s;
	struct tm tm;

	if (gmtime_r(&t, &tm) == NULL ||
	    strftime(out, size, "%Y-%m-%dT%H:%M:%S+00:00", &tm) == 0)
		(void)snprintf(out, size, "-");
	return out;
}
