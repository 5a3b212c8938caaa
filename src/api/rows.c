/* SPDX-License-Identifier: Apache-2.0 */
/* Rows as JSON: see rows.h. */
#include "api/rows.h"

#include "wire/json.h"
#include "wire/pem.h"

#include <ctype.h>
#include <stdio.h>

static const struct dvt_row_arg *
find_arg(const struct dvt_row_arg *args, const char *name)
{
	for (; args != NULL && args->name != NULL; args++) {
		if (strcmp(args->name, name) == 0)
			return args;
	}
	return NULL;
}

static const char *
find_text(const struct dvt_req *req, const char *name)
{
	for (size_t i = 0; i < req->param_n; i++) {
		if (strcmp(req->param[i].name, name) == 0)
			return req->param[i].value;
	}
	return dvt_req_query(req, name, NULL);
}

static enum dvt_code
bind_number(struct dvt_app *app, struct dvt_stmt *q, const struct dvt_req *req,
    const char *name, struct dvt_err *err)
{
	int64_t n = 0;
	size_t limit;
	enum dvt_code rc;

	if (strcmp(name, "limit") == 0) {
		rc = dvt_req_limit(req, &limit, err);
		n = (int64_t)limit;
	} else if (strcmp(name, "now") == 0) {
		n = app->now.wall_s;
		rc = DVT_OK;
	} else if (strcmp(name, "id") == 0) {
		rc = dvt_req_path_i64(req, name, &n, err);
	} else {
		rc = dvt_req_query_i64(req, name, 0, INT64_MAX,
		    strcmp(name, "before") == 0 ? INT64_MAX : 0, &n, err);
	}
	dvt_bind_i64(q, name, n);
	return rc;
}

static enum dvt_code
bind_all(struct dvt_app *app, struct dvt_stmt *q, const struct dvt_req *req,
    enum dvt_sql_id id, const struct dvt_row_arg *args, struct dvt_err *err)
{
	const struct dvt_sql *sql = &dvt_sql[id];
	enum dvt_code rc = DVT_OK;

	for (size_t i = 0; rc == DVT_OK && i < sql->in_n; i++) {
		const char *name = sql->in[i].name, *text;
		const struct dvt_row_arg *arg = find_arg(args, name);

		if (arg != NULL && arg->text != NULL) {
			dvt_bind_text(q, name, arg->text);
		} else if (arg != NULL) {
			dvt_bind_i64(q, name, arg->number);
		} else if (sql->in[i].type == DVT_SQL_INT) {
			rc = bind_number(app, q, req, name, err);
		} else {
			text = find_text(req, name);
			dvt_bind_text(q, name, text == NULL ? "" : text);
		}
	}
	return rc;
}

/* Does @column end in @tail? Then its name without it is in @field. */
static bool
has_tail(const char *column, const char *tail, char *field, size_t size)
{
	size_t n = strlen(column), t = strlen(tail);

	if (n <= t || strcmp(column + n - t, tail) != 0 || n - t >= size)
		return false;
	memcpy(field, column, n - t);
	field[n - t] = '\0';
	return true;
}

static json_t *
json_of_text(const char *text)
{
	json_t *value;

	if (text == NULL || dvt_json_parse(dvt_span_str(text), DVT_BODY_MAX,
				&value, NULL) != DVT_OK)
		return json_null();
	return value;
}

static json_t *
json_of_pem(struct dvt_span der)
{
	struct dvt_buf pem;
	json_t *value;

	if (der.n == 0)
		return json_null();
	dvt_buf_init(&pem, DVT_CHAIN_PEM_MAX);
	dvt_pem_put(&pem, DVT_PEM_CERT, der);
	value = json_string(dvt_buf_str(&pem));
	dvt_buf_fini(&pem);
	return value;
}

static json_t *
json_of_number(int64_t n, bool null)
{
	return null && n == 0 ? json_null() : json_integer(n);
}

static void
set_column(json_t *row, struct dvt_stmt *q, const struct dvt_sql_name *column)
{
	const char *name = column->name, *text;
	char field[64];

	if (column->type == DVT_SQL_INT &&
	    has_tail(name, "_bool", field, sizeof(field))) {
		json_object_set_new(
		    row, field, json_boolean(dvt_col_i64(q, name) != 0));
	} else if (column->type == DVT_SQL_INT) {
		json_object_set_new(row, name,
		    json_of_number(dvt_col_i64(q, name), column->null));
	} else if (column->type == DVT_SQL_TEXT &&
		   has_tail(name, "_json", field, sizeof(field))) {
		json_object_set_new(
		    row, field, json_of_text(dvt_col_text(q, name)));
	} else if (column->type == DVT_SQL_TEXT) {
		text = dvt_col_text(q, name);
		json_object_set_new(
		    row, name, text == NULL ? json_null() : json_string(text));
	} else if (has_tail(name, "_pem", field, sizeof(field))) {
		json_object_set_new(
		    row, field, json_of_pem(dvt_col_bytes(q, name)));
	}
}

