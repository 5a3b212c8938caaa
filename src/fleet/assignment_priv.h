/* SPDX-License-Identifier: Apache-2.0 */
/* What the guards of the two assignment tables see. */
#ifndef DVT_FLEET_ASSIGNMENT_PRIV_H
#define DVT_FLEET_ASSIGNMENT_PRIV_H

#include "fleet/assignment.h"

struct dvt_assignment_view {
	const struct dvt_assignment *row;
	const struct dvt_assignment_facts *f;
	int64_t now; /* Unix seconds */
};

#endif
