/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/keyring.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "durable/atomic.h"
#include "pki/key.h"

#include <stdlib.h>
#include <string.h>

#define KEYS          "keys"
#define ORDERS        "orders"
#define IDENTITY      GW_IDENTITY_FILE
#define IDENTITY_NEXT "identity.next"
#define IDENTITY_MAX  (DVT_KEY_PEM_MAX + DVT_CHAIN_PEM_MAX)

struct entry {
	char digest[DVT_DIGEST_HEX];
	EVP_PKEY *key;
	int64_t found_at; /* Unix seconds: made, or read at the start */
};

struct order {
	char hash[DVT_DIGEST_HEX];
	char digest[DVT_DIGEST_HEX];
};

struct gw_keyring {
	const struct dvt_fs *fs;
	void *ctx;
	struct entry *v;
	size_t n;
	struct order *order;
	size_t order_n;
};

void
gw_keyring_close(struct gw_keyring *k)
{
	if (k == NULL)
		return;
	for (size_t i = 0; i < k->n; i++)
		EVP_PKEY_free(k->v[i].key);
	free(k->v);
	free(k->order);
	free(k);
}

/* "folder/name" in one of the two folders. */
static const char *
path_of(const char *folder, const char *name, char out[DVT_FS_PATH_MAX])
{
	size_t n = strlen(folder);

	memcpy(out, folder, n);
	out[n] = '/';
	(void)dvt_copy_str(out + n + 1, DVT_FS_PATH_MAX - n - 1, name);
	return out;
}

/*
 * Names of files have at most DVT_FS_NAME_MAX bytes, one less than a digest
 * has digits.
 */
static void
file_name(const char *digest, char out[DVT_DIGEST_HEX])
{
	memcpy(out, digest, DVT_FS_NAME_MAX);
	out[DVT_FS_NAME_MAX - 4] = '\0'; /* room for ".new" and ".old" */
}

static void
add(struct gw_keyring *k, const char *digest, EVP_PKEY *key)
{
	struct entry *e;

	k->v = dvt_realloc(k->v, (k->n + 1) * sizeof(*k->v));
	e = &k->v[k->n++];
	memcpy(e->digest, digest, DVT_DIGEST_HEX);
	e->key = key;
	e->found_at = dvt_time_now().wall_s;
}

/* --- reading --- */

static enum dvt_code
key_read(
    struct gw_keyring *k, const char *path, EVP_PKEY **out, struct dvt_err *err)
{
	struct dvt_buf pem;
	enum dvt_code rc;

	dvt_buf_init(&pem, DVT_KEY_PEM_MAX);
	if ((rc = k->fs->read(k->ctx, path, &pem, err)) == DVT_OK)
		rc = dvt_key_from_pem(dvt_buf_span(&pem), out, err);
	dvt_buf_cleanse(&pem);
	return rc;
}

static void
found_key(void *arg, const char *name, bool is_dir)
{
	struct gw_keyring *k = arg;
	char path[DVT_FS_PATH_MAX], digest[DVT_DIGEST_HEX];
	EVP_PKEY *key = NULL;
	struct dvt_err err;

	if (is_dir)
		return;
	if (key_read(k, path_of(KEYS, name, path), &key, &err) != DVT_OK ||
	    dvt_key_digest(key, digest, &err) != DVT_OK) {
		log_event(
		    LOG_ERR, "gateway.key.broken", LS("file", name), LE(&err));
		EVP_PKEY_free(key);
		return;
	}
	add(k, digest, key);
}

static void
found_order(void *arg, const char *name, bool is_dir)
{
	struct gw_keyring *k = arg;
	char path[DVT_FS_PATH_MAX];
	struct order o = {0};
	struct dvt_buf b;

	if (is_dir || strlen(name) >= sizeof(o.hash))
		return;
	dvt_buf_init(&b, DVT_DIGEST_HEX);
	if (k->fs->read(k->ctx, path_of(ORDERS, name, path), &b, NULL) ==
		DVT_OK &&
	    b.n == DVT_DIGEST_HEX - 1) {
		memcpy(o.hash, name, strlen(name) + 1);
		memcpy(o.digest, b.p, b.n);
		k->order = dvt_realloc(
		    k->order, (k->order_n + 1) * sizeof(*k->order));
		k->order[k->order_n++] = o;
	}
	dvt_buf_fini(&b);
}

enum dvt_code
gw_keyring_open(const struct dvt_fs *fs, void *ctx, struct gw_keyring **out,
    struct dvt_err *err)
{
	struct gw_keyring *k = dvt_alloc(sizeof(*k));
	enum dvt_code rc;

