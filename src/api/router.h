/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Routes as a table: method, path, who may, which process, which function.
 * The router matches, authorises, reads the body and turns errors into RFC
 * 9457 problems, so that a handler reads arguments, calls, answers.
 */
#ifndef DVT_API_ROUTER_H
#define DVT_API_ROUTER_H

#include "api/app.h"
#include "base/limits.h"
#include "base/span.h"

#define DVT_API_PARAMS    4   /* {names} in one path */
#define DVT_API_PARAM_MAX 300 /* bytes of one, decoded */
#define DVT_API_QUERY_MAX 16  /* fields of one query */
#define DVT_API_LIST_MAX  500 /* items in one answer */

/* Where a route is answered: writing in core, reading in a reader. */
enum dvt_where { DVT_IN_CORE, DVT_IN_READER };

struct dvt_param {
	const char *name;
	const char *value; /* decoded */
};

/* A request as a handler sees it. All borrowed. */
struct dvt_req {
	const char *method;
	const char *path;
	struct dvt_param param[DVT_API_PARAMS];
	size_t param_n;
	struct dvt_param query[DVT_API_QUERY_MAX];
	size_t query_n;
	struct dvt_span body;
	const json_t *json; /* the body, when the route takes JSON; or NULL */
	const char *accept; /* Accept header; "" none */
};

struct dvt_reply {
	int status;
	json_t *json;          /* owned; or NULL and: */
	struct dvt_buf text;   /* body of another type */
	const char *type;      /* of @text; static */
	int64_t retry_after_s; /* 0: no such header */
	int64_t wait_s; /* nothing new: ask again until then, if may be */
	json_t *extra;  /* owned: further fields of a problem document */
};

typedef enum dvt_code dvt_handler(struct dvt_app *app,
    const struct dvt_req *req, struct dvt_reply *reply, struct dvt_err *err);

enum dvt_route_flag {
	DVT_ROUTE_RAW = 1, /* the body is not JSON; the handler reads it */
};

struct dvt_route {
	const char *method;
	const char *path; /* "/v1/devices/{id}" */
	enum dvt_api_role role;
	enum dvt_where where;
	unsigned flags;
	dvt_handler *handler;
	const char *help; /* one sentence, for the OpenAPI document */
};

extern const struct dvt_route dvt_routes[]; /* api/routes.def */
extern const size_t dvt_routes_count;

/**
 * dvt_route_find() - the route of a request
 * @path:  without query, as received; decoded here
 * @arena: memory of the parameters
 * @req:   out: param and param_n are filled
 *
 * Return: DVT_OK; DVT_E_ABSENT (no such path; or another method: the text
 *         tells which there are); DVT_E_INPUT (bad percent-encoding).
 */
DVT_MUST_USE enum dvt_code dvt_route_find(const char *method, const char *path,
    struct dvt_arena *arena, const struct dvt_route **out, struct dvt_req *req,
    struct dvt_err *err);

/* "a=b&c=d", decoded into req->query. DVT_E_INPUT; DVT_E_LIMIT. */
DVT_MUST_USE enum dvt_code dvt_req_take_query(const char *query,
    struct dvt_arena *arena, struct dvt_req *req, struct dvt_err *err);

/* What a process is asked, before it is known who asks. */
struct dvt_call {
	const char *method, *path;
	const char *query; /* after "?"; "" none */
	const char *token; /* bearer token; "" none */
	const char *accept;
	struct dvt_span body;
};

/**
 * dvt_api_run() - one request from match to answer
 * @app:   tx, arena, now, config, core filled; the rest is done here
 * @reply: out: the caller's, dvt_reply_fini(); not to be sent when app->later
 *
 * Never fails: what goes wrong is in the reply, as a problem document.
 * Return: the code behind the answer; unless DVT_OK or DVT_E_APPROVAL the
 *         caller rolls back what was written.
 */
enum dvt_code dvt_api_run(
    struct dvt_app *app, const struct dvt_call *call, struct dvt_reply *reply);

void dvt_reply_init(struct dvt_reply *r);
void dvt_reply_fini(struct dvt_reply *r);
/* Body bytes of either kind; borrowed until the next change. */
struct dvt_span dvt_reply_body(struct dvt_reply *r, struct dvt_buf *room);
const char *dvt_reply_type(const struct dvt_reply *r);
/* The answer to a failure: status by its code, {type, title, status, code,
 * detail} and @r->extra (RFC 9457). */
void dvt_reply_problem(struct dvt_reply *r, const struct dvt_err *why);
/* @json is taken. */
void dvt_reply_json(struct dvt_reply *r, int status, json_t *json);
/* {"items": @items (taken), "next": @next or null}. */
void dvt_reply_list(struct dvt_reply *r, json_t *items, const char *next);

/* --- reading a request --- */

/* A {name} of the path; asking for one that is not there is our mistake. */
const char *dvt_req_path(const struct dvt_req *req, const char *name);
DVT_MUST_USE enum dvt_code dvt_req_path_i64(const struct dvt_req *req,
    const char *name, int64_t *out, struct dvt_err *err);
/* A field of the query, decoded, or @dflt. */
const char *dvt_req_query(
    const struct dvt_req *req, const char *name, const char *dflt);
DVT_MUST_USE enum dvt_code dvt_req_query_i64(const struct dvt_req *req,
    const char *name, int64_t least, int64_t most, int64_t dflt, int64_t *out,
    struct dvt_err *err);
/* `limit` (1 to DVT_API_LIST_MAX, default 100) of a list. */
DVT_MUST_USE enum dvt_code dvt_req_limit(
    const struct dvt_req *req, size_t *out, struct dvt_err *err);
/* DVT_E_INPUT naming the first query field that is not in @allowed. */
DVT_MUST_USE enum dvt_code dvt_req_query_only(const struct dvt_req *req,
    const char *const *allowed, size_t n, struct dvt_err *err);

#endif
