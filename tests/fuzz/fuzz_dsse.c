/* SPDX-License-Identifier: Apache-2.0 */
/* An envelope that is taken is written the same, and nobody is let in. */
#include "fuzz.h"
#include "pki/bundle.h"

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct dvt_bundle_held none = {.fleet = "works"}, next;
	struct dvt_buf once, twice;
	enum dvt_bundle_reason why;
	struct dvt_bundle b;
	struct dvt_dsse d;

	FUZZ_ASSERT(dvt_bundle_accept(&none, (struct dvt_span){p, n}, &b, &next,
			&why, NULL) != DVT_OK);
	FUZZ_ASSERT(why != DVT_BUNDLE_TAKEN);
	if (dvt_dsse_parse((struct dvt_span){p, n}, &d, NULL) != DVT_OK)
		return 0;
	dvt_buf_init(&once, DVT_BUNDLE_MAX);
	dvt_buf_init(&twice, DVT_BUNDLE_MAX);
	if (dvt_dsse_format(&d, &once, NULL) == DVT_OK) {
		dvt_dsse_fini(&d);
		FUZZ_ASSERT(
		    dvt_dsse_parse(dvt_buf_span(&once), &d, NULL) == DVT_OK);
		FUZZ_ASSERT(dvt_dsse_format(&d, &twice, NULL) == DVT_OK);
		FUZZ_ASSERT(
		    dvt_span_eq(dvt_buf_span(&once), dvt_buf_span(&twice)));
	}
	dvt_dsse_fini(&d);
	dvt_buf_fini(&once);
	dvt_buf_fini(&twice);
	return 0;
}
