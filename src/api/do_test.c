/* SPDX-License-Identifier: Apache-2.0 */
#include "api/api_test.h"

#include "pki/key.h"

#include <stdio.h>

#define FP8(c) c c c c c c c c
#define FP(c)  FP8(c) FP8(c) FP8(c) FP8(c) FP8(c) FP8(c) FP8(c) FP8(c)

#define post(t, status, target, body)                                          \
	ask_for(t, status, "operator", "POST", target, body)
#define assert_log(t, text) assert_string_equal((t)->core.log, text)

/* --- tokens --- */

static void
a_token_is_made_and_works_until_it_is_revoked(void **state)
{
	struct test_api *t = *state;
	char token[128], hash[DVT_DIGEST_HEX];

	post(t, 201, "/v1/tokens",
	    "{\"name\": \"bob\", \"role\": \"viewer\", \"days\": 2}");
	assert_log(t, "audit token.create bob;");
	assert_at(t, "role", "viewer");
	assert_at(t, "expires_at", "1764720000");
	(void)snprintf(token, sizeof(token), "%s", at(t, "token"));
	assert_int_equal(strlen(token), 68);
	ask_for(t, 200, token, "GET", "/v1/status", NULL);
	ask_for(t, 200, token, "GET", "/v1/tokens", NULL);
	dvt_sha256_hex(dvt_span_str(token), hash);
	assert_null(strstr(at(t, "items"), hash));
	assert_null(strstr(at(t, "items"), token));
	ask_for(t, 200, "operator", "DELETE", "/v1/tokens/bob", NULL);
	assert_log(t, "audit token.revoke bob;");
	assert_at(t, "revoked_at", "1764547200");
	ask_for(t, 401, token, "GET", "/v1/status", NULL);
	ask_for(t, 200, "operator", "DELETE", "/v1/tokens/bob", NULL);
	assert_log(t, "");
	post(t, 409, "/v1/tokens", "{\"name\": \"bob\", \"role\": \"viewer\"}");
	assert_at(t, "detail", "there is a token bob (revoked) already");
}

static void
nobody_makes_a_token_wider_than_ones_own(void **state)
{
	static const struct {
		const char *who, *role;
		int status;
	} cases[] = {
	    {"viewer",   "viewer",   403},
	    {"operator", "viewer",   201},
	    {"operator", "operator", 201},
	    {"operator", "approver", 403},
	    {"operator", "admin",    403},
	    {"approver", "operator", 403},
	    {"approver", "approver", 201},
	    {"admin",    "admin",    201},
	    {"admin",    "approver", 201},
	    {NULL,       "viewer",   401},
	};
	struct test_api *t = *state;
	char body[128];

	for (size_t i = 0; i < DVT_COUNT(cases); i++) {
		(void)snprintf(body, sizeof(body),
		    "{\"name\": \"n%zu\", \"role\": \"%s\"}", i, cases[i].role);
		ask_for(t, cases[i].status, cases[i].who, "POST", "/v1/tokens",
		    body);
	}
	ask_for(t, 403, "operator", "DELETE", "/v1/tokens/admin", NULL);
	ask_for(t, 404, "operator", "DELETE", "/v1/tokens/none", NULL);
}

static void
a_viewer_revokes_its_own_token_and_no_other(void **state)
{
	struct test_api *t = *state;

	post(t, 201, "/v1/tokens", "{\"name\": \"v2\", \"role\": \"viewer\"}");
	ask_for(t, 403, "viewer", "DELETE", "/v1/tokens/v2", NULL);
	ask_for(t, 403, "viewer", "DELETE", "/v1/tokens/operator", NULL);
	ask_for(t, 200, "viewer", "DELETE", "/v1/tokens/viewer", NULL);
	assert_log(t, "audit token.revoke viewer;");
	assert_at(t, "revoked_at", "1764547200");
	ask_for(t, 401, "viewer", "DELETE", "/v1/tokens/viewer", NULL);
}

