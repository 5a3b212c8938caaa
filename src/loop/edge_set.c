/* SPDX-License-Identifier: Apache-2.0 */
#include "loop/edge_set.h"

#include "base/log.h"
#include "base/mem.h"
#include "loop/edge_keys.h"
#include "pki/crl_read.h"
#include "pki/key.h"
#include "pki/staple.h"
#include "proto/hello.h"

#include <stdlib.h>
#include <string.h>

#define CREDENTIALS_MAX (DVT_OFFERS_MAX / 3)

struct held {
	char *id, *listener;
	char **names;
	size_t names_n;
	enum dvt_slot slot;
	int64_t generation;
	char root[DVT_DIGEST_HEX];
	char cross_root[DVT_DIGEST_HEX];
	struct dvt_chain chain; /* without root */
	X509 *tail;             /* the root that came with it, or NULL */
	X509 *cross;
	EVP_PKEY *key;
	uint8_t *staple;
	size_t staple_n;
	int64_t staple_until; /* 0: not to be shown */
	int64_t added_at;
};

struct certs {
	X509 **v;
	size_t n;
};

struct dvt_edge_set {
	int refs;
	struct held held[CREDENTIALS_MAX];
	size_t held_n;
	struct certs anchors, issuers, roots;
	struct dvt_denied_keys denied;
	X509_CRL **crls;
	size_t crls_n;
	int max_depth;
	bool has_policy, whole, lax;
	struct dvt_feed_policy policy;
	/* from seal on */
	struct dvt_trust *trust;
	struct dvt_offer offers[DVT_OFFERS_MAX];
	struct dvt_edge_chain chains[DVT_OFFERS_MAX];
	size_t n;
};

static void
certs_add(struct certs *c, X509 *cert)
{
	for (size_t i = 0; i < c->n; i++)
		if (X509_cmp(c->v[i], cert) == 0)
			return;
	c->v = dvt_realloc(c->v, (c->n + 1) * sizeof(X509 *));
	X509_up_ref(cert);
	c->v[c->n++] = cert;
}

static void
certs_fini(struct certs *c)
{
	for (size_t i = 0; i < c->n; i++)
		X509_free(c->v[i]);
	free(c->v);
}

static void
held_fini(struct held *h)
{
	free(h->id);
	free(h->listener);
	for (size_t i = 0; i < h->names_n; i++)
		free(h->names[i]);
	free(h->names);
	dvt_chain_fini(&h->chain);
	X509_free(h->tail);
	X509_free(h->cross);
	EVP_PKEY_free(h->key);
	free(h->staple);
	*h = (struct held){0};
}

struct dvt_edge_set *
dvt_edge_set_new(void)
{
	struct dvt_edge_set *s = dvt_alloc(sizeof(*s));

	s->refs = 1;
	return s;
}

struct dvt_edge_set *
dvt_edge_set_ref(struct dvt_edge_set *s)
{
	s->refs++;
	return s;
}

void
dvt_edge_set_unref(struct dvt_edge_set *s)
{
	if (s == NULL || --s->refs > 0)
		return;
	for (size_t i = 0; i < s->n; i++)
		sk_X509_pop_free(s->chains[i].rest, X509_free);
	for (size_t i = 0; i < s->held_n; i++)
		held_fini(&s->held[i]);
	certs_fini(&s->anchors);
	certs_fini(&s->issuers);
	certs_fini(&s->roots);
	dvt_denied_keys_fini(&s->denied);
	for (size_t i = 0; i < s->crls_n; i++)
		X509_CRL_free(s->crls[i]);
	free(s->crls);
	dvt_trust_free(s->trust);
	free(s);
}

/* --- putting in --- */

/* The flight without a root at its end, which no client needs. */
static enum dvt_code
chain_of(const struct dvt_chain *from, struct held *h, struct dvt_err *err)
{
	size_t n = from->n;
	enum dvt_code rc = DVT_OK;

	if (n > 1 && dvt_x509_is_self_signed(from->cert[n - 1])) {
		h->tail = from->cert[--n];
		X509_up_ref(h->tail);
	}
	for (size_t i = 0; rc == DVT_OK && i < n; i++)
		rc = dvt_chain_add(&h->chain, from->cert[i], err);
	return rc;
}

