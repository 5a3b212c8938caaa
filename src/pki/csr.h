/* SPDX-License-Identifier: Apache-2.0 */
/* Making a PKCS#10 request. Reading one is wire/csr.h. */
#ifndef DVT_PKI_CSR_H
#define DVT_PKI_CSR_H

#include "base/span.h"

#include <openssl/evp.h>

struct dvt_csr_want {
	struct dvt_span subject; /* whole Name in DER (wire/name.h) */
	/* whole value of subjectAltName in DER; n 0: none is asked for */
	struct dvt_span san;
	/* text that binds the request to its TLS session; n 0: none */
	struct dvt_span binding;
};

/**
 * dvt_csr_make() - a request, signed by the key it is for
 * @want: borrowed
 * @key:  private key, file or hardware
 * @der:  gets the request appended; at most DVT_CSR_DER_MAX bytes
 *
 * @binding goes into challengePassword (RFC 7030 section 3.5).
 * Return: DVT_OK; DVT_E_LIMIT; DVT_E_SYSTEM (the key cannot sign).
 * Source: RFC 2986 section 4, RFC 2985 sections 5.4.1 and 5.4.2.
 */
DVT_MUST_USE enum dvt_code dvt_csr_make(const struct dvt_csr_want *want,
    EVP_PKEY *key, struct dvt_buf *der, struct dvt_err *err);

/* Append a subjectAltName value of DNS names and IP addresses, as text. */
DVT_MUST_USE enum dvt_code dvt_csr_san_put(const char *const *names, size_t n,
    struct dvt_buf *der, struct dvt_err *err);

/**
 * dvt_csr_make_named() - the same for a name, without a binding
 * @name:  becomes the commonName, the whole subject
 * @names: @names_n DNS names and addresses; may be none
 */
DVT_MUST_USE enum dvt_code dvt_csr_make_named(EVP_PKEY *key, const char *name,
    const char *const *names, size_t names_n, struct dvt_buf *der,
    struct dvt_err *err);

#endif
