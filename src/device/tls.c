/* SPDX-License-Identifier: Apache-2.0 */
/* TLS of an agent: see tls.h. */
#include "device/tls.h"

#include "loop/tls_client.h"
#include "pki/x509.h"

enum dvt_code
dvt_agent_tls(const struct dvt_agent_credential *credential,
    const struct dvt_agent_trust *trust, SSL_CTX **out, struct dvt_err *err)
{
	struct dvt_tls_client c = {0};
	STACK_OF(X509) *chain = sk_X509_new_null();
	STACK_OF(X509) *anchors = sk_X509_new_null();
	enum dvt_code rc;

	for (size_t i = 1; credential != NULL && i < credential->chain.n; i++)
		sk_X509_push(chain, credential->chain.cert[i]);
	for (size_t i = 0; trust != NULL && i < dvt_trust_count(trust->trust);
	     i++)
		sk_X509_push(anchors, dvt_trust_get(trust->trust, i));
	if (credential != NULL) {
		c.key = credential->key;
		c.leaf = credential->chain.cert[0];
		c.chain = chain;
	}
	c.anchors = anchors;
	rc = dvt_tls_client_ctx_new(&c, out, err);
	sk_X509_free(chain);
	sk_X509_free(anchors);
	return rc;
}

void
dvt_agent_tls_root(SSL *ssl, char out[DVT_DIGEST_HEX])
{
	STACK_OF(X509) *path = ssl == NULL ? NULL
					   : SSL_get0_verified_chain(ssl);

	out[0] = '\0';
	if (path != NULL && sk_X509_num(path) > 0)
		dvt_x509_fingerprint(
		    sk_X509_value(path, sk_X509_num(path) - 1), out);
}
