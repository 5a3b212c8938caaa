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
 * @dir:  existing directory, "" the root
 * @name: new directory in it; DVT_E_CONFLICT when it exists
 *
 * After DVT_OK it survives a power cut with every file; after any other
 * result, or a cut on the way, it is whole or not there.
 */
DVT_MUST_USE enum dvt_code dvt_tree_put(const struct dvt_fs *fs, void *ctx,
    const char *dir, const char *name, const struct dvt_tree_file *files,
    size_t n, struct dvt_err *err);

/* Remove such a directory: whole or gone, never half. DVT_E_ABSENT. */
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
 * Removes what a cut left under temporary names (in the root files alone),
 * then syncs, so that what is read from here on is also what the next cut
 * leaves: a process that was killed between rename and sync left names that
 * only look durable. What is not ours and cannot be removed is passed over.
 */
DVT_MUST_USE enum dvt_code dvt_dir_recover(
    const struct dvt_fs *fs, void *ctx, const char *dir, struct dvt_err *err);

#endif
