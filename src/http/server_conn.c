/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One connection of the server: bytes to requests, with a deadline in each
 * state. Nothing here is called from inside the handler but what dvt_http_*
 * offers, and that only queues bytes.
 */
#include "http/server_priv.h"

#include "base/mem.h"

#include <openssl/err.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define READ_CHUNK 16384    /* what one read may add, see loop/tls_conn.c */
#define OUT_MAX    33554432 /* bytes of one answer that may wait */

static int64_t
now_ms(const struct http_conn *c)
{
	return dvt_loop_time(c->listener->server->loop).mono_ms;
}

/* The timer is only moved when it would come too late. */
static void
due_in(struct http_conn *c, int64_t ms)
{
	int64_t at = now_ms(c) + ms;

	c->due_ms = at;
	if (c->armed_ms == 0 || c->armed_ms > at) {
		c->armed_ms = at;
		dvt_timer_start(c->timer, ms);
	}
}

void
http_conn_state(struct http_conn *c, enum conn_state state)
{
	const struct dvt_http_listen *l = &c->listener->l;
	enum conn_state was = c->state;

	c->state = state;
	switch (state) {
	case CONN_IDLE:
		due_in(c, l->idle_ms);
		break;
	case CONN_HEAD:
		/* the first one's time began at the accept */
		if (was == CONN_IDLE && !c->first)
			due_in(c, l->request_ms);
		break;
	case CONN_BODY:
		break;
	case CONN_PARKED:
		due_in(c, l->answer_ms);
		break;
	case CONN_WRITING:
	case CONN_STREAM:
		due_in(c, l->write_ms);
		break;
	}
}

static void
request_forget(struct http_conn *c)
{
	free(c->text);
	c->text = NULL;
	c->looked = 0;
	dvt_buf_cleanse(&c->body); /* one-time secrets come in bodies */
}

void
http_conn_gone(struct http_conn *c, enum dvt_edge_how how)
{
	struct dvt_http_listener *l = c->listener;
	struct dvt_http_stream *st = c->stream;
	SSL *ssl = dvt_tls_conn_ssl(c->tc);

	if (c->state == CONN_PARKED)
		http_slot_give(c);
	if (l->l.closing != NULL && ssl != NULL)
		l->l.closing(l->l.user, ssl, c->we_closed ? c->how : how);
	dvt_tls_conn_free(c->tc);
	dvt_timer_free(c->timer);
	TAILQ_REMOVE(&l->server->conns, c, next);
	l->server->counts.conns--;
	http_listener_room(l);
	request_forget(c);
	dvt_buf_fini(&c->in);
	free(c);
	if (st != NULL) {
		if (st->ended != NULL)
			st->ended(st->user);
		free(st);
	}
}

static void
on_timer(void *arg)
{
	struct http_conn *c = arg;
	struct dvt_http_server *s = c->listener->server;
	int64_t left = c->due_ms - now_ms(c);

	c->armed_ms = 0;
	if (c->due_ms == 0)
		return;
	if (left > 0) {
		due_in(c, left);
		return;
	}
	if (c->state != CONN_IDLE || c->first)
		s->counts.timed_out++;
	switch (c->state) {
	case CONN_IDLE:
		http_conn_gone(c, c->first ? DVT_EDGE_TIMEOUT : DVT_EDGE_LOCAL);
		return;
	case CONN_HEAD:
	case CONN_BODY:
		c->how = DVT_EDGE_TIMEOUT;
		http_conn_refuse(c, 408);
		return;
	case CONN_PARKED:
		http_slot_give(c);
		http_conn_refuse(c, 503);
		return;
	case CONN_WRITING:
	case CONN_STREAM:
		http_conn_gone(c, DVT_EDGE_TIMEOUT);
		return;
	}
}

/* --- requests --- */

static bool
method_of(struct http_conn *c)
{
	for (c->method = DVT_HTTP_GET; c->method <= DVT_HTTP_DELETE;
	     c->method++) {
		if (strcmp(c->head.method, dvt_http_method_name(c->method)) ==
		    0)
			return true;
	}
	return false;
}

