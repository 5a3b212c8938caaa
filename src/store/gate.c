/* SPDX-License-Identifier: Apache-2.0 */
/* See gate.h. */
#include "store/gate.h"

#include "store/maps.h"

#define OPEN_MAX 100 /* rotations at one time */

/* --- counts --- */

struct named {
	const char *device_id;
	int64_t n; /* of all, beside each */
};

static enum dvt_code
rows_of(struct dvt_tx *tx, struct dvt_arena *arena, enum dvt_gate gate,
    const struct dvt_gate_query *q, struct named **rows, size_t *n,
    struct dvt_err *err)
{
#define F(f) DVT_F(struct named, f)
	static const struct dvt_field fields[] = {F(device_id), F(n)};
#undef F
	static const struct dvt_row_map map = DVT_MAP(struct named, fields);
	const struct dvt_arg id = BI("rotation_id", q->rotation_id);
	const struct dvt_arg root = BT("root", q->root);
	const struct dvt_arg since = BI("since", q->since);
	const struct dvt_arg wave = BI("wave", q->wave);
	const struct dvt_arg most = BI("limit", DVT_SAMPLES);

#define LIST(sql, ...)                                                         \
	dvt_sql_list(tx, sql, &map, arena, rows, n, err, id, __VA_ARGS__, most)
	switch (gate) {
	case DVT_GATE_UNCONFIRMED:
		return dvt_sql_list(tx, SQL_GATE_UNCONFIRMED, &map, arena, rows,
		    n, err, id, most);
	case DVT_GATE_WAVE_FAILED:
		return LIST(SQL_GATE_WAVE_FAILED, wave);
	case DVT_GATE_WAVE_OPEN:
		return LIST(SQL_GATE_WAVE_OPEN, wave);
	case DVT_GATE_EDGE_FAILING:
		return LIST(SQL_GATE_EDGE_FAILING, root, since);
	case DVT_GATE_UNPROVEN:
		return LIST(SQL_GATE_UNPROVEN, root, since);
	case DVT_GATE_UNSEEN:
		return dvt_sql_list(
		    tx, SQL_GATE_UNSEEN, &map, arena, rows, n, err, id, most);
	case DVT_GATE_UNBUNDLED:
		return LIST(SQL_GATE_UNBUNDLED, BI("version", q->version));
	case DVT_GATE_LIVE_OLD:
		return LIST(SQL_GATE_LIVE_OLD, root);
	case DVT_GATE_PARKED:
		return dvt_sql_list(
		    tx, SQL_GATE_PARKED, &map, arena, rows, n, err, id, most);
	case DVT_GATE_EXCEPTED:
		return dvt_sql_list(
		    tx, SQL_GATE_EXCEPTED, &map, arena, rows, n, err, id, most);
	}
#undef LIST
	return dvt_fail(err, DVT_E_INPUT, "gate: which?");
}

enum dvt_code
dvt_store_gate(struct dvt_tx *tx, enum dvt_gate gate,
    const struct dvt_gate_query *q, struct dvt_count *out, struct dvt_err *err)
{
	struct dvt_arena arena = {0};
	struct named *rows;
	size_t n = 0;
	enum dvt_code rc;

	*out = (struct dvt_count){0};
	rc = rows_of(tx, &arena, gate, q, &rows, &n, err);
	for (size_t i = 0; rc == DVT_OK && i < n && i < DVT_SAMPLES; i++) {
		out->n = rows[i].n;
		(void)dvt_copy_str(
		    out->sample[i], sizeof(out->sample[i]), rows[i].device_id);
	}
	dvt_arena_free(&arena);
	return rc;
}

enum dvt_code
dvt_store_left_behind(struct dvt_tx *tx, struct dvt_arena *arena,
    int64_t rotation_id, const char *after, int64_t limit,
    const char *const **ids, size_t *n, struct dvt_err *err)
{
	return dvt_sql_texts(tx, SQL_GATE_LEFT_BEHIND, arena, ids, n, err,
	    BI("rotation_id", rotation_id), BT("after", after),
	    BI("limit", limit));
}

