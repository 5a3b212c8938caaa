/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Certificates: reading them within limits, their fields in plain types.
 * Chains are in pki/chain.h, path validation in pki/verify.h.
 */
#ifndef DVT_PKI_X509_H
#define DVT_PKI_X509_H

#include "base/hex.h"
#include "base/limits.h"
#include "base/span.h"
#include "wire/ext.h"

#include <openssl/x509.h>

/* A serial as text with sign and NUL; ours have 40 digits, others up to 64. */
#define DVT_SERIAL_HEX 66
/* A name as text with its NUL; longer ones are cut (compare the DER). */
#define DVT_DN_TEXT  512
#define DVT_SANS_MAX 32 /* alternative names of one certificate */

/* One alternative name; IP addresses as people write them. */
struct dvt_san {
	uint8_t kind; /* DVT_SAN_DNS, _IP, _URI, _EMAIL (wire/ext.h) */
	char text[DVT_HOST_MAX + 1];
};

/**
 * dvt_x509_from_der() - exactly one certificate
 * @der: at most DVT_CERT_DER_MAX bytes, nothing behind it
 * @out: the caller frees it
 *
 * Return: DVT_OK; DVT_E_LIMIT (size, serial over 32 bytes); DVT_E_INPUT.
 * Source: RFC 5280 section 4.1.
 */
DVT_MUST_USE enum dvt_code dvt_x509_from_der(
    struct dvt_span der, X509 **out, struct dvt_err *err);
/* The first certificate of a PEM text; words around it are allowed. */
DVT_MUST_USE enum dvt_code dvt_x509_from_pem(
    struct dvt_span pem, X509 **out, struct dvt_err *err);
/* Append; fails only when @out is full. */
DVT_MUST_USE enum dvt_code dvt_x509_to_der(
    X509 *cert, struct dvt_buf *out, struct dvt_err *err);
DVT_MUST_USE enum dvt_code dvt_x509_to_pem(
    X509 *cert, struct dvt_buf *out, struct dvt_err *err);

/* Lower-case hex of SHA-256 over the DER: what names a certificate here. */
void dvt_x509_fingerprint(const X509 *cert, char out[DVT_DIGEST_HEX]);
/* Lower-case hex of the serial's bytes ("0a31..."), "-" before a negative. */
void dvt_x509_serial(const X509 *cert, char out[DVT_SERIAL_HEX]);
/* RFC 2253 text, most specific first; UTF-8; returns @out. */
const char *dvt_x509_subject(const X509 *cert, char out[DVT_DN_TEXT]);
const char *dvt_x509_issuer(const X509 *cert, char out[DVT_DN_TEXT]);
/* The same of a Name in DER; "" when it cannot be read. */
const char *dvt_x509_name_text(struct dvt_span der, char out[DVT_DN_TEXT]);
/* DER of the Name; borrowed from @cert. */
struct dvt_span dvt_x509_subject_der(const X509 *cert);
struct dvt_span dvt_x509_issuer_der(const X509 *cert);
/*
 * Name and key of what signed @cert (RFC 5280 sections 4.1.2.4, 4.2.1.1), and
 * the same of a CA that will sign (4.2.1.2): equal when one is of the other.
 * Without key identifiers by name alone.
 */
#define DVT_ISSUER_ID 33 /* hex digits and NUL */
void dvt_x509_issuer_id(const X509 *cert, char out[DVT_ISSUER_ID]);
void dvt_x509_issuer_id_of_ca(const X509 *ca, char out[DVT_ISSUER_ID]);
/* First commonName of the subject; "" when there is none or it is too long. */
const char *dvt_x509_common_name(const X509 *cert, char out[DVT_DN_TEXT]);

int64_t dvt_x509_not_before(const X509 *cert); /* Unix seconds */
int64_t dvt_x509_not_after(const X509 *cert);
/**
 * dvt_x509_check_time() - refuse what has not begun or is over
 * @now: Unix seconds
 *
 * The text says by how many seconds, and to look at the clock.
 * Return: DVT_OK; DVT_E_INPUT.
 */
DVT_MUST_USE enum dvt_code dvt_x509_check_time(
    const X509 *cert, int64_t now, struct dvt_err *err);

/* basicConstraints CA:TRUE and, where present, keyCertSign. */
bool dvt_x509_is_ca(X509 *cert);
/* pathLenConstraint; -1 when there is none. */
int64_t dvt_x509_pathlen(X509 *cert);
/* Issuer is subject and its own key made the signature. */
bool dvt_x509_is_self_signed(X509 *cert);
/* @issuer's name and key fit @cert's issuer and signature. */
bool dvt_x509_is_issued_by(X509 *cert, X509 *issuer);

/* Key identifiers; borrowed; empty when the extension is absent. */
struct dvt_span dvt_x509_ski(X509 *cert);
struct dvt_span dvt_x509_aki(X509 *cert);
/* The whole value of subjectAltName (a DER SEQUENCE); borrowed; may be empty */
struct dvt_span dvt_x509_san_der(const X509 *cert);
/**
 * dvt_x509_sans() - DNS, IP, URI and e-mail names, in their order
 * @out: room for DVT_SANS_MAX
 * @n:   out: how many
 *
 * Return: DVT_OK (also when there are none); DVT_E_LIMIT (too many, too
 *         long); DVT_E_INPUT (control characters, broken address).
 */
DVT_MUST_USE enum dvt_code dvt_x509_sans(
    const X509 *cert, struct dvt_san *out, size_t *n, struct dvt_err *err);

/* Append the certificate's SubjectPublicKeyInfo as it stands in it. */
DVT_MUST_USE enum dvt_code dvt_x509_spki(
    const X509 *cert, struct dvt_buf *out, struct dvt_err *err);
/* The key's digest (pki/key.h), from the bytes in the certificate. */
void dvt_x509_key_digest(const X509 *cert, char out[DVT_DIGEST_HEX]);

#endif
