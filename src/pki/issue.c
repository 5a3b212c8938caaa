/* SPDX-License-Identifier: Apache-2.0 */
/* Assembling and signing certificates: see issue.h. */
#include "pki/issue.h"

#include "pki/key.h"
#include "pki/ssl_err.h"
#include "pki/tbs.h"
#include "wire/der.h"
#include "wire/name.h"
#include "wire/oid.h"
#include "wire/spki.h"

#include <openssl/err.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

#include <inttypes.h>

enum dvt_code
dvt_serial_make(uint8_t out[DVT_SERIAL_BYTES], struct dvt_err *err)
{
	static const uint8_t zero[DVT_SERIAL_BYTES];

	do {
		if (RAND_bytes(out, DVT_SERIAL_BYTES) != 1)
			return dvt_fail_ssl(
			    err, DVT_E_SYSTEM, "no random numbers");
		out[0] &= 0x7f; /* positive in 20 octets: 159 bits are left */
	} while (memcmp(out, zero, sizeof(zero)) == 0);
	return DVT_OK;
}

void
dvt_serial_hex(const uint8_t serial[DVT_SERIAL_BYTES], char out[DVT_SERIAL_HEX])
{
	size_t from = 0;

	while (from < DVT_SERIAL_BYTES - 1 && serial[from] == 0)
		from++;
	dvt_hex(serial + from, DVT_SERIAL_BYTES - from, out, DVT_SERIAL_HEX);
}

/* What can be told without the issuer. */
static enum dvt_code
check_fields(const struct dvt_issue *w, struct dvt_err *err)
{
	static const uint8_t zero[DVT_SERIAL_BYTES];
	enum dvt_code rc;

	if (memcmp(w->serial, zero, sizeof(zero)) == 0 || w->serial[0] > 0x7f)
		return dvt_fail(err, DVT_E_INPUT,
		    "issue: serial is zero or over 159 bits (RFC 5280 section "
		    "4.1.2.2)");
	if ((rc = dvt_name_check(w->subject, err)) != DVT_OK)
		return rc;
	if (w->subject.n <= 2)
		return dvt_fail(err, DVT_E_INPUT, "issue: subject is empty");
	if (w->not_after <= w->not_before)
		return dvt_fail(err, DVT_E_INPUT,
		    "issue: ends %" PRId64 " s before it starts",
		    w->not_before - w->not_after);
	if (w->ca != ((w->key_usage & DVT_KU_KEY_CERT_SIGN) != 0))
		return dvt_fail(err, DVT_E_INPUT,
		    "issue: CA and keyCertSign belong together (RFC 5280 "
		    "section 4.2.1.9)");
	if (!w->ca && (w->eku == 0 || w->key_usage == 0))
		return dvt_fail(err, DVT_E_INPUT,
		    "issue: a leaf needs key usage and extended key usage");
	if (w->sans_n > DVT_SANS_MAX)
		return dvt_fail(err, DVT_E_LIMIT,
		    "issue: %zu alternative names, at most %d", w->sans_n,
		    DVT_SANS_MAX);
	if (w->sans_n > 0 && w->san_der.n > 0)
		return dvt_fail(err, DVT_E_INPUT,
		    "issue: alternative names twice, as list and as bytes");
	return DVT_OK;
}

static enum dvt_code
check_issuer_time(const struct dvt_issue *w, X509 *issuer, const char *name,
    int64_t now, struct dvt_err *err)
{
	int64_t begin = dvt_x509_not_before(issuer);
	int64_t end = dvt_x509_not_after(issuer);

	if (now < begin)
		return dvt_fail(err, DVT_E_CONFLICT,
		    "issuer %.128s starts in %" PRId64
		    " s; check this host's clock",
		    name, begin - now);
	if (now > end)
		return dvt_fail(err, DVT_E_CONFLICT,
		    "issuer %.128s ended %" PRId64 " s ago", name, now - end);
	if (w->not_before < begin)
		return dvt_fail(err, DVT_E_CONFLICT,
		    "issue: would start %" PRId64 " s before its issuer %.128s",
		    begin - w->not_before, name);
	if (w->not_after > end)
		return dvt_fail(err, DVT_E_CONFLICT,
		    "issue: would end %" PRId64 " s after its issuer %.128s",
		    w->not_after - end, name);
	return DVT_OK;
}

static enum dvt_code
check_issuer(const struct dvt_issue *w, X509 *issuer, EVP_PKEY *key,
    int64_t now, struct dvt_err *err)
{
	char name[DVT_DN_TEXT];
	int64_t pathlen = dvt_x509_pathlen(issuer);
	enum dvt_code rc;

	(void)dvt_x509_subject(issuer, name);
	if (!dvt_x509_is_ca(issuer))
		return dvt_fail(err, DVT_E_CONFLICT,
		    "issuer %.128s is no CA (RFC 5280 section 4.2.1.9)", name);
	if ((rc = dvt_key_matches(key, issuer, err)) != DVT_OK)
		return rc;
	if (w->ca && pathlen == 0)
		return dvt_fail(err, DVT_E_CONFLICT,
		    "issuer %.128s has pathlen:0, no CA can stand under it",
		    name);
	if (w->ca && pathlen > 0 && w->pathlen >= pathlen)
		return dvt_fail(err, DVT_E_CONFLICT,
		    "issuer %.128s has pathlen:%" PRId64
		    ", pathlen:%d under it has no effect",
		    name, pathlen, w->pathlen);
	return check_issuer_time(w, issuer, name, now, err);
}

