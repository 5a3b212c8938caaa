/* SPDX-License-Identifier: Apache-2.0 */
/* dovetail rotation ...: plan, start, watch, pause, undo. */
#include "cli/cli.h"

#include "base/clock.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define WATCH_US 500000 /* between two looks */

static const struct cli_column rotation_columns[] = {
    {"ID",        "id",          CLI_NUMBER},
    {"KIND",      "kind",        CLI_TEXT  },
    {"STATE",     "state",       CLI_TEXT  },
    {"PHASE",     "phase",       CLI_TEXT  },
    {"SINCE",     "phase_since", CLI_AGO   },
    {"FROM",      "from",        CLI_TEXT  },
    {"TO",        "to",          CLI_TEXT  },
    {"WAITS FOR", "waits_for",   CLI_TEXT  },
};

static void
rotation_target(struct dvt_buf *at, const char *id, const char *verb)
{
	dvt_buf_init(at, DVT_URI_MAX);
	dvt_buf_puts(at, "/v1/rotations/");
	cli_segment(at, id);
	dvt_buf_printf(at, "%s%s", verb[0] == '\0' ? "" : "/", verb);
}

static void
print_rotation(const json_t *r)
{
	static const struct cli_column rows[] = {
	    {"rotation",      "id",           CLI_TEXT},
	    {"kind",          "kind",         CLI_TEXT},
	    {"state",         "state",        CLI_TEXT},
	    {"phase",         "phase",        CLI_TEXT},
	    {"since",         "phase_since",  CLI_TIME},
	    {"waits for",     "waits_for",    CLI_TEXT},
	    {"from",          "from",         CLI_TEXT},
	    {"to",            "to",           CLI_TEXT},
	    {"last safe day", "last_safe_at", CLI_DATE},
	    {"approval",      "approval",     CLI_TEXT},
	};
	static const struct cli_column phases[] = {
	    {"PHASE",   "name",       CLI_TEXT},
	    {"ENTERED", "entered_at", CLI_TIME},
	    {"LEFT",    "left_at",    CLI_TIME},
	    {"OUTCOME", "outcome",    CLI_TEXT},
	};
	static const struct cli_column stragglers[] = {
	    {"STRAGGLER", "device", CLI_TEXT},
	    {"STATE",     "state",  CLI_TEXT},
	    {"REASON",    "reason", CLI_TEXT},
	};
	const json_t *counts = json_object_get(r, "counts"), *n;
	const char *state;

	cli_fields(r, rows, DVT_COUNT(rows));
	json_object_foreach((json_t *)(uintptr_t)counts, state, n) printf(
	    "%-18s %" JSON_INTEGER_FORMAT "\n", state, json_integer_value(n));
	printf("\n");
	cli_table(json_object_get(r, "phases"), phases, DVT_COUNT(phases),
	    "Not started.");
	if (json_array_size(json_object_get(r, "stragglers")) > 0) {
		printf("\n");
		cli_table(json_object_get(r, "stragglers"), stragglers,
		    DVT_COUNT(stragglers), "");
	}
}

static void
print_answer(struct cli *c, const json_t *answer)
{
	if (c->json)
		cli_print_json(answer);
	else
		print_rotation(answer);
}

/* A number or a truth where it reads as one, "a,b" as a list where the plan
 * wants one, else a text. */
static json_t *
option_value(const char *key, const char *text)
{
	char *end, *copy, *at, *item;
	long long n = strtoll(text, &end, 10);
	json_t *list;

	if (strcmp(key, "pilot_devices") == 0) {
		list = json_array();
		at = copy = dvt_strdup(text);
		while ((item = strsep(&at, ",")) != NULL)
			json_array_append_new(list, json_string(item));
		free(copy);
		return list;
	}
	if (*text != '\0' && *end == '\0')
		return json_integer(n);
	if (strcmp(text, "true") == 0 || strcmp(text, "false") == 0)
		return json_boolean(*text == 't');
	return json_string(text);
}

/* "--set key=value" */
static enum dvt_code
set_option(json_t *plan, const char *text, struct dvt_err *err)
{
	const char *eq = strchr(text, '=');
	char *key;

	if (eq == NULL)
		return dvt_fail(
		    err, DVT_E_INPUT, "--set %s: not key=value", text);
	key = dvt_strndup(text, (size_t)(eq - text));
	json_object_set_new(plan, key, option_value(key, eq + 1));
	free(key);
	return DVT_OK;
}

