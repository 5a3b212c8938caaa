/* SPDX-License-Identifier: Apache-2.0 */
/* dovetail cert ...: certificates in the inventory, and files at hand. */
#include "cli/cli.h"
#include "base/clock.h"
#include "pki/verify.h"
#include "pki/x509.h"
#include "wire/pem.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define ROOTS_MAX    (1 << 20) /* bytes of a file of anchors */
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
		cli_table(
		    items, columns, DVT_COUNT(columns), "No certificate.");
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
	    {"is a CA",     "ca",          CLI_YES },
	    {"sha-256",     "fingerprint", CLI_TEXT},
	    {"key sha-256", "key_digest",  CLI_TEXT},
	};
	struct dvt_chain chain = {0};
	struct dvt_buf pem;
	json_t *all = json_array();
	enum dvt_code rc;

	dvt_buf_init(&pem, DVT_CHAIN_PEM_MAX);
	if ((rc = cli_read_file(c->arg[0], DVT_CHAIN_PEM_MAX, &pem, err)) ==
	    DVT_OK)
		rc = dvt_chain_from_pem(dvt_buf_span(&pem), &chain, err);
	for (size_t i = 0; rc == DVT_OK && i < chain.n; i++) {
		json_t *one = describe(chain.cert[i]);

		json_array_append_new(all, one);
		if (!c->json) {
			printf("%s", i > 0 ? "\n" : "");
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

static enum dvt_code
add_file(struct dvt_chain *chain, const char *path, struct dvt_err *err)
{
	struct dvt_chain more = {0};
	struct dvt_buf pem;
	enum dvt_code rc;

	dvt_buf_init(&pem, DVT_CHAIN_PEM_MAX);
	if ((rc = cli_read_file(path, DVT_CHAIN_PEM_MAX, &pem, err)) == DVT_OK)
		rc = dvt_chain_from_pem(dvt_buf_span(&pem), &more, err);
	if (rc != DVT_OK)
		dvt_err_prefix(err, "%s", path);
	for (size_t i = 0; rc == DVT_OK && i < more.n; i++)
		rc = dvt_chain_add(chain, more.cert[i], err);
	dvt_chain_fini(&more);
	dvt_buf_fini(&pem);
	return rc;
}

static enum dvt_code
add_crls(struct dvt_trust *t, const char *path, struct dvt_err *err)
{
	struct dvt_buf text, der;
	struct dvt_span at;
	enum dvt_code rc;

	dvt_buf_init(&text, ROOTS_MAX);
	rc = cli_read_file(path, ROOTS_MAX, &text, err);
	at = dvt_buf_span(&text);
	while (rc == DVT_OK) {
		dvt_buf_init(&der, ROOTS_MAX);
		rc = dvt_pem_take(&at, DVT_PEM_CRL, &der, err);
		if (rc == DVT_E_ABSENT) {
			dvt_buf_fini(&der);
			rc = DVT_OK;
			break;
		}
		if (rc == DVT_OK)
			rc = dvt_trust_add_crl(t, dvt_buf_span(&der), err);
		dvt_buf_fini(&der);
	}
	dvt_buf_fini(&text);
	return rc;
}

enum dvt_code
cmd_cert_verify(struct cli *c, struct dvt_err *err)
{
	struct dvt_verify how = {.purpose = DVT_FOR_CLIENT,
	    .edge = true,
	    .now = dvt_time_now().wall_s};
	struct dvt_chain chain = {0};
	struct dvt_trust *trust = NULL;
	struct dvt_verdict v = {0};
	struct dvt_buf roots;
	enum dvt_code rc;

	if (cli_opt(c, "roots") == NULL)
		return dvt_fail(err, DVT_E_INPUT, "under what? --roots FILE");
	dvt_buf_init(&roots, ROOTS_MAX);
	if (cli_opt(c, "max-depth") != NULL)
		how.max_depth = atoi(cli_opt(c, "max-depth"));
	if ((cli_opt(c, "at") != NULL &&
		(rc = read_time(cli_opt(c, "at"), &how.now, err)) != DVT_OK) ||
	    (rc = cli_read_file(cli_opt(c, "roots"), ROOTS_MAX, &roots, err)) !=
		DVT_OK ||
	    (rc = dvt_trust_from_pem(dvt_buf_span(&roots), DVT_TRUST_PARTIAL,
		 &trust, err)) != DVT_OK ||
	    (rc = add_file(&chain, c->arg[0], err)) != DVT_OK ||
	    (cli_opt(c, "intermediates") != NULL &&
		(rc = add_file(&chain, cli_opt(c, "intermediates"), err)) !=
		    DVT_OK) ||
	    (cli_opt(c, "crls") != NULL &&
		(rc = add_crls(trust, cli_opt(c, "crls"), err)) != DVT_OK))
		goto out;
	rc = dvt_trust_verify(trust, &chain, &how, &v, err);
	if (c->json)
		printf("{\"accepted\": %s, \"error\": %d, \"depth\": %d}\n",
		    rc == DVT_OK ? "true" : "false", v.error, v.depth);
	else
		printf("%s\n", rc == DVT_OK ? "accepted" : err->text);
	if (rc == DVT_E_DENIED) {
		(void)fflush(stdout);
		exit(EXIT_REFUSED);
	}
out:
	dvt_trust_free(trust);
	dvt_chain_fini(&chain);
	dvt_buf_fini(&roots);
	return rc;
}
