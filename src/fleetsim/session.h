/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The MQTT session of one device: numbered messages with QoS 1 through a
 * gateway, over TLS with whatever credential and trust the agent has now.
 * Nothing is counted as sent that was not acknowledged; what is not is sent
 * again after a reconnect.
 */
#ifndef DVT_FLEETSIM_SESSION_H
#define DVT_FLEETSIM_SESSION_H

#include "device/io.h"

struct session;

struct session_config {
	struct dvt_loop *loop;
	struct dvt_agent *agent; /* borrowed */
	const char *device;      /* client id and part of the topic; copied */
	const char *edge_name;   /* server name; copied */
	const struct dvt_addr *edge; /* tried in turn; copied */
	size_t edge_n, edge_first;
	int64_t interval_ms;   /* between two messages */
	int64_t retry_first_s; /* then twice, four and ten times of it */
	void (*attempt)(void *user, const struct dvt_io_attempt *a);
	void *user;
};

struct session_status {
	bool up;
	uint64_t made;  /* messages numbered 1.. */
	uint64_t acked; /* all up to here are acknowledged */
	uint64_t reconnects;
	char root[DVT_DIGEST_HEX]; /* anchor of the chain last accepted */
};

struct session *session_new(const struct session_config *c);
void session_free(struct session *s);
/* The agent may have a credential now, or another. */
void session_nudge(struct session *s);
void session_status(const struct session *s, struct session_status *out);
/* No more new messages; session_idle() once all are acknowledged. */
void session_drain(struct session *s);
bool session_idle(const struct session *s);
/* Say goodbye in the protocol's own form. */
void session_goodbye(struct session *s);

#endif
