/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A certificate that an edge shows comes to its end while devices still need
 * its root: renewed under the same root in time, or somebody is called. Pure.
 */
#ifndef DVT_FLEET_DEADLINE_H
#define DVT_FLEET_DEADLINE_H

#include "fleet/rows.h"

#define DVT_DEADLINE_S 1209600 /* 14 days before the end */

/* What one edge holds. */
struct dvt_shown {
	const char *root; /* fingerprint; "" unknown */
	enum dvt_gateway_slot slot;
	int64_t not_after; /* Unix seconds */
};

#define DVT_DEADLINES(X)                                                       \
	X(DVT_DEADLINE_NONE, "none")                                           \
	X(DVT_DEADLINE_RENEW, "renew") /* under the same root */               \
	X(DVT_DEADLINE_PAGE, "page")   /* no key of that root is held */
#define DVT_DEADLINE_ENUM(id, name) id,
enum dvt_deadline { DVT_DEADLINES(DVT_DEADLINE_ENUM) DVT_DEADLINE_N };
const char *dvt_deadline_name(enum dvt_deadline d);

/**
 * dvt_deadline_near() - is it shown[at] whose end leaves its root without a
 * certificate at this edge?
 *
 * Of several of one root the last to end counts alone. One that is not issued
 * yet counts for nothing.
 */
bool dvt_deadline_near(
    const struct dvt_shown *shown, size_t n, size_t at, int64_t now);
/* What to do about one that is near. */
enum dvt_deadline dvt_deadline_do(bool needed, bool key_held);
/* The slot of its successor. */
enum dvt_gateway_slot dvt_deadline_slot(
    const struct dvt_shown *s, const char *default_root);

#endif
