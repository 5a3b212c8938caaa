/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/admin.h"

#include "base/log.h"
#include "base/mem.h"
#include "http/server.h"
#include "wire/json.h"

#include <fcntl.h>
#include <stdlib.h>

#define CONNS_MAX  32
#define WAITING    16      /* reloads that wait for workers at one time */
#define BODY_MAX   4096    /* bytes of a request */
#define TEXT_MAX   1048576 /* bytes of an answer */
#define RELOAD_MS  15000   /* for all workers to follow */
#define REQUEST_MS 5000

struct gw_admin {
	struct gw_feed *f;
	struct dvt_http_server *http;
	/* reloads that are not in force everywhere yet */
	struct {
		struct dvt_http_ticket ticket;
		uint64_t serial; /* what workers have to reach */
	} waiting[WAITING];
	size_t waiting_n;
};

static void
answer(struct gw_admin *a, struct dvt_http_ticket t, int status,
    const char *type, struct dvt_buf *text)
{
	struct dvt_http_reply r = {
	    .status = status, .content_type = type, .body = dvt_buf_span(text)};

	(void)dvt_http_reply(a->http, t, &r);
	dvt_buf_fini(text);
}

/* RFC 9457 */
static void
answer_problem(struct gw_admin *a, struct dvt_http_ticket t, int status,
    const char *code, const char *detail)
{
	json_t *o = json_pack("{s:i, s:s, s:s}", "status", status, "code", code,
	    "detail", detail);
	struct dvt_buf text;

	dvt_buf_init(&text, TEXT_MAX);
	dvt_json_put(&text, o);
	json_decref(o);
	answer(a, t, status, "application/problem+json", &text);
}

static void
on_health(struct gw_admin *a, const struct dvt_http_req *req)
{
	struct dvt_buf text;
	enum gw_health health;

	dvt_buf_init(&text, TEXT_MAX);
	health = gw_health_format(a->f, &text);
	answer(a, req->ticket, health == GW_DOWN ? 503 : 200,
	    "application/json", &text);
}

static void
on_metrics(struct gw_admin *a, const struct dvt_http_req *req)
{
	struct dvt_buf text;

	dvt_buf_init(&text, TEXT_MAX);
	gw_metrics_format(a->f, &text);
	answer(a, req->ticket, 200, "text/plain; version=0.0.4", &text);
}

/* --- reload --- */

/* Every worker has at least @serial in force. */
static bool
is_in_force(const struct gw_feed *f, uint64_t serial)
{
	for (unsigned i = 0; i < f->program->settings.workers; i++)
		if (f->peer[i].channel == NULL || f->peer[i].serial < serial)
			return false;
	return true;
}

static void
answer_reloaded(struct gw_admin *a, struct dvt_http_ticket t)
{
	const struct gw_files *files = &a->f->files;
	json_t *o = json_pack("{s:b, s:I, s:I, s:I}", "reloaded", 1,
	    "credentials", (json_int_t)files->pairs_n, "crls",
	    (json_int_t)files->crl_n, "anchors", (json_int_t)files->anchor_n);
	struct dvt_buf text;

	dvt_buf_init(&text, TEXT_MAX);
	dvt_json_put(&text, o);
	json_decref(o);
	answer(a, t, 200, "application/json", &text);
}

void
gw_admin_applied(struct gw_feed *f)
{
	struct gw_admin *a = f->admin;
	size_t kept = 0;

	for (size_t i = 0; a != NULL && i < a->waiting_n; i++) {
		if (is_in_force(f, a->waiting[i].serial))
			answer_reloaded(a, a->waiting[i].ticket);
		else
			a->waiting[kept++] = a->waiting[i];
	}
	if (a != NULL)
		a->waiting_n = kept;
}

static void
on_post_reload(struct gw_admin *a, const struct dvt_http_req *req)
{
	struct dvt_err err = {0};
	enum dvt_code rc;

	/* a page in a browser on this host may send one, and says so */
	if (dvt_http_req_header(req, "origin") != NULL) {
		answer_problem(a, req->ticket, 403, dvt_code_name(DVT_E_DENIED),
		    "not from a web page");
		return;
	}
	if (a->waiting_n == WAITING) {
		answer_problem(a, req->ticket, 503, dvt_code_name(DVT_E_BUSY),
		    "too many reloads wait");
		return;
	}
	rc = gw_reload(a->f, &err);
	if (rc != DVT_OK) {
		answer_problem(
		    a, req->ticket, 409, dvt_code_name(rc), err.text);
		return;
	}
	a->waiting[a->waiting_n].ticket = req->ticket;
	a->waiting[a->waiting_n++].serial = a->f->serial;
	gw_admin_applied(a->f);
}

/* --- the listener --- */

static void
on_request(void *ctx, const struct dvt_http_req *req)
{
	static const struct {
		const char *path;
		enum dvt_http_method method;
		void (*run)(struct gw_admin *, const struct dvt_http_req *);
	} routes[] = {
	    {"/healthz", DVT_HTTP_GET,  on_health     },
	    {"/metrics", DVT_HTTP_GET,  on_metrics    },
	    {"/reload",  DVT_HTTP_POST, on_post_reload},
	};
	struct gw_admin *a = ctx;
	bool known = false;

	for (size_t i = 0; i < DVT_COUNT(routes); i++) {
		if (strcmp(req->path, routes[i].path) != 0)
			continue;
		known = true;
		if (req->method == routes[i].method ||
		    (req->method == DVT_HTTP_HEAD &&
			routes[i].method == DVT_HTTP_GET)) {
			routes[i].run(a, req);
			return;
		}
	}
	if (known)
		answer_problem(a, req->ticket, 405, dvt_code_name(DVT_E_INPUT),
		    "another method");
	else
		answer_problem(a, req->ticket, 404, dvt_code_name(DVT_E_ABSENT),
		    "there are /healthz, /metrics and /reload");
}

enum dvt_code
gw_admin_start(struct gw_feed *f, struct dvt_err *err)
{
	struct dvt_http_listen listen = {
	    .conns_max = CONNS_MAX,
	    .pushes = true,
	    .body_max = BODY_MAX,
	    .request_ms = REQUEST_MS,
	    .write_ms = REQUEST_MS,
	    .answer_ms = RELOAD_MS,
	};
	struct gw_admin *a;

	if (f->program->admin_fd <= 0)
		return DVT_OK;
	/* the parent's stays, for the next of us */
	listen.fd = fcntl(f->program->admin_fd, F_DUPFD_CLOEXEC, 3);
	if (listen.fd < 0)
		return dvt_fail_errno(err, "gateway.admin");
	a = dvt_alloc(sizeof(*a));
	a->f = f;
	a->http = dvt_http_server_new(f->loop, CONNS_MAX, on_request, a);
	f->admin = a;
	return dvt_http_server_listen(a->http, &listen, NULL, err);
}

void
gw_admin_end(struct gw_feed *f)
{
	if (f->admin == NULL)
		return;
	dvt_http_server_free(f->admin->http);
	free(f->admin);
	f->admin = NULL;
}
