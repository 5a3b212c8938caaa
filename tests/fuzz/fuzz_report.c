/* SPDX-License-Identifier: Apache-2.0 */
/* A gateway's report: what is taken is written and read back the same. */
#include "fuzz.h"
#include "proto/feed_report.h"

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct dvt_report r, back;
	struct dvt_buf a, b;

	if (dvt_report_parse((struct dvt_span){p, n}, &r, NULL) != DVT_OK)
		return 0;
	dvt_buf_init(&a, 1 << 24);
	dvt_buf_init(&b, 1 << 24);
	dvt_report_format(&r, (struct dvt_span){NULL, 0}, &a);
	if (a.n <= DVT_REPORT_MAX) {
		FUZZ_ASSERT(
		    dvt_report_parse(dvt_buf_span(&a), &back, NULL) == DVT_OK);
		dvt_report_format(&back, (struct dvt_span){NULL, 0}, &b);
		FUZZ_ASSERT(dvt_span_eq(dvt_buf_span(&a), dvt_buf_span(&b)));
		dvt_report_fini(&back);
	}
	dvt_report_fini(&r);
	dvt_buf_fini(&a);
	dvt_buf_fini(&b);
	return 0;
}
