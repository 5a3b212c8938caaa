/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/feed.h"

#include "base/mem.h"
#include "proto/feed_shelf.h"
#include "wire/json.h"

#include <stdlib.h>
#include <string.h>
#include <uthash.h>

/* An entry in its table, beside what finds it. */
struct item {
	struct dvt_feed_entry *e;
	UT_hash_handle hh;
};

#define VIEWS     4 /* entries of the shelf lent out at one time */
#define VALUE_MAX (DVT_FEED_LINE_MAX + 65536)

/*
 * Devices and denials, of which there may be millions, are records of a shelf,
 * which an edge's processes share; the few others are entries of their own.
 */
struct dvt_feed {
	struct item *items[DVT_FEED_KIND_N];
	struct dvt_shelf *shelf;
	const struct dvt_shelf *denied_too; /* borrowed, or NULL */
	struct dvt_feed_view *view[VIEWS];
	unsigned next_view;
	struct dvt_buf packed; /* within one call */
	int64_t position;
	int64_t epoch;
};

static struct dvt_feed *
new_with(struct dvt_shelf *shelf)
{
	struct dvt_feed *f = dvt_alloc(sizeof(*f));

	f->shelf = shelf;
	dvt_buf_init(&f->packed, VALUE_MAX);
	return f;
}

struct dvt_feed *
dvt_feed_new(void)
{
	return new_with(dvt_shelf_new(false));
}

struct dvt_feed *
dvt_feed_new_shared(void)
{
	return new_with(dvt_shelf_new(true));
}

static void
items_free(struct dvt_feed *f, enum dvt_feed_kind kind)
{
	struct item *i, *tmp;

	HASH_ITER(hh, f->items[kind], i, tmp)
	{
		HASH_DEL(f->items[kind], i);
		dvt_feed_entry_free(i->e);
		free(i);
	}
}

void
dvt_feed_free(struct dvt_feed *f)
{
	if (f == NULL)
		return;
	for (int k = 0; k < DVT_FEED_KIND_N; k++)
		items_free(f, (enum dvt_feed_kind)k);
	for (int i = 0; i < VIEWS; i++)
		free(f->view[i]);
	dvt_shelf_free(f->shelf);
	dvt_buf_fini(&f->packed);
	free(f);
}

/* --- the shelf --- */

enum dvt_code
dvt_feed_attach(struct dvt_feed *f, int fd, struct dvt_err *err)
{
	struct dvt_shelf *fresh;
	enum dvt_code rc = dvt_shelf_attach(fd, &fresh, err);

	if (rc != DVT_OK)
		return rc;
	dvt_shelf_free(f->shelf);
	f->shelf = fresh;
	return DVT_OK;
}

int
dvt_feed_shelf_fd(struct dvt_feed *f)
{
	return dvt_shelf_fd(f->shelf);
}

uint64_t
dvt_feed_shelf_generation(const struct dvt_feed *f)
{
	return dvt_shelf_generation(f->shelf);
}

size_t
dvt_feed_shelf_bytes(const struct dvt_feed *f)
{
	return dvt_shelf_bytes(f->shelf);
}

void
dvt_feed_denied_too(struct dvt_feed *f, const struct dvt_shelf *denied)
{
	f->denied_too = denied;
}

static bool
is_shelved(enum dvt_feed_kind kind)
{
	return kind == DVT_FEED_DEVICE || kind == DVT_FEED_DENY;
}

static unsigned
shelf_kind(enum dvt_feed_kind kind)
{
	return kind == DVT_FEED_DEVICE ? DVT_SHELF_DEVICE : DVT_SHELF_DENY;
}

void
dvt_feed_shelve(struct dvt_shelf *s, const struct dvt_feed_entry *e)
{
	struct dvt_shelf_key k;
	struct dvt_buf value;

	dvt_buf_init(&value, VALUE_MAX);
	dvt_feed_pack(e, &value);
	dvt_shelf_put(s, shelf_kind(e->kind), dvt_shelf_key_of(e->key, &k),
	    dvt_buf_span(&value));
	dvt_buf_fini(&value);
}

size_t
dvt_feed_shelved(const struct dvt_shelf *s, enum dvt_feed_kind kind)
{
	return dvt_shelf_count(s, shelf_kind(kind));
}

