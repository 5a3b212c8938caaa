/* SPDX-License-Identifier: Apache-2.0 */
/* dovetail approval, token, audit: who may, who agreed, what was done. */
#include "cli/cli.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHECKPOINTS_MAX (4 << 20) /* bytes of a file of check-points */

/* A whole list as {"items": [...]} or as a table. */
static enum dvt_code
list(struct cli *c, const char *target, const struct cli_column *columns,
    size_t n, const char *nothing, struct dvt_err *err)
{
	json_t *items, *whole;
	enum dvt_code rc = cli_list(c, target, &items, err);

	if (rc != DVT_OK)
		return rc;
	if (c->json) {
		whole = json_pack("{s:O}", "items", items);
		cli_print_json(whole);
		json_decref(whole);
	} else {
		cli_table(items, columns, n, nothing);
	}
	json_decref(items);
	return DVT_OK;
}

enum dvt_code
cmd_approval_list(struct cli *c, struct dvt_err *err)
{
	static const struct cli_column columns[] = {
	    {"ID",       "id",           CLI_NUMBER},
	    {"ACTION",   "action",       CLI_TEXT  },
	    {"ASKED BY", "requested_by", CLI_TEXT  },
	    {"EXPIRES",  "expires_at",   CLI_AGO   },
	    {"GIVEN BY", "given_by",     CLI_TEXT  },
	    {"DIGEST",   "digest",       CLI_SHORT },
	    {"ABOUT",    "object",       CLI_TEXT  },
	};

	return list(c, "/v1/approvals", columns, DVT_COUNT(columns),
	    "Nothing waits for a second person.", err);
}

enum dvt_code
cmd_approval_give(struct cli *c, struct dvt_err *err)
{
	struct dvt_buf at;
	json_t *answer = NULL;
	char about[256];
	enum dvt_code rc;

	dvt_buf_init(&at, DVT_URI_MAX);
	dvt_buf_puts(&at, "/v1/approvals/");
	cli_segment(&at, c->arg[0]);
	dvt_buf_puts(&at, "/give");
	rc = cli_call(c, "POST", dvt_buf_str(&at), NULL, &answer, err);
	dvt_buf_fini(&at);
	if (rc == DVT_OK && c->json)
		cli_print_json(answer);
	else if (rc == DVT_OK)
		printf("approved: %s\n",
		    cli_cell(answer, "object", CLI_TEXT, about, sizeof(about)));
	json_decref(answer);
	return rc;
}

static enum dvt_code
print_policy(struct cli *c, json_t *answer)
{
	const json_t *e;
	size_t i;

	if (c->json)
		cli_print_json(answer);
	else if (json_array_size(json_object_get(answer, "ca_trust_list")) == 0)
		puts("any authority may be imported");
	else
		json_array_foreach(json_object_get(answer, "ca_trust_list"), i,
		    e) puts(json_string_value(e));
	json_decref(answer);
	return DVT_OK;
}

enum dvt_code
cmd_policy_show(struct cli *c, struct dvt_err *err)
{
	json_t *answer;
	enum dvt_code rc = cli_call(c, "GET", "/v1/policy", NULL, &answer, err);

	return rc == DVT_OK ? print_policy(c, answer) : rc;
}

/* --ca FINGERPRINT[,FINGERPRINT...], or any. */
enum dvt_code
cmd_policy_set(struct cli *c, struct dvt_err *err)
{
	const char *given = cli_opt(c, "ca");
	json_t *list = json_array(), *body, *answer;
	enum dvt_code rc;

	if (given == NULL) {
		json_decref(list);
		return dvt_fail(err, DVT_E_INPUT,
		    "say --ca any, or --ca FINGERPRINT,FINGERPRINT ...");
	}
	if (strcmp(given, "any") == 0)
		given = "";
	for (size_t n; *given != '\0'; given += n + (given[n] == ',')) {
		n = strcspn(given, ",");
		json_array_append_new(list, json_stringn(given, n));
	}
	body = json_pack("{s:o}", "ca_trust_list", list);
	rc = cli_call(c, "POST", "/v1/policy", body, &answer, err);
	json_decref(body);
	return rc == DVT_OK ? print_policy(c, answer) : rc;
}

enum dvt_code
cmd_token_list(struct cli *c, struct dvt_err *err)
{
	static const struct cli_column columns[] = {
	    {"NAME",    "name",       CLI_TEXT},
	    {"ROLE",    "role",       CLI_TEXT},
	    {"CREATED", "created_at", CLI_DATE},
	    {"EXPIRES", "expires_at", CLI_DATE},
	    {"REVOKED", "revoked_at", CLI_DATE},
	};

	return list(
	    c, "/v1/tokens", columns, DVT_COUNT(columns), "No token.", err);
}

enum dvt_code
cmd_token_create(struct cli *c, struct dvt_err *err)
{
	const char *role = cli_opt(c, "role"), *days = cli_opt(c, "days");
	json_t *body, *answer = NULL;
	enum dvt_code rc;

	if (role == NULL)
		return dvt_fail(err, DVT_E_INPUT,
		    "--role viewer, operator, approver or admin");
	body = json_pack("{s:s, s:s}", "name", c->arg[0], "role", role);
	if (days != NULL)
		json_object_set_new(body, "days", json_integer(atoll(days)));
	rc = cli_call(c, "POST", "/v1/tokens", body, &answer, err);
	json_decref(body);
	if (rc == DVT_OK && c->json)
		cli_print_json(answer);
	else if (rc == DVT_OK && !c->json)
		printf("token %s (%s), shown once:\n%s\n", c->arg[0], role,
		    json_string_value(json_object_get(answer, "token")));
	json_decref(answer);
	return rc;
}

