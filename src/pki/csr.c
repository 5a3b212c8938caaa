/* SPDX-License-Identifier: Apache-2.0 */
/* PKCS#10 written: see csr.h. */
#include "pki/csr.h"

#include "base/limits.h"
#include "pki/issue.h"
#include "pki/key.h"
#include "wire/der.h"
#include "wire/ext.h"
#include "wire/oid.h"

static void
put_attribute_open(
    struct dvt_buf *b, struct dvt_span oid, size_t *attribute, size_t *values)
{
	*attribute = dvt_der_open(b, DVT_DER_SEQ);
	dvt_der_put_oid(b, oid);
	*values = dvt_der_open(b, DVT_DER_SET);
}

static void
put_attributes(struct dvt_buf *b, const struct dvt_csr_want *want)
{
	size_t all = dvt_der_open(b, 0xa0), attribute, values, list;

	if (want->binding.n > 0) { /* RFC 2985 section 5.4.1 */
		put_attribute_open(
		    b, DVT_OID_CHALLENGE_PASSWORD, &attribute, &values);
		dvt_der_put(b, DVT_DER_PRINTABLE, want->binding);
		dvt_der_close(b, values);
		dvt_der_close(b, attribute);
	}
	if (want->san.n > 0) {
		put_attribute_open(
		    b, DVT_OID_EXTENSION_REQUEST, &attribute, &values);
		list = dvt_der_open(b, DVT_DER_SEQ);
		dvt_ext_put(b, DVT_OID_SUBJECT_ALT_NAME, false, want->san);
		dvt_der_close(b, list);
		dvt_der_close(b, values);
		dvt_der_close(b, attribute);
	}
	dvt_der_close(b, all);
}

/* CertificationRequestInfo: what is signed. */
static enum dvt_code
put_info(struct dvt_buf *b, const struct dvt_csr_want *want, EVP_PKEY *key,
    struct dvt_err *err)
{
	size_t info = dvt_der_open(b, DVT_DER_SEQ);
	enum dvt_code rc;

	dvt_der_put_i64(b, 0);
	dvt_buf_put_span(b, want->subject);
	if ((rc = dvt_key_to_spki(key, b, err)) != DVT_OK)
		return rc;
	put_attributes(b, want);
	dvt_der_close(b, info);
	return dvt_buf_ok(b, "request", err);
}

enum dvt_code
dvt_csr_make(const struct dvt_csr_want *want, EVP_PKEY *key,
    struct dvt_buf *der, struct dvt_err *err)
{
	bool rsa = dvt_key_kind(key) == DVT_KEY_RSA;
	struct dvt_buf info, sig;
	enum dvt_code rc;
	size_t all, alg;

	dvt_buf_init(&info, DVT_CSR_DER_MAX);
	dvt_buf_init(&sig, 1024); /* RSA-8192 */
	if ((rc = put_info(&info, want, key, err)) != DVT_OK)
		goto out;
	if ((rc = dvt_key_sign(key, dvt_buf_span(&info), &sig, err)) != DVT_OK)
		goto out;
	all = dvt_der_open(der, DVT_DER_SEQ);
	dvt_buf_put_span(der, dvt_buf_span(&info));
	alg = dvt_der_open(der, DVT_DER_SEQ);
	dvt_der_put_oid(der, rsa ? DVT_OID_RSA_SHA256 : DVT_OID_ECDSA_SHA256);
	if (rsa) /* RFC 4055 section 5 */
		dvt_der_put_null(der);
	dvt_der_close(der, alg);
	dvt_der_put_bits(der, dvt_buf_span(&sig));
	dvt_der_close(der, all);
	rc = dvt_buf_ok(der, "request", err);
out:
	dvt_buf_fini(&info);
	dvt_buf_fini(&sig);
	return rc;
}

enum dvt_code
dvt_csr_san_put(const char *const *names, size_t n, struct dvt_buf *der,
    struct dvt_err *err)
{
	size_t list = dvt_der_open(der, DVT_DER_SEQ);
	uint8_t raw[DVT_IP_BYTES];

	for (size_t i = 0; i < n; i++) {
		size_t ip = dvt_ip_parse(names[i], raw);

		if (ip > 0)
			dvt_der_put(
			    der, DVT_SAN_IP, (struct dvt_span){raw, ip});
		else if (dvt_host_kind(names[i]) != DVT_SAN_DNS)
			return dvt_fail(err, DVT_E_INPUT,
			    "\"%.40s\": no host name", names[i]);
		else
			dvt_der_put_str(der, DVT_SAN_DNS, names[i]);
	}
	dvt_der_close(der, list);
	return dvt_buf_ok(der, "names", err);
}

enum dvt_code
dvt_csr_make_named(EVP_PKEY *key, const char *name, const char *const *names,
    size_t names_n, struct dvt_buf *der, struct dvt_err *err)
{
	struct dvt_csr_want want = {0};
	struct dvt_buf subject, san;
	enum dvt_code rc;

	dvt_buf_init(&subject, 1024);
	dvt_buf_init(&san, DVT_CSR_DER_MAX);
	if ((rc = dvt_name_from_cn(name, &subject, err)) != DVT_OK ||
	    (names_n > 0 &&
		(rc = dvt_csr_san_put(names, names_n, &san, err)) != DVT_OK))
		goto out;
	want.subject = dvt_buf_span(&subject);
	want.san = dvt_buf_span(&san);
	rc = dvt_csr_make(&want, key, der, err);
out:
	dvt_buf_fini(&subject);
	dvt_buf_fini(&san);
	return rc;
}
