/* SPDX-License-Identifier: Apache-2.0 */
/* How a connection ends: with its alert read, or at once. */
#include "gateway/conn_priv.h"

#include <openssl/err.h>

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define LINGER_MS    1000 /* for the peer to read our alert */
#define LINGER_BYTES 16384

void
gw_conn_upstream_hang_up(struct gw_conn *c)
{
	dvt_watch_free(c->up_watch);
	c->up_watch = NULL;
	if (c->up_fd >= 0)
		close(c->up_fd);
	c->up_fd = -1;
	c->up = GW_UP_NONE;
}

void
gw_conn_upstream_drop(struct gw_conn *c)
{
	gw_conn_upstream_hang_up(c);
	free(c->to_up.p);
	c->to_up = (struct gw_pending){0};
}

static void
gw_conn_leave_open(struct gw_conn *c)
{
	if (c->stage != GW_OPEN)
		return;
	if (!c->passed)
		c->w->sessions--;
	else if (!c->half)
		c->w->passed--;
}

void
gw_conn_drop(struct gw_conn *c)
{
	gw_conn_leave_open(c);
	gw_conn_half_end(c);
	gw_conn_unlink(c);
	gw_conn_upstream_drop(c);
	dvt_watch_free(c->watch);
	dvt_timer_free(c->timer);
	dvt_timer_free(c->stall);
	dvt_defer_free(c->again);
	gw_conn_mqtt_free(c);
	SSL_free(c->ssl); /* its record, when there was none yet */
	ERR_clear_error();
	close(c->fd);
	free(c->to_client.p);
	free(c);
}

void
gw_conn_drop_as(struct gw_conn *c, enum dvt_edge_how how)
{
	dvt_edge_end(c->ssl, how);
	gw_conn_drop(c);
}

void
gw_conn_linger(struct gw_conn *c)
{
	gw_conn_leave_open(c);
	gw_conn_half_end(c);
	c->stage = GW_LINGER;
	gw_conn_upstream_drop(c);
	free(c->to_client.p);
	c->to_client = (struct gw_pending){0};
	if (shutdown(c->fd, SHUT_WR) != 0) {
		gw_conn_drop(c);
		return;
	}
	dvt_watch_want(c->watch, DVT_READ);
	dvt_timer_start(c->timer, LINGER_MS);
}

void
gw_conn_linger_read(struct gw_conn *c)
{
	ssize_t n = recv(c->fd, c->w->scratch, GW_SCRATCH, MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	c->lingered += n > 0 ? (size_t)n : 0;
	if (n <= 0 || c->lingered >= LINGER_BYTES)
		gw_conn_drop(c);
}

void
gw_conn_close(struct gw_conn *c)
{
	if (c->stage == GW_LINGER)
		return;
	dvt_edge_end(c->ssl, DVT_EDGE_LOCAL);
	ERR_clear_error();
	if (c->stage == GW_OPEN && !c->passed)
		SSL_shutdown(c->ssl);
	if (c->client_eof)
		gw_conn_drop(
		    c); /* it said the end itself: nothing to wait for */
	else
		gw_conn_linger(c);
}

enum dvt_edge_how
gw_conn_how_it_ended(int ssl_error, int sys)
{
	unsigned long e = ERR_peek_error();

	if (ssl_error == SSL_ERROR_ZERO_RETURN)
		return DVT_EDGE_CLOSED;
	if (ssl_error == SSL_ERROR_SYSCALL)
		return sys == ECONNRESET || sys == EPIPE ? DVT_EDGE_RESET
							 : DVT_EDGE_CLOSED;
	if (ERR_GET_LIB(e) == ERR_LIB_SSL &&
	    ERR_GET_REASON(e) == SSL_R_UNEXPECTED_EOF_WHILE_READING)
		return DVT_EDGE_CLOSED;
	return DVT_EDGE_ERROR;
}
