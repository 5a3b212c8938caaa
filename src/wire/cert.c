/* SPDX-License-Identifier: Apache-2.0 */
/* Certificates: see cert.h. */
#include "wire/cert.h"

#include "base/limits.h"
#include "wire/der.h"
#include "wire/name.h"
#include "wire/oid.h"

static enum dvt_code
read_version(struct dvt_span *in, int *out, struct dvt_err *err)
{
	struct dvt_span v;
	enum dvt_code rc;
	int64_t n;

	*out = 1; /* DEFAULT v1 */
	if (dvt_der_peek_tag(*in) != DVT_DER_CTXC(0))
		return DVT_OK;
	if ((rc = dvt_der_take(in, DVT_DER_CTXC(0), &v, err)) != DVT_OK)
		return rc;
	if ((rc = dvt_der_take_u63(&v, &n, err)) != DVT_OK)
		return rc;
	if (n > 2)
		return dvt_fail(err, DVT_E_INPUT, "version %lld is unknown",
		    (long long)n + 1);
	*out = (int)n + 1;
	return dvt_der_done(v, "version", err);
}

static enum dvt_code
read_name(struct dvt_span *in, struct dvt_span *out, struct dvt_err *err)
{
	struct dvt_span body;
	enum dvt_code rc;

	if ((rc = dvt_der_take_whole(in, DVT_DER_SEQ, out, &body, err)) !=
	    DVT_OK)
		return rc;
	return dvt_name_check(*out, err);
}

static enum dvt_code
read_validity(struct dvt_span *in, struct dvt_cert *out, struct dvt_err *err)
{
	struct dvt_span v;
	enum dvt_code rc;

	if ((rc = dvt_der_take(in, DVT_DER_SEQ, &v, err)) != DVT_OK)
		return rc;
	if ((rc = dvt_der_take_time(&v, &out->not_before, err)) != DVT_OK)
		return rc;
	if ((rc = dvt_der_take_time(&v, &out->not_after, err)) != DVT_OK)
		return rc;
	return dvt_der_done(v, "validity", err);
}

static enum dvt_code
read_extensions(
    struct dvt_span wrapped, struct dvt_cert *out, struct dvt_err *err)
{
	const struct dvt_ext *ext;
	struct dvt_span body;
	enum dvt_code rc;

	if ((rc = dvt_der_take(&wrapped, DVT_DER_SEQ, &body, err)) != DVT_OK)
		return rc;
	if ((rc = dvt_der_done(wrapped, "extensions", err)) != DVT_OK)
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
	    ext->value, &out->ca, &out->path_len, err);
}

/* What may follow the key: two unique ids of old, then the extensions. */
static enum dvt_code
read_tail(struct dvt_span in, struct dvt_cert *out, struct dvt_err *err)
{
	struct dvt_span skipped, exts;
	enum dvt_code rc;

	if ((rc = dvt_der_take_opt(&in, DVT_DER_CTX(1), &skipped, err)) !=
	    DVT_OK)
		return rc;
	if ((rc = dvt_der_take_opt(&in, DVT_DER_CTX(2), &skipped, err)) !=
	    DVT_OK)
		return rc;
	if ((rc = dvt_der_take_opt(&in, DVT_DER_CTXC(3), &exts, err)) != DVT_OK)
		return rc;
	if (exts.p != NULL && (rc = read_extensions(exts, out, err)) != DVT_OK)
		return rc;
	return dvt_der_done(in, "tbsCertificate", err);
}

/* TBSCertificate, opened; @alg: the signature algorithm named inside. */
static enum dvt_code
read_tbs(struct dvt_span in, struct dvt_cert *out, struct dvt_span *alg,
    struct dvt_err *err)
{
	struct dvt_span body;
	enum dvt_code rc;

	if ((rc = read_version(&in, &out->version, err)) != DVT_OK)
		return rc;
	if ((rc = dvt_der_take_int(&in, &out->serial, err)) != DVT_OK)
		return rc;
	if ((rc = dvt_der_take_whole(&in, DVT_DER_SEQ, alg, &body, err)) !=
	    DVT_OK)
		return rc;
	if ((rc = dvt_der_take_oid(&body, &out->sig_alg, err)) != DVT_OK)
		return rc;
	if ((rc = read_name(&in, &out->issuer, err)) != DVT_OK)
		return rc;
	if ((rc = read_validity(&in, out, err)) != DVT_OK)
		return rc;
	if ((rc = read_name(&in, &out->subject, err)) != DVT_OK)
		return rc;
	if ((rc = dvt_spki_take(&in, &out->spki, err)) != DVT_OK)
		return rc;
	return read_tail(in, out, err);
}

/* Certificate, opened. */
static enum dvt_code
read_cert(struct dvt_span in, struct dvt_cert *out, struct dvt_err *err)
{
	struct dvt_span tbs, inside, outside, body;
	enum dvt_code rc;
	unsigned unused;

	rc = dvt_der_take_whole(&in, DVT_DER_SEQ, &out->tbs, &tbs, err);
	if (rc != DVT_OK)
		return rc;
	if ((rc = read_tbs(tbs, out, &inside, err)) != DVT_OK)
		return rc;
	rc = dvt_der_take_whole(&in, DVT_DER_SEQ, &outside, &body, err);
	if (rc != DVT_OK)
		return rc;
	if (!dvt_span_eq(inside, outside))
		return dvt_fail(err, DVT_E_INPUT,
		    "two signature algorithms (RFC 5280 section 4.1.1.2)");
	rc = dvt_der_take_bits(&in, &out->signature, &unused, err);
	if (rc != DVT_OK)
		return rc;
	if (unused != 0)
		return dvt_fail(err, DVT_E_INPUT, "signature: odd bits");
	return dvt_der_done(in, "certificate", err);
}

enum dvt_code
dvt_cert_take(struct dvt_span *in, struct dvt_cert *out, struct dvt_err *err)
{
	struct dvt_span s = *in, body;
	enum dvt_code rc;

	*out = (struct dvt_cert){.path_len = -1};
	rc = dvt_der_take_whole(&s, DVT_DER_SEQ, &out->der, &body, err);
	if (rc == DVT_OK && out->der.n > DVT_CERT_DER_MAX)
		rc = dvt_fail(err, DVT_E_LIMIT, "%zu bytes, at most %d",
		    out->der.n, DVT_CERT_DER_MAX);
	if (rc == DVT_OK)
		rc = dvt_der_check(out->der, DVT_DER_DEPTH_MAX, err);
	if (rc == DVT_OK)
		rc = read_cert(body, out, err);
	if (rc != DVT_OK) {
		dvt_err_prefix(err, "certificate");
		return rc;
	}
	*in = s;
	return DVT_OK;
}

enum dvt_code
dvt_cert_parse(struct dvt_span der, struct dvt_cert *out, struct dvt_err *err)
{
	enum dvt_code rc;

	if ((rc = dvt_cert_take(&der, out, err)) != DVT_OK)
		return rc;
	return dvt_der_done(der, "certificate", err);
}

bool
dvt_cert_self_issued(const struct dvt_cert *cert)
{
	return dvt_span_eq(cert->issuer, cert->subject);
}
