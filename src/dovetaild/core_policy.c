/* SPDX-License-Identifier: Apache-2.0 */
/* security.policy.*, where core decides by it. */
#include "dovetaild/core_priv.h"
#include "dovetaild/policy.h"

#include <string.h>

static enum dvt_code
list_of_database(struct core *c, const char **list, struct dvt_err *err)
{
	enum dvt_code rc = dvt_store_meta_get(
	    core_tx(c), core_arena(c), POLICY_TRUST_META, list, err);

	if (rc != DVT_E_ABSENT)
		return rc;
	*list = ""; /* made before there were such lists */
	return DVT_OK;
}

enum dvt_code
core_policy_open(struct core *c, struct dvt_err *err)
{
	const char *given = dvt_config_text(core_config(c), POLICY_TRUST_LIST);
	const char *list;
	struct dvt_buf told;
	enum dvt_code rc;

	if (given == NULL)
		return DVT_OK;
	dvt_buf_init(&told, DVT_TRUST_LIST_BYTES);
	if ((rc = list_of_database(c, &list, err)) == DVT_OK &&
	    (rc = policy_trust_list(given, &told, err)) == DVT_OK &&
	    strcmp(dvt_buf_str(&told), list) != 0)
		rc = dvt_fail(err, DVT_E_CONFLICT,
		    POLICY_TRUST_LIST
		    ": the list of the settings is not the database's "
		    "(%s%.16s%s); put that one back, or take "
		    "the line out and change it by dovetail policy set",
		    list[0] == '\0' ? "none" : "it begins with ", list,
		    list[0] == '\0' ? "" : "...");
	dvt_buf_fini(&told);
	return rc;
}

enum dvt_code
core_policy_import(struct core *c, const char *fingerprint, struct dvt_err *err)
{
	const char *list;
	enum dvt_code rc = list_of_database(c, &list, err);

	if (rc == DVT_OK && !policy_trust_has(list, fingerprint))
		rc = dvt_fail(err, DVT_E_DENIED,
		    POLICY_TRUST_LIST
		    " does not name this certificate (%s): it may not be "
		    "imported into this fleet",
		    fingerprint);
	return rc;
}

enum dvt_code
core_policy_enrol(
    struct core *c, const struct est_request *q, struct dvt_err *err)
{
	bool secret = q->fingerprint[0] == '\0';

	if (q->reenroll || strcmp(q->label, "gateway") == 0)
		return DVT_OK;
	if (secret && q->user[0] != '\0' &&
	    !policy_secret_allowed(core_config(c)))
		return dvt_fail(err, DVT_E_DENIED,
		    POLICY_AUTH_METHOD
		    " is certificate: a first enrolment by a secret is "
		    "refused; show a certificate of an imported authority");
	if (!secret && !policy_certificate_allowed(core_config(c)))
		return dvt_fail(err, DVT_E_DENIED,
		    POLICY_AUTH_METHOD
		    " is secret: a first enrolment by a certificate is "
		    "refused; send a one-time secret, or ask for "
		    "simplereenroll");
	return DVT_OK;
}
