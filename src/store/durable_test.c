/* SPDX-License-Identifier: Apache-2.0 */
/* What is acknowledged stays: after kill -9, and when the disk is full. */
#include "store/store_test.h"

#include "store/audit.h"
#include "store/watch.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <time.h>

#define ROUNDS 25

static enum dvt_code
record(struct dvt_tx *tx, const char *stream, int64_t *id)
{
	const struct dvt_row_event event = {
	    .at = 1, .name = "DEVICE_PUBKEY_CHANGE", .body = "{}"};
	const struct dvt_row_audit audit = {.stream = stream,
	    .at = 1,
	    .actor = "device",
	    .action = "certificate.issue",
	    .object = "d"};
	enum dvt_code rc;

	if ((rc = dvt_store_event_add(tx, &event, id, &err)) != DVT_OK)
		return rc;
	return dvt_store_audit_append(tx, &audit, NULL, &err);
}

/* Commits, one to seven records each, and acknowledges through @fd. */
static void
write_until_killed(const char *path, int fd)
{
	char stream[DVT_AUDIT_STREAM_SIZE];
	struct dvt_store *s;
	struct dvt_tx *tx;
	int64_t id = 0;

	if (dvt_store_open(path, DVT_STORE_WRITE, &s, &err) != DVT_OK ||
	    dvt_tx_begin(s, &tx, &err) != DVT_OK ||
	    dvt_store_audit_open(tx, "host", 1, stream, &err) != DVT_OK ||
	    dvt_tx_commit(tx, &err) != DVT_OK)
		_exit(1);
	for (int n = 1;; n = n % 7 + 1) {
		if (dvt_tx_begin(s, &tx, &err) != DVT_OK)
			_exit(1);
		for (int i = 0; i < n; i++) {
			if (record(tx, stream, &id) != DVT_OK)
				_exit(1);
		}
		if (dvt_tx_commit(tx, &err) != DVT_OK ||
		    write(fd, &id, sizeof(id)) != sizeof(id))
			_exit(1);
	}
}

/* The last number that the child acknowledged before it was killed. */
static int64_t
run_and_kill(const char *path, int64_t ms)
{
	const struct timespec pause = {0, ms * 1000000};
	int64_t id, last = 0;
	int status, fd[2];
	pid_t child;

	assert_int_equal(pipe(fd), 0);
	if ((child = fork()) == 0) {
		(void)close(fd[0]);
		write_until_killed(path, fd[1]);
	}
	assert_true(child > 0);
	(void)close(fd[1]);
	/* Kill some time after its first acknowledgement. */
	if (read(fd[0], &id, sizeof(id)) == sizeof(id))
		last = id;
	(void)nanosleep(&pause, NULL);
	(void)kill(child, SIGKILL);
	while (read(fd[0], &id, sizeof(id)) == sizeof(id))
		last = id;
	(void)close(fd[0]);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status));
	return last;
}

static void
what_was_acknowledged_survives_kill_9(void **state)
{
	struct test_store *t = *state;
	int64_t acknowledged = 0;

	dvt_store_close(t->store);
	t->store = NULL;
	for (int round = 0; round < ROUNDS; round++) {
		struct dvt_audit_report report;
		int64_t last, told = run_and_kill(t->path, round % 9);

		assert_true(told >= acknowledged);
		acknowledged = told;
		assert_done(
		    dvt_store_open(t->path, DVT_STORE_WRITE, &t->store, &err));
		assert_done(dvt_tx_begin(t->store, &t->tx, &err));
		assert_done(dvt_store_event_last(t->tx, &last, &err));
		assert_true(last >= acknowledged);
		assert_done(dvt_store_audit_verify(
		    t->tx, &t->arena, NULL, &report, &err));
		assert_int_equal(report.total, 0);
		/* One entry per event: neither is there without the other. */
		assert_int_equal(report.entries, last);
		assert_int_equal(report.streams, round + 1);
		dvt_store_close(t->store);
		t->store = NULL;
	}
	assert_true(acknowledged > ROUNDS);
}

/* A small disk of our own over the test's folder; false when this user may
 * not have one. */
static bool
small_disk(const char *dir)
{
	if (unshare(CLONE_NEWNS) != 0 &&
	    unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0)
		return false;
	(void)mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL);
	return mount("none", dir, "tmpfs", 0, "size=1m,mode=0777") == 0;
}

static void
fill(const char *dir, char path[128])
{
	static const char bytes[4096] = "x";
	int fd;

	(void)snprintf(path, 128, "%s/ballast", dir);
	fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	while (write(fd, bytes, sizeof(bytes)) > 0)
		;
	assert_int_equal(errno, ENOSPC);
	(void)close(fd);
}

static void
a_full_disk_loses_nothing_and_says_so(void **state)
{
	struct test_store *t = *state;
	char stream[DVT_AUDIT_STREAM_SIZE], ballast[128];
	struct dvt_audit_report report;
	enum dvt_code rc = DVT_OK;
	int64_t kept = 0, id;

	dvt_store_close(t->store);
	t->store = NULL;
	if (!small_disk(t->dir))
		skip();
	assert_done(dvt_store_open(t->path, DVT_STORE_WRITE, &t->store, &err));
	assert_done(dvt_store_migrate(t->store, &err));
	assert_done(dvt_tx_begin(t->store, &t->tx, &err));
	assert_done(dvt_store_audit_open(t->tx, "host", 1, stream, &err));
	assert_done(dvt_tx_commit(t->tx, &err));
	fill(t->dir, ballast);
	for (int i = 0; rc == DVT_OK && i < 2000; i++) {
		assert_done(dvt_tx_begin(t->store, &t->tx, &err));
		rc = record(t->tx, stream, &id);
		if (rc == DVT_OK)
			rc = dvt_tx_commit(t->tx, &err);
		else
			assert_int_equal(
			    dvt_tx_commit(t->tx, &err), DVT_E_SYSTEM);
		if (rc == DVT_OK)
			kept = id;
	}
	assert_int_equal(rc, DVT_E_SYSTEM);
	assert_non_null(strstr(err.text, "no space for"));
	assert_non_null(strstr(err.text, "nothing of this transaction"));
	/* Reading goes on, and writing once there is room. */
	assert_int_equal(unlink(ballast), 0);
	assert_done(dvt_tx_begin(t->store, &t->tx, &err));
	assert_done(dvt_store_event_last(t->tx, &id, &err));
	assert_int_equal(id, kept);
	assert_done(record(t->tx, stream, &id));
	assert_int_equal(id, kept + 1);
	assert_done(dvt_tx_commit(t->tx, &err));
	assert_done(dvt_tx_begin(t->store, &t->tx, &err));
	assert_done(
	    dvt_store_audit_verify(t->tx, &t->arena, NULL, &report, &err));
	assert_int_equal(report.total, 0);
	assert_int_equal(report.entries, kept + 1);
	dvt_store_close(t->store);
	t->store = NULL;
	(void)umount2(t->dir, MNT_DETACH);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    test_in_store(what_was_acknowledged_survives_kill_9),
	    test_in_store(a_full_disk_loses_nothing_and_says_so),
	};

	return cmocka_run_group_tests_name("durable", tests, NULL, NULL);
}
