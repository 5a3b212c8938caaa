/* SPDX-License-Identifier: Apache-2.0 */
/* Which authorities may be imported: the setting's text, and the database's
 * list, which is the truth after init. */
#ifndef DVT_API_POLICY_H
#define DVT_API_POLICY_H

#include "base/limits.h"
#include "base/span.h"

#define POLICY_TRUST_LIST "security.policy.ca.trust.list"

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

#endif
