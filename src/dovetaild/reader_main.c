/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A reader's process: lists, dry runs, exports, on a read-only connection.
 * Each request sees one snapshot; nothing is kept between two of them, but
 * requests that wait for news: they are asked again, from the start.
 */
#include "api/router.h"
#include "base/log.h"
#include "base/mem.h"
#include "dovetaild/peers.h"
#include "dovetaild/program.h"
#include "dovetaild/request.h"
#include "store/store.h"

#include <stdlib.h>

#define WAITING_MAX 256 /* requests that wait for news */
#define LOOK_MS     500 /* between two looks at them */

/* One of them, as it came. */
struct waiting {
	bool used;
	unsigned front;
	uint64_t life; /* of that front */
	uint32_t slot;
	uint64_t generation;
	struct dvt_buf body;
	int64_t until_ms; /* mono; 0: not known yet */
};

struct reader {
	const struct program *program;
	struct dvt_loop *loop;
	struct peers *peers;
	struct dvt_store *store;
	struct waiting waiting[WAITING_MAX];
	struct dvt_timer *look;
};

static void
send_reply(struct reader *r, const struct waiting *to, struct dvt_reply *reply)
{
	struct dvt_msg m = {.type = DVT_MSG_REPLY,
	    .slot = to->slot,
	    .generation = to->generation,
	    .fd = -1};
	struct reply answer = {
	    .status = reply->status, .retry_after_s = reply->retry_after_s};
	struct dvt_buf room, body;
	struct dvt_err err;

	dvt_buf_init(&room, dvt_msg_max(DVT_MSG_REPLY));
	dvt_buf_init(&body, dvt_msg_max(DVT_MSG_REPLY));
	answer.body = dvt_reply_body(reply, &room);
	(void)dvt_copy_str(
	    answer.type, sizeof(answer.type), dvt_reply_type(reply));
	reply_put(&body, &answer);
	m.body = dvt_buf_span(&body);
	if (peers_send(r->peers, DVT_ROLE_FRONT, to->front, &m, &err) != DVT_OK)
		log_event(LOG_WARNING, "reader.answer.lost", LE(&err));
	dvt_buf_fini(&room);
	dvt_buf_fini(&body);
}

static void
run_call(struct reader *r, const struct request *q, struct dvt_reply *reply)
{
	struct dvt_arena arena = {0};
	struct dvt_app app = {.arena = &arena,
	    .now = dvt_time_now(),
	    .config = r->program->config};
	struct dvt_call call = {.method = q->method,
	    .path = q->path,
	    .query = q->query,
	    .token = q->token,
	    .accept = q->accept,
	    .body = q->body};
	struct dvt_err err;

	if (dvt_tx_begin(r->store, &app.tx, &err) != DVT_OK) {
		dvt_reply_problem(reply, &err);
		return;
	}
	(void)dvt_api_run(&app, &call, reply);
	dvt_tx_rollback(app.tx);
	dvt_arena_free(&arena);
}

/* One request; false: there is nothing new, and it may wait until @until_ms
 * (set at the first look). */
static bool
answer(
    struct reader *r, struct dvt_span body, struct waiting *to, bool may_wait)
{
	int64_t now = dvt_time_now().mono_ms;
	struct dvt_reply reply;
	struct dvt_err err;
	struct request q;
	bool wait;

	dvt_reply_init(&reply);
	if (request_get(body, &q, &err) != DVT_OK)
		dvt_reply_problem(&reply, &err);
	else
		run_call(r, &q, &reply);
	if (to->until_ms == 0)
		to->until_ms = now + reply.wait_s * 1000;
	wait = may_wait && reply.wait_s > 0 && now < to->until_ms;
	if (!wait)
		send_reply(r, to, &reply);
	dvt_reply_fini(&reply);
	return !wait;
}

static void
forget(struct waiting *w)
{
	dvt_buf_fini(&w->body);
	w->used = false;
}

