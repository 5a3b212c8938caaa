/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The webhook follows the event queue: one event at a time, the next one when
 * the former was answered 2xx. How far it got is a row, written with each
 * answer; so nothing is lost, the order is the queue's, and after a crash the
 * last one may come twice (its id is in it).
 */
#include "dovetaild/core_outbound.h"

#include "base/log.h"
#include "dovetaild/core_priv.h"
#include "dovetaild/outbound.h"
#include "store/watch.h"
#include "wire/json.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

#define POSITION_KEY   "webhook.position" /* in meta; "" nothing to follow */
#define WEBHOOK        "webhook/"
#define PAGE           100    /* events looked at in one read */
#define PAGES          20     /* of them in one go */
#define RETRY_FIRST_MS 1000   /* doubled with each failure ... */
#define RETRY_MOST_MS  300000 /* ... up to 5 minutes; a quarter is jitter */
#define ALERT_TRIES    3      /* failures of one event until an alert */
#define ALERT_KEY      "webhook"

struct core_outbound {
	bool on;           /* a webhook is configured */
	bool woken;        /* in this turn */
	bool news;         /* there may be something after @position */
	int64_t position;  /* last event that was told, or nobody asked for */
	int64_t under_way; /* event at the courier; 0: none */
	unsigned tries;    /* of the event after @position */
	int64_t due_ms;    /* mono; not before */
};

/* --- where it is --- */

static enum dvt_code
keep_position(struct core *c, int64_t position, struct dvt_err *err)
{
	char text[24];

	snprintf(text, sizeof(text), "%" PRId64, position);
	return dvt_store_meta_set(core_tx(c), POSITION_KEY, text, err);
}

/* A webhook that was configured just now hears what happens from now on. */
static enum dvt_code
find_position(struct core *c, struct core_outbound *o, struct dvt_err *err)
{
	const char *text = "";
	enum dvt_code rc = dvt_store_meta_get(
	    core_tx(c), core_arena(c), POSITION_KEY, &text, err);

	if (rc != DVT_OK && rc != DVT_E_ABSENT)
		return rc;
	if (!o->on)
		return rc == DVT_OK && text[0] != '\0'
			   ? dvt_store_meta_set(
				 core_tx(c), POSITION_KEY, "", err)
			   : DVT_OK;
	if (rc == DVT_OK && text[0] != '\0') {
		o->position = strtoll(text, NULL, 10);
		return DVT_OK;
	}
	if ((rc = dvt_store_event_last(core_tx(c), &o->position, err)) !=
	    DVT_OK)
		return rc;
	return keep_position(c, o->position, err);
}

enum dvt_code
core_outbound_open(struct core *c, struct dvt_err *err)
{
	struct core_outbound *o = dvt_alloc(sizeof(*o));

	o->on = dvt_config_text(core_config(c), "webhook.url") != NULL;
	o->news = o->on;
	c->outbound = o;
	return find_position(c, o, err);
}

void
core_outbound_free(struct core_outbound *o)
{
	free(o);
}

/* --- which events --- */

static bool
is_wanted(const struct core *c, const char *name)
{
	const char *item;

	for (size_t i = 0; (item = dvt_config_item(
				core_config(c), "webhook.events", i)) != NULL;
	     i++)
		if (strcmp(item, "*") == 0 || strcmp(item, name) == 0)
			return true;
	return false;
}

static void
wake(struct core *c, void *ctx, bool committed)
{
	struct core_outbound *o = ctx;

	o->woken = false;
	if (!committed)
		return;
	o->news = true;
	core_outbound_pump(c);
}

void
core_outbound_event(struct core *c, const char *name)
{
	struct core_outbound *o = c->outbound;

	if (o == NULL || !o->on || o->woken || !is_wanted(c, name))
		return;
	o->woken = true;
	core_after(c, wake, o);
}

/* --- telling --- */

static json_t *
event_json(const struct core *c, const struct dvt_row_event *row)
{
	json_t *body = json_loads(row->body, 0, NULL);

	return json_pack("{s:s, s:I, s:I, s:s, s:s, s:s, s:o}", "fleet",
	    core_fleet(c), "id", (json_int_t)row->id, "at", (json_int_t)row->at,
	    "name", row->name, "device", row->device, "correlation",
	    row->correlation, "body", body == NULL ? json_object() : body);
}

