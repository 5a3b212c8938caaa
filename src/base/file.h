/* SPDX-License-Identifier: Apache-2.0 */
/* Opening and reading what somebody else named. */
#ifndef DVT_BASE_FILE_H
#define DVT_BASE_FILE_H

#include "base/span.h"

/**
 * dvt_open_regular() - a regular file for reading
 * @fd: out: the caller's, -1 on failure
 *
 * Never waits: a FIFO, a device or a folder is refused as such.
 * Return: DVT_OK; DVT_E_INPUT (no regular file); DVT_E_ABSENT; DVT_E_SYSTEM.
 */
DVT_MUST_USE enum dvt_code dvt_open_regular(
    const char *path, int *fd, struct dvt_err *err);

/**
 * dvt_read_regular() - append the whole of a regular file to @out
 * @path: also named in every error text
 * @out:  initialised with the most bytes it may hold; what it holds already
 *        counts; borrowed
 *
 * Never waits. Reading stops when @out is full: its bytes then are a part of
 * the file, and the text names the file, its size and the limit. No copy is
 * left on the stack, so a key may be read.
 * Return: DVT_OK; DVT_E_LIMIT; DVT_E_INPUT (no regular file); DVT_E_ABSENT;
 *         DVT_E_SYSTEM.
 */
DVT_MUST_USE enum dvt_code dvt_read_regular(
    const char *path, struct dvt_buf *out, struct dvt_err *err);
/* The same of what is open already (a pipe, too: waits for its end); @fd stays
 * open, @name is for the text. Return: DVT_OK; DVT_E_LIMIT; DVT_E_SYSTEM. */
DVT_MUST_USE enum dvt_code dvt_read_fd(
    int fd, const char *name, struct dvt_buf *out, struct dvt_err *err);

#endif
