/* SPDX-License-Identifier: Apache-2.0 */
/* TBSCertificate from fields, byte by byte: see tbs.h. RFC 5280 section 4. */
#include "pki/tbs.h"

#include "pki/key.h"
#include "wire/der.h"
#include "wire/oid.h"

#include <openssl/sha.h>

#define KEY_ID_BYTES 20 /* RFC 7093 section 2 method 1 */

#define OID_OCSP_SIGNING DVT_SPAN_LIT("\x2b\x06\x01\x05\x05\x07\x03\x09")
#define OID_AD_OCSP      DVT_SPAN_LIT("\x2b\x06\x01\x05\x05\x07\x30\x01")
#define OID_AD_CA        DVT_SPAN_LIT("\x2b\x06\x01\x05\x05\x07\x30\x02")

const EVP_MD *
dvt_tbs_digest(const EVP_PKEY *key)
{
	return dvt_key_kind(key) == DVT_KEY_P384 ? EVP_sha384() : EVP_sha256();
}

void
dvt_tbs_put_algorithm(struct dvt_buf *b, const EVP_PKEY *key)
{
	enum dvt_key_kind kind = dvt_key_kind(key);
	size_t seq = dvt_der_open(b, DVT_DER_SEQ);

	if (kind == DVT_KEY_RSA) {
		dvt_der_put_oid(b, DVT_OID_RSA_SHA256);
		dvt_der_put_null(b);
	} else {
		dvt_der_put_oid(b, kind == DVT_KEY_P384 ? DVT_OID_ECDSA_SHA384
							: DVT_OID_ECDSA_SHA256);
	}
	dvt_der_close(b, seq);
}

static void
put_basic_constraints(struct dvt_buf *b, struct dvt_buf *v, int pathlen)
{
	size_t seq = dvt_der_open(v, DVT_DER_SEQ);

	dvt_der_put_bool(v, true);
	if (pathlen >= 0)
		dvt_der_put_i64(v, pathlen);
	dvt_der_close(v, seq);
	dvt_ext_put(b, DVT_OID_BASIC_CONSTRAINTS, true, dvt_buf_span(v));
}

static void
put_eku(struct dvt_buf *b, struct dvt_buf *v, unsigned eku)
{
	size_t seq = dvt_der_open(v, DVT_DER_SEQ);

	if (eku & DVT_EKU_SERVER)
		dvt_der_put_oid(v, DVT_OID_SERVER_AUTH);
	if (eku & DVT_EKU_CLIENT)
		dvt_der_put_oid(v, DVT_OID_CLIENT_AUTH);
	if (eku & DVT_EKU_OCSP)
		dvt_der_put_oid(v, OID_OCSP_SIGNING);
	dvt_der_close(v, seq);
	dvt_ext_put(b, DVT_OID_EXT_KEY_USAGE, false, dvt_buf_span(v));
}

/* SHA-256 over the key's bits, its first 160. */
static void
key_id(struct dvt_span key_bits, uint8_t out[KEY_ID_BYTES])
{
	uint8_t md[SHA256_DIGEST_LENGTH];

	dvt_sha256(key_bits, md);
	memcpy(out, md, KEY_ID_BYTES);
}

static void
put_ski(struct dvt_buf *b, struct dvt_buf *v, const struct dvt_issue *w,
    const struct dvt_spki *spki)
{
	uint8_t made[KEY_ID_BYTES];
	struct dvt_span id = w->ski;

	if (id.n == 0) {
		key_id(spki->key, made);
		id = (struct dvt_span){made, sizeof(made)};
	}
	dvt_der_put(v, DVT_DER_OCTETS, id);
	dvt_ext_put(b, DVT_OID_SUBJECT_KEY_ID, false, dvt_buf_span(v));
}

