/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sessions of which one side takes nothing any more while bytes wait for it.
 * What counts is what the peer has taken, not what the kernel still has room
 * for: a slow link is no stalled one.
 */
#include "gateway/conn_priv.h"

#include "base/log.h"

#include <errno.h>
#include <linux/sock_diag.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <stddef.h>
#include <sys/socket.h>

#define LOOKS 4 /* in the time that is allowed */

/* A number that changes when the peer takes something. */
static uint64_t
taken(int fd)
{
	struct tcp_info info = {0};
	uint32_t memory[SK_MEMINFO_VARS] = {0};
	socklen_t n = sizeof(info);

	if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &n) == 0 &&
	    n >= offsetof(struct tcp_info, tcpi_bytes_acked) +
		     sizeof(info.tcpi_bytes_acked))
		return info.tcpi_bytes_acked;
	n = sizeof(memory); /* of a unix socket: what lies in its queue */
	(void)getsockopt(fd, SOL_SOCKET, SO_MEMINFO, memory, &n);
	return memory[SK_MEMINFO_WMEM_ALLOC];
}

/* Milliseconds for which bytes wait and none was taken. */
static int64_t
look(struct gw_stall *s, int fd, const struct gw_pending *q, int64_t now_ms)
{
	uint64_t mark;

	if (q->n == 0) {
		s->waits = false;
		return 0;
	}
	mark = taken(fd);
	if (!s->waits || mark != s->mark) {
		*s = (struct gw_stall){
		    .waits = true, .mark = mark, .since_ms = now_ms};
		return 0;
	}
	return now_ms - s->since_ms;
}

/* What the kernel holds for it would wait on after a close. */
static void
forget(int fd)
{
	struct linger at_once = {.l_onoff = 1, .l_linger = 0};

	(void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
}

static void
end(struct gw_conn *c, const char *side, size_t bytes, int64_t waited_ms)
{
	c->w->stats.stalled++;
	log_event(LOG_NOTICE, "gateway.session.stalled",
	    LS("device", gw_conn_device(c)), LS("side", side),
	    LI("bytes", bytes), LI("waited_s", waited_ms / 1000));
}

static void
on_look(void *ctx)
{
	struct gw_conn *c = ctx;
	int64_t now = dvt_loop_time(c->w->loop).mono_ms;
	int64_t up, client, most = c->w->stall_ms;

	if (c->stage != GW_OPEN)
		return;
	up = look(&c->up_stall, c->up_fd, &c->to_up, now);
	client = look(&c->client_stall, c->fd, &c->to_client, now);
	if (client >= most) {
		end(c, "client", c->to_client.n - c->to_client.at, client);
		forget(c->fd);
		gw_conn_drop_as(c, DVT_EDGE_LOCAL);
	} else if (up >= most && c->up == GW_UP_CONNECTING) {
		c->up_stall.waits = false;
		if (gw_conn_upstream_failed(c, ETIMEDOUT))
			gw_conn_rearm(c);
	} else if (up >= most) {
		end(c, "upstream", c->to_up.n - c->to_up.at, up);
		forget(c->up_fd);
		gw_conn_close(c);
	} else {
		gw_conn_stall_watch(c);
	}
}

void
gw_conn_stall_watch(struct gw_conn *c)
{
	int64_t now;

	if ((c->to_up.n == 0 && c->to_client.n == 0) || c->w->stall_ms == 0)
		return;
	if (c->stall == NULL)
		c->stall = dvt_timer_new(c->w->loop, on_look, c);
	if (dvt_timer_running(c->stall))
		return;
	now = dvt_loop_time(c->w->loop).mono_ms;
	(void)look(&c->up_stall, c->up_fd, &c->to_up, now);
	(void)look(&c->client_stall, c->fd, &c->to_client, now);
	dvt_timer_start(c->stall, c->w->stall_ms / LOOKS);
}
