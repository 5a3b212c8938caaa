/* SPDX-License-Identifier: Apache-2.0 */
/* Asking the signer, and handing it what it holds when it starts. */
#include "base/log.h"
#include "dovetaild/core_priv.h"

#include <stdlib.h>

/* What travels from core_sign() to the moment after the commit. */
struct sending {
	uint32_t slot;
	uint64_t generation;
	struct dvt_buf body;
};

static void
release(struct core_signing *s)
{
	if (s->drop != NULL)
		s->drop(s->ctx);
	else
		free(s->ctx);
	memset(s, 0, sizeof(*s));
}

struct finishing {
	struct core_signing s;
	const struct sign_reply *r;
};

static enum dvt_code
run_done(struct core *c, void *ctx, struct dvt_err *err)
{
	struct finishing *f = ctx;

	return f->s.done(c, f->s.ctx, f->r, err);
}

/* The answer is there, or never comes: its owner hears it, once. */
static void
finish(struct core *c, uint32_t slot, const struct sign_reply *r)
{
	struct finishing f = {.s = c->signing[slot], .r = r};
	struct dvt_err err = {0};

	memset(&c->signing[slot], 0, sizeof(c->signing[slot]));
	if (core_within(c, run_done, &f, &err) != DVT_OK)
		log_event(LOG_WARNING, "core.signed.lost",
		    LS("kind", sign_kind_name(f.s.kind)), LE(&err));
	release(&f.s);
}

static void
finish_later(struct core *c, uint32_t slot, const char *why)
{
	struct sign_reply r = {.code = DVT_E_LATER};

	snprintf(r.why, sizeof(r.why), "%.255s", why);
	finish(c, slot, &r);
}

static void
send_off(struct core *c, void *ctx, bool committed)
{
	struct sending *s = ctx;
	struct dvt_msg m = {.type = DVT_MSG_SIGN_REQUEST,
	    .slot = s->slot,
	    .generation = s->generation,
	    .body = dvt_buf_span(&s->body),
	    .fd = -1};
	struct dvt_err err;

	if (c->signing[s->slot].generation != s->generation)
		; /* told already: the signer went away meanwhile */
	else if (!committed && c->failing)
		finish_later(c, s->slot, "the database could not write it");
	else if (!committed) /* whoever asked has failed and tells why */
		release(&c->signing[s->slot]);
	else if (peers_send(c->peers, DVT_ROLE_SIGNER, 0, &m, &err) != DVT_OK)
		finish_later(c, s->slot, err.text);
	dvt_buf_cleanse(&s->body);
	free(s);
}

static enum dvt_code
take_slot(struct core *c, uint32_t *slot, struct dvt_err *err)
{
	for (uint32_t i = 0; i < CORE_SIGN_MAX; i++) {
		*slot = (c->signing_next + i) % CORE_SIGN_MAX;
		if (c->signing[*slot].generation == 0) {
			c->signing_next = *slot + 1;
			return DVT_OK;
		}
	}
	return dvt_fail(err, DVT_E_LATER, "too many signatures under way");
}

static enum dvt_code
ask(struct core *c, const struct sign_request *q,
    enum dvt_code (*done)(struct core *c, void *ctx, const struct sign_reply *r,
	struct dvt_err *err),
    void (*drop)(void *ctx), void *ctx, struct dvt_err *err)
{
	struct sending *s;
	uint32_t slot;
	enum dvt_code rc;

	if ((rc = take_slot(c, &slot, err)) != DVT_OK)
		return rc;
	c->signing[slot] = (struct core_signing){
	    .generation = ++c->signing_generation,
	    .done = done,
	    .drop = drop,
	    .ctx = ctx,
	    .kind = q->kind,
	};
	s = dvt_alloc(sizeof(*s));
	s->slot = slot;
	s->generation = c->signing_generation;
	dvt_buf_init(&s->body, dvt_msg_max(DVT_MSG_SIGN_REQUEST));
	sign_request_put(&s->body, q);
	if (c->tx != NULL)
		core_after(c, send_off, s);
	else
		send_off(c, s, true);
	return DVT_OK;
}

enum dvt_code
core_sign(struct core *c, const struct sign_request *q,
    enum dvt_code (*done)(struct core *c, void *ctx, const struct sign_reply *r,
	struct dvt_err *err),
    void (*drop)(void *ctx), void *ctx, struct dvt_err *err)
{
	if (!c->signer_ready)
		return dvt_fail(err, DVT_E_LATER, "the signer is starting");
	return ask(c, q, done, drop, ctx, err);
}

enum dvt_code
core_sign_now(struct core *c, const struct sign_request *q,
    enum dvt_code (*done)(struct core *c, void *ctx, const struct sign_reply *r,
	struct dvt_err *err),
    struct dvt_err *err)
{
	return ask(c, q, done, NULL, NULL, err);
}

enum dvt_code
core_signed(struct core *c, const struct core_asker *to,
    const struct sign_reply *r,
    enum dvt_code (*record)(struct core *c, void *ctx, struct dvt_err *err),
    void *ctx)
{
	struct dvt_err why = {0};
	enum dvt_code rc;

	if (r->code != DVT_OK)
		rc = dvt_fail(&why, r->code, "%s", r->why);
	else
		rc = core_within(c, record, ctx, &why);
	if (rc != DVT_OK)
		core_answer_problem(c, to, &why, 0);
	return DVT_OK;
}

/* The signer puts off what the clock forbids, and nothing else. */
static enum dvt_code
alarm_clock(struct core *c, void *ctx, struct dvt_err *err)
{
	return core_alert(c, "page", "clock", "clock-runs-backwards", ctx, err);
}

static void
look_at_clock(struct core *c, struct sign_reply *r)
{
	int64_t now_ms = dvt_loop_time(c->loop).mono_ms;
	struct dvt_err err;

	if (r->code != DVT_E_LATER || now_ms < c->clock_alarm_ms)
		return;
	c->clock_alarm_ms = now_ms + CORE_ALARM_MS;
	if (core_within(c, alarm_clock, r->why, &err) != DVT_OK)
		log_event(LOG_WARNING, "alert.unsent", LE(&err));
}

void
core_signer_reply(struct core *c, struct dvt_msg *m)
{
	struct dvt_err err = {0};
	struct sign_reply r;

	if (m->slot >= CORE_SIGN_MAX ||
	    c->signing[m->slot].generation != m->generation)
		return; /* of a life that is over */
	if (sign_reply_get(m->body, &r, &err) != DVT_OK) {
		finish_later(c, m->slot, err.text);
		return;
	}
	look_at_clock(c, &r);
	finish(c, m->slot, &r);
}

void
core_signer_down(struct core *c)
{
	c->signer_ready = false;
	for (uint32_t i = 0; i < CORE_SIGN_MAX; i++) {
		if (c->signing[i].generation != 0)
			finish_later(c, i, "the signer was started again");
	}
}
