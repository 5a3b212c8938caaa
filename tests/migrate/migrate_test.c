/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Databases of former releases, brought up to date.
 *
 *   migrate_test [DUMP.sql ...]
 *   migrate_test --make FILE      a new database with a row in every table
 */
#include "store/store_test.h"

#include "store/audit.h"

#include <sqlite3.h>

#define DUMP_MAX (64 << 20) /* bytes of one dump */

static char **dumps;
static int dumps_n;

static void
sql_in(sqlite3 *db, const char *text)
{
	if (sqlite3_exec(db, text, NULL, NULL, NULL) != SQLITE_OK)
		fail_msg("%s: %.200s", sqlite3_errmsg(db), text);
}

/* The first word that a column's CHECK allows; NULL when it has none. */
static const char *
first_word(const char *table, const char *column)
{
	for (size_t i = 0; i < dvt_sql_checks_n; i++) {
		const struct dvt_sql_check *c = &dvt_sql_checks[i];

		if (strcmp(c->table, table) == 0 &&
		    strcmp(c->column, column) == 0)
			return c->words[0];
	}
	return NULL;
}

static void
put_value(
    struct dvt_buf *b, const char *table, const char *column, const char *type)
{
	const char *word = first_word(table, column);

	if (word != NULL)
		dvt_buf_printf(b, "'%s'", word);
	else if (strcmp(type, "TEXT") == 0)
		dvt_buf_printf(b, "'a %s of %s'", column, table);
	else if (strcmp(type, "BLOB") == 0)
		dvt_buf_puts(b, "x'00ff'");
	else
		dvt_buf_puts(b, "7");
}

static void
put_row(sqlite3 *db, const char *table)
{
	struct dvt_buf b;
	sqlite3_stmt *h;
	char text[128];
	bool first = true;

	dvt_buf_init(&b, 65536);
	dvt_buf_printf(&b, "INSERT INTO %s VALUES (", table);
	(void)snprintf(text, sizeof(text), "PRAGMA table_info(%s)", table);
	assert_int_equal(sqlite3_prepare_v2(db, text, -1, &h, NULL), 0);
	while (sqlite3_step(h) == SQLITE_ROW) {
		if (!first)
			dvt_buf_puts(&b, ", ");
		first = false;
		put_value(&b, table, (const char *)sqlite3_column_text(h, 1),
		    (const char *)sqlite3_column_text(h, 2));
	}
	(void)sqlite3_finalize(h);
	dvt_buf_puts(&b, ")");
	sql_in(db, dvt_buf_str(&b));
	dvt_buf_fini(&b);
}

/* Call @fn for each table. */
static void
each_table(sqlite3 *db, void (*fn)(sqlite3 *db, const char *table, void *ctx),
    void *ctx)
{
	sqlite3_stmt *h;

	assert_int_equal(sqlite3_prepare_v2(db,
			     "SELECT name FROM sqlite_schema "
			     "WHERE type = 'table' ORDER BY name",
			     -1, &h, NULL),
	    0);
	while (sqlite3_step(h) == SQLITE_ROW)
		fn(db, (const char *)sqlite3_column_text(h, 0), ctx);
	(void)sqlite3_finalize(h);
}

static void
fill_one(sqlite3 *db, const char *table, void *ctx)
{
	/* Those have real rows: the schema's number, a chain of hashes. */
	if (strcmp(table, "meta") != 0 && strcmp(table, "audit") != 0 &&
	    strcmp(table, "audit_stream") != 0)
		put_row(db, table);
}

static void
make(const char *path)
{
	static const struct dvt_row_audit row = {.stream = "host-1",
	    .at = 1764547200,
	    .actor = "operator",
	    .action = "init",
	    .object = "fleet"};
	char stream[DVT_AUDIT_STREAM_SIZE];
	struct dvt_store *s;
	struct dvt_tx *tx;
	sqlite3 *db;

	assert_done(dvt_store_open(path, DVT_STORE_WRITE, &s, &err));
	assert_done(dvt_store_migrate(s, &err));
	assert_done(dvt_tx_begin(s, &tx, &err));
	assert_done(dvt_store_audit_open(tx, "host", 1764547200, stream, &err));
	for (int i = 0; i < 3; i++)
		assert_done(dvt_store_audit_append(tx, &row, NULL, &err));
	assert_done(dvt_tx_commit(tx, &err));
	dvt_store_close(s);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	each_table(db, fill_one, NULL);
	(void)sqlite3_close(db);
}

