/* SPDX-License-Identifier: Apache-2.0 */
/* A whole TLS 1.3 handshake between an agent and an edge, in memory. */
#ifndef POWER_HANDSHAKE_H
#define POWER_HANDSHAKE_H

#include "device/testworld.h"

/**
 * handshake() - with the credential and anchors that are on now
 * @w: on; its edge takes what was issued and is not in the deny set
 *
 * Return: DVT_OK; DVT_E_ABSENT (no credential or no anchors); DVT_E_DENIED
 *         (one of the two refused the other; told in @err).
 */
DVT_MUST_USE enum dvt_code handshake(
    const struct testworld *w, struct dvt_err *err);

#endif
