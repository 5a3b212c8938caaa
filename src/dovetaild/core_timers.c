/* SPDX-License-Identifier: Apache-2.0 */
/* What is due by itself: ends, holds, silence, waits, check-points. */
#include "base/log.h"
#include "dovetaild/core_deadline.h"
#include "dovetaild/core_gateway.h"
#include "dovetaild/core_outbound.h"
#include "dovetaild/core_owner.h"
#include "dovetaild/core_priv.h"
#include "dovetaild/core_rotation.h"
#include "proto/feed.h"
#include "store/authority.h"
#include "store/credential.h"
#include "store/device.h"
#include "store/edge.h"
#include "store/watch.h"

#include <inttypes.h>
#include <stdio.h>

#define SLICE           200       /* rows of one kind in one tick */
#define TRIM_SLICE      2000      /* of old records */
#define HANDSHAKES_KEPT 500000    /* whole records */
#define HOURS_KEPT      (93 * 24) /* counts by hour */
#define RENEW_TRIES_S   3600      /* between two orders for one edge */

/* --- certificates --- */

static enum dvt_code
expire(struct core *c, void *ctx, struct dvt_err *err)
{
	struct dvt_row_credential *rows;
	size_t n;
	enum dvt_code rc = dvt_store_credential_ended(core_tx(c), core_arena(c),
	    core_now(c).wall_s, SLICE, &rows, &n, err);

	(void)ctx;
	for (size_t i = 0; rc == DVT_OK && i < n; i++) {
		rc = dvt_store_credential_expire(
		    core_tx(c), rows[i].fingerprint, rows[i].state, err);
		if (rc == DVT_OK)
			rc = core_audit(c, "core", "certificate.expire",
			    rows[i].owner, NULL, err);
		if (rc == DVT_OK && rows[i].owner_kind == DVT_OWNER_DEVICE)
			rc = core_feed_device(c, rows[i].owner, err);
	}
	return rc;
}

/* Superseded, and its hold is over: edges refuse it from now on. */
static enum dvt_code
end_holds(struct core *c, void *ctx, struct dvt_err *err)
{
	struct dvt_row_credential *rows;
	size_t n;
	enum dvt_code rc = dvt_store_credential_hold_ended(core_tx(c),
	    core_arena(c), core_now(c).wall_s, SLICE, &rows, &n, err);

	(void)ctx;
	for (size_t i = 0; rc == DVT_OK && i < n; i++)
		rc = core_deny_superseded(c, &rows[i], err);
	return rc;
}

/* --- devices --- */

static enum dvt_code
park_silent(struct core *c, void *ctx, struct dvt_err *err)
{
	const char *const *ids;
	size_t n;
	enum dvt_code rc = dvt_store_device_silent(core_tx(c), core_arena(c),
	    core_now(c).wall_s, SLICE, &ids, &n, err);

	(void)ctx;
	for (size_t i = 0; rc == DVT_OK && i < n; i++) {
		rc = dvt_store_device_state_set(core_tx(c), ids[i],
		    DVT_DEVICE_ACTIVE, DVT_DEVICE_PARKED, "", err);
		if (rc == DVT_OK)
			rc = core_event(
			    c, "DEVICE_PARKED", ids[i], "", NULL, err);
		if (rc == DVT_OK)
			rc = core_rotation_parked(c, ids[i], err);
		if (rc == DVT_OK)
			rc = core_feed_device(c, ids[i], err);
	}
	return rc;
}

static enum dvt_code
trim(struct core *c, void *ctx, struct dvt_err *err)
{
	int64_t gone;
	enum dvt_code rc;

	(void)ctx;
	rc = dvt_store_handshake_trim(
	    core_tx(c), HANDSHAKES_KEPT, TRIM_SLICE, &gone, err);
	if (rc == DVT_OK)
		rc = dvt_store_handshake_hours_trim(core_tx(c),
		    core_now(c).wall_s / 3600 - HOURS_KEPT, TRIM_SLICE, &gone,
		    err);
	return rc;
}

/* --- edges --- */

/* A certificate that core ordered is ordered anew before it ends. */
static enum dvt_code
renew_edges(struct core *c, void *ctx, struct dvt_err *err)
{
	int64_t now = core_now(c).wall_s;
	struct dvt_row_gateway_credential *rows;
	const char *gateway = "", *id = "";
	struct dvt_row_profile p;
	char order[64];
	size_t n;
	enum dvt_code rc = dvt_store_profile_by_name(
	    core_tx(c), core_arena(c), "gateway", &p, err);

	(void)ctx;
	if (rc != DVT_OK)
		return rc;
	snprintf(order, sizeof(order), "renew-%" PRId64, now / RENEW_TRIES_S);
	do {
		rc = dvt_store_gateway_credential_all(core_tx(c), core_arena(c),
		    gateway, id, DVT_LIST_MAX, &rows, &n, err);
		for (size_t i = 0; rc == DVT_OK && i < n; i++) {
			gateway = rows[i].gateway;
			id = rows[i].id;
			if (rows[i].slot != DVT_GWSLOT_CURRENT ||
			    strncmp(id, "file", 4) == 0 ||
			    rows[i].not_after - now > p.renew_before_s / 2)
				continue;
			rc = core_gateway_order(c, gateway, order,
			    rows[i].authority_id, "current", 0, err);
		}
	} while (rc == DVT_OK && n == DVT_LIST_MAX);
	return rc;
}

/* --- the tick --- */

struct task {
	const char *name;
	int64_t every_s;
	enum dvt_code (*run)(struct core *c, void *ctx, struct dvt_err *err);
};

void
core_tick(struct core *c)
{
	static const struct task tasks[] = {
	    {"expire",      10, expire       },
	    {"hold",        1,  end_holds    },
	    {"park",        10, park_silent  },
	    {"trim",        60, trim         },
	    {"renew-edges", 60, renew_edges  },
	    {"deadline",    60, core_deadline},
	};

	c->ticks++;
	core_feed_sweep(c);
	core_checkpoint(c);
	for (size_t i = 0; i < DVT_COUNT(tasks); i++) {
		struct dvt_err err = {0};

		if (c->ticks % tasks[i].every_s != 0)
			continue;
		if (core_within(c, tasks[i].run, NULL, &err) != DVT_OK)
			log_event(LOG_WARNING, "core.task.failed",
			    LS("task", tasks[i].name), LE(&err));
	}
	core_outbox_run(c);
	core_rotation_tick(c);
	core_outbound_pump(c);
}
