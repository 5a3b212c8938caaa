/* SPDX-License-Identifier: Apache-2.0 */
/* What the settings security.policy.* mean, beyond their type. */
#ifndef DVT_DOVETAILD_POLICY_H
#define DVT_DOVETAILD_POLICY_H

#include "base/limits.h"
#include "proc/config.h"

#define POLICY_AUTH_METHOD "security.policy.device.auth.method"
#define POLICY_TRUST_LIST  "security.policy.ca.trust.list"
#define POLICY_STRICT      "security.policy.cert.validation.strict"
#define POLICY_REVOCATION  "security.policy.cert.revocation.check"

/* In meta: the list as it was at init; the truth from then on. */
#define POLICY_TRUST_META "policy.ca.trust.list"

/**
 * policy_trust_list() - a JSON array of SHA-256 fingerprints, made comparable
 * @text: '["AB:CD:...", "..."]'; "" or NULL is the empty list
 * @out:  appended: lower-case hex, sorted, each once, a line feed after each
 *
 * At most DVT_TRUST_LIST_MAX of them.
 * Return: DVT_OK; DVT_E_INPUT (says which entry, and why); DVT_E_LIMIT.
 */
DVT_MUST_USE enum dvt_code policy_trust_list(
    const char *text, struct dvt_buf *out, struct dvt_err *err);

/* Whether @list, as made above, has @fingerprint; an empty list has all. */
bool policy_trust_has(const char *list, const char *fingerprint);

/* What no list can be: DVT_E_INPUT names the setting and why. */
DVT_MUST_USE enum dvt_code policy_check(
    const struct dvt_config *config, struct dvt_err *err);

/* May a device enrol for the first time by a secret; by a certificate? */
bool policy_secret_allowed(const struct dvt_config *config);
bool policy_certificate_allowed(const struct dvt_config *config);

#endif
