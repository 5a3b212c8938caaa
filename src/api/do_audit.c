/* SPDX-License-Identifier: Apache-2.0 */
/*
 * POST /v1/audit/verify: every hash chain computed again, and held against
 * check-points: those that were exported, and the newest that are kept here.
 */
#include "api/do.h"
#include "api/handlers.h"
#include "api/rows.h"
#include "pki/key.h"
#include "store/audit.h"
#include "store/trust.h"

#include <stdlib.h>
#include <string.h>

#define OWN_LINES 500       /* check-points of the database itself */
#define LINES_MAX (8 << 20) /* bytes of all lines */
#define KEYS_MAX  64        /* that ever signed check-points */

/* Keys that may sign check-points: the online ones, past ones as well. */
static enum dvt_code
load_keys(struct dvt_app *app, struct dvt_dsse_key *keys, size_t *n,
    struct dvt_err *err)
{
	struct dvt_row_trust_key *rows;
	size_t rows_n;
	enum dvt_code rc = dvt_store_trust_key_list(
	    app->tx, app->arena, &rows, &rows_n, err);

	*n = 0;
	for (size_t i = 0; rc == DVT_OK && i < rows_n && *n < KEYS_MAX; i++) {
		if (rows[i].role != DVT_TRUST_KEY_ONLINE)
			continue;
		rc = dvt_key_from_spki(rows[i].spki, &keys[*n].key, err);
		if (rc == DVT_OK)
			rc = dvt_key_digest(keys[*n].key, keys[*n].keyid, err);
		if (rc == DVT_OK)
			(*n)++;
	}
	return rc;
}

/* A file of something else is the caller's slip, and no word on the log. */
static enum dvt_code
check_lines(const json_t *list, struct dvt_err *err)
{
	const json_t *item;
	size_t i;

	json_array_foreach(list, i, item)
	{
		struct dvt_span line = dvt_span_str(json_string_value(item));
		enum dvt_code rc;

		if (line.n == 0)
			continue;
		rc = memchr(line.p, '\n', line.n) != NULL
			 ? dvt_fail(err, DVT_E_INPUT, "more than one line")
			 : dvt_audit_checkpoint_check(line, err);
		if (rc != DVT_OK) {
			dvt_err_prefix(
			    err, "line %zu is no check-point", i + 1);
			return rc;
		}
	}
	return DVT_OK;
}

static void
add_lines(struct dvt_buf *out, const json_t *list, const char *field)
{
	const json_t *item;
	size_t i;

	json_array_foreach(list, i, item)
	{
		if (field != NULL)
			item = json_object_get(item, field);
		dvt_buf_puts(out, json_string_value(item));
		dvt_buf_putc(out, '\n');
	}
}

static enum dvt_code
collect(struct dvt_app *app, const struct dvt_req *req, struct dvt_buf *lines,
    struct dvt_err *err)
{
	const json_t *given = json_object_get(req->json, "checkpoints");
	json_t *own;
	enum dvt_code rc;

	if ((rc = check_lines(given, err)) != DVT_OK)
		return rc;
	rc = dvt_rows(app, req, SQL_API_CHECKPOINTS_LAST,
	    ROW_ARGS(ROW_NUMBER("limit", OWN_LINES)), &own, err);

	if (rc != DVT_OK)
		return rc;
	add_lines(lines, given, NULL);
	add_lines(lines, own, "line");
	json_decref(own);
	return dvt_buf_ok(lines, "check-points", err);
}

static json_t *
faults_of(const struct dvt_audit_report *report)
{
	json_t *list = json_array();

	for (size_t i = 0; i < report->n; i++) {
		const struct dvt_audit_finding *f = &report->findings[i];

		json_array_append_new(
		    list, json_pack("{s:s, s:I, s:s, s:s}", "stream", f->stream,
			      "seq", (json_int_t)f->seq, "fault",
			      dvt_audit_fault_name(f->fault), "what", f->text));
	}
	return list;
}

/* 200 with what was found; finding something is no failure of the call. */
enum dvt_code
api_verify_audit(struct dvt_app *app, const struct dvt_req *req,
    struct dvt_reply *reply, struct dvt_err *err)
{
	struct dvt_dsse_key keys[KEYS_MAX] = {0};
	struct dvt_audit_evidence evidence = {.keys = keys};
	struct dvt_audit_report report;
	struct dvt_buf lines;
	enum dvt_code rc;

	dvt_buf_init(&lines, LINES_MAX);
	rc = dvt_store_meta_get(
	    app->tx, app->arena, "fleet", &evidence.fleet, err);
	if (rc == DVT_E_ABSENT)
		evidence.fleet = NULL;
	else if (rc != DVT_OK)
		goto out;
	if ((rc = load_keys(app, keys, &evidence.keys_n, err)) != DVT_OK ||
	    (rc = collect(app, req, &lines, err)) != DVT_OK)
		goto out;
	evidence.lines = dvt_buf_span(&lines);
	rc = dvt_store_audit_verify(
	    app->tx, app->arena, &evidence, &report, err);
	if (rc == DVT_OK)
		dvt_reply_json(reply, 200,
		    json_pack("{s:I, s:I, s:I, s:I, s:o}", "entries",
			(json_int_t)report.entries, "streams",
			(json_int_t)report.streams, "checkpoints",
			(json_int_t)report.checkpoints, "total",
			(json_int_t)report.total, "faults",
			faults_of(&report)));
out:
	for (size_t i = 0; i < KEYS_MAX; i++)
		EVP_PKEY_free(keys[i].key);
	dvt_buf_fini(&lines);
	return rc;
}