/* --- comparing --- */

static void
count_one(sqlite3 *db, const char *table, void *ctx)
{
	struct dvt_buf *b = ctx;
	sqlite3_stmt *h;
	char text[128];

	(void)snprintf(text, sizeof(text), "SELECT count(*) FROM %s", table);
	assert_int_equal(sqlite3_prepare_v2(db, text, -1, &h, NULL), 0);
	assert_int_equal(sqlite3_step(h), SQLITE_ROW);
	dvt_buf_printf(b, "%s %lld\n", table, sqlite3_column_int64(h, 0));
	(void)sqlite3_finalize(h);
}

/* Tables with their columns, and indexes, one per line; not the order in
 * which migrations made them. */
static void
describe(sqlite3 *db, struct dvt_buf *b)
{
	static const char text[] =
	    "SELECT t.name || '.' || c.name || ' ' || c.type || ' ' || "
	    "c.\"notnull\" || ' ' || c.pk FROM sqlite_schema t, "
	    "pragma_table_info(t.name) c WHERE t.type = 'table' UNION ALL "
	    "SELECT 'index ' || i.name || ' ' || i.tbl_name || ' ' || "
	    "(SELECT group_concat(x.name) FROM pragma_index_info(i.name) x) "
	    "FROM sqlite_schema i WHERE i.type = 'index' ORDER BY 1";
	sqlite3_stmt *h;

	if (sqlite3_prepare_v2(db, text, -1, &h, NULL) != SQLITE_OK)
		fail_msg("%s", sqlite3_errmsg(db));
	while (sqlite3_step(h) == SQLITE_ROW)
		dvt_buf_printf(b, "%s\n", sqlite3_column_text(h, 0));
	(void)sqlite3_finalize(h);
}

static void
rows_of(const char *path, struct dvt_buf *b)
{
	sqlite3 *db;

	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	each_table(db, count_one, b);
	(void)sqlite3_close(db);
}

static void
schema_of(const char *path, struct dvt_buf *b)
{
	sqlite3 *db;

	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	describe(db, b);
	(void)sqlite3_close(db);
}

static void
statements_prepare(const char *path)
{
	sqlite3 *db;

	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	for (size_t i = 0; i < SQL_N; i++) {
		sqlite3_stmt *h = NULL;

		if (sqlite3_prepare_v2(db, dvt_sql[i].sqlite, -1, &h, NULL) !=
		    SQLITE_OK)
			fail_msg("%s: %s", dvt_sql[i].name, sqlite3_errmsg(db));
		(void)sqlite3_finalize(h);
	}
	(void)sqlite3_close(db);
}

/* Every line of @before is in @after: no table lost a row. */
static void
rows_are_kept(struct dvt_buf *before, struct dvt_buf *after)
{
	char *rest = NULL, *line;

	for (line = strtok_r((char *)before->p, "\n", &rest); line != NULL;
	     line = strtok_r(NULL, "\n", &rest)) {
		if (strstr(dvt_buf_str(after), line) == NULL)
			fail_msg("was: %s; is:\n%s", line, dvt_buf_str(after));
	}
}

static void
audit_is_sound(const char *path)
{
	struct dvt_audit_report report;
	struct dvt_arena arena = {0};
	struct dvt_store *s;
	struct dvt_tx *tx;

	assert_done(dvt_store_open(path, DVT_STORE_READ, &s, &err));
	assert_done(dvt_tx_begin(s, &tx, &err));
	assert_done(dvt_store_audit_verify(tx, &arena, NULL, &report, &err));
	assert_int_equal(report.total, 0);
	assert_true(report.entries > 0);
	dvt_store_close(s);
	dvt_arena_free(&arena);
}

