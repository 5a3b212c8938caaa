/* SPDX-License-Identifier: Apache-2.0 */
/* dovetail logs, event, alert: what happened. */
#include "cli/cli.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define WAIT_S 25 /* an answer to GET /v1/events may take */

enum dvt_code
cmd_logs_device(struct cli *c, struct dvt_err *err)
{
	static const struct cli_column columns[] = {
	    {"TIME",    "at",         CLI_TIME },
	    {"GATEWAY", "gateway",    CLI_TEXT },
	    {"DEVICE",  "device",     CLI_TEXT },
	    {"BY",      "confidence", CLI_TEXT },
	    {"OUTCOME", "outcome",    CLI_TEXT },
	    {"REASON",  "reason",     CLI_TEXT },
	    {"ROOT",    "root",       CLI_SHORT},
	    {"WHY",     "why",        CLI_TEXT },
	};
	static const char *const keys[] = {
	    "device", "device-type", "filter", "outcome", "limit"}; /* last */
	char none[CLI_NONE];
	struct dvt_buf at;
	enum dvt_code rc;

	dvt_buf_init(&at, DVT_URI_MAX);
	dvt_buf_puts(&at, "/v1/handshakes");
	for (size_t i = 0; i < DVT_COUNT(keys); i++)
		cli_query(&at,
		    strcmp(keys[i], "device-type") == 0 ? "device_type"
							: keys[i],
		    cli_opt(c, keys[i]));
	rc = cli_show(c, dvt_buf_str(&at), "items", columns, DVT_COUNT(columns),
	    cli_none(c, "No handshake recorded", keys, DVT_COUNT(keys) - 1,
		"No handshake recorded.", none),
	    err);
	dvt_buf_fini(&at);
	return rc;
}

static void
print_event(const json_t *e)
{
	char at[64], name[128], device[160], correlation[160];
	char *body = json_dumps(
	    json_object_get(e, "body"), JSON_COMPACT | JSON_ENSURE_ASCII);
	struct dvt_buf line;

	dvt_buf_init(&line, 1 << 20);
	dvt_buf_printf(&line, "%s  %-24s %s %s %s",
	    cli_cell(e, "at", CLI_TIME, at, sizeof(at)),
	    cli_cell(e, "name", CLI_TEXT, name, sizeof(name)),
	    cli_cell(e, "device", CLI_TEXT, device, sizeof(device)),
	    cli_cell(
		e, "correlation", CLI_TEXT, correlation, sizeof(correlation)),
	    body == NULL || strcmp(body, "{}") == 0 ? "" : body);
	if (line.n > CLI_WIDTH)
		printf("%.*s...\n", CLI_WIDTH - 3, dvt_buf_str(&line));
	else
		puts(dvt_buf_str(&line));
	dvt_buf_fini(&line);
	free(body);
}

static void
print_events(struct cli *c, const json_t *items)
{
	const json_t *e;
	size_t i;

	if (c->json && json_array_size(items) > 0)
		cli_print_json(items);
	json_array_foreach(items, i, e)
	{
		if (!c->json)
			print_event(e);
	}
	(void)fflush(stdout);
}

/* The control plane holds a question up to WAIT_S; one that answers at once
 * is asked again after a second. */
static enum dvt_code
events(struct cli *c, bool follow, struct dvt_err *err)
{
	const char *from = cli_opt(c, "after");
	long long after = from == NULL ? 0 : atoll(from);
	json_t *answer, *items;
	char target[128];
	size_t n;
	enum dvt_code rc;

	do {
		(void)snprintf(target, sizeof(target),
		    "/v1/events?after=%lld&limit=%d&wait=%d", after, CLI_PAGE,
		    follow ? WAIT_S : 0);
		rc = cli_call(c, "GET", target, NULL, &answer, err);
		if (rc != DVT_OK)
			return rc;
		items = json_object_get(answer, "items");
		print_events(c, items);
		if ((n = json_array_size(items)) > 0)
			after = json_integer_value(json_object_get(
			    json_array_get(items, n - 1), "id"));
		json_decref(answer);
		if (follow && n == 0)
			(void)sleep(1);
	} while (follow || n == CLI_PAGE);
	return DVT_OK;
}

enum dvt_code
cmd_event_list(struct cli *c, struct dvt_err *err)
{
	return events(c, cli_opt(c, "follow") != NULL, err);
}

enum dvt_code
cmd_event_follow(struct cli *c, struct dvt_err *err)
{
	return events(c, true, err);
}

enum dvt_code
cmd_alert_list(struct cli *c, struct dvt_err *err)
{
	static const struct cli_column columns[] = {
	    {"ID",       "id",       CLI_NUMBER},
	    {"SEVERITY", "severity", CLI_TEXT  },
	    {"NAME",     "name",     CLI_TEXT  },
	    {"AT",       "at",       CLI_AGO   },
	    {"COUNT",    "count",    CLI_NUMBER},
	    {"ACKED BY", "acked_by", CLI_TEXT  },
	    {"DETAIL",   "detail",   CLI_TEXT  },
	};

	return cli_show(c, "/v1/alerts", "items", columns, DVT_COUNT(columns),
	    "No alert.", err);
}

enum dvt_code
cmd_alert_ack(struct cli *c, struct dvt_err *err)
{
	struct dvt_buf at;
	enum dvt_code rc;

	dvt_buf_init(&at, DVT_URI_MAX);
	dvt_buf_puts(&at, "/v1/alerts/");
	cli_segment(&at, c->arg[0]);
	dvt_buf_puts(&at, "/ack");
	rc = cli_call(c, "POST", dvt_buf_str(&at), NULL, NULL, err);
	dvt_buf_fini(&at);
	if (rc == DVT_OK && !c->json)
		printf("alert %s: seen\n", c->arg[0]);
	return rc;
}
