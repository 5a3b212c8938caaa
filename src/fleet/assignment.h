/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One device in one rotation: what an event makes of its row. Pure; the
 * caller writes the row and does the action in one transaction. Tables:
 * docs/machines/assignment-server-ca.md, assignment-device-ca.md.
 */
#ifndef DVT_FLEET_ASSIGNMENT_H
#define DVT_FLEET_ASSIGNMENT_H

#include "fleet/machine.h"
#include "fleet/rows.h"

#define DVT_ASG_TRIES_MAX      8       /* failures before it is `failed` */
#define DVT_ASG_MISSED_PERIODS 3       /* silent ones until `unreachable` */
#define DVT_ASG_OUT_OF_BAND_S  1209600 /* 14 days of silence */
#define DVT_ASG_ESCALATE_S     1209600 /* 14 more: the field list */

#define DVT_ASG_EVENTS(X)                                                      \
	X(DVT_EV_WAVE, "wave")     /* its wave is open, its turn has come */   \
	X(DVT_EV_PROOF, "proof")   /* pure-chain handshake, by certificate */  \
	X(DVT_EV_CSR, "csr")       /* it asked for its certificate */          \
	X(DVT_EV_ISSUED, "issued") /* recorded and handed out */               \
	X(DVT_EV_TRIED, "tried")   /* trial name, new certificate */           \
	X(DVT_EV_SEEN, "seen")     /* main name, new certificate */            \
	X(DVT_EV_CHECKIN, "checkin") /* over its own session */                \
	X(DVT_EV_FAILED, "failed")   /* it reports a failure */                \
	X(DVT_EV_TIMEOUT, "timeout") /* due_at has passed */                   \
	X(DVT_EV_PARK, "park")       /* silent for three periods */            \
	X(DVT_EV_RETURN, "return")   /* heard again */                         \
	X(DVT_EV_EXCEPT, "except")   /* taken out by name */                   \
	X(DVT_EV_RETRY, "retry")     /* an operator asks for another try */
#define DVT_ASG_EVENT_ENUM(id, name) id,
enum dvt_asg_event { DVT_ASG_EVENTS(DVT_ASG_EVENT_ENUM) DVT_EV_N };

#define DVT_ASG_ACTIONS(X)                                                     \
	X(DVT_ASG_DO_NOTHING, "")                                              \
	X(DVT_ASG_PUT_PROBE, "put-probe") /* instruction into the mailbox */   \
	X(DVT_ASG_PUT_RENEW, "put-renew")                                      \
	X(DVT_ASG_TAKE_MAIL, "take-mail")     /* instruction out of it */      \
	X(DVT_ASG_SUPERSEDE, "supersede-old") /* and take-mail */              \
	X(DVT_ASG_WAKE, "wake")               /* by its out-of-band address */ \
	X(DVT_ASG_ALERT, "alert")                                              \
	X(DVT_ASG_FIELD_LIST, "field-list") /* someone has to go there */
#define DVT_ASG_ACTION_ENUM(id, name) id,
enum dvt_asg_action { DVT_ASG_ACTIONS(DVT_ASG_ACTION_ENUM) DVT_ASG_DO_N };

/* What is known beside the row when the event comes. */
struct dvt_assignment_facts {
	enum dvt_rotation_kind kind;
	enum dvt_management management;
	int64_t period_s;     /* its check-in period */
	int64_t last_seen_at; /* Unix seconds; 0: never */
	bool released;        /* its wave is open and it had its turn */
	uint32_t random;      /* any 32 bits, for jitter */

	/* server-ca */
	bool bundle_confirmed; /* what it loaded holds the new root */
	bool proven;           /* pure-chain handshake under the new root */

	/* device-ca, renewal */
	bool under_new; /* this event came under the certificate issued for it,
			 * or under a later one of the same authority */
	int64_t new_sessions;    /* sessions seen under it */
	int64_t old_seen_at;     /* last session under an older one; 0 none */
	const char *fingerprint; /* DVT_EV_ISSUED: of what was issued */

	const char *reason; /* DVT_EV_FAILED, DVT_EV_EXCEPT: in words */
};

/**
 * dvt_assignment_step() - what @event makes of @row
 * @now:    Unix seconds
 * @out:    out: the new row; equal to @row when nothing changes. May be @row
 * @action: out: to be done in the same transaction
 *
 * An event that comes again changes nothing and asks for nothing.
 * Return: DVT_OK; DVT_E_CONFLICT (the state does not take that event; @out is
 *         untouched).
 */
DVT_MUST_USE enum dvt_code dvt_assignment_step(const struct dvt_assignment *row,
    enum dvt_asg_event event, const struct dvt_assignment_facts *facts,
    int64_t now, struct dvt_assignment *out, enum dvt_asg_action *action,
    struct dvt_err *err);

/* 30, 60, 120, 300, 300, ... s after the @tries-th failure (from 1), and up
 * to a fifth more by @random. */
int64_t dvt_assignment_retry_s(int64_t tries, uint32_t random);

/* The table for this kind: server-cert and server-ca, or the other one. */
const struct dvt_machine *dvt_assignment_machine(enum dvt_rotation_kind kind);

extern const struct dvt_machine dvt_machine_assignment_server;
extern const struct dvt_machine dvt_machine_assignment_device;

#endif
