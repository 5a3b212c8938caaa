/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rows of tables as plain values. Rotations and assignments, and all states,
 * are in fleet/rows.h.
 *
 * A row that is read has its texts and bytes in the arena that was handed in.
 * In a row that is written they are borrowed for the call; a NULL text is "".
 * Times are Unix seconds, 0: never; ids start at 1, 0: none. Digests and
 * fingerprints are SHA-256, lower-case hex. Comments: the schema, in
 * src/store/sql/migrations.
 */
#ifndef DVT_STORE_ROWS_H
#define DVT_STORE_ROWS_H

#include "base/span.h"
#include "fleet/chain_choice.h"
#include "fleet/rows.h"

#define DVT_LIST_MAX 500 /* rows of one page of a list */

struct dvt_row_authority {
	int64_t id; /* 0 when added: the next free one */
	const char *name;
	enum dvt_authority_state state;
	bool is_root;
	bool use_server, use_device;
	int64_t parent_id, root_id;
	const char *subject; /* RFC 2253 */
	const char *fingerprint;
	const char *key_digest; /* of the SPKI */
	struct dvt_span der;
	struct dvt_span key_wrapped; /* p NULL: the key is not held */
	struct dvt_span cross_der;   /* p NULL: none */
	int64_t cross_by;
	int64_t not_before, not_after;
	int64_t last_issue_at;
	bool imported;
	int64_t created_at;
};

struct dvt_row_profile {
	int64_t id;
	const char *name;
	int64_t issuer_id;
	int64_t validity_s, jitter_s, backdate_s, renew_before_s;
	bool use_server, use_client;
	const char *digest;
	int64_t approved_at;
};

struct dvt_row_device {
	const char *device_id;
	enum dvt_device_state state;
	const char *hw_serial, *model, *firmware, *batch, *type, *profile;
	const char *labels; /* JSON object */
	enum dvt_environment environment;
	int64_t period_s; /* between check-ins */
	enum dvt_management management;
	const char *oob_address;
	const char *subject; /* RFC 2253 */
	struct dvt_span subject_der;
	struct dvt_span san_der; /* value of the extension, or empty */
	int64_t created_at;
	int64_t last_seen_at, park_at, last_checkin_at, last_renewal_at;
	int64_t clock_off_s; /* device's clock minus ours */
	const char *agent;
	const char *blocked_case;
};

struct dvt_row_credential {
	enum dvt_owner_kind owner_kind;
	const char *owner;
	const char *fingerprint;
	int64_t generation; /* 0 when added: the owner's next */
	enum dvt_credential_state state;
	const char *serial; /* hex */
	const char *issuer; /* RFC 2253 */
	int64_t authority_id;
	const char *root; /* fingerprint, "" unknown */
	const char *subject;
	const char *key_digest;
	int64_t not_before, not_after, issued_at;
	int64_t confirmed_at, seen_at, sessions;
	int64_t superseded_at, hold_until, denied_at;
	int64_t revoked_at, revoke_reason; /* CRLReason, -1: none */
	bool pinned;
	const char *source; /* import, est, init, csr, file */
};

struct dvt_row_secret {
	enum dvt_secret_owner owner_kind;
	const char *owner;
	const char *hash;       /* SHA-256 of the secret */
	const char *key_digest; /* of the key that used it, "" before */
	int64_t created_at, expires_at, used_at;
};

struct dvt_row_grant {
	const char *id;
	const char *device_id;
	const char *certificate; /* fingerprint it is bound to */
	const char *key_digest;  /* of the new key that used it, "" before */
	const char *created_by;
	int64_t created_at, expires_at, used_at;
};

struct dvt_row_recovery_file {
	const char *device_id;
	const char *grant_id; /* "" none */
	int64_t version;
	const char *line;   /* "" until signed */
	const char *failed; /* why it was not, "" else */
	const char *created_by;
	int64_t created_at;
};

struct dvt_row_config_value {
	const char *device_id, *name;
	struct dvt_span sealed;  /* CMS EnvelopedData, DER */
	const char *certificate; /* fingerprint it is encrypted to */
	int64_t version;
	const char *set_by;
	int64_t set_at;
	int64_t applied_version; /* the device has it; 0: none yet */
	int64_t applied_at;
	const char *failed; /* why the device could not, "" else */
};

struct dvt_row_config_lock {
	const char *device_id, *update_id;
	const char *key_digest; /* of the next public key */
	int64_t locked_at, expires_at;
};

struct dvt_row_bundle {
	int64_t version;
	int64_t keys_version, previous;
	const char *digest;  /* of the anchors, as devices confirm it */
	const char *anchors; /* JSON: [{fingerprint, priority}] */
	const char *envelope;
	int64_t issued_at, expires_at;
	const char *reason;
};

struct dvt_row_trust_key {
	const char *keyid;
	enum dvt_trust_key_role role;
	struct dvt_span spki;
	struct dvt_span wrapped; /* p NULL: the private key is not held */
	enum dvt_trust_key_state state;
};

struct dvt_row_trust_state {
	const char *device_id;
	int64_t bundle_wanted, bundle_confirmed;
	const char *digest; /* of what it really loaded; "" unknown */
	int64_t confirmed_at;
	const char *failed; /* last reason, "" none */
	const char *key_pin;
};

struct dvt_row_chain_seen {
	const char *device_id;
	const char *root;
	enum dvt_chain_form form;
	int64_t accepted, refused;
	int64_t first_ok_at, last_ok_at, last_main_at, last_bad_at;
};

