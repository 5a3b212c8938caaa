/* SPDX-License-Identifier: Apache-2.0 */
#include "store/store_test.h"

#include "store/row.h"

#include <sqlite3.h>

#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>

#define SET(t, key, value) dvt_store_meta_set((t)->tx, key, value, &err)

static const char *
get(struct test_store *t, const char *key)
{
	const char *value = NULL;

	return dvt_store_meta_get(t->tx, &t->arena, key, &value, &err) == DVT_OK
		   ? value
		   : NULL;
}

static void
again(struct test_store *t)
{
	assert_done(dvt_tx_begin(t->store, &t->tx, &err));
}

static void
every_statement_prepares_with_its_names(void **state)
{
	struct test_store *t = *state;
	sqlite3 *db;

	assert_int_equal(sqlite3_open(t->path, &db), SQLITE_OK);
	for (size_t i = 0; i < SQL_N; i++) {
		const struct dvt_sql *s = &dvt_sql[i];
		sqlite3_stmt *h = NULL;

		if (sqlite3_prepare_v2(db, s->sqlite, -1, &h, NULL) !=
		    SQLITE_OK)
			fail_msg("%s: %s", s->name, sqlite3_errmsg(db));
		assert_int_equal(sqlite3_bind_parameter_count(h), s->in_n);
		if ((size_t)sqlite3_column_count(h) != s->out_n)
			fail_msg("%s: %d columns, %zu in its comment", s->name,
			    sqlite3_column_count(h), s->out_n);
		for (size_t c = 0; c < s->out_n; c++)
			assert_string_equal(
			    sqlite3_column_name(h, (int)c), s->out[c].name);
		(void)sqlite3_finalize(h);
	}
	(void)sqlite3_close(db);
}

/* What runs for a single device or row must not look at the whole fleet. */
static void
hot_statements_go_by_their_own_index(void **state)
{
	static const struct {
		enum dvt_sql_id id;
		const char *plan;
	} hot[] = {
	    {SQL_CREDENTIAL_BY_FINGERPRINT, "INDEX credential_by_fingerprint" },
	    {SQL_CREDENTIAL_CURRENT,        "INDEX credential_by_key (owner=?"},
	    {SQL_CREDENTIAL_OLDER_ACTIVE,   "INDEX credential_by_key (owner=?"},
	    {SQL_CREDENTIAL_NEWEST_BY_KEY,  "(owner=? AND key_digest=?)"      },
	    {SQL_CREDENTIAL_HOLD_ENDED,     "INDEX credential_by_hold"        },
	    {SQL_CREDENTIAL_SEEN,           "INDEX credential_by_fingerprint" },
	    {SQL_DEVICE_SILENT,             "INDEX device_by_park"            },
	    {SQL_ASSIGNMENT_DUE,            "INDEX assignment_due"            },
	    {SQL_ASSIGNMENT_NEXT,           "INDEX assignment_release"        },
	    {SQL_OUTBOX_DUE,                "INDEX outbox_due"                },
	    {SQL_MAIL_LIST,                 "PRIMARY KEY (device_id=?)"       },
	    {SQL_FEED_LIST,                 "INDEX feed_by_position"          },
	    {SQL_FEED_SET,                  "SEARCH feed"                     },
	    {SQL_EVENT_ADD,                 "SEARCH event"                    },
	    {SQL_HANDSHAKE_ADD,             "SEARCH handshake"                },
	    {SQL_OUTBOX_PUT,                "SEARCH outbox"                   },
	};
	struct test_store *t = *state;
	sqlite3 *db;

	assert_int_equal(sqlite3_open(t->path, &db), SQLITE_OK);
	for (size_t i = 0; i < DVT_COUNT(hot); i++) {
		bool found = false;
		sqlite3_stmt *h;
		char text[4096];

		(void)snprintf(text, sizeof(text), "EXPLAIN QUERY PLAN %s",
		    dvt_sql[hot[i].id].sqlite);
		assert_int_equal(
		    sqlite3_prepare_v2(db, text, -1, &h, NULL), SQLITE_OK);
		while (sqlite3_step(h) == SQLITE_ROW)
			found |= strstr((const char *)sqlite3_column_text(h, 3),
				     hot[i].plan) != NULL;
		(void)sqlite3_finalize(h);
		if (!found)
			fail_msg("%s: not by %s", dvt_sql[hot[i].id].name,
			    hot[i].plan);
	}
	(void)sqlite3_close(db);
}

