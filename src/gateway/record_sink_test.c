/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/record_sink.h"

#include "base/mem.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define LINE "{\"at\":1}\n"
#define MANY 4000 /* lines; more than a pipe holds */

static char dir[] = "/tmp/record-sink-XXXXXX";
static char path[64];

static int
setup(void **state)
{
	(void)state;
	(void)signal(SIGPIPE, SIG_IGN);
	(void)signal(SIGXFSZ, SIG_IGN);
	if (mkdtemp(dir) == NULL)
		return -1;
	snprintf(path, sizeof(path), "%s/lines", dir);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	unlink(path);
	return rmdir(dir);
}

static char *
content(void)
{
	static char text[4096];
	FILE *f = fopen(path, "r");
	size_t n;

	assert_non_null(f);
	n = fread(text, 1, sizeof(text) - 1, f);
	text[n] = '\0';
	fclose(f);
	return text;
}

static void
put(const char *text)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

/* The disk has room for so many bytes of the file. */
static void
room(rlim_t bytes)
{
	struct rlimit r;

	assert_int_equal(getrlimit(RLIMIT_FSIZE, &r), 0);
	r.rlim_cur = bytes;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &r), 0);
}

static void
a_file_that_is_full_has_whole_lines_and_goes_on(void **state)
{
	static const struct {
		const char *before;
		rlim_t room;
		size_t taken;
		const char *full, *after;
	} cases[] = {
	    {"",           100, 27, LINE LINE LINE,                LINE LINE LINE               },
	    {"",           20,  18, LINE LINE,                     LINE LINE LINE               },
	    {"",           18,  18, LINE LINE,                     LINE LINE LINE               },
	    {"",           5,   0,  "",			    LINE LINE LINE               },
	    {LINE,         20,  9,  LINE LINE,                     LINE LINE LINE LINE          },
 /* as a power cut left it */
	    {LINE "{\"at", 60,  27, LINE "{\"at\n" LINE LINE LINE,
             LINE "{\"at\n" LINE LINE LINE						      },
	    {LINE "{\"at", 14,  0,  LINE "{\"at\n",
             LINE "{\"at\n" LINE LINE LINE						      },
	    {LINE "{\"at", 13,  0,  LINE "{\"at",                  LINE "{\"at\n" LINE LINE LINE},
	};
	struct dvt_span lines = DVT_SPAN_LIT(LINE LINE LINE);

	(void)state;
	for (size_t i = 0; i < DVT_COUNT(cases); i++) {
		struct gw_sink *s = gw_sink_new();

		put(cases[i].before);
		gw_sink_use(s, path);
		room(cases[i].room);
		assert_int_equal(
		    gw_sink_write(s, lines, false), cases[i].taken);
		assert_string_equal(content(), cases[i].full);
		assert_int_equal(
		    gw_sink_why(s) == NULL, cases[i].taken == lines.n);
		assert_false(gw_sink_is_full(s));
		room(RLIM_INFINITY);
		assert_int_equal(
		    gw_sink_write(
			s, dvt_span_from(lines, cases[i].taken), false),
		    lines.n - cases[i].taken);
		assert_string_equal(content(), cases[i].after);
		assert_null(gw_sink_why(s));
		assert_int_equal(gw_sink_lost(s), 0);
		gw_sink_free(s);
	}
}

static void
the_rest_of_a_line_is_put_behind_it(void **state)
{
	struct gw_sink *s = gw_sink_new();

	(void)state;
	put(LINE "{\"at");
	gw_sink_use(s, path);
	assert_int_equal(
	    gw_sink_write(s, DVT_SPAN_LIT("\":1}\n" LINE), true), 14);
	assert_string_equal(content(), LINE LINE LINE);
	gw_sink_free(s);
}

static void
a_file_that_was_moved_away_is_made_anew(void **state)
{
	struct gw_sink *s = gw_sink_new();

	(void)state;
	put(LINE);
	gw_sink_use(s, path);
	assert_int_equal(unlink(path), 0);
	gw_sink_use(s, path);
	assert_int_equal(gw_sink_write(s, DVT_SPAN_LIT(LINE), false), 9);
	assert_string_equal(content(), LINE);
	gw_sink_free(s);
}

