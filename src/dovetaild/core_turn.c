/* SPDX-License-Identifier: Apache-2.0 */
/* The turn: one transaction, one commit, then what waited for it. */
#include "api/router.h"
#include "base/log.h"
#include "dovetaild/core_priv.h"
#include "wire/json.h"

#include <stdlib.h>

struct dvt_tx *
core_tx(struct core *c)
{
	return c->tx;
}

struct dvt_time
core_now(const struct core *c)
{
	return c->now;
}

struct dvt_arena *
core_arena(struct core *c)
{
	return &c->arena;
}

const struct dvt_config *
core_config(const struct core *c)
{
	return c->program->config;
}

struct dvt_loop *
core_loop(struct core *c)
{
	return c->loop;
}

const char *
core_fleet(const struct core *c)
{
	return c->fleet;
}

void
core_after(struct core *c,
    void (*fn)(struct core *c, void *ctx, bool committed), void *ctx)
{
	if (c->after_n == c->after_cap) {
		c->after_cap = c->after_cap == 0 ? 64 : 2 * c->after_cap;
		c->after = dvt_realloc(
		    c->after, c->after_cap * sizeof(*c->after));
	}
	c->after[c->after_n++] = (struct core_after_call){fn, ctx};
}

/* Forget what was queued since there were @n. */
static void
forget_after(struct core *c, size_t n)
{
	while (c->after_n > n) {
		struct core_after_call call = c->after[--c->after_n];

		call.fn(c, call.ctx, false);
	}
}

static void
forget_replies(struct core *c, size_t n)
{
	while (c->reply_n > n)
		dvt_buf_fini(&c->reply[--c->reply_n].body);
}

static enum dvt_code
begin(struct core *c, struct dvt_err *err)
{
	enum dvt_code rc;

	if (c->tx != NULL)
		return DVT_OK;
	if (c->broken.code != DVT_OK) {
		*err = c->broken;
		return err->code;
	}
	c->now = dvt_time_now();
	dvt_defer_arm(c->turn_end);
	if ((rc = dvt_tx_begin(c->store, &c->tx, err)) != DVT_OK) {
		c->tx = NULL;
		c->broken = *err;
	}
	return rc;
}

/* The askers' word for a database that does not work at the moment. */
static enum dvt_code
later(struct dvt_err *err)
{
	if (err != NULL) {
		dvt_err_prefix(err, "try again later");
		err->code = DVT_E_LATER;
	}
	return DVT_E_LATER;
}

enum dvt_code
core_within(struct core *c,
    enum dvt_code (*fn)(struct core *c, void *ctx, struct dvt_err *err),
    void *ctx, struct dvt_err *err)
{
	size_t after = c->after_n, replies = c->reply_n;
	enum dvt_code rc;

	if ((rc = begin(c, err)) != DVT_OK ||
	    (rc = dvt_tx_save(c->tx, err)) != DVT_OK)
		return later(err);
	rc = fn(c, ctx, err);
	if (rc == DVT_OK)
		rc = dvt_tx_release(c->tx, err);
	if (rc == DVT_OK)
		return DVT_OK;
	forget_after(c, after);
	forget_replies(c, replies);
	if (dvt_tx_broken(c->tx) != NULL)
		return later(err);
	if (dvt_tx_undo(c->tx, NULL) != DVT_OK)
		return later(err);
	return rc;
}

static void
send_reply(struct core *c, const struct core_asker *to, struct dvt_span body)
{
	struct dvt_msg m = {.type = DVT_MSG_REPLY,
	    .slot = to->slot,
	    .generation = to->generation,
	    .body = body,
	    .fd = -1};
	struct dvt_err err;

	if (peers_life(c->peers, DVT_ROLE_FRONT, to->front) != to->life)
		return; /* that front is gone, and its clients with it */
	if (peers_send(c->peers, DVT_ROLE_FRONT, to->front, &m, &err) != DVT_OK)
		log_event(LOG_WARNING, "core.answer.lost",
		    LI("front", to->front + 1), LE(&err));
}

static void
send_later(struct core *c, const struct core_asker *to)
{
	struct reply r = {.status = dvt_code_http(DVT_E_LATER),
	    .type = "application/problem+json",
	    .retry_after_s = CORE_LATER_S,
	    .body = DVT_SPAN_LIT(
		"{\"title\":\"It cannot be done now\",\"status\":503,"
		"\"code\":\"try-later\",\"detail\":\"nothing was kept: the "
		"database could not write it\"}\n")};
	struct dvt_buf b;

	dvt_buf_init(&b, 4096);
	reply_put(&b, &r);
	send_reply(c, to, dvt_buf_span(&b));
	dvt_buf_fini(&b);
}

