/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside of struct dvt_agent, for the agent_*.c files.
 *
 * A step is a turn of activities, each a small state with a time at which it
 * is due: the update, the trust set, the probe, the check-in, tidying up. Each
 * does one durable thing or wants one thing and returns; what it says to the
 * journal is collected and written first in the next step, so that nothing is
 * asked of the world before the disk knows why.
 */
#ifndef DVT_DEVICE_AGENT_PRIV_H
#define DVT_DEVICE_AGENT_PRIV_H

#include "device/agent.h"
#include "device/checkin.h"
#include "device/confval.h"
#include "device/generation.h"
#include "device/history.h"
#include "device/journal.h"
#include "device/tickets.h"
#include "device/trustset.h"

#define DVT_STEP_GENERATE "Generate new certificate"
#define DVT_STEP_TRY      "Try new credential"
#define DVT_STEP_SWITCH   "Switch"
#define DVT_STEP_RESTART  "Restart consumers"
#define DVT_STEP_TRUST    "Load trust bundle"
#define DVT_STEP_ADOPT    "Adopt credential"
#define DVT_STEP_LOCK     "Lock device configuration on server"
#define DVT_STEP_CONFIG   "Update local configuration"
#define DVT_STEP_LOCAL    "Update local configuration with new key"
#define DVT_STEP_RESEAL                                                        \
	"Update device specific configuration on server with new key"
#define DVT_STEP_DAMAGE "Set damaged state aside"

#define DVT_CONFIG_TARGET "/v1/device/config"

#define DVT_NEVER       INT64_MAX
#define DVT_TRIAL_TRIES 4 /* of a trial or completion before it is given up */

/* Phases of an update. What is on the disk and in the journal when one is
 * entered: docs/power-loss.md. */
enum dvt_update_phase {
	UP_NONE,
	UP_KEY,       /* make the key: generations/N/key.pem */
	UP_ASK,       /* request a certificate for it */
	UP_CHAIN,     /* store what came: chain.pem */
	UP_META,      /* read back, check, and make it whole: meta.json */
	UP_ISSUED,    /* say so */
	UP_LOCK,      /* announce the next key, under the old one */
	UP_RESEAL,    /* give configuration values back under it */
	UP_TRY,       /* handshake at the edge under it */
	UP_TRIED,     /* say so */
	UP_SWITCH,    /* read back; "current" */
	UP_SWITCHED,  /* say so */
	UP_HOOK,      /* restart consumers */
	UP_CONFIRM,   /* check in under it */
	UP_BACK,      /* "current" to the predecessor, if it was switched */
	UP_BACK_HOOK, /* restart consumers */
	UP_REMOVE,    /* the generation that failed */
	UP_END,       /* say that it is over */
};

struct dvt_update {
	enum dvt_update_phase phase;
	int64_t due_ms;
	unsigned tries;
	struct dvt_chain issued;           /* UP_CHAIN */
	struct dvt_agent_credential trial; /* loaded for UP_RESEAL, UP_TRY */
	char detail[DVT_STEP_DETAIL];      /* why it waits or fails */
	char *secret;                      /* first enrolment: one-time */
	char *subject;    /* first enrolment: asked for; NULL: the device id */
	int64_t retry_ms; /* the server: not before; 0 */
	bool restarted;   /* consumers run under the new one */
};

enum dvt_config_phase {
	CF_IDLE,
	CF_STORE, /* config/NAME */
	CF_STATE, /* config.json */
	CF_NOTE,  /* the same: a failure */
	CF_HOOK,
};

#define DVT_CHECKIN_CONFIG 8 /* values told in one check-in */

struct dvt_confwork {
	struct dvt_confvals all;
	enum dvt_config_phase phase;
	char name[DVT_CONFIG_NAME + 1]; /* it is about */
	struct dvt_buf plain;           /* CF_STORE; a secret */
	struct dvt_confval sent[DVT_CHECKIN_CONFIG];
	size_t sent_n; /* in the check-in under way */
	int64_t due_ms;
	unsigned tries;
};

