/* SPDX-License-Identifier: Apache-2.0 */
/* Listening sockets: see listen.h. */
#include "proc/listen.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/stat.h>
#include <unistd.h>

#define BACKLOG 4096 /* cut by net.core.somaxconn */
#define TYPE    (SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC)

static int
option(int fd, int level, int name)
{
	int one = 1;

	return setsockopt(fd, level, name, &one, sizeof(one));
}

enum dvt_code
dvt_listen_tcp(const char *where, unsigned flags, int *fd,
    struct dvt_addr *actual, struct dvt_err *err)
{
	struct dvt_addr a;
	enum dvt_code rc;
	int s;

	*fd = -1;
	if ((rc = dvt_addr_parse(where, &a, err)) != DVT_OK)
		return rc;
	if (a.ss.ss_family == AF_UNIX)
		return dvt_fail(err, DVT_E_INPUT,
		    "listen: \"%s\" is no TCP "
		    "address",
		    where);
	s = socket(a.ss.ss_family, TYPE, 0);
	if (s < 0)
		return dvt_fail_errno(err, "listen on %s", where);
	if (option(s, SOL_SOCKET, SO_REUSEADDR) != 0 ||
	    option(s, IPPROTO_TCP, TCP_NODELAY) != 0 ||
	    ((flags & DVT_LISTEN_REUSEPORT) != 0 &&
		option(s, SOL_SOCKET, SO_REUSEPORT) != 0) ||
	    (a.ss.ss_family == AF_INET6 &&
		option(s, IPPROTO_IPV6, IPV6_V6ONLY) != 0) ||
	    bind(s, (const struct sockaddr *)&a.ss, a.len) != 0 ||
	    listen(s, BACKLOG) != 0) {
		rc = dvt_fail_errno(err, "listen on %s", where);
		close(s);
		return rc;
	}
	if (actual != NULL)
		dvt_addr_of_self(s, actual);
	*fd = s;
	return DVT_OK;
}

/* Does anybody answer there? */
static bool
is_live(const struct dvt_addr *a)
{
	int s = socket(AF_UNIX, TYPE, 0);
	bool live = s >= 0 &&
		    (connect(s, (const struct sockaddr *)&a->ss, a->len) == 0 ||
			errno == EAGAIN);

	if (s >= 0)
		close(s);
	return live;
}

enum dvt_code
dvt_listen_unix(const char *path, mode_t mode, int *fd, struct dvt_err *err)
{
	struct dvt_addr a;
	struct stat st;
	enum dvt_code rc;
	mode_t mask;
	int s, bound;

	*fd = -1;
	if (path[0] != '/')
		return dvt_fail(err, DVT_E_INPUT,
		    "listen: \"%s\" is no absolute path", path);
	if ((rc = dvt_addr_parse(path, &a, err)) != DVT_OK)
		return rc;
	if (lstat(path, &st) == 0) {
		if (!S_ISSOCK(st.st_mode))
			return dvt_fail(err, DVT_E_CONFLICT,
			    "listen: %s is there and no socket", path);
		if (is_live(&a))
			return dvt_fail(err, DVT_E_CONFLICT,
			    "listen: somebody serves %s already", path);
		(void)unlink(path);
	}
	s = socket(AF_UNIX, TYPE, 0);
	if (s < 0)
		return dvt_fail_errno(err, "listen on %s", path);
	mask = umask(~mode & 0777); /* the mode holds from its first moment */
	bound = bind(s, (const struct sockaddr *)&a.ss, a.len);
	(void)umask(mask);
	if (bound != 0 || listen(s, BACKLOG) != 0) {
		rc = dvt_fail_errno(err, "listen on %s", path);
		close(s);
		return rc;
	}
	*fd = s;
	return DVT_OK;
}
