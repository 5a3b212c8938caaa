/* SPDX-License-Identifier: Apache-2.0 */
#include "proc/sandbox.h"

#include "base/log.h"
#include "proc/sandbox_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static char folder[] = "/tmp/dvt-sandbox-XXXXXX";

static int
tcp_socket(void)
{
	return socket(AF_INET, SOCK_STREAM, 0) >= 0 ? 0 : 1;
}

static int
open_file(void)
{
	return open("/etc/passwd", O_RDONLY | O_CLOEXEC) >= 0 ? 0 : 1;
}

static int
send_a_byte(void)
{
	int fd[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, fd) != 0)
		return 1;
	return send(fd[0], "x", 1, 0) == 1 ? 0 : 1;
}

static int
run_program(void)
{
	(void)execl("/bin/true", "true", NULL);
	return 1;
}

static int
remove_file(void)
{
	return unlink("/nonexistent/x") == -1 ? 0 : 1;
}

static int
make_code_executable(void)
{
	extern char etext;
	void *page = (void *)((uintptr_t)&etext & ~(uintptr_t)4095);

	/* any page: the filter looks at the argument */
	return syscall(SYS_mprotect, page, 4096, 4) == 0 ? 0 : 1;
}

static int
only_own_memory(void)
{
	char *p = malloc(1 << 20);

	memset(p, 1, 1 << 20);
	free(p);
	return write(STDOUT_FILENO, "", 0) == 0 ? 0 : 1;
}

static int
leaves_no_traces(void)
{
	struct rlimit core;

	/* asked before the filter was on, see below */
	return prctl(PR_GET_DUMPABLE) == 0 &&
		       prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1 &&
		       getrlimit(RLIMIT_CORE, &core) == 0 && core.rlim_max == 0
		   ? 0
		   : 1;
}

/* Apply @plan in a process of its own and do @what: exit status, or minus
 * the signal that ended it. What it wrote to stderr goes to @said. */
static int
sandboxed(const struct dvt_sandbox_plan *plan, int (*what)(void), char *said,
    size_t size)
{
	int status, fd[2];
	ssize_t n;
	pid_t pid;

	assert_int_equal(pipe(fd), 0);
	pid = fork();
	if (pid == 0) {
		(void)dup2(fd[1], STDERR_FILENO);
		dvt_log_init("t", LOG_NOTICE, 0);
		if (dvt_sandbox(plan, NULL) != DVT_OK)
			_exit(99);
		_exit(what());
	}
	close(fd[1]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	n = read(fd[0], said, size - 1);
	said[n > 0 ? n : 0] = '\0';
	close(fd[0]);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static void
a_forbidden_call_kills_an_allowed_one_works(void **state)
{
	static const struct {
		const char *why;
		unsigned groups;
		int (*what)(void);
		bool dies;
	} cases[] = {
	    {"memory",         0,				only_own_memory,      false},
	    {"socket",         DVT_SYS_NET,                      tcp_socket,           true },
	    {"socket allowed", DVT_SYS_CONNECT,                  tcp_socket,           false},
	    {"open",           DVT_SYS_NET,                      open_file,            true },
	    {"open allowed",   DVT_SYS_FILES_RO,                 open_file,            false},
	    {"send",           0,				send_a_byte,          true },
	    {"send allowed",   DVT_SYS_NET,                      send_a_byte,          false},
	    {"exec",           DVT_SYS_NET | DVT_SYS_FILES_RW,   run_program,          true },
	    {"exec allowed",   DVT_SYS_SPAWN | DVT_SYS_FILES_RO, run_program,
             false									  },
	    {"unlink",         DVT_SYS_FILES_RO,                 remove_file,          true },
	    {"unlink allowed", DVT_SYS_FILES_RW,                 remove_file,          false},
	    {"new code",       DVT_SYS_FILES_RW,                 make_code_executable, true },
	};
	char said[1024];

	(void)state;
	for (size_t i = 0; i < DVT_COUNT(cases); i++) {
		struct dvt_sandbox_plan plan = {
		    .groups = cases[i].groups, .seccomp = true};
		int how = sandboxed(&plan, cases[i].what, said, sizeof(said));

		assert_non_null(strstr(said, "event=proc.sandbox"));
		if (!dvt_sandbox_can_seccomp()) { /* sanitizers: it says so */
			assert_non_null(strstr(said, "seccomp=unavailable"));
			continue;
		}
		if (how != (cases[i].dies ? -SIGSYS : 0))
			fail_msg("%s: %d, %s", cases[i].why, how, said);
		assert_non_null(strstr(said, "seccomp=on"));
	}
}

static void
an_explained_filter_names_the_call(void **state)
{
	struct dvt_sandbox_plan plan = {.seccomp = true, .explain = true};
	char said[1024];

	(void)state;
	if (!dvt_sandbox_can_seccomp())
		return; /* told by the test above */
	assert_int_equal(
	    sandboxed(&plan, tcp_socket, said, sizeof(said)), -SIGSYS);
#ifdef __x86_64__
	assert_non_null(strstr(said, "event=proc.forbidden severity=crit "
				     "call=00041\n")); /* socket */
#endif
}

static void
no_core_no_ptrace_no_new_privileges(void **state)
{
	struct dvt_sandbox_plan plan = {0};
	char said[1024];

	(void)state;
	assert_int_equal(
	    sandboxed(&plan, leaves_no_traces, said, sizeof(said)), 0);
	assert_non_null(strstr(said, "seccomp=off"));
}

static int
reaches_only_its_folder(void)
{
	char path[256];
	int fd;

	(void)snprintf(path, sizeof(path), "%s/x", folder);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0 || write(fd, "x", 1) != 1 || rename(path, path) != 0)
		return 1;
	if (open("/etc/passwd", O_RDONLY | O_CLOEXEC) >= 0 || errno != EACCES)
		return 2;
	return unlink(path) == 0 ? 0 : 3;
}

static void
landlock_narrows_paths_where_the_kernel_has_it(void **state)
{
	struct dvt_sandbox_path paths[] = {
	    {folder,         true,  false},
            {"/nonexistent", false, false}
        };
	struct dvt_sandbox_plan plan = {
	    .landlock = true, .paths = paths, .paths_n = 2};
	char said[1024];
	int how;

	(void)state;
	assert_non_null(mkdtemp(folder));
	how = sandboxed(&plan, reaches_only_its_folder, said, sizeof(said));
	if (strstr(said, "landlock=0") != NULL) {
		assert_non_null(
		    strstr(said, "missing=\"kernel without Landlock\""));
		assert_int_equal(how, 2); /* open, as the event says */
	} else {
		assert_int_equal(how, 0);
	}
	(void)rmdir(folder);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_forbidden_call_kills_an_allowed_one_works),
	    cmocka_unit_test(an_explained_filter_names_the_call),
	    cmocka_unit_test(no_core_no_ptrace_no_new_privileges),
	    cmocka_unit_test(landlock_narrows_paths_where_the_kernel_has_it),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
