/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Trust bundles: the numbered, signed list of anchors a device should hold,
 * as an object that is equally safe over any channel. Format:
 * docs/trust-bundle.md.
 *
 * Keys have a role. `root` keys are kept offline and name keys; `online` keys
 * sign lists of anchors. A bundle that leaves the keys alone needs the
 * threshold of held online (or root) keys; one that changes them needs the
 * threshold of held root keys, and the new list's threshold of its root keys as
 * well.
 */
#ifndef DVT_PKI_BUNDLE_H
#define DVT_PKI_BUNDLE_H

#include "pki/dsse.h"
#include "pki/verify.h"

#define DVT_BUNDLE_TYPE    "application/vnd.dovetail.trust+json"
#define DVT_BUNDLE_NAMES   8   /* EST or edge names in one bundle */
#define DVT_BUNDLE_SPKI    128 /* bytes; P-256: 91 */
#define DVT_BUNDLE_ISSUERS 16  /* issuing CAs in one bundle */

/* bytes of one such name: host, colon, port, NUL */
#define DVT_BUNDLE_NAME (DVT_HOST_MAX + 7)

enum dvt_key_role { DVT_ROLE_ROOT, DVT_ROLE_ONLINE };

struct dvt_bundle_key {
	char keyid[DVT_DIGEST_HEX]; /* SHA-256 over spki */
	uint8_t spki[DVT_BUNDLE_SPKI];
	size_t spki_n;
	enum dvt_key_role role;
};

enum dvt_priority { DVT_PRIMARY, DVT_SECONDARY };

struct dvt_bundle_cert {
	char fingerprint[DVT_DIGEST_HEX];
	enum dvt_priority priority; /* anchors only */
	struct dvt_buf der;
};

/* Keys that may sign, and how many must. */
struct dvt_bundle_keys {
	int64_t version;  /* counts up with every change */
	size_t threshold; /* signatures by root keys */
	size_t online_threshold;
	struct dvt_bundle_key key[DVT_BUNDLE_KEYS];
	size_t n;
};

/* Leave to enrol once more with a certificate that has ended; in a bundle for
 * one device. No secret: the device still proves the certificate's key. */
#define DVT_GRANT_ID 33 /* bytes: 32 hexadecimal digits and NUL */
struct dvt_bundle_grant {
	char id[DVT_GRANT_ID];            /* "" none */
	char certificate[DVT_DIGEST_HEX]; /* fingerprint it is bound to */
	int64_t expires_at;               /* Unix seconds */
};

struct dvt_bundle {
	char fleet[DVT_NAME_MAX + 1];
	char audience[DVT_DEVICE_ID_MAX + 1]; /* "all" or one device id */
	int64_t version;
	struct dvt_bundle_keys keys;
	int64_t issued_at, expires_at; /* Unix seconds */
	struct dvt_bundle_cert anchor[DVT_BUNDLE_ANCHORS];
	size_t anchor_n;
	struct dvt_bundle_cert issuer[DVT_BUNDLE_ISSUERS]; /* issuing CAs */
	size_t issuer_n;
	char est[DVT_BUNDLE_NAMES][DVT_BUNDLE_NAME]; /* "host:port" */
	size_t est_n;
	char edge[DVT_BUNDLE_NAMES][DVT_BUNDLE_NAME];
	size_t edge_n;
	int64_t previous; /* version of the bundle before; 0: the first */
	struct dvt_bundle_grant grant;
};

void dvt_bundle_fini(struct dvt_bundle *b); /* NULL-safe; empty afterwards */
/* Names in text form; DVT_E_LIMIT when the list is full, DVT_E_CONFLICT when
 * it is there already. */
DVT_MUST_USE enum dvt_code dvt_bundle_add_anchor(struct dvt_bundle *b,
    X509 *cert, enum dvt_priority priority, struct dvt_err *err);
DVT_MUST_USE enum dvt_code dvt_bundle_add_issuer(
    struct dvt_bundle *b, X509 *cert, struct dvt_err *err);
DVT_MUST_USE enum dvt_code dvt_bundle_add_key(struct dvt_bundle_keys *keys,
    const EVP_PKEY *key, enum dvt_key_role role, struct dvt_err *err);
/* An anchor by fingerprint, or NULL; borrowed. */
const struct dvt_bundle_cert *dvt_bundle_anchor(
    const struct dvt_bundle *b, const char *fingerprint);

/**
 * dvt_bundle_parse() - payload to struct, within all limits
 * @payload: JSON, signature already counted; at most DVT_BUNDLE_MAX bytes
 *
 * Anchors are parsed as certificates and must be CAs that match their
 * fingerprints; key ids must match their keys.
 * Return: DVT_OK; DVT_E_LIMIT; DVT_E_INPUT, naming the field.
 */
DVT_MUST_USE enum dvt_code dvt_bundle_parse(
    struct dvt_span payload, struct dvt_bundle *out, struct dvt_err *err);
/* The payload's bytes, appended. */
DVT_MUST_USE enum dvt_code dvt_bundle_format(
    const struct dvt_bundle *b, struct dvt_buf *out, struct dvt_err *err);
/* What a device confirms after loading it: dvt_anchor_digest() of anchors. */
void dvt_bundle_anchor_digest(
    const struct dvt_bundle *b, char out[DVT_DIGEST_HEX]);
/* Its anchors, primary ones first, ready to verify under. */
DVT_MUST_USE enum dvt_code dvt_bundle_trust(const struct dvt_bundle *b,
    unsigned flags, struct dvt_trust **out, struct dvt_err *err);
