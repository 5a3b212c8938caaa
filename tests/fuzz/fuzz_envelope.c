/* SPDX-License-Identifier: Apache-2.0 */
/* Whatever is no envelope of ours is refused, and what is taken is small. */
#include "fuzz.h"
#include "pki/envelope.h"

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	enum dvt_code rc = dvt_envelope_check((struct dvt_span){p, n}, NULL);

	FUZZ_ASSERT(rc == DVT_OK || rc == DVT_E_INPUT || rc == DVT_E_LIMIT);
	FUZZ_ASSERT(rc != DVT_OK || n <= DVT_CONFIG_SEALED);
	return 0;
}
