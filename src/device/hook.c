/* SPDX-License-Identifier: Apache-2.0 */
/* Hooks: see hook.h. A pidfd tells the end, so no SIGCHLD is needed. */
#include "device/hook.h"

#include "base/mem.h"

#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#define ENV_MAX 16

struct dvt_hook_run {
	pid_t pid; /* 0: reaped */
	int fd;
	struct dvt_watch *watch;
	void (*done)(void *user, int status);
	void *user;
};

static void
ended(void *ctx, unsigned ready)
{
	struct dvt_hook_run *h = ctx;
	int status = 0;

	(void)ready;
	dvt_watch_want(h->watch, 0);
	if (waitpid(h->pid, &status, 0) != h->pid)
		status = 0x7f00;
	h->pid = 0;
	h->done(h->user,
	    WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
}

static int
spawn(const char *program, const char *name, int64_t generation,
    int64_t trust_version, const char *const *more, pid_t *pid)
{
	char *const argv[] = {
	    (char *)(uintptr_t)program, (char *)(uintptr_t)name, NULL};
	char *env[ENV_MAX] = {dvt_asprintf("DOVETAIL_HOOK=%s", name),
	    dvt_asprintf("DOVETAIL_GENERATION=%" PRId64, generation),
	    dvt_asprintf("DOVETAIL_TRUST=%" PRId64, trust_version),
	    dvt_strdup("PATH=/usr/sbin:/usr/bin:/sbin:/bin"), NULL};
	size_t n = 4;
	posix_spawn_file_actions_t files;
	posix_spawnattr_t attr;
	int rc;

	for (; more != NULL && *more != NULL && n + 1 < ENV_MAX; more++)
		env[n++] = dvt_strdup(*more);
	(void)posix_spawn_file_actions_init(&files);
	(void)posix_spawn_file_actions_addopen(
	    &files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	/* a process group of its own, so that all of it can be ended */
	(void)posix_spawnattr_init(&attr);
	(void)posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETPGROUP);
	(void)posix_spawnattr_setpgroup(&attr, 0);
	rc = posix_spawn(pid, program, &files, &attr, argv, env);
	(void)posix_spawnattr_destroy(&attr);
	(void)posix_spawn_file_actions_destroy(&files);
	for (size_t i = 0; env[i] != NULL; i++)
		free(env[i]);
	return rc;
}

enum dvt_code
dvt_hook_start(struct dvt_loop *loop, const char *program, const char *name,
    int64_t generation, int64_t trust_version, const char *const *more,
    void (*done)(void *user, int status), void *user, struct dvt_hook_run **out,
    struct dvt_err *err)
{
	struct dvt_hook_run *h;
	pid_t pid;
	int rc;

	*out = NULL;
	if (program == NULL)
		return dvt_fail(err, DVT_E_ABSENT, "hook %s: none set", name);
	rc = spawn(program, name, generation, trust_version, more, &pid);
	if (rc != 0)
		return dvt_fail(err, DVT_E_SYSTEM, "hook %s (%s): error %d",
		    name, program, rc);
	h = dvt_alloc(sizeof(*h));
	h->pid = pid;
	h->done = done;
	h->user = user;
	if ((h->fd = pidfd_open(pid, 0)) < 0) {
		enum dvt_code code = dvt_fail_errno(err, "hook %s", name);

		dvt_hook_free(h);
		return code;
	}
	h->watch = dvt_watch_new(loop, h->fd, DVT_READ, ended, h);
	*out = h;
	return DVT_OK;
}

void
dvt_hook_free(struct dvt_hook_run *h)
{
	if (h == NULL)
		return;
	if (h->pid > 0) {
		(void)kill(-h->pid, SIGKILL);
		(void)waitpid(h->pid, NULL, 0);
	}
	dvt_watch_free(h->watch);
	if (h->fd >= 0)
		close(h->fd);
	free(h);
}
