/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/feed_record_priv.h"

#include "wire/json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct dvt_handshake
full(void)
{
	struct dvt_handshake h;

	dvt_handshake_init(&h);
	h.at = 1764547200;
	h.n = 12;
	h.duration_us = 1234;
	strcpy(h.address, "2001:db8::1");
	strcpy(h.name, "edge.example");
	strcpy(h.print, "0123456789abcdef");
	strcpy(h.device, "dev-\"7\"\xc3\xa9");
	strcpy(h.confidence, "ticket");
	memset(h.certificate, 'a', DVT_DIGEST_HEX - 1);
	h.outcome = DVT_HS_DEVICE_REFUSED;
	h.reason = DVT_HR_UNKNOWN_CA;
	h.alert = 48;
	h.x509_error = 20;
	h.depth = 1;
	h.date_s = -3600;
	h.has_clock = true;
	h.clock_s = 77;
	strcpy(h.stack, "mbedTLS 2.28");
	strcpy(h.credential, "gw-1/7");
	strcpy(h.serial, "0a31");
	memset(h.root, 'b', DVT_DIGEST_HEX - 1);
	strcpy(h.form, "cross");
	strcpy(h.why, "default");
	strcpy(h.protocol, "TLSv1.3");
	return h;
}

static void
a_record_comes_back_as_it_was(void **state)
{
	struct dvt_handshake h = full(), back;
	struct dvt_buf b;

	(void)state;
	for (int i = 0; i < 2; i++) {
		dvt_buf_init(&b, DVT_RECORD_MAX);
		dvt_handshake_format(&h, &b);
		memset(&back, 0xff, sizeof(back));
		assert_int_equal(
		    dvt_handshake_parse(dvt_buf_span(&b), &back, NULL), DVT_OK);
		assert_memory_equal(h.print, back.print, sizeof(h.print));
		assert_string_equal(h.device, back.device);
		assert_string_equal(h.root, back.root);
		assert_string_equal(h.certificate, back.certificate);
		assert_int_equal(h.alert, back.alert);
		assert_int_equal(h.alert_out, back.alert_out);
		assert_int_equal(h.outcome, back.outcome);
		assert_int_equal(h.reason, back.reason);
		assert_int_equal(h.x509_error, back.x509_error);
		assert_int_equal(h.depth, back.depth);
		assert_int_equal(h.date_s, back.date_s);
		assert_int_equal(h.has_clock, back.has_clock);
		assert_int_equal(h.clock_s, back.clock_s);
		assert_string_equal(h.stack, back.stack);
		assert_int_equal(h.duration_us, back.duration_us);
		assert_int_equal(h.n, back.n);
		dvt_buf_fini(&b);
		dvt_handshake_init(&h); /* and an empty one */
	}
}

/* By hand where that is the same, else by the library: the same bytes. */
static void
both_ways_of_writing_give_the_same_bytes(void **state)
{
	static const char *const names[] = {"", "dev-7", "with space, ~ and /",
	    "quo\"te", "back\\slash", "tab\t", "\x7f", "caf\xc3\xa9", "\xff"};
	struct dvt_buf a, b;
	json_t *o;

	(void)state;
	for (size_t i = 0; i < 4 * DVT_COUNT(names); i++) {
		struct dvt_handshake h = full();

		if (i % 4 == 1)
			dvt_handshake_init(&h);
		h.alert_out = i % 4 == 2;
		if (i % 4 == 3)
			h.alert = h.depth = -1;
		strcpy(h.device, names[i / 4]);
		dvt_buf_init(&a, DVT_RECORD_MAX);
		dvt_buf_init(&b, DVT_RECORD_MAX);
		dvt_handshake_format(&h, &a);
		o = dvt_handshake_to_json(&h);
		dvt_json_put(&b, o);
		json_decref(o);
		assert_string_equal(dvt_buf_str(&a), dvt_buf_str(&b));
		dvt_buf_fini(&a);
		dvt_buf_fini(&b);
	}
}