static enum dvt_code
held_check(const struct held *h, int64_t now, struct dvt_err *err)
{
	enum dvt_code rc;

	if (h->chain.n == 0)
		return dvt_fail(err, DVT_E_INPUT, "no certificate");
	if ((rc = dvt_chain_check(&h->chain, err)) != DVT_OK ||
	    (rc = dvt_chain_check_time(&h->chain, now, err)) != DVT_OK)
		return rc;
	return dvt_key_matches(h->key, h->chain.cert[0], err);
}

static void
held_describe(struct held *h, const struct dvt_edge_credential *c)
{
	h->id = dvt_strdup(c->id);
	h->listener = dvt_strdup(c->listener);
	h->slot = c->slot;
	h->generation = c->generation;
	h->names = dvt_alloc_array(c->names.n + 1, sizeof(char *));
	for (; h->names_n < c->names.n; h->names_n++)
		h->names[h->names_n] = dvt_strdup(c->names.v[h->names_n]);
	if (c->root != NULL)
		dvt_copy_str(h->root, sizeof(h->root), c->root);
	if (c->staple.n > 0) {
		h->staple = dvt_alloc(c->staple.n);
		memcpy(h->staple, c->staple.p, c->staple.n);
		h->staple_n = c->staple.n;
	}
}

enum dvt_code
dvt_edge_set_add(struct dvt_edge_set *s, const struct dvt_edge_credential *c,
    int64_t now, struct dvt_err *err)
{
	struct held h = {0};
	enum dvt_code rc;

	if (s->held_n == CREDENTIALS_MAX)
		return dvt_fail(err, DVT_E_LIMIT, "credential %s: over %d held",
		    c->id, CREDENTIALS_MAX);
	EVP_PKEY_up_ref(c->key);
	h.key = c->key;
	if ((rc = chain_of(c->chain, &h, err)) != DVT_OK ||
	    (rc = held_check(&h, now, err)) != DVT_OK) {
		dvt_err_prefix(err, "credential %s", c->id);
		held_fini(&h);
		return rc;
	}
	held_describe(&h, c);
	h.added_at = now;
	if (c->cross != NULL) {
		X509_up_ref(c->cross);
		h.cross = c->cross;
	}
	s->held[s->held_n++] = h;
	return DVT_OK;
}

void
dvt_edge_set_anchor(struct dvt_edge_set *s, X509 *anchor)
{
	certs_add(&s->anchors, anchor);
}

void
dvt_edge_set_issuer(struct dvt_edge_set *s, X509 *issuer)
{
	certs_add(&s->issuers, issuer);
}

void
dvt_edge_set_deny_key(struct dvt_edge_set *s, const char *digest)
{
	dvt_denied_keys_add(&s->denied, digest);
}

void
dvt_edge_set_root(struct dvt_edge_set *s, X509 *root)
{
	certs_add(&s->roots, root);
}

void
dvt_edge_set_crl(struct dvt_edge_set *s, X509_CRL *crl)
{
	s->crls = dvt_realloc(s->crls, (s->crls_n + 1) * sizeof(*s->crls));
	X509_CRL_up_ref(crl);
	s->crls[s->crls_n++] = crl;
}

void
dvt_edge_set_depth(struct dvt_edge_set *s, int max_depth)
{
	s->max_depth = max_depth;
}

void
dvt_edge_set_policy(struct dvt_edge_set *s, const struct dvt_feed_policy *p)
{
	s->has_policy = true;
	s->policy = *p;
}

/* --- from a feed --- */

static void
refused(const char *event, const char *id, struct dvt_err *err)
{
	log_event(LOG_WARNING, event, LS("id", id), LE(err));
}

static void
feed_anchor(struct dvt_edge_set *s, const struct dvt_feed_entry *e)
{
	X509 *cert = NULL;
	struct dvt_err err;

	if (strcmp(e->u.anchor.use, "device") != 0)
		return;
	if (dvt_x509_from_pem(dvt_span_str(e->u.anchor.pem), &cert, &err) !=
	    DVT_OK) {
		refused("edge.anchor-refused", e->key, &err);
		return;
	}
	if (e->u.anchor.root)
		dvt_edge_set_anchor(s, cert);
	else
		dvt_edge_set_issuer(s, cert);
	X509_free(cert);
}

