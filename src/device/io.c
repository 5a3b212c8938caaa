/* SPDX-License-Identifier: Apache-2.0 */
/* An agent's wants on a real network: see io.h. */
#include "device/io.h"

#include "device/hook.h"
#include "base/log.h"
#include "http/client.h"
#include "proto/est.h"

#include <stdio.h>
#include <stdlib.h>

#define SETTLE_MS 200 /* a TLS 1.3 peer's refusal comes after our handshake */

struct dvt_agent_io {
	struct dvt_agent_io_config c;
	struct dvt_addr server[DVT_IO_ADDRS];
	struct dvt_addr edge[DVT_IO_ADDRS];
	char *server_name;
	struct dvt_timer *timer;  /* wake-up or deadline */
	struct dvt_timer *settle; /* of a probe */
	struct dvt_want want;
	uint64_t busy; /* ticket of what is under way; 0 nothing */

	struct dvt_http_client *http;
	uint64_t http_credential, http_trust; /* serials it was made with */
	bool http_told;                       /* its handshake was reported */
	bool http_failed; /* it is made anew: perhaps judged at another time */
	struct dvt_tls_conn *probe;
	struct dvt_hook_run *hook;
};

static void step(struct dvt_agent_io *io, const struct dvt_answer *answer);

/* --- answers --- */

static enum dvt_agent_outcome
outcome_of(const struct dvt_tls_result *r)
{
	switch (r->end) {
	case DVT_TLS_TIMEOUT:
		return DVT_ANSWER_LATE;
	case DVT_TLS_VERIFY:
		return DVT_ANSWER_WE_REFUSED;
	case DVT_TLS_ALERT:
		return DVT_ANSWER_THEY_REFUSED;
	case DVT_TLS_CLOSED:
	case DVT_TLS_REFUSED:
	case DVT_TLS_EOF:
	case DVT_TLS_SILENT:
	case DVT_TLS_RESET:
	case DVT_TLS_PROTOCOL:
		break;
	}
	return DVT_ANSWER_UNREACHED;
}

static void
tell(struct dvt_agent_io *io, const char *to, const char *name, bool ok,
    const char *text, SSL *ssl)
{
	struct dvt_io_attempt a = {
	    .to = to, .name = name, .ok = ok, .text = ok ? "" : text};

	dvt_agent_tls_root(ssl, a.root);
	if (io->c.attempt != NULL)
		io->c.attempt(io->c.user, &a);
}

static void
answer_with(
    struct dvt_agent_io *io, enum dvt_agent_outcome outcome, const char *text)
{
	struct dvt_answer a = {
	    .ticket = io->busy, .outcome = outcome, .retry_after_s = -1};

	(void)dvt_copy_str(a.text, sizeof(a.text), text);
	if (a.text[0] == '\0' && text[0] != '\0')
		memcpy(a.text, text, sizeof(a.text) - 1);
	io->busy = 0;
	step(io, &a);
}

/* The address that worked is tried first from now on. */
static void
prefer(struct dvt_addr *list, size_t n, SSL *ssl)
{
	char this[DVT_ADDR_TEXT], that[DVT_ADDR_TEXT];
	struct dvt_addr peer = {.len = 0};
	int fd = ssl == NULL ? -1 : SSL_get_fd(ssl);

	if (fd < 0 || n < 2)
		return;
	dvt_addr_of_peer(fd, &peer);
	if (peer.len == 0)
		return;
	dvt_addr_format(&peer, this);
	for (size_t i = 1; i < n; i++) {
		struct dvt_addr found = list[i];

		if (strcmp(dvt_addr_format(&list[i], that), this) != 0)
			continue;
		memmove(&list[1], &list[0], i * sizeof(list[0]));
		list[0] = found;
		return;
	}
}

/* --- requests --- */

static enum dvt_agent_outcome
http_outcome(const struct dvt_http_answer *r)
{
	switch (r->end) {
	case DVT_HTTP_ANSWERED:
		return DVT_ANSWER_OK;
	case DVT_HTTP_CONN:
		return outcome_of(&r->conn);
	case DVT_HTTP_DEADLINE:
		return DVT_ANSWER_LATE;
	case DVT_HTTP_LIMIT:
	case DVT_HTTP_SYNTAX:
	case DVT_HTTP_UNSENT:
		break;
	}
	return DVT_ANSWER_GARBLED;
}

