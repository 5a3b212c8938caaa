/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every state that is stored, by the name it is stored under, and the rows
 * that decisions are made of. The CHECK lists of store/sql are compared with
 * dvt_stored[] by a test. What chains look like: fleet/chain_choice.h.
 */
#ifndef DVT_FLEET_ROWS_H
#define DVT_FLEET_ROWS_H

#include "base/hex.h"
#include "base/limits.h"

#define DVT_WAITS_MAX  512 /* bytes of what a rotation waits for, in words */
#define DVT_REASON_MAX 256 /* bytes of why an assignment is where it is */
#define DVT_BOOT_ID    40  /* bytes of the kernel's boot id, NUL included */

#define DVT_AUTHORITY_STATES(X)                                                \
	X(DVT_AUTHORITY_STAGED, "staged")                                      \
	X(DVT_AUTHORITY_ACTIVE, "active")                                      \
	X(DVT_AUTHORITY_RETIRING, "retiring")                                  \
	X(DVT_AUTHORITY_RETIRED, "retired")                                    \
	X(DVT_AUTHORITY_REVOKED, "revoked")

#define DVT_DEVICE_STATES(X)                                                   \
	X(DVT_DEVICE_ACTIVE, "active") /* seen within three periods */         \
	X(DVT_DEVICE_PARKED, "parked") /* silent longer; not counted */        \
	X(DVT_DEVICE_BLOCKED, "blocked")                                       \
	X(DVT_DEVICE_RETIRED, "retired")

#define DVT_ENVIRONMENTS(X)                                                    \
	X(DVT_ENV_PILOT, "pilot")                                              \
	X(DVT_ENV_PRODUCTION, "production")

#define DVT_MANAGEMENTS(X)                                                     \
	X(DVT_MANAGED_CHECKIN, "checkin")                                      \
	X(DVT_MANAGED_EST, "est")   /* renews, does not check in */            \
	X(DVT_MANAGED_NONE, "none") /* only seen at the edge */

#define DVT_OWNER_KINDS(X)                                                     \
	X(DVT_OWNER_DEVICE, "device")                                          \
	X(DVT_OWNER_GATEWAY, "gateway")                                        \
	X(DVT_OWNER_FRONT, "front")

#define DVT_CREDENTIAL_STATES(X)                                               \
	X(DVT_CRED_ISSUED, "issued")                                           \
	X(DVT_CRED_ACTIVE, "active")                                           \
	X(DVT_CRED_SUPERSEDED, "superseded")                                   \
	X(DVT_CRED_REVOKED, "revoked")                                         \
	X(DVT_CRED_EXPIRED, "expired")

#define DVT_SECRET_OWNERS(X)                                                   \
	X(DVT_SECRET_DEVICE, "device")                                         \
	X(DVT_SECRET_GATEWAY, "gateway")

#define DVT_TRUST_KEY_ROLES(X)                                                 \
	X(DVT_TRUST_KEY_ROOT, "root")                                          \
	X(DVT_TRUST_KEY_ONLINE, "online")

#define DVT_TRUST_KEY_STATES(X)                                                \
	X(DVT_TRUST_KEY_ACTIVE, "active")                                      \
	X(DVT_TRUST_KEY_RETIRED, "retired")

#define DVT_GATEWAY_KINDS(X)                                                   \
	X(DVT_EDGE_GATEWAY, "gateway")                                         \
	X(DVT_EDGE_FRONT, "front")

#define DVT_GATEWAY_SLOTS(X)                                                   \
	X(DVT_GWSLOT_ORDERED, "ordered") /* key made or not, no certificate */ \
	X(DVT_GWSLOT_CURRENT, "current")                                       \
	X(DVT_GWSLOT_NEXT, "next")                                             \
	X(DVT_GWSLOT_PREVIOUS, "previous")                                     \
	X(DVT_GWSLOT_RECOVERY, "recovery")                                     \
	X(DVT_GWSLOT_GONE, "gone")

#define DVT_FEED_ROW_KINDS(X)                                                  \
	X(DVT_FEED_ROW_ANCHOR, "anchor")                                       \
	X(DVT_FEED_ROW_DEVICE, "device")                                       \
	X(DVT_FEED_ROW_DENY, "deny")                                           \
	X(DVT_FEED_ROW_CREDENTIAL, "credential")                               \
	X(DVT_FEED_ROW_CSR, "csr")                                             \
	X(DVT_FEED_ROW_POLICY, "policy")                                       \
	X(DVT_FEED_ROW_RECONNECT, "reconnect")                                 \
	X(DVT_FEED_ROW_DENY_KEY, "deny-key")                                   \
	X(DVT_FEED_ROW_LOG, "log")                                             \
	X(DVT_FEED_ROW_MEMORY, "memory")

