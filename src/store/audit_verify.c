/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Computing every chain of the audit log again: see audit.h. After a fault the
 * walk goes on from the hash that is stored, so that one change is told once
 * or twice and not for every entry behind it.
 */
#include "store/audit_priv.h"

#include "store/maps.h"

#include "base/clock.h"
#include "wire/json.h"
#include "wire/utf8.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define PAGE   500
#define WINDOW 300 /* entries before and after, where a moved one is sought */
#define SOUGHT 50  /* faults whose kind is sought; that reads the whole log */

/* One head that a check-point signed. */
struct signed_head {
	const char *stream;
	int64_t seq;
	int64_t at; /* of the check-point */
	char head[DVT_DIGEST_HEX];
};

struct walk {
	struct dvt_tx *tx;
	struct dvt_arena *arena;
	struct dvt_audit_report *out;
	struct signed_head *head; /* sorted by stream and seq */
	size_t head_n, head_room;

	/* the stream under way */
	const struct dvt_row_audit_stream *s;
	char prev[DVT_DIGEST_HEX]; /* hash before the next entry */
	int64_t last;              /* number of the last entry seen */
	bool gap;                  /* entries before this one are missing */
	size_t next_head;          /* first signed head not compared yet */
};

const char *
dvt_audit_fault_name(enum dvt_audit_fault fault)
{
#define FAULT_NAME(id, name) name,
	static const char *const names[] = {DVT_AUDIT_FAULTS(FAULT_NAME)};

	return (size_t)fault < DVT_COUNT(names) ? names[fault] : "?";
}

/* A copy that is text, whatever was written over it: findings go out as JSON,
 * and one that could not be told would be one that was missed. */
static const char *
legible(struct dvt_arena *arena, const char *s)
{
	struct dvt_buf b;
	const char *copy;

	if (dvt_utf8_is_text(dvt_span_str(s)))
		return dvt_arena_strdup(arena, s);
	dvt_buf_init(&b, 4096);
	for (; *s != '\0'; s++) {
		if (*s >= ' ' && *s < 0x7f)
			dvt_buf_putc(&b, *s);
		else
			dvt_buf_printf(&b, "\\x%02x", (unsigned char)*s);
	}
	copy = dvt_arena_strdup(arena, dvt_buf_str(&b));
	dvt_buf_fini(&b);
	return copy;
}

DVT_PRINTF(5, 6)
static void
found(struct walk *w, enum dvt_audit_fault fault, const char *stream,
    int64_t seq, const char *fmt, ...)
{
	struct dvt_audit_report *out = w->out;
	struct dvt_audit_finding *f;
	char text[512];
	va_list ap;

	out->total++;
	if (out->n == DVT_AUDIT_FINDINGS)
		return;
	if (out->findings == NULL)
		out->findings = dvt_arena_alloc(
		    w->arena, DVT_AUDIT_FINDINGS * sizeof(*f));
	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	f = &out->findings[out->n++];
	f->fault = fault;
	f->stream = legible(w->arena, stream);
	f->seq = seq;
	f->text = legible(w->arena, text);
}

/* --- check-points --- */

static void
keep_head(struct walk *w, const char *stream, int64_t seq, const char *head,
    int64_t at)
{
	struct signed_head *h;

	if (w->head_n == w->head_room) {
		w->head_room = w->head_room == 0 ? 64 : 2 * w->head_room;
		w->head = dvt_realloc(w->head, w->head_room * sizeof(*h));
	}
	h = &w->head[w->head_n++];
	h->stream = dvt_arena_strdup(w->arena, stream);
	h->seq = seq;
	h->at = at;
	(void)dvt_copy_str(h->head, sizeof(h->head), head);
}

/* All of them into @w, or with NULL no more than looked at. */
static enum dvt_code
read_heads(
    struct walk *w, const json_t *root, const char *fleet, struct dvt_err *err)
{
	const char *name;
	json_t *heads, *one;
	enum dvt_code rc;
	int64_t at;
	size_t i;

