/* SPDX-License-Identifier: Apache-2.0 */
/* Names, unsynced changes and power of memfs: see memfs_disk.h. */
#include "durable/memfs_disk.h"

#include "base/mem.h"

#include <errno.h>
#include <stdlib.h>

static enum dvt_code
fail_if_due(struct dvt_mem_failing *f, struct dvt_err *err)
{
	if (f->n == 0)
		return DVT_OK;
	if (f->after > 0) {
		f->after--;
		return DVT_OK;
	}
	if (f->n != UINT64_MAX)
		f->n--;
	errno = f->sys;
	return dvt_fail_errno(err, "disk");
}

enum dvt_code
dvt_mem_tick(struct dvt_memfs *fs, struct dvt_err *err)
{
	if (fs->armed && !fs->off && fs->cut_after-- == 0)
		fs->off = true;
	if (fs->off)
		return dvt_fail(err, DVT_E_SYSTEM, "the power is off");
	fs->calls++;
	return fail_if_due(&fs->fail, err);
}

enum dvt_code
dvt_mem_tick_read(struct dvt_memfs *fs, struct dvt_err *err)
{
	fs->reads++;
	return fail_if_due(&fs->fail_read, err);
}

/* Tables of names. */

static struct dvt_mem_entry *
find(const struct dvt_mem_entries *t, size_t dir, const char *name)
{
	for (size_t i = 0; i < t->n; i++) {
		if (t->at[i].dir == dir && strcmp(t->at[i].name, name) == 0)
			return &t->at[i];
	}
	return NULL;
}

static void
set_entry(struct dvt_mem_entries *t, const struct dvt_mem_entry *e)
{
	struct dvt_mem_entry *old = find(t, e->dir, e->name);

	if (old != NULL && old->number > e->number)
		return;
	if (old == NULL) {
		t->at = dvt_realloc(t->at, (t->n + 1) * sizeof(*t->at));
		old = &t->at[t->n++];
	}
	*old = *e;
}

size_t
dvt_mem_look_up(const struct dvt_memfs *fs, size_t dir, const char *name)
{
	const struct dvt_mem_entry *e = find(&fs->now, dir, name);

	return e == NULL ? DVT_MEM_NOTHING : e->node;
}

bool
dvt_mem_is_empty(const struct dvt_memfs *fs, size_t dir)
{
	for (size_t i = 0; i < fs->now.n; i++) {
		if (fs->now.at[i].dir == dir &&
		    fs->now.at[i].node != DVT_MEM_NOTHING)
			return false;
	}
	return true;
}

/* Nodes. */

size_t
dvt_mem_new_node(struct dvt_memfs *fs, bool is_dir, unsigned mode)
{
	size_t i;

	for (i = 0; i < fs->n_nodes && fs->nodes[i].used; i++)
		;
	if (i == fs->n_nodes) {
		fs->nodes = dvt_realloc(
		    fs->nodes, (fs->n_nodes + 1) * sizeof(*fs->nodes));
		fs->n_nodes++;
	}
	fs->nodes[i] = (struct dvt_mem_node){
	    .used = true, .is_dir = is_dir, .mode = mode};
	dvt_buf_init(&fs->nodes[i].now, DVT_FS_FILE_MAX);
	dvt_buf_init(&fs->nodes[i].disk, DVT_FS_FILE_MAX);
	return i;
}

static void
free_node(struct dvt_mem_node *node)
{
	dvt_buf_cleanse(&node->now); /* it may have been a key */
	dvt_buf_cleanse(&node->disk);
	node->used = false;
}

static void
copy_bytes(struct dvt_buf *to, const struct dvt_buf *from)
{
	dvt_buf_reset(to);
	dvt_buf_put(to, from->p, from->n);
}

/* What is not on the disk yet; what was once lost on the way stays lost. */
static void
write_back(struct dvt_mem_node *node)
{
	if (node->now.n > node->disk.n)
		dvt_buf_put(&node->disk, node->now.p + node->disk.n,
		    node->now.n - node->disk.n);
}

/* Changes. */

struct dvt_mem_change *
dvt_mem_new_change(struct dvt_memfs *fs, size_t node)
{
	struct dvt_mem_change *c;

	fs->pending = dvt_realloc(
	    fs->pending, (fs->n_pending + 1) * sizeof(*fs->pending));
	c = &fs->pending[fs->n_pending++];
	*c = (struct dvt_mem_change){.node = node};
	fs->number++;
	return c;
}