static void
what_is_committed_stays_and_the_rest_does_not(void **state)
{
	struct test_store *t = *state;
	struct stat st;

	assert_done(SET(t, "a", "1"));
	assert_done(dvt_tx_commit(t->tx, &err));
	again(t);
	assert_done(SET(t, "a", "2"));
	dvt_tx_rollback(t->tx);
	dvt_store_close(t->store);
	assert_done(dvt_store_open(t->path, DVT_STORE_WRITE, &t->store, &err));
	assert_int_equal(dvt_store_schema(t->store), dvt_store_schema_known());
	again(t);
	assert_string_equal(get(t, "a"), "1");
	assert_int_equal(stat(t->path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
}

static void
savepoints_nest_and_undo_only_their_own(void **state)
{
	struct test_store *t = *state;

	assert_done(SET(t, "k", "0"));
	assert_done(dvt_tx_save(t->tx, &err));
	assert_done(SET(t, "k", "1"));
	assert_done(dvt_tx_save(t->tx, &err));
	assert_done(SET(t, "k", "2"));
	assert_done(dvt_tx_undo(t->tx, &err));
	assert_string_equal(get(t, "k"), "1");
	assert_done(dvt_tx_release(t->tx, &err));
	assert_done(dvt_tx_save(t->tx, &err));
	assert_done(SET(t, "k", "3"));
	assert_done(dvt_tx_undo(t->tx, &err));
	assert_string_equal(get(t, "k"), "1");
	for (int i = 0; i < 8; i++)
		assert_done(dvt_tx_save(t->tx, &err));
	assert_code(DVT_E_LIMIT, dvt_tx_save(t->tx, &err));
	for (int i = 0; i < 8; i++)
		assert_done(dvt_tx_release(t->tx, &err));
	assert_done(dvt_tx_commit(t->tx, &err));
}

static void
a_statement_in_use_may_be_got_again(void **state)
{
	struct test_store *t = *state;
	struct dvt_stmt *outer, *inner, *third;
	bool row;

	assert_done(SET(t, "a", "1"));
	assert_done(SET(t, "b", "2"));
	assert_done(dvt_stmt_get(t->tx, SQL_META_GET, &outer, &err));
	dvt_bind_text(outer, "key", "a");
	assert_done(dvt_stmt_next(outer, &row, &err));
	assert_true(row);
	assert_done(dvt_stmt_get(t->tx, SQL_META_GET, &inner, &err));
	assert_ptr_not_equal(outer, inner);
	dvt_bind_text(inner, "key", "b");
	assert_done(dvt_stmt_next(inner, &row, &err));
	assert_string_equal(dvt_col_text(inner, "value"), "2");
	assert_string_equal(dvt_col_text(outer, "value"), "1");
	dvt_stmt_put(inner);
	dvt_stmt_put(outer);
	assert_done(dvt_stmt_get(t->tx, SQL_META_GET, &third, &err));
	assert_true(third == inner || third == outer);
	dvt_stmt_put(third);
}

static void
a_bad_bind_is_kept_and_told_by_run(void **state)
{
	static const struct {
		const char *why;
		struct dvt_arg args[3];
	} bad[] = {
	    {"no such parameter",         {BT("key", "k"), BT("valu", "v")}  },
	    {"parameter of another type", {BI("key", 1), BT("value", "v")}   },
	    {"must not be NULL",          {BT("key", "k"), BT("value", NULL)}},
	    {"not bound",                 {BT("key", "k")}                   },
	};
	struct test_store *t = *state;

	for (size_t i = 0; i < DVT_COUNT(bad); i++) {

		assert_int_equal(dvt_sql_run_args(t->tx, SQL_META_SET, NULL,
				     NULL, NULL, bad[i].args, &err),
		    DVT_E_SYSTEM);
		if (strstr(err.text, bad[i].why) == NULL)
			fail_msg("'%s' instead of '%s'", err.text, bad[i].why);
		assert_null(get(t, "k"));
	}
	assert_null(dvt_tx_broken(t->tx)); /* our mistake, not the database's */
	assert_done(SET(t, "k", "v"));
}

static void
numbers_count_up_from_one(void **state)
{
	struct test_store *t = *state;
	int64_t n;

	for (int64_t i = 1; i < 12; i++) {
		assert_done(dvt_store_meta_count(t->tx, "starts", &n, &err));
		assert_int_equal(n, i);
	}
}

static void
a_database_of_a_newer_version_is_refused(void **state)
{
	struct test_store *t = *state;

	assert_done(SET(t, "schema", "99"));
	assert_done(dvt_tx_commit(t->tx, &err));
	dvt_store_close(t->store);
	t->store = NULL;
	for (int mode = 0; mode < 2; mode++) {
		struct dvt_store *s;

		assert_int_equal(dvt_store_open(t->path,
				     (enum dvt_store_mode)mode, &s, &err),
		    DVT_E_CONFLICT);
		assert_non_null(strstr(err.text, "schema 99"));
		assert_non_null(strstr(err.text, "newer version"));
		assert_null(s);
	}
}

static void
a_reader_sees_one_snapshot_and_changes_nothing(void **state)
{
	struct test_store *t = *state;
	struct dvt_store *reader;
	struct test_store r = {0};

	assert_done(SET(t, "k", "old"));
	assert_done(dvt_tx_commit(t->tx, &err));
	assert_done(dvt_store_open(t->path, DVT_STORE_READ, &reader, &err));
	assert_done(dvt_tx_begin(reader, &r.tx, &err));
	assert_string_equal(get(&r, "k"), "old");
	again(t);
	assert_done(SET(t, "k", "new"));
	assert_done(dvt_tx_commit(t->tx, &err));
	assert_string_equal(get(&r, "k"), "old");
	assert_code(DVT_E_SYSTEM, SET(&r, "k", "reader"));
	dvt_tx_rollback(r.tx);
	assert_done(dvt_tx_begin(reader, &r.tx, &err));
	assert_string_equal(get(&r, "k"), "new");
	dvt_store_close(reader);
	dvt_arena_free(&r.arena);
}

static void
to_read_there_must_be_a_database(void **state)
{
	struct test_store *t = *state;
	struct dvt_store *s;
	char path[128];
	FILE *f;

	(void)snprintf(path, sizeof(path), "%s/none", t->dir);
	assert_int_equal(
	    dvt_store_open(path, DVT_STORE_READ, &s, &err), DVT_E_ABSENT);
	assert_non_null(strstr(err.text, path));
	f = fopen(path, "w");
	for (int i = 0; i < 400; i++)
		(void)fputs("this is not a database", f);
	(void)fclose(f);
	assert_int_equal(
	    dvt_store_open(path, DVT_STORE_READ, &s, &err), DVT_E_SYSTEM);
	assert_non_null(strstr(err.text, "not a database"));
	assert_int_equal(
	    dvt_store_open(path, DVT_STORE_WRITE, &s, &err), DVT_E_SYSTEM);
	(void)unlink(path);
}

/* What the database itself fails in ends the transaction, and loses none of
 * those before. A limit on the size of files stands for a bad disk. */
static void
a_failed_write_is_told_until_the_end_and_keeps_nothing(void **state)
{
	struct test_store *t = *state;
	struct rlimit was, small;
	enum dvt_code rc = DVT_OK;
	char *big = calloc(1, 100001);

	memset(big, 'x', 100000);
	assert_done(SET(t, "before", "kept"));
	assert_done(dvt_tx_commit(t->tx, &err));
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &was), 0);
	small = was;
	small.rlim_cur = 400000;
	(void)signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	again(t);
	assert_done(SET(t, "first", "lost"));
	for (char key[2] = "a"; rc == DVT_OK && key[0] < 'z'; key[0]++)
		rc = dvt_store_meta_set(t->tx, key, big, &err);
	if (rc == DVT_OK)
		rc = dvt_tx_commit(t->tx, &err);
	else
		assert_int_equal(dvt_tx_commit(t->tx, &err), DVT_E_SYSTEM);
	assert_int_equal(rc, DVT_E_SYSTEM);
	assert_non_null(strstr(err.text, t->path));
	assert_non_null(strstr(err.text, "nothing of this transaction"));
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &was), 0);
	again(t);
	assert_string_equal(get(t, "before"), "kept");
	assert_null(get(t, "first"));
	assert_null(get(t, "a"));
	assert_done(SET(t, "after", "works"));
	assert_done(dvt_tx_commit(t->tx, &err));
	free(big);
}