/* A record as an entry: good until VIEWS - 1 more were asked for. */
static const struct dvt_feed_entry *
lend(const struct dvt_feed *feed, enum dvt_feed_kind kind, const char *key,
    struct dvt_span value)
{
	struct dvt_feed *f = (struct dvt_feed *)(uintptr_t)feed;
	unsigned at = f->next_view++ % VIEWS;
	struct dvt_feed_view *v = f->view[at];

	if (v == NULL)
		v = f->view[at] = dvt_alloc(sizeof(*v));
	v->e.kind = kind;
	v->e.key = v->key;
	if (key != v->key && dvt_copy_str(v->key, sizeof(v->key), key) != 0)
		return NULL;
	return dvt_feed_unpack(value, v) ? &v->e : NULL;
}

static const struct dvt_feed_entry *
shelf_find(const struct dvt_feed *f, enum dvt_feed_kind kind, const char *key)
{
	struct dvt_shelf_key k;
	struct dvt_span name = dvt_shelf_key_of(key, &k), value;

	if (dvt_shelf_get(f->shelf, shelf_kind(kind), name, &value) ||
	    (kind == DVT_FEED_DENY && f->denied_too != NULL &&
		dvt_shelf_get(f->denied_too, DVT_SHELF_DENY, name, &value)))
		return lend(f, kind, key, value);
	return NULL;
}

static const struct dvt_feed_entry *
shelf_next(const struct dvt_feed *f, enum dvt_feed_kind kind,
    const struct dvt_feed_entry *after)
{
	struct dvt_shelf_walk w = DVT_SHELF_WALK;
	struct dvt_shelf_key k;
	char key[DVT_FEED_KEY_MAX + 2];

	if (after != NULL && !dvt_shelf_walk_at(f->shelf, shelf_kind(kind),
				 dvt_shelf_key_of(after->key, &k), &w))
		return NULL;
	if (!dvt_shelf_next(f->shelf, shelf_kind(kind), &w))
		return NULL;
	dvt_shelf_key_text(w.key, key, sizeof(key));
	return lend(f, kind, key, w.value);
}

size_t
dvt_feed_forget(
    struct dvt_feed *f, int64_t before, uint64_t slots, uint64_t *at)
{
	struct dvt_shelf_walk w = {.at = *at, .left = slots};
	size_t n = 0;

	while (dvt_shelf_next(f->shelf, DVT_SHELF_DENY, &w)) {
		const struct dvt_feed_entry *e = lend(
		    f, DVT_FEED_DENY, "", w.value);

		if (e == NULL || e->u.deny.not_after < before)
			n += dvt_shelf_drop(f->shelf, DVT_SHELF_DENY, w.key);
	}
	*at = w.at;
	return n;
}

/* --- who owns which client certificate --- */

static void
owner_put(struct dvt_feed *f, const char *fp, const char *device)
{
	struct dvt_shelf_key k;

	if (fp[0] != '\0')
		dvt_shelf_put(f->shelf, DVT_SHELF_OWNER,
		    dvt_shelf_key_of(fp, &k),
		    (struct dvt_span){
			(const uint8_t *)device, strlen(device) + 1});
}

static void
owner_drop(struct dvt_feed *f, const char *fp, const char *device)
{
	struct dvt_shelf_key k;
	struct dvt_span key = dvt_shelf_key_of(fp, &k), value;

	if (dvt_shelf_get(f->shelf, DVT_SHELF_OWNER, key, &value) &&
	    dvt_span_eq_str(
		(struct dvt_span){value.p, value.n > 0 ? value.n - 1 : 0},
		device)) /* else another device's by now */
		dvt_shelf_drop(f->shelf, DVT_SHELF_OWNER, key);
}

static void
owners_update(struct dvt_feed *f, const struct dvt_feed_entry *e,
    void (*update)(struct dvt_feed *, const char *, const char *))
{
	const struct dvt_feed_device *d = &e->u.device;

	for (size_t i = 0; i < d->certificates.n; i++)
		update(f, d->certificates.v[i], e->key);
	update(f, d->pin, e->key);
}

