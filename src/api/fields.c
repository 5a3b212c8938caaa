/* SPDX-License-Identifier: Apache-2.0 */
/* Requests and answers against the shapes of fields.def. */
#include "api/fields.h"

#include <errno.h>
#include <stdlib.h>

#define SHAPE_DEPTH_MAX 8 /* shapes within shapes */

#define TEXT(name, flags, help)                                                \
	{                                                                      \
		name, DVT_IS_TEXT, flags, NULL, help                           \
	}
#define NUMBER(name, flags, help)                                              \
	{                                                                      \
		name, DVT_IS_NUMBER, flags, NULL, help                         \
	}
#define TIME(name, flags, help)                                                \
	{                                                                      \
		name, DVT_IS_TIME, flags, NULL, help                           \
	}
#define YES(name, flags, help)                                                 \
	{                                                                      \
		name, DVT_IS_YES, flags, NULL, help                            \
	}
#define TEXTS(name, flags, help)                                               \
	{                                                                      \
		name, DVT_IS_TEXTS, flags, NULL, help                          \
	}
#define ANY(name, flags, help)                                                 \
	{                                                                      \
		name, DVT_IS_ANY, flags, NULL, help                            \
	}
#define COUNTS(name, flags, help)                                              \
	{                                                                      \
		name, DVT_IS_COUNTS, flags, NULL, help                         \
	}
#define WORD(name, flags, words, help)                                         \
	{                                                                      \
		name, DVT_IS_TEXT, flags, words, help                          \
	}
#define ONE(name, flags, shape, help)                                          \
	{                                                                      \
		name, DVT_IS_ONE, flags, shape, help                           \
	}
#define MANY(name, flags, shape, help)                                         \
	{                                                                      \
		name, DVT_IS_MANY, flags, shape, help                          \
	}

#define SHAPE(name, help, ...)                                                 \
	static const struct dvt_shape_field fields_##name[] = {__VA_ARGS__};
