/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A stream of packets: those that are taken move on and are written back the
 * same; a packet is wanted whole exactly when one byte less is not enough.
 */
#include "fuzz.h"
#include "proto/mqtt.h"

#define MAX 65536

static void
check_same(const struct dvt_mqtt_packet *p, struct dvt_buf *b)
{
	dvt_buf_reset(b);
	if (p->type == DVT_MQTT_PUBLISH)
		dvt_mqtt_put_publish(b, &p->u.publish);
	else if (p->type == DVT_MQTT_CONNECT)
		dvt_mqtt_put_connect(b, &p->u.connect);
	else if (p->type == DVT_MQTT_PUBACK)
		dvt_mqtt_put_puback(b, p->u.id);
	else
		return;
	/* a length that is not the shortest form is legal, but not ours */
	FUZZ_ASSERT(b->n <= p->whole.n);
	if (b->n == p->whole.n)
		FUZZ_ASSERT(dvt_span_eq(dvt_buf_span(b), p->whole));
}

static void
check_filters(const struct dvt_mqtt_packet *p)
{
	struct dvt_span list = p->u.sub.list, filter;
	uint8_t qos;

	if (p->type != DVT_MQTT_SUBSCRIBE)
		return;
	while (list.n > 0 &&
	       dvt_mqtt_take_filter(&list, &filter, &qos, NULL) == DVT_OK)
		FUZZ_ASSERT(fuzz_within(filter, p->whole));
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct dvt_span in = {p, n}, before = in;
	struct dvt_mqtt_packet packet, part;
	struct dvt_buf b;

	dvt_buf_init(&b, 2 * MAX);
	while (dvt_mqtt_take(&in, MAX, &packet, NULL) == DVT_OK) {
		struct dvt_span less = {before.p, packet.whole.n - 1};

		FUZZ_ASSERT(packet.whole.p == before.p);
		FUZZ_ASSERT(in.n + packet.whole.n == before.n);
		FUZZ_ASSERT(
		    dvt_mqtt_take(&less, MAX, &part, NULL) == DVT_E_LATER);
		check_same(&packet, &b);
		check_filters(&packet);
		before = in;
	}
	FUZZ_ASSERT(in.p == before.p && in.n == before.n);
	dvt_buf_fini(&b);
	return 0;
}
