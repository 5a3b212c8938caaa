/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/shelf.h"

#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static struct dvt_span
text(const char *s)
{
	return dvt_span_str(s);
}

static struct dvt_span
numbered(char out[32], const char *what, unsigned n)
{
	snprintf(out, 32, "%s-%u", what, n);
	return dvt_span_str(out);
}

static void
assert_value(struct dvt_shelf *s, const char *key, const char *value)
{
	struct dvt_span got;

	assert_true(dvt_shelf_get(s, 0, text(key), &got));
	assert_true(dvt_span_eq_str(got, value));
}

static void
what_was_put_is_found_until_it_is_dropped(void **state)
{
	struct dvt_shelf *s = dvt_shelf_new(false);

	(void)state;
	assert_false(dvt_shelf_get(s, 0, text("a"), NULL));
	assert_false(dvt_shelf_drop(s, 0, text("a")));
	assert_true(dvt_shelf_put(s, 0, text("a"), text("one")));
	assert_true(dvt_shelf_put(s, 0, text("b"), text("")));
	assert_true(dvt_shelf_put(s, 1, text("a"), text("another kind")));
	assert_value(s, "a", "one");
	assert_value(s, "b", "");
	assert_true(dvt_shelf_put(s, 0, text("a"), text("changed")));
	assert_value(s, "a", "changed");
	assert_int_equal(dvt_shelf_count(s, 0), 2);
	assert_int_equal(dvt_shelf_count(s, 1), 1);
	assert_true(dvt_shelf_drop(s, 0, text("a")));
	assert_false(dvt_shelf_get(s, 0, text("a"), NULL));
	assert_int_equal(dvt_shelf_count(s, 0), 1);
	assert_int_equal(dvt_shelf_fd(s), -1);
	assert_false(dvt_shelf_put(s, DVT_SHELF_KINDS, text("a"), text("")));
	dvt_shelf_free(s);
}

static void
it_grows_and_loses_nothing(void **state)
{
	struct dvt_shelf *s = dvt_shelf_new(true);
	uint64_t generation = 0, moves = 0;
	char key[32], value[32];
	struct dvt_span got;

	(void)state;
	/* many come, every third goes, every second changes time and again */
	for (unsigned i = 0; i < 20000; i++) {
		dvt_shelf_put(
		    s, 0, numbered(key, "k", i), numbered(value, "v", i));
		if (i % 3 == 0)
			dvt_shelf_drop(s, 0, numbered(key, "k", i));
		for (unsigned j = 0; i % 2 == 0 && i % 3 != 0 && j < 3; j++)
			dvt_shelf_put(s, 0, numbered(key, "k", i),
			    numbered(value, "w", i));
		moves += generation != dvt_shelf_generation(s);
		generation = dvt_shelf_generation(s);
	}
	assert_in_range(moves, 5, 60);
	assert_int_equal(dvt_shelf_count(s, 0), 20000 - 6667);
	for (unsigned i = 0; i < 20000; i++) {
		bool there = dvt_shelf_get(s, 0, numbered(key, "k", i), &got);

		assert_int_equal(there, i % 3 != 0);
		numbered(value, i % 2 == 0 ? "w" : "v", i);
		if (there)
			assert_true(dvt_span_eq_str(got, value));
	}
	dvt_shelf_free(s);
}

/* A digest of which somebody chose all bytes but four. */
static struct dvt_span
chosen(uint8_t out[32], unsigned n, size_t at)
{
	memset(out, 0x5a, 32);
	memcpy(out + at, &n, sizeof(n));
	return (struct dvt_span){out, 32};
}

static void
digests_are_found_however_they_were_chosen(void **state)
{
	enum { N = 3000 };
	uint8_t key[32];

	(void)state;
	for (size_t at = 0; at <= 28; at += 4)
		for (unsigned kind = 0; kind < 2; kind++) {
			struct dvt_shelf *s = dvt_shelf_new(false);

			for (unsigned n = 0; n < N; n++)
				assert_true(dvt_shelf_put(
				    s, kind, chosen(key, 2 * n, at), text("")));
			for (unsigned n = 0; n < 2 * N; n++)
				assert_int_equal(dvt_shelf_get(s, kind,
						     chosen(key, n, at), NULL),
				    n % 2 == 0);
			for (unsigned n = 0; n < N; n += 2)
				assert_true(dvt_shelf_drop(
				    s, kind, chosen(key, 2 * n, at)));
			for (unsigned n = 0; n < N; n++)
				assert_int_equal(
				    dvt_shelf_get(
					s, kind, chosen(key, 2 * n, at), NULL),
				    n % 2 == 1);
			dvt_shelf_free(s);
		}
}

