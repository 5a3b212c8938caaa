/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Give up what a process does not need: new privileges, core dumps, system
 * calls (seccomp), files (Landlock where the kernel has it). Its account was
 * given up before: see proc/user.h and struct dvt_child_kind.
 */
#ifndef DVT_PROC_SANDBOX_H
#define DVT_PROC_SANDBOX_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>

/* Groups of system calls a process may still make, beside memory, time,
 * signals to itself, polling, and reading and writing what is open. */
#define DVT_SYS_GROUPS(X)                                                      \
	X(DVT_SYS_NET, 1, "net")           /* send, receive, socket options */ \
	X(DVT_SYS_ACCEPT, 2, "net-accept") /* accept on listening sockets */   \
	X(DVT_SYS_CONNECT, 4, "net-connect") /* new sockets, resolver */       \
	X(DVT_SYS_FILES_RO, 8, "files-ro")  /* open for reading, stat, list */ \
	X(DVT_SYS_FILES_RW, 16, "files-rw") /* create, rename, sync, lock */   \
	X(DVT_SYS_MEMFD, 32, "memfd")       /* large messages, passed maps */  \
	X(DVT_SYS_SPAWN, 64, "spawn")       /* hooks: fork and exec */         \
	X(DVT_SYS_THREADS, 128, "threads")
#define DVT_SYS_ENUM(id, bit, name) id = bit,
enum dvt_sys_group { DVT_SYS_GROUPS(DVT_SYS_ENUM) };

struct dvt_sandbox_path {
	const char *path; /* a file or a folder with all beneath it */
	bool write;
	bool execute;
};

struct dvt_sandbox_plan {
	unsigned groups; /* DVT_SYS_*; 0 is "talk over what is open" */
	const struct dvt_sandbox_path *paths; /* all else is out of reach */
	size_t paths_n;
	bool landlock; /* false: paths are not narrowed */
	bool seccomp;
	bool explain; /* a forbidden call logs its number before the end */
};

/**
 * dvt_sandbox() - apply the plan to this process, for good
 *
 * What was applied and what the kernel (or a sanitizer build) has not is one
 * log event, proc.sandbox. Afterwards a forbidden system call kills the
 * process; a forbidden path gives EACCES.
 * Return: DVT_OK; DVT_E_SYSTEM.
 */
DVT_MUST_USE enum dvt_code dvt_sandbox(
    const struct dvt_sandbox_plan *plan, struct dvt_err *err);

/* Whether this build and kernel can filter system calls at all. */
bool dvt_sandbox_can_seccomp(void);

#endif
