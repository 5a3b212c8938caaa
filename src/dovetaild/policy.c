/* SPDX-License-Identifier: Apache-2.0 */
#include "dovetaild/policy.h"

#include <string.h>

enum dvt_code
policy_check(const struct dvt_config *config, struct dvt_err *err)
{
	struct dvt_buf list;
	enum dvt_code rc;

	if (!dvt_config_bool(config, POLICY_REVOCATION))
		return dvt_fail(err, DVT_E_INPUT,
		    POLICY_REVOCATION
		    ": it cannot be switched off: what is denied is refused "
		    "by every edge and by the control plane; take the line "
		    "out, or unblock the device in question");
	dvt_buf_init(&list, DVT_TRUST_LIST_BYTES);
	rc = policy_trust_list(
	    dvt_config_text(config, POLICY_TRUST_LIST), &list, err);
	dvt_buf_fini(&list);
	return rc;
}

bool
policy_secret_allowed(const struct dvt_config *config)
{
	return strcmp(dvt_config_text(config, POLICY_AUTH_METHOD),
		   "certificate") != 0;
}

bool
policy_certificate_allowed(const struct dvt_config *config)
{
	return strcmp(dvt_config_text(config, POLICY_AUTH_METHOD), "secret") !=
	       0;
}
