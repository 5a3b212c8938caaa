/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/spool.h"

#include "base/log.h"
#include "base/mem.h"
#include "durable/atomic.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NUMBER_FILE "batch" /* numbers below what it says may be in use */
#define NUMBERS     1000    /* reserved at one time */

struct batch {
	int64_t number;
	size_t n; /* bytes */
};

struct gw_spool {
	const struct dvt_fs *fs;
	void *ctx;
	struct batch *v; /* oldest first */
	size_t count, cap;
	size_t bytes; /* of all */
	int64_t next, reserved;
	uint64_t lost;
	bool told_lost, told_failed;
	struct dvt_buf gathered;
	size_t gathered_lines;
	struct gw_spool_watch watch;
	struct dvt_buf sending; /* of the oldest batch, read back */
	int64_t sending_number;
};

static void
path_of(int64_t number, char *out, size_t size)
{
	snprintf(out, size, GW_SPOOL_DIR "/%" PRId64, number);
}

static void
push(struct gw_spool *s, int64_t number, size_t n)
{
	if (s->count == s->cap) {
		s->cap = s->cap == 0 ? 16 : 2 * s->cap;
		s->v = dvt_realloc(s->v, s->cap * sizeof(*s->v));
	}
	s->v[s->count++] = (struct batch){number, n};
	s->bytes += n;
}

/* --- numbers --- */

static enum dvt_code
reserve(struct gw_spool *s, struct dvt_err *err)
{
	char text[32];
	int n = snprintf(
	    text, sizeof(text), "%" PRId64 "\n", s->next + NUMBERS);
	enum dvt_code rc = dvt_atomic_replace(s->fs, s->ctx, "", NUMBER_FILE,
	    (struct dvt_span){(uint8_t *)text, (size_t)n}, 0600, err);

	if (rc == DVT_OK)
		s->reserved = s->next + NUMBERS;
	return rc;
}

/* 0: none that is sure not to be used again. */
static int64_t
number_take(struct gw_spool *s)
{
	struct dvt_err err;

	if (s->next >= s->reserved && reserve(s, &err) != DVT_OK) {
		if (!s->told_failed)
			log_event(LOG_ERR, "gateway.spool.failed", LE(&err));
		s->told_failed = true;
		return 0;
	}
	s->told_failed = false;
	return s->next++;
}

static enum dvt_code
numbers_read(struct gw_spool *s, struct dvt_err *err)
{
	struct dvt_buf b;
	enum dvt_code rc;

	dvt_buf_init(&b, 64);
	rc = s->fs->read(s->ctx, NUMBER_FILE, &b, err);
	s->next = 1;
	if (rc == DVT_OK)
		s->next = strtoll(dvt_buf_str(&b), NULL, 10);
	dvt_buf_fini(&b);
	if (s->next < 1)
		s->next = 1;
	return rc == DVT_E_ABSENT ? DVT_OK : rc;
}

/* --- batches --- */

static void
found(void *arg, const char *name, bool is_dir)
{
	struct gw_spool *s = arg;
	char *end;
	int64_t number = strtoll(name, &end, 10);

	if (!is_dir && *end == '\0' && number > 0)
		push(s, number, 0);
}

static int
by_number(const void *a, const void *b)
{
	const struct batch *x = a, *y = b;

	return (x->number > y->number) - (x->number < y->number);
}

enum dvt_code
gw_spool_open(const struct dvt_fs *fs, void *ctx, struct gw_spool **out,
    struct dvt_err *err)
{
	struct gw_spool *s = dvt_alloc(sizeof(*s));
	enum dvt_code rc;

	*out = NULL;
	s->fs = fs;
	s->ctx = ctx;
	dvt_buf_init(&s->gathered, 2 * GW_BATCH_BYTES);
	dvt_buf_init(&s->sending, 2 * GW_BATCH_BYTES);
	if ((rc = dvt_dir_ensure(fs, ctx, GW_SPOOL_DIR, err)) != DVT_OK ||
	    (rc = numbers_read(s, err)) != DVT_OK ||
	    (rc = fs->list(ctx, GW_SPOOL_DIR, found, s, err)) != DVT_OK)
		goto fail;
	if (s->count > 0) {
		qsort(s->v, s->count, sizeof(*s->v), by_number);
		if (s->v[s->count - 1].number >= s->next)
			s->next = s->v[s->count - 1].number + 1;
	}
	/* numbers are taken when they are needed: a full disk keeps nobody from
	 * serving */
	*out = s;
	return DVT_OK;
fail:
	gw_spool_close(s);
	return rc;
}

