/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The signer's process: one secret from its parent, one channel to core.
 * No network, no database, no files.
 */
#include "base/log.h"
#include "dovetaild/peers.h"
#include "dovetaild/program.h"
#include "dovetaild/signer.h"
#include "proc/sandbox.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct signer_process {
	struct dvt_loop *loop;
	struct signer *signer;
	struct peers *peers;
	struct sign_request_room room;
};

static void
answer(struct dvt_channel *c, const struct dvt_msg *m,
    const struct signer_out *o, enum dvt_code code, const struct dvt_err *why)
{
	struct dvt_msg reply = {.type = DVT_MSG_SIGN_REPLY,
	    .slot = m->slot,
	    .generation = m->generation,
	    .fd = -1};
	struct sign_reply r = {.code = code};
	struct dvt_err err;
	struct dvt_buf body;

	dvt_buf_init(&body, dvt_msg_max(DVT_MSG_SIGN_REPLY));
	if (code == DVT_OK) {
		r.der = dvt_buf_span(&o->der);
		r.wrapped = dvt_buf_span(&o->wrapped);
		r.line = dvt_buf_span(&o->line);
	} else {
		snprintf(r.why, sizeof(r.why), "%.255s", why->text);
	}
	sign_reply_put(&body, &r);
	reply.body = dvt_buf_span(&body);
	if (dvt_channel_send(c, &reply, &err) != DVT_OK)
		log_event(LOG_WARNING, "signer.answer.lost", LE(&err));
	dvt_buf_fini(&body);
}

static void
on_received(void *user, struct dvt_channel *c, struct dvt_msg *m)
{
	struct signer_process *p = user;
	struct dvt_err err = {0};
	struct sign_request q;
	struct signer_out out;
	enum dvt_code rc;

	signer_out_init(&out);
	rc = sign_request_get(m->body, &p->room, &q, &err);
	if (rc == DVT_OK)
		rc = signer_do(
		    p->signer, &q, dvt_loop_time(p->loop).wall_s, &out, &err);
	if (rc != DVT_OK)
		log_event(LOG_WARNING, "signer.refused",
		    LS("kind", sign_kind_name(q.kind)), LE(&err));
	answer(c, m, &out, rc, &err);
	signer_out_fini(&out);
}

static enum dvt_code
start(struct signer_process *p, struct dvt_child *me,
    const struct program *program, struct dvt_err *err)
{
	struct peers_config config = {
	    .self = DVT_ROLE_SIGNER, .received = on_received, .user = p};
	struct dvt_secret unlock = {NULL, 0};
	enum dvt_code rc;

	if ((rc = dvt_loop_new(&p->loop, err)) != DVT_OK ||
	    (rc = dvt_sealed_read(program->unlock_fd, &unlock, err)) != DVT_OK)
		return rc;
	rc = signer_new(&unlock, &p->signer, err);
	dvt_secret_free(&unlock);
	if (rc != DVT_OK)
		return rc;
	close(program->unlock_fd);
	p->peers = peers_new(p->loop, me, &config);
	return program_sandbox(program, DVT_SYS_MEMFD, NULL, 0, err);
}

int
signer_run(struct dvt_child *me, void *ctx)
{
	struct signer_process *p = dvt_alloc(sizeof(*p));
	struct dvt_err err = {0};
	enum dvt_code rc;

	program_log(ctx, dvt_child_name(me));
	rc = start(p, me, ctx, &err);

	if (rc == DVT_OK) {
		peers_ready(p->peers);
		dvt_loop_run(p->loop);
	} else {
		log_event(LOG_CRIT, "signer.start.failed", LE(&err));
	}
	peers_free(p->peers);
	signer_free(p->signer);
	dvt_loop_free(p->loop);
	free(p);
	return dvt_code_exit(rc);
}
