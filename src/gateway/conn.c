/* SPDX-License-Identifier: Apache-2.0 */
/* From accept to the end: see conn.h. */
#include "gateway/conn_priv.h"

#include "base/log.h"
#include "base/mem.h"
#include "gateway/rate.h"

#include <openssl/err.h>

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#define HANDSHAKE_MS 10000 /* accept to the end of the handshake */
#define UNLISTED_MS  3000  /* for the inventory to hear of a certificate */
#define SETTLE_MS    5000  /* silent after the handshake: it is a success */

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

void
gw_conn_unlink(struct gw_conn *c)
{
	gw_worker_unlinked(c->w, c);
	gw_index_drop(c->seat);
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
	bool leaving = c->mqtt != NULL && c->mqtt->bye;

	return c->stage == GW_OPEN && !leaving && !c->passed ? c->opened_ms : 0;
}

/* --- the handshake and after --- */

/* Found by what is known of it now. */
static void
take_seat(struct gw_conn *c)
{
	const struct dvt_edge_peer *peer = dvt_edge_peer(c->ssl);

	gw_index_drop(c->seat);
	c->seat = gw_index_put(
	    c->w->index_of, c, peer->certificate, peer->device);
}

static void
open_session(struct gw_conn *c)
{
	const struct dvt_edge_peer *peer = dvt_edge_peer(c->ssl);

	gw_conn_half_end(c);
	c->stage = GW_OPEN;
	c->opened_ms = dvt_loop_time(c->w->loop).mono_ms;
	c->w->sessions++;
	dvt_timer_start(c->timer, SETTLE_MS);
	if (c->w->upstreams.mqtt)
		gw_conn_mqtt_new(c); /* an upstream comes with its CONNECT */
	/* names for probes get an upstream with the first byte only */
	if (!peer->probe && c->mqtt == NULL && !gw_conn_upstream(c))
		return;
	if (gw_conn_relay_in(c))
		gw_conn_rearm(c);
}

static void
decide(struct gw_conn *c, bool waited)
{
	const struct dvt_edge_peer *peer = dvt_edge_peer(c->ssl);

	switch (gw_worker_admission(c->w, peer, waited)) {
	case GW_ADMIT:
		c->unlisted = true;
		dvt_edge_admit(c->ssl, peer->common_name);
		take_seat(c);
		open_session(c);
		break;
	case GW_WAIT:
		if (c->stage == GW_HELD)
			break;
		gw_conn_half_end(c);
		c->stage = GW_HELD;
		dvt_watch_want(c->watch, 0);
		dvt_timer_start(c->timer, UNLISTED_MS);
		break;
	case GW_REJECT:
		/* no close_notify: the client must not take it for a yes */
		dvt_edge_admit(c->ssl, NULL);
		gw_conn_linger(c);
		break;
	}
}

static void
handshake_failed(struct gw_conn *c, int why, int sys)
{
	enum dvt_edge_how how = gw_conn_how_it_ended(why, sys);

	dvt_edge_end(c->ssl, how);
	if (how == DVT_EDGE_ERROR)
		gw_conn_linger(c); /* an alert of ours is on its way */
	else
		gw_conn_drop(c);
}

/* Denied, whether it has just shaken hands or long ago. */
static void
cut(struct gw_conn *c, enum dvt_hs_reason reason)
{
	log_event(LOG_NOTICE, "gateway.session.cut",
	    LS("device", gw_conn_device(c)),
	    LS("reason", dvt_hs_reason_name(reason)));
	dvt_edge_refuse(c->ssl, reason);
	gw_conn_close(c);
}

static void
handshake_done(struct gw_conn *c)
{
	const struct dvt_edge_peer *peer = dvt_edge_peer(c->ssl);
	enum dvt_hs_reason reason;

	take_seat(c);
	if (peer->unlisted)
		decide(c, false);
	else if ((reason = dvt_edge_check(c->ssl)) != DVT_HR_OK)
		cut(c, reason); /* it is so since it began to shake hands */
	else
		open_session(c);
}

static void
handshake(struct gw_conn *c)
{
	int n, why;

	ERR_clear_error();
	errno = 0;
	n = SSL_accept(c->ssl);
	if (n == 1) {
		handshake_done(c);
		return;
	}
	why = SSL_get_error(c->ssl, n);
	if (why == SSL_ERROR_WANT_READ) {
		dvt_watch_want(c->watch, DVT_READ);
	} else if (why == SSL_ERROR_WANT_WRITE) {
		dvt_watch_want(c->watch, DVT_WRITE);
	} else {
		handshake_failed(c, why, errno);
	}
}

