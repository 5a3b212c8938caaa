/* SPDX-License-Identifier: Apache-2.0 */
/* dovetail cert ...: certificates in the inventory, and files at hand. */
#include "cli/cli.h"
#include "base/clock.h"
#include "pki/crl_read.h"
#include "pki/verify.h"
#include "pki/x509.h"
#include "wire/pem.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define ROOTS_MAX    (1 << 20) /* bytes of a file of anchors */
#define ROOTS_COUNT  512
#define CRLS_COUNT   64
#define EXIT_REFUSED 1

enum dvt_code
cmd_cert_list(struct cli *c, struct dvt_err *err)
{
	static const struct cli_column columns[] = {
	    {"OWNER",       "owner",       CLI_TEXT },
	    {"CERTIFICATE", "fingerprint", CLI_SHORT},
	    {"STATE",       "state",       CLI_TEXT },
	    {"FROM",        "not_before",  CLI_DATE },
	    {"TO",          "not_after",   CLI_DATE },
	    {"ISSUER",      "issuer",      CLI_TEXT },
	};
	static const char *const keys[] = {"state"};
	char none[CLI_NONE];
	struct dvt_buf at;
	json_t *items;
	enum dvt_code rc;

	dvt_buf_init(&at, DVT_URI_MAX);
	dvt_buf_puts(&at, "/v1/certificates");
	cli_query(&at, "owner", c->args > 0 ? c->arg[0] : NULL);
	cli_query(&at, "state", cli_opt(c, "state"));
	rc = cli_list(c, dvt_buf_str(&at), &items, err);
	dvt_buf_fini(&at);
	if (rc != DVT_OK)
		return rc;
	if (c->json)
		cli_print_json(items);
	else
		cli_table(items, columns, DVT_COUNT(columns),
		    cli_none(c, "No certificate", keys, DVT_COUNT(keys),
			"No certificate.", none));
	json_decref(items);
	return DVT_OK;
}

static json_t *
describe(X509 *cert)
{
	char fingerprint[DVT_DIGEST_HEX], key[DVT_DIGEST_HEX];
	char serial[DVT_SERIAL_HEX];
	char subject[DVT_DN_TEXT], issuer[DVT_DN_TEXT];
	struct dvt_san sans[DVT_SANS_MAX];
	json_t *names = json_array();
	size_t n = 0;

	if (dvt_x509_sans(cert, sans, &n, NULL) != DVT_OK)
		n = 0;
	for (size_t i = 0; i < n; i++)
		json_array_append_new(names, json_string(sans[i].text));
	dvt_x509_fingerprint(cert, fingerprint);
	dvt_x509_key_digest(cert, key);
	dvt_x509_serial(cert, serial);
	return json_pack("{s:s, s:s, s:s, s:I, s:I, s:o, s:s, s:s, s:b, s:b}",
	    "subject", dvt_x509_subject(cert, subject), "issuer",
	    dvt_x509_issuer(cert, issuer), "serial", serial, "not_before",
	    (json_int_t)dvt_x509_not_before(cert), "not_after",
	    (json_int_t)dvt_x509_not_after(cert), "names", names, "fingerprint",
	    fingerprint, "key_digest", key, "ca", dvt_x509_is_ca(cert),
	    "self_signed", dvt_x509_is_self_signed(cert));
}

/* A blank would leave open whether there is none, or it is not known. */
static void
for_people(json_t *one)
{
	bool ca = json_is_true(json_object_get(one, "ca"));
	json_t *names = json_object_get(one, "names");

	json_object_set_new(one, "ca", json_string(ca ? "yes" : "no"));
	if (json_array_size(names) == 0)
		json_array_append_new(names, json_string("none"));
}

