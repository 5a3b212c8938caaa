/* SPDX-License-Identifier: Apache-2.0 */
/* Atomic files and directories: see atomic.h, and docs/power-loss.md. */
#include "durable/atomic.h"

#include "base/limits.h"
#include "base/log.h"
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

/*
 * The files of a directory and the directory. Ours hold files alone: a folder,
 * a link, a socket in it is not ours and stays, in what then is no more than a
 * folder around it. DVT_E_CONFLICT.
 */
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

		i += strlen(name) + 1;
		if (name[strlen(name) - 1] == '/')
			continue;
		rc = join(path, dir, name, "", err);
		if (rc == DVT_OK)
			rc = fs->unlink(ctx, path, err);
	}
	if (rc == DVT_OK)
		rc = fs->rmdir(ctx, dir, err);
	dvt_buf_fini(&names);
	return rc;
}

static void
tell_foreign(const char *path, const char *what)
{
	log_event(
	    LOG_WARNING, "durable.foreign", LS("path", path), LS("done", what));
}

/* To "PATH.bad", or the next such name that is free. */
static enum dvt_code
set_aside(
    const struct dvt_fs *fs, void *ctx, const char *path, struct dvt_err *err)
{
	static const char *const tails[] = {".bad", ".bad.1", ".bad.2",
	    ".bad.3", ".bad.4", ".bad.5", ".bad.6", ".bad.7"};
	enum dvt_code rc = DVT_E_CONFLICT;
	path_text to;

	for (size_t i = 0; i < DVT_COUNT(tails) && rc == DVT_E_CONFLICT; i++) {
		if ((rc = join(to, "", path, tails[i], err)) == DVT_OK)
			rc = fs->rename(ctx, path, to, err);
	}
	if (rc == DVT_OK)
		tell_foreign(path, "set aside");
	return rc == DVT_E_ABSENT ? DVT_OK : rc;
}

/*
 * Make a temporary name free, for a file (@is_dir false) or a directory. What
 * of ours is there goes; what is not ours is set aside.
 */
static enum dvt_code
clear(const struct dvt_fs *fs, void *ctx, const char *path, bool is_dir,
    struct dvt_err *err)
{
	enum dvt_code rc = fs->unlink(ctx, path, err);

	if (rc == DVT_E_CONFLICT && is_dir)
		rc = remove_dir(fs, ctx, path, err);
	if (rc == DVT_E_CONFLICT)
		rc = set_aside(fs, ctx, path, err);
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
		if ((rc = clear(fs, ctx, temporary, false, err)) != DVT_OK)
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
		if ((rc = clear(fs, ctx, temporary, true, err)) != DVT_OK)
			return rc;
		rc = fs->mkdir(ctx, temporary, 0700, err);
	}
	if (rc != DVT_OK)
		return rc;
	rc = fill(fs, ctx, temporary, files, n, err);
	if (rc == DVT_OK)
		rc = fs->rename(ctx, temporary, path, err);
	if (rc != DVT_OK) {
		(void)clear(fs, ctx, temporary, true, NULL);
		return rc;
	}
	return fs->sync_dir(ctx, dir, err);
}

/*
 * Finish what lies under "NAME.old": half of it may be unlinked only once it
 * is sure to have lost its own name. What is not ours stays there, or is set
 * aside when the name is wanted.
 */
static enum dvt_code
finish_remove(const struct dvt_fs *fs, void *ctx, const char *dir,
    const char *temporary, bool wanted, struct dvt_err *err)
{
	enum dvt_code rc;

	/* before the first unlink: else a cut could keep that and not this */
	if ((rc = fs->sync_dir(ctx, dir, err)) != DVT_OK)
		return rc;
	rc = remove_dir(fs, ctx, temporary, err);
	if (rc == DVT_E_CONFLICT && wanted)
		return clear(fs, ctx, temporary, true, err);
	if (rc == DVT_E_CONFLICT)
		tell_foreign(temporary, "left");
	return rc == DVT_E_CONFLICT ? DVT_OK : rc;
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
	rc = fs->list(ctx, temporary, ignore_name, NULL, err);
	if (rc != DVT_E_ABSENT) /* an earlier try, not known to be synced */
		rc = finish_remove(fs, ctx, dir, temporary, true, err);
	if (rc != DVT_OK && rc != DVT_E_ABSENT)
		return rc;
	if ((rc = fs->rename(ctx, path, temporary, err)) != DVT_OK)
		return rc;
	return finish_remove(fs, ctx, dir, temporary, false, err);
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

/* "7.new", "7.old": directories are numbered. */
static bool
is_numbered(const char *name)
{
	return is_temporary(name) &&
	       strspn(name, "0123456789") + strlen(DVT_ATOMIC_NEW) ==
		   strlen(name);
}

/*
 * What a cut leaves of a replacement is a file; of a directory put or removed,
 * one with a number. Another folder with such a name ("backup.old") is a copy
 * that somebody made.
 */
static bool
is_left_over(const char *dir, const char *name, bool is_dir)
{
	return is_dir ? dir[0] != '\0' && is_numbered(name)
		      : ends_with(name, DVT_ATOMIC_NEW);
}

/* @removed: out: one more was there */
static enum dvt_code
recover_one(const struct dvt_fs *fs, void *ctx, const char *dir, char *name,
    bool *removed, struct dvt_err *err)
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
		rc = is_dir ? remove_dir(fs, ctx, path, &why)
			    : fs->unlink(ctx, path, &why);
	*removed = *removed || rc == DVT_OK;
	if (rc == DVT_E_CONFLICT)
		tell_foreign(path, "left");
	if (rc != DVT_E_SYSTEM)
		return DVT_OK;
	if (err != NULL)
		*err = why;
	return rc;
}

enum dvt_code
dvt_dir_recover(
    const struct dvt_fs *fs, void *ctx, const char *dir, struct dvt_err *err)
{
	struct dvt_buf names;
	bool removed = false;
	enum dvt_code rc;

	/* first: a cut must not keep an unlink in "7.old" and lose that it is
	 * no longer "7", which a killed process may not have synced */
	if ((rc = fs->sync_dir(ctx, dir, err)) != DVT_OK)
		return rc;
	dvt_buf_init(&names, DVT_FS_FILE_MAX);
	rc = fs->list(ctx, dir, collect_name, &names, err);
	for (size_t i = 0; i < names.n && rc == DVT_OK;) {
		char *name = (char *)names.p + i;

		i += strlen(name) + 1;
		rc = recover_one(fs, ctx, dir, name, &removed, err);
	}
	dvt_buf_fini(&names);
	return rc == DVT_OK && removed ? fs->sync_dir(ctx, dir, err) : rc;
}
