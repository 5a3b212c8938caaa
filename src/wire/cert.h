/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Certificate (RFC 5280 section 4.1) read as spans, so that hot code, and
 * code that only wants a date or a serial, need not decode keys.
 */
#ifndef DVT_WIRE_CERT_H
#define DVT_WIRE_CERT_H

#include "wire/ext.h"
#include "wire/spki.h"

struct dvt_cert {
	struct dvt_span der;     /* the whole certificate */
	struct dvt_span tbs;     /* TBSCertificate: what is signed */
	int version;             /* 1 to 3 */
	struct dvt_span serial;  /* INTEGER contents, two's complement */
	struct dvt_span sig_alg; /* OID contents octets, same in and outside */
	struct dvt_span issuer;  /* whole Name */
	struct dvt_span subject; /* whole Name */
	int64_t not_before;      /* Unix seconds */
	int64_t not_after;       /* Unix seconds */
	struct dvt_spki spki;
	struct dvt_exts exts;
	struct dvt_span san;       /* value of subjectAltName, or {NULL, 0} */
	bool ca;                   /* basicConstraints with CA:TRUE */
	int64_t path_len;          /* -1: none given */
	struct dvt_span signature; /* contents of the BIT STRING */
};

/**
 * dvt_cert_take() - one certificate
 * @in:  moved past it on success; at most DVT_CERT_DER_MAX bytes of it
 * @out: out: valid on DVT_OK only; points into @in
 *
 * Nothing is verified: no signature, no dates. Odd serials, empty names and
 * unknown extensions are read, as an inventory has to hold what is out there.
 * Return: DVT_OK; DVT_E_INPUT; DVT_E_LIMIT.
 */
DVT_MUST_USE enum dvt_code dvt_cert_take(
    struct dvt_span *in, struct dvt_cert *out, struct dvt_err *err);

/* The same, and nothing may follow. */
DVT_MUST_USE enum dvt_code dvt_cert_parse(
    struct dvt_span der, struct dvt_cert *out, struct dvt_err *err);

/* Issuer and subject are the same bytes. */
bool dvt_cert_self_issued(const struct dvt_cert *cert);

#endif
