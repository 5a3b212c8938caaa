/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Private keys by URI: "file:...", "mem:...", later "pkcs11:..." and "tpm:".
 * Who holds keys hands in this table; who uses them knows only URIs.
 */
#ifndef DVT_KEYS_KEYS_H
#define DVT_KEYS_KEYS_H

#include "pki/key.h"

#define DVT_KEY_URI_MAX 512 /* characters */

struct dvt_keys {
	/**
	 * make - a new key, stored durably before it returns
	 * @want: URI wished for ("file:generations/7/key.pem"); a store that
	 *        names keys itself keeps it as the key's label and answers
	 *        with a URI of its own
	 * @uri:  out: where it is, also with DVT_E_CONFLICT; room for
	 *        DVT_KEY_URI_MAX + 1
	 * Return: DVT_OK; DVT_E_CONFLICT (one of that name, or label, is there:
	 *         a cut came before its URI was noted); DVT_E_SYSTEM.
	 */
	enum dvt_code (*make)(void *ctx, enum dvt_key_kind kind,
	    const char *want, char *uri, struct dvt_err *err);
	/**
	 * open - the key for use in TLS and signatures
	 * @out: the caller frees it; may refer to hardware
	 * Return: DVT_OK; DVT_E_ABSENT; DVT_E_INPUT (broken); DVT_E_SYSTEM.
	 */
	enum dvt_code (*open)(
	    void *ctx, const char *uri, EVP_PKEY **out, struct dvt_err *err);
	/* sign - as dvt_key_sign(), without the key leaving its place */
	enum dvt_code (*sign)(void *ctx, const char *uri, struct dvt_span bytes,
	    struct dvt_buf *sig, struct dvt_err *err);
	/* wipe - gone for good; DVT_OK also when it was not there. @uri may be
	 * the one that was wished for */
	enum dvt_code (*wipe)(void *ctx, const char *uri, struct dvt_err *err);
};

/* The scheme before the colon is @scheme. */
bool dvt_keys_is(const char *uri, const char *scheme);
/* What follows "scheme:"; NULL when the URI has another scheme or no rest. */
const char *dvt_keys_path(const char *uri, const char *scheme);

/*
 * Keys in memory: for tests and the fleet program. With ready-made keys make()
 * hands these out in order before it makes its own, so runs repeat exactly.
 */
struct dvt_keys_mem;

extern const struct dvt_keys dvt_keys_mem_table; /* ctx: struct dvt_keys_mem */

struct dvt_keys_mem *dvt_keys_mem_new(void);
void dvt_keys_mem_free(struct dvt_keys_mem *m); /* NULL-safe */
/* Hand one out at the next make() of its kind; a reference is taken. */
void dvt_keys_mem_stock(struct dvt_keys_mem *m, EVP_PKEY *key);
/* Put a key under a URI; a reference is taken; replaces what was there. */
void dvt_keys_mem_put(struct dvt_keys_mem *m, const char *uri, EVP_PKEY *key);
size_t dvt_keys_mem_count(const struct dvt_keys_mem *m);

#endif
