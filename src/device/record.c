/* SPDX-License-Identifier: Apache-2.0 */
/* Journal lines: see record.h. */
#include "device/record.h"

#include "base/mem.h"
#include "pki/key.h"
#include "wire/json.h"

#include <stdio.h>

#define SUM 8 /* digits of the digest before each line */

static const char *const kinds[] = {
#define KIND_NAME(id, name) [id] = name,
    DVT_RECORDS(KIND_NAME)};

static const char *const outcomes[] = {
#define OUTCOME_NAME(id, name) [id] = name,
    DVT_STEP_OUTCOMES(OUTCOME_NAME)};

const char *
dvt_step_outcome_name(enum dvt_step_outcome outcome)
{
	return (size_t)outcome < DVT_COUNT(outcomes) ? outcomes[outcome] : "?";
}

static void
put_text(json_t *obj, const char *key, const char *text)
{
	if (text[0] != '\0')
		(void)json_object_set_new(obj, key, json_string(text));
}

static void
put_number(json_t *obj, const char *key, int64_t n)
{
	if (n != 0)
		(void)json_object_set_new(obj, key, json_integer(n));
}

static void
put_event(json_t *obj, const struct dvt_agent_event *e)
{
	put_number(obj, "seq", (int64_t)e->seq);
	put_number(obj, "at", e->at);
	put_text(obj, "id", e->id);
	put_text(obj, "step", e->step);
	put_text(obj, "target", e->target);
	put_text(obj, "outcome", dvt_step_outcome_name(e->outcome));
	put_text(obj, "detail", e->detail);
}

static json_t *
to_json(const struct dvt_record *r)
{
	json_t *obj = json_object();

	put_text(obj, "k", kinds[r->kind]);
	if (r->kind == DVT_REC_STEP) {
		put_event(obj, &r->event);
		return obj;
	}
	put_number(obj, "seq", (int64_t)r->event.seq);
	put_text(obj, "id", r->id);
	put_text(obj, "do", r->instruction);
	put_text(obj, "label", r->label);
	put_number(obj, "generation", r->generation);
	put_number(obj, "old", r->old);
	put_number(obj, "version", r->version);
	put_number(obj, "at", r->at);
	if (r->ok)
		(void)json_object_set_new(obj, "ok", json_true());
	put_text(obj, "detail", r->detail);
	return obj;
}

void
dvt_record_format(const struct dvt_record *r, struct dvt_buf *out)
{
	json_t *obj = to_json(r);
	char sum[DVT_DIGEST_HEX];
	struct dvt_buf line;

	dvt_buf_init(&line, DVT_RECORD_LINE_MAX);
	dvt_json_put(&line, obj);
	dvt_sha256_hex(dvt_buf_span(&line), sum);
	dvt_buf_printf(out, "%.*s ", SUM, sum);
	dvt_buf_put_span(out, dvt_buf_span(&line));
	dvt_buf_putc(out, '\n');
	dvt_buf_fini(&line);
	json_decref(obj);
}

/* Texts that do not fit are cut: the journal is ours, but may be damaged. */
static enum dvt_code
get_text(const json_t *obj, const char *key, char *out, size_t size,
    struct dvt_err *err)
{
	const char *text;
	enum dvt_code rc;

	rc = dvt_json_opt_str(obj, key, size - 1, "", &text, err);
	if (rc == DVT_OK)
		(void)dvt_copy_str(out, size, text);
	return rc;
}

static enum dvt_code
get_number(
    const json_t *obj, const char *key, int64_t *out, struct dvt_err *err)
{
	return dvt_json_opt_i64(obj, key, 0, INT64_MAX, 0, out, err);
}

