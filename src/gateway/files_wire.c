/* SPDX-License-Identifier: Apache-2.0 */
/* Files as fields of messages to a worker, and as a report tells them. */
#include "gateway/files.h"

#include "base/mem.h"
#include "ipc/fields.h"
#include "pki/crl_read.h"
#include "pki/key.h"
#include "pki/x509.h"

#include <stdlib.h>
#include <string.h>

/* --- lists --- */

/* Those that are kept whole are counted by themselves. */
static size_t
wholes_before(const struct gw_files *f, size_t i)
{
	size_t n = 0;

	while (i-- > 0)
		n += f->crl_head[i].der.n == 0;
	return n;
}

size_t
gw_crl_part_put(
    const struct gw_files *f, size_t i, size_t from, struct dvt_buf *out)
{
	uint8_t *der = NULL;
	bool whole = i < f->crl_n && f->crl_head[i].der.n == 0;
	int n = whole ? i2d_X509_CRL(f->crl[i], &der) : 0;
	size_t part = n > 0 && (size_t)n > from ? (size_t)n - from : 0;

	if (part > GW_CRL_PART)
		part = GW_CRL_PART;
	if (part > 0) {
		dvt_put_u64(out, wholes_before(f, i));
		dvt_put_bytes(out, (struct dvt_span){der + from, part});
	}
	OPENSSL_free(der);
	return part;
}

enum dvt_code
gw_crl_part_get(
    struct dvt_fields *in, struct gw_crl_parts *parts, struct dvt_err *err)
{
	size_t i = (size_t)dvt_get_u64(in, GW_CRLS_MAX - 1);
	struct dvt_span part = dvt_get_bytes(in, GW_CRL_PART);
	enum dvt_code rc = dvt_fields_end(in, "CRL", err);

	if (rc != DVT_OK)
		return rc;
	if (i > parts->n)
		return dvt_fail(err, DVT_E_CONFLICT, "CRL %zu too early", i);
	if (i == parts->n)
		dvt_buf_init(&parts->der[parts->n++], DVT_CRL_DER_MAX);
	dvt_buf_put_span(&parts->der[i], part);
	return dvt_buf_ok(&parts->der[i], "CRL", err);
}

void
gw_crl_parts_fini(struct gw_crl_parts *parts)
{
	while (parts->n > 0)
		dvt_buf_fini(&parts->der[--parts->n]);
}

static void
crls_put(const struct gw_files *f, struct dvt_buf *out)
{
	dvt_put_count(out, f->crl_n);
	for (size_t i = 0; i < f->crl_n; i++) {
		const struct dvt_crl_head *h = &f->crl_head[i];

		dvt_put_bytes(out, dvt_buf_span(&h->der)); /* none: whole */
		dvt_put_bytes(out, (struct dvt_span){h->digest, h->digest_n});
	}
}

static void
head_get(struct dvt_fields *in, struct dvt_crl_head *out)
{
	struct dvt_span der = dvt_get_bytes(in, DVT_CRL_HEAD_MAX);
	struct dvt_span digest = dvt_get_bytes(in, sizeof(out->digest));

	dvt_buf_init(&out->der, DVT_CRL_HEAD_MAX);
	dvt_buf_put_span(&out->der, der);
	if (digest.n > 0)
		memcpy(out->digest, digest.p, digest.n);
	out->digest_n = digest.n;
}

static enum dvt_code
crls_get(struct dvt_fields *in, int denied, struct gw_crl_parts *parts,
    struct gw_files *out, struct dvt_err *err)
{
	size_t n = dvt_get_count(in, GW_CRLS_MAX), whole = 0, one;
	enum dvt_code rc = DVT_OK;

	for (size_t i = 0; rc == DVT_OK && i < n; i++) {
		struct dvt_crl_head *h = &out->crl_head[i];

		out->crl_n++;
		head_get(in, h);
		if (h->der.n > 0)
			rc = gw_revoked_list(
			    denied, (uint8_t)i, h, &out->crl[i], err);
		else if (whole < parts->n)
			rc = dvt_crls_read(dvt_buf_span(&parts->der[whole++]),
			    1, &out->crl[i], &one, err);
		else
			rc = dvt_fail(
			    err, DVT_E_CONFLICT, "CRL %zu: missing", i);
	}
	return rc;
}

/* --- pairs --- */

static void
cert_put(X509 *cert, struct dvt_buf *out)
{
	struct dvt_buf der;

	dvt_buf_init(&der, DVT_CERT_DER_MAX);
	if (cert != NULL && dvt_x509_to_der(cert, &der, NULL) != DVT_OK)
		dvt_buf_reset(&der);
	dvt_put_bytes(out, dvt_buf_span(&der));
	dvt_buf_fini(&der);
}

/* No bytes: none. */
static enum dvt_code
cert_get(struct dvt_fields *in, X509 **cert, struct dvt_err *err)
{
	struct dvt_span der = dvt_get_bytes(in, DVT_CERT_DER_MAX);

	return der.n > 0 ? dvt_x509_from_der(der, cert, err) : DVT_OK;
}

