/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Small authorities for unit tests, made through dvt_issue(). Linked by tests
 * only. Whatever goes wrong ends the test program with its reason.
 */
#ifndef DVT_PKI_TESTCA_H
#define DVT_PKI_TESTCA_H

#include "pki/chain.h"
#include "pki/issue.h"
#include "pki/key.h"

#define TESTCA_NOW 1764547200 /* 2025-12-01T00:00:00Z */

struct testca {
	EVP_PKEY *key;
	X509 *cert;
};

/* Fields every test certificate starts from: a CA, or a leaf for @eku. */
struct dvt_issue testca_ca_fields(int pathlen);
struct dvt_issue testca_leaf_fields(unsigned eku);

/*
 * A certificate for @name ("CN=...") and @key under @ca (NULL: self-signed by
 * @key); subject, serial and key of @fields are filled in here.
 */
X509 *testca_issue(const struct testca *ca, const char *name, EVP_PKEY *key,
    struct dvt_issue fields);
/* A CA with a fresh P-256 key; @under NULL: a root. */
struct testca testca_make(
    const struct testca *under, const char *name, int pathlen);
/* A leaf with a fresh P-256 key. */
struct testca testca_leaf(
    const struct testca *under, const char *name, unsigned eku);
/* NewWithOld: @newer's name and key under @older. */
X509 *testca_cross(const struct testca *newer, const struct testca *older);
void testca_fini(struct testca *ca);

/* Put 1 to 3 certificates (NULL ends) in a chain that has its own reference. */
struct dvt_chain testca_chain(X509 *a, X509 *b, X509 *c);

#endif
