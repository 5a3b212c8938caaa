/* SPDX-License-Identifier: Apache-2.0 */
/* SubjectPublicKeyInfo (RFC 5280 section 4.1.2.7) read as spans. */
#ifndef DVT_WIRE_SPKI_H
#define DVT_WIRE_SPKI_H

#include "base/span.h"

#define DVT_KEY_KINDS(X)                                                       \
	X(DVT_KEY_OTHER, "other")                                              \
	X(DVT_KEY_P256, "ec-p256")                                             \
	X(DVT_KEY_P384, "ec-p384")                                             \
	X(DVT_KEY_RSA, "rsa")

#define DVT_KEY_KIND_ENUM(kind, name) kind,
enum dvt_key_kind { DVT_KEY_KINDS(DVT_KEY_KIND_ENUM) };

struct dvt_spki {
	struct dvt_span der;       /* whole SubjectPublicKeyInfo */
	struct dvt_span algorithm; /* OID contents octets */
	struct dvt_span key;       /* contents of the BIT STRING */
	enum dvt_key_kind kind;
	unsigned key_bits;        /* 256, 384, modulus bits; 0 for other */
	struct dvt_span point;    /* P-256, P-384: 04 || x || y */
	struct dvt_span modulus;  /* RSA: without leading zeros */
	struct dvt_span exponent; /* RSA: the same */
};

/**
 * dvt_spki_take() - one SubjectPublicKeyInfo
 * @in: moved past it on success
 *
 * A key of another kind, curve or point form than the struct knows is
 * DVT_KEY_OTHER, not an error; whether it may be used is the caller's rule.
 * That the point is on its curve is not checked here.
 * Return: DVT_OK; DVT_E_INPUT.
 * Source: RFC 5480 section 2, RFC 8017 appendix A.1.1.
 */
DVT_MUST_USE enum dvt_code dvt_spki_take(
    struct dvt_span *in, struct dvt_spki *out, struct dvt_err *err);

const char *dvt_key_kind_name(enum dvt_key_kind kind);

#endif
