/* SPDX-License-Identifier: Apache-2.0 */
/* Socket pairs: see pair.h. */
#include "loop/pair.h"

#include <stddef.h>
#include <sys/socket.h>

#define BUFFER_BYTES 1048576

static void
buffer_set(int fd, int forced, int plain)
{
	int size = BUFFER_BYTES;

	if (setsockopt(fd, SOL_SOCKET, forced, &size, sizeof(size)) != 0)
		(void)setsockopt(fd, SOL_SOCKET, plain, &size, sizeof(size));
}

enum dvt_code
dvt_pair_new(int fd[2], struct dvt_err *err)
{
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK,
		0, fd) != 0)
		return dvt_fail_errno(err, "socket pair");
	for (int side = 0; side < 2; side++) {
		buffer_set(fd[side], SO_SNDBUFFORCE, SO_SNDBUF);
		buffer_set(fd[side], SO_RCVBUFFORCE, SO_RCVBUF);
	}
	return DVT_OK;
}
