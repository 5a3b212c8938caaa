/* SPDX-License-Identifier: Apache-2.0 */
/* Writing the audit log, and what is signed of it: see audit.h. */
#include "store/audit_priv.h"

#include "store/maps.h"

#include "pki/key.h"
#include "wire/json.h"

#include <inttypes.h>
#include <stdio.h>

#define ENTRY_MAX 1048576 /* bytes of one entry, all fields */

static void
put_text(struct dvt_buf *b, const char *text)
{
	size_t n = text == NULL ? 0 : strlen(text);

	dvt_buf_be(b, n, 4);
	dvt_buf_put(b, text, n);
}

static void
put_number(struct dvt_buf *b, int64_t v)
{
	char text[24];

	(void)snprintf(text, sizeof(text), "%" PRId64, v);
	put_text(b, text);
}

void
dvt_audit_first(const struct dvt_row_audit_stream *s, char out[DVT_DIGEST_HEX])
{
	struct dvt_buf b;

	dvt_buf_init(&b, ENTRY_MAX);
	put_text(&b, s->prior);
	put_text(&b, s->stream);
	put_number(&b, s->started_at);
	dvt_sha256_hex(dvt_buf_span(&b), out);
	dvt_buf_fini(&b);
}

void
dvt_audit_hash(const char *before, const struct dvt_row_audit *row,
    char out[DVT_DIGEST_HEX])
{
	struct dvt_buf b;

	dvt_buf_init(&b, 2 * ENTRY_MAX);
	put_text(&b, before);
	put_text(&b, row->stream);
	put_number(&b, row->seq);
	put_number(&b, row->at);
	put_text(&b, row->actor);
	put_text(&b, row->action);
	put_text(&b, row->object);
	put_text(&b, row->detail);
	dvt_sha256_hex(dvt_buf_span(&b), out);
	dvt_buf_fini(&b);
}

static enum dvt_code
check_node(const char *node, struct dvt_err *err)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyz"
				      "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789._";
	size_t n = strlen(node);

	if (n == 0 || n > DVT_NAME_MAX || strspn(node, allowed) != n)
		return dvt_fail(err, DVT_E_INPUT,
		    "node name '%.60s': letters, digits, '.' and '_'", node);
	return DVT_OK;
}

enum dvt_code
dvt_store_audit_open(struct dvt_tx *tx, const char *node, int64_t now,
    char stream[DVT_AUDIT_STREAM_SIZE], struct dvt_err *err)
{
	struct dvt_arena arena = {0};
	struct dvt_row_audit_stream last, row;
	char head[DVT_DIGEST_HEX];
	enum dvt_code rc;

	stream[0] = '\0';
	if ((rc = check_node(node, err)) != DVT_OK)
		return rc;
	rc = dvt_sql_one(tx, SQL_AUDIT_STREAM_LAST, &dvt_map_audit_stream,
	    &arena, &last, err, BT("node", node));
	if (rc != DVT_OK && rc != DVT_E_ABSENT)
		return rc;
	row = (struct dvt_row_audit_stream){
	    .stream = stream,
	    .node = node,
	    .start = last.start + 1,
	    .prior = rc == DVT_OK ? last.head : "",
	    .started_at = now,
	    .head = head,
	};
	(void)snprintf(
	    stream, DVT_AUDIT_STREAM_SIZE, "%s-%" PRId64, node, row.start);
	dvt_audit_first(&row, head);
	rc = dvt_sql_put(
	    tx, SQL_AUDIT_STREAM_ADD, &dvt_map_audit_stream, &row, NULL, err);
	dvt_arena_free(&arena);
	return rc;
}

static enum dvt_code
check_size(const struct dvt_row_audit *row, struct dvt_err *err)
{
	size_t n = strlen(row->actor) + strlen(row->action) +
		   strlen(row->object) + strlen(row->detail);

	if (n > ENTRY_MAX)
		return dvt_fail(err, DVT_E_LIMIT, "audit %s %s: %zu bytes",
		    row->action, row->object, n);
	return DVT_OK;
}

