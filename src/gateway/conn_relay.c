/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes both ways, with bounded memory. */
#include "gateway/conn_priv.h"

#include "base/log.h"
#include "base/mem.h"

#include <openssl/err.h>

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/socket.h>

#define HALF_CLOSE_MS 10000 /* upstream to end after the client did */
/* Four records at once, for clients that fill them; on the wire each is a
 * little longer. */
#define WIDE (4 * (SSL3_RT_MAX_ENCRYPTED_LENGTH + SSL3_RT_HEADER_LENGTH))

void
gw_pending_add(struct gw_pending *q, const uint8_t *p, size_t n)
{
	if (n == 0)
		return;
	q->p = dvt_realloc(q->p, q->n + n);
	memcpy(q->p + q->n, p, n);
	q->n += n;
}

/* What is left over of @n bytes after @done of them went out. */
static void
keep(struct gw_pending *q, const uint8_t *p, size_t n, size_t done)
{
	gw_pending_add(q, p + done, n - done);
}

static void
used(struct gw_pending *q, size_t n)
{
	q->at += n;
	if (q->at < q->n)
		return;
	free(q->p);
	*q = (struct gw_pending){0};
}

/* Bytes taken; 0 when it cannot just now; -1: it is gone. */
static ssize_t
plain_send(int fd, const uint8_t *p, size_t n)
{
	ssize_t done = send(fd, p, n, MSG_DONTWAIT | MSG_NOSIGNAL);

	return done < 0 && (errno == EAGAIN || errno == EINTR) ? 0 : done;
}

static ssize_t
up_send(struct gw_conn *c, const uint8_t *p, size_t n)
{
	return c->up == GW_UP_OPEN ? plain_send(c->up_fd, p, n) : 0;
}

/* The same; what waits goes first. */
static ssize_t
up_write(struct gw_conn *c, const uint8_t *p, size_t n)
{
	return c->to_up.n > 0 ? 0 : up_send(c, p, n);
}

/* Several records leave the kernel together. */
static void
cork(int fd, bool on)
{
	int value = on;

	(void)setsockopt(fd, IPPROTO_TCP, TCP_CORK, &value, sizeof(value));
}

/* The same towards the client; each SSL_write() takes a record. */
static ssize_t
client_write(struct gw_conn *c, const uint8_t *p, size_t n)
{
	size_t all = 0;
	int done, why;

	if (n == 0)
		return 0;
	if (c->passed)
		return plain_send(c->fd, p, n);
	if (n > GW_RECORD)
		cork(c->fd, true);
	do {
		ERR_clear_error();
		done = SSL_write(c->ssl, p + all, (int)(n - all));
		all += done > 0 ? (size_t)done : 0;
	} while (done > 0 && all < n);
	if (n > GW_RECORD)
		cork(c->fd, false);
	if (done > 0)
		return (ssize_t)all;
	why = SSL_get_error(c->ssl, done);
	c->write_wants_read = why == SSL_ERROR_WANT_READ;
	return why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE
		   ? (ssize_t)all
		   : -1;
}

/* Each of these: false when the connection is gone. */

bool
gw_conn_flush_up(struct gw_conn *c)
{
	if (c->to_up.n > 0) {
		ssize_t n = up_send(
		    c, c->to_up.p + c->to_up.at, c->to_up.n - c->to_up.at);

		if (n < 0) { /* it will end on its own side too */
			c->up_eof = true;
			used(&c->to_up, c->to_up.n - c->to_up.at);
		} else {
			used(&c->to_up, (size_t)n);
		}
	}
	if (c->client_eof && c->to_up.n == 0 && c->up == GW_UP_OPEN &&
	    !c->up_shut) {
		c->up_shut = true;
		(void)shutdown(c->up_fd, SHUT_WR);
	}
	return true;
}

bool
gw_conn_flush_client(struct gw_conn *c)
{
	ssize_t n;

	if (c->to_client.n == 0)
		return true;
	n = client_write(c, c->to_client.p + c->to_client.at,
	    c->to_client.n - c->to_client.at);
	if (n < 0) {
		gw_conn_drop_as(c, DVT_EDGE_RESET);
		return false;
	}
	used(&c->to_client, (size_t)n);
	return true;
}

