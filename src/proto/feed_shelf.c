/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/feed_shelf.h"

#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

#define DIGEST      32
#define IS_DIGEST   0xff /* in place of a length */
#define FLAG_TRUST  1    /* trust is known */
#define FLAG_PEM    2
#define STATE_BYTES 16

/* 1 to 16 for a lower-case digit, 0 for anything else. */
static const uint8_t digits[256] = {
    ['0'] = 1,
    ['1'] = 2,
    ['2'] = 3,
    ['3'] = 4,
    ['4'] = 5,
    ['5'] = 6,
    ['6'] = 7,
    ['7'] = 8,
    ['8'] = 9,
    ['9'] = 10,
    ['a'] = 11,
    ['b'] = 12,
    ['c'] = 13,
    ['d'] = 14,
    ['e'] = 15,
    ['f'] = 16,
};

/* 64 lower-case digits to bytes; false for anything else. */
static bool
digest_of(const char *text, uint8_t out[DIGEST])
{
	const uint8_t *p = (const uint8_t *)text;

	for (size_t i = 0; i < DIGEST; i++, p += 2) {
		unsigned high = digits[p[0]], low;

		if (high == 0 || (low = digits[p[1]]) == 0)
			return false;
		out[i] = (uint8_t)((high - 1) << 4 | (low - 1));
	}
	return *p == '\0';
}

/* --- keys --- */

struct dvt_span
dvt_shelf_key_of(const char *text, struct dvt_shelf_key *out)
{
	if (digest_of(text, out->p)) {
		out->n = DIGEST;
	} else {
		size_t n = strnlen(text, DVT_FEED_KEY_MAX);

		out->n = n + 1 == DIGEST ? n + 2 : n + 1;
		memset(out->p, 0, out->n);
		memcpy(out->p, text, n);
	}
	return (struct dvt_span){out->p, out->n};
}

void
dvt_shelf_key_text(struct dvt_span key, char *out, size_t size)
{
	out[0] = '\0';
	if (key.n == DIGEST && size >= DVT_DIGEST_HEX)
		dvt_hex(key.p, DIGEST, out, size);
	else if (key.n > 0 && key.n <= size && key.p[key.n - 1] == '\0')
		memcpy(out, key.p, key.n);
}

/* --- writing --- */

static void
pack_text(struct dvt_buf *out, const char *text)
{
	uint8_t digest[DIGEST];

	if (digest_of(text, digest)) {
		dvt_buf_be(out, IS_DIGEST, 1);
		dvt_buf_put(out, digest, sizeof(digest));
		return;
	}
	dvt_buf_be(out, strnlen(text, IS_DIGEST - 1), 1);
	dvt_buf_put(out, text, strnlen(text, IS_DIGEST - 1));
	dvt_buf_putc(out, '\0');
}

static void
pack_list(struct dvt_buf *out, const struct dvt_feed_list *l)
{
	size_t n = l->n < DVT_FEED_LIST_MAX ? l->n : DVT_FEED_LIST_MAX;

	dvt_buf_be(out, n, 1);
	for (size_t i = 0; i < n; i++)
		pack_text(out, l->v[i]);
}

void
dvt_feed_pack(const struct dvt_feed_entry *e, struct dvt_buf *out)
{
	const struct dvt_feed_device *d = &e->u.device;

	dvt_buf_be(out, (uint64_t)e->position, 8);
	if (e->kind == DVT_FEED_DENY) {
		dvt_buf_be(out, (uint64_t)e->u.deny.not_after, 8);
		dvt_buf_be(out, e->u.deny.reason, 1);
		pack_text(out, e->u.deny.device);
		return;
	}
	dvt_buf_be(out,
	    (d->trust_known ? FLAG_TRUST : 0u) |
		(d->pem != NULL ? FLAG_PEM : 0u),
	    1);
	pack_text(out, d->state);
	pack_text(out, d->pin);
	pack_list(out, &d->certificates);
	pack_list(out, &d->trust);
	pack_list(out, &d->proven);
	pack_list(out, &d->refused);
	if (d->pem != NULL)
		dvt_buf_put(out, d->pem, strlen(d->pem) + 1);
}

