/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Enrolment: who asks is looked up, the rules are asked (est_rules.h), the
 * signer signs, and the certificate leaves after it is recorded.
 */
#include "base/log.h"
#include "dovetaild/core_owner.h"
#include "dovetaild/core_priv.h"
#include "dovetaild/core_rotation.h"
#include "dovetaild/est_rules.h"
#include "pki/key.h"
#include "proto/est.h"
#include "store/agent.h"
#include "store/authority.h"
#include "store/credential.h"
#include "store/rotation.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* One request from its arrival to its answer. */
struct est_job {
	struct core_asker to;
	struct dvt_buf msg; /* what the spans of @q point into */
	struct est_request q;
	enum dvt_owner_kind kind;
	char owner[DVT_DEVICE_ID_MAX + 1];
	bool by_secret;
	bool by_policy; /* refused by the settings, whoever asks */
	char profile_digest[DVT_DIGEST_HEX];
	int64_t authority;
	uint8_t serial[DVT_SERIAL_BYTES];
	struct est_dates dates;
	int64_t retry_after_s;
};

static void
job_free(void *ctx)
{
	struct est_job *j = ctx;

	dvt_buf_fini(&j->msg);
	free(j);
}

static struct est_job *
job_new(const struct core_asker *from, const struct est_request *q)
{
	struct est_job *j = dvt_alloc(sizeof(*j));

	j->to = *from;
	dvt_buf_init(&j->msg, 65536 * 2);
	est_request_put(&j->msg, q);
	if (est_request_get(dvt_buf_span(&j->msg), &j->q, NULL) != DVT_OK) {
		job_free(j);
		return NULL;
	}
	return j;
}

static void
answer_certificate(struct core *c, const struct est_job *j, struct dvt_span der)
{
	core_answer(c, &j->to, 200, DVT_EST_TYPE_CERTS, der, 0);
}

/* --- where a request is, for those who watch closely --- */

static void
log_asked(const struct est_job *j)
{
	char serial[DVT_SERIAL_HEX];

	if (!dvt_log_wants(LOG_DEBUG))
		return;
	dvt_serial_hex(j->serial, serial);
	log_event(LOG_DEBUG, "est.asked", LS("serial", serial),
	    LS("owner", j->owner), LS("key", j->q.key_digest));
}

struct est_mark {
	char serial[DVT_SERIAL_HEX];
	char fingerprint[DVT_DIGEST_HEX];
};

static void
log_recorded(struct core *c, void *ctx, bool committed)
{
	struct est_mark *m = ctx;

	(void)c;
	if (committed)
		log_event(LOG_DEBUG, "est.recorded", LS("serial", m->serial),
		    LS("fingerprint", m->fingerprint));
	free(m);
}

/* Told when it is on the disk. */
static void
mark_recorded(struct core *c, const struct est_job *j, struct dvt_span der)
{
	struct est_mark *m;

	if (!dvt_log_wants(LOG_DEBUG))
		return;
	m = dvt_alloc(sizeof(*m));
	dvt_serial_hex(j->serial, m->serial);
	dvt_sha256_hex(der, m->fingerprint);
	core_after(c, log_recorded, m);
}

/* --- may this key be certified for this owner? --- */

static enum dvt_code
check_key(struct core *c, const struct est_job *j, struct dvt_err *err)
{
	enum dvt_owner_kind kind;
	const char *owner;
	bool found, ours = false;
	enum dvt_code rc;

	rc = dvt_store_key_owner(core_tx(c), core_arena(c), j->q.key_digest,
	    &found, &kind, &owner, err);
	if (rc == DVT_OK && !found)
		rc = dvt_store_key_of_infrastructure(
		    core_tx(c), j->q.key_digest, &ours, err);
	if (rc != DVT_OK || (!found && !ours))
		return rc;
	if (!ours && kind == j->kind && strcmp(owner, j->owner) == 0)
		return DVT_OK;
	return dvt_fail(err, DVT_E_CONFLICT,
	    "this public key is already used by another; make a new key");
}

/**
 * repeat() - the certificate this owner got for this key, when it may have it
 * again (RFC 7030 section 4.2: the answer was lost)
 * @done: out: answered
 */
static enum dvt_code
repeat(struct core *c, struct est_job *j, bool *done, struct dvt_err *err)
{
	struct dvt_row_credential row;
	struct dvt_span der;
	const char *chain;
	enum dvt_code rc;

	*done = false;
	rc = dvt_store_credential_newest_by_key(core_tx(c), core_arena(c),
	    j->kind, j->owner, j->q.key_digest, &row, err);
	if (rc == DVT_E_ABSENT)
		return DVT_OK;
	if (rc != DVT_OK)
		return rc;
	if (row.state != DVT_CRED_ISSUED || row.confirmed_at != 0 ||
	    row.issued_at <= core_now(c).wall_s - EST_REPEAT_S ||
	    row.authority_id != j->authority)
		return DVT_OK;
	rc = dvt_store_certificate_get(core_tx(c), core_arena(c), j->owner,
	    row.fingerprint, &der, &chain, err);
	if (rc != DVT_OK)
		return rc;
	*done = true;
	answer_certificate(c, j, der);
	log_event(LOG_INFO, "est.repeated", LS("owner", j->owner),
	    LS("fingerprint", row.fingerprint));
	return DVT_OK;
}

