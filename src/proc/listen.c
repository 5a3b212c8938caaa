/* SPDX-License-Identifier: Apache-2.0 */
/* Listening sockets: see listen.h. */
#include "proc/listen.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define BACKLOG 4096 /* cut by net.core.somaxconn */
#define WAIT_MS 1000
#define REST_MS 20
#define TYPE    (SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC)

static int
option(int fd, int level, int name)
{
	int one = 1;

	return setsockopt(fd, level, name, &one, sizeof(one));
}

enum place { ALONE, FIRST, ANOTHER };

/* The first of a group has the address to itself when it is bound: another
 * program of the same account would else share it without a word. */
static enum dvt_code
listen_tcp(const char *where, enum place place, int *fd,
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
	    (place == ANOTHER && option(s, SOL_SOCKET, SO_REUSEPORT) != 0) ||
	    (a.ss.ss_family == AF_INET6 &&
		option(s, IPPROTO_IPV6, IPV6_V6ONLY) != 0) ||
	    bind(s, (const struct sockaddr *)&a.ss, a.len) != 0 ||
	    (place == FIRST && option(s, SOL_SOCKET, SO_REUSEPORT) != 0) ||
	    listen(s, BACKLOG) != 0) {
		int why = errno;

		rc = dvt_fail_errno(err, "listen on %s", where);
		close(s);
		errno = why;
		return rc;
	}
	if (actual != NULL)
		dvt_addr_of_self(s, actual);
	*fd = s;
	return DVT_OK;
}

/* The children of one that was killed may hold its address for a moment. */
static enum dvt_code
listen_first(const char *where, enum place place, int *fd,
    struct dvt_addr *actual, struct dvt_err *err)
{
	const struct timespec rest = {.tv_nsec = REST_MS * 1000000L};
	enum dvt_code rc;

	for (int waited = 0;; waited += REST_MS) {
		rc = listen_tcp(where, place, fd, actual, err);
		if (rc != DVT_E_SYSTEM || errno != EADDRINUSE ||
		    place != FIRST || waited >= WAIT_MS)
			return rc;
		(void)nanosleep(&rest, NULL);
	}
}

enum dvt_code
dvt_listen_tcp(const char *where, size_t n, int *fd, struct dvt_addr *actual,
    struct dvt_err *err)
{
	struct dvt_addr bound;
	char text[DVT_ADDR_TEXT];
	enum dvt_code rc;

	for (size_t i = 0; i < n; i++)
		fd[i] = -1;
	rc = listen_first(where, n > 1 ? FIRST : ALONE, &fd[0], &bound, err);
	if (rc != DVT_OK)
		return rc;
	(void)dvt_addr_format(&bound, text); /* port 0 took a free one */
	for (size_t i = 1; rc == DVT_OK && i < n; i++)
		rc = listen_tcp(text, ANOTHER, &fd[i], NULL, err);
	for (size_t i = 0; rc != DVT_OK && i < n; i++) {
		if (fd[i] >= 0)
			close(fd[i]);
		fd[i] = -1;
	}
	if (actual != NULL)
		*actual = bound;
	return rc;
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
