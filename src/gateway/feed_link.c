/* SPDX-License-Identifier: Apache-2.0 */
/* The control plane's line: the feed by long polling, reports when due. */
#include "base/log.h"
#include "base/mem.h"
#include "gateway/feed_priv.h"
#include "loop/tls_client.h"
#include "pki/csr.h"
#include "pki/key.h"
#include "proto/feed_report.h"

#include <openssl/rand.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define WAIT_S         25 /* held by the control plane when nothing changed */
#define POLL_MS        45000
#define REPORT_MS      15000
#define HEARTBEAT_MS   5000
#define FIRST_PAUSE_MS 500
#define MOST_PAUSE_MS  30000
#define REFUSED_MS     3000 /* until an answer that was refused is asked again */
#define REFUSED_ANEW   10   /* each so many times from the start */
#define CSRS_AGAIN_MS  10000 /* an order that stands is answered again */
#define LAST_REPORT_MS 2000
#define KEY_UNUSED_S   3600 /* before a key that nothing needs is wiped */
#define ANSWER_MAX     512  /* bytes of an acknowledgement */

static void poll_send(void *feed);
static void report_send(void *feed);

/* --- lines --- */

int64_t
gw_line_pause_ms(unsigned failures)
{
	int64_t ms = FIRST_PAUSE_MS;
	unsigned char dice = 128;

	while (failures-- > 1 && ms < MOST_PAUSE_MS)
		ms *= 2;
	if (ms > MOST_PAUSE_MS)
		ms = MOST_PAUSE_MS;
	/* three quarters to five quarters, so that gateways spread out */
	(void)RAND_bytes(&dice, 1);
	return ms * 3 / 4 + ms * dice / 512;
}

static const char *
control_name(const struct gw_feed *f, char host[DVT_HOST_MAX + 1])
{
	unsigned port;

	if (f->program->settings.control_name != NULL)
		return f->program->settings.control_name;
	if (dvt_addr_split(f->program->settings.control_host, host,
		DVT_HOST_MAX + 1, &port, NULL) != DVT_OK)
		host[0] = '\0';
	return host;
}

enum dvt_code
gw_line_open(
    struct gw_feed *f, struct gw_line *l, bool anonymous, struct dvt_err *err)
{
	char host[DVT_HOST_MAX + 1];
	STACK_OF(X509) *rest = sk_X509_new_null();
	struct dvt_tls_client tls = {
	    .anchors = f->control_ca, .chain = rest, .partial_chain = true};
	struct dvt_tls_conn_config peer = {
	    .addrs = f->program->settings.control,
	    .addrs_n = f->program->settings.control_n,
	    .server_name = control_name(f, host),
	};
	SSL_CTX *ctx = NULL;
	enum dvt_code rc;

	if (!anonymous) {
		tls.key = f->identity_key;
		tls.leaf = f->identity.cert[0];
		for (size_t i = 1; i < f->identity.n; i++)
			sk_X509_push(rest, f->identity.cert[i]);
	}
	rc = dvt_tls_client_ctx_new(&tls, &ctx, err);
	sk_X509_free(rest);
	if (rc != DVT_OK)
		return rc;
	peer.ctx = ctx;
	if (l->http != NULL)
		dvt_http_client_ctx_set(l->http, ctx);
	else
		l->http = dvt_http_client_new(f->loop, &peer);
	SSL_CTX_free(ctx);
	return DVT_OK;
}

void
gw_line_close(struct gw_line *l)
{
	dvt_http_client_free(l->http);
	l->http = NULL;
	dvt_timer_free(l->timer);
	l->timer = NULL;
	l->busy = false;
}

void
gw_line_failed(
    struct gw_line *l, const char *what, const struct dvt_http_answer *a)
{
	if (l->failures++ > 0)
		return;
	log_event(LOG_WARNING, "gateway.control.failed", LS("call", what),
	    LI("status", a->status),
	    LS("end",
		a->end == DVT_HTTP_CONN ? dvt_tls_end_name(a->conn.end) : ""),
	    LS("why", a->end == DVT_HTTP_CONN ? a->conn.text : a->text));
}

