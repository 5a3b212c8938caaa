/* SPDX-License-Identifier: Apache-2.0 */
/* Path validation against cases written by others: tests/vectors/README.md. */
#include "pki/verify.h"

#include "pki/x509.h"
#include "wire/json.h"
#include "wire/pem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#define FILE_MAX 4194304 /* bytes; the cases are 1.1 MiB */

static const char *dir;

static void
read_file(const char *name, struct dvt_buf *out)
{
	char path[512], chunk[8192];
	size_t n;
	FILE *f;

	(void)snprintf(path, sizeof(path), "%s/%s", dir, name);
	dvt_buf_init(out, FILE_MAX);
	if ((f = fopen(path, "re")) == NULL)
		fail_msg("%s is not there", path);
	while ((n = fread(chunk, 1, sizeof(chunk), f)) > 0)
		dvt_buf_put(out, chunk, n);
	(void)fclose(f);
}

/* The tier of a case, from "id expected openssl live tier features". */
static const char *
tier_of(const char *table, const char *id, char out[32])
{
	size_t n = strlen(id);
	const char *line = table;

	for (; line != NULL && *line != '\0'; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (strncmp(line, id, n) != 0 || line[n] != '\t')
			continue;
		if (sscanf(line + n, "\t%*s\t%*s\t%*s\t%31s", out) != 1)
			fail_msg("%s: no tier", id);
		return out;
	}
	fail_msg("%s: not in the table", id);
	return NULL;
}

static int64_t
time_of(const json_t *test)
{
	const char *text = json_string_value(
	    json_object_get(test, "validation_time"));
	struct tm tm = {0};

	if (text == NULL)
		return (int64_t)time(NULL);
	assert_non_null(strptime(text, "%Y-%m-%dT%H:%M:%S", &tm));
	return (int64_t)timegm(&tm);
}

/* Anchors and lists; a certificate we cannot read is one nobody trusts. */
static struct dvt_trust *
trust_of(const json_t *test)
{
	const json_t *pems = json_object_get(test, "trusted_certs");
	const json_t *crls = json_object_get(test, "crls");
	struct dvt_trust *trust = NULL;
	X509 *anchors[16];
	size_t n = 0;

	for (size_t i = 0; i < json_array_size(pems) && n < 16; i++) {
		const char *pem = json_string_value(json_array_get(pems, i));

		if (dvt_x509_from_pem(dvt_span_str(pem), &anchors[n], NULL) ==
		    DVT_OK)
			n++;
	}
	assert_int_equal(
	    dvt_trust_new(anchors, n, DVT_TRUST_PARTIAL, &trust, NULL), DVT_OK);
	while (n > 0)
		X509_free(anchors[--n]);
	for (size_t i = 0; i < json_array_size(crls); i++) {
		struct dvt_span pem = dvt_span_str(
		    json_string_value(json_array_get(crls, i)));
		struct dvt_buf der;

		dvt_buf_init(&der, FILE_MAX);
		assert_int_equal(
		    dvt_pem_take(&pem, DVT_PEM_CRL, &der, NULL), DVT_OK);
		assert_int_equal(
		    dvt_trust_add_crl(trust, dvt_buf_span(&der), NULL), DVT_OK);
		dvt_buf_fini(&der);
	}
	return trust;
}

static enum dvt_code
shown_of(const json_t *test, struct dvt_chain *out, struct dvt_err *err)
{
	const json_t *rest = json_object_get(test, "untrusted_intermediates");
	struct dvt_buf pem;
	enum dvt_code rc;

	dvt_buf_init(&pem, FILE_MAX);
	dvt_buf_puts(
	    &pem, json_string_value(json_object_get(test, "peer_certificate")));
	for (size_t i = 0; i < json_array_size(rest); i++) {
		dvt_buf_putc(&pem, '\n');
		dvt_buf_puts(&pem, json_string_value(json_array_get(rest, i)));
	}
	rc = dvt_chain_from_pem(dvt_buf_span(&pem), out, err);
	dvt_buf_fini(&pem);
	return rc;
}

static bool
accepted(const json_t *test, struct dvt_err *err)
{
	const json_t *depth = json_object_get(test, "max_chain_depth");
	struct dvt_verify how = {.purpose = DVT_FOR_CLIENT,
	    .now = time_of(test),
	    .max_depth = (int)json_integer_value(depth),
	    .edge = true};
	struct dvt_trust *trust = trust_of(test);
	struct dvt_chain shown = {0};
	struct dvt_verdict verdict;
	enum dvt_code rc;

	if (json_is_integer(depth) && how.max_depth == 0)
		how.max_depth = -1; /* no intermediate at all */
	rc = shown_of(test, &shown, err);
	if (rc == DVT_OK)
		rc = dvt_trust_verify(trust, &shown, &how, &verdict, err);
	dvt_chain_fini(&shown);
	dvt_trust_free(trust);
	return rc == DVT_OK;
}

struct tally {
	unsigned right, wrong, known;
};

static void
run_case(const json_t *test, const char *table, struct tally *t)
{
	const char *id = json_string_value(json_object_get(test, "id"));
	const char *expected = json_string_value(
	    json_object_get(test, "expected_result"));
	struct dvt_err err;
	char tier[32];
	bool want, got;

	(void)tier_of(table, id, tier);
	want = strcmp(expected, "SUCCESS") == 0 &&
	       strcmp(tier, "strict-reject") != 0;
	got = accepted(test, &err);
	if (got)
		(void)dvt_fail(&err, DVT_E_INPUT, "accepted");
	if (got == want) {
		t->right++;
	} else if (strcmp(tier, "info") == 0) {
		t->known++;
		print_message("# known difference: %s: %s\n", id, err.text);
	} else {
		t->wrong++;
		print_error("%s (%s): %s\n", id, tier, err.text);
	}
}

static void
every_must_and_strict_case_is_judged_right(void **state)
{
	struct dvt_buf cases, table;
	struct tally t = {0};
	struct dvt_err err;
	const json_t *list;
	json_t *all;

	(void)state;
	read_file("limbo-client.json", &cases);
	read_file("expected-client.tsv", &table);
	if (dvt_json_parse(dvt_buf_span(&cases), FILE_MAX, &all, &err) !=
	    DVT_OK)
		fail_msg("%s", err.text);
	list = json_object_get(all, "testcases");
	assert_int_equal(json_array_size(list), 156);
	for (size_t i = 0; i < json_array_size(list); i++)
		run_case(json_array_get(list, i), dvt_buf_str(&table), &t);
	print_message("# %u right, %u known differences, %u wrong\n", t.right,
	    t.known, t.wrong);
	assert_int_equal(t.wrong, 0);
	json_decref(all);
	dvt_buf_fini(&cases);
	dvt_buf_fini(&table);
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_must_and_strict_case_is_judged_right),
	};

	if (argc != 2) {
		(void)fprintf(stderr, "usage: limbo_test DIRECTORY\n");
		return 64;
	}
	dir = argv[1];
	return cmocka_run_group_tests(tests, NULL, NULL);
}
