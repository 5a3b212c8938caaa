/* SPDX-License-Identifier: Apache-2.0 */
#include "store/store_test.h"

#include "fleet/rows.h"
#include "store/maps.h"

#include <sqlite3.h>

static bool
has_field(const struct dvt_row_map *map, const char *name)
{
	for (size_t i = 0; i < map->n; i++) {
		if (strcmp(map->fields[i].name, name) == 0)
			return true;
	}
	return false;
}

/* Columns that a struct leaves out on purpose. */
static bool
left_out(const char *table, const char *column)
{
	return (strcmp(table, "rotation") == 0 &&
		   strcmp(column, "plan") == 0) ||
	       (strcmp(table, "tally") == 0 && strcmp(column, "shard") == 0);
}

static void
every_map_has_the_columns_of_its_table(void **state)
{
#define ROW(map, table) {&dvt_map_##map, table},
	static const struct {
		const struct dvt_row_map *map;
		const char *table;
	} all[] = {DVT_ROW_MAPS(ROW)};
#undef ROW
	struct test_store *t = *state;
	sqlite3 *db;

	assert_int_equal(sqlite3_open(t->path, &db), SQLITE_OK);
	for (size_t i = 0; i < DVT_COUNT(all); i++) {
		sqlite3_stmt *h;
		char sql[96];
		size_t n = 0;

		(void)snprintf(
		    sql, sizeof(sql), "SELECT * FROM %s", all[i].table);
		assert_int_equal(
		    sqlite3_prepare_v2(db, sql, -1, &h, NULL), SQLITE_OK);
		for (int c = 0; c < sqlite3_column_count(h); c++) {
			const char *name = sqlite3_column_name(h, c);

			if (left_out(all[i].table, name))
				continue;
			if (!has_field(all[i].map, name))
				fail_msg(
				    "%s.%s is in no row", all[i].table, name);
			n++;
		}
		if (n != all[i].map->n)
			fail_msg("%s: a field that is no column", all[i].table);
		(void)sqlite3_finalize(h);
	}
	(void)sqlite3_close(db);
}

static bool
same_words(const struct dvt_stored *s, const struct dvt_sql_check *c)
{
	if (s->n != c->n)
		return false;
	for (size_t i = 0; i < s->n; i++) {
		if (strcmp(s->names[i], c->words[i]) != 0)
			return false;
	}
	return true;
}

static void
check_lists_of_the_schema_are_those_of_the_code(void **state)
{
	(void)state;
	assert_int_equal(dvt_stored_n, dvt_sql_checks_n);
	for (size_t i = 0; i < dvt_stored_n; i++) {
		const struct dvt_stored *s = &dvt_stored[i];
		size_t k;

		for (k = 0; k < dvt_sql_checks_n; k++) {
			const struct dvt_sql_check *c = &dvt_sql_checks[k];

			if (strcmp(c->table, s->table) == 0 &&
			    strcmp(c->column, s->column) == 0)
				break;
		}
		if (k == dvt_sql_checks_n)
			fail_msg("%s.%s has no CHECK", s->table, s->column);
		if (!same_words(s, &dvt_sql_checks[k]))
			fail_msg("%s.%s: CHECK and code differ", s->table,
			    s->column);
	}
}

static void
a_name_that_is_not_known_is_refused(void **state)
{
	static const struct dvt_field fields[] = {
	    {"value", DVT_FIELD_NAMED, 0, sizeof(unsigned),
             dvt_device_state_name}
        };
	static const struct dvt_row_map map = {sizeof(unsigned), fields, 1};
	struct test_store *t = *state;
	unsigned row;

	assert_done(dvt_store_meta_set(t->tx, "k", "parked", &err));
	assert_done(dvt_sql_one(
	    t->tx, SQL_META_GET, &map, &t->arena, &row, &err, BT("key", "k")));
	assert_int_equal(row, DVT_DEVICE_PARKED);
	assert_done(dvt_store_meta_set(t->tx, "k", "asleep", &err));
	assert_code(DVT_E_SYSTEM, dvt_sql_one(t->tx, SQL_META_GET, &map,
				      &t->arena, &row, &err, BT("key", "k")));
	assert_non_null(strstr(err.text, "'asleep' is not known"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    test_in_store(every_map_has_the_columns_of_its_table),
	    cmocka_unit_test(check_lists_of_the_schema_are_those_of_the_code),
	    test_in_store(a_name_that_is_not_known_is_refused),
	};

	return cmocka_run_group_tests_name("maps", tests, NULL, NULL);
}