/* Those of a front that came up anew are nobody's. */
static void
look_again(void *ctx)
{
	struct reader *r = ctx;
	size_t left = 0;

	for (size_t i = 0; i < WAITING_MAX; i++) {
		struct waiting *w = &r->waiting[i];

		if (!w->used)
			continue;
		if (w->life != peers_life(r->peers, DVT_ROLE_FRONT, w->front) ||
		    answer(r, dvt_buf_span(&w->body), w, true))
			forget(w);
		else
			left++;
	}
	if (left == 0)
		dvt_timer_stop(r->look);
}

static struct waiting *
free_place(struct reader *r)
{
	for (size_t i = 0; i < WAITING_MAX; i++) {
		if (!r->waiting[i].used)
			return &r->waiting[i];
	}
	return NULL;
}

static void
cancel(struct reader *r, unsigned front, const struct dvt_msg *m)
{
	for (size_t i = 0; i < WAITING_MAX; i++) {
		struct waiting *w = &r->waiting[i];

		if (w->used && w->front == front && w->slot == m->slot &&
		    w->generation == m->generation)
			forget(w);
	}
}

static void
on_received(void *user, struct dvt_channel *c, struct dvt_msg *m)
{
	struct reader *r = user;
	struct waiting *place = free_place(r);
	struct waiting one = {.used = true,
	    .front = dvt_channel_peer_index(c),
	    .slot = m->slot,
	    .generation = m->generation};

	if (m->type == DVT_MSG_CANCEL)
		cancel(r, one.front, m);
	if (m->type != DVT_MSG_REQUEST)
		return; /* INVALIDATE: nothing is cached here */
	if (answer(r, m->body, &one, place != NULL))
		return;
	one.life = peers_life(r->peers, DVT_ROLE_FRONT, one.front);
	*place = one;
	dvt_buf_init(&place->body, dvt_msg_max(DVT_MSG_REQUEST));
	dvt_buf_put_span(&place->body, m->body);
	if (!dvt_timer_running(r->look))
		dvt_timer_repeat(r->look, LOOK_MS);
}

static enum dvt_code
start(struct reader *r, struct dvt_child *me, struct dvt_err *err)
{
	struct peers_config config = {
	    .self = DVT_ROLE_READER, .received = on_received, .user = r};
	char folder[2048], *slash;
	struct dvt_sandbox_path paths[] = {
	    {folder, true, false}
        };
	const char *database = dvt_config_text(r->program->config, "database");
	enum dvt_code rc;

	if ((rc = dvt_loop_new(&r->loop, err)) != DVT_OK ||
	    (rc = dvt_store_open(database, DVT_STORE_READ, &r->store, err)) !=
		DVT_OK)
		return rc;
	(void)dvt_copy_str(folder, sizeof(folder), database);
	if ((slash = strrchr(folder, '/')) != NULL)
		*slash = '\0';
	r->look = dvt_timer_new(r->loop, look_again, r);
	r->peers = peers_new(r->loop, me, &config);
	/* also to read, SQLite maps and locks the shared index of the log */
	return program_sandbox(r->program,
	    DVT_SYS_MEMFD | DVT_SYS_FILES_RO | DVT_SYS_FILES_RW, paths,
	    DVT_COUNT(paths), err);
}

int
reader_run(struct dvt_child *me, void *program)
{
	struct reader *r = dvt_alloc(sizeof(*r));
	struct dvt_err err = {0};
	enum dvt_code rc;

	program_log(program, dvt_child_name(me));
	r->program = program;
	rc = start(r, me, &err);
	if (rc == DVT_OK) {
		peers_ready(r->peers);
		dvt_loop_run(r->loop);
	} else {
		log_event(LOG_CRIT, "reader.start.failed", LE(&err));
	}
	for (size_t i = 0; i < WAITING_MAX; i++)
		forget(&r->waiting[i]);
	dvt_timer_free(r->look);
	peers_free(r->peers);
	dvt_store_close(r->store);
	dvt_loop_free(r->loop);
	free(r);
	return dvt_code_exit(rc);
}
