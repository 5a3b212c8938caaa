/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/der.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

struct bytes {
	const char *what;
	uint8_t p[24];
	size_t n;
};

#define SPAN(b) ((struct dvt_span){(b).p, (b).n})

static void
take_moves_past_a_value(void **state)
{
	static const uint8_t der[] = {0x30, 0x03, 0x02, 0x01, 0x05, 0xff};
	struct dvt_span in = {der, sizeof(der)}, body;

	(void)state;
	assert_int_equal(dvt_der_peek_tag(in), 0x30);
	assert_int_equal(dvt_der_take(&in, 0x30, &body, NULL), DVT_OK);
	assert_int_equal(body.n, 3);
	assert_int_equal(in.n, 1);
	in = dvt_span_from(in, 1);
	assert_int_equal(dvt_der_peek_tag(in), -1);
}

static void
take_refuses_bad_lengths(void **state)
{
	static const struct bytes bad[] = {
	    {"nothing",              {0},			      0},
	    {"only a tag",           {0x30},                           1},
	    {"indefinite, not DER",  {0x30, 0x80, 0, 0},               4},
	    {"padded",               {0x30, 0x81, 0x01, 0},            4},
	    {"padded with a zero",   {0x30, 0x82, 0x00, 0x81},         4},
	    {"body shorter than it", {0x30, 0x05, 1, 2},               4},
	    {"length cut off",       {0x30, 0x82, 0x01},               3},
	    {"five bytes of length", {0x30, 0x85, 1, 0, 0, 0, 0, 1},   8},
	    {"reserved length",      {0x30, 0xff, 1, 0, 0, 0, 0, 1},   8},
	    {"4 GiB",                {0x30, 0x84, 255, 255, 255, 255}, 6},
	    {"other tag",            {0x31, 0x00},                     2},
	};
	(void)state;
	for (size_t i = 0; i < DVT_COUNT(bad); i++) {
		struct dvt_span in = SPAN(bad[i]), body;

		if (dvt_der_take(&in, 0x30, &body, NULL) != DVT_E_INPUT)
			fail_msg("taken: %s", bad[i].what);
		assert_ptr_equal(in.p, bad[i].p); /* and nothing moved */
		assert_int_equal(in.n, bad[i].n);
	}
}

static void
long_tags_are_refused(void **state)
{
	static const uint8_t der[] = {0x1f, 0x20, 0x00};
	struct dvt_span in = {der, sizeof(der)};
	uint8_t tag;

	(void)state;
	assert_int_equal(
	    dvt_der_take_any(&in, &tag, NULL, NULL, NULL), DVT_E_INPUT);
}

/* One reader of each kind; false when it refuses. */
static bool
read_bool(struct dvt_span in)
{
	bool v;

	return dvt_der_take_bool(&in, &v, NULL) == DVT_OK && in.n == 0;
}

static bool
read_u63(struct dvt_span in)
{
	int64_t v;

	return dvt_der_take_u63(&in, &v, NULL) == DVT_OK && in.n == 0;
}

static bool
read_positive(struct dvt_span in)
{
	struct dvt_span v;

	return dvt_der_take_positive(&in, &v, NULL) == DVT_OK && in.n == 0;
}

static bool
read_oid(struct dvt_span in)
{
	struct dvt_span v;

	return dvt_der_take_oid(&in, &v, NULL) == DVT_OK && in.n == 0;
}

static bool
read_bits(struct dvt_span in)
{
	struct dvt_span v;
	unsigned unused;

	return dvt_der_take_bits(&in, &v, &unused, NULL) == DVT_OK && in.n == 0;
}

static bool
read_time(struct dvt_span in)
{
	int64_t v;

	return dvt_der_take_time(&in, &v, NULL) == DVT_OK && in.n == 0;
}

static bool
read_all(struct dvt_span in)
{
	return dvt_der_check(in, 4, NULL) == DVT_OK;
}

