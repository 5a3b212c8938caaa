/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an edge knows: the lines of a feed, parsed and held by (kind, key),
 * with the position and epoch they bring it to. The control plane formats its
 * lines with the same functions. Format: docs/gateway-feed.md.
 */
#ifndef DVT_PROTO_FEED_H
#define DVT_PROTO_FEED_H

#include "base/hex.h"
#include "base/limits.h"
#include "base/span.h"

#include <jansson.h>

#define DVT_FEED_KINDS(X)                                                      \
	X(DVT_FEED_ANCHOR, "anchor")                                           \
	X(DVT_FEED_DEVICE, "device")                                           \
	X(DVT_FEED_DENY, "deny")                                               \
	X(DVT_FEED_CREDENTIAL, "credential")                                   \
	X(DVT_FEED_CSR, "csr")                                                 \
	X(DVT_FEED_POLICY, "policy")                                           \
	X(DVT_FEED_RECONNECT, "reconnect")                                     \
	X(DVT_FEED_DENY_KEY, "deny-key")                                       \
	X(DVT_FEED_LOG, "log")                                                 \
	X(DVT_FEED_MEMORY, "memory")
#define DVT_FEED_KIND_ENUM(id, name) id,
enum dvt_feed_kind { DVT_FEED_KINDS(DVT_FEED_KIND_ENUM) DVT_FEED_KIND_N };
const char *dvt_feed_kind_name(enum dvt_feed_kind kind);
enum dvt_feed_kind dvt_feed_kind_from_name(const char *name); /* or _N */

/* A list of fingerprints (each "" or 64 digits) or of names; owned. */
struct dvt_feed_list {
	char **v;
	size_t n;
};

struct dvt_feed_anchor {
	char name[DVT_NAME_MAX + 1];
	char use[16]; /* "device" */
	bool root;    /* else an issuing CA: untrusted help */
	char *pem;
};

/* Why a client certificate is refused though it verifies. */
#define DVT_DENY_REASONS(X)                                                    \
	X(DVT_DENY_SUPERSEDED, "superseded")                                   \
	X(DVT_DENY_REVOKED, "revoked")                                         \
	X(DVT_DENY_BLOCKED, "blocked")
#define DVT_DENY_REASON_ENUM(id, name) id,
enum dvt_deny_reason { DVT_DENY_REASONS(DVT_DENY_REASON_ENUM) DVT_DENY_N };
const char *dvt_deny_reason_name(enum dvt_deny_reason r);

struct dvt_feed_device {
	char state[16]; /* "active", "parked", "blocked", "retired" */
	struct dvt_feed_list certificates; /* fingerprints accepted */
	bool trust_known;
	struct dvt_feed_list trust;   /* roots it confirmed as loaded */
	struct dvt_feed_list proven;  /* roots it was seen to accept */
	struct dvt_feed_list refused; /* roots it was seen to refuse */
	char pin[DVT_DIGEST_HEX]; /* pinned self-signed certificate, or "" */
	char *pem;                /* of the pin, or NULL */
};

struct dvt_feed_deny {
	enum dvt_deny_reason reason;
	char device[DVT_DEVICE_ID_MAX + 1]; /* or "" */
	int64_t not_after; /* Unix seconds; may be forgotten after it */
};

struct dvt_feed_credential {
	char gateway[DVT_NAME_MAX + 1];
	char listener[32];
	char slot[16]; /* "current", "next", "previous", "recovery" */
	int64_t generation;
	struct dvt_feed_list names;
	char *chain_pem;           /* leaf first, without root */
	char *cross_pem;           /* or NULL */
	char root[DVT_DIGEST_HEX]; /* fingerprint, or "" */
	char key_digest[DVT_DIGEST_HEX];
	uint8_t *staple; /* OCSP response of the leaf as DER, or NULL */
	size_t staple_n;
};

struct dvt_feed_csr {
	char gateway[DVT_NAME_MAX + 1];
	char order[DVT_NAME_MAX + 1];
	char listener[32];
	struct dvt_feed_list names;
	char authority[DVT_NAME_MAX + 1]; /* or "" */
};

struct dvt_feed_policy {
	char default_root[DVT_DIGEST_HEX]; /* "" none */
	char next_root[DVT_DIGEST_HEX];    /* "" none */
	char next_name[DVT_HOST_MAX + 1];  /* "" none */
	char trial_name[DVT_HOST_MAX + 1]; /* "" none */
	bool forced;
	int64_t max_stale_s;
	int64_t refuse_after_s; /* without a word: nobody comes in; 0: never */
};

