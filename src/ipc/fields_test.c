/* SPDX-License-Identifier: Apache-2.0 */
#include "ipc/fields.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static const uint64_t numbers[] = {
    0, 1, 127, 128, 16383, 16384, UINT32_MAX, INT64_MAX, UINT64_MAX};

static void
what_was_put_is_got(void **state)
{
	char text[8];
	struct dvt_buf b;
	struct dvt_fields f;
	struct dvt_span s;

	(void)state;
	dvt_buf_init(&b, 4096);
	for (size_t i = 0; i < DVT_COUNT(numbers); i++) {
		dvt_put_u64(&b, numbers[i]);
		dvt_put_i64(&b, (int64_t)numbers[i]);
		dvt_put_i64(&b, (int64_t)(~numbers[i] + 1));
	}
	dvt_put_bool(&b, true);
	dvt_put_bool(&b, false);
	dvt_put_str(&b, "dev-17");
	dvt_put_str(&b, NULL);
	dvt_put_str(&b, "");
	dvt_put_count(&b, 2);
	dvt_put_bytes(&b, DVT_SPAN_LIT("a\0b"));
	f = dvt_fields_of(dvt_buf_span(&b));
	for (size_t i = 0; i < DVT_COUNT(numbers); i++) {
		assert_true(dvt_get_u64(&f, UINT64_MAX) == numbers[i]);
		assert_true(dvt_get_i64(&f) == (int64_t)numbers[i]);
		assert_true(dvt_get_i64(&f) == (int64_t)(~numbers[i] + 1));
	}
	assert_true(dvt_get_bool(&f));
	assert_false(dvt_get_bool(&f));
	dvt_get_str(&f, text, sizeof(text));
	assert_string_equal(text, "dev-17");
	s = dvt_get_text(&f, 10);
	assert_true(s.p == NULL && f.bad == NULL);
	s = dvt_get_text(&f, 10);
	assert_true(s.p != NULL && s.n == 0);
	assert_true(dvt_fields_more(&f));
	assert_int_equal(dvt_get_count(&f, 2), 2);
	s = dvt_get_bytes(&f, 3);
	assert_true(dvt_span_eq(s, DVT_SPAN_LIT("a\0b")));
	assert_int_equal(dvt_fields_end(&f, "X", NULL), DVT_OK);
	dvt_buf_fini(&b);
}

/* What each row is read as, by its first letter. */
static void
read_as(struct dvt_fields *f, char as)
{
	char text[4];

	switch (as) {
	case 'u':
		assert_true(dvt_get_u64(f, 1000) == 0);
		break;
	case 'i':
		assert_true(dvt_get_i64(f) == 0);
		break;
	case 't':
		assert_false(dvt_get_bool(f));
		break;
	case 's':
		dvt_get_str(f, text, sizeof(text));
		assert_string_equal(text, "");
		break;
	case 'b':
		assert_int_equal(dvt_get_bytes(f, 3).n, 0);
		break;
	default:
		assert_int_equal(dvt_get_count(f, 9), 0);
	}
}

static void
a_reader_keeps_its_first_failure(void **state)
{
	static const struct {
		const char *why;
		char as;
		uint8_t raw[14];
		size_t n;
	} bad[] = {
	    {"nothing there",              'u', {0},                          0 },
	    {"no number",                  'u', {'u'},                        1 },
	    {"number cut",                 'u', {'u', 0x80},                  2 },
	    {"number padded",              'u', {'u', 0x81, 0},               3 },
	    {"number too long",            'u',
             {'u', 255, 255, 255, 255, 255, 255, 255, 255, 255, 2},           11},
	    {"another type",               'u', {'i', 1},                     2 },
	    {"over its limit",             'u', {'u', 0xe9, 7},               3 },
	    {"bool of another type",       't', {'u', 1},                     2 },
	    {"text longer than the rest",  's', {'s', 3, 'a', 'b'},           4 },
	    {"text over its limit",        's', {'s', 4, 'a', 'b', 'c', 'd'}, 6 },
	    {"NUL in a text",              's', {'s', 2, 'a', 0},             4 },
	    {"bytes over their limit",     'b', {'b', 4, 1, 2, 3, 4},         6 },
	    {"more counted than there is", 'c', {'c', 3, 't', 't'},           4 },
	};

	(void)state;
	for (size_t i = 0; i < DVT_COUNT(bad); i++) {
		struct dvt_fields f = dvt_fields_of(
		    (struct dvt_span){bad[i].raw, bad[i].n});
		const char *first;

		read_as(&f, bad[i].as);
		first = f.bad;
		if (first == NULL)
			fail_msg("taken: %s", bad[i].why);
		for (const char *as = "uitsbc"; *as != '\0'; as++)
			read_as(&f, *as);
		assert_ptr_equal(f.bad, first);
		assert_false(dvt_fields_more(&f));
		assert_int_equal(dvt_fields_end(&f, "X", NULL), DVT_E_INPUT);
	}
}

static void
bytes_left_over_are_refused(void **state)
{
	struct dvt_fields f = dvt_fields_of(DVT_SPAN_LIT("tt"));

	(void)state;
	assert_true(dvt_get_bool(&f));
	assert_int_equal(dvt_fields_end(&f, "X", NULL), DVT_E_INPUT);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_was_put_is_got),
	    cmocka_unit_test(a_reader_keeps_its_first_failure),
	    cmocka_unit_test(bytes_left_over_are_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
