/* SPDX-License-Identifier: Apache-2.0 */
/* Dates, extensions and keys of certificates: see x509.h. */
#include "pki/x509.h"

#include "pki/key.h"
#include "pki/ssl_err.h"
#include "wire/ext.h"

#include <openssl/err.h>
#include <openssl/sha.h>
#include <openssl/x509v3.h>

#include <arpa/inet.h>
#include <inttypes.h>

enum dvt_code
dvt_x509_check_time(const X509 *cert, int64_t now, struct dvt_err *err)
{
	int64_t begin = dvt_x509_not_before(cert);
	int64_t end = dvt_x509_not_after(cert);

	if (now < begin)
		return dvt_fail(err, DVT_E_INPUT,
		    "starts in %" PRId64 " s; check this host's clock",
		    begin - now);
	if (now > end)
		return dvt_fail(err, DVT_E_INPUT,
		    "ended %" PRId64 " s ago; check this host's clock",
		    now - end);
	return DVT_OK;
}

bool
dvt_x509_is_ca(X509 *cert)
{
	bool ca = X509_check_ca(cert) == 1;

	ERR_clear_error();
	return ca;
}

int64_t
dvt_x509_pathlen(X509 *cert)
{
	return (int64_t)X509_get_pathlen(cert);
}

bool
dvt_x509_is_self_signed(X509 *cert)
{
	bool yes = X509_self_signed(cert, 1) == 1;

	ERR_clear_error();
	return yes;
}

bool
dvt_x509_is_issued_by(X509 *cert, X509 *issuer)
{
	EVP_PKEY *key = X509_get0_pubkey(issuer);
	bool yes = key != NULL &&
		   X509_NAME_cmp(X509_get_issuer_name(cert),
		       X509_get_subject_name(issuer)) == 0 &&
		   X509_verify(cert, key) == 1;

	ERR_clear_error();
	return yes;
}

static struct dvt_span
octets(const ASN1_OCTET_STRING *s)
{
	if (s == NULL)
		return (struct dvt_span){NULL, 0};
	return (struct dvt_span){
	    ASN1_STRING_get0_data(s), (size_t)ASN1_STRING_length(s)};
}

struct dvt_span
dvt_x509_ski(X509 *cert)
{
	return octets(X509_get0_subject_key_id(cert));
}

struct dvt_span
dvt_x509_aki(X509 *cert)
{
	return octets(X509_get0_authority_key_id(cert));
}

struct dvt_span
dvt_x509_san_der(const X509 *cert)
{
	int at = X509_get_ext_by_NID(cert, NID_subject_alt_name, -1);

	if (at < 0)
		return (struct dvt_span){NULL, 0};
	return octets(X509_EXTENSION_get_data(X509_get_ext(cert, at)));
}

/* Raw name to text; addresses as people write them. */
static enum dvt_code
san_text(struct dvt_san *san, struct dvt_span raw, struct dvt_err *err)
{
	if (san->kind == DVT_SAN_IP) {
		int family = raw.n == 4 ? AF_INET : AF_INET6;

		if ((raw.n != 4 && raw.n != 16) ||
		    inet_ntop(family, raw.p, san->text, sizeof(san->text)) ==
			NULL)
			return dvt_fail(err, DVT_E_INPUT,
			    "alternative name: address of %zu bytes", raw.n);
		return DVT_OK;
	}
	if (raw.n > DVT_HOST_MAX)
		return dvt_fail(err, DVT_E_LIMIT,
		    "alternative name: %zu characters, at most %d", raw.n,
		    DVT_HOST_MAX);
	for (size_t i = 0; i < raw.n; i++) {
		if (raw.p[i] < 0x21 || raw.p[i] > 0x7e)
			return dvt_fail(err, DVT_E_INPUT,
			    "alternative name: character 0x%02x (RFC 5280 "
			    "section 4.2.1.6)",
			    raw.p[i]);
	}
	memcpy(san->text, raw.p, raw.n);
	san->text[raw.n] = '\0';
	return DVT_OK;
}

enum dvt_code
dvt_x509_sans(
    const X509 *cert, struct dvt_san *out, size_t *n, struct dvt_err *err)
{
	struct dvt_span names = dvt_x509_san_der(cert), raw;
	uint8_t tag;
	enum dvt_code rc;

	*n = 0;
	if (names.n == 0)
		return DVT_OK;
	if ((rc = dvt_ext_san_open(names, &names, err)) != DVT_OK)
		return rc;
	for (size_t i = 0; names.n > 0;) {
		if ((rc = dvt_ext_san_take(&names, &tag, &raw, err)) != DVT_OK)
			return rc;
		if (tag != DVT_SAN_DNS && tag != DVT_SAN_IP &&
		    tag != DVT_SAN_URI && tag != DVT_SAN_EMAIL)
			continue;
		if (i == DVT_SANS_MAX)
			return dvt_fail(err, DVT_E_LIMIT,
			    "more than %d alternative names", DVT_SANS_MAX);
		out[i].kind = tag;
		if ((rc = san_text(&out[i], raw, err)) != DVT_OK)
			return rc;
		*n = ++i;
	}
	return DVT_OK;
}

enum dvt_code
dvt_x509_spki(const X509 *cert, struct dvt_buf *out, struct dvt_err *err)
{
	uint8_t *der = NULL;
	int n = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(cert), &der);

	if (n <= 0)
		return dvt_fail_ssl(
		    err, DVT_E_SYSTEM, "certificate: public key encoding");
	dvt_buf_put(out, der, (size_t)n);
	OPENSSL_free(der);
	return dvt_buf_ok(out, "public key", err);
}

void
dvt_x509_key_digest(const X509 *cert, char out[DVT_DIGEST_HEX])
{
	uint8_t md[SHA256_DIGEST_LENGTH], *der = NULL;
	int n = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(cert), &der);

	out[0] = '\0';
	if (n <= 0) {
		ERR_clear_error();
		return;
	}
	dvt_sha256((struct dvt_span){der, (size_t)n}, md);
	OPENSSL_free(der);
	dvt_hex(md, sizeof(md), out, DVT_DIGEST_HEX);
}
