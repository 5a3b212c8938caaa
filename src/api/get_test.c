/* SPDX-License-Identifier: Apache-2.0 */
#include "api/api_test.h"

#include <stdio.h>

#define FP8(c) c c c c c c c c
#define FP(c)  FP8(c) FP8(c) FP8(c) FP8(c) FP8(c) FP8(c) FP8(c) FP8(c)

/* Three devices: one up to date, one behind, one silent. */
static void
add_fleet(struct test_api *t)
{
	put(t, "bundle", "version = 3");
	put(t, "authority",
	    "id = 1, name = 'old', state = 'active', fingerprint = '%s', "
	    "is_root = 1, use_server = 1, not_after = %d, "
	    "last_issue_at = %d, subject = 'CN=old', der = x'3000'",
	    FP("a"), TEST_NOW + 86400, TEST_NOW - 86400);
	put(t, "authority",
	    "id = 2, name = 'new', state = 'active', fingerprint = '%s', "
	    "parent_id = 1, root_id = 1, key_wrapped = x'00', "
	    "not_after = %d, last_issue_at = %d, der = x'3000'",
	    FP("b"), TEST_NOW + 10 * 365 * 86400, TEST_NOW + 100 * 86400);
	put(t, "device",
	    "device_id = 'dev-1', state = 'active', model = 'M1', "
	    "labels = '{\"room\": \"7\"}', type = 'sensor', last_seen_at = %d",
	    TEST_NOW - 60);
	put(t, "device", "device_id = 'dev-2', state = 'active', model = 'M2'");
	put(t, "device", "device_id = 'dev_3', state = 'parked', model = 'M2'");
	put(t, "trust_state",
	    "device_id = 'dev-1', bundle_confirmed = 3, digest = 'd'");
	put(t, "trust_store", "digest = 'd', anchors = '[\"x\"]'");
	put(t, "trust_state",
	    "device_id = 'dev-2', bundle_confirmed = 2, failed = 'probe'");
	put(t, "credential",
	    "owner_kind = 'device', owner = 'dev-1', fingerprint = '%s', "
	    "generation = 1, state = 'superseded', serial = '01'",
	    FP("1"));
	put(t, "credential",
	    "owner_kind = 'device', owner = 'dev-1', fingerprint = '%s', "
	    "generation = 2, state = 'active', serial = '02', "
	    "issuer = 'CN=new', authority_id = 2, not_after = %d",
	    FP("2"), TEST_NOW + 1000);
	put(t, "certificate_der",
	    "owner = 'dev-1', fingerprint = '%s', der = x'3003020100'",
	    FP("2"));
}

static void
devices_are_listed_with_trust_and_certificate(void **state)
{
	struct test_api *t = *state;

	add_fleet(t);
	get(t, "/v1/devices");
	assert_at(t, "items.0.device", "dev-1");
	assert_at(t, "items.0.bundle_confirmed", "3");
	assert_at(t, "items.0.bundle_wanted", "3");
	assert_at(t, "items.0.issuer", "CN=new");
	assert_at(t, "items.1.not_after", "null");
	assert_at(t, "items.2.device", "dev_3");
	assert_at(t, "next", "null");
}

static void
a_list_is_filtered_and_paged(void **state)
{
	static const struct {
		const char *query, *first, *n, *next;
	} cases[] = {
	    {"limit=1",                "dev-1", "1", "dev-1"},
	    {"limit=1&after=dev-1",    "dev-2", "1", "dev-2"},
	    {"limit=2&after=dev-1",    "dev-2", "2", "dev_3"},
	    {"limit=2&after=dev_3",    "",      "0", "null" },
	    {"state=parked",           "dev_3", "1", "null" },
	    {"model=M2",               "dev-2", "2", "null" },
	    {"q=EV-2",                 "dev-2", "1", "null" },
	    {"q=v_3",                  "dev_3", "1", "null" },
	    {"q=%25",                  "",      "0", "null" },
	    {"q=m2",                   "dev-2", "2", "null" },
	    {"environment=production", "",      "0", "null" },
	};
	struct test_api *t = *state;
	char target[128], n[16];

	add_fleet(t);
	for (size_t i = 0; i < DVT_COUNT(cases); i++) {
		(void)snprintf(
		    target, sizeof(target), "/v1/devices?%s", cases[i].query);
		ask_for(t, 200, "viewer", "GET", target, NULL);
		(void)snprintf(n, sizeof(n), "%zu",
		    json_array_size(json_object_get(t->answer, "items")));
		if (strcmp(n, cases[i].n) != 0 ||
		    strcmp(at(t, "items.0.device"), cases[i].first) != 0)
			fail_msg("%s: %s rows", cases[i].query, n);
		assert_at(t, "next", cases[i].next);
	}
}

