/* SPDX-License-Identifier: Apache-2.0 */
/* Requests of a front: where each goes, and the answers back. */
#include "api/router.h"
#include "base/log.h"
#include "dovetaild/front_priv.h"
#include "pki/key.h"
#include "wire/json.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define ANSWER_MAX (8 * 1024 * 1024)

static void
reply(struct front *f, struct dvt_http_ticket t, int status, const char *type,
    struct dvt_span body, int64_t retry_after_s, const char *challenge)
{
	struct dvt_http_header headers[2];
	char seconds[32];
	struct dvt_http_reply r = {.status = status,
	    .content_type = type,
	    .headers = headers,
	    .body = body};

	if (retry_after_s > 0) {
		snprintf(seconds, sizeof(seconds), "%" PRId64, retry_after_s);
		headers[r.headers_n++] = (struct dvt_http_header){
		    "Retry-After", seconds};
	}
	if (challenge != NULL)
		headers[r.headers_n++] = (struct dvt_http_header){
		    "WWW-Authenticate", challenge};
	(void)dvt_http_reply(f->http, t, &r);
}

static const char *
challenge_of(int status, bool est)
{
	if (status != 401)
		return NULL;
	return est ? "Basic realm=\"dovetail\"" : "Bearer realm=\"dovetail\"";
}

void
front_reply_error(struct front *f, struct dvt_http_ticket t,
    const struct dvt_err *why, int64_t retry_after_s, bool basic)
{
	struct dvt_reply r;
	struct dvt_buf b;

	dvt_reply_init(&r);
	r.retry_after_s = retry_after_s;
	dvt_reply_problem(&r, why);
	dvt_buf_init(&b, 65536);
	reply(f, t, r.status, dvt_reply_type(&r), dvt_reply_body(&r, &b),
	    r.retry_after_s, challenge_of(r.status, basic));
	dvt_buf_fini(&b);
	dvt_reply_fini(&r);
}

void
front_reply(struct front *f, struct dvt_http_ticket t, const struct reply *r)
{
	reply(f, t, r->status, r->type[0] == '\0' ? NULL : r->type, r->body,
	    r->retry_after_s, challenge_of(r->status, false));
}

/* --- to core and readers --- */

void
front_ask(struct front *f, struct dvt_http_ticket t, enum dvt_role role,
    enum dvt_msg_type type, struct dvt_span body, bool est,
    enum dvt_est_form form)
{
	unsigned index = role == DVT_ROLE_READER ? front_late_reader(f, t.slot)
						 : 0;
	struct dvt_msg m = {.type = type,
	    .slot = t.slot,
	    .generation = t.generation,
	    .body = body,
	    .fd = -1};
	struct dvt_err err = {0};

	if (t.slot >= FRONT_PARKED_MAX) {
		(void)dvt_fail(&err, DVT_E_LATER, "too many requests wait");
		front_reply_error(f, t, &err, 1, est);
		return;
	}
	if (peers_send(f->peers, role, index, &m, &err) != DVT_OK) {
		front_reply_error(f, t, &err, 1, est);
		return;
	}
	f->pending[t.slot] = (struct front_pending){.generation = t.generation,
	    .role = role,
	    .index = index,
	    .est = est,
	    .form = form};
	front_late_watch(f, &f->pending[t.slot]);
}

/* After the bytes were handed to the socket. */
static void
log_answered(struct dvt_span cert)
{
	char fingerprint[DVT_DIGEST_HEX];

	if (!dvt_log_wants(LOG_DEBUG))
		return;
	dvt_sha256_hex(cert, fingerprint);
	log_event(LOG_DEBUG, "est.answered", LS("fingerprint", fingerprint));
}

void
front_answer(struct front *f, struct dvt_msg *m)
{
	struct dvt_http_ticket t = {m->slot, m->generation};
	struct front_pending p;
	struct dvt_err err = {0};
	struct dvt_span cert = {NULL, 0};
	struct dvt_buf body;
	struct reply r;

	if (m->slot >= FRONT_PARKED_MAX) {
		if (reply_get(m->body, &r, &err) == DVT_OK)
			(void)front_events_answer(f, m, &r);
		return;
	}
	if (f->pending[m->slot].generation != m->generation)
		return; /* its client is gone */
	p = f->pending[m->slot];
	f->pending[m->slot].generation = 0;
	if (reply_get(m->body, &r, &err) != DVT_OK) {
		front_reply_error(f, t, &err, 0, p.est);
		return;
	}
	dvt_buf_init(&body, ANSWER_MAX);
	if (p.est && r.status == 200) {
		cert = r.body;
		front_est_certificate(cert, p.form, &body);
		r.body = dvt_buf_span(&body);
	}
	reply(f, t, r.status, r.type[0] == '\0' ? NULL : r.type, r.body,
	    r.retry_after_s, challenge_of(r.status, p.est));
	if (cert.n > 0)
		log_answered(cert);
	dvt_buf_fini(&body);
}

