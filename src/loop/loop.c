/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Event loop on libevent's core: see loop.h. Deferred calls are a list of our
 * own that is run after each event_base_loop(EVLOOP_ONCE); libevent's own
 * priorities would starve them while descriptors stay ready.
 */
#include "loop/loop.h"

#include "base/mem.h"

#include <event2/event.h>
#include <sys/queue.h>
#include <assert.h>
#include <signal.h>
#include <stdlib.h>

struct dvt_defer {
	struct dvt_loop *loop;
	void (*fn)(void *ctx);
	void *ctx;
	struct defer_list *on; /* while armed */
	TAILQ_ENTRY(dvt_defer) next;
};
TAILQ_HEAD(defer_list, dvt_defer);

struct dvt_loop {
	struct event_base *base;
	struct defer_list lists[2];
	struct defer_list *armed; /* one of them; the other is being run */
	struct dvt_time time;     /* of this turn */
	bool in_turn;
	bool time_known;
	bool stop;
};

struct dvt_watch {
	struct event *dir[2]; /* reading, writing */
	void (*fn)(void *ctx, unsigned ready);
	void *ctx;
};

struct dvt_timer {
	struct event *ev;
	void (*fn)(void *ctx);
	void *ctx;
	int64_t repeat_ms; /* 0: once */
};

struct dvt_signal {
	struct event *ev;
	void (*fn)(void *ctx);
	void *ctx;
};

static enum dvt_code
loop_new(int flags, struct dvt_loop **out, struct dvt_err *err)
{
	struct event_config *cfg = event_config_new();
	struct dvt_loop *loop;

	*out = NULL;
	if (cfg == NULL)
		return dvt_fail(err, DVT_E_SYSTEM, "loop: no configuration");
	(void)event_config_set_flag(cfg, EVENT_BASE_FLAG_NOLOCK | flags);
	loop = dvt_alloc(sizeof(*loop));
	loop->base = event_base_new_with_config(cfg);
	event_config_free(cfg);
	if (loop->base == NULL) {
		free(loop);
		return dvt_fail_errno(err, "loop: cannot be made");
	}
	TAILQ_INIT(&loop->lists[0]);
	TAILQ_INIT(&loop->lists[1]);
	loop->armed = &loop->lists[0];
	(void)signal(SIGPIPE, SIG_IGN);
	*out = loop;
	return DVT_OK;
}

enum dvt_code
dvt_loop_new(struct dvt_loop **out, struct dvt_err *err)
{
	return loop_new(0, out, err);
}

enum dvt_code
dvt_loop_new_busy(struct dvt_loop **out, struct dvt_err *err)
{
	return loop_new(EVENT_BASE_FLAG_EPOLL_USE_CHANGELIST, out, err);
}

void
dvt_loop_free(struct dvt_loop *loop)
{
	if (loop == NULL)
		return;
	event_base_free(loop->base);
	free(loop);
}

/* Those armed until now; what they arm themselves waits for the next turn. */
static void
run_deferred(struct dvt_loop *loop)
{
	struct defer_list *now = loop->armed;
	struct dvt_defer *d;

	loop->armed = &loop->lists[now == &loop->lists[0]];
	while ((d = TAILQ_FIRST(now)) != NULL) {
		dvt_defer_cancel(d);
		d->fn(d->ctx);
	}
}

bool
dvt_loop_turn(struct dvt_loop *loop, bool wait)
{
	int flags = EVLOOP_ONCE, rc;
	bool deferred;

	assert(!loop->in_turn);
	deferred = !TAILQ_EMPTY(loop->armed);
	if (!wait || deferred || loop->stop)
		flags |= EVLOOP_NONBLOCK; /* ONCE bounds the turn */
	loop->in_turn = true;
	loop->time_known = false;
	rc = event_base_loop(loop->base, flags);
	run_deferred(loop);
	loop->in_turn = false;
	/* 1: no event is pending or active */
	return rc == 0 || deferred || !TAILQ_EMPTY(loop->armed);
}

void
dvt_loop_run(struct dvt_loop *loop)
{
	while (!loop->stop && dvt_loop_turn(loop, true))
		continue;
	loop->stop = false;
}

void
dvt_loop_stop(struct dvt_loop *loop)
{
	loop->stop = true;
}

struct dvt_time
dvt_loop_time(struct dvt_loop *loop)
{
	if (!loop->in_turn)
		return dvt_time_now();
	if (!loop->time_known) {
		loop->time = dvt_time_now();
		loop->time_known = true;
	}
	return loop->time;
}

struct event_base *
dvt_loop_base(struct dvt_loop *loop)
{
	return loop->base;
}

static struct event *
event_make(
    struct dvt_loop *loop, int fd, short what, event_callback_fn fn, void *ctx)
{
	struct event *ev = event_new(loop->base, fd, what, fn, ctx);

	if (ev == NULL)
		abort(); /* out of memory: base/mem.h's rule */
	return ev;
}

