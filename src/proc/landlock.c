/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Landlock by its three system calls (no library wraps them in Debian 12).
 * Rights are numbered here, because the headers may be older than the kernel.
 */
#include "proc/sandbox_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define FS_EXECUTE  (1ULL << 0)
#define FS_WRITE    (1ULL << 1)
#define FS_READ     (1ULL << 2)
#define FS_READ_DIR (1ULL << 3)
#define FS_ABI_1                                                               \
	((1ULL << 13) - 1)       /* with making and removing of all kinds      \
				  */
#define FS_REFER    (1ULL << 13) /* ABI 2 */
#define FS_TRUNCATE (1ULL << 14) /* ABI 3 */
#define FS_OF_FILE  (FS_EXECUTE | FS_WRITE | FS_READ | FS_TRUNCATE)

/* What a resolver and its libraries read. */
static const char *const for_names[] = {"/etc/resolv.conf", "/etc/hosts",
    "/etc/host.conf", "/etc/nsswitch.conf", "/etc/gai.conf", "/etc/services",
    "/etc/ld.so.cache", "/run/systemd/resolve", "/lib", "/usr/lib"};

static uint64_t
rights_known(int abi)
{
	uint64_t all = FS_ABI_1;

	if (abi >= 2)
		all |= FS_REFER;
	if (abi >= 3)
		all |= FS_TRUNCATE;
	return all;
}

/* A path that is not there needs no rule. */
static enum dvt_code
path_allow(int ruleset, const char *path, uint64_t rights, struct dvt_err *err)
{
	struct landlock_path_beneath_attr rule = {0};
	struct stat st;
	int rc;

	rule.parent_fd = open(path, O_PATH | O_CLOEXEC);
	if (rule.parent_fd < 0 && errno == ENOENT)
		return DVT_OK;
	if (rule.parent_fd < 0 || fstat(rule.parent_fd, &st) != 0) {
		rc = -1;
	} else {
		if (!S_ISDIR(st.st_mode))
			rights &= FS_OF_FILE;
		rule.allowed_access = rights;
		rc = (int)syscall(SYS_landlock_add_rule, ruleset,
		    LANDLOCK_RULE_PATH_BENEATH, &rule, 0);
	}
	if (rc != 0)
		(void)dvt_fail_errno(err, "sandbox: path %s", path);
	if (rule.parent_fd >= 0)
		close(rule.parent_fd);
	return rc == 0 ? DVT_OK : DVT_E_SYSTEM;
}

static enum dvt_code
paths_allow(int ruleset, const struct dvt_sandbox_plan *plan, uint64_t known,
    struct dvt_err *err)
{
	enum dvt_code rc = DVT_OK;

	for (size_t i = 0; rc == DVT_OK && i < plan->paths_n; i++) {
		const struct dvt_sandbox_path *p = &plan->paths[i];
		uint64_t rights = FS_READ | FS_READ_DIR;

		if (p->write)
			rights = known & ~FS_EXECUTE;
		if (p->execute)
			rights |= FS_EXECUTE;
		rc = path_allow(ruleset, p->path, rights, err);
	}
	if ((plan->groups & DVT_SYS_CONNECT) == 0)
		return rc;
	for (size_t i = 0;
	     rc == DVT_OK && i < sizeof(for_names) / sizeof(*for_names); i++)
		rc = path_allow(ruleset, for_names[i],
		    FS_READ | FS_READ_DIR | FS_EXECUTE, err);
	return rc;
}

enum dvt_code
dvt_landlock_apply(
    const struct dvt_sandbox_plan *plan, int *abi, struct dvt_err *err)
{
	struct landlock_ruleset_attr attr = {0};
	enum dvt_code rc;
	int ruleset;

	*abi = (int)syscall(SYS_landlock_create_ruleset, NULL, 0,
	    LANDLOCK_CREATE_RULESET_VERSION);
	if (*abi <= 0) {
		*abi = 0; /* older kernel, or not enabled */
		return DVT_OK;
	}
	attr.handled_access_fs = rights_known(*abi);
	ruleset = (int)syscall(
	    SYS_landlock_create_ruleset, &attr, sizeof(attr), 0);
	if (ruleset < 0)
		return dvt_fail_errno(err, "sandbox: Landlock");
	rc = paths_allow(ruleset, plan, attr.handled_access_fs, err);
	if (rc == DVT_OK &&
	    syscall(SYS_landlock_restrict_self, ruleset, 0) != 0)
		rc = dvt_fail_errno(err, "sandbox: Landlock");
	close(ruleset);
	return rc;
}
