/* SPDX-License-Identifier: Apache-2.0 */
/* The parent: settings read, sockets opened, the secret sealed, children. */
#ifndef DVT_DOVETAILD_START_H
#define DVT_DOVETAILD_START_H

#include "dovetaild/program.h"

/**
 * program_configure() - read the settings
 * @path: settings file; its folder is the data folder
 * @set:  @set_n times "key=value", over the file
 */
DVT_MUST_USE enum dvt_code program_configure(struct program *p,
    const char *path, const char *const *set, size_t set_n,
    struct dvt_err *err);
/* Sockets, pid file, the unlocking secret into its sealed file. */
DVT_MUST_USE enum dvt_code program_start(
    struct program *p, struct dvt_err *err);
/* Children until the end; the exit status. */
int program_loop(struct program *p);
void program_fini(struct program *p);

#endif