void
dvt_mem_change_name(struct dvt_memfs *fs, struct dvt_mem_change *c, size_t dir,
    const char *name, size_t node)
{
	struct dvt_mem_entry *e = &c->set[c->n++];

	e->dir = dir;
	e->node = node;
	e->number = fs->number;
	(void)dvt_copy_str(e->name, sizeof(e->name), name);
	set_entry(&fs->now, e);
}

static void
apply(struct dvt_memfs *fs, const struct dvt_mem_change *c)
{
	for (size_t i = 0; i < c->n; i++)
		set_entry(&fs->disk, &c->set[i]);
}

static bool
is_about(const struct dvt_mem_change *c, size_t dir)
{
	return c->set[0].dir == dir || (c->n > 1 && c->set[1].dir == dir);
}

static void
forget_removed(struct dvt_mem_entries *t)
{
	size_t kept = 0;

	for (size_t i = 0; i < t->n; i++) {
		if (t->at[i].node != DVT_MEM_NOTHING)
			t->at[kept++] = t->at[i];
	}
	t->n = kept;
}

/* Names in a directory that is gone: its number may be given out again. */
static void
forget_inside(struct dvt_mem_entries *t, const bool *named)
{
	size_t kept = 0;

	for (size_t i = 0; i < t->n; i++) {
		if (named[t->at[i].dir])
			t->at[kept++] = t->at[i];
	}
	t->n = kept;
}

static void
name_pending(const struct dvt_memfs *fs, bool *named)
{
	for (size_t i = 0; i < fs->n_pending; i++) {
		const struct dvt_mem_change *c = &fs->pending[i];

		named[c->node] = true;
		for (size_t k = 0; k < c->n; k++)
			named[c->set[k].dir] = true;
	}
}

/* Free what no table and no change names any more. */
static void
sweep(struct dvt_memfs *fs)
{
	bool *named = dvt_alloc_array(fs->n_nodes, sizeof(*named));

	named[DVT_MEM_ROOT] = true;
	forget_removed(&fs->now);
	if (fs->n_pending == 0)
		forget_removed(&fs->disk);
	for (size_t i = 0; i < fs->now.n; i++)
		named[fs->now.at[i].node] = true;
	for (size_t i = 0; i < fs->disk.n; i++) {
		if (fs->disk.at[i].node != DVT_MEM_NOTHING)
			named[fs->disk.at[i].node] = true;
	}
	name_pending(fs, named);
	forget_inside(&fs->now, named);
	forget_inside(&fs->disk, named);
	for (size_t i = 0; i < fs->n_nodes; i++) {
		if (fs->nodes[i].used && !named[i])
			free_node(&fs->nodes[i]);
	}
	free(named);
}

/*
 * The changes of one directory reach the disk, and with each the earlier ones
 * of the same file.
 */
void
dvt_mem_sync_dir(struct dvt_memfs *fs, size_t dir)
{
	bool *goes = dvt_alloc_array(fs->n_pending + 1, sizeof(*goes));
	size_t kept = 0;

	for (size_t i = fs->n_pending; i-- > 0;) {
		goes[i] = is_about(&fs->pending[i], dir);
		for (size_t k = i + 1; k < fs->n_pending && !goes[i]; k++)
			goes[i] = goes[k] &&
				  fs->pending[k].node == fs->pending[i].node;
	}
	for (size_t i = 0; i < fs->n_pending; i++) {
		if (goes[i])
			apply(fs, &fs->pending[i]);
		else
			fs->pending[kept++] = fs->pending[i];
	}
	fs->n_pending = kept;
	free(goes);
	sweep(fs);
}

void
dvt_mem_sync_file(struct dvt_memfs *fs, size_t node)
{
	write_back(&fs->nodes[node]);
}

void
dvt_mem_lose_file(struct dvt_memfs *fs, size_t node)
{
	struct dvt_mem_node *n = &fs->nodes[node];

	while (n->disk.n < n->now.n)
		dvt_buf_putc(&n->disk, '\0');
}

/* Power. */

/* splitmix64: the same dice on every machine. */
static uint64_t throw(uint64_t * seed, uint64_t sides)
{
	uint64_t z = *seed += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return (z ^ z >> 31) % sides;
}

/* What the disk has of a file's unsynced end. */
static void
tear(struct dvt_mem_node *node, uint64_t *seed)
{
	struct dvt_buf *disk = &node->disk;
	const size_t more = node->now.n - disk->n;

	if (more == 0)
		return;
	switch (throw(seed, 4)) {
	case 0: /* nothing */
		break;
	case 1: /* all */
		write_back(node);
		break;
	case 2: /* a part */
		dvt_buf_put(
		    disk, node->now.p + disk->n, (size_t) throw(seed, more));
		break;
	default: /* its length, but never written */
		for (size_t i = 0; i < more; i++)
			dvt_buf_putc(disk, '\0');
		break;
	}
}

