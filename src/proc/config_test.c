/* SPDX-License-Identifier: Apache-2.0 */
#include "proc/config.h"

#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

static const struct dvt_setting table[] = {
    {.key = "gateway.listen",
     .type = DVT_SET_TEXT,
     .help = "Where devices connect.",
     .dflt = "127.0.0.1:8883"									    },
    {.key = "gateway.workers",
     .type = DVT_SET_INT,
     .min = 1,
     .max = 64,
     .dflt = "2",
     .help = "Worker processes."},
    {.key = "gateway.tls.debugLevel",
     .type = DVT_SET_CHOICE,
     .unit = "OFF|ERROR|INFO|VERBOSE",
     .dflt = "ERROR",
     .help = "How much is logged.",
     .alias = "GatewayConfig.tls.debugLevel"},
    {.key = "gateway.tls.logHandshakes",
     .type = DVT_SET_BOOL,
     .dflt = "yes",
     .help = "Log each handshake."							   },
    {.key = "gateway.max-stale",
     .type = DVT_SET_SECONDS,
     .unit = "s",
     .min = 60,
     .max = 31557600,
     .dflt = "24h",
     .help = "Oldest cache that is trusted."},
    {.key = "gateway.deadline",
     .type = DVT_SET_MS,
     .dflt = "10s",
     .help = "Handshake deadline."										     },
    {.key = "gateway.spool",
     .type = DVT_SET_BYTES,
     .dflt = "64M",
     .help = "Spool on disk."										  },
    {.key = "gateway.state",
     .type = DVT_SET_PATH,
     .dflt = "state",
     .help = "State folder."									       },
    {.key = "gateway.names",
     .type = DVT_SET_LIST,
     .dflt = "",
     .help = "Host names."										},
    {.key = "gateway.crl",                 .type = DVT_SET_PATHS,                 .dflt = "",                      .help = "Lists."										},
    {.key = "gateway.record",
     .type = DVT_SET_OUTPUT,
     .dflt = "",
     .help = "File or -."},
    {.key = "gateway.secret",
     .type = DVT_SET_PLACE,
     .dflt = "",
     .help = "Secret or file:PATH."									      },
    {.key = "gateway.upstream",
     .type = DVT_SET_PLACES,
     .dflt = "",
     .help = "HOST:PORT or unix:PATH."									       },
    {.key = "credential *.certificate",          .type = DVT_SET_PATH,          .help = "Chain."           },
    {.key = "credential *.names",
     .type = DVT_SET_LIST,
     .dflt = "any",
     .help = "Host names."									      },
    {.key = "security.policy.ca.trust.list",
     .type = DVT_SET_TEXT,
     .dflt = "",
     .help = "Fingerprints, a JSON array."},
};

static struct dvt_config *
parse(const char *text)
{
	struct dvt_config *c;
	struct dvt_err err;

	if (dvt_config_parse(table, DVT_COUNT(table), dvt_span_str(text),
		"/etc/x/gw.ini", &c, &err) != DVT_OK)
		fail_msg("%s", err.text);
	return c;
}

static void
defaults_hold_for_what_is_not_given(void **state)
{
	struct dvt_config *c = parse("");

	(void)state;
	assert_string_equal(
	    dvt_config_text(c, "gateway.listen"), "127.0.0.1:8883");
	assert_int_equal(dvt_config_int(c, "gateway.workers"), 2);
	assert_int_equal(dvt_config_int(c, "gateway.max-stale"), 86400);
	assert_int_equal(dvt_config_int(c, "gateway.deadline"), 10000);
	assert_int_equal(dvt_config_int(c, "gateway.spool"), 64 << 20);
	assert_true(dvt_config_bool(c, "gateway.tls.logHandshakes"));
	assert_string_equal(
	    dvt_config_text(c, "gateway.state"), "/etc/x/state");
	assert_null(dvt_config_item(c, "gateway.names", 0));
	assert_null(dvt_config_text(c, "security.policy.ca.trust.list"));
	assert_false(dvt_config_given(c, "gateway.workers"));
	dvt_config_free(c);
}