static enum dvt_code
post(struct core *c, const struct dvt_row_event *row, struct dvt_err *err)
{
	struct outbound o = {.kind = "webhook"};
	struct dvt_msg m = {.type = DVT_MSG_OUTBOUND, .fd = -1};
	json_t *json = event_json(c, row);
	struct dvt_buf body, b;
	enum dvt_code rc;

	snprintf(o.key, sizeof(o.key), WEBHOOK "%" PRId64, row->id);
	dvt_buf_init(&body, OUTBOUND_BODY_MAX);
	dvt_buf_init(&b, OUTBOUND_BODY_MAX + 4096);
	dvt_json_put(&body, json);
	o.body = dvt_buf_span(&body);
	outbound_put(&b, &o);
	m.body = dvt_buf_span(&b);
	rc = peers_send(c->peers, DVT_ROLE_COURIER, 0, &m, err);
	dvt_buf_fini(&body);
	dvt_buf_fini(&b);
	json_decref(json);
	return rc;
}

/* The next event that is wanted; position goes past those that are not. */
static enum dvt_code
tell_next(struct core *c, void *ctx, struct dvt_err *err)
{
	struct core_outbound *o = ctx;
	struct dvt_row_event *rows;
	size_t n = PAGE;
	enum dvt_code rc = DVT_OK;

	for (int page = 0; rc == DVT_OK && page < PAGES && n == PAGE; page++) {
		rc = dvt_store_event_list(core_tx(c), core_arena(c),
		    o->position, PAGE, &rows, &n, err);
		for (size_t i = 0; rc == DVT_OK && i < n; i++) {
			if (!is_wanted(c, rows[i].name)) {
				o->position = rows[i].id;
				continue;
			}
			if ((rc = post(c, &rows[i], err)) == DVT_OK)
				o->under_way = rows[i].id;
			return rc;
		}
	}
	o->news = n == PAGE;
	return rc;
}

void
core_outbound_pump(struct core *c)
{
	struct core_outbound *o = c->outbound;
	struct dvt_err err = {0};

	if (o == NULL || !o->on || !o->news || o->under_way != 0 ||
	    dvt_loop_time(c->loop).mono_ms < o->due_ms)
		return;
	core_settle(c); /* what is told is committed */
	if (core_within(c, tell_next, o, &err) != DVT_OK)
		log_event(LOG_WARNING, "webhook.unsent", LE(&err));
	core_settle(c);
}

/* --- answers --- */

static enum dvt_code
told(struct core *c, void *ctx, struct dvt_err *err)
{
	const int64_t *id = ctx;

	return keep_position(c, *id, err);
}

static enum dvt_code
alarm(struct core *c, void *ctx, struct dvt_err *err)
{
	const struct outbound_done *d = ctx;

	return core_alert(c, "warn", ALERT_KEY, "webhook-failing", d->why, err);
}

/* A quarter less or more: many nodes do not come at once. */
static int64_t
backoff_ms(unsigned tries)
{
	int64_t wait = RETRY_FIRST_MS;
	uint32_t dice = 0;

	while (--tries > 0 && wait < RETRY_MOST_MS)
		wait *= 2;
	if (wait > RETRY_MOST_MS)
		wait = RETRY_MOST_MS;
	if (getrandom(&dice, sizeof(dice), 0) < 0)
		dice = 0;
	return wait * 3 / 4 + dice % (wait / 2);
}

static void
webhook_done(struct core *c, struct outbound_done *d)
{
	struct core_outbound *o = c->outbound;
	int64_t id = strtoll(d->key + strlen(WEBHOOK), NULL, 10);
	struct dvt_err err = {0};

	if (o->under_way == 0 || id != o->under_way)
		return; /* of a former life */
	o->under_way = 0;
	if (d->code == DVT_OK && core_within(c, told, &id, &err) == DVT_OK) {
		o->position = id;
		o->tries = 0;
		core_outbound_pump(c);
		return;
	}
	o->due_ms = dvt_loop_time(c->loop).mono_ms + backoff_ms(++o->tries);
	log_event(LOG_WARNING, "webhook.failed", LI("event_id", id),
	    LI("tries", o->tries),
	    LS("why", d->code == DVT_OK ? err.text : d->why));
	if (o->tries == ALERT_TRIES && core_within(c, alarm, d, &err) != DVT_OK)
		log_event(LOG_WARNING, "alert.unsent", LE(&err));
}

void
core_outbound_done(struct core *c, struct dvt_span body)
{
	struct dvt_err err = {0};
	struct outbound_done d;

	if (outbound_done_get(body, &d, &err) != DVT_OK)
		log_event(LOG_WARNING, "core.message", LE(&err));
	else if (strncmp(d.key, WEBHOOK, strlen(WEBHOOK)) == 0)
		webhook_done(c, &d);
	else
		core_sms_done(c, &d);
}

void
core_outbound_down(struct core *c)
{
	if (c->outbound != NULL)
		c->outbound->under_way = 0;
}