/* One who may make tokens is still one person. */
static void
an_approval_is_not_given_by_a_token_that_the_asker_made(void **state)
{
	struct test_api *t = *state;
	char hash[DVT_DIGEST_HEX];

	dvt_sha256_hex(DVT_SPAN_LIT("sock"), hash);
	put(t, "token",
	    "id = 50, name = 'sock', role = 'approver', hash = '%s', "
	    "created_by = 'admin'",
	    hash);
	put(t, "approval",
	    "id = 1, digest = 'd', requested_by = 'admin', expires_at = %d",
	    TEST_NOW + 10);
	put(t, "approval",
	    "id = 2, digest = 'e', requested_by = 'sock', expires_at = %d",
	    TEST_NOW + 10);
	put(t, "approval",
	    "id = 3, digest = 'f', requested_by = 'operator', expires_at = %d",
	    TEST_NOW + 10);
	ask_for(t, 403, "sock", "POST", "/v1/approvals/1/give", NULL);
	assert_non_null(strstr(at(t, "detail"), "made by admin"));
	ask_for(t, 403, "admin", "POST", "/v1/approvals/2/give", NULL);
	ask_for(t, 200, "approver", "POST", "/v1/approvals/1/give", NULL);
	ask_for(t, 200, "sock", "POST", "/v1/approvals/3/give", NULL);
}

static void
a_token_that_ends_makes_none_that_lasts_longer(void **state)
{
	struct test_api *t = *state;
	char hash[DVT_DIGEST_HEX];

	dvt_sha256_hex(DVT_SPAN_LIT("short"), hash);
	put(t, "token",
	    "id = 50, name = 'short', role = 'operator', hash = '%s', "
	    "expires_at = %d",
	    hash, TEST_NOW + 3 * 86400);
	ask_for(t, 403, "short", "POST", "/v1/tokens",
	    "{\"name\": \"a\", \"role\": \"viewer\"}");
	ask_for(t, 403, "short", "POST", "/v1/tokens",
	    "{\"name\": \"a\", \"role\": \"viewer\", \"days\": 4}");
	ask_for(t, 201, "short", "POST", "/v1/tokens",
	    "{\"name\": \"a\", \"role\": \"viewer\", \"days\": 3}");
}

static void
bodies_are_refused_by_the_field(void **state)
{
	static const struct {
		const char *target, *body, *detail;
	} bad[] = {
	    {"/v1/tokens",                          NULL,						"field \"name\" is missing"},
	    {"/v1/tokens",                          "[]",						"not an object"            },
	    {"/v1/tokens",                          "{\"name\": \"a\", \"role\": \"boss\"}",
             "\"boss\" is none of"												  },
	    {"/v1/tokens",                          "{\"name\": \"a b\", \"role\": \"viewer\"}",
             "is no name of a token"												},
	    {"/v1/tokens",                          "{\"name\": \"\", \"role\": \"viewer\"}",
             "is no name of a token"												},
	    {"/v1/tokens",                          "{\"name\": \"a\", \"role\": \"viewer\", \"x\": 1}",
             "unknown field \"x\""												  },
	    {"/v1/tokens",
             "{\"name\": \"a\", \"role\": \"viewer\", \"days\": 0}",				     "\"days\""                 },
	    {"/v1/tokens",                          "{\"name\": \"a\", \"name\": \"b\"}",                "name"                     },
	    {"/v1/devices/d/block",                 "{\"why\": \"x\"}",
             "unknown field \"why\""												},
	    {"/v1/gateways",                        "{\"name\": \"g\", \"names\": [\"a/b\"]}",
             "no host name"													 },
	    {"/v1/gateways",                        "{\"name\": \"g\", \"names\": [\"-a\"]}",
             "\"-a\" is no host name"											       },
	    {"/v1/gateways",                        "{\"name\": \"g\", \"names\": [\"a:8883\"]}",
             "\"a:8883\" is no host name"											   },
	    {"/v1/gateways",                        "{\"name\": \"g\", \"names\": [1]}",
             "\"names\"[0]: no text"												},
	    {"/v1/authorities",                     "{\"name\": \"a\"}",                                 "at least one is true"     },
	    {"/v1/authorities/import",
             "{\"name\": \"a\", \"use_device\": true, \"certificate\": "
		"\"x\", \"sealed_key\": \"!\"}",							 "base64"                   },
	    {"/v1/certificates/" FP("1") "/revoke", "{\"reason\": \"fun\"}",
             "\"fun\" is none of theft"											     },
	};
	struct test_api *t = *state;

	put(t, "device", "device_id = 'd'");
	for (size_t i = 0; i < DVT_COUNT(bad); i++) {
		post(t, 400, bad[i].target, bad[i].body);
		if (strstr(at(t, "detail"), bad[i].detail) == NULL)
			fail_msg("%s %s: %s", bad[i].target, bad[i].body,
			    at(t, "detail"));
	}
}

