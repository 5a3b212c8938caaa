/* SPDX-License-Identifier: Apache-2.0 */
/* SSL_CTX of outgoing connections: see tls_client.h. */
#include "loop/tls_client.h"

#include "pki/ssl_err.h"
#include "pki/x509.h"

#define GROUPS "X25519:P-256" /* X25519 alone fails TLS 1.2 with P-256 */

static int
credential_set(SSL_CTX *ctx, const struct dvt_tls_client *c)
{
	if (c->key == NULL)
		return 1;
	if (SSL_CTX_use_cert_and_key(ctx, c->leaf, c->key, NULL, 1) != 1)
		return 0;
	for (int i = 0; i < sk_X509_num(c->chain); i++) {
		if (SSL_CTX_add1_chain_cert(ctx, sk_X509_value(c->chain, i)) !=
		    1)
			return 0;
	}
	return SSL_CTX_check_private_key(ctx);
}

static int
trust_set(SSL_CTX *ctx, const struct dvt_tls_client *c)
{
	STACK_OF(X509_NAME) *names = sk_X509_NAME_new_null();
	X509_STORE *store = SSL_CTX_get_cert_store(ctx);
	int ok = names != NULL;

	for (int i = 0; ok && i < sk_X509_num(c->anchors); i++) {
		X509 *anchor = sk_X509_value(c->anchors, i);
		X509_NAME *name = X509_NAME_dup(X509_get_subject_name(anchor));

		ok = X509_STORE_add_cert(store, anchor) == 1 && name != NULL &&
		     sk_X509_NAME_push(names, name) > 0;
		if (!ok)
			X509_NAME_free(name);
	}
	if (ok && c->partial_chain)
		ok = X509_STORE_set_flags(store, X509_V_FLAG_PARTIAL_CHAIN);
	if (ok && sk_X509_NAME_num(names) > 0) {
		SSL_CTX_set0_CA_list(ctx, names);
		names = NULL;
	}
	sk_X509_NAME_pop_free(names, X509_NAME_free);
	return ok;
}

enum dvt_code
dvt_tls_client_ctx_new(
    const struct dvt_tls_client *c, SSL_CTX **out, struct dvt_err *err)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	enum dvt_code rc = DVT_OK;

	*out = NULL;
	if (ctx == NULL ||
	    SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) != 1 ||
	    SSL_CTX_set1_groups_list(ctx, GROUPS) != 1 || !trust_set(ctx, c)) {
		rc = dvt_fail_ssl(err, DVT_E_SYSTEM, "TLS client");
		goto out;
	}
	if (!credential_set(ctx, c)) {
		rc = dvt_fail_ssl(
		    err, DVT_E_INPUT, "TLS client: key and certificate");
		goto out;
	}
	(void)SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	/* the chain given is sent, not one made up from the anchors */
	(void)SSL_CTX_set_mode(
	    ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_NO_AUTO_CHAIN);
	(void)SSL_CTX_set_options(
	    ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
	*out = ctx;
	ctx = NULL;
out:
	SSL_CTX_free(ctx);
	return rc;
}

void
dvt_tls_path_dates(int ok, X509_STORE_CTX *x, int64_t *from, int64_t *until)
{
	STACK_OF(X509) *path = X509_STORE_CTX_get0_chain(x);
	int error = X509_STORE_CTX_get_error(x);
	int64_t begin = 0, end = INT64_MAX;

	if (ok ? X509_STORE_CTX_get_error_depth(x) != 0
	       : error != X509_V_ERR_CERT_NOT_YET_VALID &&
		     error != X509_V_ERR_CERT_HAS_EXPIRED)
		return;
	for (int i = 0; i < sk_X509_num(path); i++) {
		int64_t a = dvt_x509_not_before(sk_X509_value(path, i));
		int64_t b = dvt_x509_not_after(sk_X509_value(path, i));

		begin = a > begin ? a : begin;
		end = b < end ? b : end;
	}
	*from = begin;
	*until = end;
}