static int64_t
retry_after(const struct dvt_http_answer *r)
{
	const char *text = dvt_http_answer_header(r, "Retry-After");
	char *end;
	long long n;

	if (text == NULL)
		return -1;
	n = strtoll(text, &end, 10);
	return *end == '\0' && n >= 0 && n <= 366 * 86400LL ? n : -1;
}

static void
http_close(struct dvt_agent_io *io)
{
	dvt_http_client_free(io->http);
	io->http = NULL;
	io->http_told = false;
	io->http_failed = false;
}

static void
http_done(void *user, const struct dvt_http_answer *r)
{
	struct dvt_agent_io *io = user;
	struct dvt_tls_conn *conn = dvt_http_client_conn(io->http);
	struct dvt_answer a = {.ticket = io->busy,
	    .outcome = http_outcome(r),
	    .http_status = r->status,
	    .retry_after_s = retry_after(r),
	    .body = r->body,
	    .peer_from_s = r->conn.valid_from,
	    .peer_until_s = r->conn.valid_until};
	bool keep = io->want.u.http.keep_open && a.outcome == DVT_ANSWER_OK;

	if (a.outcome != DVT_ANSWER_OK)
		(void)snprintf(a.text, sizeof(a.text), "%s", r->text);
	else if (conn != NULL &&
		 dvt_tls_conn_exporter(conn, a.exporter, NULL) != DVT_OK)
		memset(a.exporter, 0, sizeof(a.exporter));
	if (conn != NULL)
		dvt_tls_conn_dates(conn, &a.peer_from_s, &a.peer_until_s);
	if (conn != NULL && !io->http_told)
		dvt_agent_tls_keep(io->c.agent, DVT_TICKET_CONTROL,
		    io->want.u.http.credential, dvt_tls_conn_ticket(conn));
	if (a.outcome == DVT_ANSWER_OK && conn != NULL)
		prefer(io->server, io->c.server_n, dvt_tls_conn_ssl(conn));
	if (!io->http_told || a.outcome != DVT_ANSWER_OK)
		tell(io, "control", io->server_name, a.outcome == DVT_ANSWER_OK,
		    a.text, conn == NULL ? NULL : dvt_tls_conn_ssl(conn));
	io->http_told = true;
	io->http_failed = a.outcome != DVT_ANSWER_OK;
	io->busy = 0;
	step(io, &a);
	if (!keep && io->busy == 0)
		http_close(io);
}

static enum dvt_code
http_open(
    struct dvt_agent_io *io, const struct dvt_http_want *w, struct dvt_err *err)
{
	struct dvt_tls_conn_config peer = {.addrs = io->server,
	    .addrs_n = io->c.server_n,
	    .server_name = io->server_name,
	    .unverified = w->trust == NULL,
	    .verify_at = w->verify_at};
	uint64_t credential = w->credential == NULL ? 0 : w->credential->serial;
	uint64_t trust = w->trust == NULL ? 0 : w->trust->serial;
	enum dvt_code rc;

	if (io->http != NULL && io->http_credential == credential &&
	    io->http_trust == trust && !io->http_failed)
		return DVT_OK;
	http_close(io);
	if ((rc = dvt_agent_tls(w->credential, w->trust, &peer.ctx, err)) !=
	    DVT_OK)
		return rc;
	peer.ticket = dvt_agent_tls_ticket(
	    io->c.agent, DVT_TICKET_CONTROL, w->credential);
	io->http = dvt_http_client_new(io->c.loop, &peer);
	SSL_SESSION_free(peer.ticket);
	io->http_credential = credential;
	io->http_trust = trust;
	SSL_CTX_free(peer.ctx);
	return DVT_OK;
}