static void
what_a_query_may_not_hold_is_named(void **state)
{
	static const struct {
		const char *target, *detail;
	} bad[] = {
	    {"/v1/devices?color=red",     "unknown field \"color\""      },
	    {"/v1/devices?state=asleep",  "\"asleep\" is none of active" },
	    {"/v1/devices?limit=0",       "limit: \"0\" is no number"    },
	    {"/v1/devices?limit=501",     "limit: \"501\" is no number"  },
	    {"/v1/events?wait=31",        "wait: \"31\" is no number"    },
	    {"/v1/handshakes?before=x",   "before: \"x\" is no number"   },
	    {"/v1/rotations/x",           "id: \"x\" is no number"       },
	    {"/v1/audit?after=s",         "not STREAM:NUMBER"            },
	    {"/v1/certificates/xyz",      "xyz is no SHA-256 fingerprint"},
	    {"/v1/profiles?state=active", "unknown field \"state\""      },
	};
	struct test_api *t = *state;

	for (size_t i = 0; i < DVT_COUNT(bad); i++) {
		ask_for(t, 400, "viewer", "GET", bad[i].target, NULL);
		if (strstr(at(t, "detail"), bad[i].detail) == NULL)
			fail_msg("%s: %s", bad[i].target, at(t, "detail"));
	}
	ask_for(t, 400, "viewer", "GET", "/v1/devices", "{\"x\": 1}");
}

static void
a_device_is_shown_whole(void **state)
{
	struct test_api *t = *state;

	add_fleet(t);
	put(t, "rotation", "id = 4, kind = 'device-ca'");
	put(t, "assignment",
	    "device_id = 'dev-1', rotation_id = 4, state = 'issued'");
	put(t, "chain_seen",
	    "device_id = 'dev-1', root = '%s', form = 'cross', accepted = 5",
	    FP("a"));
	ask_for(t, 200, "viewer", "GET", "/v1/devices/dev-1", NULL);
	assert_at(t, "labels", "{\"room\":\"7\"}");
	assert_at(t, "credentials.0.generation", "2");
	assert_at(t, "credentials.0.authority", "new");
	assert_at(t, "credentials.1.state", "superseded");
	assert_at(t, "trust.anchors", "[\"x\"]");
	assert_at(t, "trust.confirmed", "3");
	assert_at(t, "seen.0.authority", "old");
	assert_at(t, "seen.0.accepted", "5");
	assert_at(t, "assignments.0.kind", "device-ca");
	ask_for(t, 200, "viewer", "GET", "/v1/devices/dev_3", NULL);
	assert_at(t, "trust.wanted", "3");
	assert_at(t, "trust.anchors", "null");
	assert_at(t, "labels", "null");
	ask_for(t, 404, "viewer", "GET", "/v1/devices/dev-9", NULL);
	assert_at(t, "detail", "there is no such device: dev-9");
}

static void
updates_have_steps_in_order(void **state)
{
	struct test_api *t = *state;

	add_fleet(t);
	for (int i = 1; i <= 2; i++) {
		put(t, "device_update",
		    "device_id = 'dev-1', id = 'certs-%d', rotation_id = %d, "
		    "started_at = %d",
		    i, i - 1, i);
		put(t, "update_step",
		    "device_id = 'dev-1', id = 'certs-2', seq = %d, "
		    "step = 'Step%d'",
		    3 - i, 3 - i);
	}
	get(t, "/v1/devices/dev-1/updates");
	assert_at(t, "items.0.id", "certs-2");
	assert_at(t, "items.0.rotation", "1");
	assert_at(t, "items.1.rotation", "null");
	get(t, "/v1/devices/dev-1/updates/certs-2");
	assert_at(t, "steps.0.step", "Step1");
	assert_at(t, "steps.1.step", "Step2");
	ask_for(t, 404, "viewer", "GET", "/v1/devices/dev-9/updates", NULL);
	ask_for(t, 404, "viewer", "GET", "/v1/devices/dev-1/updates/x", NULL);
}

