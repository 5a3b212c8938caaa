/* SPDX-License-Identifier: Apache-2.0 */
/* dovetail device ...: list, show, updates, secrets, blocking. */
#include "cli/cli.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define WATCH_US 500000

/* "/v1/devices/<id><tail>" */
static void
device_target(struct dvt_buf *at, const char *id, const char *tail)
{
	dvt_buf_init(at, DVT_URI_MAX);
	dvt_buf_puts(at, "/v1/devices/");
	cli_segment(at, id);
	dvt_buf_puts(at, tail);
}

enum dvt_code
cmd_device_list(struct cli *c, struct dvt_err *err)
{
	static const struct cli_column pinned[] = {
	    {"DEVICE",   "device",       CLI_TEXT},
	    {"STATE",    "state",        CLI_TEXT},
	    {"PINS",     "pins",         CLI_TEXT},
	    {"MODEL",    "model",        CLI_TEXT},
	    {"FIRMWARE", "firmware",     CLI_TEXT},
	    {"SEEN",     "last_seen_at", CLI_AGO },
	};
	static const struct cli_column columns[] = {
	    {"DEVICE",   "device",           CLI_TEXT  },
	    {"STATE",    "state",            CLI_TEXT  },
	    {"MODEL",    "model",            CLI_TEXT  },
	    {"FIRMWARE", "firmware",         CLI_TEXT  },
	    {"SEEN",     "last_seen_at",     CLI_AGO   },
	    {"BUNDLE",   "bundle_confirmed", CLI_NUMBER},
	    {"ENDS",     "not_after",        CLI_DATE  },
	    {"ISSUER",   "issuer",           CLI_TEXT  },
	};
	static const char *const keys[] = {"state", "model", "environment"};
	bool pins = cli_opt(c, "pins") != NULL;
	char none[CLI_NONE];
	struct dvt_buf at;
	json_t *items;
	enum dvt_code rc;

	dvt_buf_init(&at, DVT_URI_MAX);
	dvt_buf_puts(&at, "/v1/devices");
	cli_query(&at, "q", c->args > 0 ? c->arg[0] : NULL);
	for (size_t i = 0; i < DVT_COUNT(keys); i++)
		cli_query(&at, keys[i], cli_opt(c, keys[i]));
	cli_query(&at, "pins", pins ? "any" : NULL);
	rc = cli_list(c, dvt_buf_str(&at), &items, err);
	dvt_buf_fini(&at);
	if (rc != DVT_OK)
		return rc;
	if (c->json)
		cli_print_json(items);
	else if (pins)
		cli_table(items, pinned, DVT_COUNT(pinned),
		    cli_none(c, "No device that pins was seen", keys,
			DVT_COUNT(keys),
			"No device was seen to pin an intermediate or a leaf.",
			none));
	else
		cli_table(items, columns, DVT_COUNT(columns),
		    cli_none(c, "No device", keys, DVT_COUNT(keys),
			"No device (dovetail device import FOLDER).", none));
	json_decref(items);
	return DVT_OK;
}