static void
readers_hold_to_der(void **state)
{
	static const struct {
		bool (*reads)(struct dvt_span);
		bool fits;
		struct bytes in;
	} cases[] = {
	    {read_bool,     true,  {"true", {1, 1, 0xff}, 3}                  },
	    {read_bool,     true,  {"false", {1, 1, 0}, 3}                    },
	    {read_bool,     false, {"BER true", {1, 1, 1}, 3}                 },
	    {read_bool,     false, {"empty boolean", {1, 0}, 2}               },
	    {read_u63,      true,  {"zero", {2, 1, 0}, 3}                     },
	    {read_u63,      true,  {"128", {2, 2, 0, 0x80}, 4}                },
	    {read_u63,      false, {"negative", {2, 1, 0x80}, 3}              },
	    {read_u63,      false, {"padded integer", {2, 2, 0, 0x7f}, 4}     },
	    {read_u63,      false, {"padded negative", {2, 2, 0xff, 0xff}, 4} },
	    {read_u63,      false, {"empty integer", {2, 0}, 2}               },
	    {read_u63,      true,
             {"2^63-1", {2, 8, 0x7f, 255, 255, 255, 255, 255, 255, 255},
		    10}						       },
	    {read_u63,      false,
             {"2^63", {2, 9, 0, 0x80, 0, 0, 0, 0, 0, 0, 0}, 11}               },
	    {read_positive, false, {"zero modulus", {2, 1, 0}, 3}             },
	    {read_positive, true,  {"128 again", {2, 2, 0, 0x80}, 4}          },
	    {read_oid,      true,  {"2.5.29.17", {6, 3, 0x55, 0x1d, 0x11}, 5} },
	    {read_oid,      false, {"empty oid", {6, 0}, 2}                   },
	    {read_oid,      false, {"oid cut off", {6, 2, 0x55, 0x80}, 4}     },
	    {read_oid,      false, {"oid padded", {6, 3, 0x55, 0x80, 1}, 5}   },
	    {read_bits,     true,  {"7 bits", {3, 2, 1, 0xfe}, 4}             },
	    {read_bits,     true,  {"no bits", {3, 1, 0}, 3}                  },
	    {read_bits,     false, {"unused bit set", {3, 2, 1, 0xff}, 4}     },
	    {read_bits,     false, {"8 unused", {3, 2, 8, 0}, 4}              },
	    {read_bits,     false, {"unused of none", {3, 1, 1}, 3}           },
	    {read_bits,     false, {"nothing at all", {3, 0}, 2}              },
	    {read_time,     true,
             {"UTC",
		    "\x17\x0d"
		    "700101000000Z",
		    15}						       },
	    {read_time,     true,
             {"leap day",
		    "\x17\x0d"
		    "240229000000Z",
		    15}						       },
	    {read_time,     false,
             {"no leap day",
		    "\x17\x0d"
		    "230229000000Z",
		    15}						       },
	    {read_time,     false,
             {"month 13",
		    "\x17\x0d"
		    "231301000000Z",
		    15}						       },
	    {read_time,     false,
             {"day 0",
		    "\x17\x0d"
		    "230100000000Z",
		    15}						       },
	    {read_time,     false,
             {"hour 24",
		    "\x17\x0d"
		    "230101240000Z",
		    15}						       },
	    {read_time,     false,
             {"second 60",
		    "\x17\x0d"
		    "230101000060Z",
		    15}						       },
	    {read_time,     false,
             {"no seconds",
		    "\x17\x0b"
		    "2301010000Z",
		    13}						       },
	    {read_time,     false,
             {"no zone",
		    "\x17\x0c"
		    "230101000000",
		    14}						       },
	    {read_time,     false,
             {"a sign",
		    "\x17\x0d"
		    "-10101000000Z",
		    15}						       },
	    {read_time,     true,
             {"generalized",
		    "\x18\x0f"
		    "20500101000000Z",
		    17}						       },
	    {read_time,     false,
             {"fraction",
		    "\x18\x11"
		    "20500101000000.5Z",
		    19}						       },
	    {read_time,     false, {"an integer", {2, 1, 1}, 3}               },
	    {read_all,      true,  {"4 deep", {48, 6, 48, 4, 48, 2, 48, 0}, 8}},
	    {read_all,      false,
             {"5 deep", {48, 8, 48, 6, 48, 4, 48, 2, 48, 0}, 9}               },
	    {read_all,      false, {"bad inside", {48, 2, 2, 5}, 4}           },
	    {read_all,      false, {"bytes after", {48, 0, 5, 0}, 4}          },
	};
	(void)state;
	for (size_t i = 0; i < DVT_COUNT(cases); i++) {
		if (cases[i].reads(SPAN(cases[i].in)) != cases[i].fits)
			fail_msg("%s", cases[i].in.what);
	}
}