	*out = NULL;
	k->fs = fs;
	k->ctx = ctx;
	if ((rc = dvt_dir_ensure(fs, ctx, KEYS, err)) != DVT_OK ||
	    (rc = dvt_dir_ensure(fs, ctx, ORDERS, err)) != DVT_OK ||
	    (rc = dvt_dir_recover(fs, ctx, "", err)) != DVT_OK ||
	    (rc = dvt_dir_recover(fs, ctx, KEYS, err)) != DVT_OK ||
	    (rc = dvt_dir_recover(fs, ctx, ORDERS, err)) != DVT_OK ||
	    (rc = fs->list(ctx, KEYS, found_key, k, err)) != DVT_OK ||
	    (rc = fs->list(ctx, ORDERS, found_order, k, err)) != DVT_OK) {
		gw_keyring_close(k);
		return rc;
	}
	*out = k;
	return DVT_OK;
}

size_t
gw_keyring_count(const struct gw_keyring *k)
{
	return k->n;
}

EVP_PKEY *
gw_keyring_get(const struct gw_keyring *k, size_t i, const char **digest)
{
	*digest = k->v[i].digest;
	return k->v[i].key;
}

EVP_PKEY *
gw_keyring_find(const struct gw_keyring *k, const char *digest)
{
	for (size_t i = 0; i < k->n; i++)
		if (strcmp(k->v[i].digest, digest) == 0)
			return k->v[i].key;
	return NULL;
}

/* --- making --- */

static enum dvt_code
key_write(struct gw_keyring *k, const char *folder, const char *name,
    EVP_PKEY *key, struct dvt_err *err)
{
	struct dvt_buf pem;
	enum dvt_code rc;

	dvt_buf_init(&pem, DVT_KEY_PEM_MAX);
	if ((rc = dvt_key_to_pem(key, &pem, err)) == DVT_OK)
		rc = dvt_atomic_replace(
		    k->fs, k->ctx, folder, name, dvt_buf_span(&pem), 0600, err);
	dvt_buf_cleanse(&pem);
	return rc;
}

void
gw_keyring_order_hash(const char *order, char out[DVT_DIGEST_HEX])
{
	char whole[DVT_DIGEST_HEX];

	dvt_sha256_hex(dvt_span_str(order), whole);
	file_name(whole, out);
}

static EVP_PKEY *
order_find(const struct gw_keyring *k, const char *hash)
{
	for (size_t i = 0; i < k->order_n; i++)
		if (strcmp(k->order[i].hash, hash) == 0)
			return gw_keyring_find(k, k->order[i].digest);
	return NULL;
}

static enum dvt_code
order_make(
    struct gw_keyring *k, const char *hash, EVP_PKEY *key, struct dvt_err *err)
{
	char name[DVT_DIGEST_HEX];
	struct order o = {0};
	enum dvt_code rc;

	if ((rc = dvt_key_digest(key, o.digest, err)) != DVT_OK)
		return rc;
	file_name(o.digest, name);
	/* the key first: an order must never point to one that is not there */
	if ((rc = key_write(k, KEYS, name, key, err)) != DVT_OK ||
	    (rc = dvt_atomic_replace(k->fs, k->ctx, ORDERS, hash,
		 dvt_span_str(o.digest), 0600, err)) != DVT_OK)
		return rc;
	memcpy(o.hash, hash, DVT_DIGEST_HEX);
	k->order = dvt_realloc(k->order, (k->order_n + 1) * sizeof(*k->order));
	k->order[k->order_n++] = o;
	add(k, o.digest, key);
	return DVT_OK;
}

enum dvt_code
gw_keyring_order(struct gw_keyring *k, const char *order, EVP_PKEY **out,
    bool *made, struct dvt_err *err)
{
	char hash[DVT_DIGEST_HEX];
	EVP_PKEY *key;
	enum dvt_code rc;

	*made = false;
	gw_keyring_order_hash(order, hash);
	if ((*out = order_find(k, hash)) != NULL)
		return DVT_OK;
	if ((rc = dvt_key_new(DVT_KEY_P256, 0, &key, err)) != DVT_OK)
		return rc;
	if ((rc = order_make(k, hash, key, err)) != DVT_OK) {
		EVP_PKEY_free(key);
		return rc;
	}
	*made = true;
	*out = key;
	return DVT_OK;
}

