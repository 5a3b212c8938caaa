/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/feed.h"

#include "base/mem.h"
#include "wire/json.h"

#include <stdlib.h>
#include <string.h>
#include <uthash.h>

/* An entry in its table, beside what finds it. */
struct item {
	struct dvt_feed_entry *e;
	UT_hash_handle hh;
};

/* Fingerprint of a client certificate to the device it belongs to. */
struct owner {
	char fingerprint[DVT_DIGEST_HEX];
	const struct dvt_feed_entry *device;
	UT_hash_handle hh;
};

struct dvt_feed {
	struct item *items[DVT_FEED_KIND_N];
	struct owner *owners;
	int64_t position;
	int64_t epoch;
};

struct dvt_feed *
dvt_feed_new(void)
{
	return dvt_alloc(sizeof(struct dvt_feed));
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
	struct owner *o, *tmp;

	if (f == NULL)
		return;
	HASH_ITER(hh, f->owners, o, tmp)
	{
		HASH_DEL(f->owners, o);
		free(o);
	}
	for (int k = 0; k < DVT_FEED_KIND_N; k++)
		items_free(f, (enum dvt_feed_kind)k);
	free(f);
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

/* --- who owns which client certificate --- */

static void
owner_put(struct dvt_feed *f, const char *fp, const struct dvt_feed_entry *e)
{
	struct owner *o;

	if (fp[0] == '\0')
		return;
	HASH_FIND_STR(f->owners, fp, o);
	if (o == NULL) {
		o = dvt_alloc(sizeof(*o));
		memcpy(o->fingerprint, fp, DVT_DIGEST_HEX);
		HASH_ADD_STR(f->owners, fingerprint, o);
	}
	o->device = e;
}

static void
owner_drop(struct dvt_feed *f, const char *fp, const struct dvt_feed_entry *e)
{
	struct owner *o;

	HASH_FIND_STR(f->owners, fp, o);
	if (o == NULL || o->device != e)
		return; /* another device's by now */
	HASH_DEL(f->owners, o);
	free(o);
}

static void
owners_update(struct dvt_feed *f, const struct dvt_feed_entry *e,
    void (*update)(
	struct dvt_feed *, const char *, const struct dvt_feed_entry *))
{
	const struct dvt_feed_device *d = &e->u.device;

	if (e->kind != DVT_FEED_DEVICE || e->gone)
		return;
	for (size_t i = 0; i < d->certificates.n; i++)
		update(f, d->certificates.v[i], e);
	update(f, d->pin, e);
}

const struct dvt_feed_entry *
dvt_feed_device_by_certificate(
    const struct dvt_feed *f, const char *fingerprint)
{
	struct owner *o;

	HASH_FIND_STR(f->owners, fingerprint, o);
	return o != NULL ? o->device : NULL;
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
	struct item *i = find(f, kind, key);

	return i != NULL ? i->e : NULL;
}

const struct dvt_feed_entry *
dvt_feed_next(const struct dvt_feed *f, enum dvt_feed_kind kind,
    const struct dvt_feed_entry *after)
{
	struct item *i = after == NULL
			     ? f->items[kind]
			     : (struct item *)find(f, kind, after->key)
				   ->hh.next;

	return i != NULL ? i->e : NULL;
}

size_t
dvt_feed_count(const struct dvt_feed *f, enum dvt_feed_kind kind)
{
	return HASH_COUNT(f->items[kind]);
}

static void
drop(struct dvt_feed *f, struct item *i)
{
	owners_update(f, i->e, owner_drop);
	HASH_DEL(f->items[i->e->kind], i);
	dvt_feed_entry_free(i->e);
	free(i);
}

void
dvt_feed_put(struct dvt_feed *f, struct dvt_feed_entry *e)
{
	struct item *i = e->kind < DVT_FEED_KIND_N ? find(f, e->kind, e->key)
						   : NULL;

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
	owners_update(f, e, owner_put);
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
