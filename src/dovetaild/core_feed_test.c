/* SPDX-License-Identifier: Apache-2.0 */
#include "dovetaild/core_fixture.h"

#include "dovetaild/core_deadline.h"
#include "dovetaild/core_gateway.h"
#include "pki/csr.h"
#include "pki/key.h"
#include "proto/feed_report.h"
#include "wire/base64.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define FEED   "/v1/gateway/feed"
#define REPORT "/v1/gateway/report"

/* A gateway with a certificate of its own; its fingerprint. */
static void
a_gateway(struct fixture *f, const char *name, char *fingerprint)
{
	struct fixture_csr c;
	char *sql;

	fixture_csr(&c, name);
	sql = dvt_asprintf(
	    "INSERT INTO gateway (name, kind, site, names, next_name,"
	    " trial_name, default_root, next_root, forced, applied,"
	    " applied_at, heard_at, batch, clock_off_s, sessions, version,"
	    " created_at) VALUES ('%s', 'gateway', '', '[\"edge.test\"]',"
	    " 'next.edge.test', 'trial.edge.test', '', '', 0, 0, 0, 0, 0, 0,"
	    " 0, '', 1);"
	    "INSERT INTO enrol_secret (owner_kind, owner, hash, key_digest,"
	    " created_at, expires_at, used_at) VALUES ('gateway', '%s', '%s',"
	    " '', 1, 9999999999, 0);",
	    name, name, c.q.secret_hash);
	fixture_sql(f, sql);
	free(sql);
	snprintf(c.q.label, sizeof(c.q.label), "gateway");
	fixture_est(f, &c.q);
	if (f->answer.status != 200)
		fail_msg("%s: %s", name, f->answer.body);
	dvt_sha256_hex((struct dvt_span){(const uint8_t *)f->answer.body,
			   f->answer.body_n},
	    fingerprint);
	fixture_csr_fini(&c);
}

/* The answer of the feed as an edge would take it. */
static void
follow(struct fixture *f, const char *fingerprint, struct dvt_feed *feed)
{
	char query[64];
	struct dvt_err err = {0};

	snprintf(
	    query, sizeof(query), "after=%" PRId64, dvt_feed_position(feed));
	fixture_call(f, "GET", FEED, query, fingerprint, NULL);
	assert_int_equal(f->answer.status, 200);
	if (dvt_feed_apply(
		feed, dvt_span_str(f->answer.body), NULL, NULL, &err) != DVT_OK)
		fail_msg("%s", err.text);
}

struct ordering {
	const char *gateway, *order;
};

static enum dvt_code
place_order(struct core *c, void *ctx, struct dvt_err *err)
{
	const struct ordering *o = ctx;

	return core_gateway_order(c, o->gateway, o->order, 2, "next", 0, err);
}

static void
an_edge_hears_what_changed_and_nothing_of_other_edges(void **state)
{
	struct fixture *f = *state;
	struct ordering o = {"gw-1", "t1-next"};
	char one[DVT_DIGEST_HEX], two[DVT_DIGEST_HEX], fp[DVT_DIGEST_HEX];
	struct dvt_feed *feed = dvt_feed_new(), *other = dvt_feed_new();

	a_gateway(f, "gw-1", one);
	a_gateway(f, "gw-2", two);
	follow(f, one, feed);
	assert_int_equal(dvt_feed_count(feed, DVT_FEED_DEVICE), 0);
	fixture_enrol(f, "dev-1", fp);
	assert_int_equal(core_within(f->core, place_order, &o, NULL), DVT_OK);
	fixture_settle(f);
	follow(f, one, feed);
	follow(f, two, other);
	assert_non_null(dvt_feed_device_by_certificate(feed, fp));
	assert_non_null(dvt_feed_device_by_certificate(other, fp));
	assert_int_equal(dvt_feed_count(feed, DVT_FEED_CSR), 1);
	assert_int_equal(dvt_feed_count(other, DVT_FEED_CSR), 0);
	assert_int_equal(dvt_feed_position(feed), dvt_feed_position(other));
	dvt_feed_free(feed);
	dvt_feed_free(other);
}

