/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A reader's process: lists, dry runs, exports, on a read-only connection.
 * Each request sees one snapshot; nothing is kept between two of them.
 */
#include "api/router.h"
#include "base/log.h"
#include "base/mem.h"
#include "dovetaild/peers.h"
#include "dovetaild/program.h"
#include "dovetaild/request.h"
#include "store/store.h"

#include <stdlib.h>

struct reader {
	const struct program *program;
	struct dvt_loop *loop;
	struct peers *peers;
	struct dvt_store *store;
};

static void
send_reply(
    struct dvt_channel *c, const struct dvt_msg *asked, struct dvt_reply *reply)
{
	struct dvt_msg m = {.type = DVT_MSG_REPLY,
	    .slot = asked->slot,
	    .generation = asked->generation,
	    .fd = -1};
	struct reply r = {
	    .status = reply->status, .retry_after_s = reply->retry_after_s};
	struct dvt_buf room, body;
	struct dvt_err err;

	dvt_buf_init(&room, dvt_msg_max(DVT_MSG_REPLY));
	dvt_buf_init(&body, dvt_msg_max(DVT_MSG_REPLY));
	r.body = dvt_reply_body(reply, &room);
	(void)dvt_copy_str(r.type, sizeof(r.type), dvt_reply_type(reply));
	reply_put(&body, &r);
	m.body = dvt_buf_span(&body);
	if (dvt_channel_send(c, &m, &err) != DVT_OK)
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

static void
on_received(void *user, struct dvt_channel *c, struct dvt_msg *m)
{
	struct reader *r = user;
	struct dvt_reply reply;
	struct dvt_err err;
	struct request q;

	if (m->type != DVT_MSG_REQUEST)
		return; /* INVALIDATE, CANCEL: nothing is kept here */
	dvt_reply_init(&reply);
	if (request_get(m->body, &q, &err) != DVT_OK)
		dvt_reply_problem(&reply, &err);
	else
		run_call(r, &q, &reply);
	send_reply(c, m, &reply);
	dvt_reply_fini(&reply);
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
	peers_free(r->peers);
	dvt_store_close(r->store);
	dvt_loop_free(r->loop);
	free(r);
	return dvt_code_exit(rc);
}
