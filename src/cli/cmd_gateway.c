/* SPDX-License-Identifier: Apache-2.0 */
/* dovetail gateway ...: edges and fronts, and what they show. */
#include "cli/cli.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define AWAIT_LOOKS 75 /* for an edge to take a new certificate */
#define AWAIT_US    200000

enum dvt_code
cmd_gateway_list(struct cli *c, struct dvt_err *err)
{
	static const struct cli_column columns[] = {
	    {"NAME",       "name",              CLI_TEXT  },
	    {"KIND",       "kind",              CLI_TEXT  },
	    {"HEARD",      "heard_at",          CLI_AGO   },
	    {"BEHIND",     "behind",            CLI_NUMBER},
	    {"SESSIONS",   "sessions",          CLI_NUMBER},
	    {"SHOWS ROOT", "default_root_name", CLI_TEXT  },
	    {"ENDS",       "not_after",         CLI_DATE  },
	    {"NAMES",      "names",             CLI_LIST  },
	};
	json_t *items;
	enum dvt_code rc = cli_list(c, "/v1/gateways", &items, err);
	json_t *whole;

	if (rc != DVT_OK)
		return rc;
	if (c->json) {
		whole = json_pack("{s:O}", "items", items);
		cli_print_json(whole);
		json_decref(whole);
	} else {
		cli_table(items, columns, DVT_COUNT(columns),
		    "No gateway (dovetail gateway add NAME).");
	}
	json_decref(items);
	return DVT_OK;
}

static void
set_opt(json_t *body, const char *key, const char *value)
{
	if (value != NULL)
		json_object_set_new(body, key, json_string(value));
}

enum dvt_code
cmd_gateway_add(struct cli *c, struct dvt_err *err)
{
	json_t *names = json_array(), *answer = NULL;
	json_t *body = json_pack(
	    "{s:s, s:o}", "name", c->arg[0], "names", names);
	enum dvt_code rc;

	for (size_t i = 0; cli_opt_nth(c, "name", i) != NULL; i++)
		json_array_append_new(
		    names, json_string(cli_opt_nth(c, "name", i)));
	set_opt(body, "next_name", cli_opt(c, "next"));
	set_opt(body, "trial_name", cli_opt(c, "trial"));
	set_opt(body, "site", cli_opt(c, "site"));
	rc = cli_call(c, "POST", "/v1/gateways", body, &answer, err);
	json_decref(body);
	if (rc != DVT_OK)
		return rc;
	if (c->json)
		cli_print_json(answer);
	else
		printf("gateway %s; its one-time secret, shown once (one that "
		       "was given before counts no more):\n%s\n",
		    c->arg[0],
		    json_string_value(json_object_get(answer, "secret")));
	json_decref(answer);
	return DVT_OK;
}

static void
print_outcome(struct cli *c, const json_t *answer)
{
	char text[512];

	if (c->json)
		cli_print_json(answer);
	else
		printf("%s\n",
		    cli_cell(answer, "detail", CLI_TEXT, text, sizeof(text)));
}

static enum dvt_code
post(struct cli *c, const char *target, json_t *body, struct dvt_err *err)
{
	json_t *answer = NULL;
	enum dvt_code rc = cli_call(c, "POST", target, body, &answer, err);

	if (rc == DVT_OK)
		print_outcome(c, answer);
	json_decref(body);
	json_decref(answer);
	return rc;
}

enum dvt_code
cmd_gateway_remove(struct cli *c, struct dvt_err *err)
{
	json_t *answer = NULL;
	struct dvt_buf at;
	char text[256];
	enum dvt_code rc;

	dvt_buf_init(&at, DVT_URI_MAX);
	dvt_buf_puts(&at, "/v1/gateways/");
	cli_segment(&at, c->arg[0]);
	rc = cli_call(c, "DELETE", dvt_buf_str(&at), NULL, &answer, err);
	if (rc == DVT_OK && c->json)
		cli_print_json(answer);
	else if (rc == DVT_OK)
		printf("gateway %s is removed: %s\n", c->arg[0],
		    cli_cell(answer, "detail", CLI_TEXT, text, sizeof(text)));
	json_decref(answer);
	dvt_buf_fini(&at);
	return rc;
}

/* The order's credential has its certificate and the edge works with it. */
static bool
in_force(const json_t *gateway, const char *order)
{
	const json_t *c;
	size_t i;

	json_array_foreach(json_object_get(gateway, "credentials"), i, c)
	{
		const char *id = json_string_value(json_object_get(c, "id"));

		if (id != NULL && strcmp(id, order) == 0)
			return json_integer_value(
				   json_object_get(c, "not_after")) > 0 &&
			       json_integer_value(
				   json_object_get(gateway, "behind")) == 0;
	}
	return false;
}

/* An edge that is heard takes a moment; one that is not must not hold us. */
static enum dvt_code
await(struct cli *c, const char *target, const char *order, bool *done,
    struct dvt_err *err)
{
	json_t *gateway;
	enum dvt_code rc;

	*done = false;
	for (int i = 0; i < AWAIT_LOOKS && !*done; i++) {
		rc = cli_call(c, "GET", target, NULL, &gateway, err);
		if (rc != DVT_OK)
			return rc;
		*done = in_force(gateway, order);
		json_decref(gateway);
		if (!*done)
			(void)usleep(AWAIT_US);
	}
	return DVT_OK;
}

/* Ask for a credential of @gateway under --authority into @slot, and wait
 * until it is in force. */
