/* SPDX-License-Identifier: Apache-2.0 */
#include "dovetaild/policy.h"

#include "dovetaild/settings.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define B "0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b"
#define B_COLONS                                                               \
	"0B:0B:0B:0B:0B:0B:0B:0B:0B:0B:0B:0B:0B:0B:0B:0B:0B:0B:0B:0B:0B:0B:0B" \
	":0B:0B:0B:0B:0B:0B:0B:0B:0B"

static void
a_list_is_read_sorted_and_compared_by_what_it_means(void **state)
{
	static const struct {
		const char *text;
		enum dvt_code code;
		const char *out;
	} rows[] = {
	    {"",				DVT_OK,      ""           },
	    {"[]",			      DVT_OK,      ""           },
	    {"[\"" A "\"]",                     DVT_OK,      A "\n"       },
	    {"[\"" A "\", \"" B_COLONS "\"]",   DVT_OK,      B "\n" A "\n"},
	    {"[\"" B "\",\n \"" B_COLONS "\"]", DVT_OK,      B "\n"       },
	    {"{}",			      DVT_E_INPUT, NULL         },
	    {"[1]",			     DVT_E_INPUT, NULL         },
	    {"[\"\"]",			  DVT_E_INPUT, NULL         },
	    {"[\"" A "a\"]",                    DVT_E_INPUT, NULL         },
	    {"[\":" A "\"]",                    DVT_E_INPUT, NULL         },
	    {"[\"" A ":\"]",                    DVT_E_INPUT, NULL         },
	    {"[\"g" B "\"]",                    DVT_E_INPUT, NULL         },
	    {"[\"a:a" A "\"]",                  DVT_E_INPUT, NULL         },
	    {"[\"" A "\"",                      DVT_E_INPUT, NULL         },
	    {"[\"" A "\"] more",                DVT_E_INPUT, NULL         },
	    {A,				 DVT_E_INPUT, NULL         },
	};
	struct dvt_err err;

	(void)state;
	for (size_t i = 0; i < DVT_COUNT(rows); i++) {
		struct dvt_buf out;

		dvt_buf_init(&out, DVT_TRUST_LIST_BYTES);
		if (policy_trust_list(rows[i].text, &out, &err) != rows[i].code)
			fail_msg("row %zu: %s", i, rows[i].text);
		if (rows[i].code == DVT_OK)
			assert_string_equal(dvt_buf_str(&out), rows[i].out);
		else
			assert_non_null(strstr(err.text, POLICY_TRUST_LIST));
		dvt_buf_fini(&out);
	}
}

static void
no_more_fingerprints_than_the_limit(void **state)
{
	struct dvt_buf text, out;
	struct dvt_err err;

	(void)state;
	for (int more = 0; more < 2; more++) {
		dvt_buf_init(&text, DVT_TRUST_LIST_BYTES);
		dvt_buf_init(&out, DVT_TRUST_LIST_BYTES);
		for (int i = 0; i < DVT_TRUST_LIST_MAX + more; i++)
			dvt_buf_printf(
			    &text, "%c\"%064x\"", i == 0 ? '[' : ',', i);
		dvt_buf_puts(&text, "]");
		assert_int_equal(
		    policy_trust_list(dvt_buf_str(&text), &out, &err),
		    more ? DVT_E_LIMIT : DVT_OK);
		dvt_buf_fini(&text);
		dvt_buf_fini(&out);
	}
}

static void
an_empty_list_has_all_another_what_it_names(void **state)
{
	(void)state;
	assert_true(policy_trust_has("", A));
	assert_true(policy_trust_has(B "\n" A "\n", A));
	assert_false(policy_trust_has(B "\n", A));
}

static void
settings_that_cannot_be_are_refused_by_name(void **state)
{
	static const struct {
		const char *line;
		enum dvt_code code;
		const char *word;
	} rows[] = {
	    {"",				 DVT_OK,      NULL            },
	    {POLICY_REVOCATION " = no",          DVT_E_INPUT, "switched off"  },
	    {POLICY_REVOCATION " = yes",         DVT_OK,      NULL            },
	    {POLICY_STRICT " = no",              DVT_OK,      NULL            },
	    {POLICY_TRUST_LIST " = [\"x\"]",     DVT_E_INPUT, "entry 1, \"x\""},
	    {POLICY_TRUST_LIST " = [\"" A "\"]", DVT_OK,      NULL            },
	};
	struct dvt_config *c;
	struct dvt_err err;

	(void)state;
	for (size_t i = 0; i < DVT_COUNT(rows); i++) {
		assert_int_equal(
		    dvt_config_parse(settings_table, settings_count,
			dvt_span_str(rows[i].line), "x", &c, &err),
		    DVT_OK);
		assert_int_equal(policy_check(c, &err), rows[i].code);
		if (rows[i].word != NULL)
			assert_non_null(strstr(err.text, rows[i].word));
		dvt_config_free(c);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(
		a_list_is_read_sorted_and_compared_by_what_it_means),
	    cmocka_unit_test(no_more_fingerprints_than_the_limit),
	    cmocka_unit_test(an_empty_list_has_all_another_what_it_names),
	    cmocka_unit_test(settings_that_cannot_be_are_refused_by_name),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
