/* SPDX-License-Identifier: Apache-2.0 */
/* Atomic files and directories: see atomic.h, and docs/power-loss.md. */
#include "durable/atomic.h"

#include "base/limits.h"
#include "base/mem.h"

#include <stdio.h>

#define DEPTH_MAX 4 /* of folders in what is removed */

typedef char path_text[DVT_FS_PATH_MAX + 1];

/* "dir/name" with @tail; "name" when @dir is the root. */
static enum dvt_code
join(path_text out, const char *dir, const char *name, const char *tail,
    struct dvt_err *err)
{
	int n = snprintf(out, sizeof(path_text), "%s%s%s%s", dir,
	    dir[0] == '\0' ? "" : "/", name, tail);

	if (n < 0 || (size_t)n >= sizeof(path_text))
		return dvt_fail(
		    err, DVT_E_INPUT, "path of over %d bytes", DVT_FS_PATH_MAX);
	return DVT_OK;
}

static bool
ends_with(const char *name, const char *tail)
{
	size_t n = strlen(name), t = strlen(tail);

	return n > t && strcmp(name + n - t, tail) == 0;
}

static bool
is_temporary(const char *name)
{
	return ends_with(name, DVT_ATOMIC_NEW) ||
	       ends_with(name, DVT_ATOMIC_OLD);
}

static enum dvt_code
check_name(const char *name, struct dvt_err *err)
{
	if (name[0] == '\0' || strchr(name, '/') != NULL || is_temporary(name))
		return dvt_fail(
		    err, DVT_E_INPUT, "%.64s: not a name of one's own", name);
	return DVT_OK;
}

/* Names of a directory, each ended by NUL; directories have '/' before it. */
static void
collect_name(void *arg, const char *name, bool is_dir)
{
	struct dvt_buf *names = arg;

	dvt_buf_puts(names, name);
	if (is_dir)
		dvt_buf_putc(names, '/');
	dvt_buf_putc(names, '\0');
}

/* Each turn takes a name off the list of a directory, sub-directories first. */
static enum dvt_code remove_dir(const struct dvt_fs *fs, void *ctx,
    const char *dir, int depth, struct dvt_err *err);

static enum dvt_code
remove_one(const struct dvt_fs *fs, void *ctx, const char *dir, char *name,
    int depth, struct dvt_err *err)
{
	size_t n = strlen(name);
	bool is_dir = n > 0 && name[n - 1] == '/';
	path_text path;
	enum dvt_code rc;

	if (is_dir)
		name[n - 1] = '\0';
	if ((rc = join(path, dir, name, "", err)) != DVT_OK)
		return rc;
	return is_dir ? remove_dir(fs, ctx, path, depth + 1, err)
		      : fs->unlink(ctx, path, err);
}

/* Ours hold files alone; what somebody put there goes as well. */
static enum dvt_code
remove_dir(const struct dvt_fs *fs, void *ctx, const char *dir, int depth,
    struct dvt_err *err)
{
	struct dvt_buf names;
	enum dvt_code rc;

	if (depth > DEPTH_MAX)
		return dvt_fail(
		    err, DVT_E_CONFLICT, "%.64s: folders in folders", dir);
	dvt_buf_init(&names, DVT_FS_FILE_MAX);
	rc = fs->list(ctx, dir, collect_name, &names, err);
	for (size_t i = 0; i < names.n && rc == DVT_OK;) {
		char *name = (char *)names.p + i;

		i += strlen(name) + 1;
		rc = remove_one(fs, ctx, dir, name, depth, err);
	}
	if (rc == DVT_OK)
		rc = fs->rmdir(ctx, dir, err);
	dvt_buf_fini(&names);
	return rc;
}

/* Remove what is there under a temporary name, if anything. */
static enum dvt_code
clear(const struct dvt_fs *fs, void *ctx, const char *path, struct dvt_err *err)
{
	enum dvt_code rc = fs->unlink(ctx, path, err);

	if (rc == DVT_E_CONFLICT) /* a directory */
		rc = remove_dir(fs, ctx, path, 0, err);
	return rc == DVT_E_ABSENT ? DVT_OK : rc;
}