static void
finish(struct core *c, bool committed)
{
	struct core_reply *reply = c->reply;
	struct core_after_call *after = c->after;
	size_t reply_n = c->reply_n, after_n = c->after_n;

	/* what runs now may begin the next turn and queue there */
	c->reply = NULL;
	c->after = NULL;
	c->reply_n = c->reply_cap = c->after_n = c->after_cap = 0;
	for (size_t i = 0; i < reply_n; i++) {
		if (committed)
			send_reply(
			    c, &reply[i].to, dvt_buf_span(&reply[i].body));
		else
			send_later(c, &reply[i].to);
		dvt_buf_fini(&reply[i].body);
	}
	c->failing = !committed;
	for (size_t i = 0; i < after_n; i++)
		after[i].fn(c, after[i].ctx, committed);
	c->failing = false;
	free(reply);
	free(after);
}

void
core_turn_end(void *core)
{
	struct core *c = core;
	bool feed = c->feed_changed, publish = c->publish_wanted;
	struct dvt_err err = {0};
	bool committed = false;

	if (c->tx == NULL && c->broken.code == DVT_OK)
		return; /* ended by hand already */
	if (c->tx != NULL) {
		committed = dvt_tx_commit(c->tx, &err) == DVT_OK;
		c->tx = NULL;
	}
	if (!committed)
		log_event(LOG_ERR, "core.turn.lost",
		    LE(err.code != DVT_OK ? &err : &c->broken));
	memset(&c->broken, 0, sizeof(c->broken));
	c->feed_changed = c->publish_wanted = false;
	dvt_arena_free(&c->arena);
	finish(c, committed);
	if (committed && publish)
		core_publish_now(c);
	if (committed && feed)
		core_feed_soon(c);
}

void
core_settle(struct core *c)
{
	if (c->tx != NULL)
		core_turn_end(c);
}

void
core_publish(struct core *c)
{
	c->publish_wanted = true;
}

/* --- answers --- */

static void
queue_reply(struct core *c, const struct core_asker *to, const struct reply *r)
{
	struct core_reply *q;

	if (c->reply_n == c->reply_cap) {
		c->reply_cap = c->reply_cap == 0 ? 64 : 2 * c->reply_cap;
		c->reply = dvt_realloc(
		    c->reply, c->reply_cap * sizeof(*c->reply));
	}
	q = &c->reply[c->reply_n++];
	q->to = *to;
	dvt_buf_init(&q->body, r->body.n + 4096);
	reply_put(&q->body, r);
}

void
core_answer(struct core *c, const struct core_asker *to, int status,
    const char *type, struct dvt_span body, int64_t retry_after_s)
{
	struct reply r = {
	    .status = status, .retry_after_s = retry_after_s, .body = body};
	struct dvt_buf b;

	(void)dvt_copy_str(r.type, sizeof(r.type), type == NULL ? "" : type);
	if (c->tx != NULL || c->broken.code != DVT_OK) {
		queue_reply(c, to, &r);
		return;
	}
	dvt_buf_init(&b, body.n + 4096); /* no turn is open: nothing waits */
	reply_put(&b, &r);
	send_reply(c, to, dvt_buf_span(&b));
	dvt_buf_fini(&b);
}

void
core_answer_json(
    struct core *c, const struct core_asker *to, int status, const json_t *body)
{
	struct dvt_buf b;

	dvt_buf_init(&b, DVT_IPC_BODY_MAX);
	dvt_json_put(&b, body);
	dvt_buf_putc(&b, '\n');
	core_answer(c, to, status,
	    status >= 400 ? "application/problem+json" : "application/json",
	    dvt_buf_span(&b), 0);
	dvt_buf_fini(&b);
}

void
core_answer_problem(struct core *c, const struct core_asker *to,
    const struct dvt_err *why, int64_t retry_after_s)
{
	struct dvt_reply r;
	struct dvt_buf b;

	dvt_reply_init(&r);
	r.retry_after_s = retry_after_s;
	dvt_reply_problem(&r, why);
	dvt_buf_init(&b, 65536);
	core_answer(c, to, r.status, dvt_reply_type(&r), dvt_reply_body(&r, &b),
	    r.retry_after_s);
	dvt_buf_fini(&b);
	dvt_reply_fini(&r);
}
