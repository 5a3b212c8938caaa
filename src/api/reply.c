/* SPDX-License-Identifier: Apache-2.0 */
/* Reading arguments, and making answers. */
#include "api/router.h"
#include "wire/json.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#define TEXT_MAX (8 * 1024 * 1024)

void
dvt_reply_init(struct dvt_reply *r)
{
	memset(r, 0, sizeof(*r));
	dvt_buf_init(&r->text, TEXT_MAX);
}

void
dvt_reply_fini(struct dvt_reply *r)
{
	json_decref(r->json);
	json_decref(r->extra);
	dvt_buf_fini(&r->text);
	r->json = r->extra = NULL;
}

struct dvt_span
dvt_reply_body(struct dvt_reply *r, struct dvt_buf *room)
{
	if (r->json == NULL)
		return dvt_buf_span(&r->text);
	dvt_json_put(room, r->json);
	dvt_buf_putc(room, '\n');
	return dvt_buf_span(room);
}

const char *
dvt_reply_type(const struct dvt_reply *r)
{
	if (r->type != NULL)
		return r->type;
	if (r->json == NULL)
		return NULL;
	return r->status >= 400 ? "application/problem+json"
				: "application/json";
}

void
dvt_reply_json(struct dvt_reply *r, int status, json_t *json)
{
	json_decref(r->json);
	r->json = json;
	r->status = status;
}

void
dvt_reply_list(struct dvt_reply *r, json_t *items, const char *next)
{
	dvt_reply_json(
	    r, 200, json_pack("{s:o, s:s?}", "items", items, "next", next));
}

static const char *
title_of(enum dvt_code code)
{
	static const char *const titles[] = {
	    [DVT_OK] = "It is done",
	    [DVT_E_INPUT] = "The request cannot be read",
	    [DVT_E_AUTH] = "It is not known who asks",
	    [DVT_E_DENIED] = "The one who asks may not do this",
	    [DVT_E_ABSENT] = "There is no such thing",
	    [DVT_E_CONFLICT] = "It does not fit what is there",
	    [DVT_E_UNSAFE] = "It would cut devices off",
	    [DVT_E_APPROVAL] = "It needs a second person",
	    [DVT_E_LIMIT] = "It is over a limit",
	    [DVT_E_BUSY] = "Too much is asked at once",
	    [DVT_E_LATER] = "It cannot be done now",
	    [DVT_E_SYSTEM] = "Something failed here",
	};

	return titles[code];
}

void
dvt_reply_problem(struct dvt_reply *r, const struct dvt_err *why)
{
	json_t *p = json_pack("{s:s, s:s, s:i, s:s, s:s}", "type",
	    "about:blank", "title", title_of(why->code), "status",
	    dvt_code_http(why->code), "code", dvt_code_name(why->code),
	    "detail", why->text);

	if (p == NULL) /* a text that is not UTF-8 */
		p = json_pack("{s:s, s:i, s:s}", "title", title_of(why->code),
		    "status", dvt_code_http(why->code), "code",
		    dvt_code_name(why->code));
	if (r->extra != NULL)
		(void)json_object_update_missing(p, r->extra);
	r->type = NULL;
	dvt_buf_reset(&r->text);
	dvt_reply_json(r, dvt_code_http(why->code), p);
	if (r->retry_after_s == 0 &&
	    (why->code == DVT_E_LATER || why->code == DVT_E_BUSY))
		r->retry_after_s = 5;
}

const char *
dvt_req_path(const struct dvt_req *req, const char *name)
{
	for (size_t i = 0; i < req->param_n; i++) {
		if (strcmp(req->param[i].name, name) == 0)
			return req->param[i].value;
	}
	return "";
}

static enum dvt_code
number(const char *what, const char *text, int64_t least, int64_t most,
    int64_t *out, struct dvt_err *err)
{
	char *end;
	long long v;

	errno = 0;
	v = strtoll(text, &end, 10);
	if (errno != 0 || end == text || *end != '\0' || v < least || v > most)
		return dvt_fail(err, DVT_E_INPUT,
		    "%s: \"%.40s\" is no number from %" PRId64 " to %" PRId64,
		    what, text, least, most);
	*out = v;
	return DVT_OK;
}

enum dvt_code
dvt_req_path_i64(const struct dvt_req *req, const char *name, int64_t *out,
    struct dvt_err *err)
{
	return number(name, dvt_req_path(req, name), 0, INT64_MAX, out, err);
}

const char *
dvt_req_query(const struct dvt_req *req, const char *name, const char *dflt)
{
	for (size_t i = 0; i < req->query_n; i++) {
		if (strcmp(req->query[i].name, name) == 0)
			return req->query[i].value;
	}
	return dflt;
}

enum dvt_code
dvt_req_query_i64(const struct dvt_req *req, const char *name, int64_t least,
    int64_t most, int64_t dflt, int64_t *out, struct dvt_err *err)
{
	const char *text = dvt_req_query(req, name, NULL);

	*out = dflt;
	return text == NULL ? DVT_OK
			    : number(name, text, least, most, out, err);
}

enum dvt_code
dvt_req_limit(const struct dvt_req *req, size_t *out, struct dvt_err *err)
{
	int64_t limit;
	enum dvt_code rc = dvt_req_query_i64(
	    req, "limit", 1, DVT_API_LIST_MAX, 100, &limit, err);

	*out = (size_t)limit;
	return rc;
}

enum dvt_code
dvt_req_query_only(const struct dvt_req *req, const char *const *allowed,
    size_t n, struct dvt_err *err)
{
	for (size_t i = 0; i < req->query_n; i++) {
		size_t k;

		for (k = 0; k < n; k++) {
			if (strcmp(req->query[i].name, allowed[k]) == 0)
				break;
		}
		if (k == n)
			return dvt_fail(err, DVT_E_INPUT,
			    "unknown field \"%.100s\" in the query",
			    req->query[i].name);
	}
	return DVT_OK;
}
