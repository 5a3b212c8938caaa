/* SPDX-License-Identifier: Apache-2.0 */
/* What workers are told, in order, however slowly they take it. */
#include "base/log.h"
#include "base/mem.h"
#include "gateway/admin.h"
#include "gateway/feed_priv.h"
#include "ipc/fields.h"
#include "pki/key.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

/* --- queues --- */

static struct gw_blob *
blob_new(size_t max)
{
	struct gw_blob *b = dvt_alloc(sizeof(*b));

	b->refs = 1;
	b->fd = -1;
	dvt_buf_init(&b->body, max);
	return b;
}

static void
blob_unref(struct gw_blob *b)
{
	if (--b->refs > 0)
		return;
	dvt_buf_cleanse(&b->body); /* it may hold a key */
	if (b->fd >= 0)
		close(b->fd);
	free(b);
}

static void
queue_drop(struct gw_peer *p)
{
	for (size_t i = 0; i < p->queue_n; i++)
		blob_unref(p->queue[i]);
	p->queue_n = 0;
}

static bool
blob_send(struct gw_peer *p, const struct gw_blob *b)
{
	struct dvt_msg m = {.type = DVT_MSG_EDGE_CONFIG,
	    .body = dvt_buf_span(&b->body),
	    .fd = b->fd};
	struct dvt_err err;
	enum dvt_code rc = dvt_channel_send(p->channel, &m, &err);

	if (rc != DVT_OK && rc != DVT_E_BUSY)
		log_event(LOG_ERR, "gateway.worker.untold", LE(&err));
	return rc != DVT_E_BUSY;
}

static void
queue_send(struct gw_peer *p)
{
	size_t n = 0;

	while (n < p->queue_n && blob_send(p, p->queue[n]))
		blob_unref(p->queue[n++]);
	p->queue_n -= n;
	if (n > 0)
		memmove(p->queue, p->queue + n, p->queue_n * sizeof(*p->queue));
}

static void
tell(struct gw_peer *p, struct gw_blob *b)
{
	if (p->channel == NULL)
		return; /* it gets all of it when it is back */
	if (p->queue_n == 0 && blob_send(p, b))
		return;
	if (p->queue_n == p->queue_cap) {
		p->queue_cap = p->queue_cap == 0 ? 16 : 2 * p->queue_cap;
		p->queue = dvt_realloc(
		    p->queue, p->queue_cap * sizeof(*p->queue));
	}
	b->refs++;
	p->queue[p->queue_n++] = b;
}

/* To one worker, or to all (@only NULL). @b taken. */
static void
tell_take(struct gw_feed *f, struct gw_peer *only, struct gw_blob *b)
{
	for (unsigned i = 0; i < f->program->settings.workers; i++)
		if (only == NULL || only == &f->peer[i])
			tell(&f->peer[i], b);
	blob_unref(b);
}

/* --- messages --- */

static struct gw_blob *
message(enum gw_what what)
{
	struct gw_blob *b = blob_new(dvt_msg_max(DVT_MSG_EDGE_CONFIG));

	dvt_put_u64(&b->body, what);
	return b;
}

/* With a descriptor of its own: the shelf may have moved when it is sent. */
static struct gw_blob *
message_with(enum gw_what what, int fd)
{
	struct gw_blob *b = message(what);

	b->fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	return b;
}

/* Each list in pieces that a message can hold. */
static void
tell_crls(struct gw_feed *f, struct gw_peer *only)
{
	for (size_t i = 0; i < f->files.crl_n; i++) {
		size_t from = 0, n;

		do {
			struct gw_blob *b = message(GW_CRL);

			n = gw_crl_part_put(&f->files, i, from, &b->body);
			from += n;
			if (n > 0)
				tell_take(f, only, b);
			else
				blob_unref(b);
		} while (n > 0);
	}
}

static void
tell_files(struct gw_feed *f, struct gw_peer *only)
{
	struct gw_blob *b;

	tell_crls(f, only);
	b = message_with(GW_FILES, dvt_shelf_fd(f->files.denied));
	dvt_put_u64(&b->body, ++f->serial);
	gw_files_put(&f->files, &b->body);
	tell_take(f, only, b);
}

static void
tell_key(
    struct gw_feed *f, struct gw_peer *only, const char *digest, EVP_PKEY *key)
{
	struct dvt_secret der = {0};
	struct gw_blob *b;
	struct dvt_err err;

