/* SPDX-License-Identifier: Apache-2.0 */
/* dovetail logs, event, alert: what happened. */
#include "cli/cli.h"

#include <stdio.h>
#include <stdlib.h>

/* One page of @target as a table, or as JSON. */
static enum dvt_code
page(struct cli *c, const char *target, const struct cli_column *columns,
    size_t n, const char *nothing, struct dvt_err *err)
{
	json_t *answer;
	enum dvt_code rc = cli_call(c, "GET", target, NULL, &answer, err);

	if (rc != DVT_OK)
		return rc;
	if (c->json)
		cli_print_json(answer);
	else
		cli_table(
		    json_object_get(answer, "items"), columns, n, nothing);
	json_decref(answer);
	return DVT_OK;
}

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
	    "device", "device-type", "filter", "outcome", "limit"};
	struct dvt_buf at;
	enum dvt_code rc;

	dvt_buf_init(&at, DVT_URI_MAX);
	dvt_buf_puts(&at, "/v1/handshakes");
	for (size_t i = 0; i < DVT_COUNT(keys); i++)
		cli_query(&at,
		    strcmp(keys[i], "device-type") == 0 ? "device_type"
							: keys[i],
		    cli_opt(c, keys[i]));
	rc = page(c, dvt_buf_str(&at), columns, DVT_COUNT(columns),
	    "No handshake recorded.", err);
	dvt_buf_fini(&at);
	return rc;
}

static void
print_event(const json_t *e)
{
	char at[64], name[128], device[160], correlation[160];
	char *body = json_dumps(json_object_get(e, "body"), JSON_COMPACT);

	printf("%s  %-24s %s %s %s\n",
	    cli_cell(e, "at", CLI_TIME, at, sizeof(at)),
	    cli_cell(e, "name", CLI_TEXT, name, sizeof(name)),
	    cli_cell(e, "device", CLI_TEXT, device, sizeof(device)),
	    cli_cell(
		e, "correlation", CLI_TEXT, correlation, sizeof(correlation)),
	    body == NULL || strcmp(body, "{}") == 0 ? "" : body);
	free(body);
}

enum dvt_code
cmd_event_list(struct cli *c, struct dvt_err *err)
{
	bool follow = cli_opt(c, "follow") != NULL;
	long long after = cli_opt(c, "after") == NULL
			      ? 0
			      : atoll(cli_opt(c, "after"));
	json_t *answer, *items, *e;
	char target[128];
	size_t i;
	enum dvt_code rc;

	do {
		(void)snprintf(target, sizeof(target),
		    "/v1/events?after=%lld&wait=%d", after, follow ? 30 : 0);
		rc = cli_call(c, "GET", target, NULL, &answer, err);
		if (rc != DVT_OK)
			return rc;
		items = json_object_get(answer, "items");
		if (c->json && json_array_size(items) > 0)
			cli_print_json(items);
		json_array_foreach(items, i, e)
		{
			if (!c->json)
				print_event(e);
			after = json_integer_value(json_object_get(e, "id"));
		}
		(void)fflush(stdout);
		i = json_array_size(items);
		json_decref(answer);
	} while (follow || i == CLI_PAGE);
	return DVT_OK;
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

	return page(
	    c, "/v1/alerts", columns, DVT_COUNT(columns), "No alert.", err);
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
	if (rc == DVT_OK)
		printf("alert %s: seen\n", c->arg[0]);
	return rc;
}