enum dvt_code
dvt_store_gate_devices(
    struct dvt_tx *tx, int64_t rotation_id, int64_t *n, struct dvt_err *err)
{
	return dvt_sql_i64(
	    tx, SQL_GATE_DEVICES, n, err, BI("rotation_id", rotation_id));
}

enum dvt_code
dvt_store_gate_wave_ok(struct dvt_tx *tx, int64_t rotation_id, int64_t wave,
    int64_t *n, struct dvt_err *err)
{
	return dvt_sql_i64(tx, SQL_GATE_WAVE_OK, n, err,
	    BI("rotation_id", rotation_id), BI("wave", wave));
}

enum dvt_code
dvt_store_gate_edge_ok(struct dvt_tx *tx, const struct dvt_gate_query *q,
    int64_t *n, struct dvt_err *err)
{
	return dvt_sql_i64(tx, SQL_GATE_EDGE_OK, n, err,
	    BI("rotation_id", q->rotation_id), BT("root", q->root),
	    BI("since", q->since));
}

enum dvt_code
dvt_store_gate_hold(
    struct dvt_tx *tx, const char *root, int64_t *until, struct dvt_err *err)
{
	return dvt_sql_i64(tx, SQL_GATE_HOLD, until, err, BT("root", root));
}

enum dvt_code
dvt_store_gate_edge_clients(
    struct dvt_tx *tx, const char *root, int64_t *n, struct dvt_err *err)
{
	return dvt_sql_i64(tx, SQL_GATE_EDGE_CLIENTS, n, err, BT("root", root));
}

enum dvt_code
dvt_store_gate_clock(struct dvt_tx *tx, int64_t *off_s, struct dvt_err *err)
{
	int64_t n;
	enum dvt_code rc = dvt_sql_i64(tx, SQL_GATE_CLOCKS, &n, err);

	*off_s = 0;
	if (rc != DVT_OK || n == 0)
		return rc;
	return dvt_sql_i64(tx, SQL_GATE_CLOCK, off_s, err, BI("skip", n / 2));
}

enum dvt_code
dvt_store_gate_outbox(struct dvt_tx *tx, int64_t rotation_id,
    enum dvt_outbox_state state, int64_t *n, struct dvt_err *err)
{
	return dvt_sql_i64(tx, SQL_GATE_OUTBOX, n, err,
	    BI("rotation_id", rotation_id),
	    BT("state", dvt_outbox_state_name(state)));
}

/* --- distinct trust --- */

enum dvt_code
dvt_store_trust_groups(struct dvt_tx *tx, struct dvt_arena *arena,
    int64_t rotation_id, const struct dvt_gate_shown *shown, int64_t limit,
    struct dvt_row_trust_group **rows, size_t *n, struct dvt_err *err)
{
#define F(f)       DVT_F(struct dvt_row_trust_group, f)
#define E(f, list) DVT_E(struct dvt_row_trust_group, f, dvt_##list##_name)
	static const struct dvt_field fields[] = {F(digest), F(anchors),
	    E(management, management), F(seen), E(pins, pins), F(n), F(first)};
#undef F
#undef E
	static const struct dvt_row_map map = DVT_MAP(
	    struct dvt_row_trust_group, fields);

	return dvt_sql_list(tx, SQL_GATE_TRUST_GROUPS, &map, arena, rows, n,
	    err, BI("rotation_id", rotation_id), BT("root", shown->root),
	    BT("serial", shown->serial), BT("issuer", shown->issuer),
	    BI("limit", limit));
}

enum dvt_code
dvt_store_trust_group_devices(struct dvt_tx *tx, struct dvt_arena *arena,
    int64_t rotation_id, const struct dvt_gate_shown *shown,
    const struct dvt_row_trust_group *group, const char *after, int64_t limit,
    const char *const **ids, size_t *n, struct dvt_err *err)
{
	return dvt_sql_texts(tx, SQL_GATE_GROUP_DEVICES, arena, ids, n, err,
	    BI("rotation_id", rotation_id), BT("root", shown->root),
	    BT("serial", shown->serial), BT("issuer", shown->issuer),
	    BT("digest", group->digest),
	    BT("management", dvt_management_name(group->management)),
	    BT("seen", group->seen), BT("pins", dvt_pins_name(group->pins)),
	    BT("after", after), BI("limit", limit));
}

