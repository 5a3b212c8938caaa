/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What time it is for an agent whose clock may be wrong, and whose servers'
 * may be. Three say something: the device's own clock, the servers' word over
 * TLS, and dates that a CA signed. None of them alone can make the device
 * refuse its servers for good: docs/decisions/clock-floor.md.
 */
#include "device/agent_priv.h"

#include "pki/x509.h"

#define BUILD_FLOOR  1764547200LL /* 2025-12-01: no clock is before it */
#define FAR_AHEAD_S  (20LL * 365 * 86400) /* no clock is so far ahead */
#define SEEN_EVERY_S 3600 /* the server's time is stored so often */

static int64_t
later_of(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

static int64_t
earlier_of(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/* What is signed: our build, and the date from which our certificate holds;
 * before there is one, those of the anchors. */
static int64_t
dated_s(const struct dvt_agent *a)
{
	size_t n = a->trust != NULL ? dvt_trust_count(a->trust->trust) : 0;
	int64_t at = BUILD_FLOOR;

	if (a->cred.key != NULL)
		return later_of(at, dvt_x509_not_before(a->cred.chain.cert[0]));
	for (size_t i = 0; i < n; i++)
		at = later_of(
		    at, dvt_x509_not_before(dvt_trust_get(a->trust->trust, i)));
	return at;
}

static int64_t
floor_s(const struct dvt_agent *a)
{
	return later_of(dated_s(a), a->h.seen_at);
}

int64_t
dvt_agent_floor_s(const struct dvt_agent *a)
{
	return later_of(floor_s(a), a->signed_s);
}

/* No time is later: the last of the anchors has ended then, so that no server
 * could be believed any more. */
static int64_t
latest_s(const struct dvt_agent *a)
{
	size_t n = a->trust != NULL ? dvt_trust_count(a->trust->trust) : 0;
	int64_t latest = dated_s(a) + FAR_AHEAD_S, end = 0;

	for (size_t i = 0; i < n; i++)
		end = later_of(
		    end, dvt_x509_not_after(dvt_trust_get(a->trust->trust, i)));
	return end > 0 ? earlier_of(end, latest) : latest;
}

int64_t
dvt_agent_wall_s(const struct dvt_agent *a, struct dvt_time now)
{
	int64_t floor = floor_s(a);

	if (a->signed_s != 0)
		return a->signed_s + (now.mono_ms - a->signed_ms) / 1000;
	if (now.wall_s < floor || now.wall_s > floor + FAR_AHEAD_S)
		return floor + (now.mono_ms - a->opened_ms) / 1000;
	return now.wall_s;
}

int64_t
dvt_agent_now_s(const struct dvt_agent *a)
{
	return dvt_agent_wall_s(a, a->now);
}

void
dvt_agent_set_time(struct dvt_agent *a, int64_t at)
{
	a->signed_s = at;
	a->signed_ms = a->now.mono_ms;
}

/* The middle of the three: two of them say that it is not earlier. A clock
 * beyond all anchors says nothing. */
static int64_t
surely_s(const struct dvt_agent *a)
{
	int64_t own = a->now.wall_s <= latest_s(a) ? a->now.wall_s : 0;
	int64_t told = a->h.seen_at, dated = dated_s(a);
	int64_t low = earlier_of(own, told), high = later_of(own, told);

	return later_of(BUILD_FLOOR, later_of(low, earlier_of(high, dated)));
}

int64_t
dvt_agent_doubt_s(const struct dvt_agent *a, int64_t from, int64_t until)
{
	int64_t now = dvt_agent_now_s(a), at = until - 1;

	if (from <= 0 || until <= from)
		return 0;
	if (now < from) /* a CA of ours signed that date */
		return from <= latest_s(a) ? from : 0;
	if (now < until)
		return 0; /* dates were not the reason */
	if (a->now.wall_s >= from && a->now.wall_s < until)
		at = a->now.wall_s;
	return at >= surely_s(a) ? at : 0;
}

void
dvt_agent_take_time(
    struct dvt_agent *a, const struct dvt_answer *answer, int64_t time)
{
	struct dvt_record r = {.kind = DVT_REC_SEEN, .at = time};
	int64_t moved = time - a->h.seen_at;

	if (time < dated_s(a) || time > latest_s(a))
		return; /* no time that could be meant */
	if (answer->peer_until_s != 0 &&
	    (time < answer->peer_from_s || time >= answer->peer_until_s))
		return; /* at which it could not have been believed */
	dvt_agent_set_time(a, time);
	if (!a->heard || a->pending.n > 0 || moved >= SEEN_EVERY_S ||
	    moved <= -SEEN_EVERY_S)
		dvt_agent_record(a, &r);
}

bool
dvt_agent_has_passed(const struct dvt_agent *a, int64_t since, int64_t span_s)
{
	int64_t own = a->now.wall_s;

	/* a clock of its own that runs since then must say so as well */
	return a->signed_s != 0 && dvt_agent_now_s(a) - since >= span_s &&
	       (own < since || own - since >= span_s);
}
