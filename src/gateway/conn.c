/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/conn.h"

#include "base/log.h"
#include "base/mem.h"

#include <openssl/err.h>

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define HANDSHAKE_MS  10000 /* accept to the end of the handshake */
#define UNLISTED_MS   3000  /* for the inventory to hear of a certificate */
#define SETTLE_MS     5000  /* silent after the handshake: it is a success */
#define LINGER_MS     1000  /* for the peer to read our alert */
#define LINGER_BYTES  16384
#define HALF_CLOSE_MS 10000 /* upstream to end after the client did */
#define ROUNDS        4     /* records relayed before others have their turn */

enum stage { HANDSHAKE, HELD, OPEN, LINGER };
enum up_stage { UP_NONE, UP_CONNECTING, UP_OPEN };

/* Bytes that the other side did not take; memory only while there are some. */
struct pending {
	uint8_t *p;
	size_t at, n;
};

struct gw_conn {
	struct gw_worker *w;
	struct gw_conn *prev, *next;
	SSL *ssl;
	int fd, up_fd;
	struct dvt_watch *watch, *up_watch;
	struct dvt_timer *timer;
	enum stage stage;
	enum up_stage up;
	bool client_eof; /* it said close_notify */
	bool up_eof;     /* upstream has ended */
	bool up_shut;    /* we told upstream the end */
	bool read_wants_write, write_wants_read;
	bool more; /* TLS holds bytes of which no descriptor will tell */
	struct dvt_defer *again; /* to read them; NULL until needed */
	bool unlisted; /* let in by name while the control plane was away */
	struct pending to_up, to_client;
	int64_t opened_ms;
	size_t lingered;
};

static void on_client(void *ctx, unsigned ready);
static void on_upstream(void *ctx, unsigned ready);
static void on_timer(void *ctx);

/* --- the list --- */

struct gw_conn *
gw_conn_first(struct gw_worker *w)
{
	return w->first;
}

struct gw_conn *
gw_conn_next(struct gw_conn *c)
{
	return c->next;
}

static void
link_conn(struct gw_conn *c)
{
	c->next = c->w->first;
	if (c->next != NULL)
		c->next->prev = c;
	c->w->first = c;
	gw_worker_linked(c->w, c);
}

static void
unlink_conn(struct gw_conn *c)
{
	gw_worker_unlinked(c->w, c);
	if (c->next != NULL)
		c->next->prev = c->prev;
	if (c->prev != NULL)
		c->prev->next = c->next;
	else
		c->w->first = c->next;
}

/* --- what others ask --- */

const char *
gw_conn_root(const struct gw_conn *c)
{
	return dvt_edge_peer(c->ssl)->root;
}

const char *
gw_conn_device(const struct gw_conn *c)
{
	return dvt_edge_peer(c->ssl)->device;
}

int64_t
gw_conn_opened_ms(const struct gw_conn *c)
{
	return c->stage == OPEN ? c->opened_ms : 0;
}

/* --- ends --- */

static void
upstream_drop(struct gw_conn *c)
{
	dvt_watch_free(c->up_watch);
	c->up_watch = NULL;
	if (c->up_fd >= 0)
		close(c->up_fd);
	c->up_fd = -1;
	c->up = UP_NONE;
	free(c->to_up.p);
	c->to_up = (struct pending){0};
}

static void
leave_open(struct gw_conn *c)
{
	if (c->stage == OPEN)
		c->w->sessions--;
}

void
gw_conn_drop(struct gw_conn *c)
{
	leave_open(c);
	unlink_conn(c);
	upstream_drop(c);
	dvt_watch_free(c->watch);
	dvt_timer_free(c->timer);
	dvt_defer_free(c->again);
	SSL_free(c->ssl); /* its record, when there was none yet */
	ERR_clear_error();
	close(c->fd);
	free(c->to_client.p);
	free(c);
}

static void
drop_as(struct gw_conn *c, enum dvt_edge_how how)
{
	dvt_edge_end(c->ssl, how);
	gw_conn_drop(c);
}

/*
 * The alert or close_notify is written: end our side and read on for a while,
 * because a close with unread bytes resets the connection under it.
 */
static void
linger(struct gw_conn *c)
{
	leave_open(c);
	c->stage = LINGER;
	upstream_drop(c);
	free(c->to_client.p);
	c->to_client = (struct pending){0};
	if (shutdown(c->fd, SHUT_WR) != 0) {
		gw_conn_drop(c);
		return;
	}
	dvt_watch_want(c->watch, DVT_READ);
	dvt_timer_start(c->timer, LINGER_MS);
}