/* The order this key was made for still stands. */
static bool
is_ordered(const struct gw_keyring *k, const char *digest,
    bool (*stands)(void *arg, const char *order_hash), void *arg)
{
	for (size_t i = 0; i < k->order_n; i++)
		if (strcmp(k->order[i].digest, digest) == 0 &&
		    stands(arg, k->order[i].hash))
			return true;
	return false;
}

static void
wipe(struct gw_keyring *k, size_t at)
{
	char path[DVT_FS_PATH_MAX], name[DVT_DIGEST_HEX];

	file_name(k->v[at].digest, name);
	(void)k->fs->unlink(k->ctx, path_of(KEYS, name, path), NULL);
	for (size_t i = k->order_n; i-- > 0;) {
		if (strcmp(k->order[i].digest, k->v[at].digest) != 0)
			continue;
		(void)k->fs->unlink(
		    k->ctx, path_of(ORDERS, k->order[i].hash, path), NULL);
		k->order[i] = k->order[--k->order_n];
	}
	log_event(
	    LOG_NOTICE, "gateway.key.wiped", LS("digest", k->v[at].digest));
	EVP_PKEY_free(k->v[at].key);
	k->v[at] = k->v[--k->n];
}

void
gw_keyring_prune(struct gw_keyring *k, int64_t now, int64_t older_s,
    bool (*in_use)(void *arg, const char *digest),
    bool (*stands)(void *arg, const char *order_hash), void *arg)
{
	for (size_t i = k->n; i-- > 0;) {
		const struct entry *e = &k->v[i];

		if (now - e->found_at >= older_s && !in_use(arg, e->digest) &&
		    !is_ordered(k, e->digest, stands, arg))
			wipe(k, i);
	}
}

/* --- the identity --- */

enum dvt_code
gw_identity_load(struct gw_keyring *k, EVP_PKEY **key, struct dvt_chain *chain,
    struct dvt_err *err)
{
	static const char mark[] = "-----BEGIN CERTIFICATE-----";
	struct dvt_buf b;
	struct dvt_span whole, first;
	const uint8_t *at;
	enum dvt_code rc;

	dvt_buf_init(&b, IDENTITY_MAX);
	if ((rc = k->fs->read(k->ctx, IDENTITY, &b, err)) != DVT_OK)
		goto out;
	whole = dvt_buf_span(&b);
	at = memmem(whole.p, whole.n, mark, sizeof(mark) - 1);
	if (at == NULL) {
		rc = dvt_fail(err, DVT_E_INPUT, IDENTITY ": no certificate");
		goto out;
	}
	first = (struct dvt_span){whole.p, (size_t)(at - whole.p)};
	if ((rc = dvt_key_from_pem(first, key, err)) != DVT_OK)
		goto out;
	rc = dvt_chain_from_pem(dvt_span_from(whole, first.n), chain, err);
	if (rc == DVT_OK)
		rc = dvt_key_matches(*key, chain->cert[0], err);
	if (rc != DVT_OK) {
		EVP_PKEY_free(*key);
		*key = NULL;
		dvt_chain_fini(chain);
	}
out:
	dvt_buf_cleanse(&b);
	return rc;
}

enum dvt_code
gw_identity_next_key(struct gw_keyring *k, EVP_PKEY **out, struct dvt_err *err)
{
	enum dvt_code rc = key_read(k, IDENTITY_NEXT, out, err);

	if (rc != DVT_E_ABSENT)
		return rc;
	if ((rc = dvt_key_new(DVT_KEY_P256, 0, out, err)) != DVT_OK)
		return rc;
	rc = key_write(k, "", IDENTITY_NEXT, *out, err);
	if (rc != DVT_OK) {
		EVP_PKEY_free(*out);
		*out = NULL;
	}
	return rc;
}

enum dvt_code
gw_identity_store(struct gw_keyring *k, EVP_PKEY *key,
    const struct dvt_chain *chain, struct dvt_err *err)
{
	struct dvt_buf b;
	enum dvt_code rc;

	dvt_buf_init(&b, IDENTITY_MAX);
	if ((rc = dvt_key_matches(key, chain->cert[0], err)) == DVT_OK &&
	    (rc = dvt_key_to_pem(key, &b, err)) == DVT_OK &&
	    (rc = dvt_chain_to_pem(chain, &b, err)) == DVT_OK)
		rc = dvt_atomic_replace(
		    k->fs, k->ctx, "", IDENTITY, dvt_buf_span(&b), 0600, err);
	dvt_buf_cleanse(&b);
	if (rc == DVT_OK)
		(void)k->fs->unlink(k->ctx, IDENTITY_NEXT, NULL);
	return rc;
}
