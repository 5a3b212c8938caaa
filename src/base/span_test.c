/* SPDX-License-Identifier: Apache-2.0 */
#include "base/span.h"

#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static void
a_buffer_keeps_its_first_failure(void **state)
{
	struct dvt_buf b;
	struct dvt_err err;

	(void)state;
	dvt_buf_init(&b, 8);
	dvt_buf_puts(&b, "12345678");
	assert_int_equal(dvt_buf_ok(&b, "b", NULL), DVT_OK);
	dvt_buf_putc(&b, '9');
	dvt_buf_reset(&b);
	dvt_buf_puts(&b, "123456789");
	dvt_buf_puts(&b, "1");
	assert_int_equal(dvt_buf_ok(&b, "b", &err), DVT_E_LIMIT);
	assert_int_equal(b.n, 0);
	dvt_buf_fini(&b);
}

static void
a_buffer_grows_drops_and_hands_over(void **state)
{
	struct dvt_buf b;
	char *s;

	(void)state;
	dvt_buf_init(&b, 100000);
	for (int i = 0; i < 1000; i++)
		dvt_buf_printf(&b, "%03d,", i);
	assert_int_equal(b.n, 4000);
	dvt_buf_drop(&b, 3996);
	assert_string_equal(dvt_buf_str(&b), "999,");
	dvt_buf_be(&b, 0x4142, 2);
	s = dvt_buf_take_str(&b);
	assert_string_equal(s, "999,AB");
	free(s);
	assert_string_equal(dvt_buf_str(&b), "");
	dvt_buf_fini(&b);
}

static void
spans_never_run_past_their_end(void **state)
{
	struct dvt_span s = DVT_SPAN_LIT("abc");

	(void)state;
	assert_int_equal(dvt_span_from(s, 9).n, 0);
	assert_true(dvt_span_eq_str(dvt_span_from(s, 1), "bc"));
	assert_int_equal(dvt_span_str(NULL).n, 0);
	assert_int_equal(dvt_be_uint((const uint8_t *)"\1\2", 2), 258);
}

static void
an_arena_is_freed_as_a_whole(void **state)
{
	struct dvt_arena a = {0};
	char *s = dvt_arena_printf(&a, "%s-%d", "x", 5);

	(void)state;
	for (int i = 0; i < 100; i++)
		memset(dvt_arena_alloc(&a, 1000), 1, 1000);
	assert_string_equal(s, "x-5");
	dvt_arena_free(&a);
	assert_null(a.head);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_buffer_keeps_its_first_failure),
	    cmocka_unit_test(a_buffer_grows_drops_and_hands_over),
	    cmocka_unit_test(spans_never_run_past_their_end),
	    cmocka_unit_test(an_arena_is_freed_as_a_whole),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
