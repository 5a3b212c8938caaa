/* SPDX-License-Identifier: Apache-2.0 */
/* The one-time secret a gateway without a certificate of its own enrols by. */
#ifndef DVT_GATEWAY_SECRET_H
#define DVT_GATEWAY_SECRET_H

#include "base/mem.h"
#include "gateway/settings.h"

#define GW_SECRET_MAX 256 /* bytes, with the end of its line */

/**
 * gw_secret_read() - what gateway.secret says, or the file it names
 * @out: the caller's; one line, its end left out
 *
 * Return: DVT_OK; DVT_E_ABSENT (none given); DVT_E_INPUT (it is empty);
 *         DVT_E_LIMIT (over GW_SECRET_MAX bytes); DVT_E_ABSENT, DVT_E_SYSTEM (the file cannot
 *         be read). The error names the setting and the whole path.
 */
DVT_MUST_USE enum dvt_code gw_secret_read(
    const struct gw_settings *s, struct dvt_secret *out, struct dvt_err *err);

/**
 * gw_secret_check() - would the gateway find the secret that it needs?
 *
 * It needs none without a control plane, nor when it holds an identity.
 * Return: DVT_OK; as gw_secret_read().
 */
DVT_MUST_USE enum dvt_code gw_secret_check(
    const struct gw_settings *s, struct dvt_err *err);

#endif
