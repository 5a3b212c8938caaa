/* SPDX-License-Identifier: Apache-2.0 */
/* Coming back without TLS: bundles by another way, and the grant in them. */
#include "device/agent_priv.h"

#include "device/recovery.h"
#include "pki/x509.h"

#include <inttypes.h>
#include <stdio.h>

bool
dvt_agent_is_expired(const struct dvt_agent *a)
{
	return a->cred.key != NULL &&
	       dvt_x509_not_after(a->cred.chain.cert[0]) < dvt_agent_now_s(a);
}

const char *
dvt_agent_grant(const struct dvt_agent *a)
{
	char leaf[DVT_DIGEST_HEX];

	if (a->grant.id[0] == '\0' || a->cred.key == NULL)
		return NULL;
	dvt_x509_fingerprint(a->cred.chain.cert[0], leaf);
	return strcmp(leaf, a->grant.certificate) == 0 ? a->grant.id : NULL;
}

/*
 * It is kept in any case: an update that waits shows it, and whether the
 * certificate has ended the control plane knows best. One of its own begins
 * only where this device knows so too, or is told to; and while the certificate
 * stands not before a check-in, whose answer may order the same.
 */
static enum dvt_code
take_grant(struct dvt_agent *a, const struct dvt_recovery *r, bool renew,
    struct dvt_err *err)
{
	char when[40];

	a->grant = r->grant;
	a->grant_asked = renew;
	a->grant_new = r->next != NULL || renew || dvt_agent_is_expired(a);
	a->grant_waits = renew && !dvt_agent_is_expired(a);
	if (a->grant_waits)
		a->checkin.due_ms = a->now.mono_ms;
	if (a->grant_new)
		return DVT_OK;
	return dvt_fail(err, DVT_E_CONFLICT,
	    "nothing newer: the trust in it is held, and its grant is for a "
	    "certificate that has ended; this one stands until %s (--renew "
	    "renews it all the same)",
	    dvt_time_format(
		dvt_x509_not_after(a->cred.chain.cert[0]), when, sizeof(when)));
}

enum dvt_code
dvt_agent_take_recovery(
    struct dvt_agent *a, const struct dvt_command *c, struct dvt_err *err)
{
	struct dvt_bundle_work *b = &a->bundle;
	struct dvt_recovery r;
	char leaf[DVT_DIGEST_HEX];
	enum dvt_code rc;

	if (a->cred.key == NULL || a->trust == NULL)
		return dvt_fail(err, DVT_E_ABSENT, "not enrolled yet");
	/* a hook that only waits to be run comes after the newer one */
	if (b->phase > TR_FETCH &&
	    (b->phase != TR_HOOK || a->asked == ASKED_TRUST_HOOK))
		return dvt_fail(
		    err, DVT_E_CONFLICT, "a trust bundle is being loaded");
	dvt_x509_fingerprint(a->cred.chain.cert[0], leaf);
	dvt_buf_reset(&b->lines);
	rc = dvt_recovery_read(a->trust, c->bundle_lines, leaf,
	    dvt_agent_floor_s(a), &r, &b->lines, err);
	if (rc != DVT_OK)
		return rc;
	if (a->asked == ASKED_BUNDLE) /* its answer is worth no more */
		a->asked = ASKED_NOTHING;
	if (r.grant.id[0] != '\0')
		rc = take_grant(a, &r, c->renew, err);
	if (r.next == NULL)
		return rc;
	b->next = r.next; /* now the work's */
	b->phase = TR_STORE;
	b->tries = 0;
	b->due_ms = a->now.mono_ms;
	(void)snprintf(
	    b->id, sizeof(b->id), "recover-%" PRId64, dvt_agent_now_s(a));
	return DVT_OK;
}

/* An update that waits for its next try gets it now, with the grant. */
enum dvt_did
dvt_agent_run_grant(struct dvt_agent *a)
{
	if (!a->grant_new || a->grant_waits || a->bundle.phase > TR_FETCH)
		return DVT_DID_NOTHING;
	a->grant_new = false;
	if (dvt_agent_grant(a) == NULL ||
	    !(a->grant_asked || dvt_agent_is_expired(a)))
		return DVT_DID_NOTHING; /* one that stands needs none */
	if (a->update.phase == UP_NONE)
		dvt_agent_update_begin(a, "", a->config.label);
	else if (a->update.phase == UP_ASK)
		a->update.due_ms = a->now.mono_ms;
	return DVT_DID_WORK;
}
