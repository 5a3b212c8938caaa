/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A fleet of a few rows in memory, a hand-moved clock and an outbox: what
 * core is to the engine, small enough for a unit test.
 */
#ifndef DVT_FLEET_WORLD_TEST_H
#define DVT_FLEET_WORLD_TEST_H

#include "fleet/assignment.h"
#include "fleet/phase.h"

#define WORLD_DEVICES 18
#define WORLD_EDGES   4 /* two gateways, two fronts */
#define WORLD_ACTIONS 256

struct world_device {
	struct dvt_assignment asg;
	bool parked;
	bool silent;      /* does nothing from now on */
	bool broken;      /* refuses the new chain at main names */
	bool refuses_new; /* reports a failure when told to renew */
	bool loaded;      /* the new root */
	bool proven;      /* pure chain at the next name */
	bool main_ok;     /* pure chain at a main name since the switch */
	bool failing;     /* its last handshake at a main name failed */
	bool dropped;     /* confirmed the bundle without the old root */
	bool told;        /* an instruction waits in its mailbox */
	bool under_new;   /* checks in under the new certificate */
};

struct world {
	struct dvt_plan plan;
	struct dvt_rotation row;
	struct dvt_gateway_view edges[WORLD_EDGES];
	struct world_device dev[WORLD_DEVICES];
	int64_t wall, mono;
	char boot[DVT_BOOT_ID];
	int64_t position, bundle;
	bool deaf_edge; /* gw-2 is not heard */
	bool approve;   /* a second person answers at once */
	bool approved;
	int64_t approval;
	int64_t strangers;
	bool old_key_held;
	int64_t hold_until;
	bool dropping; /* the bundle without the old root is out */
	bool outbox_stands;
	/* every key ever queued; done ones are marked */
	struct dvt_rot_do queue[WORLD_ACTIONS];
	bool done[WORLD_ACTIONS];
	bool failed[WORLD_ACTIONS];
	size_t queued, fresh;
	int performed[DVT_DO_N];
	int alerts;
	int entered[DVT_PHASE_N];
	int64_t entered_at[DVT_PHASE_N];
};

void world_init(struct world *w, const char *plan_json);
void world_fini(struct world *w);
void world_tally(const struct world *w, struct dvt_tallies *t);
/* One second: devices act, the engine looks, actions are performed. */
void world_tick(struct world *w);
/* The engine looks, but is killed before anything is written. */
void world_lost_tick(struct world *w);
/* @step_s at a time until the state or phase is reached; false after @most_s */
bool world_until(
    struct world *w, enum dvt_phase phase, int64_t step_s, int64_t most_s);
enum dvt_code world_ask(
    struct world *w, enum dvt_rot_event event, const char *reason);

#endif
