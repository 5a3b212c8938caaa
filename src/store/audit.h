/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Audit: what was done, by whom, in hash chains that show when they were
 * touched.
 *
 * Each start of core has a stream of its own, "<node>-<start>". The hash of an
 * entry is SHA-256 over, each with its length (4 bytes, big-endian) before it:
 * the hash before (hex), stream, seq and at (decimal), actor, action, object,
 * detail. The hash before the first entry is SHA-256 over prior, stream and
 * started_at;
 * prior is the head of this node's stream before, so that a node's streams are
 * one chain. Check-points, signed outside of the database and exported, hold
 * the newest head of each node: who can write the database can compute every
 * hash again, or put back an older one, but not those.
 */
#ifndef DVT_STORE_AUDIT_H
#define DVT_STORE_AUDIT_H

#include "pki/dsse.h"
#include "store/rows.h"
#include "store/store.h"

/* Payload type of a check-point (DSSE). */
#define DVT_CHECKPOINT_TYPE   "application/vnd.dovetail.audit+json"
#define DVT_AUDIT_NODES_MAX   256  /* in one check-point */
#define DVT_AUDIT_FINDINGS    1000 /* told by one verify; more are counted */
#define DVT_AUDIT_STREAM_SIZE (DVT_NAME_MAX + 24)

/**
 * dvt_store_audit_open() - begin the stream of this start of core
 * @node:   name of this host in the fleet; letters, digits, "." and "_"
 * @stream: out: its name
 */
DVT_MUST_USE enum dvt_code dvt_store_audit_open(struct dvt_tx *tx,
    const char *node, int64_t now, char stream[DVT_AUDIT_STREAM_SIZE],
    struct dvt_err *err);

/**
 * dvt_store_audit_append() - one entry, in the transaction of what it tells
 * @row: stream, at, actor, action, object, detail (JSON; NULL: {})
 * @seq: out: its number, 1.. in its stream; may be NULL
 */
DVT_MUST_USE enum dvt_code dvt_store_audit_append(struct dvt_tx *tx,
    const struct dvt_row_audit *row, int64_t *seq, struct dvt_err *err);

/* Of one stream, ascending, after @after. */
DVT_MUST_USE enum dvt_code dvt_store_audit_list(struct dvt_tx *tx,
    struct dvt_arena *arena, const char *stream, int64_t after, int64_t limit,
    struct dvt_row_audit **rows, size_t *n, struct dvt_err *err);
/* All streams by node and start, after these ("" and 0: from the first). */
DVT_MUST_USE enum dvt_code dvt_store_audit_streams(struct dvt_tx *tx,
    struct dvt_arena *arena, const char *after_node, int64_t after_start,
    int64_t limit, struct dvt_row_audit_stream **rows, size_t *n,
    struct dvt_err *err);

/* --- check-points --- */

/* What the signer has to sign: {"fleet", "at", "heads": [{"stream", "seq",
 * "head"}]}, appended to @out. DVT_E_LIMIT: too many nodes. */
DVT_MUST_USE enum dvt_code dvt_store_checkpoint_payload(struct dvt_tx *tx,
    const char *fleet, int64_t at, struct dvt_buf *out, struct dvt_err *err);
/* Keep a signed line. @id: out: may be NULL. */
DVT_MUST_USE enum dvt_code dvt_store_checkpoint_add(struct dvt_tx *tx,
    int64_t at, const char *line, int64_t *id, struct dvt_err *err);
DVT_MUST_USE enum dvt_code dvt_store_checkpoint_list(struct dvt_tx *tx,
    struct dvt_arena *arena, int64_t after, int64_t limit,
    struct dvt_row_checkpoint **rows, size_t *n, struct dvt_err *err);

/* --- verify --- */

#define DVT_AUDIT_FAULTS(X)                                                    \
	X(DVT_AUDIT_ALTERED, "altered")     /* not what was written here */    \
	X(DVT_AUDIT_DROPPED, "dropped")     /* a gap in the numbers */         \
	X(DVT_AUDIT_REORDERED, "reordered") /* an entry from another place */  \
	X(DVT_AUDIT_REPEATED, "repeated")   /* a copy of another entry */      \
	X(DVT_AUDIT_TRUNCATED, "truncated") /* the end is missing */           \
	X(DVT_AUDIT_ADDED, "added")         /* beyond the recorded head */     \
	X(DVT_AUDIT_ROLLED_BACK, "rolled-back") /* older than a check-point */ \
	X(DVT_AUDIT_REHASHED,                                                  \
	    "re-hashed") /* sound, but not what was signed */                  \
	X(DVT_AUDIT_CHECKPOINT, "check-point") /* a line is not valid */
#define DVT_AUDIT_FAULT_ENUM(id, name) id,
enum dvt_audit_fault {
	DVT_AUDIT_FAULTS(DVT_AUDIT_FAULT_ENUM) DVT_AUDIT_FAULT_N
};
const char *dvt_audit_fault_name(enum dvt_audit_fault fault);

struct dvt_audit_finding {
	enum dvt_audit_fault fault;
	const char *stream; /* "" when about no stream */
	int64_t seq;        /* 0: the stream itself, its head or its list */
	const char *text;   /* in words, with stream and seq */
};

/* What the database is held against. */
struct dvt_audit_evidence {
	const char *fleet;     /* check-points of another are told; NULL: any */
	struct dvt_span lines; /* exported check-points, one per line */
	const struct dvt_dsse_key *keys; /* that may sign them */
	size_t keys_n;
};

struct dvt_audit_report {
	int64_t streams, entries; /* looked at */
	int64_t checkpoints;      /* valid ones */
	struct dvt_audit_finding *findings;
	size_t n;     /* findings, the first DVT_AUDIT_FINDINGS of @total */
	size_t total; /* 0: nothing was touched, as far as this can tell */
};

/**
 * dvt_audit_checkpoint_check() - is this line a check-point at all?
 *
 * By its form alone: who signed it, and what it says, verifying tells.
 * Return: DVT_OK; DVT_E_INPUT (an envelope or payload of another kind);
 *         DVT_E_LIMIT.
 */
DVT_MUST_USE enum dvt_code dvt_audit_checkpoint_check(
    struct dvt_span line, struct dvt_err *err);

/**
 * dvt_store_audit_verify() - compute every chain again
 * @evidence: exported check-points; NULL: only what the database says itself
 * @out:      in @arena
 *
 * Reads one snapshot. Findings are not a failure.
 * Return: DVT_OK; DVT_E_LIMIT (a line too long); DVT_E_SYSTEM.
 */
DVT_MUST_USE enum dvt_code dvt_store_audit_verify(struct dvt_tx *tx,
    struct dvt_arena *arena, const struct dvt_audit_evidence *evidence,
    struct dvt_audit_report *out, struct dvt_err *err);

#endif
