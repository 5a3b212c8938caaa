/* SPDX-License-Identifier: Apache-2.0 */
#include "store/store_test.h"

#include "store/edge.h"

#define NOW INT64_C(1764547200)

static void
add_gateway(struct test_store *t, const char *name, enum dvt_gateway_kind kind)
{
	const struct dvt_row_gateway g = {.name = name,
	    .kind = kind,
	    .names = "[\"edge.example\"]",
	    .default_root = "old"};

	assert_done(dvt_store_gateway_add(t->tx, &g, &err));
}

static void
the_feed_holds_the_newest_state_of_each_key(void **state)
{
	struct test_store *t = *state;
	struct dvt_row_feed *rows, row;
	int64_t position;
	bool changed;
	size_t n;
#define SET(kind, key, gateway, body)                                          \
	assert_done(dvt_store_feed_set(                                        \
	    t->tx, kind, key, gateway, body, &position, &changed, &err))

	assert_done(dvt_store_feed_position(t->tx, &position, &err));
	assert_int_equal(position, 0);
	SET(DVT_FEED_ROW_DEVICE, "d1", "", "{}");
	assert_int_equal(position, 1);
	SET(DVT_FEED_ROW_DEVICE, "d2", "", "{}");
	assert_int_equal(position, 2);
	SET(DVT_FEED_ROW_POLICY, "gw-1", "gw-1", "{}");
	SET(DVT_FEED_ROW_POLICY, "gw-2", "gw-2", "{}");
	SET(DVT_FEED_ROW_DEVICE, "d1", "", "{\"state\":\"blocked\"}");
	assert_true(changed);
	assert_int_equal(position, 5);
	SET(DVT_FEED_ROW_DEVICE, "d1", "", "{\"state\":\"blocked\"}");
	assert_false(changed); /* the same: it keeps its position */
	assert_int_equal(position, 5);
	SET(DVT_FEED_ROW_DEVICE, "d2", "", NULL);
	assert_int_equal(position, 6);
	SET(DVT_FEED_ROW_DEVICE, "d2", "", NULL);
	assert_false(changed);
#undef SET
	assert_done(dvt_store_feed_list(
	    t->tx, &t->arena, "gw-1", 0, 500, &rows, &n, &err));
	assert_int_equal(n, 3); /* not the policy of gw-2 */
	assert_string_equal(rows[0].key, "gw-1");
	assert_string_equal(rows[1].body, "{\"state\":\"blocked\"}");
	assert_null(rows[2].body);
	assert_done(dvt_store_feed_list(
	    t->tx, &t->arena, "gw-1", 5, 500, &rows, &n, &err));
	assert_int_equal(n, 1);
	assert_done(dvt_store_feed_get(
	    t->tx, &t->arena, DVT_FEED_ROW_POLICY, "gw-2", &row, &err));
	assert_int_equal(row.position, 4);
	assert_done(dvt_store_feed_position(t->tx, &position, &err));
	assert_int_equal(position, 6);
}

static void
a_report_is_counted_once(void **state)
{
	struct test_store *t = *state;
	struct dvt_row_gateway g;
	bool fresh;

	add_gateway(t, "gw", DVT_EDGE_GATEWAY);
	assert_done(dvt_store_gateway_batch(t->tx, "gw", 41, &fresh, &err));
	assert_true(fresh);
	assert_done(dvt_store_gateway_batch(t->tx, "gw", 41, &fresh, &err));
	assert_false(fresh);
	assert_done(dvt_store_gateway_batch(t->tx, "gw", 40, &fresh, &err));
	assert_false(fresh);
	g = (struct dvt_row_gateway){
	    .name = "gw", .applied = 7, .sessions = 3, .version = "0.1.0"};
	assert_done(dvt_store_gateway_heard(t->tx, &g, NOW, &err));
	assert_done(dvt_store_gateway_heard(t->tx, &g, NOW + 9, &err));
	assert_done(dvt_store_gateway_get(t->tx, &t->arena, "gw", &g, &err));
	assert_int_equal(g.applied, 7);
	assert_int_equal(g.applied_at, NOW); /* when it first had it */
	assert_int_equal(g.heard_at, NOW + 9);
	assert_int_equal(g.batch, 41);
	assert_string_equal(g.names, "[\"edge.example\"]");
	g.name = "none";
	assert_code(
	    DVT_E_ABSENT, dvt_store_gateway_heard(t->tx, &g, NOW, &err));
	assert_done(dvt_store_gateway_remove(t->tx, "gw", &err));
	assert_code(DVT_E_ABSENT, dvt_store_gateway_remove(t->tx, "gw", &err));
}

