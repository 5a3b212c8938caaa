/* SPDX-License-Identifier: Apache-2.0 */
/* A PROXY header as it comes: what is asked for grows, and ends. */
#include "fuzz.h"
#include "proto/proxy.h"

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct sockaddr_storage from;
	socklen_t from_n = 0;
	size_t need = 0;
	struct dvt_span in = {p, 0};
	enum dvt_code rc = dvt_proxy_parse(in, &need, &from, &from_n, NULL);

	while (rc == DVT_E_LATER) {
		FUZZ_ASSERT(need > in.n && need <= DVT_PROXY_IN_MAX);
		if (need > n)
			return 0;
		in.n = need;
		rc = dvt_proxy_parse(in, &need, &from, &from_n, NULL);
	}
	FUZZ_ASSERT(rc != DVT_OK || in.n == need);
	FUZZ_ASSERT(from_n <= sizeof(from) && (rc == DVT_OK || from_n == 0));
	return 0;
}
