/* SPDX-License-Identifier: Apache-2.0 */
/*
 * struct dvt_fs on the kernel: see fs_posix.h. Every path is walked with
 * openat() and O_NOFOLLOW from the root, so nothing leads out of it.
 */
#include "durable/fs_posix.h"

#include "base/limits.h"
#include "base/mem.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

struct dvt_fs_posix {
	int root;
};

static enum dvt_code
code_of_errno(int sys)
{
	switch (sys) {
	case ENOENT:
		return DVT_E_ABSENT;
	case EEXIST:
	case ENOTEMPTY:
	case EISDIR:
	case ENOTDIR:
	case ELOOP:
		return DVT_E_CONFLICT;
	default:
		return DVT_E_SYSTEM;
	}
}

static enum dvt_code
fail_path(struct dvt_err *err, const char *what, const char *path)
{
	enum dvt_code code = code_of_errno(errno);

	(void)dvt_fail_errno(err, "%s %s", what, path[0] == '\0' ? "." : path);
	if (err != NULL)
		err->code = code;
	return code;
}

/*
 * The directory that holds the last name of @path. @fd: out: the caller
 * closes it; @last: out: that name, within @path.
 */
static enum dvt_code
open_parent(const struct dvt_fs_posix *fs, const char *path, int *fd,
    const char **last, struct dvt_err *err)
{
	char name[DVT_FS_NAME_MAX + 1];
	enum dvt_code rc;
	size_t n;

	*fd = -1;
	*last = path;
	if ((rc = dvt_fs_path_check(path, err)) != DVT_OK)
		return rc;
	*fd = fcntl(fs->root, F_DUPFD_CLOEXEC, 3);
	if (*fd < 0)
		return dvt_fail_errno(err, "state directory");
	while ((*last)[n = strcspn(*last, "/")] == '/') {
		int next;

		memcpy(name, *last, n);
		name[n] = '\0';
		next = openat(
		    *fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (next < 0) {
			rc = fail_path(err, "open", path);
			(void)close(*fd);
			*fd = -1;
			return rc;
		}
		(void)close(*fd);
		*fd = next;
		*last += n + 1;
	}
	return DVT_OK;
}

static enum dvt_code
open_dir(const struct dvt_fs_posix *fs, const char *path, int *fd,
    struct dvt_err *err)
{
	const char *last;
	enum dvt_code rc;
	int parent;

	*fd = -1;
	if ((rc = open_parent(fs, path, &parent, &last, err)) != DVT_OK)
		return rc;
	*fd = openat(parent, last[0] == '\0' ? "." : last,
	    O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (*fd < 0)
		rc = fail_path(err, "open", path);
	(void)close(parent);
	return rc;
}

static enum dvt_code
read_fd(int fd, const char *path, struct dvt_buf *out, struct dvt_err *err)
{
	uint8_t chunk[4096];
	enum dvt_code rc = DVT_OK;
	ssize_t n;

	for (;;) {
		n = read(fd, chunk, sizeof(chunk));
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			rc = fail_path(err, "read", path);
		if (n <= 0)
			break;
		dvt_buf_put(out, chunk, (size_t)n);
		if ((rc = dvt_buf_ok(out, path, err)) != DVT_OK)
			break;
	}
	dvt_cleanse(chunk, sizeof(chunk)); /* it may have been a key */
	return rc;
}

static enum dvt_code
posix_read(
    void *ctx, const char *path, struct dvt_buf *out, struct dvt_err *err)
{
	const bool was_full = out->full;
	const size_t before = out->n;
	const char *last;
	enum dvt_code rc;
	struct stat st;
	int dir, fd;

	if ((rc = open_parent(ctx, path, &dir, &last, err)) != DVT_OK)
		return rc;
	fd = openat(dir, last, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) != 0)
		rc = fail_path(err, "open", path);
	else if (!S_ISREG(st.st_mode))
		rc = dvt_fail(err, DVT_E_CONFLICT, "%s: no plain file", path);
	else
		rc = read_fd(fd, path, out, err);
	if (rc != DVT_OK) {
		out->n = before;
		out->full = was_full;
	}
	if (fd >= 0)
		(void)close(fd);
	(void)close(dir);
	return rc;
}

/* write(2) until all is out, then fsync(2). */
static enum dvt_code
write_fd(int fd, const char *path, struct dvt_span bytes, struct dvt_err *err)
{
	while (bytes.n > 0) {
		ssize_t n = write(fd, bytes.p, bytes.n);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return fail_path(err, "write", path);
		bytes = dvt_span_from(bytes, (size_t)n);
	}
	if (fsync(fd) != 0)
		return fail_path(err, "sync", path);
	return DVT_OK;
}

static enum dvt_code
posix_write_new(void *ctx, const char *path, struct dvt_span bytes,
    unsigned mode, struct dvt_err *err)
{
	const char *last;
	enum dvt_code rc;
	int dir, fd;

	if ((rc = open_parent(ctx, path, &dir, &last, err)) != DVT_OK)
		return rc;
	fd = openat(dir, last,
	    O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
	if (fd < 0) {
		rc = fail_path(err, "create", path);
	} else {
		rc = write_fd(fd, path, bytes, err);
		if (close(fd) != 0 && rc == DVT_OK)
			rc = fail_path(err, "close", path);
		if (rc != DVT_OK)
			(void)unlinkat(dir, last, 0);
	}
	(void)close(dir);
	return rc;
}

/*
 * write_fd() at the end of a file that was @size long. After a failure what it
 * added is taken back: the page cache has it and calls it written, and whoever
 * reads it would believe what the disk does not have. What was there before
 * cannot be helped here: the file is to be replaced.
 */
static enum dvt_code
append_fd(int fd, off_t size, const char *path, struct dvt_span bytes,
    struct dvt_err *err)
{
	enum dvt_code rc = write_fd(fd, path, bytes, err);

	if (rc == DVT_OK || bytes.n == 0)
		return rc;
	if (ftruncate(fd, size) != 0) /* then a cache without it, if it can */
		(void)posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
	return rc;
}

static enum dvt_code
posix_append(void *ctx, const char *path, struct dvt_span bytes, unsigned mode,
    struct dvt_err *err)
{
	const char *last;
	enum dvt_code rc;
	struct stat st;
	int dir, fd;

	if ((rc = open_parent(ctx, path, &dir, &last, err)) != DVT_OK)
		return rc;
	fd = openat(dir, last,
	    O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC,
	    mode);
	if (fd < 0 || fstat(fd, &st) != 0)
		rc = fail_path(err, "open", path);
	else
		rc = append_fd(fd, st.st_size, path, bytes, err);
	if (fd >= 0 && close(fd) != 0 && rc == DVT_OK)
		rc = fail_path(err, "close", path);
	(void)close(dir);
	return rc;
}

static enum dvt_code
posix_rename(void *ctx, const char *from, const char *to, struct dvt_err *err)
{
	const char *from_name, *to_name;
	int from_dir, to_dir;
	enum dvt_code rc;

	rc = open_parent(ctx, from, &from_dir, &from_name, err);
	if (rc != DVT_OK)
		return rc;
	rc = open_parent(ctx, to, &to_dir, &to_name, err);
	if (rc == DVT_OK) {
		if (renameat(from_dir, from_name, to_dir, to_name) != 0)
			rc = fail_path(err, "rename", from);
		(void)close(to_dir);
	}
	(void)close(from_dir);
	return rc;
}

static enum dvt_code
posix_sync_dir(void *ctx, const char *dir, struct dvt_err *err)
{
	enum dvt_code rc;
	int fd;

	if ((rc = open_dir(ctx, dir, &fd, err)) != DVT_OK)
		return rc;
	if (fsync(fd) != 0)
		rc = fail_path(err, "sync", dir);
	(void)close(fd);
	return rc;
}

static enum dvt_code
posix_mkdir(void *ctx, const char *dir, unsigned mode, struct dvt_err *err)
{
	const char *last;
	enum dvt_code rc;
	int parent;

	if ((rc = open_parent(ctx, dir, &parent, &last, err)) != DVT_OK)
		return rc;
	if (mkdirat(parent, last, mode) != 0)
		rc = fail_path(err, "make", dir);
	(void)close(parent);
	return rc;
}

static enum dvt_code
remove_name(void *ctx, const char *path, int flags, struct dvt_err *err)
{
	const char *last;
	enum dvt_code rc;
	int parent;

	if ((rc = open_parent(ctx, path, &parent, &last, err)) != DVT_OK)
		return rc;
	if (unlinkat(parent, last, flags) != 0)
		rc = fail_path(err, "remove", path);
	(void)close(parent);
	return rc;
}

static enum dvt_code
posix_unlink(void *ctx, const char *path, struct dvt_err *err)
{
	return remove_name(ctx, path, 0, err);
}

static enum dvt_code
posix_rmdir(void *ctx, const char *dir, struct dvt_err *err)
{
	return remove_name(ctx, dir, AT_REMOVEDIR, err);
}

struct found {
	char *name;
	bool is_dir;
};

struct found_list {
	struct found *at;
	size_t n;
};

static int
by_name(const void *a, const void *b)
{
	const struct found *x = a, *y = b;

	return strcmp(x->name, y->name);
}

/* Only plain files and directories with names that a path may hold. Half a
 * list is none: errno tells. */
static bool
collect(DIR *d, struct found_list *list)
{
	const struct dirent *e;
	struct stat st;

	while (errno = 0, (e = readdir(d)) != NULL) {
		if (dvt_fs_path_check(e->d_name, NULL) != DVT_OK)
			continue;
		if (fstatat(dirfd(d), e->d_name, &st, AT_SYMLINK_NOFOLLOW) !=
		    0) {
			if (errno == ENOENT)
				continue;
			return false;
		}
		if (!S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode))
			continue;
		list->at = dvt_realloc(
		    list->at, (list->n + 1) * sizeof(*list->at));
		list->at[list->n].name = dvt_strdup(e->d_name);
		list->at[list->n++].is_dir = S_ISDIR(st.st_mode);
	}
	return errno == 0;
}

static enum dvt_code
posix_list(void *ctx, const char *dir,
    void (*each)(void *arg, const char *name, bool is_dir), void *arg,
    struct dvt_err *err)
{
	struct found_list list = {0};
	enum dvt_code rc;
	DIR *d;
	int fd;

	if ((rc = open_dir(ctx, dir, &fd, err)) != DVT_OK)
		return rc;
	if ((d = fdopendir(fd)) == NULL) {
		rc = fail_path(err, "list", dir);
		(void)close(fd);
		return rc;
	}
	if (!collect(d, &list))
		rc = fail_path(err, "list", dir);
	(void)closedir(d);
	if (list.n > 0)
		qsort(list.at, list.n, sizeof(*list.at), by_name);
	for (size_t i = 0; i < list.n; i++) {
		if (rc == DVT_OK)
			each(arg, list.at[i].name, list.at[i].is_dir);
		free(list.at[i].name);
	}
	free(list.at);
	return rc;
}

const struct dvt_fs dvt_fs_posix = {
    .read = posix_read,
    .write_new = posix_write_new,
    .append = posix_append,
    .rename = posix_rename,
    .sync_dir = posix_sync_dir,
    .mkdir = posix_mkdir,
    .unlink = posix_unlink,
    .rmdir = posix_rmdir,
    .list = posix_list,
};

enum dvt_code
dvt_fs_posix_open(
    const char *dir, bool lock, struct dvt_fs_posix **out, struct dvt_err *err)
{
	enum dvt_code rc;
	int fd;

	*out = NULL;
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return fail_path(err, "open", dir);
	if (lock && flock(fd, LOCK_EX | LOCK_NB) != 0) {
		rc = errno == EWOULDBLOCK
			 ? dvt_fail(err, DVT_E_BUSY,
			       "%s: in use by another process", dir)
			 : fail_path(err, "lock", dir);
		(void)close(fd);
		return rc;
	}
	*out = dvt_alloc(sizeof(**out));
	(*out)->root = fd;
	return DVT_OK;
}

void
dvt_fs_posix_free(struct dvt_fs_posix *fs)
{
	if (fs == NULL)
		return;
	(void)close(fs->root);
	free(fs);
}