/* PEM of all anchors, primary first, appended. */
DVT_MUST_USE enum dvt_code dvt_bundle_anchors_pem(
    const struct dvt_bundle *b, struct dvt_buf *out, struct dvt_err *err);

/* Format, sign with each key, and give the line (no line feed). */
DVT_MUST_USE enum dvt_code dvt_bundle_sign(const struct dvt_bundle *b,
    EVP_PKEY *const *keys, size_t n, struct dvt_buf *line, struct dvt_err *err);

/*
 * What a device keeps of all bundles it accepted. Durable before use.
 */
struct dvt_bundle_held {
	char fleet[DVT_NAME_MAX + 1];
	char device_id[DVT_DEVICE_ID_MAX + 1]; /* accepts "all" and this */
	int64_t version;                       /* highest accepted; 0: none */
	struct dvt_bundle_keys keys;           /* none: not pinned yet */
	char digest[DVT_DIGEST_HEX]; /* of the newest payload; "" none */
};

/* Why a bundle is not taken; for log, check-in report and tests. */
#define DVT_BUNDLE_REASONS(X)                                                  \
	X(DVT_BUNDLE_TAKEN, "accepted")                                        \
	X(DVT_BUNDLE_BROKEN, "broken")                                         \
	X(DVT_BUNDLE_LIMIT, "over-limit")                                      \
	X(DVT_BUNDLE_NO_KEYS, "no-keys-held")                                  \
	X(DVT_BUNDLE_SIGNATURES, "too-few-signatures")                         \
	X(DVT_BUNDLE_FLEET, "other-fleet")                                     \
	X(DVT_BUNDLE_AUDIENCE, "other-audience")                               \
	X(DVT_BUNDLE_OLD, "not-newer")                                         \
	X(DVT_BUNDLE_KEY_CHANGE, "key-change-not-proven")                      \
	X(DVT_BUNDLE_EMPTY, "no-anchors")
#define DVT_BUNDLE_REASON_ENUM(reason, name) reason,
enum dvt_bundle_reason { DVT_BUNDLE_REASONS(DVT_BUNDLE_REASON_ENUM) };
const char *dvt_bundle_reason_name(enum dvt_bundle_reason reason);

/**
 * dvt_bundle_accept() - may this line replace what is held?
 * @held:   as stored
 * @line:   the envelope
 * @bundle: out: its content; the caller's; empty unless DVT_OK
 * @next:   out: what to store before using @bundle; untouched unless DVT_OK
 * @why:    out: the reason, also on success
 *
 * Keys held without a fleet name (dvt_bundle_keys_from_pem()) take over the
 * name of the first bundle. Signatures are counted over the raw payload before
 * it is parsed. Expiry is not judged here (by the clock floor, on the newest
 * alone, it only warns).
 * Return: DVT_OK; DVT_E_INPUT (broken); DVT_E_LIMIT; DVT_E_AUTH (signatures,
 *         keys); DVT_E_DENIED (fleet, audience); DVT_E_CONFLICT (not newer).
 */
DVT_MUST_USE enum dvt_code dvt_bundle_accept(const struct dvt_bundle_held *held,
    struct dvt_span line, struct dvt_bundle *bundle,
    struct dvt_bundle_held *next, enum dvt_bundle_reason *why,
    struct dvt_err *err);

/**
 * dvt_bundle_pin() - first keys, taken from the bundle itself
 *
 * For a channel that is trusted otherwise (mutual TLS under the anchors given
 * at enrolment). @held has fleet ("": taken over) and device id, no keys. The
 * line must carry valid signatures by its own keys.
 * Return: as dvt_bundle_accept(); DVT_E_CONFLICT when keys are held already.
 */
DVT_MUST_USE enum dvt_code dvt_bundle_pin(const struct dvt_bundle_held *held,
    struct dvt_span line, struct dvt_bundle *bundle,
    struct dvt_bundle_held *next, enum dvt_bundle_reason *why,
    struct dvt_err *err);

/**
 * dvt_bundle_grant_get() - the grant on a line made for this device alone
 * @held: as stored, after the newest bundle was taken
 * @why:  out: the reason, also on success
 *
 * Signatures, fleet and audience are judged as in dvt_bundle_accept(), the
 * version is not: a grant has its own end, which the caller judges.
 * Return: as dvt_bundle_accept(); DVT_E_ABSENT (it carries none).
 */
DVT_MUST_USE enum dvt_code dvt_bundle_grant_get(
    const struct dvt_bundle_held *held, struct dvt_span line,
    struct dvt_bundle_grant *out, enum dvt_bundle_reason *why,
    struct dvt_err *err);

/**
 * dvt_bundle_keys_from_pem() - `--trust-key FILE`
 * @pem: one or more "PUBLIC KEY" blocks: the root keys
 * @out: version 0, so that the first bundle may name its keys; threshold 2,
 *       or 1 when there is one key
 */
DVT_MUST_USE enum dvt_code dvt_bundle_keys_from_pem(
    struct dvt_span pem, struct dvt_bundle_keys *out, struct dvt_err *err);

/* The held state as JSON for a file, and back. */
DVT_MUST_USE enum dvt_code dvt_bundle_held_format(
    const struct dvt_bundle_held *h, struct dvt_buf *out, struct dvt_err *err);
DVT_MUST_USE enum dvt_code dvt_bundle_held_parse(
    struct dvt_span json, struct dvt_bundle_held *out, struct dvt_err *err);

#endif
