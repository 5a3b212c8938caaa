/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The filter of system calls: allowed names by group, anything else kills.
 * Names this architecture does not have are skipped.
 */
#include "proc/sandbox_priv.h"

#include <errno.h>
#include <seccomp.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#ifndef PR_SET_VMA
#define PR_SET_VMA 0x53564d41
#endif

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif

/* Every process: memory, time, polling, what is open, its own end. */
static const char *const always[] = {"read", "write", "readv", "writev",
    "pread64", "pwrite64", "close", "fstat", "lseek", "_llseek", "munmap",
    "brk", "mremap", "madvise", "futex", "futex_time64", "membarrier", "rseq",
    "set_robust_list", "rt_sigaction", "rt_sigprocmask", "rt_sigreturn",
    "sigaltstack", "restart_syscall", "exit", "exit_group", "getpid", "getppid",
    "gettid", "tgkill", "getuid", "geteuid", "getgid", "getegid", "getrandom",
    "clock_gettime", "clock_gettime64", "clock_getres", "clock_nanosleep",
    "clock_nanosleep_time64", "nanosleep", "gettimeofday", "time",
    "epoll_create1", "epoll_ctl", "epoll_wait", "epoll_pwait", "epoll_pwait2",
    "poll", "ppoll", "ppoll_time64", "select", "pselect6", "timerfd_create",
    "timerfd_settime", "eventfd2", "pipe2", "dup", "dup2", "dup3", "fcntl",
    "fcntl64", "sched_yield", "sched_getaffinity", "getrusage", "uname",
    "sysinfo", "sendmsg", "recvmsg"};

static const char *const net[] = {"sendto", "recvfrom", "send", "recv",
    "sendmmsg", "recvmmsg", "getsockopt", "setsockopt", "getsockname",
    "getpeername", "shutdown"};

static const char *const net_accept[] = {"accept", "accept4", "listen"};

static const char *const net_connect[] = {
    "socket", "connect", "bind", "openat", "newfstatat", "statx", "readlink"};

static const char *const files_ro[] = {"openat", "open", "newfstatat", "stat",
    "lstat", "statx", "fstatfs", "statfs", "access", "faccessat", "faccessat2",
    "readlink", "readlinkat", "getdents64", "getcwd", "flock", "fadvise64"};

static const char *const files_rw[] = {"fsync", "fdatasync", "sync_file_range",
    "ftruncate", "fallocate", "unlink", "unlinkat", "rename", "renameat",
    "renameat2", "mkdir", "mkdirat", "rmdir", "link", "linkat", "symlink",
    "symlinkat", "chmod", "fchmod", "fchmodat", "fchown", "utimensat", "umask"};

static const char *const memfd[] = {"memfd_create", "ftruncate"};

static const char *const spawn[] = {"clone", "clone3", "fork", "vfork",
    "execve", "execveat", "wait4", "waitid", "kill", "setpgid", "setsid",
    "arch_prctl", "set_tid_address", "close_range", "chdir", "umask"};

static const char *const threads[] = {
    "clone", "clone3", "set_tid_address", "sched_setaffinity"};

struct group {
	unsigned need; /* any of these bits; 0: always */
	const char *const *names;
	size_t n;
};

#define NAMES(a) (a), sizeof(a) / sizeof(*(a))

bool
dvt_sandbox_can_seccomp(void)
{
#ifdef SANITIZED
	return false; /* its runtime needs calls of its own */
#else
	return prctl(PR_GET_SECCOMP) >= 0;
#endif
}

static int
names_allow(scmp_filter_ctx f, const struct group *g)
{
	for (size_t i = 0; i < g->n; i++) {
		int nr = seccomp_syscall_resolve_name(g->names[i]);
		int rc;

		if (nr == __NR_SCMP_ERROR)
			continue;
		rc = seccomp_rule_add(f, SCMP_ACT_ALLOW, nr, 0);
		if (rc != 0)
			return rc;
	}
	return 0;
}

/* Allow @name while argument @arg, masked, is @value. */
static int
arg_allow(scmp_filter_ctx f, const char *name, unsigned arg, scmp_datum_t mask,
    scmp_datum_t value)
{
	int nr = seccomp_syscall_resolve_name(name);

	if (nr == __NR_SCMP_ERROR)
		return 0;
	return seccomp_rule_add(f, SCMP_ACT_ALLOW, nr, 1,
	    SCMP_CMP(arg, SCMP_CMP_MASKED_EQ, mask, value));
}