enum dvt_code
dvt_store_audit_append(struct dvt_tx *tx, const struct dvt_row_audit *row,
    int64_t *seq, struct dvt_err *err)
{
	struct dvt_arena arena = {0};
	struct dvt_row_audit_stream s;
	struct dvt_row_audit entry = *row;
	char hash[DVT_DIGEST_HEX];
	int64_t changed = 0;
	enum dvt_code rc;

	rc = dvt_sql_one(tx, SQL_AUDIT_STREAM_GET, &dvt_map_audit_stream,
	    &arena, &s, err, BT("stream", row->stream));
	if (rc != DVT_OK)
		goto out;
	entry.seq = s.seq + 1;
	if (entry.detail == NULL)
		entry.detail = "{}";
	if ((rc = check_size(&entry, err)) != DVT_OK)
		goto out;
	dvt_audit_hash(s.head, &entry, hash);
	entry.hash = hash;
	rc = dvt_sql_put(tx, SQL_AUDIT_ADD, &dvt_map_audit, &entry, NULL, err);
	if (rc == DVT_OK)
		rc = dvt_sql_run(tx, SQL_AUDIT_STREAM_ADVANCE, &changed, err,
		    BT("stream", s.stream), BI("was", s.seq),
		    BI("seq", entry.seq), BT("head", hash));
	rc = dvt_sql_expect_one(rc, changed, err,
	    "audit stream %s was written to by someone else", s.stream);
	if (rc == DVT_OK && seq != NULL)
		*seq = entry.seq;
out:
	if (rc == DVT_E_ABSENT)
		rc = dvt_fail(err, DVT_E_SYSTEM, "audit stream %s is not open",
		    row->stream);
	dvt_arena_free(&arena);
	return rc;
}

enum dvt_code
dvt_store_audit_list(struct dvt_tx *tx, struct dvt_arena *arena,
    const char *stream, int64_t after, int64_t limit,
    struct dvt_row_audit **rows, size_t *n, struct dvt_err *err)
{
	return dvt_sql_list(tx, SQL_AUDIT_LIST, &dvt_map_audit, arena, rows, n,
	    err, BT("stream", stream), BI("after", after), BI("limit", limit));
}

enum dvt_code
dvt_store_audit_streams(struct dvt_tx *tx, struct dvt_arena *arena,
    const char *after_node, int64_t after_start, int64_t limit,
    struct dvt_row_audit_stream **rows, size_t *n, struct dvt_err *err)
{
	return dvt_sql_list(tx, SQL_AUDIT_STREAM_LIST, &dvt_map_audit_stream,
	    arena, rows, n, err, BT("after_node", after_node),
	    BI("after_start", after_start), BI("limit", limit));
}

/* --- check-points --- */

static json_t *
head_json(const struct dvt_row_audit_stream *s)
{
	json_t *head = json_object();

	(void)json_object_set_new(head, "stream", json_string(s->stream));
	(void)json_object_set_new(head, "seq", json_integer(s->seq));
	(void)json_object_set_new(head, "head", json_string(s->head));
	return head;
}

enum dvt_code
dvt_store_checkpoint_payload(struct dvt_tx *tx, const char *fleet, int64_t at,
    struct dvt_buf *out, struct dvt_err *err)
{
	struct dvt_arena arena = {0};
	struct dvt_row_audit_stream *rows;
	json_t *root, *heads;
	enum dvt_code rc;
	size_t n;

	rc = dvt_sql_list(tx, SQL_AUDIT_HEADS, &dvt_map_audit_stream, &arena,
	    &rows, &n, err, BI("limit", DVT_AUDIT_NODES_MAX + 1));
	if (rc == DVT_OK && n > DVT_AUDIT_NODES_MAX)
		rc = dvt_fail(err, DVT_E_LIMIT, "audit: more than %d nodes",
		    DVT_AUDIT_NODES_MAX);
	if (rc != DVT_OK) {
		dvt_arena_free(&arena);
		return rc;
	}
	root = json_object();
	heads = json_array();
	(void)json_object_set_new(root, "fleet", json_string(fleet));
	(void)json_object_set_new(root, "at", json_integer(at));
	(void)json_object_set_new(root, "heads", heads);
	for (size_t i = 0; i < n; i++)
		(void)json_array_append_new(heads, head_json(&rows[i]));
	dvt_json_put(out, root);
	json_decref(root);
	dvt_arena_free(&arena);
	return dvt_buf_ok(out, "audit check-point", err);
}

enum dvt_code
dvt_store_checkpoint_add(struct dvt_tx *tx, int64_t at, const char *line,
    int64_t *id, struct dvt_err *err)
{
	int64_t given;
	enum dvt_code rc;

	rc = dvt_sql_i64(tx, SQL_CHECKPOINT_ADD, &given, err, BI("at", at),
	    BT("line", line));
	if (rc == DVT_OK && id != NULL)
		*id = given;
	return rc;
}

enum dvt_code
dvt_store_checkpoint_list(struct dvt_tx *tx, struct dvt_arena *arena,
    int64_t after, int64_t limit, struct dvt_row_checkpoint **rows, size_t *n,
    struct dvt_err *err)
{
	return dvt_sql_list(tx, SQL_CHECKPOINT_LIST, &dvt_map_checkpoint, arena,
	    rows, n, err, BI("after", after), BI("limit", limit));
}
