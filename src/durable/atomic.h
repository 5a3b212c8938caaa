/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whole files and whole directories that are there, or not, but never half:
 * written under a temporary name, synced, renamed, synced again. Each step
 * and what a cut after it leaves is told in docs/power-loss.md.
 */
#ifndef DVT_DURABLE_ATOMIC_H
#define DVT_DURABLE_ATOMIC_H

#include "durable/fs.h"

/* Temporary names: NAME.new while being made, NAME.old while being removed. */
#define DVT_ATOMIC_NEW ".new"
#define DVT_ATOMIC_OLD ".old"

/**
 * dvt_atomic_replace() - make @bytes the content of a file
 * @dir:  existing directory, "" the root
 * @name: one name, without DVT_ATOMIC_NEW or _OLD at its end
 * @mode: permission bits (0600)
 *
 * After DVT_OK the content survives a power cut. After any other result, or
 * a cut on the way, it is the former content or @bytes, whole.
 * Return: DVT_OK; the codes of struct dvt_fs.
 */
DVT_MUST_USE enum dvt_code dvt_atomic_replace(const struct dvt_fs *fs,
    void *ctx, const char *dir, const char *name, struct dvt_span bytes,
    unsigned mode, struct dvt_err *err);

struct dvt_tree_file {
	const char *name;
	struct dvt_span bytes;
	unsigned mode;
};

/**
 * dvt_tree_put() - make a directory of files, all or nothing
 * @dir:  existing directory, not the root
 * @name: new directory in it, a number; DVT_E_CONFLICT when it exists
 *
 * After DVT_OK it survives a power cut with every file; after any other
 * result, or a cut on the way, it is whole or not there.
 */
DVT_MUST_USE enum dvt_code dvt_tree_put(const struct dvt_fs *fs, void *ctx,
    const char *dir, const char *name, const struct dvt_tree_file *files,
    size_t n, struct dvt_err *err);

/*
 * Remove such a directory: whole or gone, never half. What is not ours in it
 * (folders, links, sockets) stays under "NAME.old", or is set aside as
 * "NAME.old.bad" once that name is wanted. After a failure it is whole, or no
 * longer seen and whole again after a cut; trying again is right.
 * DVT_E_ABSENT.
 */
DVT_MUST_USE enum dvt_code dvt_tree_remove(const struct dvt_fs *fs, void *ctx,
    const char *dir, const char *name, struct dvt_err *err);

/*
 * A directory that is there and stays; made with 0700 when absent. The parent
 * is synced in both cases: a process that was killed may have made it and not
 * got to that.
 */
DVT_MUST_USE enum dvt_code dvt_dir_ensure(
    const struct dvt_fs *fs, void *ctx, const char *dir, struct dvt_err *err);

/**
 * dvt_dir_recover() - once for each directory when its owner starts
 *
 * Syncs, so that what is read from here on is also what the next cut leaves: a
 * process that was killed between rename and sync left names that only look
 * durable. Then removes what a cut left under temporary names: files "X.new",
 * and, below the root, numbered directories "7.new" and "7.old" with their
 * files. What else lies there is not ours and stays; it is logged where it
 * keeps one of these from going.
 */
DVT_MUST_USE enum dvt_code dvt_dir_recover(
    const struct dvt_fs *fs, void *ctx, const char *dir, struct dvt_err *err);

#endif