static void
a_follower_that_waits_is_answered_when_there_is_news(void **state)
{
	struct fixture *f = *state;
	char gw[DVT_DIGEST_HEX], query[64], fp[DVT_DIGEST_HEX];
	struct dvt_feed *feed = dvt_feed_new();
	unsigned answers;

	a_gateway(f, "gw-1", gw);
	follow(f, gw, feed);
	snprintf(query, sizeof(query), "after=%" PRId64 "&wait=20",
	    dvt_feed_position(feed));
	fixture_call(f, "GET", FEED, query, gw, NULL);
	assert_int_equal(f->answer.status, 0); /* parked */
	assert_int_equal(f->core->parked_n, 1);
	answers = f->answers;
	fixture_enrol(f, "dev-1", fp);
	core_feed_news(f->core);
	fixture_settle(f);
	assert_int_equal(f->core->parked_n, 0);
	assert_int_equal(f->answers, answers + 2); /* EST and the feed */
	assert_non_null(strstr(f->answer.body, "\"dev-1\""));
	dvt_feed_free(feed);
}

/* {"batch": ...} with @more, applied at @applied. */
static void
report(struct fixture *f, const char *fingerprint, int batch, const char *more)
{
	char *body = dvt_asprintf(
	    "{\"batch\": %d, \"applied\": 3, \"epoch\": 1, \"now\": %" PRId64
	    ", \"version\": \"t\", \"sessions\": 4%s}",
	    batch, dvt_time_now().wall_s, more);

	fixture_call(f, "POST", REPORT, "", fingerprint, body);
	if (f->answer.status != 200)
		fail_msg("%s: %d %s", body, f->answer.status, f->answer.body);
	free(body);
}

static void
a_batch_counts_once_and_by_certificate_alone(void **state)
{
	struct fixture *f = *state;
	char gw[DVT_DIGEST_HEX], fp[DVT_DIGEST_HEX], more[2048];
	int64_t now = dvt_time_now().wall_s;

	a_gateway(f, "gw-1", gw);
	fixture_enrol(f, "dev-1", fp);
	snprintf(more, sizeof(more),
	    ", \"handshakes\": [{\"at\": %" PRId64 ", \"duration_us\": 5, "
	    "\"address\": \"192.0.2.1\", \"name\": \"edge.test\", \"device\": "
	    "\"dev-1\", \"confidence\": \"certificate\", \"certificate\": "
	    "\"%s\", \"outcome\": \"ok\", \"reason\": \"ok\", \"root\": "
	    "\"%064d\", \"form\": \"pure\"}, {\"at\": %" PRId64
	    ", \"duration_us\": 5, \"address\": \"192.0.2.9\", \"device\": "
	    "\"dev-1\", \"confidence\": \"address\", \"outcome\": "
	    "\"device-refused\", \"reason\": \"unknown-ca\", \"root\": "
	    "\"%064d\", \"form\": \"pure\", \"serial\": \"0a\", \"print\": "
	    "\"00112233aabbccdd\", \"n\": 41}]",
	    now, fp, 4, now, 4);
	report(f, gw, 1, more);
	report(f, gw, 1, more);
	assert_int_equal(
	    fixture_number(f, "SELECT COUNT(*) FROM handshake"), 2);
	assert_int_equal(
	    fixture_number(f, "SELECT SUM(n) FROM handshake_hour"), 42);
	assert_int_equal(fixture_number(f, "SELECT SUM(n) FROM handshake"), 42);
	assert_int_equal(
	    fixture_number(f, "SELECT n FROM handshake_shown WHERE serial = "
			      "'0a' AND print = '00112233aabbccdd' AND "
			      "outcome = 'device-refused'"),
	    41);
	/* what a stranger did at that address proves nothing */
	assert_int_equal(
	    fixture_number(f, "SELECT SUM(accepted) FROM chain_seen"), 1);
	assert_int_equal(
	    fixture_number(f, "SELECT SUM(refused) FROM chain_seen"), 0);
	assert_int_equal(
	    fixture_number(f, "SELECT applied FROM gateway WHERE name = "
			      "'gw-1'"),
	    3);
}

