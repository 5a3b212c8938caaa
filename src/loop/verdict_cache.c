/* SPDX-License-Identifier: Apache-2.0 */
#include "loop/verdict_cache.h"

#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

#define WAYS 8 /* lines a certificate may lie in */

struct line {
	uint8_t leaf[DVT_VERDICT_KEY];
	int64_t not_before, not_after;
	uint32_t path;
	uint32_t epoch; /* it was put in; 0: free */
	uint64_t used;  /* counts up in the cache */
};
_Static_assert(sizeof(struct line) == DVT_VERDICT_LINE, "as promised");

struct dvt_verdict_cache {
	struct line *lines;
	size_t sets;
	uint32_t epoch; /* from 1 on */
	uint64_t uses;
};

struct dvt_verdict_cache *
dvt_verdict_cache_new(size_t lines)
{
	struct dvt_verdict_cache *v = dvt_alloc(sizeof(*v));

	v->sets = (lines + WAYS - 1) / WAYS;
	if (v->sets == 0)
		v->sets = 1;
	v->lines = dvt_alloc_array(v->sets * WAYS, sizeof(struct line));
	v->epoch = 1;
	return v;
}

void
dvt_verdict_cache_free(struct dvt_verdict_cache *v)
{
	if (v == NULL)
		return;
	free(v->lines);
	free(v);
}

static struct line *
set_of(const struct dvt_verdict_cache *v, const uint8_t *leaf)
{
	uint64_t h;

	/* a digest is as good as any hash; only who verified gets a line */
	memcpy(&h, leaf, sizeof(h));
	return v->lines + h % v->sets * WAYS;
}

static struct line *
find(const struct dvt_verdict_cache *v, const uint8_t *leaf)
{
	struct line *set = set_of(v, leaf);

	for (size_t i = 0; i < WAYS; i++)
		if (set[i].epoch == v->epoch &&
		    memcmp(set[i].leaf, leaf, DVT_VERDICT_KEY) == 0)
			return &set[i];
	return NULL;
}

bool
dvt_verdict_cache_get(struct dvt_verdict_cache *v,
    const uint8_t leaf[DVT_VERDICT_KEY], int64_t now,
    struct dvt_verdict_dates *dates)
{
	struct line *l = find(v, leaf);

	if (l == NULL || now < l->not_before || now > l->not_after)
		return false;
	l->used = ++v->uses;
	*dates = (struct dvt_verdict_dates){
	    l->not_before, l->not_after, l->path};
	return true;
}

void
dvt_verdict_cache_put(struct dvt_verdict_cache *v,
    const uint8_t leaf[DVT_VERDICT_KEY], const struct dvt_verdict_dates *dates)
{
	struct line *set = set_of(v, leaf), *l = find(v, leaf);

	for (size_t i = 0; l == NULL && i < WAYS; i++)
		if (set[i].epoch != v->epoch)
			l = &set[i];
	if (l == NULL) {
		l = &set[0];
		for (size_t i = 1; i < WAYS; i++)
			if (set[i].used < l->used)
				l = &set[i];
	}
	memcpy(l->leaf, leaf, DVT_VERDICT_KEY);
	l->not_before = dates->not_before;
	l->not_after = dates->not_after;
	l->path = dates->path;
	l->epoch = v->epoch;
	l->used = ++v->uses;
}

void
dvt_verdict_cache_forget(struct dvt_verdict_cache *v)
{
	if (++v->epoch != 0)
		return;
	memset(v->lines, 0, v->sets * WAYS * sizeof(struct line));
	v->epoch = 1;
}
