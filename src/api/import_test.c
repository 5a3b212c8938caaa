/* SPDX-License-Identifier: Apache-2.0 */
#include "api/api_test.h"

#include "pki/testca.h"
#include "wire/json.h"
#include "wire/pem.h"

#include <stdio.h>

/* The old world: a root, an issuing CA beneath it, a stranger. */
struct world {
	struct test_api *t;
	struct testca root, issuing, server_only, stranger;
};

static void
add_authority(struct test_api *t, int id, const char *name, int root,
    const struct testca *ca, int device)
{
	struct dvt_buf der;
	char hex[2 * DVT_CERT_DER_MAX + 1], fingerprint[DVT_DIGEST_HEX];

	dvt_buf_init(&der, DVT_CERT_DER_MAX);
	assert_int_equal(dvt_x509_to_der(ca->cert, &der, NULL), DVT_OK);
	dvt_hex(der.p, der.n, hex, sizeof(hex));
	dvt_x509_fingerprint(ca->cert, fingerprint);
	put(t, "authority",
	    "id = %d, name = '%s', state = 'active', root_id = %d, "
	    "is_root = %d, use_device = %d, use_server = 1, "
	    "fingerprint = '%s', der = x'%s'",
	    id, name, root, id == root, device, fingerprint, hex);
	dvt_buf_fini(&der);
}

static struct world
world_make(struct test_api *t)
{
	struct world w = {.t = t,
	    .root = testca_make(NULL, "CN=old-root", -1),
	    .server_only = testca_make(NULL, "CN=servers", -1),
	    .stranger = testca_make(NULL, "CN=stranger", -1)};

	w.issuing = testca_make(&w.root, "CN=issuing", 0);
	add_authority(t, 1, "old-root", 1, &w.root, 1);
	add_authority(t, 2, "servers", 2, &w.server_only, 0);
	return w;
}

static void
world_fini(struct world *w)
{
	testca_fini(&w->root);
	testca_fini(&w->issuing);
	testca_fini(&w->server_only);
	testca_fini(&w->stranger);
}

static char *
pem_of(X509 *cert)
{
	struct dvt_buf pem;

	dvt_buf_init(&pem, DVT_CERT_PEM_MAX);
	assert_int_equal(dvt_x509_to_pem(cert, &pem, NULL), DVT_OK);
	return dvt_buf_take_str(&pem);
}

/* A line for @cert; @more: further fields as JSON, or NULL. */
static void
add_line(struct dvt_buf *body, X509 *cert, const char *more)
{
	char *pem = pem_of(cert);
	json_t *line = json_pack("{s:s}", "certificate_pem", pem), *fields;

	if (more != NULL) {
		assert_int_equal(
		    dvt_json_parse(dvt_span_str(more), 65536, &fields, NULL),
		    DVT_OK);
		json_object_update_new(line, fields);
	}
	dvt_json_put(body, line);
	dvt_buf_putc(body, '\n');
	json_decref(line);
	free(pem);
}

static void
send(struct world *w, struct dvt_buf *body)
{
	ask_for(w->t, 200, "operator", "POST", "/v1/devices/import",
	    dvt_buf_str(body));
	dvt_buf_reset(body);
}

static void
assert_result(
    struct test_api *t, size_t i, const char *result, const char *reason)
{
	char path[64];

	(void)snprintf(path, sizeof(path), "items.%zu.result", i);
	if (strcmp(at(t, path), result) != 0) {
		(void)snprintf(path, sizeof(path), "items.%zu", i);
		fail_msg("line %zu: %s", i, at(t, path));
	}
	(void)snprintf(path, sizeof(path), "items.%zu.reason", i);
	if (strstr(at(t, path), reason) == NULL)
		fail_msg("line %zu: %s", i, at(t, path));
}

