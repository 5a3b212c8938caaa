/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Handshakes under way. Each costs memory and a descriptor, and whoever asks
 * for one need not go on with it: over the limit some go, by chance, of the
 * older half, so that a device that answers gets through at any time.
 */
#include "gateway/conn_priv.h"

#include "base/log.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/socket.h>

#define HELLO_MAX  16640 /* bytes of a record with its header */
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

/* Who has more than its share makes room when all have too many. */
static bool
too_many(const struct gw_worker *w)
{
	return w->half > w->half_own_max ||
	       (w->half > w->half_max / w->program->settings.workers &&
		   half_all(w) > w->half_max);
}

void
gw_conn_half_trim(struct gw_worker *w)
{
	while (w->half > 0 && too_many(w)) {
		struct gw_conn *c = w->half_last;
		uint8_t dice = 0;

		if (getrandom(&dice, 1, GRND_NONBLOCK) != 1)
			dice = 0; /* the oldest then */
		for (unsigned i = 0;
		     i < dice % LOOK_STEPS && c->half_prev != NULL; i++)
			c = c->half_prev;
		tell(w, "half-open");
		gw_conn_drop_as(c, DVT_EDGE_LOCAL);
	}
}

/* Length of the hello in what was peeked; 0: unknown yet; over: no TLS. */
static size_t
hello_end(const uint8_t *p, size_t n)
{
	if (n > 0 && p[0] != 22)
		return HELLO_MAX + 1;
	return n < 5 ? 0 : 5 + ((size_t)p[3] << 8 | p[4]);
}

int
gw_conn_half_look(struct gw_conn *c)
{
	uint8_t *p = c->w->scratch;
	ssize_t n = recv(c->fd, p, GW_SCRATCH, MSG_PEEK | MSG_DONTWAIT);
	size_t end;
	int most;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	end = n > 0 ? hello_end(p, (size_t)n) : HELLO_MAX + 1;
	if (end <= GW_SCRATCH && (end == 0 || (size_t)n < end)) {
		most = (int)n + 1; /* no call before there is more */
		(void)setsockopt(
		    c->fd, SOL_SOCKET, SO_RCVLOWAT, &most, sizeof(most));
		return 0;
	}
	most = 1;
	(void)setsockopt(c->fd, SOL_SOCKET, SO_RCVLOWAT, &most, sizeof(most));
	if (end <= GW_SCRATCH && dvt_edge_has_ticket(c->w->edge,
				     (struct dvt_span){p + 5, end - 5})) {
		c->suspect = false;
		return 1;
	}
	tell(c->w, "address-rate");
	gw_conn_drop_as(c, DVT_EDGE_LOCAL);
	return -1;
}