static void
trust_is_summed_and_listed(void **state)
{
	struct test_api *t = *state;

	add_fleet(t);
	put(t, "device", "device_id = 'dev-4', state = 'active'");
	put(t, "device", "device_id = 'dev-5', state = 'blocked'");
	get(t, "/devices/truststore/status");
	assert_at(t, "sum",
	    "{\"version\":3,\"wanted\":4,\"confirmed\":1,\"pending\":1,"
	    "\"failed\":1,\"parked\":1}");
	assert_at(t, "items.0.status", "confirmed");
	assert_at(t, "items.1.status", "failed");
	assert_at(t, "items.1.reason", "probe");
	assert_at(t, "items.2.status", "pending");
	assert_at(t, "items.3.status", "parked");
	get(t, "/devices/truststore/status?limit=2");
	assert_at(t, "next", "dev-2");
}

static void
trust_of_an_empty_fleet_is_all_zero(void **state)
{
	struct test_api *t = *state;

	get(t, "/devices/truststore/status");
	assert_at(t, "sum.version", "0");
	assert_at(t, "sum.wanted", "0");
	assert_at(t, "items", "[]");
}

static void
certificates_come_as_pem(void **state)
{
	struct test_api *t = *state;

	add_fleet(t);
	get(t, "/v1/certificates?owner=dev-1&state=active");
	assert_at(t, "items.0.fingerprint", FP("2"));
	assert_at(t, "items.1", "");
	get(t, "/v1/certificates/" FP("2"));
	assert_at(t, "certificate",
	    "-----BEGIN CERTIFICATE-----\nMAMCAQA=\n"
	    "-----END CERTIFICATE-----\n");
	get(t, "/v1/certificates/" FP("1"));
	assert_at(t, "certificate", "null");
	ask_for(t, 404, "viewer", "GET", "/v1/certificates/" FP("9"), NULL);
}

static void
dependents_hold_no_certificate_but_beneath_it(void **state)
{
	struct test_api *t = *state;

	add_fleet(t);
	put(t, "authority",
	    "id = 3, name = 'other', state = 'active', fingerprint = '%s'",
	    FP("c"));
	put(t, "credential",
	    "owner_kind = 'device', owner = 'dev-2', fingerprint = '%s', "
	    "state = 'active', serial = '03', issuer = 'CN=new', root = '%s', "
	    "not_after = %d",
	    FP("3"), FP("a"), TEST_NOW + 2000);
	put(t, "credential",
	    "owner_kind = 'gateway', owner = 'gw-1', fingerprint = '%s', "
	    "state = 'active', serial = '04', issuer = 'CN=new', "
	    "authority_id = 2, not_after = %d",
	    FP("4"), TEST_NOW + 3000);
	get(t, "/v1/authorities/new/dependents");
	assert_at(t, "name", "new");
	assert_at(t, "total", "2");
	assert_at(t, "items.0.kind", "gateway");
	assert_at(t, "items.1.name", "dev-1");
	assert_at(t, "items.1.not_after", "1764548200");
	assert_at(t, "items.2", "");
	/* what is beneath the one above counts there */
	get(t, "/v1/authorities/old/dependents?limit=1");
	assert_at(t, "total", "3");
	assert_at(t, "items.0.name", "gw-1");
	assert_at(t, "items.1", "");
	/* one of another authority is a way in, until that is revoked */
	put(t, "credential",
	    "owner_kind = 'device', owner = 'dev-1', fingerprint = '%s', "
	    "state = 'active', serial = '05', issuer = 'CN=other', "
	    "authority_id = 3, not_after = %d",
	    FP("5"), TEST_NOW + 1000);
	get(t, "/v1/authorities/new/dependents");
	assert_at(t, "total", "1");
	get(t, "/v1/authorities/other/dependents");
	assert_at(t, "total", "0");
	assert_at(t, "items", "[]");
	ask_for(
	    t, 404, "operator", "GET", "/v1/authorities/none/dependents", NULL);
}

static void
authorities_tell_state_and_place(void **state)
{
	struct test_api *t = *state;

	add_fleet(t);
	put(t, "profile", "id = 1, name = 'device', issuer_id = 2");
	get(t, "/v1/authorities");
	assert_at(t, "items.0.name", "new");
	assert_at(t, "items.0.parent", "old");
	assert_at(t, "items.0.key_held", "true");
	assert_at(t, "items.1.is_root", "true");
	assert_at(t, "items.1.key_held", "false");
	get(t, "/v1/authorities?state=retired");
	assert_at(t, "items", "[]");
	get(t, "/v1/authorities/old");
	assert_at(t, "cross_certificate", "null");
	assert_int_equal(strncmp(at(t, "certificate"), "-----BEGIN", 10), 0);
	get(t, "/v1/profiles");
	assert_at(t, "items.0.issuer", "new");
}