static void
depth_is_a_limit_not_a_recursion(void **state)
{
	uint8_t der[40];
	struct dvt_span in = {der, sizeof(der)};

	(void)state;
	for (size_t i = 0; i < sizeof(der); i += 2) {
		der[i] = 0x30;
		der[i + 1] = (uint8_t)(sizeof(der) - 2 - i);
	}
	assert_int_equal(dvt_der_check(in, 16, NULL), DVT_E_LIMIT);
	assert_int_equal(dvt_der_check(in, 1000, NULL), DVT_E_LIMIT);
}

static void
times_go_there_and_back(void **state)
{
	static const struct {
		const char *text;
		int64_t at_s;
		uint8_t tag;
	} cases[] = {
	    {"700101000000Z",   0,            DVT_DER_UTC        },
	    {"500101000000Z",   -631152000,   DVT_DER_UTC        },
	    {"19491231235959Z", -631152001,   DVT_DER_GENERALIZED},
	    {"491231235959Z",   2524607999,   DVT_DER_UTC        },
	    {"20500101000000Z", 2524608000,   DVT_DER_GENERALIZED},
	    {"000229120000Z",   951825600,    DVT_DER_UTC        },
	    {"221128222949Z",   1669674589,   DVT_DER_UTC        },
	    {"99991231235959Z", 253402300799, DVT_DER_GENERALIZED},
	    {"00000101000000Z", -62167219200, DVT_DER_GENERALIZED},
	};
	struct dvt_buf b;

	(void)state;
	dvt_buf_init(&b, 100);
	for (size_t i = 0; i < DVT_COUNT(cases); i++) {
		struct dvt_span in, body;
		int64_t at_s;

		dvt_buf_reset(&b);
		dvt_der_put_time(&b, cases[i].at_s);
		in = dvt_buf_span(&b);
		assert_int_equal(dvt_der_take_time(&in, &at_s, NULL), DVT_OK);
		if (at_s != cases[i].at_s)
			fail_msg("%s", cases[i].text);
		in = dvt_buf_span(&b);
		assert_int_equal(
		    dvt_der_take(&in, cases[i].tag, &body, NULL), DVT_OK);
		assert_true(dvt_span_eq_str(body, cases[i].text));
	}
	for (int64_t at = INT64_C(-62167219200); at < INT64_C(253402300799);
	     at += INT64_C(100000007)) {
		struct dvt_span in;
		int64_t back;

		dvt_buf_reset(&b);
		dvt_der_put_generalized(&b, at);
		in = dvt_buf_span(&b);
		assert_int_equal(dvt_der_take_time(&in, &back, NULL), DVT_OK);
		assert_true(at == back);
	}
	dvt_buf_fini(&b);
}

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
numbers_are_written_shortest(void **state)
{
	struct dvt_buf b;

	(void)state;
	dvt_buf_init(&b, 100);
	dvt_der_put_i64(&b, 0);
	ASSERT_BYTES(&b, "\x02\x01\x00");
	dvt_der_put_i64(&b, 127);
	ASSERT_BYTES(&b, "\x02\x01\x7f");
	dvt_der_put_i64(&b, 128);
	ASSERT_BYTES(&b, "\x02\x02\x00\x80");
	dvt_der_put_i64(&b, -128);
	ASSERT_BYTES(&b, "\x02\x01\x80");
	dvt_der_put_i64(&b, -129);
	ASSERT_BYTES(&b, "\x02\x02\xff\x7f");
	dvt_der_put_i64(&b, INT64_MIN);
	ASSERT_BYTES(&b, "\x02\x08\x80\0\0\0\0\0\0\0");
	dvt_der_put_uint(&b, DVT_SPAN_LIT("\0\0\x80\x01"));
	ASSERT_BYTES(&b, "\x02\x03\x00\x80\x01");
	dvt_der_put_uint(&b, DVT_SPAN_LIT("\0"));
	ASSERT_BYTES(&b, "\x02\x01\x00");
	dvt_der_put_named_bits(&b, 0x8000);
	ASSERT_BYTES(&b, "\x03\x02\x07\x80");
	dvt_der_put_named_bits(&b, 0x0600);
	ASSERT_BYTES(&b, "\x03\x02\x01\x06");
	dvt_der_put_named_bits(&b, 0x8080);
	ASSERT_BYTES(&b, "\x03\x03\x07\x80\x80");
	dvt_der_put_named_bits(&b, 0);
	ASSERT_BYTES(&b, "\x03\x01\x00");
	dvt_der_put_bool(&b, true);
	dvt_der_put_null(&b);
	dvt_der_put_bits(&b, DVT_SPAN_LIT("\x55"));
	ASSERT_BYTES(&b, "\x01\x01\xff\x05\x00\x03\x02\x00\x55");
	dvt_buf_fini(&b);
}

