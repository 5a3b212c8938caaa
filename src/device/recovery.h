/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Trust bundles that came by a stick, a folder or a plain URL: they prove
 * themselves by their signatures, so nothing of the way is trusted. Pure.
 */
#ifndef DVT_DEVICE_RECOVERY_H
#define DVT_DEVICE_RECOVERY_H

#include "device/trustset.h"

#define DVT_RECOVERY_LINES                                                     \
	256 /* lines looked at; a manifest a year: plenty                      \
	     */

struct dvt_recovery {
	struct dvt_trustset *next;     /* NULL: nothing newer */
	struct dvt_bundle_grant grant; /* id "" none */
};

void dvt_recovery_fini(struct dvt_recovery *r); /* NULL-safe */

/**
 * dvt_recovery_read() - what some lines are worth to this device
 * @from:        what is held; must hold keys: they are never pinned here
 * @lines:       as they came, at most DVT_RECOVERY_MAX bytes
 * @certificate: fingerprint of the current one: a grant is bound to it
 * @floor_s:     latest signed time seen, Unix seconds: what ended before is
 *               refused; the device's own clock is not asked
 * @out:         out: the caller's
 * @kept:        gets the lines taken
 *
 * Return: DVT_OK (a newer set, a grant, or both); DVT_E_CONFLICT (nothing
 *         newer); DVT_E_LIMIT; else why the first line that could have been
 *         taken was refused, as dvt_bundle_accept(); DVT_E_DENIED as well
 *         when the newest has ended, or the grant has or is for another
 *         certificate.
 */
DVT_MUST_USE enum dvt_code dvt_recovery_read(const struct dvt_trustset *from,
    struct dvt_span lines, const char *certificate, int64_t floor_s,
    struct dvt_recovery *out, struct dvt_buf *kept, struct dvt_err *err);

#endif
