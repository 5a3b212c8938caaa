/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/mqtt_gate.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define V4                                                                     \
	"\x10\x12\x00\x04MQTT\x04\x82\x00\x3c\x00\x03"                         \
	"d-7\x00\x01u"
#define V5                                                                     \
	"\x10\x1c\x00\x04MQTT\x05\xc2\x00\x3c\x05\x11\x00\x00\x00\x0a"         \
	"\x00\x03"                                                             \
	"d-7\x00\x01u\x00\x02pw"
#define WILL                                                                   \
	"\x10\x16\x00\x04MQTT\x04\x0e\x00\x00\x00\x02"                         \
	"d7\x00\x01t\x00\x03"                                                  \
	"bye"

struct piece {
	const char *why;
	const char *bytes;
	size_t n;
};
#define P(why, s)                                                              \
	{                                                                      \
		why, s, sizeof(s) - 1                                          \
	}

static enum dvt_code
take(const char *bytes, size_t n, struct dvt_mqtt_opening *o,
    enum dvt_mqtt_refusal *why)
{
	struct dvt_span in = {(const uint8_t *)bytes, n};
	enum dvt_code rc = dvt_mqtt_opening_take(&in, o, why, NULL);

	assert_int_equal(in.n, rc == DVT_OK ? 0 : n);
	return rc;
}

static void
a_connect_is_read_in_both_versions(void **state)
{
	struct dvt_mqtt_opening o;
	enum dvt_mqtt_refusal why;

	(void)state;
	assert_int_equal(take(V4, sizeof(V4) - 1, &o, &why), DVT_OK);
	assert_int_equal(o.version, 4);
	assert_int_equal(o.keepalive_s, 60);
	assert_true(dvt_span_eq_str(o.client_id, "d-7"));
	assert_true(dvt_span_eq_str(o.user, "u"));
	assert_null(o.password.p);
	assert_int_equal(take(V5, sizeof(V5) - 1, &o, &why), DVT_OK);
	assert_int_equal(o.version, 5);
	assert_int_equal(o.properties.n, 6);
	assert_true(dvt_span_eq_str(o.password, "pw"));
	assert_int_equal(take(WILL, sizeof(WILL) - 1, &o, &why), DVT_OK);
	assert_int_equal(o.will.n, 8);
	assert_null(o.user.p);
}

static void
less_than_all_of_it_is_waited_for(void **state)
{
	struct dvt_mqtt_opening o;
	enum dvt_mqtt_refusal why;

	(void)state;
	for (size_t n = 0; n < sizeof(V5) - 1; n++)
		assert_int_equal(take(V5, n, &o, &why), DVT_E_LATER);
}

