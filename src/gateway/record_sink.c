/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/record_sink.h"

#include "base/limits.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct gw_sink {
	char *to;  /* NULL: nobody */
	int fd;    /* -1: not open */
	bool file; /* a regular one */
	bool seen; /* how it ends: looked at since it was opened */
	bool torn; /* it ends within a line, and will not be cut */
	bool full;
	bool failed;
	struct dvt_err why;
	uint64_t lost;
	struct dvt_buf rest; /* of a line that a stream has begun */
};

struct gw_sink *
gw_sink_new(void)
{
	struct gw_sink *s = dvt_alloc(sizeof(*s));

	s->fd = -1;
	dvt_buf_init(&s->rest, DVT_RECORD_MAX + 1);
	return s;
}

static void
sink_close(struct gw_sink *s)
{
	if (s->fd >= 0 && s->fd != STDOUT_FILENO)
		close(s->fd);
	s->fd = -1;
	s->lost += s->rest.n > 0;
	dvt_buf_reset(&s->rest);
}

void
gw_sink_free(struct gw_sink *s)
{
	if (s == NULL)
		return;
	sink_close(s);
	dvt_buf_fini(&s->rest);
	free(s->to);
	free(s);
}

static bool
fail_errno(struct gw_sink *s)
{
	s->failed = true;
	(void)dvt_fail_errno(&s->why, "gateway.record %s", s->to);
	return false;
}

static bool
is_full(struct gw_sink *s)
{
	s->full = true;
	(void)dvt_fail(&s->why, DVT_E_BUSY,
	    "gateway.record %s: its reader takes nothing", s->to);
	return false;
}

/* A pipe without a reader is refused at once: ENXIO. */
static bool
sink_open(struct gw_sink *s)
{
	struct stat st;

	if (s->fd >= 0)
		return true;
	s->fd = strcmp(s->to, "-") == 0
		    ? STDOUT_FILENO
		    : open(s->to,
			  O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC |
			      O_NONBLOCK | O_NOCTTY,
			  0640);
	if (s->fd < 0)
		return fail_errno(s);
	s->file = fstat(s->fd, &st) == 0 && S_ISREG(st.st_mode);
	s->seen = s->torn = false;
	return true;
}

void
gw_sink_use(struct gw_sink *s, const char *to)
{
	char *former = s->to;

	sink_close(s);
	s->to = to != NULL ? dvt_strdup(to) : NULL;
	free(former);
	s->failed = s->full = false;
	if (s->to != NULL)
		(void)sink_open(s);
}

bool
gw_sink_used(const struct gw_sink *s)
{
	return s->to != NULL;
}

bool
gw_sink_size(const struct gw_sink *s, int64_t *size, uint64_t *id)
{
	struct stat st;

	if (s->fd < 0 || !s->file || fstat(s->fd, &st) != 0)
		return false;
	*size = st.st_size;
	*id = (uint64_t)st.st_ino;
	return true;
}

/* --- a file --- */

