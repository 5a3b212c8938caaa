/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/base64.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

/* RFC 4648 section 10. */
static const struct {
	const char *bytes, *text;
} samples[] = {
    {"",       ""        },
    {"f",      "Zg=="    },
    {"fo",     "Zm8="    },
    {"foo",    "Zm9v"    },
    {"foob",   "Zm9vYg=="},
    {"fooba",  "Zm9vYmE="},
    {"foobar", "Zm9vYmFy"},
};

static void
rfc_4648_samples_go_both_ways(void **state)
{
	struct dvt_buf b;

	(void)state;
	dvt_buf_init(&b, 100);
	for (size_t i = 0; i < DVT_COUNT(samples); i++) {
		dvt_buf_reset(&b);
		dvt_base64_encode(&b, dvt_span_str(samples[i].bytes), 0);
		assert_string_equal(dvt_buf_str(&b), samples[i].text);
		dvt_buf_reset(&b);
		assert_int_equal(
		    dvt_base64_decode(dvt_span_str(samples[i].text), &b, NULL),
		    DVT_OK);
		assert_string_equal(dvt_buf_str(&b), samples[i].bytes);
	}
	dvt_buf_fini(&b);
}

static void
white_space_may_stand_anywhere_and_nothing_else(void **state)
{
	static const struct {
		const char *text;
		enum dvt_code rc;
	} cases[] = {
	    {"Zm9v\r\nYmFy\r\n", DVT_OK     },
	    {" Z m\t9v YmFy ",   DVT_OK     },
	    {"Zm9vYmFy\n\n",     DVT_OK     },
	    {"Zm9vYmF",          DVT_E_INPUT}, /* cut off */
	    {"Zm9vYm",           DVT_E_INPUT}, /* no padding */
	    {"Zm9vYmE",          DVT_E_INPUT},
	    {"Zm9vYmE==",        DVT_E_INPUT},
	    {"Zm9vY===",         DVT_E_INPUT},
	    {"=",                DVT_E_INPUT},
	    {"====",             DVT_E_INPUT},
	    {"Zg==Zg==",         DVT_E_INPUT}, /* two texts */
	    {"Zg=a",             DVT_E_INPUT},
	    {"Zm9vYmFy====",     DVT_E_INPUT},
	    {"Zh==",             DVT_E_INPUT}, /* spare bits */
	    {"Zm9=",             DVT_E_INPUT},
	    {"Zm9v-mFy",         DVT_E_INPUT}, /* the other alphabet */
	    {"Zm9v_mFy",         DVT_E_INPUT},
	    {"Zm9v.",            DVT_E_INPUT},
	    {"-----BEGIN",       DVT_E_INPUT},
	};
	struct dvt_buf b;

	(void)state;
	dvt_buf_init(&b, 100);
	for (size_t i = 0; i < DVT_COUNT(cases); i++) {
		dvt_buf_reset(&b);
		dvt_buf_putc(&b, '>');
		if (dvt_base64_decode(dvt_span_str(cases[i].text), &b, NULL) !=
		    cases[i].rc)
			fail_msg("%s", cases[i].text);
		assert_string_equal(
		    dvt_buf_str(&b), cases[i].rc == DVT_OK ? ">foobar" : ">");
	}
	assert_int_equal(
	    dvt_base64_decode(DVT_SPAN_LIT("Zm9v\0Zm9v"), &b, NULL),
	    DVT_E_INPUT);
	dvt_buf_fini(&b);
}

static void
the_buffer_bounds_the_result(void **state)
{
	struct dvt_buf b;

	(void)state;
	dvt_buf_init(&b, 5);
	assert_int_equal(
	    dvt_base64_decode(DVT_SPAN_LIT("Zm9vYmFy"), &b, NULL), DVT_E_LIMIT);
	assert_int_equal(b.n, 0);
	assert_int_equal(
	    dvt_base64_decode(DVT_SPAN_LIT("Zm9vYmE="), &b, NULL), DVT_OK);
	dvt_buf_fini(&b);
}

static void
lines_end_where_asked(void **state)
{
	static const uint8_t zeros[49];
	struct dvt_buf b;

	(void)state;
	dvt_buf_init(&b, 200);
	dvt_base64_encode(&b, (struct dvt_span){zeros, 48}, 64);
	assert_int_equal(b.n, 65);
	assert_int_equal(b.p[64], '\n');
	dvt_buf_reset(&b);
	dvt_base64_encode(&b, (struct dvt_span){zeros, 49}, 64);
	assert_int_equal(b.n, 65 + 5);
	assert_string_equal(dvt_buf_str(&b) + 65, "AA==\n");
	dvt_buf_reset(&b);
	dvt_base64_encode(&b, (struct dvt_span){zeros, 49}, 0);
	assert_int_equal(b.n, 68);
	dvt_buf_fini(&b);
}

static void
the_url_form_has_no_padding_and_no_space(void **state)
{
	static const struct {
		const char *text;
		enum dvt_code rc;
	} cases[] = {
	    {"-_8",   DVT_OK     },
	    {"-_8=",  DVT_E_INPUT},
	    {"-_ 8",  DVT_E_INPUT},
	    {"+/8",   DVT_E_INPUT},
	    {"-_9",   DVT_E_INPUT}, /* spare bits */
	    {"-_8AA", DVT_E_INPUT},
	};
	struct dvt_buf b;

	(void)state;
	dvt_buf_init(&b, 100);
	dvt_base64url_encode(&b, DVT_SPAN_LIT("\xfb\xff"));
	assert_string_equal(dvt_buf_str(&b), "-_8");
	for (size_t i = 0; i < DVT_COUNT(cases); i++) {
		dvt_buf_reset(&b);
		if (dvt_base64url_decode(
			dvt_span_str(cases[i].text), &b, NULL) != cases[i].rc)
			fail_msg("%s", cases[i].text);
	}
	dvt_buf_fini(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(rfc_4648_samples_go_both_ways),
	    cmocka_unit_test(white_space_may_stand_anywhere_and_nothing_else),
	    cmocka_unit_test(the_buffer_bounds_the_result),
	    cmocka_unit_test(lines_end_where_asked),
	    cmocka_unit_test(the_url_form_has_no_padding_and_no_space),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