static json_t *
read_row(struct dvt_stmt *q, enum dvt_sql_id id)
{
	json_t *row = json_object();

	for (size_t i = 0; i < dvt_sql[id].out_n; i++)
		set_column(row, q, &dvt_sql[id].out[i]);
	return row;
}

enum dvt_code
dvt_rows(struct dvt_app *app, const struct dvt_req *req, enum dvt_sql_id id,
    const struct dvt_row_arg *args, json_t **out, struct dvt_err *err)
{
	json_t *list = json_array();
	struct dvt_stmt *q = NULL;
	bool row = true;
	enum dvt_code rc;

	*out = NULL;
	if ((rc = dvt_stmt_get(app->tx, id, &q, err)) != DVT_OK ||
	    (rc = bind_all(app, q, req, id, args, err)) != DVT_OK)
		goto out;
	while ((rc = dvt_stmt_next(q, &row, err)) == DVT_OK && row)
		json_array_append_new(list, read_row(q, id));
	if (rc == DVT_OK) {
		*out = list;
		list = NULL;
	}
out:
	dvt_stmt_put(q);
	json_decref(list);
	return rc;
}

enum dvt_code
dvt_row(struct dvt_app *app, const struct dvt_req *req, enum dvt_sql_id id,
    const struct dvt_row_arg *args, const char *what, json_t **out,
    struct dvt_err *err)
{
	json_t *list;
	enum dvt_code rc;

	*out = NULL;
	if ((rc = dvt_rows(app, req, id, args, &list, err)) != DVT_OK)
		return rc;
	if (json_array_size(list) == 0)
		rc = dvt_fail(err, DVT_E_ABSENT, "there is no %s%s%.200s", what,
		    req->param_n > 0 ? ": " : "",
		    req->param_n > 0 ? req->param[req->param_n - 1].value : "");
	else
		*out = json_incref(json_array_get(list, 0));
	json_decref(list);
	return rc;
}

enum dvt_code
dvt_rows_into(struct dvt_app *app, const struct dvt_req *req,
    enum dvt_sql_id id, const struct dvt_row_arg *args, json_t *object,
    const char *name, struct dvt_err *err)
{
	json_t *list;
	enum dvt_code rc = dvt_rows(app, req, id, args, &list, err);

	if (rc == DVT_OK)
		json_object_set_new(object, name, list);
	return rc;
}

const char *
dvt_rows_next(
    const json_t *items, size_t limit, const char *key, char *room, size_t size)
{
	size_t n = json_array_size(items);
	const json_t *last;

	if (key == NULL || n == 0 || n < limit)
		return NULL;
	last = json_object_get(json_array_get(items, n - 1), key);
	if (json_is_string(last))
		return json_string_value(last);
	(void)snprintf(
	    room, size, "%" JSON_INTEGER_FORMAT, json_integer_value(last));
	return room;
}

enum dvt_code
dvt_rows_reply(struct dvt_app *app, const struct dvt_req *req,
    enum dvt_sql_id id, const struct dvt_row_arg *args, const char *key,
    struct dvt_reply *reply, struct dvt_err *err)
{
	char room[32];
	json_t *list;
	size_t limit;
	enum dvt_code rc;

	if ((rc = dvt_req_limit(req, &limit, err)) != DVT_OK ||
	    (rc = dvt_rows(app, req, id, args, &list, err)) != DVT_OK)
		return rc;
	dvt_reply_list(
	    reply, list, dvt_rows_next(list, limit, key, room, sizeof(room)));
	return DVT_OK;
}

const char *
dvt_row_like(struct dvt_app *app, const struct dvt_req *req, const char *name)
{
	const char *text = dvt_req_query(req, name, "");
	char *out = dvt_arena_alloc(app->arena, 2 * strlen(text) + 3);
	char *at = out;

	*at++ = '%';
	for (; *text != '\0'; text++) {
		if (strchr("!%_", *text) != NULL)
			*at++ = '!';
		*at++ = (char)tolower((unsigned char)*text);
	}
	if (at > out + 1)
		*at++ = '%';
	*at = '\0';
	return out;
}