static struct dvt_gateway_view
view(struct test_store *t, const char *name)
{
	struct dvt_gateway_view *rows;
	size_t n;

	assert_done(dvt_store_gateway_views(
	    t->tx, &t->arena, 3, "old", "new", &rows, &n, &err));
	for (size_t i = 0; i < n; i++) {
		if (strcmp(rows[i].name, name) == 0)
			return rows[i];
	}
	fail_msg("%s is not in the list", name);
	return (struct dvt_gateway_view){0};
}

static void
a_credential_goes_from_order_to_default(void **state)
{
	struct test_store *t = *state;
	struct dvt_row_gateway_credential c = {.gateway = "gw",
	    .id = "file",
	    .listener = "main",
	    .slot = DVT_GWSLOT_CURRENT,
	    .names = "[]",
	    .root = "old",
	    .chain_pem = "PEM"};
	struct dvt_row_gateway_credential *rows;
	struct dvt_gateway_view v;
	size_t n;

	add_gateway(t, "gw", DVT_EDGE_GATEWAY);
	assert_done(dvt_store_gateway_credential_put(t->tx, &c, &err));
	c = (struct dvt_row_gateway_credential){.gateway = "gw",
	    .id = "r3-next",
	    .listener = "main",
	    .slot = DVT_GWSLOT_ORDERED,
	    .names = "[]",
	    .authority_id = 2,
	    .rotation_id = 3};
	assert_done(dvt_store_gateway_credential_put(t->tx, &c, &err));
	v = view(t, "gw");
	assert_true(v.has_old && !v.has_next && !v.on_new);
	assert_done(dvt_store_gateway_credential_csr(
	    t->tx, "gw", "r3-next", DVT_SPAN_LIT("CSR"), "k", &err));
	assert_code(
	    DVT_E_CONFLICT, dvt_store_gateway_credential_csr(t->tx, "gw",
				"r3-next", DVT_SPAN_LIT("CSR"), "k", &err));
	c.slot = DVT_GWSLOT_NEXT;
	c.root = "new";
	c.chain_pem = "PEM2";
	c.fingerprint = "f";
	assert_done(dvt_store_gateway_credential_issued(t->tx, &c, &err));
	assert_code(DVT_E_CONFLICT,
	    dvt_store_gateway_credential_issued(t->tx, &c, &err));
	v = view(t, "gw");
	assert_true(v.has_old && v.has_next && !v.on_new);
	assert_done(
	    dvt_store_gateway_roots_set(t->tx, "gw", "new", "", false, &err));
	v = view(t, "gw");
	assert_true(v.has_old && v.has_next && v.on_new);
	assert_done(dvt_store_gateway_credential_slot(
	    t->tx, "gw", "file", DVT_GWSLOT_GONE, &err));
	v = view(t, "gw");
	assert_false(v.has_old);
	assert_done(dvt_store_gateway_credential_list(
	    t->tx, &t->arena, "gw", &rows, &n, &err));
	assert_int_equal(n, 2);
	assert_done(dvt_store_gateway_credential_all(
	    t->tx, &t->arena, "", "", 10, &rows, &n, &err));
	assert_int_equal(n, 1);
	assert_int_equal(rows[0].csr.n, 3);
	assert_string_equal(rows[0].key_digest, "k");
	assert_done(dvt_store_gateway_remove(t->tx, "gw", &err));
	assert_done(dvt_store_gateway_credential_list(
	    t->tx, &t->arena, "gw", &rows, &n, &err));
	assert_int_equal(n, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    test_in_store(the_feed_holds_the_newest_state_of_each_key),
	    test_in_store(a_report_is_counted_once),
	    test_in_store(a_credential_goes_from_order_to_default),
	};

	return cmocka_run_group_tests_name("edge", tests, NULL, NULL);
}
