/* SPDX-License-Identifier: Apache-2.0 */
/* REQUESTs of fronts: devices and gateways, and operators by api/router.h. */
#include "api/router.h"
#include "base/log.h"
#include "dovetaild/core_config.h"
#include "dovetaild/core_priv.h"

#include <stdlib.h>

struct asking {
	const struct core_asker *from;
	const struct request *q;
	struct dvt_reply reply;
	struct core_app_ctx ctx;
	enum dvt_code code; /* behind an answer that was made in full */
	bool answered;
};

static enum dvt_code
device_call(struct core *c, void *ctx, struct dvt_err *err)
{
	struct asking *a = ctx;
	const char *path = a->q->path;

	if (strcmp(path, "/v1/device/checkin") == 0)
		return core_checkin(c, a->from, a->q, err);
	if (strcmp(path, "/v1/device/config") == 0)
		return strcmp(a->q->method, "GET") == 0
			   ? core_config_fetch(c, a->from, a->q, err)
			   : core_config_give(c, a->from, a->q, err);
	if (strcmp(path, "/v1/device/lock") == 0)
		return core_config_lock(c, a->from, a->q, err);
	if (strcmp(path, "/v1/gateway/feed") == 0)
		return core_feed_get(c, a->from, a->q, err);
	if (strcmp(path, "/v1/gateway/report") == 0)
		return core_feed_report(c, a->from, a->q, err);
	return dvt_fail(err, DVT_E_ABSENT, "no such path: %.300s", path);
}

static void
send_reply(struct core *c, struct asking *a)
{
	struct dvt_span body;
	struct dvt_buf room;

	dvt_buf_init(&room, 8 * 1024 * 1024);
	body = dvt_reply_body(&a->reply, &room);
	core_answer(c, a->from, a->reply.status, dvt_reply_type(&a->reply),
	    body, a->reply.retry_after_s);
	dvt_buf_fini(&room);
}

static enum dvt_code
operator_call(struct core *c, void *ctx, struct dvt_err *err)
{
	struct asking *a = ctx;
	struct dvt_app app = {.tx = core_tx(c),
	    .arena = core_arena(c),
	    .now = core_now(c),
	    .config = core_config(c),
	    .core = &core_app,
	    .core_ctx = &a->ctx};
	struct dvt_call call = {.method = a->q->method,
	    .path = a->q->path,
	    .query = a->q->query,
	    .token = a->q->token,
	    .accept = a->q->accept,
	    .body = a->q->body};
	struct dvt_err why = {0};

	a->ctx = (struct core_app_ctx){c, *a->from};
	a->code = dvt_api_run(&app, &call, &a->reply);
	if (app.later)
		return DVT_OK;
	a->answered = true;
	/* a request for approval is kept; what else failed is taken back */
	if (a->code != DVT_OK && a->code != DVT_E_APPROVAL) {
		if (err != NULL)
			*err = why;
		return a->code;
	}
	send_reply(c, a);
	return DVT_OK;
}

void
core_request_received(
    struct core *c, const struct core_asker *from, const struct request *q)
{
	struct asking a = {.from = from, .q = q};
	struct dvt_err err = {0};
	enum dvt_code rc;

	dvt_reply_init(&a.reply);
	rc = core_within(
	    c, q->from == FROM_DEVICE ? device_call : operator_call, &a, &err);
	if (rc != DVT_OK && a.answered && rc == a.code)
		send_reply(c, &a); /* the problem, nothing was kept */
	else if (rc != DVT_OK)
		core_answer_problem(c, from, &err, 0);
	dvt_reply_fini(&a.reply);
}
