/* SPDX-License-Identifier: Apache-2.0 */
/* Path validation: see verify.h. Sets of anchors are made in trust.c. */
#include "pki/verify.h"

#include "pki/ssl_err.h"
#include "pki/trust.h"
#include "pki/x509.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>

const char *
dvt_verdict_reason(int error)
{
	return X509_verify_cert_error_string(error);
}

static void
fill_text(struct dvt_verdict *v, const char *reason, X509 *at)
{
	char name[DVT_DN_TEXT] = "-";

	v->reason = reason;
	if (at != NULL)
		(void)dvt_x509_subject(at, name);
	(void)snprintf(v->text, sizeof(v->text), "%.100s (depth %d, %.120s)",
	    reason, v->depth, name);
}

static void
fill_accepted(struct dvt_verdict *v, const STACK_OF(X509) * path)
{
	int n = sk_X509_num(path);

	v->not_after = INT64_MAX;
	v->not_before = INT64_MIN;
	for (int i = 0; i < n; i++) {
		X509 *cert = sk_X509_value(path, i);
		int64_t begin = dvt_x509_not_before(cert);
		int64_t end = dvt_x509_not_after(cert);

		v->not_before = begin > v->not_before ? begin : v->not_before;
		v->not_after = end < v->not_after ? end : v->not_after;
	}
	if (n > 0)
		dvt_x509_fingerprint(sk_X509_value(path, n - 1), v->anchor);
	(void)snprintf(v->text, sizeof(v->text), "ok");
}

static int
set_host(X509_VERIFY_PARAM *param, const char *host)
{
	uint8_t address[DVT_IP_BYTES];

	if (dvt_ip_parse(host, address) > 0)
		return X509_VERIFY_PARAM_set1_ip_asc(param, host);
	X509_VERIFY_PARAM_set_hostflags(
	    param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	return X509_VERIFY_PARAM_set1_host(param, host, 0);
}

static int
set_how(X509_STORE_CTX *ctx, const struct dvt_verify *how)
{
	X509_VERIFY_PARAM *param = X509_STORE_CTX_get0_param(ctx);

	X509_VERIFY_PARAM_set_time(param, (time_t)how->now);
	X509_VERIFY_PARAM_set_depth(param, how->max_depth > 0 ? how->max_depth
					   : how->max_depth < 0
					       ? 0
					       : DVT_CHAIN_MAX);
	if (how->host != NULL && set_host(param, how->host) != 1)
		return 0;
	return X509_STORE_CTX_set_purpose(ctx, how->purpose == DVT_FOR_SERVER
						   ? X509_PURPOSE_SSL_SERVER
						   : X509_PURPOSE_SSL_CLIENT);
}

/* The flight without its leaf, as OpenSSL wants it. */
static STACK_OF(X509) * rest_of(const struct dvt_chain *shown)
{
	STACK_OF(X509) *rest = sk_X509_new_null();

	for (size_t i = 1; i < shown->n && rest != NULL; i++) {
		if (sk_X509_push(rest, shown->cert[i]) == 0) {
			sk_X509_free(rest);
			return NULL;
		}
	}
	return rest;
}

/* What X509_verify_cert() says, put into @v; -1 when it says nothing. */
static int
judge(X509_STORE_CTX *ctx, const struct dvt_verify *how, struct dvt_verdict *v)
{
	const STACK_OF(X509) * path;
	const char *reason;
	int ok = X509_verify_cert(ctx);

	v->error = X509_STORE_CTX_get_error(ctx);
	v->depth = X509_STORE_CTX_get_error_depth(ctx);
	path = X509_STORE_CTX_get0_chain(ctx);
	if (ok != 1) {
		if (v->error == X509_V_OK || v->error == X509_V_ERR_OUT_OF_MEM)
			return -1;
		/* one number for many things: our own checks say which */
		reason = how->edge && v->depth == 0 &&
				 v->error == X509_V_ERR_INVALID_PURPOSE
			     ? dvt_path_refuse(path, how->purpose)
			     : NULL;
		fill_text(v,
		    reason != NULL ? reason : dvt_verdict_reason(v->error),
		    X509_STORE_CTX_get_current_cert(ctx));
		return 0;
	}
	v->error = X509_V_OK; /* a late CRL leaves its number */
	v->depth = 0;
	reason = how->edge ? dvt_path_refuse(path, how->purpose) : NULL;
	if (reason != NULL) {
		v->error = X509_V_ERR_APPLICATION_VERIFICATION;
		fill_text(v, reason, sk_X509_value(path, 0));
		return 0;
	}
	fill_accepted(v, path);
	if (how->path != NULL)
		how->path(how->path_arg, path);
	return 1;
}

enum dvt_code
dvt_trust_verify(const struct dvt_trust *t, const struct dvt_chain *shown,
    const struct dvt_verify *how, struct dvt_verdict *out, struct dvt_err *err)
{
	X509_STORE_CTX *ctx = X509_STORE_CTX_new();
	STACK_OF(X509) *rest = rest_of(shown);
	int ok = -1;

	*out = (struct dvt_verdict){.error = X509_V_ERR_UNSPECIFIED};
	if (shown->n == 0) {
		out->error = X509_V_ERR_INVALID_CALL;
		fill_text(out, "no certificate shown", NULL);
		ok = 0;
	} else if (ctx != NULL && rest != NULL &&
		   X509_STORE_CTX_init(
		       ctx, dvt_trust_store(t), shown->cert[0], rest) == 1 &&
		   set_how(ctx, how) == 1) {
		(void)X509_STORE_CTX_set_ex_data(ctx, dvt_verdict_index(), out);
		ok = judge(ctx, how, out);
	}
	X509_STORE_CTX_free(ctx);
	sk_X509_free(rest);
	if (ok < 0) {
		fill_text(out, "cannot verify", NULL);
		return dvt_fail_ssl(err, DVT_E_SYSTEM, "cannot verify");
	}
	ERR_clear_error();
	if (ok == 0)
		return dvt_fail(err, DVT_E_DENIED, "%s", out->text);
	return DVT_OK;
}