struct dvt_row_chain_taken {
	const char *device_id;
	const char *serial; /* of the leaf shown */
	enum dvt_chain_form form;
	const char *root;   /* "" unknown */
	const char *issuer; /* its name and key; "" unknown */
	int64_t taken, after_refusal;
	int64_t first_at, last_at;
};

struct dvt_row_device_pin {
	const char *device_id;
	enum dvt_pins pins;
	int64_t since;
};

struct dvt_row_gateway {
	const char *name;
	enum dvt_gateway_kind kind;
	const char *site;
	const char *names; /* JSON list of main host names */
	const char *next_name, *trial_name;
	const char *default_root, *next_root; /* "" none, unknown */
	bool forced;
	int64_t applied, applied_at, heard_at;
	int64_t batch;
	int64_t clock_off_s, sessions;
	const char *version;
	int64_t created_at;
};

struct dvt_row_gateway_credential {
	const char *gateway;
	const char *id;
	const char *listener;
	enum dvt_gateway_slot slot;
	int64_t generation;
	const char *names; /* JSON list */
	int64_t authority_id;
	const char *root;
	const char *key_digest;
	struct dvt_span csr; /* DER; p NULL: none yet */
	const char *chain_pem;
	const char *fingerprint;
	int64_t not_after;
	int64_t rotation_id;
	int64_t created_at;
};

struct dvt_row_feed {
	enum dvt_feed_row_kind kind;
	const char *key;
	const char *gateway; /* "": every edge */
	int64_t position;
	const char *body; /* JSON; NULL: gone */
};

struct dvt_row_phase {
	int64_t rotation_id, seq;
	const char *name;
	int64_t entered_at, left_at;
	const char *outcome;
};

/* A number of assignments of one wave in one state. */
struct dvt_row_wave_count {
	int64_t wave;
	enum dvt_assignment_state state;
	int64_t n;
};

struct dvt_row_mail {
	const char *device_id;
	const char *id;
	enum dvt_mailbox_action action;
	const char *body; /* JSON object of further fields */
	int64_t rotation_id;
	int64_t created_at, told_at;
};

struct dvt_row_outbox {
	int64_t id;
	const char *key;
	int64_t rotation_id;
	const char *action;
	const char *body; /* JSON */
	enum dvt_outbox_state state;
	int64_t tries, due_at;
	const char *result;
	int64_t created_at;
};

struct dvt_row_tally {
	int64_t rotation_id, wave;
	const char *what;
	int64_t n; /* all shards */
};

struct dvt_row_update {
	const char *device_id;
	const char *id; /* certs-<unix time> */
	int64_t rotation_id;
	const char *version, *target;
	int64_t started_at, finished_at;
	const char *outcome;
};

struct dvt_row_step {
	const char *device_id;
	const char *id; /* of its update */
	int64_t seq;
	int64_t at;
	const char *step, *target, *outcome, *detail;
};

struct dvt_row_handshake {
	int64_t id;
	const char *gateway;
	int64_t at;
	const char *device; /* "" unknown */
	const char *confidence;
	const char *outcome, *reason;
	const char *root; /* of the chain shown */
	const char *body; /* the record, JSON */
	int64_t n;        /* how many it stands for */
};

/* Handshakes that agree in these. */
struct dvt_row_handshake_count {
	const char *gateway, *confidence, *outcome, *reason;
	int64_t n;
};

struct dvt_row_handshake_hour {
	const char *device;
	int64_t hour; /* Unix seconds / 3600 */
	const char *gateway, *outcome, *reason, *root;
	int64_t n;
};

/* By what was shown to what. */
struct dvt_row_handshake_shown {
	int64_t hour; /* Unix seconds / 3600 */
	const char *gateway;
	const char *serial;           /* of the leaf shown */
	const char *model, *firmware; /* of the device, "" unknown */
	const char *print;            /* of the ClientHello */
	const char *outcome, *reason;
	int64_t n;
};

struct dvt_row_expiry_day {
	int64_t day; /* Unix seconds / 86400 */
	enum dvt_owner_kind owner_kind;
	int64_t n; /* active certificates that end on it */
};

struct dvt_row_event {
	int64_t id;
	int64_t at;
	const char *name, *device, *correlation;
	const char *body; /* JSON object */
};

struct dvt_row_alert {
	int64_t id;
	const char *key;
	const char *severity, *name, *detail;
	int64_t at, count;
	const char *acked_by;
	int64_t acked_at;
};

struct dvt_row_token {
	int64_t id;
	const char *name;
	enum dvt_token_role role;
	const char *hash; /* SHA-256 of the token */
	int64_t created_at, expires_at, revoked_at;
	const char *created_by; /* token's name; "" by init */
};

struct dvt_row_approval {
	int64_t id;
	const char *action, *object, *digest;
	const char *requested_by;
	int64_t requested_at, expires_at;
	const char *given_by;
	int64_t given_at, used_at;
	int64_t rotation_id; /* it is part of; 0: none */
	int64_t withdrawn_at;
};

struct dvt_row_audit {
	const char *stream;
	int64_t seq, at;
	const char *actor, *action, *object;
	const char *detail; /* JSON object */
	const char *hash;
};

struct dvt_row_audit_stream {
	const char *stream;
	const char *node;
	int64_t start;
	const char *prior;
	int64_t started_at;
	int64_t seq;
	const char *head;
};

struct dvt_row_checkpoint {
	int64_t id, at;
	const char *line; /* signed (DSSE) */
};

#endif
