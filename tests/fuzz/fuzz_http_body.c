/* SPDX-License-Identifier: Apache-2.0 */
/* Chunks are read the same whole and byte by byte, and never over a limit. */
#include "fuzz.h"
#include "http/head.h"

#define BODY_MAX 4096

struct outcome {
	enum dvt_code rc;
	bool done;
	size_t taken;
	struct dvt_buf out;
};

static struct outcome
feed(struct dvt_span all, size_t step)
{
	const struct dvt_http_head head = {.framing = DVT_HTTP_CHUNKED};
	struct outcome o = {.rc = DVT_OK};
	struct dvt_http_body b;

	dvt_http_body_init(&b, &head);
	dvt_buf_init(&o.out, BODY_MAX);
	while (o.taken < all.n && !b.done && o.rc == DVT_OK) {
		struct dvt_span rest = dvt_span_from(all, o.taken);
		struct dvt_span in = {rest.p, rest.n < step ? rest.n : step};
		size_t had = in.n;

		o.rc = dvt_http_body_feed(&b, &in, &o.out, NULL);
		FUZZ_ASSERT(fuzz_within(in, all) && in.n <= had);
		o.taken += had - in.n;
	}
	o.done = b.done;
	FUZZ_ASSERT(o.out.n <= BODY_MAX && !o.out.full);
	return o;
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct outcome whole = feed((struct dvt_span){p, n}, n);
	struct outcome bytes = feed((struct dvt_span){p, n}, 1);

	FUZZ_ASSERT(whole.rc == bytes.rc && whole.done == bytes.done);
	if (whole.rc == DVT_OK) {
		FUZZ_ASSERT(whole.taken == bytes.taken);
		FUZZ_ASSERT(dvt_span_eq(
		    dvt_buf_span(&whole.out), dvt_buf_span(&bytes.out)));
	}
	dvt_buf_fini(&whole.out);
	dvt_buf_fini(&bytes.out);
	return 0;
}
