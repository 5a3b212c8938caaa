/* SPDX-License-Identifier: Apache-2.0 */
/* Both kinds of file system do the same; the memory one loses its power. */
#include "durable/fs_posix.h"
#include "durable/memfs.h"

#include "base/mem.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

struct both {
	const struct dvt_fs *fs;
	void *ctx;
	char dir[64]; /* of the real one */
};

static int
set_up_memory(void **state)
{
	struct both *b = dvt_alloc(sizeof(*b));

	b->fs = &dvt_memfs;
	b->ctx = dvt_memfs_new();
	*state = b;
	return 0;
}

static int
tear_down_memory(void **state)
{
	struct both *b = *state;

	dvt_memfs_free(b->ctx);
	free(b);
	return 0;
}

static int
set_up_real(void **state)
{
	struct both *b = dvt_alloc(sizeof(*b));
	struct dvt_fs_posix *fs;

	(void)snprintf(b->dir, sizeof(b->dir), "/tmp/dvt-fs-test-XXXXXX");
	if (mkdtemp(b->dir) == NULL ||
	    dvt_fs_posix_open(b->dir, true, &fs, NULL) != DVT_OK)
		return -1;
	b->fs = &dvt_fs_posix;
	b->ctx = fs;
	*state = b;
	return 0;
}

/* Each test removes what it made. */
static int
tear_down_real(void **state)
{
	struct both *b = *state;
	int rc = rmdir(b->dir);

	dvt_fs_posix_free(b->ctx);
	free(b);
	return rc;
}

static void
assert_file(struct both *b, const char *path, const char *text)
{
	struct dvt_buf out;

	dvt_buf_init(&out, 100);
	assert_int_equal(b->fs->read(b->ctx, path, &out, NULL), DVT_OK);
	assert_string_equal(dvt_buf_str(&out), text);
	dvt_buf_fini(&out);
}

static void
put(struct both *b, const char *path, const char *text)
{
	assert_int_equal(
	    b->fs->write_new(b->ctx, path, dvt_span_str(text), 0600, NULL),
	    DVT_OK);
}

static void
files_are_made_once_read_and_removed(void **state)
{
	struct both *b = *state;
	struct dvt_buf out;

	put(b, "a", "hello");
	assert_file(b, "a", "hello");
	assert_int_equal(
	    b->fs->write_new(b->ctx, "a", DVT_SPAN_LIT("x"), 0600, NULL),
	    DVT_E_CONFLICT);
	assert_file(b, "a", "hello");
	dvt_buf_init(&out, 4);
	dvt_buf_puts(&out, "12");
	assert_int_equal(b->fs->read(b->ctx, "a", &out, NULL), DVT_E_LIMIT);
	assert_string_equal(dvt_buf_str(&out), "12"); /* unchanged */
	assert_int_equal(b->fs->read(b->ctx, "b", &out, NULL), DVT_E_ABSENT);
	assert_int_equal(b->fs->unlink(b->ctx, "a", NULL), DVT_OK);
	assert_int_equal(b->fs->unlink(b->ctx, "a", NULL), DVT_E_ABSENT);
	dvt_buf_fini(&out);
}

static void
appending_adds_to_the_end(void **state)
{
	struct both *b = *state;

	for (int i = 0; i < 2; i++)
		assert_int_equal(b->fs->append(b->ctx, "j",
				     DVT_SPAN_LIT("ab\n"), 0600, NULL),
		    DVT_OK);
	assert_file(b, "j", "ab\nab\n");
	assert_int_equal(b->fs->unlink(b->ctx, "j", NULL), DVT_OK);
}

static void
note(void *arg, const char *name, bool is_dir)
{
	dvt_buf_printf(arg, "%s%s ", name, is_dir ? "/" : "");
}

