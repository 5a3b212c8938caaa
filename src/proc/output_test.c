/* SPDX-License-Identifier: Apache-2.0 */
#include "proc/output.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

enum kind { PIPE, SOCKET };

static void
nobody_waits_for_a_reader_that_hangs(void **state)
{
	char full[65536] = {0};

	(void)state;
	for (enum kind kind = PIPE; kind <= SOCKET; kind++) {
		int fd[2], writer;
		ssize_t n;

		if (kind == PIPE)
			assert_int_equal(pipe(fd), 0);
		else
			assert_int_equal(
			    socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
		writer = dup(fd[1]);
		dvt_output_unblock(writer);
		do
			n = write(writer, full, sizeof(full));
		while (n > 0);
		assert_int_equal(n, -1);
		assert_int_equal(errno, EAGAIN);
		/* the others that hold the pipe wait as before */
		assert_int_equal(fcntl(fd[1], F_GETFL) & O_NONBLOCK,
		    kind == PIPE ? 0 : O_NONBLOCK);
		close(writer);
		close(fd[0]);
		close(fd[1]);
	}
}

static void
a_file_stays_as_it_is(void **state)
{
	char name[] = "/tmp/output-XXXXXX";
	int fd = mkstemp(name);

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(write(fd, "ab", 2), 2);
	dvt_output_unblock(fd);
	assert_int_equal(lseek(fd, 0, SEEK_CUR), 2);
	close(fd);
	unlink(name);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(nobody_waits_for_a_reader_that_hangs),
	    cmocka_unit_test(a_file_stays_as_it_is),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
