/* SPDX-License-Identifier: Apache-2.0 */
/* Rows between C and SQL: see row.h. */
#include "store/row.h"

#include "store/store_priv.h"

#include <stdarg.h>
#include <stdio.h>

static const struct dvt_field *
field_of(const struct dvt_row_map *map, const char *name, size_t *next)
{
	size_t at = *next < map->n ? *next : 0;

	for (size_t i = 0; i < map->n; i++) {
		if (strcmp(map->fields[at].name, name) == 0) {
			*next = at + 1;
			return &map->fields[at];
		}
		at = at + 1 < map->n ? at + 1 : 0;
	}
	return NULL;
}

static void
bind_text_field(struct dvt_stmt *q, const struct dvt_sql_name *p, const char *v)
{
	dvt_bind_text(q, p->name, v == NULL && !p->null ? "" : v);
}

static void
bind_field(struct dvt_stmt *q, const struct dvt_sql_name *p,
    const struct dvt_field *f, const void *row)
{
	const char *at = (const char *)row + f->at;

	switch (f->kind) {
	case DVT_FIELD_I64:
		dvt_bind_i64(q, p->name, *(const int64_t *)at);
		break;
	case DVT_FIELD_INT:
		dvt_bind_i64(q, p->name, *(const int *)at);
		break;
	case DVT_FIELD_BOOL:
		dvt_bind_i64(q, p->name, *(const bool *)at ? 1 : 0);
		break;
	case DVT_FIELD_TEXT:
		bind_text_field(q, p, *(const char *const *)at);
		break;
	case DVT_FIELD_CHARS:
		bind_text_field(q, p, at);
		break;
	case DVT_FIELD_NAMED:
		dvt_bind_text(q, p->name, f->to_name(*(const unsigned *)at));
		break;
	case DVT_FIELD_BYTES:
		dvt_bind_bytes(q, p->name, *(const struct dvt_span *)at);
		break;
	}
}

void
dvt_row_bind(struct dvt_stmt *q, const struct dvt_row_map *map, const void *row)
{
	size_t next = 0;

	for (size_t i = 0; i < q->sql->in_n; i++) {
		const struct dvt_sql_name *p = &q->sql->in[i];
		const struct dvt_field *f = field_of(map, p->name, &next);

		if (f != NULL)
			bind_field(q, p, f, row);
	}
}

static enum dvt_code
read_named(const struct dvt_stmt *q, const struct dvt_field *f,
    const char *text, unsigned *out, struct dvt_err *err)
{
	for (unsigned v = 0; text != NULL && text[0] != '?'; v++) {
		const char *name = f->to_name(v);

		if (name == NULL || name[0] == '?')
			break; /* past the last value */
		if (strcmp(name, text) == 0) {
			*out = v;
			return DVT_OK;
		}
	}
	return dvt_fail(err, DVT_E_SYSTEM,
	    "database: %s: column %s: '%s' is not known here", q->sql->name,
	    f->name, text == NULL ? "" : text);
}

static struct dvt_span
keep_bytes(struct dvt_arena *arena, struct dvt_span v)
{
	uint8_t *p;

	if (v.p == NULL && v.n == 0)
		return v;
	p = dvt_arena_alloc(arena, v.n + 1);
	if (v.n > 0)
		memcpy(p, v.p, v.n);
	return (struct dvt_span){p, v.n};
}

static enum dvt_code
read_chars(const struct dvt_stmt *q, const struct dvt_field *f,
    const char *text, char *out, struct dvt_err *err)
{
	if (dvt_copy_str(out, f->size, text == NULL ? "" : text) == 0)
		return DVT_OK;
	return dvt_fail(err, DVT_E_SYSTEM,
	    "database: %s: column %s: longer than %zu", q->sql->name, f->name,
	    f->size - 1);
}

static enum dvt_code
read_field(struct dvt_stmt *q, const struct dvt_field *f,
    struct dvt_arena *arena, void *row, struct dvt_err *err)
{
	char *at = (char *)row + f->at;
	const char *text;

