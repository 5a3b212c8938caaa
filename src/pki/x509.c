/* SPDX-License-Identifier: Apache-2.0 */
/* Reading certificates and their names: see x509.h; fields in x509_field.c. */
#include "pki/x509.h"

#include "base/mem.h"
#include "pki/key.h"
#include "pki/ssl_err.h"
#include "wire/pem.h"

#include <openssl/err.h>
#include <openssl/sha.h>
#include <openssl/x509v3.h>

#include <time.h>

#define SERIAL_BYTES_MAX 32 /* read; RFC 5280 allows 20, the field has more */

static int64_t
seconds(const ASN1_TIME *t, bool *ok)
{
	struct tm tm;

	*ok = t != NULL && ASN1_TIME_to_tm(t, &tm) == 1;
	if (!*ok)
		ERR_clear_error();
	return *ok ? (int64_t)timegm(&tm) : 0;
}

int64_t
dvt_x509_not_before(const X509 *cert)
{
	bool ok;

	return seconds(X509_get0_notBefore(cert), &ok);
}

int64_t
dvt_x509_not_after(const X509 *cert)
{
	bool ok;

	return seconds(X509_get0_notAfter(cert), &ok);
}

/* What every later reader of this certificate relies on. */
static enum dvt_code
check_fields(const X509 *cert, struct dvt_err *err)
{
	const ASN1_INTEGER *serial = X509_get0_serialNumber(cert);
	bool begin, end;

	if (ASN1_STRING_length(serial) > SERIAL_BYTES_MAX)
		return dvt_fail(err, DVT_E_LIMIT,
		    "certificate: serial of %d bytes, at most %d",
		    ASN1_STRING_length(serial), SERIAL_BYTES_MAX);
	(void)seconds(X509_get0_notBefore(cert), &begin);
	(void)seconds(X509_get0_notAfter(cert), &end);
	if (!begin || !end)
		return dvt_fail(err, DVT_E_INPUT,
		    "certificate: %s is no time (RFC 5280 section 4.1.2.5)",
		    begin ? "notAfter" : "notBefore");
	return DVT_OK;
}

enum dvt_code
dvt_x509_from_der(struct dvt_span der, X509 **out, struct dvt_err *err)
{
	const uint8_t *p = der.p;
	X509 *cert;
	enum dvt_code rc;

	*out = NULL;
	if (der.n > DVT_CERT_DER_MAX)
		return dvt_fail(err, DVT_E_LIMIT,
		    "certificate: %zu bytes, at most %d", der.n,
		    DVT_CERT_DER_MAX);
	if ((cert = d2i_X509(NULL, &p, (long)der.n)) == NULL)
		return dvt_fail_ssl(
		    err, DVT_E_INPUT, "certificate: broken DER");
	if (p != der.p + der.n)
		rc = dvt_fail(err, DVT_E_INPUT,
		    "certificate: %zu bytes behind it",
		    (size_t)(der.p + der.n - p));
	else
		rc = check_fields(cert, err);
	if (rc != DVT_OK) {
		X509_free(cert);
		return rc;
	}
	*out = cert;
	return DVT_OK;
}

enum dvt_code
dvt_x509_from_pem(struct dvt_span pem, X509 **out, struct dvt_err *err)
{
	struct dvt_buf der;
	enum dvt_code rc;

	*out = NULL;
	if (pem.n > DVT_CHAIN_PEM_MAX)
		return dvt_fail(err, DVT_E_LIMIT,
		    "certificate: %zu bytes of PEM, at most %d", pem.n,
		    DVT_CHAIN_PEM_MAX);
	dvt_buf_init(&der, DVT_CERT_DER_MAX);
	rc = dvt_pem_take(&pem, DVT_PEM_CERT, &der, err);
	if (rc == DVT_OK)
		rc = dvt_x509_from_der(dvt_buf_span(&der), out, err);
	else if (rc == DVT_E_ABSENT)
		rc = dvt_fail(err, DVT_E_INPUT,
		    "certificate: no \"BEGIN CERTIFICATE\" in it");
	dvt_buf_fini(&der);
	return rc;
}

enum dvt_code
dvt_x509_to_der(X509 *cert, struct dvt_buf *out, struct dvt_err *err)
{
	uint8_t *der = NULL;
	int n = i2d_X509(cert, &der);

	if (n <= 0)
		return dvt_fail_ssl(err, DVT_E_SYSTEM, "certificate: encoding");
	dvt_buf_put(out, der, (size_t)n);
	OPENSSL_free(der);
	return dvt_buf_ok(out, "certificate", err);
}

enum dvt_code
dvt_x509_to_pem(X509 *cert, struct dvt_buf *out, struct dvt_err *err)
{
	uint8_t *der = NULL;
	int n = i2d_X509(cert, &der);

	if (n <= 0)
		return dvt_fail_ssl(err, DVT_E_SYSTEM, "certificate: encoding");
	dvt_pem_put(out, DVT_PEM_CERT, (struct dvt_span){der, (size_t)n});
	OPENSSL_free(der);
	return dvt_buf_ok(out, "certificate", err);
}

