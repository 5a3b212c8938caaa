/* SPDX-License-Identifier: Apache-2.0 */
#include "pki/crl_lean.h"

#include "base/mem.h"
#include "pki/ssl_err.h"
#include "wire/der.h"

#include <openssl/err.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>

#include <stdlib.h>
#include <string.h>

/* --- split --- */

#define REMOVE_FROM_CRL 8 /* RFC 5280 section 5.3.1 */

static const uint8_t reason_code[] = {0x55, 0x1d, 0x15};     /* 2.5.29.21 */
static const uint8_t invalidity_date[] = {0x55, 0x1d, 0x18}; /* 2.5.29.24 */

/* The parts of a list, in its own bytes. */
struct parts {
	struct dvt_span before;  /* version to nextUpdate */
	struct dvt_span entries; /* contents of revokedCertificates */
	struct dvt_span after;   /* crlExtensions */
	struct dvt_span tbs;     /* whole */
	struct dvt_span seal;    /* signatureAlgorithm and signatureValue */
};

static bool
is_time(struct dvt_span in)
{
	int tag = dvt_der_peek_tag(in);

	return tag == DVT_DER_UTC || tag == DVT_DER_GENERALIZED;
}

static bool
skip_time(struct dvt_span *in)
{
	uint8_t tag;

	return is_time(*in) &&
	       dvt_der_take_any(in, &tag, NULL, NULL, NULL) == DVT_OK;
}

/* From @from to where @at has come. */
static struct dvt_span
between(struct dvt_span from, struct dvt_span at)
{
	return (struct dvt_span){from.p, (size_t)(at.p - from.p)};
}

/* version, signature (the same as @alg), issuer, thisUpdate, nextUpdate */
static bool
take_before(struct dvt_span *in, struct dvt_span alg, struct dvt_span *out)
{
	struct dvt_span from = *in, body, inner;

	if (dvt_der_take_opt(in, DVT_DER_INT, &body, NULL) != DVT_OK ||
	    dvt_der_take_whole(in, DVT_DER_SEQ, &inner, &body, NULL) !=
		DVT_OK ||
	    inner.n != alg.n || memcmp(inner.p, alg.p, alg.n) != 0 ||
	    dvt_der_take(in, DVT_DER_SEQ, &body, NULL) != DVT_OK ||
	    !skip_time(in) || (is_time(*in) && !skip_time(in)))
		return false;
	*out = between(from, *in);
	return true;
}

static bool
take_apart(struct dvt_span der, struct parts *out)
{
	struct dvt_span list, tbs, alg, body, seal;
	unsigned unused;

	if (dvt_der_take(&der, DVT_DER_SEQ, &list, NULL) != DVT_OK ||
	    der.n > 0 ||
	    dvt_der_take_whole(&list, DVT_DER_SEQ, &out->tbs, &tbs, NULL) !=
		DVT_OK)
		return false;
	seal = list;
	if (dvt_der_take_whole(&list, DVT_DER_SEQ, &alg, &body, NULL) !=
		DVT_OK ||
	    dvt_der_take_bits(&list, &body, &unused, NULL) != DVT_OK ||
	    unused != 0 || list.n > 0 ||
	    !take_before(&tbs, alg, &out->before) ||
	    dvt_der_take_opt(&tbs, DVT_DER_SEQ, &out->entries, NULL) != DVT_OK)
		return false;
	out->seal = seal;
	out->after = tbs;
	return dvt_der_take_opt(&tbs, DVT_DER_CTXC(0), &body, NULL) == DVT_OK &&
	       tbs.n == 0;
}

/* One that says no more than why, or since when. */
static bool
is_plain_extension(struct dvt_span ext)
{
	struct dvt_span oid, value, code;

	/* a critical one has a BOOLEAN here */
	if (dvt_der_take_oid(&ext, &oid, NULL) != DVT_OK ||
	    dvt_der_take(&ext, DVT_DER_OCTETS, &value, NULL) != DVT_OK ||
	    ext.n > 0 || oid.n != sizeof(reason_code))
		return false;
	if (memcmp(oid.p, invalidity_date, oid.n) == 0)
		return dvt_der_take(&value, DVT_DER_GENERALIZED, &code, NULL) ==
			   DVT_OK &&
		       value.n == 0;
	return memcmp(oid.p, reason_code, oid.n) == 0 &&
	       dvt_der_take(&value, DVT_DER_ENUM, &code, NULL) == DVT_OK &&
	       value.n == 0 && code.n == 1 && code.p[0] != REMOVE_FROM_CRL;
}

