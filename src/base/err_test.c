/* SPDX-License-Identifier: Apache-2.0 */
#include "base/err.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void
every_code_has_a_name_a_status_and_an_exit(void **state)
{
	(void)state;
	for (int c = DVT_OK; c <= DVT_E_SYSTEM; c++) {
		enum dvt_code code = (enum dvt_code)c;

		assert_int_equal(dvt_code_from_name(dvt_code_name(code)), code);
		assert_in_range(dvt_code_http(code), 200, 599);
		assert_true(dvt_code_exit(code) == 0 || code != DVT_OK);
	}
	assert_string_equal(dvt_code_name((enum dvt_code)99), "system");
}

static void
fail_keeps_text_place_and_errno(void **state)
{
	struct dvt_err err;

	(void)state;
	errno = ENOSPC;
	assert_int_equal(dvt_fail_errno(&err, "write %s", "a"), DVT_E_SYSTEM);
	assert_string_equal(err.text, "write a: No space left on device");
	assert_int_equal(err.sys, ENOSPC);
	dvt_err_prefix(&err, "device %d", 7);
	assert_string_equal(
	    err.text, "device 7: write a: No space left on device");
	assert_int_equal(dvt_fail(NULL, DVT_E_INPUT, "x"), DVT_E_INPUT);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_code_has_a_name_a_status_and_an_exit),
	    cmocka_unit_test(fail_keeps_text_place_and_errno),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
