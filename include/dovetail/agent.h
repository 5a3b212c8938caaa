/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libdovetail-agent: a device's certificate and trust anchors, renewed and
 * replaced without ever being without a working credential.
 *
 * The library does no I/O of its own. dovetail_agent_step() is handed the time
 * and what came of the last want, and says the one thing it wants next: to
 * wait, an HTTP request, a TLS handshake at the edge, a program to be run.
 * Your own event loop does these; nothing here blocks but the disk.
 *
 *     dovetail_posix_open("/var/lib/device", &posix, &err);
 *     env.posix = posix;
 *     dovetail_agent_open(&env, &config, now(), &agent, &err);
 *     for (;;) {
 *             dovetail_agent_step(agent, now(), answer, &want, &err);
 *             answer = what_came_of(&want);
 *     }
 *
 * Opening is also the recovery after any power cut; freeing is a power cut. An
 * agent belongs to one thread at a time. Texts and bytes handed out are
 * borrowed until the next step. Times are dovetail_time; a missing clock is no
 * obstacle (wall_s may start in 1970).
 */
#ifndef DOVETAIL_AGENT_H
#define DOVETAIL_AGENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct dovetail_agent;
struct dovetail_posix;
struct evp_pkey_st; /* OpenSSL's EVP_PKEY */
struct ssl_ctx_st;  /* OpenSSL's SSL_CTX */

/* What a call came to. DOVETAIL_OK is 0; the rest are failures. */
enum dovetail_code {
	DOVETAIL_OK,
	DOVETAIL_BAD_INPUT,
	DOVETAIL_WHO_ARE_YOU,
	DOVETAIL_DENIED,
	DOVETAIL_ABSENT,
	DOVETAIL_CONFLICT,
	DOVETAIL_INTERLOCK,
	DOVETAIL_NEEDS_APPROVAL,
	DOVETAIL_OVER_LIMIT,
	DOVETAIL_SLOW_DOWN,
	DOVETAIL_TRY_LATER,
	DOVETAIL_SYSTEM
};

struct dovetail_error {
	enum dovetail_code code;
	char text[512]; /* what, which object, why */
};

struct dovetail_time {
	int64_t mono_ms; /* since boot; never goes back */
	int64_t wall_s;  /* Unix seconds, as this device believes */
};

struct dovetail_bytes {
	const uint8_t *p;
	size_t n;
};

/*
 * Files below one directory, for devices without a POSIX file system. Paths
 * are relative, joined by "/". What must be true after each call, and after a
 * power cut inside it, is told in docs/power-loss.md.
 */
struct dovetail_fs {
	/* The whole file into @out; DOVETAIL_OVER_LIMIT when it is larger than
	 * @room; DOVETAIL_ABSENT. */
	enum dovetail_code (*read)(void *ctx, const char *path, uint8_t *out,
	    size_t room, size_t *n, struct dovetail_error *err);
	/* Create a file that must not exist, write, sync. DOVETAIL_CONFLICT. */
	enum dovetail_code (*write_new)(void *ctx, const char *path,
	    struct dovetail_bytes bytes, unsigned mode,
	    struct dovetail_error *err);
	/* Add to its end, made when absent, and sync; also when there are no
	 * bytes to add. */
	enum dovetail_code (*append)(void *ctx, const char *path,
	    struct dovetail_bytes bytes, unsigned mode,
	    struct dovetail_error *err);
	/* Over a file or nothing; a directory over an empty one or nothing. */
	enum dovetail_code (*rename)(void *ctx, const char *from,
	    const char *to, struct dovetail_error *err);
	enum dovetail_code (*sync_dir)(
	    void *ctx, const char *dir, struct dovetail_error *err);
	enum dovetail_code (*mkdir)(void *ctx, const char *dir, unsigned mode,
	    struct dovetail_error *err);
	enum dovetail_code (*unlink)(
	    void *ctx, const char *path, struct dovetail_error *err);
	enum dovetail_code (*rmdir)(
	    void *ctx, const char *dir, struct dovetail_error *err);
	/* @each for every name, in byte order. */
	enum dovetail_code (*list)(void *ctx, const char *dir,
	    void (*each)(void *arg, const char *name, bool is_dir), void *arg,
	    struct dovetail_error *err);
};

#define DOVETAIL_KEY_URI 513 /* bytes, with the NUL */
enum dovetail_key_kind { DOVETAIL_P256, DOVETAIL_P384, DOVETAIL_RSA };

/*
 * Private keys, wherever they are. A store that names its keys itself (a
 * token, a TPM) keeps @want as a label, and finds the key by it again.
 */