static enum dvt_code
feed_credential(struct dvt_edge_set *s, const struct dvt_feed_entry *e,
    EVP_PKEY *key, int64_t now, struct dvt_err *err)
{
	const struct dvt_feed_credential *c = &e->u.credential;
	const char *slash = strchr(e->key, '/');
	struct dvt_chain chain = {0};
	struct dvt_edge_credential in = {
	    .id = slash != NULL ? slash + 1 : e->key,
	    .listener = c->listener,
	    .slot = dvt_slot_from_name(c->slot),
	    .generation = c->generation,
	    .names = {(const char *const *)c->names.v, c->names.n },
	    .root = c->root,
	    .chain = &chain,
	    .key = key,
	    .staple = {c->staple,                       c->staple_n},
	};
	enum dvt_code rc;

	if (key == NULL)
		return dvt_fail(
		    err, DVT_E_ABSENT, "its key %s is not held", c->key_digest);
	if (in.slot == DVT_SLOT_N)
		return dvt_fail(err, DVT_E_INPUT, "slot %s", c->slot);
	rc = dvt_chain_from_pem(dvt_span_str(c->chain_pem), &chain, err);
	if (rc == DVT_OK && c->cross_pem != NULL)
		rc = dvt_x509_from_pem(
		    dvt_span_str(c->cross_pem), &in.cross, err);
	if (rc == DVT_OK)
		rc = dvt_edge_set_add(s, &in, now, err);
	X509_free(in.cross);
	dvt_chain_fini(&chain);
	return rc;
}

void
dvt_edge_set_feed(struct dvt_edge_set *s, const struct dvt_feed *f,
    const char *edge, EVP_PKEY *(*key)(void *ctx, const char *digest),
    void *ctx, int64_t now)
{
	const struct dvt_feed_entry *e = NULL;
	struct dvt_err err;

	while ((e = dvt_feed_next(f, DVT_FEED_DENY_KEY, e)) != NULL)
		dvt_edge_set_deny_key(s, e->key);
	while ((e = dvt_feed_next(f, DVT_FEED_ANCHOR, e)) != NULL)
		feed_anchor(s, e);
	while ((e = dvt_feed_next(f, DVT_FEED_CREDENTIAL, e)) != NULL)
		if (strcmp(e->u.credential.gateway, edge) == 0 &&
		    strcmp(e->u.credential.slot, DVT_EDGE_GONE) != 0 &&
		    feed_credential(s, e, key(ctx, e->u.credential.key_digest),
			now, &err) != DVT_OK)
			refused("edge.credential-refused", e->key, &err);
	if ((e = dvt_feed_get(f, DVT_FEED_POLICY, edge)) != NULL)
		dvt_edge_set_policy(s, &e->u.policy);
}

/* --- sealing --- */

/* The known root that issued @cert, or NULL. */
static X509 *
issuer_of(const struct dvt_edge_set *s, X509 *cert)
{
	for (size_t i = s->anchors.n; i-- > 0;)
		if (dvt_x509_is_issued_by(cert, s->anchors.v[i]))
			return s->anchors.v[i];
	for (size_t i = 0; i < s->roots.n; i++)
		if (dvt_x509_is_issued_by(cert, s->roots.v[i]))
			return s->roots.v[i];
	for (size_t i = 0; i < s->held_n; i++)
		if (s->held[i].tail != NULL &&
		    dvt_x509_is_issued_by(cert, s->held[i].tail))
			return s->held[i].tail;
	return NULL;
}

/* Its fingerprint, or "". */
static void
issuer_find(const struct dvt_edge_set *s, X509 *cert, char out[DVT_DIGEST_HEX])
{
	X509 *issuer = issuer_of(s, cert);

	out[0] = '\0';
	if (issuer != NULL)
		dvt_x509_fingerprint(issuer, out);
}

/* A staple that is not good is no reason to refuse the chain. */
static void
staple_check(const struct dvt_edge_set *s, struct held *h)
{
	X509 *leaf = h->chain.cert[0];
	X509 *issuer = h->chain.n > 1 ? h->chain.cert[1] : issuer_of(s, leaf);
	struct dvt_span der = {h->staple, h->staple_n};
	struct dvt_err err;
	enum dvt_code rc;

	if (der.n == 0)
		return;
	if (issuer == NULL)
		rc = dvt_fail(&err, DVT_E_ABSENT,
		    "OCSP response: the issuer's certificate is not held");
	else
		rc = dvt_staple_check(
		    der, leaf, issuer, h->added_at, &h->staple_until, &err);
	if (rc != DVT_OK)
		refused("edge.staple-refused", h->id, &err);
}

