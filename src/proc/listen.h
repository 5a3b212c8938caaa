/* SPDX-License-Identifier: Apache-2.0 */
/* Listening sockets, opened before privileges are dropped. */
#ifndef DVT_PROC_LISTEN_H
#define DVT_PROC_LISTEN_H

#include "loop/addr.h"

#include <sys/types.h>

/**
 * dvt_listen_tcp() - bind and listen
 * @where:  "127.0.0.1:0"; port 0 takes a free one
 * @n:      sockets on the same address, one for each worker (SO_REUSEPORT: the
 *          kernel spreads)
 * @fd:     out: @n of them, non-blocking, close-on-exec, TCP_NODELAY (inherited
 *          by what is accepted); the caller's
 * @actual: out: what was bound; may be NULL
 *
 * Return: DVT_OK; DVT_E_INPUT; DVT_E_SYSTEM (also when another program has the
 *         address, with SO_REUSEPORT or without, for longer than the children
 * of a killed one need to end). All @fd are -1 then.
 */
DVT_MUST_USE enum dvt_code dvt_listen_tcp(const char *where, size_t n, int *fd,
    struct dvt_addr *actual, struct dvt_err *err);

/**
 * dvt_listen_unix() - bind a path, with @mode from its first moment
 *
 * A stale socket (nobody listens) is replaced; a live one is DVT_E_CONFLICT.
 */
DVT_MUST_USE enum dvt_code dvt_listen_unix(
    const char *path, mode_t mode, int *fd, struct dvt_err *err);

#endif
