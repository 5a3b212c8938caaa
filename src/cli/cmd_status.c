/* SPDX-License-Identifier: Apache-2.0 */
/* dovetail status, machine show, explain, completion. */
#include "cli/cli.h"

#include "base/clock.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void
print_status(const json_t *s)
{
	static const struct cli_column fleet[] = {
	    {"active",      "fleet.active",      CLI_TEXT},
	    {"parked",      "fleet.parked",      CLI_TEXT},
	    {"blocked",     "fleet.blocked",     CLI_TEXT},
	    {"seen lately", "fleet.seen_lately", CLI_TEXT},
	};
	static const struct cli_column authorities[] = {
	    {"AUTHORITY", "name",          CLI_TEXT},
	    {"STATE",     "state",         CLI_TEXT},
	    {"ENDS",      "not_after",     CLI_DATE},
	    {"ISSUES TO", "last_issue_at", CLI_DATE},
	    {"SUBJECT",   "subject",       CLI_TEXT},
	};
	static const struct cli_column gateways[] = {
	    {"EDGE",   "name",     CLI_TEXT  },
	    {"KIND",   "kind",     CLI_TEXT  },
	    {"HEARD",  "heard_at", CLI_AGO   },
	    {"BEHIND", "behind",   CLI_NUMBER},
	};
	static const struct cli_column rotations[] = {
	    {"ROTATION",  "id",        CLI_NUMBER},
	    {"KIND",      "kind",      CLI_TEXT  },
	    {"STATE",     "state",     CLI_TEXT  },
	    {"PHASE",     "phase",     CLI_TEXT  },
	    {"WAITS FOR", "waits_for", CLI_TEXT  },
	};
	const json_t *text;
	char now[64];
	size_t i;

	printf("fleet %s, %s\n",
	    json_string_value(json_object_get(s, "fleet_name")),
	    cli_cell(s, "now", CLI_TIME, now, sizeof(now)));
	cli_fields(s, fleet, DVT_COUNT(fleet));
	printf("\n");
	cli_table(json_object_get(s, "authorities"), authorities,
	    DVT_COUNT(authorities), "No authority.");
	printf("\n");
	cli_table(json_object_get(s, "gateways"), gateways, DVT_COUNT(gateways),
	    "No gateway.");
	printf("\n");
	cli_table(json_object_get(s, "rotations"), rotations,
	    DVT_COUNT(rotations), "No rotation is running.");
	json_array_foreach(json_object_get(s, "attention"), i, text)
	    printf("%s! %s\n", i == 0 ? "\n" : "", json_string_value(text));
}

enum dvt_code
cmd_status(struct cli *c, struct dvt_err *err)
{
	bool watch = cli_opt(c, "watch") != NULL;
	unsigned pages = 0;
	json_t *answer;
	enum dvt_code rc;

	do {
		rc = cli_call(c, "GET", "/v1/status", NULL, &answer, err);
		if (rc != DVT_OK)
			return rc;
		if (watch && isatty(STDOUT_FILENO))
			printf("\033[H\033[2J");
		else if (pages++ > 0 && !c->json)
			puts("\n----\n");
		if (c->json)
			cli_print_json(answer);
		else
			print_status(answer);
		(void)fflush(stdout);
		json_decref(answer);
		if (watch)
			(void)sleep(1);
	} while (watch);
	return DVT_OK;
}

enum dvt_code
cmd_machine_show(struct cli *c, struct dvt_err *err)
{
	static const struct cli_column columns[] = {
	    {"FROM",   "from",   CLI_TEXT},
	    {"EVENT",  "event",  CLI_TEXT},
	    {"TO",     "to",     CLI_TEXT},
	    {"GUARD",  "guard",  CLI_TEXT},
	    {"ACTION", "action", CLI_TEXT},
	    {"WHY",    "why",    CLI_TEXT},
	};
	struct dvt_buf at;
	enum dvt_code rc;

	dvt_buf_init(&at, DVT_URI_MAX);
	dvt_buf_puts(&at, "/v1/machines/");
	cli_segment(&at, c->arg[0]);
	rc = cli_show(c, dvt_buf_str(&at), "edges", columns, DVT_COUNT(columns),
	    "No edge.", err);
	dvt_buf_fini(&at);
	return rc;
}

