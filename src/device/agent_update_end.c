/* SPDX-License-Identifier: Apache-2.0 */
/* A renewal from its switch to the completion, or back. */
#include "device/agent_priv.h"

#include "base/mem.h"

#include <stdio.h>

static void
go(struct dvt_agent *a, enum dvt_update_phase phase)
{
	a->update.phase = phase;
	a->update.tries = 0;
	a->update.due_ms = a->now.mono_ms;
}

static void
say(struct dvt_agent *a, const char *step, enum dvt_step_outcome outcome,
    const char *detail)
{
	dvt_agent_say(a, a->h.id, step, a->h.generation, outcome, detail);
}

/* Point "current" at a generation that was just read back whole. */
static enum dvt_code
switch_to(struct dvt_agent *a, int64_t number, struct dvt_err *err)
{
	struct dvt_agent_credential cred;
	struct dvt_generation_meta meta;
	enum dvt_code rc;

	rc = dvt_generation_load(&a->env, number, &cred, &meta, err);
	if (rc != DVT_OK)
		return rc;
	dvt_agent_commit(a);
	rc = dvt_generation_switch(&a->env, number, err);
	if (rc == DVT_OK)
		dvt_agent_set_credential(a, &cred, &meta);
	dvt_credential_fini(&cred);
	if (rc == DVT_OK)
		dvt_agent_tickets_switched(a);
	return rc;
}

static enum dvt_did
run_switch(struct dvt_agent *a)
{
	struct dvt_err err;
	enum dvt_code rc = switch_to(a, a->h.generation, &err);

	if (rc == DVT_E_SYSTEM)
		return dvt_agent_disk_failed(a, &err);
	if (rc == DVT_OK)
		go(a, UP_SWITCHED);
	else
		dvt_agent_update_fail(a, err.text);
	return DVT_DID_WORK;
}

static enum dvt_did
run_switched(struct dvt_agent *a)
{
	say(a, DVT_STEP_SWITCH, DVT_STEP_SUCCEED, "");
	say(a, DVT_STEP_RESTART, DVT_STEP_START, "");
	go(a, UP_HOOK);
	return DVT_DID_WORK;
}

static void
restarted(struct dvt_agent *a, const char *detail)
{
	say(a, DVT_STEP_RESTART, DVT_STEP_SUCCEED, detail);
	say(a, DVT_STEP_COMPLETE, DVT_STEP_START, "");
	go(a, UP_CONFIRM);
	a->checkin.due_ms = a->now.mono_ms;
}

static enum dvt_did
run_hook(struct dvt_agent *a)
{
	if (!a->config.hook_switch) {
		restarted(a, "no hook is set");
		return DVT_DID_WORK;
	}
	a->update.restarted = true;
	return dvt_agent_want_hook(a, ASKED_HOOK, DVT_HOOK_POST_SWITCH);
}

void
dvt_agent_on_hook(struct dvt_agent *a, const struct dvt_answer *answer)
{
	char detail[DVT_STEP_DETAIL];
	bool ok = answer->outcome == DVT_ANSWER_OK && answer->hook_exit == 0;

	if (a->update.phase == UP_BACK_HOOK) { /* nothing left to go back to */
		go(a, UP_REMOVE);
		return;
	}
	if (ok) {
		restarted(a, "");
		return;
	}
	dvt_agent_hook_text(answer, "post-switch", detail);
	dvt_agent_update_fail(a, detail);
}

/* --- the completion check-in --- */

static void
supersede(struct dvt_agent *a)
{
	struct dvt_record r;

	if (a->h.old != 0)
		dvt_agent_hold(a, a->h.old);
	if (a->h.instruction[0] == '\0')
		return;
	r = (struct dvt_record){.kind = DVT_REC_DONE, .ok = true};
	memcpy(r.instruction, a->h.instruction, sizeof(r.instruction));
	dvt_agent_record(a, &r);
	r = (struct dvt_record){.kind = DVT_REC_TOLD};
	memcpy(r.instruction, a->h.instruction, sizeof(r.instruction));
	dvt_agent_record(a, &r);
}