static void
linger_read(struct gw_conn *c)
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
	if (c->stage == LINGER)
		return;
	dvt_edge_end(c->ssl, DVT_EDGE_LOCAL);
	ERR_clear_error();
	if (c->stage == OPEN)
		SSL_shutdown(c->ssl);
	if (c->client_eof)
		gw_conn_drop(
		    c); /* it said the end itself: nothing to wait for */
	else
		linger(c);
}

/* Why OpenSSL gave up, in words of the edge. */
static enum dvt_edge_how
how_it_ended(int ssl_error, int sys)
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

/* --- upstream --- */

static void
upstream_failed(struct gw_conn *c, int sys)
{
	struct dvt_err err;

	errno = sys;
	(void)dvt_fail_errno(&err, "%s", c->w->program->settings.upstream_text);
	log_event(LOG_ERR, "gateway.upstream.failed", LE(&err));
	gw_conn_close(c);
}

static bool
upstream_connect(struct gw_conn *c)
{
	const struct dvt_addr *to = &c->w->program->settings.upstream;
	int one = 1;

	c->up_fd = socket(
	    to->ss.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (c->up_fd < 0) {
		upstream_failed(c, errno);
		return false;
	}
	if (to->ss.ss_family != AF_UNIX)
		(void)setsockopt(
		    c->up_fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (connect(c->up_fd, (const struct sockaddr *)&to->ss, to->len) == 0) {
		c->up = UP_OPEN;
	} else if (errno == EINPROGRESS) {
		c->up = UP_CONNECTING;
	} else {
		upstream_failed(c, errno);
		return false;
	}
	c->up_watch = dvt_watch_new(
	    c->w->loop, c->up_fd, DVT_READ, on_upstream, c);
	return true;
}

/* Connected by now? false when that failed and the connection is gone. */
static bool
upstream_poll(struct gw_conn *c)
{
	const struct dvt_addr *to = &c->w->program->settings.upstream;

	if (connect(c->up_fd, (const struct sockaddr *)&to->ss, to->len) == 0 ||
	    errno == EISCONN) {
		c->up = UP_OPEN;
	} else if (errno != EALREADY && errno != EINPROGRESS) {
		upstream_failed(c, errno);
		return false;
	}
	return true;
}

/* --- relaying --- */

/* What is left over of @n bytes after @done of them went out. */
static void
keep(struct pending *q, const uint8_t *p, size_t n, size_t done)
{
	if (done == n)
		return;
	q->p = dvt_alloc(n - done);
	memcpy(q->p, p + done, n - done);
	q->n = n - done;
	q->at = 0;
}

static void
used(struct pending *q, size_t n)
{
	q->at += n;
	if (q->at < q->n)
		return;
	free(q->p);
	*q = (struct pending){0};
}

/* Bytes taken by upstream; 0 when it cannot just now; -1: it is gone. */
static ssize_t
up_write(struct gw_conn *c, const uint8_t *p, size_t n)
{
	ssize_t done;

	if (c->up != UP_OPEN)
		return 0;
	done = send(c->up_fd, p, n, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (done < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	return done;
}

/* The same towards the client. */
static ssize_t
client_write(struct gw_conn *c, const uint8_t *p, size_t n)
{
	int done, why;

	ERR_clear_error();
	done = SSL_write(c->ssl, p, (int)n);
	if (done > 0)
		return done;
	why = SSL_get_error(c->ssl, done);
	c->write_wants_read = why == SSL_ERROR_WANT_READ;
	return why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE ? 0
									 : -1;
}

/* Each of these: false when the connection is gone. */

static bool
flush_up(struct gw_conn *c)
{
	if (c->to_up.n > 0) {
		ssize_t n = up_write(
		    c, c->to_up.p + c->to_up.at, c->to_up.n - c->to_up.at);

		if (n < 0) { /* it will end on its own side too */
			c->up_eof = true;
			used(&c->to_up, c->to_up.n - c->to_up.at);
		} else {
			used(&c->to_up, (size_t)n);
		}
	}
	if (c->client_eof && c->to_up.n == 0 && c->up == UP_OPEN &&
	    !c->up_shut) {
		c->up_shut = true;
		(void)shutdown(c->up_fd, SHUT_WR);
	}
	return true;
}

static bool
flush_client(struct gw_conn *c)
{
	ssize_t n;

	if (c->to_client.n == 0)
		return true;
	n = client_write(c, c->to_client.p + c->to_client.at,
	    c->to_client.n - c->to_client.at);
	if (n < 0) {
		drop_as(c, DVT_EDGE_RESET);
		return false;
	}
	used(&c->to_client, (size_t)n);
	return true;
}

static bool
client_ended(struct gw_conn *c, int n, int sys)
{
	int why = SSL_get_error(c->ssl, n);

	c->read_wants_write = why == SSL_ERROR_WANT_WRITE;
	if (why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE)
		return true;
	if (why != SSL_ERROR_ZERO_RETURN) {
		drop_as(c, how_it_ended(why, sys));
		return false;
	}
	c->client_eof = true;
	dvt_edge_end(c->ssl, DVT_EDGE_CLOSED); /* counts without a byte */
	if (c->up == UP_NONE) {
		gw_conn_close(c);
		return false;
	}
	dvt_timer_start(c->timer, HALF_CLOSE_MS);
	return true;
}

static void
on_again(void *ctx)
{
	struct gw_conn *c = ctx;

	if (c->stage == OPEN && c->more)
		on_client(c, DVT_READ);
}

static bool
relay_in(struct gw_conn *c)
{
	c->more = false;
	for (int i = 0; i < ROUNDS && c->to_up.n == 0 && !c->client_eof; i++) {
		ssize_t done;
		int n;

		ERR_clear_error();
		errno = 0;
		n = SSL_read(c->ssl, c->w->scratch, GW_SCRATCH);
		if (n <= 0)
			return client_ended(c, n, errno);
		c->read_wants_write = false;
		if (c->up == UP_NONE && !upstream_connect(c))
			return false;
		if (c->up == UP_CONNECTING && !upstream_poll(c))
			return false;
		done = up_write(c, c->w->scratch, (size_t)n);
		if (done < 0)
			c->up_eof = true;
		else
			keep(&c->to_up, c->w->scratch, (size_t)n, (size_t)done);
		if (SSL_has_pending(c->ssl) == 0)
			break; /* level-triggered: more will call again */
	}
	c->more = !c->client_eof && SSL_has_pending(c->ssl) == 1;
	return true;
}

static bool
relay_out(struct gw_conn *c)
{
	for (int i = 0; i < ROUNDS && c->to_client.n == 0 && !c->up_eof &&
			c->up == UP_OPEN;
	     i++) {
		ssize_t n = recv(
		    c->up_fd, c->w->scratch, GW_SCRATCH, MSG_DONTWAIT);
		ssize_t done;

		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			break;
		if (n <= 0) {
			c->up_eof = true;
			break;
		}
		done = client_write(c, c->w->scratch, (size_t)n);
		if (done < 0) {
			drop_as(c, DVT_EDGE_RESET);
			return false;
		}
		keep(&c->to_client, c->w->scratch, (size_t)n, (size_t)done);
		if (n < GW_SCRATCH)
			break;
	}
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

/* What to wait for now; ends what is finished. */
static void
rearm(struct gw_conn *c)
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
	if (c->up_watch == NULL)
		return;
	/* a connect that fails reads as the end; that it went well matters
	 * only to who has something to say */
	if (c->to_up.n > 0 || (c->up == UP_CONNECTING && c->client_eof))
		up_want |= DVT_WRITE;
	if (!c->up_eof && c->to_client.n == 0)
		up_want |= DVT_READ;
	dvt_watch_want(c->up_watch, up_want);
}

/* --- the handshake and after --- */

static void
open_session(struct gw_conn *c)
{
	const struct dvt_edge_peer *peer = dvt_edge_peer(c->ssl);

	c->stage = OPEN;
	c->opened_ms = dvt_loop_time(c->w->loop).mono_ms;
	c->w->sessions++;
	dvt_timer_start(c->timer, SETTLE_MS);
	/* names for probes get an upstream with the first byte only */
	if (!peer->probe && !upstream_connect(c))
		return;
	if (relay_in(c))
		rearm(c);
}

static void
decide(struct gw_conn *c, bool waited)
{
	const struct dvt_edge_peer *peer = dvt_edge_peer(c->ssl);

	switch (gw_worker_admission(c->w, peer, waited)) {
	case GW_ADMIT:
		c->unlisted = true;
		dvt_edge_admit(c->ssl, peer->common_name);
		open_session(c);
		break;
	case GW_WAIT:
		if (c->stage == HELD)
			break;
		c->stage = HELD;
		dvt_watch_want(c->watch, 0);
		dvt_timer_start(c->timer, UNLISTED_MS);
		break;
	case GW_REJECT:
		/* no close_notify: the client must not take it for a yes */
		dvt_edge_admit(c->ssl, NULL);
		linger(c);
		break;
	}
}

static void
handshake_failed(struct gw_conn *c, int why, int sys)
{
	enum dvt_edge_how how = how_it_ended(why, sys);

	dvt_edge_end(c->ssl, how);
	if (how == DVT_EDGE_ERROR)
		linger(c); /* an alert of ours is on its way */
	else
		gw_conn_drop(c);
}

static void
handshake(struct gw_conn *c)
{
	int n, why;

	ERR_clear_error();
	errno = 0;
	n = SSL_accept(c->ssl);
	if (n == 1) {
		if (dvt_edge_peer(c->ssl)->unlisted)
			decide(c, false);
		else
			open_session(c);
		return;
	}
	why = SSL_get_error(c->ssl, n);
	if (why == SSL_ERROR_WANT_READ)
		dvt_watch_want(c->watch, DVT_READ);
	else if (why == SSL_ERROR_WANT_WRITE)
		dvt_watch_want(c->watch, DVT_WRITE);
	else
		handshake_failed(c, why, errno);
}

static void
on_client(void *ctx, unsigned ready)
{
	struct gw_conn *c = ctx;

	switch (c->stage) {
	case HANDSHAKE:
		handshake(c);
		return;
	case LINGER:
		linger_read(c);
		return;
	case HELD:
		return;
	case OPEN:
		break;
	}
	if (((ready & DVT_WRITE) != 0 || c->write_wants_read) &&
	    !flush_client(c))
		return;
	if (((ready & DVT_READ) != 0 || c->read_wants_write) && !relay_in(c))
		return;
	if (flush_up(c))
		rearm(c);
}

static void
on_upstream(void *ctx, unsigned ready)
{
	struct gw_conn *c = ctx;

	if (c->up == UP_CONNECTING) {
		int sys = 0;
		socklen_t n = sizeof(sys);

		(void)getsockopt(c->up_fd, SOL_SOCKET, SO_ERROR, &sys, &n);
		if (sys != 0) {
			upstream_failed(c, sys);
			return;
		}
		c->up = UP_OPEN;
	}
	if (!flush_up(c))
		return;
	if ((ready & DVT_READ) != 0 && !relay_out(c))
		return;
	rearm(c);
}

static void
on_timer(void *ctx)
{
	struct gw_conn *c = ctx;

	switch (c->stage) {
	case HANDSHAKE:
		drop_as(c, DVT_EDGE_TIMEOUT);
		break;
	case HELD:
		decide(c, true);
		break;
	case OPEN:
		if (c->client_eof)
			gw_conn_close(c);
		else
			dvt_edge_settle(c->ssl);
		break;
	case LINGER:
		gw_conn_drop(c);
		break;
	}
}

void
gw_conn_check(struct gw_conn *c)
{
	enum dvt_hs_reason reason;

	if (c->stage != HELD && c->stage != OPEN)
		return;
	reason = dvt_edge_check(c->ssl);
	if (c->stage == HELD) {
		const struct dvt_feed_entry *d = dvt_feed_device_by_certificate(
		    c->w->feed, dvt_edge_peer(c->ssl)->certificate);

		if (reason == DVT_HR_OK && d != NULL) {
			dvt_edge_admit(c->ssl, d->key);
			open_session(c);
		}
		return;
	}
	if (reason == DVT_HR_OK) {
		c->unlisted = false; /* the inventory knows it by now */
		return;
	}
	if (reason == DVT_HR_UNKNOWN_DEVICE && c->unlisted)
		return;
	log_event(LOG_NOTICE, "gateway.session.cut",
	    LS("device", gw_conn_device(c)),
	    LS("reason", dvt_hs_reason_name(reason)));
	gw_conn_close(c);
}

void
gw_conn_new(struct gw_worker *w, int fd, const struct dvt_addr *peer)
{
	struct gw_conn *c;
	SSL *ssl = SSL_new(dvt_edge_ctx(w->edge));

	if (ssl == NULL || SSL_set_fd(ssl, fd) != 1) {
		SSL_free(ssl);
		ERR_clear_error();
		close(fd);
		return;
	}
	c = dvt_alloc(sizeof(*c));
	c->w = w;
	c->ssl = ssl;
	c->fd = fd;
	c->up_fd = -1;
	dvt_edge_attach(w->edge, ssl, peer);
	SSL_set_accept_state(ssl);
	SSL_set_read_ahead(ssl, 1); /* a flight of records at once */
	c->watch = dvt_watch_new(w->loop, fd, DVT_READ, on_client, c);
	c->timer = dvt_timer_new(w->loop, on_timer, c);
	dvt_timer_start(c->timer, HANDSHAKE_MS);
	link_conn(c);
}