static void
keys_are_read_flat_and_in_sections(void **state)
{
	struct dvt_config *c = parse("# a comment\n"
				     "gateway.workers = 4 ; two each\n"
				     "GatewayConfig.tls.debugLevel = VERBOSE\n"
				     "[gateway]\n"
				     "tls.logHandshakes = off\n"
				     "max-stale=7d\n"
				     "deadline = 500ms\n"
				     "names = a.example, b.example\n"
				     "  c.example\n"
				     "state = /var/lib/x\r\n"
				     "[security.policy]\n"
				     "ca.trust.list = [\"ab\",\n"
				     "  \"cd\"]\n");

	(void)state;
	assert_int_equal(dvt_config_int(c, "gateway.workers"), 4);
	assert_string_equal(
	    dvt_config_text(c, "gateway.tls.debugLevel"), "VERBOSE");
	assert_false(dvt_config_bool(c, "gateway.tls.logHandshakes"));
	assert_int_equal(dvt_config_int(c, "gateway.max-stale"), 604800);
	assert_int_equal(dvt_config_int(c, "gateway.deadline"), 500);
	assert_string_equal(
	    dvt_config_item(c, "gateway.names", 1), "b.example");
	assert_string_equal(
	    dvt_config_item(c, "gateway.names", 2), "c.example");
	assert_null(dvt_config_item(c, "gateway.names", 3));
	assert_string_equal(dvt_config_text(c, "gateway.state"), "/var/lib/x");
	assert_string_equal(dvt_config_text(c, "security.policy.ca.trust.list"),
	    "[\"ab\",\n\"cd\"]");
	assert_true(dvt_config_given(c, "gateway.workers"));
	dvt_config_free(c);
}

static void
named_sections_bring_their_own_settings(void **state)
{
	struct dvt_config *c = parse("[credential old]\n"
				     "certificate = old.pem\n"
				     "[credential edge.2-b]\n"
				     "names = a b\n"
				     "certificate = /p/new.pem\n"
				     "[gateway]\n"
				     "crl = a.crl, /b.crl\n");

	(void)state;
	assert_string_equal(dvt_config_group(c, "credential", 0), "old");
	assert_string_equal(dvt_config_group(c, "credential", 1), "edge.2-b");
	assert_null(dvt_config_group(c, "credential", 2));
	assert_null(dvt_config_group(c, "gateway", 0));
	assert_string_equal(
	    dvt_config_group_text(c, "credential", "old", "certificate"),
	    "/etc/x/old.pem");
	assert_string_equal(
	    dvt_config_item(c, "credential old.names", 0), "any");
	assert_string_equal(
	    dvt_config_item(c, "credential edge.2-b.names", 1), "b");
	assert_string_equal(
	    dvt_config_item(c, "gateway.crl", 0), "/etc/x/a.crl");
	assert_string_equal(dvt_config_item(c, "gateway.crl", 1), "/b.crl");
	dvt_config_free(c);
}

static void
relative_paths_begin_in_the_folder_of_the_file(void **state)
{
	static const struct {
		const char *key, *text, *is;
	} rows[] = {
	    {"gateway.state",  "s",           "/etc/x/s"          },
	    {"gateway.state",  "/s",          "/s"                },
	    {"gateway.record", "r/s.jsonl",   "/etc/x/r/s.jsonl"  },
	    {"gateway.record", "/r",          "/r"                },
	    {"gateway.record", "-",           "-"                 },
	    {"gateway.record", "-r",          "/etc/x/-r"         },
	    {"gateway.secret", "file:s",      "file:/etc/x/s"     },
	    {"gateway.secret", "file:/s",     "file:/s"           },
	    {"gateway.secret", "s",           "s"                 },
	    {"gateway.secret", "file:",       "file:"             },
	    {"gateway.secret", "unix:s.sock", "unix:/etc/x/s.sock"},
	};
	static const char *const upstream[] = {"tcp:h:1", "unix:/etc/x/b.sock",
	    "mqtt:unix:/etc/x/c", "unix:/d", "mqtt:e:2", NULL};
	struct dvt_config *c;

	(void)state;
	for (size_t i = 0; i < DVT_COUNT(rows); i++) {
		char *line = dvt_asprintf(
		    "%s = %s\n", rows[i].key, rows[i].text);

		c = parse(line);
		if (strcmp(dvt_config_text(c, rows[i].key), rows[i].is) != 0)
			fail_msg(
			    "%s is %s", line, dvt_config_text(c, rows[i].key));
		free(line);
		dvt_config_free(c);
	}
	c = parse("[gateway]\nupstream = tcp:h:1 unix:b.sock mqtt:unix:c,\n"
		  "  unix:/d mqtt:e:2\n");
	for (size_t i = 0; upstream[i] != NULL; i++)
		assert_string_equal(
		    dvt_config_item(c, "gateway.upstream", i), upstream[i]);
	assert_null(dvt_config_item(c, "gateway.upstream", 5));
	dvt_config_free(c);
}