static void
a_reader_opens_while_a_writer_writes(void **state)
{
	struct test_store *t = *state;
	struct dvt_store *reader;
	struct test_store r = {0};

	assert_done(SET(t, "k", "open"));
	assert_done(dvt_store_open(t->path, DVT_STORE_READ, &reader, &err));
	assert_done(dvt_tx_begin(reader, &r.tx, &err));
	assert_null(get(&r, "k"));
	dvt_store_close(reader);
	dvt_arena_free(&r.arena);
	assert_done(dvt_tx_commit(t->tx, &err));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    test_in_store(every_statement_prepares_with_its_names),
	    test_in_store(hot_statements_go_by_their_own_index),
	    test_in_store(what_is_committed_stays_and_the_rest_does_not),
	    test_in_store(savepoints_nest_and_undo_only_their_own),
	    test_in_store(a_statement_in_use_may_be_got_again),
	    test_in_store(a_bad_bind_is_kept_and_told_by_run),
	    test_in_store(numbers_count_up_from_one),
	    test_in_store(a_database_of_a_newer_version_is_refused),
	    test_in_store(a_reader_sees_one_snapshot_and_changes_nothing),
	    test_in_store(to_read_there_must_be_a_database),
	    test_in_store(
		a_failed_write_is_told_until_the_end_and_keeps_nothing),
	    test_in_store(a_reader_opens_while_a_writer_writes),
	};

	return cmocka_run_group_tests_name("store", tests, NULL, NULL);
}
