/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A channel between two of our processes: whole messages over a SOCK_SEQPACKET
 * pair, checked on both ends against ipc/messages.def. Nobody blocks in send:
 * what the socket does not take waits in a bounded queue. Bodies up to
 * DVT_IPC_MSG_MAX travel inline, larger ones (to DVT_IPC_BODY_MAX) in a sealed
 * memfd; callers see no difference.
 */
#ifndef DVT_IPC_CHANNEL_H
#define DVT_IPC_CHANNEL_H

#include "base/span.h"
#include "ipc/messages.h"
#include "loop/loop.h"

/* One message. Received ones are borrowed for the call. */
struct dvt_msg {
	enum dvt_msg_type type;
	uint32_t slot;       /* which pending thing of the asking side */
	uint64_t generation; /* against stale slots */
	struct dvt_span body;
	/*
	 * A descriptor going along, or -1. Sending: borrowed (the channel
	 * keeps a duplicate). Receiving: the receiver's when it takes it by
	 * setting the field to -1; else closed after the call.
	 */
	int fd;
};

struct dvt_channel;

struct dvt_channel_config {
	enum dvt_role self;
	enum dvt_role peer;
	unsigned peer_index;
	size_t queue_max; /* bytes that may wait for the socket; 0: 16 MiB */
	unsigned batch;   /* messages read in one turn; 0: 64 */
	void (*received)(void *user, struct dvt_channel *c, struct dvt_msg *m);
	/* The peer is gone or broke the rules (@why); told once. The channel
	 * is dead; free it, also inside the call. */
	void (*ended)(
	    void *user, struct dvt_channel *c, const struct dvt_err *why);
	/* After dvt_channel_full(): half of the queue has left. May be NULL. */
	void (*drained)(void *user, struct dvt_channel *c);
	void *user;
};

/**
 * dvt_channel_pair() - two connected ends, close-on-exec, 1 MiB buffers
 * Return: DVT_OK; DVT_E_SYSTEM.
 */
DVT_MUST_USE enum dvt_code dvt_channel_pair(int fd[2], struct dvt_err *err);

/* @fd: one end; taken. */
struct dvt_channel *dvt_channel_new(
    struct dvt_loop *loop, int fd, const struct dvt_channel_config *config);
void dvt_channel_free(struct dvt_channel *c); /* NULL-safe */

/**
 * dvt_channel_send() - one message; never blocks, copies what it must keep
 * Return: DVT_OK (sent or queued); DVT_E_BUSY (queue full; nothing was sent);
 *         DVT_E_LIMIT (body over its size); DVT_E_INPUT (not ours to say);
 *         DVT_E_CONFLICT (channel dead); DVT_E_SYSTEM.
 */
DVT_MUST_USE enum dvt_code dvt_channel_send(
    struct dvt_channel *c, const struct dvt_msg *m, struct dvt_err *err);
/* Queue over half: stop taking in work that ends here. */
bool dvt_channel_full(const struct dvt_channel *c);
size_t dvt_channel_queued(const struct dvt_channel *c); /* bytes */
/* Stop and resume reading (back-pressure on the peer). */
void dvt_channel_read_enable(struct dvt_channel *c, bool on);

enum dvt_role dvt_channel_peer(const struct dvt_channel *c);
unsigned dvt_channel_peer_index(const struct dvt_channel *c);

#endif
