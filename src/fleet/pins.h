/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a device trusts, going by the chains it took: a root, an intermediate,
 * one leaf. Pure. A handshake counts when the device proved its certificate
 * in it; a refusal has no name, and counts only through the handshake that
 * follows it.
 */
#ifndef DVT_FLEET_PINS_H
#define DVT_FLEET_PINS_H

#include "fleet/rows.h"

/* Handshakes after a refusal before a device is said to pin: a stranger who
 * refuses at its address can cause one. */
#define DVT_PINS_MIN 2

/* One chain that a device took. Texts are borrowed. */
struct dvt_pin_seen {
	const char *serial; /* of the leaf */
	const char *issuer; /* name and key of what signed it; "" unknown */
	const char *root;   /* fingerprint; "" unknown */
	int64_t taken;
	int64_t after_refusal; /* while another leaf, which leads to the same
				  root, was refused just before */
};

/**
 * dvt_pins_of() - the narrowest trust that explains what was seen
 *
 * Leaves of two issuers: it builds paths to roots. Several leaves of one
 * issuer, others of that root refused: an intermediate. One leaf, others of
 * its root refused: that leaf, until it takes another. Else unknown.
 */
enum dvt_pins dvt_pins_of(const struct dvt_pin_seen *seen, size_t n);

/* For operators: "pins a leaf: ..."; "" when it does not pin. */
const char *dvt_pins_reason(enum dvt_pins pins);

#endif