enum dvt_code
dvt_atomic_replace(const struct dvt_fs *fs, void *ctx, const char *dir,
    const char *name, struct dvt_span bytes, unsigned mode, struct dvt_err *err)
{
	path_text temporary, path;
	enum dvt_code rc;

	if ((rc = check_name(name, err)) != DVT_OK)
		return rc;
	if ((rc = join(path, dir, name, "", err)) != DVT_OK)
		return rc;
	if ((rc = join(temporary, dir, name, DVT_ATOMIC_NEW, err)) != DVT_OK)
		return rc;
	rc = fs->write_new(ctx, temporary, bytes, mode, err);
	if (rc == DVT_E_CONFLICT) { /* a cut left one */
		if ((rc = clear(fs, ctx, temporary, err)) != DVT_OK)
			return rc;
		rc = fs->write_new(ctx, temporary, bytes, mode, err);
	}
	if (rc != DVT_OK)
		return rc;
	if ((rc = fs->rename(ctx, temporary, path, err)) != DVT_OK) {
		(void)fs->unlink(ctx, temporary, NULL);
		return rc;
	}
	return fs->sync_dir(ctx, dir, err);
}

/* Fill and sync the temporary directory. */
static enum dvt_code
fill(const struct dvt_fs *fs, void *ctx, const char *dir,
    const struct dvt_tree_file *files, size_t n, struct dvt_err *err)
{
	path_text path;
	enum dvt_code rc;

	for (size_t i = 0; i < n; i++) {
		if ((rc = join(path, dir, files[i].name, "", err)) != DVT_OK)
			return rc;
		rc = fs->write_new(
		    ctx, path, files[i].bytes, files[i].mode, err);
		if (rc != DVT_OK)
			return rc;
	}
	return fs->sync_dir(ctx, dir, err);
}

static void
ignore_name(void *arg, const char *name, bool is_dir)
{
}

enum dvt_code
dvt_tree_put(const struct dvt_fs *fs, void *ctx, const char *dir,
    const char *name, const struct dvt_tree_file *files, size_t n,
    struct dvt_err *err)
{
	path_text temporary, path;
	enum dvt_code rc;

	if ((rc = check_name(name, err)) != DVT_OK)
		return rc;
	if ((rc = join(path, dir, name, "", err)) != DVT_OK)
		return rc;
	if ((rc = join(temporary, dir, name, DVT_ATOMIC_NEW, err)) != DVT_OK)
		return rc;
	rc = fs->list(ctx, path, ignore_name, NULL, err);
	if (rc == DVT_OK)
		return dvt_fail(err, DVT_E_CONFLICT, "%s: exists", path);
	if (rc != DVT_E_ABSENT)
		return rc;
	rc = fs->mkdir(ctx, temporary, 0700, err);
	if (rc == DVT_E_CONFLICT) { /* a cut left one */
		if ((rc = clear(fs, ctx, temporary, err)) != DVT_OK)
			return rc;
		rc = fs->mkdir(ctx, temporary, 0700, err);
	}
	if (rc != DVT_OK)
		return rc;
	rc = fill(fs, ctx, temporary, files, n, err);
	if (rc == DVT_OK)
		rc = fs->rename(ctx, temporary, path, err);
	if (rc != DVT_OK) {
		(void)clear(fs, ctx, temporary, NULL);
		return rc;
	}
	return fs->sync_dir(ctx, dir, err);
}

