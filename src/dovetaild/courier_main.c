/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The courier's process: everything that leaves by itself (events to a
 * webhook, short messages to their gateway). No listener, no database, no key.
 * libcurl's sockets hang on the same loop as the channel to core, so nothing
 * here blocks.
 */
#include "base/log.h"
#include "base/mem.h"
#include "dovetaild/outbound.h"
#include "dovetaild/peers.h"
#include "dovetaild/program.h"

#include <curl/curl.h>

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct courier {
	const struct program *program;
	struct dvt_loop *loop;
	struct peers *peers;
	struct dvt_timer *timer;
	CURLM *multi;
};

/* One delivery. */
struct delivery {
	struct courier *courier;
	char key[OUTBOUND_KEY_MAX + 1];
	char *body;
	struct curl_slist *headers;
	CURL *easy;
};

struct socket_watch {
	struct courier *courier;
	struct dvt_watch *watch;
	curl_socket_t fd;
};

static void
tell(struct courier *c, const char *key, enum dvt_code code, const char *why)
{
	struct dvt_msg m = {.type = DVT_MSG_OUTBOUND_DONE, .fd = -1};
	struct outbound_done d = {.code = code};
	struct dvt_err err = {0};
	struct dvt_buf b;

	(void)dvt_copy_str(d.key, sizeof(d.key), key);
	snprintf(d.why, sizeof(d.why), "%.255s", why);
	dvt_buf_init(&b, 4096);
	outbound_done_put(&b, &d);
	m.body = dvt_buf_span(&b);
	if (peers_send(c->peers, DVT_ROLE_CORE, 0, &m, &err) != DVT_OK)
		log_event(LOG_WARNING, "courier.answer.lost", LE(&err));
	dvt_buf_fini(&b);
}

static void
finish(struct delivery *d, CURLcode result)
{
	struct courier *c = d->courier;
	long status = 0;
	char why[128];

	(void)curl_easy_getinfo(d->easy, CURLINFO_RESPONSE_CODE, &status);
	if (result != CURLE_OK)
		tell(c, d->key, DVT_E_LATER, curl_easy_strerror(result));
	else if (status >= 200 && status < 300)
		tell(c, d->key, DVT_OK, "");
	else {
		snprintf(why, sizeof(why), "answered %ld", status);
		tell(
		    c, d->key, status >= 500 ? DVT_E_LATER : DVT_E_DENIED, why);
	}
	(void)curl_multi_remove_handle(c->multi, d->easy);
	curl_easy_cleanup(d->easy);
	curl_slist_free_all(d->headers);
	free(d->body);
	free(d);
}

static void
collect(struct courier *c)
{
	CURLMsg *m;
	int left;

	while ((m = curl_multi_info_read(c->multi, &left)) != NULL) {
		struct delivery *d;

		if (m->msg != CURLMSG_DONE)
			continue;
		(void)curl_easy_getinfo(
		    m->easy_handle, CURLINFO_PRIVATE, (char **)&d);
		finish(d, m->data.result);
	}
}

static void
on_ready(void *ctx, unsigned ready)
{
	struct socket_watch *w = ctx;
	struct courier *c = w->courier;
	int running, what = (ready & DVT_READ ? CURL_CSELECT_IN : 0) |
			    (ready & DVT_WRITE ? CURL_CSELECT_OUT : 0);

	(void)curl_multi_socket_action(c->multi, w->fd, what, &running);
	collect(c);
}

static void
on_timer(void *ctx)
{
	struct courier *c = ctx;
	int running;

	(void)curl_multi_socket_action(
	    c->multi, CURL_SOCKET_TIMEOUT, 0, &running);
	collect(c);
}

static int
want_timer(CURLM *multi, long ms, void *user)
{
	struct courier *c = user;

	(void)multi;
	if (ms < 0)
		dvt_timer_stop(c->timer);
	else
		dvt_timer_start(c->timer, ms);
	return 0;
}

static int
want_socket(CURL *easy, curl_socket_t fd, int what, void *user, void *mine)
{
	struct courier *c = user;
	struct socket_watch *w = mine;
	unsigned want = (what & CURL_POLL_IN ? DVT_READ : 0) |
			(what & CURL_POLL_OUT ? DVT_WRITE : 0);

	(void)easy;
	if (what == CURL_POLL_REMOVE) {
		if (w != NULL) {
			dvt_watch_free(w->watch);
			free(w);
		}
		(void)curl_multi_assign(c->multi, fd, NULL);
		return 0;
	}
	if (w == NULL) {
		w = dvt_alloc(sizeof(*w));
		w->courier = c;
		w->fd = fd;
		w->watch = dvt_watch_new(c->loop, fd, want, on_ready, w);
		(void)curl_multi_assign(c->multi, fd, w);
		return 0;
	}
	dvt_watch_want(w->watch, want);
	return 0;
}

