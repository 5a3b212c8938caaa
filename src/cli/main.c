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

#define USAGE_STATUS 64 /* sysexits.h: EX_USAGE */

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
dispatch(struct cli *c, char **argv, size_t n, bool *usage, struct dvt_err *err)
{
	const struct cli_command *cmd = NULL;
	size_t at = 0;
	enum dvt_code rc = cli_parse_global(c, argv, n, &at, err);

	if ((*usage = rc != DVT_OK))
		return rc;
	if (at < n && strcmp(argv[at], "init") == 0)
		exit(run_init(argv + at, n - at));
	if (cli_help_wanted(argv + at, n - at)) {
		cli_help(stdout, argv + at, n - at);
		return DVT_OK;
	}
	rc = cli_parse(c, argv + at, n - at, &cmd, err);
	if (cmd == NULL)
		cli_help(stderr, argv + at, n - at);
	*usage = rc == DVT_E_INPUT;
	return rc != DVT_OK ? rc : cmd->run(c, err);
}

int
main(int argc, char **argv)
{
	struct dvt_err err = {0};
	struct cli c = {0};
	bool usage = false;
	enum dvt_code rc;

	if (argc < 2) {
		cli_help(stderr, NULL, 0);
		return USAGE_STATUS;
	}
	if (strcmp(argv[1], "help") == 0 || strcmp(argv[1], "--help") == 0 ||
	    strcmp(argv[1], "-h") == 0) {
		cli_help(stdout, argv + 2, (size_t)argc - 2);
		return 0;
	}
	if (strcmp(argv[1], "--version") == 0) {
		printf("dovetail %s\n", DVT_VERSION);
		return 0;
	}
	defaults(&c);
	rc = dispatch(&c, argv + 1, (size_t)argc - 1, &usage, &err);
	if (rc != DVT_OK)
		complain(&c, rc, &err);
	json_decref(c.problem);
	dvt_secret_free(&c.token);
	free(c.socket);
	if (fflush(stdout) != 0 && rc == DVT_OK)
		rc = DVT_E_SYSTEM;
	return usage ? USAGE_STATUS : dvt_code_exit(rc);
}
