/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Outgoing connection: see tls_conn.h. Every way in from the loop goes through
 * enter() and leave(), so that a callback may free the connection.
 */
#include "loop/tls_conn_priv.h"

#include "base/mem.h"

#include <openssl/err.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define OPEN_MS     10000
#define OUT_MAX     1048576
#define LINGER_MS   1000  /* for the peer's end after finish() */
#define READ_CHUNK  16384 /* one TLS record */
#define READ_TURN   4     /* chunks of one connection in one turn */
#define DRAIN_BYTES 65536 /* unread at a refusal; more is not waited for */

static void begin(struct dvt_tls_conn *c);
static void on_ready(void *arg, unsigned ready);

static void
socket_drop(struct dvt_tls_conn *c)
{
	dvt_watch_free(c->watch);
	c->watch = NULL;
	if (c->fd >= 0)
		close(c->fd);
	c->fd = -1;
}

static void
destroy(struct dvt_tls_conn *c)
{
	socket_drop(c);
	if (c->ssl != NULL) /* else its session would be marked as bad */
		SSL_set_shutdown(
		    c->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
	SSL_free(c->ssl);
	SSL_CTX_free(c->cfg.ctx);
	X509_STORE_free(c->cfg.trust);
	SSL_SESSION_free(c->cfg.ticket);
	sk_X509_pop_free(c->refused, X509_free);
	dvt_timer_free(c->timer);
	dvt_defer_free(c->step);
	dvt_buf_cleanse(&c->out);
	free(c->addrs);
	free(c->server_name);
	free(c->verify_name);
	free(c);
}

static bool
enter(struct dvt_tls_conn *c)
{
	assert(!c->busy);
	c->busy = true;
	return !c->over;
}

static void
leave(struct dvt_tls_conn *c)
{
	c->busy = false;
	if (c->freed)
		destroy(c);
}

/*
 * An unread byte in our buffer would turn close() into a reset, and a reset
 * can overtake the alert that tells the peer why.
 */
static void
drain(int fd)
{
	char waste[4096];

	for (size_t n = 0; n < DRAIN_BYTES; n += sizeof(waste)) {
		if (recv(fd, waste, sizeof(waste), MSG_DONTWAIT) <= 0)
			break;
	}
	(void)shutdown(fd, SHUT_WR);
}

static const char *
peer_name(const struct dvt_tls_conn *c, char where[DVT_ADDR_TEXT])
{
	struct dvt_addr peer = {.len = 0};

	if (c->addr_next > 0)
		return dvt_addr_format(&c->addrs[c->addr_next - 1], where);
	if (c->fd >= 0)
		dvt_addr_of_peer(c->fd, &peer);
	return dvt_addr_format(&peer, where);
}

static void
end(struct dvt_tls_conn *c, enum dvt_tls_end how)
{
	char where[DVT_ADDR_TEXT], text[sizeof(c->r.text)];

	if (c->over || c->freed)
		return;
	c->over = true;
	c->r.end = how;
	c->r.phase = c->phase;
	if (how != DVT_TLS_CLOSED) {
		memcpy(text, c->r.text, sizeof(text));
		(void)snprintf(c->r.text, sizeof(c->r.text), "%s: %s%s%.140s",
		    peer_name(c, where), dvt_tls_end_name(how),
		    text[0] != '\0' ? ": " : "", text);
	}
	if (c->fd >= 0 && c->phase != DVT_TLS_CONNECT)
		drain(c->fd);
	socket_drop(c);
	dvt_timer_stop(c->timer);
	dvt_defer_cancel(c->step);
	c->cfg.ended(c->cfg.user, &c->r);
}

static void
end_errno(struct dvt_tls_conn *c, enum dvt_tls_end how, int sys)
{
	c->r.sys = sys;
	(void)snprintf(c->r.text, sizeof(c->r.text), "%s", strerror(sys));
	end(c, how);
}

static void
interest(struct dvt_tls_conn *c)
{
	unsigned want = c->io_want;

	if (c->over || c->freed || c->watch == NULL)
		return;
	if (c->phase == DVT_TLS_OPEN) {
		if (c->read_on || c->said_bye)
			want |= DVT_READ;
		if (c->blocked && c->out.n > 0 && c->io_want != DVT_READ)
			want |= DVT_WRITE;
	}
	dvt_watch_want(c->watch, want);
}

static void
now_open(struct dvt_tls_conn *c)
{
	c->phase = DVT_TLS_OPEN;
	c->io_want = 0;
	dvt_timer_stop(c->timer);
	if (c->cfg.opened != NULL)
		c->cfg.opened(c->cfg.user);
	/* data may have come with the last flight of the handshake */
	if (!c->over && !c->freed)
		dvt_defer_arm(c->step);
}

/* True when TLS only has to wait; for what goes to io_want, unless it is
 * @usual for this call and watched for anyway. */
static bool
tls_waits(struct dvt_tls_conn *c, int ret, unsigned usual)
{
	int what = SSL_get_error(c->ssl, ret);
	unsigned want;

	if (what != SSL_ERROR_WANT_READ && what != SSL_ERROR_WANT_WRITE)
		return false;
	want = what == SSL_ERROR_WANT_READ ? DVT_READ : DVT_WRITE;
	if (want != usual)
		c->io_want |= want;
	return true;
}

static void
handshake(struct dvt_tls_conn *c)
{
	int ret, sys;

	ERR_clear_error();
	errno = 0;
	c->io_want = 0;
	ret = SSL_do_handshake(c->ssl);
	sys = errno;
	if (ret == 1 && !c->accepted && !c->no_ticket &&
	    SSL_session_reused(c->ssl)) {
		c->no_ticket = true; /* a full handshake, or none */
		c->addr_next--;
		begin(c);
	} else if (ret == 1) {
		now_open(c);
	} else if (!tls_waits(c, ret, 0)) {
		end(c, dvt_tls_conn_ssl_why(c, ret, sys));
	}
}

static void
connected(struct dvt_tls_conn *c)
{
	struct dvt_err err;

	if (c->cfg.ctx == NULL) {
		now_open(c);
		return;
	}
	c->phase = DVT_TLS_HANDSHAKE;
	c->io_want = DVT_WRITE;
	if (dvt_tls_conn_ssl_start(c, &err) != DVT_OK) {
		(void)snprintf(
		    c->r.text, sizeof(c->r.text), "%.200s", err.text);
		end(c, DVT_TLS_PROTOCOL);
		return;
	}
	handshake(c);
}

/* Try the addresses from addr_next on; an errno when none is left. */
static void
begin(struct dvt_tls_conn *c)
{
	int one = 1, sys = EDESTADDRREQ;

	socket_drop(c);
	c->phase = DVT_TLS_CONNECT;
	if (c->r.sys != 0)
		sys = c->r.sys;
	while (c->addr_next < c->cfg.addrs_n) {
		const struct dvt_addr *a = &c->addrs[c->addr_next++];
		int rc;

		c->fd = socket(a->ss.ss_family,
		    SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
		if (c->fd < 0) {
			sys = errno;
			continue;
		}
		(void)setsockopt(
		    c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
		rc = connect(c->fd, (const struct sockaddr *)&a->ss, a->len);
		if (rc == 0 || errno == EINPROGRESS) {
			c->io_want = DVT_WRITE;
			c->watch = dvt_watch_new(
			    c->loop, c->fd, DVT_WRITE, on_ready, c);
			return;
		}
		sys = errno;
		socket_drop(c);
	}
	end_errno(c, DVT_TLS_REFUSED, sys);
}

static void
begin_accepted(struct dvt_tls_conn *c)
{
	c->watch = dvt_watch_new(c->loop, c->fd, 0, on_ready, c);
	if (c->ssl == NULL) {
		now_open(c);
		return;
	}
	c->phase = DVT_TLS_HANDSHAKE;
	c->io_want = DVT_READ; /* the client speaks first */
}

static void
connect_done(struct dvt_tls_conn *c)
{
	int sys = 0;
	socklen_t len = sizeof(sys);

	if (getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &sys, &len) != 0)
		sys = errno;
	if (sys == 0) {
		connected(c);
		return;
	}
	c->r.sys = sys;
	begin(c); /* the next address, or the end with this errno */
}

/* One piece of output: bytes taken, 0 to wait, -1 after end(). */
static ssize_t
put_some(struct dvt_tls_conn *c)
{
	ssize_t n;
	char waste;
	int sys;

	errno = 0;
	if (c->ssl == NULL) {
		n = send(c->fd, c->out.p, c->out.n, MSG_NOSIGNAL);
		if (n >= 0 || errno == EAGAIN || errno == EINTR)
			return n < 0 ? 0 : n;
		end_errno(c, DVT_TLS_RESET, errno);
		return -1;
	}
	ERR_clear_error();
	n = SSL_write(c->ssl, c->out.p,
	    c->out.n > READ_CHUNK ? READ_CHUNK : (int)c->out.n);
	sys = errno;
	if (n > 0)
		return n;
	if (tls_waits(c, (int)n, DVT_WRITE))
		return 0;
	/* the peer's alert may lie unread before its reset */
	if (sys == EPIPE || sys == ECONNRESET)
		(void)SSL_peek(c->ssl, &waste, 1);
	end(c, dvt_tls_conn_ssl_why(c, (int)n, sys));
	return -1;
}

static void
say_bye(struct dvt_tls_conn *c)
{
	c->said_bye = true;
	if (c->ssl != NULL) {
		ERR_clear_error();
		(void)SSL_shutdown(c->ssl);
		ERR_clear_error();
	}
	(void)shutdown(c->fd, SHUT_WR);
	dvt_timer_start(c->timer, LINGER_MS);
}

static void
flush(struct dvt_tls_conn *c)
{
	size_t had = c->out.n;
	ssize_t n;

	c->blocked = false;
	while (c->out.n > 0) {
		if ((n = put_some(c)) < 0)
			return;
		c->blocked = n == 0;
		if (c->blocked)
			return;
		dvt_buf_drop(&c->out, (size_t)n);
	}
	if (had > 0 && c->cfg.drained != NULL)
		c->cfg.drained(c->cfg.user);
	if (!c->over && !c->freed && c->out.n == 0 && c->finishing &&
	    !c->said_bye)
		say_bye(c);
}

/* One piece of input into @buf: bytes, 0 to wait, -1 after end(). */
static ssize_t
get_some(struct dvt_tls_conn *c, uint8_t *buf)
{
	ssize_t n;
	int sys;

	errno = 0;
	if (c->ssl == NULL) {
		n = recv(c->fd, buf, READ_CHUNK, 0);
		if (n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR)))
			return n < 0 ? 0 : n;
		if (n < 0)
			end_errno(c, DVT_TLS_RESET, errno);
		else
			end(c, c->r.in_bytes == 0 && !c->finishing
				   ? DVT_TLS_SILENT
				   : DVT_TLS_CLOSED);
		return -1;
	}
	ERR_clear_error();
	n = SSL_read(c->ssl, buf, READ_CHUNK);
	sys = errno;
	if (n > 0)
		return n;
	if (tls_waits(c, (int)n, DVT_READ))
		return 0;
	end(c, dvt_tls_conn_ssl_why(c, (int)n, sys));
	return -1;
}