#define DVT_ROTATION_KINDS(X)                                                  \
	X(DVT_ROT_SERVER_CERT, "server-cert")                                  \
	X(DVT_ROT_SERVER_CA, "server-ca")                                      \
	X(DVT_ROT_DEVICE_CA, "device-ca")                                      \
	X(DVT_ROT_RENEWAL, "renewal")                                          \
	X(DVT_ROT_ALGORITHM, "algorithm")                                      \
	X(DVT_ROT_TRUST_KEY, "trust-key")

#define DVT_ROTATION_STATES(X)                                                 \
	X(DVT_ROT_PLANNED, "planned")                                          \
	X(DVT_ROT_RUNNING, "running")                                          \
	X(DVT_ROT_PAUSED, "paused")                                            \
	X(DVT_ROT_ROLLED_BACK, "rolled-back")                                  \
	X(DVT_ROT_ABORTED, "aborted")                                          \
	X(DVT_ROT_DONE, "done")

#define DVT_PHASES(X)                                                          \
	X(DVT_PHASE_PLANNED, "planned")                                        \
	X(DVT_PHASE_PREFLIGHT, "preflight")                                    \
	X(DVT_PHASE_OVERLAP, "overlap")                                        \
	X(DVT_PHASE_PILOT, "pilot")                                            \
	X(DVT_PHASE_WAVES, "waves")                                            \
	X(DVT_PHASE_OBSERVE, "observe")                                        \
	X(DVT_PHASE_RETIRE, "retire")                                          \
	X(DVT_PHASE_DONE, "done")

#define DVT_ASSIGNMENT_STATES(X)                                               \
	X(DVT_ASG_WAITING, "waiting")                                          \
	X(DVT_ASG_TRIGGERED, "triggered")                                      \
	X(DVT_ASG_CSR, "csr")                                                  \
	X(DVT_ASG_ISSUED, "issued")                                            \
	X(DVT_ASG_TRIED, "tried")                                              \
	X(DVT_ASG_SWITCHED, "switched")                                        \
	X(DVT_ASG_CONFIRMED, "confirmed")                                      \
	X(DVT_ASG_FAILED, "failed")                                            \
	X(DVT_ASG_UNREACHABLE, "unreachable")                                  \
	X(DVT_ASG_OUT_OF_BAND, "out-of-band")                                  \
	X(DVT_ASG_ESCALATED, "escalated")                                      \
	X(DVT_ASG_EXCEPTED, "excepted")                                        \
	X(DVT_ASG_PARKED, "parked")

#define DVT_MAILBOX_ACTIONS(X)                                                 \
	X(DVT_MAIL_RENEW, "renew")                                             \
	X(DVT_MAIL_PROBE, "probe")

#define DVT_OUTBOX_STATES(X)                                                   \
	X(DVT_OUTBOX_QUEUED, "queued")                                         \
	X(DVT_OUTBOX_DONE, "done")                                             \
	X(DVT_OUTBOX_FAILED, "failed")

#define DVT_TOKEN_ROLES(X)                                                     \
	X(DVT_ROLE_VIEWER, "viewer")                                           \
	X(DVT_ROLE_OPERATOR, "operator")                                       \
	X(DVT_ROLE_APPROVER, "approver")                                       \
	X(DVT_ROLE_ADMIN, "admin")

/* What a device was seen to trust (fleet/pins.h). */
#define DVT_PINS_CLASSES(X)                                                    \
	X(DVT_PINS_UNKNOWN, "unknown") /* not enough seen */                   \
	X(DVT_PINS_ROOT, "root")                                               \
	X(DVT_PINS_INTERMEDIATE, "intermediate")                               \
	X(DVT_PINS_LEAF, "leaf")

/*
 * For each list L of the table below: enum dvt_<word> with the values of L,
 * then <END>; dvt_<word>_name(); dvt_<word>_from_name(), which gives <END>
 * for a name that is not in the list.
 * X(list, word, end, table, column)
 */