/* --- reading; a record that is short of something is no record --- */

struct cursor {
	struct dvt_span rest;
	bool ok;
};

static uint64_t
take(struct cursor *c, size_t width)
{
	uint64_t v = 0;

	if (c->rest.n < width)
		c->ok = false;
	for (size_t i = 0; c->ok && i < width; i++)
		v = v << 8 | c->rest.p[i];
	if (c->ok)
		c->rest = dvt_span_from(c->rest, width);
	return v;
}

/* In place, or as digits into @room (DVT_DIGEST_HEX bytes). */
static const char *
take_text(struct cursor *c, char *room)
{
	size_t n = (size_t)take(c, 1);
	const uint8_t *p = c->rest.p;

	if (n == IS_DIGEST) {
		if (c->rest.n < DIGEST) {
			c->ok = false;
			return "";
		}
		dvt_hex(p, DIGEST, room, DVT_DIGEST_HEX);
		c->rest = dvt_span_from(c->rest, DIGEST);
		return room;
	}
	if (!c->ok || c->rest.n < n + 1 || p[n] != '\0') {
		c->ok = false;
		return "";
	}
	c->rest = dvt_span_from(c->rest, n + 1);
	return (const char *)p;
}

static void
take_copy(struct cursor *c, char *out, size_t size)
{
	char room[DVT_DIGEST_HEX];

	if (dvt_copy_str(out, size, take_text(c, room)) != 0)
		c->ok = false;
}

static void
take_list(struct cursor *c, struct dvt_feed_view *v, size_t which,
    struct dvt_feed_list *out)
{
	size_t at = which * DVT_FEED_LIST_MAX;
	size_t n = (size_t)take(c, 1);

	out->v = &v->texts[at];
	out->n = 0;
	if (n > DVT_FEED_LIST_MAX)
		c->ok = false;
	for (; c->ok && out->n < n; out->n++, at++)
		v->texts[at] = (char *)(uintptr_t)take_text(
		    c, &v->room[at * DVT_DIGEST_HEX]);
}

static void
unpack_device(struct cursor *c, struct dvt_feed_view *v)
{
	struct dvt_feed_device *d = &v->e.u.device;
	uint64_t flags = take(c, 1);

	d->trust_known = (flags & FLAG_TRUST) != 0;
	take_copy(c, d->state, sizeof(d->state));
	take_copy(c, d->pin, sizeof(d->pin));
	take_list(c, v, 0, &d->certificates);
	take_list(c, v, 1, &d->trust);
	take_list(c, v, 2, &d->proven);
	take_list(c, v, 3, &d->refused);
	d->pem = NULL;
	if ((flags & FLAG_PEM) == 0)
		return;
	if (c->rest.n == 0 || c->rest.p[c->rest.n - 1] != '\0')
		c->ok = false;
	else
		d->pem = (char *)(uintptr_t)c->rest.p;
}

bool
dvt_feed_unpack(struct dvt_span value, struct dvt_feed_view *v)
{
	struct cursor c = {value, true};
	struct dvt_feed_deny *d = &v->e.u.deny;

	v->e.gone = false;
	v->e.position = (int64_t)take(&c, 8);
	if (v->e.kind == DVT_FEED_DEVICE) {
		unpack_device(&c, v);
		return c.ok;
	}
	d->not_after = (int64_t)take(&c, 8);
	d->reason = (enum dvt_deny_reason)take(&c, 1);
	take_copy(&c, d->device, sizeof(d->device));
	if (d->reason >= DVT_DENY_N)
		d->reason = DVT_DENY_REVOKED;
	return c.ok;
}
