/* SPDX-License-Identifier: Apache-2.0 */
/* Listening sockets, opened before privileges are dropped. */
#ifndef DVT_PROC_LISTEN_H
#define DVT_PROC_LISTEN_H

#include "loop/addr.h"

#include <sys/types.h>

enum dvt_listen_flag {
	DVT_LISTEN_REUSEPORT = 1, /* one socket per worker (SO_REUSEPORT) */
};

/**
 * dvt_listen_tcp() - bind and listen
 * @where:  "127.0.0.1:0"; port 0 takes a free one
 * @fd:     out: non-blocking, close-on-exec, TCP_NODELAY (inherited by what is
 *          accepted); the caller's
 * @actual: out: what was bound; may be NULL
 */
DVT_MUST_USE enum dvt_code dvt_listen_tcp(const char *where, unsigned flags,
    int *fd, struct dvt_addr *actual, struct dvt_err *err);

/**
 * dvt_listen_unix() - bind a path, with @mode from its first moment
 *
 * A stale socket (nobody listens) is replaced; a live one is DVT_E_CONFLICT.
 */
DVT_MUST_USE enum dvt_code dvt_listen_unix(
    const char *path, mode_t mode, int *fd, struct dvt_err *err);

#endif
