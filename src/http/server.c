/* SPDX-License-Identifier: Apache-2.0 */
/* HTTP server, listeners and tickets: see server.h. */
#include "http/server_priv.h"

#include "base/log.h"
#include "base/mem.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define ACCEPT_TURN 16  /* connections of one listener in one turn */
#define ACCEPT_WAIT 100 /* ms, when the process has no descriptor left */

/* ms and counts, when a listener leaves them to us */
#define CONNS_MAX  10000
#define REQUEST_MS 30000
#define IDLE_MS    60000
#define ANSWER_MS  60000
#define WRITE_MS   60000

static const char *const methods[] = {
    [DVT_HTTP_GET] = "GET",
    [DVT_HTTP_HEAD] = "HEAD",
    [DVT_HTTP_POST] = "POST",
    [DVT_HTTP_PUT] = "PUT",
    [DVT_HTTP_PATCH] = "PATCH",
    [DVT_HTTP_DELETE] = "DELETE",
};

const char *
dvt_http_method_name(enum dvt_http_method m)
{
	return (size_t)m < DVT_COUNT(methods) ? methods[m] : "?";
}

const char *
dvt_http_req_header(const struct dvt_http_req *r, const char *name)
{
	return dvt_http_header_find(r->head->headers, r->head->headers_n, name);
}

/* --- tickets --- */

bool
http_slot_take(struct http_conn *c)
{
	struct dvt_http_server *s = c->listener->server;
	uint32_t i = s->free_slot;

	if (i == s->slots_n)
		return false;
	s->free_slot = s->slots[i].next_free;
	s->slots[i].conn = c;
	s->slots[i].generation = ++s->generation;
	s->counts.parked++;
	c->slot = i;
	return true;
}

void
http_slot_give(struct http_conn *c)
{
	struct dvt_http_server *s = c->listener->server;
	struct http_slot *slot = &s->slots[c->slot];

	if (slot->conn != c)
		return;
	slot->conn = NULL;
	slot->next_free = s->free_slot;
	s->free_slot = c->slot;
	s->counts.parked--;
}

struct http_conn *
http_slot_find(struct dvt_http_server *s, struct dvt_http_ticket t)
{
	if (t.slot >= s->slots_n || s->slots[t.slot].conn == NULL ||
	    s->slots[t.slot].generation != t.generation)
		return NULL;
	return s->slots[t.slot].conn;
}

/* --- listeners --- */

static void
accept_pause(struct dvt_http_listener *l, bool pause)
{
	l->paused = pause;
	dvt_watch_want(l->watch, pause || l->server->quiet ? 0 : DVT_READ);
}

static void
on_again(void *arg)
{
	struct dvt_http_listener *l = arg;

	accept_pause(l, l->conns >= l->l.conns_max);
}

/* Whoever holds a place longest and has not asked makes room: who asks at once
 * is read before as many others could push. */
static bool
push_one(struct dvt_http_listener *l)
{
	struct http_conn *c;

	if (!l->l.pushes)
		return false;
	TAILQ_FOREACH(c, &l->server->conns, next)
	{
		if (c->listener == l && c->state < CONN_PARKED)
			break;
	}
	if (c == NULL)
		return false;
	http_conn_gone(c, DVT_EDGE_LOCAL);
	return true;
}

static void
on_incoming(void *arg, unsigned ready)
{
	struct dvt_http_listener *l = arg;

	(void)ready;
	for (int i = 0; i < ACCEPT_TURN && !l->paused; i++) {
		int fd = accept4(
		    l->l.fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd >= 0) {
			http_ahead_new(l, fd);
			if (l->conns >= l->l.conns_max && !push_one(l))
				accept_pause(l, true);
			continue;
		}
		if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS ||
		    errno == ENOMEM) {
			log_event(LOG_ERR, "http.accept", LI("errno", errno),
			    LI("open", l->conns));
			accept_pause(l, true);
			dvt_timer_start(l->again, ACCEPT_WAIT);
		}
		break; /* none left; or the client left already */
	}
}

void
http_listener_room(struct dvt_http_listener *l)
{
	l->conns--;
	if (l->paused && !dvt_timer_running(l->again))
		accept_pause(l, false);
}