/* Calls that are harmless with some arguments only. */
static int
args_allow(scmp_filter_ctx f, unsigned groups)
{
	/* a resolver's modules and a new program bring their own code */
	scmp_datum_t exec = PROT_EXEC;
	int rc = 0;

	if ((groups & (DVT_SYS_CONNECT | DVT_SYS_SPAWN)) != 0)
		exec = 0;
	rc |= arg_allow(f, "mmap", 2, exec, 0);
	rc |= arg_allow(f, "mmap2", 2, exec, 0);
	rc |= arg_allow(f, "mprotect", 2, exec, 0);
	rc |= arg_allow(f, "ioctl", 1, UINT32_MAX, FIONREAD);
	rc |= arg_allow(f, "ioctl", 1, UINT32_MAX, FIONBIO);
	rc |= arg_allow(f, "ioctl", 1, UINT32_MAX, TCGETS);
	rc |= arg_allow(f, "prctl", 0, UINT32_MAX, PR_SET_NAME);
	rc |= arg_allow(f, "prctl", 0, UINT32_MAX, PR_SET_VMA);
	rc |= arg_allow(f, "socketpair", 0, UINT32_MAX, AF_UNIX);
	/* asking for limits, never setting them */
	rc |= arg_allow(f, "prlimit64", 2, UINT64_MAX, 0);
	return rc;
}

static void
on_violation(int number, siginfo_t *si, void *context)
{
	char text[] = "event=proc.forbidden severity=crit call=00000\n";
	unsigned nr = (unsigned)si->si_syscall;

	(void)context;
	for (char *d = text + sizeof(text) - 3; nr > 0; d--, nr /= 10)
		*d = (char)('0' + nr % 10);
	(void)!write(STDERR_FILENO, text, sizeof(text) - 1);
	(void)raise(number); /* not blocked and default by now: see flags */
	_exit(128 + number);
}

static int
filter_fill(scmp_filter_ctx f, unsigned groups)
{
	const struct group all[] = {
	    {0,					      NAMES(always)     },
	    {DVT_SYS_NET | DVT_SYS_ACCEPT | DVT_SYS_CONNECT, NAMES(net)        },
	    {DVT_SYS_ACCEPT,				 NAMES(net_accept) },
	    {DVT_SYS_CONNECT,				NAMES(net_connect)},
	    {DVT_SYS_FILES_RO | DVT_SYS_FILES_RW,            NAMES(files_ro)   },
	    {DVT_SYS_FILES_RW,			       NAMES(files_rw)   },
	    {DVT_SYS_MEMFD,				  NAMES(memfd)      },
	    {DVT_SYS_SPAWN,				  NAMES(spawn)      },
	    {DVT_SYS_THREADS,				NAMES(threads)    },
	};
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < sizeof(all) / sizeof(*all); i++) {
		if (all[i].need == 0 || (groups & all[i].need) != 0)
			rc = names_allow(f, &all[i]);
	}
	return rc != 0 ? rc : args_allow(f, groups);
}

enum dvt_code
dvt_seccomp_apply(const struct dvt_sandbox_plan *plan, struct dvt_err *err)
{
	struct sigaction sa = {.sa_sigaction = on_violation,
	    .sa_flags = (int)(SA_SIGINFO | SA_RESETHAND | SA_NODEFER)};
	scmp_filter_ctx f = seccomp_init(
	    plan->explain ? SCMP_ACT_TRAP : SCMP_ACT_KILL_PROCESS);
	int rc;

	if (f == NULL)
		return dvt_fail(err, DVT_E_SYSTEM, "seccomp: no memory");
	if (plan->explain)
		(void)sigaction(SIGSYS, &sa, NULL);
	/* a binary tree of calls: fewer steps for each than a list */
	(void)seccomp_attr_set(f, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	rc = filter_fill(f, plan->groups);
	if (rc == 0)
		rc = seccomp_load(f);
	seccomp_release(f);
	if (rc == 0)
		return DVT_OK;
	errno = -rc;
	return dvt_fail_errno(err, "seccomp");
}