enum dvt_code
cmd_token_revoke(struct cli *c, struct dvt_err *err)
{
	struct dvt_buf at;
	enum dvt_code rc;

	dvt_buf_init(&at, DVT_URI_MAX);
	dvt_buf_puts(&at, "/v1/tokens/");
	cli_segment(&at, c->arg[0]);
	rc = cli_call(c, "DELETE", dvt_buf_str(&at), NULL, NULL, err);
	dvt_buf_fini(&at);
	if (rc == DVT_OK && !c->json)
		printf("token %s: revoked\n", c->arg[0]);
	return rc;
}

/* Lines of a file as a list of texts; empty ones too, so that they count. */
static enum dvt_code
read_lines(const char *path, json_t *lines, struct dvt_err *err)
{
	struct dvt_buf text;
	struct dvt_span rest;
	bool any = false;
	enum dvt_code rc;

	dvt_buf_init(&text, CHECKPOINTS_MAX);
	rc = cli_read_file(path, &text, err);
	rest = dvt_buf_span(&text);
	while (rc == DVT_OK && rest.n > 0) {
		const uint8_t *end = memchr(rest.p, '\n', rest.n);
		size_t n = end == NULL ? rest.n : (size_t)(end - rest.p);
		json_t *line = memchr(rest.p, '\0', n) != NULL
				   ? NULL
				   : json_stringn((const char *)rest.p, n);

		rest = dvt_span_from(rest, end == NULL ? n : n + 1);
		if (line == NULL)
			rc = dvt_fail(err, DVT_E_INPUT,
			    "%s: line %zu is no check-point: it is no text",
			    path, json_array_size(lines) + 1);
		else
			json_array_append_new(lines, line);
		any = any || n > 0;
	}
	dvt_buf_fini(&text);
	return rc != DVT_OK || any ? rc
				   : dvt_fail(err, DVT_E_INPUT,
					 "%s: no check-point is in it", path);
}

static enum dvt_code
ask_verify(struct cli *c, const char *path, json_t **out, struct dvt_err *err)
{
	json_t *lines = json_array(), *body;
	enum dvt_code rc = DVT_OK;

	if (path != NULL)
		rc = read_lines(path, lines, err);
	body = json_pack("{s:o}", "checkpoints", lines);
	if (rc == DVT_OK) {
		rc = cli_call(c, "POST", "/v1/audit/verify", body, out, err);
		if (rc == DVT_E_INPUT && path != NULL)
			dvt_err_prefix(err, "%s", path);
	}
	json_decref(body);
	return rc;
}

enum dvt_code
cmd_audit_verify(struct cli *c, struct dvt_err *err)
{
	static const struct cli_column columns[] = {
	    {"STREAM",        "stream", CLI_TEXT  },
	    {"SEQ",           "seq",    CLI_NUMBER},
	    {"WHAT IS WRONG", "what",   CLI_TEXT  },
	};
	json_t *answer = NULL, *found;
	json_int_t total;
	enum dvt_code rc = ask_verify(
	    c, cli_opt(c, "checkpoints"), &answer, err);

	if (rc != DVT_OK)
		return rc;
	found = json_object_get(answer, "faults");
	total = json_integer_value(json_object_get(answer, "total"));
	if (c->json) {
		cli_print_json(answer);
	} else if (total > 0) {
		cli_table(found, columns, DVT_COUNT(columns), "");
	} else {
		printf("%" JSON_INTEGER_FORMAT
		       " entries in %" JSON_INTEGER_FORMAT
		       " streams, nothing wrong%s\n",
		    json_integer_value(json_object_get(answer, "entries")),
		    json_integer_value(json_object_get(answer, "streams")),
		    cli_opt(c, "checkpoints") != NULL
			? ""
			: "\n(without exported check-points a database put "
			  "back "
			  "is not noticed: --checkpoints FILE)");
	}
	if (total > 0)
		rc = dvt_fail(err, DVT_E_CONFLICT,
		    "the audit log was altered: %" JSON_INTEGER_FORMAT
		    " faults",
		    total);
	json_decref(answer);
	return rc;
}

enum dvt_code
cmd_audit_export(struct cli *c, struct dvt_err *err)
{
	FILE *to = c->args > 0 ? fopen(c->arg[0], "we") : stdout;
	json_t *items, *item;
	size_t i;
	enum dvt_code rc;

	if (to == NULL)
		return dvt_fail_errno(err, "%s", c->arg[0]);
	rc = cli_list(c, "/v1/audit/checkpoints", &items, err);
	if (rc == DVT_OK) {
		json_array_foreach(items, i, item) fprintf(to, "%s\n",
		    json_string_value(json_object_get(item, "line")));
		json_decref(items);
	}
	if (to != stdout && fclose(to) != 0 && rc == DVT_OK)
		rc = dvt_fail_errno(err, "%s", c->arg[0]);
	return rc;
}