/* What is read by hand is what the JSON reader makes of it. */
static bool
is_read_by_hand(struct dvt_span line)
{
	struct dvt_handshake a, b;
	json_t *o = NULL;

	memset(&a, 0xa5, sizeof(a));
	if (!dvt_handshake_scan(line, &a))
		return false;
	assert_int_equal(
	    dvt_json_parse(line, DVT_RECORD_MAX, &o, NULL), DVT_OK);
	assert_int_equal(dvt_handshake_from_json(o, &b, NULL), DVT_OK);
	json_decref(o);
	assert_memory_equal(&a, &b, sizeof(a));
	return true;
}

static void
usual_records_are_read_by_hand_and_no_other_than_by_json(void **state)
{
	static const char swaps[] = "\"\\{}:,- 09aZ\x7f\n";
	struct dvt_handshake h = full();
	struct dvt_buf b;
	size_t n;

	(void)state;
	h.outcome = DVT_HS_OK;
	h.reason = DVT_HR_OK;
	h.alert = h.depth = -1;
	h.x509_error = 0;
	h.date_s = 0;
	h.has_clock = false;
	h.n = 1;
	strcpy(h.device, "dev-7");
	dvt_buf_init(&b, DVT_RECORD_MAX);
	dvt_handshake_format(&h, &b);
	assert_true(is_read_by_hand(dvt_buf_span(&b)));
	n = b.n;
	for (size_t i = 0; i < n; i++) { /* cut off, and each byte changed */
		uint8_t was = b.p[i];

		assert_false(is_read_by_hand((struct dvt_span){b.p, i}));
		for (const char *c = swaps; *c != '\0'; c++) {
			b.p[i] = (uint8_t)*c;
			(void)is_read_by_hand(dvt_buf_span(&b));
		}
		b.p[i] = was;
	}
	dvt_buf_fini(&b);
}

static void
what_is_not_usual_is_left_to_the_json_reader(void **state)
{
	static const char *const lines[] = {
	    "{\"at\":1,\"outcome\":\"ok\",\"reason\":\"ok\",\"alert\":1}",
	    "{\"at\":1,\"outcome\":\"ok\",\"reason\":\"ok\",\"at\":2}",
	    "{\"at\":1,\"outcome\":\"ok\",\"reason\":\"ok\",\"x\":\"y\"}",
	    "{\"at\":1, \"outcome\":\"ok\",\"reason\":\"ok\"}",
	    "{\"at\":01,\"outcome\":\"ok\",\"reason\":\"ok\"}",
	    "{\"at\":1e3,\"outcome\":\"ok\",\"reason\":\"ok\"}",
	    "{\"at\":9999999999999999,\"outcome\":\"ok\",\"reason\":\"ok\"}",
	    "{\"at\":1,\"outcome\":\"ok\",\"reason\":\"ok\",}",
	    "{\"at\":1,\"outcome\":\"ok\",\"reason\":\"ok\"} ",
	    "{\"at\":1,\"outcome\":\"\",\"reason\":\"ok\"}",
	    "{}",
	};

	(void)state;
	for (size_t i = 0; i < DVT_COUNT(lines); i++)
		assert_false(is_read_by_hand(dvt_span_str(lines[i])));
	assert_true(is_read_by_hand(dvt_span_str(
	    "{\"reason\":\"reset\",\"outcome\":\"network\",\"at\":0}")));
}

static void
what_does_not_apply_is_left_out(void **state)
{
	struct dvt_handshake h;
	struct dvt_buf b;

	(void)state;
	dvt_handshake_init(&h);
	dvt_buf_init(&b, DVT_RECORD_MAX);
	dvt_handshake_format(&h, &b);
	assert_string_equal(dvt_buf_str(&b),
	    "{\"at\":0,\"duration_us\":0,\"outcome\":\"ok\","
	    "\"reason\":\"ok\"}");
	dvt_buf_fini(&b);
}

