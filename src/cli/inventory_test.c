/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/inventory.h"
#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static enum dvt_code
read_text(const char *text, json_t **all, struct dvt_err *err)
{
	FILE *f = fmemopen((void *)(uintptr_t)text, strlen(text), "r");
	enum dvt_code rc;

	assert_non_null(f);
	rc = inventory_read(f, all, err);
	fclose(f);
	return rc;
}

static void
a_line_says_what_its_cells_say(void **state)
{
	static const char text[] = "\xef\xbb\xbfmodel, device_id,period_s\r\n"
				   "m1,dev-1,60\r\n"
				   "\r\n"
				   ", dev-2 ,\r\n"
				   "m 3,d\xc3\xa9v-3,7";
	static const struct {
		const char *id, *model;
		int64_t line, period_s;
	} rows[] = {
	    {"dev-1",        "m1",  2, 60},
	    {"dev-2",        NULL,  4, 0 },
	    {"d\xc3\xa9v-3", "m 3", 5, 7 },
	};
	struct dvt_err err;
	json_t *all;

	(void)state;
	assert_int_equal(read_text(text, &all, &err), DVT_OK);
	assert_int_equal(json_object_size(all), DVT_COUNT(rows));
	for (size_t i = 0; i < DVT_COUNT(rows); i++) {
		const json_t *one = json_object_get(all, rows[i].id);
		const json_t *fields = json_object_get(one, "fields");
		const json_t *model = json_object_get(fields, "model");

		assert_int_equal(
		    json_integer_value(json_object_get(one, "line")),
		    rows[i].line);
		assert_int_equal(
		    json_integer_value(json_object_get(fields, "period_s")),
		    rows[i].period_s);
		assert_null(json_object_get(fields, "device_id"));
		if (rows[i].model == NULL)
			assert_null(model);
		else
			assert_string_equal(
			    json_string_value(model), rows[i].model);
	}
	json_decref(all);
}

static void
a_slip_is_told_by_its_line(void **state)
{
	static const struct {
		const char *text;
		enum dvt_code rc;
		const char *told;
	} bad[] = {
	    {"\n",					    DVT_E_INPUT,    "line 1: column \"device_id\" is missing"},
	    {"model\n",				       DVT_E_INPUT,    "line 1: column \"device_id\" is missing"},
	    {"device_id,colour\n",                            DVT_E_INPUT,
             "line 1: column \"colour\" is not known; columns are "
		"device_id, hw_serial, model, firmware, batch, type, profile, "
		"environment, management, oob_address, period_s"                                                       },
	    {"device_id,labels\n",                            DVT_E_INPUT,    "\"labels\" is not known"                },
	    {"device_id,certificate_pem\n",                   DVT_E_INPUT,    "is not known"                           },
	    {"device_id,\n",				  DVT_E_INPUT,    "column \"\" is not known"               },
	    {"device_id,model,model\n",                       DVT_E_INPUT,
             "column \"model\" is there twice"									 },
	    {"device_id,,,,,,,,,,,,,,,,,,,,,,,,,,\n",         DVT_E_INPUT,    "not known"                              },
	    {"device_id,model\nd,m\nd\n",                     DVT_E_INPUT,
             "line 3: 1 cells, and the header has 2"								   },
	    {"device_id,model\nd,m,x\n",                      DVT_E_INPUT,
             "line 2: 3 cells, and the header has 2"								   },
	    {"device_id,model\nd,,,,,,,,,,,,,,,,,,,,,,,,,\n", DVT_E_INPUT,
             "26 cells"												},
	    {"device_id,model\n,m\n",                         DVT_E_INPUT,    "line 2: no device_id"                   },
	    {"device_id,model\nd,\"m\"\n",                    DVT_E_INPUT,
             "line 2: model begins with a quote"								       },
	    {"device_id,model\nd,\xff\n",                     DVT_E_INPUT,
             "line 2: model is not UTF-8"									      },
	    {"device_id\n\xff\n",                             DVT_E_INPUT,    "line 2: device_id is not"               },
	    {"device_id,period_s\nd,soon\n",                  DVT_E_INPUT,
             "line 2: period_s: \"soon\" is no number of seconds"                                                      },
	    {"device_id,period_s\nd,0\n",                     DVT_E_INPUT,    "no number of seconds"                   },
	    {"device_id,period_s\nd,-5\n",                    DVT_E_INPUT,    "no number of seconds"                   },
	    {"device_id\nd\n\nd\n",                           DVT_E_CONFLICT,
             "line 4: device d is in a line before already"                                                            },
	};

	(void)state;
	for (size_t i = 0; i < DVT_COUNT(bad); i++) {
		struct dvt_err err = {0};
		json_t *all = NULL;

		assert_int_equal(read_text(bad[i].text, &all, &err), bad[i].rc);
		if (strstr(err.text, bad[i].told) == NULL)
			fail_msg("%zu: %s", i, err.text);
		json_decref(all);
	}
}

