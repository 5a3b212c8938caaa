/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Check-in: what a device says of itself, and what it should do next
 * (docs/device-api.md). Safe to repeat; the only call that moves a rotation on.
 */
#include "base/log.h"
#include "dovetaild/core_config.h"
#include "dovetaild/core_owner.h"
#include "dovetaild/core_priv.h"
#include "dovetaild/core_rotation.h"
#include "store/credential.h"
#include "store/device.h"
#include "store/rotation.h"
#include "store/trust.h"
#include "store/watch.h"
#include "wire/json.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define STEPS_MAX  64  /* in one check-in */
#define STEP_TEXT  64  /* bytes of an id, step, target */
#define DETAIL_MAX 512 /* bytes of a step's detail */
#define DONE_MAX   32

struct checkin {
	const json_t *json;
	struct core_owner o;
	int64_t time;
	int64_t version;
	const char *digest;
	const char *agent;
	json_t *steps, *done, *config; /* borrowed; may be NULL */
};

/* SHA-256 as lower-case hex, or "". */
static bool
is_digest(const char *text)
{
	size_t n = strlen(text);

	return (n == 0 || n == DVT_DIGEST_HEX - 1) &&
	       strspn(text, "0123456789abcdef") == n;
}

static enum dvt_code
read_body(const json_t *json, struct checkin *in, struct dvt_err *err)
{
	static const char *const fields[] = {
	    "agent", "time", "bundle", "steps", "done", "config"};
	static const char *const bundle_fields[] = {"version", "digest"};
	json_t *bundle;
	enum dvt_code rc;

	if ((rc = dvt_json_only(json, fields, DVT_COUNT(fields), err)) !=
		DVT_OK ||
	    (rc = dvt_json_opt_str(
		 json, "agent", STEP_TEXT, "", &in->agent, err)) != DVT_OK ||
	    (rc = dvt_json_get_i64(
		 json, "time", 0, INT64_MAX / 2, &in->time, err)) != DVT_OK ||
	    (rc = dvt_json_get_obj(json, "bundle", &bundle, err)) != DVT_OK ||
	    (rc = dvt_json_only(bundle, bundle_fields, DVT_COUNT(bundle_fields),
		 err)) != DVT_OK ||
	    (rc = dvt_json_get_i64(bundle, "version", 0, INT64_MAX,
		 &in->version, err)) != DVT_OK ||
	    (rc = dvt_json_get_str(bundle, "digest", DVT_DIGEST_HEX - 1,
		 &in->digest, err)) != DVT_OK ||
	    (rc = dvt_json_opt_list(json, "steps", &in->steps, err)) !=
		DVT_OK ||
	    (rc = dvt_json_opt_list(json, "done", &in->done, err)) != DVT_OK ||
	    (rc = dvt_json_opt_list(json, "config", &in->config, err)) !=
		DVT_OK)
		return rc;
	if (!is_digest(in->digest) || (in->version > 0 && !in->digest[0]))
		return dvt_fail(err, DVT_E_INPUT,
		    "field \"bundle.digest\": not 64 lower-case hex digits (or "
		    "\"\" with version 0)");
	if (json_array_size(in->steps) > STEPS_MAX ||
	    json_array_size(in->done) > DONE_MAX)
		return dvt_fail(err, DVT_E_LIMIT,
		    "at most %d steps and %d instructions in one check-in",
		    STEPS_MAX, DONE_MAX);
	return DVT_OK;
}

/* --- trust --- */

