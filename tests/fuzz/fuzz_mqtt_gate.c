/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The first packet of a client, and borders in whatever follows: a CONNECT
 * that is taken is written so that it is taken again with the same fields;
 * borders do not depend on how the stream is cut.
 */
#include "fuzz.h"
#include "proto/mqtt_gate.h"

static void
check_again(const struct dvt_mqtt_opening *o)
{
	struct dvt_mqtt_opening again;
	enum dvt_mqtt_refusal why;
	struct dvt_span in;
	struct dvt_buf b;

	dvt_buf_init(&b, 2 * DVT_MQTT_OPENING_MAX);
	dvt_mqtt_opening_put(&b, o, "d-7", true);
	in = dvt_buf_span(&b);
	if (in.n <= DVT_MQTT_OPENING_MAX) {
		FUZZ_ASSERT(
		    dvt_mqtt_opening_take(&in, &again, &why, NULL) == DVT_OK);
		FUZZ_ASSERT(in.n == 0);
		FUZZ_ASSERT(dvt_span_eq_str(again.user, "d-7"));
		FUZZ_ASSERT(dvt_span_eq(again.client_id, o->client_id));
		FUZZ_ASSERT(dvt_span_eq(again.will, o->will));
		FUZZ_ASSERT(dvt_span_eq(again.password, o->password));
		FUZZ_ASSERT(again.keepalive_s == o->keepalive_s);
	}
	dvt_buf_fini(&b);
}

static void
check_borders(const uint8_t *p, size_t n)
{
	struct dvt_mqtt_border whole = {0}, bytes = {0}, steps = {0};
	size_t at = 0;

	FUZZ_ASSERT(dvt_mqtt_border_pass(&whole, p, n, false) == n);
	for (size_t i = 0; i < n; i++)
		FUZZ_ASSERT(dvt_mqtt_border_pass(&bytes, p + i, 1, false) == 1);
	while (at < n) {
		size_t step = dvt_mqtt_border_pass(
		    &steps, p + at, n - at, true);

		FUZZ_ASSERT(step > 0 && step <= n - at);
		at += step;
		FUZZ_ASSERT(at == n || dvt_mqtt_border_is(&steps));
	}
	FUZZ_ASSERT(whole.packets == bytes.packets);
	FUZZ_ASSERT(whole.packets == steps.packets);
	FUZZ_ASSERT(dvt_mqtt_border_is(&whole) == dvt_mqtt_border_is(&bytes));
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct dvt_span in = {p, n}, before = in;
	struct dvt_mqtt_opening o;
	enum dvt_mqtt_refusal why;
	enum dvt_code rc = dvt_mqtt_opening_take(&in, &o, &why, NULL);

	if (rc == DVT_OK) {
		FUZZ_ASSERT(in.n < n);
		FUZZ_ASSERT(
		    o.client_id.n == 0 || fuzz_within(o.client_id, before));
		check_again(&o);
	} else {
		FUZZ_ASSERT(in.p == before.p && in.n == before.n);
	}
	check_borders(p, n);
	return 0;
}