void
dvt_x509_fingerprint(const X509 *cert, char out[DVT_DIGEST_HEX])
{
	uint8_t md[EVP_MAX_MD_SIZE];
	unsigned n = 0;

	/* of one that was read it fails by want of memory alone */
	if (X509_digest(cert, EVP_sha256(), md, &n) != 1)
		dvt_out_of_memory();
	dvt_hex(md, n, out, DVT_DIGEST_HEX);
}

void
dvt_x509_serial(const X509 *cert, char out[DVT_SERIAL_HEX])
{
	const ASN1_INTEGER *serial = X509_get0_serialNumber(cert);
	size_t n = (size_t)ASN1_STRING_length(serial);
	size_t at = 0;

	if (n > SERIAL_BYTES_MAX)
		n = SERIAL_BYTES_MAX; /* not one of dvt_x509_from_der() */
	if (ASN1_STRING_type(serial) == V_ASN1_NEG_INTEGER)
		out[at++] = '-';
	dvt_hex(
	    ASN1_STRING_get0_data(serial), n, out + at, DVT_SERIAL_HEX - at);
}

static const char *
name_text(const X509_NAME *name, char out[DVT_DN_TEXT])
{
	BIO *bio = BIO_new(BIO_s_mem());
	char *text = NULL;
	long n = 0;

	out[0] = '\0';
	if (bio != NULL &&
	    X509_NAME_print_ex(bio, name, 0,
		XN_FLAG_RFC2253 & ~(unsigned long)ASN1_STRFLGS_ESC_MSB) >= 0)
		n = BIO_get_mem_data(bio, &text);
	if (n > DVT_DN_TEXT - 1)
		n = DVT_DN_TEXT - 1;
	if (n > 0)
		memcpy(out, text, (size_t)n);
	out[n > 0 ? n : 0] = '\0';
	BIO_free(bio);
	ERR_clear_error();
	return out;
}

const char *
dvt_x509_name_text(struct dvt_span der, char out[DVT_DN_TEXT])
{
	const uint8_t *p = der.p;
	X509_NAME *name = d2i_X509_NAME(NULL, &p, (long)der.n);

	out[0] = '\0';
	if (name != NULL)
		(void)name_text(name, out);
	X509_NAME_free(name);
	ERR_clear_error();
	return out;
}

const char *
dvt_x509_subject(const X509 *cert, char out[DVT_DN_TEXT])
{
	return name_text(X509_get_subject_name(cert), out);
}

const char *
dvt_x509_issuer(const X509 *cert, char out[DVT_DN_TEXT])
{
	return name_text(X509_get_issuer_name(cert), out);
}

static struct dvt_span
name_der(const X509_NAME *name)
{
	const uint8_t *p = NULL;
	size_t n = 0;

	if (X509_NAME_get0_der(name, &p, &n) != 1)
		return (struct dvt_span){NULL, 0};
	return (struct dvt_span){p, n};
}

struct dvt_span
dvt_x509_subject_der(const X509 *cert)
{
	return name_der(X509_get_subject_name(cert));
}

struct dvt_span
dvt_x509_issuer_der(const X509 *cert)
{
	return name_der(X509_get_issuer_name(cert));
}

static void
issuer_id(struct dvt_span name, const ASN1_OCTET_STRING *key_id,
    char out[DVT_ISSUER_ID])
{
	struct dvt_buf b;
	char hex[DVT_DIGEST_HEX];

	dvt_buf_init(&b, DVT_CERT_DER_MAX * 2);
	dvt_buf_put_span(&b, name);
	if (key_id != NULL)
		dvt_buf_put_span(
		    &b, (struct dvt_span){ASN1_STRING_get0_data(key_id),
			    (size_t)ASN1_STRING_length(key_id)});
	dvt_sha256_hex(dvt_buf_span(&b), hex);
	dvt_buf_fini(&b);
	memcpy(out, hex, DVT_ISSUER_ID - 1);
	out[DVT_ISSUER_ID - 1] = '\0';
}

void
dvt_x509_issuer_id(const X509 *cert, char out[DVT_ISSUER_ID])
{
	issuer_id(dvt_x509_issuer_der(cert),
	    X509_get0_authority_key_id((X509 *)(uintptr_t)cert), out);
}

void
dvt_x509_issuer_id_of_ca(const X509 *ca, char out[DVT_ISSUER_ID])
{
	issuer_id(dvt_x509_subject_der(ca),
	    X509_get0_subject_key_id((X509 *)(uintptr_t)ca), out);
}

const char *
dvt_x509_common_name(const X509 *cert, char out[DVT_DN_TEXT])
{
	const X509_NAME *name = X509_get_subject_name(cert);
	int at = X509_NAME_get_index_by_NID(name, NID_commonName, -1);
	unsigned char *text = NULL;
	int n;

	out[0] = '\0';
	if (at < 0)
		return out;
	n = ASN1_STRING_to_UTF8(
	    &text, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, at)));
	if (n > 0 && n < DVT_DN_TEXT && memchr(text, 0, (size_t)n) == NULL) {
		memcpy(out, text, (size_t)n);
		out[n] = '\0';
	}
	OPENSSL_free(text);
	ERR_clear_error();
	return out;
}
