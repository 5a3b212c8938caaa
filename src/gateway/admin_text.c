/* SPDX-License-Identifier: Apache-2.0 */
/* What the admin listener says: health as JSON, metrics as text. */
#include "gateway/admin.h"

#include "gateway/spool.h"
#include "pki/crl_read.h"
#include "pki/x509.h"
#include "wire/json.h"

#include <inttypes.h>
#include <stdio.h>

/* --- what is looked at by both --- */

/* One certificate that can be shown, of files or feed. */
struct shown {
	const char *id;
	const char *slot;
	X509 *leaf;
	int64_t not_after; /* smallest of its chain */
	int64_t staple_until;
};

typedef void shown_fn(void *ctx, const struct shown *s);

static void
each_of_feed(const struct gw_feed *f, shown_fn *fn, void *ctx)
{
	const struct dvt_feed_entry *e = NULL;

	while ((e = dvt_feed_next(f->feed, DVT_FEED_CREDENTIAL, e)) != NULL) {
		const struct dvt_feed_credential *c = &e->u.credential;
		const char *slash = strchr(e->key, '/');
		struct dvt_chain chain = {0};
		struct shown s = {.slot = c->slot};

		if (strcmp(c->gateway, f->program->settings.name) != 0 ||
		    strcmp(c->slot, DVT_EDGE_GONE) == 0 ||
		    dvt_chain_from_pem(
			dvt_span_str(c->chain_pem), &chain, NULL) != DVT_OK)
			continue;
		s.id = slash != NULL ? slash + 1 : e->key;
		s.leaf = chain.cert[0];
		s.not_after = dvt_chain_not_after(&chain);
		fn(ctx, &s);
		dvt_chain_fini(&chain);
	}
}

static void
each_shown(const struct gw_feed *f, shown_fn *fn, void *ctx)
{
	for (size_t i = 0; i < f->files.pairs_n; i++) {
		const struct gw_pair *p = &f->files.pair[i];
		struct shown s = {
		    .id = p->id,
		    .slot = "current",
		    .leaf = p->chain.cert[0],
		    .not_after = dvt_chain_not_after(&p->chain),
		    .staple_until = p->staple_until,
		};

		fn(ctx, &s);
	}
	each_of_feed(f, fn, ctx);
}

unsigned
gw_workers_ready(const struct gw_feed *f)
{
	unsigned n = 0;

	for (unsigned i = 0; i < f->program->settings.workers; i++)
		n += f->peer[i].channel != NULL && f->peer[i].serial > 0 &&
		     !gw_pulse_is_silent(f->program->pulse, i);
	return n;
}

static int64_t
in_force(const struct gw_feed *f)
{
	int64_t position = gw_feed_applied(f);

	return position == INT64_MAX ? 0 : position;
}

static size_t
denied(const struct gw_feed *f)
{
	return dvt_feed_count(f->feed, DVT_FEED_DENY) +
	       dvt_feed_shelved(f->files.denied, DVT_FEED_DENY);
}

/* --- health --- */

struct ends {
	json_t *list;
	int64_t now;
	size_t good;
};

static void
add_end(void *ctx, const struct shown *s)
{
	struct ends *e = ctx;
	char serial[DVT_SERIAL_HEX];

	dvt_x509_serial(s->leaf, serial);
	e->good += s->not_after > e->now;
	json_array_append_new(e->list,
	    json_pack("{s:s, s:s, s:s, s:I}", "id", s->id, "slot", s->slot,
		"serial", serial, "not_after", (json_int_t)s->not_after));
}

static json_t *
doubts(const struct gw_feed *f, int64_t now)
{
	json_t *list = json_array();
	const char *event;
	char text[DVT_DOUBT_MAX];

	for (size_t i = 0; gw_feed_doubt(f, now, i, &event, text) != NULL; i++)
		json_array_append_new(list, json_string(text));
	if (gw_file_why(f) != NULL) {
		(void)snprintf(
		    text, sizeof(text), "records wait: %s", gw_file_why(f));
		json_array_append_new(list, json_string(text));
	}
	return list;
}

