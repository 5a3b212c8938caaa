/* SPDX-License-Identifier: Apache-2.0 */
/* Handshake records of all workers: into the log, the file and the spool. */
#include "base/log.h"
#include "base/mem.h"
#include "gateway/feed_priv.h"

#include <stdlib.h>
#include <string.h>

#define GATHER_MS   200   /* records make one batch */
#define TICK_MS     10000 /* counts go out after so many ticks: */
#define TICKS_WHOLE 1     /* spool as it should be */
#define TICKS_FINE  6     /* filling */
#define TICKS_TOTAL 30    /* nearly full */
#define FINE_AT     50    /* percent of the spool */
#define TOTAL_AT    90

/* What was passed through the control plane sees at its own end: told here,
 * in the file alone. Texts of a record hold no quote. */
static bool
is_passed(struct dvt_span line)
{
	static const char word[] = "\"outcome\":\"passed\"";

	return memmem(line.p, line.n, word, sizeof(word) - 1) != NULL;
}

static void
write_record(struct gw_feed *f, struct dvt_span line)
{
	if (f->record != NULL) {
		fwrite(line.p, 1, line.n, f->record);
		fputc('\n', f->record);
	}
	if (f->spool == NULL || is_passed(line))
		return;
	gw_spool_add(f->spool, line);
	if (!dvt_timer_running(f->gather))
		dvt_timer_start(f->gather, GATHER_MS);
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

	if (++f->sums_ticks >= ticks[grain_now(f)])
		gw_records_flush(f);
}

void
gw_records_flush(struct gw_feed *f)
{
	f->sums_ticks = 0;
	gw_sums_flush(f->sums);
	if (f->record != NULL)
		fflush(f->record);
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
	if (f->sums != NULL)
		gw_sums_flush(f->sums);
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
	if (!whole)
		gw_sums_count(f->sums, &h, grain);
	if (logged)
		log_record(f, &h, line);
}

void
gw_records_take(struct gw_feed *f, struct dvt_span lines)
{
	while (lines.n > 0) {
		const uint8_t *nl = memchr(lines.p, '\n', lines.n);
		size_t n = nl != NULL ? (size_t)(nl - lines.p) : lines.n;

		take_one(f, (struct dvt_span){lines.p, n});
		lines = dvt_span_from(lines, nl != NULL ? n + 1 : n);
	}
	if (f->record != NULL)
		fflush(f->record);
}

void
gw_feed_gathered(void *feed)
{
	struct gw_feed *f = feed;

	gw_spool_flush(f->spool);
	gw_link_report(f);
}