enum dvt_code
dvt_store_anchor_users(struct dvt_tx *tx, struct dvt_arena *arena,
    const char *root, const char *after, int64_t limit,
    struct dvt_row_anchor_user **rows, size_t *n, struct dvt_err *err)
{
#define F(f) DVT_F(struct dvt_row_anchor_user, f)
	static const struct dvt_field fields[] = {
	    F(device_id), F(digest), F(anchors), F(proven)};
#undef F
	static const struct dvt_row_map map = DVT_MAP(
	    struct dvt_row_anchor_user, fields);

	return dvt_sql_list(tx, SQL_GATE_ANCHOR_USERS, &map, arena, rows, n,
	    err, BT("root", root), BT("after", after), BI("limit", limit));
}

/* --- many rows --- */

enum dvt_code
dvt_store_wave_all(
    struct dvt_tx *tx, int64_t rotation_id, int64_t wave, struct dvt_err *err)
{
	return dvt_sql_run(tx, SQL_ASSIGNMENT_WAVE_ALL, NULL, err,
	    BI("rotation_id", rotation_id), BI("wave", wave));
}

enum dvt_code
dvt_store_wave_first(struct dvt_tx *tx, int64_t rotation_id, int64_t wave,
    int64_t rank, struct dvt_err *err)
{
	return dvt_sql_run(tx, SQL_ASSIGNMENT_WAVE_FIRST, NULL, err,
	    BI("rotation_id", rotation_id), BI("wave", wave), BI("rank", rank));
}

enum dvt_code
dvt_store_wave_device(struct dvt_tx *tx, int64_t rotation_id, int64_t wave,
    const char *device_id, int64_t *n, struct dvt_err *err)
{
	return dvt_sql_run(tx, SQL_ASSIGNMENT_WAVE_DEVICE, n, err,
	    BI("rotation_id", rotation_id), BI("wave", wave),
	    BT("device_id", device_id));
}

enum dvt_code
dvt_store_wave_count(struct dvt_tx *tx, int64_t rotation_id, int64_t wave,
    int64_t *n, struct dvt_err *err)
{
	return dvt_sql_i64(tx, SQL_ASSIGNMENT_WAVE_COUNT, n, err,
	    BI("rotation_id", rotation_id), BI("wave", wave));
}

enum dvt_code
dvt_store_wave_next(struct dvt_tx *tx, struct dvt_arena *arena,
    int64_t rotation_id, int64_t wave, int64_t limit,
    struct dvt_assignment **rows, size_t *n, struct dvt_err *err)
{
	return dvt_sql_list(tx, SQL_ASSIGNMENT_RELEASE_NEXT,
	    &dvt_map_assignment, arena, rows, n, err,
	    BI("rotation_id", rotation_id), BI("wave", wave),
	    BI("limit", limit));
}

enum dvt_code
dvt_store_assignment_timers_off(
    struct dvt_tx *tx, int64_t rotation_id, struct dvt_err *err)
{
	return dvt_sql_run(tx, SQL_ASSIGNMENT_TIMERS_OFF, NULL, err,
	    BI("rotation_id", rotation_id));
}

enum dvt_code
dvt_store_mail_recall(struct dvt_tx *tx, int64_t rotation_id, int64_t limit,
    int64_t *n, struct dvt_err *err)
{
	return dvt_sql_run(tx, SQL_MAIL_RECALL, n, err,
	    BI("rotation_id", rotation_id), BI("limit", limit));
}

enum dvt_code
dvt_store_hold_open(struct dvt_tx *tx, const char *root, int64_t limit,
    int64_t *n, struct dvt_err *err)
{
	return dvt_sql_run(tx, SQL_CREDENTIAL_HOLD_OPEN, n, err,
	    BT("root", root), BI("limit", limit));
}