/* TLS holds bytes of which no descriptor will tell. */
static bool
has_more(const struct dvt_tls_conn *c)
{
	return c->ssl != NULL && SSL_has_pending(c->ssl);
}

static void
slurp(struct dvt_tls_conn *c)
{
	static uint8_t buf[READ_CHUNK]; /* used up before it is filled again */
	ssize_t n;

	for (int i = 0; i < READ_TURN; i++) {
		if (!c->read_on && !c->said_bye)
			return;
		if ((n = get_some(c, buf)) <= 0)
			return;
		c->r.in_bytes += (uint64_t)n;
		if (!c->said_bye)
			c->cfg.read(
			    c->cfg.user, (struct dvt_span){buf, (size_t)n});
		if (c->over || c->freed)
			return;
		if (n < READ_CHUNK && !has_more(c))
			return; /* the descriptor tells when there is more */
	}
	if (has_more(c))
		dvt_defer_arm(c->step);
}

static void
on_ready(void *arg, unsigned ready)
{
	struct dvt_tls_conn *c = arg;
	unsigned was = c->io_want;

	if (enter(c)) {
		if (c->phase == DVT_TLS_CONNECT) {
			connect_done(c);
		} else if (c->phase == DVT_TLS_HANDSHAKE) {
			handshake(c);
		} else {
			c->io_want = 0;
			if (ready == DVT_READ || was != 0)
				slurp(c);
			if (!c->over && !c->freed)
				flush(c);
		}
		interest(c);
	}
	leave(c);
}