struct dovetail_keys {
	/* A new key, durable before it returns. @uri: out, also with
	 * DOVETAIL_CONFLICT (a key of that label is there). */
	enum dovetail_code (*make)(void *ctx, enum dovetail_key_kind kind,
	    const char *want, char uri[DOVETAIL_KEY_URI],
	    struct dovetail_error *err);
	/* For signatures, TLS and, where the device gets configuration
	 * values, ECDH (RSA: decryption); the library frees it. It may refer
	 * to hardware. DOVETAIL_ABSENT; a store that is away, locked or busy is
	 * asked again at the next start, and its key is not given up. */
	enum dovetail_code (*open)(void *ctx, const char *uri,
	    struct evp_pkey_st **key, struct dovetail_error *err);
	/* Gone for good; DOVETAIL_OK also when it was not there. */
	enum dovetail_code (*wipe)(
	    void *ctx, const char *uri, struct dovetail_error *err);
};

/* Everything the agent can touch. What is NULL is taken from @posix. */
struct dovetail_env {
	struct dovetail_posix *posix; /* may be NULL when all else is given */
	const struct dovetail_fs *fs;
	void *fs_ctx;
	const struct dovetail_keys *keys;
	void *keys_ctx;
	void (*random)(void *ctx, uint8_t *p, size_t n);
	void *random_ctx;
};

/*
 * A directory of this machine, held alone (DOVETAIL_SLOW_DOWN: another process
 * holds it); keys as files in it; the kernel's random numbers.
 */
enum dovetail_code dovetail_posix_open(
    const char *dir, struct dovetail_posix **out, struct dovetail_error *err);
void dovetail_posix_close(struct dovetail_posix *posix); /* NULL-safe */
/* Time as this machine has it. */
struct dovetail_time dovetail_now(void);

/* Texts are copied; zeros are the defaults told here. */
struct dovetail_config {
	const char *device_id; /* NULL: common name of the certificate */
	const char *label;     /* EST label; NULL: none */
	const char *edge_name; /* the edge's, where trial names are unknown */
	int64_t retry_first_s; /* 30; then twice, four and ten times of it */
	int64_t trial_wait_ms; /* 1000 */
	int64_t hold_s;        /* 7 days: an old key is kept so long */
	int64_t hook_limit_ms; /* 60000 */
	bool hook_switch;      /* you want DOVETAIL_POST_SWITCH */
	bool hook_trust;       /* you want DOVETAIL_POST_TRUST */
	bool hook_config;      /* you want DOVETAIL_ON_CONFIG */
};

enum dovetail_code dovetail_agent_open(const struct dovetail_env *env,
    const struct dovetail_config *config, struct dovetail_time now,
    struct dovetail_agent **out, struct dovetail_error *err);
void dovetail_agent_free(struct dovetail_agent *a); /* NULL-safe */

enum dovetail_want_kind {
	DOVETAIL_WAIT,  /* step again at wake_at_ms, without an answer */
	DOVETAIL_HTTP,  /* one request to the control plane */
	DOVETAIL_PROBE, /* one full TLS handshake at the edge, then close */
	DOVETAIL_HOOK   /* consumers of the credential or the anchors: reload */
};

/* Each is wanted again after a cut that came into it. */
enum dovetail_hook {
	DOVETAIL_POST_SWITCH,
	DOVETAIL_POST_TRUST,
	DOVETAIL_ON_CONFIG /* a configuration value was written, or removed */
};

struct dovetail_want {
	enum dovetail_want_kind kind;
	uint64_t ticket;     /* goes into the answer; 0: DOVETAIL_WAIT */
	int64_t wake_at_ms;  /* dovetail_time.mono_ms */
	int64_t deadline_ms; /* the same; without an answer it is dropped */

	/* DOVETAIL_HTTP: over the TLS of dovetail_agent_want_tls() */
	const char *method, *target;
	const char *content_type;  /* NULL: no body */
	const char *authorization; /* header value, or NULL; a secret */
	const char *grant;         /* the same, of the header Dovetail-Grant */
	struct dovetail_bytes body;
	size_t max_body; /* bytes of the answer's */
	bool repeat_safe;

	/* DOVETAIL_PROBE: over the TLS of dovetail_agent_want_tls(). A gateway
	 * of Dovetail answers close_notify once it has let the device in; where
	 * that does not come the answer is DOVETAIL_UNREACHED. */
	const char *server_name;

	/* DOVETAIL_HOOK */
	enum dovetail_hook hook;
	int64_t generation, trust_version;
	const char *config; /* ON_CONFIG: its name, a file in "config" */
};

enum dovetail_outcome {
	DOVETAIL_ANSWERED,     /* a status came; it stood; it ended */
	DOVETAIL_UNREACHED,    /* nobody there, or it broke */
	DOVETAIL_TIMED_OUT,    /* within your own limits */
	DOVETAIL_THEY_REFUSED, /* the peer, by TLS alert */
	DOVETAIL_WE_REFUSED,   /* its certificate does not verify */
	DOVETAIL_GARBLED       /* no HTTP, or larger than max_body */
};