	rc = dvt_json_get_str(root, "fleet", 0, &name, err);
	if (rc == DVT_OK && fleet != NULL && strcmp(name, fleet) != 0)
		rc = dvt_fail(err, DVT_E_INPUT, "it is of fleet '%.60s'", name);
	if (rc == DVT_OK)
		rc = dvt_json_get_i64(root, "at", 0, INT64_MAX, &at, err);
	if (rc == DVT_OK)
		rc = dvt_json_get_list(root, "heads", &heads, err);
	if (rc != DVT_OK)
		return rc;
	json_array_foreach(heads, i, one)
	{
		const char *stream, *head;
		int64_t seq;

		rc = dvt_json_get_str(
		    one, "stream", DVT_AUDIT_STREAM_SIZE, &stream, err);
		if (rc == DVT_OK)
			rc = dvt_json_get_i64(
			    one, "seq", 0, INT64_MAX, &seq, err);
		if (rc == DVT_OK)
			rc = dvt_json_get_str(one, "head", 64, &head, err);
		if (rc != DVT_OK)
			return rc;
		if (w != NULL)
			keep_head(w, stream, seq, head, at);
	}
	return DVT_OK;
}

enum dvt_code
dvt_audit_checkpoint_check(struct dvt_span line, struct dvt_err *err)
{
	struct dvt_dsse dsse = {0};
	json_t *root = NULL;
	enum dvt_code rc;

	if ((rc = dvt_dsse_parse(line, &dsse, err)) != DVT_OK)
		return rc;
	rc = dvt_json_parse(
	    dvt_buf_span(&dsse.payload), DVT_BUNDLE_MAX, &root, err);
	if (rc == DVT_OK)
		rc = read_heads(NULL, root, NULL, err);
	json_decref(root);
	dvt_dsse_fini(&dsse);
	return rc;
}

static enum dvt_code
read_checkpoint(struct walk *w, const struct dvt_audit_evidence *e,
    struct dvt_span line, struct dvt_err *err)
{
	struct dvt_dsse dsse = {0};
	json_t *root = NULL;
	enum dvt_code rc;

	if ((rc = dvt_dsse_parse(line, &dsse, err)) != DVT_OK)
		return rc;
	if (dvt_dsse_count(&dsse, DVT_CHECKPOINT_TYPE, e->keys, e->keys_n) < 1)
		rc = dvt_fail(err, DVT_E_AUTH,
		    "no valid signature by a key that may sign it");
	if (rc == DVT_OK)
		rc = dvt_json_parse(
		    dvt_buf_span(&dsse.payload), DVT_BUNDLE_MAX, &root, err);
	if (rc == DVT_OK)
		rc = read_heads(w, root, e->fleet, err);
	json_decref(root);
	dvt_dsse_fini(&dsse);
	return rc;
}

static int
by_stream_and_seq(const void *a, const void *b)
{
	const struct signed_head *x = a, *y = b;
	int c = strcmp(x->stream, y->stream);

	return c != 0 ? c : (x->seq > y->seq) - (x->seq < y->seq);
}

static void
read_evidence(struct walk *w, const struct dvt_audit_evidence *e)
{
	struct dvt_span rest = e->lines;
	int64_t number = 0;

	while (rest.n > 0) {
		const uint8_t *end = memchr(rest.p, '\n', rest.n);
		size_t n = end == NULL ? rest.n : (size_t)(end - rest.p);
		struct dvt_span line = {rest.p, n};
		struct dvt_err why = {0};

		number++;
		rest = dvt_span_from(rest, n + 1);
		if (n == 0)
			continue;
		if (read_checkpoint(w, e, line, &why) == DVT_OK)
			w->out->checkpoints++;
		else
			found(w, DVT_AUDIT_CHECKPOINT, "", 0,
			    "check-point in line %" PRId64 ": %s", number,
			    why.text);
	}
	if (w->head_n > 0)
		qsort(w->head, w->head_n, sizeof(*w->head), by_stream_and_seq);
}

/* --- what is wrong with one entry --- */

/* Is the entry a copy of another one? Then its hash stands there as well. */
static enum dvt_code
find_copy(struct walk *w, const struct dvt_row_audit *row, bool *told,
    struct dvt_err *err)
{
	struct dvt_arena arena = {0};
	struct dvt_row_audit *other;
	enum dvt_code rc;
	size_t n;

