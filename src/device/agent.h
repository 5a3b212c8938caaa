/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The device side as steps without I/O: it renews, loads trust, proves it and
 * switches by one rename, and touches nothing but what is handed in. The
 * daemon, the fleet program and the power-cut tests drive the same steps.
 *
 * dvt_agent_open() is also the recovery after any cut; dvt_agent_free() is a
 * power cut. There is one outstanding want at any time, and at most one
 * durable commit in a step. The same disk, answers, times and random bytes
 * give the same calls.
 */
#ifndef DVT_DEVICE_AGENT_H
#define DVT_DEVICE_AGENT_H

#include "base/clock.h"
#include "base/hex.h"
#include "base/limits.h"
#include "durable/fs.h"
#include "keys/keys.h"
#include "pki/chain.h"
#include "pki/verify.h"

struct dvt_agent;

/* Everything it can touch. */
struct dvt_agent_env {
	const struct dvt_fs *fs; /* rooted in the state directory */
	void *fs_ctx;
	const struct dvt_keys *keys; /* "file:" by device/keyfile.h */
	void *keys_ctx;
	void (*random)(void *ctx, uint8_t *p, size_t n);
	void *random_ctx;
};

/* Plain values; texts are copied. Zeros are the defaults told here. */
struct dvt_agent_config {
	const char *device_id; /* NULL: common name of the certificate */
	const char *label;     /* EST label; NULL: none (profile "device") */
	/* Name of the edge, where trial and probe names are not known; NULL:
	 * no trial without them. */
	const char *edge_name;
	int64_t retry_first_s; /* 30: then twice, four and ten times of it */
	int64_t trial_wait_ms; /* 1000: for edges to hear of a certificate */
	int64_t hold_s;        /* 7 days: an old key is kept so long */
	int64_t hook_limit_ms; /* 60000 */
	bool hook_switch;      /* there is a post-switch hook */
	bool hook_trust;       /* there is a post-trust hook */
	bool hook_config;      /* there is an on-config hook */
};

/* A credential as it may be used in a handshake; borrowed until the next
 * step. @serial differs for each one loaded in this process. */
struct dvt_agent_credential {
	uint64_t serial;
	int64_t generation;
	EVP_PKEY *key;
	struct dvt_chain chain;
};

/* A set of anchors as loaded; likewise. */
struct dvt_agent_trust {
	uint64_t serial;
	int64_t version; /* of the bundle; 0: as given at enrolment */
	struct dvt_trust *trust;
	/* CAs a certificate may come from; NULL: any */
	const struct dvt_trust *issuing;
};

/* For dvt_agent_env.random: the kernel's. It needs no memory and, once the
 * host is up, cannot fail; before that it waits. */
void dvt_agent_random(void *ctx, uint8_t *p, size_t n);

enum dvt_want_kind {
	DVT_WANT_WAIT,  /* come back at wake_at_ms, with no answer */
	DVT_WANT_HTTP,  /* one request to the control plane */
	DVT_WANT_PROBE, /* one full handshake at the edge */
	DVT_WANT_HOOK,  /* run a program of the operator */
};

/* Texts and bytes are borrowed until the next step. */
struct dvt_http_want {
	const char *method;
	const char *target;
	const char *content_type;  /* NULL: no body */
	const char *authorization; /* header value, or NULL; a secret */
	const char *grant;         /* header Dovetail-Grant, or NULL */
	struct dvt_span body;
	size_t max_body; /* bytes of the answer's */
	const struct dvt_agent_credential *credential; /* NULL: none shown */
	/* NULL: the chain is not checked at all, for fetching cacerts when
	 * only a fingerprint is known (RFC 7030 section 4.1.1) */
	const struct dvt_agent_trust *trust;
	int64_t verify_at; /* Unix seconds to judge dates at */
	bool repeat_safe;  /* may be sent again after a broken connection */
	bool keep_open;    /* the next request comes soon */
};

struct dvt_probe_want {
	const char *server_name;
	const struct dvt_agent_credential *credential;
	const struct dvt_agent_trust *trust;
	int64_t verify_at;
	/* The edge is one of ours: it answers close_notify once it has let us
	 * in. Without that it has not, as where it waits to hear of a
	 * certificate: DVT_ANSWER_UNREACHED. */
	bool says_bye;
};

enum dvt_hook { DVT_HOOK_POST_SWITCH, DVT_HOOK_POST_TRUST, DVT_HOOK_ON_CONFIG };

struct dvt_hook_want {
	enum dvt_hook hook;
	int64_t generation;
	int64_t trust_version;
	const char *config; /* ON_CONFIG: name of the value, else "" */
};