static enum dvt_code
get_event(const json_t *obj, struct dvt_agent_event *e, struct dvt_err *err)
{
	char outcome[16];
	enum dvt_code rc;
	int64_t seq;

	if ((rc = get_number(obj, "seq", &seq, err)) != DVT_OK ||
	    (rc = get_number(obj, "at", &e->at, err)) != DVT_OK ||
	    (rc = get_text(obj, "id", e->id, sizeof(e->id), err)) != DVT_OK ||
	    (rc = get_text(obj, "step", e->step, sizeof(e->step), err)) !=
		DVT_OK ||
	    (rc = get_text(obj, "target", e->target, sizeof(e->target), err)) !=
		DVT_OK ||
	    (rc = get_text(obj, "outcome", outcome, sizeof(outcome), err)) !=
		DVT_OK ||
	    (rc = get_text(obj, "detail", e->detail, sizeof(e->detail), err)) !=
		DVT_OK)
		return rc;
	e->seq = (uint64_t)seq;
	for (size_t i = 0; i < DVT_COUNT(outcomes); i++) {
		if (strcmp(outcomes[i], outcome) == 0) {
			e->outcome = (enum dvt_step_outcome)i;
			return DVT_OK;
		}
	}
	return dvt_fail(err, DVT_E_INPUT, "journal: outcome \"%s\"", outcome);
}

static enum dvt_code
get_rest(const json_t *obj, struct dvt_record *r, struct dvt_err *err)
{
	const json_t *ok = json_object_get(obj, "ok");
	enum dvt_code rc;
	int64_t seq;

	r->ok = json_is_true(ok);
	if ((rc = get_number(obj, "seq", &seq, err)) != DVT_OK ||
	    (rc = get_text(obj, "id", r->id, sizeof(r->id), err)) != DVT_OK ||
	    (rc = get_text(obj, "do", r->instruction, sizeof(r->instruction),
		 err)) != DVT_OK ||
	    (rc = get_text(obj, "label", r->label, sizeof(r->label), err)) !=
		DVT_OK ||
	    (rc = get_number(obj, "generation", &r->generation, err)) !=
		DVT_OK ||
	    (rc = get_number(obj, "old", &r->old, err)) != DVT_OK ||
	    (rc = get_number(obj, "version", &r->version, err)) != DVT_OK ||
	    (rc = get_number(obj, "at", &r->at, err)) != DVT_OK)
		return rc;
	r->event.seq = (uint64_t)seq;
	return get_text(obj, "detail", r->detail, sizeof(r->detail), err);
}

static enum dvt_code
from_json(const json_t *obj, struct dvt_record *r, struct dvt_err *err)
{
	char kind[16];
	enum dvt_code rc;

	if ((rc = get_text(obj, "k", kind, sizeof(kind), err)) != DVT_OK)
		return rc;
	for (size_t i = 0; i < DVT_COUNT(kinds); i++) {
		if (strcmp(kinds[i], kind) != 0)
			continue;
		r->kind = (enum dvt_record_kind)i;
		return r->kind == DVT_REC_STEP ? get_event(obj, &r->event, err)
					       : get_rest(obj, r, err);
	}
	return dvt_fail(err, DVT_E_INPUT, "journal: kind \"%s\"", kind);
}

enum dvt_code
dvt_record_parse(
    struct dvt_span line, struct dvt_record *out, struct dvt_err *err)
{
	struct dvt_span text = dvt_span_from(line, SUM + 1);
	char sum[DVT_DIGEST_HEX];
	json_t *obj = NULL;
	enum dvt_code rc;

	memset(out, 0, sizeof(*out));
	if (line.n <= SUM + 1 || line.n > DVT_RECORD_LINE_MAX ||
	    line.p[SUM] != ' ')
		return dvt_fail(err, DVT_E_INPUT, "journal: torn line");
	dvt_sha256_hex(text, sum);
	if (memcmp(sum, line.p, SUM) != 0)
		return dvt_fail(err, DVT_E_INPUT, "journal: changed line");
	rc = dvt_json_parse(text, DVT_RECORD_LINE_MAX, &obj, err);
	if (rc == DVT_OK)
		rc = from_json(obj, out, err);
	json_decref(obj);
	return rc;
}
