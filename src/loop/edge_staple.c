/* SPDX-License-Identifier: Apache-2.0 */
/* The OCSP response beside the chain shown, for a client that asks for it. */
#include "loop/edge_conn.h"

#include <openssl/crypto.h>

int
dvt_edge_staple_cb(SSL *ssl, void *arg)
{
	struct dvt_edge_conn *c = dvt_edge_conn_of(ssl);
	unsigned char *copy;

	(void)arg;
	if (c == NULL || c->shown == NULL || c->shown->staple.n == 0 ||
	    c->shown->staple_until <= dvt_edge_wall_s(c->edge))
		return SSL_TLSEXT_ERR_NOACK; /* none is better than a late one
					      */
	copy = OPENSSL_memdup(c->shown->staple.p, c->shown->staple.n);
	if (copy == NULL)
		return SSL_TLSEXT_ERR_NOACK;
	SSL_set_tlsext_status_ocsp_resp(ssl, copy, (long)c->shown->staple.n);
	return SSL_TLSEXT_ERR_OK;
}
