/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Service manager and pid file: see service.h. The notification is one
 * datagram (sd_notify(3) allows it to be written by oneself), so that small
 * programs need not load libsystemd.
 */
#include "proc/service.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static void
notify(const char *text)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un un = {.sun_family = AF_UNIX};
	size_t n = path != NULL ? strlen(path) : 0;
	int fd;

	if (n < 2 || n >= sizeof(un.sun_path) ||
	    (path[0] != '/' && path[0] != '@'))
		return;
	memcpy(un.sun_path, path, n);
	if (path[0] == '@')
		un.sun_path[0] = '\0'; /* abstract */
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return;
	(void)sendto(fd, text, strlen(text), MSG_NOSIGNAL,
	    (const struct sockaddr *)&un,
	    (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n));
	close(fd);
}

void
dvt_service_ready(const char *status)
{
	char text[512];

	(void)snprintf(text, sizeof(text), "READY=1\nSTATUS=%s\nMAINPID=%ld",
	    status, (long)getpid());
	notify(text);
}

void
dvt_service_stopping(void)
{
	notify("STOPPING=1");
}

void
dvt_service_status(const char *status)
{
	char text[512];

	(void)snprintf(text, sizeof(text), "STATUS=%s", status);
	notify(text);
}

enum dvt_code
dvt_pidfile_take(const char *path, struct dvt_err *err)
{
	char text[32];
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
	int n = snprintf(text, sizeof(text), "%ld\n", (long)getpid());

	if (fd < 0)
		return dvt_fail_errno(err, "pid file %s", path);
	/* of the open file, so children keep it; it ends with the last */
	if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
		enum dvt_code rc = errno == EWOULDBLOCK
				       ? dvt_fail(err, DVT_E_CONFLICT,
					     "pid file %s: another one runs",
					     path)
				       : dvt_fail_errno(
					     err, "pid file %s", path);

		close(fd);
		return rc;
	}
	if (ftruncate(fd, 0) != 0 || write(fd, text, (size_t)n) != n) {
		(void)dvt_fail_errno(err, "pid file %s", path);
		close(fd);
		return DVT_E_SYSTEM;
	}
	return DVT_OK; /* stays open, and locked, until the process ends */
}

unsigned long
dvt_files_max(void)
{
	struct rlimit r;

	if (getrlimit(RLIMIT_NOFILE, &r) != 0)
		return 1024;
	r.rlim_cur = r.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &r);
	return (unsigned long)r.rlim_cur;
}