static void
on_step(void *arg)
{
	struct dvt_tls_conn *c = arg;

	if (enter(c)) {
		if (!c->begun) {
			c->begun = true;
			if (c->accepted)
				begin_accepted(c);
			else
				begin(c);
		} else if (c->phase == DVT_TLS_OPEN) {
			flush(c);
			if (!c->over && !c->freed && has_more(c))
				slurp(c);
		}
		interest(c);
	}
	leave(c);
}

static void
on_timer(void *arg)
{
	struct dvt_tls_conn *c = arg;

	if (enter(c)) {
		if (!c->finishing)
			(void)snprintf(c->r.text, sizeof(c->r.text),
			    "not open after %lld ms",
			    (long long)c->cfg.open_ms);
		end(c, c->finishing ? DVT_TLS_CLOSED : DVT_TLS_TIMEOUT);
	}
	leave(c);
}

static void
config_own(struct dvt_tls_conn *c)
{
	struct dvt_tls_conn_config *cfg = &c->cfg;

	c->addrs = dvt_alloc_array(cfg->addrs_n + 1, sizeof(*c->addrs));
	if (cfg->addrs_n > 0)
		memcpy(c->addrs, cfg->addrs, cfg->addrs_n * sizeof(*c->addrs));
	cfg->addrs = c->addrs;
	c->server_name = dvt_strdup(cfg->server_name);
	c->verify_name = dvt_strdup(cfg->verify_name);
	cfg->server_name = c->server_name;
	cfg->verify_name = c->verify_name;
	if (cfg->ctx != NULL)
		(void)SSL_CTX_up_ref(cfg->ctx);
	if (cfg->trust != NULL)
		(void)X509_STORE_up_ref(cfg->trust);
	if (cfg->ticket != NULL)
		(void)SSL_SESSION_up_ref(cfg->ticket);
	if (cfg->open_ms <= 0)
		cfg->open_ms = OPEN_MS;
	if (cfg->out_max == 0)
		cfg->out_max = OUT_MAX;
}

