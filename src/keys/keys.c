/* SPDX-License-Identifier: Apache-2.0 */
/* Key URIs and keys in memory: see keys.h. */
#include "keys/keys.h"

#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <uthash.h>

const char *
dvt_keys_path(const char *uri, const char *scheme)
{
	size_t n = strlen(scheme);

	if (strncmp(uri, scheme, n) != 0 || uri[n] != ':' || uri[n + 1] == '\0')
		return NULL;
	return uri + n + 1;
}

bool
dvt_keys_is(const char *uri, const char *scheme)
{
	return dvt_keys_path(uri, scheme) != NULL;
}

struct entry {
	char uri[DVT_KEY_URI_MAX + 1];
	EVP_PKEY *key;
	UT_hash_handle hh;
};

struct stock {
	EVP_PKEY *key;
	struct stock *next;
};

struct dvt_keys_mem {
	struct entry *entries; /* by URI */
	struct stock *stock;   /* in the order they were put */
};

struct dvt_keys_mem *
dvt_keys_mem_new(void)
{
	return dvt_alloc(sizeof(struct dvt_keys_mem));
}

static void
forget(struct dvt_keys_mem *m, struct entry *e)
{
	HASH_DEL(m->entries, e);
	EVP_PKEY_free(e->key);
	free(e);
}

void
dvt_keys_mem_free(struct dvt_keys_mem *m)
{
	struct entry *e, *next;

	if (m == NULL)
		return;
	HASH_ITER(hh, m->entries, e, next)
	forget(m, e);
	while (m->stock != NULL) {
		struct stock *s = m->stock;

		m->stock = s->next;
		EVP_PKEY_free(s->key);
		free(s);
	}
	free(m);
}

void
dvt_keys_mem_stock(struct dvt_keys_mem *m, EVP_PKEY *key)
{
	struct stock *s = dvt_alloc(sizeof(*s)), **end = &m->stock;

	(void)EVP_PKEY_up_ref(key);
	s->key = key;
	while (*end != NULL)
		end = &(*end)->next;
	*end = s;
}

/* The first in stock of this kind, with its reference; NULL when none. */
static EVP_PKEY *
take_stock(struct dvt_keys_mem *m, enum dvt_key_kind kind)
{
	for (struct stock **at = &m->stock; *at != NULL; at = &(*at)->next) {
		struct stock *s = *at;
		EVP_PKEY *key = s->key;

		if (dvt_key_kind(key) != kind)
			continue;
		*at = s->next;
		free(s);
		return key;
	}
	return NULL;
}

static struct entry *
find(const struct dvt_keys_mem *m, const char *uri)
{
	struct entry *e;

	HASH_FIND_STR(m->entries, uri, e);
	return e;
}

void
dvt_keys_mem_put(struct dvt_keys_mem *m, const char *uri, EVP_PKEY *key)
{
	struct entry *e = find(m, uri);

	(void)EVP_PKEY_up_ref(key);
	if (e != NULL)
		forget(m, e);
	e = dvt_alloc(sizeof(*e));
	(void)snprintf(e->uri, sizeof(e->uri), "%s", uri);
	e->key = key;
	HASH_ADD_STR(m->entries, uri, e);
}

size_t
dvt_keys_mem_count(const struct dvt_keys_mem *m)
{
	return HASH_COUNT(m->entries);
}

static enum dvt_code
mem_make(void *ctx, enum dvt_key_kind kind, const char *want, char *uri,
    struct dvt_err *err)
{
	struct dvt_keys_mem *m = ctx;
	EVP_PKEY *key;
	enum dvt_code rc;

	uri[0] = '\0';
	if (strlen(want) > DVT_KEY_URI_MAX)
		return dvt_fail(err, DVT_E_LIMIT, "key URI: over %d characters",
		    DVT_KEY_URI_MAX);
	if (find(m, want) != NULL)
		return dvt_fail(
		    err, DVT_E_CONFLICT, "key %s: there already", want);
	if ((key = take_stock(m, kind)) == NULL &&
	    (rc = dvt_key_new(kind, 0, &key, err)) != DVT_OK)
		return rc;
	dvt_keys_mem_put(m, want, key);
	EVP_PKEY_free(key);
	(void)snprintf(uri, DVT_KEY_URI_MAX + 1, "%s", want);
	return DVT_OK;
}

static enum dvt_code
mem_open(void *ctx, const char *uri, EVP_PKEY **out, struct dvt_err *err)
{
	struct entry *e = find(ctx, uri);

	*out = NULL;
	if (e == NULL)
		return dvt_fail(err, DVT_E_ABSENT, "key %s: not there", uri);
	(void)EVP_PKEY_up_ref(e->key);
	*out = e->key;
	return DVT_OK;
}

static enum dvt_code
mem_sign(void *ctx, const char *uri, struct dvt_span bytes, struct dvt_buf *sig,
    struct dvt_err *err)
{
	struct entry *e = find(ctx, uri);

	if (e == NULL)
		return dvt_fail(err, DVT_E_ABSENT, "key %s: not there", uri);
	return dvt_key_sign(e->key, bytes, sig, err);
}

static enum dvt_code
mem_wipe(void *ctx, const char *uri, struct dvt_err *err)
{
	struct dvt_keys_mem *m = ctx;
	struct entry *e = find(m, uri);

	(void)err;
	if (e != NULL)
		forget(m, e);
	return DVT_OK;
}

const struct dvt_keys dvt_keys_mem_table = {
    .make = mem_make,
    .open = mem_open,
    .sign = mem_sign,
    .wipe = mem_wipe,
};