static void
watch_ready(evutil_socket_t fd, short what, void *arg)
{
	struct dvt_watch *w = arg;

	(void)fd;
	w->fn(w->ctx, (what & EV_READ) != 0 ? DVT_READ : DVT_WRITE);
}

struct dvt_watch *
dvt_watch_new(struct dvt_loop *loop, int fd, unsigned want,
    void (*fn)(void *ctx, unsigned ready), void *ctx)
{
	struct dvt_watch *w = dvt_alloc(sizeof(*w));

	w->fn = fn;
	w->ctx = ctx;
	w->dir[0] = event_make(loop, fd, EV_READ | EV_PERSIST, watch_ready, w);
	w->dir[1] = event_make(loop, fd, EV_WRITE | EV_PERSIST, watch_ready, w);
	dvt_watch_want(w, want);
	return w;
}

static void
direction_set(struct event *ev, short what, bool on)
{
	bool is = event_pending(ev, what, NULL) != 0;

	if (on && !is)
		(void)event_add(ev, NULL);
	else if (!on && is)
		(void)event_del(ev);
}

void
dvt_watch_want(struct dvt_watch *w, unsigned want)
{
	direction_set(w->dir[0], EV_READ, (want & DVT_READ) != 0);
	direction_set(w->dir[1], EV_WRITE, (want & DVT_WRITE) != 0);
}

void
dvt_watch_free(struct dvt_watch *w)
{
	if (w == NULL)
		return;
	event_free(w->dir[0]);
	event_free(w->dir[1]);
	free(w);
}

static struct timeval
from_ms(int64_t ms)
{
	if (ms < 0)
		ms = 0;
	return (struct timeval){.tv_sec = (time_t)(ms / 1000),
	    .tv_usec = (suseconds_t)(ms % 1000) * 1000};
}

static void
timer_due(evutil_socket_t fd, short what, void *arg)
{
	struct dvt_timer *t = arg;

	(void)fd;
	(void)what;
	if (t->repeat_ms > 0) {
		struct timeval tv = from_ms(t->repeat_ms);

		(void)event_add(t->ev, &tv);
	}
	t->fn(t->ctx); /* last: it may free the timer */
}

struct dvt_timer *
dvt_timer_new(struct dvt_loop *loop, void (*fn)(void *ctx), void *ctx)
{
	struct dvt_timer *t = dvt_alloc(sizeof(*t));

	t->fn = fn;
	t->ctx = ctx;
	t->ev = event_make(loop, -1, 0, timer_due, t);
	return t;
}

void
dvt_timer_start(struct dvt_timer *t, int64_t ms)
{
	struct timeval tv = from_ms(ms);

	t->repeat_ms = 0;
	(void)event_add(t->ev, &tv);
}

void
dvt_timer_repeat(struct dvt_timer *t, int64_t ms)
{
	dvt_timer_start(t, ms);
	t->repeat_ms = ms < 1 ? 1 : ms;
}

void
dvt_timer_stop(struct dvt_timer *t)
{
	t->repeat_ms = 0;
	(void)event_del(t->ev);
}

bool
dvt_timer_running(const struct dvt_timer *t)
{
	return event_pending(t->ev, EV_TIMEOUT, NULL) != 0;
}

void
dvt_timer_free(struct dvt_timer *t)
{
	if (t == NULL)
		return;
	event_free(t->ev);
	free(t);
}

static void
signal_came(evutil_socket_t fd, short what, void *arg)
{
	struct dvt_signal *s = arg;

	(void)fd;
	(void)what;
	s->fn(s->ctx);
}

struct dvt_signal *
dvt_signal_new(
    struct dvt_loop *loop, int number, void (*fn)(void *ctx), void *ctx)
{
	struct dvt_signal *s = dvt_alloc(sizeof(*s));

	s->fn = fn;
	s->ctx = ctx;
	s->ev = event_make(
	    loop, number, EV_SIGNAL | EV_PERSIST, signal_came, s);
	(void)event_add(s->ev, NULL);
	return s;
}

void
dvt_signal_free(struct dvt_signal *s)
{
	if (s == NULL)
		return;
	event_free(s->ev);
	free(s);
}

struct dvt_defer *
dvt_defer_new(struct dvt_loop *loop, void (*fn)(void *ctx), void *ctx)
{
	struct dvt_defer *d = dvt_alloc(sizeof(*d));

	d->loop = loop;
	d->fn = fn;
	d->ctx = ctx;
	return d;
}

void
dvt_defer_arm(struct dvt_defer *d)
{
	if (d->on != NULL)
		return;
	d->on = d->loop->armed;
	TAILQ_INSERT_TAIL(d->on, d, next);
}

void
dvt_defer_cancel(struct dvt_defer *d)
{
	if (d->on == NULL)
		return;
	TAILQ_REMOVE(d->on, d, next);
	d->on = NULL;
}

void
dvt_defer_free(struct dvt_defer *d)
{
	if (d == NULL)
		return;
	dvt_defer_cancel(d);
	free(d);
}
