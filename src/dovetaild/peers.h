/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A child's channels to its peers: the parent hands in ends, a new end for a
 * place drops the old one and all that was pending on it.
 */
#ifndef DVT_DOVETAILD_PEERS_H
#define DVT_DOVETAILD_PEERS_H

#include "ipc/channel.h"
#include "proc/children.h"
#include "proc/control.h"

#define PEERS_MAX 32 /* of one role */

struct peers;

struct peers_config {
	enum dvt_role self;
	unsigned batch; /* messages read of one peer in a turn; 0: 64 */
	void (*received)(void *user, struct dvt_channel *c, struct dvt_msg *m);
	/* A peer is there, for the first time or again; @life counts up. */
	void (*up)(
	    void *user, enum dvt_role role, unsigned index, uint64_t life);
	/* A peer is gone: forget what was pending on it. */
	void (*down)(void *user, enum dvt_role role, unsigned index);
	/* A full queue of a peer has room again. */
	void (*drained)(void *user, struct dvt_channel *c);
	void *user; /* any function above may be NULL, but received */
};

struct peers *peers_new(struct dvt_loop *loop, struct dvt_child *me,
    const struct peers_config *config);
void peers_free(struct peers *p); /* NULL-safe; down() is not called */
/* Serving: told to the parent. */
void peers_ready(struct peers *p);

/* NULL while that peer is away. */
struct dvt_channel *peers_get(
    struct peers *p, enum dvt_role role, unsigned index);
/* How often that peer has come up; 0: never. */
uint64_t peers_life(struct peers *p, enum dvt_role role, unsigned index);
/* Places ever filled: indexes are below it. */
unsigned peers_count(struct peers *p, enum dvt_role role);

/**
 * peers_send() - one message to a peer
 * Return: DVT_OK; DVT_E_LATER (away, or its queue is full); DVT_E_LIMIT.
 */
DVT_MUST_USE enum dvt_code peers_send(struct peers *p, enum dvt_role role,
    unsigned index, const struct dvt_msg *m, struct dvt_err *err);

#endif
