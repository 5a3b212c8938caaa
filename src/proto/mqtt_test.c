/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/mqtt.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define MAX 1000

static void
assert_bytes(struct dvt_buf *b, const char *bytes, size_t n)
{
	assert_int_equal(dvt_buf_ok(b, "b", NULL), DVT_OK);
	assert_int_equal(b->n, n);
	assert_memory_equal(b->p, bytes, n);
	dvt_buf_reset(b);
}
#define ASSERT_BYTES(b, s) assert_bytes((b), (s), sizeof(s) - 1)

static void
packets_are_written_as_the_standard_says(void **state)
{
	const struct dvt_mqtt_connect connect = {
	    .client_id = DVT_SPAN_LIT("d-7"),
	    .user = DVT_SPAN_LIT("u"),
	    .keepalive_s = 60,
	    .clean = true,
	};
	const struct dvt_mqtt_publish publish = {
	    .topic = DVT_SPAN_LIT("a/b"),
	    .payload = DVT_SPAN_LIT("hi"),
	    .qos = 1,
	    .id = 10,
	};
	struct dvt_buf b;

	(void)state;
	dvt_buf_init(&b, 200000);
	dvt_mqtt_put_connect(&b, &connect);
	ASSERT_BYTES(&b, "\x10\x12\x00\x04MQTT\x04\x82\x00\x3c\x00\x03"
			 "d-7\x00\x01u");
	dvt_mqtt_put_publish(&b, &publish);
	ASSERT_BYTES(&b, "\x32\x09\x00\x03"
			 "a/b\x00\x0ahi");
	dvt_mqtt_put_puback(&b, 10);
	ASSERT_BYTES(&b, "\x40\x02\x00\x0a");
	dvt_mqtt_put_subscribe(&b, 10, "a/b", 1);
	ASSERT_BYTES(&b, "\x82\x08\x00\x0a\x00\x03"
			 "a/b\x01");
	dvt_mqtt_put_pingreq(&b);
	dvt_mqtt_put_disconnect(&b);
	dvt_mqtt_put_connack(&b, false, 5);
	ASSERT_BYTES(&b, "\xc0\x00\xe0\x00\x20\x02\x00\x05");
	dvt_buf_fini(&b);
}

static void
what_is_written_is_read(void **state)
{
	const struct dvt_mqtt_connect connect = {
	    .client_id = DVT_SPAN_LIT("d-7"),
	    .user = DVT_SPAN_LIT("u"),
	    .password = DVT_SPAN_LIT("\0p"),
	    .will_topic = DVT_SPAN_LIT("w"),
	    .will_payload = DVT_SPAN_LIT(""),
	    .will_qos = 1,
	    .will_retain = true,
	    .keepalive_s = 7,
	};
	static const uint8_t zeros[20000];
	const struct dvt_mqtt_publish publish = {
	    .topic = DVT_SPAN_LIT("t"),
	    .payload = {zeros, sizeof(zeros)},
	    .retain = true,
	};
	struct dvt_mqtt_packet p;
	struct dvt_span in;
	struct dvt_buf b;

	(void)state;
	dvt_buf_init(&b, 200000);
	dvt_mqtt_put_connect(&b, &connect);
	dvt_mqtt_put_publish(&b, &publish);
	dvt_mqtt_put_pingreq(&b);
	in = dvt_buf_span(&b);
	assert_int_equal(dvt_mqtt_take(&in, 30000, &p, NULL), DVT_OK);
	assert_int_equal(p.type, DVT_MQTT_CONNECT);
	assert_true(dvt_span_eq_str(p.u.connect.client_id, "d-7"));
	assert_true(dvt_span_eq(p.u.connect.password, connect.password));
	assert_true(dvt_span_eq_str(p.u.connect.will_topic, "w"));
	assert_int_equal(p.u.connect.will_qos, 1);
	assert_true(p.u.connect.will_retain);
	assert_false(p.u.connect.clean);
	assert_int_equal(p.u.connect.keepalive_s, 7);
	assert_int_equal(dvt_mqtt_take(&in, 30000, &p, NULL), DVT_OK);
	assert_int_equal(p.type, DVT_MQTT_PUBLISH);
	assert_int_equal(p.u.publish.payload.n, sizeof(zeros));
	assert_true(p.u.publish.retain);
	assert_int_equal(p.u.publish.qos, 0);
	assert_int_equal(dvt_mqtt_take(&in, 30000, &p, NULL), DVT_OK);
	assert_int_equal(p.type, DVT_MQTT_PINGREQ);
	assert_int_equal(in.n, 0);
	in = dvt_buf_span(&b);
	dvt_buf_fini(&b);
}

