/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dovetail: finds the command, reads its words, runs it, and ends with the
 * status of the one error table.
 */
#include "cli/cli.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TOKEN_MAX 512 /* bytes of a token file */

static void
command_line(FILE *to, const struct cli_command *c)
{
	fprintf(to, "  %-22s %-28s %s\n", c->words, c->usage, c->help);
}

/* The commands of one noun; false when it is none. */
static bool
usage_of(FILE *to, const char *noun)
{
	size_t n = strlen(noun);
	bool any = false;

	for (size_t i = 0; i < cli_commands_n; i++) {
		if (strncmp(cli_commands[i].words, noun, n) == 0 &&
		    cli_commands[i].words[n] == ' ') {
			command_line(to, &cli_commands[i]);
			any = true;
		}
	}
	return any;
}

static void
usage(FILE *to)
{
	fprintf(to,
	    "usage: dovetail [--dir DIR | --url URL --ca FILE]\n"
	    "                [--token-file FILE] [--json] NOUN VERB ...\n\n"
	    "DIR also by DOVETAIL_DIR, the token also by DOVETAIL_TOKEN.\n\n");
	fprintf(to, "  %-22s %-28s %s\n", "init DIR", "[options]",
	    "make a control plane in an empty folder");
	for (size_t i = 0; i < cli_commands_n; i++)
		command_line(to, &cli_commands[i]);
}

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

static const struct cli_command *
find(char **argv, size_t n, size_t *used)
{
	const struct cli_command *best = NULL;

	*used = 0;
	for (size_t i = 0; i < cli_commands_n; i++) {
		size_t len = words_match(cli_commands[i].words, argv, n);

		if (len > *used) {
			*used = len;
			best = &cli_commands[i];
		}
	}
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
	if ((rc = cli_read_file(path, TOKEN_MAX, &text, err)) == DVT_OK) {
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
	c->opt[c->opts].name = dvt_strndup(name, len);
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
		if (strcmp(c->opt[k].name, name) == 0 && i-- == 0)
			return c->opt[k].value;
	}
	return NULL;
}

const char *
cli_opt(const struct cli *c, const char *name)
{
	return cli_opt_nth(c, name, 0);
}

/* `dovetail init` is the control plane's own work, on this host. */
static int
run_init(char **argv, size_t n)
{
	char path[4096], **args = dvt_alloc_array(n + 3, sizeof(*args));
	ssize_t len = readlink("/proc/self/exe", path, sizeof(path) - 16);
	size_t k = 0;
	char *slash;

	path[len < 0 ? 0 : len] = '\0';
	if ((slash = strrchr(path, '/')) == NULL)
		slash = path;
	strcpy(slash, "/dovetaild");
	args[k++] = path;
	args[k++] = dvt_strdup("--init");
	for (size_t i = 1; i < n; i++)
		args[k++] = argv[i];
	execv(path, args);
	args[0] = dvt_strdup("dovetaild");
	execvp(args[0], args);
	perror(
	    "dovetail: dovetaild is neither beside this program nor in PATH");
	return dvt_code_exit(DVT_E_ABSENT);
}

static void
defaults(struct cli *c)
{
	const char *dir = getenv("DOVETAIL_DIR");
	const char *token = getenv("DOVETAIL_TOKEN");

	c->socket = dvt_asprintf(
	    "%s/run/api.sock", dir == NULL ? "/var/lib/dovetail" : dir);
	if (token != NULL)
		dvt_secret_set(&c->token, token, strlen(token));
}

static void
complain(struct cli *c, enum dvt_code rc, const struct dvt_err *err)
{
	if (c->json && c->problem != NULL) {
		cli_print_json(c->problem);
		return;
	}
	fprintf(stderr, "dovetail: %s: %s\n", dvt_code_name(rc), err->text);
	cli_print_refused(c->problem);
	if (rc == DVT_E_APPROVAL && c->problem != NULL &&
	    json_is_integer(json_object_get(c->problem, "approval")))
		fprintf(stderr,
		    "Another person: dovetail approval give %lld\n"
		    "Then repeat this command.\n",
		    (long long)json_integer_value(
			json_object_get(c->problem, "approval")));
}

static enum dvt_code
dispatch(struct cli *c, char **argv, size_t n, struct dvt_err *err)
{
	const struct cli_command *cmd;
	enum dvt_code rc = DVT_OK;
	size_t i = 0, used;

	while (rc == DVT_OK && i < n && strncmp(argv[i], "--", 2) == 0)
		rc = take_option(c, NULL, argv, n, &i, err);
	if (rc != DVT_OK)
		return rc;
	if (i < n && strcmp(argv[i], "init") == 0)
		exit(run_init(argv + i, n - i));
	if ((cmd = find(argv + i, n - i, &used)) == NULL) {
		if (i == n || !usage_of(stderr, argv[i]))
			usage(stderr);
		return dvt_fail(err, DVT_E_INPUT, "no such command%s%s",
		    i < n ? ": " : "", i < n ? argv[i] : "");
	}
	rc = take_words(c, cmd, argv + i + used, n - i - used, err);
	return rc != DVT_OK ? rc : cmd->run(c, err);
}

int
main(int argc, char **argv)
{
	struct dvt_err err = {0};
	struct cli c = {0};
	enum dvt_code rc;

	if (argc < 2 || strcmp(argv[1], "help") == 0 ||
	    strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
		usage(argc < 2 ? stderr : stdout);
		return argc < 2 ? 64 : 0;
	}
	if (strcmp(argv[1], "--version") == 0) {
		printf("dovetail %s\n", DVT_VERSION);
		return 0;
	}
	defaults(&c);
	rc = dispatch(&c, argv + 1, (size_t)argc - 1, &err);
	if (rc != DVT_OK)
		complain(&c, rc, &err);
	for (size_t i = 0; i < c.opts; i++)
		free((char *)(uintptr_t)c.opt[i].name);
	json_decref(c.problem);
	dvt_secret_free(&c.token);
	free(c.socket);
	if (fflush(stdout) != 0 && rc == DVT_OK)
		rc = DVT_E_SYSTEM;
	return dvt_code_exit(rc);
}
