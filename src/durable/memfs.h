/* SPDX-License-Identifier: Apache-2.0 */
/*
 * struct dvt_fs in memory, with power that can be cut: it knows what a disk
 * may have lost, kept or torn of everything not yet synced.
 */
#ifndef DVT_DURABLE_MEMFS_H
#define DVT_DURABLE_MEMFS_H

#include "durable/fs.h"

struct dvt_memfs; /* the ctx */

extern const struct dvt_fs dvt_memfs;

enum dvt_cut {
	DVT_CUT_DROP, /* nothing unsynced is on the disk */
	DVT_CUT_KEEP, /* all of it is */
	DVT_CUT_MIX,  /* each change is there or not, by a dice from the seed;
		       * unsynced bytes are whole, a part, zeros or none */
	DVT_CUT_KILL, /* only the process ends: nothing is lost, and nothing
		       * is synced that was not */
};

struct dvt_memfs *dvt_memfs_new(void); /* empty root; never NULL */
void dvt_memfs_free(struct dvt_memfs *fs);
/* A copy with its unsynced changes, armed cut and counter. */
struct dvt_memfs *dvt_memfs_clone(const struct dvt_memfs *fs);

/* Mutating calls so far (see "calls" in fs.h), failed ones included. */
uint64_t dvt_memfs_calls(const struct dvt_memfs *fs);

/**
 * dvt_memfs_cut() - lose power at a call
 * @after: that many more mutating calls are made; the next is not, and from
 *         then on every call, reading too, is DVT_E_SYSTEM; 0: at the next
 * @mode:  what dvt_memfs_power_on() finds; @seed for DVT_CUT_MIX
 */
void dvt_memfs_cut(
    struct dvt_memfs *fs, uint64_t after, enum dvt_cut mode, uint64_t seed);

/* Has the armed cut happened? */
bool dvt_memfs_is_off(const struct dvt_memfs *fs);

/*
 * Start again: the disk as the cut left it, all of it durable now. When no
 * cut has happened, this is one, at this moment, as armed or else DROP. The
 * same calls, mode and seed give the same disk.
 */
void dvt_memfs_power_on(struct dvt_memfs *fs);

/**
 * dvt_memfs_fail() - let calls fail without any power cut
 * @after: that many more mutating calls succeed
 * @n:     then this many fail; 0: none (disarms), UINT64_MAX: all
 * @sys:   with this errno (ENOSPC, EIO)
 *
 * As on Linux, bytes whose fsync failed are read as written and count as
 * clean: no later fsync brings them to the disk, where zeros stand in place of
 * them. A directory's changes stay unsynced, as in a file system's journal.
 */
void dvt_memfs_fail(struct dvt_memfs *fs, uint64_t after, uint64_t n, int sys);

/* The same for calls that only read (read, list), which count by themselves. */
void dvt_memfs_fail_reads(
    struct dvt_memfs *fs, uint64_t after, uint64_t n, int sys);
uint64_t dvt_memfs_reads(const struct dvt_memfs *fs);

#endif
