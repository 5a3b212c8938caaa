/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/record_sum.h"

#include "base/mem.h"

#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#define SUMS_MAX 4096 /* different ones; more: they go out early */
#define MINUTE_S 60
#define HOUR_S   3600

/* What agrees; a record of which the rest is empty. */
struct sum {
	struct dvt_handshake what; /* with the last one's time */
	char *key;
	UT_hash_handle hh;
};

struct gw_sums {
	int64_t whole_max;
	void (*emit)(void *user, const struct dvt_handshake *h);
	void *user;
	int64_t minute;
	int64_t whole; /* let through in it */
	struct sum *sums;
};

struct gw_sums *
gw_sums_new(void (*emit)(void *user, const struct dvt_handshake *h), void *user)
{
	struct gw_sums *s = dvt_alloc(sizeof(*s));

	s->emit = emit;
	s->user = user;
	return s;
}

void
gw_sums_limit(struct gw_sums *s, int64_t whole_max)
{
	s->whole_max = whole_max;
}

static void
sum_drop(struct gw_sums *s, struct sum *i)
{
	HASH_DEL(s->sums, i);
	free(i->key);
	free(i);
}

void
gw_sums_free(struct gw_sums *s)
{
	struct sum *i, *tmp;

	if (s == NULL)
		return;
	HASH_ITER(hh, s->sums, i, tmp)
	{
		sum_drop(s, i);
	}
	free(s);
}

/* What differs from one handshake to the next is left out; what evidence is
 * drawn from (device, its certificate, chain shown, name asked for) stays. */
static struct dvt_handshake
common(const struct dvt_handshake *h, enum gw_grain grain)
{
	struct dvt_handshake c = *h;

	if (grain == GW_OUTCOME) {
		dvt_handshake_init(&c);
		c.outcome = h->outcome;
		c.reason = h->reason;
		(void)dvt_copy_str(c.confidence, sizeof(c.confidence), "none");
	}
	c.at = h->at / HOUR_S;
	c.n = 1;
	c.duration_us = 0;
	c.address[0] = '\0';
	if (grain == GW_TOTAL) {
		c.name[0] = '\0';
		c.device[0] = '\0';
		c.certificate[0] = '\0';
		/* without its name it is no evidence any more */
		(void)dvt_copy_str(c.confidence, sizeof(c.confidence), "none");
	}
	return c;
}

void
gw_sums_count(
    struct gw_sums *s, const struct dvt_handshake *h, enum gw_grain grain)
{
	struct dvt_handshake c = common(h, grain);
	int64_t n = h->n > 1 ? h->n : 1;
	struct dvt_buf key;
	struct sum *i;

	dvt_buf_init(&key, DVT_RECORD_MAX);
	dvt_handshake_format(&c, &key);
	HASH_FIND_STR(s->sums, dvt_buf_str(&key), i);
	if (i == NULL) {
		if (gw_sums_waiting(s) == SUMS_MAX)
			gw_sums_flush(s);
		i = dvt_alloc(sizeof(*i));
		i->what = c;
		i->what.n = 0;
		i->key = dvt_buf_take_str(&key);
		HASH_ADD_KEYPTR(
		    hh, s->sums, i->key, (unsigned)strlen(i->key), i);
	}
	dvt_buf_fini(&key);
	i->what.n += n;
	i->what.at = h->at;
}

bool
gw_sums_admit(struct gw_sums *s, enum gw_grain grain, int64_t now_s)
{
	if (now_s / MINUTE_S != s->minute) {
		s->minute = now_s / MINUTE_S;
		s->whole = 0;
	}
	if (grain != GW_WHOLE || s->whole >= s->whole_max)
		return false;
	s->whole++;
	return true;
}

void
gw_sums_flush(struct gw_sums *s)
{
	struct sum *i, *tmp;

	HASH_ITER(hh, s->sums, i, tmp)
	{
		s->emit(s->user, &i->what);
		sum_drop(s, i);
	}
}

size_t
gw_sums_waiting(const struct gw_sums *s)
{
	return HASH_COUNT(s->sums);
}
