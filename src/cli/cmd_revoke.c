/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dovetail cert revoke, authority revoke: at which gateways it is in force,
 * and whom it cuts off.
 */
#include "base/hex.h"
#include "cli/cli.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define FORCE_WAIT_S  5
#define FORCE_LOOK_US 200000
#define NAMES_SHOWN   10

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

/* --- whom an authority takes with it --- */

static enum dvt_code
get_dependents(struct cli *c, json_t **out, struct dvt_err *err)
{
	struct dvt_buf at;
	enum dvt_code rc;

	dvt_buf_init(&at, DVT_URI_MAX);
	dvt_buf_puts(&at, "/v1/authorities/");
	cli_segment(&at, c->arg[0]);
	dvt_buf_puts(&at, "/dependents?limit=500");
	rc = cli_call(c, "GET", dvt_buf_str(&at), NULL, out, err);
	dvt_buf_fini(&at);
	return rc;
}

enum dvt_code
cmd_authority_dependents(struct cli *c, struct dvt_err *err)
{
	static const struct cli_column columns[] = {
	    {"KIND", "kind",      CLI_TEXT},
	    {"NAME", "name",      CLI_TEXT},
	    {"ENDS", "not_after", CLI_DATE},
	};
	json_t *answer, *items;
	enum dvt_code rc = get_dependents(c, &answer, err);

	if (rc != DVT_OK)
		return rc;
	items = json_object_get(answer, "items");
	if (c->json)
		cli_print_json(answer);
	else
		cli_table(items, columns, DVT_COUNT(columns),
		    "Nobody: whoever is here holds another certificate.");
	if (!c->json && json_integer_value(json_object_get(answer, "total")) >
			    (json_int_t)json_array_size(items))
		printf("... of %" JSON_INTEGER_FORMAT "\n",
		    json_integer_value(json_object_get(answer, "total")));
	json_decref(answer);
	return DVT_OK;
}

/* "2 cannot come in ...: gateway gw-1, device dev-0001", and the way back. */
static void
tell_dependents(const json_t *dependents, const char *verb)
{
	const json_t *items = json_object_get(dependents, "items"), *item;
	json_int_t total = json_integer_value(
	    json_object_get(dependents, "total"));
	char name[DVT_NAME_MAX + 1], kind[16];
	size_t i;

	if (dependents == NULL)
		return;
	if (total == 0) {
		fprintf(stderr, "Whoever is here holds another certificate.\n");
		return;
	}
	fprintf(stderr, "%" JSON_INTEGER_FORMAT " %s come in any more:", total,
	    verb);
	json_array_foreach(items, i, item)
	{
		if (i == NAMES_SHOWN)
			break;
		fprintf(stderr, "%s %s %s", i == 0 ? "" : ",",
		    cli_cell(item, "kind", CLI_TEXT, kind, sizeof(kind)),
		    cli_cell(item, "name", CLI_TEXT, name, sizeof(name)));
	}
	fprintf(stderr, "%s\n", total > NAMES_SHOWN ? ", ..." : "");
	fprintf(stderr,
	    "Each needs a new key and a certificate of another authority: a "
	    "device enrols with\n\"device secret DEVICE\", a gateway is "
	    "removed and added anew. \"device recover\" cannot help\n"
	    "them. All: \"authority dependents NAME\".\n");
}

enum dvt_code
cmd_authority_revoke(struct cli *c, struct dvt_err *err)
{
	const char *why = cli_opt(c, "reason");
	struct dvt_buf at;
	json_t *body, *answer = NULL, *cut = NULL;
	enum dvt_code rc;

	if (why == NULL)
		return dvt_fail(err, DVT_E_INPUT,
		    "--reason keyCompromise, cACompromise or cessation");
	/* looked up first: the same before and after; and what is in a hurry
	 * does not fail for it */
	if (get_dependents(c, &cut, err) != DVT_OK)
		cut = NULL;
	dvt_buf_init(&at, DVT_URI_MAX);
	dvt_buf_printf(&at, "/v1/authorities/%s/revoke", c->arg[0]);
	body = json_pack("{s:s}", "reason", why);
	rc = cli_call(c, "POST", dvt_buf_str(&at), body, &answer, err);
	if (rc == DVT_OK)
		rc = await_force(c, answer, err);
	if (rc == DVT_OK && cut != NULL)
		json_object_set(answer, "dependents", cut);
	if (rc == DVT_OK && c->json) {
		cli_print_json(answer);
	} else if (rc == DVT_OK) {
		printf("revoked: authority %s; ", c->arg[0]);
		print_force(answer);
	}
	if (rc == DVT_OK && !c->json)
		tell_dependents(cut, "cannot");
	else if (rc == DVT_E_APPROVAL && !c->json)
		tell_dependents(cut, "will not");
	json_decref(cut);
	json_decref(body);
	json_decref(answer);
	dvt_buf_fini(&at);
	return rc;
}
