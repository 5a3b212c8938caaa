/* SPDX-License-Identifier: Apache-2.0 */
/*
 * PKCS#10 certification request (RFC 2986) read as spans, without OpenSSL:
 * the issue path needs the key and little else. Nothing is verified here.
 */
#ifndef DVT_WIRE_CSR_H
#define DVT_WIRE_CSR_H

#include "wire/ext.h"
#include "wire/spki.h"

struct dvt_csr {
	struct dvt_span der;     /* the whole request */
	struct dvt_span tbs;     /* CertificationRequestInfo: what is signed */
	struct dvt_span subject; /* whole Name */
	struct dvt_spki spki;
	struct dvt_span sig_alg;    /* OID contents octets */
	struct dvt_span sig_params; /* whole parameters, or {NULL, 0} */
	struct dvt_span signature;  /* contents of the BIT STRING */

	struct dvt_span challenge; /* challengePassword text, or {NULL, 0} */
	struct dvt_span linking;   /* estIdentityLinking text (RFC 7894) */
	struct dvt_exts exts;      /* extensionRequest; n 0 when absent */
	struct dvt_span
	    san;      /* value of the asked subjectAltName, or {NULL, 0} */
	bool asks_ca; /* asked basicConstraints have CA:TRUE */
	size_t other_attributes; /* attributes that are none of these */
};

/**
 * dvt_csr_parse() - one request, nothing after it
 * @der: at most DVT_CSR_DER_MAX bytes; the spans of @out point into it
 * @out: out: valid on DVT_OK only
 *
 * An empty subject is taken, an attribute list that is left out as well
 * (some clients do). Whether the signature holds is the caller's to check.
 * Return: DVT_OK; DVT_E_INPUT (what does not fit, named); DVT_E_LIMIT.
 * Source: RFC 2986 section 4, RFC 2985 sections 5.4.1 and 5.4.2.
 */
DVT_MUST_USE enum dvt_code dvt_csr_parse(
    struct dvt_span der, struct dvt_csr *out, struct dvt_err *err);

/*
 * The text that binds the request to its TLS session (RFC 7030 section 3.5):
 * estIdentityLinking when there, else challengePassword, else {NULL, 0}.
 */
struct dvt_span dvt_csr_binding(const struct dvt_csr *csr);

#endif
