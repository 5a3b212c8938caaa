/* SPDX-License-Identifier: Apache-2.0 */
/* The upstream's side of a connection. */
#include "gateway/conn_priv.h"

#include "base/log.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

void
gw_conn_upstream_failed(struct gw_conn *c, int sys)
{
	struct dvt_err err;

	errno = sys;
	(void)dvt_fail_errno(&err, "%s", c->w->program->settings.upstream_text);
	log_event(LOG_ERR, "gateway.upstream.failed", LE(&err));
	gw_conn_close(c);
}

bool
gw_conn_upstream(struct gw_conn *c)
{
	const struct dvt_addr *to = &c->w->program->settings.upstream;
	int one = 1;

	c->up_fd = socket(
	    to->ss.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (c->up_fd < 0) {
		gw_conn_upstream_failed(c, errno);
		return false;
	}
	if (to->ss.ss_family != AF_UNIX)
		(void)setsockopt(
		    c->up_fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (connect(c->up_fd, (const struct sockaddr *)&to->ss, to->len) == 0) {
		c->up = GW_UP_OPEN;
	} else if (errno == EINPROGRESS) {
		c->up = GW_UP_CONNECTING;
	} else {
		gw_conn_upstream_failed(c, errno);
		return false;
	}
	c->up_watch = dvt_watch_new(
	    c->w->loop, c->up_fd, DVT_READ, gw_conn_on_upstream, c);
	return true;
}

bool
gw_conn_upstream_poll(struct gw_conn *c)
{
	const struct dvt_addr *to = &c->w->program->settings.upstream;

	if (connect(c->up_fd, (const struct sockaddr *)&to->ss, to->len) == 0 ||
	    errno == EISCONN) {
		c->up = GW_UP_OPEN;
	} else if (errno != EALREADY && errno != EINPROGRESS) {
		gw_conn_upstream_failed(c, errno);
		return false;
	}
	return true;
}