/* --- which authority --- */

static enum dvt_code
can_issue(struct core *c, int64_t id, struct dvt_row_authority *a, bool *can,
    struct dvt_err *err)
{
	enum dvt_code rc = dvt_store_authority_get(
	    core_tx(c), core_arena(c), id, a, err);

	*can = rc == DVT_OK && a->state == DVT_AUTHORITY_ACTIVE &&
	       a->key_wrapped.p != NULL;
	return rc == DVT_E_ABSENT ? DVT_OK : rc;
}

/* The rotation's new CA, the authority of the current certificate, or the
 * profile's issuer: the first that there is. */
static enum dvt_code
choose_issuer(struct core *c, const struct core_owner *o,
    struct dvt_row_authority *a, struct dvt_err *err)
{
	enum dvt_code rc;
	bool can = false;

	if (o->rotation_to != 0) {
		rc = can_issue(c, o->rotation_to, a, &can, err);
		if (rc != DVT_OK || can)
			return rc;
	}
	if (o->has_credential && o->credential.authority_id != 0) {
		rc = can_issue(c, o->credential.authority_id, a, &can, err);
		if (rc != DVT_OK ||
		    (can && core_now(c).wall_s <= a->last_issue_at))
			return rc;
	}
	rc = can_issue(c, o->profile.issuer_id, a, &can, err);
	if (rc == DVT_OK && !can)
		rc = dvt_fail(err, DVT_E_CONFLICT,
		    "the issuer of profile %s is not active here",
		    o->profile.name);
	return rc;
}

/* --- the decision --- */

static enum dvt_code est_signed(
    struct core *c, void *ctx, const struct sign_reply *r, struct dvt_err *err);

static enum dvt_code
ask_signer(struct core *c, struct est_job *j, const struct core_owner *o,
    struct dvt_err *err)
{
	struct sign_request q = {.kind = SIGN_LEAF,
	    .authority = j->authority,
	    .profile_digest = j->profile_digest,
	    .subject = o->subject_der,
	    .san_der = o->san_der,
	    .spki = j->q.spki,
	    .not_before = j->dates.not_before,
	    .not_after = j->dates.not_after};
	enum dvt_code rc = dvt_serial_make(j->serial, err);

	if (rc != DVT_OK)
		return rc;
	memcpy(q.serial, j->serial, sizeof(q.serial));
	rc = core_sign(c, &q, est_signed, job_free, j, err);
	if (rc == DVT_OK)
		log_asked(j);
	return rc;
}

static enum dvt_code
check_time(struct core *c, struct est_job *j, const struct core_owner *o,
    struct dvt_err *err)
{
	struct est_credential cred;
	int64_t wait;

	if (!o->has_credential || !j->q.reenroll)
		return DVT_OK;
	cred = (struct est_credential){o->credential.state,
	    o->credential.not_after, o->credential.hold_until};
	wait = est_window(&cred, o->profile.renew_before_s, o->told_to_renew,
	    core_now(c).wall_s);
	if (wait == 0)
		return DVT_OK;
	j->retry_after_s = wait;
	return dvt_fail(err, DVT_E_LATER,
	    "it is too early to renew: this certificate is good for %" PRId64
	    " days more; come back in %" PRId64 " s",
	    (o->credential.not_after - core_now(c).wall_s) / 86400, wait);
}

/* @ctx: struct est_job **; NULL in it afterwards: the signer has it now. */
static enum dvt_code
est_decide(struct core *c, void *ctx, struct dvt_err *err)
{
	struct est_job **at = ctx, *j = *at;
	struct dvt_row_authority a;
	struct core_owner o;
	bool done = false;
	enum dvt_code rc;

	if ((rc = core_policy_enrol(c, &j->q, err)) != DVT_OK) {
		j->by_policy = true;
		return rc;
	}
	if ((rc = core_owner_find(c, &j->q, &o, err)) != DVT_OK ||
	    (rc = est_check_request(&j->q, o.subject_der, o.san_der, err)) !=
		DVT_OK)
		return rc;
	j->kind = o.kind;
	j->by_secret = o.by_secret;
	(void)dvt_copy_str(j->owner, sizeof(j->owner), o.id);
	(void)dvt_copy_str(
	    j->profile_digest, sizeof(j->profile_digest), o.profile.digest);
	if ((rc = check_key(c, j, err)) != DVT_OK ||
	    (rc = choose_issuer(c, &o, &a, err)) != DVT_OK)
		return rc;
	j->authority = a.id;
	if ((rc = repeat(c, j, &done, err)) != DVT_OK || done)
		return rc;
	if ((rc = check_time(c, j, &o, err)) != DVT_OK ||
	    (rc = est_dates(
		 &(struct sign_profile){.validity_s = o.profile.validity_s,
		     .jitter_s = o.profile.jitter_s,
		     .backdate_s = o.profile.backdate_s},
		 o.id, a.name, a.not_before, a.last_issue_at,
		 core_now(c).wall_s, &j->dates, err)) != DVT_OK)
		return rc;
	if (o.told_to_renew && (rc = core_rotation_csr(c, o.id, err)) != DVT_OK)
		return rc;
	rc = ask_signer(c, j, &o, err);
	if (rc == DVT_OK)
		*at = NULL;
	return rc;
}

