/* SPDX-License-Identifier: Apache-2.0 */
/* The journal added up: see history.h. */
#include "device/history.h"

#include "base/mem.h"

#include <stdlib.h>

void
dvt_history_fini(struct dvt_history *h)
{
	free(h->events);
	memset(h, 0, sizeof(*h));
}

static void
drop_first(struct dvt_history *h, size_t n)
{
	memmove(
	    h->events, h->events + n, (h->events_n - n) * sizeof(h->events[0]));
	h->events_n -= n;
}

static size_t
reported(const struct dvt_history *h)
{
	size_t n = 0;

	while (n < h->events_n && h->events[n].seq <= h->acked)
		n++;
	return n;
}

/* Keep what is unreported and a few before; of too many the oldest go. */
static void
trim(struct dvt_history *h)
{
	size_t old = reported(h);

	if (old > DVT_HISTORY_RECENT)
		drop_first(h, old - DVT_HISTORY_RECENT);
	if (h->events_n > DVT_HISTORY_EVENTS)
		drop_first(h, h->events_n - DVT_HISTORY_EVENTS);
}

static void
add_event(struct dvt_history *h, const struct dvt_agent_event *e)
{
	if (e->seq <= h->seq)
		return; /* twice: after a rewrite was cut */
	if (h->events_n == h->events_cap) {
		h->events_cap = h->events_cap == 0 ? 16 : 2 * h->events_cap;
		h->events = dvt_realloc(
		    h->events, h->events_cap * sizeof(h->events[0]));
	}
	h->events[h->events_n++] = *e;
	h->seq = e->seq;
	if (h->running && strcmp(e->id, h->id) == 0) {
		memcpy(h->step, e->step, sizeof(h->step));
		h->outcome = e->outcome;
	}
	trim(h);
}

static void
begin(struct dvt_history *h, const struct dvt_record *r)
{
	h->running = true;
	memcpy(h->id, r->id, sizeof(h->id));
	memcpy(h->instruction, r->instruction, sizeof(h->instruction));
	memcpy(h->label, r->label, sizeof(h->label));
	h->generation = r->generation;
	h->old = r->old;
	h->step[0] = '\0';
	h->outcome = DVT_STEP_START;
	if (r->generation > h->highest)
		h->highest = r->generation;
}

static void
end(struct dvt_history *h, const struct dvt_record *r)
{
	if (!h->running || strcmp(h->id, r->id) != 0)
		return;
	h->running = false;
	h->instruction[0] = '\0';
}

static struct dvt_history_done *
find_done(struct dvt_history *h, const char *instruction)
{
	for (size_t i = 0; i < h->done_n; i++) {
		if (strcmp(h->done[i].instruction, instruction) == 0)
			return &h->done[i];
	}
	return NULL;
}

const struct dvt_history_done *
dvt_history_done_get(const struct dvt_history *h, const char *instruction)
{
	return find_done((struct dvt_history *)(uintptr_t)h, instruction);
}

static void
done(struct dvt_history *h, const struct dvt_record *r)
{
	struct dvt_history_done *d = find_done(h, r->instruction);

	if (d != NULL) { /* again: to the end of the list */
		size_t after = h->done_n - 1 - (size_t)(d - h->done);

		memmove(d, d + 1, after * sizeof(*d));
		h->done_n--;
	} else if (h->done_n == DVT_HISTORY_DONE) {
		memmove(
		    h->done, h->done + 1, (h->done_n - 1) * sizeof(h->done[0]));
		h->done_n--;
	}
	d = &h->done[h->done_n++];
	memset(d, 0, sizeof(*d));
	memcpy(d->instruction, r->instruction, sizeof(d->instruction));
	memcpy(d->detail, r->detail, sizeof(d->detail));
	d->ok = r->ok;
}

const struct dvt_history_hold *
dvt_history_hold_get(const struct dvt_history *h, int64_t generation)
{
	for (size_t i = 0; i < h->hold_n; i++) {
		if (h->hold[i].generation == generation)
			return &h->hold[i];
	}
	return NULL;
}

static void
release(struct dvt_history *h, int64_t generation)
{
	for (size_t i = 0; i < h->hold_n; i++) {
		if (h->hold[i].generation != generation)
			continue;
		h->hold_n--;
		memmove(&h->hold[i], &h->hold[i + 1],
		    (h->hold_n - i) * sizeof(h->hold[0]));
		return;
	}
}

