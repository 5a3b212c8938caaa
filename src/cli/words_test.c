/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cli.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define WORDS_MAX 12

/* Split at blanks; the words live as long as @room. */
static size_t
split(const char *line, char *room, size_t size, char **argv)
{
	size_t n = 0;
	char *at = room;

	assert_true(strlen(line) < size);
	strcpy(room, line);
	while (*at != '\0' && n < WORDS_MAX) {
		argv[n++] = at;
		at += strcspn(at, " ");
		if (*at == ' ')
			*at++ = '\0';
	}
	return n;
}

static enum dvt_code
parse(struct cli *c, const char *line, char *room, size_t size,
    const struct cli_command **cmd, struct dvt_err *err)
{
	char *argv[WORDS_MAX];
	size_t n = split(line, room, size, argv), at = 0;
	enum dvt_code rc;

	memset(c, 0, sizeof(*c));
	*cmd = NULL;
	rc = cli_parse_global(c, argv, n, &at, err);
	return rc != DVT_OK ? rc : cli_parse(c, argv + at, n - at, cmd, err);
}

static void
fini(struct cli *c)
{
	free(c->socket);
	dvt_secret_free(&c->token);
}

static void
words_find_their_command_and_its_options(void **state)
{
	static const struct {
		const char *line, *command, *arg, *opt, *value;
	} good[] = {
	    {"status",				  "status",        NULL,    "watch", NULL},
	    {"status --watch",                          "status",        NULL,    "watch", ""  },
	    {"device list",			     "device list",   NULL,    "state", NULL},
	    {"device list dev --state parked",          "device list",   "dev",   "state",
             "parked"									  },
	    {"device list --state=parked dev",          "device list",   "dev",   "state",
             "parked"									  },
	    {"--json device show dev-1",                "device show",   "dev-1", "state", NULL},
	    {"device show dev-1 --json",                "device show",   "dev-1", "state", NULL},
	    {"gateway rotate --to x --gateway g",       NULL,            NULL,    NULL,    NULL},
	    {"rotation plan server-ca --from a --to b", "rotation plan",
             "server-ca",							 "to",    "b" },
	    {"audit export -",                          "audit export",  "-",     "x",     NULL},
	};
	(void)state;
	for (size_t i = 0; i < DVT_COUNT(good); i++) {
		const struct cli_command *cmd;
		struct dvt_err err = {0};
		struct cli c;
		char room[200];
		enum dvt_code rc = parse(
		    &c, good[i].line, room, sizeof(room), &cmd, &err);

		if (good[i].command == NULL) {
			assert_int_equal(rc, DVT_E_INPUT);
			continue;
		}
		if (rc != DVT_OK)
			fail_msg("%s: %s", good[i].line, err.text);
		assert_string_equal(cmd->words, good[i].command);
		assert_int_equal(c.args, good[i].arg != NULL);
		if (good[i].arg != NULL)
			assert_string_equal(c.arg[0], good[i].arg);
		if (good[i].value == NULL)
			assert_null(cli_opt(&c, good[i].opt));
		else
			assert_string_equal(
			    cli_opt(&c, good[i].opt), good[i].value);
		fini(&c);
	}
}

static void
wrong_words_are_told_with_the_usage(void **state)
{
	static const struct {
		const char *line, *text;
	} bad[] = {
	    {"",			"no such command"             },
	    {"device",                  "no such command: device"     },
	    {"device shwo x",           "no such command: device shwo"},
	    {"device show",             "usage: dovetail device show" },
	    {"device show a b",         "too many words at 'b'"       },
	    {"device show a --state x", "no option --state here"      },
	    {"device list --state",     "--state takes a value"       },
	    {"device list --stat x",    "no option --stat here"       },
	    {"--dir",                   "--dir takes a value"         },
	    {"--nonsense status",       "no option --nonsense here"   },
	};
	(void)state;
	for (size_t i = 0; i < DVT_COUNT(bad); i++) {
		const struct cli_command *cmd;
		struct dvt_err err = {0};
		struct cli c;
		char room[200];

		assert_int_equal(
		    parse(&c, bad[i].line, room, sizeof(room), &cmd, &err),
		    DVT_E_INPUT);
		if (strstr(err.text, bad[i].text) == NULL)
			fail_msg("'%s': '%s' instead of '%s'", bad[i].line,
			    err.text, bad[i].text);
		fini(&c);
	}
}

static void
an_option_may_be_repeated(void **state)
{
	const struct cli_command *cmd;
	struct dvt_err err = {0};
	struct cli c;
	char room[200];

	(void)state;
	assert_int_equal(parse(&c, "gateway add g --name a --name=b --next c",
			     room, sizeof(room), &cmd, &err),
	    DVT_OK);
	assert_string_equal(cli_opt_nth(&c, "name", 0), "a");
	assert_string_equal(cli_opt_nth(&c, "name", 1), "b");
	assert_null(cli_opt_nth(&c, "name", 2));
	assert_string_equal(cli_opt(&c, "next"), "c");
	assert_null(cli_opt(&c, "nam"));
	fini(&c);
}

static void
options_of_every_command_stand_before_or_behind(void **state)
{
	static const char *const lines[] = {
	    "--dir /d --token t status", "status --dir=/d --token t"};

	(void)state;
	for (size_t i = 0; i < DVT_COUNT(lines); i++) {
		const struct cli_command *cmd;
		struct dvt_err err = {0};
		struct cli c;
		char room[200];

		assert_int_equal(
		    parse(&c, lines[i], room, sizeof(room), &cmd, &err),
		    DVT_OK);
		assert_string_equal(c.socket, "/d/run/api.sock");
		assert_int_equal(c.token.n, 1);
		fini(&c);
	}
}

static void
every_command_has_words_usage_and_help(void **state)
{
	(void)state;
	for (size_t i = 0; i < cli_commands_n; i++) {
		const struct cli_command *c = &cli_commands[i];

		assert_true(c->words[0] != '\0' && c->help[0] != '\0');
		assert_true(c->least <= c->most);
		assert_non_null(c->run);
		for (size_t k = 0; k < i; k++)
			assert_string_not_equal(
			    c->words, cli_commands[k].words);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(words_find_their_command_and_its_options),
	    cmocka_unit_test(wrong_words_are_told_with_the_usage),
	    cmocka_unit_test(an_option_may_be_repeated),
	    cmocka_unit_test(options_of_every_command_stand_before_or_behind),
	    cmocka_unit_test(every_command_has_words_usage_and_help),
	};

	return cmocka_run_group_tests_name("cli words", tests, NULL, NULL);
}
