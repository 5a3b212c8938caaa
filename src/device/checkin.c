/* SPDX-License-Identifier: Apache-2.0 */
/* Check-in as JSON: see checkin.h. */
#include "device/checkin.h"

#include "base/mem.h"
#include "wire/json.h"

static json_t *
step_json(const struct dvt_agent_event *e)
{
	return json_pack("{s:s, s:s, s:s, s:s, s:I, s:s}", "id", e->id, "step",
	    e->step, "target", e->target, "outcome",
	    dvt_step_outcome_name(e->outcome), "at", (json_int_t)e->at,
	    "detail", e->detail);
}

static json_t *
steps_json(const struct dvt_checkin *c)
{
	json_t *list = json_array();

	for (size_t i = 0; i < c->steps_n && i < DVT_CHECKIN_STEPS; i++)
		(void)json_array_append_new(list, step_json(&c->steps[i]));
	if (c->last != NULL)
		(void)json_array_append_new(list, step_json(c->last));
	return list;
}

static json_t *
done_json(const struct dvt_checkin *c)
{
	json_t *list = json_array();

	for (size_t i = 0; i < c->done_n; i++) {
		const struct dvt_history_done *d = &c->done[i];

		if (!d->told)
			(void)json_array_append_new(list,
			    json_pack("{s:s, s:s, s:s}", "id", d->instruction,
				"outcome", d->ok ? "ok" : "failed", "detail",
				d->detail));
	}
	return list;
}

/* The version that it has, or the one it could not take and why. */
static json_t *
config_json(const struct dvt_checkin *c)
{
	json_t *list = json_array();

	for (size_t i = 0; i < c->config_n; i++) {
		const struct dvt_confval *v = &c->config[i];
		bool bad = v->failed_version == v->want;

		(void)json_array_append_new(list,
		    json_pack("{s:s, s:I, s:s}", "name", v->name, "version",
			(json_int_t)v->want, "failed", bad ? v->failed : ""));
	}
	return list;
}

/* An empty list is left out. */
static void
set_list(json_t *obj, const char *key, json_t *list)
{
	if (json_array_size(list) > 0)
		(void)json_object_set_new(obj, key, list);
	else
		json_decref(list);
}

enum dvt_code
dvt_checkin_format(
    const struct dvt_checkin *c, struct dvt_buf *out, struct dvt_err *err)
{
	json_t *obj = json_pack("{s:s, s:I, s:{s:I, s:s}}", "agent",
	    "dovetail-agent/" DVT_VERSION, "time", (json_int_t)c->time,
	    "bundle", "version", (json_int_t)c->version, "digest", c->digest);

	set_list(obj, "steps", steps_json(c));
	set_list(obj, "done", done_json(c));
	set_list(obj, "config", config_json(c));
	dvt_json_put(out, obj);
	json_decref(obj);
	return dvt_buf_ok(out, "check-in", err);
}

static enum dvt_code
copy_opt(const json_t *obj, const char *key, char *out, size_t size,
    struct dvt_err *err)
{
	const char *text = "";
	enum dvt_code rc;

	rc = dvt_json_opt_str(obj, key, size - 1, "", &text, err);
	if (rc == DVT_OK)
		(void)dvt_copy_str(out, size, text);
	return rc;
}

static enum dvt_code
parse_bundle(
    const json_t *obj, struct dvt_checkin_answer *out, struct dvt_err *err)
{
	json_t *bundle;
	enum dvt_code rc;

	rc = dvt_json_opt_obj(obj, "bundle", &bundle, err);
	if (rc != DVT_OK || bundle == NULL)
		return rc;
	rc = dvt_json_get_i64(
	    bundle, "version", 0, INT64_MAX, &out->version, err);
	if (rc == DVT_OK)
		rc = copy_opt(
		    bundle, "digest", out->digest, sizeof(out->digest), err);
	return rc;
}

