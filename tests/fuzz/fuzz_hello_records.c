/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The first bytes of a client, as they come: the more there are the nearer is
 * an answer, which does not change with what follows.
 */
#include "fuzz.h"
#include "proto/hello.h"

#include <string.h>

#define MOST 20000

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static uint8_t room[MOST], part[MOST];
	struct dvt_span msg, again;
	size_t need = 0, later = 0;
	enum dvt_code rc;

	if (n > MOST)
		return 0;
	memcpy(room, p, n);
	rc = dvt_hello_gather(room, n, &msg, &need);
	FUZZ_ASSERT(rc != DVT_E_LATER || need > n);
	FUZZ_ASSERT(
	    rc != DVT_OK || fuzz_within(msg, (struct dvt_span){room, n}));
	for (size_t i = 0; i < n && i < 64; i++) {
		size_t some = n * i / 64;
		enum dvt_code early;

		memcpy(part, p, some);
		early = dvt_hello_gather(part, some, &again, &later);
		if (early == DVT_E_LATER) { /* not before it was promised */
			FUZZ_ASSERT(rc != DVT_OK || later <= n);
			continue;
		}
		FUZZ_ASSERT(early == rc);
		FUZZ_ASSERT(
		    rc != DVT_OK ||
		    (again.n == msg.n && memcmp(again.p, msg.p, msg.n) == 0));
	}
	return 0;
}
