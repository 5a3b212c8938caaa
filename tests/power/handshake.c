/* SPDX-License-Identifier: Apache-2.0 */
/* A TLS handshake in memory: see handshake.h. */
#include "handshake.h"

#include "device/testserver.h"
#include "device/tls.h"
#include "pki/ssl_err.h"

#include <openssl/x509v3.h>

#define TURNS_MAX 20 /* of flights to and fro */

static int
judge(X509_STORE_CTX *ctx, void *arg)
{
	const struct testworld *w = arg;

	return testserver_admits(w, X509_STORE_CTX_get0_cert(ctx));
}

static SSL_CTX *
edge_ctx(const struct testworld *w)
{
	const struct testca *shown = w->edge_new ? &w->pki->edge_new
						 : &w->pki->edge_old;
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());

	testworld_must(ctx != NULL ? DVT_OK : DVT_E_SYSTEM, NULL, "edge");
	(void)SSL_CTX_use_certificate(ctx, shown->cert);
	(void)SSL_CTX_use_PrivateKey(ctx, shown->key);
	SSL_CTX_set_verify(
	    ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
	SSL_CTX_set_cert_verify_callback(
	    ctx, judge, (void *)(uintptr_t)(const void *)w);
	return ctx;
}

/* Two ends, what one writes the other reads. */
static void
join(SSL *device, SSL *edge)
{
	BIO *there = BIO_new(BIO_s_mem()), *back = BIO_new(BIO_s_mem());

	(void)BIO_up_ref(there);
	(void)BIO_up_ref(back);
	SSL_set_bio(device, back, there);
	SSL_set_bio(edge, there, back);
	SSL_set_connect_state(device);
	SSL_set_accept_state(edge);
}

/* One end goes on as far as it can; false when it has given up. */
static bool
go_on(SSL *ssl, bool *done)
{
	int rc = SSL_do_handshake(ssl);

	*done = rc == 1;
	return *done || SSL_get_error(ssl, rc) == SSL_ERROR_WANT_READ;
}

static enum dvt_code
talk(SSL *device, SSL *edge, struct dvt_err *err)
{
	bool d = false, e = false, ok = true;

	/* the edge's word comes last: in TLS 1.3 a client is done before it */
	for (int i = 0; i < TURNS_MAX && ok && (!d || !e); i++)
		ok = go_on(device, &d) && go_on(edge, &e);
	if (!d || !e)
		return dvt_fail_ssl(err, DVT_E_DENIED, "handshake: the %s",
		    d ? "edge refused" : "device refused");
	return DVT_OK;
}

enum dvt_code
handshake(const struct testworld *w, struct dvt_err *err)
{
	const struct dvt_agent_credential *cred = dvt_agent_credential(
	    w->agent);
	const struct dvt_agent_trust *trust = dvt_agent_trust(w->agent);
	SSL_CTX *ours = NULL, *theirs;
	SSL *device, *edge;
	enum dvt_code rc;

	if (cred == NULL || trust == NULL)
		return dvt_fail(err, DVT_E_ABSENT, "no %s",
		    cred == NULL ? "credential" : "anchors");
	if ((rc = dvt_agent_tls(cred, trust, &ours, err)) != DVT_OK)
		return rc;
	/* the world has a time of its own */
	X509_VERIFY_PARAM_set_time(SSL_CTX_get0_param(ours), TESTCA_NOW);
	(void)X509_VERIFY_PARAM_set1_host(
	    SSL_CTX_get0_param(ours), "edge.test", 0);
	theirs = edge_ctx(w);
	device = SSL_new(ours);
	edge = SSL_new(theirs);
	join(device, edge);
	rc = talk(device, edge, err);
	SSL_free(device);
	SSL_free(edge);
	SSL_CTX_free(ours);
	SSL_CTX_free(theirs);
	return rc;
}