struct dvt_feed_reconnect {
	char rotation[DVT_NAME_MAX + 1];
	char keep_root[DVT_DIGEST_HEX];
	int64_t rate_per_s;
	bool all; /* devices absent: every session */
	struct dvt_feed_list devices;
};

/* All certificates of this key are refused, and all issued with it. */
struct dvt_feed_deny_key {
	char name[DVT_NAME_MAX + 1]; /* of the authority, or "" */
	int64_t not_after; /* Unix seconds; may be forgotten after it */
};

/* What of handshakes a gateway logs, for a time. */
struct dvt_feed_log {
	char gateway[DVT_NAME_MAX + 1];
	char level[16]; /* "OFF", "ERROR", "INFO", "VERBOSE" */
	char device[DVT_DEVICE_ID_MAX + 1]; /* of this one alone, or "" */
	char address[64];                   /* from this address alone, or "" */
	int64_t until;                      /* Unix seconds; 0: no end */
};

/* What a client did at another gateway of the site: a hint, never more. */
struct dvt_feed_memory {
	char gateway[DVT_NAME_MAX + 1]; /* that hears it */
	char address[64];
	char print[17];                     /* of the ClientHello */
	char device[DVT_DEVICE_ID_MAX + 1]; /* of its ticket, or "" */
	char root[DVT_DIGEST_HEX];          /* of the chain shown */
	char form[8];
	bool accepted;
	int64_t at; /* Unix seconds */
};

/* One line: a body, or the news that there is none any more. */
struct dvt_feed_entry {
	enum dvt_feed_kind kind;
	int64_t position;
	char *key;
	bool gone;
	/* only as much of it as its kind needs is there */
	union {
		struct dvt_feed_anchor anchor;
		struct dvt_feed_device device;
		struct dvt_feed_deny deny;
		struct dvt_feed_credential credential;
		struct dvt_feed_csr csr;
		struct dvt_feed_policy policy;
		struct dvt_feed_reconnect reconnect;
		struct dvt_feed_deny_key deny_key;
		struct dvt_feed_log log;
		struct dvt_feed_memory memory;
	} u;
};

/**
 * dvt_feed_entry_parse() - one line, not the head
 * @line: at most DVT_FEED_LINE_MAX bytes
 * @out:  out: the caller's, dvt_feed_entry_free(); NULL on failure
 *
 * A control plane may be newer than an edge: unknown fields are passed over,
 * and a line of an unknown kind is "gone" and of kind DVT_FEED_KIND_N.
 * Return: DVT_OK; DVT_E_INPUT (names kind, key and field); DVT_E_LIMIT.
 */
DVT_MUST_USE enum dvt_code dvt_feed_entry_parse(
    struct dvt_span line, struct dvt_feed_entry **out, struct dvt_err *err);
/* An empty one to fill by hand; its texts and lists are owned by it. */
struct dvt_feed_entry *dvt_feed_entry_new(
    enum dvt_feed_kind kind, const char *key, int64_t position);
void dvt_feed_entry_free(struct dvt_feed_entry *e); /* NULL-safe */
/* The body alone as JSON ("null" when gone), and the whole line with its line
 * feed; appended. */
void dvt_feed_body_format(const struct dvt_feed_entry *e, struct dvt_buf *out);
void dvt_feed_entry_format(const struct dvt_feed_entry *e, struct dvt_buf *out);
/* Add a copy; for who fills an entry by hand. */
void dvt_feed_list_add(struct dvt_feed_list *l, const char *text);
bool dvt_feed_list_has(const struct dvt_feed_list *l, const char *text);
void dvt_feed_list_fini(struct dvt_feed_list *l);

/* The first line of an answer. */
struct dvt_feed_head {
	int64_t position;
	int64_t epoch;
	int64_t now; /* Unix seconds of the control plane */
	bool more;
};
DVT_MUST_USE enum dvt_code dvt_feed_head_parse(
    struct dvt_span line, struct dvt_feed_head *out, struct dvt_err *err);
/* With its line feed, appended. */
void dvt_feed_head_format(const struct dvt_feed_head *h, struct dvt_buf *out);

/* --- the state of one edge --- */

struct dvt_feed;

struct dvt_feed *dvt_feed_new(void); /* empty, position 0, epoch 0 */
/*
 * The same with its devices and denials in memory that other processes can
 * read (proto/shelf.h): they attach what _shelf_fd() gives, and again when the
 * generation is another. Putting devices and denials into a feed that reads
 * another's does nothing.
 */
