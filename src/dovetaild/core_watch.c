/* SPDX-License-Identifier: Apache-2.0 */
/* Writing down what happened: audit, events, alerts, check-points. */
#include "base/log.h"
#include "dovetaild/core_outbound.h"
#include "dovetaild/core_priv.h"
#include "dovetaild/signer.h"
#include "store/audit.h"
#include "store/watch.h"
#include "wire/json.h"

#include <stdio.h>
#include <stdlib.h>

#define DETAIL_MAX 65536 /* bytes of one entry's detail */

/* JSON of @detail in the turn's arena; "{}" for NULL. */
static const char *
to_text(struct core *c, const json_t *detail)
{
	struct dvt_buf b;
	const char *text;

	if (detail == NULL)
		return "{}";
	dvt_buf_init(&b, DETAIL_MAX);
	dvt_json_put(&b, detail);
	text = dvt_arena_strdup(core_arena(c), dvt_buf_str(&b));
	dvt_buf_fini(&b);
	return text;
}

enum dvt_code
core_audit(struct core *c, const char *actor, const char *action,
    const char *object, const json_t *detail, struct dvt_err *err)
{
	struct dvt_row_audit row = {.stream = c->stream,
	    .at = core_now(c).wall_s,
	    .actor = actor,
	    .action = action,
	    .object = object,
	    .detail = to_text(c, detail)};

	c->entries_since_checkpoint++;
	return dvt_store_audit_append(core_tx(c), &row, NULL, err);
}

enum dvt_code
core_event(struct core *c, const char *name, const char *device,
    const char *correlation, const json_t *body, struct dvt_err *err)
{
	struct dvt_row_event row = {.at = core_now(c).wall_s,
	    .name = name,
	    .device = device,
	    .correlation = correlation,
	    .body = to_text(c, body)};

	core_outbound_event(c, name);
	return dvt_store_event_add(core_tx(c), &row, NULL, err);
}

enum dvt_code
core_alert(struct core *c, const char *severity, const char *key,
    const char *name, const char *detail, struct dvt_err *err)
{
	struct dvt_row_alert row = {.key = key,
	    .severity = severity,
	    .name = name,
	    .detail = detail,
	    .at = core_now(c).wall_s};
	json_t *body;
	int64_t count;
	enum dvt_code rc = dvt_store_alert_raise(core_tx(c), &row, &count, err);

	if (rc != DVT_OK || count > 1)
		return rc;
	log_event(LOG_WARNING, "alert.open", LS("name", name), LS("key", key),
	    LS("detail", detail));
	body = json_pack("{s:s, s:s, s:s, s:s}", "key", key, "severity",
	    severity, "name", name, "detail", detail);
	rc = core_event(c, "ALERT", "", key, body, err);
	json_decref(body);
	return rc;
}

/* --- check-points --- */

static enum dvt_code
checkpoint_signed(
    struct core *c, void *ctx, const struct sign_reply *r, struct dvt_err *err)
{
	const int64_t *at = ctx;
	char *line;
	enum dvt_code rc;

	c->checkpoint_asked = false;
	if (r->code != DVT_OK)
		return dvt_fail(err, r->code, "%s", r->why);
	line = dvt_strndup(r->line.p, r->line.n);
	rc = dvt_store_checkpoint_add(core_tx(c), *at, line, NULL, err);
	free(line);
	return rc;
}

static enum dvt_code
ask_checkpoint(struct core *c, void *ctx, struct dvt_err *err)
{
	struct sign_request q = {.kind = SIGN_DSSE, .name = SIGNER_AUDIT_TYPE};
	int64_t *at = dvt_alloc(sizeof(*at));
	struct dvt_buf payload;
	enum dvt_code rc;

	(void)ctx;
	*at = core_now(c).wall_s;
	dvt_buf_init(&payload, SIGN_PAYLOAD_MAX);
	rc = dvt_store_checkpoint_payload(
	    core_tx(c), c->fleet, *at, &payload, err);
	q.der = dvt_buf_span(&payload);
	if (rc == DVT_OK)
		rc = core_sign(c, &q, checkpoint_signed, NULL, at, err);
	if (rc != DVT_OK)
		free(at);
	dvt_buf_fini(&payload);
	return rc;
}

void
core_checkpoint(struct core *c)
{
	int64_t now = dvt_loop_time(c->loop).wall_s;
	struct dvt_err err = {0};

	if (c->checkpoint_asked || !c->signer_ready ||
	    c->entries_since_checkpoint == 0)
		return;
	if (now - c->checkpoint_at <
		dvt_config_int(core_config(c), "audit.checkpointPeriod") &&
	    c->entries_since_checkpoint <
		dvt_config_int(core_config(c), "audit.checkpointEntries"))
		return;
	c->checkpoint_at = now;
	c->entries_since_checkpoint = 0;
	c->checkpoint_asked = true;
	if (core_within(c, ask_checkpoint, NULL, &err) != DVT_OK) {
		c->checkpoint_asked = false;
		log_event(LOG_WARNING, "audit.checkpoint.failed", LE(&err));
	}
}