static void
upgrade(struct test_store *t, const char *old)
{
	struct dvt_buf fresh, before, after, schema;
	struct dvt_store *s;

	dvt_buf_init(&fresh, 1 << 20);
	dvt_buf_init(&before, 1 << 20);
	dvt_buf_init(&after, 1 << 20);
	dvt_buf_init(&schema, 1 << 20);
	rows_of(old, &before);
	(void)dvt_buf_str(&before);
	assert_done(dvt_store_open(old, DVT_STORE_WRITE, &s, &err));
	assert_done(dvt_store_migrate(s, &err));
	assert_int_equal(dvt_store_schema(s), dvt_store_schema_known());
	dvt_store_close(s);
	rows_of(old, &after);
	rows_are_kept(&before, &after);
	schema_of(t->path, &fresh); /* made anew by test_store_open() */
	schema_of(old, &schema);
	assert_string_equal(dvt_buf_str(&schema), dvt_buf_str(&fresh));
	statements_prepare(old);
	audit_is_sound(old);
	dvt_buf_fini(&fresh);
	dvt_buf_fini(&before);
	dvt_buf_fini(&after);
	dvt_buf_fini(&schema);
}

static void
take_away(const char *path)
{
	static const char *const tails[] = {"", "-wal", "-shm"};
	char name[160];

	for (size_t i = 0; i < DVT_COUNT(tails); i++) {
		(void)snprintf(name, sizeof(name), "%s%s", path, tails[i]);
		(void)unlink(name);
	}
}

static void
the_database_of_today_opens_tomorrow(void **state)
{
	struct test_store *t = *state;
	char path[128];

	dvt_tx_rollback(t->tx);
	(void)snprintf(path, sizeof(path), "%s/today", t->dir);
	make(path);
	upgrade(t, path);
	take_away(path);
}

static void
load(const char *dump, const char *path)
{
	char *text = calloc(1, DUMP_MAX);
	FILE *f = fopen(dump, "r");
	sqlite3 *db;

	if (f == NULL)
		fail_msg("%s cannot be read", dump);
	assert_true(fread(text, 1, DUMP_MAX - 1, f) > 0);
	assert_true(feof(f));
	(void)fclose(f);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	sql_in(db, text);
	(void)sqlite3_close(db);
	free(text);
}

static void
databases_of_releases_are_brought_up_to_date(void **state)
{
	struct test_store *t = *state;
	char path[128];

	dvt_tx_rollback(t->tx);
	(void)snprintf(path, sizeof(path), "%s/release", t->dir);
	for (int i = 0; i < dumps_n; i++) {
		print_message("%s\n", dumps[i]);
		load(dumps[i], path);
		upgrade(t, path);
		take_away(path);
	}
}

static void
a_migration_that_fails_leaves_what_was_there(void **state)
{
	struct test_store *t = *state;
	struct dvt_store *s;
	char path[128];
	sqlite3 *db;

	(void)snprintf(path, sizeof(path), "%s/foreign", t->dir);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	sql_in(db, "CREATE TABLE device (mine TEXT); "
		   "INSERT INTO device VALUES ('kept')");
	(void)sqlite3_close(db);
	assert_done(dvt_store_open(path, DVT_STORE_WRITE, &s, &err));
	assert_int_equal(dvt_store_migrate(s, &err), DVT_E_SYSTEM);
	assert_non_null(strstr(err.text, "migration 0001_initial"));
	assert_non_null(strstr(err.text, "device already exists"));
	assert_int_equal(dvt_store_schema(s), 0);
	dvt_store_close(s);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	sql_in(db, "UPDATE device SET mine = 'still'");
	assert_int_equal(
	    sqlite3_exec(db, "SELECT * FROM meta", NULL, NULL, NULL),
	    SQLITE_ERROR); /* nothing of it is there */
	(void)sqlite3_close(db);
	take_away(path);
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
	    test_in_store(the_database_of_today_opens_tomorrow),
	    test_in_store(databases_of_releases_are_brought_up_to_date),
	    test_in_store(a_migration_that_fails_leaves_what_was_there),
	};

	if (argc == 3 && strcmp(argv[1], "--make") == 0) {
		make(argv[2]);
		return 0;
	}
	dumps = argv + 1;
	dumps_n = argc - 1;
	return cmocka_run_group_tests_name("migrate", tests, NULL, NULL);
}
