/* SPDX-License-Identifier: Apache-2.0 */
/*
 * GET /v1/events as a stream (text/event-stream, WHATWG HTML section 9.2).
 * A stream is the long poll of a reader, asked again and again with the
 * client's own token: so roles, revoked tokens and the order of events are the
 * same on both ways. One page waits here at most; the next one is asked for
 * when the former has left the socket, and a client that does not take it in
 * time is cut by the HTTP server.
 */
#include "base/log.h"
#include "base/mem.h"
#include "dovetaild/front_priv.h"
#include "wire/json.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STREAM_TYPE "text/event-stream"
#define PAGE_ROWS   200  /* events in one piece */
#define BEAT_S      15   /* a comment line at least so often */
#define TICK_MS     1000 /* a stream without news is looked at */
#define PIECE_MAX   (4 * 1024 * 1024)

struct front_stream {
	struct front *f;
	uint64_t generation; /* 0: this place is free */
	struct dvt_http_ticket ticket;
	struct dvt_http_stream *st; /* NULL: the first answer is awaited */
	struct request *q;          /* as the client asked */
	int64_t after;              /* last event handed to the client */
	unsigned reader;
	bool asked; /* a reader thinks about it, since: */
	int64_t asked_ms;
	bool wants; /* what was put has left */
	bool again; /* there may be a next page: no waiting for the tick */
};

static uint32_t
slot_of(const struct front_stream *s)
{
	return FRONT_PARKED_MAX + (uint32_t)(s - s->f->stream);
}

static void
release(struct front_stream *s)
{
	struct front *f = s->f;
	struct dvt_msg m = {.type = DVT_MSG_CANCEL,
	    .slot = slot_of(s),
	    .generation = s->generation,
	    .fd = -1};
	struct dvt_err err;

	if (s->asked && peers_send(f->peers, DVT_ROLE_READER, s->reader, &m,
			    &err) != DVT_OK)
		log_event(LOG_INFO, "front.stream.cancel-lost", LE(&err));
	dvt_cleanse(s->q, sizeof(*s->q));
	free(s->q);
	*s = (struct front_stream){.f = f};
	if (--f->stream_n == 0)
		dvt_timer_stop(f->stream_tick);
}

/* --- asking --- */

static enum dvt_code
ask(struct front_stream *s, struct dvt_err *err)
{
	struct front *f = s->f;
	struct dvt_msg m = {.type = DVT_MSG_REQUEST,
	    .slot = slot_of(s),
	    .generation = s->generation,
	    .fd = -1};
	struct dvt_buf b;
	enum dvt_code rc;

	s->reader = front_late_reader(f, m.slot);
	dvt_buf_init(&b, 65536);
	request_put(&b, s->q);
	m.body = dvt_buf_span(&b);
	rc = peers_send(f->peers, DVT_ROLE_READER, s->reader, &m, err);
	s->asked = rc == DVT_OK;
	s->asked_ms = dvt_time_now().mono_ms;
	dvt_buf_fini(&b);
	return rc;
}

/* From now on by our own words: a page, or nothing within a heart-beat. */
static void
ask_next(struct front_stream *s)
{
	snprintf(s->q->query, sizeof(s->q->query),
	    "after=%" PRId64 "&limit=%d&wait=%d", s->after, PAGE_ROWS, BEAT_S);
	(void)ask(s, NULL); /* else at the next tick */
}

/* No reader has agreed in time. */
static void
give_up(struct front_stream *s)
{
	struct front *f = s->f;
	struct dvt_http_ticket t = s->ticket;
	struct dvt_err err;

	front_late_fail(f, DVT_ROLE_READER, s->reader, &err);
	release(s);
	front_reply_error(f, t, &err, 5, false);
}

static void
on_tick(void *front)
{
	struct front *f = front;

	for (size_t i = 0; i < FRONT_STREAMS_MAX; i++) {
		struct front_stream *s = &f->stream[i];

		if (s->generation != 0 && s->st != NULL && s->wants &&
		    !s->asked)
			ask_next(s);
		else if (s->generation != 0 && s->st == NULL && s->asked &&
			 front_late_is(f, s->asked_ms))
			give_up(s);
	}
}

/* --- the client's side --- */

static void
on_more(void *user, struct dvt_http_stream *st)
{
	struct front_stream *s = user;

	(void)st;
	s->wants = true;
	if (s->again)
		ask_next(s);
}

static void
on_ended(void *user)
{
	release(user);
}

static void
put(struct front_stream *s, const struct dvt_buf *text)
{
	s->wants = false;
	dvt_http_stream_put(s->st, dvt_buf_span(text));
}

static void
event_put(struct dvt_buf *out, const json_t *e)
{
	const char *name = json_string_value(json_object_get(e, "name"));

	dvt_buf_printf(out, "id: %" PRId64 "\nevent: %s\ndata: ",
	    (int64_t)json_integer_value(json_object_get(e, "id")),
	    name == NULL ? "message" : name);
	dvt_json_put(out, e); /* one line: JSON escapes its line ends */
	dvt_buf_puts(out, "\n\n");
}

/* A page of events, or a comment so that both sides know of each other. */
static void
put_page(struct front_stream *s, const json_t *items)
{
	struct dvt_buf text;
	const json_t *e;
	size_t i;

	dvt_buf_init(&text, PIECE_MAX);
	json_array_foreach(items, i, e)
	{
		event_put(&text, e);
		s->after = json_integer_value(json_object_get(e, "id"));
	}
	s->again = i > 0;
	if (i == 0)
		dvt_buf_puts(&text, ":\n\n");
	put(s, &text);
	dvt_buf_fini(&text);
}