static bool
lists(const struct dvt_feed_entry *e, const char *fingerprint)
{
	return strcmp(e->u.device.pin, fingerprint) == 0 ||
	       dvt_feed_list_has(&e->u.device.certificates, fingerprint);
}

/* Certificates that @e does not have any more. The texts of @old are borrowed
 * from the shelf, which does not move while records are dropped. */
static void
owners_leave(struct dvt_feed *f, const struct dvt_feed_entry *old,
    const struct dvt_feed_entry *e)
{
	const struct dvt_feed_device *d = &old->u.device;

	for (size_t i = 0; i < d->certificates.n; i++)
		if (e->gone || !lists(e, d->certificates.v[i]))
			owner_drop(f, d->certificates.v[i], e->key);
	if (d->pin[0] != '\0' && (e->gone || !lists(e, d->pin)))
		owner_drop(f, d->pin, e->key);
}

const struct dvt_feed_entry *
dvt_feed_device_by_certificate(
    const struct dvt_feed *f, const char *fingerprint)
{
	struct dvt_shelf_key k;
	const struct dvt_feed_entry *e;
	struct dvt_span id;

	if (!dvt_shelf_get(f->shelf, DVT_SHELF_OWNER,
		dvt_shelf_key_of(fingerprint, &k), &id) ||
	    id.n == 0 || id.p[id.n - 1] != '\0')
		return NULL;
	/* the writer changes one record after the other: ask both */
	e = shelf_find(f, DVT_FEED_DEVICE, (const char *)id.p);
	return e != NULL && lists(e, fingerprint) ? e : NULL;
}

static void
shelf_put(struct dvt_feed *f, const struct dvt_feed_entry *e)
{
	const struct dvt_feed_entry *old;
	struct dvt_shelf_key k;
	struct dvt_span key = dvt_shelf_key_of(e->key, &k);

	if (dvt_shelf_is_reader(f->shelf))
		return;
	if (e->kind == DVT_FEED_DEVICE &&
	    (old = shelf_find(f, DVT_FEED_DEVICE, e->key)) != NULL)
		owners_leave(f, old, e);
	if (e->gone) {
		dvt_shelf_drop(f->shelf, shelf_kind(e->kind), key);
		return;
	}
	dvt_buf_reset(&f->packed);
	dvt_feed_pack(e, &f->packed);
	dvt_shelf_put(
	    f->shelf, shelf_kind(e->kind), key, dvt_buf_span(&f->packed));
	if (e->kind == DVT_FEED_DEVICE)
		owners_update(f, e, owner_put);
}

int64_t
dvt_feed_position(const struct dvt_feed *f)
{
	return f->position;
}

int64_t
dvt_feed_epoch(const struct dvt_feed *f)
{
	return f->epoch;
}

void
dvt_feed_position_set(struct dvt_feed *f, int64_t position, int64_t epoch)
{
	f->position = position;
	f->epoch = epoch;
}

/* --- entries --- */

static struct item *
find(const struct dvt_feed *f, enum dvt_feed_kind kind, const char *key)
{
	struct item *i;

	HASH_FIND_STR(f->items[kind], key, i);
	return i;
}

const struct dvt_feed_entry *
dvt_feed_get(const struct dvt_feed *f, enum dvt_feed_kind kind, const char *key)
{
	struct item *i;

	if (is_shelved(kind))
		return shelf_find(f, kind, key);
	i = find(f, kind, key);
	return i != NULL ? i->e : NULL;
}

const struct dvt_feed_entry *
dvt_feed_next(const struct dvt_feed *f, enum dvt_feed_kind kind,
    const struct dvt_feed_entry *after)
{
	struct item *i;

	if (is_shelved(kind))
		return shelf_next(f, kind, after);
	i = after == NULL ? f->items[kind]
			  : (struct item *)find(f, kind, after->key)->hh.next;
	return i != NULL ? i->e : NULL;
}

size_t
dvt_feed_count(const struct dvt_feed *f, enum dvt_feed_kind kind)
{
	if (is_shelved(kind))
		return dvt_shelf_count(f->shelf, shelf_kind(kind));
	return HASH_COUNT(f->items[kind]);
}

static void
drop(struct dvt_feed *f, struct item *i)
{
	HASH_DEL(f->items[i->e->kind], i);
	dvt_feed_entry_free(i->e);
	free(i);
}