static enum dvt_code
check_self(const struct dvt_issue *w, EVP_PKEY *key, struct dvt_err *err)
{
	struct dvt_buf own;
	enum dvt_code rc;

	if (!w->ca)
		return dvt_fail(
		    err, DVT_E_INPUT, "issue: only a CA may be self-signed");
	dvt_buf_init(&own, DVT_SPKI_MAX);
	rc = dvt_key_to_spki(key, &own, err);
	if (rc == DVT_OK && !dvt_span_eq(dvt_buf_span(&own), w->spki))
		rc = dvt_fail(err, DVT_E_CONFLICT,
		    "issue: self-signed by another key than its own");
	dvt_buf_fini(&own);
	return rc;
}

static enum dvt_code
check_subject_key(
    const struct dvt_issue *w, struct dvt_spki *spki, struct dvt_err *err)
{
	struct dvt_span in = w->spki;
	EVP_PKEY *key;
	enum dvt_code rc;

	if ((rc = dvt_key_from_spki(w->spki, &key, err)) != DVT_OK)
		return rc;
	EVP_PKEY_free(key);
	return dvt_spki_take(&in, spki, err);
}

/* Certificate ::= SEQUENCE { tbs, algorithm, BIT STRING }, appended. */
static enum dvt_code
seal(struct dvt_span tbs, EVP_PKEY *key, struct dvt_buf *der,
    struct dvt_err *err)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	uint8_t sig[1024]; /* RSA-8192 */
	size_t n = sizeof(sig), seq;
	int ok;

	ok = ctx != NULL &&
	     EVP_DigestSignInit(ctx, NULL, dvt_tbs_digest(key), NULL, key) ==
		 1 &&
	     EVP_DigestSign(ctx, sig, &n, tbs.p, tbs.n) == 1;
	EVP_MD_CTX_free(ctx);
	if (!ok)
		return dvt_fail_ssl(err, DVT_E_SYSTEM, "issue: cannot sign");
	seq = dvt_der_open(der, DVT_DER_SEQ);
	dvt_buf_put_span(der, tbs);
	dvt_tbs_put_algorithm(der, key);
	dvt_der_put_bits(der, (struct dvt_span){sig, n});
	dvt_der_close(der, seq);
	return dvt_buf_ok(der, "certificate", err);
}

enum dvt_code
dvt_issue(const struct dvt_issue *want, X509 *issuer, EVP_PKEY *key,
    int64_t now, struct dvt_buf *der, struct dvt_err *err)
{
	struct dvt_buf tbs, cert;
	struct dvt_spki spki;
	enum dvt_code rc;

	if ((rc = check_fields(want, err)) != DVT_OK ||
	    (rc = check_subject_key(want, &spki, err)) != DVT_OK ||
	    (rc = dvt_key_check(key, err)) != DVT_OK)
		return rc;
	rc = issuer == NULL ? check_self(want, key, err)
			    : check_issuer(want, issuer, key, now, err);
	if (rc != DVT_OK)
		return rc;
	dvt_buf_init(&tbs, DVT_CERT_DER_MAX);
	dvt_buf_init(&cert, DVT_CERT_DER_MAX);
	rc = dvt_tbs_put(&tbs, want, &spki, issuer, key, err);
	if (rc == DVT_OK)
		rc = seal(dvt_buf_span(&tbs), key, &cert, err);
	if (rc == DVT_OK)
		rc = dvt_lint(dvt_buf_span(&cert), issuer, err);
	if (rc == DVT_OK) {
		dvt_buf_put_span(der, dvt_buf_span(&cert));
		rc = dvt_buf_ok(der, "certificate", err);
	}
	dvt_buf_fini(&tbs);
	dvt_buf_fini(&cert);
	return rc;
}

enum dvt_code
dvt_issue_cross(X509 *new_root, X509 *old_root, EVP_PKEY *old_key, int64_t now,
    int64_t not_after, struct dvt_buf *der, struct dvt_err *err)
{
	struct dvt_issue want = {
	    .subject = dvt_x509_subject_der(new_root),
	    .not_before = dvt_x509_not_before(new_root),
	    .not_after = not_after,
	    .key_usage = DVT_KU_KEY_CERT_SIGN | DVT_KU_CRL_SIGN,
	    .ca = true,
	    .pathlen = (int)dvt_x509_pathlen(new_root),
	    .ski = dvt_x509_ski(new_root),
	};
	struct dvt_buf spki;
	enum dvt_code rc;

	if (!dvt_x509_is_ca(new_root) || !dvt_x509_is_self_signed(new_root))
		return dvt_fail(err, DVT_E_INPUT,
		    "cross-certificate: the new root is no self-signed CA");
	if (not_after > dvt_x509_not_after(new_root))
		return dvt_fail(err, DVT_E_CONFLICT,
		    "cross-certificate: would outlive the new root");
	if (want.not_before < dvt_x509_not_before(old_root))
		want.not_before = dvt_x509_not_before(old_root);
	dvt_buf_init(&spki, DVT_SPKI_MAX);
	if ((rc = dvt_x509_spki(new_root, &spki, err)) == DVT_OK &&
	    (rc = dvt_serial_make(want.serial, err)) == DVT_OK) {
		want.spki = dvt_buf_span(&spki);
		rc = dvt_issue(&want, old_root, old_key, now, der, err);
	}
	dvt_buf_fini(&spki);
	return rc;
}
