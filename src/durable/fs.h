/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The only way to files that must survive a power cut: one table of
 * functions, with the kernel behind it (fs_posix.h) or memory that can lose
 * its power (memfs.h). Proof of what is built on it: docs/power-loss.md.
 */
#ifndef DVT_DURABLE_FS_H
#define DVT_DURABLE_FS_H

#include "base/span.h"

/*
 * Paths are relative to the root the ctx was opened for: names of letters,
 * digits, ".", "_" and "-" (not "." or ".."), each of at most DVT_FS_NAME_MAX
 * bytes, joined by "/", at most DVT_FS_PATH_MAX bytes in all; "" is the root
 * itself, for sync_dir and list. No symbolic link is followed.
 *
 * Codes: DVT_E_ABSENT (no such file or directory on the way), DVT_E_CONFLICT
 * (it exists; not empty; a file where a directory is wanted), DVT_E_LIMIT
 * (larger than wanted), DVT_E_INPUT (the path), DVT_E_SYSTEM (errno in @err).
 *
 * "calls" is the number of mutating system calls, at each of which the tests
 * cut the power.
 */
struct dvt_fs {
	/*
	 * Append the whole file to @out, whose limit bounds it. Unchanged
	 * on failure. calls: 0
	 */
	enum dvt_code (*read)(void *ctx, const char *path, struct dvt_buf *out,
	    struct dvt_err *err);
	/*
	 * Create a file that must not exist, write, fsync, close. When it
	 * fails the file is unlinked again. Its name is durable only after
	 * sync_dir of its directory. calls: 3 (create, write, fsync)
	 */
	enum dvt_code (*write_new)(void *ctx, const char *path,
	    struct dvt_span bytes, unsigned mode, struct dvt_err *err);
	/*
	 * Add to the end of a file, made with @mode when absent, and fsync.
	 * A cut may leave any part of @bytes: the reader must know a torn
	 * tail. No bytes: what is there is synced. After a failure nothing in
	 * the file is sure, whatever a later append says: replace it. What was
	 * added may be read still, or not. calls: 2 (write, fsync), and 1 before when it was absent
	 */
	enum dvt_code (*append)(void *ctx, const char *path,
	    struct dvt_span bytes, unsigned mode, struct dvt_err *err);
	/*
	 * Rename a file over a file or nothing, a directory over an empty one
	 * or nothing. Durable only after sync_dir of both directories. calls: 1
	 */
	enum dvt_code (*rename)(
	    void *ctx, const char *from, const char *to, struct dvt_err *err);
	/* fsync a directory: what happened to its names stays. calls: 1 */
	enum dvt_code (*sync_dir)(
	    void *ctx, const char *dir, struct dvt_err *err);
	/* DVT_E_CONFLICT when something has that name. calls: 1 */
	enum dvt_code (*mkdir)(
	    void *ctx, const char *dir, unsigned mode, struct dvt_err *err);
	enum dvt_code (*unlink)(/* calls: 1 */
	    void *ctx, const char *path, struct dvt_err *err);
	/* An empty directory. calls: 1 */
	enum dvt_code (*rmdir)(void *ctx, const char *dir, struct dvt_err *err);
	/*
	 * @each for every name, in byte order; names that no path may hold
	 * are left out. @each must not change the directory. calls: 0
	 */
	enum dvt_code (*list)(void *ctx, const char *dir,
	    void (*each)(void *arg, const char *name, bool is_dir), void *arg,
	    struct dvt_err *err);
};

/**
 * dvt_fs_path_check() - the rule for paths above
 * Return: DVT_OK; DVT_E_INPUT.
 */
DVT_MUST_USE enum dvt_code dvt_fs_path_check(
    const char *path, struct dvt_err *err);

#endif
