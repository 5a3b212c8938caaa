/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/worker.h"

#include "base/log.h"
#include "base/mem.h"
#include "gateway/conn.h"
#include "ipc/fields.h"
#include "pki/fastec.h"
#include "proc/children.h"
#include "proc/control.h"
#include "proc/sandbox.h"
#include "proc/service.h"
#include "proto/mqtt_gate.h"

#include <openssl/rand.h>

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define ACCEPTS         64  /* in one turn */
#define ACCEPT_AGAIN_MS 100 /* after running out of descriptors */
#define FDS_SPARE       64  /* descriptors that are no connections */
#define KEEPALIVE_S     120
#define TELL_MS         1000
#define PACE_MS         100
#define RECORDS_MS      20
#define END_MS          2500  /* for the last ones, of 3 s that we have */
#define RECORDS_BYTES   49152 /* of records in one message */
#define AWAY_S          60    /* without an answer the control plane is away */
#define MAX_STALE_S     86400 /* until a policy says otherwise */

/* --- records --- */

/* The lines under way, or as many as one message takes; false: none, or not
 * now. */
static bool
records_send_some(struct gw_worker *w)
{
	struct dvt_msg m = {.type = DVT_MSG_EDGE_RECORD, .fd = -1};
	struct dvt_span lines;
	struct dvt_buf body;
	uint64_t number;
	enum dvt_code rc;

	if (w->feed_channel == NULL)
		return false;
	lines = gw_queue_next(w->queue, RECORDS_BYTES, &number);
	if (lines.n == 0)
		return false;
	dvt_buf_init(&body, dvt_msg_max(DVT_MSG_EDGE_RECORD));
	dvt_put_u64(&body, w->life);
	dvt_put_u64(&body, number);
	dvt_put_bytes(&body, lines);
	m.body = dvt_buf_span(&body);
	rc = dvt_channel_send(w->feed_channel, &m, NULL);
	dvt_buf_fini(&body);
	return rc == DVT_OK;
}

/* One message at a time, until the feed process says that it is safe. */
static void
records_send(void *worker)
{
	struct gw_worker *w = worker;

	if (!gw_queue_is_under_way(w->queue))
		(void)records_send_some(w);
}

/*
 * One message for all of some milliseconds: to wake the feed process for each
 * one costs more than all the rest of a record.
 */
static void
records_send_soon(struct gw_worker *w)
{
	if (gw_queue_bytes(w->queue) >= RECORDS_BYTES)
		records_send(w);
	else if (gw_queue_bytes(w->queue) > 0 &&
		 !dvt_timer_running(w->recorder))
		dvt_timer_start(w->recorder, RECORDS_MS);
}

/* The last connection is gone: so are we, with the last record. */
static void
end_when_done(struct gw_worker *w)
{
	if (!w->stopping || w->conns > 0)
		return;
	(void)gw_queue_finish(w->queue);
	if (gw_queue_bytes(w->queue) == 0 || w->feed_channel == NULL)
		dvt_loop_stop(w->loop);
	else
		records_send(w);
}

void
gw_worker_records_taken(struct gw_worker *w, uint64_t number)
{
	if (gw_queue_taken(w->queue, number))
		records_send_soon(w);
	end_when_done(w);
}

/* At the end nobody waits for an answer; what is under way has been sent. */
static void
records_send_all(struct gw_worker *w)
{
	uint64_t number, lost = gw_queue_finish(w->queue);
	struct dvt_span left;

	if (gw_queue_is_under_way(w->queue)) {
		(void)gw_queue_next(w->queue, RECORDS_BYTES, &number);
		(void)gw_queue_taken(w->queue, number);
	}
	while (records_send_some(w)) {
		(void)gw_queue_next(w->queue, RECORDS_BYTES, &number);
		(void)gw_queue_taken(w->queue, number);
	}
	left = gw_queue_left(w->queue);
	for (size_t i = 0; i < left.n; i++)
		lost += left.p[i] == '\n';
	if (lost > 0)
		log_event(LOG_ERR, "gateway.record.lost", LI("records", lost),
		    LS("why", "the feed process took none at the end"));
}

static void
on_record(void *user, const struct dvt_handshake *h)
{
	struct gw_worker *w = user;

	w->stats.handshakes[h->outcome][h->reason]++;
	if (!w->recording)
		return;
	gw_queue_add(w->queue, h);
	records_send_soon(w);
}

/* --- accepting --- */

static void
listen_update(struct gw_worker *w)
{
	bool on = !w->stopping && dvt_edge_set_used(w->edge) != NULL &&
		  w->conns < w->conns_max &&
		  !dvt_timer_running(w->accept_again);

	dvt_watch_want(w->listening, on ? DVT_READ : 0);
}

