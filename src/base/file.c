/* SPDX-License-Identifier: Apache-2.0 */
#include "base/file.h"

#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

enum dvt_code
dvt_open_regular(const char *path, int *fd, struct dvt_err *err)
{
	struct stat st;
	enum dvt_code rc = DVT_OK;

	*fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (*fd < 0 && errno == ENOENT)
		return dvt_fail(err, DVT_E_ABSENT, "%s: no such file", path);
	if (*fd < 0)
		return dvt_fail_errno(err, "%s", path);
	if (fstat(*fd, &st) != 0)
		rc = dvt_fail_errno(err, "%s", path);
	else if (!S_ISREG(st.st_mode))
		rc = dvt_fail(err, DVT_E_INPUT, "%s: not a regular file", path);
	if (rc != DVT_OK) {
		close(*fd);
		*fd = -1;
	}
	return rc;
}

/* The size is told where there is one: a pipe and /proc have none. */
static enum dvt_code
too_long(
    int fd, const char *name, const struct dvt_buf *out, struct dvt_err *err)
{
	struct stat st;

	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) &&
	    (uint64_t)st.st_size > out->max)
		return dvt_fail(err, DVT_E_LIMIT, "%s: %lld bytes, at most %zu",
		    name, (long long)st.st_size, out->max);
	return dvt_fail(err, DVT_E_LIMIT, "%s: over %zu bytes", name, out->max);
}

enum dvt_code
dvt_read_fd(int fd, const char *name, struct dvt_buf *out, struct dvt_err *err)
{
	uint8_t part[16384];
	enum dvt_code rc = DVT_OK;
	ssize_t n = 0;

	while (!out->full && ((n = read(fd, part, sizeof(part))) > 0 ||
				 (n < 0 && errno == EINTR)))
		if (n > 0)
			dvt_buf_put(out, part, (size_t)n);
	if (n < 0)
		rc = dvt_fail_errno(err, "%s", name);
	else if (out->full)
		rc = too_long(fd, name, out, err);
	dvt_cleanse(part, sizeof(part)); /* it may have been a key */
	return rc;
}

enum dvt_code
dvt_read_regular(const char *path, struct dvt_buf *out, struct dvt_err *err)
{
	int fd;
	enum dvt_code rc = dvt_open_regular(path, &fd, err);

	if (rc != DVT_OK)
		return rc;
	rc = dvt_read_fd(fd, path, out, err);
	close(fd);
	return rc;
}