static void
a_rotation_tells_what_it_waits_for(void **state)
{
	static const char *const states[] = {
	    "waiting", "failed", "confirmed", "confirmed", "parked"};
	struct test_api *t = *state;

	add_fleet(t);
	put(t, "approval", "id = 9, expires_at = %d", TEST_NOW + 10);
	put(t, "rotation",
	    "id = 1, kind = 'server-ca', state = 'running', phase = 'retire', "
	    "from_id = 1, to_id = 2, plan = '{\"kind\": \"server-ca\"}', "
	    "position = 50, approval_id = 9, waits_for = 'a second person'");
	put(t, "rotation", "id = 2, state = 'done', phase = 'done'");
	put(t, "phase", "rotation_id = 1, seq = 1, name = 'preflight'");
	put(t, "phase", "rotation_id = 1, seq = 2, name = 'overlap'");
	for (size_t i = 0; i < DVT_COUNT(states); i++)
		put(t, "assignment",
		    "device_id = 'd%zu', rotation_id = 1, state = '%s'", i,
		    states[i]);
	put(t, "gateway", "name = 'gw-1', applied = 50, default_root = '%s'",
	    FP("b"));
	put(t, "gateway", "name = 'gw-2', applied = 49");
	get(t, "/v1/rotations");
	assert_at(t, "items.0.id", "2");
	assert_at(t, "items.0.from", "null");
	assert_at(t, "items.1.to", "new");
	get(t, "/v1/rotations?after=2");
	assert_at(t, "items.0.id", "1");
	get(t, "/v1/rotations/1");
	assert_at(t, "plan.kind", "server-ca");
	assert_at(t, "approval", "9");
	assert_at(t, "phases.1.name", "overlap");
	assert_at(t, "counts",
	    "{\"confirmed\":2,\"failed\":1,\"parked\":1,\"waiting\":1}");
	assert_at(t, "stragglers.0.device", "d1");
	assert_at(t, "stragglers.2.state", "parked");
	assert_at(t, "stragglers.3", "");
	assert_at(t, "gateways.0.applied", "true");
	assert_at(t, "gateways.0.default_root_name", "new");
	assert_at(t, "gateways.1.applied", "false");
	put(t, "approval",
	    "id = 10, digest = 'd', expires_at = %d, given_at = 5, given_by = "
	    "'eve'",
	    TEST_NOW + 10);
	put(t, "rotation", "id = 3, approval_id = 10");
	get(t, "/v1/rotations/3");
	assert_at(t, "approval", "null");
	ask_for(t, 404, "viewer", "GET", "/v1/rotations/99", NULL);
}

static void
an_edge_is_behind_by_what_concerns_it(void **state)
{
	struct test_api *t = *state;

	put(t, "gateway",
	    "name = 'gw-1', applied = 2, names = '[\"edge.example\"]'");
	for (int i = 1; i <= 5; i++)
		put(t, "feed",
		    "kind = 'device', key = 'k%d', position = %d, "
		    "gateway = '%s'",
		    i, i,
		    i == 4   ? "gw-2"
		    : i == 5 ? "gw-1"
			     : "");
	put(t, "gateway_credential",
	    "gateway = 'gw-1', id = 'file', slot = 'current', not_after = 70");
	put(t, "gateway_credential",
	    "gateway = 'gw-1', id = 'o-1', slot = 'next', not_after = 60, "
	    "created_at = 4, rotation_id = 8");
	put(t, "gateway_credential",
	    "gateway = 'gw-1', id = 'x', slot = 'gone'");
	get(t, "/v1/gateways");
	assert_at(t, "items.0.behind", "2");
	assert_at(t, "items.0.names", "[\"edge.example\"]");
	assert_at(t, "items.0.not_after", "70");
	get(t, "/v1/gateways/gw-1");
	assert_at(t, "credentials.0.rotation", "8");
	assert_at(t, "credentials.1.id", "file");
	assert_at(t, "credentials.2", "");
	ask_for(t, 404, "viewer", "GET", "/v1/gateways/gw-9", NULL);
}

