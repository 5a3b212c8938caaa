/* SPDX-License-Identifier: Apache-2.0 */
/* The socket pairs our processes talk over. */
#ifndef DVT_LOOP_PAIR_H
#define DVT_LOOP_PAIR_H

#include "base/err.h"

/**
 * dvt_pair_new() - two connected SOCK_SEQPACKET ends
 *
 * Non-blocking, close-on-exec, 1 MiB buffers where we may (the default holds
 * 49 messages of 2 KiB; beyond the system's limit only as root).
 * Return: DVT_OK; DVT_E_SYSTEM.
 */
DVT_MUST_USE enum dvt_code dvt_pair_new(int fd[2], struct dvt_err *err);

#endif