/* --- approvals, alerts --- */

static void
an_approval_is_given_by_another_person_in_time(void **state)
{
	struct test_api *t = *state;

	put(t, "approval",
	    "id = 1, action = 'a', object = 'o', digest = 'd', "
	    "requested_by = 'operator', expires_at = %d",
	    TEST_NOW + 10);
	put(t, "approval",
	    "id = 2, digest = 'e', requested_by = 'operator', expires_at = %d",
	    TEST_NOW);
	put(t, "approval",
	    "id = 3, digest = 'f', requested_by = 'approver', expires_at = %d",
	    TEST_NOW + 10);
	put(t, "approval",
	    "id = 4, digest = 'g', requested_by = 'x', expires_at = %d, "
	    "given_at = 1, used_at = 2",
	    TEST_NOW + 10);
	ask_for(t, 403, "operator", "POST", "/v1/approvals/1/give", NULL);
	ask_for(t, 409, "approver", "POST", "/v1/approvals/1/give",
	    "{\"digest\": \"other\"}");
	assert_non_null(strstr(at(t, "detail"), "has changed"));
	ask_for(t, 200, "approver", "POST", "/v1/approvals/1/give",
	    "{\"digest\": \"d\"}");
	assert_at(t, "given_by", "approver");
	assert_log(t, "audit approval.give o;event APPROVAL_GIVEN ;");
	ask_for(t, 200, "admin", "POST", "/v1/approvals/1/give", NULL);
	assert_at(t, "given_by", "approver");
	ask_for(t, 409, "approver", "POST", "/v1/approvals/2/give", NULL);
	assert_non_null(strstr(at(t, "detail"), "has expired"));
	ask_for(t, 403, "approver", "POST", "/v1/approvals/3/give", NULL);
	ask_for(t, 409, "approver", "POST", "/v1/approvals/4/give", NULL);
	ask_for(t, 404, "approver", "POST", "/v1/approvals/9/give", NULL);
	put(t, "approval",
	    "id = 5, digest = 'h', requested_by = 'x', expires_at = %d, "
	    "rotation_id = 3, withdrawn_at = 2",
	    TEST_NOW + 10);
	ask_for(t, 409, "approver", "POST", "/v1/approvals/5/give", NULL);
	assert_non_null(strstr(at(t, "detail"), "was withdrawn"));
}

static void
an_alert_is_seen_once(void **state)
{
	struct test_api *t = *state;

	put(t, "alert", "id = 1, key = 'k', severity = 'page'");
	post(t, 200, "/v1/alerts/1/ack", NULL);
	assert_at(t, "acked_by", "operator");
	assert_log(t, "audit alert.ack k;");
	ask_for(t, 200, "admin", "POST", "/v1/alerts/1/ack", NULL);
	assert_at(t, "acked_by", "operator");
	post(t, 404, "/v1/alerts/2/ack", NULL);
	ask_for(t, 403, "viewer", "POST", "/v1/alerts/1/ack", NULL);
}

/* --- devices --- */