static void
a_fleet_is_taken_in_once_however_often_it_is_sent(void **state)
{
	struct world w = world_make(*state);
	struct testca a = testca_leaf(&w.root, "CN=dev-a", DVT_EKU_CLIENT);
	struct testca b = testca_leaf(&w.issuing, "CN=dev-b", DVT_EKU_CLIENT);
	char *chain = pem_of(w.issuing.cert), fingerprint[DVT_DIGEST_HEX];
	json_t *more = json_pack(
	    "{s:s, s:s}", "chain_pem", chain, "model", "M1");
	char *text = json_dumps(more, 0);
	struct dvt_buf body;

	dvt_buf_init(&body, DVT_BODY_MAX);
	for (int i = 0; i < 2; i++) {
		const char *result = i == 0 ? "new" : "same";

		add_line(&body, a.cert, NULL);
		dvt_buf_putc(&body, '\n');
		add_line(&body, b.cert, text);
		send(&w, &body);
		assert_result(w.t, 0, result, "null");
		assert_result(w.t, 1, result, "null");
		assert_at(w.t, "refused", "0");
	}
	get(w.t, "/v1/devices/dev-b");
	assert_at(w.t, "model", "M1");
	assert_at(w.t, "state", "active");
	assert_at(w.t, "subject", "CN=dev-b");
	assert_at(w.t, "credentials.0.state", "active");
	assert_at(w.t, "credentials.0.source", "import");
	assert_at(w.t, "credentials.0.authority", "null");
	dvt_x509_fingerprint(w.root.cert, fingerprint);
	assert_at(w.t, "credentials.0.root", fingerprint);
	assert_at(w.t, "credentials.1", "");
	get(w.t, "/v1/devices/dev-a");
	assert_at(w.t, "credentials.0.authority", "old-root");
	free(chain);
	free(text);
	json_decref(more);
	dvt_buf_fini(&body);
	testca_fini(&a);
	testca_fini(&b);
	world_fini(&w);
}

static void
what_cannot_be_taken_is_told_line_by_line(void **state)
{
	struct world w = world_make(*state);
	struct testca server = testca_leaf(&w.root, "CN=gw", DVT_EKU_SERVER);
	struct testca alien = testca_leaf(&w.stranger, "CN=x", DVT_EKU_CLIENT);
	struct testca wrong = testca_leaf(
	    &w.server_only, "CN=y", DVT_EKU_CLIENT);
	struct testca nameless = testca_leaf(&w.root, "O=none", DVT_EKU_CLIENT);
	struct testca first = testca_leaf(&w.root, "CN=d1", DVT_EKU_CLIENT);
	X509 *twin = testca_issue(
	    &w.root, "CN=d2", first.key, testca_leaf_fields(DVT_EKU_CLIENT));
	struct dvt_buf body;

	dvt_buf_init(&body, DVT_BODY_MAX);
	add_line(&body, server.cert, NULL);
	add_line(&body, w.issuing.cert, NULL);
	add_line(&body, alien.cert, NULL);
	add_line(&body, wrong.cert, NULL);
	add_line(&body, nameless.cert, NULL);
	add_line(&body, first.cert, NULL);
	add_line(&body, twin, NULL);
	add_line(&body, first.cert, "{\"device_id\": \"other\"}");
	add_line(&body, first.cert, "{\"colour\": \"red\"}");
	add_line(&body, first.cert, "{\"status\": \"X\"}");
	add_line(&body, first.cert, "{\"environment\": \"space\"}");
	add_line(&body, first.cert, "{\"certificate_pem\": \"nonsense\"}");
	dvt_buf_puts(&body, "{\"broken\n");
	dvt_buf_puts(&body, "{}\n");
	send(&w, &body);
	assert_result(w.t, 0, "refused", "no clientAuth");
	assert_result(w.t, 1, "refused", "leaf is a CA");
	assert_result(
	    w.t, 2, "refused", "issuer CN=stranger is not known here");
	assert_result(w.t, 3, "refused", "servers is not for certificates of");
	assert_result(w.t, 4, "refused", "is no device id");
	assert_result(w.t, 5, "new", "null");
	assert_result(w.t, 6, "refused", "its key is used by another device");
	assert_result(w.t, 7, "refused", "is known as that of d1");
	assert_result(w.t, 8, "refused", "unknown field \"colour\"");
	assert_result(w.t, 9, "refused", "\"X\" is none of V|R|E");
	assert_result(w.t, 10, "refused", "is none of pilot|production");
	assert_result(w.t, 11, "refused", "");
	assert_result(w.t, 12, "refused", "");
	assert_result(w.t, 13, "refused", "\"certificate_pem\" is missing");
	assert_at(w.t, "new", "1");
	assert_at(w.t, "refused", "13");
	get(w.t, "/v1/devices");
	assert_at(w.t, "items.0.device", "d1");
	assert_at(w.t, "items.1", "");
	dvt_buf_fini(&body);
	X509_free(twin);
	testca_fini(&server);
	testca_fini(&alien);
	testca_fini(&wrong);
	testca_fini(&nameless);
	testca_fini(&first);
	world_fini(&w);
}

