/* SPDX-License-Identifier: Apache-2.0 */
/* dovetail authority ..., security ca-list, trust ... */
#include "cli/cli.h"
#include "pki/key.h"
#include "pki/seal.h"
#include "pki/x509.h"
#include "wire/base64.h"

#include <stdio.h>
#include <stdlib.h>

static const struct cli_column authority_columns[] = {
    {"NAME",      "name",          CLI_TEXT },
    {"STATE",     "state",         CLI_TEXT },
    {"SERVER",    "use_server",    CLI_YES  },
    {"DEVICE",    "use_device",    CLI_YES  },
    {"KEY HELD",  "key_held",      CLI_YES  },
    {"ENDS",      "not_after",     CLI_DATE },
    {"ISSUES TO", "last_issue_at", CLI_DATE },
    {"UNDER",     "parent",        CLI_TEXT },
    {"SHA-256",   "fingerprint",   CLI_SHORT},
};

static enum dvt_code
list(struct cli *c, const char *target, struct dvt_err *err)
{
	json_t *items;
	enum dvt_code rc = cli_list(c, target, &items, err);

	if (rc != DVT_OK)
		return rc;
	if (c->json)
		cli_print_json(items);
	else
		cli_table(items, authority_columns,
		    DVT_COUNT(authority_columns), "No authority.");
	json_decref(items);
	return DVT_OK;
}

enum dvt_code
cmd_authority_list(struct cli *c, struct dvt_err *err)
{
	return list(c, "/v1/authorities", err);
}

enum dvt_code
cmd_security_ca_list(struct cli *c, struct dvt_err *err)
{
	return list(c,
	    cli_opt(c, "active") != NULL ? "/v1/authorities?state=active"
					 : "/v1/authorities",
	    err);
}

static enum dvt_code
post(struct cli *c, const char *target, json_t *body, struct dvt_err *err)
{
	json_t *answer = NULL;
	enum dvt_code rc = cli_call(c, "POST", target, body, &answer, err);
	json_t *one;

	json_decref(body);
	if (rc != DVT_OK)
		return rc;
	if (c->json) {
		cli_print_json(answer);
	} else {
		one = json_pack("[O]", answer);
		cli_table(
		    one, authority_columns, DVT_COUNT(authority_columns), "");
		json_decref(one);
	}
	json_decref(answer);
	return DVT_OK;
}

static void
set_opt(json_t *body, const char *key, const char *value)
{
	if (value != NULL)
		json_object_set_new(body, key, json_string(value));
}

/* Neither named: for both. */
static void
set_uses(json_t *body, struct cli *c)
{
	bool server = cli_opt(c, "server") != NULL;
	bool device = cli_opt(c, "device") != NULL;

	json_object_set_new(
	    body, "use_server", json_boolean(server || !device));
	json_object_set_new(
	    body, "use_device", json_boolean(device || !server));
}

enum dvt_code
cmd_authority_create(struct cli *c, struct dvt_err *err)
{
	json_t *body = json_pack("{s:s}", "name", c->arg[0]);

	set_opt(body, "under", cli_opt(c, "under"));
	set_opt(body, "subject", cli_opt(c, "subject"));
	set_uses(body, c);
	return post(c, "/v1/authorities", body, err);
}

/* What a key sealed to the signer is bound to (docs/rest-api.md). */
#define IMPORT_BOUND "dovetail authority key"

/* The key file, encrypted so that the signer alone reads it. */
static enum dvt_code
seal_key(struct cli *c, const char *path, char **sealed, struct dvt_err *err)
{
	struct dvt_buf pem, out, spki, text;
	json_t *answer = NULL;
	EVP_PKEY *key = NULL, *to = NULL;
	const char *b64;
	enum dvt_code rc;

	dvt_buf_init(&pem, DVT_KEY_PEM_MAX);
	dvt_buf_init(&out, DVT_SEALED_MAX);
	dvt_buf_init(&spki, DVT_KEY_PEM_MAX);
	dvt_buf_init(&text, DVT_SEALED_MAX * 2);
	if ((rc = cli_read_file(path, &pem, err)) != DVT_OK ||
	    (rc = dvt_key_from_pem(dvt_buf_span(&pem), &key, err)) != DVT_OK) {
		dvt_err_prefix(err, "%s", path);
		goto out;
	}
	if ((rc = cli_call(c, "GET", "/v1/authorities/import-key", NULL,
		 &answer, err)) != DVT_OK ||
	    (rc = dvt_json_get_str(answer, "spki", 0, &b64, err)) != DVT_OK ||
	    (rc = dvt_base64_decode(dvt_span_str(b64), &spki, err)) != DVT_OK ||
	    (rc = dvt_key_from_spki(dvt_buf_span(&spki), &to, err)) != DVT_OK ||
	    (rc = dvt_seal(to, DVT_SPAN_LIT(IMPORT_BOUND), dvt_buf_span(&pem),
		 &out, err)) != DVT_OK)
		goto out;
	dvt_base64_encode(&text, dvt_buf_span(&out), 0);
	*sealed = dvt_buf_take_str(&text);
out:
	json_decref(answer);
	EVP_PKEY_free(key);
	EVP_PKEY_free(to);
	dvt_buf_cleanse(&pem);
	dvt_buf_fini(&out);
	dvt_buf_fini(&spki);
	dvt_buf_fini(&text);
	return rc;
}

