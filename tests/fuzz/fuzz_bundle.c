/* SPDX-License-Identifier: Apache-2.0 */
/* A bundle's payload that is taken says the same when it is written again. */
#include "fuzz.h"
#include "pki/bundle.h"

static void
check_held(struct dvt_span in)
{
	struct dvt_bundle_held h, again;
	struct dvt_buf text;

	if (dvt_bundle_held_parse(in, &h, NULL) != DVT_OK)
		return;
	dvt_buf_init(&text, 2 * DVT_BUNDLE_MAX);
	FUZZ_ASSERT(dvt_bundle_held_format(&h, &text, NULL) == DVT_OK);
	FUZZ_ASSERT(
	    dvt_bundle_held_parse(dvt_buf_span(&text), &again, NULL) == DVT_OK);
	FUZZ_ASSERT(memcmp(&h, &again, sizeof(h)) == 0);
	dvt_buf_fini(&text);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct dvt_span in = {p, n};
	char a[DVT_DIGEST_HEX], c[DVT_DIGEST_HEX];
	struct dvt_bundle b, again;
	struct dvt_buf text;

	check_held(in);
	if (dvt_bundle_parse(in, &b, NULL) != DVT_OK) {
		FUZZ_ASSERT(b.anchor_n == 0);
		return 0;
	}
	FUZZ_ASSERT(b.keys.threshold >= 1 && b.keys.threshold <= b.keys.n);
	dvt_buf_init(&text, 2 * DVT_BUNDLE_MAX);
	FUZZ_ASSERT(dvt_bundle_format(&b, &text, NULL) == DVT_OK);
	if (text.n <= DVT_BUNDLE_MAX) {
		FUZZ_ASSERT(dvt_bundle_parse(
				dvt_buf_span(&text), &again, NULL) == DVT_OK);
		dvt_bundle_anchor_digest(&b, a);
		dvt_bundle_anchor_digest(&again, c);
		FUZZ_ASSERT(strcmp(a, c) == 0 && again.version == b.version);
		dvt_bundle_fini(&again);
	}
	dvt_buf_fini(&text);
	dvt_bundle_fini(&b);
	return 0;
}
