/* SPDX-License-Identifier: Apache-2.0 */
#include "proc/output.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

/* The same pipe or terminal by another open file, in the place of @fd. */
static int
open_again(int fd)
{
	char path[32];
	int again, rc;

	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	again = open(path, O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (again < 0)
		return -1;
	rc = dup2(again, fd);
	close(again);
	return rc;
}

void
dvt_output_unblock(int fd)
{
	struct stat st;
	int flags;

	if (fstat(fd, &st) != 0 || S_ISREG(st.st_mode) ||
	    (!S_ISSOCK(st.st_mode) && open_again(fd) >= 0) ||
	    S_ISCHR(st.st_mode))
		return;
	flags = fcntl(fd, F_GETFL);
	if (flags >= 0)
		(void)fcntl(fd, F_SETFL, flags | O_NONBLOCK);
}
