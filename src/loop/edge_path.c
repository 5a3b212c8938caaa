/* SPDX-License-Identifier: Apache-2.0 */
#include "loop/edge_path.h"

#include "base/mem.h"

#include <stdlib.h>

struct path {
	X509 *cert[DVT_CHAIN_MAX + 1]; /* above the leaf */
	size_t n;
	uint64_t epoch; /* of the answer; 0: not asked yet */
	bool cut;
};

struct dvt_edge_paths {
	struct path path[DVT_EDGE_PATHS];
	uint32_t n;
};

struct dvt_edge_paths *
dvt_edge_paths_new(void)
{
	return dvt_alloc(sizeof(struct dvt_edge_paths));
}

void
dvt_edge_paths_free(struct dvt_edge_paths *p)
{
	if (p == NULL)
		return;
	for (uint32_t i = 0; i < p->n; i++)
		while (p->path[i].n > 0)
			X509_free(p->path[i].cert[--p->path[i].n]);
	free(p);
}

static bool
is_same(const struct path *p, const STACK_OF(X509) * path)
{
	if ((size_t)sk_X509_num(path) != p->n + 1)
		return false;
	for (size_t i = 0; i < p->n; i++)
		if (X509_cmp(p->cert[i], sk_X509_value(path, (int)i + 1)) != 0)
			return false;
	return true;
}

uint32_t
dvt_edge_paths_keep(struct dvt_edge_paths *p, const STACK_OF(X509) * path)
{
	int n = sk_X509_num(path);
	struct path *fresh;

	for (uint32_t i = 0; i < p->n; i++)
		if (is_same(&p->path[i], path))
			return i + 1;
	if (p->n == DVT_EDGE_PATHS || n < 1 || n > DVT_CHAIN_MAX + 2)
		return 0;
	fresh = &p->path[p->n++];
	for (int i = 1; i < n; i++) {
		fresh->cert[fresh->n] = sk_X509_value(path, i);
		(void)X509_up_ref(fresh->cert[fresh->n++]);
	}
	return p->n;
}

bool
dvt_edge_paths_cut(struct dvt_edge_paths *p, uint32_t id,
    const struct dvt_edge_set *set, uint64_t epoch)
{
	struct path *at = &p->path[id - 1];

	if (at->epoch == epoch)
		return at->cut;
	at->epoch = epoch;
	at->cut = dvt_edge_set_denies(set, at->cert, at->n);
	for (size_t i = 0; i < at->n && !at->cut; i++)
		at->cut = dvt_edge_set_revoked(set, at->cert[i]);
	return at->cut;
}
