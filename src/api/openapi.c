/* SPDX-License-Identifier: Apache-2.0 */
/* The OpenAPI document, made of routes.def and fields.def. */
#include "api/fields.h"
#include "api/handlers.h"

#include <ctype.h>
#include <stdio.h>

static json_t *
ref_to(const char *kind, const char *name)
{
	return json_pack(
	    "{s:o}", "$ref", json_sprintf("#/components/%s/%s", kind, name));
}

static json_t *
words_of(const char *words)
{
	json_t *list = json_array();

	while (*words != '\0') {
		size_t n = strcspn(words, "|");

		json_array_append_new(list, json_stringn(words, n));
		words += n + (words[n] == '|');
	}
	return list;
}

static json_t *
schema_of_text(const char *words)
{
	json_t *s = json_pack("{s:s}", "type", "string");

	if (words != NULL)
		json_object_set_new(s, "enum", words_of(words));
	return s;
}

static json_t *
schema_of_form(const struct dvt_shape_field *f)
{
	switch (f->is) {
	case DVT_IS_TEXT:
		return schema_of_text(f->more);
	case DVT_IS_NUMBER:
	case DVT_IS_TIME:
		return json_pack(
		    "{s:s, s:s}", "type", "integer", "format", "int64");
	case DVT_IS_YES:
		return json_pack("{s:s}", "type", "boolean");
	case DVT_IS_TEXTS:
		return json_pack("{s:s, s:{s:s}}", "type", "array", "items",
		    "type", "string");
	case DVT_IS_COUNTS:
		return json_pack("{s:s, s:{s:s}}", "type", "object",
		    "additionalProperties", "type", "integer");
	case DVT_IS_ONE:
		return ref_to("schemas", f->more);
	case DVT_IS_MANY:
		return json_pack("{s:s, s:o}", "type", "array", "items",
		    ref_to("schemas", f->more));
	case DVT_IS_ANY:
		break;
	}
	return json_object();
}

static json_t *
help_of(const struct dvt_shape_field *f)
{
	const char *time = f->is == DVT_IS_TIME ? "Unix seconds, 0: not" : "";
	const char *gap = *time != '\0' && *f->help != '\0' ? "; " : "";

	return json_sprintf("%s%s%s", f->help, gap, time);
}

static json_t *
schema_of_field(const struct dvt_shape_field *f)
{
	json_t *s = schema_of_form(f), *help = help_of(f);

	/* beside $ref nothing else counts (OpenAPI 3.0) */
	if (json_object_get(s, "$ref") != NULL)
		s = json_pack("{s:[o]}", "allOf", s);
	if ((f->flags & DVT_MAY_NULL) != 0)
		json_object_set_new(s, "nullable", json_true());
	if (json_string_length(help) > 0)
		json_object_set(s, "description", help);
	json_decref(help);
	return s;
}

static json_t *
schema_of_shape(const struct dvt_shape *shape)
{
	json_t *fields = json_object(), *required = json_array();

	for (size_t i = 0; i < shape->n; i++) {
		const struct dvt_shape_field *f = &shape->fields[i];

		json_object_set_new(fields, f->name, schema_of_field(f));
		if ((f->flags & DVT_MAY_MISS) == 0)
			json_array_append_new(required, json_string(f->name));
	}
	if (json_array_size(required) == 0) {
		json_decref(required);
		required = NULL;
	}
	return json_pack("{s:s, s:s, s:o, s:o*, s:b}", "type", "object",
	    "description", shape->help, "properties", fields, "required",
	    required, "additionalProperties", 0);
}

/* "x[]" is a page of x. */
static json_t *
schema_of_answer(const char *name)
{
	size_t n = strlen(name);
	char item[64];

	if (strcmp(name, "*") == 0)
		return json_pack("{s:s}", "type", "object");
	if (n < 2 || strcmp(name + n - 2, "[]") != 0)
		return ref_to("schemas", name);
	(void)snprintf(item, sizeof(item), "%.*s", (int)n - 2, name);
	return json_pack(
	    "{s:s, s:{s:{s:s, s:o}, s:{s:s, s:b, s:s}}, s:[s,s], s:b}", "type",
	    "object", "properties", "items", "type", "array", "items",
	    ref_to("schemas", item), "next", "type", "string", "nullable", 1,
	    "description", "`after` of the next page; null: no more",
	    "required", "items", "next", "additionalProperties", 0);
}