	switch (f->kind) {
	case DVT_FIELD_I64:
		*(int64_t *)at = dvt_col_i64(q, f->name);
		break;
	case DVT_FIELD_INT:
		*(int *)at = (int)dvt_col_i64(q, f->name);
		break;
	case DVT_FIELD_BOOL:
		*(bool *)at = dvt_col_i64(q, f->name) != 0;
		break;
	case DVT_FIELD_TEXT:
		text = dvt_col_text(q, f->name);
		*(const char **)at = text == NULL
					 ? NULL
					 : dvt_arena_strdup(arena, text);
		break;
	case DVT_FIELD_CHARS:
		return read_chars(q, f, dvt_col_text(q, f->name), at, err);
	case DVT_FIELD_NAMED:
		return read_named(
		    q, f, dvt_col_text(q, f->name), (unsigned *)at, err);
	case DVT_FIELD_BYTES:
		*(struct dvt_span *)at = keep_bytes(
		    arena, dvt_col_bytes(q, f->name));
		break;
	}
	return DVT_OK;
}

enum dvt_code
dvt_row_read(struct dvt_stmt *q, const struct dvt_row_map *map,
    struct dvt_arena *arena, void *row, struct dvt_err *err)
{
	enum dvt_code rc = DVT_OK;
	size_t next = 0;

	memset(row, 0, map->size);
	for (size_t i = 0; rc == DVT_OK && i < q->sql->out_n; i++) {
		const struct dvt_field *f = field_of(
		    map, q->sql->out[i].name, &next);

		if (f != NULL)
			rc = read_field(q, f, arena, row, err);
	}
	return rc;
}

/* --- whole statements --- */

static enum dvt_code
start(struct dvt_tx *tx, enum dvt_sql_id id, const struct dvt_row_map *map,
    const void *row, const struct dvt_arg *args, struct dvt_stmt **out,
    struct dvt_err *err)
{
	struct dvt_stmt *q;
	enum dvt_code rc;

	if ((rc = dvt_stmt_get(tx, id, &q, err)) != DVT_OK)
		return rc;
	if (row != NULL)
		dvt_row_bind(q, map, row);
	for (; args->name != NULL; args++) {
		switch (args->type) {
		case DVT_SQL_INT:
			dvt_bind_i64(q, args->name, args->i);
			break;
		case DVT_SQL_TEXT:
			dvt_bind_text(q, args->name, args->text);
			break;
		case DVT_SQL_BYTES:
			dvt_bind_bytes(q, args->name, args->bytes);
			break;
		}
	}
	*out = q;
	return DVT_OK;
}

enum dvt_code
dvt_sql_run_args(struct dvt_tx *tx, enum dvt_sql_id id,
    const struct dvt_row_map *map, const void *row, int64_t *changed,
    const struct dvt_arg *args, struct dvt_err *err)
{
	struct dvt_stmt *q;
	enum dvt_code rc;

	if (changed != NULL)
		*changed = 0;
	if ((rc = start(tx, id, map, row, args, &q, err)) != DVT_OK)
		return rc;
	rc = dvt_stmt_run(q, changed, err);
	dvt_stmt_put(q);
	return rc;
}

enum dvt_code
dvt_sql_i64_args(struct dvt_tx *tx, enum dvt_sql_id id,
    const struct dvt_row_map *map, const void *row, int64_t *value,
    const struct dvt_arg *args, struct dvt_err *err)
{
	struct dvt_stmt *q;
	enum dvt_code rc;
	bool found = false;

	*value = 0;
	if ((rc = start(tx, id, map, row, args, &q, err)) != DVT_OK)
		return rc;
	rc = dvt_stmt_next(q, &found, err);
	if (rc == DVT_OK && found)
		*value = dvt_col_i64(q, q->sql->out[0].name);
	else if (rc == DVT_OK)
		rc = dvt_fail(err, DVT_E_ABSENT, "%s: none", q->sql->name);
	dvt_stmt_put(q);
	return rc;
}

