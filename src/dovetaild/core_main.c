/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Core's process: every decision, the only writer. It reaches the database's
 * folder and its peers; no network, no CA key in the clear.
 */
#include "base/log.h"
#include "dovetaild/core_outbound.h"
#include "dovetaild/core_priv.h"
#include "dovetaild/core_rotation.h"
#include "store/audit.h"
#include "store/authority.h"
#include "store/edge.h"

#include <stdio.h>
#include <stdlib.h>

#define TICK_MS 1000

/* --- messages --- */

static void
from_front(struct core *c, struct dvt_channel *ch, struct dvt_msg *m)
{
	unsigned index = dvt_channel_peer_index(ch);
	struct core_asker from = {.front = index,
	    .life = peers_life(c->peers, DVT_ROLE_FRONT, index),
	    .slot = m->slot,
	    .generation = m->generation};
	struct est_request est = {0};
	struct dvt_err err = {0};

	if (m->type == DVT_MSG_REQUEST) {
		struct request *q = &c->request;

		if (request_get(m->body, q, &err) == DVT_OK)
			core_request_received(c, &from, q);
	} else if (m->type == DVT_MSG_EST_REQUEST) {
		if (est_request_get(m->body, &est, &err) == DVT_OK)
			core_est_received(c, &from, &est);
	} else if (m->type == DVT_MSG_OBSERVED) {
		core_front_report(c, index, m->body);
	} else if (m->type == DVT_MSG_CANCEL) {
		core_feed_cancel(c, &from);
	}
	if (err.code != DVT_OK)
		core_answer_problem(c, &from, &err, 0);
}

static void
on_received(void *user, struct dvt_channel *ch, struct dvt_msg *m)
{
	struct core *c = user;

	if (dvt_channel_peer(ch) == DVT_ROLE_FRONT)
		from_front(c, ch, m);
	else if (m->type == DVT_MSG_SIGN_REPLY)
		core_signer_reply(c, m);
	else if (m->type == DVT_MSG_OUTBOUND_DONE)
		core_outbound_done(c, m->body);
}

static void
on_up(void *user, enum dvt_role role, unsigned index, uint64_t life)
{
	struct core *c = user;

	(void)life;
	if (role == DVT_ROLE_SIGNER)
		core_signer_up(c);
	else if (role == DVT_ROLE_FRONT && index < DVT_FRONTS_MAX)
		core_front_up(c, index);
}

static void
on_down(void *user, enum dvt_role role, unsigned index)
{
	struct core *c = user;

	if (role == DVT_ROLE_SIGNER)
		core_signer_down(c);
	else if (role == DVT_ROLE_COURIER)
		core_outbound_down(c);
	else if (role == DVT_ROLE_FRONT && index < DVT_FRONTS_MAX)
		core_front_down(c, index);
}

static void
on_tick(void *ctx)
{
	core_tick(ctx);
}

/* --- start --- */

/* Records of what init or a former life left, as they are now. */
static enum dvt_code
refresh_feed(struct core *c, void *ctx, struct dvt_err *err)
{
	struct dvt_row_authority *a;
	struct dvt_row_gateway *g;
	size_t n;
	enum dvt_code rc = dvt_store_authority_list(
	    core_tx(c), core_arena(c), 0, DVT_LIST_MAX, &a, &n, err);

	(void)ctx;
	for (size_t i = 0; rc == DVT_OK && i < n; i++)
		rc = core_feed_anchor(c, a[i].id, err);
	if (rc == DVT_OK)
		rc = dvt_store_gateway_list(
		    core_tx(c), core_arena(c), "", DVT_LIST_MAX, &g, &n, err);
	for (size_t i = 0; rc == DVT_OK && i < n; i++) {
		struct dvt_row_gateway_credential *creds;
		size_t k;

		rc = core_feed_policy(c, g[i].name, NULL, err);
		if (rc == DVT_OK)
			rc = dvt_store_gateway_credential_list(core_tx(c),
			    core_arena(c), g[i].name, &creds, &k, err);
		for (size_t j = 0; rc == DVT_OK && j < k; j++)
			rc = core_feed_credential(
			    c, g[i].name, creds[j].id, NULL, err);
	}
	return rc;
}

static enum dvt_code
meta(struct core *c, const char *key, const char **out, struct dvt_err *err)
{
	enum dvt_code rc = dvt_store_meta_get(
	    core_tx(c), core_arena(c), key, out, err);

	if (rc == DVT_E_ABSENT)
		rc = dvt_fail(err, DVT_E_CONFLICT,
		    "the database has no %s; was it made by init?", key);
	return rc;
}

