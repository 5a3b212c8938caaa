/* SPDX-License-Identifier: Apache-2.0 */
/* Settings and files as a folder has them, and on their way to a worker. */
#include "gateway/files.h"

#include "base/mem.h"
#include "gateway/stats.h"
#include "ipc/fields.h"
#include "pki/crl.h"
#include "pki/crl_read.h"
#include "pki/testca.h"
#include "wire/pem.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char folder[] = "/tmp/gateway-files-XXXXXX";
static struct testca root, edge, other, devices, dev;

static void
write_file(const char *name, struct dvt_span text)
{
	char path[128];
	FILE *f;

	(void)snprintf(path, sizeof(path), "%s/%s", folder, name);
	assert_non_null(f = fopen(path, "we"));
	assert_int_equal(fwrite(text.p, 1, text.n, f), text.n);
	assert_int_equal(fclose(f), 0);
}

static void
write_pair(const char *name, const struct testca *of)
{
	struct dvt_buf pem;
	char file[64];

	dvt_buf_init(&pem, DVT_CERT_PEM_MAX);
	assert_int_equal(dvt_x509_to_pem(of->cert, &pem, NULL), DVT_OK);
	(void)snprintf(file, sizeof(file), "%s.pem", name);
	write_file(file, dvt_buf_span(&pem));
	dvt_buf_reset(&pem);
	assert_int_equal(dvt_key_to_pem(of->key, &pem, NULL), DVT_OK);
	(void)snprintf(file, sizeof(file), "%s.key", name);
	write_file(file, dvt_buf_span(&pem));
	dvt_buf_fini(&pem);
}

static struct dvt_span
serial_of(size_t i, uint8_t out[16])
{
	const uint8_t serial[16] = {1, 0, 0, (uint8_t)(i >> 16),
	    (uint8_t)(i >> 8), (uint8_t)i, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7};

	memcpy(out, serial, sizeof(serial));
	return (struct dvt_span){out, sizeof(serial)};
}

/* A list of @n serials that ended @late seconds ago; with @back the last is
 * taken back, which has to be read whole. */
static void
write_list(const char *name, size_t n, int64_t late, bool back)
{
	struct dvt_crl *c;
	struct dvt_buf der, pem;

	dvt_buf_init(&der, DVT_CRL_DER_MAX);
	dvt_buf_init(&pem, DVT_CRL_DER_MAX);
	assert_int_equal(dvt_crl_new(devices.cert, 1, TESTCA_NOW - 9999,
			     TESTCA_NOW - late, &c, NULL),
	    DVT_OK);
	for (size_t i = 0; i < n; i++) {
		uint8_t serial[16];

		dvt_crl_add(c, serial_of(i, serial), TESTCA_NOW - 9999,
		    back && i + 1 == n ? (enum dvt_crl_reason)8
				       : DVT_CRL_UNSPECIFIED);
	}
	assert_int_equal(dvt_crl_finish(c, devices.key, &der, NULL), DVT_OK);
	dvt_crl_free(c);
	dvt_pem_put(&pem, DVT_PEM_CRL, dvt_buf_span(&der));
	write_file(name, dvt_buf_span(&pem));
	dvt_buf_fini(&der);
	dvt_buf_fini(&pem);
}

static void
write_crl(const char *name, size_t n, int64_t late)
{
	write_list(name, n, late, false);
}

/* Does it name the number @i of these lists? */
static bool
names(X509_CRL *crl, size_t i)
{
	uint8_t serial[16];
	ASN1_INTEGER *number = ASN1_INTEGER_new();
	X509_REVOKED *found;
	bool yes;

	assert_int_equal(
	    ASN1_STRING_set(number, serial_of(i, serial).p, 16), 1);
	yes = X509_CRL_get0_by_serial(crl, &found, number) == 1;
	ASN1_INTEGER_free(number);
	return yes;
}

static enum dvt_code
load_at(const char *ini, int64_t now, const struct gw_files *before,
    struct gw_files *out, struct dvt_err *err)
{
	struct dvt_config *config;
	struct gw_settings s;
	char path[128];
	enum dvt_code rc;

	(void)snprintf(path, sizeof(path), "%s/gw.ini", folder);
	write_file("gw.ini", dvt_span_str(ini));
	*out = (struct gw_files){.max_depth = 77};
	if ((rc = gw_settings_load(path, NULL, &config, &s, err)) != DVT_OK)
		return rc;
	rc = gw_files_load(&s, now, out, err);
	if (rc == DVT_OK && before != NULL)
		rc = gw_files_check_dates(&s, out, before, now, err);
	dvt_config_free(config);
	return rc;
}

