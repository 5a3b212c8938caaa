/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/feed_report.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void
a_report_comes_back_as_it_was(void **state)
{
	char *names[] = {"edge.example"};
	uint8_t der[] = {0x30, 0x03, 0x02, 0x01, 0x00};
	struct dvt_report_credential cred = {
	    .id = "file", .chain_pem = "PEM\n", .names = {names, 1}
        };
	struct dvt_report_csr csr = {
	    .order = "o-3", .der = der, .der_n = sizeof(der)};
	struct dvt_handshake hs;
	struct dvt_report r = {.batch = 41,
	    .applied = 812,
	    .epoch = 3,
	    .now = 1764547203,
	    .version = "0.1.0",
	    .sessions = 18,
	    .credentials = &cred,
	    .credentials_n = 1,
	    .csrs = &csr,
	    .csrs_n = 1,
	    .handshakes = &hs,
	    .handshakes_n = 1};
	struct dvt_report back;
	struct dvt_buf b;

	(void)state;
	dvt_handshake_init(&hs);
	hs.at = 7;
	dvt_buf_init(&b, DVT_REPORT_MAX);
	dvt_report_format(&r,
	    DVT_SPAN_LIT(
		"{\"at\":8,\"outcome\":\"network\",\"reason\":\"reset\"}\n\n"
		"{\"at\":9,\"outcome\":\"ok\",\"reason\":\"ok\"}\n"),
	    &b);
	assert_int_equal(
	    dvt_report_parse(dvt_buf_span(&b), &back, NULL), DVT_OK);
	assert_int_equal(back.batch, 41);
	assert_int_equal(back.applied, 812);
	assert_int_equal(back.epoch, 3);
	assert_int_equal(back.sessions, 18);
	assert_string_equal(back.version, "0.1.0");
	assert_string_equal(back.credentials[0].chain_pem, "PEM\n");
	assert_string_equal(back.credentials[0].names.v[0], "edge.example");
	assert_string_equal(back.credentials[0].root, "");
	assert_int_equal(back.csrs[0].der_n, sizeof(der));
	assert_memory_equal(back.csrs[0].der, der, sizeof(der));
	assert_int_equal(back.handshakes_n, 3);
	assert_int_equal(back.handshakes[0].at, 7);
	assert_int_equal(back.handshakes[1].reason, DVT_HR_RESET);
	assert_int_equal(back.handshakes[2].at, 9);
	dvt_report_fini(&back);
	dvt_report_fini(&back);
	dvt_buf_fini(&b);
}

static void
an_empty_report_is_a_heartbeat(void **state)
{
	struct dvt_report r = {.batch = 1, .now = 5}, back;
	struct dvt_buf b;

	(void)state;
	dvt_buf_init(&b, DVT_REPORT_MAX);
	dvt_report_format(&r, (struct dvt_span){NULL, 0}, &b);
	assert_string_equal(dvt_buf_str(&b),
	    "{\"batch\":1,\"applied\":0,\"epoch\":0,\"now\":5,"
	    "\"version\":\"\",\"sessions\":0,\"handshakes\":[]}\n");
	assert_int_equal(
	    dvt_report_parse(dvt_buf_span(&b), &back, NULL), DVT_OK);
	assert_int_equal(back.handshakes_n, 0);
	dvt_report_fini(&back);
	dvt_buf_fini(&b);
}

static void
hostile_reports_are_refused(void **state)
{
	static const char *const bad[] = {
	    "",
	    "[]",
	    "{}",
	    "{\"batch\":0,\"applied\":0,\"now\":0}",
	    "{\"batch\":1,\"applied\":-1,\"now\":0}",
	    "{\"batch\":1,\"applied\":0}",
	    "{\"batch\":1,\"applied\":0,\"now\":0,\"handshakes\":{}}",
	    "{\"batch\":1,\"applied\":0,\"now\":0,\"handshakes\":[7]}",
	    "{\"batch\":1,\"applied\":0,\"now\":0,\"handshakes\":[{\"at\":1}]}",
	    "{\"batch\":1,\"applied\":0,\"now\":0,\"csrs\":[{\"csr\":\"%\"}]}",
	    "{\"batch\":1,\"applied\":0,\"now\":0,\"csrs\":[7]}",
	    "{\"batch\":1,\"applied\":0,\"now\":0,\"credentials\":[{}]}",
	    ("{\"batch\":1,\"applied\":0,\"now\":0,\"credentials\":"
	     "[{\"chain_pem\":\"x\",\"names\":[7]}]}"),
	    "{\"batch\":1,\"applied\":0,\"now\":0,\"version\":7}",
	    "{\"batch\":1,\"applied\":0,\"now\":0,\"doubts\":[7]}",
	    "{\"batch\":1,\"applied\":0,\"now\":0,\"doubts\":[\"\"]}",
	    "{\"batch\":1,\"applied\":0,\"now\":0,\"doubts\":[\"a\\u0000b\"]}",
	};
	struct dvt_report r;
	struct dvt_err err;

	(void)state;
	for (size_t i = 0; i < DVT_COUNT(bad); i++)
		if (dvt_report_parse(dvt_span_str(bad[i]), &r, &err) !=
		    DVT_E_INPUT)
			fail_msg("taken: %s", bad[i]);
	assert_int_equal(
	    dvt_report_parse(
		DVT_SPAN_LIT("{\"batch\":1,\"applied\":0,\"now\":0,"
			     "\"handshakes\":[{\"at\":1,\"outcome\":\"ok\","
			     "\"reason\":\"ok\"},{\"at\":1}]}"),
		&r, &err),
	    DVT_E_INPUT);
	assert_non_null(strstr(err.text, "handshakes[1]"));
}

static void
the_answer_goes_both_ways(void **state)
{
	struct dvt_report_answer a = {41, 815}, back;
	struct dvt_buf b;

	(void)state;
	dvt_buf_init(&b, 100);
	dvt_report_answer_format(&a, &b);
	assert_int_equal(
	    dvt_report_answer_parse(dvt_buf_span(&b), &back, NULL), DVT_OK);
	assert_int_equal(back.batch, 41);
	assert_int_equal(back.position, 815);
	dvt_buf_fini(&b);
	assert_int_equal(
	    dvt_report_answer_parse(DVT_SPAN_LIT("{\"batch\":1}"), &back, NULL),
	    DVT_E_INPUT);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_report_comes_back_as_it_was),
	    cmocka_unit_test(an_empty_report_is_a_heartbeat),
	    cmocka_unit_test(hostile_reports_are_refused),
	    cmocka_unit_test(the_answer_goes_both_ways),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