static enum dvt_code
parse_edge(
    const json_t *obj, struct dvt_checkin_answer *out, struct dvt_err *err)
{
	json_t *edge;
	enum dvt_code rc;

	rc = dvt_json_opt_obj(obj, "edge", &edge, err);
	if (rc != DVT_OK || edge == NULL)
		return rc;
	rc = copy_opt(
	    edge, "next", out->edge_next, sizeof(out->edge_next), err);
	if (rc == DVT_OK)
		rc = copy_opt(edge, "trial", out->edge_trial,
		    sizeof(out->edge_trial), err);
	return rc;
}

static enum dvt_code
parse_do(const json_t *obj, struct dvt_checkin_answer *out, struct dvt_err *err)
{
	struct dvt_do *d = &out->todo[out->todo_n];
	const char *id, *action;
	enum dvt_code rc;

	if ((rc = dvt_json_get_str(obj, "action", 0, &action, err)) != DVT_OK)
		return rc;
	if (strcmp(action, "renew") == 0)
		d->action = DVT_DO_RENEW;
	else if (strcmp(action, "probe") == 0)
		d->action = DVT_DO_PROBE;
	else
		return DVT_OK; /* of a newer server */
	rc = dvt_json_get_str(obj, "id", DVT_NAME_MAX, &id, err);
	if (rc == DVT_OK)
		rc = copy_opt(obj, "label", d->label, sizeof(d->label), err);
	if (rc != DVT_OK)
		return rc;
	(void)dvt_copy_str(d->id, sizeof(d->id), id);
	out->todo_n++;
	return DVT_OK;
}

static enum dvt_code
parse_todo(
    const json_t *obj, struct dvt_checkin_answer *out, struct dvt_err *err)
{
	json_t *list, *one;
	size_t i;
	enum dvt_code rc;

	rc = dvt_json_opt_list(obj, "do", &list, err);
	if (rc != DVT_OK || list == NULL)
		return rc;
	json_array_foreach(list, i, one)
	{
		if (out->todo_n == DVT_CHECKIN_DO)
			break;
		if ((rc = parse_do(one, out, err)) != DVT_OK)
			return rc;
	}
	return DVT_OK;
}

/* Names that no file may have are passed over. */
static enum dvt_code
parse_config(
    const json_t *obj, struct dvt_checkin_answer *out, struct dvt_err *err)
{
	json_t *list, *one;
	size_t i;
	enum dvt_code rc;

	rc = dvt_json_opt_list(obj, "config", &list, err);
	json_array_foreach(list, i, one)
	{
		struct dvt_confval *v;
		const char *name;
		int64_t version;

		if (rc != DVT_OK)
			break;
		if ((rc = dvt_json_get_str(one, "name", 0, &name, err)) !=
			DVT_OK ||
		    (rc = dvt_json_get_i64(one, "version", 1, INT64_MAX,
			 &version, err)) != DVT_OK)
			break;
		if (!dvt_confval_name_ok(name) ||
		    (v = dvt_confvals_add(&out->config, name)) == NULL)
			continue;
		v->want = version;
		rc = copy_opt(one, "certificate", v->certificate,
		    sizeof(v->certificate), err);
	}
	return rc;
}

enum dvt_code
dvt_checkin_parse(
    struct dvt_span body, struct dvt_checkin_answer *out, struct dvt_err *err)
{
	json_t *obj = NULL;
	enum dvt_code rc;

	memset(out, 0, sizeof(*out));
	if ((rc = dvt_json_parse(body, DVT_BODY_MAX, &obj, err)) == DVT_OK &&
	    (rc = dvt_json_get_i64(
		 obj, "time", 0, INT64_MAX, &out->time, err)) == DVT_OK &&
	    (rc = dvt_json_opt_i64(obj, "next_s", 0, INT64_MAX,
		 DVT_CHECKIN_NEXT, &out->next_s, err)) == DVT_OK &&
	    (rc = parse_bundle(obj, out, err)) == DVT_OK &&
	    (rc = parse_edge(obj, out, err)) == DVT_OK &&
	    (rc = parse_todo(obj, out, err)) == DVT_OK)
		rc = parse_config(obj, out, err);
	json_decref(obj);
	if (rc != DVT_OK)
		dvt_err_prefix(err, "check-in answer");
	if (out->next_s > DVT_CHECKIN_LONGEST)
		out->next_s = DVT_CHECKIN_LONGEST;
	return rc;
}
