/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cli.h"

#include "base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static json_t *
object(void)
{
	json_t *o = NULL;

	assert_int_equal(
	    dvt_json_parse(DVT_SPAN_LIT("{\"text\": \"a\\u001b[2Jb\", "
					"\"n\": 7, \"at\": 1669674589, "
					"\"never\": 0, \"yes\": true, "
					"\"no\": false, \"one\": 1, "
					"\"nothing\": null, "
					"\"digest\": \"0123456789abcdef\", "
					"\"list\": [\"a\", \"b\", 3], "
					"\"in\": {\"side\": {\"x\": 5}}}"),
		4096, &o, NULL),
	    DVT_OK);
	return o;
}

static void
cells_are_written_by_their_form(void **state)
{
	static const struct {
		const char *field;
		enum cli_form form;
		const char *text;
	} cells[] = {
	    {"n",         CLI_TEXT,   "7"                        },
	    {"n",         CLI_NUMBER, "7"                        },
	    {"text",      CLI_TEXT,   "a?[2Jb"                   },
	    {"at",        CLI_DATE,   "2022-11-28"               },
	    {"at",        CLI_TIME,   "2022-11-28T22:29:49+00:00"},
	    {"never",     CLI_DATE,   ""                         },
	    {"never",     CLI_TIME,   ""                         },
	    {"never",     CLI_AGO,    "never"                    },
	    {"yes",       CLI_YES,    "yes"                      },
	    {"one",       CLI_YES,    "yes"                      },
	    {"no",        CLI_YES,    ""                         },
	    {"digest",    CLI_SHORT,  "0123456789ab"             },
	    {"list",      CLI_LIST,   "a b 3"                    },
	    {"in.side.x", CLI_TEXT,   "5"                        },
	    {"in.side",   CLI_TEXT,   ""                         },
	    {"in.out.x",  CLI_TEXT,   ""                         },
	    {"nothing",   CLI_TEXT,   ""                         },
	    {"absent",    CLI_NUMBER, ""                         },
	};
	json_t *o = object();
	char cell[64];

	(void)state;
	for (size_t i = 0; i < DVT_COUNT(cells); i++) {
		cli_cell(o, cells[i].field, cells[i].form, cell, sizeof(cell));
		if (strcmp(cell, cells[i].text) != 0)
			fail_msg("%s: '%s' instead of '%s'", cells[i].field,
			    cell, cells[i].text);
	}
	json_decref(o);
}

static void
ages_take_the_unit_that_fits(void **state)
{
	static const struct {
		int64_t s;
		const char *text;
	} ages[] = {
	    {630,    "10 min ago"  },
	    {12600,  "3 h ago"     },
	    {900000, "10 days ago" },
	    {-630,   "10 min ahead"},
	};
	char cell[64];

	(void)state;
	for (size_t i = 0; i < DVT_COUNT(ages); i++) {
		json_t *o = json_pack("{s:I}", "at",
		    (json_int_t)(dvt_time_now().wall_s - ages[i].s));

		cli_cell(o, "at", CLI_AGO, cell, sizeof(cell));
		assert_string_equal(cell, ages[i].text);
		json_decref(o);
	}
}

static void
a_cell_ends_within_its_room(void **state)
{
	json_t *o = object();
	char cell[6];

	(void)state;
	assert_string_equal(
	    cli_cell(o, "digest", CLI_TEXT, cell, sizeof(cell)), "01234");
	assert_string_equal(
	    cli_cell(o, "at", CLI_DATE, cell, sizeof(cell)), "2022-");
	json_decref(o);
}

static void
targets_are_percent_encoded(void **state)
{
	struct dvt_buf at;

	(void)state;
	dvt_buf_init(&at, 256);
	dvt_buf_puts(&at, "/v1/devices/");
	cli_segment(&at, "a/b c?d");
	cli_query(&at, "q", "x&y");
	cli_query(&at, "absent", NULL);
	cli_query(&at, "z", "1");
	assert_string_equal(
	    dvt_buf_str(&at), "/v1/devices/a%2Fb%20c%3Fd?q=x%26y&z=1");
	dvt_buf_fini(&at);
}

static void
an_empty_list_names_what_it_was_filtered_by(void **state)
{
	static const char *const keys[] = {"state", "model"};
	struct cli c = {0};
	char none[CLI_NONE], *args[] = {"dev"};

	(void)state;
	assert_string_equal(
	    cli_none(&c, "No device", keys, 2, "None.", none), "None.");
	c.opt[0].name = "limit";
	c.opt[0].name_len = 5;
	c.opt[0].value = "7";
	c.opt[1].name = "model";
	c.opt[1].name_len = 5;
	c.opt[1].value = "m-1";
	c.opts = 1;
	assert_string_equal(
	    cli_none(&c, "No device", keys, 2, "None.", none), "None.");
	c.opts = 2;
	assert_string_equal(cli_none(&c, "No device", keys, 2, "None.", none),
	    "No device for --model m-1.");
	memcpy(c.arg, args, sizeof(args));
	c.args = 1;
	assert_string_equal(cli_none(&c, "No device", keys, 2, "None.", none),
	    "No device for \"dev\", --model m-1.");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(cells_are_written_by_their_form),
	    cmocka_unit_test(ages_take_the_unit_that_fits),
	    cmocka_unit_test(a_cell_ends_within_its_room),
	    cmocka_unit_test(targets_are_percent_encoded),
	    cmocka_unit_test(an_empty_list_names_what_it_was_filtered_by),
	};

	return cmocka_run_group_tests_name("cli table", tests, NULL, NULL);
}
