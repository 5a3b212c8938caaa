/* SPDX-License-Identifier: Apache-2.0 */
/* dovetaild: arguments, configuration, start, loop. */
#include "base/log.h"
#include "dovetaild/program.h"
#include "dovetaild/start.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct arguments {
	const char *config;
	const char *set[32]; /* key=value over the file */
	size_t set_n;
	bool check; /* -n */
	bool man;
};

static void
usage(FILE *to)
{
	fputs("usage: dovetaild --config DIR/dovetail.ini [-n] [--set "
	      "KEY=VALUE ...]\n"
	      "       dovetaild --init DIR [options; see --init --help]\n"
	      "       dovetaild --version\n",
	    to);
}

static enum dvt_code
arguments_read(int argc, char **argv, struct arguments *a, struct dvt_err *err)
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

	while ((c = getopt_long(argc, argv, "c:ns:Vh", options, NULL)) != -1) {
		if (c == 'c') {
			a->config = optarg;
		} else if (c == 'n') {
			a->check = true;
		} else if (c == 'm') {
			a->man = true;
		} else if (c == 's' && a->set_n < DVT_COUNT(a->set)) {
			a->set[a->set_n++] = optarg;
		} else if (c == 'V') {
			puts("dovetaild " DVT_VERSION);
			exit(0);
		} else if (c == 'h') {
			usage(stdout);
			exit(0);
		} else {
			usage(stderr);
			exit(64);
		}
	}
	if (a->man)
		return DVT_OK;
	if (a->config == NULL || optind < argc)
		return dvt_fail(err, DVT_E_INPUT,
		    "name the settings file: dovetaild --config "
		    "DIR/dovetail.ini");
	return DVT_OK;
}

static enum dvt_code
configuration_read(
    const struct arguments *a, struct program *p, struct dvt_err *err)
{
	struct dvt_buf text;
	enum dvt_code rc;

	dvt_buf_init(&text, 1 << 20);
	if (a->man) {
		dvt_settings_man(settings_table, settings_count, &text);
		fputs(dvt_buf_str(&text), stdout);
		exit(0);
	}
	if ((rc = program_configure(p, a->config, a->set, a->set_n, err)) !=
	    DVT_OK)
		goto out;
	if (a->check) {
		dvt_config_dump(p->config, &text);
		fputs(dvt_buf_str(&text), stdout);
		exit(0);
	}
out:
	dvt_buf_fini(&text);
	return rc;
}

int
main(int argc, char **argv)
{
	struct arguments arguments = {0};
	struct program program = {0};
	struct dvt_err err = {0};
	enum dvt_code rc;
	int status;

	if (argc > 1 && strcmp(argv[1], "--init") == 0)
		return init_main(argc - 1, argv + 1);
	if ((rc = arguments_read(argc, argv, &arguments, &err)) != DVT_OK ||
	    (rc = configuration_read(&arguments, &program, &err)) != DVT_OK ||
	    (rc = program_start(&program, &err)) != DVT_OK) {
		fprintf(stderr, "dovetaild: %s\n", err.text);
		status = dvt_code_exit(rc);
	} else {
		status = program_loop(&program);
	}
	program_fini(&program);
	return status;
}
