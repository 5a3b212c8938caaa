/* SPDX-License-Identifier: Apache-2.0 */
#include "base/hex.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void
hex_goes_there_and_back(void **state)
{
	uint8_t in[3] = {0, 0xab, 0xff}, out[3];
	char text[7];
	size_t n;

	(void)state;
	dvt_hex(in, 3, text, sizeof(text));
	assert_string_equal(text, "00abff");
	assert_int_equal(dvt_unhex("00ABff", out, 3, &n, NULL), DVT_OK);
	assert_memory_equal(in, out, 3);
}

static void
unhex_refuses_what_is_no_hex(void **state)
{
	static const struct {
		const char *text;
		enum dvt_code want;
	} bad[] = {
	    {"0",        DVT_E_INPUT},
	    {"0g",       DVT_E_INPUT},
	    {"0x",       DVT_E_INPUT},
	    {"00112233", DVT_E_LIMIT},
	};
	uint8_t out[3];
	size_t n;

	(void)state;
	for (size_t i = 0; i < DVT_COUNT(bad); i++)
		assert_int_equal(
		    dvt_unhex(bad[i].text, out, 3, &n, NULL), bad[i].want);
}

static void
fingerprints_are_read_as_people_write_them(void **state)
{
	char out[8];

	(void)state;
	assert_int_equal(dvt_hex_normal("SHA256:AB:cd 0", out, sizeof(out)), 0);
	assert_string_equal(out, "abcd0");
	assert_int_equal(dvt_hex_normal("", out, sizeof(out)), -1);
	assert_int_equal(dvt_hex_normal("0011223344", out, sizeof(out)), -1);
	assert_int_equal(dvt_hex_normal("zz", out, sizeof(out)), -1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(hex_goes_there_and_back),
	    cmocka_unit_test(unhex_refuses_what_is_no_hex),
	    cmocka_unit_test(fingerprints_are_read_as_people_write_them),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