static void
pulse_doubts(const struct gw_feed *f, json_t *list, int64_t now)
{
	char text[GW_PULSE_TEXT];

	for (unsigned i = 0;
	     gw_pulse_doubt(f->program->pulse, f->program->settings.workers, i,
		 now, text) != NULL;
	     i++)
		json_array_append_new(list, json_string(text));
}

static json_t *
crl_ends(const struct gw_feed *f)
{
	json_t *list = json_array();

	for (size_t i = 0; i < f->files.crl_n; i++) {
		int64_t end = dvt_crl_next_update(f->files.crl[i]);
		char issuer[DVT_DN_TEXT];
		json_t *o = json_pack(
		    "{s:s}", "issuer", dvt_crl_issuer(f->files.crl[i], issuer));

		if (end != INT64_MAX)
			json_object_set_new(
			    o, "next_update", json_integer(end));
		json_array_append_new(list, o);
	}
	return list;
}

static json_t *
feed_state(const struct gw_feed *f, int64_t now)
{
	bool away = f->poll.failures > 0 || f->heard_at == 0;
	json_t *o = json_pack("{s:I, s:I, s:b}", "position",
	    (json_int_t)dvt_feed_position(f->feed), "in_force",
	    (json_int_t)in_force(f), "away", away);

	if (f->heard_at > 0)
		json_object_set_new(
		    o, "age_s", json_integer(now - f->heard_at));
	return o;
}

static struct gw_stats
sum_of(const struct gw_feed *f)
{
	struct gw_stats all = f->past;

	for (unsigned i = 0; i < f->program->settings.workers; i++)
		gw_stats_fold(&all, &f->peer[i].stats);
	return all;
}

static json_t *
upstreams(const struct gw_feed *f, uint64_t failing)
{
	const struct gw_upstreams *u = &f->program->settings.upstreams;
	json_t *list = json_array();

	for (size_t i = 0; i < u->n; i++)
		json_array_append_new(
		    list, json_pack("{s:s, s:b}", "to", u->one[i].text,
			      "failing", (int)(failing >> i & 1)));
	return list;
}

enum gw_health
gw_health_format(const struct gw_feed *f, struct dvt_buf *out)
{
	static const char *const names[] = {"ok", "degraded", "down"};
	const struct gw_settings *s = &f->program->settings;
	int64_t now = dvt_loop_time(f->loop).wall_s;
	unsigned ready = gw_workers_ready(f);
	struct ends ends = {.list = json_array(), .now = now};
	json_t *why = doubts(f, now);
	uint64_t failing = sum_of(f).failing;
	enum gw_health health = GW_HEALTHY;
	json_t *o;

	pulse_doubts(f, why, now);
	each_shown(f, add_end, &ends);
	if (ready < s->workers || json_array_size(why) > 0 ||
	    ends.good < json_array_size(ends.list) || failing != 0 ||
	    (s->control_n > 0 && f->poll.failures > 0))
		health = GW_DEGRADED;
	if (ready == 0 || ends.good == 0)
		health = GW_DOWN;
	o = json_pack("{s:s, s:s, s:I, s:I, s:I, s:o, s:o, s:o, s:o}", "status",
	    names[health], "version", DVT_VERSION, "workers",
	    (json_int_t)s->workers, "workers_ready", (json_int_t)ready,
	    "sessions", (json_int_t)gw_feed_sessions(f), "upstreams",
	    upstreams(f, failing), "credentials", ends.list, "crls",
	    crl_ends(f), "doubts", why);
	if (s->control_n > 0)
		json_object_set_new(o, "feed", feed_state(f, now));
	dvt_json_put(out, o);
	json_decref(o);
	return health;
}

/* --- metrics --- */

static void
metric(
    struct dvt_buf *out, const char *name, const char *type, const char *help)
{
	dvt_buf_printf(out,
	    "# HELP dovetail_gateway_%s %s\n# TYPE dovetail_gateway_%s %s\n",
	    name, help, name, type);
}

static void
gauge(struct dvt_buf *out, const char *name, const char *help, int64_t v)
{
	metric(out, name, "gauge", help);
	dvt_buf_printf(out, "dovetail_gateway_%s %" PRId64 "\n", name, v);
}