static enum dvt_code
load(const char *ini, struct gw_files *out, struct dvt_err *err)
{
	return load_at(ini, TESTCA_NOW, NULL, out, err);
}

#define BASE                                                                   \
	"[gateway]\nupstream = 127.0.0.1:1\ncertificate = edge.pem\n"          \
	"key = edge.key\nclient-ca = devices.pem\n"

static void
a_worker_gets_what_the_files_say(void **state)
{
	struct gw_files f, got;
	struct gw_crl_parts parts = {.n = 0};
	struct dvt_buf body;
	struct dvt_fields in;
	size_t messages = 0;

	(void)state;
	write_list("big.crl", 130000, -9999, true); /* two messages */
	write_list("one.crl", 1, -9999, true);
	write_crl("many.crl", 30000, -9999); /* in the shelf */
	write_crl("small.crl", 1, -9999);
	assert_int_equal(
	    load(BASE
		"crl = many.crl big.crl small.crl one.crl\nverify-depth = 0\n"
		"[credential more]\ncertificate = other.pem\n"
		"key = other.key\nnames = a.example *.b.example\n"
		"root = root.pem\n",
		&f, NULL),
	    DVT_OK);
	dvt_buf_init(&body, DVT_IPC_BODY_MAX);
	for (size_t i = 0; i < f.crl_n; i++) {
		size_t from = 0, n;

		while ((n = gw_crl_part_put(&f, i, from, &body)) > 0) {
			in = dvt_fields_of(dvt_buf_span(&body));
			assert_int_equal(
			    gw_crl_part_get(&in, &parts, NULL), DVT_OK);
			dvt_buf_reset(&body);
			from += n;
			messages++;
		}
	}
	assert_int_equal(messages, 3);
	gw_files_put(&f, &body);
	in = dvt_fields_of(dvt_buf_span(&body));
	assert_int_equal(
	    gw_files_get(&in, dvt_shelf_fd(f.denied), &parts, &got, NULL),
	    DVT_OK);
	assert_int_equal(parts.n, 0);
	assert_int_equal(got.max_depth, -1); /* no intermediate at all */
	assert_int_equal(got.pairs_n, 2);
	assert_string_equal(got.pair[0].id, "file");
	assert_string_equal(got.pair[1].id, "file:more");
	assert_int_equal(got.pair[1].names.n, 2);
	assert_string_equal(got.pair[1].names.v[1], "*.b.example");
	assert_int_equal(X509_cmp(got.pair[1].root, root.cert), 0);
	assert_int_equal(X509_cmp(got.pair[1].chain.cert[0], other.cert), 0);
	assert_true(dvt_key_same(got.pair[1].key, other.key));
	assert_int_equal(got.anchor_n, 1);
	assert_int_equal(got.crl_n, 4);
	gw_files_fini(&f); /* what was got stands by itself */
	assert_int_equal(dvt_crl_count(got.crl[1]), 130000);
	assert_int_equal(dvt_crl_count(got.crl[3]), 1);
	assert_true(names(got.crl[0], 0) && names(got.crl[0], 29999));
	assert_false(names(got.crl[0], 30000));
	assert_true(names(got.crl[1], 129998) && !names(got.crl[1], 130000));
	assert_true(names(got.crl[2], 0) && !names(got.crl[2], 1));
	for (size_t i = 0; i < got.crl_n; i++)
		assert_int_equal(X509_CRL_verify(got.crl[i], devices.key), 1);
	gw_files_fini(&got);
	dvt_buf_fini(&body);
}

static void
a_broken_message_of_a_list_is_refused(void **state)
{
	struct gw_crl_parts parts = {.n = 0};
	struct dvt_buf body;
	struct dvt_fields in;

	(void)state;
	dvt_buf_init(&body, 4096);
	dvt_put_u64(&body, 1); /* the second before the first */
	dvt_put_bytes(&body, DVT_SPAN_LIT("x"));
	in = dvt_fields_of(dvt_buf_span(&body));
	assert_int_equal(gw_crl_part_get(&in, &parts, NULL), DVT_E_CONFLICT);
	dvt_buf_reset(&body);
	dvt_put_u64(&body, GW_CRLS_MAX);
	dvt_put_bytes(&body, DVT_SPAN_LIT("x"));
	in = dvt_fields_of(dvt_buf_span(&body));
	assert_int_equal(gw_crl_part_get(&in, &parts, NULL), DVT_E_INPUT);
	assert_int_equal(parts.n, 0);
	dvt_buf_fini(&body);
}