bool
gw_conn_tell_client(struct gw_conn *c, const uint8_t *p, size_t n)
{
	ssize_t done = c->to_client.n > 0 ? 0 : client_write(c, p, n);

	if (done < 0) {
		gw_conn_drop_as(c, DVT_EDGE_RESET);
		return false;
	}
	keep(&c->to_client, p, n, (size_t)done);
	return true;
}

/* It will send no more; false: there is nothing left to do for it. */
static bool
client_half_closed(struct gw_conn *c)
{
	c->client_eof = true;
	if (c->up == GW_UP_NONE) {
		gw_conn_close(c);
		return false;
	}
	dvt_timer_start(c->timer, HALF_CLOSE_MS);
	return true;
}

/* Nothing more just now, or no more at all. */
struct stop {
	int why; /* of SSL_get_error(); SSL_ERROR_NONE: it was not tried */
	int sys;
};

/*
 * What the client sent: up to @most bytes of the scratch, record after record
 * as long as more than the last one was at hand. An end is told once, so it
 * comes beside what was read before it.
 */
static size_t
client_read(struct gw_conn *c, size_t most, struct stop *stop)
{
	size_t n = 0;
	int got;

	*stop = (struct stop){.why = SSL_ERROR_NONE};
	do {
		ERR_clear_error();
		errno = 0;
		got = SSL_read(c->ssl, c->w->scratch + n, (int)(most - n));
		if (got <= 0) {
			stop->sys = errno;
			stop->why = SSL_get_error(c->ssl, got);
			break;
		}
		n += (size_t)got;
		if (got == GW_RECORD) /* from its next buffer on */
			SSL_set_default_read_buffer_len(c->ssl, WIDE);
	} while (n + GW_RECORD <= most && SSL_has_pending(c->ssl) == 1);
	c->read_wants_write = stop->why == SSL_ERROR_WANT_WRITE;
	return n;
}

static bool
client_stopped(struct gw_conn *c, const struct stop *stop)
{
	if (dvt_edge_is_idle_talk(c->ssl)) {
		log_event(LOG_WARNING, "gateway.session.idle-talk",
		    LS("device", gw_conn_device(c)));
		gw_conn_drop_as(c, DVT_EDGE_LOCAL);
		return false;
	}
	if (stop->why == SSL_ERROR_NONE || stop->why == SSL_ERROR_WANT_READ ||
	    stop->why == SSL_ERROR_WANT_WRITE)
		return true;
	if (stop->why != SSL_ERROR_ZERO_RETURN) {
		gw_conn_drop_as(c, gw_conn_how_it_ended(stop->why, stop->sys));
		return false;
	}
	dvt_edge_end(c->ssl, DVT_EDGE_CLOSED); /* counts without a byte */
	return client_half_closed(c);
}

/* Bytes of the client on their way up; false: the connection is gone. */
static bool
hand_up(struct gw_conn *c, size_t n)
{
	ssize_t done;

	if (c->up == GW_UP_NONE && !gw_conn_upstream(c))
		return false;
	if (c->up == GW_UP_CONNECTING && !gw_conn_upstream_poll(c))
		return false;
	if (c->mqtt != NULL)
		(void)dvt_mqtt_border_pass(
		    &c->mqtt->in, c->w->scratch, n, false);
	done = up_write(c, c->w->scratch, n);
	if (done < 0)
		c->up_eof = true;
	else
		keep(&c->to_up, c->w->scratch, n, (size_t)done);
	return true;
}

