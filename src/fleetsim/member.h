/* SPDX-License-Identifier: Apache-2.0 */
/* One device of the fleet: its agent, what the agent wants, its session. */
#ifndef DVT_FLEETSIM_MEMBER_H
#define DVT_FLEETSIM_MEMBER_H

#include "fleetsim/session.h"

#include <jansson.h>

struct member;

/* What all members share. */
struct fleet {
	struct dvt_loop *loop;
	int64_t interval_ms;
	int64_t retry_first_s;
	size_t size; /* members there are to be */
	int log;     /* descriptor of the attempts' log, or -1 */
	uint64_t handshakes, failed;
	uint64_t cuts_seed; /* 0: no power cuts, and real files */
	bool cutting;       /* they go on */
	uint64_t cuts;
	json_t *cut_steps; /* step of an update: how often the power went */
};

/**
 * member_new() - from one line of the fleet file
 * @line:  {"device", "state", "server", "server_name", "edges", "edge_name"},
 *         and for a state directory that is still empty "import_key",
 *         "import_cert", "anchor"; borrowed
 * @place: which one it is, from 0; edges are shared out by it
 *
 * Return: DVT_OK; DVT_E_INPUT (naming the field); DVT_E_SYSTEM.
 */
DVT_MUST_USE enum dvt_code member_new(struct fleet *fleet, const json_t *line,
    size_t place, struct member **out, struct dvt_err *err);
void member_free(struct member *m);

bool member_connected(const struct member *m);
void member_drain(struct member *m);
bool member_idle(const struct member *m);
/* Remember whether it is connected now, then say goodbye. */
void member_goodbye(struct member *m);
/* The power of each device goes at random: call it each second. */
void member_dice(struct member *m);
bool member_on(const struct member *m);
/* As in the status file, the caller's. */
json_t *member_status(const struct member *m);

#endif
