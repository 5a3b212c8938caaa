/* SPDX-License-Identifier: Apache-2.0 */
/* Trust bundles as values: see bundle.h. JSON is in bundle_json.c. */
#include "pki/bundle.h"

#include "pki/key.h"
#include "pki/x509.h"
#include "wire/pem.h"

void
dvt_bundle_fini(struct dvt_bundle *b)
{
	if (b == NULL)
		return;
	for (size_t i = 0; i < b->anchor_n; i++)
		dvt_buf_fini(&b->anchor[i].der);
	for (size_t i = 0; i < b->issuer_n; i++)
		dvt_buf_fini(&b->issuer[i].der);
	memset(b, 0, sizeof(*b));
}

/* Into the next free place of @list; the caller counts it. */
static enum dvt_code
add_cert(struct dvt_bundle_cert *list, size_t n, size_t max, X509 *cert,
    struct dvt_err *err)
{
	struct dvt_bundle_cert *c = &list[n];
	char name[DVT_DN_TEXT], fingerprint[DVT_DIGEST_HEX];
	enum dvt_code rc;

	if (n == max)
		return dvt_fail(err, DVT_E_LIMIT,
		    "bundle: more than %zu certificates", max);
	if (!dvt_x509_is_ca(cert))
		return dvt_fail(err, DVT_E_INPUT,
		    "bundle: %.128s is no CA (RFC 5280 section 4.2.1.9)",
		    dvt_x509_subject(cert, name));
	dvt_x509_fingerprint(cert, fingerprint);
	for (size_t i = 0; i < n; i++) {
		if (strcmp(list[i].fingerprint, fingerprint) == 0)
			return dvt_fail(err, DVT_E_CONFLICT,
			    "bundle: %.128s is in it already",
			    dvt_x509_subject(cert, name));
	}
	memcpy(c->fingerprint, fingerprint, sizeof(fingerprint));
	dvt_buf_init(&c->der, DVT_CERT_DER_MAX);
	if ((rc = dvt_x509_to_der(cert, &c->der, err)) != DVT_OK)
		dvt_buf_fini(&c->der);
	return rc;
}

enum dvt_code
dvt_bundle_add_anchor(struct dvt_bundle *b, X509 *cert,
    enum dvt_priority priority, struct dvt_err *err)
{
	enum dvt_code rc = add_cert(
	    b->anchor, b->anchor_n, DVT_BUNDLE_ANCHORS, cert, err);

	if (rc == DVT_OK)
		b->anchor[b->anchor_n++].priority = priority;
	return rc;
}

enum dvt_code
dvt_bundle_add_issuer(struct dvt_bundle *b, X509 *cert, struct dvt_err *err)
{
	enum dvt_code rc = add_cert(
	    b->issuer, b->issuer_n, DVT_BUNDLE_ISSUERS, cert, err);

	if (rc == DVT_OK)
		b->issuer_n++;
	return rc;
}

enum dvt_code
dvt_bundle_add_key(struct dvt_bundle_keys *keys, const EVP_PKEY *key,
    enum dvt_key_role role, struct dvt_err *err)
{
	struct dvt_bundle_key *k = &keys->key[keys->n];
	struct dvt_buf spki;
	enum dvt_code rc;

	if (keys->n == DVT_BUNDLE_KEYS)
		return dvt_fail(err, DVT_E_LIMIT, "bundle: more than %d keys",
		    DVT_BUNDLE_KEYS);
	if (dvt_key_kind(key) != DVT_KEY_P256)
		return dvt_fail(
		    err, DVT_E_INPUT, "bundle: keys are EC P-256 only");
	dvt_buf_init(&spki, DVT_BUNDLE_SPKI);
	if ((rc = dvt_key_to_spki(key, &spki, err)) == DVT_OK) {
		dvt_sha256_hex(dvt_buf_span(&spki), k->keyid);
		for (size_t i = 0; i < keys->n && rc == DVT_OK; i++) {
			if (strcmp(keys->key[i].keyid, k->keyid) == 0)
				rc = dvt_fail(err, DVT_E_CONFLICT,
				    "bundle: key %.16s... twice", k->keyid);
		}
	}
	if (rc == DVT_OK) {
		memcpy(k->spki, spki.p, spki.n);
		k->spki_n = spki.n;
		k->role = role;
		keys->n++;
	}
	dvt_buf_fini(&spki);
	return rc;
}