static void
changing_one_for_ever_needs_no_more_memory(void **state)
{
	struct dvt_shelf *s = dvt_shelf_new(true);
	char value[32];
	size_t most = 0;

	(void)state;
	for (unsigned i = 0; i < 100000; i++) {
		dvt_shelf_put(s, 0, text("one"), numbered(value, "v", i));
		if (dvt_shelf_bytes(s) > most)
			most = dvt_shelf_bytes(s);
	}
	for (unsigned i = 0; i < 100000; i++) {
		dvt_shelf_put(s, 0, numbered(value, "k", i), text("v"));
		dvt_shelf_drop(s, 0, text(value));
		if (dvt_shelf_bytes(s) > most)
			most = dvt_shelf_bytes(s);
	}
	assert_in_range(most, 1, 65536);
	assert_value(s, "one", "v-99999");
	dvt_shelf_free(s);
}

static void
a_walk_meets_each_once_also_while_they_are_dropped(void **state)
{
	struct dvt_shelf *s = dvt_shelf_new(false);
	struct dvt_shelf_walk w = DVT_SHELF_WALK;
	char key[32];
	unsigned met = 0, slices = 0;

	(void)state;
	for (unsigned i = 0; i < 1000; i++) {
		dvt_shelf_put(s, 0, numbered(key, "k", i), text("v"));
		dvt_shelf_put(s, 1, numbered(key, "k", i), text("v"));
	}
	do {
		w.left = 100;
		while (dvt_shelf_next(s, 0, &w)) {
			met++;
			dvt_shelf_drop(s, 0, w.key);
		}
		slices++;
	} while (w.at != 0);
	assert_int_equal(met, 1000);
	assert_true(slices > 3);
	assert_int_equal(dvt_shelf_count(s, 0), 0);
	assert_int_equal(dvt_shelf_count(s, 1), 1000);
	dvt_shelf_free(s);
}

static void
a_reader_sees_changes_at_once_and_can_change_nothing(void **state)
{
	struct dvt_shelf *s = dvt_shelf_new(true), *r;
	int fd = dvt_shelf_fd(s);

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(dvt_shelf_attach(fd, &r, NULL), DVT_OK);
	assert_true(dvt_shelf_is_reader(r));
	assert_false(dvt_shelf_get(r, 0, text("a"), NULL));
	dvt_shelf_put(s, 0, text("a"), text("one"));
	assert_value(r, "a", "one");
	dvt_shelf_put(s, 0, text("a"), text("two"));
	assert_value(r, "a", "two");
	assert_int_equal(dvt_shelf_count(r, 0), 1);
	assert_false(dvt_shelf_put(r, 0, text("b"), text("x")));
	assert_false(dvt_shelf_drop(r, 0, text("a")));
	assert_ptr_equal(
	    mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0),
	    MAP_FAILED);
	assert_int_equal(ftruncate(fd, 0), -1);
	assert_int_equal(ftruncate(fd, 1 << 24), -1);
	assert_int_equal(write(fd, "x", 1), -1);
	/* the writer is gone: what is mapped stays */
	dvt_shelf_free(s);
	assert_value(r, "a", "two");
	dvt_shelf_free(r);
}

/* --- a writer that is killed --- */

#define KEYS 64

/* A value that tells by itself whether it is whole: one letter, many times. */
static struct dvt_span
whole(uint8_t out[300], unsigned n)
{
	size_t len = 1 + n % 300;

	memset(out, 'a' + (int)(n % 26), len);
	return (struct dvt_span){out, len};
}

static void
assert_whole(struct dvt_span v, unsigned key)
{
	assert_in_range(v.n, 1, 300);
	for (size_t i = 1; i < v.n; i++)
		assert_int_equal(v.p[i], v.p[0]);
	/* of its own key: they are dealt out by key */
	assert_int_equal((v.n - 1) % 4, key % 4);
}

static void
write_for_ever(struct dvt_shelf *s, int go)
{
	uint8_t value[300];
	char key[32];

	(void)!write(go, "x", 1);
	for (unsigned n = 0;; n++) {
		unsigned i = n % KEYS;

		if (n % 7 == 3 && i >= KEYS / 2)
			dvt_shelf_drop(s, 0, numbered(key, "k", i));
		else
			dvt_shelf_put(s, 0, numbered(key, "k", i),
			    whole(value, n / KEYS * 4 + i % 4));
	}
}

static void
look_at_all(struct dvt_shelf *r)
{
	struct dvt_span v;
	char key[32];

	for (unsigned i = 0; i < KEYS; i++) {
		bool there = dvt_shelf_get(r, 0, numbered(key, "k", i), &v);

		/* those of the first half are never dropped */
		assert_true(there || i >= KEYS / 2);
		if (there)
			assert_whole(v, i);
	}
}