/* One byte after the other: "more to come" until the last one is there. */
static void
a_packet_in_parts_waits_for_its_end(void **state)
{
	static const char
	    bytes[] = "\x10\x12\x00\x04MQTT\x04\x82\x00\x3c\x00\x03"
		      "d-7\x00\x01u";
	const size_t n = sizeof(bytes) - 1;
	struct dvt_mqtt_packet p;

	(void)state;
	for (size_t i = 0; i <= n; i++) {
		struct dvt_span in = {(const uint8_t *)bytes, i};

		assert_int_equal(dvt_mqtt_take(&in, MAX, &p, NULL),
		    i < n ? DVT_E_LATER : DVT_OK);
		assert_int_equal(in.n, i < n ? i : 0);
	}
}

static void
filters_are_taken_one_by_one(void **state)
{
	struct dvt_mqtt_packet p;
	struct dvt_span in, filter;
	struct dvt_buf b;
	uint8_t qos;

	(void)state;
	dvt_buf_init(&b, 100);
	dvt_mqtt_put_subscribe(&b, 3, "devices/+/x", 1);
	in = dvt_buf_span(&b);
	assert_int_equal(dvt_mqtt_take(&in, MAX, &p, NULL), DVT_OK);
	assert_int_equal(p.u.sub.id, 3);
	assert_int_equal(
	    dvt_mqtt_take_filter(&p.u.sub.list, &filter, &qos, NULL), DVT_OK);
	assert_true(dvt_span_eq_str(filter, "devices/+/x"));
	assert_int_equal(qos, 1);
	assert_int_equal(p.u.sub.list.n, 0);
	dvt_buf_fini(&b);
}

