/* SPDX-License-Identifier: Apache-2.0 */
#include "device/tickets.h"

#include "device/testworld.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define HOUR_S 3600
#define LEAF   "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static void
a_file_that_is_none_of_ours_holds_no_ticket(void **state)
{
	static const struct {
		const char *why, *text;
		enum dvt_code code;
	} cases[] = {
	    {"empty",                "",						   DVT_E_INPUT},
	    {"no JSON",              "{",						  DVT_E_INPUT},
	    {"no certificate",       "{\"at\":1,\"edge\":\"AAAA\"}",                       DVT_E_INPUT},
	    {"no time",              "{\"certificate\":\"" LEAF "\"}",                     DVT_E_INPUT},
	    {"a time before time",   "{\"certificate\":\"" LEAF "\",\"at\":-1}",
             DVT_E_INPUT									      },
	    {"certificate too long", "{\"certificate\":\"" LEAF "0\",\"at\":1}",
             DVT_E_LIMIT									      },
	    {"no base64",
             "{\"certificate\":\"" LEAF
		"\",\"at\":1,\"edge\":\"AAAA\",\"control\":\"*\"}",			DVT_E_INPUT},
	    {"a number",             "{\"certificate\":\"" LEAF "\",\"at\":1,\"edge\":7}",
             DVT_E_INPUT									      },
	};
	struct dvt_tickets t;

	(void)state;
	for (size_t i = 0; i < DVT_COUNT(cases); i++) {
		dvt_tickets_init(&t);
		enum dvt_code rc = dvt_tickets_parse(
		    &t, dvt_span_str(cases[i].text), NULL);

		if (rc != cases[i].code)
			fail_msg("%s: %s", cases[i].why, dvt_code_name(rc));
		assert_string_equal(t.of[DVT_TICKET_EDGE].leaf, "");
		assert_int_equal(t.of[DVT_TICKET_EDGE].der.n, 0);
		dvt_tickets_fini(&t);
	}
}

static void
a_ticket_too_large_is_refused(void **state)
{
	char *big = dvt_alloc(3 * DVT_TICKET_BYTES);
	char *text = dvt_alloc(4 * DVT_TICKET_BYTES);
	struct dvt_tickets t;

	(void)state;
	memset(big, 'A', 3 * DVT_TICKET_BYTES - 1);
	(void)snprintf(text, 4 * DVT_TICKET_BYTES,
	    "{\"certificate\":\"" LEAF "\",\"at\":1,\"edge\":\"%s\"}", big);
	dvt_tickets_init(&t);
	assert_int_equal(
	    dvt_tickets_parse(&t, dvt_span_str(text), NULL), DVT_E_LIMIT);
	dvt_tickets_fini(&t);
	free(big);
	free(text);
}

static bool
has_file(const struct testworld *w)
{
	struct dvt_buf b;
	enum dvt_code rc;

	dvt_buf_init(&b, DVT_TICKETS_BYTES);
	rc = dvt_memfs.read(w->disk, DVT_TICKETS_FILE, &b, NULL);
	dvt_buf_fini(&b);
	return rc == DVT_OK;
}

static size_t
offered(const struct testworld *w, enum dvt_ticket_of of)
{
	return dvt_agent_ticket(w->agent, of, dvt_agent_credential(w->agent)).n;
}

static void
a_ticket_is_kept_over_a_start_and_dropped_at_the_switch(void **state)
{
	struct testworld *w = *state;

	testworld_on(w);
	(void)testworld_run(w, 10, NULL);
	assert_int_equal(offered(w, DVT_TICKET_EDGE), 0);
	dvt_agent_ticket_put(w->agent, DVT_TICKET_EDGE,
	    dvt_agent_credential(w->agent), dvt_span_str("name"));
	assert_false(has_file(w)); /* by a step */
	(void)testworld_run(w, 200, NULL);
	assert_true(has_file(w));
	testworld_off(w);
	testworld_on(w);
	assert_int_equal(offered(w, DVT_TICKET_EDGE), 4);
	assert_int_equal(offered(w, DVT_TICKET_CONTROL), 0);
	assert_int_equal(
	    dvt_agent_ticket(w->agent, DVT_TICKET_EDGE, NULL).n, 0);
	testworld_ask_renew(w, "r2-renew");
	assert_true(testworld_run(w, HOUR_S, testworld_is_renewed));
	assert_int_equal(offered(w, DVT_TICKET_EDGE), 0);
	(void)testworld_run(w, 200, NULL);
	assert_false(has_file(w));
}

static void
tickets_cost_a_write_in_hours_and_none_in_an_update(void **state)
{
	struct testworld *w = *state;
	uint64_t calls;

	testworld_on(w);
	(void)testworld_run(w, 10, NULL);
	for (int i = 0; i < 60; i++) { /* a new one at each visit */
		dvt_agent_ticket_put(w->agent, DVT_TICKET_CONTROL,
		    dvt_agent_credential(w->agent), dvt_span_str("again"));
		if (i == 1)
			calls = dvt_memfs_calls(w->disk);
		(void)testworld_run(w, 20, NULL);
	}
	assert_int_equal(dvt_memfs_calls(w->disk), calls);
	testworld_off(w); /* nor does a program that is run again and again */
	for (int i = 0; i < 5; i++) {
		testworld_on(w);
		(void)testworld_run(w, 30, NULL);
		calls = dvt_memfs_calls(w->disk);
		dvt_agent_ticket_put(w->agent, DVT_TICKET_CONTROL,
		    dvt_agent_credential(w->agent), dvt_span_str("again"));
		(void)testworld_run(w, 10, NULL);
		assert_int_equal(dvt_memfs_calls(w->disk), calls);
		testworld_off(w);
	}
}

static void
a_disk_that_refuses_costs_the_ticket_and_no_more(void **state)
{
	struct testworld *w = *state;

	testworld_on(w);
	(void)testworld_run(w, 10, NULL);
	dvt_memfs_fail(w->disk, 0, UINT64_MAX, 28);
	dvt_agent_ticket_put(w->agent, DVT_TICKET_EDGE,
	    dvt_agent_credential(w->agent), dvt_span_str("name"));
	w->disk_failures = 0;
	(void)testworld_run(w, 30, NULL);
	assert_int_equal(w->disk_failures, 0);
	assert_false(has_file(w));
	assert_int_equal(offered(w, DVT_TICKET_EDGE), 4);
}

int
main(void)
{
#define T(f)                                                                   \
	cmocka_unit_test_setup_teardown(f, testworld_setup, testworld_teardown)
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_file_that_is_none_of_ours_holds_no_ticket),
	    cmocka_unit_test(a_ticket_too_large_is_refused),
	    T(a_ticket_is_kept_over_a_start_and_dropped_at_the_switch),
	    T(tickets_cost_a_write_in_hours_and_none_in_an_update),
	    T(a_disk_that_refuses_costs_the_ticket_and_no_more),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);

	testpki_free();
	return failed;
}
