/* SPDX-License-Identifier: Apache-2.0 */
/* GET /v1/status: all on one screen, and what needs a hand. */
#include "api/handlers.h"
#include "api/rows.h"
#include "store/device.h"

#include <inttypes.h>
#include <stdio.h>

#define LATELY_S      3600          /* "seen lately" */
#define UNHEARD_S     180           /* edges report every few seconds */
#define EDGE_ENDS_S   (7 * 86400)   /* certificate of an edge */
#define ISSUE_ENDS_S  (365 * 86400) /* alarm a year before the last issue */
#define APPROVALS_MAX 10            /* named one by one */

static void need(json_t *list, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
static void
need(json_t *list, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	json_array_append_new(list, json_vsprintf(fmt, ap));
	va_end(ap);
}

static const char *
text_of(const json_t *row, const char *field)
{
	const char *s = json_string_value(json_object_get(row, field));

	return s == NULL ? "" : s;
}

static int64_t
number_of(const json_t *row, const char *field)
{
	return json_integer_value(json_object_get(row, field));
}

/* "3 h": two units would say no more. */
static const char *
span_text(int64_t s, char *out, size_t size)
{
	if (s < 120)
		(void)snprintf(out, size, "%" PRId64 " s", s);
	else if (s < 7200)
		(void)snprintf(out, size, "%" PRId64 " min", s / 60);
	else if (s < 2 * 86400)
		(void)snprintf(out, size, "%" PRId64 " h", s / 3600);
	else
		(void)snprintf(out, size, "%" PRId64 " days", s / 86400);
	return out;
}

static void
watch_authorities(json_t *list, const json_t *authorities, int64_t now)
{
	const json_t *a;
	char day[64];
	size_t i;

	json_array_foreach(authorities, i, a)
	{
		int64_t last = number_of(a, "last_issue_at");
		int64_t end = number_of(a, "not_after");

		if (end <= now)
			need(list, "authority %s ended on %.10s",
			    text_of(a, "name"),
			    dvt_time_format(end, day, sizeof(day)));
		else if (json_is_true(json_object_get(a, "key_held")) &&
			 last - ISSUE_ENDS_S <= now)
			need(list, "authority %s %s until %.10s",
			    text_of(a, "name"),
			    last <= now ? "could issue" : "issues",
			    dvt_time_format(last, day, sizeof(day)));
	}
}

static void
watch_gateways(json_t *list, const json_t *gateways, int64_t now)
{
	const json_t *g;
	char span[32];
	size_t i;

	json_array_foreach(gateways, i, g)
	{
		const char *kind = text_of(g, "kind");
		const char *name = text_of(g, "name");
		int64_t heard = number_of(g, "heard_at");
		int64_t end = number_of(g, "not_after");

		if (heard == 0 && now - number_of(g, "created_at") > UNHEARD_S)
			need(list, "%s %s was never heard", kind, name);
		else if (heard != 0 && now - heard > UNHEARD_S)
			need(list, "%s %s not heard for %s", kind, name,
			    span_text(now - heard, span, sizeof(span)));
		if (end != 0 && end <= now)
			need(list, "the certificate of %s %s has ended", kind,
			    name);
		else if (end != 0 && end - now < EDGE_ENDS_S)
			need(list, "the certificate of %s %s ends in %s", kind,
			    name, span_text(end - now, span, sizeof(span)));
	}
}

static void
watch_rotations(json_t *list, const json_t *rotations, int64_t now)
{
	const json_t *r;
	char day[64];
	size_t i;

	json_array_foreach(rotations, i, r)
	{
		int64_t last = number_of(r, "last_safe_at");

		if (strcmp(text_of(r, "state"), "paused") == 0)
			need(list, "rotation %" PRId64 " is paused: %s",
			    number_of(r, "id"), text_of(r, "waits_for"));
		if (last != 0 && last <= now)
			need(list,
			    "rotation %" PRId64 ": its last safe day was %.10s",
			    number_of(r, "id"),
			    dvt_time_format(last, day, sizeof(day)));
	}
}

static enum dvt_code
watch_people(struct dvt_app *app, const struct dvt_req *req, json_t *list,
    struct dvt_err *err)
{
	json_t *open = NULL, *approvals = NULL, *a;
	int64_t n = 0;
	size_t i;
	enum dvt_code rc;

	if ((rc = dvt_row(app, req, SQL_API_STATUS_OPEN, NULL, "count", &open,
		 err)) != DVT_OK ||
	    (rc = dvt_rows(
		 app, req, SQL_API_APPROVALS, NULL, &approvals, err)) != DVT_OK)
		goto out;
	json_array_foreach(approvals, i, a)
	{
		if (number_of(a, "given_at") == 0 && n++ < APPROVALS_MAX)
			need(list,
			    "approval %" PRId64
			    " waits for a second person: %s %s",
			    number_of(a, "id"), text_of(a, "action"),
			    text_of(a, "object"));
	}
	n = number_of(open, "approvals") - APPROVALS_MAX;
	if (n > 0)
		need(list, "%" PRId64 " more approvals wait", n);
	n = number_of(open, "alerts");
	if (n > 0)
		need(list, "%" PRId64 " alert%s open: dovetail alert list", n,
		    n == 1 ? "" : "s");
out:
	json_decref(open);
	json_decref(approvals);
	return rc;
}

static enum dvt_code
add_fleet(struct dvt_app *app, json_t *status, struct dvt_err *err)
{
	json_t *fleet = json_object();
	int64_t n[DVT_DEVICE_N], seen = 0;
	const char *name;
	enum dvt_code rc;

	json_object_set_new(status, "fleet", fleet);
	if ((rc = dvt_store_meta_get(
		 app->tx, app->arena, "fleet", &name, err)) == DVT_E_ABSENT)
		name = "";
	else if (rc != DVT_OK)
		return rc;
	json_object_set_new(status, "fleet_name", json_string(name));
	if ((rc = dvt_store_device_count(app->tx, n, err)) != DVT_OK ||
	    (rc = dvt_store_device_count_seen(
		 app->tx, app->now.wall_s - LATELY_S, &seen, err)) != DVT_OK)
		return rc;
	for (int s = 0; s < DVT_DEVICE_N; s++)
		json_object_set_new(fleet,
		    dvt_device_state_name((enum dvt_device_state)s),
		    json_integer(n[s]));
	json_object_set_new(fleet, "seen_lately", json_integer(seen));
	return DVT_OK;
}

/* Those that are over stay out of the screen. */
static void
drop_retired(json_t *authorities)
{
	for (size_t i = json_array_size(authorities); i-- > 0;) {
		const char *state = text_of(
		    json_array_get(authorities, i), "state");

		if (strcmp(state, "retired") == 0 ||
		    strcmp(state, "revoked") == 0)
			json_array_remove(authorities, i);
	}
}

static enum dvt_code
add_attention(struct dvt_app *app, const struct dvt_req *req, json_t *status,
    struct dvt_err *err)
{
	json_t *list = json_array();
	int64_t blocked = number_of(
	    json_object_get(status, "fleet"), "blocked");
	int64_t now = app->now.wall_s;
	enum dvt_code rc = watch_people(app, req, list, err);

	json_object_set_new(status, "attention", list);
	watch_rotations(list, json_object_get(status, "rotations"), now);
	watch_gateways(list, json_object_get(status, "gateways"), now);
	watch_authorities(list, json_object_get(status, "authorities"), now);
	if (blocked > 0)
		need(list, "%" PRId64 " device%s blocked", blocked,
		    blocked == 1 ? " is" : "s are");
	return rc;
}

/* GET /v1/status */
enum dvt_code
api_get_status(struct dvt_app *app, const struct dvt_req *req,
    struct dvt_reply *reply, struct dvt_err *err)
{
	const struct dvt_row_arg all[] = {
	    ROW_NUMBER("limit", DVT_API_LIST_MAX), {0}};
	json_t *status = json_pack("{s:I}", "now", (json_int_t)app->now.wall_s);
	enum dvt_code rc;

	if ((rc = add_fleet(app, status, err)) != DVT_OK ||
	    (rc = dvt_rows_into(app, req, SQL_API_AUTHORITIES, all, status,
		 "authorities", err)) != DVT_OK ||
	    (rc = dvt_rows_into(app, req, SQL_API_GATEWAYS, all, status,
		 "gateways", err)) != DVT_OK ||
	    (rc = dvt_rows_into(app, req, SQL_API_STATUS_ROTATIONS, NULL,
		 status, "rotations", err)) != DVT_OK)
		goto out;
	drop_retired(json_object_get(status, "authorities"));
	if ((rc = add_attention(app, req, status, err)) == DVT_OK)
		dvt_reply_json(reply, 200, json_incref(status));
out:
	json_decref(status);
	return rc;
}
