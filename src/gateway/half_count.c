/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/half_count.h"

#include "base/mem.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>

/* Of one worker, which alone writes it. */
struct line {
	_Atomic uint64_t n;
	_Atomic int64_t alive_ms;
	uint64_t unused[6];
};
_Static_assert(sizeof(struct line) == 64, "one cache line each");

struct gw_half_count {
	unsigned workers;
	struct line *line;
};

enum dvt_code
gw_half_count_new(
    unsigned workers, struct gw_half_count **out, struct dvt_err *err)
{
	struct gw_half_count *h = dvt_alloc(sizeof(*h));

	*out = NULL;
	h->workers = workers;
	h->line = mmap(NULL, workers * sizeof(*h->line), PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (h->line == MAP_FAILED) {
		free(h);
		return dvt_fail_errno(err, "counts of %u workers", workers);
	}
	*out = h;
	return DVT_OK;
}

void
gw_half_count_free(struct gw_half_count *h)
{
	if (h == NULL)
		return;
	munmap(h->line, h->workers * sizeof(*h->line));
	free(h);
}

void
gw_half_count_set(
    struct gw_half_count *h, unsigned index, size_t n, int64_t now_ms)
{
	struct line *l = &h->line[index];

	atomic_store_explicit(&l->n, n, memory_order_relaxed);
	atomic_store_explicit(&l->alive_ms, now_ms, memory_order_relaxed);
}

size_t
gw_half_count_all(const struct gw_half_count *h, int64_t now_ms)
{
	size_t all = 0;

	for (unsigned i = 0; i < h->workers; i++) {
		const struct line *l = &h->line[i];

		if (now_ms - atomic_load_explicit(
				 &l->alive_ms, memory_order_relaxed) <=
		    GW_HALF_ALIVE_MS)
			all += atomic_load_explicit(
			    &l->n, memory_order_relaxed);
	}
	return all;
}