void
dvt_tbs_put_aki(struct dvt_buf *b, X509 *issuer)
{
	struct dvt_span id = dvt_x509_ski(issuer);
	uint8_t made[KEY_ID_BYTES];
	struct dvt_buf v;
	size_t seq;

	if (id.n == 0) { /* an old CA without one */
		const ASN1_BIT_STRING *bits = X509_get0_pubkey_bitstr(issuer);

		key_id((struct dvt_span){ASN1_STRING_get0_data(bits),
			   (size_t)ASN1_STRING_length(bits)},
		    made);
		id = (struct dvt_span){made, sizeof(made)};
	}
	dvt_buf_init(&v, DVT_CERT_DER_MAX);
	seq = dvt_der_open(&v, DVT_DER_SEQ);
	dvt_der_put(&v, DVT_DER_CTX(0), id);
	dvt_der_close(&v, seq);
	dvt_ext_put(b, DVT_OID_AUTHORITY_KEY_ID, false, dvt_buf_span(&v));
	dvt_buf_fini(&v);
}

static bool
is_ia5_word(const char *s)
{
	if (*s == '\0')
		return false;
	for (; *s != '\0'; s++) {
		if (*s < 0x21 || *s > 0x7e)
			return false;
	}
	return true;
}

static enum dvt_code
put_san(struct dvt_buf *v, const struct dvt_san *san, struct dvt_err *err)
{
	uint8_t address[DVT_IP_BYTES];
	struct dvt_span raw = dvt_span_str(san->text);
	bool ok;

	if (san->kind == DVT_SAN_IP) {
		raw.p = address;
		raw.n = dvt_ip_parse(san->text, address);
		ok = raw.n > 0;
	} else if (san->kind == DVT_SAN_DNS) {
		ok = dvt_is_dns_name(san->text);
	} else {
		ok = (san->kind == DVT_SAN_URI || san->kind == DVT_SAN_EMAIL) &&
		     is_ia5_word(san->text);
	}
	if (!ok)
		return dvt_fail(err, DVT_E_INPUT,
		    "alternative name \"%s\" is none of its kind (RFC 5280 "
		    "section 4.2.1.6)",
		    san->text);
	dvt_der_put(v, san->kind, raw);
	return DVT_OK;
}

static enum dvt_code
put_sans(struct dvt_buf *b, struct dvt_buf *v, const struct dvt_issue *w,
    struct dvt_err *err)
{
	size_t seq = dvt_der_open(v, DVT_DER_SEQ);
	enum dvt_code rc;

	for (size_t i = 0; i < w->sans_n; i++) {
		if ((rc = put_san(v, &w->sans[i], err)) != DVT_OK)
			return rc;
	}
	dvt_der_close(v, seq);
	dvt_ext_put(b, DVT_OID_SUBJECT_ALT_NAME, false, dvt_buf_span(v));
	return DVT_OK;
}

static enum dvt_code
put_crl_url(
    struct dvt_buf *b, struct dvt_buf *v, const char *url, struct dvt_err *err)
{
	size_t points, point, name, full;

	if (!is_ia5_word(url))
		return dvt_fail(err, DVT_E_INPUT, "issue: CRL address");
	points = dvt_der_open(v, DVT_DER_SEQ);
	point = dvt_der_open(v, DVT_DER_SEQ);
	name = dvt_der_open(v, DVT_DER_CTXC(0));
	full = dvt_der_open(v, DVT_DER_CTXC(0));
	dvt_der_put_str(v, DVT_SAN_URI, url);
	dvt_der_close(v, full);
	dvt_der_close(v, name);
	dvt_der_close(v, point);
	dvt_der_close(v, points);
	dvt_ext_put(b, DVT_OID_CRL_POINTS, false, dvt_buf_span(v));
	return DVT_OK;
}

static void
put_access(struct dvt_buf *v, struct dvt_span method, const char *url)
{
	size_t seq;

	if (url == NULL)
		return;
	seq = dvt_der_open(v, DVT_DER_SEQ);
	dvt_der_put_oid(v, method);
	dvt_der_put_str(v, DVT_SAN_URI, url);
	dvt_der_close(v, seq);
}

static enum dvt_code
put_aia(struct dvt_buf *b, struct dvt_buf *v, const struct dvt_issue *w,
    struct dvt_err *err)
{
	size_t seq;

