/* SPDX-License-Identifier: Apache-2.0 */
/* The handlers of routes.def, one for each route: api_get_status() ... */
#ifndef DVT_API_HANDLERS_H
#define DVT_API_HANDLERS_H

#include "api/router.h"

#define ROUTE(method, path, role, where, flags, fn, query, body, answer, help) \
	dvt_handler api_##fn;
#include "api/routes.def"
#undef ROUTE

#endif
