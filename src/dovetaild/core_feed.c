/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The feed as edges ask for it, and as it is pushed to the fronts: what
 * changed after a position, or a wait for news.
 */
#include "base/log.h"
#include "dovetaild/core_owner.h"
#include "dovetaild/core_priv.h"
#include "proto/feed.h"
#include "store/edge.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define ROWS_MAX   500               /* lines of one answer */
#define ANSWER_MAX (4 * 1024 * 1024) /* bytes of one answer */
#define WAIT_MAX_S 30
#define SOON_MS    40 /* changes are gathered that long before they are told */
#define FEED_TYPE  "application/x-ndjson"

/* One answer: head and lines. */
struct page {
	struct dvt_buf text;
	int64_t last; /* position it brings to */
	bool more;
	size_t rows;
};

static void
put_row(struct dvt_buf *out, const struct dvt_row_feed *row)
{
	json_t *key = json_string(row->key);

	dvt_buf_printf(out,
	    "{\"position\":%" PRId64 ",\"kind\":\"%s\",\"key\":", row->position,
	    dvt_feed_row_kind_name(row->kind));
	if (key != NULL) {
		char *quoted = json_dumps(key, JSON_ENCODE_ANY | JSON_COMPACT);

		dvt_buf_puts(out, quoted);
		free(quoted);
	}
	dvt_buf_printf(
	    out, ",\"body\":%s}\n", row->body == NULL ? "null" : row->body);
	json_decref(key);
}

/* Rows that fit; at least one, so that a follower gets on. */
static size_t
put_rows(struct dvt_buf *out, const struct dvt_row_feed *rows, size_t n)
{
	size_t i, bytes = 0;

	for (i = 0; i < n; i++) {
		bytes += 256 +
			 (rows[i].body == NULL ? 0 : strlen(rows[i].body));
		if (i > 0 && bytes > ANSWER_MAX / 2)
			break;
		put_row(out, &rows[i]);
	}
	return i;
}

static enum dvt_code
make_page(struct core *c, const char *gateway, int64_t after, struct page *out,
    struct dvt_err *err)
{
	struct dvt_feed_head head = {
	    .epoch = c->epoch, .now = core_now(c).wall_s};
	struct dvt_row_feed *rows = NULL;
	struct dvt_buf lines;
	size_t n = 0;
	enum dvt_code rc;

	rc = dvt_store_feed_position(core_tx(c), &head.position, err);
	if (rc == DVT_OK && after <= head.position)
		rc = dvt_store_feed_list(core_tx(c), core_arena(c), gateway,
		    after, ROWS_MAX, &rows, &n, err);
	if (rc != DVT_OK)
		return rc;
	dvt_buf_init(&lines, ANSWER_MAX);
	out->rows = put_rows(&lines, rows, n);
	out->more = out->rows < n || n == ROWS_MAX;
	out->last = out->more ? rows[out->rows - 1].position : head.position;
	head.more = out->more;
	dvt_feed_head_format(&head, &out->text);
	dvt_buf_put_span(&out->text, dvt_buf_span(&lines));
	dvt_buf_fini(&lines);
	return dvt_buf_ok(&out->text, "feed", err);
}

/* --- asked by gateways --- */

static int64_t
number_of(const char *query, const char *name)
{
	size_t n = strlen(name);

	for (const char *at = query; at != NULL && *at != '\0';
	     at = strchr(at, '&')) {
		if (*at == '&')
			at++;
		if (strncmp(at, name, n) == 0 && at[n] == '=')
			return strtoll(at + n + 1, NULL, 10);
	}
	return 0;
}

static enum dvt_code
park(struct core *c, const struct core_asker *from, const char *gateway,
    int64_t after, int64_t wait_s, struct dvt_err *err)
{
	for (size_t i = 0; i < CORE_PARKED_MAX; i++) {
		struct core_parked *p = &c->parked[i];

		if (p->used)
			continue;
		*p = (struct core_parked){.used = true,
		    .to = *from,
		    .after = after,
		    .until_ms = core_now(c).mono_ms + wait_s * 1000};
		(void)dvt_copy_str(p->gateway, sizeof(p->gateway), gateway);
		c->parked_n++;
		return DVT_OK;
	}
	return dvt_fail(err, DVT_E_LATER, "too many edges wait for news");
}

enum dvt_code
core_feed_get(struct core *c, const struct core_asker *from,
    const struct request *q, struct dvt_err *err)
{
	int64_t after = number_of(q->query, "after");
	int64_t wait_s = number_of(q->query, "wait");
	struct core_owner o;
	struct page page = {.more = false};
	enum dvt_code rc;

	rc = core_owner_by_certificate(
	    c, q->fingerprint, DVT_OWNER_GATEWAY, &o, err);
	if (rc != DVT_OK ||
	    (rc = core_confirm(c, &o.credential, err)) != DVT_OK)
		return rc;
	dvt_buf_init(&page.text, ANSWER_MAX + 4096);
	rc = make_page(c, o.id, after < 0 ? 0 : after, &page, err);
	if (rc == DVT_OK && page.rows == 0 && after == page.last && wait_s > 0)
		rc = park(c, from, o.id, after,
		    wait_s < WAIT_MAX_S ? wait_s : WAIT_MAX_S, err);
	else if (rc == DVT_OK)
		core_answer(
		    c, from, 200, FEED_TYPE, dvt_buf_span(&page.text), 0);
	dvt_buf_fini(&page.text);
	return rc;
}