enum dvt_bundle_phase { TR_NONE, TR_FETCH, TR_STORE, TR_PROBE, TR_HOOK };

struct dvt_bundle_work {
	enum dvt_bundle_phase phase;
	int64_t due_ms;
	unsigned tries;
	struct dvt_trustset *next; /* walked to; then read back */
	struct dvt_buf lines;      /* for bundle.jsonl */
	char id[DVT_STEP_ID];
};

struct dvt_probe_work { /* by instruction, or owed after a cut */
	bool owed;
	char instruction[DVT_NAME_MAX + 1]; /* "" owed by ourselves */
	int64_t due_ms;
	unsigned tries;
};

struct dvt_checkin_work {
	int64_t due_ms;
	unsigned tries;
	uint64_t sent_seq; /* events in the one under way */
	bool left;         /* more of them than it takes */
	bool completes;    /* it is the completion of the update */
	int64_t next_s;
};

/* What a command asked for, until the next steps have done it. */
enum dvt_adopt_phase {
	AD_NONE,
	AD_CACERTS, /* fetch anchors, known by fingerprint */
	AD_TRUST,   /* remove what stands in the way, then put trust/0 */
	AD_PUT,     /* generations/N */
	AD_CURRENT,
	AD_BEGIN, /* the first update */
};

struct dvt_adopt_work {
	enum dvt_adopt_phase phase;
	bool import;
	int64_t due_ms;
	unsigned tries;
	char fingerprint[DVT_DIGEST_HEX];
	struct dvt_buf trust_keys;
	struct dvt_trustset *trust;
	struct dvt_buf key_pem; /* a secret */
	struct dvt_chain chain;
	char label[DVT_NAME_MAX + 1];
	char *secret;
	char *subject;
};

/* Whose answer is awaited. */
enum dvt_asked {
	ASKED_NOTHING,
	ASKED_CACERTS,
	ASKED_CERTIFICATE,
	ASKED_TRIAL,
	ASKED_HOOK,
	ASKED_BUNDLE,
	ASKED_BUNDLE_PROBE,
	ASKED_TRUST_HOOK,
	ASKED_PROBE,
	ASKED_CHECKIN,
	ASKED_LOCK,
	ASKED_CONFIG,
	ASKED_CONFIG_HOOK,
	ASKED_RESEAL,
};

struct dvt_agent {
	struct dvt_agent_env env;
	struct dvt_agent_config config; /* with owned texts */
	struct dvt_time now;            /* of this step */
	bool committed;                 /* in this step */
	int64_t disk_wait_ms;    /* it refused: nothing durable before then */
	struct dvt_err disk_err; /* of this step; text "" none */
	bool unmended;           /* it refused what opening mends */
	bool journal_aside;      /* a damaged journal among that */

	struct dvt_history h;
	struct dvt_buf pending; /* journal lines not on the disk yet */
	struct dvt_journal_state journal;

	uint64_t serial; /* of credentials and trust sets */
	uint64_t ticket; /* of wants */
	enum dvt_asked asked;
	struct dvt_want want;
	struct dvt_buf body, target, authorization; /* behind the want */

	struct dvt_agent_credential cred;               /* key NULL: none */
	struct dvt_generation_meta meta;                /* of it */
	struct dvt_trustset *trust;                     /* NULL: none */
	struct dvt_agent_trust trust_shown, trust_next; /* as handed out */
	int64_t orphan[DVT_GENERATIONS_MAX];            /* to be removed */
	size_t orphan_n;
	int64_t old_trust[DVT_TRUST_LIST]; /* likewise */
	size_t old_trust_n;
	int64_t former_trust; /* version before the one in use; -1: none */

	struct dvt_update update;
	struct dvt_bundle_work bundle;
	struct dvt_probe_work probe;
	struct dvt_checkin_work checkin;
	struct dvt_adopt_work adopt;
	struct dvt_confwork confval;
	struct dvt_tickets tickets;
	struct dvt_bundle_grant grant; /* id "" none */
	bool grant_new;                /* an update under it has not begun */
	bool grant_asked;              /* also while the certificate stands */
	bool grant_waits;              /* for a check-in, which may order it */
	int64_t renew_due_ms;          /* own renewal, not before */
	unsigned renew_tries;