static void
doubts_are_told_and_do_not_refuse(void **state)
{
	struct gw_files f;
	const char *event;
	char text[DVT_DOUBT_MAX];

	(void)state;
	write_crl("late.crl", 1, 60);
	write_file("junk", DVT_SPAN_LIT("junk"));
	assert_int_equal(
	    load(BASE "crl = late.crl\nstaple = junk\nroot = root.pem\n", &f,
		NULL),
	    DVT_OK);
	assert_non_null(gw_files_doubt(&f, TESTCA_NOW, 0, &event, text));
	assert_string_equal(event, "gateway.crl.stale");
	assert_string_equal(text,
	    "CRL of CN=Devices: out of date since 2025-11-30T23:59:00Z; what "
	    "it names stays refused");
	assert_non_null(gw_files_doubt(&f, TESTCA_NOW, 1, &event, text));
	assert_string_equal(event, "gateway.staple.refused");
	assert_null(gw_files_doubt(&f, TESTCA_NOW, 2, &event, text));
	gw_files_fini(&f);
}

static void
an_anchor_that_lets_nobody_in_is_told(void **state)
{
	struct gw_files f;
	struct dvt_buf pem;
	const char *event;
	char text[DVT_DOUBT_MAX];

	(void)state;
	dvt_buf_init(&pem, DVT_CHAIN_PEM_MAX);
	assert_int_equal(dvt_x509_to_pem(dev.cert, &pem, NULL), DVT_OK);
	assert_int_equal(dvt_x509_to_pem(devices.cert, &pem, NULL), DVT_OK);
	write_file("mixed.pem", dvt_buf_span(&pem));
	dvt_buf_fini(&pem);
	assert_int_equal(load("[gateway]\nupstream = 127.0.0.1:1\n"
			      "certificate = edge.pem\nkey = edge.key\n"
			      "client-ca = mixed.pem\n",
			     &f, NULL),
	    DVT_OK);
	assert_non_null(gw_files_doubt(&f, TESTCA_NOW, 0, &event, text));
	assert_string_equal(event, "gateway.anchor.useless");
	assert_non_null(strstr(text, "is no CA"));
	assert_null(gw_files_doubt(&f, TESTCA_NOW, 1, &event, text));
	assert_non_null(gw_files_doubt(
	    &f, dvt_x509_not_after(devices.cert) + 1, 1, &event, text));
	assert_non_null(strstr(text, "ended at"));
	gw_files_fini(&f);
}

/* A new one is refused; what ended while it was in force stays, and is told. */
static void
a_certificate_that_ended_in_force_is_a_doubt(void **state)
{
	int64_t end = dvt_x509_not_after(edge.cert);
	struct gw_files f, again, none = {0};
	struct dvt_err err = {0};
	const char *event;
	char text[DVT_DOUBT_MAX];

	(void)state;
	assert_int_equal(load_at(BASE, end, &none, &f, &err), DVT_OK);
	assert_null(gw_files_doubt(&f, end, 0, &event, text));
	assert_false(gw_files_out_of_time(&f, end));
	assert_int_equal(load_at(BASE, end + 1, &f, &again, &err), DVT_OK);
	gw_files_fini(&f);
	assert_true(gw_files_out_of_time(&again, end + 1));
	assert_non_null(gw_files_doubt(&again, end + 1, 0, &event, text));
	assert_string_equal(event, "gateway.certificate.ended");
	assert_non_null(strstr(text, "credential file: ended at"));
	gw_files_fini(&again);
	/* a clock that is behind, as of a board without one */
	assert_int_equal(load_at(BASE, 0, NULL, &again, &err), DVT_OK);
	assert_true(gw_files_out_of_time(&again, 0));
	assert_non_null(gw_files_doubt(&again, 0, 0, &event, text));
	assert_string_equal(event, "gateway.certificate.early");
	gw_files_fini(&again);
	assert_int_equal(load_at(BASE, 0, &none, &again, &err), DVT_E_INPUT);
	gw_files_fini(&again);
	assert_int_equal(
	    load_at(BASE, end + 1, &none, &again, &err), DVT_E_INPUT);
	assert_non_null(strstr(err.text, "edge.pem: certificate 1 of 1"));
	gw_files_fini(&again);
}