static void
line_worked(struct gw_feed *f, struct gw_line *l)
{
	if (l->failures > 0)
		log_event(LOG_NOTICE, "gateway.control.back",
		    LI("failures", l->failures));
	l->failures = 0;
	f->heard_at = dvt_loop_time(f->loop).wall_s;
}

/* --- what a new state asks of us --- */

static void
answer_order(struct gw_feed *f, const struct dvt_feed_csr *order)
{
	EVP_PKEY *key;
	bool made;
	char digest[DVT_DIGEST_HEX];
	struct dvt_err err;

	if (gw_keyring_order(f->keys, order->order, &key, &made, &err) !=
	    DVT_OK) {
		log_event(LOG_ERR, "gateway.order.failed",
		    LS("order", order->order), LE(&err));
		return;
	}
	if (!made)
		return;
	f->csrs_untold = true;
	if (dvt_key_digest(key, digest, NULL) == DVT_OK)
		gw_feed_send_key(f, digest, key);
}

static bool
is_ours(const struct gw_feed *f, const struct dvt_feed_entry *e)
{
	return strcmp(e->u.csr.gateway, f->program->settings.name) == 0;
}

static void
answer_orders(struct gw_feed *f)
{
	const struct dvt_feed_entry *e = NULL;

	while ((e = dvt_feed_next(f->feed, DVT_FEED_CSR, e)) != NULL)
		if (is_ours(f, e))
			answer_order(f, &e->u.csr);
	if (f->csrs_untold)
		gw_link_report(f);
}

static bool
key_in_use(void *arg, const char *digest)
{
	const struct gw_feed *f = arg;
	const struct dvt_feed_entry *e = NULL;

	while ((e = dvt_feed_next(f->feed, DVT_FEED_CREDENTIAL, e)) != NULL)
		if (strcmp(e->u.credential.key_digest, digest) == 0)
			return true;
	return false;
}

static bool
order_stands(void *arg, const char *order_hash)
{
	const struct gw_feed *f = arg;
	const struct dvt_feed_entry *e = NULL;

	while ((e = dvt_feed_next(f->feed, DVT_FEED_CSR, e)) != NULL) {
		char hash[DVT_DIGEST_HEX];

		gw_keyring_order_hash(e->u.csr.order, hash);
		if (strcmp(hash, order_hash) == 0)
			return true;
	}
	return false;
}

static void
state_changed(struct gw_feed *f)
{
	answer_orders(f);
	gw_keyring_prune(f->keys, dvt_loop_time(f->loop).wall_s, KEY_UNUSED_S,
	    key_in_use, order_stands, f);
	gw_cache_changed(f);
}

/* --- the feed --- */

static void
poll_again(struct gw_feed *f, bool failed)
{
	int64_t pause = failed ? gw_line_pause_ms(f->poll.failures) : 0;

	if (f->stopping)
		return;
	/* what is refused still brings denials: ask often */
	if (f->refusals > 0 && pause > REFUSED_MS)
		pause = REFUSED_MS;
	dvt_timer_start(f->poll.timer, pause);
}

static enum dvt_code
take_answer(struct gw_feed *f, struct dvt_span body, struct dvt_err *err)
{
	int64_t before = dvt_feed_position(f->feed);
	struct dvt_feed_head head;
	enum dvt_code rc;

	rc = dvt_feed_apply(
	    f->aside != NULL ? f->aside : f->feed, body, &head, NULL, err);
	if (rc != DVT_OK)
		return rc;
	f->caught_up = !head.more;
	if (f->aside == NULL) {
		if (dvt_feed_position(f->feed) == before)
			return DVT_OK;
		gw_feed_send_shelf(f); /* before the news of what is in it */
		gw_feed_send_answer(f, body);
		state_changed(f);
	} else if (!head.more) {
		dvt_feed_free(f->feed);
		f->feed = f->aside;
		f->aside = NULL;
		gw_feed_send_state(f);
		state_changed(f);
	}
	return DVT_OK;
}