static size_t
swallow(char *p, size_t size, size_t n, void *user)
{
	(void)p;
	(void)user;
	return size * n;
}

static void
deliver(struct courier *c, const struct outbound *o, const char *url)
{
	struct delivery *d = dvt_alloc(sizeof(*d));

	d->courier = c;
	(void)dvt_copy_str(d->key, sizeof(d->key), o->key);
	d->body = dvt_strndup(o->body.p, o->body.n);
	d->headers = curl_slist_append(NULL, "Content-Type: application/json");
	d->easy = curl_easy_init();
	curl_easy_setopt(d->easy, CURLOPT_URL, url);
	curl_easy_setopt(d->easy, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(d->easy, CURLOPT_HTTPHEADER, d->headers);
	curl_easy_setopt(d->easy, CURLOPT_POSTFIELDS, d->body);
	curl_easy_setopt(d->easy, CURLOPT_POSTFIELDSIZE, (long)o->body.n);
	curl_easy_setopt(d->easy, CURLOPT_TIMEOUT_MS,
	    (long)dvt_config_int(c->program->config, "webhook.timeout"));
	curl_easy_setopt(d->easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(d->easy, CURLOPT_WRITEFUNCTION, swallow);
	curl_easy_setopt(d->easy, CURLOPT_PRIVATE, d);
	(void)curl_multi_add_handle(c->multi, d->easy);
}

/* Where that kind of message goes; NULL: nowhere. */
static const char *
url_of(const struct courier *c, const char *kind)
{
	if (strcmp(kind, "webhook") == 0)
		return dvt_config_text(c->program->config, "webhook.url");
	if (strcmp(kind, "sms") == 0)
		return dvt_config_text(c->program->config, "sms.url");
	return NULL;
}

static void
on_received(void *user, struct dvt_channel *channel, struct dvt_msg *m)
{
	struct courier *c = user;
	const char *url = NULL;
	struct dvt_err err = {0};
	struct outbound o;

	(void)channel;
	if (outbound_get(m->body, &o, &err) != DVT_OK)
		log_event(LOG_WARNING, "courier.message", LE(&err));
	else if ((url = url_of(c, o.kind)) == NULL)
		tell(c, o.key, DVT_E_DENIED, "no such way out is configured");
	else
		deliver(c, &o, url);
}

static enum dvt_code
start(struct courier *c, struct dvt_child *me, struct dvt_err *err)
{
	struct peers_config config = {
	    .self = DVT_ROLE_COURIER, .received = on_received, .user = c};
	static const struct dvt_sandbox_path paths[] = {
	    {"/etc",		       false, false},
	    {"/usr/share/ca-certificates", false, false},
	    {"/usr/lib",                   false, true },
	    {"/lib",		       false, true },
	};
	enum dvt_code rc;

	if ((rc = dvt_loop_new(&c->loop, err)) != DVT_OK)
		return rc;
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != 0)
		return dvt_fail(err, DVT_E_SYSTEM, "libcurl does not start");
	c->multi = curl_multi_init();
	c->timer = dvt_timer_new(c->loop, on_timer, c);
	curl_multi_setopt(c->multi, CURLMOPT_SOCKETFUNCTION, want_socket);
	curl_multi_setopt(c->multi, CURLMOPT_SOCKETDATA, c);
	curl_multi_setopt(c->multi, CURLMOPT_TIMERFUNCTION, want_timer);
	curl_multi_setopt(c->multi, CURLMOPT_TIMERDATA, c);
	c->peers = peers_new(c->loop, me, &config);
	return program_sandbox(c->program,
	    DVT_SYS_NET | DVT_SYS_CONNECT | DVT_SYS_MEMFD | DVT_SYS_FILES_RO |
		DVT_SYS_THREADS,
	    paths, DVT_COUNT(paths), err);
}

int
courier_run(struct dvt_child *me, void *program)
{
	struct courier *c = dvt_alloc(sizeof(*c));
	struct dvt_err err = {0};
	enum dvt_code rc;

	program_log(program, dvt_child_name(me));
	c->program = program;
	rc = start(c, me, &err);
	if (rc == DVT_OK) {
		peers_ready(c->peers);
		dvt_loop_run(c->loop);
	} else {
		log_event(LOG_CRIT, "courier.start.failed", LE(&err));
	}
	peers_free(c->peers);
	curl_multi_cleanup(c->multi);
	dvt_timer_free(c->timer);
	dvt_loop_free(c->loop);
	free(c);
	return dvt_code_exit(rc);
}
