/* SPDX-License-Identifier: Apache-2.0 */
/* Atomic files and directories: see atomic.h, and docs/power-loss.md. */
#include "durable/atomic.h"

#include "base/limits.h"
#include "base/mem.h"

#include <stdio.h>

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

/* Remove a directory of files. */
static enum dvt_code
remove_dir(
    const struct dvt_fs *fs, void *ctx, const char *dir, struct dvt_err *err)
{
	struct dvt_buf names;
	path_text path;
	enum dvt_code rc;

	dvt_buf_init(&names, DVT_FS_FILE_MAX);
	rc = fs->list(ctx, dir, collect_name, &names, err);
	for (size_t i = 0; i < names.n && rc == DVT_OK;) {
		const char *name = (const char *)names.p + i;

		rc = join(path, dir, name, "", err);
		if (rc == DVT_OK)
			rc = fs->unlink(ctx, path, err);
		i += strlen(name) + 1;
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
		rc = remove_dir(fs, ctx, path, err);
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
	if ((rc = clear(fs, ctx, temporary, err)) != DVT_OK)
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

enum dvt_code
dvt_dir_recover(
    const struct dvt_fs *fs, void *ctx, const char *dir, struct dvt_err *err)
{
	struct dvt_buf names;
	path_text path;
	enum dvt_code rc;

	dvt_buf_init(&names, DVT_FS_FILE_MAX);
	rc = fs->list(ctx, dir, collect_name, &names, err);
	for (size_t i = 0; i < names.n && rc == DVT_OK;) {
		char *name = (char *)names.p + i;
		size_t n = strlen(name);

		i += n + 1;
		if (n > 0 && name[n - 1] == '/')
			name[n - 1] = '\0';
		if (!is_temporary(name))
			continue;
		if ((rc = join(path, dir, name, "", err)) == DVT_OK)
			rc = clear(fs, ctx, path, err);
	}
	dvt_buf_fini(&names);
	return rc == DVT_OK ? fs->sync_dir(ctx, dir, err) : rc;
}