static void
each_mistake_is_named_with_its_line(void **state)
{
	static const struct {
		const char *text, *says;
	} bad[] = {
	    {"\n\ngateway.workrs = 2\n",
             "gw.ini:3: gateway.workrs: unknown setting; did you mean "
		"gateway.workers?"								},
	    {"workers = 2\n",				     "did you mean gateway.workers?" },
	    {"zzz = 1\n",					 "gw.ini:1: zzz: unknown setting"},
	    {"gateway.workers = 0\n",                             "\"0\" is not within 1 to 64"   },
	    {"gateway.workers = two\n",                           "\"two\" is no number"          },
	    {"gateway.workers = 2 3\n",                           "unknown unit"                  },
	    {"gateway.workers = 99999999999999999999\n",          "is no number"                  },
	    {"gateway.max-stale = 5\n",                           "is not within 60 to 31557600 s"},
	    {"gateway.max-stale = 5q\n",                          "unknown unit \"q\""            },
	    {"gateway.spool = 9999999999G\n",                     "is too much"                   },
	    {"[gateway]\ntls.debugLevel = LOUD\n",
             "gw.ini:2: gateway.tls.debugLevel: \"LOUD\" is none of OFF"                          },
	    {"gateway.tls.debugLevel = ERR\n",                    "is none of"                    },
	    {"gateway.tls.logHandshakes = maybe\n",               "neither yes nor no"            },
	    {"gateway.workers = 2\ngateway.workers = 3\n",
             "gw.ini:2: gateway.workers: given already in line 1"                                 },
	    {"gateway.tls.debugLevel = OFF\n"
	     "GatewayConfig.tls.debugLevel = OFF\n", "given already in line 1"       },
	    {"gateway.workers = 2\n  gateway.spool = 1M\n",
             "gw.ini:2: gateway.workers: an indented line"                                        },
	    {"gateway.listen =;x\n",                              "would read as a comment"       },
	    {"gateway.listen = a\x01z\n",                         "control character 1"           },
	    {"[credential a]\nnames = x\n",
             "credential a.certificate: must be given"                                            },
	    {"[credential a b]\nnames = x\n",                     "make the name of a section"    },
	    {"[credential a/b]\nnames = x\n",                     "make the name of a section"    },
	    {"[credential ]\nnames = x\n",                        "unknown setting"               },
	    {"[credential a]\nkeys = x\n",                        "unknown setting"               },
	    {"credential *.names = x\n",                          "make the name of a section"    },
	    {"[credential 12345678901234567890123456789012345678901234567]\n"
	     "names = x\n",			  "at most 32"                    },
	    {"[credential a]\ncertificate = x\n[credential a]\n"
	     "certificate = y\n",		    "given already in line 2"       },
	    {"[gateway\nworkers = 2\n",                           "gw.ini:1: neither"             },
	    {"gateway.workers\n",                                 "gw.ini:1: neither"             },
	};
	struct dvt_config *c;
	struct dvt_err err;

	(void)state;
	for (size_t i = 0; i < DVT_COUNT(bad); i++) {
		assert_int_equal(
		    dvt_config_parse(table, DVT_COUNT(table),
			dvt_span_str(bad[i].text), "gw.ini", &c, &err),
		    DVT_E_INPUT);
		assert_null(c);
		if (strstr(err.text, bad[i].says) == NULL)
			fail_msg("\"%s\" does not say \"%s\"", err.text,
			    bad[i].says);
	}
	assert_int_equal(dvt_config_parse(table, DVT_COUNT(table),
			     DVT_SPAN_LIT("a = \0b\n"), "gw.ini", &c, &err),
	    DVT_E_INPUT);
}

static void
all_mistakes_are_told_at_once_of_very_many_the_first(void **state)
{
	static const char some[] = "gateway.workers = 0\n  indented\n"
				   "gateway.foo = 2\n"
				   "gateway.spool = x\n"
				   "gateway\n";
	struct dvt_config *c;
	struct dvt_buf many;
	struct dvt_err err;

	(void)state;
	assert_int_equal(dvt_config_parse(table, DVT_COUNT(table),
			     DVT_SPAN_LIT(some), "gw.ini", &c, &err),
	    DVT_E_INPUT);
	assert_string_equal(err.text,
	    "gw.ini:1: gateway.workers: \"0\" is not within 1 to 64; "
	    "gw.ini:3: gateway.foo: unknown setting; "
	    "gw.ini:4: gateway.spool: \"x\" is no size; "
	    "gw.ini:5: neither \"[section]\" nor \"key = value\"");
	dvt_buf_init(&many, 65536);
	for (int i = 0; i < 1000; i++)
		dvt_buf_printf(&many, "gateway.zz%d = 1\n", i);
	assert_int_equal(dvt_config_parse(table, DVT_COUNT(table),
			     dvt_buf_span(&many), "gw.ini", &c, &err),
	    DVT_E_INPUT);
	assert_non_null(strstr(err.text, "gw.ini:1: gateway.zz0: unknown"));
	assert_non_null(strstr(err.text, "; and 9"));
	assert_non_null(strstr(err.text, " more"));
	dvt_buf_fini(&many);
}