/* A label's value: the characters that would end it are escaped. */
static void
label(struct dvt_buf *out, const char *value)
{
	for (; *value != '\0'; value++) {
		if (*value == '"' || *value == '\\')
			dvt_buf_putc(out, '\\');
		if (*value == '\n')
			dvt_buf_puts(out, "\\n");
		else
			dvt_buf_putc(out, *value);
	}
}

static void
put_handshakes(struct dvt_buf *out, const struct gw_stats *all)
{
	metric(out, "handshakes_total", "counter",
	    "Handshakes by outcome and reason.");
	for (int o = 0; o < DVT_OUTCOME_N; o++)
		for (int r = 0; r < DVT_HR_N; r++)
			if (all->handshakes[o][r] > 0)
				dvt_buf_printf(out,
				    "dovetail_gateway_handshakes_total{outcome="
				    "\"%s\",reason=\"%s\"} %" PRIu64 "\n",
				    dvt_outcome_name((enum dvt_outcome)o),
				    dvt_hs_reason_name((enum dvt_hs_reason)r),
				    all->handshakes[o][r]);
}

static void
put_stalled(struct dvt_buf *out, const struct gw_stats *all)
{
	metric(out, "sessions_stalled_total", "counter",
	    "Sessions ended because a side took nothing that waited for it.");
	dvt_buf_printf(out,
	    "dovetail_gateway_sessions_stalled_total %" PRIu64 "\n",
	    all->stalled);
}

static void
put_end(void *ctx, const struct shown *s)
{
	struct dvt_buf *out = ctx;
	char serial[DVT_SERIAL_HEX];

	dvt_x509_serial(s->leaf, serial);
	dvt_buf_puts(
	    out, "dovetail_gateway_credential_not_after_seconds{credential=\"");
	label(out, s->id);
	dvt_buf_printf(out, "\",slot=\"%s\",serial=\"%s\"} %" PRId64 "\n",
	    s->slot, serial, s->not_after);
}

static void
put_staple(void *ctx, const struct shown *s)
{
	struct dvt_buf *out = ctx;

	if (s->staple_until == 0)
		return;
	dvt_buf_puts(
	    out, "dovetail_gateway_staple_until_seconds{credential=\"");
	label(out, s->id);
	dvt_buf_printf(out, "\"} %" PRId64 "\n", s->staple_until);
}

static void
put_ends(const struct gw_feed *f, struct dvt_buf *out)
{
	metric(out, "credential_not_after_seconds", "gauge",
	    "End of each chain that can be shown, Unix seconds.");
	each_shown(f, put_end, out);
	metric(out, "staple_until_seconds", "gauge",
	    "End of each OCSP response that is shown, Unix seconds.");
	each_shown(f, put_staple, out);
	metric(out, "crl_next_update_seconds", "gauge",
	    "When each CRL is out of date, Unix seconds.");
	for (size_t i = 0; i < f->files.crl_n; i++) {
		int64_t end = dvt_crl_next_update(f->files.crl[i]);
		char issuer[DVT_DN_TEXT];

		if (end == INT64_MAX)
			continue;
		dvt_buf_printf(out,
		    "dovetail_gateway_crl_next_update_seconds{crl=\"%zu\","
		    "issuer=\"",
		    i);
		label(out, dvt_crl_issuer(f->files.crl[i], issuer));
		dvt_buf_printf(out, "\"} %" PRId64 "\n", end);
	}
}

static void
put_records(const struct gw_feed *f, struct dvt_buf *out)
{
	const struct gw_ledger_state *s = gw_ledger_get(f->program->ledger);

	gauge(out, "record_waiting_bytes",
	    "Records that the record file did not take yet.",
	    (int64_t)(s->lines_n - s->file_done));
	metric(out, "record_lost_total", "counter",
	    "Records that the record file did not take at all.");
	dvt_buf_printf(
	    out, "dovetail_gateway_record_lost_total %" PRIu64 "\n", s->lost);
}