void
dvt_feed_put(struct dvt_feed *f, struct dvt_feed_entry *e)
{
	struct item *i = NULL;

	if (is_shelved(e->kind)) {
		shelf_put(f, e);
		dvt_feed_entry_free(e);
		return;
	}
	if (e->kind < DVT_FEED_KIND_N)
		i = find(f, e->kind, e->key);
	if (i != NULL)
		drop(f, i);
	if (e->gone) {
		dvt_feed_entry_free(e);
		return;
	}
	i = dvt_alloc(sizeof(*i));
	i->e = e;
	HASH_ADD_KEYPTR(
	    hh, f->items[e->kind], e->key, (unsigned)strlen(e->key), i);
}

/* --- answers --- */

enum dvt_code
dvt_feed_head_parse(
    struct dvt_span line, struct dvt_feed_head *out, struct dvt_err *err)
{
	json_t *obj = NULL;
	const char *kind;
	enum dvt_code rc;

	*out = (struct dvt_feed_head){0};
	if ((rc = dvt_json_parse(line, DVT_FEED_LINE_MAX, &obj, err)) !=
		DVT_OK ||
	    (rc = dvt_json_get_str(obj, "kind", 32, &kind, err)) != DVT_OK)
		goto out;
	if (strcmp(kind, "head") != 0) {
		rc = dvt_fail(err, DVT_E_INPUT, "no head but %s", kind);
		goto out;
	}
	if ((rc = dvt_json_get_i64(obj, "position", 0, INT64_MAX,
		 &out->position, err)) != DVT_OK ||
	    (rc = dvt_json_get_i64(
		 obj, "epoch", 0, INT64_MAX, &out->epoch, err)) != DVT_OK ||
	    (rc = dvt_json_opt_i64(
		 obj, "now", 0, INT64_MAX, 0, &out->now, err)) != DVT_OK)
		goto out;
	rc = dvt_json_opt_bool(obj, "more", false, &out->more, err);
out:
	json_decref(obj);
	if (rc != DVT_OK)
		dvt_err_prefix(err, "feed head");
	return rc;
}

void
dvt_feed_head_format(const struct dvt_feed_head *h, struct dvt_buf *out)
{
	dvt_buf_printf(out,
	    "{\"kind\":\"head\",\"position\":%lld,\"epoch\":%lld,\"now\":%lld,"
	    "\"more\":%s}\n",
	    (long long)h->position, (long long)h->epoch, (long long)h->now,
	    h->more ? "true" : "false");
}

/* The next line without its end; false after the last. Empty ones pass. */
static bool
line_take(struct dvt_span *rest, struct dvt_span *line)
{
	while (rest->n > 0) {
		const uint8_t *nl = memchr(rest->p, '\n', rest->n);
		size_t n = nl != NULL ? (size_t)(nl - rest->p) : rest->n;

		*line = (struct dvt_span){rest->p, n};
		*rest = dvt_span_from(*rest, n + (nl != NULL ? 1 : 0));
		if (n > 0)
			return true;
	}
	return false;
}

struct entries {
	struct dvt_feed_entry *v[DVT_FEED_LINES_MAX];
	size_t n;
	size_t lines;
	int64_t last; /* position of the last line */
};

static enum dvt_code
entries_parse(struct dvt_span rest, int64_t after, struct entries *es,
    struct dvt_err *err)
{
	struct dvt_span line;

	es->last = after;
	while (line_take(&rest, &line)) {
		struct dvt_feed_entry *e;
		enum dvt_code rc;

		if (++es->lines > DVT_FEED_LINES_MAX)
			return dvt_fail(err, DVT_E_LIMIT, "feed: over %d lines",
			    DVT_FEED_LINES_MAX);
		if ((rc = dvt_feed_entry_parse(line, &e, err)) != DVT_OK)
			return rc;
		es->v[es->n++] = e;
		if (e->position <= es->last)
			return dvt_fail(err, DVT_E_INPUT,
			    "feed: position %lld after %lld",
			    (long long)e->position, (long long)es->last);
		es->last = e->position;
	}
	return DVT_OK;
}