#define DVT_STORED_LISTS(X)                                                    \
	X(DVT_AUTHORITY_STATES, authority_state, DVT_AUTHORITY_N, "authority", \
	    "state")                                                           \
	X(DVT_DEVICE_STATES, device_state, DVT_DEVICE_N, "device", "state")    \
	X(DVT_ENVIRONMENTS, environment, DVT_ENV_N, "device", "environment")   \
	X(DVT_MANAGEMENTS, management, DVT_MANAGED_N, "device", "management")  \
	X(DVT_OWNER_KINDS, owner_kind, DVT_OWNER_N, "credential",              \
	    "owner_kind")                                                      \
	X(DVT_CREDENTIAL_STATES, credential_state, DVT_CRED_N, "credential",   \
	    "state")                                                           \
	X(DVT_SECRET_OWNERS, secret_owner, DVT_SECRET_N, "enrol_secret",       \
	    "owner_kind")                                                      \
	X(DVT_TRUST_KEY_ROLES, trust_key_role, DVT_TRUST_KEY_ROLE_N,           \
	    "trust_key", "role")                                               \
	X(DVT_TRUST_KEY_STATES, trust_key_state, DVT_TRUST_KEY_STATE_N,        \
	    "trust_key", "state")                                              \
	X(DVT_GATEWAY_KINDS, gateway_kind, DVT_EDGE_N, "gateway", "kind")      \
	X(DVT_GATEWAY_SLOTS, gateway_slot, DVT_GWSLOT_N, "gateway_credential", \
	    "slot")                                                            \
	X(DVT_FEED_ROW_KINDS, feed_row_kind, DVT_FEED_ROW_N, "feed", "kind")   \
	X(DVT_ROTATION_KINDS, rotation_kind, DVT_ROT_KIND_N, "rotation",       \
	    "kind")                                                            \
	X(DVT_ROTATION_STATES, rotation_state, DVT_ROT_STATE_N, "rotation",    \
	    "state")                                                           \
	X(DVT_PHASES, phase, DVT_PHASE_N, "rotation", "phase")                 \
	X(DVT_ASSIGNMENT_STATES, assignment_state, DVT_ASG_N, "assignment",    \
	    "state")                                                           \
	X(DVT_MAILBOX_ACTIONS, mailbox_action, DVT_MAIL_N, "mailbox",          \
	    "action")                                                          \
	X(DVT_OUTBOX_STATES, outbox_state, DVT_OUTBOX_N, "outbox", "state")    \
	X(DVT_TOKEN_ROLES, token_role, DVT_ROLE_N, "token", "role")            \
	X(DVT_PINS_CLASSES, pins, DVT_PINS_N, "device_pin", "pins")

#define DVT_STORED_ENUM(id, name) id,
#define DVT_STORED_DECLARE(list, word, end, table, column)                     \
	enum dvt_##word{list(DVT_STORED_ENUM) end};                            \
	const char *dvt_##word##_name(enum dvt_##word v);                      \
	enum dvt_##word dvt_##word##_from_name(const char *name);
DVT_STORED_LISTS(DVT_STORED_DECLARE)

/* The same as data, for tests and for printing. */
struct dvt_stored {
	const char *table;
	const char *column;
	const char *const *names;
	size_t n;
};
extern const struct dvt_stored dvt_stored[];
extern const size_t dvt_stored_n;

/* --- rows --- */

/* One rotation. Texts of unbounded size (the plan) are not in it. */
struct dvt_rotation {
	int64_t id;
	enum dvt_rotation_kind kind;
	enum dvt_rotation_state state;
	enum dvt_phase phase;
	int64_t phase_since;      /* Unix seconds of entering the phase */
	int64_t phase_elapsed_ms; /* boot time that passed in it, as counted */
	int64_t ticked_at;        /* both clocks when it was last counted */
	int64_t ticked_mono_ms;
	char boot_id[DVT_BOOT_ID]; /* of that count */
	int64_t version;           /* compare-and-set */
	int64_t from_id, to_id;    /* authorities; 0: none */
	char plan_digest[DVT_DIGEST_HEX];
	int64_t wave;        /* open wave, 0 none; last + 1: old one goes */
	int64_t switched_at; /* a default root moved first; 0: not yet */
	int64_t position;    /* feed position that edges must apply */
	int64_t bundle;      /* bundle version devices must confirm; 0 none */
	char waits_for[DVT_WAITS_MAX];
	int64_t last_safe_at; /* Unix seconds; 0: no limit known */
	int64_t approval_id;  /* 0: none asked for */
	char created_by[DVT_NAME_MAX + 1];
	int64_t created_at, started_at, finished_at;
};

/* One device in one rotation. */
struct dvt_assignment {
	char device_id[DVT_DEVICE_ID_MAX + 1];
	int64_t rotation_id;
	int64_t wave; /* 1.. */
	int64_t rank; /* place in its wave, 0.. */
	enum dvt_assignment_state state;
	int64_t state_since; /* Unix seconds */
	int64_t due_at;      /* Unix seconds of its timer; 0: none */
	int64_t tries;       /* attempts that failed or were not answered */
	int64_t edge_at; /* first proof at an edge's main name; 0: not yet */
	char fingerprint[DVT_DIGEST_HEX]; /* certificate issued for it, "" */
	char reason[DVT_REASON_MAX];
};

/* One edge, as far as gates look at it. */
struct dvt_gateway_view {
	char name[DVT_NAME_MAX + 1];
	enum dvt_gateway_kind kind;
	bool has_next; /* the rotation's credential is issued, at its next name
			*/
	bool on_new;   /* the new root is its default, by that credential */
	bool has_old;  /* still holds a credential the rotation replaces */
	bool forced;
	int64_t applied;  /* feed position it works with */
	int64_t heard_at; /* Unix seconds; 0: never */
	int64_t sessions; /* open, as last reported */
	int64_t clock_off_s;
};

#define DVT_SAMPLES 3 /* device ids named beside a number */

/* A number of devices and some of them by name. */
struct dvt_count {
	int64_t n;
	char sample[DVT_SAMPLES][DVT_DEVICE_ID_MAX + 1]; /* "" when fewer */
};

#endif