static void
hostile_records_are_refused(void **state)
{
	static const char *const bad[] = {
	    "",
	    "[]",
	    "{}",
	    "null",
	    "{\"at\":1}",
	    "{\"at\":1,\"outcome\":\"ok\"}",
	    "{\"at\":-1,\"outcome\":\"ok\",\"reason\":\"ok\"}",
	    "{\"at\":1,\"outcome\":\"fine\",\"reason\":\"ok\"}",
	    "{\"at\":1,\"outcome\":\"ok\",\"reason\":\"\"}",
	    "{\"at\":1,\"outcome\":\"ok\",\"reason\":\"ok\",\"alert\":256}",
	    "{\"at\":1,\"outcome\":\"ok\",\"reason\":\"ok\",\"alert\":\"48\"}",
	    "{\"at\":1,\"outcome\":\"ok\",\"reason\":\"ok\",\"depth\":-2}",
	    "{\"at\":1,\"outcome\":\"ok\",\"reason\":\"ok\",\"direction\":"
	    "\"up\"}",
	    "{\"at\":1,\"outcome\":\"ok\",\"reason\":\"ok\",\"form\":7}",
	    "{\"at\":1,\"outcome\":\"ok\",\"reason\":\"ok\",\"clock_s\":"
	    "9999999999999}",
	    "{\"at\":1,\"outcome\":\"ok\",\"reason\":\"ok\",\"date_s\":1.5}",
	    "{\"at\":1,\"outcome\":\"ok\",\"reason\":\"ok\","
	    "\"form\":\"a-word-longer-than-any-of-ours\"}",
	    "{\"at\":1,\"outcome\":\"ok\",\"reason\":\"ok\",\"name\":"
	    "\"a\\u0000b\"}",
	    "{\"at\":1,\"at\":1,\"outcome\":\"ok\",\"reason\":\"ok\"}",
	    "{\"at\":1,\"outcome\":\"ok\",\"reason\":\"ok\"} x",
	};
	struct dvt_handshake h;
	char big[DVT_RECORD_MAX + 2];

	(void)state;
	for (size_t i = 0; i < DVT_COUNT(bad); i++)
		if (dvt_handshake_parse(dvt_span_str(bad[i]), &h, NULL) ==
		    DVT_OK)
			fail_msg("taken: %s", bad[i]);
	memset(big, ' ', sizeof(big));
	assert_int_equal(
	    dvt_handshake_parse(
		(struct dvt_span){(uint8_t *)big, sizeof(big)}, &h, NULL),
	    DVT_E_LIMIT);
}

static void
fields_of_later_days_pass(void **state)
{
	struct dvt_handshake h;

	(void)state;
	assert_int_equal(
	    dvt_handshake_parse(
		DVT_SPAN_LIT("{\"at\":5,\"outcome\":\"network\",\"reason\":"
			     "\"reset\",\"mood\":{\"of\":[1]}}"),
		&h, NULL),
	    DVT_OK);
	assert_int_equal(h.at, 5);
	assert_int_equal(h.reason, DVT_HR_RESET);
	assert_int_equal(h.alert, -1);
}

static void
words_go_both_ways(void **state)
{
	(void)state;
	for (int i = 0; i < DVT_OUTCOME_N; i++)
		assert_int_equal(dvt_outcome_from_name(
				     dvt_outcome_name((enum dvt_outcome)i)),
		    i);
	for (int i = 0; i < DVT_HR_N; i++)
		assert_int_equal(dvt_hs_reason_from_name(
				     dvt_hs_reason_name((enum dvt_hs_reason)i)),
		    i);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_record_comes_back_as_it_was),
	    cmocka_unit_test(both_ways_of_writing_give_the_same_bytes),
	    cmocka_unit_test(
		usual_records_are_read_by_hand_and_no_other_than_by_json),
	    cmocka_unit_test(what_is_not_usual_is_left_to_the_json_reader),
	    cmocka_unit_test(what_does_not_apply_is_left_out),
	    cmocka_unit_test(hostile_records_are_refused),
	    cmocka_unit_test(fields_of_later_days_pass),
	    cmocka_unit_test(words_go_both_ways),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
