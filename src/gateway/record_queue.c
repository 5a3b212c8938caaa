/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/record_queue.h"

#include "base/limits.h"
#include "base/mem.h"
#include "gateway/record_sum.h"

#include <stdlib.h>
#include <string.h>

#define WHOLE_MAX  4194304  /* bytes of records that wait, each for itself */
#define LINES_MAX  16777216 /* of these with what was counted meanwhile */
#define KEEP_BYTES 49152    /* memory kept when nothing waits */

/*
 * Different counts, of 4096: up to so many by device, up to so many without
 * it, the rest by outcome. Strangers can make up names and hellos without end:
 * what they do leaves room for whom a certificate names.
 */
static const struct {
	size_t by_device, by_chain;
} strangers = {1024, 2048}, proven = {3584, 3840};

struct gw_queue {
	struct dvt_buf lines, line;
	struct gw_sums *sums;
	size_t under_way; /* bytes, the first of lines */
	uint64_t number;  /* of these, or of the last ones */
	uint64_t lost;
};

static bool
put_line(struct gw_queue *q, const struct dvt_handshake *h, size_t max)
{
	dvt_buf_reset(&q->line);
	dvt_handshake_format(h, &q->line);
	dvt_buf_putc(&q->line, '\n');
	if (q->lines.n + q->line.n > max)
		return false;
	dvt_buf_put_span(&q->lines, dvt_buf_span(&q->line));
	return true;
}

static void
on_sum(void *user, const struct dvt_handshake *h)
{
	struct gw_queue *q = user;

	if (!put_line(q, h, LINES_MAX))
		q->lost += (uint64_t)h->n;
}

struct gw_queue *
gw_queue_new(void)
{
	struct gw_queue *q = dvt_alloc(sizeof(*q));

	dvt_buf_init(&q->lines, LINES_MAX);
	dvt_buf_init(&q->line, DVT_RECORD_MAX + 1);
	q->sums = gw_sums_new(on_sum, q);
	return q;
}

void
gw_queue_free(struct gw_queue *q)
{
	if (q == NULL)
		return;
	gw_sums_free(q->sums);
	dvt_buf_fini(&q->lines);
	dvt_buf_fini(&q->line);
	free(q);
}

static enum gw_grain
grain_of(const struct gw_queue *q, const struct dvt_handshake *h)
{
	bool is_proven = strcmp(h->confidence, "certificate") == 0;
	size_t n = gw_sums_waiting(q->sums);

	if (n < (is_proven ? proven : strangers).by_device)
		return GW_DEVICE;
	return n < (is_proven ? proven : strangers).by_chain ? GW_TOTAL
							     : GW_OUTCOME;
}

void
gw_queue_add(struct gw_queue *q, const struct dvt_handshake *h)
{
	if (!put_line(q, h, WHOLE_MAX))
		gw_sums_count(q->sums, h, grain_of(q, h));
}

size_t
gw_queue_bytes(const struct gw_queue *q)
{
	return q->lines.n;
}

struct dvt_span
gw_queue_left(const struct gw_queue *q)
{
	return dvt_buf_span(&q->lines);
}

bool
gw_queue_is_under_way(const struct gw_queue *q)
{
	return q->under_way > 0;
}

struct dvt_span
gw_queue_next(struct gw_queue *q, size_t max, uint64_t *number)
{
	struct dvt_span some = dvt_buf_span(&q->lines);

	if (q->under_way == 0 && some.n > 0) {
		if (some.n > max)
			some.n = max;
		while (some.p[some.n - 1] != '\n')
			some.n--;
		q->under_way = some.n;
		q->number++;
	}
	some.n = q->under_way;
	*number = q->number;
	return some;
}

bool
gw_queue_taken(struct gw_queue *q, uint64_t number)
{
	if (q->under_way == 0 || number != q->number)
		return false;
	dvt_buf_drop(&q->lines, q->under_way);
	q->under_way = 0;
	if (q->lines.n < WHOLE_MAX / 4)
		gw_sums_flush(q->sums);
	if (q->lines.n == 0 && q->lines.cap > KEEP_BYTES) {
		dvt_buf_fini(&q->lines);
		dvt_buf_init(&q->lines, LINES_MAX);
	}
	return true;
}

uint64_t
gw_queue_finish(struct gw_queue *q)
{
	gw_sums_flush(q->sums);
	return q->lost;
}
