/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a device loaded is told as one digest. Which anchors it stands for is
 * found by trying: the sets that bundles listed, then every set of the roots
 * known here.
 */
#include "dovetaild/core_rotation_priv.h"
#include "pki/verify.h"
#include "store/authority.h"
#include "store/trust.h"
#include "wire/json.h"

#include <stdlib.h>

#define ROOTS_TRIED 12 /* 4,095 digests at most, for a digest never seen */

enum dvt_code
core_trust_of(struct core *c, const char *device, const char **anchors,
    struct dvt_err *err)
{
	struct dvt_row_trust_state state;
	enum dvt_code rc = dvt_store_trust_state_get(
	    core_tx(c), core_arena(c), device, &state, err);

	*anchors = NULL;
	if (rc == DVT_OK)
		return core_trust_resolve(c, state.digest, anchors, err);
	return rc == DVT_E_ABSENT ? DVT_OK : rc;
}

bool
core_trust_has(const char *anchors, const char *fingerprint)
{
	return anchors != NULL && fingerprint[0] != '\0' &&
	       strstr(anchors, fingerprint) != NULL;
}

static const char *
to_list(struct core *c, const char *const *texts, size_t n)
{
	json_t *list = json_array();
	struct dvt_buf b;
	const char *out;

	dvt_buf_init(&b, DVT_BODY_MAX);
	for (size_t i = 0; i < n; i++)
		(void)json_array_append_new(list, json_string(texts[i]));
	dvt_json_put(&b, list);
	out = dvt_arena_strdup(core_arena(c), dvt_buf_str(&b));
	dvt_buf_fini(&b);
	json_decref(list);
	return out;
}

static int
by_text(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* A bundle's list of {fingerprint, priority} as a sorted list of texts. */
static const char *
of_bundle(struct core *c, const char *anchors)
{
	const char *texts[DVT_BUNDLE_ANCHORS];
	json_t *list = json_loads(anchors, 0, NULL);
	const json_t *item;
	const char *out;
	size_t i, n = 0;

	json_array_foreach(list, i, item)
	{
		const char *fp = json_string_value(
		    json_object_get(item, "fingerprint"));

		if (fp != NULL && n < DVT_COUNT(texts))
			texts[n++] = fp;
	}
	qsort(texts, n, sizeof(texts[0]), by_text);
	out = to_list(c, texts, n);
	json_decref(list);
	return out;
}

/* Newest first: what devices hold is rarely an old root. */
static enum dvt_code
known_roots(struct core *c, const char *roots[ROOTS_TRIED], size_t *n,
    struct dvt_err *err)
{
	struct dvt_row_authority *rows;
	size_t all;
	enum dvt_code rc = dvt_store_authority_list(
	    core_tx(c), core_arena(c), 0, DVT_LIST_MAX, &rows, &all, err);

	*n = 0;
	for (size_t i = all; rc == DVT_OK && i > 0 && *n < ROOTS_TRIED; i--)
		if (rows[i - 1].is_root)
			roots[(*n)++] = rows[i - 1].fingerprint;
	return rc;
}

static const char *
try_sets(
    struct core *c, const char *const roots[], size_t n, const char *digest)
{
	const char *set[ROOTS_TRIED];
	char hex[DVT_DIGEST_HEX];

	for (unsigned bits = 1; bits < 1u << n; bits++) {
		size_t m = 0;

		for (size_t i = 0; i < n; i++)
			if ((bits >> i & 1) != 0)
				set[m++] = roots[i];
		dvt_anchor_digest(set, m, hex);
		if (strcmp(hex, digest) != 0)
			continue;
		qsort(set, m, sizeof(set[0]), by_text);
		return to_list(c, set, m);
	}
	return NULL;
}

enum dvt_code
core_trust_resolve(struct core *c, const char *digest, const char **anchors,
    struct dvt_err *err)
{
	const char *roots[ROOTS_TRIED];
	struct dvt_row_bundle bundle;
	size_t n;
	enum dvt_code rc;

	*anchors = NULL;
	if (digest[0] == '\0')
		return DVT_OK;
	rc = dvt_store_trust_store_get(
	    core_tx(c), core_arena(c), digest, anchors, err);
	if (rc != DVT_E_ABSENT)
		return rc;
	rc = dvt_store_bundle_by_digest(
	    core_tx(c), core_arena(c), digest, &bundle, err);
	if (rc == DVT_OK) {
		*anchors = of_bundle(c, bundle.anchors);
	} else if (rc == DVT_E_ABSENT) {
		if ((rc = known_roots(c, roots, &n, err)) != DVT_OK)
			return rc;
		*anchors = try_sets(c, roots, n, digest);
	}
	if (rc != DVT_OK || *anchors == NULL)
		return rc;
	return dvt_store_trust_store_put(core_tx(c), digest, *anchors, err);
}
