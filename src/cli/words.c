/* SPDX-License-Identifier: Apache-2.0 */
/* The words of a command line: which command, its arguments, its options. */
#include "cli/cli.h"

#include <stdlib.h>

#define TOKEN_MAX 512 /* bytes of a token file */

/* How many words of @argv are the command's; 0 when it is another command. */
static size_t
words_match(const char *words, char **argv, size_t n)
{
	size_t count = 0;

	while (*words != '\0') {
		size_t len = strcspn(words, " ");

		if (count == n || strlen(argv[count]) != len ||
		    strncmp(argv[count], words, len) != 0)
			return 0;
		count++;
		words += len;
		words += strspn(words, " ");
	}
	return count;
}

const struct cli_command *
cli_find(char **argv, size_t n, size_t *used)
{
	const struct cli_command *best = NULL;
	size_t most = 0;

	for (size_t i = 0; i < cli_commands_n; i++) {
		size_t len = words_match(cli_commands[i].words, argv, n);

		if (len > most) {
			most = len;
			best = &cli_commands[i];
		}
	}
	if (used != NULL)
		*used = most;
	return best;
}

/* 1: "--name" alone, 2: it takes a value, 0: not an option of this list. */
static int
option_kind(const char *options, const char *name, size_t len)
{
	while (options != NULL && *options != '\0') {
		size_t n = strcspn(options, " =");

		if (n == len && strncmp(options, name, len) == 0)
			return options[n] == '=' ? 2 : 1;
		options += strcspn(options, " ");
		options += strspn(options, " ");
	}
	return 0;
}

static enum dvt_code
read_token_file(struct cli *c, const char *path, struct dvt_err *err)
{
	struct dvt_buf text;
	enum dvt_code rc;

	dvt_buf_init(&text, TOKEN_MAX);
	if ((rc = cli_read_file(path, &text, err)) == DVT_OK) {
		while (text.n > 0 && text.p[text.n - 1] <= ' ')
			text.n--;
		dvt_secret_set(&c->token, text.p, text.n);
	}
	dvt_buf_cleanse(&text);
	return rc;
}

/* An option every command has; false: it is none of them. */
static bool
global(struct cli *c, const char *name, size_t len, const char *value,
    enum dvt_code *rc, struct dvt_err *err)
{
	static const char known[] = "dir= url= ca= token= token-file= json";
	int kind = option_kind(known, name, len);

	*rc = DVT_OK;
	if (kind == 0)
		return false;
	if (kind == 2 && value == NULL) {
		*rc = dvt_fail(
		    err, DVT_E_INPUT, "--%.*s takes a value", (int)len, name);
	} else if (strncmp(name, "json", len) == 0) {
		c->json = true;
	} else if (len == 3 && strncmp(name, "dir", len) == 0) {
		free(c->socket);
		c->socket = dvt_asprintf("%s/run/api.sock", value);
	} else if (len == 3) {
		c->url = value;
	} else if (len == 2) {
		c->ca = value;
	} else if (len == 5) {
		dvt_secret_set(&c->token, value, strlen(value));
	} else {
		*rc = read_token_file(c, value, err);
	}
	return true;
}

/*
 * One "--name", "--name=value" or "--name value"; @at moves past it. Before
 * the command is known @options is NULL and only global ones are taken.
 */
static enum dvt_code
take_option(struct cli *c, const char *options, char **argv, size_t n,
    size_t *at, struct dvt_err *err)
{
	const char *name = argv[*at] + 2, *value = NULL;
	size_t len = strcspn(name, "=");
	int kind = option_kind(options, name, len);
	bool valued = kind == 2 ||
		      option_kind(
			  "dir= url= ca= token= token-file=", name, len) == 2;
	enum dvt_code rc;

	if (name[len] == '=')
		value = name + len + 1;
	else if (valued && *at + 1 < n)
		value = argv[++*at];
	(*at)++;
	if (kind == 0) {
		if (global(c, name, len, value, &rc, err))
			return rc;
		return dvt_fail(err, DVT_E_INPUT,
		    "no option --%.*s here (dovetail help)", (int)len, name);
	}
	if (kind == 2 && value == NULL)
		return dvt_fail(
		    err, DVT_E_INPUT, "--%.*s takes a value", (int)len, name);
	if (c->opts == CLI_OPTS_MAX)
		return dvt_fail(
		    err, DVT_E_LIMIT, "more than %d options", CLI_OPTS_MAX);
	c->opt[c->opts].name = name;
	c->opt[c->opts].name_len = len;
	c->opt[c->opts++].value = value == NULL ? "" : value;
	return DVT_OK;
}

static enum dvt_code
take_words(struct cli *c, const struct cli_command *cmd, char **argv, size_t n,
    struct dvt_err *err)
{
	enum dvt_code rc;
	size_t i = 0;

	while (i < n) {
		if (strncmp(argv[i], "--", 2) == 0 && argv[i][2] != '\0') {
			rc = take_option(c, cmd->options, argv, n, &i, err);
			if (rc != DVT_OK)
				return rc;
			continue;
		}
		if (c->args == CLI_ARGS_MAX || c->args == cmd->most)
			return dvt_fail(err, DVT_E_INPUT,
			    "too many words at '%s'; usage: dovetail %s %s",
			    argv[i], cmd->words, cmd->usage);
		c->arg[c->args++] = argv[i++];
	}
	if (c->args < cmd->least)
		return dvt_fail(err, DVT_E_INPUT, "usage: dovetail %s %s",
		    cmd->words, cmd->usage);
	return DVT_OK;
}

const char *
cli_opt_nth(const struct cli *c, const char *name, size_t i)
{
	for (size_t k = 0; k < c->opts; k++) {
		if (c->opt[k].name_len == strlen(name) &&
		    strncmp(c->opt[k].name, name, c->opt[k].name_len) == 0 &&
		    i-- == 0)
			return c->opt[k].value;
	}
	return NULL;
}

const char *
cli_opt(const struct cli *c, const char *name)
{
	return cli_opt_nth(c, name, 0);
}

enum dvt_code
cli_parse_global(
    struct cli *c, char **argv, size_t n, size_t *at, struct dvt_err *err)
{
	enum dvt_code rc = DVT_OK;

	while (rc == DVT_OK && *at < n && strncmp(argv[*at], "--", 2) == 0)
		rc = take_option(c, NULL, argv, n, at, err);
	return rc;
}

enum dvt_code
cli_parse(struct cli *c, char **argv, size_t n, const struct cli_command **cmd,
    struct dvt_err *err)
{
	size_t used;

	*cmd = cli_find(argv, n, &used);
	if (*cmd == NULL)
		return dvt_fail(err, DVT_E_INPUT,
		    "no such command%s%s%s%s (dovetail help)",
		    n > 0 ? ": " : "", n > 0 ? argv[0] : "", n > 1 ? " " : "",
		    n > 1 ? argv[1] : "");
	return take_words(c, *cmd, argv + used, n - used, err);
}