static void
an_order_is_answered_by_a_request_and_becomes_a_credential(void **state)
{
	struct fixture *f = *state;
	struct ordering o = {"gw-1", "t1-next"};
	struct dvt_feed *feed = dvt_feed_new();
	const struct dvt_feed_entry *e;
	struct dvt_csr_want want;
	struct dvt_buf name, der, text;
	char gw[DVT_DIGEST_HEX], *more;
	EVP_PKEY *key;

	a_gateway(f, "gw-1", gw);
	for (int twice = 0; twice < 2; twice++)
		assert_int_equal(
		    core_within(f->core, place_order, &o, NULL), DVT_OK);
	fixture_settle(f);
	dvt_buf_init(&name, 1024);
	dvt_buf_init(&der, 8192);
	dvt_buf_init(&text, 16384);
	assert_int_equal(dvt_key_new(DVT_KEY_P256, 0, &key, NULL), DVT_OK);
	assert_int_equal(dvt_name_from_cn("gw-1", &name, NULL), DVT_OK);
	want = (struct dvt_csr_want){.subject = dvt_buf_span(&name)};
	assert_int_equal(dvt_csr_make(&want, key, &der, NULL), DVT_OK);
	dvt_base64_encode(&text, dvt_buf_span(&der), 0);
	more = dvt_asprintf(
	    ", \"csrs\": [{\"order\": \"t1-next\", \"csr\": \"%s\"}]",
	    dvt_buf_str(&text));
	report(f, gw, 1, more);
	report(f, gw, 2, more); /* it is told until the order is gone */
	follow(f, gw, feed);
	assert_int_equal(dvt_feed_count(feed, DVT_FEED_CSR), 0);
	e = dvt_feed_get(feed, DVT_FEED_CREDENTIAL, "gw-1/t1-next");
	assert_non_null(e);
	assert_string_equal(e->u.credential.slot, "next");
	assert_int_equal(e->u.credential.names.n, 3);
	assert_int_equal(
	    fixture_number(f, "SELECT COUNT(*) FROM credential WHERE owner = "
			      "'gw-1' AND source = 'csr'"),
	    1);
	free(more);
	EVP_PKEY_free(key);
	dvt_buf_fini(&name);
	dvt_buf_fini(&der);
	dvt_buf_fini(&text);
	dvt_feed_free(feed);
}

/* A certificate in a gateway's hands that ends in @days. */
static void
shown(struct fixture *f, const char *id, const char *slot, const char *root,
    int64_t days)
{
	char *sql = dvt_asprintf(
	    "INSERT INTO gateway_credential (gateway, id, listener, slot,"
	    " generation, names, authority_id, root, key_digest, csr,"
	    " chain_pem, fingerprint, not_after, rotation_id, created_at)"
	    " SELECT 'gw-1', '%s', 'main', '%s', 0, '[]', 0, %s, '', x'', '',"
	    " '%s', CAST(strftime('%%s', 'now') AS INTEGER) + %" PRId64
	    " * 86400, 0, 1",
	    id, slot, root, id, days);

	fixture_sql(f, sql);
	free(sql);
}

static void
what_ends_while_devices_need_it_is_renewed_or_paged(void **state)
{
	static const char
	    root[] = "(SELECT fingerprint FROM authority WHERE name = 'root')";
	static const char orders[] = "SELECT COUNT(*) FROM gateway_credential "
				     "WHERE slot = 'ordered'"
				     " AND id LIKE 'deadline-%-recovery'";
	static const char alerts
	    [] = "SELECT COUNT(*) FROM alert WHERE name = 'edge.deadline'";
	struct fixture *f = *state;
	char gw[DVT_DIGEST_HEX];

	a_gateway(f, "gw-1", gw);
	fixture_device(f, "dev-1");
	shown(f, "file", "previous", root, 15);
	assert_int_equal(core_within(f->core, core_deadline, NULL, NULL), 0);
	fixture_settle(f);
	assert_int_equal(fixture_number(f, orders), 0);
	fixture_sql(f, "UPDATE gateway_credential SET not_after = not_after - "
		       "2 * 86400 WHERE id = 'file'");
	for (int again = 0; again < 2; again++) {
		assert_int_equal(
		    core_within(f->core, core_deadline, NULL, NULL), 0);
		fixture_settle(f);
		assert_int_equal(fixture_number(f, orders), 1);
	}
	assert_int_equal(fixture_number(f, alerts), 0);
	/* of a root whose key is elsewhere */
	shown(f, "file:b", "current", "'ffff'", 13);
	for (int again = 0; again < 2; again++) {
		assert_int_equal(
		    core_within(f->core, core_deadline, NULL, NULL), 0);
		fixture_settle(f);
		assert_int_equal(fixture_number(f, alerts), 1);
	}
	assert_int_equal(fixture_number(f, orders), 1);
	/* nobody needs it */
	fixture_sql(f, "DELETE FROM alert; DELETE FROM device");
	assert_int_equal(core_within(f->core, core_deadline, NULL, NULL), 0);
	fixture_settle(f);
	assert_int_equal(fixture_number(f, alerts), 0);
}