static void
lose(struct gw_spool *s, uint64_t records)
{
	s->lost += records;
	if (!s->told_lost)
		log_event(LOG_ERR, "gateway.spool.full", LI("bytes", s->bytes));
	s->told_lost = true;
}

void
gw_spool_flush(struct gw_spool *s)
{
	char path[64];
	struct dvt_err err;
	int64_t number;

	if (s->gathered.n == 0)
		return;
	number = number_take(s);
	path_of(number, path, sizeof(path));
	if (number != 0 && s->watch.writing != NULL)
		s->watch.writing(s->watch.user, number);
	if (number == 0) {
		lose(s, s->gathered_lines);
	} else if (s->fs->write_new(s->ctx, path, dvt_buf_span(&s->gathered),
		       0600, &err) != DVT_OK) {
		log_event(LOG_ERR, "gateway.spool.failed", LE(&err));
		lose(s, s->gathered_lines);
	} else {
		push(s, number, s->gathered.n);
	}
	dvt_buf_reset(&s->gathered);
	s->gathered_lines = 0;
	if (s->watch.written != NULL)
		s->watch.written(s->watch.user);
}

void
gw_spool_watch(struct gw_spool *s, const struct gw_spool_watch *w)
{
	s->watch = *w;
}

void
gw_spool_unwrite(struct gw_spool *s, int64_t number)
{
	char path[64];
	size_t i = 0;

	while (i < s->count && s->v[i].number != number)
		i++;
	if (i == s->count)
		return;
	path_of(number, path, sizeof(path));
	(void)s->fs->unlink(s->ctx, path, NULL);
	s->bytes -= s->v[i].n;
	s->count--;
	memmove(s->v + i, s->v + i + 1, (s->count - i) * sizeof(*s->v));
}

void
gw_spool_close(struct gw_spool *s)
{
	if (s == NULL)
		return;
	gw_spool_flush(s);
	dvt_buf_fini(&s->gathered);
	dvt_buf_fini(&s->sending);
	free(s->v);
	free(s);
}

void
gw_spool_add(struct gw_spool *s, struct dvt_span line)
{
	if (s->bytes + s->gathered.n + line.n > GW_SPOOL_MAX) {
		lose(s, 1);
		return;
	}
	dvt_buf_put_span(&s->gathered, line);
	dvt_buf_putc(&s->gathered, '\n');
	s->gathered_lines++;
	if (s->gathered.n >= GW_BATCH_BYTES ||
	    s->gathered_lines >= GW_BATCH_LINES)
		gw_spool_flush(s);
}

size_t
gw_spool_batches(const struct gw_spool *s)
{
	return s->count;
}

unsigned
gw_spool_fill(const struct gw_spool *s)
{
	return (unsigned)((s->bytes + s->gathered.n) * 100 / GW_SPOOL_MAX);
}

uint64_t
gw_spool_lost(const struct gw_spool *s)
{
	return s->lost;
}

static void
forget_oldest(struct gw_spool *s)
{
	char path[64];

	path_of(s->v[0].number, path, sizeof(path));
	(void)s->fs->unlink(s->ctx, path, NULL);
	s->bytes -= s->v[0].n;
	s->count--;
	memmove(s->v, s->v + 1, s->count * sizeof(*s->v));
	s->sending_number = 0;
	s->told_lost = false;
}

/* false: it cannot be read, and is dropped. */
static bool
load_oldest(struct gw_spool *s)
{
	char path[64];
	struct dvt_err err;

	if (s->sending_number == s->v[0].number)
		return true;
	dvt_buf_reset(&s->sending);
	path_of(s->v[0].number, path, sizeof(path));
	if (s->fs->read(s->ctx, path, &s->sending, &err) != DVT_OK) {
		log_event(LOG_ERR, "gateway.spool.failed", LE(&err));
		forget_oldest(s);
		return false;
	}
	s->sending_number = s->v[0].number;
	return true;
}

int64_t
gw_spool_next(struct gw_spool *s, struct dvt_span *lines)
{
	while (s->count > 0) {
		if (!load_oldest(s))
			continue;
		*lines = dvt_buf_span(&s->sending);
		return s->sending_number;
	}
	*lines = (struct dvt_span){NULL, 0};
	return number_take(s);
}

void
gw_spool_acked(struct gw_spool *s, int64_t batch)
{
	if (s->count > 0 && s->v[0].number == batch)
		forget_oldest(s);
}
