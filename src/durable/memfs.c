/* SPDX-License-Identifier: Apache-2.0 */
/* The functions of struct dvt_fs on memory: see memfs.h. */
#include "durable/memfs_disk.h"

#include "base/mem.h"

#include <stdlib.h>

/* Paths. */

/* A path taken apart: the directory node, the last name, what it is now. */
struct place {
	size_t dir;
	size_t node;
	const char *name;
};

static enum dvt_code
walk(struct dvt_memfs *fs, const char *path, struct place *out,
    struct dvt_err *err)
{
	char name[DVT_FS_NAME_MAX + 1];
	enum dvt_code rc;
	size_t n;

	*out = (struct place){DVT_MEM_ROOT, DVT_MEM_NOTHING, path};
	if (fs->off)
		return dvt_fail(err, DVT_E_SYSTEM, "the power is off");
	if ((rc = dvt_fs_path_check(path, err)) != DVT_OK)
		return rc;
	if (path[0] == '\0') {
		out->node = DVT_MEM_ROOT;
		return DVT_OK;
	}
	while (out->name[n = strcspn(out->name, "/")] == '/') {
		memcpy(name, out->name, n);
		name[n] = '\0';
		out->dir = dvt_mem_look_up(fs, out->dir, name);
		if (out->dir == DVT_MEM_NOTHING)
			return dvt_fail(
			    err, DVT_E_ABSENT, "%s: no such directory", path);
		if (!fs->nodes[out->dir].is_dir)
			return dvt_fail(
			    err, DVT_E_CONFLICT, "%s: no directory", path);
		out->name += n + 1;
	}
	out->node = dvt_mem_look_up(fs, out->dir, out->name);
	return DVT_OK;
}

/* The same for what must be there, as a directory or as a file. */
static enum dvt_code
walk_to(struct dvt_memfs *fs, const char *path, bool dir, struct place *out,
    struct dvt_err *err)
{
	enum dvt_code rc;

	if ((rc = walk(fs, path, out, err)) != DVT_OK)
		return rc;
	if (out->node == DVT_MEM_NOTHING)
		return dvt_fail(err, DVT_E_ABSENT, "%s: not there", path);
	if (fs->nodes[out->node].is_dir != dir)
		return dvt_fail(err, DVT_E_CONFLICT, "%s: no %s", path,
		    dir ? "directory" : "file");
	return DVT_OK;
}

static enum dvt_code
mem_read(void *ctx, const char *path, struct dvt_buf *out, struct dvt_err *err)
{
	struct dvt_memfs *fs = ctx;
	const bool was_full = out->full;
	struct place at;
	enum dvt_code rc;

	if ((rc = walk_to(fs, path, false, &at, err)) != DVT_OK ||
	    (rc = dvt_mem_tick_read(fs, err)) != DVT_OK)
		return rc;
	dvt_buf_put_span(out, dvt_buf_span(&fs->nodes[at.node].now));
	rc = dvt_buf_ok(out, path, err);
	out->full = was_full;
	return rc;
}

/* Add to a file, then sync it. */
static enum dvt_code
write_node(struct dvt_memfs *fs, size_t node, struct dvt_span bytes,
    struct dvt_err *err)
{
	enum dvt_code rc;

	if ((rc = dvt_mem_tick(fs, err)) != DVT_OK) /* write */
		return rc;
	dvt_buf_put_span(&fs->nodes[node].now, bytes);
	if ((rc = dvt_buf_ok(&fs->nodes[node].now, "file", err)) != DVT_OK)
		return rc;
	if ((rc = dvt_mem_tick(fs, err)) != DVT_OK) { /* fsync */
		if (!fs->off)
			dvt_mem_lose_file(fs, node);
		return rc;
	}
	dvt_mem_sync_file(fs, node);
	return DVT_OK;
}

