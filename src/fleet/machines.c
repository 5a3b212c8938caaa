/* SPDX-License-Identifier: Apache-2.0 */
/* The list of all machines. */
#include "fleet/assignment.h"
#include "fleet/phase.h"

const struct dvt_machine *const dvt_machines[] = {
    &dvt_machine_rotation,
    &dvt_machine_phase,
    &dvt_machine_assignment_server,
    &dvt_machine_assignment_device,
};
const size_t dvt_machines_n = DVT_COUNT(dvt_machines);
