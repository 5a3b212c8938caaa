/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Issuing: a TBSCertificate assembled from typed fields, byte by byte, then
 * signed once. The same function makes roots, intermediates, leaves and
 * cross-certificates. Nothing of a request gets in but the key.
 */
#ifndef DVT_PKI_ISSUE_H
#define DVT_PKI_ISSUE_H

#include "pki/x509.h"

#include <openssl/evp.h>

#define DVT_SERIAL_BYTES 20 /* RFC 5280 section 4.1.2.2: at most */

/* Extended key usages */
#define DVT_EKU_SERVER 1u
#define DVT_EKU_CLIENT 2u
#define DVT_EKU_OCSP   4u

struct dvt_issue {
	uint8_t serial[DVT_SERIAL_BYTES]; /* big-endian; dvt_serial_make() */
	struct dvt_span subject;          /* DER Name; dvt_name_from_text() */
	struct dvt_span spki;             /* DER; copied as it is */
	int64_t not_before, not_after;    /* Unix seconds */
	const struct dvt_san *sans;
	size_t sans_n;
	/* Or the whole value of the extension, taken over from a certificate
	 * that is renewed; @sans_n is 0 then. */
	struct dvt_span san_der;
	unsigned eku;       /* DVT_EKU_...; 0: extension left out */
	uint16_t key_usage; /* DVT_KU_... of wire/ext.h */
	bool ca;
	int pathlen; /* CA only; -1: no limit */
	/* Key identifier; empty: made from @spki (RFC 7093 method 1). A
	 * cross-certificate takes over the one of its twin. */
	struct dvt_span ski;
	const char *crl_url;  /* NULL: none (RFC 5280 section 4.2.1.13) */
	const char *ocsp_url; /* NULL: none (section 4.2.2.1) */
	const char *ca_url;   /* NULL: none */
};

/* 159 random bits, not zero, first byte below 0x80. */
DVT_MUST_USE enum dvt_code dvt_serial_make(
    uint8_t out[DVT_SERIAL_BYTES], struct dvt_err *err);
/* As dvt_x509_serial() writes it. */
void dvt_serial_hex(
    const uint8_t serial[DVT_SERIAL_BYTES], char out[DVT_SERIAL_HEX]);

/**
 * dvt_name_from_text() - "CN=pump-7,O=Example,C=DE" to a DER Name
 * @text: RFC 4514 (most specific first), single-valued, CN O OU C ST L DC
 *        serialNumber; UTF-8; backslash escapes
 * @out:  gets the DER appended, in the order of the wire (reversed)
 *
 * Return: DVT_OK; DVT_E_INPUT, naming the part.
 */
DVT_MUST_USE enum dvt_code dvt_name_from_text(
    const char *text, struct dvt_buf *out, struct dvt_err *err);
/* One commonName, whatever characters it holds. */
DVT_MUST_USE enum dvt_code dvt_name_from_cn(
    const char *common_name, struct dvt_buf *out, struct dvt_err *err);

/**
 * dvt_issue() - assemble, check, sign
 * @want:       the certificate's fields
 * @issuer:     the CA's certificate; NULL: self-signed (then @key is also the
 *              key in @want->spki)
 * @key:        the CA's private key: EC P-256, P-384 or RSA
 * @now:        Unix seconds
 * @der:        gets the certificate appended
 *
 * Refused, never adjusted: notBefore before the issuer's, notAfter beyond the
 * issuer's, an issuer that has ended, not begun, is no CA or whose pathlen
 * forbids the certificate. dvt_lint() has passed on what comes out.
 * Return: DVT_OK; DVT_E_INPUT (fields); DVT_E_CONFLICT (the issuer does not
 *         allow it, or @key is not its key); DVT_E_SYSTEM.
 * Source: RFC 5280 section 4.
 */
DVT_MUST_USE enum dvt_code dvt_issue(const struct dvt_issue *want, X509 *issuer,
    EVP_PKEY *key, int64_t now, struct dvt_buf *der, struct dvt_err *err);

/**
 * dvt_issue_cross() - NewWithOld: the new root's name and key under the old
 * @new_root: self-signed CA whose subject, key and key identifier are taken
 * @old_root: CA that signs
 * @old_key:  its private key
 * @not_after: Unix seconds; at most both roots' ends
 *
 * Return: as dvt_issue(); DVT_E_CONFLICT under pathlen:0.
 * Source: RFC 4210 section 4.4, RFC 7030 section 4.1.3.
 */
DVT_MUST_USE enum dvt_code dvt_issue_cross(X509 *new_root, X509 *old_root,
    EVP_PKEY *old_key, int64_t now, int64_t not_after, struct dvt_buf *der,
    struct dvt_err *err);

/**
 * dvt_lint() - what must be true of every certificate that leaves here
 * @der:    one certificate
 * @issuer: the CA's certificate; NULL: self-signed
 *
 * Return: DVT_OK; DVT_E_INPUT, naming the rule and its section.
 * Source: RFC 5280 section 4.
 */
DVT_MUST_USE enum dvt_code dvt_lint(
    struct dvt_span der, X509 *issuer, struct dvt_err *err);

#endif