static enum dvt_code
order(struct cli *c, const char *gateway, const char *slot, struct dvt_err *err)
{
	const char *authority = cli_opt(c, "authority"), *id;
	json_t *body, *answer = NULL;
	struct dvt_buf at, credentials;
	bool done = false;
	enum dvt_code rc;

	if (authority == NULL)
		return dvt_fail(err, DVT_E_INPUT,
		    "under which authority? --authority NAME");
	dvt_buf_init(&at, DVT_URI_MAX);
	dvt_buf_init(&credentials, DVT_URI_MAX);
	dvt_buf_puts(&at, "/v1/gateways/");
	cli_segment(&at, gateway);
	dvt_buf_printf(&credentials, "%s/credentials", dvt_buf_str(&at));
	body = json_pack("{s:s, s:s}", "authority", authority, "slot", slot);
	rc = cli_call(c, "POST", dvt_buf_str(&credentials), body, &answer, err);
	id = json_string_value(json_object_get(answer, "order"));
	if (rc == DVT_OK && id != NULL)
		rc = await(c, dvt_buf_str(&at), id, &done, err);
	if (rc == DVT_OK && c->json) {
		json_object_set_new(answer, "in_force", json_boolean(done));
		cli_print_json(answer);
	} else if (rc == DVT_OK) {
		printf("%s: certificate under %s in slot %s: %s\n", gateway,
		    authority, slot,
		    done ? "in force" : "ordered; the edge was not heard yet");
	}
	json_decref(body);
	json_decref(answer);
	dvt_buf_fini(&at);
	dvt_buf_fini(&credentials);
	return rc;
}

enum dvt_code
cmd_gateway_csr(struct cli *c, struct dvt_err *err)
{
	const char *slot = cli_opt(c, "slot");

	return order(c, c->arg[0], slot == NULL ? "next" : slot, err);
}

enum dvt_code
cmd_gateway_recover(struct cli *c, struct dvt_err *err)
{
	json_t *items, *g;
	const char *name;
	size_t i;
	enum dvt_code rc;

	if (cli_opt(c, "gateway") != NULL)
		return order(c, cli_opt(c, "gateway"), "recovery", err);
	if ((rc = cli_list(c, "/v1/gateways", &items, err)) != DVT_OK)
		return rc;
	json_array_foreach(items, i, g)
	{
		name = json_string_value(json_object_get(g, "name"));
		if (rc == DVT_OK && name != NULL)
			rc = order(c, name, "recovery", err);
	}
	json_decref(items);
	return rc;
}

static enum dvt_code
set_file(json_t *body, const char *key, const char *path, struct dvt_err *err)
{
	struct dvt_buf pem;
	enum dvt_code rc;

	if (path == NULL)
		return DVT_OK;
	dvt_buf_init(&pem, DVT_CHAIN_PEM_MAX);
	rc = cli_read_file(path, &pem, err);
	if (rc == DVT_OK)
		json_object_set_new(body, key, json_string(dvt_buf_str(&pem)));
	dvt_buf_fini(&pem);
	return rc;
}

enum dvt_code
cmd_gateway_rotate(struct cli *c, struct dvt_err *err)
{
	const char *mode = cli_opt(c, "mode"), *why = cli_opt(c, "override");
	const char *approval = cli_opt(c, "approval");
	json_t *body = json_pack(
		   "{s:s}", "validationMode", mode == NULL ? "strict" : mode),
	       *override;
	enum dvt_code rc;

	set_opt(body, "gateway", cli_opt(c, "gateway"));
	set_opt(body, "authority", cli_opt(c, "authority"));
	if (why != NULL) {
		override = json_pack("{s:s}", "reason", why);
		if (approval != NULL)
			json_object_set_new(override, "approval",
			    json_integer(atoll(approval)));
		json_object_set_new(body, "override", override);
	}
	rc = set_file(body, "newCertificate", cli_opt(c, "certificate"), err);
	if (rc != DVT_OK) {
		json_decref(body);
		return rc;
	}
	return post(c, "/gateway/certificates/rotate", body, err);
}

enum dvt_code
cmd_gateway_rollback(struct cli *c, struct dvt_err *err)
{
	const char *to = cli_opt(c, "to"), *scope = cli_opt(c, "scope");
	json_t *body = json_pack("{s:s, s:b}", "scope",
	    scope == NULL ? "all" : scope, "preserveDeviceCerts", 1);

	if (to == NULL || strcmp(to, "previous") == 0)
		json_object_set_new(
		    body, "targetVersion", json_string("previous"));
	else
		json_object_set_new(
		    body, "targetVersion", json_integer(atoll(to)));
	set_opt(body, "gateway", cli_opt(c, "gateway"));
	return post(c, "/gateway/certificates/rollback", body, err);
}

enum dvt_code
cmd_gateway_validate(struct cli *c, struct dvt_err *err)
{
	static const struct cli_column columns[] = {
	    {"DEVICE",  "device",  CLI_TEXT},
	    {"VERDICT", "verdict", CLI_TEXT},
	    {"REASON",  "reason",  CLI_TEXT},
	};
	json_t *body = json_pack("{s:b}", "dryRun", 1), *answer = NULL;
	enum dvt_code rc = DVT_OK;

	if (cli_opt(c, "certificate") == NULL)
		rc = dvt_fail(
		    err, DVT_E_INPUT, "which chain? --certificate FILE");
	set_opt(body, "deviceId", cli_opt(c, "device"));
	if (rc == DVT_OK)
		rc = set_file(
		    body, "certificateChain", cli_opt(c, "certificate"), err);
	if (rc == DVT_OK)
		rc = cli_call(c, "POST", "/gateway/certificates/validate", body,
		    &answer, err);
	if (rc == DVT_OK && c->json)
		cli_print_json(answer);
	else if (rc == DVT_OK)
		cli_table(json_object_get(answer, "items"), columns,
		    DVT_COUNT(columns), "No device.");
	json_decref(body);
	json_decref(answer);
	return rc;
}
