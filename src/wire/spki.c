/* SPDX-License-Identifier: Apache-2.0 */
/* SubjectPublicKeyInfo: see spki.h. */
#include "wire/spki.h"

#include "wire/der.h"
#include "wire/oid.h"

const char *
dvt_key_kind_name(enum dvt_key_kind kind)
{
	switch (kind) {
#define DVT_KEY_KIND_CASE(kind, name)                                          \
	case kind:                                                             \
		return name;
		DVT_KEY_KINDS(DVT_KEY_KIND_CASE)
	}
	return "other";
}

static unsigned
bits_of(struct dvt_span magnitude)
{
	unsigned n = (unsigned)(magnitude.n * 8);

	for (unsigned mask = 0x80; mask != 0; mask >>= 1) {
		if ((magnitude.p[0] & mask) != 0)
			return n;
		n--;
	}
	return n;
}

/* @params: what follows the algorithm's OID. */
static enum dvt_code
read_ec(struct dvt_span params, struct dvt_spki *out, struct dvt_err *err)
{
	struct dvt_span curve;
	enum dvt_key_kind kind;
	enum dvt_code rc;
	size_t octets;

	if (dvt_der_peek_tag(params) != DVT_DER_OID)
		return DVT_OK; /* parameters written out: some other key */
	if ((rc = dvt_der_take_oid(&params, &curve, err)) != DVT_OK)
		return rc;
	if ((rc = dvt_der_done(params, "EC parameters", err)) != DVT_OK)
		return rc;
	if (dvt_span_eq(curve, DVT_OID_P256)) {
		kind = DVT_KEY_P256;
		octets = 32;
	} else if (dvt_span_eq(curve, DVT_OID_P384)) {
		kind = DVT_KEY_P384;
		octets = 48;
	} else {
		return DVT_OK;
	}
	if (out->key.n == 1 + octets &&
	    (out->key.p[0] == 2 || out->key.p[0] == 3))
		return DVT_OK; /* compressed (RFC 5480 section 2.2) */
	if (out->key.n != 1 + 2 * octets || out->key.p[0] != 4)
		return dvt_fail(err, DVT_E_INPUT,
		    "public key: no point of its curve's size");
	out->kind = kind;
	out->key_bits = (unsigned)octets * 8;
	out->point = out->key;
	return DVT_OK;
}

static enum dvt_code
read_rsa(struct dvt_span params, struct dvt_spki *out, struct dvt_err *err)
{
	struct dvt_span in = out->key, seq, n, e, none;
	enum dvt_code rc;

	/* NULL is due (RFC 4055 section 1.2); some leave it out */
	if ((rc = dvt_der_take_opt(&params, DVT_DER_NULL, &none, err)) !=
	    DVT_OK)
		return rc;
	if ((rc = dvt_der_done(params, "RSA parameters", err)) != DVT_OK)
		return rc;
	if ((rc = dvt_der_take(&in, DVT_DER_SEQ, &seq, err)) != DVT_OK)
		return rc;
	if ((rc = dvt_der_done(in, "RSA key", err)) != DVT_OK)
		return rc;
	if ((rc = dvt_der_take_positive(&seq, &n, err)) != DVT_OK)
		return rc;
	if ((rc = dvt_der_take_positive(&seq, &e, err)) != DVT_OK)
		return rc;
	if ((rc = dvt_der_done(seq, "RSA key", err)) != DVT_OK)
		return rc;
	out->kind = DVT_KEY_RSA;
	out->modulus = n;
	out->exponent = e;
	out->key_bits = bits_of(n);
	return DVT_OK;
}

static enum dvt_code
read_spki(struct dvt_span body, struct dvt_spki *out, struct dvt_err *err)
{
	struct dvt_span params;
	enum dvt_code rc;
	unsigned unused;

	if ((rc = dvt_der_take(&body, DVT_DER_SEQ, &params, err)) != DVT_OK)
		return rc;
	if ((rc = dvt_der_take_oid(&params, &out->algorithm, err)) != DVT_OK)
		return rc;
	rc = dvt_der_take_bits(&body, &out->key, &unused, err);
	if (rc != DVT_OK)
		return rc;
	if (unused != 0)
		return dvt_fail(err, DVT_E_INPUT, "public key: odd bits");
	if ((rc = dvt_der_done(body, "public key", err)) != DVT_OK)
		return rc;
	if (dvt_span_eq(out->algorithm, DVT_OID_EC_KEY))
		return read_ec(params, out, err);
	if (dvt_span_eq(out->algorithm, DVT_OID_RSA_KEY))
		return read_rsa(params, out, err);
	return DVT_OK;
}

enum dvt_code
dvt_spki_take(struct dvt_span *in, struct dvt_spki *out, struct dvt_err *err)
{
	struct dvt_span s = *in, body;
	enum dvt_code rc;

	*out = (struct dvt_spki){.kind = DVT_KEY_OTHER};
	rc = dvt_der_take_whole(&s, DVT_DER_SEQ, &out->der, &body, err);
	if (rc != DVT_OK)
		return rc;
	if ((rc = read_spki(body, out, err)) != DVT_OK)
		return rc;
	*in = s;
	return DVT_OK;
}
