/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The parent: starts children by fork (no exec), pairs them, starts a dead one
 * again and pairs it anew; nothing else. It reads no message bodies, opens no
 * peer's socket and holds no secret but a sealed memory file.
 * Pairing is the same at the start and after a death: for each pair of roles
 * the parent makes a socket pair and sends one end to each side; a side that
 * gets a new end for (role, index) drops the old one and what was pending.
 */
#ifndef DVT_PROC_CHILDREN_H
#define DVT_PROC_CHILDREN_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct dvt_child;

struct dvt_child_kind {
	int role;         /* the program's number for it (ipc: enum dvt_role) */
	const char *name; /* in logs; "front" gives "front-1", "front-2" */
	/* The account it becomes, before run(), when we are root; NULL: ours.
	 * So nothing it opens or makes is root's. */
	const char *user;
	unsigned count;
	unsigned stop_stage; /* at a stop: stage 0 ends first, then 1 ... */
	const int *fds; /* descriptors this kind keeps; all others are closed */
	size_t fds_n;
	bool watched; /* it has a loop whose turns are short: see watch_ms */
	/* What the child does; returns its exit status. */
	int (*run)(struct dvt_child *me, void *ctx);
};

struct dvt_child_pair {
	int a, b; /* roles; every child of one with every child of the other */
};

struct dvt_parent_plan {
	const struct dvt_child_kind *kinds;
	size_t kinds_n;
	const struct dvt_child_pair *pairs;
	size_t pairs_n;
	int64_t stop_ms; /* orderly stop; then SIGKILL. 0: 10000 */
	void *ctx;       /* handed to run() */
	/* All children have said ready, first time. May be NULL. */
	void (*ready)(void *ctx);
	/* A watched child that was ready and gives no answer for so long is
	 * killed, and so started again; 0: never. */
	int64_t watch_ms;
	/* It has been silent for @silent_ms, 0: it answers again; @killed: it
	 * hangs, and is killed now. May be NULL. */
	void (*silent)(void *ctx, int role, unsigned index, int64_t silent_ms,
	    bool killed);
};

/**
 * dvt_parent_run() - start the children and keep them running
 *
 * Until SIGTERM or SIGINT (stop in stages), or until a child ends before it
 * ever was ready (bad configuration: all are stopped, its status is ours).
 * SIGHUP is passed on as "reload". A child that dies later is started again:
 * the first time at once, then after 100 ms, doubled up to 10 s, or up to half
 * a second when it had been ready; a child that lived 30 s starts afresh. One
 * that hangs (watch_ms) is killed for that. Return: exit status of the program.
 */
int dvt_parent_run(const struct dvt_parent_plan *plan);

/* --- what a child knows of itself --- */
int dvt_child_role(const struct dvt_child *me);
unsigned dvt_child_index(const struct dvt_child *me); /* from 0 in its kind */
const char *dvt_child_name(const struct dvt_child *me);
int dvt_child_control_fd(const struct dvt_child *me); /* for proc/control.h */

/**
 * dvt_sealed_new() - bytes in a memory file that nobody can change
 * @fd: out: close-on-exec; the caller's
 *
 * To be listed in the fds of the kind that may read it; it stays in the parent
 * so that a child started again gets it again.
 */
DVT_MUST_USE enum dvt_code dvt_sealed_new(
    const void *p, size_t n, int *fd, struct dvt_err *err);
struct dvt_secret;
/* @out: the caller's, dvt_secret_free(); at most 64 KiB, seals checked. */
DVT_MUST_USE enum dvt_code dvt_sealed_read(
    int fd, struct dvt_secret *out, struct dvt_err *err);

#endif