/* --- a reader's side --- */

static void
first_answer(struct front_stream *s, const struct reply *r)
{
	struct front *f = s->f;
	struct dvt_http_ticket t = s->ticket;
	struct dvt_buf text;

	if (r->status != 200) {
		release(s);
		front_reply(f, t, r);
		return;
	}
	s->st = dvt_http_stream_begin(
	    f->http, t, 200, STREAM_TYPE, on_more, on_ended, s);
	if (s->st == NULL) {
		release(s);
		return;
	}
	s->again = true;
	dvt_buf_init(&text, 64);
	dvt_buf_printf(&text, "retry: %d\n\n", TICK_MS);
	put(s, &text);
	dvt_buf_fini(&text);
}

static void
next_answer(struct front_stream *s, const struct reply *r)
{
	json_t *page;

	if (r->status == 401 || r->status == 403) { /* token taken back */
		struct dvt_http_stream *st = s->st;

		release(s);
		dvt_http_stream_end(st);
	} else if (r->status == 200 &&
		   dvt_json_parse(r->body, PIECE_MAX, &page, NULL) == DVT_OK) {
		put_page(s, json_object_get(page, "items"));
		json_decref(page);
	}
}

bool
front_events_answer(
    struct front *f, const struct dvt_msg *m, const struct reply *r)
{
	uint32_t i = m->slot - FRONT_PARKED_MAX;
	struct front_stream *s;

	if (m->slot < FRONT_PARKED_MAX)
		return false;
	if (i >= FRONT_STREAMS_MAX)
		return true;
	s = &f->stream[i];
	if (s->generation != m->generation || !s->asked)
		return true; /* its client is gone */
	s->asked = false;
	if (s->st == NULL)
		first_answer(s, r);
	else
		next_answer(s, r);
	return true;
}

void
front_events_down(struct front *f, enum dvt_role role, unsigned index)
{
	for (size_t i = 0; i < FRONT_STREAMS_MAX; i++) {
		struct front_stream *s = &f->stream[i];
		struct dvt_http_ticket t = s->ticket;
		struct dvt_err err;

		if (s->generation == 0 || role != DVT_ROLE_READER ||
		    s->reader != index || !s->asked)
			continue;
		s->asked = false; /* asked anew at the next tick */
		if (s->st != NULL)
			continue;
		(void)dvt_fail(&err, DVT_E_LATER, "reader was started again");
		release(s);
		front_reply_error(f, t, &err, 1, false);
	}
}

/* --- a client comes --- */

bool
front_events_wanted(const struct dvt_http_req *req)
{
	const char *accept = dvt_http_req_header(req, "Accept");

	return req->method == DVT_HTTP_GET &&
	       strcmp(req->path, "/v1/events") == 0 && accept != NULL &&
	       strstr(accept, STREAM_TYPE) != NULL;
}

/* Where it stopped (a browser says it by itself), before what it asks for. */
static enum dvt_code
start_of(const struct dvt_http_req *req, struct request *q, int64_t *after,
    struct dvt_err *err)
{
	const char *last = dvt_http_req_header(req, "Last-Event-ID");
	const char *at = strstr(q->query, "after=");
	char *end;

	*after = at == NULL ? 0 : strtoll(at + 6, NULL, 10);
	if (last == NULL || last[0] == '\0')
		return DVT_OK;
	*after = strtoll(last, &end, 10);
	if (*end != '\0' || *after < 0 || *after == INT64_MAX)
		return dvt_fail(err, DVT_E_INPUT,
		    "Last-Event-ID: \"%.40s\" is no id of an event", last);
	return DVT_OK;
}

static struct front_stream *
place_find(struct front *f)
{
	for (size_t i = 0; i < FRONT_STREAMS_MAX; i++)
		if (f->stream[i].generation == 0)
			return &f->stream[i];
	return NULL;
}

enum dvt_code
front_events(struct front *f, const struct dvt_http_req *req,
    const struct request *q, struct dvt_err *err)
{
	struct front_stream *s = place_find(f);
	enum dvt_code rc;

	if (s == NULL)
		return dvt_fail(err, DVT_E_LATER,
		    "%d event streams are open at this front already",
		    FRONT_STREAMS_MAX);
	*s = (struct front_stream){.f = f,
	    .generation = ++f->stream_generation,
	    .ticket = req->ticket,
	    .q = dvt_alloc(sizeof(*s->q))};
	*s->q = *q;
	s->q->accept[0] = '\0';
	s->q->body = (struct dvt_span){NULL, 0};
	if (f->stream_n++ == 0)
		dvt_timer_repeat(f->stream_tick, TICK_MS);
	if ((rc = start_of(req, s->q, &s->after, err)) == DVT_OK)
		rc = ask(s, err); /* tells whether it may, and asks well */
	if (rc != DVT_OK)
		release(s);
	return rc;
}

void
front_events_new(struct front *f)
{
	f->stream = dvt_alloc_array(FRONT_STREAMS_MAX, sizeof(*f->stream));
	f->stream_tick = dvt_timer_new(f->loop, on_tick, f);
	for (size_t i = 0; i < FRONT_STREAMS_MAX; i++)
		f->stream[i].f = f;
}

void
front_events_free(struct front *f)
{
	for (size_t i = 0; f->stream != NULL && i < FRONT_STREAMS_MAX; i++)
		if (f->stream[i].generation != 0)
			release(&f->stream[i]);
	dvt_timer_free(f->stream_tick);
	free(f->stream);
}