static enum dvt_code
make(struct dvt_memfs *fs, struct place *at, bool is_dir, unsigned mode,
    struct dvt_err *err)
{
	enum dvt_code rc;

	if ((rc = dvt_mem_tick(fs, err)) != DVT_OK)
		return rc;
	at->node = dvt_mem_new_node(fs, is_dir, mode);
	dvt_mem_change_name(
	    fs, dvt_mem_new_change(fs, at->node), at->dir, at->name, at->node);
	return DVT_OK;
}

/* Take a name away; a failed call leaves it. */
static enum dvt_code
drop(struct dvt_memfs *fs, const struct place *at, struct dvt_err *err)
{
	enum dvt_code rc;

	if ((rc = dvt_mem_tick(fs, err)) != DVT_OK)
		return rc;
	dvt_mem_change_name(fs, dvt_mem_new_change(fs, at->node), at->dir,
	    at->name, DVT_MEM_NOTHING);
	return DVT_OK;
}

static enum dvt_code
mem_write_new(void *ctx, const char *path, struct dvt_span bytes, unsigned mode,
    struct dvt_err *err)
{
	struct dvt_memfs *fs = ctx;
	struct place at;
	enum dvt_code rc;

	if ((rc = walk(fs, path, &at, err)) != DVT_OK)
		return rc;
	if (at.node != DVT_MEM_NOTHING)
		return dvt_fail(err, DVT_E_CONFLICT, "%s: exists", path);
	if ((rc = make(fs, &at, false, mode, err)) != DVT_OK)
		return rc;
	if ((rc = write_node(fs, at.node, bytes, err)) != DVT_OK)
		(void)drop(fs, &at, NULL);
	return rc;
}

static enum dvt_code
mem_append(void *ctx, const char *path, struct dvt_span bytes, unsigned mode,
    struct dvt_err *err)
{
	struct dvt_memfs *fs = ctx;
	struct place at;
	enum dvt_code rc;

	if ((rc = walk(fs, path, &at, err)) != DVT_OK)
		return rc;
	if (at.node == DVT_MEM_NOTHING) {
		if ((rc = make(fs, &at, false, mode, err)) != DVT_OK)
			return rc;
	} else if (fs->nodes[at.node].is_dir) {
		return dvt_fail(err, DVT_E_CONFLICT, "%s: a directory", path);
	}
	return write_node(fs, at.node, bytes, err);
}

/* May @from take the name @to? */
static enum dvt_code
check_rename(struct dvt_memfs *fs, const struct place *from,
    const struct place *to, const char *path, struct dvt_err *err)
{
	bool from_dir = fs->nodes[from->node].is_dir;

	if (to->node == DVT_MEM_NOTHING || to->node == from->node)
		return DVT_OK;
	if (fs->nodes[to->node].is_dir != from_dir)
		return dvt_fail(
		    err, DVT_E_CONFLICT, "%s: file and directory", path);
	if (from_dir && !dvt_mem_is_empty(fs, to->node))
		return dvt_fail(err, DVT_E_CONFLICT, "%s: not empty", path);
	return DVT_OK;
}

static enum dvt_code
mem_rename(void *ctx, const char *from, const char *to, struct dvt_err *err)
{
	struct dvt_memfs *fs = ctx;
	struct place old, new;
	struct dvt_mem_change *c;
	enum dvt_code rc;
	size_t n = strlen(from);

	if ((rc = walk(fs, from, &old, err)) != DVT_OK)
		return rc;
	if (old.node == DVT_MEM_NOTHING)
		return dvt_fail(err, DVT_E_ABSENT, "%s: not there", from);
	if ((rc = walk(fs, to, &new, err)) != DVT_OK)
		return rc;
	if (n == 0 || (strncmp(from, to, n) == 0 && to[n] == '/'))
		return dvt_fail(err, DVT_E_SYSTEM, "%s: into itself", from);
	if ((rc = check_rename(fs, &old, &new, to, err)) != DVT_OK)
		return rc;
	if ((rc = dvt_mem_tick(fs, err)) != DVT_OK)
		return rc;
	if (old.node == new.node)
		return DVT_OK;
	c = dvt_mem_new_change(fs, old.node);
	dvt_mem_change_name(fs, c, old.dir, old.name, DVT_MEM_NOTHING);
	dvt_mem_change_name(fs, c, new.dir, new.name, old.node);
	return DVT_OK;
}