void
front_peer_down(struct front *f, enum dvt_role role, unsigned index)
{
	struct dvt_err err = {0};

	front_events_down(f, role, index);
	(void)dvt_fail(
	    &err, DVT_E_LATER, "%s was started again", dvt_role_name(role));
	for (uint32_t i = 0; i < FRONT_PARKED_MAX; i++) {
		struct front_pending *p = &f->pending[i];
		struct dvt_http_ticket t = {i, p->generation};

		if (p->generation == 0 || p->role != role || p->index != index)
			continue;
		p->generation = 0;
		front_reply_error(f, t, &err, 1, p->est);
	}
}

/* --- what a request is --- */

/* The body as JSON that was read and written again, or as it is. */
static enum dvt_code
take_body(const struct dvt_http_req *req, bool raw, struct dvt_buf *out,
    struct dvt_err *err)
{
	json_t *json;
	enum dvt_code rc;

	if (raw || req->body.n == 0) {
		dvt_buf_put_span(out, req->body);
		return dvt_buf_ok(out, "body", err);
	}
	rc = dvt_json_parse(req->body, DVT_BODY_MAX, &json, err);
	if (rc != DVT_OK)
		return rc;
	dvt_json_put(out, json);
	json_decref(json);
	return dvt_buf_ok(out, "body", err);
}

static enum dvt_code
copy_text(const char *what, char *to, size_t size, const char *from,
    struct dvt_err *err)
{
	if (from == NULL)
		from = "";
	if (dvt_copy_str(to, size, from) != 0)
		return dvt_fail(err, DVT_E_LIMIT, "%s is over %zu characters",
		    what, size - 1);
	return DVT_OK;
}

static enum dvt_code
take_token(
    const struct dvt_http_req *req, struct request *q, struct dvt_err *err)
{
	const char *value = dvt_http_req_header(req, "Authorization");

	if (value == NULL)
		return DVT_OK;
	if (strncasecmp(value, "Bearer ", 7) != 0)
		return dvt_fail(err, DVT_E_AUTH,
		    "send the token as \"Authorization: Bearer TOKEN\"");
	return copy_text(
	    "the token", q->token, sizeof(q->token), value + 7, err);
}

static enum dvt_code
fill(struct front *f, const struct dvt_http_req *req, enum request_from from,
    struct request *q, struct dvt_err *err)
{
	const char *accept = dvt_http_req_header(req, "Accept");
	char text[DVT_ADDR_TEXT];
	enum dvt_code rc;

	(void)f;
	memset(q, 0, sizeof(*q));
	q->from = from;
	(void)dvt_copy_str(
	    q->method, sizeof(q->method), dvt_http_method_name(req->method));
	(void)dvt_copy_str(
	    q->address, sizeof(q->address), dvt_addr_host(&req->peer, text));
	if ((rc = copy_text("the path", q->path, sizeof(q->path), req->path,
		 err)) != DVT_OK ||
	    (rc = copy_text("the query", q->query, sizeof(q->query), req->query,
		 err)) != DVT_OK)
		return rc;
	if (accept != NULL &&
	    dvt_copy_str(q->accept, sizeof(q->accept), accept) != 0)
		q->accept[0] = '\0';
	return DVT_OK;
}

static void
send_request(struct front *f, const struct dvt_http_req *req, struct request *q,
    enum dvt_role role, bool raw)
{
	struct dvt_err err = {0};
	struct dvt_buf body, msg;

	dvt_buf_init(&body, ANSWER_MAX);
	dvt_buf_init(&msg, ANSWER_MAX + 65536);
	if (take_body(req, raw, &body, &err) != DVT_OK) {
		front_reply_error(f, req->ticket, &err, 0, false);
	} else {
		q->body = dvt_buf_span(&body);
		request_put(&msg, q);
		front_ask(f, req->ticket, role, DVT_MSG_REQUEST,
		    dvt_buf_span(&msg), false, DVT_EST_WRAPPED);
		if (req->ticket.slot < FRONT_PARKED_MAX)
			front_late_allow(
			    &f->pending[req->ticket.slot], q->query);
	}
	dvt_buf_fini(&body);
	dvt_buf_fini(&msg);
}

/* --- the operators' listeners --- */

