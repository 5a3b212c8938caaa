/* SPDX-License-Identifier: Apache-2.0 */
/* Opening the trust sets: the newest that reads, or one made of what is left.
 */
#include "device/agent_priv.h"

#include "device/canary.h"

static enum dvt_code
load_trust(struct dvt_agent *a, int64_t version, struct dvt_trustset **t,
    struct dvt_err *err)
{
	unsigned sound = 0, tries = 0;
	enum dvt_code rc;

	do {
		rc = dvt_trustset_load(&a->env, version, t, err);
	} while (dvt_canary_again(rc, &sound, &tries));
	return dvt_agent_or_no_memory(rc, sound, err);
}

static enum dvt_code
set_aside(struct dvt_agent *a, int64_t version, const char *text)
{
	struct dvt_err why = {0};
	enum dvt_code rc;

	dvt_agent_say_aside(a, text, version);
	rc = dvt_trustset_set_aside(&a->env, version, &why);
	return dvt_agent_unless_refused(a, rc, &why);
}

/* What was taken over, newest first; @unread: out: the newest that does not
 * come off the disk and stays as it is, or -1. */
static enum dvt_code
find(struct dvt_agent *a, const int64_t *v, size_t *n, struct dvt_trustset **t,
    int64_t *unread, struct dvt_err *err)
{
	struct dvt_err why;
	enum dvt_code rc;

	*unread = -1;
	for (; *n > 0; (*n)--) {
		int64_t version = v[*n - 1];

		rc = load_trust(a, version, t, &why);
		if (rc == DVT_OK)
			return DVT_OK;
		if (rc == DVT_E_SYSTEM &&
		    dvt_trustset_is_unreadable(&a->env, version)) {
			if (*unread < 0)
				*unread = version;
			if (err != NULL)
				*err = why;
			continue;
		}
		if (rc == DVT_E_SYSTEM) {
			if (err != NULL)
				*err = why;
			return rc;
		}
		if ((rc = set_aside(a, version, why.text)) != DVT_OK)
			return rc;
	}
	return DVT_OK;
}

/*
 * No set reads. One that only does not come off the disk is given up when it
 * can be made again from its signed lines, and not before: @err has told.
 */
static enum dvt_code
salvage(struct dvt_agent *a, int64_t unread, struct dvt_trustset **t,
    struct dvt_err *err)
{
	enum dvt_code rc;

	if (unread >= 0 && !dvt_trustset_has_lines(&a->env, unread))
		return DVT_E_SYSTEM;
	if (unread >= 0 && (rc = set_aside(a, unread,
				"it does not come off the disk")) != DVT_OK)
		return rc;
	return dvt_trustset_salvage(
	    &a->env, a->config.device_id, dvt_agent_now_s(a), t, err);
}

enum dvt_code
dvt_agent_open_trust(struct dvt_agent *a, struct dvt_err *err)
{
	int64_t v[DVT_TRUST_LIST], unread;
	const struct dvt_agent_event *probed;
	struct dvt_trustset *t = NULL;
	enum dvt_code rc;
	size_t n;

	rc = dvt_trustset_list(&a->env, v, &n, err);
	if (rc == DVT_E_ABSENT && a->unmended)
		return DVT_OK;
	if (rc != DVT_OK || (rc = find(a, v, &n, &t, &unread, err)) != DVT_OK)
		return rc;
	if (t == NULL) {
		rc = salvage(a, unread, &t, err);
		if (rc != DVT_OK)
			return rc == DVT_E_ABSENT ? DVT_OK : rc;
	} else if (unread >= 0) {
		dvt_agent_say_aside(a, "it does not come off the disk", unread);
	}
	dvt_agent_set_trust(a, t);
	if (n > 1)
		a->former_trust = v[n - 2];
	for (size_t i = 0; i + 2 < n; i++)
		a->old_trust[a->old_trust_n++] = v[i];
	probed = dvt_history_probe(&a->h, t->version);
	a->probe.owed = t->version > a->h.probed ||
			(probed != NULL && probed->outcome == DVT_STEP_FAIL);
	dvt_agent_bundle_hook_owed(a);
	return DVT_OK;
}
