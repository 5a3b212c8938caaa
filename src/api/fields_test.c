/* SPDX-License-Identifier: Apache-2.0 */
#include "api/fields.h"

#include "wire/json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static bool
known(const char *name)
{
	char bare[64];
	size_t n = strlen(name);

	if (n == 0 || strcmp(name, "*") == 0)
		return true;
	if (n > 2 && strcmp(name + n - 2, "[]") == 0)
		n -= 2;
	assert_true(n < sizeof(bare));
	memcpy(bare, name, n);
	bare[n] = '\0';
	return dvt_shape_find(bare) != NULL;
}

static void
every_shape_that_is_named_is_there(void **state)
{
	(void)state;
	for (size_t i = 0; i < dvt_routes_count; i++) {
		const struct dvt_route_shapes *s = &dvt_route_shapes[i];

		if (!known(s->query) || !known(s->body) || !known(s->answer))
			fail_msg("%s names a shape that is not there", s->name);
	}
	for (size_t i = 0; i < dvt_shapes_n; i++) {
		const struct dvt_shape *s = &dvt_shapes[i];

		for (size_t k = 0; k < s->n; k++) {
			const struct dvt_shape_field *f = &s->fields[k];

			if (f->is == DVT_IS_ONE || f->is == DVT_IS_MANY)
				assert_true(known(f->more));
		}
	}
}

/* The first route that fits is taken. */
static void
no_route_stands_behind_one_that_takes_its_path(void **state)
{
	struct dvt_arena arena = {0};

	(void)state;
	for (size_t i = 0; i < dvt_routes_count; i++) {
		const struct dvt_route *found;
		struct dvt_req req = {0};

		assert_int_equal(
		    dvt_route_find(dvt_routes[i].method, dvt_routes[i].path,
			&arena, &found, &req, NULL),
		    DVT_OK);
		assert_ptr_equal(found, &dvt_routes[i]);
	}
	dvt_arena_free(&arena);
}

static void
a_wrong_field_is_named(void **state)
{
	static const struct {
		const char *shape, *json, *text;
	} bad[] = {
	    {"update_step",   "{}",                                "field \"seq\" is missing"},
	    {"page",          "{\"limits\": 1}",                   "unknown field \"limits\""},
	    {"page",          "{\"limit\": \"1\"}",                "\"limit\" is not a whole"},
	    {"page",          "[]",				"not an object"           },
	    {"machines",      "{\"items\": [1], \"next\": null}",
             "\"items\"[0]: no text"							 },
	    {"machines",      "{\"items\": {}, \"next\": null}",
             "\"items\" is no list"							  },
	    {"machine_state", "{\"name\": \"a\", \"final\": 1}",
             "\"final\" is not true or false"						},
	    {"machine_state", "{\"name\": null, \"final\": true}",
             "\"name\" is not a text"							},
	    {"trust_status",  "{\"sum\": {\"version\": 1}}",
             "\"sum\": field \"wanted\" is missing"                                          },
	    {"device_query",  "{\"state\": \"activ\"}",
             "\"state\": \"activ\" is none of "
		"active|parked|blocked|retired"                                              },
	};
	(void)state;
	for (size_t i = 0; i < DVT_COUNT(bad); i++) {
		struct dvt_err err = {0};
		json_t *v;

		assert_int_equal(
		    dvt_json_parse(dvt_span_str(bad[i].json), 1000, &v, NULL),
		    DVT_OK);
		assert_int_equal(
		    dvt_shape_check(dvt_shape_find(bad[i].shape), v, &err),
		    DVT_E_INPUT);
		if (strstr(err.text, bad[i].text) == NULL)
			fail_msg("%s: %s", bad[i].json, err.text);
		json_decref(v);
	}
}

static void
the_document_has_every_route_and_shape(void **state)
{
	json_t *doc = dvt_openapi(), *paths, *op;

	(void)state;
	assert_non_null(doc);
	paths = json_object_get(doc, "paths");
	for (size_t i = 0; i < dvt_routes_count; i++) {
		const char *m = dvt_routes[i].method;

		op = json_object_get(json_object_get(paths, dvt_routes[i].path),
		    strcmp(m, "GET") == 0    ? "get"
		    : strcmp(m, "POST") == 0 ? "post"
					     : "delete");
		assert_non_null(op);
		assert_string_equal(
		    json_string_value(json_object_get(op, "operationId")),
		    dvt_route_shapes[i].name);
		assert_non_null(json_object_get(op, "responses"));
	}
	assert_int_equal(
	    dvt_shapes_n, json_object_size(json_object_get(
			      json_object_get(doc, "components"), "schemas")));
	json_decref(doc);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_shape_that_is_named_is_there),
	    cmocka_unit_test(no_route_stands_behind_one_that_takes_its_path),
	    cmocka_unit_test(a_wrong_field_is_named),
	    cmocka_unit_test(the_document_has_every_route_and_shape),
	};

	return cmocka_run_group_tests_name("api fields", tests, NULL, NULL);
}