static void
pair_put(const struct gw_pair *p, struct dvt_buf *out)
{
	struct dvt_secret key = {0};
	struct dvt_buf pem;

	dvt_buf_init(&pem, DVT_CHAIN_PEM_MAX);
	if (dvt_chain_to_pem(&p->chain, &pem, NULL) != DVT_OK ||
	    dvt_key_to_pkcs8(p->key, &key, NULL) != DVT_OK)
		dvt_buf_reset(&pem); /* the worker will refuse it */
	dvt_put_str(out, p->id);
	dvt_put_bytes(out, dvt_buf_span(&pem));
	dvt_put_bytes(out, (struct dvt_span){key.p, key.n});
	dvt_put_count(out, p->names.n);
	for (size_t i = 0; i < p->names.n; i++)
		dvt_put_str(out, p->names.v[i]);
	cert_put(p->cross, out);
	cert_put(p->root, out);
	dvt_put_bytes(out, p->staple_until > 0
			       ? (struct dvt_span){p->staple, p->staple_n}
			       : (struct dvt_span){NULL, 0});
	dvt_buf_fini(&pem);
	dvt_secret_free(&key);
}

static void
names_get(struct dvt_fields *in, struct dvt_feed_list *out)
{
	size_t n = dvt_get_count(in, DVT_SANS_MAX + GW_NAMES_MAX);

	for (size_t i = 0; i < n; i++) {
		char name[DVT_HOST_MAX + 1];

		dvt_get_str(in, name, sizeof(name));
		dvt_feed_list_add(out, name);
	}
}

static enum dvt_code
pair_get(struct dvt_fields *in, struct gw_pair *p, struct dvt_err *err)
{
	struct dvt_span pem, key, staple;
	enum dvt_code rc;

	dvt_get_str(in, p->id, sizeof(p->id));
	pem = dvt_get_bytes(in, DVT_CHAIN_PEM_MAX);
	key = dvt_get_bytes(in, DVT_KEY_PEM_MAX);
	names_get(in, &p->names);
	if ((rc = dvt_chain_from_pem(pem, &p->chain, err)) != DVT_OK ||
	    (rc = dvt_key_from_pkcs8(key, &p->key, err)) != DVT_OK ||
	    (rc = cert_get(in, &p->cross, err)) != DVT_OK ||
	    (rc = cert_get(in, &p->root, err)) != DVT_OK)
		return rc;
	staple = dvt_get_bytes(in, DVT_STAPLE_MAX);
	if (staple.n > 0) {
		p->staple = dvt_alloc(staple.n);
		memcpy(p->staple, staple.p, staple.n);
		p->staple_n = staple.n;
	}
	return DVT_OK;
}

/* --- all --- */

void
gw_files_put(const struct gw_files *f, struct dvt_buf *out)
{
	dvt_put_i64(out, f->max_depth);
	dvt_put_count(out, f->pairs_n);
	for (size_t i = 0; i < f->pairs_n; i++)
		pair_put(&f->pair[i], out);
	dvt_put_count(out, f->anchor_n);
	for (size_t i = 0; i < f->anchor_n; i++)
		cert_put(f->anchor[i], out);
	crls_put(f, out);
}

enum dvt_code
gw_files_get(struct dvt_fields *in, int denied, struct gw_crl_parts *parts,
    struct gw_files *out, struct dvt_err *err)
{
	enum dvt_code rc = DVT_OK;
	size_t n;

	*out = (struct gw_files){0};
	out->max_depth = (int)dvt_get_i64(in);
	n = dvt_get_count(in, GW_PAIRS_MAX);
	while (rc == DVT_OK && out->pairs_n < n)
		rc = pair_get(in, &out->pair[out->pairs_n++], err);
	n = dvt_get_count(in, GW_CLIENT_CA);
	for (; rc == DVT_OK && out->anchor_n < n; out->anchor_n++)
		rc = dvt_x509_from_der(dvt_get_bytes(in, DVT_CERT_DER_MAX),
		    &out->anchor[out->anchor_n], err);
	if (rc == DVT_OK)
		rc = crls_get(in, denied, parts, out, err);
	gw_crl_parts_fini(parts);
	if (rc == DVT_OK)
		rc = dvt_fields_end(in, "files", err);
	if (rc == DVT_OK)
		rc = dvt_shelf_attach(denied, &out->denied, err);
	if (rc != DVT_OK)
		gw_files_fini(out);
	return rc;
}

enum dvt_code
gw_files_report(const struct gw_files *f, const struct gw_pair *p,
    struct dvt_report_credential *out, struct dvt_err *err)
{
	struct dvt_buf pem;
	X509 *top;
	enum dvt_code rc;

	dvt_buf_init(&pem, DVT_CHAIN_PEM_MAX);
	if ((rc = dvt_chain_to_pem(&p->chain, &pem, err)) != DVT_OK) {
		dvt_buf_fini(&pem);
		return rc;
	}
	(void)dvt_copy_str(out->id, sizeof(out->id), p->id);
	out->chain_pem = dvt_buf_take_str(&pem);
	dvt_x509_key_digest(p->chain.cert[0], out->key_digest);
	for (size_t i = 0; i < p->names.n; i++)
		dvt_feed_list_add(&out->names, p->names.v[i]);
	top = p->chain.cert[p->chain.n - 1];
	if (dvt_x509_is_self_signed(top))
		dvt_x509_fingerprint(top, out->root);
	else if (p->root != NULL)
		dvt_x509_fingerprint(p->root, out->root);
	for (size_t i = 0; out->root[0] == '\0' && i < f->anchor_n; i++)
		if (dvt_x509_is_issued_by(top, f->anchor[i]))
			dvt_x509_fingerprint(f->anchor[i], out->root);
	return DVT_OK;
}
