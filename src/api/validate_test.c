/* SPDX-License-Identifier: Apache-2.0 */
#include "api/api_test.h"

#include "pki/testca.h"
#include "wire/json.h"

#include <stdio.h>

struct world {
	struct testca old, fresh, server;
	char old_fp[DVT_DIGEST_HEX], fresh_fp[DVT_DIGEST_HEX];
};

static void
add_root(struct test_api *t, int id, const char *name, const struct testca *ca,
    const char *fingerprint)
{
	struct dvt_buf der;
	char hex[2 * DVT_CERT_DER_MAX + 1];

	dvt_buf_init(&der, DVT_CERT_DER_MAX);
	assert_int_equal(dvt_x509_to_der(ca->cert, &der, NULL), DVT_OK);
	dvt_hex(der.p, der.n, hex, sizeof(hex));
	put(t, "authority",
	    "id = %d, name = '%s', is_root = 1, root_id = %d, "
	    "fingerprint = '%s', der = x'%s'",
	    id, name, id, fingerprint, hex);
	dvt_buf_fini(&der);
}

/* dev-both trusts both roots, dev-old the old one; dev-seen told nothing but
 * took the new chain, dev-bad told nothing and refused it; of dev-mute
 * nothing is known. */
static struct world
world_make(struct test_api *t)
{
	static const char *const devices[] = {
	    "dev-both", "dev-old", "dev-seen", "dev-bad", "dev-mute"};
	struct world w = {.old = testca_make(NULL, "CN=old", -1),
	    .fresh = testca_make(NULL, "CN=new", -1)};

	w.server = testca_leaf(&w.fresh, "CN=edge", DVT_EKU_SERVER);
	dvt_x509_fingerprint(w.old.cert, w.old_fp);
	dvt_x509_fingerprint(w.fresh.cert, w.fresh_fp);
	add_root(t, 1, "old", &w.old, w.old_fp);
	add_root(t, 2, "new", &w.fresh, w.fresh_fp);
	put(t, "trust_store", "digest = 'both', anchors = '[\"%s\", \"%s\"]'",
	    w.old_fp, w.fresh_fp);
	put(t, "trust_store", "digest = 'old', anchors = '[\"%s\", \"own\"]'",
	    w.old_fp);
	for (size_t i = 0; i < DVT_COUNT(devices); i++)
		put(t, "device", "device_id = '%s', state = 'active'",
		    devices[i]);
	put(t, "device", "device_id = 'dev-gone', state = 'retired'");
	put(t, "trust_state", "device_id = 'dev-both', digest = 'both'");
	put(t, "trust_state", "device_id = 'dev-old', digest = 'old'");
	put(t, "chain_seen",
	    "device_id = 'dev-seen', root = '%s', form = 'pure', "
	    "last_ok_at = 5",
	    w.fresh_fp);
	put(t, "chain_seen",
	    "device_id = 'dev-bad', root = '%s', form = 'pure', "
	    "last_ok_at = 5, last_bad_at = 6",
	    w.fresh_fp);
	return w;
}

static void
world_fini(struct world *w)
{
	testca_fini(&w->old);
	testca_fini(&w->fresh);
	testca_fini(&w->server);
}

static char *
body_of(X509 *leaf, X509 *second, const char *device)
{
	struct dvt_chain chain = testca_chain(leaf, second, NULL);
	struct dvt_buf pem;
	json_t *body;
	char *text;

	dvt_buf_init(&pem, DVT_CHAIN_PEM_MAX);
	assert_int_equal(dvt_chain_to_pem(&chain, &pem, NULL), DVT_OK);
	body = json_pack(
	    "{s:s, s:b}", "certificateChain", dvt_buf_str(&pem), "dryRun", 1);
	if (device != NULL)
		json_object_set_new(body, "deviceId", json_string(device));
	text = json_dumps(body, 0);
	json_decref(body);
	dvt_chain_fini(&chain);
	dvt_buf_fini(&pem);
	return text;
}

