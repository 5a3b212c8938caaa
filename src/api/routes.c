/* SPDX-License-Identifier: Apache-2.0 */
/* The tables that routes.def is read into. */
#include "api/fields.h"
#include "api/handlers.h"

#define ROUTE(method, path, role, where, flags, fn, query, body, answer, help) \
	{#method, path, DVT_##role, DVT_IN_##where, flags, api_##fn, help},
const struct dvt_route dvt_routes[] = {
#include "api/routes.def"
};
#undef ROUTE
const size_t dvt_routes_count = DVT_COUNT(dvt_routes);

#define ROUTE(method, path, role, where, flags, fn, query, body, answer, help) \
	{query, body, answer, #fn},
const struct dvt_route_shapes dvt_route_shapes[] = {
#include "api/routes.def"
};
#undef ROUTE

const struct dvt_route_shapes *
dvt_route_shapes_of(const struct dvt_route *r)
{
	return &dvt_route_shapes[r - dvt_routes];
}
