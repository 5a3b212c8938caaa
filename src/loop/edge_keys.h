/* SPDX-License-Identifier: Apache-2.0 */
/* Keys of which no certificate is taken, nor any issued with one. */
#ifndef DVT_LOOP_EDGE_KEYS_H
#define DVT_LOOP_EDGE_KEYS_H

#include "pki/x509.h"

struct dvt_denied_keys {
	char (*digest)[DVT_DIGEST_HEX]; /* SHA-256 of the SPKI */
	size_t n;
	X509 **bearer; /* certificates of ours that have one */
	size_t bearers;
};

void dvt_denied_keys_fini(struct dvt_denied_keys *k);
void dvt_denied_keys_add(struct dvt_denied_keys *k, const char *digest);
/* Has this CA certificate of ours such a key? Then it is remembered: what it
 * issued is known by that also when it is not sent along. */
bool dvt_denied_keys_bears(struct dvt_denied_keys *k, X509 *ca);
/* Has one of these such a key, or was it issued with one, as far as is known
 * here? Leaf and what came with it, in any order. */
bool dvt_denied_keys_hit(
    const struct dvt_denied_keys *k, X509 *const *certs, size_t n);

#endif