	if ((w->ocsp_url != NULL && !is_ia5_word(w->ocsp_url)) ||
	    (w->ca_url != NULL && !is_ia5_word(w->ca_url)))
		return dvt_fail(err, DVT_E_INPUT, "issue: access address");
	seq = dvt_der_open(v, DVT_DER_SEQ);
	put_access(v, OID_AD_OCSP, w->ocsp_url);
	put_access(v, OID_AD_CA, w->ca_url);
	dvt_der_close(v, seq);
	dvt_ext_put(b, DVT_OID_AUTHORITY_INFO_ACCESS, false, dvt_buf_span(v));
	return DVT_OK;
}

static enum dvt_code
put_addresses(struct dvt_buf *b, struct dvt_buf *v, const struct dvt_issue *w,
    struct dvt_err *err)
{
	enum dvt_code rc = DVT_OK;

	if (w->sans_n > 0)
		rc = put_sans(b, v, w, err);
	else if (w->san_der.n > 0)
		dvt_ext_put(b, DVT_OID_SUBJECT_ALT_NAME, false, w->san_der);
	dvt_buf_reset(v);
	if (rc == DVT_OK && w->crl_url != NULL)
		rc = put_crl_url(b, v, w->crl_url, err);
	dvt_buf_reset(v);
	if (rc == DVT_OK && (w->ocsp_url != NULL || w->ca_url != NULL))
		rc = put_aia(b, v, w, err);
	return rc;
}

static enum dvt_code
put_extensions(struct dvt_buf *b, const struct dvt_issue *w,
    const struct dvt_spki *spki, X509 *issuer, struct dvt_err *err)
{
	size_t tagged = dvt_der_open(b, DVT_DER_CTXC(3));
	size_t seq = dvt_der_open(b, DVT_DER_SEQ);
	struct dvt_buf v; /* one extension's value after the other */
	enum dvt_code rc;

	dvt_buf_init(&v, DVT_CERT_DER_MAX);
	if (w->ca)
		put_basic_constraints(b, &v, w->pathlen);
	dvt_buf_reset(&v);
	dvt_der_put_named_bits(&v, w->key_usage);
	dvt_ext_put(b, DVT_OID_KEY_USAGE, true, dvt_buf_span(&v));
	dvt_buf_reset(&v);
	if (w->eku != 0)
		put_eku(b, &v, w->eku);
	dvt_buf_reset(&v);
	put_ski(b, &v, w, spki);
	dvt_buf_reset(&v);
	if (issuer != NULL)
		dvt_tbs_put_aki(b, issuer);
	rc = put_addresses(b, &v, w, err);
	dvt_buf_fini(&v);
	dvt_der_close(b, seq);
	dvt_der_close(b, tagged);
	return rc;
}

enum dvt_code
dvt_tbs_put(struct dvt_buf *b, const struct dvt_issue *w,
    const struct dvt_spki *spki, X509 *issuer, EVP_PKEY *key,
    struct dvt_err *err)
{
	size_t seq = dvt_der_open(b, DVT_DER_SEQ), mark;
	enum dvt_code rc;

	mark = dvt_der_open(b, DVT_DER_CTXC(0));
	dvt_der_put_i64(b, 2); /* v3 */
	dvt_der_close(b, mark);
	dvt_der_put_uint(b, (struct dvt_span){w->serial, sizeof(w->serial)});
	dvt_tbs_put_algorithm(b, key);
	dvt_buf_put_span(
	    b, issuer == NULL ? w->subject : dvt_x509_subject_der(issuer));
	mark = dvt_der_open(b, DVT_DER_SEQ);
	dvt_der_put_time(b, w->not_before);
	dvt_der_put_time(b, w->not_after);
	dvt_der_close(b, mark);
	dvt_buf_put_span(b, w->subject);
	dvt_buf_put_span(b, w->spki);
	if ((rc = put_extensions(b, w, spki, issuer, err)) != DVT_OK)
		return rc;
	dvt_der_close(b, seq);
	return dvt_buf_ok(b, "certificate", err);
}
