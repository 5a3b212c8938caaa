/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rows as JSON: a reading route is a statement; its columns are the fields
 * of the answer, its parameters come from path and query by their names.
 */
#ifndef DVT_API_ROWS_H
#define DVT_API_ROWS_H

#include "api/router.h"
#include "store/store.h"

/* A parameter given by the handler; over what path and query say. */
struct dvt_row_arg {
	const char *name; /* NULL ends a list */
	const char *text; /* or NULL: */
	int64_t number;
};
#define ROW_TEXT(name, v)   ((struct dvt_row_arg){(name), (v), 0})
#define ROW_NUMBER(name, v) ((struct dvt_row_arg){(name), NULL, (v)})
#define ROW_ARGS(...)                                                          \
	((const struct dvt_row_arg[]){__VA_ARGS__ __VA_OPT__(, ){0}})

/**
 * dvt_rows() - run a statement, each row as an object
 * @out: a list, the caller's
 *
 * Parameters without an argument: `limit` defaults to 100 (most
 * DVT_API_LIST_MAX), `after` to nothing, `before` to the end, `now` is the
 * clock, other texts are "" and numbers 0. Columns by their ending:
 *   x_json  text   "x" with the JSON that it holds
 *   x_bool  int    "x" as true or false
 *   x_pem   bytes  "x" as a PEM certificate, null when empty
 * Other bytes are left out. A number that may be NULL is null when 0.
 * Return: DVT_OK; DVT_E_INPUT (a query field of the wrong form).
 */
DVT_MUST_USE enum dvt_code dvt_rows(struct dvt_app *app,
    const struct dvt_req *req, enum dvt_sql_id id,
    const struct dvt_row_arg *args, json_t **out, struct dvt_err *err);

/* The only row as an object; DVT_E_ABSENT: "there is no <what>" */
DVT_MUST_USE enum dvt_code dvt_row(struct dvt_app *app,
    const struct dvt_req *req, enum dvt_sql_id id,
    const struct dvt_row_arg *args, const char *what, json_t **out,
    struct dvt_err *err);

/* The rows as field @name of @object. */
DVT_MUST_USE enum dvt_code dvt_rows_into(struct dvt_app *app,
    const struct dvt_req *req, enum dvt_sql_id id,
    const struct dvt_row_arg *args, json_t *object, const char *name,
    struct dvt_err *err);

/* A whole page as the answer; `next` is the last row's @key when the page is
 * full, NULL: all there is. */
DVT_MUST_USE enum dvt_code dvt_rows_reply(struct dvt_app *app,
    const struct dvt_req *req, enum dvt_sql_id id,
    const struct dvt_row_arg *args, const char *key, struct dvt_reply *reply,
    struct dvt_err *err);

/* @key of the last of @items in @room when there are @limit of them; or
 * NULL. */
const char *dvt_rows_next(const json_t *items, size_t limit, const char *key,
    char *room, size_t size);

/* The query field @name as a pattern of LIKE ... ESCAPE '!', in lower case,
 * that finds it anywhere; "%" when it is absent. Lives in the arena. */
const char *dvt_row_like(
    struct dvt_app *app, const struct dvt_req *req, const char *name);

#endif
