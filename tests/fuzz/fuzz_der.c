/* SPDX-License-Identifier: Apache-2.0 */
/* Every typed reader on any bytes; what is read is written back the same. */
#include "fuzz.h"
#include "wire/der.h"
#include "wire/name.h"

/* A reader moves @in past a value it takes, and not at all otherwise. */
static void
check_move(struct dvt_span before, struct dvt_span after, enum dvt_code rc)
{
	FUZZ_ASSERT(fuzz_within(after, before));
	if (rc == DVT_OK)
		FUZZ_ASSERT(after.n + 2 <= before.n);
	else
		FUZZ_ASSERT(after.n == before.n);
}

static void
check_numbers(struct dvt_span in, struct dvt_buf *b)
{
	struct dvt_span s = in, body;
	enum dvt_code rc;
	int64_t v;
	bool flag;

	check_move(in, s, rc = dvt_der_take_u63(&s, &v, NULL));
	if (rc == DVT_OK) {
		dvt_buf_reset(b);
		dvt_der_put_i64(b, v);
		FUZZ_ASSERT(dvt_span_eq(
		    dvt_buf_span(b), (struct dvt_span){in.p, in.n - s.n}));
	}
	s = in;
	check_move(in, s, rc = dvt_der_take_positive(&s, &body, NULL));
	if (rc == DVT_OK) {
		dvt_buf_reset(b);
		dvt_der_put_uint(b, body);
		FUZZ_ASSERT(dvt_span_eq(
		    dvt_buf_span(b), (struct dvt_span){in.p, in.n - s.n}));
	}
	s = in;
	check_move(in, s, rc = dvt_der_take_bool(&s, &flag, NULL));
}

static void
check_texts(struct dvt_span in, struct dvt_buf *b)
{
	struct dvt_span s = in, body;
	enum dvt_code rc;
	unsigned unused;
	char text[48];
	int64_t at_s, again;

	rc = dvt_der_take_oid(&s, &body, NULL);
	check_move(in, s, rc);
	if (rc == DVT_OK)
		FUZZ_ASSERT(dvt_der_oid_text(body, text, sizeof(text))[0] != 0);
	s = in;
	rc = dvt_der_take_bits(&s, &body, &unused, NULL);
	check_move(in, s, rc);
	s = in;
	rc = dvt_der_take_time(&s, &at_s, NULL);
	check_move(in, s, rc);
	if (rc != DVT_OK)
		return;
	dvt_buf_reset(b);
	dvt_der_put_time(b, at_s);
	s = dvt_buf_span(b);
	FUZZ_ASSERT(dvt_der_take_time(&s, &again, NULL) == DVT_OK);
	FUZZ_ASSERT(again == at_s);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct dvt_span in = {p, n}, whole, body;
	struct dvt_buf b;
	uint8_t tag;

	dvt_buf_init(&b, 1048576);
	(void)!dvt_der_check(in, 16, NULL);
	(void)!dvt_name_format(in, &b, NULL);
	while (in.n > 0) {
		check_numbers(in, &b);
		check_texts(in, &b);
		if (dvt_der_take_any(&in, &tag, &whole, &body, NULL) != DVT_OK)
			break;
		dvt_buf_reset(&b);
		dvt_der_put(&b, tag, body);
		FUZZ_ASSERT(b.full || dvt_span_eq(dvt_buf_span(&b), whole));
		if ((tag & 0x20) != 0)
			in = (struct dvt_span){
			    body.p, (size_t)(in.p + in.n - body.p)};
	}
	dvt_buf_fini(&b);
	return 0;
}
