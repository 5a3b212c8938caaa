/* SPDX-License-Identifier: Apache-2.0 */
/* Answers: whole ones in one write, streams piece by piece: see server.h. */
#include "http/server_priv.h"

#include "base/mem.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define HEAD_MAX 65536 /* bytes of an answer's head */

/* RFC 9110 section 15; others are sent with their number alone */
static const struct {
	int status;
	const char *text;
} phrases[] = {
    {200, "OK"			     },
    {201, "Created"			},
    {202, "Accepted"		       },
    {204, "No Content"                     },
    {304, "Not Modified"                   },
    {400, "Bad Request"                    },
    {401, "Unauthorized"                   },
    {403, "Forbidden"		      },
    {404, "Not Found"		      },
    {405, "Method Not Allowed"             },
    {408, "Request Timeout"                },
    {409, "Conflict"		       },
    {412, "Precondition Failed"            },
    {413, "Content Too Large"              },
    {414, "URI Too Long"                   },
    {415, "Unsupported Media Type"         },
    {417, "Expectation Failed"             },
    {422, "Unprocessable Content"          },
    {429, "Too Many Requests"              },
    {431, "Request Header Fields Too Large"},
    {500, "Internal Server Error"          },
    {501, "Not Implemented"                },
    {503, "Service Unavailable"            },
    {505, "HTTP Version Not Supported"     },
};

static const char *
phrase_of(int status)
{
	for (size_t i = 0; i < DVT_COUNT(phrases); i++) {
		if (phrases[i].status == status)
			return phrases[i].text;
	}
	return "";
}

/* RFC 9110 section 5.6.7, the same for all answers of a second */
static const char *
date_of(struct dvt_http_server *s)
{
	int64_t now = dvt_loop_time(s->loop).wall_s;
	time_t t = (time_t)now;
	struct tm tm;

	if (now != s->date_s && gmtime_r(&t, &tm) != NULL) {
		(void)strftime(
		    s->date, sizeof(s->date), "%a, %d %b %Y %H:%M:%S GMT", &tm);
		s->date_s = now;
	}
	return s->date;
}

/* A value from elsewhere cannot begin a header of its own. */
static void
header_put(struct dvt_buf *b, const char *name, const char *value)
{
	dvt_buf_printf(b, "%s: ", name);
	dvt_buf_put(b, value, strcspn(value, "\r\n"));
	dvt_buf_puts(b, "\r\n");
}

static void
head_put(struct http_conn *c, struct dvt_buf *b, int status,
    const char *content_type)
{
	dvt_buf_printf(b, "HTTP/1.1 %d %s\r\n", status, phrase_of(status));
	header_put(b, "Date", date_of(c->listener->server));
	if (content_type != NULL)
		header_put(b, "Content-Type", content_type);
	if (c->closes)
		header_put(b, "Connection", "close");
	else if (c->head.minor == 0)
		header_put(b, "Connection", "keep-alive");
}

/* Nothing more is written; on_ended() follows. */
static void
hang_up(struct http_conn *c)
{
	c->we_closed = true;
	dvt_tls_conn_finish(c->tc);
}

static void
send_off(struct http_conn *c, struct dvt_buf *b)
{
	if (b->full ||
	    dvt_tls_conn_write(c->tc, dvt_buf_span(b), NULL) != DVT_OK)
		hang_up(c); /* a part of an answer would be worse than none */
	dvt_buf_fini(b);
}

void
http_conn_reply(struct http_conn *c, const struct dvt_http_reply *r)
{
	bool bodiless = r->status == 204 || r->status == 304;
	struct dvt_buf out;

	if (r->close || c->listener->server->quiet)
		c->closes = true;
	dvt_buf_init(&out, HEAD_MAX + r->body.n);
	head_put(c, &out, r->status, r->content_type);
	for (size_t i = 0; i < r->headers_n; i++)
		header_put(&out, r->headers[i].name, r->headers[i].value);
	if (!bodiless)
		dvt_buf_printf(&out, "Content-Length: %zu\r\n", r->body.n);
	dvt_buf_puts(&out, "\r\n");
	if (!bodiless && !c->mute)
		dvt_buf_put_span(&out, r->body);
	http_conn_state(c, CONN_WRITING);
	send_off(c, &out);
}