static void
revoked_and_ended_certificates_come_in_as_such(void **state)
{
	struct world w = world_make(*state);
	struct dvt_issue old = testca_leaf_fields(DVT_EKU_CLIENT);
	struct testca r = testca_leaf(&w.root, "CN=dev-r", DVT_EKU_CLIENT);
	struct testca e = testca_leaf(&w.root, "CN=dev-e", DVT_EKU_CLIENT);
	struct testca v = testca_leaf(&w.root, "CN=dev-r", DVT_EKU_CLIENT);
	X509 *ended;
	struct dvt_buf body;

	old.not_before = TEST_NOW - 86400;
	old.not_after = TEST_NOW - 10;
	ended = testca_issue(&w.root, "CN=dev-e", e.key, old);
	dvt_buf_init(&body, DVT_BODY_MAX);
	add_line(&body, r.cert, "{\"status\": \"R\"}");
	add_line(&body, ended, NULL);
	send(&w, &body);
	assert_at(w.t, "new", "2");
	assert_non_null(strstr(w.t->core.log, "feed deny "));
	get(w.t, "/v1/devices/dev-r");
	assert_at(w.t, "state", "blocked");
	assert_at(w.t, "credentials.0.state", "revoked");
	get(w.t, "/v1/devices/dev-e");
	assert_at(w.t, "state", "parked");
	assert_at(w.t, "credentials.0.state", "expired");
	add_line(&body, v.cert, NULL);
	add_line(&body, e.cert, NULL);
	send(&w, &body);
	assert_at(w.t, "new", "2");
	get(w.t, "/v1/devices/dev-r");
	assert_at(w.t, "state", "active");
	get(w.t, "/v1/devices/dev-e");
	assert_at(w.t, "state", "active");
	add_line(&body, v.cert, "{\"status\": \"R\", \"model\": \"M9\"}");
	send(&w, &body);
	assert_result(w.t, 0, "changed", "null");
	get(w.t, "/v1/devices/dev-r");
	assert_at(w.t, "credentials.0.state", "revoked");
	assert_at(w.t, "model", "M9");
	dvt_buf_fini(&body);
	X509_free(ended);
	testca_fini(&r);
	testca_fini(&e);
	testca_fini(&v);
	world_fini(&w);
}

/* What our own issuing would refuse to make. */
static X509 *
self_signed_rsa_1024(const char *name)
{
	EVP_PKEY *key = EVP_RSA_gen(1024);
	X509 *cert = X509_new();
	X509_NAME *subject = X509_get_subject_name(cert);

	X509_set_version(cert, X509_VERSION_3);
	ASN1_INTEGER_set(X509_get_serialNumber(cert), 7);
	X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC,
	    (const unsigned char *)name, -1, -1, 0);
	X509_set_issuer_name(cert, subject);
	X509_gmtime_adj(X509_getm_notBefore(cert), -60);
	X509_gmtime_adj(X509_getm_notAfter(cert), 86400);
	X509_set_pubkey(cert, key);
	assert_true(X509_sign(cert, key, EVP_sha256()) > 0);
	EVP_PKEY_free(key);
	return cert;
}

