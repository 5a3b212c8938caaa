/* SPDX-License-Identifier: Apache-2.0 */
/* Blocks come out one after the other; each goes in and out again. */
#include "fuzz.h"
#include "wire/pem.h"

static void
check_again(struct dvt_span der)
{
	struct dvt_buf text, back;
	struct dvt_span in;

	dvt_buf_init(&text, 262144);
	dvt_buf_init(&back, 65536);
	dvt_pem_put(&text, DVT_PEM_CSR, der);
	in = dvt_buf_span(&text);
	FUZZ_ASSERT(dvt_pem_take(&in, DVT_PEM_CSR, &back, NULL) == DVT_OK);
	FUZZ_ASSERT(dvt_span_eq(dvt_buf_span(&back), der) && in.n == 0);
	dvt_buf_fini(&text);
	dvt_buf_fini(&back);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static const char *const labels[] = {
	    DVT_PEM_CERT, DVT_PEM_CSR, DVT_PEM_KEY};
	struct dvt_buf der;

	dvt_buf_init(&der, 65536);
	for (size_t i = 0; i < DVT_COUNT(labels); i++) {
		struct dvt_span in = {p, n}, before = in;

		while (dvt_pem_take(&in, labels[i], &der, NULL) == DVT_OK) {
			FUZZ_ASSERT(in.n < before.n && der.n > 0);
			check_again(dvt_buf_span(&der));
			before = in;
		}
		FUZZ_ASSERT(in.p == before.p && in.n == before.n);
	}
	dvt_buf_fini(&der);
	return 0;
}