static void
handle_operator(struct front *f, const struct dvt_http_req *req)
{
	const char *method = dvt_http_method_name(req->method);
	const struct dvt_route *route;
	struct dvt_arena arena = {NULL};
	struct dvt_err err = {0};
	struct request *q = dvt_alloc(sizeof(*q));
	struct dvt_req params;

	if (req->method == DVT_HTTP_HEAD)
		method = "GET";
	if (dvt_route_find(method, req->path, &arena, &route, &params, &err) !=
		DVT_OK ||
	    fill(f, req, req->is_unix ? FROM_SOCKET : FROM_OPERATOR, q, &err) !=
		DVT_OK ||
	    take_token(req, q, &err) != DVT_OK) {
		front_reply_error(f, req->ticket, &err, 0, false);
	} else if (front_events_wanted(req)) {
		if (front_events(f, req, q, &err) != DVT_OK)
			front_reply_error(f, req->ticket, &err,
			    err.code == DVT_E_LATER ? 5 : 0, false);
	} else {
		(void)dvt_copy_str(q->method, sizeof(q->method), method);
		send_request(f, req, q,
		    route->where == DVT_IN_CORE ? DVT_ROLE_CORE
						: DVT_ROLE_READER,
		    route->flags & DVT_ROUTE_RAW);
	}
	dvt_arena_free(&arena);
	free(q);
}

/* --- the devices' listener --- */

static int64_t
after_of(const char *query)
{
	const char *at = query == NULL ? NULL : strstr(query, "after=");

	return at == NULL ? 0 : strtoll(at + 6, NULL, 10);
}

/* The same lines for everybody; they are safe over any channel. */
static void
handle_bundles(struct front *f, const struct dvt_http_req *req)
{
	struct dvt_err err = {0};
	struct dvt_buf out;

	dvt_buf_init(&out, ANSWER_MAX);
	if (front_bundles(f, after_of(req->query), &out)) {
		reply(f, req->ticket, 200, "application/x-ndjson",
		    dvt_buf_span(&out), 0, NULL);
	} else {
		(void)dvt_fail(&err, DVT_E_LATER, "no trust bundle yet");
		front_reply_error(f, req->ticket, &err, 1, false);
	}
	dvt_buf_fini(&out);
}

static void
handle_device(struct front *f, const struct dvt_http_req *req)
{
	static const struct {
		const char *method, *path;
	} known[] = {
	    {"POST", "/v1/device/checkin"},
	    {"GET",  "/v1/device/config" },
	    {"POST", "/v1/device/config" },
	    {"POST", "/v1/device/lock"   },
	    {"GET",  "/v1/gateway/feed"  },
	    {"POST", "/v1/gateway/report"},
	};
	struct request *q;
	struct dvt_err err = {0};
	size_t i;

	for (i = 0; i < DVT_COUNT(known); i++) {
		if (strcmp(req->path, known[i].path) == 0 &&
		    strcmp(dvt_http_method_name(req->method),
			known[i].method) == 0)
			break;
	}
	if (i == DVT_COUNT(known)) {
		(void)dvt_fail(&err, DVT_E_ABSENT,
		    "no such call for devices: %s %.200s",
		    dvt_http_method_name(req->method), req->path);
		front_reply_error(f, req->ticket, &err, 0, false);
		return;
	}
	q = dvt_alloc(sizeof(*q));
	if (fill(f, req, FROM_DEVICE, q, &err) == DVT_OK)
		front_tls_peer(req->ssl, q->fingerprint, NULL);
	if (err.code == DVT_OK && q->fingerprint[0] == '\0')
		(void)dvt_fail(&err, DVT_E_AUTH,
		    "%s needs a client certificate", req->path);
	else if (err.code == DVT_OK &&
		 strcmp(req->path, "/v1/gateway/report") == 0 &&
		 front_check_report(req->body, &err) != DVT_OK)
		dvt_err_prefix(&err, "report");
	if (err.code != DVT_OK)
		front_reply_error(f, req->ticket, &err, 0, false);
	else
		send_request(f, req, q, DVT_ROLE_CORE, false);
	free(q);
}

void
front_handle(void *front, const struct dvt_http_req *req)
{
	struct front *f = front;
	struct dvt_est_path path;

	if (req->listener == f->device)
		front_tls_served(req->ssl);
	if (req->listener != f->device)
		handle_operator(f, req);
	else if (dvt_est_path_parse(dvt_span_str(req->path), &path, NULL) ==
		 DVT_OK)
		front_est(f, req, &path);
	else if (req->method == DVT_HTTP_GET &&
		 (strcmp(req->path, "/trust/bundles") == 0 ||
		     strcmp(req->path, "/v1/device/bundle") == 0))
		handle_bundles(f, req);
	else
		handle_device(f, req);
}