	rc = dvt_sql_list(w->tx, SQL_AUDIT_SAME_HASH, &dvt_map_audit, &arena,
	    &other, &n, err, BT("stream", row->stream), BI("seq", row->seq),
	    BT("hash", row->hash), BI("limit", 1));
	*told = rc == DVT_OK && n > 0;
	if (*told)
		found(w, DVT_AUDIT_REPEATED, row->stream, row->seq,
		    "stream %s: entry %" PRId64
		    " has the hash of stream %s entry %" PRId64
		    ": one is a copy",
		    row->stream, row->seq, other->stream, other->seq);
	dvt_arena_free(&arena);
	return rc;
}

/* Would @row fit at place @seq, behind one of the entries stored nearby? */
static bool
fits_at(const struct dvt_row_audit *row, int64_t seq,
    const struct dvt_row_audit *near, size_t n, size_t at)
{
	struct dvt_row_audit moved = *row;
	char hash[DVT_DIGEST_HEX];

	moved.seq = seq;
	for (size_t k = at < 2 ? 0 : at - 2; k < n && k <= at; k++) {
		dvt_audit_hash(near[k].hash, &moved, hash);
		if (strcmp(hash, row->hash) == 0)
			return true;
	}
	return false;
}

static enum dvt_code
find_place(struct walk *w, const struct dvt_row_audit *row, bool *told,
    struct dvt_err *err)
{
	struct dvt_arena arena = {0};
	struct dvt_row_audit *near;
	enum dvt_code rc;
	size_t n = 0;

	*told = false;
	rc = dvt_store_audit_list(w->tx, &arena, row->stream,
	    row->seq - WINDOW - 1, 2 * WINDOW, &near, &n, err);
	for (size_t i = 0; rc == DVT_OK && !*told && i < n; i++) {
		if (near[i].seq == row->seq ||
		    !fits_at(row, near[i].seq, near, n, i))
			continue;
		found(w, DVT_AUDIT_REORDERED, row->stream, row->seq,
		    "stream %s: entry %" PRId64
		    " was written as entry %" PRId64,
		    row->stream, row->seq, near[i].seq);
		*told = true;
	}
	dvt_arena_free(&arena);
	return rc;
}

static enum dvt_code
tell_fault(struct walk *w, const struct dvt_row_audit *row, struct dvt_err *err)
{
	enum dvt_code rc;
	bool told;

	if (w->out->total < SOUGHT) {
		rc = find_copy(w, row, &told, err);
		if (rc == DVT_OK && !told)
			rc = find_place(w, row, &told, err);
		if (rc != DVT_OK || told)
			return rc;
	}
	found(w, DVT_AUDIT_ALTERED, row->stream, row->seq,
	    "stream %s: entry %" PRId64
	    " is not what was written, or the hash before it was changed",
	    row->stream, row->seq);
	return DVT_OK;
}

/* --- one stream --- */

/* Compare what check-points signed of this stream up to entry @seq. */
static void
compare_heads(struct walk *w, int64_t seq, const char *hash)
{
	char when[40];

	for (; w->next_head < w->head_n; w->next_head++) {
		const struct signed_head *h = &w->head[w->next_head];

		if (strcmp(h->stream, w->s->stream) != 0 || h->seq > seq)
			return;
		if (h->seq < seq || strcmp(h->head, hash) == 0)
			continue;
		found(w, DVT_AUDIT_REHASHED, w->s->stream, seq,
		    "stream %s: entry %" PRId64
		    " is not the one that the check-point of %s signed: it, "
		    "or one before it, was written anew",
		    w->s->stream, seq,
		    dvt_time_format(h->at, when, sizeof(when)));
	}
}