enum dvt_code
cmd_cert_inspect(struct cli *c, struct dvt_err *err)
{
	static const struct cli_column rows[] = {
	    {"subject",     "subject",     CLI_TEXT},
	    {"issuer",      "issuer",      CLI_TEXT},
	    {"serial",      "serial",      CLI_TEXT},
	    {"from",        "not_before",  CLI_TIME},
	    {"to",          "not_after",   CLI_TIME},
	    {"names",       "names",       CLI_LIST},
	    {"is a CA",     "ca",          CLI_TEXT},
	    {"sha-256",     "fingerprint", CLI_TEXT},
	    {"key sha-256", "key_digest",  CLI_TEXT},
	};
	struct dvt_chain chain = {0};
	struct dvt_buf pem;
	json_t *all = json_array();
	enum dvt_code rc;

	dvt_buf_init(&pem, DVT_CHAIN_PEM_MAX);
	if ((rc = cli_read_file(c->arg[0], &pem, err)) == DVT_OK)
		rc = dvt_chain_from_pem(dvt_buf_span(&pem), &chain, err);
	for (size_t i = 0; rc == DVT_OK && i < chain.n; i++) {
		json_t *one = describe(chain.cert[i]);

		json_array_append_new(all, one);
		if (!c->json) {
			printf("%s", i > 0 ? "\n" : "");
			for_people(one);
			cli_fields(one, rows, DVT_COUNT(rows));
		}
	}
	if (rc == DVT_OK && c->json)
		cli_print_json(all);
	json_decref(all);
	dvt_chain_fini(&chain);
	dvt_buf_fini(&pem);
	return rc;
}

/* "2026-05-01T00:00:00Z", a day, or Unix seconds. */
static enum dvt_code
read_time(const char *text, int64_t *at, struct dvt_err *err)
{
	struct tm tm = {0};
	char *end;

	*at = strtoll(text, &end, 10);
	if (*text != '\0' && *end == '\0')
		return DVT_OK;
	end = strptime(text, "%Y-%m-%dT%H:%M:%S", &tm);
	if (end == NULL)
		end = strptime(text, "%Y-%m-%d", &tm);
	if (end == NULL || (*end != '\0' && strcmp(end, "Z") != 0 &&
			       strcmp(end, "+00:00") != 0))
		return dvt_fail(err, DVT_E_INPUT,
		    "--at %s: not 2026-05-01T00:00:00Z, nor Unix seconds",
		    text);
	*at = timegm(&tm);
	return DVT_OK;
}

/* --- verify --- */

/*
 * A certificate that cannot be read is one nobody trusts: said, passed over.
 */
static enum dvt_code
read_roots(const char *path, struct dvt_trust **out, struct dvt_err *err)
{
	X509 *roots[ROOTS_COUNT];
	struct dvt_buf text, der;
	struct dvt_span at;
	size_t n = 0, place = 0;
	enum dvt_code rc;

	dvt_buf_init(&text, ROOTS_MAX);
	dvt_buf_init(&der, ROOTS_MAX);
	rc = cli_read_file(path, &text, err);
	at = dvt_buf_span(&text);
	while (rc == DVT_OK && n < ROOTS_COUNT) {
		rc = dvt_pem_take(&at, DVT_PEM_CERT, &der, err);
		if (rc != DVT_OK)
			break;
		place++;
		if (dvt_x509_from_der(dvt_buf_span(&der), &roots[n], err) ==
		    DVT_OK)
			n++;
		else
			fprintf(stderr, "%s: certificate %zu is left out: %s\n",
			    path, place, err->text);
	}
	if (rc == DVT_OK)
		rc = dvt_fail(err, DVT_E_LIMIT, "%s: over %d certificates",
		    path, ROOTS_COUNT);
	else if (rc == DVT_E_ABSENT && place == 0)
		rc = dvt_fail(err, DVT_E_INPUT, "%s: no certificate", path);
	else if (rc == DVT_E_ABSENT)
		rc = dvt_trust_new(roots, n, DVT_TRUST_PARTIAL, out, err);
	while (n > 0)
		X509_free(roots[--n]);
	dvt_buf_fini(&der);
	dvt_buf_fini(&text);
	return rc;
}

/*
 * What an edge would be sent. @bad: it was read, but no edge would take it.
 */
static enum dvt_code
add_file(
    struct dvt_chain *chain, const char *path, bool *bad, struct dvt_err *err)
{
	struct dvt_chain more = {0};
	struct dvt_buf pem;
	enum dvt_code rc;

