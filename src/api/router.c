/* SPDX-License-Identifier: Apache-2.0 */
/* From method and path to a route with its parameters. */
#include "api/router.h"

#include <stdio.h>
#include <stdlib.h>

const char *
dvt_api_role_name(enum dvt_api_role role)
{
#define ROLE_NAME(id, name) [id] = name,
	static const char *const names[] = {DVT_API_ROLES(ROLE_NAME)};

	return role < DVT_API_ROLE_N ? names[role] : "?";
}

enum dvt_api_role
dvt_api_role_from_name(const char *name)
{
	for (int r = 0; r < DVT_API_ROLE_N; r++) {
		if (strcmp(name, dvt_api_role_name((enum dvt_api_role)r)) == 0)
			return (enum dvt_api_role)r;
	}
	return DVT_API_ROLE_N;
}

bool
dvt_api_role_may(enum dvt_api_role has, enum dvt_api_role needs)
{
	if (has == DVT_ADMIN || needs == DVT_ANYONE)
		return true;
	if (needs == DVT_VIEWER)
		return has != DVT_ANYONE;
	return has == needs;
}

static int
hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Percent-decoding of @n bytes (RFC 3986 section 2.1); no NUL comes out. */
static enum dvt_code
decode(struct dvt_arena *arena, const char *p, size_t n, bool plus,
    const char **out, struct dvt_err *err)
{
	char *to, *start;

	if (n > DVT_URI_MAX)
		return dvt_fail(err, DVT_E_LIMIT, "path or query too long");
	to = start = dvt_arena_alloc(arena, n + 1);
	for (size_t i = 0; i < n; i++) {
		if (p[i] == '%') {
			int hi = n - i > 2 ? hex_digit(p[i + 1]) : -1;
			int lo = hi >= 0 ? hex_digit(p[i + 2]) : -1;

			if (lo < 0 || (hi == 0 && lo == 0))
				return dvt_fail(err, DVT_E_INPUT,
				    "broken percent-encoding in the address");
			*to++ = (char)(hi * 16 + lo);
			i += 2;
		} else {
			*to++ = plus && p[i] == '+' ? ' ' : p[i];
		}
	}
	*out = start;
	return DVT_OK;
}

/* Length of the segment at @s: up to the next slash or the end. */
static size_t
segment(const char *s)
{
	return strcspn(s, "/");
}

/* Does @path fit @pattern? {names} take one segment that is not empty. */
static bool
fits(const char *pattern, const char *path)
{
	for (;;) {
		size_t want = segment(pattern), have = segment(path);

		if (pattern[0] == '{'
			? have == 0
			: want != have || strncmp(pattern, path, want) != 0)
			return false;
		pattern += want;
		path += have;
		if (*pattern == '\0' || *path == '\0')
			return *pattern == *path;
		pattern++;
		path++;
	}
}

static enum dvt_code
take_params(const char *pattern, const char *path, struct dvt_arena *arena,
    struct dvt_req *req, struct dvt_err *err)
{
	req->param_n = 0;
	for (;;) {
		size_t want = segment(pattern), have = segment(path);

		if (pattern[0] == '{') {
			struct dvt_param *p = &req->param[req->param_n++];
			enum dvt_code rc = decode(
			    arena, path, have, false, &p->value, err);

			if (rc != DVT_OK)
				return rc;
			if (strlen(p->value) > DVT_API_PARAM_MAX)
				return dvt_fail(err, DVT_E_LIMIT,
				    "a part of the path is over %d bytes",
				    DVT_API_PARAM_MAX);
			p->name = dvt_arena_printf(
			    arena, "%.*s", (int)want - 2, pattern + 1);
		}
		pattern += want;
		path += have;
		if (*pattern == '\0')
			return DVT_OK;
		pattern++;
		path++;
	}
}

enum dvt_code
dvt_route_find(const char *method, const char *path, struct dvt_arena *arena,
    const struct dvt_route **out, struct dvt_req *req, struct dvt_err *err)
{
	char other[64] = "";

	*out = NULL;
	for (size_t i = 0; i < dvt_routes_count; i++) {
		const struct dvt_route *r = &dvt_routes[i];
		size_t used = strlen(other);

		if (!fits(r->path, path))
			continue;
		if (strcmp(r->method, method) == 0) {
			*out = r;
			return take_params(r->path, path, arena, req, err);
		}
		snprintf(other + used, sizeof(other) - used, " %s", r->method);
	}
	if (other[0] != '\0')
		return dvt_fail(err, DVT_E_ABSENT,
		    "%s is not for %.200s; there is:%s", method, path, other);
	return dvt_fail(err, DVT_E_ABSENT, "no such path: %.300s", path);
}

enum dvt_code
dvt_req_take_query(const char *query, struct dvt_arena *arena,
    struct dvt_req *req, struct dvt_err *err)
{
	enum dvt_code rc;

	req->query_n = 0;
	while (*query != '\0') {
		size_t n = strcspn(query, "&"), name = strcspn(query, "&=");
		struct dvt_param *p = &req->query[req->query_n];

		if (req->query_n == DVT_API_QUERY_MAX)
			return dvt_fail(err, DVT_E_LIMIT,
			    "over %d fields in the query", DVT_API_QUERY_MAX);
		if ((rc = decode(arena, query, name, true, &p->name, err)) !=
			DVT_OK ||
		    (rc = decode(arena, query + name + (name < n),
			 n - name - (name < n), true, &p->value, err)) !=
			DVT_OK)
			return rc;
		if (n > 0 && dvt_req_query(req, p->name, NULL) != NULL)
			return dvt_fail(err, DVT_E_INPUT,
			    "%.60s: it is in the query twice", p->name);
		if (n > 0)
			req->query_n++;
		query += n + (query[n] == '&');
	}
	return DVT_OK;
}