static void
on_listening(void *ctx, unsigned ready)
{
	struct gw_worker *w = ctx;

	(void)ready;
	for (int i = 0; i < ACCEPTS && w->conns < w->conns_max; i++) {
		struct dvt_addr peer = {.len = sizeof(peer.ss)};
		int fd = accept4(w->program->listen_fd[w->index],
		    (struct sockaddr *)&peer.ss, &peer.len,
		    SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd >= 0) {
			gw_conn_new(w, fd, &peer);
			gw_conn_half_trim(w);
			continue;
		}
		if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS ||
		    errno == ENOMEM) {
			log_event(LOG_WARNING, "gateway.accept.full",
			    LI("connections", w->conns));
			dvt_timer_start(w->accept_again, ACCEPT_AGAIN_MS);
		}
		if (errno != ECONNABORTED && errno != EINTR)
			break;
	}
	listen_update(w);
}

/* What every connection has is set where it is accepted: they inherit it. */
static void
listen_options(int fd)
{
	int one = 1, idle = KEEPALIVE_S;

	(void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof(one));
	(void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof(idle));
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
}

static void
on_accept_again(void *ctx)
{
	listen_update(ctx);
}

void
gw_worker_linked(struct gw_worker *w, struct gw_conn *c)
{
	(void)c;
	w->conns++;
}

void
gw_worker_unlinked(struct gw_worker *w, struct gw_conn *c)
{
	if (w->sweep_at == c)
		w->sweep_at = gw_conn_next(c);
	w->conns--;
	if (w->conns + 1 == w->conns_max)
		listen_update(w);
	end_when_done(w);
}

/* --- who is not listed --- */

/* By policy, what was heard so long ago lets nobody in any more. */
static bool
is_too_old(const struct gw_worker *w)
{
	const struct dvt_feed_entry *e = dvt_feed_get(
	    w->feed, DVT_FEED_POLICY, w->program->settings.name);
	int64_t after = e != NULL ? e->u.policy.refuse_after_s : 0;

	return after > 0 &&
	       dvt_loop_time(w->loop).wall_s - w->heard_at >= after;
}

void
gw_worker_look_at_age(struct gw_worker *w)
{
	bool old = is_too_old(w);

	if (old != w->too_old)
		log_event(old ? LOG_ERR : LOG_NOTICE,
		    old ? "gateway.stale.refusing" : "gateway.stale.over",
		    LI("heard_at", w->heard_at));
	w->too_old = old;
	dvt_edge_stale(w->edge, old);
}

static int64_t
max_stale_s(const struct gw_worker *w)
{
	const struct dvt_feed_entry *e = dvt_feed_get(
	    w->feed, DVT_FEED_POLICY, w->program->settings.name);

	return e != NULL ? e->u.policy.max_stale_s : MAX_STALE_S;
}

bool
gw_worker_names_active(const struct gw_worker *w, const char *id)
{
	const struct dvt_feed_entry *d = id[0] != '\0'
					     ? dvt_feed_get(
						   w->feed, DVT_FEED_DEVICE, id)
					     : NULL;

	return d != NULL && (strcmp(d->u.device.state, "active") == 0 ||
				strcmp(d->u.device.state, "parked") == 0);
}

/*
 * A certificate may be issued a moment before its listing arrives: wait for
 * it. While the control plane is away none will come: then a certificate of
 * our own authority for a device we know is good enough, for max_stale_s.
 */
enum gw_admission
gw_worker_admission(
    struct gw_worker *w, const struct dvt_edge_peer *peer, bool waited)
{
	int64_t age = dvt_loop_time(w->loop).wall_s - w->heard_at;

	if (is_too_old(w))
		return GW_REJECT;
	if (age <= AWAY_S)
		return waited ? GW_REJECT : GW_WAIT;
	if (age < max_stale_s(w) &&
	    gw_worker_names_active(w, peer->common_name))
		return GW_ADMIT;
	return GW_REJECT;
}

/* --- the feed process --- */

void
gw_worker_tell(struct gw_worker *w)
{
	struct dvt_msg m = {.type = DVT_MSG_EDGE_APPLIED, .fd = -1};
	struct dvt_buf body;

	if (w->feed_channel == NULL)
		return;
	dvt_buf_init(&body, dvt_msg_max(DVT_MSG_EDGE_APPLIED));
	dvt_put_u64(&body, w->serial);
	dvt_put_i64(&body, dvt_feed_position(w->feed));
	dvt_put_i64(&body, dvt_feed_epoch(w->feed));
	dvt_put_u64(&body, w->sessions);
	m.body = dvt_buf_span(&body);
	if (dvt_channel_send(w->feed_channel, &m, NULL) == DVT_OK)
		w->told_sessions = w->sessions;
	dvt_buf_fini(&body);
}

