/* SPDX-License-Identifier: Apache-2.0 */
/* The public steps: see include/dovetail/agent.h. */
#include "libagent/libagent.h"

#include "base/mem.h"
#include "device/tls.h"

#include <stdio.h>
#include <stdlib.h>

#define EVENTS_AT_ONCE 16

static struct dvt_time
time_of(struct dovetail_time t)
{
	return (struct dvt_time){.mono_ms = t.mono_ms, .wall_s = t.wall_s};
}

static struct dvt_span
span_of(struct dovetail_bytes b)
{
	return (struct dvt_span){b.p, b.n};
}

static void
put_text(char *to, size_t size, const char *from)
{
	(void)snprintf(to, size, "%s", from);
}

enum dovetail_code
dovetail_agent_open(const struct dovetail_env *env,
    const struct dovetail_config *config, struct dovetail_time now,
    struct dovetail_agent **out, struct dovetail_error *err)
{
	const struct dvt_agent_config c = {.device_id = config->device_id,
	    .label = config->label,
	    .edge_name = config->edge_name,
	    .retry_first_s = config->retry_first_s,
	    .trial_wait_ms = config->trial_wait_ms,
	    .hold_s = config->hold_s,
	    .hook_limit_ms = config->hook_limit_ms,
	    .hook_switch = config->hook_switch,
	    .hook_trust = config->hook_trust,
	    .hook_config = config->hook_config};
	struct dovetail_agent *a = dvt_alloc(sizeof(*a));
	struct dvt_err e = {0};
	enum dovetail_code code;

	*out = NULL;
	a->env = *env;
	a->shelf = libagent_shelf_new();
	code = libagent_env_bind(a, err);
	if (code == DOVETAIL_OK)
		code = libagent_told(
		    dvt_agent_open(&a->steps, &c, time_of(now), &a->agent, &e),
		    &e, err);
	if (code == DOVETAIL_OK)
		*out = a;
	else
		dovetail_agent_free(a);
	return code;
}

void
dovetail_agent_free(struct dovetail_agent *a)
{
	if (a == NULL)
		return;
	dvt_agent_free(a->agent);
	libagent_shelf_free(a->shelf);
	free(a);
}

/* --- steps --- */

static enum dvt_agent_outcome
outcome_of(enum dovetail_outcome o)
{
	switch (o) {
	case DOVETAIL_ANSWERED:
		return DVT_ANSWER_OK;
	case DOVETAIL_UNREACHED:
		return DVT_ANSWER_UNREACHED;
	case DOVETAIL_TIMED_OUT:
		return DVT_ANSWER_LATE;
	case DOVETAIL_THEY_REFUSED:
		return DVT_ANSWER_THEY_REFUSED;
	case DOVETAIL_WE_REFUSED:
		return DVT_ANSWER_WE_REFUSED;
	case DOVETAIL_GARBLED:
		break;
	}
	return DVT_ANSWER_GARBLED;
}

static void
answer_in(const struct dovetail_answer *from, struct dvt_answer *to)
{
	*to = (struct dvt_answer){.ticket = from->ticket,
	    .outcome = outcome_of(from->outcome),
	    .http_status = from->http_status,
	    .retry_after_s = from->retry_after_s,
	    .body = span_of(from->body),
	    .hook_exit = from->hook_exit};
	if (from->text != NULL)
		put_text(to->text, sizeof(to->text), from->text);
}

static void
want_http(const struct dvt_http_want *h, struct dovetail_want *out)
{
	out->kind = DOVETAIL_HTTP;
	out->method = h->method;
	out->target = h->target;
	out->content_type = h->content_type;
	out->authorization = h->authorization;
	out->grant = h->grant;
	out->body = (struct dovetail_bytes){h->body.p, h->body.n};
	out->max_body = h->max_body;
	out->repeat_safe = h->repeat_safe;
}

static enum dovetail_hook
hook_of(enum dvt_hook hook)
{
	switch (hook) {
	case DVT_HOOK_POST_SWITCH:
		break;
	case DVT_HOOK_POST_TRUST:
		return DOVETAIL_POST_TRUST;
	case DVT_HOOK_ON_CONFIG:
		return DOVETAIL_ON_CONFIG;
	}
	return DOVETAIL_POST_SWITCH;
}

static void
want_out(const struct dvt_want *w, struct dovetail_want *out)
{
	*out = (struct dovetail_want){.kind = DOVETAIL_WAIT,
	    .ticket = w->ticket,
	    .wake_at_ms = w->wake_at_ms,
	    .deadline_ms = w->deadline_ms};
	switch (w->kind) {
	case DVT_WANT_WAIT:
		break;
	case DVT_WANT_HTTP:
		want_http(&w->u.http, out);
		break;
	case DVT_WANT_PROBE:
		out->kind = DOVETAIL_PROBE;
		out->server_name = w->u.probe.server_name;
		break;
	case DVT_WANT_HOOK:
		out->kind = DOVETAIL_HOOK;
		out->hook = hook_of(w->u.hook.hook);
		out->generation = w->u.hook.generation;
		out->trust_version = w->u.hook.trust_version;
		out->config = w->u.hook.config;
		break;
	}
}

enum dovetail_code
dovetail_agent_step(struct dovetail_agent *a, struct dovetail_time now,
    const struct dovetail_answer *answer, struct dovetail_want *want,
    struct dovetail_error *err)
{
	struct dvt_answer in;
	struct dvt_err e = {0};
	enum dvt_code rc;

	if (answer != NULL) {
		answer_in(answer, &in);
		if (a->want.kind == DVT_WANT_HTTP)
			libagent_dates_take(
			    a, &in.peer_from_s, &in.peer_until_s);
	}
	libagent_tickets_take(a);
	rc = dvt_agent_step(
	    a->agent, time_of(now), answer != NULL ? &in : NULL, &a->want, &e);
	want_out(&a->want, want);
	return libagent_told(rc, &e, err);
}