static void
listen_defaults(struct dvt_http_listen *l)
{
	if (l->conns_max == 0)
		l->conns_max = CONNS_MAX;
	if (l->header_max == 0)
		l->header_max = DVT_HEADERS_MAX;
	if (l->body_max == 0)
		l->body_max = DVT_BODY_MAX;
	if (l->request_ms <= 0)
		l->request_ms = REQUEST_MS;
	if (l->idle_ms <= 0)
		l->idle_ms = IDLE_MS;
	if (l->answer_ms <= 0)
		l->answer_ms = ANSWER_MS;
	if (l->write_ms <= 0)
		l->write_ms = WRITE_MS;
}

/* Inherited by what is accepted. A peer that is gone without a word (no
 * power, no network) is found by the kernel's probes. */
static void
socket_options(int fd)
{
	int one = 1, idle_s = 60, every_s = 15, probes = 3;

	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	(void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof(one));
	(void)setsockopt(
	    fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle_s, sizeof(idle_s));
	(void)setsockopt(
	    fd, IPPROTO_TCP, TCP_KEEPINTVL, &every_s, sizeof(every_s));
	(void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &probes, sizeof(probes));
}

enum dvt_code
dvt_http_server_listen(struct dvt_http_server *s,
    const struct dvt_http_listen *config, struct dvt_http_listener **out,
    struct dvt_err *err)
{
	struct dvt_http_listener *l;
	socklen_t len = sizeof(int);
	int listening = 0;

	if (out != NULL)
		*out = NULL;
	if (getsockopt(
		config->fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &len) != 0 ||
	    !listening)
		return dvt_fail(err, DVT_E_SYSTEM,
		    "HTTP: descriptor %d does not listen", config->fd);
	l = dvt_alloc(sizeof(*l));
	l->server = s;
	l->l = *config;
	listen_defaults(&l->l);
	if (l->l.tls != NULL)
		(void)SSL_CTX_up_ref(l->l.tls);
	socket_options(l->l.fd);
	l->again = dvt_timer_new(s->loop, on_again, l);
	l->watch = dvt_watch_new(s->loop, l->l.fd, DVT_READ, on_incoming, l);
	LIST_INSERT_HEAD(&s->listeners, l, next);
	if (out != NULL)
		*out = l;
	return DVT_OK;
}

void
dvt_http_listener_tls_set(struct dvt_http_listener *l, SSL_CTX *tls)
{
	(void)SSL_CTX_up_ref(tls);
	SSL_CTX_free(l->l.tls);
	l->l.tls = tls;
}

void *
dvt_http_listener_user(const struct dvt_http_listener *l)
{
	return l->l.user;
}

/* --- the server --- */

struct dvt_http_server *
dvt_http_server_new(struct dvt_loop *loop, size_t parked_max,
    dvt_http_handler *handler, void *ctx)
{
	struct dvt_http_server *s = dvt_alloc(sizeof(*s));

	s->loop = loop;
	s->handler = handler;
	s->ctx = ctx;
	s->slots_n = (uint32_t)parked_max;
	s->slots = dvt_alloc_array(parked_max + 1, sizeof(*s->slots));
	for (uint32_t i = 0; i < s->slots_n; i++)
		s->slots[i].next_free = i + 1;
	TAILQ_INIT(&s->conns);
	LIST_INIT(&s->listeners);
	LIST_INIT(&s->ahead);
	return s;
}

void
dvt_http_server_quiesce(struct dvt_http_server *s)
{
	struct dvt_http_listener *l;
	struct http_conn *c, *after;

	s->quiet = true;
	LIST_FOREACH(l, &s->listeners, next)
	{
		accept_pause(l, true);
	}
	http_ahead_drop_all(s);
	for (c = TAILQ_FIRST(&s->conns); c != NULL; c = after) {
		after = TAILQ_NEXT(c, next);
		if (c->state == CONN_IDLE && !c->first)
			http_conn_gone(c, DVT_EDGE_LOCAL);
	}
}

void
dvt_http_server_free(struct dvt_http_server *s)
{
	struct dvt_http_listener *l;
	struct http_conn *c;

	if (s == NULL)
		return;
	s->quiet = true; /* room is not used any more */
	http_ahead_drop_all(s);
	while ((c = TAILQ_FIRST(&s->conns)) != NULL)
		http_conn_gone(c, DVT_EDGE_LOCAL);
	while ((l = LIST_FIRST(&s->listeners)) != NULL) {
		LIST_REMOVE(l, next);
		dvt_watch_free(l->watch);
		dvt_timer_free(l->again);
		SSL_CTX_free(l->l.tls);
		close(l->l.fd);
		free(l);
	}
	free(s->slots);
	free(s);
}

struct dvt_http_counts
dvt_http_server_counts(const struct dvt_http_server *s)
{
	return s->counts;
}
