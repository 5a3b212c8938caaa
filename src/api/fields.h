/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Shapes: which fields a query, a body and an answer have. One table
 * (fields.def) from which requests are checked, the OpenAPI document is made,
 * and the tests check what handlers answer.
 */
#ifndef DVT_API_FIELDS_H
#define DVT_API_FIELDS_H

#include "api/router.h"

enum dvt_field_is {
	DVT_IS_TEXT,   /* `more`: the words it may be, "a|b"; NULL: any */
	DVT_IS_NUMBER, /* 64 bits */
	DVT_IS_TIME,   /* Unix seconds; 0: not yet, or never */
	DVT_IS_YES,    /* true or false */
	DVT_IS_TEXTS,  /* list of texts */
	DVT_IS_ANY,    /* any JSON */
	DVT_IS_COUNTS, /* object of numbers */
	DVT_IS_ONE,    /* `more`: its shape */
	DVT_IS_MANY,   /* list; `more`: the shape of each */
};

enum dvt_field_flag {
	DVT_MAY_MISS = 1,
	DVT_MAY_NULL = 2,
};

struct dvt_shape_field {
	const char *name;
	enum dvt_field_is is;
	unsigned flags;
	const char *more;
	const char *help;
};

struct dvt_shape {
	const char *name;
	const struct dvt_shape_field *fields;
	size_t n;
	const char *help;
};
extern const struct dvt_shape dvt_shapes[];
extern const size_t dvt_shapes_n;
/* NULL when there is none of that name. */
const struct dvt_shape *dvt_shape_find(const char *name);

/* Of the route with the same index in dvt_routes[]; "" none. */
struct dvt_route_shapes {
	const char *query;
	const char *body;   /* of a RAW route: of each line */
	const char *answer; /* "x[]": {"items": [x...], "next"}; "*": any */
	const char *name;   /* of the handler */
};
extern const struct dvt_route_shapes dvt_route_shapes[];
const struct dvt_route_shapes *dvt_route_shapes_of(const struct dvt_route *r);

/**
 * dvt_shape_check() - has @value the fields of @shape, and no other?
 *
 * Return: DVT_OK; DVT_E_INPUT naming the first field that is unknown,
 *         missing or of another form.
 */
DVT_MUST_USE enum dvt_code dvt_shape_check(
    const struct dvt_shape *shape, const json_t *value, struct dvt_err *err);

/* Query and body of a request against the shapes of its route; what is in
 * neither is refused by name. DVT_E_INPUT. */
DVT_MUST_USE enum dvt_code dvt_route_check(const struct dvt_route *route,
    const struct dvt_req *req, struct dvt_err *err);

/* For tests: is that what the route says it answers? DVT_E_INPUT. */
DVT_MUST_USE enum dvt_code dvt_route_check_answer(
    const struct dvt_route *route, const json_t *answer, struct dvt_err *err);

/* The OpenAPI 3.0 document of all routes; the caller's. */
json_t *dvt_openapi(void);

#endif
