/* SPDX-License-Identifier: Apache-2.0 */
#include "fleet/interlock.h"

#include "base/span.h"

#include <inttypes.h>
#include <stdio.h>

const char *
dvt_interlock_anchor(
    const struct dvt_anchor_user *u, const char *name, char *room)
{
	if (u->state != DVT_DEVICE_ACTIVE ||
	    (u->knows_other && u->proven_other))
		return NULL;
	if (!u->trust_known)
		snprintf(room, DVT_REASON_MAX,
		    "has not told what it trusts beside %s", name);
	else if (!u->knows_other)
		snprintf(room, DVT_REASON_MAX,
		    "has loaded no other root than %s", name);
	else
		snprintf(room, DVT_REASON_MAX,
		    "no handshake proves that it can do without %s", name);
	return room;
}

static void
need(struct dvt_buf *b, const char *what, int64_t n, const char *more)
{
	if (n > 0)
		dvt_buf_printf(b, "%s%" PRId64 " %s%s%s", b->n > 0 ? "; " : "",
		    n, what, n == 1 ? "" : "s", more);
}

enum dvt_code
dvt_interlock_retire(const struct dvt_authority_needs *n, struct dvt_err *err)
{
	struct dvt_buf b;
	enum dvt_code rc = DVT_OK;

	dvt_buf_init(&b, 512);
	need(&b, "live device certificate", n->live[DVT_OWNER_DEVICE], "");
	need(&b, "live gateway certificate", n->live[DVT_OWNER_GATEWAY], "");
	need(&b, "live front certificate", n->live[DVT_OWNER_FRONT], "");
	need(&b, "edge", n->edges_showing, " showing it by default");
	need(&b, "edge", n->edges_unheard, " not heard of late");
	if (n->in_bundle)
		dvt_buf_printf(&b, "%sthe newest trust bundle lists it",
		    b.n > 0 ? "; " : "");
	if (n->in_rotation)
		dvt_buf_printf(
		    &b, "%sa rotation moves it", b.n > 0 ? "; " : "");
	if (b.n > 0)
		rc = dvt_fail(err, DVT_E_UNSAFE, "%s is still needed: %s",
		    n->name, dvt_buf_str(&b));
	dvt_buf_fini(&b);
	return rc;
}

static bool
is_open(const struct dvt_rotation *r)
{
	return r->state == DVT_ROT_PLANNED || r->state == DVT_ROT_RUNNING ||
	       r->state == DVT_ROT_PAUSED;
}

static bool
has(const struct dvt_rotation *r, int64_t id)
{
	return id != 0 && (r->from_id == id || r->to_id == id);
}

enum dvt_code
dvt_interlock_second(const struct dvt_rotation *open, size_t n,
    enum dvt_rotation_kind kind, int64_t from_id, int64_t to_id,
    struct dvt_err *err)
{
	for (size_t i = 0; i < n; i++) {
		const struct dvt_rotation *r = &open[i];

		if (!is_open(r) || (!has(r, from_id) && !has(r, to_id)))
			continue;
		return dvt_fail(err, DVT_E_CONFLICT,
		    "rotation %" PRId64 " (%s, %s) is over the same authority; "
		    "a %s would cross it: abort it, or wait until it is done",
		    r->id, dvt_rotation_kind_name(r->kind),
		    dvt_rotation_state_name(r->state),
		    dvt_rotation_kind_name(kind));
	}
	return DVT_OK;
}

enum dvt_code
dvt_interlock_new_root(
    const struct dvt_plan_authority *a, int64_t now, struct dvt_err *err)
{
	if (!a->is_root)
		return dvt_fail(err, DVT_E_CONFLICT,
		    "%s is no root; name the root at the top of its chain",
		    a->name);
	if (a->state != DVT_AUTHORITY_ACTIVE &&
	    a->state != DVT_AUTHORITY_STAGED)
		return dvt_fail(err, DVT_E_CONFLICT, "%s is %s", a->name,
		    dvt_authority_state_name(a->state));
	if (a->not_before > now)
		return dvt_fail(err, DVT_E_CONFLICT,
		    "%s begins in %" PRId64 " s; check this host's clock",
		    a->name, a->not_before - now);
	if (!a->can_issue)
		return dvt_fail(err, DVT_E_CONFLICT,
		    "no key is held that issues under %s", a->name);
	if (a->last_issue_at <= now)
		return dvt_fail(err, DVT_E_CONFLICT,
		    "%s is past its last issue date", a->name);
	return DVT_OK;
}
