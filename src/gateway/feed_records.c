/* SPDX-License-Identifier: Apache-2.0 */
/* Handshake records of all workers: into the log, the ledger and the spool. */
#include "base/log.h"
#include "base/mem.h"
#include "gateway/feed_priv.h"
#include "ipc/fields.h"

#include <stdlib.h>
#include <string.h>

#define GATHER_MS   200   /* records make one batch */
#define TICK_MS     10000 /* counts go out after so many ticks: */
#define TICKS_WHOLE 1     /* spool as it should be */
#define TICKS_FINE  6     /* filling */
#define TICKS_TOTAL 30    /* nearly full */
#define FINE_AT     50    /* percent of the spool */
#define TOTAL_AT    90
#define MESSAGE_MAX 65536   /* bytes of an EDGE_RECORD */
#define SUMS_MANY   3000    /* of 4096, with room for those of a message */
#define LINES_MANY  2097152 /* bytes on their way; the spool gathers less */

/* --- on their way --- */

static struct gw_ledger *
ledger(const struct gw_feed *f)
{
	return f->program->ledger;
}

/* To be changed; when all was put away the lines begin anew. */
static struct gw_ledger_state *
begin(struct gw_feed *f)
{
	struct gw_ledger_state *s = gw_ledger_begin(ledger(f));

	if (s->lines_n == 0)
		f->spooled_to = 0;
	return s;
}

/* What was passed through the control plane sees at its own end: told here,
 * in the file alone. Texts of a record hold no quote. */
static bool
is_passed(struct dvt_span line)
{
	static const char word[] = "\"outcome\":\"passed\"";

	return memmem(line.p, line.n, word, sizeof(word) - 1) != NULL;
}

/* To the spool all that it has not seen. */
static void
spool_fill(struct gw_feed *f)
{
	struct dvt_span lines = gw_ledger_lines(ledger(f), f->spooled_to);
	struct gw_ledger_state *s;

	while (f->spool != NULL && lines.n > 0) {
		const uint8_t *nl = memchr(lines.p, '\n', lines.n);
		size_t n = (size_t)(nl - lines.p);

		f->spooled_to += n + 1;
		if (!is_passed((struct dvt_span){lines.p, n}))
			gw_spool_add(f->spool, (struct dvt_span){lines.p, n});
		lines = dvt_span_from(lines, n + 1);
	}
	if (f->spool == NULL) {
		s = begin(f);
		s->spool_done = s->lines_n;
		gw_ledger_commit(ledger(f));
	} else if (!dvt_timer_running(f->gather)) {
		dvt_timer_start(f->gather, GATHER_MS);
	}
}

static void
put_away(struct gw_feed *f)
{
	if (gw_ledger_lines(ledger(f), 0).n == 0)
		return;
	spool_fill(f);
	gw_file_write(f); /* last: it may end the ledger's round */
}

static void
on_writing(void *user, int64_t number)
{
	struct gw_feed *f = user;

	begin(f)->batch = number;
	gw_ledger_commit(ledger(f));
}

static void
on_written(void *user)
{
	struct gw_feed *f = user;
	struct gw_ledger_state *s = begin(f);

	s->batch = 0;
	s->spool_done = f->spooled_to;
	gw_ledger_commit(ledger(f));
}

static void
write_record(struct gw_feed *f, struct dvt_span line)
{
	/* with the change under way; told by the next that is lost or written
	 */
	if (!gw_ledger_line(ledger(f), line))
		gw_ledger_lost(ledger(f), 1);
}

static void
on_sum(void *user, const struct dvt_handshake *h)
{
	struct dvt_buf line;

	dvt_buf_init(&line, DVT_RECORD_MAX);
	dvt_handshake_format(h, &line);
	write_record(user, dvt_buf_span(&line));
	dvt_buf_fini(&line);
}

static enum gw_grain
grain_now(const struct gw_feed *f)
{
	unsigned fill = f->spool != NULL ? gw_spool_fill(f->spool) : 0;

	if (fill >= TOTAL_AT)
		return GW_TOTAL;
	return fill >= FINE_AT ? GW_DEVICE : GW_WHOLE;
}

static void
on_tick(void *ctx)
{
	static const unsigned ticks[] = {
	    [GW_WHOLE] = TICKS_WHOLE,
	    [GW_DEVICE] = TICKS_FINE,
	    [GW_TOTAL] = TICKS_TOTAL,
	};
	struct gw_feed *f = ctx;

	gw_file_lose(f, 0);
	if (++f->sums_ticks >= ticks[grain_now(f)])
		gw_records_flush(f);
}

void
gw_records_flush(struct gw_feed *f)
{
	struct gw_ledger_state *s = begin(f);

	f->sums_ticks = 0;
	gw_sums_flush(f->sums);
	s->counted_n = 0;
	gw_ledger_commit(ledger(f));
	put_away(f);
}

void
gw_records_settings(struct gw_feed *f)
{
	gw_sums_limit(
	    f->sums, dvt_config_int(f->program->config, "gateway.record-max"));
}

void
gw_records_start(struct gw_feed *f)
{
	f->sums = gw_sums_new(on_sum, f);
	gw_records_settings(f);
	f->sums_timer = dvt_timer_new(f->loop, on_tick, f);
	dvt_timer_repeat(f->sums_timer, TICK_MS);
}

void
gw_records_end(struct gw_feed *f)
{
	if (f->records_ready) /* else they are the next one's */
		gw_records_flush(f);
	gw_file_end(f);
	gw_sums_free(f->sums);
	f->sums = NULL;
	dvt_timer_free(f->sums_timer);
}

/* --- the log --- */