enum dvt_code
dvt_sql_text_args(struct dvt_tx *tx, enum dvt_sql_id id,
    struct dvt_arena *arena, const char **value, const struct dvt_arg *args,
    struct dvt_err *err)
{
	struct dvt_stmt *q;
	enum dvt_code rc;
	bool found = false;

	*value = NULL;
	if ((rc = start(tx, id, NULL, NULL, args, &q, err)) != DVT_OK)
		return rc;
	rc = dvt_stmt_next(q, &found, err);
	if (rc == DVT_OK && found)
		*value = dvt_arena_strdup(
		    arena, dvt_col_text(q, q->sql->out[0].name));
	else if (rc == DVT_OK)
		rc = dvt_fail(err, DVT_E_ABSENT, "%s: none", q->sql->name);
	dvt_stmt_put(q);
	return rc;
}

enum dvt_code
dvt_sql_one_args(struct dvt_tx *tx, enum dvt_sql_id id,
    const struct dvt_row_map *map, struct dvt_arena *arena, void *row,
    const struct dvt_arg *args, struct dvt_err *err)
{
	struct dvt_stmt *q;
	enum dvt_code rc;
	bool found = false;

	memset(row, 0, map->size);
	if ((rc = start(tx, id, NULL, NULL, args, &q, err)) != DVT_OK)
		return rc;
	rc = dvt_stmt_next(q, &found, err);
	if (rc == DVT_OK && found)
		rc = dvt_row_read(q, map, arena, row, err);
	else if (rc == DVT_OK)
		rc = dvt_fail(err, DVT_E_ABSENT, "%s: none", q->sql->name);
	dvt_stmt_put(q);
	return rc;
}

/* Room for one more row; doubling leaves the old array to the arena. */
static char *
grow(struct dvt_arena *arena, char *rows, size_t n, size_t *cap, size_t size)
{
	char *more;

	if (n < *cap)
		return rows;
	*cap = *cap == 0 ? 16 : *cap * 2;
	more = dvt_arena_alloc(arena, *cap * size);
	if (n > 0)
		memcpy(more, rows, n * size);
	return more;
}

enum dvt_code
dvt_sql_list_args(struct dvt_tx *tx, enum dvt_sql_id id,
    const struct dvt_row_map *map, struct dvt_arena *arena, void **rows,
    size_t *n, const struct dvt_arg *args, struct dvt_err *err)
{
	size_t cap = 0, count = 0;
	char *array = NULL;
	struct dvt_stmt *q;
	enum dvt_code rc;
	bool found;

	*rows = NULL;
	*n = 0;
	if ((rc = start(tx, id, NULL, NULL, args, &q, err)) != DVT_OK)
		return rc;
	while ((rc = dvt_stmt_next(q, &found, err)) == DVT_OK && found) {
		array = grow(arena, array, count, &cap, map->size);
		rc = dvt_row_read(
		    q, map, arena, array + count * map->size, err);
		if (rc != DVT_OK)
			break;
		count++;
	}
	dvt_stmt_put(q);
	if (rc != DVT_OK)
		return rc;
	*rows = array;
	*n = count;
	return DVT_OK;
}

enum dvt_code
dvt_sql_texts_args(struct dvt_tx *tx, enum dvt_sql_id id,
    struct dvt_arena *arena, const char *const **texts, size_t *n,
    const struct dvt_arg *args, struct dvt_err *err)
{
	const struct dvt_field field = {
	    dvt_sql[id].out[0].name, DVT_FIELD_TEXT, 0, sizeof(char *), NULL};
	const struct dvt_row_map map = {sizeof(const char *), &field, 1};
	void *rows;
	enum dvt_code rc;

	rc = dvt_sql_list_args(tx, id, &map, arena, &rows, n, args, err);
	*texts = rows;
	return rc;
}

enum dvt_code
dvt_sql_expect_one(enum dvt_code rc, int64_t changed, struct dvt_err *err,
    const char *fmt, ...)
{
	char text[256];
	va_list ap;

	if (rc != DVT_OK || changed == 1)
		return rc;
	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return dvt_fail(err, DVT_E_CONFLICT, "%s", text);
}
