/* SPDX-License-Identifier: Apache-2.0 */
#include "base/file.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char folder[] = "/tmp/file_test.XXXXXX";

static const char *
at(const char *name)
{
	static char path[64];

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	return path;
}

/* @n bytes under @name. */
static const char *
make(const char *name, size_t n)
{
	FILE *f = fopen(at(name), "we");

	assert_non_null(f);
	for (size_t i = 0; i < n; i++)
		fputc((int)('a' + i % 26), f);
	assert_int_equal(fclose(f), 0);
	return at(name);
}

static void
a_file_is_read_up_to_the_limit_and_refused_with_its_size_beyond(void **state)
{
	static const struct {
		size_t file, limit, held; /* bytes; held before */
		enum dvt_code rc;
		const char *said;
	} cases[] = {
	    {0,      10,    0, DVT_OK,      NULL                             },
	    {10,     10,    0, DVT_OK,      NULL                             },
	    {40000,  40000, 0, DVT_OK,      NULL                             },
	    {11,     10,    0, DVT_E_LIMIT, "/f: 11 bytes, at most 10"       },
	    {300000, 20000, 0, DVT_E_LIMIT, "/f: 300000 bytes, at most 20000"},
	    {10,     15,    6, DVT_E_LIMIT, "/f: over 15 bytes"              },
	    {10,     16,    6, DVT_OK,      NULL                             },
	};

	(void)state;
	for (size_t i = 0; i < DVT_COUNT(cases); i++) {
		const char *path = make("f", cases[i].file);
		struct dvt_err err;
		struct dvt_buf b;

		dvt_buf_init(&b, cases[i].limit);
		dvt_buf_put(&b, "......", cases[i].held);
		if (dvt_read_regular(path, &b, &err) != cases[i].rc)
			fail_msg("case %zu", i);
		if (cases[i].rc == DVT_OK)
			assert_int_equal(b.n, cases[i].file + cases[i].held);
		else if (strstr(err.text, cases[i].said) == NULL)
			fail_msg("case %zu: %s", i, err.text);
		if (cases[i].file > 26 && cases[i].rc == DVT_OK)
			assert_memory_equal(b.p + 20000, "g", 1);
		dvt_buf_fini(&b);
	}
}

static void
what_is_no_regular_file_is_refused_without_a_wait(void **state)
{
	static const struct {
		const char *name;
		enum dvt_code rc;
	} cases[] = {
	    {"fifo",   DVT_E_INPUT },
	    {"sub",    DVT_E_INPUT },
	    {"absent", DVT_E_ABSENT},
	};

	(void)state;
	assert_int_equal(mkfifo(at("fifo"), 0600), 0);
	assert_int_equal(mkdir(at("sub"), 0700), 0);
	for (size_t i = 0; i < DVT_COUNT(cases); i++) {
		struct dvt_err err;
		struct dvt_buf b;

		dvt_buf_init(&b, 10);
		if (dvt_read_regular(at(cases[i].name), &b, &err) !=
			cases[i].rc ||
		    strstr(err.text, cases[i].name) == NULL)
			fail_msg("%s: %s", cases[i].name, err.text);
		assert_int_equal(b.n, 0);
		dvt_buf_fini(&b);
	}
}

static void
reading_stops_when_the_buffer_is_full(void **state)
{
	struct dvt_err err;
	struct dvt_buf b;
	int fd = open("/dev/zero", O_RDONLY | O_CLOEXEC);

	(void)state;
	dvt_buf_init(&b, 50000);
	assert_int_equal(
	    dvt_read_fd(fd, "zeros", &b, &err), DVT_E_LIMIT); /* it ends */
	assert_string_equal(err.text, "zeros: over 50000 bytes");
	dvt_buf_fini(&b);
	close(fd);
}

static void
a_pipe_is_read_to_its_end(void **state)
{
	struct dvt_buf b;
	int ends[2];

	(void)state;
	assert_int_equal(pipe(ends), 0);
	assert_int_equal(write(ends[1], "one", 3), 3);
	close(ends[1]);
	dvt_buf_init(&b, 10);
	assert_int_equal(dvt_read_fd(ends[0], "pipe", &b, NULL), DVT_OK);
	assert_string_equal(dvt_buf_str(&b), "one");
	dvt_buf_fini(&b);
	close(ends[0]);
}

static int
make_folder(void **state)
{
	(void)state;
	return mkdtemp(folder) == NULL ? -1 : 0;
}

static int
remove_folder(void **state)
{
	(void)state;
	(void)unlink(at("f"));
	(void)unlink(at("fifo"));
	(void)rmdir(at("sub"));
	return rmdir(folder);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(
		a_file_is_read_up_to_the_limit_and_refused_with_its_size_beyond),
	    cmocka_unit_test(what_is_no_regular_file_is_refused_without_a_wait),
	    cmocka_unit_test(reading_stops_when_the_buffer_is_full),
	    cmocka_unit_test(a_pipe_is_read_to_its_end),
	};

	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