static enum dvt_code
open_life(struct core *c, void *ctx, struct dvt_err *err)
{
	const char *fleet, *epoch, *node;
	enum dvt_code rc;

	if ((rc = meta(c, "fleet", &fleet, err)) != DVT_OK ||
	    (rc = meta(c, "epoch", &epoch, err)) != DVT_OK ||
	    (rc = meta(c, "node", &node, err)) != DVT_OK ||
	    (rc = dvt_store_audit_open(core_tx(c), node, core_now(c).wall_s,
		 c->stream, err)) != DVT_OK)
		return rc;
	if ((rc = core_policy_open(c, err)) != DVT_OK)
		return rc;
	(void)dvt_copy_str(c->fleet, sizeof(c->fleet), fleet);
	c->epoch = strtoll(epoch, NULL, 10);
	if ((rc = core_audit(c, "core", "core.start", node, NULL, err)) !=
		DVT_OK ||
	    (rc = core_outbound_open(c, err)) != DVT_OK)
		return rc;
	return refresh_feed(c, ctx, err);
}

void
core_give_up(struct core *c, enum dvt_code code)
{
	c->status = dvt_code_exit(code);
	dvt_loop_stop(c->loop);
}

void
core_serve(struct core *c)
{
	if (c->started)
		return;
	c->started = true;
	for (unsigned i = 0; i < DVT_FRONTS_MAX; i++)
		core_front_greet(c, i);
	dvt_timer_repeat(c->tick, TICK_MS);
	peers_ready(c->peers);
}

static enum dvt_code
open_store(struct core *c, struct dvt_err *err)
{
	const char *path = dvt_config_text(c->program->config, "database");
	enum dvt_code rc = dvt_store_open(
	    path, DVT_STORE_WRITE, &c->store, err);

	if (rc == DVT_OK &&
	    dvt_store_schema(c->store) < dvt_store_schema_known())
		rc = dvt_store_migrate(c->store, err);
	return rc;
}

static enum dvt_code
narrow(struct core *c, struct dvt_err *err)
{
	char folder[1200], *slash;
	struct dvt_sandbox_path paths[] = {
	    {folder, true, false},
	};

	(void)dvt_copy_str(folder, sizeof(folder),
	    dvt_config_text(c->program->config, "database"));
	if ((slash = strrchr(folder, '/')) != NULL)
		*slash = '\0';
	return program_sandbox(c->program,
	    DVT_SYS_MEMFD | DVT_SYS_FILES_RO | DVT_SYS_FILES_RW, paths,
	    DVT_COUNT(paths), err);
}

static enum dvt_code
start(struct core *c, struct dvt_child *me, struct dvt_err *err)
{
	struct peers_config config = {.self = DVT_ROLE_CORE,
	    .received = on_received,
	    .up = on_up,
	    .down = on_down,
	    .user = c};
	enum dvt_code rc;

	core_rotation_start();
	if ((rc = dvt_loop_new(&c->loop, err)) != DVT_OK ||
	    (rc = open_store(c, err)) != DVT_OK)
		return rc;
	c->turn_end = dvt_defer_new(c->loop, core_turn_end, c);
	c->tick = dvt_timer_new(c->loop, on_tick, c);
	c->feed_timer = dvt_timer_new(c->loop, core_feed_news, c);
	if ((rc = core_within(c, open_life, NULL, err)) != DVT_OK)
		return rc;
	core_turn_end(c); /* kept before anybody is heard */
	c->peers = peers_new(c->loop, me, &config);
	return narrow(c, err);
}

int
core_run(struct dvt_child *me, void *program)
{
	struct core *c = dvt_alloc(sizeof(*c));
	struct dvt_err err = {0};
	enum dvt_code rc;
	int status;

	program_log(program, dvt_child_name(me));
	c->program = program;
	dvt_buf_init(&c->import_key, 1024);
	rc = start(c, me, &err);
	if (rc == DVT_OK) {
		dvt_loop_run(c->loop);
	} else {
		log_event(LOG_CRIT, "core.start.failed", LE(&err));
		c->status = dvt_code_exit(rc);
	}
	status = c->status;
	peers_free(c->peers);
	dvt_timer_free(c->tick);
	dvt_timer_free(c->feed_timer);
	dvt_defer_free(c->turn_end);
	dvt_store_close(c->store);
	dvt_buf_fini(&c->import_key);
	core_outbound_free(c->outbound);
	dvt_loop_free(c->loop);
	free(c);
	return status;
}