enum dvt_code
dvt_store_hold_end(struct dvt_tx *tx, const char *root, int64_t since,
    int64_t hold_s, int64_t limit, int64_t *n, struct dvt_err *err)
{
	return dvt_sql_run(tx, SQL_CREDENTIAL_HOLD_END, n, err,
	    BT("root", root), BI("since", since), BI("hold_s", hold_s),
	    BI("limit", limit));
}

enum dvt_code
dvt_store_hold_owner(struct dvt_tx *tx, const char *device_id,
    const char *fingerprint, struct dvt_err *err)
{
	return dvt_sql_run(tx, SQL_CREDENTIAL_HOLD_OWNER, NULL, err,
	    BT("owner", device_id), BT("fingerprint", fingerprint));
}

enum dvt_code
dvt_store_deny_next(struct dvt_tx *tx, struct dvt_arena *arena,
    const char *root, int64_t now, int64_t limit,
    struct dvt_row_credential **rows, size_t *n, struct dvt_err *err)
{
	return dvt_sql_list(tx, SQL_CREDENTIAL_DENY_NEXT, &dvt_map_credential,
	    arena, rows, n, err, BT("root", root), BI("now", now),
	    BI("limit", limit));
}

enum dvt_code
dvt_store_trust_page(struct dvt_tx *tx, struct dvt_arena *arena,
    const char *after, int64_t limit, const char *const **ids, size_t *n,
    struct dvt_err *err)
{
	return dvt_sql_texts(tx, SQL_TRUST_WANT_PAGE, arena, ids, n, err,
	    BT("after", after), BI("limit", limit));
}

enum dvt_code
dvt_store_trust_want(struct dvt_tx *tx, int64_t version, const char *after,
    int64_t limit, struct dvt_err *err)
{
	return dvt_sql_run(tx, SQL_TRUST_WANT, NULL, err,
	    BI("version", version), BT("after", after), BI("limit", limit));
}

enum dvt_code
dvt_store_outbox_requeue(
    struct dvt_tx *tx, int64_t rotation_id, int64_t now, struct dvt_err *err)
{
	return dvt_sql_run(tx, SQL_OUTBOX_REQUEUE, NULL, err,
	    BI("rotation_id", rotation_id), BI("now", now));
}

/* --- a rotation's own --- */

enum dvt_code
dvt_store_rotation_position(struct dvt_tx *tx, int64_t rotation_id,
    int64_t position, struct dvt_err *err)
{
	return dvt_sql_run(tx, SQL_ROTATION_POSITION, NULL, err,
	    BI("id", rotation_id), BI("position", position));
}

enum dvt_code
dvt_store_rotation_bundle(struct dvt_tx *tx, int64_t rotation_id,
    int64_t version, struct dvt_err *err)
{
	return dvt_sql_run(tx, SQL_ROTATION_BUNDLE, NULL, err,
	    BI("id", rotation_id), BI("bundle", version));
}

enum dvt_code
dvt_store_rotation_standing(struct dvt_tx *tx, struct dvt_arena *arena,
    struct dvt_rotation **rows, size_t *n, struct dvt_err *err)
{
	return dvt_sql_list(tx, SQL_ROTATION_STANDING, &dvt_map_rotation, arena,
	    rows, n, err, BI("limit", OPEN_MAX));
}

enum dvt_code
dvt_store_authority_issuers(struct dvt_tx *tx, struct dvt_arena *arena,
    int64_t root_id, struct dvt_row_authority **rows, size_t *n,
    struct dvt_err *err)
{
	return dvt_sql_list(tx, SQL_AUTHORITY_ISSUERS, &dvt_map_authority,
	    arena, rows, n, err, BI("root_id", root_id));
}

enum dvt_code
dvt_store_authority_under(struct dvt_tx *tx, struct dvt_arena *arena,
    int64_t root_id, struct dvt_row_authority **rows, size_t *n,
    struct dvt_err *err)
{
	return dvt_sql_list(tx, SQL_AUTHORITY_UNDER, &dvt_map_authority, arena,
	    rows, n, err, BI("root_id", root_id));
}
