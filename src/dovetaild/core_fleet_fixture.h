/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A fleet for tests of rotations, over core's fixture: the roots "old" and
 * "new", two gateways, two fronts and some devices that say what real ones
 * would say.
 */
#ifndef DVT_DOVETAILD_CORE_FLEET_FIXTURE_H
#define DVT_DOVETAILD_CORE_FLEET_FIXTURE_H

#include "dovetaild/core_fixture.h"

#define FLEET_DEVICES 5
#define FLEET_EDGES   4
/* Fields of a plan in which nothing has a least time. */
#define FLEET_AT_ONCE                                                          \
	"\"overlap_min_s\":0,\"wave_min_s\":0,\"observe_min_s\":0,\"hold_s\":" \
	"0"

/* Names: "front-1", "front-2", "gw-1", "gw-2"; 2 and 3 are gateways. */
extern const char *const fleet_edge[FLEET_EDGES];

struct fleet {
	struct fixture *f; /* borrowed */
	struct {
		char id[16];
		char fp[DVT_DIGEST_HEX]; /* certificate in use */
		int64_t version;         /* of the bundle it loaded */
		char digest[DVT_DIGEST_HEX];
		bool stubborn; /* never loads a bundle */
		bool broken;   /* refuses the new chain at main names */
	} dev[FLEET_DEVICES];
	char old_root[DVT_DIGEST_HEX], new_root[DVT_DIGEST_HEX];
	int64_t batch; /* of the last report */
};

/* What core said to one call; @out and @extra are the caller's. */
struct fleet_asked {
	const char *what;
	const char *args;
	enum dvt_code code;
	json_t *out, *extra;
	char why[512];
};

/* All active and checked in under "old", which every edge shows. */
void fleet_set_up(struct fleet *x, struct fixture *f);

/* One operation by the operator "op"; @args is JSON. */
struct fleet_asked fleet_ask(
    struct fleet *x, const char *what, const char *args);
/* The same; the test fails unless it is done. */
void fleet_must(struct fleet *x, const char *what, const char *args);

/* One report of an edge, with handshakes and requests already as JSON. */
void fleet_report(
    struct fleet *x, unsigned edge, const char *handshakes, const char *csrs);
/* Each order of the feed is answered with the request of a fresh key. */
void fleet_answer_order(struct fleet *x, unsigned edge);
/* Both of every edge: orders answered, and a report without handshakes. */
void fleet_edges_turn(struct fleet *x);
/* Fingerprint of the root that @edge shows by default. */
void fleet_default_root(struct fleet *x, const char *edge, char *out);
/* One check-in with what it asks for, and a session at a gateway. */
void fleet_device_turn(struct fleet *x, size_t d);
/* Core's timers of rotations, as if all were due. */
void fleet_look(struct fleet *x);
/* Everybody acts until rotation @id is in the state or phase @until; with
 * @approve whatever is asked for is given by "ann". */
void fleet_run(struct fleet *x, int64_t id, const char *until, bool approve);

#endif