struct dovetail_answer {
	uint64_t ticket;
	enum dovetail_outcome outcome;
	int http_status;
	int64_t retry_after_s; /* -1: the answer has none */
	struct dovetail_bytes body;
	int hook_exit;    /* exit status; not 0: consumers did not come up */
	const char *text; /* reason, unless DOVETAIL_ANSWERED; may be NULL */
};

/*
 * Take an answer (NULL: the time has come), do the next thing, say what is
 * wanted; @want is always filled, and the same ticket again is the same want.
 * DOVETAIL_SYSTEM: the disk refused, to be logged; a later step tries again.
 */
enum dovetail_code dovetail_agent_step(struct dovetail_agent *a,
    struct dovetail_time now, const struct dovetail_answer *answer,
    struct dovetail_want *want, struct dovetail_error *err);

/*
 * The TLS of the HTTP request or probe that is wanted now: credential shown,
 * anchors, and the moment to judge dates by. Set the server name and the host
 * name to check yourself. Its verify callback sees when the server's chain
 * holds, by which a wrong clock is found out: make a new one for each want, and
 * leave the callback as it is. The caller frees it with SSL_CTX_free().
 */
enum dovetail_code dovetail_agent_want_tls(struct dovetail_agent *a,
    struct ssl_ctx_st **out, struct dovetail_error *err);
/*
 * The TLS of the device's own connections (MQTT): the current credential and
 * anchors. Made anew for each connection, it follows every rotation. It keeps
 * the TLS 1.3 ticket that the edge gives, and offers it on the next connection
 * made of a later one, so that the edge can name a device that refuses it; no
 * session is ever resumed. Its info callback is in use for that.
 * DOVETAIL_ABSENT: there is no credential yet.
 */
enum dovetail_code dovetail_agent_tls(struct dovetail_agent *a,
    struct ssl_ctx_st **out, struct dovetail_error *err);

enum dovetail_command_kind {
	DOVETAIL_IMPORT,  /* adopt a key and certificate */
	DOVETAIL_ENROLL,  /* first certificate by a one-time secret */
	DOVETAIL_CHECKIN, /* now */
	/* now; out of its renewal window the control plane puts it off (503)
	 * unless an operator has ordered it, and then the update ends */
	DOVETAIL_RENEW,
	DOVETAIL_CANCEL, /* the update that runs, unless it has switched */
	/* load a recovery file, however it came: it is judged by its
	 * signatures. DOVETAIL_CONFLICT: it holds nothing newer;
	 * DOVETAIL_DENIED, _BAD_INPUT, _OVER_LIMIT: it is refused */
	DOVETAIL_RECOVER
};

struct dovetail_command {
	enum dovetail_command_kind kind;
	/* IMPORT, ENROLL: what the control plane is verified with, PEM */
	struct dovetail_bytes anchor_pem;
	const char *fingerprint; /* ENROLL without anchor: of the root */
	struct dovetail_bytes trust_key_pem; /* keys that sign bundles */
	struct dovetail_bytes key_pem;       /* IMPORT; a secret */
	struct dovetail_bytes chain_pem;     /* IMPORT: leaf first */
	const char *secret;                  /* ENROLL */
	const char *subject; /* ENROLL: "CN=pump-7"; NULL: the device id */
	const char *label;   /* NULL: of the configuration */
	struct dovetail_bytes bundle_lines; /* RECOVER: of the file */
	bool renew; /* RECOVER: by its grant, though the certificate stands */
};

/* Done by the next steps. DOVETAIL_CONFLICT: there is a credential already, an
 * update runs, or none does; DOVETAIL_ABSENT: no credential yet. */
enum dovetail_code dovetail_agent_command(struct dovetail_agent *a,
    const struct dovetail_command *command, struct dovetail_error *err);

struct dovetail_event {
	uint64_t seq;
	int64_t at;          /* Unix seconds, by the device's clock */
	char id[48];         /* "certs-1764547000" */
	char step[64];       /* "Generate new certificate" */
	char target[24];     /* generation, or version of a bundle */
	const char *outcome; /* "Start", "Succeed", "Fail" */
	char detail[161];    /* what went wrong */
};
/* Events not handed out yet, oldest first; returns how many of @max. */
size_t dovetail_agent_events(
    struct dovetail_agent *a, struct dovetail_event *events, size_t max);

struct dovetail_status {
	int64_t generation;    /* 0: none */
	int64_t trust_version; /* of what is loaded */
	size_t trust_anchors;
	int64_t checkin_at; /* last answered one; 0: none */
	bool busy;          /* with more than the time to the next one */
	char update[48];    /* that runs; "" none */
	char update_step[64];
	char last_error[161]; /* of the last exchange; "" it went well */
	/* check-ins in a row that failed: after two, look for a recovery file
	 * wherever you may find one */
	unsigned checkin_failures;
};
void dovetail_agent_status(
    const struct dovetail_agent *a, struct dovetail_status *out);

#ifdef __cplusplus
}
#endif
#endif
