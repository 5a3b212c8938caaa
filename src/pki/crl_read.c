/* SPDX-License-Identifier: Apache-2.0 */
#include "pki/crl_read.h"

#include "base/limits.h"
#include "pki/ssl_err.h"
#include "wire/pem.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include <time.h>

static void
drop(X509_CRL **list, size_t *n)
{
	while (*n > 0)
		X509_CRL_free(list[--*n]);
}

static enum dvt_code
from_der(struct dvt_span der, X509_CRL **out, struct dvt_err *err)
{
	const uint8_t *p = der.p;

	*out = d2i_X509_CRL(NULL, &p, (long)der.n);
	if (*out != NULL && p == der.p + der.n)
		return DVT_OK;
	X509_CRL_free(*out);
	*out = NULL;
	return dvt_fail_ssl(err, DVT_E_INPUT, "CRL: broken DER");
}

enum dvt_code
dvt_crls_each(struct dvt_span text, size_t max,
    enum dvt_code (*each)(void *arg, struct dvt_span der, struct dvt_err *err),
    void *arg, struct dvt_err *err)
{
	struct dvt_buf der;
	enum dvt_code rc;
	size_t n = 0;

	if (text.n > DVT_CRL_DER_MAX)
		return dvt_fail(err, DVT_E_LIMIT, "CRL: %zu bytes, at most %d",
		    text.n, DVT_CRL_DER_MAX);
	if (text.n > 0 && text.p[0] == 0x30 && max > 0)
		return each(arg, text, err);
	dvt_buf_init(&der, DVT_CRL_DER_MAX);
	while ((rc = dvt_pem_take(&text, DVT_PEM_CRL, &der, err)) == DVT_OK) {
		if (n == max)
			rc = dvt_fail(err, DVT_E_LIMIT, "over %zu CRLs", max);
		else
			rc = each(arg, dvt_buf_span(&der), err);
		if (rc != DVT_OK)
			break;
		n++;
	}
	dvt_buf_fini(&der);
	if (rc == DVT_E_ABSENT && n > 0)
		return DVT_OK;
	if (rc == DVT_E_ABSENT)
		return dvt_fail(err, DVT_E_INPUT, "no CRL in it");
	dvt_err_prefix(err, "CRL %zu", n + 1);
	return rc;
}

struct reading {
	X509_CRL **out;
	size_t *n;
};

static enum dvt_code
read_one(void *arg, struct dvt_span der, struct dvt_err *err)
{
	struct reading *r = arg;
	enum dvt_code rc = from_der(der, &r->out[*r->n], err);

	*r->n += rc == DVT_OK;
	return rc;
}

enum dvt_code
dvt_crls_read(struct dvt_span text, size_t max, X509_CRL **out, size_t *n,
    struct dvt_err *err)
{
	struct reading r = {out, n};
	enum dvt_code rc;

	*n = 0;
	rc = dvt_crls_each(text, max, read_one, &r, err);
	if (rc != DVT_OK)
		drop(out, n);
	return rc;
}

enum dvt_code
dvt_crl_check(
    X509_CRL *crl, X509 *const *anchors, size_t n, struct dvt_err *err)
{
	char name[DVT_DN_TEXT];
	bool found = false;

	for (size_t i = 0; i < n; i++) {
		EVP_PKEY *key = X509_get0_pubkey(anchors[i]);

		if (X509_NAME_cmp(X509_CRL_get_issuer(crl),
			X509_get_subject_name(anchors[i])) != 0)
			continue;
		found = true;
		if (key != NULL && X509_CRL_verify(crl, key) == 1)
			return DVT_OK;
	}
	ERR_clear_error();
	if (!found)
		return DVT_OK;
	return dvt_fail(err, DVT_E_CONFLICT, "CRL of %s: not signed by its key",
	    dvt_crl_issuer(crl, name));
}

/* Those critical extensions that OpenSSL can go by. */
static bool
is_handled(const X509_CRL *crl, int i)
{
	X509_EXTENSION *ext = X509_CRL_get_ext(crl, i);

	if (X509_EXTENSION_get_critical(ext) == 0)
		return true;
	switch (OBJ_obj2nid(X509_EXTENSION_get_object(ext))) {
	case NID_issuing_distribution_point:
	case NID_authority_key_identifier:
	case NID_delta_crl:
		return true;
	default:
		return false;
	}
}

const char *
dvt_crl_unusable(const X509_CRL *crl, X509 *const *anchors, size_t n)
{
	for (int i = 0; i < X509_CRL_get_ext_count(crl); i++)
		if (!is_handled(crl, i))
			return "a critical extension that is not known";
	for (size_t i = 0; i < n; i++)
		if (X509_NAME_cmp(X509_CRL_get_issuer(crl),
			X509_get_subject_name(anchors[i])) == 0 &&
		    (X509_get_key_usage(anchors[i]) & X509v3_KU_CRL_SIGN) == 0)
			return "its issuer may not sign CRLs";
	return NULL;
}

int64_t
dvt_crl_next_update(const X509_CRL *crl)
{
	const ASN1_TIME *t = X509_CRL_get0_nextUpdate(crl);
	struct tm tm = {0};

	if (t == NULL || ASN1_TIME_to_tm(t, &tm) != 1)
		return INT64_MAX;
	return (int64_t)timegm(&tm);
}

const char *
dvt_crl_issuer(const X509_CRL *crl, char out[DVT_DN_TEXT])
{
	const uint8_t *der = NULL;
	size_t n = 0;

	if (X509_NAME_get0_der(X509_CRL_get_issuer(crl), &der, &n) != 1)
		n = 0;
	return dvt_x509_name_text((struct dvt_span){der, n}, out);
}

size_t
dvt_crl_count(X509_CRL *crl)
{
	int n = sk_X509_REVOKED_num(X509_CRL_get_REVOKED(crl));

	return n > 0 ? (size_t)n : 0;
}

bool
dvt_crl_names(X509_CRL *crl, X509 *cert)
{
	X509_REVOKED *entry = NULL;

	if (X509_NAME_cmp(
		X509_CRL_get_issuer(crl), X509_get_issuer_name(cert)) != 0)
		return false;
	/* 2: removeFromCRL, of a delta */
	return X509_CRL_get0_by_cert(crl, &entry, cert) == 1;
}