static void
handshakes_come_newest_first_and_flat(void **state)
{
	static const struct {
		const char *query, *first, *second;
	} cases[] = {
	    {"",			  "3", "2"},
	    {"?before=3",                 "2", "1"},
	    {"?device=dev-1",             "3", "1"},
	    {"?device=dev-1&after=3",     "1", "" },
	    {"?outcome=ok",               "2", "1"},
	    {"?device_type=sensor",       "3", "1"},
	    {"?filter=UNKNOWN-ca",        "3", "" },
	    {"?filter=TLS+handshake",     "3", "2"},
	    {"?device=dev-1&filter=gw-1", "3", "1"},
	    {"?device=dev-1&filter=gw-2", "",  "" },
	};
	struct test_api *t = *state;

	add_fleet(t);
	for (int i = 1; i <= 3; i++)
		put(t, "handshake",
		    "id = %d, gateway = 'gw-1', device = 'dev-%d', "
		    "outcome = '%s', body = '{\"at\": %d, \"outcome\": \"%s\", "
		    "\"reason\": \"%s\", \"id\": 77}'",
		    i, i == 2 ? 2 : 1, i == 3 ? "device-refused" : "ok", i,
		    i == 3 ? "device-refused" : "ok",
		    i == 3 ? "unknown-ca" : "ok");
	for (size_t i = 0; i < DVT_COUNT(cases); i++) {
		char target[128];

		(void)snprintf(
		    target, sizeof(target), "/v1/handshakes%s", cases[i].query);
		ask_for(t, 200, "viewer", "GET", target, NULL);
		if (strcmp(at(t, "items.0.id"), cases[i].first) != 0 ||
		    strcmp(at(t, "items.1.id"), cases[i].second) != 0)
			fail_msg("%s: %s", target, at(t, "items"));
	}
	get(t, "/v1/handshakes?limit=1");
	assert_at(t, "next", "3");
	assert_at(t, "items.0.reason", "unknown-ca");
}

static void
events_and_alerts_are_paged_by_id(void **state)
{
	struct test_api *t = *state;

	for (int i = 1; i <= 3; i++) {
		put(t, "event", "id = %d, name = 'N%d', body = '{\"n\": %d}'",
		    i, i, i);
		put(t, "alert",
		    "id = %d, key = 'k%d', severity = 'warn', "
		    "acked_at = %d",
		    i, i, i == 3);
	}
	get(t, "/v1/events?after=1&limit=1&wait=0");
	assert_at(t, "items.0.body.n", "2");
	assert_at(t, "next", "2");
	get(t, "/v1/alerts");
	assert_at(t, "items.0.id", "3");
	get(t, "/v1/alerts?open=1");
	assert_at(t, "items.0.id", "2");
	get(t, "/v1/alerts?after=2");
	assert_at(t, "items.0.id", "1");
}

static void
people_and_the_audit_log_are_listed(void **state)
{
	struct test_api *t = *state;

	put(t, "approval", "id = 1, digest = 'd1', expires_at = %d",
	    TEST_NOW - 1);
	put(t, "approval", "id = 2, digest = 'd2', expires_at = %d",
	    TEST_NOW + 1);
	put(t, "approval",
	    "id = 3, digest = 'd3', expires_at = %d, used_at = 1",
	    TEST_NOW + 1);
	put(t, "approval",
	    "id = 4, digest = 'd4', expires_at = %d, withdrawn_at = 1",
	    TEST_NOW + 1);
	get(t, "/v1/approvals");
	assert_at(t, "items.0.id", "2");
	assert_at(t, "items.1", "");
	get(t, "/v1/approvals?all=1");
	assert_at(t, "items.0.withdrawn_at", "1");
	assert_at(t, "items.3.id", "1");
	get(t, "/v1/tokens");
	assert_at(t, "items.0.name", "admin");
	assert_at(t, "items.0.hash", "");
	for (int i = 1; i <= 4; i++)
		put(t, "audit",
		    "stream = 'n-%d', seq = %d, action = 'x', detail = '{}'",
		    1 + i / 3, 1 + (i - 1) % 2);
	put(t, "audit_checkpoint", "id = 1, line = 'signed'");
	get(t, "/v1/audit?limit=3");
	assert_at(t, "items.2.stream", "n-2");
	assert_at(t, "next", "n-2:1");
	get(t, "/v1/audit?after=n-2:1");
	assert_at(t, "items.0.seq", "2");
	assert_at(t, "items.1", "");
	get(t, "/v1/audit?stream=n-1");
	assert_at(t, "items.1.seq", "2");
	assert_at(t, "items.2", "");
	get(t, "/v1/audit/checkpoints");
	assert_at(t, "items.0.line", "signed");
}