static void
directories_are_made_renamed_listed_and_removed(void **state)
{
	struct both *b = *state;
	const struct dvt_fs *fs = b->fs;
	struct dvt_buf names;

	assert_int_equal(fs->mkdir(b->ctx, "d", 0700, NULL), DVT_OK);
	assert_int_equal(fs->mkdir(b->ctx, "d", 0700, NULL), DVT_E_CONFLICT);
	put(b, "d/two", "2");
	put(b, "d/one", "1");
	assert_int_equal(fs->mkdir(b->ctx, "d/sub", 0700, NULL), DVT_OK);
	assert_int_equal(fs->rmdir(b->ctx, "d", NULL), DVT_E_CONFLICT);
	assert_int_equal(fs->unlink(b->ctx, "d", NULL), DVT_E_CONFLICT);
	assert_int_equal(fs->rmdir(b->ctx, "d/one", NULL), DVT_E_CONFLICT);
	assert_int_equal(fs->rename(b->ctx, "d", "e", NULL), DVT_OK);
	dvt_buf_init(&names, 100);
	assert_int_equal(fs->list(b->ctx, "e", note, &names, NULL), DVT_OK);
	assert_string_equal(dvt_buf_str(&names), "one sub/ two ");
	assert_int_equal(
	    fs->list(b->ctx, "d", note, &names, NULL), DVT_E_ABSENT);
	assert_int_equal(
	    fs->list(b->ctx, "e/one", note, &names, NULL), DVT_E_CONFLICT);
	dvt_buf_fini(&names);
	assert_int_equal(fs->rename(b->ctx, "e/one", "e/two", NULL), DVT_OK);
	assert_file(b, "e/two", "1");
	assert_int_equal(
	    fs->rename(b->ctx, "e/two", "e/sub", NULL), DVT_E_CONFLICT);
	assert_int_equal(fs->rename(b->ctx, "no", "e/x", NULL), DVT_E_ABSENT);
	assert_int_not_equal(fs->rename(b->ctx, "e", "e/sub/x", NULL), DVT_OK);
	assert_int_equal(fs->sync_dir(b->ctx, "e", NULL), DVT_OK);
	assert_int_equal(fs->sync_dir(b->ctx, "", NULL), DVT_OK);
	assert_int_equal(fs->sync_dir(b->ctx, "no", NULL), DVT_E_ABSENT);
	assert_int_equal(fs->unlink(b->ctx, "e/two", NULL), DVT_OK);
	assert_int_equal(fs->rmdir(b->ctx, "e/sub", NULL), DVT_OK);
	assert_int_equal(fs->rmdir(b->ctx, "e", NULL), DVT_OK);
}

static void
no_path_leads_out(void **state)
{
	static const char *const bad[] = {"/etc/passwd", "../x", "a/../b",
	    "a//b", "a/", ".", "..", "a b", "\xc3\xa4", "a\nb",
	    "a234567890123456789012345678901234567890123456789012345678901234"};
	struct both *b = *state;
	struct dvt_buf out;

	dvt_buf_init(&out, 4096);
	for (size_t i = 0; i < DVT_COUNT(bad); i++) {
		if (b->fs->read(b->ctx, bad[i], &out, NULL) != DVT_E_INPUT)
			fail_msg("read: %s", bad[i]);
		if (b->fs->mkdir(b->ctx, bad[i], 0700, NULL) != DVT_E_INPUT)
			fail_msg("made: %s", bad[i]);
	}
	dvt_buf_fini(&out);
}

static void
links_are_not_followed(void **state)
{
	struct both *b = *state;
	char path[128];
	struct dvt_buf out;

	dvt_buf_init(&out, 4096);
	(void)snprintf(path, sizeof(path), "%s/out", b->dir);
	assert_int_equal(symlink("/etc", path), 0);
	assert_int_equal(
	    b->fs->read(b->ctx, "out/passwd", &out, NULL), DVT_E_CONFLICT);
	assert_int_equal(b->fs->sync_dir(b->ctx, "out", NULL), DVT_E_CONFLICT);
	assert_int_equal(b->fs->list(b->ctx, "", note, &out, NULL), DVT_OK);
	assert_int_equal(out.n, 0);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_int_equal(
	    b->fs->read(b->ctx, "out", &out, NULL), DVT_E_CONFLICT);
	assert_int_equal(unlink(path), 0);
	dvt_buf_fini(&out);
}