static enum dvt_code
walk_entry(struct walk *w, const struct dvt_row_audit *row, struct dvt_err *err)
{
	char hash[DVT_DIGEST_HEX];
	enum dvt_code rc = DVT_OK;

	w->out->entries++;
	if (row->seq < 1) {
		found(w, DVT_AUDIT_ALTERED, row->stream, row->seq,
		    "stream %s: there is an entry number %" PRId64, row->stream,
		    row->seq);
		return DVT_OK;
	}
	if (row->seq != w->last + 1) {
		found(w, DVT_AUDIT_DROPPED, row->stream, w->last + 1,
		    "stream %s: entries %" PRId64 " to %" PRId64 " are missing",
		    row->stream, w->last + 1, row->seq - 1);
		w->gap = true;
	}
	dvt_audit_hash(w->prev, row, hash);
	if (strcmp(hash, row->hash) != 0 && !w->gap)
		rc = tell_fault(w, row, err);
	w->gap = false; /* from here the stored hash is the one before */
	compare_heads(w, row->seq, row->hash);
	w->last = row->seq;
	(void)dvt_copy_str(w->prev, sizeof(w->prev), row->hash);
	return rc;
}

static enum dvt_code
walk_entries(struct walk *w, struct dvt_err *err)
{
	struct dvt_row_audit *rows;
	int64_t after = INT64_MIN;
	enum dvt_code rc;
	size_t n = 0;

	do {
		struct dvt_arena arena = {0};

		rc = dvt_store_audit_list(
		    w->tx, &arena, w->s->stream, after, PAGE, &rows, &n, err);
		for (size_t i = 0; rc == DVT_OK && i < n; i++) {
			rc = walk_entry(w, &rows[i], err);
			after = rows[i].seq;
		}
		dvt_arena_free(&arena);
	} while (rc == DVT_OK && n == PAGE);
	return rc;
}

/* Where the entries end, against what the stream's row says. */
static void
check_end(struct walk *w)
{
	const struct dvt_row_audit_stream *s = w->s;

	if (s->seq > w->last)
		found(w, DVT_AUDIT_TRUNCATED, s->stream, w->last + 1,
		    "stream %s: entries %" PRId64 " to %" PRId64
		    " are missing at its end",
		    s->stream, w->last + 1, s->seq);
	else if (s->seq < w->last)
		found(w, DVT_AUDIT_ADDED, s->stream, s->seq + 1,
		    "stream %s: entries %" PRId64 " to %" PRId64
		    " are behind its recorded end",
		    s->stream, s->seq + 1, w->last);
	else if (strcmp(s->head, w->prev) != 0)
		found(w, DVT_AUDIT_ALTERED, s->stream, 0,
		    "stream %s: its recorded head is not the hash of its last "
		    "entry",
		    s->stream);
}

/* Check-points know entries that the database does not have. */
static void
check_signed_end(struct walk *w)
{
	const struct signed_head *h = NULL;
	char when[40];

	for (; w->next_head < w->head_n; w->next_head++) {
		if (strcmp(w->head[w->next_head].stream, w->s->stream) != 0)
			break;
		h = &w->head[w->next_head];
	}
	if (h == NULL)
		return;
	found(w,
	    w->s->seq >= h->seq ? DVT_AUDIT_TRUNCATED : DVT_AUDIT_ROLLED_BACK,
	    h->stream, h->seq,
	    "check-point of %s says stream %s has entry %" PRId64
	    " with hash %.16s...; the database ends at %" PRId64,
	    dvt_time_format(h->at, when, sizeof(when)), h->stream, h->seq,
	    h->head, w->last);
}

/* A node's streams are one chain: each names the head of the one before. */
static void
check_prior(struct walk *w, const struct dvt_row_audit_stream *before)
{
	const struct dvt_row_audit_stream *s = w->s;
	bool same = before != NULL && strcmp(before->node, s->node) == 0;
	int64_t expected = same ? before->start + 1 : 1;
	char name[DVT_AUDIT_STREAM_SIZE];

	(void)snprintf(name, sizeof(name), "%s-%" PRId64, s->node, s->start);
	if (strcmp(name, s->stream) != 0)
		found(w, DVT_AUDIT_ALTERED, s->stream, 0,
		    "stream %s: node and start say it is %s", s->stream, name);
	if (s->start != expected)
		found(w, DVT_AUDIT_DROPPED, s->stream, 0,
		    "streams %s-%" PRId64 " to %s-%" PRId64 " are missing",
		    s->node, expected, s->node, s->start - 1);
	else if (strcmp(s->prior, same ? before->head : "") != 0)
		found(w, DVT_AUDIT_REHASHED, same ? before->stream : s->stream,
		    0,
		    "stream %s: it begins behind hash %.16s..., which is not "
		    "the end of the stream before: that was cut, prolonged or "
		    "written anew",
		    s->stream, s->prior[0] == '\0' ? "none" : s->prior);
}