static void
print_device(const json_t *d)
{
	static const struct cli_column rows[] = {
	    {"device",           "device",          CLI_TEXT},
	    {"state",            "state",           CLI_TEXT},
	    {"serial",           "hw_serial",       CLI_TEXT},
	    {"model",            "model",           CLI_TEXT},
	    {"firmware",         "firmware",        CLI_TEXT},
	    {"batch",            "batch",           CLI_TEXT},
	    {"environment",      "environment",     CLI_TEXT},
	    {"management",       "management",      CLI_TEXT},
	    {"subject",          "subject",         CLI_TEXT},
	    {"last seen",        "last_seen_at",    CLI_AGO },
	    {"last check-in",    "last_checkin_at", CLI_AGO },
	    {"last renewal",     "last_renewal_at", CLI_TIME},
	    {"clock off by (s)", "clock_off_s",     CLI_TEXT},
	    {"pins",             "pins",            CLI_TEXT},
	    {"bundle wanted",    "trust.wanted",    CLI_TEXT},
	    {"bundle confirmed", "trust.confirmed", CLI_TEXT},
	};
	static const struct cli_column certificates[] = {
	    {"CERTIFICATE", "fingerprint", CLI_SHORT},
	    {"STATE",       "state",       CLI_TEXT },
	    {"FROM",        "not_before",  CLI_DATE },
	    {"TO",          "not_after",   CLI_DATE },
	    {"HELD TO",     "hold_until",  CLI_TIME },
	    {"ISSUER",      "issuer",      CLI_TEXT },
	};
	static const struct cli_column seen[] = {
	    {"ROOT SHOWN", "root",       CLI_SHORT },
	    {"FORM",       "form",       CLI_TEXT  },
	    {"ACCEPTED",   "accepted",   CLI_NUMBER},
	    {"REFUSED",    "refused",    CLI_NUMBER},
	    {"LAST OK",    "last_ok_at", CLI_AGO   },
	};

	cli_fields(d, rows, DVT_COUNT(rows));
	printf("\n");
	cli_table(json_object_get(d, "credentials"), certificates,
	    DVT_COUNT(certificates), "No certificate.");
	printf("\n");
	cli_table(json_object_get(d, "seen"), seen, DVT_COUNT(seen),
	    "No handshake seen.");
}

/* GET one thing, print it as JSON or by @print. */
static enum dvt_code
show(struct cli *c, const char *target, void (*print)(const json_t *),
    struct dvt_err *err)
{
	json_t *answer;
	enum dvt_code rc = cli_ask(c, target, &answer, err);

	if (rc != DVT_OK || answer == NULL)
		return rc;
	print(answer);
	json_decref(answer);
	return DVT_OK;
}

enum dvt_code
cmd_device_show(struct cli *c, struct dvt_err *err)
{
	struct dvt_buf at;
	enum dvt_code rc;

	device_target(&at, c->arg[0], "");
	rc = show(c, dvt_buf_str(&at), print_device, err);
	dvt_buf_fini(&at);
	return rc;
}

static void
print_updates(const json_t *answer)
{
	static const struct cli_column columns[] = {
	    {"ID",      "id",         CLI_TEXT},
	    {"TIME",    "started_at", CLI_TIME},
	    {"VERSION", "version",    CLI_TEXT},
	    {"TARGET",  "target",     CLI_TEXT},
	    {"OUTCOME", "outcome",    CLI_TEXT},
	};

	cli_table(json_object_get(answer, "items"), columns, DVT_COUNT(columns),
	    "No update.");
}

/* "2022-11-28T22:29:49+00:00 : Switch(TARGET) -> Succeed" */
static void
print_steps_from(const json_t *answer, size_t first)
{
	const json_t *steps = json_object_get(answer, "steps"), *step;

	for (size_t i = first; (step = json_array_get(steps, i)) != NULL; i++) {
		char at[64], name[128], target[128], outcome[64], detail[256];

		printf("%s : %s(%s) -> %s",
		    cli_cell(step, "at", CLI_TIME, at, sizeof(at)),
		    cli_cell(step, "step", CLI_TEXT, name, sizeof(name)),
		    cli_cell(step, "target", CLI_TEXT, target, sizeof(target)),
		    cli_cell(
			step, "outcome", CLI_TEXT, outcome, sizeof(outcome)));
		cli_cell(step, "detail", CLI_TEXT, detail, sizeof(detail));
		printf("%s%s\n", detail[0] == '\0' ? "" : "  ", detail);
	}
}

static void
print_steps(const json_t *answer)
{
	print_steps_from(answer, 0);
}

/* The id of the newest update, when none is named; "" there is none yet. */
static enum dvt_code
newest_update(
    struct cli *c, const char *target, char id[64], struct dvt_err *err)
{
	json_t *answer;
	const char *text;
	enum dvt_code rc = cli_call(c, "GET", target, NULL, &answer, err);

	id[0] = '\0';
	if (rc != DVT_OK)
		return rc;
	text = json_string_value(json_object_get(
	    json_array_get(json_object_get(answer, "items"), 0), "id"));
	if (text != NULL)
		(void)dvt_copy_str(id, 64, text);
	json_decref(answer);
	return DVT_OK;
}

