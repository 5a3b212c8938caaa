/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The one chain for clients that are no devices: operators, their browsers
 * and monitors. Nothing is remembered of them and nothing tried on them.
 */
#ifndef DVT_FLEET_CHAIN_PLAIN_H
#define DVT_FLEET_CHAIN_PLAIN_H

#include "fleet/chain_choice.h"

/**
 * dvt_chain_plain() - which of what is held such a client is shown
 * @offers:    @n of them
 * @not_after: end of each, Unix seconds
 * @policy:    default_root alone is looked at
 * @now:       Unix seconds
 *
 * Of the pure chains: what has not ended, then the default root, then the
 * slot (current, recovery, previous, next), then the newest generation, then
 * EC. Return: its index; @n when there is no pure chain.
 */
size_t dvt_chain_plain(const struct dvt_offer *offers, const int64_t *not_after,
    size_t n, const struct dvt_choice_policy *policy, int64_t now);

#endif
