/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The test of the test: a disk layer with a planted fault is found out by the
 * same cuts that the true one stands, each in a process of its own.
 */
#include "faults.h"
#include "lives.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define SEEDS 2

static const struct life *
life_of(const char *name)
{
	for (size_t i = 0; i < lives_n; i++) {
		if (strcmp(lives[i].name, name) == 0)
			return &lives[i];
	}
	fail_msg("no life \"%s\"", name);
	return NULL;
}

/* All cuts of one life; what they find ends the process. */
static void
cut_all(const struct life *l, const struct fault *f)
{
	struct testworld ready;
	struct dvt_fs fs;
	uint64_t calls;

	fault_plant(f, &fs);
	l->prepare(&ready);
	ready.fs = &fs;
	calls = life_calls(l, &ready);
	for (uint64_t k = 0; k <= calls; k++) {
		life_cut(l, &ready, k, DVT_CUT_DROP, 0);
		life_cut(l, &ready, k, DVT_CUT_KEEP, 0);
		for (uint64_t seed = 1; seed <= SEEDS; seed++)
			life_cut(l, &ready, k, DVT_CUT_MIX, seed);
	}
	testworld_fini(&ready);
}

/* @said: what the cuts found, or "". */
static bool
is_found(const struct fault *f, char *said, size_t size)
{
	const struct life *l = life_of(f->life);
	int ends[2], status;
	ssize_t n;
	size_t at;
	pid_t pid;

	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	(void)fflush(stdout);
	if ((pid = fork()) == 0) {
		(void)signal(SIGABRT, SIG_DFL);
		(void)signal(SIGSEGV, SIG_DFL);
		(void)dup2(ends[1], STDERR_FILENO);
		cut_all(l, f);
		_exit(0);
	}
	close(ends[1]);
	for (at = 0; at < size - 1; at += (size_t)n) {
		n = read(ends[0], said + at, size - 1 - at);
		if (n <= 0)
			break;
	}
	said[at] = '\0';
	said[strcspn(said, "\n")] = '\0';
	close(ends[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return false;
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
	return true;
}

static void
each_planted_fault_is_found_and_nothing_where_there_is_none(void **state)
{
	(void)state;
	(void)testpki_get(); /* one for all processes */
	for (size_t i = 0; i < faults_n; i++) {
		char said[400];
		bool found = is_found(&faults[i], said, sizeof(said));

		print_message("# %s: %s\n", faults[i].name,
		    found ? said : "nothing found");
		if (found != (i > 0))
			fail_msg("%s: %s", faults[i].name,
			    found ? "there is no fault" : "not found");
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(
		each_planted_fault_is_found_and_nothing_where_there_is_none),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);

	testpki_free();
	return failed;
}
