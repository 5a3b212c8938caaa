/* SPDX-License-Identifier: Apache-2.0 */
#include "pki/staple.h"

#include "base/limits.h"
#include "pki/ssl_err.h"

#include <openssl/err.h>
#include <openssl/ocsp.h>

#include <time.h>

#define AHEAD_S 300 /* a responder's clock may be ahead of ours */

static int64_t
seconds(const ASN1_GENERALIZEDTIME *t, int64_t none)
{
	struct tm tm = {0};

	if (t == NULL || ASN1_TIME_to_tm(t, &tm) != 1)
		return none;
	return (int64_t)timegm(&tm);
}

/* Under the issuer alone, whatever else this host trusts. */
static int
is_signed(OCSP_BASICRESP *basic, X509 *issuer, int64_t now)
{
	X509_STORE *store = X509_STORE_new();
	STACK_OF(X509) *certs = sk_X509_new_null();
	int ok = 0;

	if (store != NULL && certs != NULL &&
	    X509_STORE_add_cert(store, issuer) == 1 &&
	    sk_X509_push(certs, issuer) > 0) {
		X509_VERIFY_PARAM *param = X509_STORE_get0_param(store);

		X509_VERIFY_PARAM_set_time(param, (time_t)now);
		(void)X509_VERIFY_PARAM_set_flags(
		    param, X509_V_FLAG_PARTIAL_CHAIN);
		ok = OCSP_basic_verify(basic, certs, store, 0) == 1;
	}
	sk_X509_free(certs);
	X509_STORE_free(store);
	return ok;
}

/* Does this answer speak of @leaf, whatever digest its names are under? */
static bool
speaks_of(OCSP_SINGLERESP *single, const X509 *leaf, const X509 *issuer)
{
	OCSP_CERTID *id = (OCSP_CERTID *)(uintptr_t)OCSP_SINGLERESP_get0_id(
	    single);
	OCSP_CERTID *want;
	ASN1_OBJECT *digest = NULL;
	const EVP_MD *md;
	bool same;

	if (OCSP_id_get0_info(NULL, &digest, NULL, NULL, id) != 1 ||
	    (md = EVP_get_digestbyobj(digest)) == NULL)
		return false;
	want = OCSP_cert_to_id(md, leaf, issuer);
	same = want != NULL && OCSP_id_cmp(id, want) == 0;
	OCSP_CERTID_free(want);
	return same;
}

static enum dvt_code
judge(OCSP_SINGLERESP *single, int64_t now, int64_t *until, struct dvt_err *err)
{
	ASN1_GENERALIZEDTIME *begin = NULL, *end = NULL;
	int status = OCSP_single_get0_status(single, NULL, NULL, &begin, &end);

	if (status != V_OCSP_CERTSTATUS_GOOD)
		return dvt_fail(err, DVT_E_DENIED,
		    "OCSP response: the certificate is %s",
		    OCSP_cert_status_str(status));
	if (seconds(begin, INT64_MAX) > now + AHEAD_S)
		return dvt_fail(
		    err, DVT_E_INPUT, "OCSP response: has not begun");
	*until = seconds(end, 0);
	if (*until <= now)
		return dvt_fail(err, DVT_E_INPUT, "OCSP response: %s",
		    *until == 0 ? "names no end" : "is over");
	return DVT_OK;
}

static enum dvt_code
basic_check(OCSP_BASICRESP *basic, X509 *leaf, X509 *issuer, int64_t now,
    int64_t *until, struct dvt_err *err)
{
	OCSP_SINGLERESP *found = NULL;

	for (int i = 0; found == NULL && i < OCSP_resp_count(basic); i++) {
		OCSP_SINGLERESP *s = OCSP_resp_get0(basic, i);

		if (speaks_of(s, leaf, issuer))
			found = s;
	}
	if (found == NULL)
		return dvt_fail(
		    err, DVT_E_INPUT, "OCSP response: of another certificate");
	if (!is_signed(basic, issuer, now))
		return dvt_fail_ssl(err, DVT_E_CONFLICT,
		    "OCSP response: not signed for this issuer");
	return judge(found, now, until, err);
}

enum dvt_code
dvt_staple_check(struct dvt_span der, X509 *leaf, X509 *issuer, int64_t now,
    int64_t *until, struct dvt_err *err)
{
	const uint8_t *p = der.p;
	OCSP_RESPONSE *r = NULL;
	OCSP_BASICRESP *basic = NULL;
	enum dvt_code rc;

	*until = 0;
	if (der.n > DVT_STAPLE_MAX)
		return dvt_fail(err, DVT_E_LIMIT,
		    "OCSP response: %zu bytes, at most %d", der.n,
		    DVT_STAPLE_MAX);
	r = d2i_OCSP_RESPONSE(NULL, &p, (long)der.n);
	if (r == NULL || p != der.p + der.n)
		rc = dvt_fail_ssl(
		    err, DVT_E_INPUT, "OCSP response: broken DER");
	else if (OCSP_response_status(r) != OCSP_RESPONSE_STATUS_SUCCESSFUL)
		rc = dvt_fail(err, DVT_E_INPUT, "OCSP response: %s",
		    OCSP_response_status_str(OCSP_response_status(r)));
	else if ((basic = OCSP_response_get1_basic(r)) == NULL)
		rc = dvt_fail_ssl(
		    err, DVT_E_INPUT, "OCSP response: not of the basic kind");
	else
		rc = basic_check(basic, leaf, issuer, now, until, err);
	if (rc != DVT_OK)
		*until = 0;
	OCSP_BASICRESP_free(basic);
	OCSP_RESPONSE_free(r);
	ERR_clear_error();
	return rc;
}