#include "api/fields.def"
#undef SHAPE
#define SHAPE(name, help, ...)                                                 \
	{#name, fields_##name, DVT_COUNT(fields_##name), help},
const struct dvt_shape dvt_shapes[] = {
#include "api/fields.def"
};
const size_t dvt_shapes_n = DVT_COUNT(dvt_shapes);

const struct dvt_shape *
dvt_shape_find(const char *name)
{
	for (size_t i = 0; i < dvt_shapes_n; i++) {
		if (strcmp(dvt_shapes[i].name, name) == 0)
			return &dvt_shapes[i];
	}
	return NULL;
}

static const struct dvt_shape_field *
find_field(const struct dvt_shape *shape, const char *name)
{
	for (size_t i = 0; shape != NULL && i < shape->n; i++) {
		if (strcmp(shape->fields[i].name, name) == 0)
			return &shape->fields[i];
	}
	return NULL;
}

/* Is @text one of the words "a|b|c"? NULL: any text. */
static bool
is_word(const char *words, const char *text)
{
	size_t n = strlen(text);

	while (words != NULL) {
		size_t len = strcspn(words, "|");

		if (len == n && strncmp(words, text, n) == 0)
			return true;
		if (words[len] == '\0')
			return false;
		words += len + 1;
	}
	return true;
}

static enum dvt_code check_object(const struct dvt_shape *shape,
    const json_t *value, unsigned depth, struct dvt_err *err);

static enum dvt_code
check_list(const struct dvt_shape_field *f, const json_t *value, unsigned depth,
    struct dvt_err *err)
{
	const struct dvt_shape *shape = f->is == DVT_IS_MANY
					    ? dvt_shape_find(f->more)
					    : NULL;
	const json_t *item;
	enum dvt_code rc = DVT_OK;
	size_t i;

	if (!json_is_array(value))
		return dvt_fail(err, DVT_E_INPUT, "\"%s\" is no list", f->name);
	json_array_foreach(value, i, item)
	{
		if (shape != NULL)
			rc = check_object(shape, item, depth + 1, err);
		else if (!json_is_string(item))
			rc = dvt_fail(err, DVT_E_INPUT, "no text");
		if (rc != DVT_OK) {
			dvt_err_prefix(err, "\"%s\"[%zu]", f->name, i);
			return rc;
		}
	}
	return DVT_OK;
}

static enum dvt_code
check_one(const struct dvt_shape_field *f, const json_t *value, unsigned depth,
    struct dvt_err *err)
{
	enum dvt_code rc = check_object(
	    dvt_shape_find(f->more), value, depth + 1, err);

	if (rc != DVT_OK)
		dvt_err_prefix(err, "\"%s\"", f->name);
	return rc;
}

static enum dvt_code
check_value(const struct dvt_shape_field *f, const json_t *value,
    unsigned depth, struct dvt_err *err)
{
	const char *wanted = NULL, *key;
	const json_t *n;

	if (json_is_null(value) && (f->flags & DVT_MAY_NULL) != 0)
		return DVT_OK;
	switch (f->is) {
	case DVT_IS_TEXT:
		if (!json_is_string(value))
			wanted = "a text";
		else if (!is_word(f->more, json_string_value(value)))
			return dvt_fail(err, DVT_E_INPUT,
			    "\"%s\": \"%.60s\" is none of %s", f->name,
			    json_string_value(value), f->more);
		break;
	case DVT_IS_NUMBER:
	case DVT_IS_TIME:
		wanted = json_is_integer(value) ? NULL : "a whole number";
		break;
	case DVT_IS_YES:
		wanted = json_is_boolean(value) ? NULL : "true or false";
		break;
	case DVT_IS_COUNTS:
		wanted = json_is_object(value) ? NULL : "an object";
		json_object_foreach((json_t *)(uintptr_t)value, key, n)
		{
			if (!json_is_integer(n))
				wanted = "an object of numbers";
		}
		break;
	case DVT_IS_ANY:
		break;
	case DVT_IS_TEXTS:
	case DVT_IS_MANY:
		return check_list(f, value, depth, err);
	case DVT_IS_ONE:
		return check_one(f, value, depth, err);
	}
	if (wanted != NULL)
		return dvt_fail(
		    err, DVT_E_INPUT, "\"%s\" is not %s", f->name, wanted);
	return DVT_OK;
}

/* @value NULL: an object without fields. */
static enum dvt_code
check_missing(
    const struct dvt_shape *shape, const json_t *value, struct dvt_err *err)
{
	for (size_t i = 0; i < shape->n; i++) {
		const struct dvt_shape_field *f = &shape->fields[i];

		if ((f->flags & DVT_MAY_MISS) == 0 &&
		    json_object_get(value, f->name) == NULL)
			return dvt_fail(err, DVT_E_INPUT,
			    "field \"%s\" is missing", f->name);
	}
	return DVT_OK;
}

static enum dvt_code
check_object(const struct dvt_shape *shape, const json_t *value, unsigned depth,
    struct dvt_err *err)
{
	const struct dvt_shape_field *f;
	const char *key;
	const json_t *v;
	enum dvt_code rc;

	if (!json_is_object(value) || depth > SHAPE_DEPTH_MAX)
		return dvt_fail(err, DVT_E_INPUT, "not an object");
	json_object_foreach((json_t *)(uintptr_t)value, key, v)
	{
		if ((f = find_field(shape, key)) == NULL)
			return dvt_fail(
			    err, DVT_E_INPUT, "unknown field \"%.100s\"", key);
		if ((rc = check_value(f, v, depth, err)) != DVT_OK)
			return rc;
	}
	return check_missing(shape, value, err);
}

enum dvt_code
dvt_shape_check(
    const struct dvt_shape *shape, const json_t *value, struct dvt_err *err)
{
	return check_object(shape, value, 0, err);
}

static enum dvt_code
check_query(const char *name, const struct dvt_req *req, struct dvt_err *err)
{
	const struct dvt_shape *shape = dvt_shape_find(name);
	int64_t number;

	for (size_t i = 0; i < req->query_n; i++) {
		const struct dvt_param *p = &req->query[i];
		const struct dvt_shape_field *f = find_field(shape, p->name);
		enum dvt_code rc = DVT_OK;

		if (f == NULL)
			return dvt_fail(err, DVT_E_INPUT,
			    "unknown field \"%.100s\" in the query", p->name);
		if (f->is == DVT_IS_NUMBER)
			rc = dvt_req_query_i64(
			    req, p->name, 0, INT64_MAX, 0, &number, err);
		else if (!is_word(f->more, p->value))
			rc = dvt_fail(err, DVT_E_INPUT,
			    "%s: \"%.60s\" is none of %s", p->name, p->value,
			    f->more);
		if (rc != DVT_OK)
			return rc;
	}
	return DVT_OK;
}

enum dvt_code
dvt_route_check(const struct dvt_route *route, const struct dvt_req *req,
    struct dvt_err *err)
{
	const struct dvt_route_shapes *s = dvt_route_shapes_of(route);
	const struct dvt_shape *body = dvt_shape_find(s->body);
	enum dvt_code rc = check_query(s->query, req, err);

	if (rc != DVT_OK || (route->flags & DVT_ROUTE_RAW) != 0)
		return rc;
	if (body != NULL && req->json == NULL)
		return check_missing(body, NULL, err);
	if (body == NULL && json_object_size(req->json) > 0)
		return dvt_fail(err, DVT_E_INPUT,
		    "\"%.60s\": this call takes no fields in its body",
		    json_object_iter_key(
			json_object_iter((json_t *)req->json)));
	return body == NULL ? DVT_OK : dvt_shape_check(body, req->json, err);
}

enum dvt_code
dvt_route_check_answer(
    const struct dvt_route *route, const json_t *answer, struct dvt_err *err)
{
	const char *name = dvt_route_shapes_of(route)->answer;
	size_t n = strlen(name);
	char item[64];
	const struct dvt_shape_field list[] = {
	    MANY("items", 0, item, ""), TEXT("next", NUL, "")};
	const struct dvt_shape page = {"page", list, DVT_COUNT(list), ""};

	if (strcmp(name, "*") == 0)
		return DVT_OK;
	if (n < 2 || strcmp(name + n - 2, "[]") != 0)
		return dvt_shape_check(dvt_shape_find(name), answer, err);
	if (dvt_copy_str(item, sizeof(item), name) != 0)
		return dvt_fail(err, DVT_E_LIMIT, "shape %s", name);
	item[n - 2] = '\0';
	return dvt_shape_check(&page, answer, err);
}