/* Lines as they come, until the update ends; its outcome is the exit status. */
static enum dvt_code
watch_update(struct cli *c, const char *target, struct dvt_err *err)
{
	size_t printed = 0;
	enum dvt_code rc;

	for (;;) {
		const char *outcome;
		json_t *answer;
		bool over, good;

		rc = cli_call(c, "GET", target, NULL, &answer, err);
		if (rc != DVT_OK)
			return rc;
		outcome = json_string_value(json_object_get(answer, "outcome"));
		over = outcome != NULL && outcome[0] != '\0';
		good = over && strcmp(outcome, "Succeed") == 0;
		if (!c->json)
			print_steps_from(answer, printed);
		else if (over)
			cli_print_json(answer);
		(void)fflush(stdout);
		printed = json_array_size(json_object_get(answer, "steps"));
		json_decref(answer);
		if (over)
			return good ? DVT_OK
				    : dvt_fail(err, DVT_E_CONFLICT,
					  "the update failed");
		(void)usleep(WATCH_US);
	}
}

static enum dvt_code
watch_updates(struct cli *c, struct dvt_buf *at, struct dvt_err *err)
{
	char id[64] = "";
	enum dvt_code rc = DVT_OK;

	while (c->args == 1 && rc == DVT_OK && id[0] == '\0') {
		rc = newest_update(c, dvt_buf_str(at), id, err);
		if (rc == DVT_OK && id[0] == '\0')
			(void)usleep(WATCH_US);
	}
	if (rc != DVT_OK)
		return rc;
	if (id[0] != '\0') {
		dvt_buf_putc(at, '/');
		cli_segment(at, id);
	}
	return watch_update(c, dvt_buf_str(at), err);
}

enum dvt_code
cmd_device_updates(struct cli *c, struct dvt_err *err)
{
	struct dvt_buf at;
	enum dvt_code rc;

	device_target(&at, c->arg[0], "/updates");
	if (c->args > 1) {
		dvt_buf_putc(&at, '/');
		cli_segment(&at, c->arg[1]);
	}
	if (cli_opt(c, "watch") != NULL)
		rc = watch_updates(c, &at, err);
	else
		rc = show(c, dvt_buf_str(&at),
		    c->args > 1 ? print_steps : print_updates, err);
	dvt_buf_fini(&at);
	return rc;
}

/* POST to a device; the answer's @field on a line of its own. */
static enum dvt_code
post(struct cli *c, const char *tail, json_t *body, const char *field,
    struct dvt_err *err)
{
	struct dvt_buf at;
	json_t *answer;
	char cell[512];
	enum dvt_code rc;

	device_target(&at, c->arg[0], tail);
	rc = cli_call(c, "POST", dvt_buf_str(&at), body, &answer, err);
	dvt_buf_fini(&at);
	json_decref(body);
	if (rc != DVT_OK)
		return rc;
	if (c->json)
		cli_print_json(answer);
	else
		printf("%s\n",
		    cli_cell(answer, field, CLI_TEXT, cell, sizeof(cell)));
	json_decref(answer);
	return DVT_OK;
}

enum dvt_code
cmd_device_secret(struct cli *c, struct dvt_err *err)
{
	return post(c, "/secret",
	    json_pack("{s:b}", "create", cli_opt(c, "create") != NULL),
	    "secret", err);
}

enum dvt_code
cmd_device_block(struct cli *c, struct dvt_err *err)
{
	const char *why = cli_opt(c, "reason");

	return post(c, "/block",
	    json_pack("{s:s}", "reason", why == NULL ? "" : why), "state", err);
}

enum dvt_code
cmd_device_unblock(struct cli *c, struct dvt_err *err)
{
	const char *text = cli_opt(c, "case");

	if (text == NULL)
		return dvt_fail(
		    err, DVT_E_INPUT, "say what closed the case: --case TEXT");
	return post(
	    c, "/unblock", json_pack("{s:s}", "case", text), "state", err);
}
