/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What tools/embed-sql makes of src/store/sql: every statement with its typed
 * parameters and columns, the migrations, and the CHECK lists of the schema.
 */
#ifndef DVT_STORE_SQL_H
#define DVT_STORE_SQL_H

#include "store/sql_gen.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum dvt_sql_type { DVT_SQL_INT, DVT_SQL_TEXT, DVT_SQL_BYTES };

struct dvt_sql_name {
	const char *name;
	enum dvt_sql_type type;
	bool null; /* may be NULL */
};

struct dvt_sql {
	const char *name;
	const char *sqlite;   /* parameters are ?1, ?2 ... in the order of in */
	const char *postgres; /* $1, $2 ... */
	const struct dvt_sql_name *in;
	size_t in_n;
	const struct dvt_sql_name *out; /* columns, in order */
	size_t out_n;
};
extern const struct dvt_sql dvt_sql[SQL_N];

struct dvt_sql_migration {
	int64_t number; /* 1.. */
	const char *name;
	const char *sqlite;
	const char *postgres;
};
extern const struct dvt_sql_migration dvt_sql_migrations[];
extern const size_t dvt_sql_migrations_n;

/* CHECK (column IN (words)) of the schema. */
struct dvt_sql_check {
	const char *table;
	const char *column;
	const char *const *words;
	size_t n;
};
extern const struct dvt_sql_check dvt_sql_checks[];
extern const size_t dvt_sql_checks_n;

#endif
