/* SPDX-License-Identifier: Apache-2.0 */
/* The command line that all daemons have: a settings file, and what to do
 * with it. */
#ifndef DVT_PROC_ARGS_H
#define DVT_PROC_ARGS_H

#include "proc/config.h"

#define DVT_ARGS_SET_MAX 32
#define DVT_ARGS_STATUS  64 /* exit after a fault in the words: EX_USAGE */

struct dvt_args {
	const char *config; /* --config */
	bool check;         /* -n: check the settings, print them, end */
	bool man;           /* --settings-man: print their man page, end */
	const char *set[DVT_ARGS_SET_MAX]; /* --set KEY=VALUE, over the file */
	size_t set_n;
};

/**
 * dvt_args_read() - read the command line
 * @program: name in messages
 * @usage:   whole text of --help
 * @out:     borrows from @argv
 *
 * --help and --version print and end the process with 0, an unknown option
 * prints @usage and ends it with 64.
 * Return: DVT_OK; DVT_E_INPUT (no settings file, a word too many);
 *         DVT_E_LIMIT (too many --set).
 */
DVT_MUST_USE enum dvt_code dvt_args_read(int argc, char **argv,
    const char *program, const char *usage, struct dvt_args *out,
    struct dvt_err *err);

/* Print the man page of the table and end with 0. */
_Noreturn void dvt_args_man(const struct dvt_setting *table, size_t n);
/* Print the settings as they are and end with 0. */
_Noreturn void dvt_args_dump(const struct dvt_config *config);

#endif
