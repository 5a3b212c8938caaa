/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Promise 5, out of memory: the n-th allocation fails, for each n, our own and
 * the JSON library's. The process says so and ends, and a new one goes on from
 * the disk.
 */
#include "lives.h"

#include "base/mem.h"
#include "wire/json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#define EXIT_MEMORY 71

static unsigned step = 97;

/* --- the allocator that fails --- */

static struct {
	bool armed;
	bool inside; /* the agent runs, not the world around it */
	uint64_t left;
	bool hit, logged;
	jmp_buf end;
} memory;

static bool
fails(void)
{
	if (!memory.armed || !memory.inside || memory.left-- > 0)
		return false;
	memory.left = UINT64_MAX;
	memory.hit = true;
	return true;
}

void *__real_calloc(size_t n, size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *
__wrap_calloc(size_t n, size_t size)
{
	return fails() ? NULL : __real_calloc(n, size);
}

void *__real_realloc(void *p, size_t n);
void *__wrap_realloc(void *p, size_t n);
void *
__wrap_realloc(void *p, size_t n)
{
	return fails() ? NULL : __real_realloc(p, n);
}

char *__real_strdup(const char *s);
char *__wrap_strdup(const char *s);
char *
__wrap_strdup(const char *s)
{
	return fails() ? NULL : __real_strdup(s);
}

/* Of our code only src/wire calls it, for the JSON library. */
void *__real_malloc(size_t n);
void *__wrap_malloc(size_t n);
void *
__wrap_malloc(size_t n)
{
	return fails() ? NULL : __real_malloc(n);
}

ssize_t __real_write(int fd, const void *p, size_t n);
ssize_t __wrap_write(int fd, const void *p, size_t n);
ssize_t
__wrap_write(int fd, const void *p, size_t n)
{
	if (!memory.armed || fd != STDERR_FILENO)
		return __real_write(fd, p, n);
	memory.logged = n > 16 && memcmp(p, "event=memory.out", 16) == 0;
	return (ssize_t)n;
}

_Noreturn void __real__exit(int status);
_Noreturn void __wrap__exit(int status);
_Noreturn void
__wrap__exit(int status)
{
	if (!memory.armed || status != EXIT_MEMORY || !memory.logged)
		__real__exit(status);
	longjmp(memory.end, 1); /* the process is over */
}

/* --- the border between agent and world --- */

enum dvt_code __real_dvt_agent_open(const struct dvt_agent_env *env,
    const struct dvt_agent_config *config, struct dvt_time now,
    struct dvt_agent **out, struct dvt_err *err);
enum dvt_code __wrap_dvt_agent_open(const struct dvt_agent_env *env,
    const struct dvt_agent_config *config, struct dvt_time now,
    struct dvt_agent **out, struct dvt_err *err);
enum dvt_code
__wrap_dvt_agent_open(const struct dvt_agent_env *env,
    const struct dvt_agent_config *config, struct dvt_time now,
    struct dvt_agent **out, struct dvt_err *err)
{
	enum dvt_code rc;

	memory.inside = true;
	rc = __real_dvt_agent_open(env, config, now, out, err);
	memory.inside = false;
	return rc;
}

enum dvt_code __real_dvt_agent_command(struct dvt_agent *a,
    const struct dvt_command *command, struct dvt_err *err);
enum dvt_code __wrap_dvt_agent_command(struct dvt_agent *a,
    const struct dvt_command *command, struct dvt_err *err);
enum dvt_code
__wrap_dvt_agent_command(
    struct dvt_agent *a, const struct dvt_command *command, struct dvt_err *err)
{
	enum dvt_code rc;

	memory.inside = true;
	rc = __real_dvt_agent_command(a, command, err);
	memory.inside = false;
	return rc;
}

enum dvt_code __real_dvt_agent_step(struct dvt_agent *a, struct dvt_time now,
    const struct dvt_answer *answer, struct dvt_want *want,
    struct dvt_err *err);
enum dvt_code __wrap_dvt_agent_step(struct dvt_agent *a, struct dvt_time now,
    const struct dvt_answer *answer, struct dvt_want *want,
    struct dvt_err *err);
enum dvt_code
__wrap_dvt_agent_step(struct dvt_agent *a, struct dvt_time now,
    const struct dvt_answer *answer, struct dvt_want *want, struct dvt_err *err)
{
	enum dvt_code rc;

	memory.inside = true;
	rc = __real_dvt_agent_step(a, now, answer, want, err);
	memory.inside = false;
	return rc;
}

/* The disk in memory is no part of the agent. */
#define OUTSIDE(call)                                                          \
	bool was = memory.inside;                                              \
	enum dvt_code rc;                                                      \
                                                                               \
	memory.inside = false;                                                 \
	rc = dvt_memfs.call;                                                   \
	memory.inside = was;                                                   \
	return rc

static enum dvt_code
out_write_new(void *ctx, const char *path, struct dvt_span bytes, unsigned mode,
    struct dvt_err *err)
{
	OUTSIDE(write_new(ctx, path, bytes, mode, err));
}

static enum dvt_code
out_append(void *ctx, const char *path, struct dvt_span bytes, unsigned mode,
    struct dvt_err *err)
{
	OUTSIDE(append(ctx, path, bytes, mode, err));
}

static enum dvt_code
out_rename(void *ctx, const char *from, const char *to, struct dvt_err *err)
{
	OUTSIDE(rename(ctx, from, to, err));
}

static enum dvt_code
out_sync_dir(void *ctx, const char *dir, struct dvt_err *err)
{
	OUTSIDE(sync_dir(ctx, dir, err));
}

static enum dvt_code
out_mkdir(void *ctx, const char *dir, unsigned mode, struct dvt_err *err)
{
	OUTSIDE(mkdir(ctx, dir, mode, err));
}

static enum dvt_code
out_unlink(void *ctx, const char *path, struct dvt_err *err)
{
	OUTSIDE(unlink(ctx, path, err));
}

static enum dvt_code
out_rmdir(void *ctx, const char *dir, struct dvt_err *err)
{
	OUTSIDE(rmdir(ctx, dir, err));
}

/* --- the lives --- */

/* @return: the n-th allocation was reached. */
static bool
fail_nth(const struct life *l, const struct testworld *ready,
    const struct dvt_fs *fs, uint64_t n)
{
	static struct testworld w; /* outlives longjmp() */
	static bool ended;
	char when[120];

	(void)snprintf(when, sizeof(when), "%s: allocation %u fails", l->name,
	    (unsigned)n);
	testworld_copy(&w, ready);
	w.fs = fs;
	memory.left = n;
	memory.hit = memory.logged = ended = false;
	if (setjmp(memory.end) == 0) {
		memory.armed = true;
		if (testworld_try_on(&w, NULL) == DVT_OK &&
		    life_try_ask(l, &w) == DVT_OK)
			(void)testworld_run(&w, HOUR_S, l->is_done);
	} else {
		ended = true;
	}
	memory.armed = memory.inside = false;
	if (ended)
		w.agent = NULL; /* what a process had is gone with it */
	else
		testworld_off(&w);
	w.fs = NULL;
	life_check(l, &w, when);
	testworld_fini(&w);
	return memory.hit;
}

static void
promise_5_any_allocation_may_fail(void **state)
{
	struct dvt_fs fs = dvt_memfs;
	unsigned points = 0;

	(void)state;
	fs.write_new = out_write_new;
	fs.append = out_append;
	fs.rename = out_rename;
	fs.sync_dir = out_sync_dir;
	fs.mkdir = out_mkdir;
	fs.unlink = out_unlink;
	fs.rmdir = out_rmdir;
	for (size_t i = 0; i < lives_n; i++) {
		struct testworld ready;
		uint64_t n = i % step;

		lives[i].prepare(&ready);
		for (; fail_nth(&lives[i], &ready, &fs, n); n += step)
			points++;
		print_message(
		    "# %s: about %u allocations\n", lives[i].name, (unsigned)n);
		assert_true(n > step);
		testworld_fini(&ready);
	}
	print_message("# %u failed allocations\n", points);
}

/* It would hand on a text that lacks a byte. */
static void
an_allocation_of_the_json_library_that_fails_ends_the_process(void **state)
{
	static const char text[] =
	    "{\"digest\":\"0123456789abcdef0123456789abcdef\",\"n\":[1,2]}";
	static uint64_t n; /* outlives longjmp() */
	json_t *obj = NULL;

	(void)state;
	for (n = 0;; n++) {
		memory.left = n;
		memory.hit = memory.logged = false;
		if (setjmp(memory.end) == 0) {
			memory.armed = memory.inside = true;
			(void)!dvt_json_parse(
			    dvt_span_str(text), sizeof(text), &obj, NULL);
			memory.armed = memory.inside = false;
			break;
		}
		memory.armed = memory.inside = false;
		assert_true(memory.hit && memory.logged);
	}
	assert_false(memory.hit);
	assert_non_null(obj);
	assert_true(n > 10);
	json_decref(obj);
}

/* A process that ended this way leaves nothing free()d. */
const char *__lsan_default_options(void);
const char *
__lsan_default_options(void)
{
	return "detect_leaks=0";
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(
		an_allocation_of_the_json_library_that_fails_ends_the_process),
	    cmocka_unit_test(promise_5_any_allocation_may_fail),
	};
	const char *how = getenv("DOVETAIL_LONG");
	int failed;

	if (how != NULL && strcmp(how, "1") == 0)
		step = 1;
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	testpki_free();
	return failed;
}