static void
a_device_is_blocked_and_comes_back_by_two(void **state)
{
	struct test_api *t = *state;

	put(t, "device", "device_id = 'd', state = 'parked'");
	put(t, "device", "device_id = 'r', state = 'retired'");
	post(t, 409, "/v1/devices/d/unblock", "{\"case\": \"found\"}");
	post(t, 200, "/v1/devices/d/block", "{\"reason\": \"lost\"}");
	assert_at(t, "state", "blocked");
	assert_at(t, "blocked_case", "lost");
	assert_log(t, "feed device d;audit device.block d;"
		      "event DEVICE_BLOCKED d;");
	post(t, 200, "/v1/devices/d/block", NULL);
	assert_at(t, "blocked_case", "lost");
	assert_log(t, "");
	post(t, 409, "/v1/devices/r/block", NULL);
	post(t, 404, "/v1/devices/x/block", NULL);
	post(t, 400, "/v1/devices/d/unblock", "{\"case\": \"\"}");
	t->core.approval = DVT_E_APPROVAL;
	post(t, 412, "/v1/devices/d/unblock", "{\"case\": \"found\"}");
	assert_at(t, "approval", "7");
	t->core.approval = DVT_OK;
	post(t, 200, "/v1/devices/d/unblock", "{\"case\": \"found\"}");
	assert_at(t, "state", "active");
	assert_log(t, "approval device.unblock d;feed device d;"
		      "audit device.unblock d;event DEVICE_UNBLOCKED d;");
}

static void
a_secret_is_made_for_a_device_that_may_be_new(void **state)
{
	struct test_api *t = *state;
	char first[80];

	post(t, 404, "/v1/devices/new-1/secret", "{}");
	post(t, 201, "/v1/devices/new-1/secret",
	    "{\"create\": true, \"model\": \"M\", \"environment\": \"pilot\","
	    " \"labels\": {\"room\": \"7\"}}");
	assert_at(t, "expires_at", "1764550800");
	assert_log(t, "feed device new-1;audit device.create new-1;"
		      "audit device.secret new-1;");
	(void)snprintf(first, sizeof(first), "%s", at(t, "secret"));
	assert_int_equal(strlen(first), 64);
	post(t, 201, "/v1/devices/new-1/secret", NULL);
	assert_string_not_equal(at(t, "secret"), first);
	get(t, "/v1/devices/new-1");
	assert_at(t, "model", "M");
	assert_at(t, "environment", "pilot");
	assert_at(t, "labels.room", "7");
	assert_at(t, "period_s", "300");
	post(t, 400, "/v1/devices/%20x/secret", "{\"create\": true}");
	post(t, 400, "/v1/devices/x%0ay/secret", "{\"create\": true}");
	put(t, "device", "device_id = 'b', state = 'blocked'");
	post(t, 409, "/v1/devices/b/secret", NULL);
}

static void
a_revoked_certificate_blocks_its_device(void **state)
{
	struct test_api *t = *state;

	put(t, "device", "device_id = 'd', state = 'active'");
	put(t, "credential",
	    "owner_kind = 'device', owner = 'd', fingerprint = '%s', "
	    "state = 'active', serial = '1', not_after = %d",
	    FP("1"), TEST_NOW + 100);
	put(t, "credential",
	    "owner_kind = 'gateway', owner = 'g', fingerprint = '%s', "
	    "state = 'active', serial = '2', not_after = %d",
	    FP("2"), TEST_NOW + 100);
	put(t, "credential",
	    "owner_kind = 'device', owner = 'd', fingerprint = '%s', "
	    "state = 'superseded', serial = '3', not_after = %d",
	    FP("3"), TEST_NOW - 1);
	post(t, 200, "/v1/certificates/" FP("1") "/revoke",
	    "{\"reason\": \"theft\"}");
	assert_at(t, "state", "revoked");
	assert_log(t,
	    "feed deny " FP("1") ";feed device d;audit device.block d;"
				 "event DEVICE_BLOCKED d;feed device d;"
				 "audit certificate.revoke " FP(
				     "1") ";"
					  "event CERTIFICATE_REVOKED d;");
	get(t, "/v1/devices/d");
	assert_at(t, "state", "blocked");
	assert_at(t, "credentials.0.revoke_reason", "1");
	post(t, 200, "/v1/certificates/" FP("1") "/revoke",
	    "{\"reason\": \"theft\"}");
	assert_log(t, "");
	post(t, 200, "/v1/certificates/" FP("2") "/revoke",
	    "{\"reason\": \"decommissioned\"}");
	get(t, "/v1/certificates/" FP("2"));
	assert_at(t, "revoke_reason", "5");
	post(t, 409, "/v1/certificates/" FP("3") "/revoke",
	    "{\"reason\": \"theft\"}");
	post(t, 404, "/v1/certificates/" FP("9") "/revoke",
	    "{\"reason\": \"theft\"}");
}