static void
long_lines_are_read_whole_or_refused(void **state)
{
	static const size_t sizes[] = {150, 20000, 33000};
	struct dvt_config *c;
	struct dvt_buf b;

	(void)state;
	for (size_t i = 0; i < DVT_COUNT(sizes); i++) {
		enum dvt_code rc;

		dvt_buf_init(&b, 65536);
		dvt_buf_puts(&b, "gateway.listen = ");
		for (size_t k = 0; k < sizes[i]; k++)
			dvt_buf_putc(&b, 'x');
		rc = dvt_config_parse(
		    table, DVT_COUNT(table), dvt_buf_span(&b), "x", &c, NULL);
		assert_int_equal(rc, sizes[i] > 32768 ? DVT_E_LIMIT : DVT_OK);
		if (rc == DVT_OK)
			assert_int_equal(
			    strlen(dvt_config_text(c, "gateway.listen")),
			    sizes[i]);
		dvt_config_free(c);
		dvt_buf_fini(&b);
	}
}

static void
a_dump_reads_back_as_the_same(void **state)
{
	struct dvt_config *c = parse("gateway.names = a\n  b\n"
				     "gateway.max-stale = 2w\n"),
			  *again;
	struct dvt_buf one, two;

	(void)state;
	dvt_buf_init(&one, 65536);
	dvt_buf_init(&two, 65536);
	assert_int_equal(dvt_config_set(c, "gateway.workers=9", NULL), DVT_OK);
	assert_int_equal(
	    dvt_config_set(c, "gateway.workers=99", NULL), DVT_E_INPUT);
	assert_int_equal(
	    dvt_config_set(c, "gateway.worker=9", NULL), DVT_E_INPUT);
	assert_int_equal(dvt_config_set(c, "gateway", NULL), DVT_E_INPUT);
	dvt_config_dump(c, &one);
	assert_non_null(strstr(dvt_buf_str(&one), "gateway.workers = 9\n"));
	again = parse(dvt_buf_str(&one));
	dvt_config_dump(again, &two);
	assert_string_equal(dvt_buf_str(&one), dvt_buf_str(&two));
	assert_string_equal(dvt_config_item(again, "gateway.names", 1), "b");
	dvt_config_free(c);
	dvt_config_free(again);
	dvt_buf_fini(&one);
	dvt_buf_fini(&two);
}

static void
the_table_is_documentation_too(void **state)
{
	static const struct dvt_setting must = {.key = "a.b",
	    .type = DVT_SET_TEXT,
	    .min = 1,
	    .max = 9,
	    .help = "It."};
	struct dvt_config *c;
	struct dvt_err err;
	struct dvt_buf b;

	(void)state;
	dvt_buf_init(&b, 65536);
	dvt_settings_sample(table, DVT_COUNT(table), &b);
	c = parse(dvt_buf_str(&b)); /* all commented out */
	assert_false(dvt_config_given(c, "gateway.workers"));
	dvt_config_free(c);
	assert_non_null(strstr(dvt_buf_str(&b),
	    "# Oldest cache that is trusted. (duration, 60 to 31557600 s)\n"
	    "#gateway.max-stale = 24h\n"));
	dvt_buf_reset(&b);
	dvt_settings_man("prog", table, DVT_COUNT(table), &b);
	assert_memory_equal(dvt_buf_str(&b), ".Dd ", 4);
	assert_non_null(strstr(dvt_buf_str(&b), "\n.Dt prog 5\n"));
	assert_non_null(strstr(
	    dvt_buf_str(&b), ".It Cm gateway.workers\nWorker processes.\n"));
	assert_non_null(strstr(dvt_buf_str(&b), "\n.El\n.Sh SEE ALSO\n"));
	dvt_buf_fini(&b);
	assert_int_equal(
	    dvt_config_load(&must, 1, NULL, &c, &err), DVT_E_INPUT);
	assert_string_equal(err.text, "defaults: a.b: must be given (It.)");
	assert_int_equal(dvt_config_load(&must, 1, "/nonexistent/x", &c, &err),
	    DVT_E_ABSENT);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(defaults_hold_for_what_is_not_given),
	    cmocka_unit_test(keys_are_read_flat_and_in_sections),
	    cmocka_unit_test(named_sections_bring_their_own_settings),
	    cmocka_unit_test(relative_paths_begin_in_the_folder_of_the_file),
	    cmocka_unit_test(each_mistake_is_named_with_its_line),
	    cmocka_unit_test(
		all_mistakes_are_told_at_once_of_very_many_the_first),
	    cmocka_unit_test(long_lines_are_read_whole_or_refused),
	    cmocka_unit_test(a_dump_reads_back_as_the_same),
	    cmocka_unit_test(the_table_is_documentation_too),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