enum dvt_code
dvt_tree_remove(const struct dvt_fs *fs, void *ctx, const char *dir,
    const char *name, struct dvt_err *err)
{
	path_text temporary, path;
	enum dvt_code rc;

	if ((rc = check_name(name, err)) != DVT_OK)
		return rc;
	if ((rc = join(path, dir, name, "", err)) != DVT_OK)
		return rc;
	if ((rc = join(temporary, dir, name, DVT_ATOMIC_OLD, err)) != DVT_OK)
		return rc;
	/* one of before, whose rename may not be sure either */
	if (fs->list(ctx, temporary, ignore_name, NULL, NULL) == DVT_OK &&
	    ((rc = fs->sync_dir(ctx, dir, err)) != DVT_OK ||
		(rc = clear(fs, ctx, temporary, err)) != DVT_OK))
		return rc;
	if ((rc = fs->rename(ctx, path, temporary, err)) != DVT_OK)
		return rc;
	/* before the first unlink: else a cut could keep that and not this */
	if ((rc = fs->sync_dir(ctx, dir, err)) != DVT_OK)
		return rc;
	return clear(fs, ctx, temporary, err);
}

enum dvt_code
dvt_dir_ensure(
    const struct dvt_fs *fs, void *ctx, const char *dir, struct dvt_err *err)
{
	const char *slash = strrchr(dir, '/');
	path_text parent = "";
	enum dvt_code rc;

	rc = fs->mkdir(ctx, dir, 0700, err);
	if (rc == DVT_E_CONFLICT) /* a file there fails here */
		rc = fs->list(ctx, dir, ignore_name, NULL, err);
	if (rc != DVT_OK)
		return rc;
	if (slash != NULL) /* mkdir() checked the length */
		memcpy(parent, dir, (size_t)(slash - dir));
	return fs->sync_dir(ctx, parent, err);
}

/* What a cut leaves of a replacement is a file; of a directory put or removed,
 * a directory, and those do not lie in the root: a copy that somebody made
 * there ("generations.old") is not ours. */
static bool
is_left_over(const char *dir, const char *name, bool is_dir)
{
	return is_dir ? dir[0] != '\0' && is_temporary(name)
		      : ends_with(name, DVT_ATOMIC_NEW);
}

static enum dvt_code
recover_one(const struct dvt_fs *fs, void *ctx, const char *dir, char *name,
    struct dvt_err *err)
{
	size_t n = strlen(name);
	bool is_dir = n > 0 && name[n - 1] == '/';
	struct dvt_err why = {0};
	path_text path;
	enum dvt_code rc;

	if (is_dir)
		name[n - 1] = '\0';
	if (!is_left_over(dir, name, is_dir))
		return DVT_OK;
	if ((rc = join(path, dir, name, "", &why)) == DVT_OK)
		rc = clear(fs, ctx, path, &why);
	if (rc != DVT_E_SYSTEM)
		return DVT_OK; /* something in it is not ours: let it lie */
	if (err != NULL)
		*err = why;
	return rc;
}

/* A directory that was being removed. */
static bool
has_old(const struct dvt_buf *names)
{
	for (size_t i = 0; i < names->n;) {
		const char *name = (const char *)names->p + i;

		if (ends_with(name, DVT_ATOMIC_OLD "/"))
			return true;
		i += strlen(name) + 1;
	}
	return false;
}

enum dvt_code
dvt_dir_recover(
    const struct dvt_fs *fs, void *ctx, const char *dir, struct dvt_err *err)
{
	struct dvt_buf names;
	enum dvt_code rc;

	dvt_buf_init(&names, DVT_FS_FILE_MAX);
	rc = fs->list(ctx, dir, collect_name, &names, err);
	/* before the first unlink, as in dvt_tree_remove(): who made the
	 * rename was perhaps killed before it synced */
	if (rc == DVT_OK && has_old(&names))
		rc = fs->sync_dir(ctx, dir, err);
	for (size_t i = 0; i < names.n && rc == DVT_OK;) {
		char *name = (char *)names.p + i;

		i += strlen(name) + 1;
		rc = recover_one(fs, ctx, dir, name, err);
	}
	dvt_buf_fini(&names);
	return rc == DVT_OK ? fs->sync_dir(ctx, dir, err) : rc;
}
