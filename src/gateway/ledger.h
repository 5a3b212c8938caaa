/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the feed process took from workers and has not put away yet, in memory
 * that outlives it (its parent made it): lines on their way to the record file
 * and to the spool, lines that are counted, and how far each worker's messages
 * were taken. Changes are made aside and come into force as one, by one atomic
 * store; a successor of a killed feed process finds the state before or after.
 * Bytes that are in force are never written over.
 */
#ifndef DVT_GATEWAY_LEDGER_H
#define DVT_GATEWAY_LEDGER_H

#include "base/err.h"
#include "base/span.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define GW_LEDGER_WORKERS 64
#define GW_LEDGER_LINES   25165824 /* bytes of lines on their way */
#define GW_LEDGER_COUNTED 4194304  /* bytes of lines that are counted */

struct gw_ledger_state {
	struct {
		uint64_t life, seq;
	} taken[GW_LEDGER_WORKERS]; /* of each worker; another life: from 0 */
	size_t lines_n;             /* bytes */
	size_t file_done;           /* of these are in the record file */
	size_t spool_done;          /* of these are in batches */
	size_t counted_n;           /* bytes */
	uint64_t lost;              /* lines, since the start */
	/* being written just now */
	int64_t file_from; /* size of the file before; -1: nothing */
	uint64_t file_id;  /* which file that is */
	int64_t batch;     /* number of the spool's; 0: none */
};

struct gw_ledger;

/* Empty; shared by the processes forked after it was made. */
DVT_MUST_USE enum dvt_code gw_ledger_new(
    struct gw_ledger **out, struct dvt_err *err);
void gw_ledger_free(struct gw_ledger *l); /* here alone; NULL-safe */

/* --- one process, the writer --- */

/* The state to be changed: a copy of the one in force. Until
 * gw_ledger_commit() nothing of it counts. */
struct gw_ledger_state *gw_ledger_begin(struct gw_ledger *l);
void gw_ledger_commit(struct gw_ledger *l);
const struct gw_ledger_state *gw_ledger_get(const struct gw_ledger *l);

/* Bytes behind those of the state under change; false: no room. */
bool gw_ledger_line(struct gw_ledger *l, struct dvt_span line);
bool gw_ledger_counted(struct gw_ledger *l, char grain, struct dvt_span line);
/* Lines for which there was none count, with the change under way. */
void gw_ledger_lost(struct gw_ledger *l, uint64_t lines);
struct dvt_span gw_ledger_lines(const struct gw_ledger *l, size_t from);
struct dvt_span gw_ledger_counts(const struct gw_ledger *l);

#endif