static void
http_start(struct dvt_agent_io *io)
{
	const struct dvt_http_want *w = &io->want.u.http;
	struct dvt_http_header headers[2];
	size_t headers_n = 0;
	struct dvt_http_ask ask = {.method = w->method,
	    .target = w->target,
	    .host = io->server_name,
	    .headers = headers,
	    .content_type = w->content_type,
	    .body = w->body,
	    .max_body = w->max_body,
	    .repeat_safe = w->repeat_safe};
	struct dvt_err err;

	if (w->authorization != NULL)
		headers[headers_n++] = (struct dvt_http_header){
		    "Authorization", w->authorization};
	if (w->grant != NULL)
		headers[headers_n++] = (struct dvt_http_header){
		    DVT_GRANT_HEADER, w->grant};
	ask.headers_n = headers_n;
	ask.deadline_ms = io->want.deadline_ms -
			  dvt_loop_time(io->c.loop).mono_ms;
	if (ask.deadline_ms < 1)
		ask.deadline_ms = 1;
	if (http_open(io, w, &err) != DVT_OK)
		answer_with(io, DVT_ANSWER_UNREACHED, err.text);
	else
		dvt_http_client_ask(io->http, &ask, http_done, io);
}

/* --- probes --- */

static void
probe_end(struct dvt_agent_io *io, bool ok, enum dvt_agent_outcome outcome,
    const char *text)
{
	tell(io, "probe", io->want.u.probe.server_name, ok, text,
	    dvt_tls_conn_ssl(io->probe));
	dvt_timer_stop(io->settle);
	dvt_agent_tls_keep(io->c.agent, DVT_TICKET_EDGE,
	    io->want.u.probe.credential, dvt_tls_conn_ticket(io->probe));
	dvt_tls_conn_free(io->probe);
	io->probe = NULL;
	answer_with(io, ok ? DVT_ANSWER_OK : outcome, text);
}

/* Stood long enough for a refusal to arrive: say goodbye in order. */
static void
probe_settled(void *user)
{
	struct dvt_agent_io *io = user;

	dvt_tls_conn_finish(io->probe);
}

static void
probe_opened(void *user)
{
	struct dvt_agent_io *io = user;

	prefer(io->edge, io->c.edge_n, dvt_tls_conn_ssl(io->probe));
	dvt_timer_start(io->settle, SETTLE_MS);
}

static void
probe_read(void *user, struct dvt_span bytes)
{
	(void)user;
	(void)bytes; /* what an upstream says first is not ours to judge */
}

static void
probe_ended(void *user, const struct dvt_tls_result *r)
{
	struct dvt_agent_io *io = user;
	SSL *ssl = dvt_tls_conn_ssl(io->probe);
	bool ok = r->end == DVT_TLS_CLOSED && r->phase == DVT_TLS_OPEN;
	bool bye = ssl != NULL &&
		   (SSL_get_shutdown(ssl) & SSL_RECEIVED_SHUTDOWN) != 0;

	if (ok && !bye && io->want.u.probe.says_bye)
		probe_end(io, false, DVT_ANSWER_UNREACHED,
		    "the edge has not let it in so far");
	else
		probe_end(io, ok, outcome_of(r), ok ? "" : r->text);
}

static void
probe_start(struct dvt_agent_io *io)
{
	const struct dvt_probe_want *w = &io->want.u.probe;
	struct dvt_tls_conn_config c = {.addrs = io->edge,
	    .addrs_n = io->c.edge_n,
	    .server_name = w->server_name,
	    .verify_at = w->verify_at,
	    .opened = probe_opened,
	    .read = probe_read,
	    .ended = probe_ended,
	    .user = io};
	struct dvt_err err;

	if (io->c.edge_n == 0) {
		answer_with(
		    io, DVT_ANSWER_UNREACHED, "no edge address is configured");
		return;
	}
	if (dvt_agent_tls(w->credential, w->trust, &c.ctx, &err) != DVT_OK) {
		answer_with(io, DVT_ANSWER_UNREACHED, err.text);
		return;
	}
	c.ticket = dvt_agent_tls_ticket(
	    io->c.agent, DVT_TICKET_EDGE, w->credential);
	io->probe = dvt_tls_conn_new(io->c.loop, &c);
	SSL_SESSION_free(c.ticket);
	SSL_CTX_free(c.ctx);
}

/* --- hooks --- */

