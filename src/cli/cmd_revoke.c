/* SPDX-License-Identifier: Apache-2.0 */
/* dovetail cert revoke, authority revoke: and at which gateways it is in force.
 */
#include "base/hex.h"
#include "cli/cli.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define FORCE_WAIT_S  5
#define FORCE_LOOK_US 200000

/* Gateways that do not apply @position yet, with when each was heard; *of:
 * how many there are. */
static enum dvt_code
not_in_force(struct cli *c, int64_t position, json_t **out, size_t *of,
    struct dvt_err *err)
{
	json_t *items;
	const json_t *g;
	size_t i;
	enum dvt_code rc = cli_list(c, "/v1/gateways", &items, err);

	*of = 0;
	*out = json_array();
	if (rc != DVT_OK)
		return rc;
	json_array_foreach(items, i, g)
	{
		const char *kind = json_string_value(
		    json_object_get(g, "kind"));

		if (kind == NULL || strcmp(kind, "gateway") != 0)
			continue;
		++*of;
		if (json_integer_value(json_object_get(g, "applied")) <
		    position)
			json_array_append_new(
			    *out, json_pack("{s:O, s:O}", "name",
				      json_object_get(g, "name"), "heard_at",
				      json_object_get(g, "heard_at")));
	}
	json_decref(items);
	return DVT_OK;
}

static enum dvt_code
await_force(struct cli *c, json_t *answer, struct dvt_err *err)
{
	const char *wait = cli_opt(c, "wait");
	int64_t position = json_integer_value(
	    json_object_get(answer, "position"));
	long looks = (wait != NULL ? strtol(wait, NULL, 10) : FORCE_WAIT_S) *
		     (1000000 / FORCE_LOOK_US);
	json_t *missing = NULL;
	size_t of = 0;
	enum dvt_code rc;

	for (long i = 0;; i++) {
		json_decref(missing);
		rc = not_in_force(c, position, &missing, &of, err);
		if (rc != DVT_OK || json_array_size(missing) == 0 || i >= looks)
			break;
		(void)usleep(FORCE_LOOK_US);
	}
	json_object_set_new(answer, "gateways", json_integer((json_int_t)of));
	json_object_set_new(answer, "in_force",
	    json_integer((json_int_t)(of - json_array_size(missing))));
	json_object_set_new(answer, "not_in_force", missing);
	return rc;
}

static void
print_force(const json_t *answer)
{
	const json_t *missing = json_object_get(answer, "not_in_force"), *g;
	char name[DVT_NAME_MAX + 1], ago[64];
	size_t i;

	printf("in force at %" JSON_INTEGER_FORMAT " of %" JSON_INTEGER_FORMAT
	       " gateways",
	    json_integer_value(json_object_get(answer, "in_force")),
	    json_integer_value(json_object_get(answer, "gateways")));
	json_array_foreach(missing, i, g)
	{
		bool never = json_integer_value(
				 json_object_get(g, "heard_at")) == 0;

		printf("; %s %s%s",
		    cli_cell(g, "name", CLI_TEXT, name, sizeof(name)),
		    never ? "was never heard" : "last heard ",
		    never ? ""
			  : cli_cell(g, "heard_at", CLI_AGO, ago, sizeof(ago)));
	}
	printf("\n");
}

enum dvt_code
cmd_cert_revoke(struct cli *c, struct dvt_err *err)
{
	const char *why = cli_opt(c, "reason");
	char normal[DVT_DIGEST_HEX], kind[32], owner[160];
	struct dvt_buf at;
	json_t *body, *answer = NULL;
	enum dvt_code rc;

	if (why == NULL)
		return dvt_fail(err, DVT_E_INPUT,
		    "--reason theft, "
		    "decommissioned, keyCompromise or endOfLife");
	if (dvt_hex_normal(c->arg[0], normal, sizeof(normal)) != 0)
		return dvt_fail(
		    err, DVT_E_INPUT, "%s is no fingerprint", c->arg[0]);
	dvt_buf_init(&at, DVT_URI_MAX);
	dvt_buf_printf(&at, "/v1/certificates/%s/revoke", normal);
	body = json_pack("{s:s}", "reason", why);
	rc = cli_call(c, "POST", dvt_buf_str(&at), body, &answer, err);
	if (rc == DVT_OK)
		rc = await_force(c, answer, err);
	if (rc == DVT_OK && c->json) {
		cli_print_json(answer);
	} else if (rc == DVT_OK) {
		printf("revoked: %s %s; ",
		    cli_cell(
			answer, "owner_kind", CLI_TEXT, kind, sizeof(kind)),
		    cli_cell(answer, "owner", CLI_TEXT, owner, sizeof(owner)));
		print_force(answer);
	}
	json_decref(body);
	json_decref(answer);
	dvt_buf_fini(&at);
	return rc;
}

enum dvt_code
cmd_authority_revoke(struct cli *c, struct dvt_err *err)
{
	const char *why = cli_opt(c, "reason");
	struct dvt_buf at;
	json_t *body, *answer = NULL;
	enum dvt_code rc;

	if (why == NULL)
		return dvt_fail(err, DVT_E_INPUT,
		    "--reason keyCompromise, cACompromise or cessation");
	dvt_buf_init(&at, DVT_URI_MAX);
	dvt_buf_printf(&at, "/v1/authorities/%s/revoke", c->arg[0]);
	body = json_pack("{s:s}", "reason", why);
	rc = cli_call(c, "POST", dvt_buf_str(&at), body, &answer, err);
	if (rc == DVT_OK)
		rc = await_force(c, answer, err);
	if (rc == DVT_OK && c->json) {
		cli_print_json(answer);
	} else if (rc == DVT_OK) {
		printf("revoked: authority %s; ", c->arg[0]);
		print_force(answer);
	}
	json_decref(body);
	json_decref(answer);
	dvt_buf_fini(&at);
	return rc;
}
