/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/json.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void
only_strict_json_is_read(void **state)
{
	static const struct {
		const char *text;
		enum dvt_code rc;
	} cases[] = {
	    {"{\"a\":1}",				      DVT_OK     },
	    {" [1, 2]\n",				      DVT_OK     },
	    {"{\"a\":\"[[[[[[[[[[[[[[[[[[\"}",                 DVT_OK     },
	    {"{\"\\\"[[[[[[[[[[[[[[[[[[\":\"\\\\\"}",          DVT_OK     },
	    {"[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]",              DVT_OK     },
	    {"[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]",            DVT_E_LIMIT},
	    {"{\"long\":\"0123456789012345678901234567890\"}", DVT_E_LIMIT},
	    {"{\"a\":1,\"a\":2}",                              DVT_E_INPUT},
	    {"{\"a\":1} x",				    DVT_E_INPUT},
	    {"{\"a\":1}{}",				    DVT_E_INPUT},
	    {"{\"a\":1,}",				     DVT_E_INPUT},
	    {"{a:1}",					  DVT_E_INPUT},
	    {"\"text\"",				       DVT_E_INPUT},
	    {"1",					      DVT_E_INPUT},
	    {"",					       DVT_E_INPUT},
	    {"{\"a\":\"\\u0000\"}",                            DVT_E_INPUT},
	    {"{\"a\":\"\xff\"}",                               DVT_E_INPUT},
	    {"{\"a\":99999999999999999999}",                   DVT_E_INPUT},
	    {"{\"a\":NaN}",				    DVT_E_INPUT},
	    {"{\"a\":01}",				     DVT_E_INPUT},
	};
	(void)state;
	for (size_t i = 0; i < DVT_COUNT(cases); i++) {
		json_t *v;

		if (dvt_json_parse(dvt_span_str(cases[i].text), 40, &v, NULL) !=
		    cases[i].rc)
			fail_msg("%s", cases[i].text);
		assert_int_equal(v != NULL, cases[i].rc == DVT_OK);
		json_decref(v);
	}
}

static void
the_place_of_an_error_is_told(void **state)
{
	struct dvt_err err;
	json_t *v;

	(void)state;
	assert_int_equal(
	    dvt_json_parse(DVT_SPAN_LIT("{\n \"a\": tru }"), 100, &v, &err),
	    DVT_E_INPUT);
	assert_non_null(strstr(err.text, "line 2"));
}

static json_t *
parse(const char *text)
{
	json_t *v;

	assert_int_equal(
	    dvt_json_parse(dvt_span_str(text), 1000, &v, NULL), DVT_OK);
	return v;
}

static void
fields_are_read_by_type_and_named_when_wrong(void **state)
{
	json_t *v = parse("{\"s\":\"text\",\"n\":7,\"b\":true,\"z\":null,"
			  "\"l\":[1],\"o\":{},\"f\":1.5}");
	struct dvt_err err;
	const char *s;
	json_t *sub;
	int64_t n;
	bool b;

	(void)state;
	assert_int_equal(dvt_json_get_str(v, "s", 4, &s, NULL), DVT_OK);
	assert_string_equal(s, "text");
	assert_int_equal(dvt_json_get_str(v, "s", 3, &s, &err), DVT_E_LIMIT);
	assert_int_equal(dvt_json_get_str(v, "n", 0, &s, &err), DVT_E_INPUT);
	assert_string_equal(err.text, "field \"n\": a text is wanted");
	assert_int_equal(dvt_json_get_str(v, "no", 0, &s, &err), DVT_E_INPUT);
	assert_string_equal(err.text, "field \"no\": missing");
	assert_int_equal(dvt_json_get_str(v, "z", 0, &s, &err), DVT_E_INPUT);
	assert_int_equal(dvt_json_opt_str(v, "z", 0, "d", &s, NULL), DVT_OK);
	assert_string_equal(s, "d");
	assert_int_equal(
	    dvt_json_opt_str(v, "n", 0, "d", &s, NULL), DVT_E_INPUT);
	assert_int_equal(dvt_json_get_i64(v, "n", 0, 7, &n, NULL), DVT_OK);
	assert_int_equal(n, 7);
	assert_int_equal(dvt_json_get_i64(v, "n", 8, 9, &n, &err), DVT_E_INPUT);
	assert_string_equal(err.text, "field \"n\": 7 is not from 8 to 9");
	assert_int_equal(dvt_json_get_i64(v, "f", 0, 9, &n, &err), DVT_E_INPUT);
	assert_int_equal(dvt_json_opt_i64(v, "x", 0, 9, 5, &n, NULL), DVT_OK);
	assert_int_equal(n, 5);
	assert_int_equal(dvt_json_get_bool(v, "b", &b, NULL), DVT_OK);
	assert_true(b);
	assert_int_equal(dvt_json_get_bool(v, "n", &b, NULL), DVT_E_INPUT);
	assert_int_equal(dvt_json_opt_bool(v, "x", true, &b, NULL), DVT_OK);
	assert_true(b);
	assert_int_equal(dvt_json_get_list(v, "l", &sub, NULL), DVT_OK);
	assert_int_equal(dvt_json_get_list(v, "o", &sub, NULL), DVT_E_INPUT);
	assert_int_equal(dvt_json_get_list(v, "x", &sub, NULL), DVT_E_INPUT);
	assert_int_equal(dvt_json_get_obj(v, "o", &sub, NULL), DVT_OK);
	assert_int_equal(dvt_json_opt_obj(v, "x", &sub, NULL), DVT_OK);
	assert_null(sub);
	json_decref(v);
}

static void
an_unknown_field_is_refused_by_name(void **state)
{
	static const char *const allowed[] = {"a", "b"};
	json_t *v = parse("{\"a\":1,\"operatoin\":2}");
	struct dvt_err err;

	(void)state;
	assert_int_equal(dvt_json_only(v, allowed, 2, &err), DVT_E_INPUT);
	assert_string_equal(err.text, "field \"operatoin\": unknown");
	json_object_del(v, "operatoin");
	assert_int_equal(dvt_json_only(v, allowed, 2, NULL), DVT_OK);
	json_decref(v);
	v = parse("[]");
	assert_int_equal(dvt_json_only(v, allowed, 2, NULL), DVT_E_INPUT);
	json_decref(v);
}

static void
output_is_one_line_in_the_order_set(void **state)
{
	json_t *v = parse("{\"z\": 1, \"a\": [true, \"x\\ny\"]}");
	struct dvt_buf out;

	(void)state;
	dvt_buf_init(&out, 100);
	dvt_json_put(&out, v);
	assert_string_equal(
	    dvt_buf_str(&out), "{\"z\":1,\"a\":[true,\"x\\ny\"]}");
	dvt_buf_fini(&out);
	json_decref(v);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(only_strict_json_is_read),
	    cmocka_unit_test(the_place_of_an_error_is_told),
	    cmocka_unit_test(fields_are_read_by_type_and_named_when_wrong),
	    cmocka_unit_test(an_unknown_field_is_refused_by_name),
	    cmocka_unit_test(output_is_one_line_in_the_order_set),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
