/* SPDX-License-Identifier: Apache-2.0 */
/* What edges show ends while devices need it (fleet/deadline.h). */
#ifndef DVT_DOVETAILD_CORE_DEADLINE_H
#define DVT_DOVETAILD_CORE_DEADLINE_H

#include "dovetaild/core.h"

/**
 * core_deadline() - look through all edges; a task of the tick
 *
 * The edge is told to renew under the same root, where a key is held that
 * issues there: one order a day until it is answered. Else there is an alert to
 * page, edge.deadline, once per certificate.
 */
DVT_MUST_USE enum dvt_code core_deadline(
    struct core *c, void *ctx, struct dvt_err *err);

#endif