/* What it really loaded against what the bundle of that number says. */
static enum dvt_code
take_bundle(struct core *c, struct checkin *in, int64_t *newest,
    const char **newest_digest, bool *changed, struct dvt_err *err)
{
	struct dvt_row_trust_state was;
	struct dvt_row_bundle row;
	const char *id = in->o.id;
	enum dvt_code rc;

	rc = dvt_store_trust_state_get(
	    core_tx(c), core_arena(c), id, &was, err);
	*changed = rc == DVT_E_ABSENT;
	if (rc == DVT_OK)
		*changed = strcmp(was.digest, in->digest) != 0 ||
			   was.bundle_confirmed != in->version;
	else if (rc != DVT_E_ABSENT)
		return rc;
	if ((rc = dvt_store_bundle_newest(
		 core_tx(c), core_arena(c), &row, err)) != DVT_OK)
		return rc == DVT_E_ABSENT ? DVT_OK : rc;
	*newest = row.version;
	*newest_digest = row.digest;
	if (in->version > row.version)
		return dvt_store_trust_failed(core_tx(c), id, in->digest,
		    "it holds a bundle that was never made here", err);
	if (in->version > 0) {
		rc = dvt_store_bundle_get(
		    core_tx(c), core_arena(c), in->version, &row, err);
		if (rc != DVT_OK)
			return rc;
		if (strcmp(row.digest, in->digest) != 0)
			return dvt_store_trust_failed(core_tx(c), id,
			    in->digest,
			    "the anchors it loaded are not those of its bundle",
			    err);
	}
	return dvt_store_trust_confirm(
	    core_tx(c), id, in->version, in->digest, core_now(c).wall_s, err);
}

/* --- steps of updates --- */

static enum dvt_code
read_step(const json_t *json, struct dvt_row_step *row, struct dvt_err *err)
{
	static const char *const fields[] = {
	    "id", "step", "target", "outcome", "at", "detail"};
	enum dvt_code rc;

	if ((rc = dvt_json_only(json, fields, DVT_COUNT(fields), err)) !=
		DVT_OK ||
	    (rc = dvt_json_get_str(json, "id", STEP_TEXT, &row->id, err)) !=
		DVT_OK ||
	    (rc = dvt_json_get_str(json, "step", STEP_TEXT, &row->step, err)) !=
		DVT_OK ||
	    (rc = dvt_json_opt_str(
		 json, "target", STEP_TEXT, "", &row->target, err)) != DVT_OK ||
	    (rc = dvt_json_get_str(
		 json, "outcome", STEP_TEXT, &row->outcome, err)) != DVT_OK ||
	    (rc = dvt_json_get_i64(
		 json, "at", 0, INT64_MAX / 2, &row->at, err)) != DVT_OK)
		return rc;
	if (strcmp(row->outcome, "Start") != 0 &&
	    strcmp(row->outcome, "Succeed") != 0 &&
	    strcmp(row->outcome, "Fail") != 0)
		return dvt_fail(err, DVT_E_INPUT,
		    "outcome: \"%.32s\" is none of Start, Succeed, Fail",
		    row->outcome);
	return dvt_json_opt_str(
	    json, "detail", DETAIL_MAX, "", &row->detail, err);
}

/* A rotation begins once, and ends once: completed or failed. What is between
 * is a step. The device's own line keeps its name (docs/events.md). */
static const char *
event_name(const struct dvt_row_step *row)
{
	if (strncmp(row->id, "certs-", 6) != 0)
		return "UPDATE_STEP";
	if (strcmp(row->outcome, "Fail") == 0)
		return "CertRotationFailed";
	if (strcmp(row->step, "CertRotationStarted") == 0)
		return "CertRotationStarted";
	if (strcmp(row->step, "CertRotationCompleted") == 0 &&
	    strcmp(row->outcome, "Succeed") == 0)
		return "CertRotationCompleted";
	return "UPDATE_STEP";
}

static enum dvt_code
tell_step(struct core *c, const struct dvt_row_step *row, struct dvt_err *err)
{
	json_t *body = json_pack("{s:s, s:s, s:s, s:s, s:I}", "step", row->step,
	    "target", row->target, "outcome", row->outcome, "detail",
	    row->detail, "at", (json_int_t)row->at);
	enum dvt_code rc;

	rc = core_event(c, event_name(row), row->device_id, row->id, body, err);
	json_decref(body);
	return rc;
}

/* A renewal ends with its completion; others (trust, adoption) with what they
 * did first. */
static bool
is_last(const struct dvt_row_step *row)
{
	return strcmp(row->outcome, "Succeed") == 0 &&
	       (strcmp(row->step, "CertRotationCompleted") == 0 ||
		   strncmp(row->id, "certs-", 6) != 0);
}

static enum dvt_code
take_step(struct core *c, const struct checkin *in, const json_t *json,
    struct dvt_err *err)
{
	struct dvt_row_step row = {.device_id = in->o.id};
	struct dvt_row_update update = {.device_id = in->o.id,
	    .version = in->o.device.firmware,
	    .outcome = ""};
	bool added, failed;
	enum dvt_code rc;