static void
put_control(const struct gw_feed *f, struct dvt_buf *out)
{
	if (f->program->settings.control_n == 0)
		return;
	gauge(out, "feed_position", "Position of the feed.",
	    dvt_feed_position(f->feed));
	gauge(out, "feed_in_force", "Position that every worker has in force.",
	    in_force(f));
	gauge(out, "feed_heard_seconds",
	    "Last answer of the control plane, Unix seconds; 0: never.",
	    f->heard_at);
	gauge(out, "feed_failures", "Failed polls in a row.",
	    (int64_t)f->poll.failures);
	if (f->spool == NULL)
		return;
	gauge(out, "spool_batches", "Batches of records that wait.",
	    (int64_t)gw_spool_batches(f->spool));
	metric(out, "spool_lost_total", "counter",
	    "Records that did not fit into the spool.");
	dvt_buf_printf(out, "dovetail_gateway_spool_lost_total %" PRIu64 "\n",
	    gw_spool_lost(f->spool));
}

static void
put_upstreams(const struct gw_feed *f, struct dvt_buf *out, uint64_t failing)
{
	const struct gw_upstreams *u = &f->program->settings.upstreams;

	metric(out, "upstream_failing", "gauge",
	    "1: some worker's last connection to it failed.");
	for (size_t i = 0; i < u->n; i++) {
		dvt_buf_puts(
		    out, "dovetail_gateway_upstream_failing{upstream=\"");
		label(out, u->one[i].text);
		dvt_buf_printf(out, "\"} %d\n", (int)(failing >> i & 1));
	}
}

static void
put_replaced(const struct gw_feed *f, struct dvt_buf *out)
{
	static const char *const names[] = {
	    [GW_PROCESS_FEED] = "feed", [GW_PROCESS_WORKER] = "worker"};

	metric(out, "replaced_total", "counter",
	    "Processes that gave no answer and were replaced.");
	for (int i = 0; i < GW_PROCESS_N; i++)
		dvt_buf_printf(out,
		    "dovetail_gateway_replaced_total{process=\"%s\"} %" PRIu64
		    "\n",
		    names[i],
		    gw_pulse_count(f->program->pulse, (enum gw_process)i));
}

static void
put_memory(const struct gw_feed *f, struct dvt_buf *out)
{
	metric(out, "resident_bytes", "gauge", "Resident memory by process.");
	for (unsigned i = 0; i < f->program->settings.workers; i++)
		dvt_buf_printf(out,
		    "dovetail_gateway_resident_bytes{process=\"worker-%u\"} "
		    "%" PRIu64 "\n",
		    i + 1, f->peer[i].stats.resident_bytes);
	dvt_buf_printf(out,
	    "dovetail_gateway_resident_bytes{process=\"feed\"} %" PRIu64 "\n",
	    gw_memory_bytes(f->memory_fd));
}

void
gw_metrics_format(const struct gw_feed *f, struct dvt_buf *out)
{
	struct gw_stats all = sum_of(f);

	metric(out, "info", "gauge", "Version of the program.");
	dvt_buf_puts(
	    out, "dovetail_gateway_info{version=\"" DVT_VERSION "\",name=\"");
	label(out, f->program->settings.name);
	dvt_buf_puts(out, "\"} 1\n");
	gauge(out, "workers", "Worker processes wanted.",
	    f->program->settings.workers);
	gauge(out, "workers_ready", "Worker processes that serve.",
	    gw_workers_ready(f));
	put_handshakes(out, &all);
	put_stalled(out, &all);
	gauge(out, "connections", "Open connections.", (int64_t)all.conns);
	gauge(out, "sessions", "Of these past their handshake.",
	    (int64_t)all.sessions);
	gauge(out, "half_open", "Of these not past it yet.",
	    (int64_t)(all.conns - all.sessions - all.passed));
	gauge(out, "passed_through", "Of these handed on as they came.",
	    (int64_t)all.passed);
	gauge(out, "denied", "Certificates denied by feed and deny file.",
	    (int64_t)denied(f));
	put_upstreams(f, out, all.failing);
	put_ends(f, out);
	put_records(f, out);
	put_control(f, out);
	metric(out, "reloads_total", "counter",
	    "Times that settings and files were read again.");
	dvt_buf_printf(out,
	    "dovetail_gateway_reloads_total{result=\"ok\"} %" PRIu64 "\n"
	    "dovetail_gateway_reloads_total{result=\"refused\"} %" PRIu64 "\n",
	    f->reloads, f->reloads_refused);
	put_replaced(f, out);
	put_memory(f, out);
}