static void
hook_done(void *user, int status)
{
	struct dvt_agent_io *io = user;
	struct dvt_answer a = {.ticket = io->busy,
	    .outcome = DVT_ANSWER_OK,
	    .retry_after_s = -1,
	    .hook_exit = status};

	dvt_hook_free(io->hook);
	io->hook = NULL;
	io->busy = 0;
	step(io, &a);
}

static void
hook_start(struct dvt_agent_io *io)
{
	const struct dvt_hook_want *w = &io->want.u.hook;
	static const char *const names[] = {
	    [DVT_HOOK_POST_SWITCH] = "post-switch",
	    [DVT_HOOK_POST_TRUST] = "post-trust",
	    [DVT_HOOK_ON_CONFIG] = "on-config"};
	char config[DVT_CONFIG_NAME + 32];
	const char *more[] = {config, io->c.hook_env, NULL};
	struct dvt_err err;

	(void)snprintf(config, sizeof(config), "DOVETAIL_CONFIG=%s", w->config);
	if (dvt_hook_start(io->c.loop, io->c.hook, names[w->hook],
		w->generation, w->trust_version, more, hook_done, io, &io->hook,
		&err) != DVT_OK)
		answer_with(io, DVT_ANSWER_UNREACHED, err.text);
}

/* --- steps --- */

/* What was wanted before and is wanted no more. */
static void
drop(struct dvt_agent_io *io)
{
	if (io->busy == 0)
		return;
	io->busy = 0;
	dvt_timer_stop(io->settle);
	dvt_tls_conn_free(io->probe);
	io->probe = NULL;
	dvt_hook_free(io->hook);
	io->hook = NULL;
	http_close(io);
}

static void
begin(struct dvt_agent_io *io)
{
	if (io->want.ticket == io->busy && io->busy != 0)
		return;
	drop(io);
	io->busy = io->want.ticket;
	switch (io->want.kind) {
	case DVT_WANT_WAIT:
		io->busy = 0;
		break;
	case DVT_WANT_HTTP:
		http_start(io);
		break;
	case DVT_WANT_PROBE:
		probe_start(io);
		break;
	case DVT_WANT_HOOK:
		hook_start(io);
		break;
	}
}

static void
step(struct dvt_agent_io *io, const struct dvt_answer *answer)
{
	struct dvt_time now = dvt_time_now();
	struct dvt_want want;
	struct dvt_err err;
	int64_t wait;

	if (dvt_agent_step(io->c.agent, now, answer, &want, &err) != DVT_OK)
		log_event(LOG_ERR, "agent.disk", LE(&err));
	io->want = want;
	wait = (want.kind == DVT_WANT_WAIT ? want.wake_at_ms
					   : want.deadline_ms) -
	       now.mono_ms;
	dvt_timer_start(io->timer, wait < 0 ? 0 : wait);
	if (io->c.after_step != NULL)
		io->c.after_step(io->c.user);
	begin(io);
}

static void
timer_fired(void *user)
{
	step(user, NULL);
}

void
dvt_agent_io_kick(struct dvt_agent_io *io)
{
	dvt_timer_start(io->timer, 0);
}

struct dvt_agent_io *
dvt_agent_io_new(const struct dvt_agent_io_config *c)
{
	struct dvt_agent_io *io = dvt_alloc(sizeof(*io));

	io->c = *c;
	if (io->c.server_n > DVT_IO_ADDRS)
		io->c.server_n = DVT_IO_ADDRS;
	if (io->c.edge_n > DVT_IO_ADDRS)
		io->c.edge_n = DVT_IO_ADDRS;
	memcpy(io->server, c->server, io->c.server_n * sizeof(*c->server));
	memcpy(io->edge, c->edge, io->c.edge_n * sizeof(*c->edge));
	io->server_name = dvt_strdup(c->server_name);
	io->timer = dvt_timer_new(c->loop, timer_fired, io);
	io->settle = dvt_timer_new(c->loop, probe_settled, io);
	dvt_timer_start(io->timer, 0);
	return io;
}

void
dvt_agent_io_free(struct dvt_agent_io *io)
{
	if (io == NULL)
		return;
	drop(io);
	http_close(io);
	dvt_timer_free(io->timer);
	dvt_timer_free(io->settle);
	free(io->server_name);
	free(io);
}
