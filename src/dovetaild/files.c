/* SPDX-License-Identifier: Apache-2.0 */
#include "dovetaild/files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static enum dvt_code
write_synced(
    const char *path, struct dvt_span bytes, mode_t mode, struct dvt_err *err)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
	size_t done = 0;
	ssize_t n = 0;

	if (fd < 0)
		return dvt_fail_errno(err, "%s", path);
	(void)fchmod(fd, mode);
	while (done < bytes.n &&
	       (n = write(fd, bytes.p + done, bytes.n - done)) > 0)
		done += (size_t)n;
	if (done < bytes.n || fsync(fd) != 0) {
		enum dvt_code rc = dvt_fail_errno(err, "%s", path);

		close(fd);
		(void)unlink(path);
		return rc;
	}
	close(fd);
	return DVT_OK;
}

static enum dvt_code
sync_folder_of(const char *path, struct dvt_err *err)
{
	char copy[1200];
	int fd, rc;

	snprintf(copy, sizeof(copy), "%s", path);
	fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return dvt_fail_errno(err, "folder of %s", path);
	rc = fsync(fd);
	close(fd);
	return rc == 0 ? DVT_OK : dvt_fail_errno(err, "folder of %s", path);
}

enum dvt_code
file_write(
    const char *path, struct dvt_span bytes, mode_t mode, struct dvt_err *err)
{
	char fresh[1200];
	enum dvt_code rc;

	snprintf(fresh, sizeof(fresh), "%s.new", path);
	if ((rc = write_synced(fresh, bytes, mode, err)) != DVT_OK)
		return rc;
	if (rename(fresh, path) != 0)
		return dvt_fail_errno(err, "%s", path);
	return sync_folder_of(path, err);
}

enum dvt_code
folder_make(const char *path, mode_t mode, struct dvt_err *err)
{
	if (mkdir(path, mode) != 0 && errno != EEXIST)
		return dvt_fail_errno(err, "%s", path);
	return DVT_OK;
}

enum dvt_code
folder_empty(const char *path, struct dvt_err *err)
{
	DIR *dir = opendir(path);
	struct dirent *e;
	enum dvt_code rc = DVT_OK;

	if (dir == NULL)
		return errno == ENOENT ? DVT_OK
				       : dvt_fail_errno(err, "%s", path);
	while (rc == DVT_OK && (e = readdir(dir)) != NULL) {
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
			rc = dvt_fail(err, DVT_E_CONFLICT,
			    "%s is not empty (it holds %.100s); name a new "
			    "folder",
			    path, e->d_name);
	}
	closedir(dir);
	return rc;
}
