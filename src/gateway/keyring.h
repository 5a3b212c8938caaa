/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The gateway's own keys in its state folder: made here, never sent away.
 *   keys/DIGEST     a key for a server certificate (PKCS#8 PEM)
 *   orders/HASH     which key answers which order of the control plane
 *   identity        key and chain to talk to the control plane with
 *   identity.next   key of an enrolment or renewal under way
 */
#ifndef DVT_GATEWAY_KEYRING_H
#define DVT_GATEWAY_KEYRING_H

#include "base/hex.h"
#include "durable/fs.h"
#include "pki/chain.h"

#include <openssl/evp.h>

#define GW_IDENTITY_FILE "identity" /* in the state folder */

struct gw_keyring;

/**
 * gw_keyring_open() - read what is there
 * @fs: with its ctx; borrowed, the state folder
 * Return: DVT_OK; DVT_E_SYSTEM. A key that cannot be read is left out, with a
 *         line in the log.
 */
DVT_MUST_USE enum dvt_code gw_keyring_open(const struct dvt_fs *fs, void *ctx,
    struct gw_keyring **out, struct dvt_err *err);
void gw_keyring_close(struct gw_keyring *k); /* NULL-safe */

size_t gw_keyring_count(const struct gw_keyring *k);
/* Borrowed. */
EVP_PKEY *gw_keyring_get(
    const struct gw_keyring *k, size_t i, const char **digest);
EVP_PKEY *gw_keyring_find(const struct gw_keyring *k, const char *digest);

/**
 * gw_keyring_order() - the key for an order; made when it is new
 * @made: out: true: it was not there before
 *
 * After DVT_OK the key survives a power cut; the same order gets the same key
 * again.
 */
DVT_MUST_USE enum dvt_code gw_keyring_order(struct gw_keyring *k,
    const char *order, EVP_PKEY **out, bool *made, struct dvt_err *err);
/* Wipe keys made over @older_s ago that neither @in_use() nor an order
 * that @stands() needs. */
void gw_keyring_prune(struct gw_keyring *k, int64_t now, int64_t older_s,
    bool (*in_use)(void *arg, const char *digest),
    bool (*stands)(void *arg, const char *order_hash), void *arg);
/* The name of an order's file. */
void gw_keyring_order_hash(const char *order, char out[DVT_DIGEST_HEX]);

/* --- the identity --- */

/* Key and chain, or DVT_E_ABSENT; the caller's. */
DVT_MUST_USE enum dvt_code gw_identity_load(struct gw_keyring *k,
    EVP_PKEY **key, struct dvt_chain *chain, struct dvt_err *err);
/* The key of an enrolment under way, the same until gw_identity_store(). */
DVT_MUST_USE enum dvt_code gw_identity_next_key(
    struct gw_keyring *k, EVP_PKEY **out, struct dvt_err *err);
/* Both in one file, whole or as before; then the next key is forgotten. */
DVT_MUST_USE enum dvt_code gw_identity_store(struct gw_keyring *k,
    EVP_PKEY *key, const struct dvt_chain *chain, struct dvt_err *err);

#endif