struct dvt_want {
	enum dvt_want_kind kind;
	uint64_t ticket;    /* 0: DVT_WANT_WAIT */
	int64_t wake_at_ms; /* dvt_time.mono_ms; not after now: at once */
	/* dvt_time.mono_ms; without an answer by then the want is dropped */
	int64_t deadline_ms;
	union {
		struct dvt_http_want http;
		struct dvt_probe_want probe;
		struct dvt_hook_want hook;
	} u;
};

/* What came of a want. */
#define DVT_AGENT_OUTCOMES(X)                                                  \
	/* HTTP: a status came; probe: it stood; hook: it ended */             \
	X(DVT_ANSWER_OK, "answered")                                           \
	X(DVT_ANSWER_UNREACHED, "unreached") /* nobody there, or it broke */   \
	X(DVT_ANSWER_LATE, "timed-out")                                        \
	X(DVT_ANSWER_THEY_REFUSED, "refused") /* the peer, by TLS alert */     \
	X(DVT_ANSWER_WE_REFUSED, "peer-not-trusted")                           \
	X(DVT_ANSWER_GARBLED, "not-understood") /* no HTTP, or too large */

#define DVT_AGENT_OUTCOME_ENUM(id, name) id,
enum dvt_agent_outcome { DVT_AGENT_OUTCOMES(DVT_AGENT_OUTCOME_ENUM) };
const char *dvt_agent_outcome_name(enum dvt_agent_outcome outcome);

struct dvt_answer {
	uint64_t ticket;
	enum dvt_agent_outcome outcome;
	int http_status;
	int64_t retry_after_s; /* -1: the answer has none */
	struct dvt_span body;
	uint8_t exporter[32]; /* channel binding (RFC 9266); zeros: none */
	/* HTTP: when the server's certificate and all above it hold, Unix
	 * seconds, of a chain that was taken, or refused for its dates; 0, 0:
	 * not known */
	int64_t peer_from_s, peer_until_s;
	int hook_exit;  /* exit status; 128 and up: ended by a signal */
	char text[256]; /* reason, unless DVT_ANSWER_OK */
};

/**
 * dvt_agent_open() - load what is on disk, mend what a cut left
 * @env:    borrowed until free; the tables behind it as well
 * @config: copied
 * @out:    out: the caller's; NULL on failure
 *
 * A damaged generation, trust set or journal is set aside (renamed with
 * ".bad" at its end), reported as an event, and what is whole before it is
 * used. An empty directory is an agent without a credential: it waits for a
 * command.
 * Return: DVT_OK; DVT_E_SYSTEM (the disk).
 */
DVT_MUST_USE enum dvt_code dvt_agent_open(const struct dvt_agent_env *env,
    const struct dvt_agent_config *config, struct dvt_time now,
    struct dvt_agent **out, struct dvt_err *err);
void dvt_agent_free(struct dvt_agent *a); /* nothing is written; NULL-safe */

/**
 * dvt_agent_step() - take an answer, do the next thing, say what is wanted
 * @answer: borrowed; NULL: the timer. One with a stale ticket is ignored
 * @want:   out: always filled; the same ticket again means that it is still
 *          the same want
 *
 * Return: DVT_OK; DVT_E_SYSTEM (the disk refused: to be logged; @want is
 *         valid all the same, and a later step tries again).
 */
DVT_MUST_USE enum dvt_code dvt_agent_step(struct dvt_agent *a,
    struct dvt_time now, const struct dvt_answer *answer, struct dvt_want *want,
    struct dvt_err *err);

enum dvt_command_kind {
	DVT_COMMAND_IMPORT,  /* adopt a key and certificate */
	DVT_COMMAND_ENROLL,  /* first certificate by a one-time secret */
	DVT_COMMAND_CHECKIN, /* now */
	DVT_COMMAND_RENEW,   /* now, whatever the window says */
	DVT_COMMAND_CANCEL,  /* the update that runs, unless it has switched */
	DVT_COMMAND_RECOVER, /* load bundles that came another way */
};

struct dvt_command {
	enum dvt_command_kind kind;
	/* IMPORT, ENROLL: what the control plane is verified with, PEM */
	struct dvt_span anchor_pem;
	/* ENROLL without anchor: fingerprint of the root, any usual form */
	const char *fingerprint;
	/* keys that sign bundles, PEM; n 0: pinned at the first bundle */
	struct dvt_span trust_key_pem;
	struct dvt_span key_pem;   /* IMPORT; a secret */
	struct dvt_span chain_pem; /* IMPORT: leaf first */
	const char *secret;        /* ENROLL */
	/* ENROLL: name asked for, "CN=pump-7,O=Works"; NULL: the device id
	 * as common name */
	const char *subject;
	const char *label; /* RENEW, ENROLL; NULL: of the config */
	/* RECOVER: signed lines, from whom they come does not matter */
	struct dvt_span bundle_lines;
	/* RECOVER: renew by their grant also while the certificate stands */
	bool renew;
};