	if (dvt_key_to_pkcs8(key, &der, &err) != DVT_OK) {
		log_event(LOG_ERR, "gateway.key.broken", LS("file", digest),
		    LE(&err));
		return;
	}
	b = message(GW_KEY);
	dvt_put_str(&b->body, digest);
	dvt_put_bytes(&b->body, (struct dvt_span){der.p, der.n});
	dvt_secret_free(&der);
	tell_take(f, only, b);
}

static void
tell_lines(struct gw_feed *f, struct gw_peer *only, struct dvt_buf *lines)
{
	struct gw_blob *b;

	if (lines->n == 0)
		return;
	b = message(GW_LINES);
	dvt_put_bytes(&b->body, dvt_buf_span(lines));
	dvt_buf_reset(lines);
	tell_take(f, only, b);
}

static void
tell_state(struct gw_feed *f, struct gw_peer *only)
{
	struct dvt_buf lines;
	struct gw_blob *b;

	tell_take(f, only, message_with(GW_BEGIN, dvt_feed_shelf_fd(f->feed)));
	dvt_buf_init(&lines, GW_LINES_MAX);
	for (int k = 0; k < DVT_FEED_KIND_N; k++) {
		const struct dvt_feed_entry *e = NULL;
		enum dvt_feed_kind kind = (enum dvt_feed_kind)k;

		if (kind == DVT_FEED_DEVICE || kind == DVT_FEED_DENY)
			continue; /* these are in the shelf */
		while ((e = dvt_feed_next(f->feed, kind, e)) != NULL) {
			if (lines.n > GW_LINES_MAX - DVT_FEED_LINE_MAX)
				tell_lines(f, only, &lines);
			dvt_feed_entry_format(e, &lines);
		}
	}
	tell_lines(f, only, &lines);
	dvt_buf_fini(&lines);
	b = message(GW_END);
	dvt_put_u64(&b->body, ++f->serial);
	dvt_put_i64(&b->body, dvt_feed_position(f->feed));
	dvt_put_i64(&b->body, dvt_feed_epoch(f->feed));
	tell_take(f, only, b);
}

static void
tell_heard(struct gw_feed *f, struct gw_peer *only)
{
	struct gw_blob *b = message(GW_HEARD);

	dvt_put_i64(&b->body, f->heard_at);
	tell_take(f, only, b);
}

/* A file, the control plane or the log takes them; counts need none. */
static void
tell_records(struct gw_feed *f, struct gw_peer *only)
{
	struct gw_blob *b = message(GW_RECORDS);

	dvt_put_u64(&b->body, gw_sink_used(f->sink) || f->spool != NULL ||
				  gw_log_any(f->feed, f->program->config));
	tell_take(f, only, b);
}

void
gw_feed_send_records(struct gw_feed *f)
{
	tell_records(f, NULL);
}

void
gw_feed_send_files(struct gw_feed *f)
{
	tell_files(f, NULL);
}

void
gw_feed_send_key(struct gw_feed *f, const char *digest, EVP_PKEY *key)
{
	tell_key(f, NULL, digest, key);
}

void
gw_feed_send_state(struct gw_feed *f)
{
	f->shelf_told = dvt_feed_shelf_generation(f->feed);
	tell_state(f, NULL);
}

void
gw_feed_send_shelf(struct gw_feed *f)
{
	uint64_t generation = dvt_feed_shelf_generation(f->feed);

	if (generation == f->shelf_told)
		return;
	f->shelf_told = generation;
	tell_take(f, NULL, message_with(GW_SHELF, dvt_feed_shelf_fd(f->feed)));
}

void
gw_feed_send_heard(struct gw_feed *f)
{
	tell_heard(f, NULL);
}

void
gw_feed_send_answer(struct gw_feed *f, struct dvt_span answer)
{
	struct gw_blob *b = message(GW_ANSWER);

	dvt_put_u64(&b->body, ++f->serial);
	dvt_put_bytes(&b->body, answer);
	if (dvt_buf_ok(&b->body, "answer", NULL) != DVT_OK) {
		/* a full one and its frame do not fit: hand out the whole */
		blob_unref(b);
		gw_feed_send_state(f);
		return;
	}
	tell_take(f, NULL, b);
}

/* --- what they say --- */

