/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Does a child still answer? It is asked at every beat, ten to the limit, and
 * what counts are beats without an answer, not time: where the parent itself
 * gets its turn late, on a loaded machine, silence grows as slowly; after a
 * long pause of its own (the machine was suspended) it begins anew. Pure: time
 * is handed in.
 */
#ifndef DVT_PROC_PULSE_H
#define DVT_PROC_PULSE_H

#include <stdbool.h>
#include <stdint.h>

#define DVT_PULSE_BEATS      10  /* without an answer: it hangs */
#define DVT_PULSE_BUSY_BEATS 120 /* of one that said it has long work */

struct dvt_pulse {
	int64_t beat_ms; /* 0: nobody is asked */
	int64_t due_ms;  /* the next */
	bool anew;       /* this beat: the former ones do not count */
};

/* Of one child; zero when it starts. */
struct dvt_pulse_child {
	bool asked;      /* and has not answered */
	bool busy;       /* until it answers */
	unsigned silent; /* beats */
};

/* @limit_ms: 0: nobody is asked. */
void dvt_pulse_init(struct dvt_pulse *p, int64_t limit_ms, int64_t now_ms);
/* When to come again; INT64_MAX: never. */
int64_t dvt_pulse_due(const struct dvt_pulse *p);
/* Is it time? Then look at each child. */
bool dvt_pulse_beat(struct dvt_pulse *p, int64_t now_ms);

enum dvt_pulse_state {
	DVT_PULSE_ASK,    /* ask it now */
	DVT_PULSE_SILENT, /* it has been asked */
	DVT_PULSE_HANGS,  /* told once */
};
enum dvt_pulse_state dvt_pulse_look(
    const struct dvt_pulse *p, struct dvt_pulse_child *c);
void dvt_pulse_answered(struct dvt_pulse_child *c);
void dvt_pulse_busy(struct dvt_pulse_child *c);

#endif