static void
add_path_params(json_t *params, const char *path)
{
	const char *at = path;

	while ((at = strchr(at, '{')) != NULL) {
		size_t n = strcspn(++at, "}");
		bool id = n == 2 && strncmp(at, "id", 2) == 0;

		json_array_append_new(params,
		    json_pack("{s:o, s:s, s:b, s:{s:s}}", "name",
			json_stringn(at, n), "in", "path", "required", 1,
			"schema", "type", id ? "integer" : "string"));
	}
}

static void
add_query_params(json_t *params, const char *name)
{
	const struct dvt_shape *shape = dvt_shape_find(name);

	for (size_t i = 0; shape != NULL && i < shape->n; i++) {
		const struct dvt_shape_field *f = &shape->fields[i];

		json_array_append_new(
		    params, json_pack("{s:s, s:s, s:s, s:o}", "name", f->name,
				"in", "query", "description", f->help, "schema",
				schema_of_form(f)));
	}
}

static json_t *
body_of(const struct dvt_route *r, const char *shape)
{
	bool raw = (r->flags & DVT_ROUTE_RAW) != 0;

	if (*shape == '\0')
		return NULL;
	return json_pack("{s:b, s:{s:{s:o}}}", "required", 1, "content",
	    raw ? "application/x-ndjson" : "application/json", "schema",
	    ref_to("schemas", shape));
}

static json_t *
operation_of(const struct dvt_route *r, const struct dvt_route_shapes *shapes)
{
	json_t *params = json_array();
	json_t *op = json_pack("{s:s, s:s, s:s, s:o}", "operationId",
	    shapes->name, "summary", r->help, "x-role",
	    dvt_api_role_name(r->role), "parameters", params);

	add_path_params(params, r->path);
	add_query_params(params, shapes->query);
	if (r->role == DVT_ANYONE)
		json_object_set_new(op, "security", json_array());
	json_object_set_new(op, "requestBody", body_of(r, shapes->body));
	json_object_set_new(op, "responses",
	    json_pack("{s:{s:s, s:{s:{s:o}}}, s:o}", "2XX", "description",
		"Done", "content", "application/json", "schema",
		schema_of_answer(shapes->answer), "default",
		ref_to("responses", "problem")));
	return op;
}

static json_t *
paths(void)
{
	json_t *all = json_object(), *path;
	char method[16];

	for (size_t i = 0; i < dvt_routes_count; i++) {
		const struct dvt_route *r = &dvt_routes[i];
		size_t n = 0;

		path = json_object_get(all, r->path);
		if (path == NULL) {
			path = json_object();
			json_object_set_new(all, r->path, path);
		}
		for (; r->method[n] != '\0' && n < sizeof(method) - 1; n++)
			method[n] = (char)tolower((unsigned char)r->method[n]);
		method[n] = '\0';
		json_object_set_new(
		    path, method, operation_of(r, &dvt_route_shapes[i]));
	}
	return all;
}

json_t *
dvt_openapi(void)
{
	json_t *schemas = json_object();

	for (size_t i = 0; i < dvt_shapes_n; i++)
		json_object_set_new(schemas, dvt_shapes[i].name,
		    schema_of_shape(&dvt_shapes[i]));
	return json_pack(
	    "{s:s, s:{s:s, s:s, s:{s:s}}, s:[{s:[]}], s:o,"
	    " s:{s:{s:{s:s, s:s}}, s:{s:{s:s, s:{s:{s:o}}}}, s:o}}",
	    "openapi", "3.0.3", "info", "title", "Dovetail", "version",
	    DVT_VERSION, "license", "name", "Apache-2.0", "security", "token",
	    "paths", paths(), "components", "securitySchemes", "token", "type",
	    "http", "scheme", "bearer", "responses", "problem", "description",
	    "A refusal or failure (RFC 9457)", "content",
	    "application/problem+json", "schema", ref_to("schemas", "problem"),
	    "schemas", schemas);
}

/* GET /v1/openapi.json */
enum dvt_code
api_get_openapi(struct dvt_app *app, const struct dvt_req *req,
    struct dvt_reply *reply, struct dvt_err *err)
{
	(void)app;
	(void)req;
	(void)err;
	dvt_reply_json(reply, 200, dvt_openapi());
	return DVT_OK;
}