struct dvt_feed *dvt_feed_new_shared(void);
int dvt_feed_shelf_fd(struct dvt_feed *f); /* borrowed; -1: not shared */
uint64_t dvt_feed_shelf_generation(const struct dvt_feed *f);
size_t dvt_feed_shelf_bytes(const struct dvt_feed *f);
DVT_MUST_USE enum dvt_code dvt_feed_attach(
    struct dvt_feed *f, int fd, struct dvt_err *err); /* @fd borrowed */
/* Denials of a file stand beside those of the feed; borrowed, or NULL. */
struct dvt_shelf;
void dvt_feed_denied_too(struct dvt_feed *f, const struct dvt_shelf *denied);
/* A denial (@e borrowed) into such a shelf; how many are in it. */
void dvt_feed_shelve(struct dvt_shelf *s, const struct dvt_feed_entry *e);
size_t dvt_feed_shelved(const struct dvt_shelf *s, enum dvt_feed_kind kind);
void dvt_feed_free(struct dvt_feed *f); /* NULL-safe */
int64_t dvt_feed_position(const struct dvt_feed *f);
int64_t dvt_feed_epoch(const struct dvt_feed *f);

/**
 * dvt_feed_apply() - one whole answer of the control plane
 * @f:       state; at position 0 it takes over the answer's epoch
 * @answer:  head and lines; at most DVT_FEED_ANSWER_MAX bytes
 * @head:    out: its head; may be NULL
 * @changed: out: bit (1 << kind) for each kind that changed; may be NULL
 *
 * All lines or none are taken. Afterwards the position is that of the last
 * line, or the head's when there is no more to come.
 * Return: DVT_OK; DVT_E_CONFLICT (another epoch, or a position before ours:
 *         build a new state from position 0); DVT_E_INPUT; DVT_E_LIMIT.
 */
DVT_MUST_USE enum dvt_code dvt_feed_apply(struct dvt_feed *f,
    struct dvt_span answer, struct dvt_feed_head *head, unsigned *changed,
    struct dvt_err *err);

/**
 * dvt_feed_restrict() - what an answer that was refused denies all the same
 *
 * One line that cannot be read must not hold up a revocation: denials of
 * certificates and keys, and known devices that are not to be let in any more,
 * are taken from the lines that can. The position stays; an answer that is
 * taken later says the same again.
 * Return: how many are new.
 */
size_t dvt_feed_restrict(struct dvt_feed *f, struct dvt_span answer);

/* The same; @each is told of every line before it is put. (Devices and denials
 * of a feed that reads another's are in force there already.) */
DVT_MUST_USE enum dvt_code dvt_feed_apply_each(struct dvt_feed *f,
    struct dvt_span answer, struct dvt_feed_head *head, unsigned *changed,
    void (*each)(void *arg, const struct dvt_feed_entry *e), void *arg,
    struct dvt_err *err);

/* Put one entry (taken), as a line would; positions are not looked at. */
void dvt_feed_put(struct dvt_feed *f, struct dvt_feed_entry *e);
/* As told by another process or a file with the same state. */
void dvt_feed_position_set(struct dvt_feed *f, int64_t position, int64_t epoch);

/**
 * dvt_feed_forget() - drop denials of certificates that are over
 * @before: Unix seconds; those whose not_after is smaller go
 * @slots:  places to look at in this call
 * @at:     where to go on; 0 at first, and again after a whole round
 * Return: how many went.
 */
size_t dvt_feed_forget(
    struct dvt_feed *f, int64_t before, uint64_t slots, uint64_t *at);

/* By kind and key; NULL when there is none. Borrowed until the next change, and
 * of devices and denials until the third one more that is asked for. */
const struct dvt_feed_entry *dvt_feed_get(
    const struct dvt_feed *f, enum dvt_feed_kind kind, const char *key);
/* The first (@after NULL) or next of a kind, in no order that matters. */
const struct dvt_feed_entry *dvt_feed_next(const struct dvt_feed *f,
    enum dvt_feed_kind kind, const struct dvt_feed_entry *after);
size_t dvt_feed_count(const struct dvt_feed *f, enum dvt_feed_kind kind);
/* The device that a client certificate (or pin) belongs to, or NULL. */
const struct dvt_feed_entry *dvt_feed_device_by_certificate(
    const struct dvt_feed *f, const char *fingerprint);

#endif
