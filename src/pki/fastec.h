/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fast decoding of EC keys in received certificates (OpenSSL 3.0 walks all
 * its decoders for each one). For fronts and edge workers only: with it on,
 * EVP_EC_gen() and EVP_PKEY_fromdata() of EC keys fail in this process.
 */
#ifndef DVT_PKI_FASTEC_H
#define DVT_PKI_FASTEC_H

#include "base/err.h"

/**
 * dvt_fastec_enable() - switch it on and test it
 *
 * Once per process, before the first TLS context. Off again by itself when the
 * self-test fails; also refused under FIPS, and absent where OpenSSL has no
 * engines or is 3.2 or newer.
 * Return: DVT_OK; DVT_E_ABSENT (not possible here: go on without).
 */
DVT_MUST_USE enum dvt_code dvt_fastec_enable(struct dvt_err *err);
void dvt_fastec_disable(void);
/* 1 while it is on. */
int dvt_fastec_on(void);

#endif
