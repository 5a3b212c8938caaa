/* SPDX-License-Identifier: Apache-2.0 */
/* Inside of struct dvt_trust, for trust.c and its neighbours only. */
#ifndef DVT_PKI_TRUST_H
#define DVT_PKI_TRUST_H

#include "pki/verify.h"

#include <uthash.h>

struct dvt_trust {
	X509_STORE *store;
	X509 **anchor;
	size_t n;
	unsigned flags;
	char digest[DVT_DIGEST_HEX];
	char key[DVT_DIGEST_HEX + 4]; /* digest and flags: place in a cache */
	UT_hash_handle hh;
};

/*
 * Where a store context points to its struct dvt_verdict; a context that is
 * not ours (SSL makes its own) has NULL there.
 */
int dvt_verdict_index(void);

#endif
