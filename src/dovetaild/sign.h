/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What core asks of the signer, as bodies of SIGN_REQUEST and SIGN_REPLY:
 * typed fields only, never a CSR and never a TBSCertificate. The signer holds
 * what was loaded and checks every request against it, whatever core says.
 */
#ifndef DVT_DOVETAILD_SIGN_H
#define DVT_DOVETAILD_SIGN_H

#include "pki/crl.h"
#include "pki/issue.h"

#define SIGN_DER_MAX     DVT_CERT_DER_MAX
#define SIGN_WRAPPED_MAX 8192  /* bytes of a wrapped private key */
#define SIGN_PAYLOAD_MAX 49152 /* bytes of a payload to be signed (DSSE) */
#define SIGN_LINE_MAX    DVT_BUNDLE_MAX
#define SIGN_CRL_MAX     1048576 /* bytes of one list */
#define SIGN_CRL_ENTRIES 1500    /* in one request */

#define SIGN_KINDS(X)                                                          \
	/* authority, der, wrapped (empty: key not held), name */              \
	X(SIGN_LOAD_AUTHORITY, "load-authority")                               \
	X(SIGN_LOAD_PROFILE, "load-profile")     /* profile */                 \
	X(SIGN_LOAD_TRUST_KEY, "load-trust-key") /* wrapped, name: key id */   \
	X(SIGN_LOADED, "loaded")                 /* not_before: last issue */  \
	X(SIGN_LEAF, "leaf")                     /* authority, profile, ... */ \
	X(SIGN_AUTHORITY, "authority") /* new key; authority 0: root*/         \
	X(SIGN_CROSS, "cross")         /* der by authority */                  \
	X(SIGN_IMPORT, "import")       /* der, wrapped: sealed */              \
	X(SIGN_DSSE, "dsse")           /* name: type; der: payload*/           \
	X(SIGN_CRL, "crl")
#define SIGN_KIND_ENUM(kind, name) kind,
enum sign_kind { SIGN_KINDS(SIGN_KIND_ENUM) SIGN_KIND_N };
const char *sign_kind_name(enum sign_kind kind);

/* How certificates of a profile are made: a row of `profile`. */
struct sign_profile {
	char name[DVT_NAME_MAX + 1];
	int64_t issuer_id;
	int64_t validity_s, jitter_s, backdate_s, renew_before_s;
	bool use_server, use_client;
	char digest[DVT_DIGEST_HEX];
};
/* SHA-256 over all of it but the digest. */
void sign_profile_digest(
    const struct sign_profile *p, char out[DVT_DIGEST_HEX]);

struct sign_crl_entry {
	uint8_t serial[DVT_SERIAL_BYTES];
	size_t serial_n;
	int64_t revoked_at;
	enum dvt_crl_reason reason;
};

/* Spans and lists are borrowed. Fields a kind does not name stay zero. */
struct sign_request {
	enum sign_kind kind;
	int64_t authority;  /* id of the signing authority */
	int64_t authority2; /* SIGN_CROSS: id of the new root */
	const char *name;   /* as the kind says */
	const char *profile_digest;
	struct sign_profile profile; /* SIGN_LOAD_PROFILE */
	uint8_t serial[DVT_SERIAL_BYTES];
	struct dvt_span subject;    /* DER Name */
	struct dvt_span spki;       /* DER */
	const struct dvt_san *sans; /* SIGN_LEAF */
	size_t sans_n;
	/* SIGN_LEAF: or the whole value of the extension, as it stands in the
	 * certificate that is renewed; then @sans_n is 0. */
	struct dvt_span san_der;
	int64_t not_before, not_after; /* Unix seconds */
	int pathlen;                   /* SIGN_AUTHORITY; -1: no limit */
	struct dvt_span der;
	struct dvt_span wrapped;
	int64_t crl_number;
	const struct sign_crl_entry *entries;
	size_t entries_n;
};

/* What comes back. Spans are borrowed for the call. */
struct sign_reply {
	enum dvt_code code;
	char why[256];           /* unless DVT_OK */
	struct dvt_span der;     /* certificate, list */
	struct dvt_span wrapped; /* SIGN_AUTHORITY, SIGN_IMPORT: the key */
	struct dvt_span line;    /* SIGN_DSSE: the envelope; SIGN_LOADED: SPKI
				  * of the key that imports are sealed to */
};

void sign_request_put(struct dvt_buf *out, const struct sign_request *q);
/* Where what a read request needs beyond the body is kept. */
struct sign_request_room {
	char name[DVT_NAME_MAX + 1];
	char profile_digest[DVT_DIGEST_HEX];
	struct dvt_san sans[DVT_SANS_MAX];
	struct sign_crl_entry entries[SIGN_CRL_ENTRIES];
};
/**
 * sign_request_get() - read a request back
 * @out: its spans point into @body, its texts and lists into @room
 * Return: DVT_OK; DVT_E_INPUT.
 */
DVT_MUST_USE enum dvt_code sign_request_get(struct dvt_span body,
    struct sign_request_room *room, struct sign_request *out,
    struct dvt_err *err);
void sign_reply_put(struct dvt_buf *out, const struct sign_reply *r);
DVT_MUST_USE enum dvt_code sign_reply_get(
    struct dvt_span body, struct sign_reply *out, struct dvt_err *err);

#endif