enum dvt_code
cmd_explain(struct cli *c, struct dvt_err *err)
{
	static const struct {
		enum dvt_code code;
		const char *text;
	} words[] = {
	    {DVT_OK,         "It was done."							      },
	    {DVT_E_INPUT,    "What was sent cannot be taken: the text names the "
			  "field or the line. Correct it and send it again."    },
	    {DVT_E_AUTH,
             "No token, an unknown one, or one that ended; or a "
		"device without a known certificate. See dovetail token list."                           },
	    {DVT_E_DENIED,
             "Known, but not allowed: the role does not reach, "
		"the device is blocked, or it is one's own request."                                     },
	    {DVT_E_ABSENT,   "There is no such thing under that name."                                   },
	    {DVT_E_CONFLICT,
             "It contradicts what is there: another rotation "
		"over the same authority, a name in use, a step out of order."                           },
	    {DVT_E_UNSAFE,
             "Devices would be cut off. The answer lists them "
		"with the reason; mend those, or have a second person agree "
		"to an override."									},
	    {DVT_E_APPROVAL, "A second person's word is needed: dovetail "
			     "approval give ID, then the same command again."},
	    {DVT_E_LIMIT,    "Larger than what is taken; the text says how much "
			  "is."						 },
	    {DVT_E_BUSY,     "Too many at once. Wait as Retry-After says."                               },
	    {DVT_E_LATER,
             "Not now: outside the renewal window, a process is "
		"restarting, the disk is full. Nothing was changed; again "
		"after Retry-After."								     },
	    {DVT_E_SYSTEM,   "Disk, socket or library failed; the log has the "
			   "place. What was acknowledged before is safe."      },
	};
	char *line;

	for (size_t i = 0; i < DVT_COUNT(words); i++) {
		if (strcmp(dvt_code_name(words[i].code), c->arg[0]) != 0)
			continue;
		line = dvt_asprintf("%s (HTTP %d, exit %d): %s", c->arg[0],
		    dvt_code_http(words[i].code), dvt_code_exit(words[i].code),
		    words[i].text);
		cli_print_wrapped(line);
		free(line);
		return DVT_OK;
	}
	for (size_t i = 0; i < DVT_COUNT(words); i++)
		fprintf(stderr, "%s%s",
		    i > 0 ? ", " : "codes: ", dvt_code_name(words[i].code));
	fprintf(stderr, "\n");
	return dvt_fail(err, DVT_E_ABSENT, "no code %s", c->arg[0]);
}

enum dvt_code
cmd_completion(struct cli *c, struct dvt_err *err)
{
	if (strcmp(c->arg[0], "bash") != 0)
		return dvt_fail(err, DVT_E_INPUT, "completion for bash only");
	printf("_dovetail() {\n\tlocal line=\"${COMP_WORDS[*]:1:COMP_CWORD-1}\""
	       "\n\tlocal cur=\"${COMP_WORDS[COMP_CWORD]}\" all=\"");
	for (size_t i = 0; i < cli_commands_n; i++)
		printf("%s\n", cli_commands[i].words);
	printf("\"\n\tCOMPREPLY=($(printf '%%s' \"$all\" | while read -r a b; "
	       "do\n\t\tif [ -z \"$line\" ]; then echo \"$a\"\n"
	       "\t\telif [ \"$line\" = \"$a\" ]; then echo \"$b\"; fi\n"
	       "\tdone | sort -u | grep \"^$cur\"))\n}\n"
	       "complete -o default -F _dovetail dovetail\n");
	return DVT_OK;
}