const struct dvt_bundle_cert *
dvt_bundle_anchor(const struct dvt_bundle *b, const char *fingerprint)
{
	for (size_t i = 0; i < b->anchor_n; i++) {
		if (strcmp(b->anchor[i].fingerprint, fingerprint) == 0)
			return &b->anchor[i];
	}
	return NULL;
}

void
dvt_bundle_anchor_digest(const struct dvt_bundle *b, char out[DVT_DIGEST_HEX])
{
	const char *list[DVT_BUNDLE_ANCHORS];

	for (size_t i = 0; i < b->anchor_n; i++)
		list[i] = b->anchor[i].fingerprint;
	dvt_anchor_digest(list, b->anchor_n, out);
}

/* Anchors in the order they are used: primary ones first. */
static size_t
by_priority(const struct dvt_bundle *b,
    const struct dvt_bundle_cert *out[DVT_BUNDLE_ANCHORS])
{
	size_t n = 0;

	for (size_t i = 0; i < b->anchor_n; i++) {
		if (b->anchor[i].priority == DVT_PRIMARY)
			out[n++] = &b->anchor[i];
	}
	for (size_t i = 0; i < b->anchor_n; i++) {
		if (b->anchor[i].priority != DVT_PRIMARY)
			out[n++] = &b->anchor[i];
	}
	return n;
}

enum dvt_code
dvt_bundle_trust(const struct dvt_bundle *b, unsigned flags,
    struct dvt_trust **out, struct dvt_err *err)
{
	const struct dvt_bundle_cert *order[DVT_BUNDLE_ANCHORS];
	X509 *certs[DVT_BUNDLE_ANCHORS];
	size_t n = by_priority(b, order), i;
	enum dvt_code rc = DVT_OK;

	*out = NULL;
	for (i = 0; i < n && rc == DVT_OK; i++)
		rc = dvt_x509_from_der(
		    dvt_buf_span(&order[i]->der), &certs[i], err);
	if (rc == DVT_OK)
		rc = dvt_trust_new(certs, n, flags, out, err);
	else
		i--; /* the last one is not there */
	while (i > 0)
		X509_free(certs[--i]);
	return rc;
}

enum dvt_code
dvt_bundle_anchors_pem(
    const struct dvt_bundle *b, struct dvt_buf *out, struct dvt_err *err)
{
	const struct dvt_bundle_cert *order[DVT_BUNDLE_ANCHORS];
	size_t n = by_priority(b, order);

	for (size_t i = 0; i < n; i++)
		dvt_pem_put(out, DVT_PEM_CERT, dvt_buf_span(&order[i]->der));
	return dvt_buf_ok(out, "anchors", err);
}

enum dvt_code
dvt_bundle_sign(const struct dvt_bundle *b, EVP_PKEY *const *keys, size_t n,
    struct dvt_buf *line, struct dvt_err *err)
{
	struct dvt_dsse d = {0};
	struct dvt_buf payload;
	enum dvt_code rc;

	dvt_buf_init(&payload, DVT_BUNDLE_MAX);
	if ((rc = dvt_bundle_format(b, &payload, err)) == DVT_OK)
		rc = dvt_dsse_init(&d, dvt_buf_span(&payload), err);
	for (size_t i = 0; i < n && rc == DVT_OK; i++)
		rc = dvt_dsse_sign(&d, DVT_BUNDLE_TYPE, keys[i], err);
	if (rc == DVT_OK)
		rc = dvt_dsse_format(&d, line, err);
	dvt_dsse_fini(&d);
	dvt_buf_fini(&payload);
	return rc;
}
