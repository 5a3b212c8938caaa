/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Dry run over the inventory: which devices would accept a chain, by what
 * they hold and were seen to do. Reads only; used by core and by readers.
 */
#ifndef DVT_API_TRUST_CHECK_H
#define DVT_API_TRUST_CHECK_H

#include "fleet/dryrun.h"
#include "pki/chain.h"
#include "store/gate.h"

#include <jansson.h>

/* What would be shown. */
struct dvt_candidate {
	const char *root; /* fingerprint of the root it leads to; "" unknown */
	const struct dvt_chain *chain; /* leaf first; NULL: not issued yet, */
	struct dvt_span issuer; /* then DER of the CA that will; or empty */
};

struct dvt_trust_report {
	struct dvt_row_trust_group *rows; /* and their verdicts */
	struct dvt_trust_group *groups;
	size_t n;
	struct dvt_dry_sum sum;
	struct dvt_count unmanaged;        /* management none */
	char first_reason[DVT_REASON_MAX]; /* of a refusal */
};

/**
 * dvt_trust_check() - every active device against one chain
 * @rotation_id: whose excepted devices are passed over; 0: nobody's
 * @after_overlap: as if devices that check in had loaded the root
 * @out: in @arena
 */
DVT_MUST_USE enum dvt_code dvt_trust_check(struct dvt_tx *tx,
    struct dvt_arena *arena, int64_t rotation_id,
    const struct dvt_candidate *chain, bool after_overlap, int64_t now,
    struct dvt_trust_report *out, struct dvt_err *err);

/**
 * dvt_trust_check_devices() - those with this verdict, one by one
 * @list: {"device", "verdict", "reason"} are appended, until it has @most
 */
DVT_MUST_USE enum dvt_code dvt_trust_check_devices(struct dvt_tx *tx,
    struct dvt_arena *arena, int64_t rotation_id,
    const struct dvt_candidate *chain, const struct dvt_trust_report *report,
    enum dvt_dry_verdict verdict, size_t most, json_t *list,
    struct dvt_err *err);

/* One device; @out has one group. DVT_E_ABSENT: there is none. */
DVT_MUST_USE enum dvt_code dvt_trust_check_one(struct dvt_tx *tx,
    struct dvt_arena *arena, const char *device_id,
    const struct dvt_candidate *chain, int64_t now, struct dvt_trust_group *out,
    struct dvt_err *err);

/**
 * dvt_candidate_root() - the root known here that a chain leads to
 * @fingerprint: out: in @arena; "" when it leads to none of them
 * @id:          out: of that authority; 0 none; may be NULL
 */
DVT_MUST_USE enum dvt_code dvt_candidate_root(struct dvt_tx *tx,
    struct dvt_arena *arena, const struct dvt_chain *chain,
    const char **fingerprint, int64_t *id, struct dvt_err *err);

#endif
