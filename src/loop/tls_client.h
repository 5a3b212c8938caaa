/* SPDX-License-Identifier: Apache-2.0 */
/* The SSL_CTX of outgoing connections, made in one place. */
#ifndef DVT_LOOP_TLS_CLIENT_H
#define DVT_LOOP_TLS_CLIENT_H

#include "base/err.h"

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stdint.h>

struct dvt_tls_client {
	EVP_PKEY *key;            /* NULL: no client certificate */
	X509 *leaf;               /* goes with @key */
	STACK_OF(X509) * chain;   /* sent after the leaf; NULL: none */
	STACK_OF(X509) * anchors; /* trusted; also named to the peer */
	bool partial_chain;       /* an anchor that is no root is enough */
};

/**
 * dvt_tls_client_ctx_new() - TLS 1.2 and 1.3, peer verified, small buffers
 * @c: borrowed; references are taken
 *
 * The names of @anchors are sent as certificate_authorities (RFC 8446 section
 * 4.2.4), so that the edge can choose a chain this client accepts. Tickets
 * are kept but sessions are not resumed (loop/tls_conn.h).
 * Return: DVT_OK; DVT_E_INPUT (key and leaf do not match); DVT_E_SYSTEM.
 */
DVT_MUST_USE enum dvt_code dvt_tls_client_ctx_new(
    const struct dvt_tls_client *c, SSL_CTX **out, struct dvt_err *err);

/**
 * dvt_tls_path_dates() - for a verify callback: when this path holds
 * @ok:          as the callback got it
 * @from, @until: out, Unix seconds: every certificate from the anchor down
 *               holds in [from, until). Untouched unless the leaf was just
 *               taken, or the path is refused for its dates
 */
void dvt_tls_path_dates(
    int ok, X509_STORE_CTX *x, int64_t *from, int64_t *until);

#endif
