/* SPDX-License-Identifier: Apache-2.0 */
/* dovetail gateway log: what a gateway logs of handshakes, for a time;
 * dovetail logs counts: how many there were. */
#include "cli/cli.h"

#include <stdio.h>
#include <stdlib.h>

/* "90s", "30m", "1h", "2d"; 0: none of these. */
static long
seconds_of(const char *text)
{
	char *end;
	long n = strtol(text, &end, 10);
	long unit = 0;

	if (end == text || n <= 0 || n > 1000000)
		return 0;
	if (*end == '\0' || *end == 's')
		unit = 1;
	else if (*end == 'm')
		unit = 60;
	else if (*end == 'h')
		unit = 3600;
	else if (*end == 'd')
		unit = 86400;
	return *end == '\0' || end[1] == '\0' ? n * unit : 0;
}

enum dvt_code
cmd_gateway_log(struct cli *c, struct dvt_err *err)
{
	const char *level = cli_opt(c, "level"), *device = cli_opt(c, "device");
	const char *address = cli_opt(c, "address"), *time = cli_opt(c, "for");
	long seconds = seconds_of(time != NULL ? time : "1h");
	json_t *body, *answer = NULL;
	struct dvt_buf at;
	char until[64];
	enum dvt_code rc;

	if (level == NULL)
		return dvt_fail(
		    err, DVT_E_INPUT, "--level OFF, ERROR, INFO or VERBOSE");
	if (seconds == 0)
		return dvt_fail(
		    err, DVT_E_INPUT, "--for %s: such as 30m, 1h, 2d", time);
	dvt_buf_init(&at, DVT_URI_MAX);
	dvt_buf_printf(&at, "/v1/gateways/%s/log", c->arg[0]);
	body = json_pack(
	    "{s:s, s:I}", "level", level, "for_s", (json_int_t)seconds);
	if (device != NULL)
		json_object_set_new(body, "device", json_string(device));
	if (address != NULL)
		json_object_set_new(body, "address", json_string(address));
	rc = cli_call(c, "POST", dvt_buf_str(&at), body, &answer, err);
	if (rc == DVT_OK && c->json)
		cli_print_json(answer);
	else if (rc == DVT_OK)
		printf("gateway %s logs handshakes%s%s at level %s until %s\n",
		    c->arg[0],
		    device != NULL    ? " of "
		    : address != NULL ? " from "
				      : "",
		    device != NULL    ? device
		    : address != NULL ? address
				      : "",
		    level,
		    cli_cell(answer, "until", CLI_TIME, until, sizeof(until)));
	json_decref(body);
	json_decref(answer);
	dvt_buf_fini(&at);
	return rc;
}

enum dvt_code
cmd_logs_counts(struct cli *c, struct dvt_err *err)
{
	static const struct cli_column columns[] = {
	    {"SERIAL",   "serial",   CLI_TEXT  },
	    {"MODEL",    "model",    CLI_TEXT  },
	    {"FIRMWARE", "firmware", CLI_TEXT  },
	    {"PRINT",    "print",    CLI_TEXT  },
	    {"OUTCOME",  "outcome",  CLI_TEXT  },
	    {"REASON",   "reason",   CLI_TEXT  },
	    {"N",        "n",        CLI_NUMBER},
	};
	static const char *const keys[] = {
	    "since", "gateway", "serial", "model", "limit"}; /* last */
	char none[CLI_NONE];
	struct dvt_buf at;
	enum dvt_code rc;

	dvt_buf_init(&at, DVT_URI_MAX);
	dvt_buf_puts(&at, "/v1/handshakes/counts");
	for (size_t i = 0; i < DVT_COUNT(keys); i++)
		cli_query(&at, keys[i], cli_opt(c, keys[i]));
	rc = cli_show(c, dvt_buf_str(&at), "items", columns, DVT_COUNT(columns),
	    cli_none(c, "No handshake counted", keys, DVT_COUNT(keys) - 1,
		"No handshake counted.", none),
	    err);
	dvt_buf_fini(&at);
	return rc;
}
