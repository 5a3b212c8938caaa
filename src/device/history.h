/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the journal adds up to: the update that runs and how far it came, what
 * is still to be reported, what is held until when. Pure.
 */
#ifndef DVT_DEVICE_HISTORY_H
#define DVT_DEVICE_HISTORY_H

#include "device/record.h"

#define DVT_HISTORY_EVENTS 192 /* unreported ones kept at most */
#define DVT_HISTORY_RECENT 32  /* reported ones kept for status */
#define DVT_HISTORY_DONE   16  /* instructions remembered */
#define DVT_HISTORY_HOLDS  32  /* older generations */

struct dvt_history_done {
	char instruction[DVT_NAME_MAX + 1];
	bool ok;
	bool told;
	char detail[DVT_STEP_DETAIL];
};

struct dvt_history_hold {
	int64_t generation;
	int64_t since; /* Unix seconds; 0: it was never in use */
};

struct dvt_history {
	struct dvt_agent_event *events; /* oldest first */
	size_t events_n, events_cap;
	uint64_t seq;    /* of the newest event */
	uint64_t acked;  /* reported up to here */
	uint64_t handed; /* handed out by dvt_agent_events() up to here */

	bool running; /* an update: */
	char id[DVT_STEP_ID];
	char instruction[DVT_NAME_MAX + 1];
	char label[DVT_NAME_MAX + 1];
	int64_t generation, old;
	char step[DVT_STEP_NAME]; /* last one told of it */
	enum dvt_step_outcome outcome;

	struct dvt_history_done done[DVT_HISTORY_DONE]; /* oldest first */
	size_t done_n;
	struct dvt_history_hold hold[DVT_HISTORY_HOLDS];
	size_t hold_n;
	int64_t seen_at; /* last time that a server told */
	int64_t probed;  /* latest bundle tried at the edge */
	int64_t hooked;  /* latest one that consumers were told of */
	int64_t highest; /* generation number ever named */
};

void dvt_history_fini(struct dvt_history *h);
void dvt_history_apply(struct dvt_history *h, const struct dvt_record *r);
/* Append the records that add up to the same, without what is over. */
void dvt_history_format(const struct dvt_history *h, struct dvt_buf *out);

/* First event that is not reported yet, and how many from there. */
const struct dvt_agent_event *dvt_history_unreported(
    const struct dvt_history *h, size_t *n);
/* The last that was said of the probe after bundle @version, or NULL. */
const struct dvt_agent_event *dvt_history_probe(
    const struct dvt_history *h, int64_t version);
/* An instruction that was carried out, or NULL. */
const struct dvt_history_done *dvt_history_done_get(
    const struct dvt_history *h, const char *instruction);
const struct dvt_history_hold *dvt_history_hold_get(
    const struct dvt_history *h, int64_t generation);

#endif