static void
stats_tell(struct gw_worker *w)
{
	struct dvt_msg m = {.type = DVT_MSG_EDGE_STATS, .fd = -1};
	struct dvt_buf body;

	w->stats.conns = w->conns;
	w->stats.sessions = w->sessions;
	w->stats.passed = w->passed;
	w->stats.failing = 0;
	for (size_t i = 0; i < w->upstreams.n; i++)
		w->stats.failing |= (uint64_t)(w->upstreams.one[i].failures > 0)
				    << i;
	w->stats.resident_bytes = gw_memory_bytes(w->memory_fd);
	if (w->feed_channel == NULL ||
	    memcmp(&w->stats, &w->told, sizeof(w->told)) == 0)
		return;
	dvt_buf_init(&body, dvt_msg_max(DVT_MSG_EDGE_STATS));
	gw_stats_put(&w->stats, &body);
	m.body = dvt_buf_span(&body);
	if (dvt_channel_send(w->feed_channel, &m, NULL) == DVT_OK)
		w->told = w->stats;
	dvt_buf_fini(&body);
}

static void
on_tell(void *ctx)
{
	struct gw_worker *w = ctx;

	gw_worker_look_at_age(w);
	gw_conn_half_tell(w);
	gw_conn_half_trim(w); /* another worker may want room */
	stats_tell(w);
	if (w->sessions != w->told_sessions)
		gw_worker_tell(w);
}

/* Other addresses of the upstreams; sessions stay where they are. */
static void
names_take(struct gw_worker *w, struct dvt_span body)
{
	struct gw_upstreams up = w->upstreams, pass = w->pass_to;
	struct dvt_fields in = dvt_fields_of(body);
	struct dvt_err err;

	if (!gw_upstreams_get(&up, &in) || !gw_upstreams_get(&pass, &in) ||
	    dvt_fields_end(&in, "names", &err) != DVT_OK)
		return;
	w->upstreams = up;
	w->pass_to = pass;
}

static void
on_message(void *user, struct dvt_channel *ch, struct dvt_msg *m)
{
	struct gw_worker *w = user;

	(void)ch;
	if (m->type == DVT_MSG_EDGE_NAMES)
		names_take(w, m->body);
	if (m->type != DVT_MSG_EDGE_CONFIG)
		return;
	if (!gw_worker_state(w, m->body, m->fd)) {
		/* started again, a worker gets all of it again */
		dvt_loop_stop(w->loop);
		return;
	}
	listen_update(w);
	if (!w->told_ready) {
		w->told_ready = true;
		dvt_control_ready(w->control);
	}
}

static void
on_channel_end(void *user, struct dvt_channel *ch, const struct dvt_err *why)
{
	struct gw_worker *w = user;

	(void)why;
	if (w->feed_channel == ch)
		w->feed_channel = NULL;
	if (w->names_channel == ch)
		w->names_channel = NULL;
	dvt_channel_free(ch);
	end_when_done(w);
}

static void
on_peer(void *user, int role, unsigned index, int fd)
{
	struct gw_worker *w = user;
	struct dvt_channel_config config = {
	    .self = DVT_ROLE_EDGE_WORKER,
	    .peer = (enum dvt_role)role,
	    .peer_index = index,
	    .received = on_message,
	    .ended = on_channel_end,
	    .user = w,
	};

	if (role == DVT_ROLE_EDGE_RESOLVER) {
		dvt_channel_free(w->names_channel);
		w->names_channel = dvt_channel_new(w->loop, fd, &config);
		return;
	}
	dvt_channel_free(w->feed_channel);
	w->told = (struct gw_stats){0};
	w->feed_channel = dvt_channel_new(w->loop, fd, &config);
	if (gw_queue_is_under_way(w->queue))
		(void)records_send_some(w); /* once more: it may be another */
	else
		records_send(w);
}

static void
on_stop(void *user)
{
	struct gw_worker *w = user;

	w->stopping = true;
	listen_update(w);
	for (struct gw_conn *c = gw_conn_first(w), *next; c != NULL; c = next) {
		next = gw_conn_next(c);
		gw_conn_close(c);
	}
	dvt_timer_start(w->ender, END_MS);
	end_when_done(w);
}

/* Whoever is left: a client that does not go, a feed process that hangs. */
static void
on_end(void *ctx)
{
	struct gw_worker *w = ctx;

	dvt_loop_stop(w->loop);
}

/* --- start and end --- */