static bool
are_plain(struct dvt_span in)
{
	struct dvt_span list, ext;

	if (in.n == 0)
		return true;
	if (dvt_der_take(&in, DVT_DER_SEQ, &list, NULL) != DVT_OK || in.n > 0)
		return false;
	while (list.n > 0)
		if (dvt_der_take(&list, DVT_DER_SEQ, &ext, NULL) != DVT_OK ||
		    !is_plain_extension(ext))
			return false;
	return true;
}

/* The next entry of @in; false: none as we know them. */
static bool
take_entry(struct dvt_span *in, struct dvt_span *serial)
{
	struct dvt_span entry;

	return dvt_der_take(in, DVT_DER_SEQ, &entry, NULL) == DVT_OK &&
	       dvt_der_take_int(&entry, serial, NULL) == DVT_OK &&
	       skip_time(&entry) && are_plain(entry);
}

/* With what it is signed, if that is of the ordinary kind; or NULL. */
static const EVP_MD *
digest_of(const X509_CRL *crl, int *key_kind)
{
	int md;

	if (OBJ_find_sigid_algs(
		X509_CRL_get_signature_nid(crl), &md, key_kind) != 1 ||
	    (*key_kind != EVP_PKEY_EC && *key_kind != EVP_PKEY_RSA))
		return NULL;
	return md == NID_sha256   ? EVP_sha256()
	       : md == NID_sha384 ? EVP_sha384()
	       : md == NID_sha512 ? EVP_sha512()
				  : NULL;
}

static X509_CRL *
parse(struct dvt_span der)
{
	const uint8_t *p = der.p;
	X509_CRL *crl = d2i_X509_CRL(NULL, &p, (long)der.n);

	if (crl != NULL && p != der.p + der.n) {
		X509_CRL_free(crl);
		crl = NULL;
	}
	return crl;
}

static bool
head_of(const struct parts *p, struct dvt_crl_head *out)
{
	size_t list, tbs;
	unsigned n = 0;
	X509_CRL *crl;
	const EVP_MD *md;
	int kind;

	list = dvt_der_open(&out->der, DVT_DER_SEQ);
	tbs = dvt_der_open(&out->der, DVT_DER_SEQ);
	dvt_buf_put_span(&out->der, p->before);
	dvt_buf_put_span(&out->der, p->after);
	dvt_der_close(&out->der, tbs);
	dvt_buf_put_span(&out->der, p->seal);
	dvt_der_close(&out->der, list);
	if (dvt_buf_ok(&out->der, "head", NULL) != DVT_OK ||
	    (crl = parse(dvt_buf_span(&out->der))) == NULL)
		return false;
	md = digest_of(crl, &kind);
	X509_CRL_free(crl);
	if (md == NULL ||
	    EVP_Digest(p->tbs.p, p->tbs.n, out->digest, &n, md, NULL) != 1)
		return false;
	out->digest_n = n;
	return true;
}

enum dvt_code
dvt_crl_split(struct dvt_span der, struct dvt_crl_head *head,
    void (*each)(void *arg, struct dvt_span serial), void *arg)
{
	struct parts parts;
	struct dvt_span in, serial;
	bool good;

	*head = (struct dvt_crl_head){0};
	dvt_buf_init(&head->der, DVT_CRL_HEAD_MAX);
	good = take_apart(der, &parts);
	for (in = good ? parts.entries : (struct dvt_span){0};
	     good && in.n > 0;)
		good = take_entry(&in, &serial);
	if (!good || !head_of(&parts, head)) {
		ERR_clear_error();
		dvt_crl_head_fini(head);
		return DVT_E_ABSENT;
	}
	for (in = parts.entries; in.n > 0 && take_entry(&in, &serial);)
		each(arg, serial);
	return DVT_OK;
}

void
dvt_crl_head_fini(struct dvt_crl_head *head)
{
	dvt_buf_fini(&head->der);
	head->digest_n = 0;
}

/* --- as an X509_CRL --- */

struct lean {
	struct dvt_crl_entries entries;
	X509_REVOKED *entry; /* lent out for all of them */
	uint8_t digest[EVP_MAX_MD_SIZE];
	size_t digest_n;
};

