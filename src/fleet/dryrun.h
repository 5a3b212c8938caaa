/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Would the fleet accept this chain? Judged over the distinct sets of anchors
 * that devices hold, of which there are few; the X.509 verification itself is
 * handed in. Pure.
 */
#ifndef DVT_FLEET_DRYRUN_H
#define DVT_FLEET_DRYRUN_H

#include "fleet/rows.h"

#define DVT_VERDICTS(X)                                                        \
	X(DVT_WOULD_ACCEPT, "accepted")                                        \
	X(DVT_WOULD_REFUSE, "refused")                                         \
	X(DVT_WOULD_UNKNOWN, "unknown")
#define DVT_VERDICT_ENUM(id, name) id,
enum dvt_dry_verdict { DVT_VERDICTS(DVT_VERDICT_ENUM) DVT_WOULD_N };
const char *dvt_dry_verdict_name(enum dvt_dry_verdict v);

/* Devices that agree in what they hold and in how they can be changed. */
struct dvt_trust_group {
	bool known;                 /* they told what they loaded */
	const char *const *anchors; /* fingerprints; when known */
	size_t anchors_n;
	enum dvt_management management;
	bool seen_ok;       /* took this root alone in a handshake, last */
	bool seen_bad;      /* or refused it, last */
	enum dvt_pins pins; /* something that this chain has not */
	struct dvt_count devices;

	/* out */
	enum dvt_dry_verdict verdict;
	char reason[DVT_REASON_MAX]; /* OpenSSL's words, or ours */
};

/**
 * A device that trusts exactly these anchors is shown the chain.
 * @why: DVT_REASON_MAX bytes; "unable to get local issuer certificate"
 * Return: true when it would accept.
 */
typedef bool dvt_accepts_fn(
    void *ctx, const char *const *anchors, size_t n, char *why);

struct dvt_dry_run {
	dvt_accepts_fn *accepts;
	void *ctx;
	const char *root; /* fingerprint of the root of the chain */
	/*
	 * Preflight: judged as if devices that check in had loaded the root
	 * already. Otherwise by what they hold now.
	 */
	bool after_overlap;
};

struct dvt_dry_sum {
	struct dvt_count accept, refuse, unknown;
};

/**
 * dvt_dry_run() - a verdict for each group, and the sum
 *
 * What a device was seen to do counts more than what it told; what it told
 * more than nothing. One that pins refuses, unless it loads anchors. Devices
 * that do not check in cannot be given anchors.
 */
void dvt_dry_run(const struct dvt_dry_run *how, struct dvt_trust_group *groups,
    size_t n, struct dvt_dry_sum *sum);

/**
 * dvt_dry_allows() - may an edge change to that chain?
 * @strict: unknown devices refuse as well; else only known-bad ones
 */
bool dvt_dry_allows(const struct dvt_dry_sum *sum, bool strict);

#endif