/* The root above @cert by the name of the issuer, among chains of ours. */
static void
issuer_guess(const struct dvt_edge_set *s, X509 *cert, char out[DVT_DIGEST_HEX])
{
	struct dvt_span name = dvt_x509_issuer_der(cert);

	for (size_t i = 0; out[0] == '\0' && i < s->held_n; i++) {
		const struct held *h = &s->held[i];
		X509 *top = h->chain.cert[h->chain.n - 1];

		if (h->root[0] != '\0' && X509_cmp(top, cert) != 0 &&
		    dvt_span_eq(dvt_x509_issuer_der(top), name))
			memcpy(out, h->root, DVT_DIGEST_HEX);
	}
}

static void
roots_find(struct dvt_edge_set *s)
{
	for (size_t i = 0; i < s->held_n; i++) {
		struct held *h = &s->held[i];

		if (h->root[0] == '\0')
			issuer_find(s, h->chain.cert[h->chain.n - 1], h->root);
	}
	for (size_t i = 0; i < s->held_n; i++) {
		struct held *h = &s->held[i];

		if (h->cross == NULL)
			continue;
		issuer_find(s, h->cross, h->cross_root);
		issuer_guess(s, h->cross, h->cross_root);
	}
}

static void
push(STACK_OF(X509) * st, X509 *cert)
{
	X509_up_ref(cert);
	sk_X509_push(st, cert);
}

/* Bytes of the Certificate message (RFC 8446 section 4.4.2; in TLS 1.2 it is a
 * little shorter), with its header. */
static size_t
flight_size(X509 *leaf, STACK_OF(X509) * rest)
{
	size_t n = 4 + 1 + 3 + 5 + (size_t)i2d_X509(leaf, NULL);

	for (int i = 0; i < sk_X509_num(rest); i++)
		n += 5 + (size_t)i2d_X509(sk_X509_value(rest, i), NULL);
	return n;
}

static void
form_add(struct dvt_edge_set *s, const struct held *h, enum dvt_chain_form form)
{
	struct dvt_offer *o = &s->offers[s->n];
	struct dvt_edge_chain *c = &s->chains[s->n++];

	*o = (struct dvt_offer){
	    .credential = h->id,
	    .root = h->root,
	    .cross_root = form == DVT_FORM_CROSS ? h->cross_root : "",
	    .form = form,
	    .slot = h->slot,
	    .generation = h->generation,
	    .listener = h->listener,
	    .names = {(const char *const *)h->names, h->names_n},
	    .rsa = EVP_PKEY_get_base_id(h->key) == EVP_PKEY_RSA,
	};
	c->offer = o;
	c->leaf = h->chain.cert[0];
	c->key = h->key;
	c->not_after = dvt_chain_not_after(&h->chain);
	if (h->staple_until > 0)
		c->staple = (struct dvt_span){h->staple, h->staple_n};
	c->staple_until = h->staple_until;
	dvt_x509_serial(c->leaf, c->serial);
	c->rest = sk_X509_new_null();
	for (size_t i = 1; form != DVT_FORM_LEAF && i < h->chain.n; i++)
		push(c->rest, h->chain.cert[i]);
	if (form == DVT_FORM_CROSS)
		push(c->rest, h->cross);
	o->flight = flight_size(c->leaf, c->rest);
}

void
dvt_edge_set_whole(struct dvt_edge_set *s)
{
	s->whole = true;
}

void
dvt_edge_set_lax(struct dvt_edge_set *s)
{
	s->lax = true;
}

bool
dvt_edge_set_is_whole(const struct dvt_edge_set *s)
{
	return s->whole;
}

/* Those with a denied key verify nothing. */
static void
leave_denied(struct dvt_edge_set *s, struct certs *c)
{
	size_t n = 0;

	for (size_t i = 0; i < c->n; i++) {
		if (dvt_denied_keys_bears(&s->denied, c->v[i]))
			X509_free(c->v[i]);
		else
			c->v[n++] = c->v[i];
	}
	c->n = n;
}

