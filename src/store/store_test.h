/* SPDX-License-Identifier: Apache-2.0 */
/* What the unit tests of this folder share: a store in a folder of its own. */
#ifndef DVT_STORE_STORE_TEST_H
#define DVT_STORE_STORE_TEST_H

#include "store/store.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

struct test_store {
	char dir[64];
	char path[96];
	struct dvt_store *store;
	struct dvt_tx *tx;
	struct dvt_arena arena;
};

/* Where calls under test tell why; cleared by each assert_code(). */
static struct dvt_err err;

/* The call must return this code; else the test fails with the error's text. */
#define assert_code(want, call)                                                \
	do {                                                                   \
		enum dvt_code got_;                                            \
                                                                               \
		memset(&err, 0, sizeof(err));                                  \
		got_ = (call);                                                 \
		if (got_ != (want))                                            \
			fail_msg("%s instead of %s: %s", dvt_code_name(got_),  \
			    dvt_code_name(want), err.text);                    \
	} while (0)
#define assert_done(call) assert_code(DVT_OK, call)

static inline int
test_store_open(void **state)
{
	struct test_store *t = calloc(1, sizeof(*t));
	const char *tmp = getenv("TMPDIR");

	(void)snprintf(t->dir, sizeof(t->dir), "%.40s/store-XXXXXX",
	    tmp == NULL ? "/tmp" : tmp);
	if (mkdtemp(t->dir) == NULL)
		return -1;
	(void)snprintf(t->path, sizeof(t->path), "%s/db", t->dir);
	*state = t;
	if (dvt_store_open(t->path, DVT_STORE_WRITE, &t->store, NULL) ||
	    dvt_store_migrate(t->store, NULL))
		return -1;
	return dvt_tx_begin(t->store, &t->tx, NULL) == DVT_OK ? 0 : -1;
}

static inline int
test_store_close(void **state)
{
	static const char *const tails[] = {"", "-wal", "-shm", "-journal"};
	struct test_store *t = *state;
	char path[128];

	dvt_store_close(t->store);
	dvt_arena_free(&t->arena);
	for (size_t i = 0; i < DVT_COUNT(tails); i++) {
		(void)snprintf(path, sizeof(path), "%s%s", t->path, tails[i]);
		(void)unlink(path);
	}
	(void)rmdir(t->dir);
	free(t);
	return 0;
}

#define test_in_store(fn)                                                      \
	cmocka_unit_test_setup_teardown(fn, test_store_open, test_store_close)

#endif
