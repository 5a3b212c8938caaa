/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Event loop: descriptors, timers, signals, and calls at the end of a turn.
 * One thread, one loop per process. A turn is: wait, run the callback of
 * everything that is ready, then the deferred calls in the order they were
 * armed. Objects may be freed inside their own callback.
 */
#ifndef DVT_LOOP_LOOP_H
#define DVT_LOOP_LOOP_H

#include "base/clock.h"
#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

struct event_base;
struct dvt_loop;
struct dvt_watch;
struct dvt_timer;
struct dvt_signal;
struct dvt_defer;

/**
 * dvt_loop_new() - an empty loop
 * @out: the caller's; dvt_loop_free() it after all objects made on it
 *
 * SIGPIPE is ignored in the whole process from now on.
 * Return: DVT_OK; DVT_E_SYSTEM.
 */
DVT_MUST_USE enum dvt_code dvt_loop_new(
    struct dvt_loop **out, struct dvt_err *err);
/*
 * The same for many short connections: what is watched for is told to the
 * kernel once a turn, not at each change. Only for a process whose watched
 * descriptors are closed nowhere else but here: a duplicate in another one
 * would keep a closed descriptor reporting.
 */
DVT_MUST_USE enum dvt_code dvt_loop_new_busy(
    struct dvt_loop **out, struct dvt_err *err);
void dvt_loop_free(struct dvt_loop *loop);

/* Turns until dvt_loop_stop(), or until nothing is left to wait for. */
void dvt_loop_run(struct dvt_loop *loop);
/* One turn; waits for an event only when @wait. false: nothing to wait for. */
bool dvt_loop_turn(struct dvt_loop *loop, bool wait);
/* End dvt_loop_run() with the turn that runs now, deferred calls included. */
void dvt_loop_stop(struct dvt_loop *loop);

/* Both clocks as of the start of this turn; read fresh outside of one. */
struct dvt_time dvt_loop_time(struct dvt_loop *loop);

/* libevent's base, for http/server.c alone. Borrowed. */
struct event_base *dvt_loop_base(struct dvt_loop *loop);

/* --- descriptors --- */

enum dvt_ready { DVT_READ = 1, DVT_WRITE = 2 };

/**
 * dvt_watch_new() - call @fn while @fd is ready (level-triggered)
 * @fd:   borrowed; free the watch before the descriptor is closed
 * @want: DVT_READ, DVT_WRITE, both, or 0 for the time being
 * @fn:   gets what is ready, one call for each direction
 */
struct dvt_watch *dvt_watch_new(struct dvt_loop *loop, int fd, unsigned want,
    void (*fn)(void *ctx, unsigned ready), void *ctx);
void dvt_watch_want(struct dvt_watch *w, unsigned want);
void dvt_watch_free(struct dvt_watch *w);

/* --- timers --- */

struct dvt_timer *dvt_timer_new(
    struct dvt_loop *loop, void (*fn)(void *ctx), void *ctx);
/* Once, @ms from now (0: next turn); a former start is forgotten. */
void dvt_timer_start(struct dvt_timer *t, int64_t ms);
/* Every @ms (at least 1) until stopped. */
void dvt_timer_repeat(struct dvt_timer *t, int64_t ms);
void dvt_timer_stop(struct dvt_timer *t);
bool dvt_timer_running(const struct dvt_timer *t);
void dvt_timer_free(struct dvt_timer *t);

/* --- signals --- */

/* @fn runs in a turn, not in the signal handler; at most once per number. */
struct dvt_signal *dvt_signal_new(
    struct dvt_loop *loop, int number, void (*fn)(void *ctx), void *ctx);
void dvt_signal_free(struct dvt_signal *s);

/* --- the end of a turn --- */

/**
 * dvt_defer_new() - a call that can be put off to the end of the turn
 *
 * dvt_defer_arm() makes @fn run once, after everything that was ready in this
 * turn was dispatched (group commit). Arming twice is arming once. Armed by a
 * deferred call, it runs at the end of the next turn, which then does not
 * wait. Outside of a turn it runs at the end of the next.
 */
struct dvt_defer *dvt_defer_new(
    struct dvt_loop *loop, void (*fn)(void *ctx), void *ctx);
void dvt_defer_arm(struct dvt_defer *d);
void dvt_defer_cancel(struct dvt_defer *d);
void dvt_defer_free(struct dvt_defer *d);

#endif