void
http_conn_refuse(struct http_conn *c, int status)
{
	static const struct dvt_http_header later = {"Retry-After", "5"};
	char body[160];
	int n = snprintf(body, sizeof(body),
	    "{\"type\":\"about:blank\",\"title\":\"%s\",\"status\":%d}\n",
	    phrase_of(status), status);
	struct dvt_http_reply r = {
	    .status = status,
	    .content_type = "application/problem+json",
	    .headers = &later,
	    .headers_n = status == 503 ? 1 : 0,
	    .body = {(const uint8_t *)body, (size_t)n},
	    .close = status != 503
        };

	if (r.close) /* what follows cannot be told from the rest of it */
		dvt_buf_reset(&c->in);
	http_conn_reply(c, &r);
}

bool
dvt_http_reply(struct dvt_http_server *s, struct dvt_http_ticket t,
    const struct dvt_http_reply *r)
{
	struct http_conn *c = http_slot_find(s, t);

	if (c == NULL)
		return false;
	http_slot_give(c);
	http_conn_reply(c, r);
	return true;
}

/* --- streams --- */

struct dvt_http_stream *
dvt_http_stream_begin(struct dvt_http_server *s, struct dvt_http_ticket t,
    int status, const char *content_type,
    void (*more)(void *user, struct dvt_http_stream *st),
    void (*ended)(void *user), void *user)
{
	struct http_conn *c = http_slot_find(s, t);
	struct dvt_http_stream *st;
	struct dvt_buf out;

	if (c == NULL)
		return NULL;
	http_slot_give(c);
	st = dvt_alloc(sizeof(*st));
	*st = (struct dvt_http_stream){.conn = c,
	    .more = more,
	    .ended = ended,
	    .user = user,
	    .plain = c->head.minor == 0};
	if (st->plain)
		c->closes = true;
	dvt_buf_init(&out, HEAD_MAX);
	head_put(c, &out, status, content_type);
	dvt_buf_puts(&out, "Cache-Control: no-store\r\n");
	if (!st->plain)
		dvt_buf_puts(&out, "Transfer-Encoding: chunked\r\n");
	dvt_buf_puts(&out, "\r\n");
	http_conn_state(c, c->mute ? CONN_WRITING : CONN_STREAM);
	send_off(c, &out);
	if (c->mute) {
		free(st);
		return NULL;
	}
	c->stream = st;
	return st;
}

void
dvt_http_stream_put(struct dvt_http_stream *st, struct dvt_span piece)
{
	struct http_conn *c = st->conn;
	struct dvt_buf out;

	if (piece.n == 0)
		return; /* an empty chunk would be the last */
	dvt_buf_init(&out, piece.n + 64);
	if (!st->plain)
		dvt_buf_printf(&out, "%zx\r\n", piece.n);
	dvt_buf_put_span(&out, piece);
	if (!st->plain)
		dvt_buf_puts(&out, "\r\n");
	http_conn_state(c, CONN_STREAM);
	send_off(c, &out);
}

void
dvt_http_stream_end(struct dvt_http_stream *st)
{
	struct http_conn *c = st->conn;
	struct dvt_buf out;

	c->stream = NULL;
	http_conn_state(c, CONN_WRITING);
	if (st->plain) {
		hang_up(c);
	} else {
		dvt_buf_init(&out, 16);
		dvt_buf_puts(&out, "0\r\n\r\n");
		send_off(c, &out);
	}
	free(st);
}

void
http_conn_drained(struct http_conn *c)
{
	c->due_ms = 0; /* the next piece may take its time */
	c->stream->more(c->stream->user, c->stream);
}