static void
a_directory_has_one_owner(void **state)
{
	struct both *b = *state;
	struct dvt_fs_posix *other;

	assert_int_equal(
	    dvt_fs_posix_open(b->dir, true, &other, NULL), DVT_E_BUSY);
	assert_int_equal(
	    dvt_fs_posix_open(b->dir, false, &other, NULL), DVT_OK);
	dvt_fs_posix_free(other);
	assert_int_equal(dvt_fs_posix_open("/nonexistent", true, &other, NULL),
	    DVT_E_ABSENT);
}

static bool
exists(struct both *b, const char *path)
{
	struct dvt_buf out;
	enum dvt_code rc;

	dvt_buf_init(&out, 100);
	rc = b->fs->read(b->ctx, path, &out, NULL);
	dvt_buf_fini(&out);
	return rc == DVT_OK;
}

static void
a_name_is_lost_until_its_directory_is_synced(void **state)
{
	struct both *b = *state;

	put(b, "a", "1");
	dvt_memfs_power_on(b->ctx);
	assert_false(exists(b, "a"));
	put(b, "a", "2");
	assert_int_equal(b->fs->sync_dir(b->ctx, "", NULL), DVT_OK);
	assert_int_equal(b->fs->rename(b->ctx, "a", "b", NULL), DVT_OK);
	dvt_memfs_power_on(b->ctx);
	assert_file(b, "a", "2");
	assert_false(exists(b, "b"));
	assert_int_equal(b->fs->unlink(b->ctx, "a", NULL), DVT_OK);
	dvt_memfs_cut(b->ctx, 0, DVT_CUT_KEEP, 0);
	dvt_memfs_power_on(b->ctx);
	assert_false(exists(b, "a"));
}

static void
from_the_cut_on_every_call_fails(void **state)
{
	struct both *b = *state;

	dvt_memfs_cut(b->ctx, 1, DVT_CUT_KEEP, 0);
	assert_int_equal(
	    b->fs->write_new(b->ctx, "a", DVT_SPAN_LIT("x"), 0600, NULL),
	    DVT_E_SYSTEM); /* at its second call, the write */
	assert_true(dvt_memfs_is_off(b->ctx));
	assert_false(exists(b, "a"));
	assert_int_equal(b->fs->sync_dir(b->ctx, "", NULL), DVT_E_SYSTEM);
	assert_int_equal(dvt_memfs_calls(b->ctx), 1);
	dvt_memfs_power_on(b->ctx);
	assert_file(b, "a", "");
}

/* All that a cut between write and fsync can leave, over some dice. */
static void
an_unsynced_file_may_be_torn_in_any_way(void **state)
{
	struct both *b = *state;
	unsigned absent = 0, empty = 0, whole = 0, part = 0, zeros = 0;

	for (uint64_t seed = 0; seed < 200; seed++) {
		struct dvt_memfs *fs = dvt_memfs_clone(b->ctx);
		struct dvt_buf out;

		dvt_memfs_cut(fs, 2, DVT_CUT_MIX, seed);
		(void)dvt_memfs.write_new(
		    fs, "a", DVT_SPAN_LIT("0123456789"), 0600, NULL);
		dvt_memfs_power_on(fs);
		dvt_buf_init(&out, 100);
		if (dvt_memfs.read(fs, "a", &out, NULL) != DVT_OK)
			absent++;
		else if (out.n == 0)
			empty++;
		else if (out.n < 10)
			part++;
		else if (out.p[0] == 0)
			zeros++;
		else
			whole++;
		dvt_buf_fini(&out);
		dvt_memfs_free(fs);
	}
	assert_true(absent > 0 && empty > 0 && part > 0);
	assert_true(zeros > 0 && whole > 0);
}

