/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an edge shows and trusts at one moment: its chains with their keys, the
 * anchors for client certificates, and the policy. Built aside, checked, then
 * exchanged whole; a connection keeps the set it began with. Gateway workers
 * and fronts use the same.
 */
#ifndef DVT_LOOP_EDGE_SET_H
#define DVT_LOOP_EDGE_SET_H

#include "fleet/chain_choice.h"
#include "pki/chain.h"
#include "pki/verify.h"
#include "pki/x509.h"
#include "proto/feed.h"

/* Slot of a record about an edge's own file: not shown any more. */
#define DVT_EDGE_GONE "gone"

struct dvt_edge_set;

/* One credential as it goes in; all borrowed (references are taken). */
struct dvt_edge_credential {
	const char *id;
	const char *listener;
	enum dvt_slot slot;
	int64_t generation;
	struct dvt_texts names;
	const char *root;              /* fingerprint; "" or NULL: find it */
	const struct dvt_chain *chain; /* leaf first; a root at its end is
					  left out of the flight */
	X509 *cross;                   /* for form cross, or NULL */
	EVP_PKEY *key;
	struct dvt_span staple; /* OCSP response as DER; n 0: none. One that
				   is not good for the leaf is left out */
};

/* One chain as it is shown. Borrowed from its set. */
struct dvt_edge_chain {
	const struct dvt_offer *offer;
	X509 *leaf;
	STACK_OF(X509) * rest;
	EVP_PKEY *key;
	char serial[DVT_SERIAL_HEX];
	int64_t not_after;      /* Unix seconds; smallest of the flight */
	struct dvt_span staple; /* n 0: none */
	int64_t staple_until;   /* Unix seconds: not shown from then on */
};

/* Empty; one reference, the caller's. */
struct dvt_edge_set *dvt_edge_set_new(void);
struct dvt_edge_set *dvt_edge_set_ref(struct dvt_edge_set *s);
void dvt_edge_set_unref(struct dvt_edge_set *s); /* NULL-safe */

/**
 * dvt_edge_set_add() - one credential in all forms it allows
 * @now: Unix seconds
 *
 * Return: DVT_OK; DVT_E_CONFLICT (the key is not the leaf's); DVT_E_INPUT
 *         (a chain out of order, ended or not begun, a leaf that is a CA);
 *         DVT_E_LIMIT (more than DVT_OFFERS_MAX chains). The set is as
 *         before then.
 */
DVT_MUST_USE enum dvt_code dvt_edge_set_add(struct dvt_edge_set *s,
    const struct dvt_edge_credential *c, int64_t now, struct dvt_err *err);
/* One that verifies client certificates, and one that helps to build their
 * chains. Also used to find the roots of credentials. References are taken. */
void dvt_edge_set_anchor(struct dvt_edge_set *s, X509 *anchor);
void dvt_edge_set_issuer(struct dvt_edge_set *s, X509 *issuer);
/* No certificate of this key (SHA-256 of its SPKI), nor any issued with it, is
 * taken; anchors and issuers that have it count no more. */
void dvt_edge_set_deny_key(struct dvt_edge_set *s, const char *digest);
/* One that credentials may hang below; trusted for nothing. */
void dvt_edge_set_root(struct dvt_edge_set *s, X509 *root);
/* A list by which client certificates are refused. A reference is taken. */
void dvt_edge_set_crl(struct dvt_edge_set *s, X509_CRL *crl);
/* Most intermediates in a client's path; as dvt_verify.max_depth. */
void dvt_edge_set_depth(struct dvt_edge_set *s, int max_depth);
/* Copied. */
void dvt_edge_set_policy(
    struct dvt_edge_set *s, const struct dvt_feed_policy *p);

/**
 * dvt_edge_set_feed() - all that a feed says about these
 * @edge: the name of this gateway or front
 * @key:  finds a private key by the digest of its public half; NULL when it is
 *        not held. Borrowed until the call returns
 *
 * What cannot be used (no key, broken PEM, ended) is left out with a line in
 * the log, edge.credential-refused or edge.anchor-refused.
 */
void dvt_edge_set_feed(struct dvt_edge_set *s, const struct dvt_feed *f,
    const char *edge, EVP_PKEY *(*key)(void *ctx, const char *digest),
    void *ctx, int64_t now);

/*
 * Chains are shown whole, never a leaf alone, and a client that just goes
 * away is not taken for one that refused: for HTTP, where clients verify up to
 * a root and often leave without a byte.
 */
void dvt_edge_set_whole(struct dvt_edge_set *s);
bool dvt_edge_set_is_whole(const struct dvt_edge_set *s);
/* Clients' chains are verified as stock servers do, not by all of RFC 5280;
 * what an edge asks of a leaf beyond that stays. Before the seal. */
void dvt_edge_set_lax(struct dvt_edge_set *s);

/**
 * dvt_edge_set_seal() - make it ready; nothing can be added any more
 * Return: DVT_OK; DVT_E_ABSENT (no chain at all: keep the former set);
 *         DVT_E_SYSTEM.
 */
DVT_MUST_USE enum dvt_code dvt_edge_set_seal(
    struct dvt_edge_set *s, struct dvt_err *err);

/* --- of a sealed set --- */
const struct dvt_offer *dvt_edge_set_offers(
    const struct dvt_edge_set *s, size_t *n);
const struct dvt_edge_chain *dvt_edge_set_chain(
    const struct dvt_edge_set *s, size_t i);
struct dvt_choice_policy dvt_edge_set_choice_policy(
    const struct dvt_edge_set *s);
bool dvt_edge_set_has_policy(const struct dvt_edge_set *s);
const struct dvt_trust *dvt_edge_set_trust(const struct dvt_edge_set *s);
int dvt_edge_set_max_depth(const struct dvt_edge_set *s);
/* A list of this set names the certificate. */
bool dvt_edge_set_revoked(const struct dvt_edge_set *s, X509 *cert);
/* Do these (a leaf and what came with it) fall under a denied key? */
bool dvt_edge_set_denies(
    const struct dvt_edge_set *s, X509 *const *certs, size_t n);
/* Issuing CAs, for clients that send only their leaf. */
X509 *const *dvt_edge_set_issuers(const struct dvt_edge_set *s, size_t *n);
/**
 * dvt_edge_set_authorities() - roots of ours that a ClientHello names
 * @names: dvt_hello.authorities
 * @out:   room for DVT_OFFERS_MAX fingerprints, borrowed from the set
 * Return: how many.
 */
size_t dvt_edge_set_authorities(
    const struct dvt_edge_set *s, struct dvt_span names, const char **out);

#endif