static void
a_faulty_set_is_refused_with_its_file(void **state)
{
	static const struct {
		const char *ini;
		enum dvt_code want;
		const char *why;
	} cases[] = {
	    {BASE "crl = edge.pem\n",					  DVT_E_INPUT,  "edge.pem"         },
	    {BASE "crl = none.crl\n",					  DVT_E_ABSENT, "none.crl"         },
	    {BASE "cross = junk\n",					    DVT_E_INPUT,  "junk"             },
	    {BASE "[credential x]\nkey = other.key\n",                         DVT_E_INPUT,
             "x.certificate"										    },
	    {BASE "[credential x]\ncertificate = other.pem\nkey =\n",
             DVT_E_INPUT,								    "must not be empty"},
	    {BASE "[credential x]\ncertificate = other.pem\nkey = edge.key\n",
             DVT_E_CONFLICT,								 "edge.key"         },
	    {BASE "admin = 192.0.2.1:9\n",                                     DVT_E_INPUT,  "admin-open"       },
	    {BASE "admin = nowhere\n",					 DVT_E_INPUT,  "admin"            },
	    {BASE "verify-depth = 13\n",                                       DVT_E_INPUT,  "verify-depth"     },
	    {"[gateway]\nupstream = 127.0.0.1:1\nkey = edge.key\n",            DVT_E_INPUT,
             "go together"										      },
	};

	(void)state;
	write_file("junk", DVT_SPAN_LIT("junk"));
	for (size_t i = 0; i < DVT_COUNT(cases); i++) {
		struct gw_files f;
		struct dvt_err err = {0};
		enum dvt_code rc = load(cases[i].ini, &f, &err);

		if (rc != cases[i].want ||
		    strstr(err.text, cases[i].why) == NULL)
			fail_msg("case %zu: %d: %s", i, (int)rc, err.text);
		gw_files_fini(&f);
	}
}

static void
counts_reach_the_feed_process_and_add_up(void **state)
{
	struct gw_stats a = {.conns = 3,
	    .sessions = 2,
	    .resident_bytes = 9,
	    .failing = 2,
	    .stalled = 5,
	    .passed = 7};
	struct gw_stats b, sum = {0};
	struct dvt_buf body;
	int fd = gw_memory_open();

	(void)state;
	for (int o = 0; o < DVT_OUTCOME_N; o++)
		for (int r = 0; r < DVT_HR_N; r++)
			a.handshakes[o][r] = UINT32_MAX + (uint64_t)(o * r);
	dvt_buf_init(&body, 4096); /* the most that the channel takes */
	gw_stats_put(&a, &body);
	assert_int_equal(dvt_buf_ok(&body, "stats", NULL), DVT_OK);
	assert_int_equal(gw_stats_get(dvt_buf_span(&body), &b, NULL), DVT_OK);
	assert_memory_equal(&a, &b, sizeof(a));
	gw_stats_fold(&sum, &a);
	gw_stats_fold(&sum, &b);
	assert_int_equal(sum.sessions, 4);
	assert_int_equal(sum.stalled, 10);
	assert_int_equal(sum.passed, 14);
	assert_int_equal(sum.handshakes[1][1], 2 * a.handshakes[1][1]);
	assert_int_equal(
	    gw_stats_get((struct dvt_span){body.p, body.n - 1}, &b, NULL),
	    DVT_E_INPUT);
	assert_true(gw_memory_bytes(fd) > 100000);
	assert_int_equal(gw_memory_bytes(-1), 0);
	close(fd);
	dvt_buf_fini(&body);
}

static int
make(void **state)
{
	(void)state;
	assert_non_null(mkdtemp(folder));
	root = testca_make(NULL, "CN=Root", -1);
	edge = testca_leaf(&root, "CN=edge.example", DVT_EKU_SERVER);
	other = testca_leaf(&root, "CN=other.example", DVT_EKU_SERVER);
	devices = testca_make(NULL, "CN=Devices", -1);
	dev = testca_leaf(&devices, "CN=dev-1", DVT_EKU_CLIENT);
	write_pair("root", &root);
	write_pair("edge", &edge);
	write_pair("other", &other);
	write_pair("devices", &devices);
	return 0;
}

static int
drop(void **state)
{
	char command[64];

	(void)state;
	(void)snprintf(command, sizeof(command), "rm -r %s", folder);
	assert_int_equal(system(command), 0); // NOLINT: our own folder
	testca_fini(&root);
	testca_fini(&edge);
	testca_fini(&other);
	testca_fini(&devices);
	testca_fini(&dev);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_worker_gets_what_the_files_say),
	    cmocka_unit_test(a_broken_message_of_a_list_is_refused),
	    cmocka_unit_test(doubts_are_told_and_do_not_refuse),
	    cmocka_unit_test(an_anchor_that_lets_nobody_in_is_told),
	    cmocka_unit_test(a_certificate_that_ended_in_force_is_a_doubt),
	    cmocka_unit_test(a_faulty_set_is_refused_with_its_file),
	    cmocka_unit_test(counts_reach_the_feed_process_and_add_up),
	};

	return cmocka_run_group_tests(tests, make, drop);
}