/* The same without TLS: what the client sends goes as it is. */
static bool
relay_in_plain(struct gw_conn *c)
{
	ssize_t n;

	if (c->to_up.n > 0 || c->client_eof)
		return true;
	n = recv(c->fd, c->w->scratch, GW_SCRATCH, MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return true;
	if (n < 0) {
		gw_conn_drop(c);
		return false;
	}
	if (n == 0)
		return client_half_closed(c);
	gw_conn_pass_heard(c);
	return hand_up(c, (size_t)n);
}

static void
on_again(void *ctx)
{
	struct gw_conn *c = ctx;

	if (c->stage == GW_OPEN && c->more)
		gw_conn_on_client(c, DVT_READ);
}

/*
 * Does TLS hold what no descriptor will tell of? What the kernel holds calls
 * again (level-triggered), and so does the rest of a record of which TLS has
 * the beginning.
 */
static bool
has_more(const struct gw_conn *c, const struct stop *stop)
{
	return stop->why == SSL_ERROR_NONE && SSL_has_pending(c->ssl) == 1;
}

/* Records of a client that is not let in yet, one by one. */
static bool
relay_opening(struct gw_conn *c)
{
	struct stop stop;

	do {
		size_t n = client_read(c, GW_RECORD, &stop);

		if (n > 0 && !gw_conn_mqtt_in(c, c->w->scratch, n))
			return false;
		if (!client_stopped(c, &stop))
			return false;
		c->more = has_more(c, &stop);
	} while (c->more && !c->mqtt->let_in);
	return true;
}

static bool
relay_in_tls(struct gw_conn *c)
{
	struct stop stop;
	size_t n;

	if (c->mqtt != NULL && !c->mqtt->let_in)
		return relay_opening(c);
	if (c->to_up.n > 0 || c->client_eof) {
		c->more = !c->client_eof && SSL_has_pending(c->ssl) == 1;
		return true;
	}
	n = client_read(c, GW_SCRATCH, &stop);
	if ((n > 0 && !hand_up(c, n)) || !client_stopped(c, &stop))
		return false;
	c->more = has_more(c, &stop);
	return true;
}

bool
gw_conn_relay_in(struct gw_conn *c)
{
	c->more = false;
	if (c->passed)
		return relay_in_plain(c);
	return relay_in_tls(c);
}

bool
gw_conn_relay_out(struct gw_conn *c)
{
	ssize_t n, done;

	if (c->to_client.n > 0 || c->up_eof || c->up != GW_UP_OPEN)
		return true;
	n = recv(c->up_fd, c->w->scratch, GW_SCRATCH, MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return true;
	if (n <= 0) {
		c->up_eof = true;
		return true;
	}
	c->up_spoke = true;
	if (c->passed && c->client_eof) /* it may take its time */
		dvt_timer_start(c->timer, HALF_CLOSE_MS);
	if (c->mqtt != NULL)
		n = (ssize_t)gw_conn_mqtt_out(c, c->w->scratch, (size_t)n);
	done = client_write(c, c->w->scratch, (size_t)n);
	if (done < 0) {
		gw_conn_drop_as(c, DVT_EDGE_RESET);
		return false;
	}
	keep(&c->to_client, c->w->scratch, (size_t)n, (size_t)done);
	return true;
}

/* Others have their turn first. */
static void
read_again(struct gw_conn *c)
{
	if (c->again == NULL)
		c->again = dvt_defer_new(c->w->loop, on_again, c);
	dvt_defer_arm(c->again);
}

void
gw_conn_rearm(struct gw_conn *c)
{
	unsigned want = 0, up_want = 0;

	if (c->up_eof && c->to_client.n == 0) {
		gw_conn_close(c);
		return;
	}
	if ((!c->client_eof && c->to_up.n == 0 && !c->read_wants_write) ||
	    c->write_wants_read)
		want |= DVT_READ;
	if ((c->to_client.n > 0 && !c->write_wants_read) || c->read_wants_write)
		want |= DVT_WRITE;
	dvt_watch_want(c->watch, want);
	if (c->more && c->to_up.n == 0)
		read_again(c);
	gw_conn_stall_watch(c);
	if (c->up_watch == NULL)
		return;
	/* a connect that fails reads as the end; that it went well matters
	 * only to who has something to say */
	if (c->to_up.n > 0 || (c->up == GW_UP_CONNECTING && c->client_eof))
		up_want |= DVT_WRITE;
	if (!c->up_eof && c->to_client.n == 0)
		up_want |= DVT_READ;
	dvt_watch_want(c->up_watch, up_want);
}