static void
hostile_packets_are_refused(void **state)
{
	static const struct {
		const char *why;
		struct dvt_span in;
		enum dvt_code rc;
	} cases[] = {
	    {"type 0",			    DVT_SPAN_LIT("\x00\x00"),                 DVT_E_INPUT},
	    {"type 15",			   DVT_SPAN_LIT("\xf0\x00"),                 DVT_E_INPUT},
	    {"length of five bytes",              DVT_SPAN_LIT("\x30\xff\xff\xff\xff\x01"),
             DVT_E_INPUT									       },
	    {"256 MiB, from its head",            DVT_SPAN_LIT("\x30\xff\xff\xff\x7f"),
             DVT_E_LIMIT									       },
	    {"over our limit",                    DVT_SPAN_LIT("\x30\xff\x07"),             DVT_E_LIMIT},
	    {"PINGREQ with flags",                DVT_SPAN_LIT("\xc1\x00"),                 DVT_E_INPUT},
	    {"PINGREQ with a body",               DVT_SPAN_LIT("\xc0\x01\x00"),             DVT_E_INPUT},
	    {"SUBSCRIBE without its flag",
             DVT_SPAN_LIT("\x80\x06\x00\x01\x00\x01"
			     "a\x00"),
             DVT_E_INPUT									       },
	    {"SUBSCRIBE of nothing",              DVT_SPAN_LIT("\x82\x02\x00\x01"),
             DVT_E_INPUT									       },
	    {"PUBLISH QoS 3",
             DVT_SPAN_LIT("\x36\x05\x00\x01"
			     "a\x00\x01"),
             DVT_E_INPUT									       },
	    {"PUBLISH id 0",
             DVT_SPAN_LIT("\x32\x05\x00\x01"
			     "a\x00\x00"),
             DVT_E_INPUT									       },
	    {"PUBLISH to a wildcard",             DVT_SPAN_LIT("\x30\x03\x00\x01#"),
             DVT_E_INPUT									       },
	    {"PUBLISH to nothing",                DVT_SPAN_LIT("\x30\x02\x00\x00"),
             DVT_E_INPUT									       },
	    {"topic with NUL",                    DVT_SPAN_LIT("\x30\x03\x00\x01\x00"),
             DVT_E_INPUT									       },
	    {"topic no UTF-8",                    DVT_SPAN_LIT("\x30\x03\x00\x01\xff"),
             DVT_E_INPUT									       },
	    {"topic beyond its packet",
             DVT_SPAN_LIT("\x30\x03\x00\x09"
			     "a"),
             DVT_E_INPUT									       },
	    {"PUBACK too short",                  DVT_SPAN_LIT("\x40\x01\x00"),             DVT_E_INPUT},
	    {"PUBACK too long",                   DVT_SPAN_LIT("\x40\x03\x00\x01\x00"),
             DVT_E_INPUT									       },
	    {"CONNACK flags",                     DVT_SPAN_LIT("\x20\x02\x02\x00"),         DVT_E_INPUT},
	    {"CONNECT of version 5",
             DVT_SPAN_LIT("\x10\x0d\x00\x04MQTT\x05\x02\x00\x3c\x00\x00"
			     "\x00"),
             DVT_E_INPUT									       },
	    {"CONNECT reserved flag",
             DVT_SPAN_LIT("\x10\x0c\x00\x04MQTT\x04\x03\x00\x3c\x00\x00"),
             DVT_E_INPUT									       },
	    {"CONNECT password without user",
             DVT_SPAN_LIT("\x10\x0e\x00\x04MQTT\x04\x42\x00\x3c\x00\x00"
			     "\x00\x00"),
             DVT_E_INPUT									       },
	    {"CONNECT bytes after it",
             DVT_SPAN_LIT("\x10\x0d\x00\x04MQTT\x04\x02\x00\x3c\x00\x00"
			     "\x00"),
             DVT_E_INPUT									       },
	    {"CONNECT will flags without a will",
             DVT_SPAN_LIT("\x10\x0c\x00\x04MQTT\x04\x2a\x00\x3c\x00\x00"),
             DVT_E_INPUT									       },
	};
	(void)state;
	for (size_t i = 0; i < DVT_COUNT(cases); i++) {
		struct dvt_mqtt_packet p;
		struct dvt_span in = cases[i].in;

		if (dvt_mqtt_take(&in, MAX, &p, NULL) != cases[i].rc)
			fail_msg("%s", cases[i].why);
		assert_int_equal(in.n, cases[i].in.n);
	}
}

static void
too_long_text_fills_the_buffer(void **state)
{
	static const uint8_t zeros[70000];
	const struct dvt_mqtt_publish publish = {
	    .topic = {zeros, sizeof(zeros)}
        };
	struct dvt_buf b;

	(void)state;
	dvt_buf_init(&b, 200000);
	dvt_mqtt_put_publish(&b, &publish);
	assert_int_equal(dvt_buf_ok(&b, "b", NULL), DVT_E_LIMIT);
	dvt_buf_fini(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(packets_are_written_as_the_standard_says),
	    cmocka_unit_test(what_is_written_is_read),
	    cmocka_unit_test(a_packet_in_parts_waits_for_its_end),
	    cmocka_unit_test(filters_are_taken_one_by_one),
	    cmocka_unit_test(hostile_packets_are_refused),
	    cmocka_unit_test(too_long_text_fills_the_buffer),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