void
gw_conn_on_client(void *ctx, unsigned ready)
{
	struct gw_conn *c = ctx;

	c->read_n = 0;
	switch (c->stage) {
	case GW_HANDSHAKE:
		if (!c->look || gw_conn_half_look(c))
			handshake(c);
		return;
	case GW_LINGER:
		gw_conn_linger_read(c);
		return;
	case GW_HELD:
		return;
	case GW_OPEN:
		break;
	}
	if (((ready & DVT_WRITE) != 0 || c->write_wants_read) &&
	    !gw_conn_flush_client(c))
		return;
	if (((ready & DVT_READ) != 0 || c->read_wants_write) &&
	    !gw_conn_relay_in(c))
		return;
	if (gw_conn_flush_up(c))
		gw_conn_rearm(c);
}

void
gw_conn_on_upstream(void *ctx, unsigned ready)
{
	struct gw_conn *c = ctx;

	if (c->up == GW_UP_CONNECTING) {
		int sys = 0;
		socklen_t n = sizeof(sys);

		(void)getsockopt(c->up_fd, SOL_SOCKET, SO_ERROR, &sys, &n);
		if (sys != 0) {
			if (gw_conn_upstream_failed(c, sys))
				gw_conn_rearm(c);
			return;
		}
		c->up = GW_UP_OPEN;
		gw_upstream_well(c->to);
	}
	if (!gw_conn_flush_up(c))
		return;
	if ((ready & DVT_READ) != 0 && !gw_conn_relay_out(c))
		return;
	gw_conn_rearm(c);
}

/* Silent for a while: it was a success. Who speaks MQTT opens with it by then
 * and as long again. */
static void
settle(struct gw_conn *c)
{
	bool late = c->mqtt != NULL && c->mqtt->settled;

	dvt_edge_settle(c->ssl);
	if (c->mqtt == NULL || c->mqtt->let_in) {
		if (c->mqtt == NULL || !c->mqtt->bye)
			return;
		gw_conn_mqtt_leave(c);
		gw_conn_close(c); /* no border came */
		return;
	}
	if (late && !dvt_edge_peer(c->ssl)->probe) {
		gw_conn_close(c);
		return;
	}
	c->mqtt->settled = true;
	dvt_timer_start(c->timer, SETTLE_MS);
}

static void
on_timer(void *ctx)
{
	struct gw_conn *c = ctx;

	switch (c->stage) {
	case GW_HANDSHAKE:
		gw_conn_drop_as(c, DVT_EDGE_TIMEOUT);
		break;
	case GW_HELD:
		decide(c, true);
		break;
	case GW_OPEN:
		if (c->client_eof || c->passed)
			gw_conn_close(c);
		else
			settle(c);
		break;
	case GW_LINGER:
		gw_conn_drop(c);
		break;
	}
}

void
gw_conn_check(struct gw_conn *c)
{
	enum dvt_hs_reason reason;

	if ((c->stage != GW_HELD && c->stage != GW_OPEN) || c->passed)
		return;
	reason = dvt_edge_check(c->ssl);
	if (c->stage == GW_HELD) {
		const struct dvt_feed_entry *d = dvt_feed_device_by_certificate(
		    c->w->feed, dvt_edge_peer(c->ssl)->certificate);

		if (reason == DVT_HR_OK && d != NULL) {
			dvt_edge_admit(c->ssl, d->key);
			take_seat(c);
			open_session(c);
		}
		return;
	}
	if (reason == DVT_HR_OK) {
		c->unlisted = false; /* the inventory knows it by now */
		return;
	}
	if (reason == DVT_HR_UNKNOWN_DEVICE && c->unlisted &&
	    gw_worker_names_active(c->w, gw_conn_device(c)))
		return;
	cut(c, reason);
}

/*
 * What OpenSSL reads of one client in a turn is bounded here: records without
 * data (KeyUpdate, alerts) would keep it from ever coming back. Others have
 * their turn, and the socket calls again.
 */
static long
on_bio(BIO *bio, int what, const char *p, size_t n, int argi, long argl,
    int done, size_t *processed)
{
	struct gw_conn *c = (struct gw_conn *)BIO_get_callback_arg(bio);

	(void)p, (void)n, (void)argi, (void)argl;
	if (what == BIO_CB_READ && c->read_n >= GW_SCRATCH) {
		BIO_clear_retry_flags(bio);
		BIO_set_retry_read(bio);
		return -1;
	}
	if (what == (BIO_CB_READ | BIO_CB_RETURN) && done > 0)
		c->read_n += *processed;
	return done;
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
	BIO_set_callback_ex(SSL_get_rbio(ssl), on_bio);
	BIO_set_callback_arg(SSL_get_rbio(ssl), (char *)c);
	SSL_set_read_ahead(ssl, 1); /* a flight of records at once */
	c->watch = dvt_watch_new(w->loop, fd, DVT_READ, gw_conn_on_client, c);
	c->timer = dvt_timer_new(w->loop, on_timer, c);
	dvt_timer_start(c->timer, HANDSHAKE_MS);
	link_conn(c);
	c->suspect = !gw_rate_take(
	    w->program->rate, peer, dvt_loop_time(w->loop).mono_ms);
	c->look = c->suspect || w->program->settings.pass_names_n > 0;
	gw_conn_half_begin(c);
}