/* Was it left within a line: by a full disk, by a power cut? */
static bool
ends_torn(const struct gw_sink *s)
{
	int64_t size;
	uint64_t id;
	char last = '\n';
	int fd;

	if (s->fd == STDOUT_FILENO || !gw_sink_size(s, &size, &id) || size == 0)
		return false;
	fd = open(s->to, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return false;
	if (pread(fd, &last, 1, size - 1) != 1)
		last = '\n';
	close(fd);
	return last != '\n';
}

/* The next line begins at the beginning of one. */
static bool
mend_end(struct gw_sink *s)
{
	if (!s->seen)
		s->torn = ends_torn(s);
	s->seen = true;
	if (s->torn && write(s->fd, "\n", 1) != 1)
		return fail_errno(s);
	s->torn = false;
	return true;
}

/* Bytes of whole lines among the first @n. */
static size_t
whole(struct dvt_span lines, size_t n)
{
	while (n > 0 && lines.p[n - 1] != '\n')
		n--;
	return n;
}

/* Take back what was written of a line; only if nobody wrote behind it. */
static bool
cut(struct gw_sink *s, int64_t size, size_t back)
{
	int64_t now;
	uint64_t id;

	return gw_sink_size(s, &now, &id) && now == size &&
	       ftruncate(s->fd, size - (int64_t)back) == 0 &&
	       lseek(s->fd, 0, SEEK_END) >= 0;
}

static size_t
file_write(struct gw_sink *s, struct dvt_span lines, bool begun)
{
	size_t n = 0, keep;
	int64_t from = 0;
	uint64_t id;

	if (!begun && !mend_end(s))
		return 0;
	s->seen = true;
	(void)gw_sink_size(s, &from, &id);
	while (n < lines.n) {
		ssize_t w = write(s->fd, lines.p + n, lines.n - n);

		if (w > 0)
			n += (size_t)w;
		else if (errno != EINTR)
			break;
	}
	if (n == lines.n)
		return n;
	(void)fail_errno(s);
	keep = whole(lines, n);
	if (n > keep)
		s->torn = !cut(s, from + (int64_t)n, n - keep);
	return keep;
}

/* --- a pipe, a terminal, a socket --- */

/* false: not now. A partly written line is taken: its rest goes first then. */
static bool
stream_put(struct gw_sink *s, struct dvt_span some, size_t *taken)
{
	ssize_t w;
	size_t n;

	do
		w = write(s->fd, some.p, some.n);
	while (w < 0 && errno == EINTR);
	n = w > 0 ? (size_t)w : 0;
	*taken = whole(some, n);
	if (n == some.n)
		return true;
	if (w < 0 && errno != EAGAIN) {
		(void)fail_errno(s);
		sink_close(s);
		return false;
	}
	if (n > *taken) {
		const uint8_t *nl = memchr(some.p + n, '\n', some.n - n);

		*taken = (size_t)(nl - some.p) + 1;
		dvt_buf_put(&s->rest, some.p + n, *taken - n);
	}
	return is_full(s);
}

static bool
rest_put(struct gw_sink *s)
{
	ssize_t w;

	if (s->rest.n == 0)
		return true;
	w = write(s->fd, s->rest.p, s->rest.n);
	if (w > 0)
		dvt_buf_drop(&s->rest, (size_t)w);
	if (w < 0 && errno != EAGAIN && errno != EINTR) {
		(void)fail_errno(s);
		sink_close(s);
		return false;
	}
	return s->rest.n == 0 || is_full(s);
}

/* As many lines as a pipe takes whole or not at all. */
static size_t
stream_write(struct gw_sink *s, struct dvt_span lines)
{
	size_t done = 0;

	if (!rest_put(s))
		return 0;
	while (done < lines.n) {
		struct dvt_span some = dvt_span_from(lines, done);
		size_t n, taken;
		bool all;

		n = whole(some, some.n < PIPE_BUF ? some.n : PIPE_BUF);
		if (n == 0) /* one that is longer */
			n = (size_t)((const uint8_t *)memchr(
					 some.p, '\n', some.n) -
				     some.p) +
			    1;
		some.n = n;
		all = stream_put(s, some, &taken);
		done += taken;
		if (!all)
			break;
	}
	return done;
}

size_t
gw_sink_write(struct gw_sink *s, struct dvt_span lines, bool begun)
{
	s->failed = s->full = false;
	if (s->to == NULL)
		return lines.n;
	if (!sink_open(s))
		return 0;
	return s->file ? file_write(s, lines, begun) : stream_write(s, lines);
}

bool
gw_sink_wait(const struct gw_sink *s, int ms)
{
	struct pollfd p = {s->fd, POLLOUT, 0};

	return s->fd >= 0 && poll(&p, 1, ms) == 1 && p.revents == POLLOUT;
}

const char *
gw_sink_why(const struct gw_sink *s)
{
	return s->failed || s->full ? s->why.text : NULL;
}

bool
gw_sink_is_full(const struct gw_sink *s)
{
	return s->full && !s->failed;
}

uint64_t
gw_sink_lost(struct gw_sink *s)
{
	uint64_t n = s->lost;

	s->lost = 0;
	return n;
}