static void
lean_free(struct lean *l)
{
	if (l->entries.done != NULL)
		l->entries.done(l->entries.arg);
	X509_REVOKED_free(l->entry);
	free(l);
}

static int
on_free(X509_CRL *crl)
{
	struct lean *l = X509_CRL_get_meth_data(crl);

	if (l != NULL)
		lean_free(l);
	X509_CRL_set_meth_data(crl, NULL);
	return 1;
}

/* What cannot be asked for want of memory counts as named. */
static bool
names(struct lean *l, const ASN1_INTEGER *number)
{
	uint8_t *der = NULL;
	int n = i2d_ASN1_INTEGER(number, &der);
	struct dvt_span in = {der, n > 0 ? (size_t)n : 0}, serial;
	bool yes = dvt_der_take(&in, DVT_DER_INT, &serial, NULL) != DVT_OK ||
		   l->entries.has(l->entries.arg, serial);

	OPENSSL_free(der);
	return yes;
}

static int
on_lookup(X509_CRL *crl, X509_REVOKED **found, const ASN1_INTEGER *number,
    const X509_NAME *issuer)
{
	struct lean *l = X509_CRL_get_meth_data(crl);

	if (l == NULL ||
	    (issuer != NULL &&
		X509_NAME_cmp(issuer, X509_CRL_get_issuer(crl)) != 0) ||
	    !names(l, number))
		return 0;
	if (found != NULL)
		*found = l->entry;
	return 1;
}

static bool
is_signed_by(EVP_PKEY_CTX *ctx, int kind, const EVP_MD *md,
    const ASN1_BIT_STRING *seal, const struct lean *l)
{
	return EVP_PKEY_verify_init(ctx) == 1 &&
	       (kind != EVP_PKEY_RSA ||
		   EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PADDING) == 1) &&
	       EVP_PKEY_CTX_set_signature_md(ctx, md) == 1 &&
	       EVP_PKEY_verify(ctx, ASN1_STRING_get0_data(seal),
		   (size_t)ASN1_STRING_length(seal), l->digest,
		   l->digest_n) == 1;
}

static int
on_verify(X509_CRL *crl, EVP_PKEY *key)
{
	struct lean *l = X509_CRL_get_meth_data(crl);
	const ASN1_BIT_STRING *seal = NULL;
	int kind, good;
	const EVP_MD *md = digest_of(crl, &kind);
	EVP_PKEY_CTX *ctx;

	X509_CRL_get0_signature(crl, &seal, NULL);
	if (l == NULL || md == NULL || EVP_PKEY_get_base_id(key) != kind ||
	    (ctx = EVP_PKEY_CTX_new(key, NULL)) == NULL)
		return 0;
	good = is_signed_by(ctx, kind, md, seal, l);
	EVP_PKEY_CTX_free(ctx);
	return good;
}

static X509_CRL *
parse_lean(struct dvt_span der)
{
	static X509_CRL_METHOD *method; /* for as long as the process */
	X509_CRL *crl;

	if (method == NULL)
		method = X509_CRL_METHOD_new(
		    NULL, on_free, on_lookup, on_verify);
	if (method == NULL)
		return NULL;
	X509_CRL_set_default_method(method);
	crl = parse(der);
	X509_CRL_set_default_method(NULL);
	return crl;
}

enum dvt_code
dvt_crl_lean(const struct dvt_crl_head *head,
    const struct dvt_crl_entries *entries, X509_CRL **out, struct dvt_err *err)
{
	struct lean *l = dvt_alloc(sizeof(*l));
	const EVP_MD *md = NULL;
	int kind;

	l->entries = *entries;
	l->entry = X509_REVOKED_new();
	memcpy(l->digest, head->digest, head->digest_n);
	l->digest_n = head->digest_n;
	*out = parse_lean(dvt_buf_span(&head->der));
	if (*out != NULL)
		md = digest_of(*out, &kind);
	if (l->entry == NULL || md == NULL ||
	    (size_t)EVP_MD_get_size(md) != l->digest_n) {
		X509_CRL_free(*out);
		*out = NULL;
		lean_free(l);
		return dvt_fail_ssl(err, DVT_E_INPUT, "CRL: no head of one");
	}
	X509_CRL_set_meth_data(*out, l);
	return DVT_OK;
}
