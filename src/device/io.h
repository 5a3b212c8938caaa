/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an agent wants, done on a real network: requests to the control plane,
 * probes at the edge, hooks. One of these for each agent, many on one loop.
 */
#ifndef DVT_DEVICE_IO_H
#define DVT_DEVICE_IO_H

#include "device/tls.h"
#include "loop/addr.h"
#include "loop/loop.h"

#define DVT_IO_ADDRS 8 /* addresses of an edge or of the control plane */

struct dvt_agent_io;

/* One TLS attempt of the device, as it saw it itself. */
struct dvt_io_attempt {
	const char *to;   /* "control", "probe" */
	const char *name; /* server name asked for */
	bool ok;
	const char *text;          /* reason when not ok, else "" */
	char root[DVT_DIGEST_HEX]; /* anchor the peer's chain ended in, or "" */
};

struct dvt_agent_io_config {
	struct dvt_loop *loop;
	struct dvt_agent *agent;       /* borrowed; outlives the io */
	const struct dvt_addr *server; /* control plane; copied */
	size_t server_n;
	const char *server_name; /* name its certificate must carry; copied */
	const struct dvt_addr *edge; /* copied; may be none: no probes */
	size_t edge_n;
	const char *hook;     /* program for post-switch and post-trust; NULL */
	const char *hook_env; /* "NAME=value" for it as well; borrowed; NULL */
	/* Both may be NULL. after_step: something may have changed. */
	void (*attempt)(void *user, const struct dvt_io_attempt *a);
	void (*after_step)(void *user);
	void *user;
};

/* Begins with the next turn of the loop. */
struct dvt_agent_io *dvt_agent_io_new(const struct dvt_agent_io_config *c);
/* What is under way is dropped, as in a power cut. NULL-safe. */
void dvt_agent_io_free(struct dvt_agent_io *io);
/* Step now: after a command, or when a network came back. */
void dvt_agent_io_kick(struct dvt_agent_io *io);

#endif