static void
devices_may_not_follow_the_feed(void **state)
{
	struct fixture *f = *state;
	char fp[DVT_DIGEST_HEX];

	fixture_enrol(f, "dev-1", fp);
	fixture_call(f, "GET", FEED, "after=0", fp, NULL);
	assert_int_equal(f->answer.status, 403);
	fixture_call(f, "POST", REPORT, "", fp, "{}");
	assert_int_equal(f->answer.status, 403);
}

/* A report of one refusal of a chain, from an address. */
static void
report_refusal(
    struct fixture *f, const char *gw, int batch, const char *address)
{
	char more[1024];

	snprintf(more, sizeof(more),
	    ", \"handshakes\": [{\"at\": %" PRId64 ", \"address\": \"%s\", "
	    "\"print\": \"00ff\", \"confidence\": \"none\", \"outcome\": "
	    "\"device-refused\", \"reason\": \"unknown-ca\", \"root\": "
	    "\"%064d\", \"form\": \"pure\"}]",
	    dvt_time_now().wall_s, address, 4);
	report(f, gw, batch, more);
}

static void
gateways_of_a_site_hear_what_clients_refused_and_it_stays_bounded(void **state)
{
	struct fixture *f = *state;
	char one[DVT_DIGEST_HEX], two[DVT_DIGEST_HEX], far[DVT_DIGEST_HEX];
	struct dvt_feed *feed = dvt_feed_new(), *other = dvt_feed_new();
	const struct dvt_feed_entry *e;
	char address[64];
	int batch = 0;

	a_gateway(f, "gw-1", one);
	a_gateway(f, "gw-2", two);
	a_gateway(f, "gw-3", far);
	fixture_sql(f, "UPDATE gateway SET site = 'north' WHERE name IN "
		       "('gw-1', 'gw-2')");
	report_refusal(f, far, 1, "192.0.2.9"); /* of no site */
	report_refusal(f, one, ++batch, "192.0.2.1");
	follow(f, two, feed);
	assert_int_equal(dvt_feed_count(feed, DVT_FEED_MEMORY), 1);
	e = dvt_feed_next(feed, DVT_FEED_MEMORY, NULL);
	assert_string_equal(e->u.memory.gateway, "gw-2");
	assert_string_equal(e->u.memory.address, "192.0.2.1");
	assert_string_equal(e->u.memory.print, "00ff");
	assert_false(e->u.memory.accepted);
	follow(f, one, other);
	assert_int_equal(dvt_feed_count(other, DVT_FEED_MEMORY), 0);
	for (int i = 0; i < 600; i++) {
		snprintf(
		    address, sizeof(address), "198.51.%d.%d", i / 200, i % 200);
		report_refusal(f, one, ++batch, address);
	}
	assert_in_range(
	    fixture_number(f, "SELECT COUNT(*) FROM feed WHERE kind = "
			      "'memory'"),
	    150, 256);
	dvt_feed_free(feed);
	dvt_feed_free(other);
}

int
main(void)
{
#define T(t)                                                                   \
	cmocka_unit_test_setup_teardown(t, fixture_set_up, fixture_tear_down)
	const struct CMUnitTest tests[] = {
	    T(an_edge_hears_what_changed_and_nothing_of_other_edges),
	    T(a_follower_that_waits_is_answered_when_there_is_news),
	    T(a_batch_counts_once_and_by_certificate_alone),
	    T(an_order_is_answered_by_a_request_and_becomes_a_credential),
	    T(what_ends_while_devices_need_it_is_renewed_or_paged),
	    T(gateways_of_a_site_hear_what_clients_refused_and_it_stays_bounded),
	    T(devices_may_not_follow_the_feed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
