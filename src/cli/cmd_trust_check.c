/* SPDX-License-Identifier: Apache-2.0 */
/* dovetail trust check FILE: what a device's trust file accepts, offline. */
#include "base/clock.h"
#include "cli/cli.h"
#include "pki/anchors.h"
#include "pki/x509.h"
#include "wire/pem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FILE_MAX  (1 << 20) /* bytes */
#define COUNT_MAX 512
#define EXIT_PINS 1

static enum dvt_code
read_file(const char *path, X509 **certs, size_t *n, struct dvt_err *err)
{
	struct dvt_buf text, der;
	struct dvt_span at;
	enum dvt_code rc;

	dvt_buf_init(&text, FILE_MAX);
	dvt_buf_init(&der, FILE_MAX);
	rc = cli_read_file(path, &text, err);
	at = dvt_buf_span(&text);
	while (rc == DVT_OK && *n < COUNT_MAX) {
		rc = dvt_pem_take(&at, DVT_PEM_CERT, &der, err);
		if (rc == DVT_OK)
			rc = dvt_x509_from_der(
			    dvt_buf_span(&der), &certs[*n], err);
		if (rc == DVT_OK)
			++*n;
	}
	if (rc == DVT_OK)
		rc = dvt_fail(
		    err, DVT_E_LIMIT, "over %d certificates", COUNT_MAX);
	else if (rc == DVT_E_ABSENT)
		rc = *n > 0 ? DVT_OK
			    : dvt_fail(err, DVT_E_INPUT, "no certificate");
	if (rc != DVT_OK)
		dvt_err_prefix(err, "%s", path);
	dvt_buf_fini(&der);
	dvt_buf_fini(&text);
	return rc;
}

static const char *
mind(const struct dvt_anchor_verdict *v, X509 *cert, int64_t now)
{
	if (dvt_x509_not_after(cert) <= now)
		return "it has ended: nothing is accepted by it any more";
	if (dvt_x509_not_before(cert) > now)
		return "it is not valid yet";
	if (v->covered)
		return "its issuer is in the file as well: it adds nothing";
	return v->mind;
}

static json_t *
item(const struct dvt_anchor_verdict *v, X509 *cert, int64_t now)
{
	char subject[DVT_DN_TEXT], fingerprint[DVT_DIGEST_HEX];

	dvt_x509_fingerprint(cert, fingerprint);
	return json_pack("{s:s, s:s, s:s, s:s, s:I, s:s, s:s, s:b, s:b}",
	    "subject", dvt_x509_subject(cert, subject), "fingerprint",
	    fingerprint, "kind", dvt_anchor_kind_name(v->kind), "accepts",
	    v->useful ? v->accepts : "nothing", "breaks_at",
	    (json_int_t)v->breaks_at, "or_when", v->before, "mind",
	    mind(v, cert, now), "useful", v->useful, "covered", v->covered);
}

static void
print(const json_t *o)
{
	static const struct cli_column rows[] = {
	    {"certificate",   "subject",   CLI_TEXT},
	    {"it is",         "kind",      CLI_TEXT},
	    {"accepts",       "accepts",   CLI_TEXT},
	    {"breaks on",     "breaks_at", CLI_TIME},
	    {"or as soon as", "or_when",   CLI_TEXT},
	    {"mind",          "mind",      CLI_TEXT},
	};
	const json_t *one;
	char at[64];
	size_t i;

	json_array_foreach(json_object_get(o, "items"), i, one)
	{
		struct cli_column said[DVT_COUNT(rows)];
		size_t n = 0;

		for (size_t k = 0; k < DVT_COUNT(rows); k++)
			if (cli_cell(one, rows[k].field, rows[k].form, at,
				sizeof(at))[0] != '\0')
				said[n++] = rows[k];
		cli_fields(one, said, n);
		printf("\n");
	}
	if (json_integer_value(json_object_get(o, "breaks_at")) == 0)
		printf("This file accepts nothing.\n");
	else
		printf("Of the whole file nothing is left on %s.%s\n",
		    cli_cell(o, "breaks_at", CLI_DATE, at, sizeof(at)),
		    strcmp(json_string_value(json_object_get(o, "pins")),
			"root") == 0
			? ""
			: " It pins: a rotation of the server's certificate or "
			  "its CA cuts this device off before.");
}

static json_t *
judge(X509 *const *certs, size_t n, enum dvt_anchor_kind *pins)
{
	struct dvt_anchor_verdict *v = calloc(n, sizeof(*v));
	int64_t now = dvt_time_now().wall_s;
	json_t *items = json_array();
	struct dvt_anchors_sum sum;

	if (v == NULL)
		abort();
	dvt_anchors_judge(certs, n, now, v, &sum);
	for (size_t i = 0; i < n; i++)
		(void)json_array_append_new(items, item(&v[i], certs[i], now));
	*pins = sum.pins;
	free(v);
	return json_pack("{s:o, s:s, s:I}", "items", items, "pins",
	    dvt_anchor_kind_name(sum.pins), "breaks_at",
	    (json_int_t)sum.breaks_at);
}

/* Exit 0: some root is trusted; 1: it pins, or accepts nothing. */
enum dvt_code
cmd_trust_check(struct cli *c, struct dvt_err *err)
{
	X509 *certs[COUNT_MAX];
	enum dvt_anchor_kind pins = DVT_ANCHOR_N;
	json_t *o;
	size_t n = 0;
	enum dvt_code rc = read_file(c->arg[0], certs, &n, err);

	if (rc == DVT_OK) {
		o = judge(certs, n, &pins);
		if (c->json)
			cli_print_json(o);
		else
			print(o);
		json_decref(o);
	}
	while (n > 0)
		X509_free(certs[--n]);
	if (rc == DVT_OK && pins != DVT_ANCHOR_ROOT) {
		(void)fflush(stdout);
		exit(EXIT_PINS);
	}
	return rc;
}
