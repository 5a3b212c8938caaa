/* SPDX-License-Identifier: Apache-2.0 */
/* A ClientHello: names and prints are plain text, spans stay inside. */
#include "fuzz.h"
#include "proto/hello.h"

#include <ctype.h>
#include <string.h>

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct dvt_span msg = {p, n}, name;
	struct dvt_hello h;

	if (dvt_hello_parse(msg, &h, NULL) != DVT_OK)
		return 0;
	FUZZ_ASSERT(strlen(h.print) == DVT_HELLO_PRINT - 1);
	for (const char *s = h.server_name; *s != '\0'; s++)
		FUZZ_ASSERT(
		    isgraph((unsigned char)*s) && !isupper((unsigned char)*s));
	FUZZ_ASSERT(fuzz_within(h.authorities, msg));
	while (dvt_hello_authority_take(&h.authorities, &name))
		FUZZ_ASSERT(fuzz_within(name, msg));
	return 0;
}
