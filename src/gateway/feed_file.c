/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lines of the ledger into the record file. What it does not take waits there,
 * so much and no more; what is lost is counted and told.
 */
#include "base/log.h"
#include "gateway/feed_priv.h"

#define WAITS_MAX   8388608 /* bytes of lines that wait for the file */
#define AGAIN_MS    20      /* until a slow reader is tried again: */
#define AGAIN_MOST  500     /* doubled up to that */
#define FAILED_MS   1000    /* until a file that fails is */
#define END_MS      500     /* for a slow reader at the end */
#define TELL_S      60      /* between two words of a loss */
#define HANGS_MS    5000    /* a reader that takes nothing so long hangs */
#define WAIT_ONE_MS 50

static struct gw_ledger *
ledger(const struct gw_feed *f)
{
	return f->program->ledger;
}

static struct dvt_span
waiting(const struct gw_feed *f)
{
	return gw_ledger_lines(ledger(f), gw_ledger_get(ledger(f))->file_done);
}

static int64_t
now_ms(const struct gw_feed *f)
{
	return dvt_loop_time(f->loop).mono_ms;
}

/* --- what is told --- */

/* Once a minute, so that a flood does not become one of the log. */
static void
tell_lost(struct gw_feed *f, bool at_once)
{
	const char *why = gw_sink_why(f->sink);
	uint64_t all = gw_ledger_get(ledger(f))->lost;
	int64_t now = now_ms(f);

	if (all == f->file.lost_told ||
	    (!at_once && f->file.told_ms != 0 &&
		now - f->file.told_ms < TELL_S * 1000))
		return;
	log_event(LOG_ERR, "gateway.record.lost",
	    LI("records", all - f->file.lost_told), LI("all", all),
	    LS("why", why != NULL ? why : "too many wait"));
	f->file.lost_told = all;
	f->file.told_ms = now;
}

/* A file that fails is told, once a minute at most, and when it is well. */
static void
tell_state(struct gw_feed *f)
{
	const char *why = gw_file_why(f);
	int64_t now = now_ms(f);

	if (why == NULL && f->file.failing && gw_sink_why(f->sink) == NULL) {
		f->file.failing = false;
		log_event(LOG_NOTICE, "gateway.record.restored");
	}
	if (why == NULL || f->file.failing)
		return;
	f->file.failing = true;
	if (f->file.failed_told_ms != 0 &&
	    now - f->file.failed_told_ms < TELL_S * 1000)
		return;
	f->file.failed_told_ms = now;
	log_event(LOG_ERR, "gateway.record.failed", LS("why", why));
}

const char *
gw_file_why(const struct gw_feed *f)
{
	if (gw_sink_is_full(f->sink) && now_ms(f) - f->file.moved_ms < HANGS_MS)
		return NULL;
	return gw_sink_why(f->sink);
}

void
gw_file_lose(struct gw_feed *f, uint64_t records)
{
	if (records > 0) {
		gw_ledger_begin(ledger(f))->lost += records;
		gw_ledger_commit(ledger(f));
	}
	tell_lost(f, false);
}

/* --- writing --- */

/* Is the first that waits the rest of a line that is in the file? */
static bool
is_begun(const struct gw_feed *f)
{
	size_t done = gw_ledger_get(ledger(f))->file_done;

	return done > 0 && gw_ledger_lines(ledger(f), done - 1).p[0] != '\n';
}

static void
write_again(struct gw_feed *f, size_t moved)
{
	struct gw_file_state *s = &f->file;

	if (moved > 0 || s->moved_ms == 0 || waiting(f).n == 0) {
		s->moved_ms = now_ms(f);
		s->again_ms = AGAIN_MS;
	} else if (s->again_ms < AGAIN_MOST) {
		s->again_ms *= 2;
	}
	if (waiting(f).n > 0)
		dvt_timer_start(s->again,
		    gw_sink_is_full(f->sink) ? s->again_ms : FAILED_MS);
}

static void
write_now(struct gw_feed *f)
{
	struct dvt_span lines = waiting(f);
	struct gw_ledger_state *s;
	size_t n;

	if (lines.n == 0)
		return;
	s = gw_ledger_begin(ledger(f));
	if (!gw_sink_size(f->sink, &s->file_from, &s->file_id))
		s->file_from = -1;
	gw_ledger_commit(ledger(f));
	n = gw_sink_write(f->sink, lines, is_begun(f));
	s = gw_ledger_begin(ledger(f));
	s->file_from = -1;
	s->file_done += n;
	gw_ledger_commit(ledger(f));
	gw_file_lose(f, gw_sink_lost(f->sink));
	write_again(f, n);
	tell_state(f);
}

void
gw_file_write(struct gw_feed *f)
{
	/* one that fails is left alone until it is time: a full disk */
	if (!dvt_timer_running(f->file.again) || gw_sink_is_full(f->sink))
		write_now(f);
}

static void
on_again(void *ctx)
{
	struct gw_feed *f = ctx;

	write_now(f);
	tell_lost(f, false);
}

/* Nobody will have what waits. */
static void
drop(struct gw_feed *f)
{
	struct dvt_span lines = waiting(f);
	struct gw_ledger_state *s;
	uint64_t n = 0;

	for (size_t i = 0; i < lines.n; i++)
		n += lines.p[i] == '\n';
	if (n > 0 && is_begun(f)) /* it looks how the file ends, then */
		gw_sink_use(f->sink, f->program->settings.record);
	s = gw_ledger_begin(ledger(f));
	s->file_done = s->lines_n;
	gw_ledger_commit(ledger(f));
	gw_file_lose(f, n);
}

void
gw_file_make_room(struct gw_feed *f)
{
	if (waiting(f).n > WAITS_MAX)
		drop(f);
}

/* --- begin and end --- */

void
gw_file_open(struct gw_feed *f)
{
	gw_sink_use(f->sink, f->program->settings.record);
	dvt_timer_stop(f->file.again);
	f->file.moved_ms = 0;
	gw_file_lose(f, gw_sink_lost(f->sink));
	write_now(f);
	tell_state(f);
}

void
gw_file_start(struct gw_feed *f)
{
	f->sink = gw_sink_new();
	f->file.again = dvt_timer_new(f->loop, on_again, f);
	f->file.lost_told = gw_ledger_get(ledger(f))->lost;
	gw_sink_use(f->sink, f->program->settings.record);
	tell_state(f);
}

/* What of the lines is in the file, by how long it is. */
void
gw_file_recover(struct gw_feed *f)
{
	struct gw_ledger_state *s = gw_ledger_begin(ledger(f));
	size_t waits = s->lines_n - s->file_done;
	int64_t size;
	uint64_t id;

	if (s->file_from >= 0 && gw_sink_size(f->sink, &size, &id) &&
	    id == s->file_id && size > s->file_from)
		s->file_done += (size_t)(size - s->file_from) < waits
				    ? (size_t)(size - s->file_from)
				    : waits;
	s->file_from = -1;
	gw_ledger_commit(ledger(f));
}

/* A slow reader has a moment more. */
static void
finish(struct gw_feed *f)
{
	for (int left = END_MS; waiting(f).n > 0 && left > 0;
	     left -= WAIT_ONE_MS) {
		write_now(f);
		if (!gw_sink_is_full(f->sink))
			break;
		(void)gw_sink_wait(f->sink, WAIT_ONE_MS);
	}
	drop(f);
	tell_lost(f, true);
}

void
gw_file_end(struct gw_feed *f)
{
	if (f->records_ready)
		finish(f);
	gw_sink_free(f->sink);
	f->sink = NULL;
	dvt_timer_free(f->file.again);
}
