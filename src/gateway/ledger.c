/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/ledger.h"

#include "base/mem.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

struct shared {
	_Atomic unsigned in_force; /* of the two */
	struct gw_ledger_state state[2];
	uint8_t lines[GW_LEDGER_LINES];
	uint8_t counted[GW_LEDGER_COUNTED];
};

struct gw_ledger {
	struct shared *m;
};

enum dvt_code
gw_ledger_new(struct gw_ledger **out, struct dvt_err *err)
{
	struct gw_ledger *l = dvt_alloc(sizeof(*l));

	*out = NULL;
	/* pages cost something once they were used */
	l->m = mmap(NULL, sizeof(*l->m), PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (l->m == MAP_FAILED) {
		free(l);
		return dvt_fail_errno(err, "ledger of records");
	}
	l->m->state[0].file_from = -1;
	*out = l;
	return DVT_OK;
}

void
gw_ledger_free(struct gw_ledger *l)
{
	if (l == NULL)
		return;
	munmap(l->m, sizeof(*l->m));
	free(l);
}

static unsigned
in_force(const struct gw_ledger *l)
{
	return atomic_load_explicit(&l->m->in_force, memory_order_acquire) & 1;
}

const struct gw_ledger_state *
gw_ledger_get(const struct gw_ledger *l)
{
	return &l->m->state[in_force(l)];
}

static struct gw_ledger_state *
aside(const struct gw_ledger *l)
{
	return &l->m->state[1 - in_force(l)];
}

struct gw_ledger_state *
gw_ledger_begin(struct gw_ledger *l)
{
	struct gw_ledger_state *s = aside(l);

	*s = *gw_ledger_get(l);
	/* all is put away: nobody will ask for these bytes again */
	if (s->file_done == s->lines_n && s->spool_done == s->lines_n)
		s->lines_n = s->file_done = s->spool_done = 0;
	return s;
}

void
gw_ledger_commit(struct gw_ledger *l)
{
	atomic_store_explicit(
	    &l->m->in_force, 1 - in_force(l), memory_order_release);
}

bool
gw_ledger_line(struct gw_ledger *l, struct dvt_span line)
{
	struct gw_ledger_state *s = aside(l);

	if (line.n + 1 > GW_LEDGER_LINES - s->lines_n)
		return false;
	memcpy(l->m->lines + s->lines_n, line.p, line.n);
	l->m->lines[s->lines_n + line.n] = '\n';
	s->lines_n += line.n + 1;
	return true;
}

bool
gw_ledger_counted(struct gw_ledger *l, char grain, struct dvt_span line)
{
	struct gw_ledger_state *s = aside(l);

	if (line.n + 2 > GW_LEDGER_COUNTED - s->counted_n)
		return false;
	l->m->counted[s->counted_n] = (uint8_t)grain;
	memcpy(l->m->counted + s->counted_n + 1, line.p, line.n);
	l->m->counted[s->counted_n + 1 + line.n] = '\n';
	s->counted_n += line.n + 2;
	return true;
}

void
gw_ledger_lost(struct gw_ledger *l, uint64_t lines)
{
	aside(l)->lost += lines;
}

struct dvt_span
gw_ledger_lines(const struct gw_ledger *l, size_t from)
{
	return (struct dvt_span){
	    l->m->lines + from, gw_ledger_get(l)->lines_n - from};
}

struct dvt_span
gw_ledger_counts(const struct gw_ledger *l)
{
	return (struct dvt_span){l->m->counted, gw_ledger_get(l)->counted_n};
}
