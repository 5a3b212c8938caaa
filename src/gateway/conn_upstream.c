/* SPDX-License-Identifier: Apache-2.0 */
/* The upstream's side of a connection. */
#include "gateway/conn_priv.h"

#include "base/log.h"
#include "proto/proxy.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

static int64_t
now_ms(const struct gw_conn *c)
{
	return dvt_loop_time(c->w->loop).mono_ms;
}

static const struct dvt_addr *
address_of(const struct gw_conn *c)
{
	return &c->to->addr[c->to->failures % c->to->addr_n];
}

void
gw_conn_proxy_put(struct gw_conn *c, struct dvt_buf *out)
{
	const struct dvt_edge_peer *peer = dvt_edge_peer(c->ssl);
	struct dvt_addr from, to;
	struct dvt_proxy p = {.from = (struct sockaddr *)&from.ss,
	    .to = (struct sockaddr *)&to.ss,
	    .tls = c->passed ? NULL : SSL_get_version(c->ssl),
	    .certificate = peer->certificate[0] != '\0',
	    .common_name = peer->common_name[0] != '\0' ? peer->common_name
							: peer->device,
	    .authority = peer->name};

	if (!c->w->program->settings.proxy_protocol &&
	    !(c->passed && c->w->program->settings.pass_proxy))
		return;
	dvt_addr_of_peer(c->fd, &from);
	dvt_addr_of_self(c->fd, &to);
	dvt_proxy_put(out, &p);
}

/* By its name a device stays with one; who has none here, by its address. */
static struct gw_upstream *
pick(struct gw_conn *c)
{
	struct gw_worker *w = c->w;
	char host[DVT_ADDR_TEXT];
	struct dvt_addr from;

	if (!c->passed)
		return gw_upstreams_pick(
		    &w->upstreams, gw_conn_device(c), &c->tried, now_ms(c));
	dvt_addr_of_peer(c->fd, &from);
	return gw_upstreams_pick(
	    &w->pass_to, dvt_addr_host(&from, host), &c->tried, now_ms(c));
}

static void
failed(struct gw_conn *c, int sys)
{
	struct dvt_err err;

	if (!gw_upstream_rests(c->to, now_ms(c))) {
		errno = sys;
		(void)dvt_fail_errno(&err, "%s", c->to->text);
		log_event(LOG_ERR, "gateway.upstream.failed", LE(&err));
	}
	gw_upstream_failed(c->to, now_ms(c));
}

/* 0, or errno. */
static int
dial(struct gw_conn *c)
{
	const struct dvt_addr *to = address_of(c);
	int one = 1;

	c->up_fd = socket(
	    to->ss.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (c->up_fd < 0)
		return errno;
	if (to->ss.ss_family != AF_UNIX)
		(void)setsockopt(
		    c->up_fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (connect(c->up_fd, (const struct sockaddr *)&to->ss, to->len) == 0)
		c->up = GW_UP_OPEN;
	else if (errno == EINPROGRESS)
		c->up = GW_UP_CONNECTING;
	else
		return errno;
	return 0;
}

/* The next of them that can be begun; what waits for it stays. */
static bool
dial_next(struct gw_conn *c)
{
	int sys;

	for (;;) {
		gw_conn_upstream_hang_up(c);
		c->to = pick(c);
		if (c->to == NULL) {
			gw_conn_unavailable(c);
			return false;
		}
		if ((sys = dial(c)) == 0)
			break;
		failed(c, sys);
	}
	c->up_watch = dvt_watch_new(
	    c->w->loop, c->up_fd, DVT_READ, gw_conn_on_upstream, c);
	return true;
}

bool
gw_conn_upstream(struct gw_conn *c)
{
	struct dvt_buf head;

	if (c->mqtt == NULL) { /* else it goes before the CONNECT */
		dvt_buf_init(&head, DVT_PROXY_MAX);
		gw_conn_proxy_put(c, &head);
		gw_pending_add(&c->to_up, head.p, head.n);
		dvt_buf_fini(&head);
	}
	return dial_next(c);
}

bool
gw_conn_upstream_failed(struct gw_conn *c, int sys)
{
	failed(c, sys);
	return dial_next(c);
}

bool
gw_conn_upstream_poll(struct gw_conn *c)
{
	const struct dvt_addr *to = address_of(c);

	if (connect(c->up_fd, (const struct sockaddr *)&to->ss, to->len) == 0 ||
	    errno == EISCONN) {
		c->up = GW_UP_OPEN;
		gw_upstream_well(c->to);
	} else if (errno != EALREADY && errno != EINPROGRESS) {
		return gw_conn_upstream_failed(c, errno);
	}
	return true;
}
