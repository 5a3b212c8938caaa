/* SPDX-License-Identifier: Apache-2.0 */
/* The kernel's random numbers: see dvt_agent_random(). */
#include "device/agent.h"

#include <sys/random.h>

void
dvt_agent_random(void *ctx, uint8_t *p, size_t n)
{
	(void)ctx;
	while (n > 0) {
		ssize_t got = getrandom(p, n, 0);

		if (got <= 0)
			continue; /* a signal came */
		p += got;
		n -= (size_t)got;
	}
}
