/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The disk behind memfs.h, for memfs.c alone.
 *
 * Two tables of names are kept, what a process sees ("now") and what is sure
 * to be on the disk ("disk"), and between them the list of changes that are
 * not synced yet. A change sets one or two names at once (a rename is whole
 * or not there) and carries its number, so that a name is never set back by
 * an older change that reaches the disk later. Changes of one file keep their
 * order; those of different files may reach the disk in any.
 */
#ifndef DVT_DURABLE_MEMFS_DISK_H
#define DVT_DURABLE_MEMFS_DISK_H

#include "base/limits.h"
#include "durable/memfs.h"

#define DVT_MEM_ROOT    0
#define DVT_MEM_NOTHING SIZE_MAX

struct dvt_mem_node {
	bool used;
	bool is_dir;
	unsigned mode;
	struct dvt_buf now; /* a file's bytes */
	struct dvt_buf
	    disk; /* those that are synced, with zeros for those
		   * whose sync failed: as long as a beginning of now */
};

/* In directory @dir, @name is @node; DVT_MEM_NOTHING: it was removed. */
struct dvt_mem_entry {
	size_t dir;
	size_t node;
	uint64_t number; /* of the change that set it */
	char name[DVT_FS_NAME_MAX + 1];
};

struct dvt_mem_entries {
	struct dvt_mem_entry *at;
	size_t n;
};

struct dvt_mem_change {
	struct dvt_mem_entry set[2];
	size_t n;
	size_t node; /* what it is about */
};

struct dvt_mem_failing { /* @after more succeed, then @n fail with @sys */
	uint64_t after, n;
	int sys;
};

struct dvt_memfs {
	struct dvt_mem_node *nodes;
	size_t n_nodes;
	struct dvt_mem_entries now;
	struct dvt_mem_entries disk;
	struct dvt_mem_change *pending;
	size_t n_pending;
	uint64_t number;

	uint64_t calls, reads;
	bool armed, off;
	uint64_t cut_after;
	enum dvt_cut mode;
	uint64_t seed;
	struct dvt_mem_failing fail, fail_read;
};

/* Every mutating call begins here: it counts, fails, or is where the cut is. */
enum dvt_code dvt_mem_tick(struct dvt_memfs *fs, struct dvt_err *err);
/* Every reading one; the power is on. */
enum dvt_code dvt_mem_tick_read(struct dvt_memfs *fs, struct dvt_err *err);

/* What has that name now, or DVT_MEM_NOTHING. */
size_t dvt_mem_look_up(
    const struct dvt_memfs *fs, size_t dir, const char *name);
bool dvt_mem_is_empty(const struct dvt_memfs *fs, size_t dir);

/* A node that no name leads to yet. */
size_t dvt_mem_new_node(struct dvt_memfs *fs, bool is_dir, unsigned mode);

/* A change of @node, to be filled with one or two names. */
struct dvt_mem_change *dvt_mem_new_change(struct dvt_memfs *fs, size_t node);
void dvt_mem_change_name(struct dvt_memfs *fs, struct dvt_mem_change *c,
    size_t dir, const char *name, size_t node);

/* A file's bytes reach the disk; a directory's changes do. */
void dvt_mem_sync_file(struct dvt_memfs *fs, size_t node);
/* Those that would have do not any more, and count as if they had. */
void dvt_mem_lose_file(struct dvt_memfs *fs, size_t node);
void dvt_mem_sync_dir(struct dvt_memfs *fs, size_t dir);

#endif
