/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Requests that core or a reader leaves without an answer (it is stopped, or
 * hangs in its disk or database): their clients hear so, and are not left to
 * wait. An answer that comes later is dropped, as its ticket is.
 */
#include "base/log.h"
#include "dovetaild/front_priv.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define LOOK_MS    250
#define AVOID_MS   60000 /* until a silent reader is tried again */
#define NAME_ROOM  32
#define WAIT_MAX_S 60 /* more than any long poll may ask for */

static int64_t
limit_ms(const struct front *f)
{
	return dvt_config_int(f->program->config, "front.answerTimeout");
}

/* mono_ms when it was found silent, 0: it is not. */
static int64_t *
silent_ms(struct front *f, enum dvt_role role, unsigned index)
{
	return role == DVT_ROLE_READER ? &f->reader_silent_ms[index]
				       : &f->core_silent_ms;
}

static void
name_of(enum dvt_role role, unsigned index, char out[NAME_ROOM])
{
	if (role == DVT_ROLE_READER)
		snprintf(out, NAME_ROOM, "reader %u", index + 1);
	else
		snprintf(out, NAME_ROOM, "%s", dvt_role_name(role));
}

void
front_late_fail(
    struct front *f, enum dvt_role role, unsigned index, struct dvt_err *err)
{
	char who[NAME_ROOM];

	name_of(role, index, who);
	(void)dvt_fail(err, DVT_E_LATER,
	    "the process \"%s\" of dovetaild has not answered for %" PRId64
	    " s (is it stopped, does its disk or database hang?); %s",
	    who, limit_ms(f) / 1000,
	    role == DVT_ROLE_READER
		? "nothing was changed, ask again"
		: "whether this was done is not known: look before it is "
		  "repeated");
}

static void
mark(struct front *f, enum dvt_role role, unsigned index, int64_t now)
{
	int64_t *at = silent_ms(f, role, index);
	char who[NAME_ROOM];

	if (*at == 0) {
		name_of(role, index, who);
		log_event(LOG_WARNING, "front.peer.silent", LS("process", who),
		    LI("seconds", limit_ms(f) / 1000));
	}
	*at = now;
}

void
front_late_heard(struct front *f, enum dvt_role role, unsigned index)
{
	char who[NAME_ROOM];

	if ((role != DVT_ROLE_CORE && role != DVT_ROLE_READER) ||
	    *silent_ms(f, role, index) == 0)
		return;
	*silent_ms(f, role, index) = 0;
	name_of(role, index, who);
	log_event(LOG_NOTICE, "front.peer.answers", LS("process", who));
}

/* Of several silent ones the first that was found so: it is the likeliest to
 * be back. */
unsigned
front_late_reader(struct front *f, uint32_t slot)
{
	unsigned n = peers_count(f->peers, DVT_ROLE_READER);
	int64_t now = dvt_time_now().mono_ms, best_ms = INT64_MAX;
	unsigned best = n > 0 ? slot % n : 0;

	for (unsigned i = 0; i < n; i++) {
		unsigned k = (slot + i) % n;
		int64_t at = f->reader_silent_ms[k];

		if (peers_get(f->peers, DVT_ROLE_READER, k) == NULL)
			continue;
		if (at == 0 || now - at > AVOID_MS)
			return k;
		if (at < best_ms) {
			best_ms = at;
			best = k;
		}
	}
	return best;
}

/* --- requests that are parked --- */

static void
look(void *front)
{
	struct front *f = front;
	int64_t now = dvt_time_now().mono_ms;
	bool more = false;

	for (uint32_t i = 0; i < FRONT_PARKED_MAX; i++) {
		struct front_pending *p = &f->pending[i];
		struct dvt_http_ticket t = {i, p->generation};
		struct dvt_err err = {0};

		if (p->generation == 0)
			continue;
		if (p->due_ms > now) {
			more = true;
			continue;
		}
		p->generation = 0;
		mark(f, p->role, p->index, now);
		front_late_fail(f, p->role, p->index, &err);
		front_reply_error(f, t, &err, 5, p->est);
	}
	if (!more)
		dvt_timer_stop(f->late);
}

void
front_late_watch(struct front *f, struct front_pending *p)
{
	p->due_ms = dvt_time_now().mono_ms + limit_ms(f);
	if (!dvt_timer_running(f->late))
		dvt_timer_repeat(f->late, LOOK_MS);
}

void
front_late_allow(struct front_pending *p, const char *query)
{
	const char *at = strstr(query, "wait=");
	int64_t s = at == NULL ? 0 : strtoll(at + 5, NULL, 10);

	if (s > 0)
		p->due_ms += (s < WAIT_MAX_S ? s : WAIT_MAX_S) * 1000;
}

bool
front_late_is(const struct front *f, int64_t asked_ms)
{
	return dvt_time_now().mono_ms - asked_ms >= limit_ms(f);
}

void
front_late_new(struct front *f)
{
	f->late = dvt_timer_new(f->loop, look, f);
}
