/* SPDX-License-Identifier: Apache-2.0 */
/* What an agent is now, and the events it hands out. */
#include "device/agent_priv.h"

#include "base/mem.h"

size_t
dvt_agent_events(
    struct dvt_agent *a, struct dvt_agent_event *events, size_t max)
{
	size_t n = 0;

	for (size_t i = 0; i < a->h.events_n && n < max; i++) {
		if (a->h.events[i].seq <= a->h.handed)
			continue;
		events[n++] = a->h.events[i];
		a->h.handed = a->h.events[i].seq;
	}
	return n;
}

const struct dvt_agent_credential *
dvt_agent_credential(const struct dvt_agent *a)
{
	return a->cred.key != NULL ? &a->cred : NULL;
}

const struct dvt_agent_trust *
dvt_agent_trust(const struct dvt_agent *a)
{
	return a->trust != NULL ? &a->trust_shown : NULL;
}

const char *
dvt_agent_device_id(const struct dvt_agent *a, char out[DVT_DEVICE_ID_MAX + 1])
{
	out[0] = '\0';
	if (a->config.device_id != NULL)
		(void)dvt_copy_str(
		    out, DVT_DEVICE_ID_MAX + 1, a->config.device_id);
	return out;
}

/* What only waits for a better time is not busy. */
static bool
is_busy(const struct dvt_agent *a, const struct dvt_agent_status *s)
{
	if (a->asked != ASKED_NOTHING || a->pending.n > 0 ||
	    a->update.phase != UP_NONE || a->orphan_n > 0 || s->adopting ||
	    (a->grant_new && !a->grant_waits))
		return true;
	if (a->bundle.phase != TR_NONE && a->bundle.tries == 0)
		return true;
	if (a->confval.phase != CF_IDLE ||
	    (a->confval.tries == 0 && dvt_agent_config_due(a) != DVT_NEVER))
		return true;
	if (a->probe.owed && a->edge_next[0] != '\0' &&
	    (a->probe.tries == 0 || a->probe.instruction[0] != '\0'))
		return true;
	if (dvt_agent_tickets_due(a))
		return true;
	return a->cred.key != NULL && a->trust != NULL &&
	       s->events_unreported > 0 && a->checkin.tries == 0 &&
	       a->checkin.due_ms <= a->now.mono_ms;
}

void
dvt_agent_status(const struct dvt_agent *a, struct dvt_agent_status *out)
{
	memset(out, 0, sizeof(*out));
	out->generation = a->cred.generation;
	if (a->trust != NULL) {
		out->trust_version = a->trust->version;
		out->trust_pinned = a->trust->pinned;
		out->trust_anchors = dvt_trust_count(a->trust->trust);
		(void)dvt_copy_str(out->trust_digest, DVT_DIGEST_HEX,
		    dvt_trust_digest(a->trust->trust));
	}
	out->checkin_at = a->heard ? a->signed_s : a->h.seen_at;
	out->next_checkin_ms = a->checkin.due_ms;
	if (a->h.running) {
		(void)dvt_copy_str(out->update, DVT_STEP_ID, a->h.id);
		(void)dvt_copy_str(out->update_step, DVT_STEP_NAME, a->h.step);
		(void)dvt_copy_str(
		    out->update_wait, DVT_STEP_DETAIL, a->update.detail);
	}
	out->checkin_failures = a->checkin.tries;
	out->heard = a->heard;
	out->adopting = a->adopt.phase != AD_NONE;
	(void)dvt_history_unreported(&a->h, &out->events_unreported);
	out->busy = is_busy(a, out);
	out->held = a->h.hold_n;
	(void)dvt_copy_str(out->last_error, DVT_STEP_DETAIL, a->last_error);
}
