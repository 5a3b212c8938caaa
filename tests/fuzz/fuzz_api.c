/* SPDX-License-Identifier: Apache-2.0 */
/*
 * "METHOD TARGET\nBODY" as a request of the REST API: match, parameters,
 * query, body against its fields. What is taken has only fields that are
 * listed, and path parameters within their limit.
 */
#include "api/fields.h"
#include "base/limits.h"
#include "fuzz.h"
#include "wire/json.h"

static void
check_request(const char *method, char *target, struct dvt_span body)
{
	struct dvt_arena arena = {0};
	const struct dvt_route *route;
	struct dvt_req req = {0};
	json_t *json = NULL;
	char *query = strchr(target, '?');

	if (query != NULL)
		*query++ = '\0';
	if (dvt_route_find(method, target, &arena, &route, &req, NULL) ==
		DVT_OK &&
	    dvt_req_take_query(
		query == NULL ? "" : query, &arena, &req, NULL) == DVT_OK &&
	    (body.n == 0 ||
		dvt_json_parse(body, DVT_BODY_MAX, &json, NULL) == DVT_OK)) {
		req.json = json;
		FUZZ_ASSERT(req.query_n <= DVT_API_QUERY_MAX);
		for (size_t i = 0; i < req.param_n; i++)
			FUZZ_ASSERT(
			    strlen(req.param[i].value) <= DVT_API_PARAM_MAX);
		if (dvt_route_check(route, &req, NULL) == DVT_OK &&
		    *dvt_route_shapes_of(route)->body == '\0')
			FUZZ_ASSERT(json_object_size(json) == 0);
	}
	json_decref(json);
	dvt_arena_free(&arena);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	const uint8_t *end = memchr(p, '\n', n);
	size_t head = end == NULL ? n : (size_t)(end - p);
	char *line = dvt_strndup(p, head), *blank = strchr(line, ' ');

	if (blank != NULL) {
		*blank = '\0';
		check_request(line, blank + 1,
		    end == NULL ? (struct dvt_span){0}
				: (struct dvt_span){end + 1, n - head - 1});
	}
	free(line);
	return 0;
}