/* --- signed: is all still so, and then it is recorded --- */

static enum dvt_code
record(
    struct core *c, struct est_job *j, struct dvt_span der, struct dvt_err *err)
{
	struct core_issue issue = {.kind = j->kind,
	    .owner = j->owner,
	    .authority = j->authority,
	    .der = der,
	    .source = "est"};

	return core_issue_record(c, &issue, err);
}

/* Once: the key of this certificate and no other. */
static enum dvt_code
use_grant(struct core *c, const struct est_job *j, const struct core_owner *o,
    struct dvt_err *err)
{
	json_t *detail;
	enum dvt_code rc;

	if (o->grant == NULL)
		return DVT_OK;
	rc = dvt_store_grant_use(
	    core_tx(c), o->grant, j->q.key_digest, core_now(c).wall_s, err);
	if (rc != DVT_OK)
		return rc;
	detail = json_pack("{s:s, s:s, s:s}", "grant", o->grant, "certificate",
	    o->credential.fingerprint, "key", j->q.key_digest);
	rc = core_audit(c, "core", "grant.use", o->id, detail, err);
	if (rc == DVT_OK)
		rc = core_event(c, "DEVICE_RETURNED", o->id, "", detail, err);
	json_decref(detail);
	return rc;
}

struct est_result {
	struct est_job *j;
	struct dvt_span der;
};

static enum dvt_code
est_record(struct core *c, void *ctx, struct dvt_err *err)
{
	struct est_result *r = ctx;
	struct est_job *j = r->j;
	struct core_owner o;
	bool done = false;
	enum dvt_code rc;

	if ((rc = core_owner_find(c, &j->q, &o, err)) != DVT_OK)
		return rc;
	if (strcmp(o.profile.digest, j->profile_digest) != 0)
		return dvt_fail(err, DVT_E_LATER,
		    "profile %s has just been changed", o.profile.name);
	if ((rc = check_key(c, j, err)) != DVT_OK ||
	    (rc = repeat(c, j, &done, err)) != DVT_OK || done)
		return rc; /* asked twice at once: the first one counts */
	if ((rc = record(c, j, r->der, err)) != DVT_OK ||
	    (rc = use_grant(c, j, &o, err)) != DVT_OK)
		return rc;
	if (j->by_secret &&
	    (rc = dvt_store_secret_bind(core_tx(c),
		 j->kind == DVT_OWNER_GATEWAY ? DVT_SECRET_GATEWAY
					      : DVT_SECRET_DEVICE,
		 j->owner, j->q.key_digest, err)) != DVT_OK)
		return rc;
	answer_certificate(c, j, r->der);
	mark_recorded(c, j, r->der);
	return DVT_OK;
}

static enum dvt_code
est_signed(
    struct core *c, void *ctx, const struct sign_reply *r, struct dvt_err *err)
{
	struct est_result result = {.j = ctx, .der = r->der};

	(void)err;
	return core_signed(c, &result.j->to, r, est_record, &result);
}

/* Somebody else has the secret, or had it first: an operator should look. */
static enum dvt_code
alarm_secret(struct core *c, void *ctx, struct dvt_err *err)
{
	const struct est_request *q = ctx;
	char key[DVT_DEVICE_ID_MAX + 32];

	snprintf(key, sizeof(key), "secret/%s", q->user);
	return core_alert(
	    c, "warn", key, "secret-used-with-another-key", q->address, err);
}

void
core_est_received(
    struct core *c, const struct core_asker *from, const struct est_request *q)
{
	const char *who = q->user[0] != '\0' ? q->user : q->fingerprint;
	struct est_job *j = job_new(from, q);
	struct dvt_err err = {0};
	enum dvt_code rc;

	if (j == NULL)
		return;
	rc = core_within(c, est_decide, &j, &err);
	if (rc != DVT_OK) {
		log_event(LOG_INFO, "est.refused",
		    LS("op", q->reenroll ? "simplereenroll" : "simpleenroll"),
		    LS("owner", who), LS("address", q->address), LE(&err));
		core_answer_problem(
		    c, from, &err, j == NULL ? 0 : j->retry_after_s);
		if (rc == DVT_E_DENIED && q->fingerprint[0] == '\0' &&
		    (j == NULL || !j->by_policy) &&
		    core_within(c, alarm_secret, (void *)q, &err) != DVT_OK)
			log_event(LOG_WARNING, "alert.unsent", LE(&err));
	}
	if (j != NULL)
		job_free(j);
}