/* "--except DEVICE=REASON" */
static enum dvt_code
except_option(json_t *plan, const char *text, struct dvt_err *err)
{
	const char *eq = strchr(text, '=');
	json_t *list = json_object_get(plan, "except");

	if (eq == NULL || eq == text || eq[1] == '\0')
		return dvt_fail(
		    err, DVT_E_INPUT, "--except %s: not DEVICE=REASON", text);
	if (list == NULL) {
		list = json_array();
		json_object_set_new(plan, "except", list);
	}
	json_array_append_new(list, json_pack("{s:s%, s:s}", "device", text,
					(size_t)(eq - text), "reason", eq + 1));
	return DVT_OK;
}

/* Every "--@option" there is, one after the other, into the plan. */
static enum dvt_code
each_option(struct cli *c, const char *option, json_t *plan,
    enum dvt_code (*take)(json_t *, const char *, struct dvt_err *),
    struct dvt_err *err)
{
	const char *text;
	enum dvt_code rc = DVT_OK;

	for (size_t i = 0; rc == DVT_OK; i++) {
		if ((text = cli_opt_nth(c, option, i)) == NULL)
			break;
		rc = take(plan, text, err);
	}
	return rc;
}

/* What was judged, what was not, and what comes next. */
static void
print_planned(struct cli *c, const json_t *r)
{
	static const struct cli_column rows[] = {
	    {"overlap, s", "plan.overlap_min_s", CLI_TEXT},
	    {"wave, s",    "plan.wave_min_s",    CLI_TEXT},
	    {"observe, s", "plan.observe_min_s", CLI_TEXT},
	    {"hold, s",    "plan.hold_s",        CLI_TEXT},
	};
	json_t *status = NULL;
	struct dvt_err err;
	json_int_t parked = 0;

	cli_fields(r, rows, DVT_COUNT(rows));
	if (cli_call(c, "GET", "/v1/status", NULL, &status, &err) == DVT_OK)
		parked = json_integer_value(json_object_get(
		    json_object_get(status, "fleet"), "parked"));
	json_decref(status);
	printf("\nNo active device is known that could not follow. The "
	       "preflight looks again.\n");
	if (parked > 0)
		printf("%" JSON_INTEGER_FORMAT
		       " devices are parked (never heard, or silent for long): "
		       "no gate waits for them;\nwho is not through is named "
		       "before the old is removed. See: dovetail device list "
		       "--state parked\n",
		    parked);
	printf("Next: dovetail rotation start %" JSON_INTEGER_FORMAT "\n",
	    json_integer_value(json_object_get(r, "id")));
}

enum dvt_code
cmd_rotation_plan(struct cli *c, struct dvt_err *err)
{
	json_t *plan = json_pack("{s:s}", "kind", c->arg[0]), *answer = NULL;
	enum dvt_code rc;

	for (size_t i = 0; i < 2; i++) {
		const char *key = i == 0 ? "from" : "to";

		if (cli_opt(c, key) != NULL)
			json_object_set_new(
			    plan, key, json_string(cli_opt(c, key)));
	}
	rc = each_option(c, "set", plan, set_option, err);
	if (rc == DVT_OK)
		rc = each_option(c, "except", plan, except_option, err);
	if (rc == DVT_OK)
		rc = cli_call(c, "POST", "/v1/rotations", plan, &answer, err);
	if (rc == DVT_OK)
		print_answer(c, answer);
	if (rc == DVT_OK && !c->json)
		print_planned(c, answer);
	json_decref(plan);
	json_decref(answer);
	return rc;
}

enum dvt_code
cmd_rotation_list(struct cli *c, struct dvt_err *err)
{
	json_t *items;
	enum dvt_code rc = cli_list(c, "/v1/rotations", &items, err);

	if (rc != DVT_OK)
		return rc;
	if (c->json)
		cli_print_json(items);
	else
		cli_table(items, rotation_columns, DVT_COUNT(rotation_columns),
		    "No rotation (dovetail rotation plan KIND).");
	json_decref(items);
	return DVT_OK;
}

static bool
text_is(const json_t *r, const char *field, const char *want)
{
	const char *s = json_string_value(json_object_get(r, field));

	return s != NULL && want != NULL && strcmp(s, want) == 0;
}