/* A line that cannot be read holds up no denial that can. */
static void
answer_refused(struct gw_feed *f, struct dvt_span body, struct dvt_err *why)
{
	log_event(LOG_WARNING, "gateway.feed.refused", LE(why));
	if (why->code == DVT_E_CONFLICT)
		return;
	(void)snprintf(f->feed_refused, sizeof(f->feed_refused),
	    "the control plane's answer is refused: %.200s", why->text);
	if (dvt_feed_position(f->feed) > 0 &&
	    dvt_feed_restrict(f->feed, body) > 0) {
		gw_feed_send_shelf(f);
		gw_feed_send_state(f);
	}
}

static void
poll_done(void *user, const struct dvt_http_answer *a)
{
	struct gw_feed *f = user;
	struct dvt_err err;
	enum dvt_code rc;

	f->poll.busy = false;
	if (a->end != DVT_HTTP_ANSWERED || a->status != 200) {
		gw_line_failed(&f->poll, "feed", a);
		poll_again(f, true);
		return;
	}
	rc = take_answer(f, a->body, &err);
	if (rc != DVT_OK) {
		answer_refused(f, a->body, &err);
	} else if (f->caught_up) {
		f->feed_refused[0] = '\0';
		f->refusals = 0;
	}
	if (rc == DVT_E_CONFLICT && f->aside == NULL) {
		/* another epoch, or a restored control plane: from the start */
		f->aside = dvt_feed_new_shared();
		poll_again(f, false);
		return;
	}
	if (rc != DVT_OK) {
		/* from the start, in case it is our state; else what is new,
		 * since the newest denials come last */
		dvt_feed_free(f->aside);
		f->aside = f->refusals % REFUSED_ANEW == 0 ||
				   rc == DVT_E_CONFLICT
			       ? dvt_feed_new_shared()
			       : NULL;
		f->refusals++;
		f->poll.failures++;
		poll_again(f, true);
		return;
	}
	line_worked(f, &f->poll);
	gw_feed_send_heard(f);
	poll_again(f, false);
}

static void
poll_send(void *feed)
{
	struct gw_feed *f = feed;
	char target[128];
	struct dvt_http_ask ask = {
	    .method = "GET",
	    .target = target,
	    .host = f->program->settings.control_host,
	    .deadline_ms = POLL_MS,
	    .max_body = DVT_FEED_ANSWER_MAX,
	};

	if (f->poll.busy || f->stopping)
		return;
	if (f->aside == NULL && dvt_feed_position(f->feed) == 0)
		f->aside = dvt_feed_new_shared();
	snprintf(target, sizeof(target),
	    "/v1/gateway/feed?after=%" PRId64 "&wait=%d",
	    dvt_feed_position(f->aside != NULL ? f->aside : f->feed),
	    f->aside != NULL || f->poll.failures > 0 ? 0 : WAIT_S);
	f->poll.busy = true;
	dvt_http_client_ask(f->poll.http, &ask, poll_done, f);
}

/* --- reports --- */

void
gw_link_report(struct gw_feed *f)
{
	if (f->report.http == NULL || f->report.busy ||
	    f->report.failures > 0 || f->stopping)
		return; /* it is looked at again when that has ended */
	dvt_timer_start(f->report.timer, 0);
}

static void
add_csr(struct gw_feed *f, struct dvt_report *r, const struct dvt_feed_csr *o)
{
	struct dvt_report_csr *c = &r->csrs[r->csrs_n];
	struct dvt_buf der;
	struct dvt_err err;
	EVP_PKEY *key;
	bool made;

	dvt_buf_init(&der, DVT_CSR_DER_MAX);
	if (gw_keyring_order(f->keys, o->order, &key, &made, &err) != DVT_OK ||
	    dvt_csr_make_named(key, f->program->settings.name,
		(const char *const *)o->names.v, o->names.n, &der,
		&err) != DVT_OK) {
		log_event(LOG_ERR, "gateway.order.failed",
		    LS("order", o->order), LE(&err));
		dvt_buf_fini(&der);
		return;
	}
	(void)dvt_copy_str(c->order, sizeof(c->order), o->order);
	c->der_n = der.n;
	c->der = (uint8_t *)dvt_buf_take_str(&der);
	r->csrs_n++;
}

