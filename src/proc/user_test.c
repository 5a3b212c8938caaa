/* SPDX-License-Identifier: Apache-2.0 */
#include "proc/user.h"

#include "base/span.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define NOBODY 65534

/* What a child that became @name finds of itself; 99: it was refused. */
static int
as(const char *name, int (*look)(void))
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		_exit(dvt_user_become(name, NULL) == DVT_OK ? look() : 99);
	}
	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static int
is_nobody(void)
{
	int with_parent = 0;

	(void)prctl(PR_GET_PDEATHSIG, &with_parent);
	return getuid() == NOBODY && geteuid() == NOBODY && getgid() != 0 &&
		       getgroups(0, NULL) == 0 && setuid(0) != 0 &&
		       with_parent == SIGKILL
		   ? 0
		   : 1;
}

static int
is_root(void)
{
	return geteuid() == 0 ? 1 : 0;
}

static void
root_becomes_the_user_for_good_others_stay(void **state)
{
	bool root = geteuid() == 0;

	(void)state;
	assert_int_equal(as("nobody", root ? is_nobody : is_root), 0);
	assert_int_equal(as("65534", root ? is_nobody : is_root), 0);
	assert_int_equal(as("no-such-user", is_root), root ? 99 : 0);
	for (int i = 0; i < 3; i++) {
		static const char *const stay[] = {NULL, "", "root"};

		assert_int_equal(as(stay[i], is_root), root ? 1 : 0);
	}
}

static void
names_no_account_has_are_refused_before_useradd(void **state)
{
	static const char *const bad[] = {"", "Root", "-x", "a b", "a:b",
	    "a/../b", "9lives", "a-name-that-is-longer-than-useradd-takes"};
	struct dvt_err err;

	(void)state;
	for (size_t i = 0; i < DVT_COUNT(bad); i++)
		assert_int_equal(dvt_user_make(bad[i], &err), DVT_E_INPUT);
}

struct way {
	mode_t top, leaf; /* modes of the two folders */
	int want;
	enum dvt_code as_nobody;
	const char *names; /* the folder told, below the temporary one */
};

static void
the_folder_in_the_way_is_named(void **state)
{
	static const struct way ways[] = {
	    {0711, 0755, R_OK | X_OK, DVT_OK,       NULL                 },
	    {0700, 0777, R_OK | X_OK, DVT_E_DENIED, "/top has mode 0700" },
	    {0711, 0700, X_OK,        DVT_E_DENIED, "/leaf has mode 0700"},
	    {0711, 0755, W_OK,        DVT_E_DENIED, "/leaf has mode 0755"},
	    {0711, 0777, W_OK,        DVT_OK,       NULL                 },
	};
	char dir[] = "/tmp/dvt-user-XXXXXX", top[64], leaf[96];
	struct dvt_err err;

	(void)state;
	assert_int_equal(
	    dvt_user_reaches("no-such-user", "/", X_OK, &err), DVT_E_ABSENT);
	assert_int_equal(dvt_user_reaches("", "etc", X_OK, &err), DVT_E_INPUT);
	if (geteuid() != 0)
		return; /* who cannot become somebody, goes as itself */
	assert_non_null(mkdtemp(dir));
	assert_int_equal(chmod(dir, 0711), 0);
	snprintf(top, sizeof(top), "%s/top", dir);
	snprintf(leaf, sizeof(leaf), "%s/leaf", top);
	assert_int_equal(mkdir(top, 0700) + mkdir(leaf, 0700), 0);
	for (size_t i = 0; i < DVT_COUNT(ways); i++) {
		const struct way *w = &ways[i];

		assert_int_equal(chmod(top, w->top) + chmod(leaf, w->leaf), 0);
		assert_int_equal(
		    dvt_user_reaches("nobody", leaf, w->want, &err),
		    w->as_nobody);
		if (w->names != NULL)
			assert_non_null(strstr(err.text, w->names));
		assert_int_equal(
		    dvt_user_reaches("root", leaf, w->want, &err), DVT_OK);
	}
	snprintf(leaf, sizeof(leaf), "%s/none", top);
	assert_int_equal(
	    dvt_user_reaches("nobody", leaf, X_OK, &err), DVT_E_ABSENT);
	snprintf(leaf, sizeof(leaf), "%s/leaf", top);
	assert_int_equal(rmdir(leaf) + rmdir(top) + rmdir(dir), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(root_becomes_the_user_for_good_others_stay),
	    cmocka_unit_test(names_no_account_has_are_refused_before_useradd),
	    cmocka_unit_test(the_folder_in_the_way_is_named),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
