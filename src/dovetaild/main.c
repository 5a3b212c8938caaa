/* SPDX-License-Identifier: Apache-2.0 */
/* dovetaild: arguments, configuration, start, loop. */
#include "dovetaild/program.h"
#include "dovetaild/start.h"
#include "proc/args.h"

#include <stdio.h>
#include <string.h>

#define USAGE                                                                  \
	"usage: dovetaild --config DIR/dovetail.ini [-n] [--set KEY=VALUE "    \
	"...]\n"                                                               \
	"       dovetaild --init DIR [options; see --init --help]\n"           \
	"       dovetaild --settings-man | --version | --help\n"

static enum dvt_code
configuration_read(
    const struct dvt_args *a, struct program *p, struct dvt_err *err)
{
	enum dvt_code rc;

	if (a->man)
		dvt_args_man(settings_table, settings_count);
	rc = program_configure(p, a->config, a->set, a->set_n, err);
	if (rc == DVT_OK && a->check)
		dvt_args_dump(p->config);
	return rc;
}

int
main(int argc, char **argv)
{
	struct dvt_args arguments;
	struct program program = {0};
	struct dvt_err err = {0};
	enum dvt_code rc;
	int status;

	if (argc > 1 && strcmp(argv[1], "--init") == 0)
		return init_main(argc - 1, argv + 1);
	if (dvt_args_read(argc, argv, "dovetaild", USAGE, &arguments, &err) !=
	    DVT_OK) {
		fprintf(stderr, "dovetaild: %s\n" USAGE, err.text);
		return DVT_ARGS_STATUS;
	}
	if ((rc = configuration_read(&arguments, &program, &err)) != DVT_OK ||
	    (rc = program_start(&program, &err)) != DVT_OK) {
		fprintf(stderr, "dovetaild: %s\n", err.text);
		status = dvt_code_exit(rc);
	} else {
		status = program_loop(&program);
	}
	program_fini(&program);
	return status;
}