/* The end comes last: a torn tail of these records is said again. */
void
dvt_agent_update_confirmed(struct dvt_agent *a)
{
	struct dvt_record r;

	supersede(a);
	if (strcmp(a->h.step, DVT_STEP_COMPLETE) != 0 ||
	    a->h.outcome != DVT_STEP_SUCCEED)
		say(a, DVT_STEP_COMPLETE, DVT_STEP_SUCCEED, "");
	r = (struct dvt_record){.kind = DVT_REC_ACK};
	r.event.seq = a->h.seq; /* that check-in told it */
	dvt_agent_record(a, &r);
	r = (struct dvt_record){.kind = DVT_REC_END, .ok = true};
	memcpy(r.id, a->h.id, sizeof(r.id));
	dvt_agent_record(a, &r);
	dvt_agent_update_fini(a);
	a->renew_tries = 0;
	a->renew_due_ms = a->now.mono_ms;
}

void
dvt_agent_update_unconfirmed(
    struct dvt_agent *a, const struct dvt_answer *answer)
{
	bool refused = answer->outcome == DVT_ANSWER_THEY_REFUSED ||
		       (answer->outcome == DVT_ANSWER_OK &&
			   (answer->http_status == 401 ||
			       answer->http_status == 403));
	char detail[DVT_STEP_DETAIL];

	if (!refused || a->h.old == 0)
		return; /* not its fault, or nothing to go back to */
	if (++a->update.tries < DVT_TRIAL_TRIES)
		return;
	dvt_agent_blame(a, answer, "check-in under it", detail);
	dvt_agent_update_fail(a, detail);
}

/* --- back --- */

static enum dvt_did
run_back(struct dvt_agent *a)
{
	struct dvt_err err;
	enum dvt_code rc = DVT_OK;

	if (a->cred.generation == a->h.generation && a->h.old != 0)
		rc = switch_to(a, a->h.old, &err);
	if (rc == DVT_E_SYSTEM)
		return dvt_agent_disk_failed(a, &err);
	/* a predecessor that cannot be read is worse than what we have */
	go(a, a->update.restarted && rc == DVT_OK ? UP_BACK_HOOK : UP_REMOVE);
	return DVT_DID_WORK;
}

static enum dvt_did
run_back_hook(struct dvt_agent *a)
{
	if (a->config.hook_switch)
		return dvt_agent_want_hook(a, ASKED_HOOK, DVT_HOOK_POST_SWITCH);
	go(a, UP_REMOVE);
	return DVT_DID_WORK;
}

static enum dvt_did
run_remove(struct dvt_agent *a)
{
	struct dvt_err err;

	go(a, UP_END);
	if (a->cred.generation == a->h.generation)
		return DVT_DID_WORK; /* still in use */
	dvt_agent_commit(a);
	if (dvt_generation_remove(&a->env, a->h.generation, &err) == DVT_OK)
		return DVT_DID_WORK;
	go(a, UP_REMOVE);
	return dvt_agent_disk_failed(a, &err);
}

static enum dvt_did
run_end(struct dvt_agent *a)
{
	struct dvt_record r = {.kind = DVT_REC_DONE};
	int64_t retry_ms = a->update.retry_ms;

	if (a->h.instruction[0] != '\0') {
		memcpy(r.instruction, a->h.instruction, sizeof(r.instruction));
		memcpy(r.detail, a->update.detail, sizeof(r.detail));
		dvt_agent_record(a, &r);
	}
	r = (struct dvt_record){.kind = DVT_REC_END};
	memcpy(r.id, a->h.id, sizeof(r.id));
	dvt_agent_record(a, &r);
	dvt_agent_update_fini(a);
	a->renew_tries++;
	a->renew_due_ms = a->now.mono_ms +
			  dvt_agent_backoff_ms(a, a->renew_tries);
	if (a->renew_due_ms < retry_ms)
		a->renew_due_ms = retry_ms;
	a->checkin.due_ms = a->now.mono_ms; /* to tell of it */
	return DVT_DID_WORK;
}

enum dvt_did
dvt_agent_run_update_end(struct dvt_agent *a)
{
	switch (a->update.phase) {
	case UP_SWITCH:
		return run_switch(a);
	case UP_SWITCHED:
		return run_switched(a);
	case UP_HOOK:
		return run_hook(a);
	case UP_BACK:
		return run_back(a);
	case UP_BACK_HOOK:
		return run_back_hook(a);
	case UP_REMOVE:
		return run_remove(a);
	case UP_END:
		return run_end(a);
	case UP_NONE:
	case UP_KEY:
	case UP_ASK:
	case UP_CHAIN:
	case UP_META:
	case UP_ISSUED:
	case UP_LOCK:
	case UP_RESEAL:
	case UP_TRY:
	case UP_TRIED:
	case UP_CONFIRM:
		break;
	}
	return DVT_DID_NOTHING;
}
