/* SPDX-License-Identifier: Apache-2.0 */
#include "base/file.h"

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
