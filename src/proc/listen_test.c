/* SPDX-License-Identifier: Apache-2.0 */
#include "proc/listen.h"

#include "proc/service.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static char folder[] = "/tmp/dvt-listen-XXXXXX";
static char path[64];

static void
port_0_is_a_free_one_and_told(void **state)
{
	char text[DVT_ADDR_TEXT];
	struct dvt_addr a;
	int fd, again, value = 0;
	socklen_t len = sizeof(value);

	(void)state;
	assert_int_equal(
	    dvt_listen_tcp("127.0.0.1:0", 1, &fd, &a, NULL), DVT_OK);
	assert_true(dvt_addr_port(&a) > 0);
	assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	assert_int_equal(
	    getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &value, &len), 0);
	assert_int_equal(value, 1);
	(void)dvt_addr_format(&a, text);
	assert_int_equal(
	    dvt_listen_tcp(text, 1, &again, NULL, NULL), DVT_E_SYSTEM);
	assert_int_equal(again, -1);
	assert_int_equal(
	    dvt_listen_tcp("x", 1, &again, NULL, NULL), DVT_E_INPUT);
	assert_int_equal(
	    dvt_listen_tcp("/x", 1, &again, NULL, NULL), DVT_E_INPUT);
	close(fd);
}

/* The kernel lets one account share an address at will: not with us. */
static void
workers_share_an_address_and_programs_do_not(void **state)
{
	char text[DVT_ADDR_TEXT];
	struct dvt_addr a;
	int fd[3], again[3];

	(void)state;
	assert_int_equal(
	    dvt_listen_tcp("127.0.0.1:0", 3, fd, &a, NULL), DVT_OK);
	(void)dvt_addr_format(&a, text);
	for (size_t i = 0; i < 3; i++) {
		struct dvt_addr own;

		dvt_addr_of_self(fd[i], &own);
		assert_int_equal(dvt_addr_port(&own), dvt_addr_port(&a));
	}
	for (size_t n = 1; n <= 3; n += 2) {
		assert_int_equal(
		    dvt_listen_tcp(text, n, again, NULL, NULL), DVT_E_SYSTEM);
		for (size_t i = 0; i < n; i++)
			assert_int_equal(again[i], -1);
	}
	for (size_t i = 0; i < 3; i++)
		close(fd[i]);
	assert_int_equal(dvt_listen_tcp(text, 3, again, NULL, NULL), DVT_OK);
	for (size_t i = 0; i < 3; i++)
		close(again[i]);
}

static void
a_stale_socket_is_replaced_a_live_one_is_not(void **state)
{
	struct stat st;
	int fd, again;

	(void)state;
	assert_int_equal(dvt_listen_unix(path, 0660, &fd, NULL), DVT_OK);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0660);
	assert_int_equal(
	    dvt_listen_unix(path, 0660, &again, NULL), DVT_E_CONFLICT);
	close(fd);
	assert_int_equal(dvt_listen_unix(path, 0600, &fd, NULL), DVT_OK);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	close(fd);
	unlink(path);
	fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	assert_int_equal(
	    dvt_listen_unix(path, 0600, &again, NULL), DVT_E_CONFLICT);
	close(fd);
	unlink(path);
	assert_int_equal(
	    dvt_listen_unix("relative", 0600, &again, NULL), DVT_E_INPUT);
}

static void
a_pid_file_is_held_by_one(void **state)
{
	char text[32] = "";
	int fd, status;
	pid_t pid;

	(void)state;
	pid = fork();
	if (pid == 0) {
		if (dvt_pidfile_take(path, NULL) != DVT_OK)
			_exit(1);
		/* a second take, as from another process */
		_exit(dvt_pidfile_take(path, NULL) == DVT_E_CONFLICT ? 0 : 2);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(read(fd, text, sizeof(text) - 1) > 0);
	assert_int_equal(atol(text), pid);
	close(fd);
	unlink(path);
}

static void
the_service_manager_hears_ready(void **state)
{
	struct sockaddr_un un = {.sun_family = AF_UNIX};
	char text[256];
	ssize_t n;
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	(void)state;
	(void)snprintf(un.sun_path, sizeof(un.sun_path), "%s", path);
	assert_int_equal(bind(fd, (struct sockaddr *)&un, sizeof(un)), 0);
	assert_int_equal(setenv("NOTIFY_SOCKET", path, 1), 0);
	dvt_service_ready("serving");
	n = recv(fd, text, sizeof(text) - 1, MSG_DONTWAIT);
	assert_true(n > 0);
	text[n] = '\0';
	assert_non_null(strstr(text, "READY=1\nSTATUS=serving\nMAINPID="));
	dvt_service_stopping();
	n = recv(fd, text, sizeof(text), MSG_DONTWAIT);
	assert_int_equal(n, 10);
	assert_int_equal(unsetenv("NOTIFY_SOCKET"), 0);
	dvt_service_status("nobody listens");
	close(fd);
	unlink(path);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(port_0_is_a_free_one_and_told),
	    cmocka_unit_test(workers_share_an_address_and_programs_do_not),
	    cmocka_unit_test(a_stale_socket_is_replaced_a_live_one_is_not),
	    cmocka_unit_test(a_pid_file_is_held_by_one),
	    cmocka_unit_test(the_service_manager_hears_ready),
	};
	int failed;

	if (mkdtemp(folder) == NULL)
		return 1;
	(void)snprintf(path, sizeof(path), "%s/s", folder);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	(void)rmdir(folder);
	return failed;
}
