/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Queued actions, performed after the commit that queued them. An action is
 * done exactly once: what it changes and that it is done are one savepoint.
 */
#include "dovetaild/core_rotation_priv.h"

#include "base/log.h"
#include "store/rotation.h"
#include "wire/json.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define ACTIONS_A_TURN 64
#define TRIES_MAX      12 /* 2, 4, 8 .. 60 s: some nine minutes */
#define BACKOFF_MAX_S  60

static const struct {
	const char *name;
	core_act_fn *run;
} actions[] = {
    {"assign",      core_act_assign     },
    {"order",       core_act_order      },
    {"bundle",      core_act_bundle     },
    {"release",     core_act_release    },
    {"switch",      core_act_switch     },
    {"switch-back", core_act_switch_back},
    {"fresh-old",   core_act_fresh_old  },
    {"withdraw",    core_act_withdraw   },
    {"anchor-put",  core_act_anchor_put },
    {"anchor-take", core_act_anchor_take},
    {"deny-old",    core_act_deny_old   },
    {"recall",      core_act_recall     },
    {"hold-open",   core_act_hold_open  },
    {"hold-end",    core_act_hold_end   },
    {"authorities", core_act_authorities},
    {"sms",         core_act_sms        },
    {"want",        core_act_want       }, /* devices are to confirm a bundle */
};

enum dvt_code
core_outbox_put(struct core *c, const char *key, int64_t rotation,
    const char *action, const json_t *body, struct dvt_err *err)
{
	struct dvt_row_outbox row = {.key = key,
	    .rotation_id = rotation,
	    .action = action,
	    .due_at = core_now(c).wall_s,
	    .created_at = core_now(c).wall_s};
	struct dvt_buf text;
	enum dvt_code rc;

	dvt_buf_init(&text, DVT_BODY_MAX);
	dvt_json_put(&text, body);
	row.body = dvt_buf_str(&text);
	rc = dvt_store_outbox_put(core_tx(c), &row, NULL, err);
	dvt_buf_fini(&text);
	return rc;
}

/* The words after "at:" that a slice left behind. */
static const char *
cursor_of(const struct dvt_row_outbox *row)
{
	return strncmp(row->result, "at:", 3) == 0 ? row->result + 3 : "";
}

static enum dvt_code
run_action(struct core *c, struct core_act *a, struct dvt_err *err)
{
	for (size_t i = 0; i < DVT_COUNT(actions); i++)
		if (strcmp(actions[i].name, a->row->action) == 0)
			return actions[i].run(c, a, err);
	return dvt_fail(
	    err, DVT_E_INPUT, "no action is called '%s'", a->row->action);
}

static enum dvt_code
finish(struct core *c, const struct core_act *a, struct dvt_err *err)
{
	char at[DVT_REASON_MAX];

	if (!a->again)
		return dvt_store_outbox_end(
		    core_tx(c), a->row->id, DVT_OUTBOX_DONE, "", err);
	snprintf(at, sizeof(at), "at:%s", a->cursor);
	return dvt_store_outbox_again(
	    core_tx(c), a->row->id, core_now(c).wall_s + a->again_s, at, err);
}

static enum dvt_code
perform(struct core *c, void *ctx, struct dvt_err *err)
{
	struct dvt_row_outbox *row = ctx;
	struct core_rot r = {0};
	struct core_act a = {.row = row, .object = "", .cursor = ""};
	json_t *body = json_loads(row->body, 0, NULL);
	enum dvt_code rc = DVT_OK;

	a.body = body;
	a.cursor = cursor_of(row);
	if (json_is_string(json_object_get(body, "object")))
		a.object = json_string_value(json_object_get(body, "object"));
	a.number = json_integer_value(json_object_get(body, "number"));
	if (row->rotation_id != 0) {
		rc = core_rot_get(c, row->rotation_id, &r, err);
		a.r = &r;
	}
	if (rc == DVT_OK)
		rc = run_action(c, &a, err);
	if (rc == DVT_OK)
		rc = finish(c, &a, err);
	core_rot_fini(&r);
	json_decref(body);
	return rc;
}

struct failure {
	const struct dvt_row_outbox *row;
	const struct dvt_err *why;
};

static bool
may_pass(enum dvt_code code)
{
	return code == DVT_E_LATER || code == DVT_E_BUSY ||
	       code == DVT_E_SYSTEM;
}

/* The action's savepoint was taken back: what became of it is written. */
static enum dvt_code
note_failure(struct core *c, void *ctx, struct dvt_err *err)
{
	const struct failure *f = ctx;
	int64_t wait = INT64_C(2) << (f->row->tries < 5 ? f->row->tries : 5);

	core_rotation_wake(c);
	if (may_pass(f->why->code) && f->row->tries < TRIES_MAX)
		return dvt_store_outbox_again(core_tx(c), f->row->id,
		    core_now(c).wall_s +
			(wait > BACKOFF_MAX_S ? BACKOFF_MAX_S : wait),
		    cursor_of(f->row)[0] != '\0' ? f->row->result
						 : f->why->text,
		    err);
	return dvt_store_outbox_end(
	    core_tx(c), f->row->id, DVT_OUTBOX_FAILED, f->why->text, err);
}

struct due_list {
	struct dvt_row_outbox *rows;
	size_t n;
};

static enum dvt_code
list_due(struct core *c, void *ctx, struct dvt_err *err)
{
	struct due_list *l = ctx;

	return dvt_store_outbox_due(core_tx(c), core_arena(c),
	    core_now(c).wall_s, ACTIONS_A_TURN, &l->rows, &l->n, err);
}

void
core_outbox_run(struct core *c)
{
	struct due_list due = {0};
	struct dvt_err err = {0};

	if (core_within(c, list_due, &due, &err) != DVT_OK) {
		log_event(LOG_WARNING, "outbox.unread", LE(&err));
		return;
	}
	for (size_t i = 0; i < due.n; i++) {
		struct dvt_err why = {0};
		struct failure f = {&due.rows[i], &why};

		if (core_within(c, perform, &due.rows[i], &why) == DVT_OK) {
			core_rotation_wake(c);
			continue;
		}
		log_event(LOG_WARNING, "outbox.failed",
		    LS("key", due.rows[i].key), LE(&why));
		if (core_within(c, note_failure, &f, &err) != DVT_OK)
			log_event(LOG_WARNING, "outbox.unwritten", LE(&err));
	}
}
