/* SPDX-License-Identifier: Apache-2.0 */
/* The client side of TLS as an agent does it. */
#ifndef DVT_DEVICE_TLS_H
#define DVT_DEVICE_TLS_H

#include "device/agent.h"

#include <openssl/ssl.h>

/**
 * dvt_agent_tls() - credential and anchors of an agent as an SSL_CTX
 * @credential: NULL: no client certificate
 * @trust:      NULL: no peer verifies
 * @out:        the caller's
 *
 * The anchors' names go out as certificate_authorities, so that the edge can
 * choose a chain (RFC 8446 section 4.2.4).
 */
DVT_MUST_USE enum dvt_code dvt_agent_tls(
    const struct dvt_agent_credential *credential,
    const struct dvt_agent_trust *trust, SSL_CTX **out, struct dvt_err *err);

/* Fingerprint of the anchor a finished handshake ended in, or "". */
void dvt_agent_tls_root(SSL *ssl, char out[DVT_DIGEST_HEX]);

/* What was kept, as OpenSSL has it, or NULL; the caller's. */
SSL_SESSION *dvt_agent_tls_ticket(const struct dvt_agent *a,
    enum dvt_ticket_of of, const struct dvt_agent_credential *with);
/* Keep @session; taken, NULL-safe. */
void dvt_agent_tls_keep(struct dvt_agent *a, enum dvt_ticket_of of,
    const struct dvt_agent_credential *with, SSL_SESSION *session);

#endif
