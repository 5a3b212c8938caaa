/* SPDX-License-Identifier: Apache-2.0 */
/* PKCS#10: see csr.h. */
#include "wire/csr.h"

#include "base/limits.h"
#include "wire/der.h"
#include "wire/name.h"
#include "wire/oid.h"

/* The single text value of an attribute (DirectoryString or IA5String). */
static enum dvt_code
read_text(struct dvt_span values, const char *what, struct dvt_span *out,
    struct dvt_err *err)
{
	struct dvt_span text;
	enum dvt_code rc;
	uint8_t tag;

	rc = dvt_der_take_any(&values, &tag, NULL, &text, err);
	if (rc != DVT_OK)
		return rc;
	if ((rc = dvt_der_done(values, what, err)) != DVT_OK)
		return rc;
	if (tag != DVT_DER_UTF8 && tag != DVT_DER_PRINTABLE &&
	    tag != DVT_DER_IA5 && tag != DVT_DER_T61)
		return dvt_fail(
		    err, DVT_E_INPUT, "%s: tag 0x%02x is no text", what, tag);
	if (out->p != NULL)
		return dvt_fail(err, DVT_E_INPUT, "%s: twice", what);
	*out = text;
	return DVT_OK;
}

static enum dvt_code
read_extensions(
    struct dvt_span values, struct dvt_csr *out, struct dvt_err *err)
{
	const struct dvt_ext *ext;
	struct dvt_span body;
	enum dvt_code rc;
	int64_t path_len;

	if (out->exts.n > 0)
		return dvt_fail(err, DVT_E_INPUT, "extensionRequest: twice");
	if ((rc = dvt_der_take(&values, DVT_DER_SEQ, &body, err)) != DVT_OK)
		return rc;
	if ((rc = dvt_der_done(values, "extensionRequest", err)) != DVT_OK)
		return rc;
	if ((rc = dvt_exts_parse(body, &out->exts, err)) != DVT_OK)
		return rc;
	ext = dvt_exts_get(&out->exts, DVT_OID_SUBJECT_ALT_NAME);
	if (ext != NULL)
		out->san = ext->value;
	ext = dvt_exts_get(&out->exts, DVT_OID_BASIC_CONSTRAINTS);
	if (ext == NULL)
		return DVT_OK;
	return dvt_ext_basic_constraints(
	    ext->value, &out->asks_ca, &path_len, err);
}

static enum dvt_code
read_attribute(struct dvt_span *in, struct dvt_csr *out, struct dvt_err *err)
{
	struct dvt_span attr, type, values;
	enum dvt_code rc;

	if ((rc = dvt_der_take(in, DVT_DER_SEQ, &attr, err)) != DVT_OK)
		return rc;
	if ((rc = dvt_der_take_oid(&attr, &type, err)) != DVT_OK)
		return rc;
	if ((rc = dvt_der_take(&attr, DVT_DER_SET, &values, err)) != DVT_OK)
		return rc;
	if ((rc = dvt_der_done(attr, "attribute", err)) != DVT_OK)
		return rc;
	if (dvt_span_eq(type, DVT_OID_CHALLENGE_PASSWORD))
		return read_text(
		    values, "challengePassword", &out->challenge, err);
	if (dvt_span_eq(type, DVT_OID_EST_IDENTITY_LINKING))
		return read_text(
		    values, "estIdentityLinking", &out->linking, err);
	if (dvt_span_eq(type, DVT_OID_EXTENSION_REQUEST))
		return read_extensions(values, out, err);
	out->other_attributes++;
	return DVT_OK;
}

/* CertificationRequestInfo, opened. */
static enum dvt_code
read_info(struct dvt_span in, struct dvt_csr *out, struct dvt_err *err)
{
	struct dvt_span attrs, body;
	enum dvt_code rc;
	int64_t version;

	if ((rc = dvt_der_take_u63(&in, &version, err)) != DVT_OK)
		return rc;
	if (version != 0)
		return dvt_fail(err, DVT_E_INPUT, "version %lld is unknown",
		    (long long)version);
	rc = dvt_der_take_whole(&in, DVT_DER_SEQ, &out->subject, &body, err);
	if (rc != DVT_OK)
		return rc;
	if ((rc = dvt_name_check(out->subject, err)) != DVT_OK)
		return rc;
	if ((rc = dvt_spki_take(&in, &out->spki, err)) != DVT_OK)
		return rc;
	if ((rc = dvt_der_take_opt(&in, DVT_DER_CTXC(0), &attrs, err)) !=
	    DVT_OK)
		return rc;
	while (attrs.n > 0) {
		if ((rc = read_attribute(&attrs, out, err)) != DVT_OK)
			return rc;
	}
	return dvt_der_done(in, "request info", err);
}

static enum dvt_code
read_signature(struct dvt_span in, struct dvt_csr *out, struct dvt_err *err)
{
	struct dvt_span alg;
	enum dvt_code rc;
	unsigned unused;
	uint8_t tag;

	if ((rc = dvt_der_take(&in, DVT_DER_SEQ, &alg, err)) != DVT_OK)
		return rc;
	if ((rc = dvt_der_take_oid(&alg, &out->sig_alg, err)) != DVT_OK)
		return rc;
	if (alg.n > 0) {
		rc = dvt_der_take_any(&alg, &tag, &out->sig_params, NULL, err);
		if (rc != DVT_OK)
			return rc;
	}
	if ((rc = dvt_der_done(alg, "signature algorithm", err)) != DVT_OK)
		return rc;
	rc = dvt_der_take_bits(&in, &out->signature, &unused, err);
	if (rc != DVT_OK)
		return rc;
	if (unused != 0)
		return dvt_fail(err, DVT_E_INPUT, "signature: odd bits");
	return dvt_der_done(in, "request", err);
}

static enum dvt_code
read_request(struct dvt_span der, struct dvt_csr *out, struct dvt_err *err)
{
	struct dvt_span in = der, body, info;
	enum dvt_code rc;

	if ((rc = dvt_der_check(der, DVT_DER_DEPTH_MAX, err)) != DVT_OK)
		return rc;
	if ((rc = dvt_der_take(&in, DVT_DER_SEQ, &body, err)) != DVT_OK)
		return rc;
	rc = dvt_der_take_whole(&body, DVT_DER_SEQ, &out->tbs, &info, err);
	if (rc != DVT_OK)
		return rc;
	if ((rc = read_info(info, out, err)) != DVT_OK)
		return rc;
	return read_signature(body, out, err);
}

enum dvt_code
dvt_csr_parse(struct dvt_span der, struct dvt_csr *out, struct dvt_err *err)
{
	enum dvt_code rc;

	*out = (struct dvt_csr){.der = der};
	if (der.n > DVT_CSR_DER_MAX)
		return dvt_fail(err, DVT_E_LIMIT,
		    "request: %zu bytes, at most %d", der.n, DVT_CSR_DER_MAX);
	if ((rc = read_request(der, out, err)) != DVT_OK)
		dvt_err_prefix(err, "request");
	return rc;
}

struct dvt_span
dvt_csr_binding(const struct dvt_csr *csr)
{
	return csr->linking.p != NULL ? csr->linking : csr->challenge;
}