static void
a_fingerprint_may_be_cut_short_while_it_is_the_only_one(void **state)
{
	struct test_api *t = *state;

	put(t, "device", "device_id = 'd', state = 'active'");
	put(t, "credential",
	    "owner_kind = 'device', owner = 'd', fingerprint = "
	    "'11111111aa%.54s', state = 'active', serial = '1', not_after = %d",
	    FP("1"), TEST_NOW + 100);
	put(t, "credential",
	    "owner_kind = 'device', owner = 'd', fingerprint = "
	    "'11111111ab%.54s', state = 'active', serial = '2', not_after = %d",
	    FP("1"), TEST_NOW + 100);
	post(t, 400, "/v1/certificates/1111111/revoke",
	    "{\"reason\": \"theft\"}");
	post(t, 409, "/v1/certificates/11111111a/revoke",
	    "{\"reason\": \"theft\"}");
	assert_non_null(strstr(at(t, "detail"), "more digits"));
	post(t, 404, "/v1/certificates/11111111b/revoke",
	    "{\"reason\": \"theft\"}");
	post(t, 200, "/v1/certificates/11:11:11:11:AB/revoke",
	    "{\"reason\": \"theft\"}");
	assert_int_equal(strncmp(at(t, "fingerprint"), "11111111ab", 10), 0);
}

/* --- edges, authorities --- */

static void
an_edge_is_added_with_names_of_its_own_or_the_settings(void **state)
{
	struct test_api *t = *state;

	post(t, 201, "/v1/gateways", "{\"name\": \"gw-1\"}");
	assert_log(t, "feed policy gw-1;audit gateway.add gw-1;");
	assert_int_equal(strlen(at(t, "secret")), 64);
	get(t, "/v1/gateways/gw-1");
	assert_at(t, "names", "[\"edge.example\"]");
	assert_at(t, "next_name", "next.example");
	assert_at(t, "trial_name", "");
	assert_at(t, "kind", "gateway");
	post(t, 201, "/v1/gateways",
	    "{\"name\": \"gw-1\", \"names\": [\"a.example\", \"10.0.0.1\"], "
	    "\"site\": \"north\"}");
	get(t, "/v1/gateways/gw-1");
	assert_at(t, "names", "[\"a.example\",\"10.0.0.1\"]");
	put(t, "gateway", "name = 'gw-2', heard_at = 5");
	post(t, 409, "/v1/gateways", "{\"name\": \"gw-2\"}");
}

static void
a_credential_is_ordered_from_an_edge(void **state)
{
	struct test_api *t = *state;

	put(t, "authority", "id = 3, name = 'ca', state = 'active'");
	post(t, 200, "/v1/gateways/gw-1/credentials",
	    "{\"authority\": \"ca\", \"slot\": \"recovery\"}");
	assert_log(t, "order gw-1 3 recovery;audit gateway.order gw-1;");
	assert_at(t, "order", "o1764547200a3-recovery");
	post(t, 404, "/v1/gateways/gw-1/credentials",
	    "{\"authority\": \"none\"}");
	assert_at(t, "detail", "there is no authority none");
}