/*
 * Each unsynced change is on the disk or not; one that is not keeps back the
 * later ones of the same file.
 */
static void
apply_some(struct dvt_memfs *fs)
{
	bool *back = dvt_alloc_array(fs->n_nodes, sizeof(*back));

	for (size_t i = 0; i < fs->n_pending; i++) {
		const struct dvt_mem_change *c = &fs->pending[i];

		if (fs->mode == DVT_CUT_DROP ||
		    (fs->mode == DVT_CUT_MIX && throw(&fs->seed, 2) == 0))
			back[c->node] = true;
		if (!back[c->node])
			apply(fs, c);
	}
	fs->n_pending = 0;
	free(back);
}

void
dvt_memfs_power_on(struct dvt_memfs *fs)
{
	if (!fs->armed)
		fs->mode = DVT_CUT_DROP;
	fs->armed = false;
	fs->off = false;
	if (fs->mode == DVT_CUT_KILL)
		return;
	apply_some(fs);
	for (size_t i = 0; i < fs->n_nodes; i++) {
		struct dvt_mem_node *node = &fs->nodes[i];

		if (!node->used)
			continue;
		if (fs->mode == DVT_CUT_MIX)
			tear(node, &fs->seed);
		else if (fs->mode == DVT_CUT_KEEP)
			write_back(node);
		copy_bytes(&node->now, &node->disk);
	}
	fs->now.n = 0;
	for (size_t i = 0; i < fs->disk.n; i++)
		set_entry(&fs->now, &fs->disk.at[i]);
	sweep(fs);
}

void
dvt_memfs_cut(
    struct dvt_memfs *fs, uint64_t after, enum dvt_cut mode, uint64_t seed)
{
	fs->armed = true;
	fs->cut_after = after;
	fs->mode = mode;
	fs->seed = seed;
}

bool
dvt_memfs_is_off(const struct dvt_memfs *fs)
{
	return fs->off;
}

void
dvt_memfs_fail(struct dvt_memfs *fs, uint64_t after, uint64_t n, int sys)
{
	fs->fail = (struct dvt_mem_failing){after, n, sys};
}

void
dvt_memfs_fail_reads(struct dvt_memfs *fs, uint64_t after, uint64_t n, int sys)
{
	fs->fail_read = (struct dvt_mem_failing){after, n, sys};
}

uint64_t
dvt_memfs_reads(const struct dvt_memfs *fs)
{
	return fs->reads;
}

uint64_t
dvt_memfs_calls(const struct dvt_memfs *fs)
{
	return fs->calls;
}

struct dvt_memfs *
dvt_memfs_new(void)
{
	struct dvt_memfs *fs = dvt_alloc(sizeof(*fs));

	(void)dvt_mem_new_node(fs, true, 0700);
	return fs;
}

static void *
copy_array(const void *p, size_t n, size_t size)
{
	void *copy = dvt_alloc_array(n + 1, size);

	if (n > 0)
		memcpy(copy, p, n * size);
	return copy;
}

struct dvt_memfs *
dvt_memfs_clone(const struct dvt_memfs *fs)
{
	struct dvt_memfs *copy = dvt_alloc(sizeof(*copy));

	*copy = *fs;
	copy->nodes = copy_array(fs->nodes, fs->n_nodes, sizeof(*fs->nodes));
	copy->now.at = copy_array(fs->now.at, fs->now.n, sizeof(*fs->now.at));
	copy->disk.at = copy_array(
	    fs->disk.at, fs->disk.n, sizeof(*fs->disk.at));
	copy->pending = copy_array(
	    fs->pending, fs->n_pending, sizeof(*fs->pending));
	for (size_t i = 0; i < fs->n_nodes; i++) {
		if (!fs->nodes[i].used)
			continue;
		dvt_buf_init(&copy->nodes[i].now, DVT_FS_FILE_MAX);
		dvt_buf_init(&copy->nodes[i].disk, DVT_FS_FILE_MAX);
		copy_bytes(&copy->nodes[i].now, &fs->nodes[i].now);
		copy_bytes(&copy->nodes[i].disk, &fs->nodes[i].disk);
	}
	return copy;
}

void
dvt_memfs_free(struct dvt_memfs *fs)
{
	if (fs == NULL)
		return;
	for (size_t i = 0; i < fs->n_nodes; i++) {
		if (fs->nodes[i].used)
			free_node(&fs->nodes[i]);
	}
	free(fs->nodes);
	free(fs->now.at);
	free(fs->disk.at);
	free(fs->pending);
	free(fs);
}
