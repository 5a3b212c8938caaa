/* SPDX-License-Identifier: Apache-2.0 */
/* Opening what somebody else named. */
#ifndef DVT_BASE_FILE_H
#define DVT_BASE_FILE_H

#include "base/err.h"

/**
 * dvt_open_regular() - a regular file for reading
 * @fd: out: the caller's, -1 on failure
 *
 * Never waits: a FIFO, a device or a folder is refused as such.
 * Return: DVT_OK; DVT_E_INPUT (no regular file); DVT_E_ABSENT; DVT_E_SYSTEM.
 */
DVT_MUST_USE enum dvt_code dvt_open_regular(
    const char *path, int *fd, struct dvt_err *err);

#endif