static void
what_is_no_connect_is_refused_in_its_own_form(void **state)
{
	static const struct {
		struct piece p;
		enum dvt_mqtt_refusal why;
		enum dvt_code code;
	} bad[] = {
	    {P("another packet",            "\x30\x02\x00\x00"),         DVT_MQTT_MALFORMED,
             DVT_E_INPUT										},
	    {P("flags in its first byte",   "\x11\x02\x00\x00"),
             DVT_MQTT_MALFORMED,							     DVT_E_INPUT},
	    {P("HTTP",                      "GET / HTTP/1.1\r\n"),       DVT_MQTT_MALFORMED, DVT_E_INPUT},
	    {P("length of five bytes",      "\x10\xff\xff\xff\xff\x7f"),
             DVT_MQTT_MALFORMED,							     DVT_E_INPUT},
	    {P("length padded",             "\x10\x92\x00"),             DVT_MQTT_MALFORMED,
             DVT_E_INPUT										},
	    {P("too large",                 "\x10\xff\xff\x7f"),         DVT_MQTT_TOO_LARGE,
             DVT_E_LIMIT										},
	    {P("empty",                     "\x10\x00"),                 DVT_MQTT_MALFORMED, DVT_E_INPUT},
	    {P("version 3.1",               "\x10\x10\x00\x06MQIsdp\x03\x02\x00\x3c\x00\x02"
			      "d7"),
             DVT_MQTT_VERSION,							       DVT_E_INPUT},
	    {P("version 6",                 "\x10\x0e\x00\x04MQTT\x06\x02\x00\x3c\x00\x02"
			    "d7"),
             DVT_MQTT_VERSION,							       DVT_E_INPUT},
	    {P("reserved flag",             "\x10\x0e\x00\x04MQTT\x04\x03\x00\x3c\x00\x02"
				"d7"),
             DVT_MQTT_MALFORMED,							     DVT_E_INPUT},
	    {P("will of QoS 3",             "\x10\x0e\x00\x04MQTT\x04\x1e\x00\x3c\x00\x02"
				"d7"),
             DVT_MQTT_MALFORMED,							     DVT_E_INPUT},
	    {P("QoS without a will",
             "\x10\x0e\x00\x04MQTT\x04\x0a\x00\x3c\x00\x02"
		 "d7"),
             DVT_MQTT_MALFORMED,							     DVT_E_INPUT},
	    {P("password alone in 3.1.1",
             "\x10\x10\x00\x04MQTT\x04\x42\x00\x3c\x00\x02"
		 "d7\x00\x00"),
             DVT_MQTT_MALFORMED,							     DVT_E_INPUT},
	    {P("client id beyond the end",
             "\x10\x0e\x00\x04MQTT\x04\x02\x00\x3c\x00\x09"
		 "d7"),
             DVT_MQTT_MALFORMED,							     DVT_E_INPUT},
	    {P("client id with NUL",
             "\x10\x0e\x00\x04MQTT\x04\x02\x00\x3c\x00\x02"
		 "d\x00"),
             DVT_MQTT_MALFORMED,							     DVT_E_INPUT},
	    {P("client id no UTF-8",
             "\x10\x0e\x00\x04MQTT\x04\x02\x00\x3c\x00\x02"
		 "d\xff"),
             DVT_MQTT_MALFORMED,							     DVT_E_INPUT},
	    {P("bytes after its end",
             "\x10\x0f\x00\x04MQTT\x04\x02\x00\x3c\x00\x02"
		 "d7x"),
             DVT_MQTT_MALFORMED,							     DVT_E_INPUT},
	    {P("properties beyond the end",
             "\x10\x0f\x00\x04MQTT\x05\x02\x00\x3c\x7f\x00\x02"
		 "d7"),
             DVT_MQTT_MALFORMED,							     DVT_E_INPUT},
	    {P("properties' length torn",
             "\x10\x0b\x00\x04MQTT\x05\x02\x00\x3c\x80"),
             DVT_MQTT_MALFORMED,							     DVT_E_INPUT},
	    {P("empty will topic",
             "\x10\x12\x00\x04MQTT\x04\x06\x00\x00\x00\x02"
		 "d7\x00\x00\x00"
		 "\x00"),
             DVT_MQTT_MALFORMED,							     DVT_E_INPUT},
	};

	(void)state;
	for (size_t i = 0; i < DVT_COUNT(bad); i++) {
		struct dvt_mqtt_opening o;
		enum dvt_mqtt_refusal why;
		enum dvt_code rc = take(bad[i].p.bytes, bad[i].p.n, &o, &why);

		if (rc != bad[i].code || why != bad[i].why)
			fail_msg("%s: %s, %s", bad[i].p.why, dvt_code_name(rc),
			    dvt_mqtt_refusal_name(why));
	}
}

static void
it_goes_on_under_the_name_of_the_device(void **state)
{
	static const char v4[] = "\x10\x14\x00\x04MQTT\x04\x82\x00\x3c\x00\x03"
				 "d-7\x00\x03"
				 "d-7";
	static const char v5
	    [] = "\x10\x1a\x00\x04MQTT\x05\x82\x00\x3c\x05\x11\x00\x00\x00\x0a"
		 "\x00\x03"
		 "d-7\x00\x03"
		 "d-7";
	struct dvt_mqtt_opening o;
	enum dvt_mqtt_refusal why;
	struct dvt_buf b;

	(void)state;
	dvt_buf_init(&b, 1000);
	assert_int_equal(take(V4, sizeof(V4) - 1, &o, &why), DVT_OK);
	dvt_mqtt_opening_put(&b, &o, "d-7", false);
	assert_int_equal(b.n, sizeof(v4) - 1);
	assert_memory_equal(b.p, v4, b.n);
	dvt_buf_reset(&b);
	assert_int_equal(take(V5, sizeof(V5) - 1, &o, &why), DVT_OK);
	dvt_mqtt_opening_put(&b, &o, "d-7", false);
	assert_int_equal(b.n, sizeof(v5) - 1);
	assert_memory_equal(b.p, v5, b.n);
	dvt_buf_reset(&b);
	dvt_mqtt_opening_put(&b, &o, "u", true);
	assert_int_equal(b.n, sizeof(V5) - 1);
	assert_memory_equal(b.p, V5, b.n);
	dvt_buf_fini(&b);
}