static void
changes_of_two_files_reach_the_disk_in_any_order(void **state)
{
	struct both *b = *state;
	unsigned seen[4] = {0};

	for (uint64_t seed = 0; seed < 100; seed++) {
		struct both c = {&dvt_memfs, dvt_memfs_clone(b->ctx), ""};

		put(&c, "a", "1");
		put(&c, "b", "2");
		dvt_memfs_cut(c.ctx, 0, DVT_CUT_MIX, seed);
		dvt_memfs_power_on(c.ctx);
		seen[(exists(&c, "a") ? 1 : 0) + (exists(&c, "b") ? 2 : 0)]++;
		dvt_memfs_free(c.ctx);
	}
	for (size_t i = 0; i < 4; i++)
		assert_true(seen[i] > 0);
}

/* A file is never under two names or none after it was renamed twice. */
static void
changes_of_one_file_keep_their_order(void **state)
{
	struct both *b = *state;

	put(b, "a", "1");
	assert_int_equal(b->fs->sync_dir(b->ctx, "", NULL), DVT_OK);
	for (uint64_t seed = 0; seed < 100; seed++) {
		struct both c = {&dvt_memfs, dvt_memfs_clone(b->ctx), ""};
		int n;

		(void)c.fs->mkdir(c.ctx, "d", 0700, NULL);
		(void)c.fs->sync_dir(c.ctx, "", NULL);
		(void)c.fs->rename(c.ctx, "a", "b", NULL);
		(void)c.fs->rename(c.ctx, "b", "d/c", NULL);
		if (seed % 2 == 0)
			(void)c.fs->sync_dir(c.ctx, "d", NULL);
		dvt_memfs_cut(c.ctx, 0, DVT_CUT_MIX, seed);
		dvt_memfs_power_on(c.ctx);
		n = (exists(&c, "a") ? 1 : 0) + (exists(&c, "b") ? 1 : 0) +
		    (exists(&c, "d/c") ? 1 : 0);
		assert_int_equal(n, 1);
		if (seed % 2 == 0)
			assert_true(exists(&c, "d/c"));
		dvt_memfs_free(c.ctx);
	}
}

static void
calls_fail_on_demand_and_leave_nothing_half(void **state)
{
	struct both *b = *state;
	struct dvt_err err;

	for (uint64_t k = 0; k < 3; k++) {
		dvt_memfs_fail(b->ctx, k, 1, ENOSPC);
		assert_int_equal(b->fs->write_new(b->ctx, "a",
				     DVT_SPAN_LIT("x"), 0600, &err),
		    DVT_E_SYSTEM);
		assert_int_equal(err.sys, ENOSPC);
		assert_false(exists(b, "a"));
	}
	put(b, "a", "1");
}

/* What Linux does: the error is told once, the bytes count as written. */
static void
bytes_whose_fsync_failed_stay_off_the_disk(void **state)
{
	struct both *b = *state;
	struct dvt_buf out;

	dvt_buf_init(&out, 100);
	put(b, "j", "1\n");
	assert_int_equal(b->fs->sync_dir(b->ctx, "", NULL), DVT_OK);
	dvt_memfs_fail(b->ctx, 1, 1, EIO);
	assert_int_equal(
	    b->fs->append(b->ctx, "j", DVT_SPAN_LIT("2\n"), 0600, NULL),
	    DVT_E_SYSTEM);
	assert_int_equal(
	    b->fs->append(b->ctx, "j", DVT_SPAN_LIT("3\n"), 0600, NULL),
	    DVT_OK);
	assert_file(b, "j", "1\n2\n3\n");
	dvt_memfs_power_on(b->ctx);
	assert_int_equal(b->fs->read(b->ctx, "j", &out, NULL), DVT_OK);
	assert_int_equal(out.n, 6);
	assert_memory_equal(out.p, "1\n\0\0003\n", 6);
	dvt_buf_fini(&out);
}