static void
hold(struct dvt_history *h, const struct dvt_record *r)
{
	release(h, r->generation);
	if (h->hold_n == DVT_HISTORY_HOLDS) /* the oldest makes room */
		release(h, h->hold[0].generation);
	h->hold[h->hold_n++] = (struct dvt_history_hold){r->generation, r->at};
	if (r->generation > h->highest)
		h->highest = r->generation;
}

void
dvt_history_apply(struct dvt_history *h, const struct dvt_record *r)
{
	struct dvt_history_done *d;

	switch (r->kind) {
	case DVT_REC_STEP:
		add_event(h, &r->event);
		break;
	case DVT_REC_BEGIN:
		begin(h, r);
		break;
	case DVT_REC_END:
		end(h, r);
		break;
	case DVT_REC_ACK:
		if (r->event.seq > h->acked)
			h->acked = r->event.seq;
		if (h->acked > h->seq)
			h->seq = h->acked;
		trim(h);
		break;
	case DVT_REC_DONE:
		done(h, r);
		break;
	case DVT_REC_TOLD:
		if ((d = find_done(h, r->instruction)) != NULL)
			d->told = true;
		break;
	case DVT_REC_SEEN:
		h->seen_at = r->at; /* a wrong one is put right by the next */
		break;
	case DVT_REC_HOLD:
		hold(h, r);
		break;
	case DVT_REC_GONE:
		release(h, r->generation);
		if (r->generation > h->highest)
			h->highest = r->generation;
		break;
	case DVT_REC_PROBED:
		if (r->version > h->probed)
			h->probed = r->version;
		break;
	case DVT_REC_HOOKED:
		if (r->version > h->hooked)
			h->hooked = r->version;
		break;
	}
}

const struct dvt_agent_event *
dvt_history_unreported(const struct dvt_history *h, size_t *n)
{
	size_t old = reported(h);

	*n = h->events_n - old;
	return *n > 0 ? h->events + old : h->events;
}

const struct dvt_agent_event *
dvt_history_probe(const struct dvt_history *h, int64_t version)
{
	for (size_t i = h->events_n; i > 0; i--) {
		const struct dvt_agent_event *e = &h->events[i - 1];

		if (strcmp(e->step, DVT_STEP_PROBE) == 0 &&
		    strtoll(e->target, NULL, 10) == version)
			return e;
	}
	return NULL;
}

static void
format_done(const struct dvt_history *h, struct dvt_buf *out)
{
	for (size_t i = 0; i < h->done_n; i++) {
		struct dvt_record r = {.kind = DVT_REC_DONE};

		memcpy(r.instruction, h->done[i].instruction,
		    sizeof(r.instruction));
		memcpy(r.detail, h->done[i].detail, sizeof(r.detail));
		r.ok = h->done[i].ok;
		dvt_record_format(&r, out);
		r = (struct dvt_record){.kind = DVT_REC_TOLD};
		memcpy(r.instruction, h->done[i].instruction,
		    sizeof(r.instruction));
		if (h->done[i].told)
			dvt_record_format(&r, out);
	}
}

void
dvt_history_format(const struct dvt_history *h, struct dvt_buf *out)
{
	struct dvt_record r = {.kind = DVT_REC_SEEN, .at = h->seen_at};

	dvt_record_format(&r, out);
	r = (struct dvt_record){.kind = DVT_REC_PROBED, .version = h->probed};
	dvt_record_format(&r, out);
	r = (struct dvt_record){.kind = DVT_REC_HOOKED, .version = h->hooked};
	dvt_record_format(&r, out);
	r = (struct dvt_record){.kind = DVT_REC_GONE, .generation = h->highest};
	dvt_record_format(&r, out); /* keeps the highest number */
	for (size_t i = 0; i < h->hold_n; i++) {
		r = (struct dvt_record){.kind = DVT_REC_HOLD,
		    .generation = h->hold[i].generation,
		    .at = h->hold[i].since};
		dvt_record_format(&r, out);
	}
	format_done(h, out);
	if (h->running) {
		r = (struct dvt_record){.kind = DVT_REC_BEGIN,
		    .generation = h->generation,
		    .old = h->old};
		memcpy(r.id, h->id, sizeof(r.id));
		memcpy(r.instruction, h->instruction, sizeof(r.instruction));
		memcpy(r.label, h->label, sizeof(r.label));
		dvt_record_format(&r, out);
	}
	for (size_t i = 0; i < h->events_n; i++) {
		r = (struct dvt_record){
		    .kind = DVT_REC_STEP, .event = h->events[i]};
		dvt_record_format(&r, out);
	}
	r = (struct dvt_record){.kind = DVT_REC_ACK};
	r.event.seq = h->acked;
	dvt_record_format(&r, out);
}