static void
hand_over(struct http_conn *c)
{
	struct dvt_http_server *s = c->listener->server;
	char *query = strchr(c->head.target, '?');
	struct dvt_http_req req = {.method = c->method,
	    .path = c->head.target,
	    .body = dvt_buf_span(&c->body),
	    .peer = c->peer,
	    .ssl = dvt_tls_conn_ssl(c->tc),
	    .is_unix = c->is_unix,
	    .peer_uid = c->peer_uid,
	    .listener = c->listener,
	    .head = &c->head};

	c->first = false;
	s->counts.requests++;
	if (query != NULL) {
		*query = '\0'; /* in c->text, which is ours */
		req.query = query + 1;
	}
	if (!http_slot_take(c)) {
		s->counts.refused_busy++;
		http_conn_refuse(c, 503);
		return;
	}
	req.ticket = (struct dvt_http_ticket){
	    c->slot, s->slots[c->slot].generation};
	http_conn_state(c, CONN_PARKED);
	s->handler(s->ctx, &req);
}

/* A whole head is in c->in, @n bytes of it. */
static void
head_take(struct http_conn *c, size_t n)
{
	const struct dvt_http_listen *l = &c->listener->l;

	c->text = dvt_strndup(c->in.p, n);
	dvt_buf_drop(&c->in, n);
	if (memchr(c->text, '\0', n) != NULL) {
		http_conn_refuse(c, 400);
		return;
	}
	if (dvt_http_head_request(c->text, n, &c->head, NULL) != DVT_OK) {
		http_conn_refuse(c, c->head.status);
		return;
	}
	c->closes = !c->head.keep_alive || c->listener->server->quiet;
	if (!method_of(c)) {
		http_conn_refuse(c, 501);
		return;
	}
	c->mute = c->method == DVT_HTTP_HEAD;
	if (c->head.framing == DVT_HTTP_LENGTH &&
	    c->head.length > l->body_max) {
		http_conn_refuse(c, 413);
		return;
	}
	dvt_http_body_init(&c->framing, &c->head);
	dvt_buf_init(&c->body, l->body_max);
	http_conn_state(c, CONN_BODY);
	if (c->head.expects_continue && !c->framing.done && c->in.n == 0 &&
	    dvt_tls_conn_write(c->tc,
		DVT_SPAN_LIT("HTTP/1.1 100 Continue\r\n\r\n"), NULL) != DVT_OK)
		http_conn_refuse(c, 500);
}

static void
head_read(struct http_conn *c)
{
	size_t max = c->listener->l.header_max, n;

	/* an empty line before a request is forgiven (RFC 9112 section 2.2) */
	while (
	    c->looked == 0 && c->in.n >= 2 && memcmp(c->in.p, "\r\n", 2) == 0)
		dvt_buf_drop(&c->in, 2);
	if (c->in.n == 0)
		return;
	if (c->state == CONN_IDLE)
		http_conn_state(c, CONN_HEAD);
	n = dvt_http_head_end(dvt_buf_span(&c->in), &c->looked);
	if (n > max || (n == 0 && c->in.n > max))
		http_conn_refuse(c, 431);
	else if (n > 0)
		head_take(c, n);
}

static void
body_read(struct http_conn *c)
{
	struct dvt_span in = dvt_buf_span(&c->in);
	size_t had = in.n;
	enum dvt_code rc = dvt_http_body_feed(&c->framing, &in, &c->body, NULL);

	dvt_buf_drop(&c->in, had - in.n);
	if (rc != DVT_OK)
		http_conn_refuse(c, rc == DVT_E_LIMIT ? 413 : 400);
	else if (c->framing.done)
		hand_over(c);
}

/* As far as the bytes at hand go; at most one request. */
static void
advance(struct http_conn *c)
{
	if (c->state == CONN_IDLE || c->state == CONN_HEAD)
		head_read(c);
	if (c->state == CONN_BODY)
		body_read(c);
}

