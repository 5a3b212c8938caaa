/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HTTP client: see client.h. One connection at a time; the user's callback is
 * always the last thing done in a call from the loop, since it may free the
 * client or ask again.
 */
#include "http/client.h"

#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#define DEADLINE_MS 30000
#define IN_MAX      (DVT_HEADERS_MAX + 65536) /* bytes not yet understood */

struct dvt_http_client {
	struct dvt_loop *loop;
	struct dvt_tls_conn_config peer;
	struct dvt_addr *addrs;
	char *server_name, *verify_name;

	struct dvt_tls_conn *tc;
	struct dvt_timer *deadline;
	struct dvt_defer *later; /* a result that was known at once */
	bool open;
	bool used; /* this connection answered before */

	/* open() */
	void (*opened)(void *user, const struct dvt_tls_result *failed);
	/* ask() */
	void (*done)(void *user, const struct dvt_http_answer *a);
	void *user;

	struct dvt_buf request; /* head and body */
	bool to_head, may_repeat, sent;
	size_t max_body;
	struct dvt_buf in;
	size_t looked;
	char *text; /* of the head */
	struct dvt_http_head head;
	bool has_head;
	struct dvt_http_body framing;
	struct dvt_buf body;
	struct dvt_http_answer answer;
};

static void connect_now(struct dvt_http_client *c);

const char *
dvt_http_answer_header(const struct dvt_http_answer *a, const char *name)
{
	return dvt_http_header_find(a->headers, a->headers_n, name);
}

static void
connection_drop(struct dvt_http_client *c)
{
	dvt_tls_conn_free(c->tc);
	c->tc = NULL;
	c->open = c->used = false;
}

static void
answer_forget(struct dvt_http_client *c)
{
	free(c->text);
	c->text = NULL;
	c->looked = 0;
	c->has_head = c->sent = false;
	dvt_buf_fini(&c->in);
	dvt_buf_cleanse(&c->body); /* may hold a secret or a token */
	dvt_buf_init(&c->in, IN_MAX);
	dvt_buf_init(&c->body, c->max_body);
	c->answer = (struct dvt_http_answer){0};
}

/* The end of a request; the last thing done. */
static void
finish(struct dvt_http_client *c, enum dvt_http_end end, const char *why)
{
	void (*done)(void *user, const struct dvt_http_answer *a) = c->done;
	struct dvt_http_answer a = c->answer;
	struct dvt_buf body = c->body;
	char *text = c->text;
	struct dvt_http_header headers[DVT_HTTP_HEADERS];

	if (done == NULL)
		return;
	/* the answer outlives what the callback does to the client */
	memcpy(headers, c->head.headers, sizeof(headers));
	a.end = end;
	if (end == DVT_HTTP_ANSWERED) {
		a.status = c->head.status;
		a.headers = headers;
		a.headers_n = c->head.headers_n;
		a.body = dvt_buf_span(&body);
	}
	if (why != NULL)
		(void)snprintf(a.text, sizeof(a.text), "%.255s", why);
	c->text = NULL;
	dvt_buf_init(&c->body, c->max_body);
	c->done = NULL;
	dvt_timer_stop(c->deadline);
	dvt_buf_cleanse(&c->request);
	if (end != DVT_HTTP_ANSWERED || !c->head.keep_alive)
		connection_drop(c);
	answer_forget(c);
	done(c->user, &a);
	dvt_buf_cleanse(&body);
	free(text);
}

static void
fail(struct dvt_http_client *c, enum dvt_code code, const char *why)
{
	finish(c, code == DVT_E_LIMIT ? DVT_HTTP_LIMIT : DVT_HTTP_SYNTAX, why);
}

static void
send_request(struct dvt_http_client *c)
{
	struct dvt_err err;

	if (dvt_tls_conn_write(c->tc, dvt_buf_span(&c->request), &err) !=
	    DVT_OK) {
		finish(c, DVT_HTTP_UNSENT, err.text);
		return;
	}
	c->sent = true;
}