	bool heard; /* a check-in was answered since open */
	char edge_next[DVT_HOST_MAX + 1];
	char edge_trial[DVT_HOST_MAX + 1];
	int64_t signed_s, signed_ms; /* the server's clock and when heard */
	bool doubted; /* the want is judged at another time than the clock's */
	int64_t opened_ms;
	char last_error[DVT_STEP_DETAIL];
};

/* What an activity did. */
enum dvt_did {
	DVT_DID_NOTHING, /* not due */
	DVT_DID_WORK,    /* look again */
	DVT_DID_ASK,     /* a want is out */
};

/* --- agent.c --- */

/* Before each durable commit: at most one in a step. */
void dvt_agent_commit(struct dvt_agent *a);
/* The disk refused: said in last_error; the durable rests for a while. */
enum dvt_did dvt_agent_disk_failed(
    struct dvt_agent *a, const struct dvt_err *err);
/* Add to the history and to what is written next. */
void dvt_agent_record(struct dvt_agent *a, const struct dvt_record *r);
void dvt_agent_say(struct dvt_agent *a, const char *id, const char *step,
    int64_t target, enum dvt_step_outcome outcome, const char *detail);
/* 30, 60, 120, 300 s of the scale set, a fifth more or less. */
int64_t dvt_agent_backoff_ms(struct dvt_agent *a, unsigned tries);
/* Texts for people and JSON: one line of printable characters. */
void dvt_agent_text(char *out, size_t size, const char *text);
/* What went wrong with an exchange: last_error and @out. */
void dvt_agent_blame(struct dvt_agent *a, const struct dvt_answer *answer,
    const char *what, char out[DVT_STEP_DETAIL]);
int64_t dvt_agent_now_s(const struct dvt_agent *a); /* agent_clock.c */

/* A want to be filled further; its ticket is fresh. */
struct dvt_http_want *dvt_agent_want_http(struct dvt_agent *a,
    enum dvt_asked asked, const char *method, size_t max_body);
enum dvt_did dvt_agent_want_probe(struct dvt_agent *a, enum dvt_asked asked,
    const char *name, const struct dvt_agent_credential *cred,
    const struct dvt_agent_trust *trust);
enum dvt_did dvt_agent_want_hook(
    struct dvt_agent *a, enum dvt_asked asked, enum dvt_hook hook);
/* What became of the hook named @what, for people: "@what hook: exit 7". */
void dvt_agent_hook_text(const struct dvt_answer *answer, const char *what,
    char out[DVT_STEP_DETAIL]);
/* An answer with HTTP status 200 to 299. */
bool dvt_answer_is_good(const struct dvt_answer *answer);

/* --- agent_open.c --- */

/* Make a loaded credential the current one; taken. */
void dvt_agent_set_credential(struct dvt_agent *a,
    struct dvt_agent_credential *cred, const struct dvt_generation_meta *meta);
void dvt_agent_set_trust(struct dvt_agent *a, struct dvt_trustset *t);
/* It was damaged and is set aside: said with the next check-in. */
void dvt_agent_say_aside(struct dvt_agent *a, const char *what, int64_t number);
/* @rc, or DVT_OK where the disk refuses to be mended: what can be read is used
 * all the same, and nothing else is written before that has been made good. */
DVT_MUST_USE enum dvt_code dvt_agent_unless_refused(
    struct dvt_agent *a, enum dvt_code rc, const struct dvt_err *why);
/* Without memory nothing reads well: that is no damage. @sound: of
 * dvt_canary_again(). */
DVT_MUST_USE enum dvt_code dvt_agent_or_no_memory(
    enum dvt_code rc, unsigned sound, struct dvt_err *err);
