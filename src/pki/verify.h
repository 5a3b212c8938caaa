/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Path validation "as the device would": a set of anchors, a clock, a chain
 * as shown; and what an edge asks of a client's leaf beyond that.
 */
#ifndef DVT_PKI_VERIFY_H
#define DVT_PKI_VERIFY_H

#include "pki/chain.h"

#include <openssl/x509_vfy.h>

/* A set of anchors, ready to verify under. Immutable but for its CRLs. */
struct dvt_trust;

enum dvt_trust_flags {
	/* an anchor may be an intermediate or a leaf
	 * (X509_V_FLAG_PARTIAL_CHAIN)
	 */
	DVT_TRUST_PARTIAL = 1,
	/* as a stock client: no X509_V_FLAG_X509_STRICT, auth level 1 */
	DVT_TRUST_LAX = 2,
};

/**
 * dvt_trust_new() - anchors made ready
 * @anchors: references are taken; may be none (then nothing verifies)
 * @flags:   of enum dvt_trust_flags
 */
DVT_MUST_USE enum dvt_code dvt_trust_new(X509 *const *anchors, size_t n,
    unsigned flags, struct dvt_trust **out, struct dvt_err *err);
/* The same from a PEM text of up to DVT_TRUST_PEM_MAX bytes. */
DVT_MUST_USE enum dvt_code dvt_trust_from_pem(struct dvt_span pem,
    unsigned flags, struct dvt_trust **out, struct dvt_err *err);
void dvt_trust_free(struct dvt_trust *t); /* NULL-safe */

size_t dvt_trust_count(const struct dvt_trust *t);
X509 *dvt_trust_get(const struct dvt_trust *t, size_t i); /* borrowed */
bool dvt_trust_has(const struct dvt_trust *t, X509 *anchor);
/* dvt_anchor_digest() over the set; borrowed. */
const char *dvt_trust_digest(const struct dvt_trust *t);
/* The store inside, for SSL_CTX_set1_verify_cert_store(); borrowed. */
X509_STORE *dvt_trust_store(const struct dvt_trust *t);
/*
 * DER CRL; from then on certificates of its issuer are checked against it.
 * Those of other issuers pass, and one past its nextUpdate, or before its
 * thisUpdate by a clock that runs behind, still denies what it names
 * (dvt_verdict.stale_crl): a late list must not lock a fleet out.
 */
DVT_MUST_USE enum dvt_code dvt_trust_add_crl(
    struct dvt_trust *t, struct dvt_span crl, struct dvt_err *err);
/* The same of one that is read already; a reference is taken. */
DVT_MUST_USE enum dvt_code dvt_trust_use_crl(
    struct dvt_trust *t, X509_CRL *crl, struct dvt_err *err);

/**
 * dvt_anchor_digest() - what a device confirms as loaded
 * @fingerprints: lower-case hex; any order, repeats count once
 *
 * SHA-256 hex over the sorted fingerprints joined by "\n" (no line feed at
 * the end; no anchors: over no bytes).
 */
void dvt_anchor_digest(
    const char *const *fingerprints, size_t n, char out[DVT_DIGEST_HEX]);

enum dvt_purpose { DVT_FOR_SERVER, DVT_FOR_CLIENT };

struct dvt_verify {
	enum dvt_purpose purpose; /* what the leaf is used as */
	int64_t now;              /* Unix seconds of the one who judges */
	const char *host;         /* DNS name or address; NULL: not checked */
	int max_depth; /* most intermediates; 0: DVT_CHAIN_MAX, below: none */
	bool edge;     /* then dvt_path_refuse() as well */
	/* told the path of what is accepted, leaf first; NULL: nobody is */
	void (*path)(void *arg, const STACK_OF(X509) * path);
	void *path_arg;
};

struct dvt_verdict {
	int error;          /* X509_V_OK or OpenSSL's X509_V_ERR_... */
	int depth;          /* of the certificate it complains about; leaf 0 */
	int64_t not_after;  /* smallest of the path when it verified */
	int64_t not_before; /* largest of the path when it verified */
	bool stale_crl;     /* a list was past its nextUpdate */
	const char *reason; /* of a refusal, without place; static; or NULL */
	char text[256];     /* "unable to get local issuer certificate (depth 1,
			     * CN=..)"
			     */
	char anchor[DVT_DIGEST_HEX]; /* the anchor it ended in, or "" */
};

/**
 * dvt_trust_verify() - would one who trusts @t accept this chain?
 * @shown: leaf and what came with it, in any order
 * @out:   always filled
 *
 * Return: DVT_OK; DVT_E_DENIED (a verdict, its text in @err too);
 *         DVT_E_SYSTEM.
 * Source: RFC 5280 section 6, RFC 6125.
 */
DVT_MUST_USE enum dvt_code dvt_trust_verify(const struct dvt_trust *t,
    const struct dvt_chain *shown, const struct dvt_verify *how,
    struct dvt_verdict *out, struct dvt_err *err);

/* "unable to get local issuer certificate": the X509 error without more. */
const char *dvt_verdict_reason(int error);

/**
 * dvt_leaf_refuse() - what an edge refuses in a leaf and OpenSSL lets through
 * @purpose: DVT_FOR_CLIENT at the edge
 *
 * CA:TRUE, keyCertSign, no EKU or another one, a serial that is zero,
 * negative or over 20 octets, version 1, a key dvt_key_check() refuses, name
 * constraints, broken authorityInfoAccess.
 * Return: NULL, or the reason as a fixed phrase ("leaf is a CA").
 * Source: RFC 5280 section 4.
 */
const char *dvt_leaf_refuse(X509 *leaf, enum dvt_purpose purpose);
/* Of these what is about its key alone, as for a pinned certificate. */
const char *dvt_leaf_key_refuse(const X509 *cert);
/*
 * The same for a whole path as built (leaf first, anchor last; what
 * SSL_get0_verified_chain() gives): the leaf, the keys of all, and names that
 * an excluded subtree would reach through a wildcard.
 */
const char *dvt_path_refuse(
    const STACK_OF(X509) * path, enum dvt_purpose purpose);

/*
 * Sets by digest: a fleet has few distinct ones, each is built once.
 */
struct dvt_trust_cache;

struct dvt_trust_cache *dvt_trust_cache_new(void);
void dvt_trust_cache_free(struct dvt_trust_cache *c); /* and all its sets */
/* NULL when the set is not there yet; borrowed. */
struct dvt_trust *dvt_trust_cache_get(
    const struct dvt_trust_cache *c, const char *digest, unsigned flags);
/* @t taken; an equal set already there stays and is returned instead. */
struct dvt_trust *dvt_trust_cache_put(
    struct dvt_trust_cache *c, struct dvt_trust *t);

#endif
