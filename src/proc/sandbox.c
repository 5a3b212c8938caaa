/* SPDX-License-Identifier: Apache-2.0 */
/* Giving up privileges: see sandbox.h. The order matters: Landlock needs
 * open(), the filter comes last. */
#include "proc/sandbox.h"

#include "base/log.h"
#include "base/span.h"
#include "proc/sandbox_priv.h"

#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

static enum dvt_code
no_traces(struct dvt_err *err)
{
	const struct rlimit none = {0, 0};

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
	    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0 ||
	    setrlimit(RLIMIT_CORE, &none) != 0)
		return dvt_fail_errno(err, "sandbox: no new privileges");
	return DVT_OK;
}

static const char *
groups_format(unsigned groups, struct dvt_buf *out)
{
	static const struct {
		unsigned bit;
		const char *name;
	} all[] = {
#define GROUP_NAME(id, bit, name) {id, name},
	    DVT_SYS_GROUPS(GROUP_NAME)};

	for (size_t i = 0; i < DVT_COUNT(all); i++) {
		if ((groups & all[i].bit) != 0)
			dvt_buf_printf(
			    out, "%s%s", out->n > 0 ? "," : "", all[i].name);
	}
	return dvt_buf_str(out);
}

enum dvt_code
dvt_sandbox(const struct dvt_sandbox_plan *plan, struct dvt_err *err)
{
	const char *seccomp = "off", *why = "";
	struct dvt_buf names;
	int abi = 0;
	enum dvt_code rc;

	if ((rc = no_traces(err)) != DVT_OK)
		return rc;
	if (plan->landlock &&
	    (rc = dvt_landlock_apply(plan, &abi, err)) != DVT_OK)
		return rc;
	if (plan->seccomp && !dvt_sandbox_can_seccomp())
		seccomp = "unavailable";
	else if (plan->seccomp)
		seccomp = plan->explain ? "explained" : "on";
	if (plan->landlock && abi == 0)
		why = "kernel without Landlock";
	dvt_buf_init(&names, 256);
	/* told before the filter, which may not let us write the log's file */
	log_event(LOG_NOTICE, "proc.sandbox", LI("uid", geteuid()),
	    LS("seccomp", seccomp),
	    LS("calls", groups_format(plan->groups, &names)),
	    LI("landlock", abi), LS("missing", why));
	dvt_buf_fini(&names);
	if (plan->seccomp && dvt_sandbox_can_seccomp())
		rc = dvt_seccomp_apply(plan, err);
	return rc;
}
