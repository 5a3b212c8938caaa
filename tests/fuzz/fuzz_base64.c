/* SPDX-License-Identifier: Apache-2.0 */
/* What decodes encodes to the same text without its white space. */
#include "fuzz.h"
#include "wire/base64.h"

static void
check_std(struct dvt_span text, struct dvt_buf *bytes, struct dvt_buf *again)
{
	size_t k = 0;

	if (dvt_base64_decode(text, bytes, NULL) != DVT_OK) {
		FUZZ_ASSERT(bytes->n == 0);
		return;
	}
	dvt_base64_encode(again, dvt_buf_span(bytes), 0);
	for (size_t i = 0; i < text.n; i++) {
		if (strchr(" \t\r\n", text.p[i]) != NULL)
			continue;
		FUZZ_ASSERT(k < again->n && again->p[k] == text.p[i]);
		k++;
	}
	FUZZ_ASSERT(k == again->n);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct dvt_span text = {p, n};
	struct dvt_buf bytes, again;

	dvt_buf_init(&bytes, 1048576);
	dvt_buf_init(&again, 2097152);
	check_std(text, &bytes, &again);
	dvt_buf_reset(&bytes);
	dvt_buf_reset(&again);
	if (dvt_base64url_decode(text, &bytes, NULL) == DVT_OK) {
		dvt_base64url_encode(&again, dvt_buf_span(&bytes));
		FUZZ_ASSERT(dvt_span_eq(dvt_buf_span(&again), text));
	}
	dvt_buf_fini(&bytes);
	dvt_buf_fini(&again);
	return 0;
}
