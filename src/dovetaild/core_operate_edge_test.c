/* SPDX-License-Identifier: Apache-2.0 */
/* What an operator asks of edges and trust outside a plan, through core. */
#include "dovetaild/core_fleet_fixture.h"
#include "store/authority.h"
#include "wire/json.h"
#include "wire/pem.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static void
a_gateway_is_not_rotated_while_devices_would_go_dark(void **state)
{
	struct fixture *f = *state;
	struct fleet x;
	struct fleet_asked a;

	fleet_set_up(&x, f);
	a = fleet_ask(&x, "gateway.rotate",
	    "{\"authority\":\"new\",\"gateway\":\"gw-1\"}");
	assert_int_equal(a.code, DVT_E_UNSAFE);
	assert_int_equal(json_integer_value(json_object_get(a.extra, "total")),
	    FLEET_DEVICES);
	assert_string_equal(
	    json_string_value(json_object_get(
		json_array_get(json_object_get(a.extra, "devices"), 0),
		"reason")),
	    "unable to get local issuer certificate");
	json_decref(a.extra);
	a = fleet_ask(&x, "gateway.rotate",
	    "{\"authority\":\"old\",\"gateway\":\"front-1\"}");
	assert_int_equal(a.code, DVT_E_CONFLICT);
	assert_non_null(strstr(a.why, "gateway csr front-1 --authority A"));
	json_decref(a.extra);
	/* under the root they hold it goes, and is watched */
	fleet_must(&x, "gateway.rotate",
	    "{\"authority\":\"old\",\"gateway\":\"gw-1\"}");
	fleet_run(&x, 1, "observe", false);
	assert_int_equal(
	    fixture_number(f, "SELECT COUNT(*) FROM gateway_credential WHERE "
			      "gateway = 'gw-1' AND slot = 'current' AND "
			      "rotation_id = 1"),
	    1);
}

static void
an_override_needs_a_second_person_and_is_undone_by_call(void **state)
{
	static const char
	    args[] = "{\"authority\":\"new\",\"gateway\":\"gw-1\","
		     "\"override\":{\"reason\":\"drill\"}}";
	struct fixture *f = *state;
	char root_now[DVT_DIGEST_HEX];
	struct fleet x;
	struct fleet_asked a;

	fleet_set_up(&x, f);
	a = fleet_ask(&x, "gateway.rotate", args);
	assert_int_equal(a.code, DVT_E_APPROVAL);
	json_decref(a.extra);
	a = fleet_ask(&x, "gateway.rotate", args);
	assert_int_equal(a.code, DVT_E_APPROVAL);
	json_decref(a.extra);
	fixture_sql(f, "UPDATE approval SET given_by='ann', "
		       "given_at=unixepoch()");
	fleet_must(&x, "gateway.rotate", args);
	assert_int_equal(fixture_number(f, "SELECT COUNT(*) FROM approval"), 1);
	for (int i = 0; i < 6; i++) {
		fleet_edges_turn(&x);
		fleet_look(&x);
	}
	fleet_default_root(&x, "gw-1", root_now);
	assert_string_equal(root_now, x.new_root);
	assert_int_equal(
	    fixture_number(f, "SELECT forced FROM gateway WHERE name='gw-1'"),
	    1);
	fleet_must(&x, "gateway.rollback", "{\"gateway\":\"gw-1\"}");
	fleet_look(&x);
	fleet_default_root(&x, "gw-1", root_now);
	assert_string_equal(root_now, x.old_root);
	assert_int_equal(
	    fixture_number(f, "SELECT forced FROM gateway WHERE name='gw-1'"),
	    0);
}

static void
an_override_ends_by_itself_when_clients_refuse(void **state)
{
	struct fixture *f = *state;
	char root_now[DVT_DIGEST_HEX];
	struct fleet x;
	char *h;

	fleet_set_up(&x, f);
	json_decref(fleet_ask(&x, "gateway.rotate",
	    "{\"authority\":\"new\",\"gateway\":\"gw-1\","
	    "\"override\":{\"reason\":\"drill\"}}")
			.extra);
	fixture_sql(f, "UPDATE approval SET given_by='ann', "
		       "given_at=unixepoch()");
	fleet_must(&x, "gateway.rotate",
	    "{\"authority\":\"new\",\"gateway\":\"gw-1\","
	    "\"override\":{\"reason\":\"drill\"}}");
	for (int i = 0; i < 6; i++) {
		fleet_edges_turn(&x);
		fleet_look(&x);
	}
	h = dvt_asprintf("{\"at\":%" PRId64
			 ",\"duration_us\":9,\"address\":\"10.0.0.1\","
			 "\"name\":\"edge.test\",\"confidence\":\"none\","
			 "\"outcome\":\"device-refused\",\"reason\":"
			 "\"unknown-ca\",\"root\":\"%s\",\"form\":\"pure\","
			 "\"why\":\"forced\",\"protocol\":\"TLSv1.3\"}",
	    dvt_time_now().wall_s, x.new_root);
	fleet_report(&x, 2, h, "");
	fleet_report(&x, 2, h, "");
	free(h);
	fleet_look(&x);
	fleet_look(&x);
	fleet_default_root(&x, "gw-1", root_now);
	assert_string_equal(root_now, x.old_root);
}

static enum dvt_code
pem_of(struct core *c, void *ctx, struct dvt_err *err)
{
	struct dvt_buf *pem = ctx;
	struct dvt_row_authority row;
	enum dvt_code rc = dvt_store_authority_by_name(
	    core_tx(c), core_arena(c), "old", &row, err);

	if (rc == DVT_OK)
		dvt_pem_put(pem, DVT_PEM_CERT, row.der);
	return rc;
}

static void
an_anchor_that_is_needed_is_not_removed(void **state)
{
	struct fixture *f = *state;
	struct dvt_buf args, pem;
	struct fleet x;
	struct fleet_asked a;
	json_t *body;

	fleet_set_up(&x, f);
	fleet_must(&x, "rotation.plan",
	    "{\"kind\":\"server-ca\",\"from\":\"old\",\"to\":"
	    "\"new\"," FLEET_AT_ONCE "}");
	fleet_must(&x, "rotation.start", "{\"id\":1}");
	fleet_run(&x, 1, "pilot", false);
	fleet_must(&x, "rotation.abort", "{\"id\":1}");
	dvt_buf_init(&pem, 65536);
	dvt_buf_init(&args, 65536);
	assert_int_equal(core_within(f->core, pem_of, &pem, NULL), DVT_OK);
	fixture_settle(f);
	body = json_pack("{s:s, s:s}", "operation", "REMOVE", "certificate",
	    dvt_buf_str(&pem));
	dvt_json_put(&args, body);
	a = fleet_ask(&x, "truststore.update", dvt_buf_str(&args));
	/* both are loaded and the new one is proven, but no edge shows it */
	assert_int_equal(a.code, DVT_E_UNSAFE);
	assert_non_null(strstr(a.why, "old cannot be removed"));
	json_decref(a.extra);
	json_decref(body);
	dvt_buf_fini(&args);
	dvt_buf_fini(&pem);
}

#define test(fn)                                                               \
	cmocka_unit_test_setup_teardown(fn, fixture_set_up, fixture_tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    test(a_gateway_is_not_rotated_while_devices_would_go_dark),
	    test(an_override_needs_a_second_person_and_is_undone_by_call),
	    test(an_override_ends_by_itself_when_clients_refuse),
	    test(an_anchor_that_is_needed_is_not_removed),
	};

	return cmocka_run_group_tests_name(
	    "core_operate_edge", tests, NULL, NULL);
}