/**
 * dvt_agent_command() - something is asked of it; done by the next steps
 *
 * Return: DVT_OK; DVT_E_INPUT (key, certificate or anchor); DVT_E_CONFLICT
 *         (there is a credential already; the key is not the certificate's;
 *         an update runs, or none does); DVT_E_ABSENT (no credential yet);
 *         RECOVER: as dvt_recovery_read().
 */
DVT_MUST_USE enum dvt_code dvt_agent_command(struct dvt_agent *a,
    const struct dvt_command *command, struct dvt_err *err);

/* One line of an update, as it really came out. */
#define DVT_STEP_OUTCOMES(X)                                                   \
	X(DVT_STEP_START, "Start")                                             \
	X(DVT_STEP_SUCCEED, "Succeed")                                         \
	X(DVT_STEP_FAIL, "Fail")
#define DVT_STEP_OUTCOME_ENUM(id, name) id,
enum dvt_step_outcome { DVT_STEP_OUTCOMES(DVT_STEP_OUTCOME_ENUM) };
const char *dvt_step_outcome_name(enum dvt_step_outcome outcome);

/* First and last step of an update; what leads to the edges' next chain. */
#define DVT_STEP_STARTED  "CertRotationStarted"
#define DVT_STEP_COMPLETE "CertRotationCompleted"
#define DVT_STEP_PROBE    "Probe next chain"

#define DVT_STEP_ID     48  /* "certs-1764547000", with its NUL */
#define DVT_STEP_NAME   64  /* "Generate new certificate" */
#define DVT_STEP_DETAIL 161 /* what went wrong, with its NUL */

struct dvt_agent_event {
	uint64_t seq;
	int64_t at; /* Unix seconds, by the device's clock */
	char id[DVT_STEP_ID];
	char step[DVT_STEP_NAME];
	char target[24]; /* generation, or version of a bundle */
	enum dvt_step_outcome outcome;
	char detail[DVT_STEP_DETAIL];
	int64_t used; /* generation in use then; not kept: 0 after a restart */
};

/* Events not yet handed out here, oldest first; at most @max. */
size_t dvt_agent_events(
    struct dvt_agent *a, struct dvt_agent_event *events, size_t max);

/* --- identity tickets: what names us before certificates are shown --- */

enum dvt_ticket_of { DVT_TICKET_EDGE, DVT_TICKET_CONTROL, DVT_TICKET_N };

/* SSL_SESSION in DER, to be offered and never resumed; n 0: none. Borrowed
 * until the next step. @with: the credential that will be shown; NULL: none */
struct dvt_span dvt_agent_ticket(const struct dvt_agent *a,
    enum dvt_ticket_of of, const struct dvt_agent_credential *with);
/* One that came on a connection where @with was shown; copied. */
void dvt_agent_ticket_put(struct dvt_agent *a, enum dvt_ticket_of of,
    const struct dvt_agent_credential *with, struct dvt_span der);
/* The server made wrong use of it. */
void dvt_agent_ticket_drop(struct dvt_agent *a, enum dvt_ticket_of of);

/* --- what it is now --- */

/* "" when it is not known yet. @return: @out. */
const char *dvt_agent_device_id(
    const struct dvt_agent *a, char out[DVT_DEVICE_ID_MAX + 1]);
/* NULL before the first one. Borrowed until the next step. */
const struct dvt_agent_credential *dvt_agent_credential(
    const struct dvt_agent *a);
const struct dvt_agent_trust *dvt_agent_trust(const struct dvt_agent *a);

struct dvt_agent_status {
	int64_t generation;                /* 0: none */
	int64_t trust_version;             /* of what is loaded */
	char trust_digest[DVT_DIGEST_HEX]; /* as confirmed by check-in */
	size_t trust_anchors;
	bool trust_pinned;  /* its keys came with the first bundle */
	int64_t checkin_at; /* last answered one, by the server's clock; 0 */
	int64_t next_checkin_ms;           /* dvt_time.mono_ms */
	char update[DVT_STEP_ID];          /* that runs; "" none */
	char update_step[DVT_STEP_NAME];   /* what it is at */
	char update_wait[DVT_STEP_DETAIL]; /* why it waits there; "" */
	unsigned checkin_failures;         /* in a row */
	bool heard;    /* a check-in was answered since open */
	bool adopting; /* a command of that kind is not done yet */
	bool busy;     /* with more than the time to the next check-in */
	size_t events_unreported;
	size_t held; /* older generations kept until their hold ends */
	char last_error[DVT_STEP_DETAIL]; /* of the last exchange; "" it went
					   * well */
};
void dvt_agent_status(const struct dvt_agent *a, struct dvt_agent_status *out);

/* The time it goes by: the signed one where the device's own is behind. */
int64_t dvt_agent_wall_s(const struct dvt_agent *a, struct dvt_time now);

#endif
