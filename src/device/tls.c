/* SPDX-License-Identifier: Apache-2.0 */
/* TLS of an agent: see tls.h. */
#include "device/tls.h"

#include "loop/tls_client.h"
#include "pki/x509.h"

#include <openssl/err.h>

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

SSL_SESSION *
dvt_agent_tls_ticket(const struct dvt_agent *a, enum dvt_ticket_of of,
    const struct dvt_agent_credential *with)
{
	struct dvt_span der = dvt_agent_ticket(a, of, with);
	const unsigned char *p = der.p;
	SSL_SESSION *session;

	if (der.n == 0)
		return NULL;
	session = d2i_SSL_SESSION(NULL, &p, (long)der.n);
	ERR_clear_error();
	return session;
}

void
dvt_agent_tls_keep(struct dvt_agent *a, enum dvt_ticket_of of,
    const struct dvt_agent_credential *with, SSL_SESSION *session)
{
	unsigned char der[DVT_TICKET_BYTES], *p = der;
	int n = session == NULL ? 0 : i2d_SSL_SESSION(session, NULL);

	if (n > 0 && (size_t)n <= sizeof(der) &&
	    i2d_SSL_SESSION(session, &p) == n)
		dvt_agent_ticket_put(
		    a, of, with, (struct dvt_span){der, (size_t)n});
	OPENSSL_cleanse(der, sizeof(der));
	SSL_SESSION_free(session);
	ERR_clear_error();
}
