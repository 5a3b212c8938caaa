/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the unit tests of this folder share: a database in a folder of its
 * own, rows put into it, and requests run as a front would hand them over.
 * Every answer is held against the shape of its route.
 */
#ifndef DVT_API_API_TEST_H
#define DVT_API_API_TEST_H

#include "api/fields.h"
#include "proc/config.h"
#include "store/store.h"

#include <setjmp.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define TEST_NOW 1764547200 /* Unix seconds */

/* What handlers asked of core, in order: "audit token.create bob;". */
struct test_core {
	char log[2000];
	enum dvt_code approval; /* what app->core->approval() answers */
	enum dvt_code operate;  /* and app->core->operate() */
	json_t *extra;
	const char *answer; /* of operate(), as JSON */
	const char *import_key;
};

struct test_api {
	char dir[64], path[96];
	struct dvt_store *store;
	sqlite3 *db; /* for put() */
	struct test_core core;
	struct dvt_config *config;
	int status; /* of the last answer; 0: somebody else answers, later */
	json_t *answer;
};

int test_api_open(void **state); /* with tokens of each role, by its name */
int test_api_close(void **state);
#define test_api(fn)                                                           \
	cmocka_unit_test_setup_teardown(fn, test_api_open, test_api_close)

/* A row: @values as "column = 'text', other = 7"; other columns are "", 0 or
 * the first word that the table allows. */
void put(struct test_api *t, const char *table, const char *values, ...)
    __attribute__((format(printf, 3, 4)));

/* One request by the token of role @who (NULL: none); @body JSON or NULL.
 * Returns the answer, borrowed until the next. */
const json_t *ask(struct test_api *t, const char *who, const char *method,
    const char *target, const char *body);
#define get(t, target) ask(t, "viewer", "GET", target, NULL)
/* The same, and the status must be this one. */
const json_t *ask_for(struct test_api *t, int status, const char *who,
    const char *method, const char *target, const char *body);

/* Text at "items.0.name" of the last answer, as JSON without blanks; texts
 * without quotes; "" when there is none. Borrowed until the next. */
const char *at(struct test_api *t, const char *path);
#define assert_at(t, path, text) assert_string_equal(at(t, path), text)

#endif