/* 1: a whole head is taken; 0: wait; -1: after fail(). */
static int
head_take(struct dvt_http_client *c)
{
	size_t n = dvt_http_head_end(dvt_buf_span(&c->in), &c->looked);
	struct dvt_err err;

	if (n > DVT_HEADERS_MAX || (n == 0 && c->in.n > DVT_HEADERS_MAX)) {
		fail(c, DVT_E_LIMIT, "answer's headers over their limit");
		return -1;
	}
	if (n == 0)
		return 0;
	free(c->text);
	c->text = dvt_strndup(c->in.p, n);
	dvt_buf_drop(&c->in, n);
	c->looked = 0;
	if (dvt_http_head_answer(c->text, n, c->to_head, &c->head, &err) !=
	    DVT_OK) {
		fail(c, err.code, err.text);
		return -1;
	}
	if (c->head.status < 200) /* "100 Continue": the answer is to come */
		return c->head.status == 101
			   ? (fail(c, DVT_E_INPUT, "asked to switch protocol"),
				 -1)
			   : head_take(c);
	c->has_head = true;
	dvt_http_body_init(&c->framing, &c->head);
	return 1;
}

static void
on_read(void *arg, struct dvt_span bytes)
{
	struct dvt_http_client *c = arg;
	struct dvt_span in;
	struct dvt_err err;
	enum dvt_code rc;
	size_t had;

	if (c->done == NULL) {
		connection_drop(c); /* an answer to no question */
		return;
	}
	if (!c->sent) {
		fail(c, DVT_E_INPUT, "answered before it was asked");
		return;
	}
	dvt_buf_put_span(&c->in, bytes);
	if (!c->has_head && head_take(c) <= 0)
		return;
	in = dvt_buf_span(&c->in);
	had = in.n;
	rc = dvt_http_body_feed(&c->framing, &in, &c->body, &err);
	dvt_buf_drop(&c->in, had - in.n);
	if (rc != DVT_OK) {
		fail(c, rc, err.text);
		return;
	}
	if (!c->framing.done)
		return;
	c->used = true;
	if (c->in.n > 0)
		c->head.keep_alive = false; /* more than was asked for */
	finish(c, DVT_HTTP_ANSWERED, NULL);
}

static void
on_opened(void *arg)
{
	struct dvt_http_client *c = arg;
	void (*opened)(
	    void *user, const struct dvt_tls_result *failed) = c->opened;

	c->open = true;
	c->opened = NULL;
	if (c->done != NULL)
		send_request(c);
	else if (opened != NULL)
		opened(c->user, NULL);
}

/* The body ends with the connection, if that ended in order. */
static bool
ends_the_body(const struct dvt_http_client *c, const struct dvt_tls_result *r)
{
	return c->done != NULL && c->has_head &&
	       c->framing.framing == DVT_HTTP_TO_CLOSE &&
	       r->end == DVT_TLS_CLOSED;
}

static void
on_ended(void *arg, const struct dvt_tls_result *r)
{
	struct dvt_http_client *c = arg;
	void (*opened)(
	    void *user, const struct dvt_tls_result *failed) = c->opened;
	struct dvt_tls_result result = *r;
	bool again = c->used && c->may_repeat && c->done != NULL &&
		     !c->has_head && c->in.n == 0;

	if (ends_the_body(c, r)) {
		finish(c, DVT_HTTP_ANSWERED, NULL);
		return;
	}
	connection_drop(c);
	c->opened = NULL;
	if (again) { /* it was closed while idle: not the request's fault */
		c->may_repeat = c->sent = false;
		connect_now(c);
	} else if (c->done != NULL) {
		c->answer.conn = result;
		finish(c, DVT_HTTP_CONN,
		    result.text[0] != '\0' ? result.text
					   : "closed before the answer");
	} else if (opened != NULL) {
		opened(c->user, &result);
	}
}

static void
connect_now(struct dvt_http_client *c)
{
	struct dvt_tls_conn_config config = c->peer;

	config.opened = on_opened;
	config.read = on_read;
	config.drained = NULL;
	config.ended = on_ended;
	config.user = c;
	if (config.out_max < c->request.n)
		config.out_max = c->request.n + 65536;
	c->tc = dvt_tls_conn_new(c->loop, &config);
}

