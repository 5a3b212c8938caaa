/* SPDX-License-Identifier: Apache-2.0 */
/* A child's line to its parent: peers come in, "ready" goes out. */
#ifndef DVT_PROC_CONTROL_H
#define DVT_PROC_CONTROL_H

#include "loop/loop.h"

struct dvt_child;
struct dvt_control;

/* Parent to child and back; fixed-size messages, PEER carries a descriptor. */
#define DVT_CONTROL_TYPES(X)                                                   \
	X(DVT_CTL_PEER, "peer")     /* to the child: (role, index), fd */      \
	X(DVT_CTL_RELOAD, "reload") /* to the child: read settings again */    \
	X(DVT_CTL_STOP, "stop")     /* to the child: end in order */           \
	X(DVT_CTL_ASK, "ask")       /* to the child: does it answer? */        \
	X(DVT_CTL_ANSWER, "answer") /* to the parent */                        \
	X(DVT_CTL_BUSY, "busy")     /* to the parent: no answer for a while */ \
	X(DVT_CTL_READY, "ready")   /* to the parent */
#define DVT_CONTROL_ENUM(id, name) id,
enum dvt_control_type { DVT_CONTROL_TYPES(DVT_CONTROL_ENUM) };

struct dvt_control_config {
	/* A new end for that peer; @fd is the callee's. The former channel to
	 * it is dead: drop it and what waited for it. */
	void (*peer)(void *user, int role, unsigned index, int fd);
	void (*reload)(void *user); /* may be NULL */
	/* End in order; NULL: dvt_loop_stop(). */
	void (*stop)(void *user);
	void *user;
};

/**
 * dvt_control_new() - listen to the parent
 *
 * When the parent is gone the process ends at once.
 */
struct dvt_control *dvt_control_new(struct dvt_loop *loop, struct dvt_child *me,
    const struct dvt_control_config *config);
void dvt_control_ready(struct dvt_control *c); /* started; serving */
/* Before (@on) and after work that may take long: meanwhile silence is no sign
 * that we hang, for twelve times as long as else. @c NULL: not yet. */
void dvt_control_busy(struct dvt_control *c, bool on);
void dvt_control_free(struct dvt_control *c);

#endif