	if ((rc = read_step(json, &row, err)) != DVT_OK)
		return rc;
	update.id = row.id;
	update.target = row.target;
	update.started_at = row.at;
	if ((rc = dvt_store_update_start(core_tx(c), &update, err)) != DVT_OK ||
	    (rc = dvt_store_step_add(core_tx(c), &row, &added, err)) !=
		DVT_OK ||
	    !added)
		return rc;
	failed = strcmp(row.outcome, "Fail") == 0;
	if (failed || is_last(&row))
		rc = dvt_store_update_finish(core_tx(c), in->o.id, row.id,
		    row.at, failed ? "Fail" : "Succeed", err);
	if (rc == DVT_OK && failed)
		rc = core_config_unlock(
		    c, in->o.id, row.id, "the update failed", err);
	return rc == DVT_OK ? tell_step(c, &row, err) : rc;
}

static enum dvt_code
take_steps(struct core *c, const struct checkin *in, struct dvt_err *err)
{
	enum dvt_code rc = DVT_OK;
	const json_t *item;
	size_t i;

	json_array_foreach(in->steps, i, item)
	{
		if ((rc = take_step(c, in, item, err)) != DVT_OK) {
			dvt_err_prefix(err, "steps[%zu]", i);
			break;
		}
	}
	return rc;
}

/* --- instructions --- */

static enum dvt_code
take_done(struct core *c, const struct checkin *in, struct dvt_err *err)
{
	static const char *const fields[] = {"id", "outcome", "detail"};
	enum dvt_code rc = DVT_OK;
	const json_t *item;
	size_t i;

	json_array_foreach(in->done, i, item)
	{
		const char *id, *outcome, *detail;
		bool taken;

		if ((rc = dvt_json_only(
			 item, fields, DVT_COUNT(fields), err)) != DVT_OK ||
		    (rc = dvt_json_get_str(item, "id", STEP_TEXT, &id, err)) !=
			DVT_OK ||
		    (rc = dvt_json_get_str(item, "outcome", STEP_TEXT, &outcome,
			 err)) != DVT_OK ||
		    (rc = dvt_json_opt_str(item, "detail", DETAIL_MAX, "",
			 &detail, err)) != DVT_OK ||
		    (rc = core_rotation_done(c, in->o.id, id,
			 strcmp(outcome, "ok") == 0, detail, err)) != DVT_OK ||
		    (rc = dvt_store_mail_take(
			 core_tx(c), in->o.id, id, &taken, err)) != DVT_OK)
			break;
	}
	return rc;
}

static json_t *
instruction(const struct dvt_row_mail *mail)
{
	json_t *more = json_loads(mail->body, 0, NULL);
	json_t *out = json_pack("{s:s, s:s}", "id", mail->id, "action",
	    dvt_mailbox_action_name(mail->action));

	if (json_is_object(more))
		(void)json_object_update_missing(out, more);
	json_decref(more);
	return out;
}

static enum dvt_code
put_instructions(
    struct core *c, const char *id, json_t *list, struct dvt_err *err)
{
	struct dvt_row_mail *mail;
	size_t n;
	enum dvt_code rc = dvt_store_mail_list(
	    core_tx(c), core_arena(c), id, &mail, &n, err);

	for (size_t i = 0; rc == DVT_OK && i < n; i++)
		(void)json_array_append_new(list, instruction(&mail[i]));
	if (rc == DVT_OK && n > 0)
		rc = dvt_store_mail_told(
		    core_tx(c), id, core_now(c).wall_s, err);
	return rc;
}

/* --- the answer --- */

static enum dvt_code
rotation_runs(struct core *c, bool *runs, struct dvt_err *err)
{
	struct dvt_rotation *open;
	size_t n;
	enum dvt_code rc = dvt_store_rotation_open(
	    core_tx(c), core_arena(c), &open, &n, err);

	*runs = n > 0;
	return rc;
}

