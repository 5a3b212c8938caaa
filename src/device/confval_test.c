/* SPDX-License-Identifier: Apache-2.0 */
#include "device/confval.h"

#include "device/testworld.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void
a_name_is_a_plain_file_name(void **state)
{
	static const struct {
		const char *name;
		bool ok;
	} cases[] = {
	    {"wifi.psk",					  true },
	    {"A-1_b",					     true },
	    {"",						  false},
	    {".",						 false},
	    {"..",						false},
	    {".hidden",					   false},
	    {"a/b",					       false},
	    {"../x",					      false},
	    {"a b",					       false},
	    {"a\\b",					      false},
	    {"x.new",					     false},
	    {"x.old",					     false},
	    {"123456789012345678901234567890123456789012345678",  true },
	    {"1234567890123456789012345678901234567890123456789", false},
	};

	(void)state;
	for (size_t i = 0; i < DVT_COUNT(cases); i++)
		if (dvt_confval_name_ok(cases[i].name) != cases[i].ok)
			fail_msg("\"%s\"", cases[i].name);
}

static void
more_values_than_there_may_be_are_left_out(void **state)
{
	struct dvt_confvals all = {0};
	char name[16];

	(void)state;
	for (int i = 0; i < DVT_CONFIG_VALUES; i++) {
		(void)snprintf(name, sizeof(name), "v%d", i);
		assert_non_null(dvt_confvals_add(&all, name));
		assert_ptr_equal(
		    dvt_confvals_add(&all, name), dvt_confvals_get(&all, name));
	}
	assert_null(dvt_confvals_add(&all, "one-more"));
	dvt_confvals_drop(&all, dvt_confvals_get(&all, "v7"));
	assert_null(dvt_confvals_get(&all, "v7"));
	assert_string_equal(all.v[7].name, "v8");
	assert_int_equal(all.n, DVT_CONFIG_VALUES - 1);
	dvt_confvals_fini(&all);
}

/* What it cannot read, it fetches again: nothing is believed in part. */
static void
a_damaged_list_is_no_list(void **state)
{
	static const char *const hostile[] = {"", "[]", "{}", "{\"values\": 1}",
	    "{\"values\": [1]}", "{\"values\": [{\"name\": \"a\"}]}",
	    "{\"values\": [{\"name\": \"../a\", \"version\": 1}]}",
	    "{\"values\": [{\"name\": \"a\", \"version\": 0}]}",
	    "{\"values\": [{\"name\": \"a\", \"version\": 1}, 7]}",
	    "{\"values\": [{\"name\": \"a\", \"version\": 1, "
	    "\"failed_version\": -1}]}",
	    "{\"values\": [{\"name\": \"a\", \"version\": 1, "
	    "\"failed\": 2}]}"};
	struct testworld w;
	struct dvt_agent_env env = {.fs = &dvt_memfs};
	struct dvt_confvals all;
	struct dvt_err err;

	(void)state;
	testworld_init(&w);
	env.fs_ctx = w.disk;
	for (size_t i = 0; i < DVT_COUNT(hostile); i++) {
		(void)!env.fs->unlink(env.fs_ctx, DVT_CONFVAL_FILE, &err);
		assert_int_equal(env.fs->write_new(env.fs_ctx, DVT_CONFVAL_FILE,
				     dvt_span_str(hostile[i]), 0600, &err),
		    DVT_OK);
		dvt_confvals_load(&env, &all);
		assert_int_equal(all.n, 0);
	}
	dvt_confvals_add(&all, "kept")->have = 4;
	dvt_confvals_add(&all, "not-there-yet")->want = 1;
	dvt_confvals_add(&all, "refused")->failed_version = 2;
	(void)snprintf(all.v[2].failed, sizeof(all.v[2].failed), "why");
	assert_int_equal(dvt_confvals_save(&env, &all, &err), DVT_OK);
	dvt_confvals_fini(&all);
	dvt_confvals_load(&env, &all);
	assert_int_equal(all.n, 2);
	assert_int_equal(all.v[0].have, 4);
	assert_int_equal(all.v[0].noted_version, 0);
	assert_int_equal(all.v[1].have, 0);
	assert_int_equal(all.v[1].noted_version, 2);
	assert_int_equal(all.v[1].failed_version, 0); /* tried again */
	assert_string_equal(all.v[1].failed, "why");
	dvt_confvals_fini(&all);
	testworld_fini(&w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_name_is_a_plain_file_name),
	    cmocka_unit_test(more_values_than_there_may_be_are_left_out),
	    cmocka_unit_test(a_damaged_list_is_no_list),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);

	testpki_free();
	return failed;
}
