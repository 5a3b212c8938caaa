/* SPDX-License-Identifier: Apache-2.0 */
#include "proc/user.h"

#include "base/mem.h"
#include "base/span.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <spawn.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define NAME_MAX_USERADD 32
#define PARTS_MAX        200 /* components of a path; fits an exit status */

enum dvt_code
dvt_user_find(const char *name, struct dvt_user *out, struct dvt_err *err)
{
	const struct passwd *pw = getpwnam(name);
	unsigned long n;
	char *end;

	if (pw == NULL && isdigit((unsigned char)name[0])) {
		n = strtoul(name, &end, 10);
		if (*end == '\0' && n < UINT32_MAX) {
			pw = getpwuid((uid_t)n);
			out->uid = (uid_t)n;
			out->gid = pw != NULL ? pw->pw_gid : (gid_t)n;
			return DVT_OK;
		}
	}
	if (pw == NULL)
		return dvt_fail(err, DVT_E_ABSENT,
		    "no account is called \"%s\" on this host; make it: "
		    "useradd --system %s",
		    name, name);
	out->uid = pw->pw_uid;
	out->gid = pw->pw_gid;
	return DVT_OK;
}

/* --- making it --- */

static bool
is_name(const char *name)
{
	size_t n = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_-");

	return n > 0 && n <= NAME_MAX_USERADD && name[n] == '\0' &&
	       (islower((unsigned char)name[0]) || name[0] == '_');
}

static enum dvt_code
wait_for(pid_t pid, int *status, struct dvt_err *err)
{
	while (waitpid(pid, status, 0) != pid) {
		if (errno != EINTR)
			return dvt_fail_errno(err, "wait for a child");
	}
	return DVT_OK;
}

enum dvt_code
dvt_user_make(const char *name, struct dvt_err *err)
{
	static char program[] = "/usr/sbin/useradd";
	char account[NAME_MAX_USERADD + 1];
	char *argv[] = {program, "--system", "--user-group", "--no-create-home",
	    "--home-dir", "/nonexistent", "--shell", "/usr/sbin/nologin",
	    account, NULL};
	char *env[] = {NULL};
	int status, why;
	pid_t pid;
	enum dvt_code rc;

	if (!is_name(name) || dvt_copy_str(account, sizeof(account), name) != 0)
		return dvt_fail(err, DVT_E_INPUT,
		    "user \"%.64s\": an account's name has small letters, "
		    "digits, \"_\", \"-\", at most %d, and begins with a "
		    "letter",
		    name, NAME_MAX_USERADD);
	if ((why = posix_spawn(&pid, program, NULL, NULL, argv, env)) != 0) {
		errno = why;
		return dvt_fail_errno(err, "user %s: %s", name, program);
	}
	if ((rc = wait_for(pid, &status, err)) != DVT_OK)
		return rc;
	/* 9: somebody made it in between */
	if (!WIFEXITED(status) ||
	    (WEXITSTATUS(status) != 0 && WEXITSTATUS(status) != 9))
		return dvt_fail(err, DVT_E_SYSTEM,
		    "user %s: useradd --system did not make it (exit %d)", name,
		    WIFEXITED(status) ? WEXITSTATUS(status) : -1);
	return DVT_OK;
}

/* --- being it --- */

bool
dvt_user_changes(const char *name)
{
	struct dvt_user u;

	return geteuid() == 0 && name != NULL && name[0] != '\0' &&
	       (dvt_user_find(name, &u, NULL) != DVT_OK || u.uid != 0);
}

enum dvt_code
dvt_user_become(const char *name, struct dvt_err *err)
{
	int with_parent = 0;
	struct dvt_user u;
	enum dvt_code rc;

	if (!dvt_user_changes(name))
		return DVT_OK;
	if ((rc = dvt_user_find(name, &u, err)) != DVT_OK)
		return rc;
	(void)prctl(PR_GET_PDEATHSIG, &with_parent);
	if (setgroups(0, NULL) != 0 || setresgid(u.gid, u.gid, u.gid) != 0 ||
	    setresuid(u.uid, u.uid, u.uid) != 0)
		return dvt_fail_errno(err, "become user \"%s\"", name);
	/* the kernel forgets it with a change of user */
	if (with_parent != 0)
		(void)prctl(PR_SET_PDEATHSIG, with_parent);
	return DVT_OK;
}

/* --- asking in advance --- */

/* @path up to and with its @part-th component, from 1; "/" for 0. */
static bool
upto(const char *path, int part, char out[PATH_MAX])
{
	size_t n = 0;

	if (dvt_copy_str(out, PATH_MAX, path) != 0)
		return false;
	for (int i = 0; i < part; i++) {
		n += strspn(path + n, "/");
		n += strcspn(path + n, "/");
	}
	out[n > 0 ? n : 1] = '\0';
	return true;
}

static int
parts_of(const char *path)
{
	int n = 0;

	while (*(path += strspn(path, "/")) != '\0') {
		path += strcspn(path, "/");
		n++;
	}
	return n;
}

/* In the child: 0, or 1 + the component that is in the way. */
static int
first_closed(const char *path, int mode)
{
	int parts = parts_of(path);
	char at[PATH_MAX];

	for (int i = 0; i <= parts; i++) {
		if (!upto(path, i, at))
			return PARTS_MAX + 1;
		if (access(at, i == parts ? mode : X_OK) != 0)
			return i + 1;
	}
	return 0;
}

static enum dvt_code
tell_closed(const char *name, const char *path, int part, struct dvt_err *err)
{
	char at[PATH_MAX];
	struct stat st;

	if (!upto(path, part, at))
		return dvt_fail(err, DVT_E_LIMIT, "%.200s: too long", path);
	if (stat(at, &st) != 0)
		return errno == ENOENT
			   ? dvt_fail(err, DVT_E_ABSENT, "%s: not there", at)
			   : dvt_fail_errno(err, "%s", at);
	return dvt_fail(err, DVT_E_DENIED,
	    "user %s cannot use %.200s: %.200s has mode %04o and owner %u",
	    name, path, at, (unsigned)st.st_mode & 07777, (unsigned)st.st_uid);
}

enum dvt_code
dvt_user_reaches(
    const char *name, const char *path, int mode, struct dvt_err *err)
{
	struct dvt_user u;
	int status;
	pid_t pid;
	enum dvt_code rc;

	if (name != NULL && name[0] != '\0' &&
	    (rc = dvt_user_find(name, &u, err)) != DVT_OK)
		return rc;
	if (path[0] != '/' || parts_of(path) > PARTS_MAX)
		return dvt_fail(err, DVT_E_INPUT,
		    "%.200s: no absolute path of at most %d parts", path,
		    PARTS_MAX);
	pid = fork();
	if (pid < 0)
		return dvt_fail_errno(err, "fork");
	if (pid == 0)
		_exit(dvt_user_become(name, NULL) == DVT_OK
			  ? first_closed(path, mode)
			  : PARTS_MAX + 2);
	if ((rc = wait_for(pid, &status, err)) != DVT_OK)
		return rc;
	if (!WIFEXITED(status) || WEXITSTATUS(status) > PARTS_MAX + 1)
		return dvt_fail(
		    err, DVT_E_SYSTEM, "%s: cannot be tried as %s", path, name);
	if (WEXITSTATUS(status) == 0)
		return DVT_OK;
	return tell_closed(name != NULL && name[0] != '\0' ? name
							   : "of this "
							     "process",
	    path, WEXITSTATUS(status) - 1, err);
}