static void
status_says_what_needs_a_hand(void **state)
{
	static const char *const wanted[] = {
	    "approval 4 waits for a second person: rotation.retire old",
	    "1 alert open: dovetail alert list",
	    "rotation 1 is paused: too many failures",
	    "front front-1 not heard for 3 h",
	    "the certificate of front front-1 ends in 24 h",
	    "gateway gw-1 was never heard",
	    "authority new issues until 2026-03-11",
	    "1 device is blocked",
	};
	struct test_api *t = *state;
	const json_t *list;

	add_fleet(t);
	put(t, "meta", "key = 'fleet', value = 'mill'");
	put(t, "device", "device_id = 'dev-9', state = 'blocked'");
	put(t, "authority",
	    "id = 3, name = 'gone', state = 'retired', "
	    "fingerprint = 'x'");
	put(t, "approval",
	    "id = 4, action = 'rotation.retire', object = 'old', "
	    "expires_at = %d",
	    TEST_NOW + 10);
	put(t, "alert", "id = 1, key = 'k'");
	put(t, "rotation",
	    "id = 1, state = 'paused', waits_for = 'too many failures'");
	put(t, "rotation", "id = 2, state = 'done'");
	put(t, "gateway", "name = 'gw-1'");
	put(t, "gateway", "name = 'front-1', kind = 'front', heard_at = %d",
	    TEST_NOW - 3 * 3600);
	put(t, "gateway_credential",
	    "gateway = 'front-1', id = 'o', slot = 'current', not_after = %d",
	    TEST_NOW + 86400);
	ask_for(t, 200, "viewer", "GET", "/v1/status", NULL);
	assert_at(t, "fleet_name", "mill");
	assert_at(t, "fleet",
	    "{\"active\":2,\"parked\":1,\"blocked\":1,\"retired\":0,"
	    "\"seen_lately\":1}");
	assert_at(t, "authorities.2", "");
	assert_at(t, "rotations.1", "");
	list = json_object_get(t->answer, "attention");
	assert_int_equal(json_array_size(list), DVT_COUNT(wanted));
	for (size_t i = 0; i < DVT_COUNT(wanted); i++)
		assert_string_equal(
		    json_string_value(json_array_get(list, i)), wanted[i]);
}

static void
status_of_an_empty_database_is_calm(void **state)
{
	struct test_api *t = *state;

	get(t, "/v1/status");
	assert_at(t, "attention", "[]");
	assert_at(t, "fleet.active", "0");
	assert_at(t, "now", "1764547200");
}

static void
nobody_reads_without_a_token(void **state)
{
	struct test_api *t = *state;

	ask_for(t, 401, NULL, "GET", "/v1/status", NULL);
	ask_for(t, 401, "wrong", "GET", "/v1/status", NULL);
	assert_at(t, "code", "who-are-you");
	ask_for(t, 200, NULL, "GET", "/v1/openapi.json", NULL);
	ask_for(t, 404, "viewer", "GET", "/v1/nothing", NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    test_api(devices_are_listed_with_trust_and_certificate),
	    test_api(a_list_is_filtered_and_paged),
	    test_api(what_a_query_may_not_hold_is_named),
	    test_api(a_device_is_shown_whole),
	    test_api(updates_have_steps_in_order),
	    test_api(trust_is_summed_and_listed),
	    test_api(trust_of_an_empty_fleet_is_all_zero),
	    test_api(certificates_come_as_pem),
	    test_api(authorities_tell_state_and_place),
	    test_api(dependents_hold_no_certificate_but_beneath_it),
	    test_api(a_rotation_tells_what_it_waits_for),
	    test_api(an_edge_is_behind_by_what_concerns_it),
	    test_api(handshakes_come_newest_first_and_flat),
	    test_api(events_and_alerts_are_paged_by_id),
	    test_api(people_and_the_audit_log_are_listed),
	    test_api(status_says_what_needs_a_hand),
	    test_api(status_of_an_empty_database_is_calm),
	    test_api(nobody_reads_without_a_token),
	};

	return cmocka_run_group_tests_name("api reads", tests, NULL, NULL);
}
