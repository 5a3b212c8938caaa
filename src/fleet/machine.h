/* SPDX-License-Identifier: Apache-2.0 */
/*
 * State machines as tables. One table drives the engine, GET
 * /v1/machines/{name}, `dovetail machine show` and docs/machines/.
 * The first edge whose guard holds is taken; no edge is DVT_E_CONFLICT.
 */
#ifndef DVT_FLEET_MACHINE_H
#define DVT_FLEET_MACHINE_H

#include "base/span.h"

#define DVT_ANY (-1) /* in dvt_edge.from: every state that is not final */

/* A condition with its name; @facts is what the machine's step hands in. */
struct dvt_guard {
	const char *name;
	bool (*holds)(const void *facts);
};

struct dvt_edge {
	int from;
	int event;
	int to;
	const struct dvt_guard *guard; /* NULL: always */
	int action;                    /* 0: none */
	const char *why;
};

struct dvt_machine {
	const char *name;  /* "assignment-server-ca" */
	const char *title; /* one line for people */
	const char *const *states;
	size_t states_n;
	const char *const *events;
	size_t events_n;
	const char *const *actions; /* [0] is "" */
	size_t actions_n;
	int first;       /* where a row begins */
	uint64_t finals; /* bit per state */
	uint64_t unused; /* bit per state that this machine never has */
	const struct dvt_edge *edges;
	size_t edges_n;
};

bool dvt_machine_final(const struct dvt_machine *m, int state);

/**
 * dvt_machine_step() - the edge to take
 * @facts: for the guards
 * @edge:  out: borrowed from the table; NULL unless DVT_OK
 *
 * Return: DVT_OK; DVT_E_CONFLICT, its text naming machine, state and event.
 */
DVT_MUST_USE enum dvt_code dvt_machine_step(const struct dvt_machine *m,
    int state, int event, const void *facts, const struct dvt_edge **edge,
    struct dvt_err *err);

/* All machines of this program. */
extern const struct dvt_machine *const dvt_machines[];
extern const size_t dvt_machines_n;
/* NULL when there is none of that name; borrowed. */
const struct dvt_machine *dvt_machine_find(const char *name);

/*
 * {"name", "title", "first", "states": [{"name", "final"}], "edges": [{"from",
 * "event", "to", "guard", "action", "why"}]}; absent guard and action are
 * null, `from` is "*" for every state that is not final.
 */
void dvt_machine_json(const struct dvt_machine *m, struct dvt_buf *out);
/* Columns from, event, guard, to, action, why; one edge per line. */
void dvt_machine_text(const struct dvt_machine *m, struct dvt_buf *out);
/* The page of docs/machines/: a picture (Mermaid) and the table. */
void dvt_machine_page(const struct dvt_machine *m, struct dvt_buf *out);

#endif
