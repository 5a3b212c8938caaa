/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The account of the control plane's processes. Root makes the folder; what
 * children write becomes theirs (database, fronts' credentials); what only the
 * parent reads stays root's (unlocking secret, offline keys), and so do the
 * folder itself and its settings, which the account may read.
 */
#include "dovetaild/files.h"
#include "dovetaild/init_priv.h"
#include "proc/user.h"

#include <errno.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* --set user=NAME says the same as --user NAME. */
static void
take_setting(struct init_options *o)
{
	for (size_t k = 0; o->user == NULL && k < o->set_n; k++)
		if (strncmp(o->set[k], "user=", 5) == 0)
			o->user = o->set[k] + 5;
}

static enum dvt_code
not_root(struct init *i, struct dvt_err *err)
{
	const char *user = i->options.user;
	struct dvt_user u;
	enum dvt_code rc;

	if (user == NULL)
		return DVT_OK;
	if ((rc = dvt_user_find(user, &u, err)) == DVT_OK && u.uid != geteuid())
		rc = dvt_fail(err, DVT_E_DENIED,
		    "--user %s: only root can hand a folder to another "
		    "account; run init as root, or as %s",
		    user, user);
	i->options.user = NULL; /* nothing to become */
	return rc;
}

static void
go_up(char *path)
{
	const char *above = dirname(path);

	memmove(path, above, strlen(above) + 1);
}

/* The first folder above @path, or itself, that is there. */
static enum dvt_code
existing(const char *path, char out[4096], struct dvt_err *err)
{
	char at[4096];
	char *full;

	if (dvt_copy_str(at, sizeof(at), path) != 0)
		return dvt_fail(err, DVT_E_LIMIT, "%s: path too long", path);
	while ((full = realpath(at, NULL)) == NULL && errno == ENOENT &&
	       strcmp(at, ".") != 0 && strcmp(at, "/") != 0)
		go_up(at);
	if (full == NULL)
		return dvt_fail_errno(err, "%s", at);
	(void)dvt_copy_str(out, 4096, full);
	free(full);
	return DVT_OK;
}

enum dvt_code
init_user(struct init *i, struct dvt_err *err)
{
	struct dvt_err why = {0};
	struct dvt_user u;
	char above[4096];
	enum dvt_code rc;

	if ((rc = folder_empty(i->options.dir, err)) != DVT_OK)
		return rc;
	take_setting(&i->options);
	if (geteuid() != 0)
		return not_root(i, err);
	if (i->options.user == NULL)
		i->options.user = DVT_USER_DEFAULT;
	if (dvt_user_find(i->options.user, &u, err) != DVT_OK) {
		if ((rc = dvt_user_make(i->options.user, err)) != DVT_OK)
			return rc;
		printf("Made the system account %s (useradd --system).\n",
		    i->options.user);
	}
	if ((rc = existing(i->options.dir, above, err)) != DVT_OK)
		return rc;
	/* an empty folder that is there gets its mode later */
	if (access(i->options.dir, F_OK) == 0)
		go_up(above);
	rc = dvt_user_reaches(i->options.user, above, X_OK, &why);
	if (rc == DVT_E_DENIED)
		return dvt_fail(err, rc,
		    "%s; let it pass (chmod o+x), name another folder, or say "
		    "--user root",
		    why.text);
	if (rc != DVT_OK)
		*err = why;
	return rc;
}

/* --- at the end --- */

static enum dvt_code
give(const char *path, uid_t uid, gid_t gid, struct dvt_err *err)
{
	if (lchown(path, uid, gid) != 0 && errno != ENOENT)
		return dvt_fail_errno(err, "hand over %s", path);
	return DVT_OK;
}

static enum dvt_code
give_below(
    struct init *i, const char *path, struct dvt_user u, struct dvt_err *err)
{
	char full[1200];

	snprintf(full, sizeof(full), "%s/%s", i->dir, path);
	return give(full, u.uid, u.gid, err);
}

static enum dvt_code
give_fronts(struct init *i, struct dvt_user u, struct dvt_err *err)
{
	static const char *const of[] = {"", "/key.pem", "/chain.pem"};
	enum dvt_code rc = give_below(i, "front", u, err);
	char path[64];

	for (int64_t k = 1; rc == DVT_OK && k <= i->options.fronts; k++) {
		for (size_t f = 0; rc == DVT_OK && f < DVT_COUNT(of); f++) {
			snprintf(
			    path, sizeof(path), "front/%d%s", (int)k, of[f]);
			rc = give_below(i, path, u, err);
		}
	}
	return rc;
}

enum dvt_code
init_hand_over(struct init *i, struct dvt_err *err)
{
	static const char *const theirs[] = {
	    "db", DIR_DATABASE, DIR_DATABASE "-wal", DIR_DATABASE "-shm"};
	char settings[1200];
	struct dvt_user u;
	enum dvt_code rc;

	if (!dvt_user_changes(i->options.user))
		return DVT_OK;
	rc = dvt_user_find(i->options.user, &u, err);
	for (size_t k = 0; rc == DVT_OK && k < DVT_COUNT(theirs); k++)
		rc = give_below(i, theirs[k], u, err);
	if (rc == DVT_OK)
		rc = give_fronts(i, u, err);
	snprintf(settings, sizeof(settings), "%s/%s", i->dir, DIR_SETTINGS);
	if (rc == DVT_OK)
		rc = give(settings, 0, u.gid, err);
	if (rc == DVT_OK && (rc = give(i->dir, 0, u.gid, err)) == DVT_OK &&
	    chmod(i->dir, 0750) != 0)
		rc = dvt_fail_errno(err, "%s", i->dir);
	return rc;
}