static enum dvt_code
head_check(const struct dvt_feed *f, const struct dvt_feed_head *h,
    struct dvt_err *err)
{
	if (f->position == 0)
		return DVT_OK;
	if (h->epoch != f->epoch)
		return dvt_fail(err, DVT_E_CONFLICT,
		    "feed: epoch %lld, held is %lld", (long long)h->epoch,
		    (long long)f->epoch);
	if (h->position < f->position)
		return dvt_fail(err, DVT_E_CONFLICT,
		    "feed: position %lld, held is %lld", (long long)h->position,
		    (long long)f->position);
	return DVT_OK;
}

enum dvt_code
dvt_feed_apply(struct dvt_feed *f, struct dvt_span answer,
    struct dvt_feed_head *head, unsigned *changed, struct dvt_err *err)
{
	return dvt_feed_apply_each(f, answer, head, changed, NULL, NULL, err);
}

enum dvt_code
dvt_feed_apply_each(struct dvt_feed *f, struct dvt_span answer,
    struct dvt_feed_head *head, unsigned *changed,
    void (*each)(void *arg, const struct dvt_feed_entry *e), void *arg,
    struct dvt_err *err)
{
	struct dvt_span rest = answer, line;
	struct dvt_feed_head h;
	struct entries *es = NULL;
	unsigned bits = 0;
	enum dvt_code rc;

	if (changed != NULL)
		*changed = 0;
	if (answer.n > DVT_FEED_ANSWER_MAX)
		return dvt_fail(
		    err, DVT_E_LIMIT, "feed: answer of %zu bytes", answer.n);
	if (!line_take(&rest, &line))
		return dvt_fail(err, DVT_E_INPUT, "feed: empty answer");
	if ((rc = dvt_feed_head_parse(line, &h, err)) != DVT_OK ||
	    (rc = head_check(f, &h, err)) != DVT_OK)
		return rc;
	es = dvt_alloc(sizeof(*es));
	if ((rc = entries_parse(rest, f->position, es, err)) != DVT_OK)
		goto out;
	if (es->last > h.position || (h.more && es->n == 0)) {
		rc = dvt_fail(err, DVT_E_INPUT,
		    "feed: lines and head disagree (%lld, %lld)",
		    (long long)es->last, (long long)h.position);
		goto out;
	}
	for (size_t i = 0; i < es->n; i++) {
		bits |= 1u << es->v[i]->kind;
		if (each != NULL)
			each(arg, es->v[i]);
		dvt_feed_put(f, es->v[i]);
	}
	es->n = 0;
	f->epoch = h.epoch;
	f->position = h.more ? es->last : h.position;
	if (head != NULL)
		*head = h;
	if (changed != NULL)
		*changed = bits;
out:
	for (size_t i = 0; i < es->n; i++)
		dvt_feed_entry_free(es->v[i]);
	free(es);
	return rc;
}

/* --- answers that are refused --- */

static bool
is_let_in(const struct dvt_feed_entry *device)
{
	return strcmp(device->u.device.state, "active") == 0 ||
	       strcmp(device->u.device.state, "parked") == 0;
}

/* Does it only take away, and something that is not taken away yet? */
static bool
restricts(const struct dvt_feed *f, const struct dvt_feed_entry *e)
{
	const struct dvt_feed_entry *held;

	if (e->gone ||
	    (e->kind != DVT_FEED_DENY && e->kind != DVT_FEED_DENY_KEY &&
		e->kind != DVT_FEED_DEVICE))
		return false;
	held = dvt_feed_get(f, e->kind, e->key);
	if (e->kind == DVT_FEED_DEVICE)
		return held != NULL && is_let_in(held) && !is_let_in(e);
	return held == NULL;
}

size_t
dvt_feed_restrict(struct dvt_feed *f, struct dvt_span answer)
{
	struct dvt_span line;
	size_t n = 0;

	if (answer.n > DVT_FEED_ANSWER_MAX || !line_take(&answer, &line))
		return 0;
	while (line_take(&answer, &line)) {
		struct dvt_feed_entry *e;

		if (dvt_feed_entry_parse(line, &e, NULL) != DVT_OK)
			continue;
		if (restricts(f, e)) {
			dvt_feed_put(f, e);
			n++;
		} else {
			dvt_feed_entry_free(e);
		}
	}
	return n;
}
