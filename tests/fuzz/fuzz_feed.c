/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An answer of the feed: taken whole or not at all; what was taken is written
 * as lines that are read back to the same lines.
 */
#include "fuzz.h"
#include "proto/feed.h"

#include <string.h>

static size_t
count(const struct dvt_feed *f)
{
	size_t n = 0;

	for (int k = 0; k < DVT_FEED_KIND_N; k++)
		n += dvt_feed_count(f, (enum dvt_feed_kind)k);
	return n;
}

static void
check_lines(const struct dvt_feed *f)
{
	struct dvt_buf a, b;

	dvt_buf_init(&a, 1 << 24);
	dvt_buf_init(&b, 1 << 24);
	for (int k = 0; k < DVT_FEED_KIND_N; k++) {
		const struct dvt_feed_entry *e = NULL;
		struct dvt_feed_entry *back;

		while (
		    (e = dvt_feed_next(f, (enum dvt_feed_kind)k, e)) != NULL) {
			dvt_buf_reset(&a);
			dvt_buf_reset(&b);
			dvt_feed_entry_format(e, &a);
			FUZZ_ASSERT(dvt_feed_entry_parse(dvt_buf_span(&a),
					&back, NULL) == DVT_OK);
			dvt_feed_entry_format(back, &b);
			FUZZ_ASSERT(
			    dvt_span_eq(dvt_buf_span(&a), dvt_buf_span(&b)));
			dvt_feed_entry_free(back);
		}
	}
	dvt_buf_fini(&a);
	dvt_buf_fini(&b);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct dvt_feed *f = dvt_feed_new();
	struct dvt_span whole = {p, n};
	size_t before;

	if (dvt_feed_apply(f, whole, NULL, NULL, NULL) == DVT_OK)
		check_lines(f);
	else
		FUZZ_ASSERT(count(f) == 0 && dvt_feed_position(f) == 0);
	before = count(f);
	if (dvt_feed_apply(f, whole, NULL, NULL, NULL) != DVT_OK)
		FUZZ_ASSERT(count(f) == before);
	dvt_feed_free(f);
	return 0;
}