static void
refusals_have_the_form_of_the_version(void **state)
{
	struct dvt_buf b;

	(void)state;
	dvt_buf_init(&b, 100);
	dvt_mqtt_refuse_put(&b, 4, DVT_MQTT_CLIENT_ID);
	dvt_mqtt_refuse_put(&b, 5, DVT_MQTT_CLIENT_ID);
	dvt_mqtt_refuse_put(&b, 3, DVT_MQTT_VERSION);
	dvt_mqtt_refuse_put(&b, 6, DVT_MQTT_VERSION);
	dvt_mqtt_refuse_put(&b, 0x84, DVT_MQTT_VERSION); /* a bridge */
	dvt_mqtt_refuse_put(&b, 4, DVT_MQTT_MALFORMED);  /* just closed */
	dvt_mqtt_bye_put(&b, DVT_MQTT_ADMINISTRATIVE);
	assert_int_equal(b.n, 4 + 5 + 4 + 5 + 4 + 3);
	assert_memory_equal(b.p,
	    "\x20\x02\x00\x02\x20\x03\x00\x85\x00\x20\x02\x00\x01\x20\x03\x00"
	    "\x84\x00\x20\x02\x00\x01\xe0\x01\x98",
	    b.n);
	dvt_buf_fini(&b);
}

static void
a_client_id_belongs_to_one_device(void **state)
{
	static const struct {
		const char *device, *id;
		bool owns;
	} cases[] = {
	    {"dev-1", "dev-1",      true },
	    {"dev-1", "dev-1:main", true },
	    {"dev-1", "dev-1/2",    true },
	    {"dev-1", "",           true },
	    {"dev-1", "dev-10",     false},
	    {"dev-1", "dev-1-a",    false},
	    {"dev-1", "dev-",       false},
	    {"dev-1", "Dev-1",      false},
	    {"dev-1", "dev-2",      false},
	    {"",      "anything",   false},
	};

	(void)state;
	for (size_t i = 0; i < DVT_COUNT(cases); i++)
		if (dvt_mqtt_owns(cases[i].device, dvt_span_str(cases[i].id)) !=
		    cases[i].owns)
			fail_msg("%s, %s", cases[i].device, cases[i].id);
}

static void
what_a_broker_would_take_for_a_rule_is_no_user_name(void **state)
{
	static const char *const good[] = {"pump-7", "a/b", "a b", "\xc3\xa9"};
	static const char *const bad[] = {"", "+", "a+", "#", "a/#", "a\nb",
	    "a\x7f", "\xff", "\xc3", "\xed\xa0\x80"};

	(void)state;
	for (size_t i = 0; i < DVT_COUNT(good); i++)
		assert_true(dvt_mqtt_may_be_user(good[i]));
	for (size_t i = 0; i < DVT_COUNT(bad); i++)
		assert_false(dvt_mqtt_may_be_user(bad[i]));
}

static void
borders_are_where_packets_end(void **state)
{
	static const char stream[] = "\x20\x02\x00\x00"
				     "\xd0\x00"
				     "\x30\x03\x00\x01t";
	struct dvt_mqtt_border b = {0};
	const uint8_t *p = (const uint8_t *)stream;
	size_t n = sizeof(stream) - 1;

	(void)state;
	assert_int_equal(dvt_mqtt_border_pass(&b, p, 3, true), 3);
	assert_false(dvt_mqtt_border_is(&b));
	assert_int_equal(dvt_mqtt_border_pass(&b, p + 3, n - 3, true), 1);
	assert_int_equal(b.packets, 1);
	assert_int_equal(dvt_mqtt_border_pass(&b, p + 4, n - 4, false), n - 4);
	assert_int_equal(b.packets, 3);
	assert_true(dvt_mqtt_border_is(&b));
	assert_int_equal(
	    dvt_mqtt_border_pass(
		&b, (const uint8_t *)"\x30\xff\xff\xff\xff\x00", 6, true),
	    6);
	assert_false(dvt_mqtt_border_is(&b)); /* no MQTT any more */
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_connect_is_read_in_both_versions),
	    cmocka_unit_test(less_than_all_of_it_is_waited_for),
	    cmocka_unit_test(what_is_no_connect_is_refused_in_its_own_form),
	    cmocka_unit_test(it_goes_on_under_the_name_of_the_device),
	    cmocka_unit_test(refusals_have_the_form_of_the_version),
	    cmocka_unit_test(a_client_id_belongs_to_one_device),
	    cmocka_unit_test(
		what_a_broker_would_take_for_a_rule_is_no_user_name),
	    cmocka_unit_test(borders_are_where_packets_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