static enum dvt_code
mem_sync_dir(void *ctx, const char *dir, struct dvt_err *err)
{
	struct dvt_memfs *fs = ctx;
	struct place at;
	enum dvt_code rc;

	if ((rc = walk_to(fs, dir, true, &at, err)) != DVT_OK)
		return rc;
	if ((rc = dvt_mem_tick(fs, err)) != DVT_OK)
		return rc;
	dvt_mem_sync_dir(fs, at.node);
	return DVT_OK;
}

static enum dvt_code
mem_mkdir(void *ctx, const char *dir, unsigned mode, struct dvt_err *err)
{
	struct dvt_memfs *fs = ctx;
	struct place at;
	enum dvt_code rc;

	if ((rc = walk(fs, dir, &at, err)) != DVT_OK)
		return rc;
	if (at.node != DVT_MEM_NOTHING)
		return dvt_fail(err, DVT_E_CONFLICT, "%s: exists", dir);
	return make(fs, &at, true, mode, err);
}

static enum dvt_code
mem_unlink(void *ctx, const char *path, struct dvt_err *err)
{
	struct place at;
	enum dvt_code rc;

	if ((rc = walk_to(ctx, path, false, &at, err)) != DVT_OK)
		return rc;
	return drop(ctx, &at, err);
}

static enum dvt_code
mem_rmdir(void *ctx, const char *dir, struct dvt_err *err)
{
	struct dvt_memfs *fs = ctx;
	struct place at;
	enum dvt_code rc;

	if ((rc = walk_to(fs, dir, true, &at, err)) != DVT_OK)
		return rc;
	if (at.node == DVT_MEM_ROOT || !dvt_mem_is_empty(fs, at.node))
		return dvt_fail(err, DVT_E_CONFLICT, "%s: not empty", dir);
	return drop(fs, &at, err);
}

static int
by_name(const void *a, const void *b)
{
	const struct dvt_mem_entry *x = a, *y = b;

	return strcmp(x->name, y->name);
}

static enum dvt_code
mem_list(void *ctx, const char *dir,
    void (*each)(void *arg, const char *name, bool is_dir), void *arg,
    struct dvt_err *err)
{
	struct dvt_memfs *fs = ctx;
	struct dvt_mem_entry *found;
	struct place at;
	enum dvt_code rc;
	size_t n = 0;

	if ((rc = walk_to(fs, dir, true, &at, err)) != DVT_OK ||
	    (rc = dvt_mem_tick_read(fs, err)) != DVT_OK)
		return rc;
	found = dvt_alloc_array(fs->now.n + 1, sizeof(*found));
	for (size_t i = 0; i < fs->now.n; i++) {
		if (fs->now.at[i].dir == at.node &&
		    fs->now.at[i].node != DVT_MEM_NOTHING)
			found[n++] = fs->now.at[i];
	}
	qsort(found, n, sizeof(*found), by_name);
	for (size_t i = 0; i < n; i++)
		each(arg, found[i].name, fs->nodes[found[i].node].is_dir);
	free(found);
	return DVT_OK;
}

const struct dvt_fs dvt_memfs = {
    .read = mem_read,
    .write_new = mem_write_new,
    .append = mem_append,
    .rename = mem_rename,
    .sync_dir = mem_sync_dir,
    .mkdir = mem_mkdir,
    .unlink = mem_unlink,
    .rmdir = mem_rmdir,
    .list = mem_list,
};
