/* SPDX-License-Identifier: Apache-2.0 */
/* Paths, bodies, certs-only answers and headers of EST, all on any bytes. */
#include "fuzz.h"
#include "proto/est.h"

static void
check_path(struct dvt_span in, struct dvt_buf *b)
{
	struct dvt_est_path path;

	if (dvt_est_path_parse(in, &path, NULL) != DVT_OK)
		return;
	dvt_buf_reset(b);
	dvt_est_path_put(b, path.op, path.label);
	FUZZ_ASSERT(dvt_span_eq(dvt_buf_span(b), in));
}

static void
check_certs(struct dvt_span der, struct dvt_buf *b)
{
	struct dvt_span certs[DVT_EST_CERTS_MAX], again[DVT_EST_CERTS_MAX];
	size_t n, n_again;

	if (dvt_est_certs_parse(der, certs, DVT_COUNT(certs), &n, NULL) !=
	    DVT_OK) {
		FUZZ_ASSERT(n == 0);
		return;
	}
	FUZZ_ASSERT(n > 0);
	dvt_buf_reset(b);
	dvt_est_certs_put(b, certs, n);
	FUZZ_ASSERT(dvt_est_certs_parse(dvt_buf_span(b), again,
			DVT_COUNT(again), &n_again, NULL) == DVT_OK);
	FUZZ_ASSERT(n_again == n);
	for (size_t i = 0; i < n; i++) {
		FUZZ_ASSERT(fuzz_within(certs[i], der));
		FUZZ_ASSERT(dvt_span_eq(certs[i], again[i]));
	}
}

static void
check_body(struct dvt_span in, struct dvt_buf *b)
{
	struct dvt_buf der, text;
	enum dvt_est_form form;

	dvt_buf_init(&der, DVT_EST_BODY_MAX);
	dvt_buf_init(&text, 2 * DVT_EST_BODY_MAX);
	if (dvt_est_body_decode(in, &der, &form, NULL) == DVT_OK) {
		FUZZ_ASSERT(der.n > 0);
		dvt_est_body_put(&text, dvt_buf_span(&der), form);
		check_certs(dvt_buf_span(&der), b);
	}
	dvt_buf_fini(&der);
	dvt_buf_fini(&text);
}

static void
check_headers(struct dvt_span in)
{
	struct dvt_secret password;
	int64_t delay_s;
	char user[64];

	if (dvt_est_basic_parse(in, user, sizeof(user), &password, NULL) !=
	    DVT_OK)
		FUZZ_ASSERT(password.n == 0);
	dvt_secret_free(&password);
	if (dvt_est_retry_after_parse(in, 1700000000, &delay_s, NULL) == DVT_OK)
		FUZZ_ASSERT(delay_s >= 0 && delay_s <= 366 * 86400);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct dvt_span in = {p, n};
	struct dvt_buf b;

	dvt_buf_init(&b, 1048576);
	check_path(in, &b);
	check_certs(in, &b);
	check_body(in, &b);
	check_headers(in);
	dvt_buf_fini(&b);
	return 0;
}
