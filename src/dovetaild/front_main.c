/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A front's process: TLS, HTTP and parsing. It reaches its own folder of keys
 * and its peers; no CA key, no database.
 */
#include "base/log.h"
#include "dovetaild/front_priv.h"
#include "pki/fastec.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static void
on_received(void *user, struct dvt_channel *c, struct dvt_msg *m)
{
	struct front *f = user;
	struct dvt_err err = {0};
	struct publish p;

	front_late_heard(f, dvt_channel_peer(c), dvt_channel_peer_index(c));
	if (m->type == DVT_MSG_REPLY)
		front_answer(f, m);
	else if (m->type == DVT_MSG_FEED)
		front_feed(f, m->body);
	else if (m->type == DVT_MSG_PUBLISH &&
		 publish_get(m->body, &p, &err) == DVT_OK)
		front_publish(f, &p);
}

static void
on_down(void *user, enum dvt_role role, unsigned index)
{
	front_peer_down(user, role, index);
	front_late_heard(user, role, index);
}

/* Core sends the feed from its start to a front it meets (again). */
static void
on_up(void *user, enum dvt_role role, unsigned index, uint64_t life)
{
	struct front *f = user;

	(void)index;
	if (role != DVT_ROLE_CORE || life < 2)
		return;
	/* what is shown stays until the new state is whole */
	dvt_feed_free(f->fresh);
	f->fresh = dvt_feed_new();
}

static enum dvt_code
listen_socket(struct front *f, struct dvt_err *err)
{
	struct dvt_http_listen l = {.fd = dup(f->program->socket_fd),
	    .write_ms = dvt_config_int(
		f->program->config, "operator.writeTimeout"),
	    .user = f};

	if (l.fd < 0)
		return dvt_fail_errno(err, "operator socket");
	return dvt_http_server_listen(f->http, &l, &f->socket, err);
}

/* Sockets of the other fronts are not ours to hold open. */
static void
close_others(const struct front *f)
{
	for (unsigned i = 0; i < DVT_FRONTS_MAX; i++) {
		if (i == f->index)
			continue;
		if (f->program->device_fd[i] >= 0)
			close(f->program->device_fd[i]);
		if (f->program->operator_fd[i] >= 0)
			close(f->program->operator_fd[i]);
	}
}

static enum dvt_code
start(struct front *f, struct dvt_child *me, struct dvt_err *err)
{
	struct peers_config config = {.self = DVT_ROLE_FRONT,
	    .received = on_received,
	    .up = on_up,
	    .down = on_down,
	    .user = f};
	struct dvt_sandbox_path paths[] = {
	    {f->folder, true, false},
	};
	enum dvt_code rc;

	if ((rc = dvt_loop_new(&f->loop, err)) != DVT_OK ||
	    (rc = front_keys_load(f, err)) != DVT_OK)
		return rc;
	if (dvt_config_bool(f->program->config, "tls.fastDecoding") &&
	    dvt_fastec_enable(err) != DVT_OK)
		log_event(LOG_INFO, "front.fast-decoding.absent", LE(err));
	if ((rc = front_tls_new(f, err)) != DVT_OK)
		return rc;
	f->http = dvt_http_server_new(
	    f->loop, FRONT_PARKED_MAX, front_handle, f);
	front_events_new(f);
	front_late_new(f);
	f->report = dvt_timer_new(f->loop, front_report_now, f);
	f->peers = peers_new(f->loop, me, &config);
	if ((rc = listen_socket(f, err)) != DVT_OK)
		return rc;
	return program_sandbox(f->program,
	    DVT_SYS_NET | DVT_SYS_ACCEPT | DVT_SYS_MEMFD | DVT_SYS_FILES_RO |
		DVT_SYS_FILES_RW,
	    paths, DVT_COUNT(paths), err);
}

static void
stop(struct front *f)
{
	dvt_http_server_free(f->http);
	front_events_free(f);
	peers_free(f->peers);
	dvt_timer_free(f->report);
	dvt_timer_free(f->late);
	front_tls_free(f->tls);
	dvt_feed_free(f->feed);
	dvt_feed_free(f->fresh);
	for (size_t i = 0; i < f->key_n; i++)
		EVP_PKEY_free(f->key[i].key);
	dvt_buf_fini(&f->cacerts);
	dvt_loop_free(f->loop);
	free(f->record);
	free(f);
}

int
front_run(struct dvt_child *me, void *program)
{
	struct front *f = dvt_alloc(sizeof(*f));
	struct dvt_err err = {0};
	enum dvt_code rc;

	program_log(program, dvt_child_name(me));
	f->program = program;
	f->index = dvt_child_index(me);
	f->feed = dvt_feed_new();
	f->record = dvt_alloc_array(FRONT_RECORDS_MAX, sizeof(*f->record));
	f->batch = dvt_time_now().wall_s * 1000; /* above any former life's */
	dvt_buf_init(&f->cacerts, 1 << 20);
	snprintf(f->name, sizeof(f->name), "front-%u", f->index + 1);
	snprintf(f->folder, sizeof(f->folder), "%s/front/%u", f->program->dir,
	    f->index + 1);
	close_others(f);
	rc = start(f, me, &err);
	if (rc == DVT_OK)
		dvt_loop_run(f->loop);
	else
		log_event(LOG_CRIT, "front.start.failed", LE(&err));
	stop(f);
	return dvt_code_exit(rc);
}