static void
on_deadline(void *arg)
{
	struct dvt_http_client *c = arg;

	finish(c, DVT_HTTP_DEADLINE, "no answer within the deadline");
}

/* What was clear when it was asked is told from the loop, too. */
static void
on_later(void *arg)
{
	struct dvt_http_client *c = arg;
	void (*opened)(
	    void *user, const struct dvt_tls_result *failed) = c->opened;

	if (c->done != NULL && c->request.n == 0) {
		finish(c, DVT_HTTP_UNSENT, "request is not well-formed");
	} else if (c->done != NULL && c->tc == NULL) {
		connect_now(c);
	} else if (c->done != NULL && c->open && !c->sent) {
		send_request(c);
	} else if (opened != NULL && c->open) {
		c->opened = NULL;
		opened(c->user, NULL);
	}
}

static bool
is_clean(const char *s)
{
	return s == NULL || strpbrk(s, "\r\n") == NULL;
}

/* False when a part of it would break out of its place. */
static bool
request_make(struct dvt_http_client *c, const struct dvt_http_ask *ask)
{
	struct dvt_buf *b = &c->request;
	bool body = ask->body.p != NULL;

	if (!is_clean(ask->method) || !is_clean(ask->target) ||
	    !is_clean(ask->host) || !is_clean(ask->content_type) ||
	    strpbrk(ask->target, " \t") != NULL || ask->target[0] != '/')
		return false;
	dvt_buf_init(b, DVT_HEADERS_MAX + DVT_URI_MAX + ask->body.n);
	dvt_buf_printf(b, "%s %s HTTP/1.1\r\nHost: %s\r\n", ask->method,
	    ask->target, ask->host);
	for (size_t i = 0; i < ask->headers_n; i++) {
		const struct dvt_http_header *h = &ask->headers[i];

		if (!is_clean(h->name) || !is_clean(h->value))
			return false;
		dvt_buf_printf(b, "%s: %s\r\n", h->name, h->value);
	}
	if (ask->content_type != NULL)
		dvt_buf_printf(b, "Content-Type: %s\r\n", ask->content_type);
	if (body || strcmp(ask->method, "POST") == 0 ||
	    strcmp(ask->method, "PUT") == 0)
		dvt_buf_printf(b, "Content-Length: %zu\r\n", ask->body.n);
	dvt_buf_puts(b, "\r\n");
	dvt_buf_put_span(b, ask->body);
	return !b->full;
}

/* --- interface --- */

struct dvt_http_client *
dvt_http_client_new(
    struct dvt_loop *loop, const struct dvt_tls_conn_config *peer)
{
	struct dvt_http_client *c = dvt_alloc(sizeof(*c));

	c->loop = loop;
	c->peer = *peer;
	c->addrs = dvt_alloc_array(peer->addrs_n + 1, sizeof(*c->addrs));
	if (peer->addrs_n > 0)
		memcpy(
		    c->addrs, peer->addrs, peer->addrs_n * sizeof(*c->addrs));
	c->peer.addrs = c->addrs;
	c->server_name = dvt_strdup(peer->server_name);
	c->verify_name = dvt_strdup(peer->verify_name);
	c->peer.server_name = c->server_name;
	c->peer.verify_name = c->verify_name;
	if (peer->ctx != NULL)
		(void)SSL_CTX_up_ref(peer->ctx);
	if (peer->trust != NULL)
		(void)X509_STORE_up_ref(peer->trust);
	if (peer->ticket != NULL)
		(void)SSL_SESSION_up_ref(peer->ticket);
	c->max_body = DVT_BODY_MAX;
	c->deadline = dvt_timer_new(loop, on_deadline, c);
	c->later = dvt_defer_new(loop, on_later, c);
	answer_forget(c);
	return c;
}