int64_t
gw_feed_applied(const struct gw_feed *f)
{
	int64_t least = INT64_MAX;

	for (unsigned i = 0; i < f->program->settings.workers; i++) {
		const struct gw_peer *p = &f->peer[i];

		if (p->epoch != dvt_feed_epoch(f->feed))
			return 0;
		if (p->position < least)
			least = p->position;
	}
	return least;
}

size_t
gw_feed_sessions(const struct gw_feed *f)
{
	size_t n = 0;

	for (unsigned i = 0; i < f->program->settings.workers; i++)
		n += f->peer[i].sessions;
	return n;
}

static void
take_applied(struct gw_feed *f, struct gw_peer *p, struct dvt_span body)
{
	struct dvt_fields in = dvt_fields_of(body);
	uint64_t serial = dvt_get_u64(&in, UINT64_MAX);
	int64_t position = dvt_get_i64(&in), epoch = dvt_get_i64(&in);
	uint64_t sessions = dvt_get_u64(&in, UINT32_MAX);

	if (dvt_fields_end(&in, "applied", NULL) != DVT_OK)
		return;
	p->serial = serial;
	p->position = position;
	p->epoch = epoch;
	p->sessions = (size_t)sessions;
	gw_admin_applied(f);
	if (gw_feed_applied(f) != f->applied_told)
		gw_link_report(f);
}

static void
take_records(struct gw_feed *f, struct gw_peer *p, struct dvt_span body)
{
	uint64_t seq = gw_records_take(f, (unsigned)(p - f->peer), body);
	struct gw_blob *b;

	if (seq == 0)
		return;
	b = message(GW_TAKEN);
	dvt_put_u64(&b->body, seq);
	tell_take(f, p, b);
}

static void
on_message(void *user, struct dvt_channel *ch, struct dvt_msg *m)
{
	struct gw_feed *f = user;
	struct gw_peer *p = &f->peer[dvt_channel_peer_index(ch)];

	if (m->type == DVT_MSG_EDGE_RECORD)
		take_records(f, p, m->body);
	else if (m->type == DVT_MSG_EDGE_APPLIED)
		take_applied(f, p, m->body);
	else if (m->type == DVT_MSG_EDGE_STATS &&
		 gw_stats_get(m->body, &p->stats, NULL) != DVT_OK)
		p->stats = (struct gw_stats){0};
}

static void
on_drained(void *user, struct dvt_channel *ch)
{
	struct gw_feed *f = user;

	queue_send(&f->peer[dvt_channel_peer_index(ch)]);
}

static void
peer_drop(struct gw_feed *f, struct gw_peer *p)
{
	p->stats.conns = p->stats.sessions = p->stats.resident_bytes = 0;
	p->stats.failing = p->stats.passed = 0;
	gw_stats_fold(&f->past, &p->stats);
	p->stats = (struct gw_stats){0};
	p->serial = 0;
	dvt_channel_free(p->channel);
	p->channel = NULL;
	p->sessions = 0;
	queue_drop(p);
}

static void
on_end(void *user, struct dvt_channel *ch, const struct dvt_err *why)
{
	struct gw_feed *f = user;
	struct gw_peer *p = &f->peer[dvt_channel_peer_index(ch)];

	(void)why;
	if (p->channel == ch)
		peer_drop(f, p);
	else
		dvt_channel_free(ch);
}

/* A worker, new or again: all that is known, from the start. */
void
gw_feed_peer(struct gw_feed *f, unsigned index, int fd)
{
	struct gw_peer *p = &f->peer[index];
	struct dvt_channel_config config = {
	    .self = DVT_ROLE_EDGE_FEED,
	    .peer = DVT_ROLE_EDGE_WORKER,
	    .peer_index = index,
	    .received = on_message,
	    .ended = on_end,
	    .drained = on_drained,
	    .user = f,
	};

	peer_drop(f, p);
	p->channel = dvt_channel_new(f->loop, fd, &config);
	for (size_t i = 0; f->keys != NULL && i < gw_keyring_count(f->keys);
	     i++) {
		const char *digest;
		EVP_PKEY *key = gw_keyring_get(f->keys, i, &digest);

		tell_key(f, p, digest, key);
	}
	tell_heard(f, p);
	tell_records(f, p);
	if (dvt_feed_position(f->feed) > 0)
		tell_state(f, p);
	tell_files(f, p);
}

void
gw_feed_workers_end(struct gw_feed *f)
{
	for (unsigned i = 0; i < GW_WORKERS_MAX; i++) {
		peer_drop(f, &f->peer[i]);
		free(f->peer[i].queue);
	}
}