static void
what_cannot_be_opened_is_tried_again(void **state)
{
	struct gw_sink *s = gw_sink_new();

	(void)state;
	unlink(path);
	assert_int_equal(mkdir(path, 0700), 0);
	gw_sink_use(s, path);
	assert_true(gw_sink_used(s));
	assert_non_null(strstr(gw_sink_why(s), path));
	assert_int_equal(gw_sink_write(s, DVT_SPAN_LIT(LINE), false), 0);
	assert_int_equal(rmdir(path), 0);
	assert_int_equal(gw_sink_write(s, DVT_SPAN_LIT(LINE), false), 9);
	assert_null(gw_sink_why(s));
	gw_sink_free(s);
}

static void
nobody_takes_everything(void **state)
{
	struct gw_sink *s = gw_sink_new();

	(void)state;
	gw_sink_use(s, NULL);
	assert_false(gw_sink_used(s));
	assert_int_equal(gw_sink_write(s, DVT_SPAN_LIT(LINE), false), 9);
	gw_sink_free(s);
}

/* Lines of different lengths, numbered. */
static struct dvt_buf
many_lines(size_t longest)
{
	struct dvt_buf b;

	dvt_buf_init(&b, (size_t)MANY * (longest + 1));
	for (size_t i = 0; i < MANY && b.n < b.max - 2 * longest; i++) {
		dvt_buf_printf(&b, "%zu ", i);
		for (size_t n = i * 37 % (longest - 8); n > 0; n--)
			dvt_buf_putc(&b, 'x');
		dvt_buf_putc(&b, '\n');
	}
	return b;
}

/* What a slow reader gets is what was written, in whole lines. */
static void
read_slowly(struct gw_sink *s, int fd, size_t longest)
{
	struct dvt_buf all = many_lines(longest), got;
	struct dvt_span rest = dvt_buf_span(&all);
	unsigned times_full = 0;
	char part[30000];
	ssize_t r;

	dvt_buf_init(&got, all.n);
	while (got.n < all.n) {
		size_t n = gw_sink_write(s, rest, false);

		assert_true(n == 0 || rest.p[n - 1] == '\n');
		rest = dvt_span_from(rest, n);
		assert_int_equal(gw_sink_is_full(s), gw_sink_why(s) != NULL);
		times_full += gw_sink_is_full(s);
		r = read(fd, part, sizeof(part));
		assert_true(r > 0);
		dvt_buf_put(&got, part, (size_t)r);
	}
	assert_int_equal(rest.n, 0);
	assert_true(times_full > 0);
	assert_memory_equal(got.p, all.p, all.n);
	dvt_buf_fini(&all);
	dvt_buf_fini(&got);
}

static void
a_slow_reader_of_a_pipe_gets_all_and_nobody_waits(void **state)
{
	static const size_t longest[] = {100, 600, 4090};
	struct gw_sink *s = gw_sink_new();
	int fd;

	(void)state;
	unlink(path);
	assert_int_equal(mkfifo(path, 0600), 0);
	gw_sink_use(s, path);
	assert_non_null(gw_sink_why(s)); /* without a reader */
	assert_false(gw_sink_is_full(s));
	fd = open(path, O_RDONLY | O_NONBLOCK);
	assert_true(fd >= 0);
	for (size_t i = 0; i < DVT_COUNT(longest); i++)
		read_slowly(s, fd, longest[i]);
	close(fd);
	assert_int_equal(gw_sink_write(s, DVT_SPAN_LIT(LINE), false), 0);
	assert_non_null(gw_sink_why(s));
	fd = open(path, O_RDONLY | O_NONBLOCK);
	assert_int_equal(gw_sink_write(s, DVT_SPAN_LIT(LINE), false), 9);
	close(fd);
	gw_sink_free(s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_file_that_is_full_has_whole_lines_and_goes_on),
	    cmocka_unit_test(the_rest_of_a_line_is_put_behind_it),
	    cmocka_unit_test(a_file_that_was_moved_away_is_made_anew),
	    cmocka_unit_test(what_cannot_be_opened_is_tried_again),
	    cmocka_unit_test(nobody_takes_everything),
	    cmocka_unit_test(a_slow_reader_of_a_pipe_gets_all_and_nobody_waits),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