/* "VERBOSE" tells every field, as the record has them. */
static void
log_record(
    struct gw_feed *f, const struct dvt_handshake *h, struct dvt_span line)
{
	enum gw_log_level level = gw_log_level(f->feed, f->program->config,
	    f->program->settings.name, h, dvt_loop_time(f->loop).wall_s);
	bool failed = h->outcome != DVT_HS_OK && h->outcome != DVT_HS_PASSED;

	if (level == GW_LOG_OFF || (!failed && level == GW_LOG_ERROR))
		return;
	if (level == GW_LOG_VERBOSE) {
		char *text = dvt_strndup(line.p, line.n);

		log_event(failed ? LOG_WARNING : LOG_NOTICE,
		    "gateway.handshake", LS("record", text));
		free(text);
		return;
	}
	log_event(failed ? LOG_WARNING : LOG_NOTICE, "gateway.handshake",
	    LS("outcome", dvt_outcome_name(h->outcome)),
	    LS("reason", dvt_hs_reason_name(h->reason)),
	    LS("address", h->address), LS("device", h->device),
	    LS("confidence", h->confidence), LI("alert", h->alert),
	    LS("credential", h->credential), LS("form", h->form));
}

/* --- taking --- */

static void
take_one(struct gw_feed *f, struct dvt_span line)
{
	enum gw_grain grain = grain_now(f);
	bool logged = gw_log_any(f->feed, f->program->config);
	bool whole = gw_sums_admit(
	    f->sums, grain, dvt_loop_time(f->loop).wall_s);
	struct dvt_handshake h;
	struct dvt_err err;

	if (whole)
		write_record(f, line);
	if (whole && !logged)
		return;
	if (dvt_handshake_parse(line, &h, &err) != DVT_OK) {
		log_event(LOG_ERR, "gateway.record.broken", LE(&err));
		return;
	}
	if (!whole) {
		gw_sums_count(f->sums, &h, grain);
		(void)gw_ledger_counted(ledger(f), (char)('0' + grain), line);
	}
	if (logged)
		log_record(f, &h, line);
}

static void
take_lines(struct gw_feed *f, struct dvt_span lines)
{
	while (lines.n > 0) {
		const uint8_t *nl = memchr(lines.p, '\n', lines.n);
		size_t n = nl != NULL ? (size_t)(nl - lines.p) : lines.n;

		take_one(f, (struct dvt_span){lines.p, n});
		lines = dvt_span_from(lines, nl != NULL ? n + 1 : n);
	}
}

/* Counts go out before they are too many, never in the midst of a message. */
static void
make_room(struct gw_feed *f)
{
	if (gw_sums_waiting(f->sums) > SUMS_MANY ||
	    gw_ledger_get(ledger(f))->counted_n >
		GW_LEDGER_COUNTED - 2 * MESSAGE_MAX)
		gw_records_flush(f);
	gw_file_make_room(f);
	if (f->spool != NULL &&
	    gw_ledger_lines(ledger(f), gw_ledger_get(ledger(f))->spool_done).n >
		LINES_MANY)
		gw_feed_gathered(f);
}

uint64_t
gw_records_take(struct gw_feed *f, unsigned index, struct dvt_span body)
{
	struct dvt_fields in = dvt_fields_of(body);
	uint64_t life = dvt_get_u64(&in, UINT64_MAX);
	uint64_t seq = dvt_get_u64(&in, UINT64_MAX);
	struct dvt_span lines = dvt_get_bytes(&in, MESSAGE_MAX);
	struct gw_ledger_state *s;

	if (dvt_fields_end(&in, "records", NULL) != DVT_OK ||
	    index >= GW_LEDGER_WORKERS)
		return 0;
	make_room(f);
	s = begin(f);
	if (s->taken[index].life == life && seq <= s->taken[index].seq)
		return seq; /* a former feed process took it */
	take_lines(f, lines);
	s->taken[index].life = life;
	s->taken[index].seq = seq;
	gw_ledger_commit(ledger(f));
	put_away(f);
	return seq;
}

/* --- after a kill --- */

static void
counts_recover(struct gw_feed *f)
{
	struct dvt_span in = gw_ledger_counts(ledger(f));
	struct dvt_handshake h;

	while (in.n > 0) {
		const uint8_t *nl = memchr(in.p, '\n', in.n);
		size_t n = (size_t)(nl - in.p);

		if (dvt_handshake_parse(
			(struct dvt_span){in.p + 1, n - 1}, &h, NULL) == DVT_OK)
			gw_sums_count(
			    f->sums, &h, (enum gw_grain)(in.p[0] - '0'));
		in = dvt_span_from(in, n + 1);
	}
}

void
gw_records_recover(struct gw_feed *f)
{
	const struct gw_spool_watch watch = {
	    .writing = on_writing, .written = on_written, .user = f};
	const struct gw_ledger_state *s = gw_ledger_get(ledger(f));

	if (f->spool != NULL) {
		gw_spool_watch(f->spool, &watch);
		if (s->batch != 0)
			gw_spool_unwrite(f->spool, s->batch);
	}
	if (s->lines_n > 0 || s->counted_n > 0)
		log_event(LOG_NOTICE, "gateway.record.recovered",
		    LI("bytes", s->lines_n + s->counted_n));
	f->spooled_to = s->spool_done;
	f->records_ready = true;
	gw_file_recover(f);
	counts_recover(f);
	put_away(f);
}

void
gw_feed_gathered(void *feed)
{
	struct gw_feed *f = feed;

	gw_spool_flush(f->spool);
	on_written(f); /* what did not fit is done with as well */
	gw_link_report(f);
}