static void
a_line_without_end_is_refused(void **state)
{
	char *text = dvt_alloc(2 * DVT_INVENTORY_LINE);
	struct dvt_err err = {0};
	json_t *all = NULL;

	(void)state;
	strcpy(text, "device_id\n");
	memset(text + 10, 'x', DVT_INVENTORY_LINE + 9);
	assert_int_equal(read_text(text, &all, &err), DVT_E_LIMIT);
	assert_non_null(strstr(err.text, "line 2: longer than 8190 bytes"));
	json_decref(all);
	free(text);
}

static void
a_line_of_the_index_is_six_fields(void **state)
{
	char line[] = "R\t261231000000Z\t251231000000Z,theft\t0aF1\tunknown\t"
		      "/CN=dev-1/O=x";
	char *field[INDEX_FIELDS], fault[INDEX_FAULT];

	(void)state;
	assert_true(index_line(line, field, fault));
	assert_string_equal(field[0], "R");
	assert_string_equal(field[3], "0aF1");
	assert_string_equal(field[5], "/CN=dev-1/O=x");
}

static void
what_is_wrong_with_a_line_of_the_index_is_told(void **state)
{
	static const struct {
		const char *line, *told;
	} bad[] = {
	    {"",							      "an empty line"                    },
	    {"no index",						      "1 field between tabs, and a line of index.txt has "
			 "6: \"no index\""					       },
	    {"V\t1\t\t0A\tunknown",					   "5 fields between tabs"            },
	    {"V\t1\t\t0A\tunknown\t/CN=a\tb",                                 "7 fields between tabs"            },
	    {"\t1\t\t0A\tunknown\t/CN=a",                                     "field 1 (status) is not V, R or E"},
	    {"X\t1\t\t0A\tunknown\t/CN=a",                                    "field 1 (status) is not V, R or E: "
					   "\"X?1??0A?unknown?/CN=a\"" },
	    {"VV\t1\t\t0A\tunknown\t/CN=a",                                   "field 1 (status)"                 },
	    {"V\t1\t\t\tunknown\t/CN=a",                                      "field 4 (serial)"                 },
	    {"V\t1\t\t../../x\tunknown\t/CN=a",                               "field 4 (serial)"                 },
	    {"V\t1\t\t0x1\tunknown\t/CN=a",                                   "field 4 (serial)"                 },
	    {"\x1b[2J\xff\x7f",					       "6: \"?[2J??\""                    },
	    {"0123456789012345678901234567890123456789012345678901234567890",
             "\"012345678901234567890123456789012345678901234567890123456789"
		"...\""											  },
	};

	(void)state;
	for (size_t i = 0; i < DVT_COUNT(bad); i++) {
		char *line = dvt_strndup(bad[i].line, strlen(bad[i].line));
		char *field[INDEX_FIELDS], fault[INDEX_FAULT];

		assert_false(index_line(line, field, fault));
		if (strstr(fault, bad[i].told) == NULL)
			fail_msg("%zu: %s", i, fault);
		free(line);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_line_says_what_its_cells_say),
	    cmocka_unit_test(a_slip_is_told_by_its_line),
	    cmocka_unit_test(a_line_without_end_is_refused),
	    cmocka_unit_test(a_line_of_the_index_is_six_fields),
	    cmocka_unit_test(what_is_wrong_with_a_line_of_the_index_is_told),
	};

	return cmocka_run_group_tests_name("cli inventory", tests, NULL, NULL);
}