	if (path == NULL)
		return DVT_OK;
	dvt_buf_init(&pem, ROOTS_MAX);
	rc = cli_read_file(path, &pem, err);
	if (rc == DVT_OK) {
		rc = dvt_chain_from_pem(dvt_buf_span(&pem), &more, err);
		for (size_t i = 0; rc == DVT_OK && i < more.n; i++)
			rc = dvt_chain_add(chain, more.cert[i], err);
		*bad = rc != DVT_OK;
	}
	if (rc != DVT_OK)
		dvt_err_prefix(err, "%s", path);
	dvt_chain_fini(&more);
	dvt_buf_fini(&pem);
	return rc;
}

static enum dvt_code
add_crls(struct dvt_trust *t, const char *path, struct dvt_err *err)
{
	X509_CRL *list[CRLS_COUNT];
	struct dvt_buf text;
	size_t n = 0;
	enum dvt_code rc;

	if (path == NULL)
		return DVT_OK;
	dvt_buf_init(&text, DVT_CRL_DER_MAX);
	rc = cli_read_file(path, &text, err);
	if (rc == DVT_OK)
		rc = dvt_crls_read(
		    dvt_buf_span(&text), CRLS_COUNT, list, &n, err);
	for (size_t i = 0; i < n; i++) {
		if (rc == DVT_OK)
			rc = dvt_trust_use_crl(t, list[i], err);
		X509_CRL_free(list[i]);
	}
	if (rc != DVT_OK)
		dvt_err_prefix(err, "%s", path);
	dvt_buf_fini(&text);
	return rc;
}

/* --at and --max-depth. */
static enum dvt_code
read_how(struct cli *c, struct dvt_verify *how, struct dvt_err *err)
{
	const char *depth = cli_opt(c, "max-depth");
	char *end;
	long n;

	if (cli_opt(c, "at") != NULL) {
		enum dvt_code rc = read_time(cli_opt(c, "at"), &how->now, err);

		if (rc != DVT_OK)
			return rc;
	}
	if (depth == NULL)
		return DVT_OK;
	n = strtol(depth, &end, 10);
	if (end == depth || *end != '\0' || n < 0)
		return dvt_fail(err, DVT_E_INPUT,
		    "--max-depth %s: how many intermediates?", depth);
	how->max_depth = n == 0 ? -1 : n > DVT_CHAIN_MAX ? 0 : (int)n;
	return DVT_OK;
}

static void
say(struct cli *c, bool accepted, const struct dvt_verdict *v,
    const char *reason)
{
	json_t *o;

	if (!c->json) {
		printf("%s\n", accepted ? "accepted" : reason);
		return;
	}
	o = json_pack("{s:b, s:i, s:i, s:s}", "accepted", accepted, "error",
	    v->error, "depth", v->depth, "reason", accepted ? "" : reason);
	cli_print_json(o);
	json_decref(o);
}

enum dvt_code
cmd_cert_verify(struct cli *c, struct dvt_err *err)
{
	struct dvt_verify how = {.purpose = DVT_FOR_CLIENT,
	    .edge = true,
	    .now = dvt_time_now().wall_s};
	struct dvt_chain chain = {0};
	struct dvt_trust *trust = NULL;
	struct dvt_verdict v = {.error = X509_V_ERR_UNSPECIFIED};
	bool bad = false;
	enum dvt_code rc;

	if (cli_opt(c, "roots") == NULL)
		return dvt_fail(err, DVT_E_INPUT, "under what? --roots FILE");
	if ((rc = read_how(c, &how, err)) != DVT_OK ||
	    (rc = read_roots(cli_opt(c, "roots"), &trust, err)) != DVT_OK ||
	    (rc = add_crls(trust, cli_opt(c, "crls"), err)) != DVT_OK ||
	    (rc = add_file(&chain, c->arg[0], &bad, err)) != DVT_OK ||
	    (rc = add_file(&chain, cli_opt(c, "intermediates"), &bad, err)) !=
		DVT_OK)
		goto out;
	rc = dvt_trust_verify(trust, &chain, &how, &v, err);
	bad = rc == DVT_E_DENIED;
out:
	if (rc == DVT_OK || bad)
		say(c, rc == DVT_OK, &v, err->text);
	dvt_trust_free(trust);
	dvt_chain_fini(&chain);
	if (bad) {
		(void)fflush(stdout);
		exit(EXIT_REFUSED);
	}
	return rc;
}