static struct dvt_tls_conn *
conn_new(struct dvt_loop *loop, const struct dvt_tls_conn_config *config)
{
	struct dvt_tls_conn *c = dvt_alloc(sizeof(*c));

	c->loop = loop;
	c->cfg = *config;
	config_own(c);
	c->fd = -1;
	c->read_on = true;
	c->r.alert = c->r.alert_sent = c->r.verify_depth = -1;
	dvt_buf_init(&c->out, c->cfg.out_max);
	c->timer = dvt_timer_new(loop, on_timer, c);
	c->step = dvt_defer_new(loop, on_step, c);
	dvt_timer_start(c->timer, c->cfg.open_ms);
	dvt_defer_arm(c->step);
	return c;
}

struct dvt_tls_conn *
dvt_tls_conn_new(
    struct dvt_loop *loop, const struct dvt_tls_conn_config *config)
{
	return conn_new(loop, config);
}

struct dvt_tls_conn *
dvt_tls_conn_accept(struct dvt_loop *loop, int fd, SSL *ssl,
    const struct dvt_tls_conn_config *config)
{
	struct dvt_tls_conn_config own = {.open_ms = config->open_ms,
	    .out_max = config->out_max,
	    .opened = config->opened,
	    .read = config->read,
	    .drained = config->drained,
	    .ended = config->ended,
	    .user = config->user};
	struct dvt_tls_conn *c = conn_new(loop, &own);

	c->accepted = true;
	c->fd = fd;
	c->ssl = ssl;
	if (ssl != NULL) {
		SSL_set_mode(ssl, DVT_TLS_CONN_MODES);
		SSL_set_read_ahead(ssl, 1);
		SSL_set_accept_state(ssl);
	}
	return c;
}

void
dvt_tls_conn_free(struct dvt_tls_conn *c)
{
	if (c == NULL)
		return;
	c->freed = true;
	if (!c->busy)
		destroy(c);
}

enum dvt_code
dvt_tls_conn_write(
    struct dvt_tls_conn *c, struct dvt_span bytes, struct dvt_err *err)
{
	if (!dvt_tls_conn_is_open(c))
		return dvt_fail(err, DVT_E_CONFLICT, "connection: not open");
	if (bytes.n > c->cfg.out_max - c->out.n)
		return dvt_fail(err, DVT_E_BUSY,
		    "connection: %zu bytes wait already", c->out.n);
	dvt_buf_put_span(&c->out, bytes);
	if (!c->blocked)
		dvt_defer_arm(c->step);
	return DVT_OK;
}

size_t
dvt_tls_conn_unwritten(const struct dvt_tls_conn *c)
{
	return c->out.n;
}

void
dvt_tls_conn_read_enable(struct dvt_tls_conn *c, bool on)
{
	bool was = c->read_on;

	c->read_on = on;
	if (c->over || c->phase != DVT_TLS_OPEN)
		return;
	if (on && !was)
		dvt_defer_arm(c->step); /* TLS may hold bytes already */
	else
		interest(c);
}

void
dvt_tls_conn_finish(struct dvt_tls_conn *c)
{
	if (c->over || c->finishing)
		return;
	c->finishing = true;
	if (c->phase == DVT_TLS_OPEN)
		dvt_defer_arm(c->step);
	dvt_timer_start(
	    c->timer, c->phase == DVT_TLS_OPEN ? c->cfg.open_ms : 0);
}

bool
dvt_tls_conn_is_open(const struct dvt_tls_conn *c)
{
	return c->phase == DVT_TLS_OPEN && !c->over && !c->finishing;
}

SSL *
dvt_tls_conn_ssl(const struct dvt_tls_conn *c)
{
	return c->ssl;
}