static void
a_killed_process_loses_nothing_and_syncs_nothing(void **state)
{
	struct both *b = *state;

	dvt_memfs_cut(b->ctx, 3, DVT_CUT_KILL, 0);
	put(b, "a", "1");
	assert_int_equal(
	    b->fs->sync_dir(b->ctx, "", NULL), DVT_E_SYSTEM); /* there */
	assert_true(dvt_memfs_is_off(b->ctx));
	dvt_memfs_power_on(b->ctx);
	assert_file(b, "a", "1");
	dvt_memfs_power_on(b->ctx);
	assert_false(exists(b, "a"));
}

static void
reading_fails_on_demand(void **state)
{
	struct both *b = *state;
	struct dvt_buf out;
	uint64_t before;

	dvt_buf_init(&out, 100);
	put(b, "a", "1");
	before = dvt_memfs_reads(b->ctx);
	dvt_memfs_fail_reads(b->ctx, 1, 2, EIO);
	assert_file(b, "a", "1");
	assert_int_equal(b->fs->read(b->ctx, "a", &out, NULL), DVT_E_SYSTEM);
	assert_int_equal(
	    b->fs->list(b->ctx, "", note, &out, NULL), DVT_E_SYSTEM);
	assert_int_equal(out.n, 0);
	assert_file(b, "a", "1");
	assert_int_equal(dvt_memfs_reads(b->ctx) - before, 4);
	dvt_buf_fini(&out);
}

/* The disk takes a part of it: nobody reads that part. */
static void
an_append_that_fails_is_taken_back(void **state)
{
	struct both *b = *state;
	struct rlimit was, limit;
	enum dvt_code rc;

	put(b, "j", "one\n");
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &was), 0);
	limit = (struct rlimit){6, was.rlim_max};
	(void)signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
	rc = b->fs->append(b->ctx, "j", DVT_SPAN_LIT("two\n"), 0600, NULL);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &was), 0);
	assert_int_equal(rc, DVT_E_SYSTEM);
	assert_file(b, "j", "one\n");
	assert_int_equal(
	    b->fs->append(b->ctx, "j", DVT_SPAN_LIT(""), 0600, NULL), DVT_OK);
	assert_file(b, "j", "one\n");
	assert_int_equal(b->fs->unlink(b->ctx, "j", NULL), DVT_OK);
}

#define MEMORY(f)                                                              \
	cmocka_unit_test_setup_teardown(f, set_up_memory, tear_down_memory)
#define REAL(f) cmocka_unit_test_setup_teardown(f, set_up_real, tear_down_real)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    MEMORY(files_are_made_once_read_and_removed),
	    REAL(files_are_made_once_read_and_removed),
	    MEMORY(appending_adds_to_the_end),
	    REAL(appending_adds_to_the_end),
	    MEMORY(directories_are_made_renamed_listed_and_removed),
	    REAL(directories_are_made_renamed_listed_and_removed),
	    MEMORY(no_path_leads_out),
	    REAL(no_path_leads_out),
	    REAL(links_are_not_followed),
	    REAL(a_directory_has_one_owner),
	    MEMORY(a_name_is_lost_until_its_directory_is_synced),
	    MEMORY(from_the_cut_on_every_call_fails),
	    MEMORY(an_unsynced_file_may_be_torn_in_any_way),
	    MEMORY(changes_of_two_files_reach_the_disk_in_any_order),
	    MEMORY(changes_of_one_file_keep_their_order),
	    MEMORY(calls_fail_on_demand_and_leave_nothing_half),
	    MEMORY(bytes_whose_fsync_failed_stay_off_the_disk),
	    MEMORY(a_killed_process_loses_nothing_and_syncs_nothing),
	    MEMORY(reading_fails_on_demand),
	    REAL(an_append_that_fails_is_taken_back),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