/* Its own period; shorter while there is something to do. */
static enum dvt_code
next_checkin(struct core *c, const struct checkin *in, bool busy,
    int64_t *next_s, struct dvt_err *err)
{
	int64_t most = dvt_config_int(core_config(c), "checkin.most");
	int64_t soon = dvt_config_int(core_config(c), "checkin.busyPeriod");
	bool runs = false;
	enum dvt_code rc = rotation_runs(c, &runs, err);

	*next_s = in->o.device.period_s > 0
		      ? in->o.device.period_s
		      : dvt_config_int(core_config(c), "checkin.period");
	if (*next_s > most)
		*next_s = most;
	if ((busy || runs) && *next_s > soon)
		*next_s = soon;
	return rc;
}

static enum dvt_code
answer(struct core *c, const struct core_asker *from, const struct checkin *in,
    int64_t newest, const char *digest, struct dvt_err *err)
{
	const char *next = dvt_config_text(core_config(c), "edge.next");
	const char *trial = dvt_config_text(core_config(c), "edge.trial");
	json_t *list = json_array(), *body, *edge = json_object();
	json_t *config = NULL;
	int64_t next_s = 0;
	bool busy;
	enum dvt_code rc = put_instructions(c, in->o.id, list, err);

	busy = json_array_size(list) > 0 || newest > in->version;
	if (rc == DVT_OK)
		rc = next_checkin(c, in, busy, &next_s, err);
	if (rc == DVT_OK)
		rc = core_config_wanted(c, in->o.id, &config, err);
	if (rc != DVT_OK) {
		json_decref(list);
		json_decref(edge);
		return rc;
	}
	if (next != NULL)
		(void)json_object_set_new(edge, "next", json_string(next));
	if (trial != NULL)
		(void)json_object_set_new(edge, "trial", json_string(trial));
	body = json_pack("{s:I, s:s, s:I, s:{s:I, s:s}, s:o, s:o}", "time",
	    (json_int_t)core_now(c).wall_s, "device", in->o.id, "next_s",
	    (json_int_t)next_s, "bundle", "version", (json_int_t)newest,
	    "digest", digest, "edge", edge, "do", list);
	if (config != NULL)
		(void)json_object_set_new(body, "config", config);
	core_answer_json(c, from, 200, body);
	json_decref(body);
	return DVT_OK;
}

static enum dvt_code
carry_out(struct core *c, struct checkin *in, const struct core_asker *from,
    struct dvt_err *err)
{
	int64_t newest = 0, now = core_now(c).wall_s;
	const char *digest = "";
	bool changed = false;
	enum dvt_code rc;

	if ((rc = dvt_store_device_checkin(core_tx(c), in->o.id, now,
		 in->time - now, in->agent, err)) != DVT_OK ||
	    (rc = core_device_unpark(c, in->o.id, err)) != DVT_OK ||
	    (rc = core_confirm(c, &in->o.credential, err)) != DVT_OK ||
	    (rc = take_bundle(c, in, &newest, &digest, &changed, err)) !=
		DVT_OK ||
	    (rc = take_steps(c, in, err)) != DVT_OK ||
	    (rc = take_done(c, in, err)) != DVT_OK ||
	    (rc = core_config_told(c, in->o.id, in->config, err)) != DVT_OK ||
	    (rc = core_rotation_checkin(
		 c, in->o.id, in->o.credential.fingerprint, err)) != DVT_OK)
		return rc;
	if (changed && (rc = core_feed_device(c, in->o.id, err)) != DVT_OK)
		return rc;
	return answer(c, from, in, newest, digest, err);
}

enum dvt_code
core_checkin(struct core *c, const struct core_asker *from,
    const struct request *q, struct dvt_err *err)
{
	struct checkin *in = dvt_alloc(sizeof(*in));
	json_t *json = NULL;
	enum dvt_code rc;

	if ((rc = core_owner_by_certificate(
		 c, q->fingerprint, DVT_OWNER_DEVICE, &in->o, err)) != DVT_OK ||
	    (rc = dvt_json_parse(q->body, DVT_CHECKIN_MAX, &json, err)) !=
		DVT_OK ||
	    (rc = read_body(json, in, err)) != DVT_OK)
		goto out;
	rc = carry_out(c, in, from, err);
out:
	json_decref(json);
	free(in);
	return rc;
}