/* In agent_open_trust.c: the newest set that reads. */
DVT_MUST_USE enum dvt_code dvt_agent_open_trust(
    struct dvt_agent *a, struct dvt_err *err);
/* What opening could not mend: before all else that is durable. */
enum dvt_did dvt_agent_run_mend(struct dvt_agent *a);
/* @n is kept until its hold ends. */
void dvt_agent_hold(struct dvt_agent *a, int64_t n);
/* @n is to be removed when there is time. */
void dvt_agent_add_orphan(struct dvt_agent *a, int64_t n);

/* --- the update: agent_update.c, agent_update_end.c --- */

enum dvt_did dvt_agent_run_update(struct dvt_agent *a);
enum dvt_did dvt_agent_run_update_end(struct dvt_agent *a); /* from UP_SWITCH */
/* When it wants to be run; DVT_NEVER: not by itself. */
int64_t dvt_agent_update_due(const struct dvt_agent *a);
void dvt_agent_update_begin(
    struct dvt_agent *a, const char *instruction, const char *label);
/* What the first one, without a credential, asks with; copied. */
void dvt_agent_update_give(
    struct dvt_agent *a, const char *secret, const char *subject);
/* After open: the phase that journal and disk stand at. */
void dvt_agent_update_resume(struct dvt_agent *a);
/* Say it, then go back to the predecessor. */
void dvt_agent_update_fail(struct dvt_agent *a, const char *why);
/* It has not switched and may be given up. */
bool dvt_agent_update_is_early(const struct dvt_agent *a);
void dvt_agent_on_certificate(
    struct dvt_agent *a, const struct dvt_answer *answer);
void dvt_agent_on_trial(struct dvt_agent *a, const struct dvt_answer *answer);
void dvt_agent_on_hook(struct dvt_agent *a, const struct dvt_answer *answer);
/* The completion check-in was answered, or was not. */
void dvt_agent_update_confirmed(struct dvt_agent *a);
void dvt_agent_update_unconfirmed(
    struct dvt_agent *a, const struct dvt_answer *answer);
void dvt_agent_update_fini(struct dvt_agent *a);

/* --- trust: agent_trust.c --- */

void dvt_agent_bundle_wanted(struct dvt_agent *a);
enum dvt_did dvt_agent_run_bundle(struct dvt_agent *a);
void dvt_agent_on_bundle(struct dvt_agent *a, const struct dvt_answer *answer);
void dvt_agent_on_bundle_probe(
    struct dvt_agent *a, const struct dvt_answer *answer);
/* After open. */
void dvt_agent_bundle_hook_owed(struct dvt_agent *a);
void dvt_agent_on_trust_hook(
    struct dvt_agent *a, const struct dvt_answer *answer);
enum dvt_did dvt_agent_run_probe(struct dvt_agent *a);
void dvt_agent_on_probe(struct dvt_agent *a, const struct dvt_answer *answer);

/* --- recovery: agent_recover.c --- */

/* Take lines of another channel: DVT_COMMAND_RECOVER. */
DVT_MUST_USE enum dvt_code dvt_agent_take_recovery(
    struct dvt_agent *a, const struct dvt_command *c, struct dvt_err *err);
/* Begin the update that a grant is for, once the trust is loaded. */
enum dvt_did dvt_agent_run_grant(struct dvt_agent *a);
/* The grant that goes with a request made under the current one, or NULL. */
const char *dvt_agent_grant(const struct dvt_agent *a);
/* The current certificate has ended: there is nothing to fall back to. */
bool dvt_agent_is_expired(const struct dvt_agent *a);

/* --- the clock: agent_clock.c --- */

/* The latest time told or signed: no clock of the device's own. */
int64_t dvt_agent_floor_s(const struct dvt_agent *a);
/* It is @at now, by what a server said or showed. Not kept. */
void dvt_agent_set_time(struct dvt_agent *a, int64_t at);
/* The time in a check-in's @answer, unless it cannot be meant; kept. */
void dvt_agent_take_time(
    struct dvt_agent *a, const struct dvt_answer *answer, int64_t time);
