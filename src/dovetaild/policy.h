/* SPDX-License-Identifier: Apache-2.0 */
/* What the settings security.policy.* mean, beyond their type. */
#ifndef DVT_DOVETAILD_POLICY_H
#define DVT_DOVETAILD_POLICY_H

#include "api/policy.h"
#include "proc/config.h"

#define POLICY_AUTH_METHOD "security.policy.device.auth.method"
#define POLICY_STRICT      "security.policy.cert.validation.strict"
#define POLICY_REVOCATION  "security.policy.cert.revocation.check"

/* What cannot be: DVT_E_INPUT names the setting and why. */
DVT_MUST_USE enum dvt_code policy_check(
    const struct dvt_config *config, struct dvt_err *err);

/* May a device enrol for the first time by a secret; by a certificate? */
bool policy_secret_allowed(const struct dvt_config *config);
bool policy_certificate_allowed(const struct dvt_config *config);

#endif