static void
add_csrs(struct gw_feed *f, struct dvt_report *r)
{
	const struct dvt_feed_entry *e = NULL;
	int64_t now = dvt_loop_time(f->loop).mono_ms;
	size_t n = dvt_feed_count(f->feed, DVT_FEED_CSR);

	if (n == 0 ||
	    (!f->csrs_untold && now - f->csrs_told_ms < CSRS_AGAIN_MS))
		return;
	f->csrs_untold = false;
	f->csrs_told_ms = now;
	r->csrs = dvt_alloc_array(n, sizeof(*r->csrs));
	while ((e = dvt_feed_next(f->feed, DVT_FEED_CSR, e)) != NULL)
		if (is_ours(f, e) && r->csrs_n < DVT_FEED_LIST_MAX)
			add_csr(f, r, &e->u.csr);
}

static void
add_files(struct gw_feed *f, struct dvt_report *r)
{
	struct dvt_err err;

	f->report_files = f->files_unreported;
	if (!f->files_unreported || f->files.pairs_n == 0)
		return;
	r->credentials = dvt_alloc_array(
	    f->files.pairs_n, sizeof(*r->credentials));
	for (size_t i = 0; i < f->files.pairs_n; i++) {
		if (gw_files_report(&f->files, &f->files.pair[i],
			&r->credentials[r->credentials_n], &err) == DVT_OK)
			r->credentials_n++;
		else
			log_event(LOG_ERR, "gateway.files.refused", LE(&err));
	}
}

static void
add_doubts(struct gw_feed *f, struct dvt_report *r)
{
	int64_t now = dvt_loop_time(f->loop).wall_s;
	const char *event;
	char text[DVT_DOUBT_MAX];

	f->report_doubts = f->doubts_untold;
	for (size_t i = 0; f->doubts_untold && i < DVT_FEED_LIST_MAX; i++) {
		if (gw_feed_doubt(f, now, i, &event, text) == NULL)
			break;
		dvt_feed_list_add(&r->doubts, text);
	}
}

static void
report_fill(struct gw_feed *f, int64_t batch, struct dvt_span lines,
    struct dvt_buf *body)
{
	struct dvt_report r = {
	    .batch = batch,
	    .applied = gw_feed_applied(f),
	    .epoch = dvt_feed_epoch(f->feed),
	    .now = dvt_loop_time(f->loop).wall_s,
	    .sessions = (int64_t)gw_feed_sessions(f),
	};

	if (r.applied == INT64_MAX)
		r.applied = 0;
	(void)dvt_copy_str(r.version, sizeof(r.version), DVT_VERSION);
	add_csrs(f, &r);
	add_files(f, &r);
	add_doubts(f, &r);
	f->report_batch = r.batch;
	f->report_applied = r.applied;
	dvt_report_format(&r, lines, body);
	dvt_report_fini(&r);
}

/* What cannot be taken would be refused for ever: count it lost. */
static bool
is_hopeless(int status)
{
	return status == 400 || status == 409 || status == 413 || status == 422;
}

static void
report_again(struct gw_feed *f)
{
	int64_t ms = HEARTBEAT_MS;

	if (f->stopping) {
		gw_feed_stopped(f);
		return;
	}
	if (f->report.failures > 0)
		ms = gw_line_pause_ms(f->report.failures);
	else if (gw_spool_batches(f->spool) > 0 || f->csrs_untold ||
		 gw_feed_applied(f) != f->applied_told)
		ms = 0;
	dvt_timer_start(f->report.timer, ms);
}