/* Each length of the length field, nested. */
static void
lengths_are_filled_in(void **state)
{
	static const size_t sizes[] = {0, 1, 127, 128, 255, 256, 65535, 65536};
	static const uint8_t zeros[65536];
	struct dvt_buf b;

	(void)state;
	dvt_buf_init(&b, 100000);
	for (size_t i = 0; i < DVT_COUNT(sizes); i++) {
		struct dvt_span in, outer, inner;
		size_t seq, set;

		dvt_buf_reset(&b);
		seq = dvt_der_open(&b, DVT_DER_SEQ);
		set = dvt_der_open(&b, DVT_DER_SET);
		dvt_buf_put(&b, zeros, sizes[i]);
		dvt_der_close(&b, set);
		dvt_der_put(&b, DVT_DER_OCTETS, DVT_SPAN_LIT("end"));
		dvt_der_close(&b, seq);
		in = dvt_buf_span(&b);
		assert_int_equal(
		    dvt_der_take(&in, DVT_DER_SEQ, &outer, NULL), DVT_OK);
		assert_int_equal(in.n, 0);
		assert_int_equal(
		    dvt_der_take(&outer, DVT_DER_SET, &inner, NULL), DVT_OK);
		assert_int_equal(inner.n, sizes[i]);
		assert_int_equal(
		    dvt_der_take(&outer, DVT_DER_OCTETS, &inner, NULL), DVT_OK);
		assert_true(dvt_span_eq_str(inner, "end"));
	}
	dvt_buf_fini(&b);
}

static void
a_full_buffer_stays_full(void **state)
{
	struct dvt_buf b;
	size_t seq;

	(void)state;
	dvt_buf_init(&b, 4);
	seq = dvt_der_open(&b, DVT_DER_SEQ);
	dvt_der_put_str(&b, DVT_DER_UTF8, "too long");
	dvt_der_close(&b, seq);
	assert_int_equal(dvt_buf_ok(&b, "b", NULL), DVT_E_LIMIT);
	dvt_buf_fini(&b);
}

static void
object_identifiers_are_printed(void **state)
{
	static const struct {
		struct dvt_span oid;
		const char *text;
	} cases[] = {
	    {DVT_SPAN_LIT("\x2a\x86\x48\x86\xf7\x0d\x01\x09\x07"),
             "1.2.840.113549.1.9.7"						   },
	    {DVT_SPAN_LIT("\x55\x1d\x11"),                                 "2.5.29.17"},
	    {DVT_SPAN_LIT("\x88\x37"),                                     "2.999"    },
	    {DVT_SPAN_LIT("\x00"),					 "0.0"      },
	    {DVT_SPAN_LIT("\x2a\x86"),                                     "?"        },
	    {DVT_SPAN_LIT(""),					     "?"        },
	    {DVT_SPAN_LIT("\x2a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x7f"), "?"        },
	};
	char text[32];

	(void)state;
	for (size_t i = 0; i < DVT_COUNT(cases); i++)
		assert_string_equal(
		    dvt_der_oid_text(cases[i].oid, text, sizeof(text)),
		    cases[i].text);
	assert_string_equal(dvt_der_oid_text(cases[0].oid, text, 8), "?");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(take_moves_past_a_value),
	    cmocka_unit_test(take_refuses_bad_lengths),
	    cmocka_unit_test(long_tags_are_refused),
	    cmocka_unit_test(readers_hold_to_der),
	    cmocka_unit_test(depth_is_a_limit_not_a_recursion),
	    cmocka_unit_test(times_go_there_and_back),
	    cmocka_unit_test(numbers_are_written_shortest),
	    cmocka_unit_test(lengths_are_filled_in),
	    cmocka_unit_test(a_full_buffer_stays_full),
	    cmocka_unit_test(object_identifiers_are_printed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