struct answering {
	struct core_parked *p;
	bool now; /* even when there is nothing new */
};

static enum dvt_code
answer_parked(struct core *c, void *ctx, struct dvt_err *err)
{
	struct answering *a = ctx;
	struct page page = {.more = false};
	enum dvt_code rc;

	dvt_buf_init(&page.text, ANSWER_MAX + 4096);
	rc = make_page(c, a->p->gateway, a->p->after, &page, err);
	/* also when the news is for others: a gate waits for the position */
	if (rc == DVT_OK && (page.last > a->p->after || a->now)) {
		core_answer(
		    c, &a->p->to, 200, FEED_TYPE, dvt_buf_span(&page.text), 0);
		a->p->used = false;
		c->parked_n--;
	}
	dvt_buf_fini(&page.text);
	return rc;
}

static void
look_at_parked(struct core *c, bool news)
{
	int64_t now_ms = dvt_loop_time(c->loop).mono_ms;
	struct dvt_err err;

	for (size_t i = 0; c->parked_n > 0 && i < CORE_PARKED_MAX; i++) {
		struct core_parked *p = &c->parked[i];
		struct answering a = {p, p->until_ms <= now_ms};

		if (p->used && (news || a.now) &&
		    core_within(c, answer_parked, &a, &err) != DVT_OK)
			log_event(LOG_WARNING, "feed.unsent",
			    LS("gateway", p->gateway), LE(&err));
	}
}

void
core_feed_sweep(struct core *c)
{
	look_at_parked(c, false);
}

void
core_feed_cancel(struct core *c, const struct core_asker *from)
{
	for (size_t i = 0; c->parked_n > 0 && i < CORE_PARKED_MAX; i++) {
		struct core_parked *p = &c->parked[i];

		if (!p->used || p->to.front != from->front ||
		    (from->generation != 0 &&
			(p->to.slot != from->slot ||
			    p->to.generation != from->generation)))
			continue;
		p->used = false;
		c->parked_n--;
	}
}

/* --- pushed to fronts --- */

static enum dvt_code
push_page(struct core *c, void *ctx, struct dvt_err *err)
{
	struct core_front *f = ctx;
	struct dvt_msg m = {.type = DVT_MSG_FEED, .fd = -1};
	struct page page = {.more = true};
	enum dvt_code rc = DVT_OK;

	while (rc == DVT_OK && page.more) {
		memset(&page, 0, sizeof(page));
		dvt_buf_init(&page.text, ANSWER_MAX + 4096);
		rc = make_page(c, f->name, f->told, &page, err);
		m.body = dvt_buf_span(&page.text);
		/* what is told is committed: see core_settle() */
		if (rc == DVT_OK)
			rc = peers_send(c->peers, DVT_ROLE_FRONT,
			    (unsigned)(f - c->front), &m, err);
		if (rc == DVT_OK)
			f->told = page.last;
		dvt_buf_fini(&page.text);
	}
	return rc;
}

static void
push(struct core *c, struct core_front *f)
{
	struct dvt_err err = {0};

	if (f->up && f->greeted && core_within(c, push_page, f, &err) != DVT_OK)
		log_event(LOG_WARNING, "feed.unsent", LS("gateway", f->name),
		    LE(&err));
}

void
core_feed_soon(struct core *c)
{
	if (c->feed_timer != NULL && !dvt_timer_running(c->feed_timer))
		dvt_timer_start(c->feed_timer, SOON_MS);
}

void
core_feed_news(void *core)
{
	struct core *c = core;

	core_settle(c);
	for (size_t i = 0; i < DVT_FRONTS_MAX; i++)
		push(c, &c->front[i]);
	look_at_parked(c, true);
}

void
core_front_up(struct core *c, unsigned index)
{
	struct core_front *f = &c->front[index];

	snprintf(f->name, sizeof(f->name), "front-%u", index + 1);
	f->up = true;
	f->greeted = false;
	f->told = 0;
	if (c->started)
		core_front_greet(c, index);
}

void
core_front_greet(struct core *c, unsigned index)
{
	struct core_front *f = &c->front[index];

	if (!f->up || f->greeted)
		return;
	f->greeted = true;
	core_settle(c);
	core_publish_to(c, index);
	push(c, f);
}

void
core_front_down(struct core *c, unsigned index)
{
	struct core_asker all = {.front = index};

	c->front[index].up = false;
	core_feed_cancel(c, &all);
}
