/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static char line[8192];

/* What log_event() writes for hostile text, caught from stderr. */
static const char *
caught(int json)
{
	int fd[2], keep = dup(STDERR_FILENO);
	ssize_t n;

	assert_int_equal(pipe(fd), 0);
	assert_true(dup2(fd[1], STDERR_FILENO) >= 0);
	dvt_log_init("core", LOG_NOTICE, json);
	log_event(LOG_NOTICE, "t.x", LI("n", -5), LS("who", "a b\n\"c=\x1b"));
	log_event(LOG_DEBUG, "t.hidden");
	assert_true(dup2(keep, STDERR_FILENO) >= 0);
	n = read(fd[0], line, sizeof(line) - 1);
	assert_true(n > 0);
	line[n] = '\0';
	close(fd[0]);
	close(fd[1]);
	close(keep);
	return line;
}

static void
a_line_cannot_be_forged_by_a_value(void **state)
{
	const char *s = caught(0);

	(void)state;
	assert_non_null(strstr(s, "event=t.x severity=notice proc=core n=-5 "
				  "who=\"a b\\u000a\\\"c=\\u001b\"\n"));
	assert_ptr_equal(strchr(s, '\n'), s + strlen(s) - 1);
	s = caught(1);
	assert_non_null(strstr(s, "\"n\":-5,\"who\":\"a b\\u000a"));
}

static void
lines_that_nobody_took_are_counted(void **state)
{
	int fd[2], keep = dup(STDERR_FILENO);
	size_t taken = 0, told = 0, n;

	(void)state;
	assert_int_equal(pipe2(fd, O_NONBLOCK), 0);
	assert_true(dup2(fd[1], STDERR_FILENO) >= 0);
	dvt_log_init("core", LOG_NOTICE, 0);
	for (int i = 0; i < 5000; i++)
		log_event(LOG_NOTICE, "t.x");
	while ((n = (size_t)read(fd[0], line, sizeof(line))) <= sizeof(line))
		for (size_t i = 0; i < n; i++)
			taken += line[i] == '\n';
	assert_true(taken > 100 && taken < 5000);
	log_event(LOG_NOTICE, "t.y");
	assert_true(dup2(keep, STDERR_FILENO) >= 0);
	n = (size_t)read(fd[0], line, sizeof(line) - 1);
	assert_true(n < sizeof(line));
	line[n] = '\0';
	assert_non_null(strstr(line, "event=log.lost severity=error"));
	told = strtoul(strstr(line, "lines=") + 6, NULL, 10);
	assert_int_equal(taken + told, 5000);
	assert_non_null(strstr(line, "event=t.y"));
	close(fd[0]);
	close(fd[1]);
	close(keep);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_line_cannot_be_forged_by_a_value),
	    cmocka_unit_test(lines_that_nobody_took_are_counted),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
