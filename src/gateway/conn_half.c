/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Handshakes under way. Each costs memory and a descriptor, and whoever asks
 * for one need not go on with it: over the limit some go, by chance, of the
 * older half, those first that have not even said hello. So a device that
 * answers gets through at any time.
 */
#include "gateway/conn_priv.h"

#include "base/log.h"
#include "proto/hello.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/socket.h>

#define TELL_MS    1000
#define LOOK_STEPS 64 /* of the oldest, among which one is chosen */

static size_t
half_all(const struct gw_worker *w)
{
	return gw_half_count_all(
	    w->program->half_count, dvt_loop_time(w->loop).mono_ms);
}

void
gw_conn_half_tell(struct gw_worker *w)
{
	gw_half_count_set(w->program->half_count, w->index, w->half,
	    dvt_loop_time(w->loop).mono_ms);
}

static void
tell(struct gw_worker *w, const char *what)
{
	int64_t now = dvt_loop_time(w->loop).mono_ms;

	w->limited++;
	if (now - w->limit_told_ms < TELL_MS && w->limit_told_ms != 0)
		return;
	log_event(LOG_WARNING, "gateway.limit", LS("what", what),
	    LI("turned-away", w->limited), LI("half-open", half_all(w)));
	w->limit_told_ms = now;
	w->limited = 0;
}

void
gw_conn_half_begin(struct gw_conn *c)
{
	struct gw_worker *w = c->w;

	c->half = true;
	c->half_next = w->half_first;
	if (c->half_next != NULL)
		c->half_next->half_prev = c;
	else
		w->half_last = c;
	w->half_first = c;
	w->half++;
	gw_conn_half_tell(w);
}

void
gw_conn_half_end(struct gw_conn *c)
{
	struct gw_worker *w = c->w;

	if (!c->half)
		return;
	c->half = false;
	if (c->half_next != NULL)
		c->half_next->half_prev = c->half_prev;
	else
		w->half_last = c->half_prev;
	if (c->half_prev != NULL)
		c->half_prev->half_next = c->half_next;
	else
		w->half_first = c->half_next;
	c->half_prev = c->half_next = NULL;
	w->half--;
	gw_conn_half_tell(w);
}

/* Who has more than its share makes room when all have too many; the last one
 * of a worker stays, however small the shares are. */
static bool
too_many(const struct gw_worker *w)
{
	return w->half > w->half_own_max ||
	       (w->half > 1 &&
		   w->half > w->half_max / w->program->settings.workers &&
		   half_all(w) > w->half_max);
}

/* No hello that could be answered has come. */
static bool
is_mute(const struct gw_conn *c)
{
	return !c->passed && !dvt_edge_peer(c->ssl)->shown;
}

/* Of the oldest, the one at place @at: of those that are mute, or of all. */
static struct gw_conn *
at_place(const struct gw_worker *w, size_t n, bool mute, size_t at)
{
	struct gw_conn *c = w->half_last;

	for (size_t i = 0; i < n; i++, c = c->half_prev)
		if ((!mute || is_mute(c)) && at-- == 0)
			return c;
	return w->half_last;
}

/* Never the newest: that may be a device, and it has had no time to answer. */
static struct gw_conn *
who_goes(const struct gw_worker *w)
{
	size_t n = w->half / 2 < LOOK_STEPS ? w->half / 2 : LOOK_STEPS,
	       mutes = 0;
	struct gw_conn *c = w->half_last;
	uint8_t dice = 0;

	if (getrandom(&dice, 1, GRND_NONBLOCK) != 1)
		dice = 0; /* the oldest then */
	for (size_t i = 0; i < n; i++, c = c->half_prev)
		mutes += is_mute(c);
	if (n == 0)
		return w->half_last;
	return at_place(w, n, mutes > 0, dice % (mutes > 0 ? mutes : n));
}

void
gw_conn_half_trim(struct gw_worker *w)
{
	while (w->half > 0 && too_many(w)) {
		tell(w, "half-open");
		gw_conn_drop_as(who_goes(w), DVT_EDGE_LOCAL);
	}
}

static void
wake_at(struct gw_conn *c, size_t bytes)
{
	int least = (int)bytes;

	(void)setsockopt(c->fd, SOL_SOCKET, SO_RCVLOWAT, &least, sizeof(least));
}

/* No more will come: the client closed its side, or all of it. */
static bool
has_ended(const struct gw_conn *c)
{
	struct tcp_info info = {.tcpi_state = TCP_ESTABLISHED};
	socklen_t n = sizeof(info);

	return getsockopt(c->fd, IPPROTO_TCP, TCP_INFO, &info, &n) == 0 &&
	       info.tcpi_state != TCP_ESTABLISHED;
}

/* What has come of the hello; DVT_E_LATER: less than @need bytes. */
static enum dvt_code
peek(struct gw_conn *c, struct dvt_span *hello, size_t *need)
{
	uint8_t *p = c->w->scratch;
	ssize_t n = recv(c->fd, p, GW_RECORD, MSG_PEEK | MSG_DONTWAIT);
	enum dvt_code rc;

	*need = 1;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return DVT_E_LATER;
	if (n <= 0)
		return DVT_E_INPUT;
	rc = dvt_hello_gather(p, (size_t)n, hello, need);
	return rc == DVT_E_LATER && *need > GW_RECORD ? DVT_E_LIMIT : rc;
}

/* A ticket is renewed at each use; one that comes again and again was copied
 * off the wire. */
static bool
is_spared(const struct gw_conn *c, struct dvt_span hello)
{
	struct dvt_span ticket = dvt_edge_ticket_in(c->w->edge, hello);

	return ticket.n > 0 && gw_rate_take_of(c->w->program->spared, ticket,
				   dvt_loop_time(c->w->loop).mono_ms);
}

bool
gw_conn_half_look(struct gw_conn *c)
{
	struct dvt_span hello = {0};
	size_t need;
	enum dvt_code rc = peek(c, &hello, &need);

	/* an end is ready to be read at any mark: asked again, it would be
	 * told without end */
	if (rc == DVT_E_LATER && has_ended(c)) {
		rc = peek(c, &hello, &need);
		if (rc == DVT_E_LATER)
			rc = DVT_E_INPUT;
	}
	if (rc == DVT_E_LATER) {
		wake_at(c, need);
		return false;
	}
	wake_at(c, 1);
	c->look = false;
	if (c->suspect && (rc != DVT_OK || !is_spared(c, hello))) {
		tell(c->w, "address-rate");
		gw_conn_drop_as(c, DVT_EDGE_LOCAL);
		return false;
	}
	c->suspect = false;
	if (rc != DVT_OK || !gw_conn_pass_is_meant(c, hello))
		return true;
	gw_conn_pass(c, hello);
	return false;
}