static void
validate(struct test_api *t, int status, char *body)
{
	ask_for(t, status, "viewer", "POST", "/gateway/certificates/validate",
	    body);
	free(body);
}

static void
each_device_gets_a_verdict_and_openssls_reason(void **state)
{
	static const struct {
		const char *device, *verdict, *reason;
	} want[] = {
	    {"dev-bad",  "refused",  "was seen to refuse it"                 },
	    {"dev-old",  "refused",  "unable to get local issuer certificate"},
	    {"dev-mute", "unknown",
             "has not told what it trusts, and no "
		"handshake shows it"					 },
	    {"dev-both", "accepted", ""                                      },
	    {"dev-seen", "accepted", "was seen to accept it"                 },
	};
	struct test_api *t = *state;
	struct world w = world_make(t);
	char path[64];

	validate(t, 200, body_of(w.server.cert, NULL, NULL));
	assert_at(t, "sum", "{\"accepted\":2,\"refused\":2,\"unknown\":1}");
	assert_at(t, "root", w.fresh_fp);
	for (size_t i = 0; i < DVT_COUNT(want); i++) {
		(void)snprintf(path, sizeof(path), "items.%zu.device", i);
		assert_at(t, path, want[i].device);
		(void)snprintf(path, sizeof(path), "items.%zu.verdict", i);
		assert_at(t, path, want[i].verdict);
		(void)snprintf(path, sizeof(path), "items.%zu.reason", i);
		assert_at(t, path, want[i].reason);
	}
	assert_at(t, "items.5", "");
	world_fini(&w);
}

static void
one_device_may_be_asked_for(void **state)
{
	struct test_api *t = *state;
	struct world w = world_make(t);

	validate(t, 200, body_of(w.server.cert, NULL, "dev-old"));
	assert_at(t, "items.0.verdict", "refused");
	assert_at(t, "items.1", "");
	validate(t, 404, body_of(w.server.cert, NULL, "dev-x"));
	world_fini(&w);
}

static void
a_cross_certificate_in_the_chain_helps(void **state)
{
	struct test_api *t = *state;
	struct world w = world_make(t);
	X509 *cross = testca_cross(&w.fresh, &w.old);

	validate(t, 200, body_of(w.server.cert, cross, "dev-old"));
	assert_at(t, "items.0.verdict", "accepted");
	X509_free(cross);
	world_fini(&w);
}

static void
a_chain_that_does_not_build_is_refused(void **state)
{
	struct test_api *t = *state;
	struct world w = world_make(t);

	validate(t, 400, body_of(w.server.cert, w.old.cert, NULL));
	assert_non_null(strstr(at(t, "detail"), "is not issued by"));
	validate(t, 400, body_of(w.fresh.cert, NULL, NULL));
	ask_for(t, 400, "viewer", "POST", "/gateway/certificates/validate",
	    "{\"certificateChain\": \"nothing\"}");
	ask_for(
	    t, 400, "viewer", "POST", "/gateway/certificates/validate", "{}");
	world_fini(&w);
}

static void
machines_are_the_tables_of_the_engine(void **state)
{
	struct test_api *t = *state;
	char target[128];

	get(t, "/v1/machines");
	assert_string_not_equal(at(t, "items.0"), "");
	(void)snprintf(
	    target, sizeof(target), "/v1/machines/%s", at(t, "items.0"));
	ask_for(t, 200, "viewer", "GET", target, NULL);
	assert_string_not_equal(at(t, "edges.0.from"), "");
	ask_for(t, 404, "viewer", "GET", "/v1/machines/steam", NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    test_api(each_device_gets_a_verdict_and_openssls_reason),
	    test_api(one_device_may_be_asked_for),
	    test_api(a_cross_certificate_in_the_chain_helps),
	    test_api(a_chain_that_does_not_build_is_refused),
	    test_api(machines_are_the_tables_of_the_engine),
	};

	return cmocka_run_group_tests_name("api validate", tests, NULL, NULL);
}
