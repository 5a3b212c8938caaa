/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The account a process works under: found, made when it is not there, become
 * for good, and asked in advance whether it gets to a path.
 */
#ifndef DVT_PROC_USER_H
#define DVT_PROC_USER_H

#include "base/err.h"

#include <stdbool.h>
#include <sys/types.h>

/* The account of programs that were told no other. */
#define DVT_USER_DEFAULT "dovetail"

struct dvt_user {
	uid_t uid;
	gid_t gid;
};

/**
 * dvt_user_find() - ids of an account
 * @name: its name, or a number
 *
 * Return: DVT_OK; DVT_E_ABSENT (no such account).
 */
DVT_MUST_USE enum dvt_code dvt_user_find(
    const char *name, struct dvt_user *out, struct dvt_err *err);

/**
 * dvt_user_make() - an account for daemons, by the system's own useradd(8)
 *
 * No home, no shell, a group of its own.
 * Return: DVT_OK; DVT_E_INPUT (a name that useradd would not take);
 *         DVT_E_SYSTEM (useradd is not there, or failed).
 */
DVT_MUST_USE enum dvt_code dvt_user_make(const char *name, struct dvt_err *err);

/**
 * dvt_user_become() - be that account from now on, and no other any more
 * @name: NULL, "" or "root": stay
 *
 * Only when this process is root; anybody else stays who it is. Supplementary
 * groups and all capabilities are gone afterwards.
 * Return: DVT_OK; DVT_E_ABSENT (no such account); DVT_E_SYSTEM.
 */
DVT_MUST_USE enum dvt_code dvt_user_become(
    const char *name, struct dvt_err *err);

/**
 * dvt_user_reaches() - whether that account could use @path
 * @name: as for dvt_user_become()
 * @path: absolute; every folder above it must let the account in
 * @mode: R_OK, W_OK, X_OK of access(2), wanted of @path itself
 *
 * Tried by a child that becomes the account, so that lists of access and
 * mounts count too.
 * Return: DVT_OK; DVT_E_DENIED (names the first folder that is in the way,
 *         its owner and mode); DVT_E_ABSENT (no such path, or account);
 *         DVT_E_SYSTEM.
 */
DVT_MUST_USE enum dvt_code dvt_user_reaches(
    const char *name, const char *path, int mode, struct dvt_err *err);

/* Whether this process would leave root for that account. */
bool dvt_user_changes(const char *name);

#endif