/**
 * dvt_agent_doubt_s() - a server was refused because of its dates
 * @from, @until: it and all above it hold in [from, until); Unix seconds
 *
 * Return: a time at which to judge it once more, or 0: then two of the three
 *         (own clock, what was told, what is signed) say that it has ended.
 */
int64_t dvt_agent_doubt_s(
    const struct dvt_agent *a, int64_t from, int64_t until);
/* @span_s have gone by since @since, as everybody says who can know. */
bool dvt_agent_has_passed(
    const struct dvt_agent *a, int64_t since, int64_t span_s);

/* --- configuration values: agent_config.c --- */

void dvt_agent_config_open(struct dvt_agent *a);
void dvt_agent_config_fini(struct dvt_agent *a);
/* "config" of a check-in's answer: want and certificate of each. */
void dvt_agent_config_said(
    struct dvt_agent *a, const struct dvt_confvals *said);
/* What the server does not know yet, and that it knows it now. */
size_t dvt_agent_config_tell(
    struct dvt_agent *a, struct dvt_confval *out, size_t max);
void dvt_agent_config_told(
    struct dvt_agent *a, const struct dvt_confval *what, size_t n);
int64_t dvt_agent_config_due(const struct dvt_agent *a); /* or DVT_NEVER */
enum dvt_did dvt_agent_run_config(struct dvt_agent *a);
void dvt_agent_on_config(struct dvt_agent *a, const struct dvt_answer *answer);
void dvt_agent_on_config_hook(
    struct dvt_agent *a, const struct dvt_answer *answer);
void dvt_agent_config_say(struct dvt_agent *a, const char *step,
    const struct dvt_confval *v, enum dvt_step_outcome outcome,
    const char *why);
void dvt_agent_config_later(struct dvt_agent *a); /* try again then */

/* --- values given back: agent_reseal.c --- */

/* @v, to the certificate in use. */
enum dvt_did dvt_agent_run_give(struct dvt_agent *a, struct dvt_confval *v);
/* All, to the certificate of the update: UP_RESEAL. */
enum dvt_did dvt_agent_run_reseal(struct dvt_agent *a);
void dvt_agent_on_reseal(struct dvt_agent *a, const struct dvt_answer *answer);
/* In agent_update.c: it goes on to its trial. */
void dvt_agent_update_resealed(struct dvt_agent *a, const char *detail);
/* In agent_update.c: is it worth asking again? Then that is due later. */
bool dvt_agent_update_again(
    struct dvt_agent *a, const struct dvt_answer *answer, const char *why);

/* --- identity tickets: tickets.c --- */

void dvt_agent_tickets_open(struct dvt_agent *a);
/* Another credential is in use: those of the former one are dropped. */
void dvt_agent_tickets_switched(struct dvt_agent *a);
bool dvt_agent_tickets_due(const struct dvt_agent *a);
enum dvt_did dvt_agent_run_tickets(struct dvt_agent *a);

/* --- the lease: agent_lock.c --- */

enum dvt_did dvt_agent_run_lock(struct dvt_agent *a);
void dvt_agent_on_lock(struct dvt_agent *a, const struct dvt_answer *answer);
/* In agent_update.c: the update goes on, waits, or fails. */
void dvt_agent_update_locked(struct dvt_agent *a, const char *detail);
void dvt_agent_update_unlocked(
    struct dvt_agent *a, const struct dvt_answer *answer, const char *detail);

/* --- check-in: agent_checkin.c --- */

enum dvt_did dvt_agent_run_checkin(struct dvt_agent *a);
void dvt_agent_on_checkin(struct dvt_agent *a, const struct dvt_answer *answer);

/* --- adopting and first enrolment: agent_command.c --- */

enum dvt_did dvt_agent_run_adopt(struct dvt_agent *a);
void dvt_agent_on_cacerts(struct dvt_agent *a, const struct dvt_answer *answer);
void dvt_agent_adopt_fini(struct dvt_agent *a);

#endif