static void
report_done(void *user, const struct dvt_http_answer *a)
{
	struct gw_feed *f = user;
	struct dvt_report_answer answer;
	struct dvt_err err;

	f->report.busy = false;
	if (a->end != DVT_HTTP_ANSWERED || a->status != 200) {
		gw_line_failed(&f->report, "report", a);
		if (a->end == DVT_HTTP_ANSWERED && is_hopeless(a->status)) {
			log_event(LOG_ERR, "gateway.report.refused",
			    LI("batch", f->report_batch),
			    LI("status", a->status));
			gw_spool_acked(f->spool, f->report_batch);
		}
		f->csrs_untold = true;
		report_again(f);
		return;
	}
	line_worked(f, &f->report);
	if (dvt_report_answer_parse(a->body, &answer, &err) != DVT_OK) {
		log_event(LOG_WARNING, "gateway.report.refused", LE(&err));
	} else {
		gw_spool_acked(f->spool, answer.batch);
		f->applied_told = f->report_applied;
		if (f->report_files)
			f->files_unreported = false;
		if (f->report_doubts)
			f->doubts_untold = false;
	}
	report_again(f);
}

static void
report_send(void *feed)
{
	struct gw_feed *f = feed;
	struct dvt_buf body;
	struct dvt_span lines;
	int64_t batch;
	struct dvt_http_ask ask = {
	    .method = "POST",
	    .target = "/v1/gateway/report",
	    .host = f->program->settings.control_host,
	    .content_type = "application/json",
	    .deadline_ms = f->stopping ? LAST_REPORT_MS : REPORT_MS,
	    .max_body = ANSWER_MAX * 8,
	    .repeat_safe = true,
	};

	if (f->report.busy || f->report.http == NULL)
		return;
	if ((batch = gw_spool_next(f->spool, &lines)) == 0) {
		dvt_timer_start(f->report.timer, HEARTBEAT_MS);
		return;
	}
	dvt_timer_stop(f->report.timer);
	dvt_buf_init(&body, DVT_REPORT_MAX);
	report_fill(f, batch, lines, &body);
	ask.body = dvt_buf_span(&body);
	f->report.busy = true;
	dvt_http_client_ask(f->report.http, &ask, report_done, f);
	dvt_buf_fini(&body);
}

/* --- start and end --- */

void
gw_link_identity(struct gw_feed *f)
{
	bool first = f->poll.http == NULL;
	struct dvt_err err;

	if (gw_line_open(f, &f->poll, false, &err) != DVT_OK ||
	    gw_line_open(f, &f->report, false, &err) != DVT_OK) {
		log_event(LOG_ERR, "gateway.control.failed", LE(&err));
		return;
	}
	f->cached_position = -1; /* to be signed by the new key */
	gw_cache_changed(f);
	if (!first)
		return;
	poll_send(f);
	report_send(f);
}

enum dvt_code
gw_link_start(struct gw_feed *f, struct dvt_err *err)
{
	(void)err;
	f->poll.timer = dvt_timer_new(f->loop, poll_send, f);
	f->report.timer = dvt_timer_new(f->loop, report_send, f);
	f->files_unreported = true;
	f->csrs_untold = true;
	if (f->identity_key != NULL)
		gw_link_identity(f);
	return DVT_OK;
}

void
gw_link_finish(struct gw_feed *f)
{
	f->stopping = true;
	dvt_http_client_free(f->poll.http);
	f->poll.http = NULL;
	f->poll.busy = false;
	if (f->report.busy)
		return; /* its answer ends us */
	gw_spool_flush(f->spool);
	if (f->report.http == NULL || f->report.failures > 0 ||
	    gw_spool_batches(f->spool) == 0) {
		gw_feed_stopped(f);
		return;
	}
	report_send(f);
}

void
gw_link_end(struct gw_feed *f)
{
	gw_line_close(&f->poll);
	gw_line_close(&f->report);
}