static enum dvt_code
edge_start(struct gw_worker *w, struct dvt_err *err)
{
	struct dvt_edge_config c = {
	    .listener = "main",
	    .ticket_key = w->program->ticket_key,
	    .memory = w->program->memory,
	    .record = on_record,
	    .user = w,
	};

	if (dvt_config_bool(w->program->config, "tls.fastDecoding") &&
	    dvt_fastec_enable(err) != DVT_OK)
		log_event(LOG_INFO, "gateway.fast-decoding.absent", LE(err));
	return dvt_edge_new(&c, &w->edge, err);
}

static enum dvt_code
start(struct gw_worker *w, struct dvt_child *me, struct dvt_err *err)
{
	struct dvt_control_config control = {
	    .peer = on_peer, .stop = on_stop, .user = w};
	unsigned long files = dvt_files_max();
	enum dvt_code rc;

	w->upstreams = w->program->settings.upstreams;
	w->pass_to = w->program->settings.pass_to;
	w->conns_max = files > 2 * FDS_SPARE ? (files - FDS_SPARE) / 2 : 32;
	w->half_max = (size_t)dvt_config_int(
	    w->program->config, "gateway.half-open");
	if (w->half_max == 0)
		w->half_max = w->conns_max / 4 * w->program->settings.workers;
	w->half_own_max = w->conns_max / 2;
	w->stall_ms = 1000 * dvt_config_int(
				 w->program->config, "gateway.stall-timeout");
	if ((rc = dvt_loop_new_busy(&w->loop, err)) != DVT_OK ||
	    (rc = edge_start(w, err)) != DVT_OK)
		return rc;
	listen_options(w->program->listen_fd[w->index]);
	w->listening = dvt_watch_new(
	    w->loop, w->program->listen_fd[w->index], 0, on_listening, w);
	w->accept_again = dvt_timer_new(w->loop, on_accept_again, w);
	w->sweeper = dvt_timer_new(w->loop, gw_worker_sweep_step, w);
	w->pacer = dvt_timer_new(w->loop, gw_worker_pace_step, w);
	dvt_timer_repeat(w->pacer, PACE_MS);
	w->teller = dvt_timer_new(w->loop, on_tell, w);
	w->recorder = dvt_timer_new(w->loop, records_send, w);
	w->ender = dvt_timer_new(w->loop, on_end, w);
	dvt_timer_repeat(w->teller, TELL_MS);
	w->memory_fd = gw_memory_open();
	gw_conn_half_tell(w); /* none: whoever had this number before is gone */
	w->control = dvt_control_new(w->loop, me, &control);
	return gw_sandbox(w->program,
	    DVT_SYS_NET | DVT_SYS_ACCEPT | DVT_SYS_CONNECT | DVT_SYS_MEMFD,
	    NULL, 0, err);
}

static void
stop(struct gw_worker *w)
{
	while (gw_conn_first(w) != NULL)
		gw_conn_drop(gw_conn_first(w));
	records_send_all(w);
	dvt_channel_free(w->feed_channel);
	dvt_channel_free(w->names_channel);
	dvt_control_free(w->control);
	dvt_watch_free(w->listening);
	dvt_timer_free(w->accept_again);
	dvt_timer_free(w->sweeper);
	dvt_timer_free(w->pacer);
	dvt_timer_free(w->teller);
	dvt_timer_free(w->recorder);
	dvt_timer_free(w->ender);
	dvt_edge_free(w->edge);
	gw_index_free(w->index_of);
	dvt_feed_free(w->feed);
	dvt_feed_free(w->aside);
	gw_files_fini(&w->files);
	gw_crl_parts_fini(&w->crl_parts);
	for (size_t i = 0; i < w->keys_n; i++)
		EVP_PKEY_free(w->keys[i].key);
	free(w->keys);
	free(w->scratch);
	gw_queue_free(w->queue);
	dvt_loop_free(w->loop);
	free(w);
}

int
gw_worker_run(struct dvt_child *me, void *program)
{
	struct gw_worker *w = dvt_alloc(sizeof(*w));
	struct dvt_err err = {0};
	enum dvt_code rc;

	w->program = program;
	w->recording = true; /* until told otherwise */
	gw_log_start(w->program, dvt_child_name(me));
	w->index = dvt_child_index(me);
	w->feed = dvt_feed_new();
	w->index_of = gw_index_new();
	w->scratch = dvt_alloc(GW_SCRATCH + DVT_MQTT_BYE_MAX);
	w->queue = gw_queue_new();
	if (RAND_bytes((unsigned char *)&w->life, sizeof(w->life)) != 1)
		w->life = (uint64_t)getpid();
	rc = start(w, me, &err);
	if (rc == DVT_OK)
		dvt_loop_run(w->loop);
	else
		log_event(LOG_CRIT, "gateway.start.failed", LE(&err));
	stop(w);
	return dvt_code_exit(rc);
}