enum dvt_code
dvt_edge_set_seal(struct dvt_edge_set *s, struct dvt_err *err)
{
	enum dvt_code rc;

	roots_find(s);
	leave_denied(s, &s->anchors);
	leave_denied(s, &s->issuers);
	for (size_t i = 0; i < s->held_n; i++) {
		struct held *h = &s->held[i];

		staple_check(s, h);
		form_add(s, h, DVT_FORM_PURE);
		if (h->cross != NULL)
			form_add(s, h, DVT_FORM_CROSS);
		if (h->chain.n > 1 && !s->whole) /* else it is the pure form */
			form_add(s, h, DVT_FORM_LEAF);
	}
	if (s->n == 0)
		return dvt_fail(
		    err, DVT_E_ABSENT, "no certificate that can be shown");
	rc = dvt_trust_new(s->anchors.v, s->anchors.n,
	    DVT_TRUST_PARTIAL | (s->lax ? DVT_TRUST_LAX : 0), &s->trust, err);
	for (size_t i = 0; rc == DVT_OK && i < s->crls_n; i++)
		rc = dvt_trust_use_crl(s->trust, s->crls[i], err);
	return rc;
}

/* --- asking --- */

const struct dvt_offer *
dvt_edge_set_offers(const struct dvt_edge_set *s, size_t *n)
{
	*n = s->n;
	return s->offers;
}

const struct dvt_edge_chain *
dvt_edge_set_chain(const struct dvt_edge_set *s, size_t i)
{
	return &s->chains[i];
}

static const char *
or_null(const char *s)
{
	return s[0] != '\0' ? s : NULL;
}

struct dvt_choice_policy
dvt_edge_set_choice_policy(const struct dvt_edge_set *s)
{
	if (!s->has_policy)
		return (struct dvt_choice_policy){0};
	return (struct dvt_choice_policy){
	    .default_root = or_null(s->policy.default_root),
	    .next_root = or_null(s->policy.next_root),
	    .next_name = or_null(s->policy.next_name),
	    .trial_name = or_null(s->policy.trial_name),
	    .forced = s->policy.forced,
	};
}

bool
dvt_edge_set_has_policy(const struct dvt_edge_set *s)
{
	return s->has_policy;
}

const struct dvt_trust *
dvt_edge_set_trust(const struct dvt_edge_set *s)
{
	return s->trust;
}

int
dvt_edge_set_max_depth(const struct dvt_edge_set *s)
{
	return s->max_depth;
}

bool
dvt_edge_set_revoked(const struct dvt_edge_set *s, X509 *cert)
{
	for (size_t i = 0; i < s->crls_n; i++)
		if (dvt_crl_names(s->crls[i], cert))
			return true;
	return false;
}

bool
dvt_edge_set_denies(const struct dvt_edge_set *s, X509 *const *certs, size_t n)
{
	return dvt_denied_keys_hit(&s->denied, certs, n);
}

X509 *const *
dvt_edge_set_issuers(const struct dvt_edge_set *s, size_t *n)
{
	*n = s->issuers.n;
	return s->issuers.v;
}

/* A client that trusts @name can verify something above this chain. */
static bool
is_named(const struct held *h, struct dvt_span name)
{
	for (size_t i = 0; i < h->chain.n; i++)
		if (dvt_span_eq(dvt_x509_issuer_der(h->chain.cert[i]), name))
			return true;
	return false;
}

static void
name_root(const char *root, const char **out, size_t *n)
{
	if (root[0] == '\0')
		return;
	for (size_t i = 0; i < *n; i++)
		if (strcmp(out[i], root) == 0)
			return;
	out[(*n)++] = root;
}

size_t
dvt_edge_set_authorities(
    const struct dvt_edge_set *s, struct dvt_span names, const char **out)
{
	struct dvt_span name;
	size_t n = 0;

	while (dvt_hello_authority_take(&names, &name)) {
		for (size_t i = 0; i < s->held_n; i++) {
			const struct held *h = &s->held[i];

			if (is_named(h, name))
				name_root(h->root, out, &n);
			if (h->cross != NULL &&
			    dvt_span_eq(dvt_x509_issuer_der(h->cross), name))
				name_root(h->cross_root, out, &n);
		}
	}
	return n;
}