void
dvt_http_client_free(struct dvt_http_client *c)
{
	if (c == NULL)
		return;
	c->done = NULL;
	dvt_tls_conn_free(c->tc);
	dvt_timer_free(c->deadline);
	dvt_defer_free(c->later);
	SSL_CTX_free(c->peer.ctx);
	X509_STORE_free(c->peer.trust);
	SSL_SESSION_free(c->peer.ticket);
	dvt_buf_cleanse(&c->request);
	dvt_buf_cleanse(&c->body);
	dvt_buf_fini(&c->in);
	free(c->text);
	free(c->addrs);
	free(c->server_name);
	free(c->verify_name);
	free(c);
}

void
dvt_http_client_open(struct dvt_http_client *c,
    void (*done)(void *user, const struct dvt_tls_result *failed), void *user)
{
	c->opened = done;
	c->user = user;
	if (c->tc == NULL)
		connect_now(c);
	else if (c->open)
		dvt_defer_arm(c->later);
}

void
dvt_http_client_ask(struct dvt_http_client *c, const struct dvt_http_ask *ask,
    void (*done)(void *user, const struct dvt_http_answer *a), void *user)
{
	c->max_body = ask->max_body > 0 ? ask->max_body : DVT_BODY_MAX;
	answer_forget(c);
	dvt_buf_cleanse(&c->request);
	c->done = done;
	c->user = user;
	c->to_head = strcmp(ask->method, "HEAD") == 0;
	c->may_repeat = ask->repeat_safe || c->to_head ||
			strcmp(ask->method, "GET") == 0;
	if (!request_make(c, ask))
		dvt_buf_cleanse(&c->request); /* empty: see on_later() */
	dvt_timer_start(
	    c->deadline, ask->deadline_ms > 0 ? ask->deadline_ms : DEADLINE_MS);
	dvt_defer_arm(c->later);
}

struct dvt_tls_conn *
dvt_http_client_conn(struct dvt_http_client *c)
{
	return c->tc;
}

void
dvt_http_client_close(struct dvt_http_client *c)
{
	connection_drop(c);
}

void
dvt_http_client_ctx_set(struct dvt_http_client *c, SSL_CTX *ctx)
{
	(void)SSL_CTX_up_ref(ctx);
	SSL_CTX_free(c->peer.ctx);
	c->peer.ctx = ctx;
}

struct once {
	struct dvt_loop *loop;
	void (*done)(void *user, const struct dvt_http_answer *a);
	void *user;
	enum dvt_code rc;
	struct dvt_err *err;
};

static void
on_once(void *arg, const struct dvt_http_answer *a)
{
	static const enum dvt_code codes[] = {
	    [DVT_HTTP_ANSWERED] = DVT_OK,
	    [DVT_HTTP_CONN] = DVT_E_LATER,
	    [DVT_HTTP_DEADLINE] = DVT_E_LATER,
	    [DVT_HTTP_LIMIT] = DVT_E_LIMIT,
	    [DVT_HTTP_SYNTAX] = DVT_E_INPUT,
	    [DVT_HTTP_UNSENT] = DVT_E_INPUT,
	};
	struct once *o = arg;

	o->rc = codes[a->end];
	if (o->rc != DVT_OK)
		(void)dvt_fail(o->err, o->rc, "%s", a->text);
	o->done(o->user, a);
	dvt_loop_stop(o->loop);
}

enum dvt_code
dvt_http_once(const struct dvt_tls_conn_config *peer,
    const struct dvt_http_ask *ask,
    void (*done)(void *user, const struct dvt_http_answer *a), void *user,
    struct dvt_err *err)
{
	struct once o = {
	    .done = done, .user = user, .rc = DVT_E_SYSTEM, .err = err};
	struct dvt_http_client *c;
	enum dvt_code rc;

	if ((rc = dvt_loop_new(&o.loop, err)) != DVT_OK)
		return rc;
	c = dvt_http_client_new(o.loop, peer);
	dvt_http_client_ask(c, ask, on_once, &o);
	dvt_loop_run(o.loop);
	dvt_http_client_free(c);
	dvt_loop_free(o.loop);
	return o.rc;
}