static void
on_read(void *arg, struct dvt_span bytes)
{
	struct http_conn *c = arg;

	if (c->we_closed)
		return;
	dvt_buf_put_span(&c->in, bytes);
	if (c->state < CONN_PARKED)
		advance(c);
	/* the next request may come early, but not without end */
	if (c->state >= CONN_PARKED && c->in.n > c->listener->l.header_max)
		dvt_tls_conn_read_enable(c->tc, false);
}

static void
on_drained(void *arg)
{
	struct http_conn *c = arg;

	if (c->state == CONN_STREAM) {
		http_conn_drained(c);
		return;
	}
	if (c->state != CONN_WRITING || c->we_closed)
		return; /* "100 Continue" */
	if (c->closes || c->listener->server->quiet) {
		c->we_closed = true; /* its end is told by on_ended() */
		dvt_tls_conn_finish(c->tc);
		return;
	}
	request_forget(c);
	http_conn_state(c, CONN_IDLE);
	if (c->in.n == 0)
		dvt_buf_fini(&c->in); /* nothing is held for an idle one */
	dvt_tls_conn_read_enable(c->tc, true);
	advance(c);
}

static void
on_ended(void *arg, const struct dvt_tls_result *r)
{
	struct http_conn *c = arg;
	enum dvt_edge_how how = DVT_EDGE_CLOSED;

	if (r->end == DVT_TLS_RESET)
		how = DVT_EDGE_RESET;
	else if (r->end == DVT_TLS_TIMEOUT)
		how = DVT_EDGE_TIMEOUT;
	else if (r->end == DVT_TLS_ALERT || r->end == DVT_TLS_PROTOCOL)
		how = DVT_EDGE_ERROR;
	if (r->end == DVT_TLS_TIMEOUT)
		c->listener->server->counts.timed_out++;
	if (c->state == CONN_PARKED || c->state == CONN_STREAM)
		c->listener->server->counts.gone++;
	http_conn_gone(c, how);
}

static void
peer_learn(struct http_conn *c, int fd, const struct dvt_addr *peer)
{
	struct ucred cred;
	socklen_t len = sizeof(cred);

	c->peer = *peer;
	c->is_unix = c->peer.len > 0 && c->peer.ss.ss_family == AF_UNIX;
	c->peer_uid = (uid_t)-1;
	if (c->is_unix &&
	    getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) == 0)
		c->peer_uid = cred.uid;
}

void
http_conn_new(struct dvt_http_listener *l, int fd, const struct dvt_addr *peer)
{
	struct http_conn *c;
	struct dvt_tls_conn_config config = {.open_ms = l->l.request_ms,
	    .out_max = OUT_MAX,
	    .read = on_read,
	    .drained = on_drained,
	    .ended = on_ended};
	SSL *ssl = NULL;

	if (l->l.tls != NULL) {
		ssl = SSL_new(l->l.tls);
		if (ssl == NULL || SSL_set_fd(ssl, fd) != 1) {
			ERR_clear_error();
			SSL_free(ssl);
			close(fd);
			return; /* never in clear on a TLS port */
		}
		if (l->l.prepare != NULL)
			l->l.prepare(l->l.user, ssl, peer);
	}
	c = dvt_alloc(sizeof(*c));
	c->listener = l;
	c->first = true;
	c->how = DVT_EDGE_LOCAL;
	dvt_buf_init(&c->in, l->l.header_max + 4 * READ_CHUNK);
	peer_learn(c, fd, peer);
	config.user = c;
	c->tc = dvt_tls_conn_accept(l->server->loop, fd, ssl, &config);
	c->timer = dvt_timer_new(l->server->loop, on_timer, c);
	due_in(c, l->l.request_ms);
	TAILQ_INSERT_TAIL(&l->server->conns, c, next);
	l->server->counts.conns++;
	l->conns++;
}