/* The first signed head of @stream, or head_n. */
static size_t
first_head(const struct walk *w, const char *stream)
{
	size_t low = 0, high = w->head_n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (strcmp(w->head[mid].stream, stream) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static enum dvt_code
walk_stream(struct walk *w, const struct dvt_row_audit_stream *s,
    const struct dvt_row_audit_stream *before, struct dvt_err *err)
{
	enum dvt_code rc;

	w->out->streams++;
	w->s = s;
	w->last = 0;
	w->gap = false;
	w->next_head = first_head(w, s->stream);
	check_prior(w, before);
	dvt_audit_first(s, w->prev);
	compare_heads(w, 0, w->prev);
	if ((rc = walk_entries(w, err)) != DVT_OK)
		return rc;
	check_end(w);
	check_signed_end(w);
	return DVT_OK;
}

/* --- all of them --- */

/* Streams that check-points know and the database does not. */
static enum dvt_code
check_lost(struct walk *w, struct dvt_err *err)
{
	for (size_t i = 0; i < w->head_n; i++) {
		const struct signed_head *h = &w->head[i];
		struct dvt_arena arena = {0};
		struct dvt_row_audit_stream s;
		char when[40];
		enum dvt_code rc;

		if (i + 1 < w->head_n && strcmp(h->stream, h[1].stream) == 0)
			continue; /* the last of each stream tells */
		rc = dvt_sql_one(w->tx, SQL_AUDIT_STREAM_GET,
		    &dvt_map_audit_stream, &arena, &s, err,
		    BT("stream", h->stream));
		dvt_arena_free(&arena);
		if (rc == DVT_E_ABSENT)
			found(w, DVT_AUDIT_ROLLED_BACK, h->stream, h->seq,
			    "check-point of %s says stream %s has entry "
			    "%" PRId64 "; the database has no such stream",
			    dvt_time_format(h->at, when, sizeof(when)),
			    h->stream, h->seq);
		else if (rc != DVT_OK)
			return rc;
	}
	return DVT_OK;
}

static enum dvt_code
check_strays(struct walk *w, struct dvt_err *err)
{
	const char *const *names;
	struct dvt_arena arena = {0};
	enum dvt_code rc;
	size_t n = 0;

	rc = dvt_sql_texts(
	    w->tx, SQL_AUDIT_STRAYS, &arena, &names, &n, err, BI("limit", 100));
	for (size_t i = 0; i < n; i++)
		found(w, DVT_AUDIT_DROPPED, names[i], 0,
		    "stream %s has entries but is not in the list of streams",
		    names[i]);
	dvt_arena_free(&arena);
	return rc;
}

static enum dvt_code
walk_streams(struct walk *w, struct dvt_err *err)
{
	const struct dvt_row_audit_stream *before = NULL;
	struct dvt_row_audit_stream *rows;
	enum dvt_code rc;
	size_t n;

	do {
		rc = dvt_store_audit_streams(w->tx, w->arena,
		    before == NULL ? "" : before->node,
		    before == NULL ? INT64_MIN : before->start, PAGE, &rows, &n,
		    err);
		for (size_t i = 0; rc == DVT_OK && i < n; i++) {
			rc = walk_stream(w, &rows[i], before, err);
			before = &rows[i];
		}
	} while (rc == DVT_OK && n == PAGE);
	return rc;
}

enum dvt_code
dvt_store_audit_verify(struct dvt_tx *tx, struct dvt_arena *arena,
    const struct dvt_audit_evidence *evidence, struct dvt_audit_report *out,
    struct dvt_err *err)
{
	struct walk w = {.tx = tx, .arena = arena, .out = out};
	enum dvt_code rc;

	memset(out, 0, sizeof(*out));
	if (evidence != NULL)
		read_evidence(&w, evidence);
	rc = walk_streams(&w, err);
	if (rc == DVT_OK)
		rc = check_strays(&w, err);
	if (rc == DVT_OK)
		rc = check_lost(&w, err);
	free(w.head);
	return rc;
}