enum dvt_code
cmd_authority_import(struct cli *c, struct dvt_err *err)
{
	const char *path = cli_opt(c, "certificate"), *key = cli_opt(c, "key");
	char *sealed = NULL;
	struct dvt_buf pem;
	X509 *cert = NULL;
	json_t *body;
	enum dvt_code rc;

	if (path == NULL)
		return dvt_fail(
		    err, DVT_E_INPUT, "which certificate? --certificate FILE");
	dvt_buf_init(&pem, DVT_CHAIN_PEM_MAX);
	if ((rc = cli_read_file(path, &pem, err)) != DVT_OK)
		goto out;
	if ((rc = dvt_x509_from_pem(dvt_buf_span(&pem), &cert, err)) !=
	    DVT_OK) {
		dvt_err_prefix(err, "%s", path);
		goto out;
	}
	if (key != NULL && (rc = seal_key(c, key, &sealed, err)) != DVT_OK)
		goto out;
	body = json_pack(
	    "{s:s, s:s}", "name", c->arg[0], "certificate", dvt_buf_str(&pem));
	set_opt(body, "sealed_key", sealed);
	set_uses(body, c);
	rc = post(c, "/v1/authorities/import", body, err);
out:
	X509_free(cert);
	free(sealed);
	dvt_buf_fini(&pem);
	return rc;
}

static enum dvt_code
act(struct cli *c, const char *verb, json_t *body, struct dvt_err *err)
{
	struct dvt_buf at;
	enum dvt_code rc;

	dvt_buf_init(&at, DVT_URI_MAX);
	dvt_buf_puts(&at, "/v1/authorities/");
	cli_segment(&at, c->arg[0]);
	dvt_buf_printf(&at, "/%s", verb);
	rc = post(c, dvt_buf_str(&at), body, err);
	dvt_buf_fini(&at);
	return rc;
}

enum dvt_code
cmd_authority_cross_sign(struct cli *c, struct dvt_err *err)
{
	if (cli_opt(c, "by") == NULL)
		return dvt_fail(err, DVT_E_INPUT, "signed by which? --by OLD");
	return act(
	    c, "cross-sign", json_pack("{s:s}", "by", cli_opt(c, "by")), err);
}

enum dvt_code
cmd_authority_retire(struct cli *c, struct dvt_err *err)
{
	return act(c, "retire", json_object(), err);
}

enum dvt_code
cmd_trust_status(struct cli *c, struct dvt_err *err)
{
	static const struct cli_column sum[] = {
	    {"newest bundle", "sum.version",   CLI_TEXT},
	    {"devices",       "sum.wanted",    CLI_TEXT},
	    {"confirmed",     "sum.confirmed", CLI_TEXT},
	    {"pending",       "sum.pending",   CLI_TEXT},
	    {"failed",        "sum.failed",    CLI_TEXT},
	    {"parked",        "sum.parked",    CLI_TEXT},
	};
	static const struct cli_column columns[] = {
	    {"DEVICE",    "device",       CLI_TEXT  },
	    {"STATUS",    "status",       CLI_TEXT  },
	    {"WANTED",    "wanted",       CLI_NUMBER},
	    {"CONFIRMED", "confirmed",    CLI_NUMBER},
	    {"AT",        "confirmed_at", CLI_AGO   },
	    {"WHY",       "reason",       CLI_TEXT  },
	};
	json_t *answer, *items;
	enum dvt_code rc = cli_call(
	    c, "GET", "/devices/truststore/status?limit=1", NULL, &answer, err);

	if (rc != DVT_OK)
		return rc;
	rc = cli_list(c, "/devices/truststore/status?limit=500", &items, err);
	if (rc != DVT_OK) {
		json_decref(answer);
		return rc;
	}
	json_object_set_new(answer, "items", items);
	json_object_del(answer, "next");
	if (c->json) {
		cli_print_json(answer);
	} else {
		cli_fields(answer, sum, DVT_COUNT(sum));
		printf("\n");
		cli_table(json_object_get(answer, "items"), columns,
		    DVT_COUNT(columns), "No device.");
	}
	json_decref(answer);
	return DVT_OK;
}

enum dvt_code
cmd_trust_update(struct cli *c, struct dvt_err *err)
{
	const char *priority = cli_opt(c, "priority");
	bool add = strcmp(c->arg[0], "add") == 0;
	char text[512];
	struct dvt_buf pem;
	json_t *body, *answer = NULL;
	enum dvt_code rc;

	if (!add && strcmp(c->arg[0], "remove") != 0)
		return dvt_fail(err, DVT_E_INPUT,
		    "trust update takes add or remove, not %s", c->arg[0]);
	dvt_buf_init(&pem, DVT_CERT_PEM_MAX);
	rc = cli_read_file(c->arg[1], &pem, err);
	if (rc == DVT_OK) {
		body = json_pack("{s:s, s:s, s:s}", "operation",
		    add ? "ADD" : "REMOVE", "certificate", dvt_buf_str(&pem),
		    "priority", priority == NULL ? "secondary" : priority);
		rc = cli_call(c, "POST", "/devices/truststore/update", body,
		    &answer, err);
		json_decref(body);
	}
	if (rc == DVT_OK &&
	    (c->json || json_object_get(answer, "detail") == NULL))
		cli_print_json(answer);
	else if (rc == DVT_OK)
		printf("%s\n",
		    cli_cell(answer, "detail", CLI_TEXT, text, sizeof(text)));
	json_decref(answer);
	dvt_buf_fini(&pem);
	return rc;
}