static void
authorities_are_handed_to_core(void **state)
{
	struct test_api *t = *state;

	post(
	    t, 0, "/v1/authorities", "{\"name\": \"r\", \"use_server\": true}");
	assert_log(t, "create r - - 10;");
	post(t, 0, "/v1/authorities",
	    "{\"name\": \"i\", \"under\": \"r\", \"subject\": \"CN=i\", "
	    "\"use_device\": true}");
	assert_log(t, "create i CN=i r 01;");
	post(t, 0, "/v1/authorities/import",
	    "{\"name\": \"o\", \"certificate\": \"-----BEGIN\", "
	    "\"sealed_key\": \"AAEC\", \"use_device\": true}");
	assert_log(t, "import o ----- 3 01;");
	post(t, 0, "/v1/authorities/new/cross-sign", "{\"by\": \"old\"}");
	assert_log(t, "cross new old;");
	t->core.import_key = "";
	ask_for(t, 503, "operator", "GET", "/v1/authorities/import-key", NULL);
	t->core.import_key = "abc";
	ask_for(t, 200, "operator", "GET", "/v1/authorities/import-key", NULL);
	assert_at(t, "spki", "YWJj");
}

static void
an_authority_is_retired_when_nothing_needs_it(void **state)
{
	struct test_api *t = *state;

	put(t, "authority",
	    "id = 1, name = 'old', state = 'active', fingerprint = '%s', "
	    "is_root = 1, der = x'3000'",
	    FP("a"));
	put(t, "credential",
	    "owner_kind = 'device', owner = 'dev-1', fingerprint = 'f', "
	    "state = 'active', serial = '07', root = '%s', not_after = %d",
	    FP("a"), TEST_NOW + 10);
	put(t, "gateway", "name = 'g', heard_at = %d", TEST_NOW - 1000);
	put(t, "bundle", "version = 2, anchors = '[{\"fingerprint\":\"%s\"}]'",
	    FP("a"));
	post(t, 409, "/v1/authorities/old/retire", NULL);
	assert_at(t, "code", "interlock");
	assert_at(t, "detail",
	    "old is still needed: 1 live device certificate; 1 edge not heard "
	    "of late; the newest trust bundle lists it");
	assert_at(t, "devices.0.device", "dev-1");
	assert_at(t, "total", "1");
	put(t, "bundle", "version = 3, anchors = '[]'");
	assert_int_equal(
	    sqlite3_exec(t->db,
		"DELETE FROM credential; UPDATE gateway SET heard_at = "
		"1764547200",
		NULL, NULL, NULL),
	    SQLITE_OK);
	t->core.approval = DVT_E_APPROVAL;
	post(t, 412, "/v1/authorities/old/retire", NULL);
	t->core.approval = DVT_OK;
	post(t, 200, "/v1/authorities/old/retire", NULL);
	assert_at(t, "state", "retired");
	assert_log(t, "approval authority.retire old;feed anchor 1;publish;"
		      "audit authority.retire old;event AUTHORITY_CHANGE ;");
	post(t, 200, "/v1/authorities/old/retire", NULL);
	assert_log(t, "");
	post(t, 404, "/v1/authorities/x/retire", NULL);
}

/* --- rotations --- */

static void
rotations_are_asked_of_core_and_shown_afterwards(void **state)
{
	static const char *const verbs[] = {
	    "start", "pause", "resume", "abort", "rollback"};
	struct test_api *t = *state;
	char target[64], log[128];

	t->core.answer = "{\"id\": 1}";
	put(t, "rotation", "id = 1, kind = 'server-ca', waits_for = 'time'");
	post(t, 201, "/v1/rotations",
	    "{\"kind\": \"server-ca\", \"from\": \"a\", \"to\": \"b\"}");
	assert_at(t, "waits_for", "time");
	assert_log(t, "operate rotation.plan {\"kind\":\"server-ca\","
		      "\"from\":\"a\",\"to\":\"b\"};");
	for (size_t i = 0; i < DVT_COUNT(verbs); i++) {
		(void)snprintf(
		    target, sizeof(target), "/v1/rotations/1/%s", verbs[i]);
		(void)snprintf(log, sizeof(log),
		    "operate rotation.%s {\"id\":1,\"reason\":\"x\"};",
		    verbs[i]);
		post(t, 200, target, "{\"reason\": \"x\"}");
		assert_log(t, log);
		ask_for(t, 403, "viewer", "POST", target, NULL);
		ask_for(t, 403, "approver", "POST", target, NULL);
	}
	post(t, 400, "/v1/rotations",
	    "{\"kind\": \"server-ca\", \"colour\": 1}");
	post(t, 400, "/v1/rotations", "{\"kind\": \"spiral\"}");
}