/* What --watch waits for has come; or the rotation will not move any more. */
static bool
arrived(
    const json_t *r, const char *until, enum dvt_code *rc, struct dvt_err *err)
{
	char what[600];

	*rc = DVT_OK;
	if (text_is(r, "state", "done") || text_is(r, "phase", until) ||
	    text_is(r, "state", until))
		return true;
	if (until != NULL && strcmp(until, "approval") == 0 &&
	    json_is_integer(json_object_get(r, "approval")))
		return true;
	if (text_is(r, "state", "running") || text_is(r, "state", "planned"))
		return false;
	*rc = dvt_fail(err, DVT_E_CONFLICT, "rotation is %s: %s",
	    json_string_value(json_object_get(r, "state")),
	    cli_cell(r, "waits_for", CLI_TEXT, what, sizeof(what)));
	return true;
}

static enum dvt_code
watch(struct cli *c, const char *target, struct dvt_err *err)
{
	const char *until = cli_opt(c, "until");
	char line[1024], was[1024] = "", phase[64], what[700], at[64];
	json_t *r;
	bool end = false;
	enum dvt_code rc = DVT_OK;

	while (!end) {
		rc = cli_call(c, "GET", target, NULL, &r, err);
		if (rc != DVT_OK)
			return rc;
		(void)snprintf(line, sizeof(line), "%-9s %s",
		    cli_cell(r, "phase", CLI_TEXT, phase, sizeof(phase)),
		    cli_cell(r, "waits_for", CLI_TEXT, what, sizeof(what)));
		end = arrived(r, until, &rc, err);
		if (c->json && end)
			cli_print_json(r);
		else if (!c->json && strcmp(line, was) != 0)
			printf("%.19s  %s\n",
			    dvt_time_format(
				dvt_time_now().wall_s, at, sizeof(at)),
			    line);
		(void)fflush(stdout);
		memcpy(was, line, sizeof(was));
		json_decref(r);
		if (!end)
			(void)usleep(WATCH_US);
	}
	return rc;
}

/* The number of the newest rotation that is not over, as text. */
static enum dvt_code
newest(struct cli *c, char *id, size_t size, struct dvt_err *err)
{
	json_t *items, *r;
	size_t i;
	enum dvt_code rc = cli_list(c, "/v1/rotations", &items, err);

	if (rc != DVT_OK)
		return rc;
	id[0] = '\0';
	json_array_foreach(items, i, r)
	{
		if (id[0] == '\0' || text_is(r, "state", "running") ||
		    text_is(r, "state", "paused"))
			(void)cli_cell(r, "id", CLI_TEXT, id, size);
	}
	json_decref(items);
	return id[0] != '\0'
		   ? DVT_OK
		   : dvt_fail(err, DVT_E_ABSENT, "there is no rotation yet");
}

enum dvt_code
cmd_rotation_status(struct cli *c, struct dvt_err *err)
{
	struct dvt_buf at;
	json_t *answer = NULL;
	char id[32];
	enum dvt_code rc;

	if (c->args == 0 && (rc = newest(c, id, sizeof(id), err)) != DVT_OK)
		return rc;
	rotation_target(&at, c->args == 0 ? id : c->arg[0], "");
	if (cli_opt(c, "watch") != NULL) {
		rc = watch(c, dvt_buf_str(&at), err);
	} else {
		rc = cli_call(c, "GET", dvt_buf_str(&at), NULL, &answer, err);
		if (rc == DVT_OK)
			print_answer(c, answer);
	}
	json_decref(answer);
	dvt_buf_fini(&at);
	return rc;
}

static enum dvt_code
act(struct cli *c, const char *verb, struct dvt_err *err)
{
	struct dvt_buf at;
	json_t *answer = NULL;
	enum dvt_code rc;

	rotation_target(&at, c->arg[0], verb);
	rc = cli_call(c, "POST", dvt_buf_str(&at), NULL, &answer, err);
	if (rc == DVT_OK)
		print_answer(c, answer);
	json_decref(answer);
	dvt_buf_fini(&at);
	return rc;
}

enum dvt_code
cmd_rotation_start(struct cli *c, struct dvt_err *err)
{
	return act(c, "start", err);
}

enum dvt_code
cmd_rotation_pause(struct cli *c, struct dvt_err *err)
{
	return act(c, "pause", err);
}

enum dvt_code
cmd_rotation_resume(struct cli *c, struct dvt_err *err)
{
	return act(c, "resume", err);
}

enum dvt_code
cmd_rotation_abort(struct cli *c, struct dvt_err *err)
{
	return act(c, "abort", err);
}

enum dvt_code
cmd_rotation_rollback(struct cli *c, struct dvt_err *err)
{
	return act(c, "rollback", err);
}