/* --- TLS --- */

static enum dovetail_code
tls(struct dovetail_agent *a, enum dvt_ticket_of to,
    const struct dvt_agent_credential *credential,
    const struct dvt_agent_trust *trust, int64_t verify_at, SSL_CTX **out,
    struct dovetail_error *err)
{
	bool dates = to == DVT_TICKET_CONTROL && trust != NULL;
	struct dvt_err e = {0};
	enum dvt_code rc = dvt_agent_tls(credential, trust, out, &e);

	if (rc == DVT_OK && trust == NULL)
		SSL_CTX_set_verify(*out, SSL_VERIFY_NONE, NULL);
	if (rc == DVT_OK)
		libagent_bind(a, to, credential, dates, *out);
	if (rc == DVT_OK && verify_at != 0)
		X509_VERIFY_PARAM_set_time(
		    SSL_CTX_get0_param(*out), (time_t)verify_at);
	return libagent_told(rc, &e, err);
}

enum dovetail_code
dovetail_agent_want_tls(
    struct dovetail_agent *a, SSL_CTX **out, struct dovetail_error *err)
{
	const struct dvt_http_want *h = &a->want.u.http;
	const struct dvt_probe_want *p = &a->want.u.probe;

	*out = NULL;
	if (a->want.kind == DVT_WANT_HTTP)
		return tls(a, DVT_TICKET_CONTROL, h->credential, h->trust,
		    h->verify_at, out, err);
	if (a->want.kind == DVT_WANT_PROBE)
		return tls(a, DVT_TICKET_EDGE, p->credential, p->trust,
		    p->verify_at, out, err);
	return libagent_fail(err, DOVETAIL_CONFLICT,
	    "no request and no handshake is wanted now");
}

enum dovetail_code
dovetail_agent_tls(
    struct dovetail_agent *a, SSL_CTX **out, struct dovetail_error *err)
{
	const struct dvt_agent_credential *c = dvt_agent_credential(a->agent);
	const struct dvt_agent_trust *t = dvt_agent_trust(a->agent);

	*out = NULL;
	if (c == NULL || t == NULL)
		return libagent_fail(
		    err, DOVETAIL_ABSENT, "there is no credential yet");
	return tls(a, DVT_TICKET_EDGE, c, t,
	    dvt_agent_wall_s(a->agent, dvt_time_now()), out, err);
}

/* --- commands, events, status --- */

enum dovetail_code
dovetail_agent_command(struct dovetail_agent *a,
    const struct dovetail_command *from, struct dovetail_error *err)
{
	static const enum dvt_command_kind kinds[] = {
	    [DOVETAIL_IMPORT] = DVT_COMMAND_IMPORT,
	    [DOVETAIL_ENROLL] = DVT_COMMAND_ENROLL,
	    [DOVETAIL_CHECKIN] = DVT_COMMAND_CHECKIN,
	    [DOVETAIL_RENEW] = DVT_COMMAND_RENEW,
	    [DOVETAIL_CANCEL] = DVT_COMMAND_CANCEL,
	    [DOVETAIL_RECOVER] = DVT_COMMAND_RECOVER};
	struct dvt_command c = {.anchor_pem = span_of(from->anchor_pem),
	    .fingerprint = from->fingerprint,
	    .trust_key_pem = span_of(from->trust_key_pem),
	    .key_pem = span_of(from->key_pem),
	    .chain_pem = span_of(from->chain_pem),
	    .secret = from->secret,
	    .subject = from->subject,
	    .label = from->label,
	    .bundle_lines = span_of(from->bundle_lines),
	    .renew = from->renew};
	struct dvt_err e = {0};

	if ((size_t)from->kind >= DVT_COUNT(kinds))
		return libagent_fail(
		    err, DOVETAIL_BAD_INPUT, "there is no such command");
	c.kind = kinds[from->kind];
	return libagent_told(dvt_agent_command(a->agent, &c, &e), &e, err);
}

size_t
dovetail_agent_events(
    struct dovetail_agent *a, struct dovetail_event *events, size_t max)
{
	struct dvt_agent_event e[EVENTS_AT_ONCE];
	size_t n = dvt_agent_events(
	    a->agent, e, max < EVENTS_AT_ONCE ? max : EVENTS_AT_ONCE);

	for (size_t i = 0; i < n; i++) {
		events[i] = (struct dovetail_event){.seq = e[i].seq,
		    .at = e[i].at,
		    .outcome = dvt_step_outcome_name(e[i].outcome)};
		put_text(events[i].id, sizeof(events[i].id), e[i].id);
		put_text(events[i].step, sizeof(events[i].step), e[i].step);
		put_text(
		    events[i].target, sizeof(events[i].target), e[i].target);
		put_text(
		    events[i].detail, sizeof(events[i].detail), e[i].detail);
	}
	return n;
}

void
dovetail_agent_status(
    const struct dovetail_agent *a, struct dovetail_status *out)
{
	struct dvt_agent_status s;

	dvt_agent_status(a->agent, &s);
	*out = (struct dovetail_status){.generation = s.generation,
	    .trust_version = s.trust_version,
	    .trust_anchors = s.trust_anchors,
	    .checkin_at = s.checkin_at,
	    .busy = s.busy,
	    .checkin_failures = s.checkin_failures};
	put_text(out->update, sizeof(out->update), s.update);
	put_text(out->update_step, sizeof(out->update_step), s.update_step);
	put_text(out->last_error, sizeof(out->last_error), s.last_error);
}
