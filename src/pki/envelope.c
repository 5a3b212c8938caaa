/* SPDX-License-Identifier: Apache-2.0 */
/* See envelope.h. */
#include "pki/envelope.h"

#include "pki/ssl_err.h"

#include <openssl/bio.h>
#include <openssl/cms.h>
#include <openssl/crypto.h>

#define RECIPIENTS_MAX 4 /* looked at in one message; ours have one */

static enum dvt_code
put_der(CMS_ContentInfo *cms, struct dvt_buf *out, struct dvt_err *err)
{
	uint8_t *der = NULL;
	int n = i2d_CMS_ContentInfo(cms, &der);
	enum dvt_code rc = DVT_OK;

	if (n <= 0)
		return dvt_fail_ssl(err, DVT_E_SYSTEM, "envelope");
	if (n > DVT_CONFIG_SEALED)
		rc = dvt_fail(err, DVT_E_LIMIT,
		    "envelope: %d bytes, at most %d", n, DVT_CONFIG_SEALED);
	else
		dvt_buf_put(out, der, (size_t)n);
	OPENSSL_free(der);
	return rc == DVT_OK ? dvt_buf_ok(out, "envelope", err) : rc;
}

enum dvt_code
dvt_envelope_seal(
    X509 *to, struct dvt_span plain, struct dvt_buf *out, struct dvt_err *err)
{
	STACK_OF(X509) *certs = sk_X509_new_null();
	CMS_ContentInfo *cms = NULL;
	BIO *in = NULL;
	enum dvt_code rc;

	if (plain.n > DVT_CONFIG_VALUE) {
		rc = dvt_fail(err, DVT_E_LIMIT, "value: %zu bytes, at most %d",
		    plain.n, DVT_CONFIG_VALUE);
		goto out;
	}
	in = BIO_new_mem_buf(
	    plain.n > 0 ? plain.p : (const void *)"", (int)plain.n);
	if (certs == NULL || in == NULL || sk_X509_push(certs, to) != 1 ||
	    (cms = CMS_encrypt(certs, in, EVP_aes_256_gcm(), CMS_BINARY)) ==
		NULL) {
		rc = dvt_fail_ssl(err, DVT_E_SYSTEM, "envelope");
		goto out;
	}
	rc = put_der(cms, out, err);
out:
	CMS_ContentInfo_free(cms);
	sk_X509_free(certs);
	BIO_free(in);
	return rc;
}

/* Within the limit, whole, of the one kind, for few. */
static enum dvt_code
parse(struct dvt_span der, CMS_ContentInfo **out, struct dvt_err *err)
{
	const uint8_t *p = der.p;
	CMS_ContentInfo *cms;

	*out = NULL;
	if (der.n > DVT_CONFIG_SEALED)
		return dvt_fail(err, DVT_E_LIMIT,
		    "envelope: %zu bytes, at most %d", der.n,
		    DVT_CONFIG_SEALED);
	cms = der.n == 0 ? NULL : d2i_CMS_ContentInfo(NULL, &p, (long)der.n);
	if (cms == NULL)
		return dvt_fail_ssl(err, DVT_E_INPUT, "envelope: not CMS");
	if (p != der.p + der.n ||
	    OBJ_obj2nid(CMS_get0_type(cms)) !=
		NID_id_smime_ct_authEnvelopedData ||
	    sk_CMS_RecipientInfo_num(CMS_get0_RecipientInfos(cms)) < 1 ||
	    sk_CMS_RecipientInfo_num(CMS_get0_RecipientInfos(cms)) >
		RECIPIENTS_MAX) {
		CMS_ContentInfo_free(cms);
		return dvt_fail(err, DVT_E_INPUT,
		    "envelope: no AuthEnvelopedData (RFC 5083) of ours");
	}
	*out = cms;
	return DVT_OK;
}

enum dvt_code
dvt_envelope_check(struct dvt_span der, struct dvt_err *err)
{
	CMS_ContentInfo *cms;
	enum dvt_code rc = parse(der, &cms, err);

	CMS_ContentInfo_free(cms);
	return rc;
}

enum dvt_code
dvt_envelope_open(struct dvt_span der, X509 *own, EVP_PKEY *key,
    struct dvt_buf *plain, struct dvt_err *err)
{
	CMS_ContentInfo *cms;
	BIO *out = NULL;
	char *p;
	long n;
	enum dvt_code rc = parse(der, &cms, err);

	if (rc != DVT_OK)
		return rc;
	if ((out = BIO_new(BIO_s_secmem())) == NULL ||
	    CMS_decrypt(cms, key, own, NULL, out, CMS_BINARY) != 1) {
		rc = dvt_fail_ssl(err, DVT_E_AUTH,
		    "envelope: for another certificate, or changed");
		goto out;
	}
	n = BIO_get_mem_data(out, &p);
	if (n > DVT_CONFIG_VALUE)
		rc = dvt_fail(err, DVT_E_LIMIT, "value: %ld bytes, at most %d",
		    n, DVT_CONFIG_VALUE);
	else
		dvt_buf_put(plain, p, (size_t)n);
	if (rc == DVT_OK)
		rc = dvt_buf_ok(plain, "value", err);
	OPENSSL_cleanse(p, (size_t)n);
out:
	BIO_free(out);
	CMS_ContentInfo_free(cms);
	return rc;
}
