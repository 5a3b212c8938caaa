/* SPDX-License-Identifier: Apache-2.0 */
#include "proc/args.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define WORDS_MAX 80

/* The words of @line as argv; "program" first. */
static int
split(const char *line, char room[1024], char *argv[WORDS_MAX])
{
	int n = 0;

	snprintf(room, 1024, "program %s", line);
	for (char *w = strtok(room, " "); w != NULL; w = strtok(NULL, " "))
		argv[n++] = w;
	argv[n] = NULL;
	return n;
}

static enum dvt_code
given(const char *line, char room[1024], struct dvt_args *a, struct dvt_err *e)
{
	char *argv[WORDS_MAX];
	int argc = split(line, room, argv);

	return dvt_args_read(argc, argv, "program", "usage\n", a, e);
}

static void
what_is_given_is_read_and_the_rest_refused(void **state)
{
	static const struct {
		const char *line;
		enum dvt_code code;
		const char *config, *set; /* the first one */
		bool check, man;
	} rows[] = {
	    {"--config a.ini",               DVT_OK,      "a.ini", NULL,  0, 0},
	    {"-c a.ini -n --set k=1 -s l=2", DVT_OK,      "a.ini", "k=1", 1, 0},
	    {"--settings-man",               DVT_OK,      NULL,    NULL,  0, 1},
	    {"",			     DVT_E_INPUT, NULL,    NULL,  0, 0},
	    {"-n",			   DVT_E_INPUT, NULL,    NULL,  1, 0},
	    {"-c a.ini more",                DVT_E_INPUT, "a.ini", NULL,  0, 0},
	};
	struct dvt_args a;
	struct dvt_err err;
	char room[1024];

	(void)state;
	for (size_t i = 0; i < DVT_COUNT(rows); i++) {
		assert_int_equal(
		    given(rows[i].line, room, &a, &err), rows[i].code);
		assert_true((a.config == NULL) == (rows[i].config == NULL));
		if (a.config != NULL)
			assert_string_equal(a.config, rows[i].config);
		assert_int_equal(a.check, rows[i].check);
		assert_int_equal(a.man, rows[i].man);
		assert_true((a.set_n > 0) == (rows[i].set != NULL));
		if (a.set_n > 0)
			assert_string_equal(a.set[0], rows[i].set);
	}
}

static void
no_more_settings_than_there_is_room_for(void **state)
{
	char line[900] = "-c a.ini", room[1024];
	struct dvt_args a;
	struct dvt_err err;

	(void)state;
	for (int i = 0; i < DVT_ARGS_SET_MAX; i++)
		strcat(line, " -s k=1");
	assert_int_equal(given(line, room, &a, &err), DVT_OK);
	assert_int_equal(a.set_n, DVT_ARGS_SET_MAX);
	strcat(line, " -s k=1");
	assert_int_equal(given(line, room, &a, &err), DVT_E_LIMIT);
}

static void
questions_end_the_process(void **state)
{
	static const struct {
		const char *line;
		int status;
	} rows[] = {
	    {"--help",    0 },
            {"--version", 0 },
            {"--colour",  64}
        };
	struct dvt_args a;
	char room[1024];
	int status;

	(void)state;
	for (size_t i = 0; i < DVT_COUNT(rows); i++) {
		pid_t pid = fork();

		if (pid == 0) {
			(void)!freopen("/dev/null", "w", stdout);
			(void)!freopen("/dev/null", "w", stderr);
			(void)!given(rows[i].line, room, &a, NULL);
			_exit(99);
		}
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_int_equal(WEXITSTATUS(status), rows[i].status);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_is_given_is_read_and_the_rest_refused),
	    cmocka_unit_test(no_more_settings_than_there_is_room_for),
	    cmocka_unit_test(questions_end_the_process),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
