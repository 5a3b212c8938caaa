/* SPDX-License-Identifier: Apache-2.0 */
/* What there is to say: all commands, those of one noun, or one command. */
#include "cli/cli.h"

#include <string.h>

static void
command_line(FILE *to, const struct cli_command *c)
{
	fprintf(to, "  %-22s %-28s %s\n", c->words, c->usage, c->help);
}

/* The commands of one noun; false when it is none. */
static bool
help_noun(FILE *to, const char *noun)
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

/* "state= pins": --state VALUE, --pins. */
static void
help_options(FILE *to, const char *options)
{
	while (options != NULL && *options != '\0') {
		int n = (int)strcspn(options, " =");

		fprintf(to, "  --%.*s%s\n", n, options,
		    options[n] == '=' ? " VALUE" : "");
		options += strcspn(options, " ");
		options += strspn(options, " ");
	}
}

static void
help_command(FILE *to, const struct cli_command *c)
{
	fprintf(to, "usage: dovetail [--json] %s %s\n\n%s\n", c->words,
	    c->usage, c->help);
	if (c->options != NULL && c->options[0] != '\0')
		fputs("\noptions:\n", to);
	help_options(to, c->options);
}

static void
help_all(FILE *to)
{
	fprintf(to,
	    "usage: dovetail [--dir DIR | --url URL --ca FILE]\n"
	    "                [--token-file FILE] [--json] NOUN VERB ...\n"
	    "       dovetail NOUN [VERB] --help\n\n"
	    "DIR also by DOVETAIL_DIR, the token also by DOVETAIL_TOKEN.\n\n");
	fprintf(to, "  %-22s %-28s %s\n", "init DIR", "[options]",
	    "make a control plane in an empty folder");
	for (size_t i = 0; i < cli_commands_n; i++)
		command_line(to, &cli_commands[i]);
}

static bool
is_help(const char *word)
{
	return strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0;
}

bool
cli_help_wanted(char **argv, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (is_help(argv[i]))
			return true;
	return false;
}

void
cli_help(FILE *to, char **argv, size_t n)
{
	const struct cli_command *c = cli_find(argv, n, NULL);

	if (c != NULL)
		help_command(to, c);
	else if (n == 0 || is_help(argv[0]))
		help_all(to);
	else if (!help_noun(to, argv[0]) && to == stdout)
		help_all(to); /* asked for; an unknown word is just told */
}
