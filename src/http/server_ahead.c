/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What comes before a connection: a PROXY header, where the listener expects
 * one. From who may send it, a connection can also begin without: a relay has
 * requests of its own. The header's bytes are read and not one more.
 */
#include "base/log.h"
#include "base/mem.h"
#include "http/server_priv.h"
#include "proto/proxy.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define HEADER_MS 5000 /* accept to the end of the header */

struct http_ahead {
	struct dvt_http_listener *listener;
	int fd;
	struct dvt_addr peer;
	struct dvt_watch *watch;
	struct dvt_timer *timer;
	LIST_ENTRY(http_ahead) next;
	size_t n, need; /* bytes of the header; 0: none has come */
	uint8_t head[DVT_PROXY_IN_MAX];
};

static void
ahead_free(struct http_ahead *a)
{
	LIST_REMOVE(a, next);
	dvt_watch_free(a->watch);
	dvt_timer_free(a->timer);
	free(a);
}

static void
drop(struct http_ahead *a)
{
	struct dvt_http_listener *l = a->listener;

	close(a->fd);
	ahead_free(a);
	http_listener_room(l);
}

static void
go_on(struct http_ahead *a, const struct dvt_addr *peer)
{
	struct dvt_http_listener *l = a->listener;
	struct dvt_addr from = *peer;
	int fd = a->fd;

	ahead_free(a);
	l->conns--; /* counted again */
	http_conn_new(l, fd, &from);
}

static void
refuse(struct http_ahead *a, const struct dvt_err *err)
{
	char text[DVT_ADDR_TEXT];

	log_event(LOG_WARNING, "http.proxy.refused",
	    LS("from", dvt_addr_format(&a->peer, text)), LE(err));
	drop(a);
}

/* As many bytes as the header still wants; false: it is over with @a. */
static bool
read_on(struct http_ahead *a)
{
	ssize_t n = recv(a->fd, a->head + a->n, a->need - a->n, MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return false;
	if (n <= 0) {
		drop(a);
		return false;
	}
	a->n += (size_t)n;
	return true;
}

/* Its first byte tells whether there is a header; it is not taken. */
static bool
has_header(struct http_ahead *a)
{
	uint8_t first = 0;
	ssize_t n = recv(a->fd, &first, 1, MSG_PEEK | MSG_DONTWAIT);

	if (n == 1 && first == DVT_PROXY_FIRST)
		return true;
	if (n >= 0) /* also its end: told by the connection */
		go_on(a, &a->peer);
	else if (errno != EAGAIN && errno != EINTR)
		drop(a);
	return false;
}

static void
on_ready(void *ctx, unsigned ready)
{
	struct http_ahead *a = ctx;
	struct dvt_addr from = {.len = 0};
	struct dvt_err err = {0};
	enum dvt_code rc;

	(void)ready;
	if (a->need == 0 && !has_header(a))
		return;
	for (;;) {
		rc = dvt_proxy_parse((struct dvt_span){a->head, a->n}, &a->need,
		    &from.ss, &from.len, &err);
		if (rc != DVT_E_LATER)
			break;
		if (!read_on(a))
			return;
	}
	if (rc != DVT_OK)
		refuse(a, &err);
	else
		go_on(a, from.len > 0 ? &from : &a->peer);
}

static void
on_late(void *ctx)
{
	struct http_ahead *a = ctx;

	a->listener->server->counts.timed_out++;
	drop(a);
}

void
http_ahead_new(struct dvt_http_listener *l, int fd)
{
	struct dvt_addr peer = {.len = 0};
	struct http_ahead *a;

	dvt_addr_of_peer(fd, &peer);
	if (l->l.proxied == NULL || !l->l.proxied(l->l.user, &peer)) {
		http_conn_new(l, fd, &peer);
		return;
	}
	a = dvt_alloc(sizeof(*a));
	a->listener = l;
	a->fd = fd;
	a->peer = peer;
	a->watch = dvt_watch_new(l->server->loop, fd, DVT_READ, on_ready, a);
	a->timer = dvt_timer_new(l->server->loop, on_late, a);
	dvt_timer_start(a->timer, HEADER_MS);
	LIST_INSERT_HEAD(&l->server->ahead, a, next);
	l->conns++;
}

void
http_ahead_drop_all(struct dvt_http_server *s)
{
	struct http_ahead *a;

	while ((a = LIST_FIRST(&s->ahead)) != NULL)
		drop(a);
}
