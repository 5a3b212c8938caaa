/* SPDX-License-Identifier: Apache-2.0 */
/* struct dvt_fs on the kernel, below one directory. */
#ifndef DVT_DURABLE_FS_POSIX_H
#define DVT_DURABLE_FS_POSIX_H

#include "durable/fs.h"

struct dvt_fs_posix; /* the ctx */

extern const struct dvt_fs dvt_fs_posix;

/**
 * dvt_fs_posix_open() - root it at @dir, which must exist
 * @lock: hold the directory alone (flock) until free; for what writes
 * @out:  out: ctx for the functions of dvt_fs_posix; NULL on failure
 * Return: DVT_OK; DVT_E_ABSENT; DVT_E_BUSY (another process holds it);
 *         DVT_E_SYSTEM.
 */
DVT_MUST_USE enum dvt_code dvt_fs_posix_open(
    const char *dir, bool lock, struct dvt_fs_posix **out, struct dvt_err *err);

void dvt_fs_posix_free(struct dvt_fs_posix *fs); /* NULL-safe */

#endif