static void
what_core_refuses_names_the_devices(void **state)
{
	struct test_api *t = *state;

	t->core.operate = DVT_E_UNSAFE;
	t->core.extra = json_pack("{s:[{s:s, s:s}], s:i}", "devices", "device",
	    "dev-1", "reason", "unable to get local issuer certificate",
	    "total", 1);
	post(t, 409, "/gateway/certificates/rotate",
	    "{\"validationMode\": \"strict\"}");
	assert_at(t, "code", "interlock");
	assert_at(
	    t, "devices.0.reason", "unable to get local issuer certificate");
	assert_at(t, "total", "1");
}

static void
what_core_does_is_told_in_words(void **state)
{
	struct test_api *t = *state;

	t->core.answer =
	    "{\"rotation\": 3, \"gateways\": [\"gw-1\"], \"root\": \"new\", "
	    "\"forced\": false, \"devices\": {\"accepted\": 5, \"refused\": 0, "
	    "\"unknown\": 1}}";
	post(t, 200, "/gateway/certificates/rotate",
	    "{\"validationMode\": \"lenient\"}");
	assert_at(t, "detail",
	    "rotation 3 moves 1 edge to new: 5 devices accept it, 0 refuse "
	    "it, of 1 it is not known");
	t->core.answer = "{\"gateways\": [\"a\", \"b\"], \"rotation\": null}";
	post(t, 200, "/gateway/certificates/rollback",
	    "{\"targetVersion\": \"previous\", \"scope\": \"all\", "
	    "\"preserveDeviceCerts\": true}");
	assert_non_null(strstr(at(t, "detail"), "2 edges go back"));
	t->core.answer = "{\"operation\": \"REMOVE\", \"anchor\": \"f\", "
			 "\"bundle\": 4}";
	post(t, 200, "/devices/truststore/update",
	    "{\"operation\": \"REMOVE\", \"certificate\": \"x\"}");
	assert_non_null(strstr(at(t, "detail"), "trust bundle 4"));
	t->core.answer = "{\"devices\": 1, \"method\": \"BUNDLE\"}";
	post(t, 200, "/devices/recovery/initiate",
	    "{\"deviceIds\": [\"d\"], \"method\": \"BUNDLE\", \"action\": "
	    "\"RENEW\"}");
	assert_at(t, "detail", "1 device is told at the next check-in");
	post(t, 400, "/devices/recovery/initiate",
	    "{\"deviceIds\": [\"d\"], \"method\": \"PIGEON\", \"action\": "
	    "\"RENEW\"}");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    test_api(a_token_is_made_and_works_until_it_is_revoked),
	    test_api(nobody_makes_a_token_wider_than_ones_own),
	    test_api(a_viewer_revokes_its_own_token_and_no_other),
	    test_api(a_token_that_ends_makes_none_that_lasts_longer),
	    test_api(bodies_are_refused_by_the_field),
	    test_api(an_approval_is_given_by_another_person_in_time),
	    test_api(an_approval_is_not_given_by_a_token_that_the_asker_made),
	    test_api(an_alert_is_seen_once),
	    test_api(a_device_is_blocked_and_comes_back_by_two),
	    test_api(a_secret_is_made_for_a_device_that_may_be_new),
	    test_api(a_revoked_certificate_blocks_its_device),
	    test_api(a_fingerprint_may_be_cut_short_while_it_is_the_only_one),
	    test_api(an_edge_is_added_with_names_of_its_own_or_the_settings),
	    test_api(a_credential_is_ordered_from_an_edge),
	    test_api(authorities_are_handed_to_core),
	    test_api(an_authority_is_retired_when_nothing_needs_it),
	    test_api(rotations_are_asked_of_core_and_shown_afterwards),
	    test_api(what_core_refuses_names_the_devices),
	    test_api(what_core_does_is_told_in_words),
	};

	return cmocka_run_group_tests_name("api changes", tests, NULL, NULL);
}
