/* SPDX-License-Identifier: Apache-2.0 */
#include "proc/args.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#define PRINT_MAX (1 << 20)

static _Noreturn void
say(FILE *to, const char *text, int status)
{
	fputs(text, to);
	exit(status);
}

enum dvt_code
dvt_args_read(int argc, char **argv, const char *program, const char *usage,
    struct dvt_args *out, struct dvt_err *err)
{
	static const struct option options[] = {
	    {"config",       required_argument, NULL, 'c'},
	    {"check",        no_argument,       NULL, 'n'},
	    {"set",          required_argument, NULL, 's'},
	    {"settings-man", no_argument,       NULL, 'm'},
	    {"version",      no_argument,       NULL, 'V'},
	    {"help",         no_argument,       NULL, 'h'},
	    {NULL,           0,                 NULL, 0  },
	};
	int c;

	*out = (struct dvt_args){0};
	optind = 0; /* from the start, also a second time */
	while ((c = getopt_long(argc, argv, "c:ns:Vh", options, NULL)) != -1) {
		if (c == 'c')
			out->config = optarg;
		else if (c == 'n')
			out->check = true;
		else if (c == 'm')
			out->man = true;
		else if (c == 's' && out->set_n == DVT_ARGS_SET_MAX)
			return dvt_fail(err, DVT_E_LIMIT, "more than %d --set",
			    DVT_ARGS_SET_MAX);
		else if (c == 's')
			out->set[out->set_n++] = optarg;
		else if (c == 'h')
			say(stdout, usage, 0);
		else if (c != 'V')
			say(stderr, usage, DVT_ARGS_STATUS);
		else if (printf("%s " DVT_VERSION "\n", program) > 0)
			exit(0);
	}
	if (!out->man && (out->config == NULL || optind < argc))
		return dvt_fail(err, DVT_E_INPUT,
		    "name the settings file, and nothing else: %s --config "
		    "FILE",
		    program);
	return DVT_OK;
}

static _Noreturn void
print(struct dvt_buf *text)
{
	say(stdout, dvt_buf_str(text), 0);
}

void
dvt_args_man(const struct dvt_setting *table, size_t n)
{
	struct dvt_buf text;

	dvt_buf_init(&text, PRINT_MAX);
	dvt_settings_man(program_invocation_short_name, table, n, &text);
	print(&text);
}

void
dvt_args_dump(const struct dvt_config *config)
{
	struct dvt_buf text;

	dvt_buf_init(&text, PRINT_MAX);
	dvt_config_dump(config, &text);
	print(&text);
}
