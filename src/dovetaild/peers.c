/* SPDX-License-Identifier: Apache-2.0 */
#include "dovetaild/peers.h"

#include "base/log.h"
#include "base/mem.h"

#include <stdlib.h>
#include <unistd.h>

struct place {
	struct peers *peers;
	struct dvt_channel *channel; /* NULL: away */
	uint64_t life;
	enum dvt_role role;
	unsigned index;
};

struct peers {
	struct dvt_loop *loop;
	struct dvt_control *control;
	struct peers_config config;
	struct place place[DVT_ROLE_COUNT][PEERS_MAX];
	unsigned count[DVT_ROLE_COUNT];
};

static void
drop(struct place *at)
{
	struct peers *p = at->peers;

	if (at->channel == NULL)
		return;
	dvt_channel_free(at->channel);
	at->channel = NULL;
	if (p->config.down != NULL)
		p->config.down(p->config.user, at->role, at->index);
}

static void
on_received(void *user, struct dvt_channel *c, struct dvt_msg *m)
{
	struct place *at = user;

	at->peers->config.received(at->peers->config.user, c, m);
}

static void
on_ended(void *user, struct dvt_channel *c, const struct dvt_err *why)
{
	struct place *at = user;

	(void)c;
	log_event(LOG_INFO, "ipc.peer.gone",
	    LS("peer", dvt_role_name(at->role)), LI("index", at->index),
	    LE(why));
	drop(at);
}

static void
on_drained(void *user, struct dvt_channel *c)
{
	struct place *at = user;

	if (at->peers->config.drained != NULL)
		at->peers->config.drained(at->peers->config.user, c);
}

static void
on_peer(void *user, int role, unsigned index, int fd)
{
	struct peers *p = user;
	struct dvt_channel_config config = {
	    .self = p->config.self,
	    .peer = (enum dvt_role)role,
	    .peer_index = index,
	    .batch = p->config.batch,
	    .received = on_received,
	    .ended = on_ended,
	    .drained = on_drained,
	};
	struct place *at;

	if (role < 0 || role >= DVT_ROLE_COUNT || index >= PEERS_MAX) {
		close(fd);
		return;
	}
	at = &p->place[role][index];
	drop(at);
	if (p->count[role] <= index)
		p->count[role] = index + 1;
	config.user = at;
	at->life++;
	at->channel = dvt_channel_new(p->loop, fd, &config);
	if (p->config.up != NULL)
		p->config.up(p->config.user, at->role, index, at->life);
}

struct peers *
peers_new(struct dvt_loop *loop, struct dvt_child *me,
    const struct peers_config *config)
{
	struct peers *p = dvt_alloc(sizeof(*p));
	struct dvt_control_config control = {.peer = on_peer, .user = p};

	p->loop = loop;
	p->config = *config;
	for (int role = 0; role < DVT_ROLE_COUNT; role++) {
		for (unsigned i = 0; i < PEERS_MAX; i++) {
			p->place[role][i].peers = p;
			p->place[role][i].role = (enum dvt_role)role;
			p->place[role][i].index = i;
		}
	}
	p->control = dvt_control_new(loop, me, &control);
	return p;
}

void
peers_free(struct peers *p)
{
	if (p == NULL)
		return;
	for (int role = 0; role < DVT_ROLE_COUNT; role++) {
		for (unsigned i = 0; i < PEERS_MAX; i++)
			dvt_channel_free(p->place[role][i].channel);
	}
	dvt_control_free(p->control);
	free(p);
}

void
peers_ready(struct peers *p)
{
	dvt_control_ready(p->control);
}

struct dvt_channel *
peers_get(struct peers *p, enum dvt_role role, unsigned index)
{
	return index < PEERS_MAX ? p->place[role][index].channel : NULL;
}

uint64_t
peers_life(struct peers *p, enum dvt_role role, unsigned index)
{
	return index < PEERS_MAX ? p->place[role][index].life : 0;
}

unsigned
peers_count(struct peers *p, enum dvt_role role)
{
	return p->count[role];
}

enum dvt_code
peers_send(struct peers *p, enum dvt_role role, unsigned index,
    const struct dvt_msg *m, struct dvt_err *err)
{
	struct dvt_channel *c = peers_get(p, role, index);
	enum dvt_code rc;

	if (c == NULL)
		return dvt_fail(err, DVT_E_LATER, "%s %u is starting",
		    dvt_role_name(role), index + 1);
	rc = dvt_channel_send(c, m, err);
	if (rc == DVT_E_BUSY || rc == DVT_E_CONFLICT)
		return dvt_fail(err, DVT_E_LATER, "%s %u has too much to do",
		    dvt_role_name(role), index + 1);
	return rc;
}
