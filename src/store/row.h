/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rows between C and SQL: a map tells which field of a struct is which
 * column; the calls below bind, run and read by it. For the sources of this
 * folder; others see the functions by subject.
 *
 * Texts and bytes that are read are copied into the arena handed in. In a row
 * that is written, a NULL text stands for "" unless the column may be NULL.
 */
#ifndef DVT_STORE_ROW_H
#define DVT_STORE_ROW_H

#include "base/mem.h"
#include "store/store.h"

#include <stdbool.h>

enum dvt_field_kind {
	DVT_FIELD_I64,
	DVT_FIELD_INT,  /* int in C */
	DVT_FIELD_BOOL, /* 0 or 1 */
	DVT_FIELD_TEXT,
	DVT_FIELD_BYTES,
	DVT_FIELD_CHARS, /* char array of `size` bytes */
	DVT_FIELD_NAMED, /* enum, stored by name */
};

struct dvt_field {
	const char *name; /* of column and parameter */
	enum dvt_field_kind kind;
	size_t at;
	size_t size;                            /* DVT_FIELD_CHARS */
	const char *(*to_name)(unsigned value); /* DVT_FIELD_NAMED: "?" when
						 * there is no such value */
};

struct dvt_row_map {
	size_t size; /* of the struct */
	const struct dvt_field *fields;
	size_t n;
};

/* F(struct, field): kind by the field's C type. E(...): an enum by name. */
#define DVT_FIELD_KIND(type, field)                                            \
	_Generic(((type *)0)->field,                                           \
	    int64_t: DVT_FIELD_I64,                                            \
	    int: DVT_FIELD_INT,                                                \
	    bool: DVT_FIELD_BOOL,                                              \
	    const char *: DVT_FIELD_TEXT,                                      \
	    char *: DVT_FIELD_CHARS,                                           \
	    struct dvt_span: DVT_FIELD_BYTES)
#define DVT_F(type, field)                                                     \
	{                                                                      \
#field, DVT_FIELD_KIND(type, field), offsetof(type, field),    \
		    sizeof(((type *)0)->field), NULL                           \
	}
#define DVT_E(type, field, to_name)                                            \
	{                                                                      \
#field, DVT_FIELD_NAMED, offsetof(type, field),                \
		    sizeof(((type *)0)->field), to_name                        \
	}
#define DVT_MAP(type, fields)                                                  \
	{                                                                      \
		sizeof(type), fields, DVT_COUNT(fields)                        \
	}

/* --- arguments beside a row --- */

struct dvt_arg {
	const char *name; /* NULL ends a list */
	enum dvt_sql_type type;
	int64_t i;
	const char *text;
	struct dvt_span bytes;
};
#define BT(name, v)   ((struct dvt_arg){(name), DVT_SQL_TEXT, .text = (v)})
#define BI(name, v)   ((struct dvt_arg){(name), DVT_SQL_INT, .i = (v)})
#define BB(name, v)   ((struct dvt_arg){(name), DVT_SQL_BYTES, .bytes = (v)})
#define DVT_ARGS(...) ((const struct dvt_arg[]){__VA_ARGS__ __VA_OPT__(, ){0}})

/* A statement without an answer. @changed may be NULL. */
#define dvt_sql_run(tx, id, changed, err, ...)                                 \
	dvt_sql_run_args(                                                      \
	    tx, id, NULL, NULL, changed, DVT_ARGS(__VA_ARGS__), err)
/* The same, parameters taken from a row, then from the list. */
#define dvt_sql_put(tx, id, map, row, changed, err, ...)                       \
	dvt_sql_run_args(tx, id, map, row, changed, DVT_ARGS(__VA_ARGS__), err)
/* The only column of the only row: a number, or a text copied into @arena;
 * DVT_E_ABSENT without one. */
#define dvt_sql_i64(tx, id, value, err, ...)                                   \
	dvt_sql_i64_args(tx, id, NULL, NULL, value, DVT_ARGS(__VA_ARGS__), err)
#define dvt_sql_put_i64(tx, id, map, row, value, err, ...)                     \
	dvt_sql_i64_args(tx, id, map, row, value, DVT_ARGS(__VA_ARGS__), err)
#define dvt_sql_text(tx, id, arena, value, err, ...)                           \
	dvt_sql_text_args(tx, id, arena, value, DVT_ARGS(__VA_ARGS__), err)
/* The only row; DVT_E_ABSENT without one (@row is zeroed then). */
#define dvt_sql_one(tx, id, map, arena, row, err, ...)                         \
	dvt_sql_one_args(tx, id, map, arena, row, DVT_ARGS(__VA_ARGS__), err)
/* All rows as an array in @arena: *rows is NULL when there are none. The
 * statement has a LIMIT. */
#define dvt_sql_list(tx, id, map, arena, rows, n, err, ...)                    \
	dvt_sql_list_args(tx, id, map, arena, (void **)(rows), n,              \
	    DVT_ARGS(__VA_ARGS__), err)
/* The only column of all rows, a text each. */
#define dvt_sql_texts(tx, id, arena, texts, n, err, ...)                       \
	dvt_sql_texts_args(tx, id, arena, texts, n, DVT_ARGS(__VA_ARGS__), err)

DVT_MUST_USE enum dvt_code dvt_sql_run_args(struct dvt_tx *tx,
    enum dvt_sql_id id, const struct dvt_row_map *map, const void *row,
    int64_t *changed, const struct dvt_arg *args, struct dvt_err *err);
DVT_MUST_USE enum dvt_code dvt_sql_i64_args(struct dvt_tx *tx,
    enum dvt_sql_id id, const struct dvt_row_map *map, const void *row,
    int64_t *value, const struct dvt_arg *args, struct dvt_err *err);
DVT_MUST_USE enum dvt_code dvt_sql_text_args(struct dvt_tx *tx,
    enum dvt_sql_id id, struct dvt_arena *arena, const char **value,
    const struct dvt_arg *args, struct dvt_err *err);
DVT_MUST_USE enum dvt_code dvt_sql_one_args(struct dvt_tx *tx,
    enum dvt_sql_id id, const struct dvt_row_map *map, struct dvt_arena *arena,
    void *row, const struct dvt_arg *args, struct dvt_err *err);
DVT_MUST_USE enum dvt_code dvt_sql_list_args(struct dvt_tx *tx,
    enum dvt_sql_id id, const struct dvt_row_map *map, struct dvt_arena *arena,
    void **rows, size_t *n, const struct dvt_arg *args, struct dvt_err *err);

DVT_MUST_USE enum dvt_code dvt_sql_texts_args(struct dvt_tx *tx,
    enum dvt_sql_id id, struct dvt_arena *arena, const char *const **texts,
    size_t *n, const struct dvt_arg *args, struct dvt_err *err);

/* The current row of @q into @row. DVT_E_SYSTEM: a name no enum has. */
DVT_MUST_USE enum dvt_code dvt_row_read(struct dvt_stmt *q,
    const struct dvt_row_map *map, struct dvt_arena *arena, void *row,
    struct dvt_err *err);
/* Bind the fields of @row; those that @q has no parameter for are left out. */
void dvt_row_bind(
    struct dvt_stmt *q, const struct dvt_row_map *map, const void *row);

/* DVT_E_CONFLICT with this text when not exactly one row was changed. */
DVT_MUST_USE enum dvt_code dvt_sql_expect_one(enum dvt_code rc, int64_t changed,
    struct dvt_err *err, const char *fmt, ...) DVT_PRINTF(4, 5);

#endif