static void
a_writer_killed_anywhere_leaves_nothing_torn(void **state)
{
	uint8_t value[300];
	char key[32];

	(void)state;
	for (int round = 0; round < 40; round++) {
		struct dvt_shelf *s = dvt_shelf_new(true), *r;
		int go[2];
		char c;
		pid_t pid;

		for (unsigned i = 0; i < KEYS; i++)
			dvt_shelf_put(
			    s, 0, numbered(key, "k", i), whole(value, i % 4));
		assert_int_equal(
		    dvt_shelf_attach(dvt_shelf_fd(s), &r, NULL), DVT_OK);
		assert_int_equal(pipe(go), 0);
		pid = fork();
		assert_true(pid >= 0);
		if (pid == 0)
			write_for_ever(s, go[1]);
		assert_int_equal(read(go[0], &c, 1), 1);
		for (int i = 0; i <= round; i++)
			look_at_all(r);
		kill(pid, SIGKILL);
		assert_int_equal(waitpid(pid, NULL, 0), pid);
		look_at_all(r);
		dvt_shelf_free(r);
		dvt_shelf_free(s);
		close(go[0]);
		close(go[1]);
	}
}

/* --- what is no shelf --- */

static int
memory_of(const void *p, size_t n, int seals)
{
	int fd = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	assert_int_equal(write(fd, p, n), n);
	if (seals != 0)
		assert_int_equal(fcntl(fd, F_ADD_SEALS, seals), 0);
	return fd;
}

static void
assert_refused(const void *p, size_t n, int seals)
{
	struct dvt_shelf *r;
	int fd = memory_of(p, n, seals);

	assert_int_equal(dvt_shelf_attach(fd, &r, NULL), DVT_E_INPUT);
	assert_null(r);
	close(fd);
}

static void
what_is_no_shelf_is_refused(void **state)
{
	const int seals = F_SEAL_SHRINK | F_SEAL_GROW;
	static uint8_t zero[8192];
	struct dvt_shelf *s = dvt_shelf_new(true), *r;
	uint8_t copy[8192];
	uint64_t slots;

	(void)state;
	assert_refused(zero, sizeof(zero), seals);
	assert_refused(zero, 8, seals);
	assert_int_equal(
	    pread(dvt_shelf_fd(s), copy, sizeof(copy), 0), sizeof(copy));
	assert_refused(copy, sizeof(copy), 0);
	assert_refused(copy, sizeof(copy), F_SEAL_GROW);
	for (int i = 0; i < 4; i++) {
		static const uint64_t bad[] = {
		    0, 63, UINT64_C(1) << 20, UINT64_C(1) << 63};

		slots = bad[i];
		memcpy(copy + 8, &slots, sizeof(slots));
		assert_refused(copy, sizeof(copy), seals);
	}
	assert_int_equal(dvt_shelf_attach(0, &r, NULL), DVT_E_INPUT);
	dvt_shelf_free(s);
}

/* Whatever is in it, a reader stays within it and comes to an end. */
static void
any_bytes_are_read_without_harm(void **state)
{
	struct dvt_shelf *s = dvt_shelf_new(true);
	uint8_t *copy;
	char key[32];
	size_t n;
	unsigned seed = 1;

	(void)state;
	for (unsigned i = 0; i < 40; i++)
		dvt_shelf_put(s, 0, numbered(key, "k", i), text("value"));
	n = (size_t)lseek(dvt_shelf_fd(s), 0, SEEK_END);
	copy = dvt_alloc(n);
	for (int round = 0; round < 300; round++) {
		struct dvt_shelf_walk w = DVT_SHELF_WALK;
		struct dvt_shelf *r;
		unsigned sum = 0, met = 0;
		int fd;

		assert_int_equal(pread(dvt_shelf_fd(s), copy, n, 0), n);
		for (int i = 0; i < 1 + round; i++) {
			/* behind magic and number of slots */
			size_t at = 16 + (size_t)rand_r(&seed) % (4096 - 16);

			copy[at] = (uint8_t)rand_r(&seed);
		}
		fd = memory_of(copy, n, F_SEAL_SHRINK | F_SEAL_GROW);
		assert_int_equal(dvt_shelf_attach(fd, &r, NULL), DVT_OK);
		for (unsigned i = 0; i < 40; i++) {
			struct dvt_span v;

			if (dvt_shelf_get(r, 0, numbered(key, "k", i), &v))
				for (size_t b = 0; b < v.n; b++)
					sum += v.p[b];
		}
		while (dvt_shelf_next(r, 0, &w)) {
			met++;
			for (size_t b = 0; b < w.value.n; b++)
				sum += w.value.p[b];
		}
		assert_in_range(met, 0, 64);
		assert_true(sum < UINT32_MAX);
		dvt_shelf_free(r);
		close(fd);
	}
	free(copy);
	dvt_shelf_free(s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_was_put_is_found_until_it_is_dropped),
	    cmocka_unit_test(it_grows_and_loses_nothing),
	    cmocka_unit_test(digests_are_found_however_they_were_chosen),
	    cmocka_unit_test(changing_one_for_ever_needs_no_more_memory),
	    cmocka_unit_test(
		a_walk_meets_each_once_also_while_they_are_dropped),
	    cmocka_unit_test(
		a_reader_sees_changes_at_once_and_can_change_nothing),
	    cmocka_unit_test(a_writer_killed_anywhere_leaves_nothing_torn),
	    cmocka_unit_test(what_is_no_shelf_is_refused),
	    cmocka_unit_test(any_bytes_are_read_without_harm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