static void
self_signed_certificates_are_pinned(void **state)
{
	struct world w = world_make(*state);
	struct testca own = testca_make(NULL, "CN=lonely", -1);
	struct testca other = testca_make(NULL, "CN=lonely", -1);
	X509 *weak = self_signed_rsa_1024("weak");
	struct dvt_buf body;

	dvt_buf_init(&body, DVT_BODY_MAX);
	add_line(&body, own.cert, NULL);
	add_line(&body, w.root.cert, NULL);
	send(&w, &body);
	assert_result(w.t, 0, "new", "null");
	assert_result(w.t, 1, "refused", "of authority old-root");
	get(w.t, "/v1/devices/lonely");
	assert_at(w.t, "credentials.0.pinned", "true");
	/* again is the same; another one does not take its place */
	dvt_buf_reset(&body);
	add_line(&body, own.cert, NULL);
	add_line(&body, other.cert, NULL);
	add_line(&body, weak, NULL);
	send(&w, &body);
	assert_result(w.t, 0, "same", "null");
	assert_result(w.t, 1, "refused", "revoke that one first");
	assert_result(w.t, 2, "refused", "kind or size");
	dvt_buf_fini(&body);
	X509_free(weak);
	testca_fini(&other);
	testca_fini(&own);
	world_fini(&w);
}

static void
ids_come_from_where_it_is_said(void **state)
{
	struct world w = world_make(*state);
	struct dvt_san san = {.kind = DVT_SAN_DNS, .text = "pump-7.example"};
	struct dvt_issue fields = testca_leaf_fields(DVT_EKU_CLIENT);
	struct testca a = testca_leaf(&w.root, "CN=a", DVT_EKU_CLIENT);
	struct testca b = testca_leaf(&w.root, "CN=b", DVT_EKU_CLIENT);
	char serial[DVT_SERIAL_HEX];
	X509 *named;
	struct dvt_buf body;

	fields.sans = &san;
	fields.sans_n = 1;
	named = testca_issue(&w.root, "CN=c", a.key, fields);
	dvt_buf_init(&body, DVT_BODY_MAX);
	add_line(&body, named, "{\"id_from\": \"san\"}");
	add_line(&body, b.cert, "{\"id_from\": \"serial\"}");
	add_line(&body, b.cert, "{\"id_from\": \"san\"}");
	send(&w, &body);
	assert_at(w.t, "items.0.device", "pump-7.example");
	dvt_x509_serial(b.cert, serial);
	assert_at(w.t, "items.1.device", serial);
	assert_result(w.t, 2, "refused", "no alternative name");
	dvt_buf_fini(&body);
	X509_free(named);
	testca_fini(&a);
	testca_fini(&b);
	world_fini(&w);
}

static void
a_request_has_at_most_500_lines(void **state)
{
	struct world w = world_make(*state);
	struct dvt_buf body;

	dvt_buf_init(&body, DVT_BODY_MAX);
	for (int i = 0; i < 501; i++)
		dvt_buf_puts(&body, "{}\n");
	ask_for(w.t, 413, "operator", "POST", "/v1/devices/import",
	    dvt_buf_str(&body));
	dvt_buf_fini(&body);
	world_fini(&w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    test_api(a_fleet_is_taken_in_once_however_often_it_is_sent),
	    test_api(what_cannot_be_taken_is_told_line_by_line),
	    test_api(revoked_and_ended_certificates_come_in_as_such),
	    test_api(self_signed_certificates_are_pinned),
	    test_api(ids_come_from_where_it_is_said),
	    test_api(a_request_has_at_most_500_lines),
	};

	return cmocka_run_group_tests_name("api import", tests, NULL, NULL);
}
